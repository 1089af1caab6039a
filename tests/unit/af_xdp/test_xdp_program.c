/* The program on an interface: what a dead process left is taken away, what belongs to others is not, and a link takes
 * the program with it. In a network namespace of its own, over veth (native) and over a bridge, whose driver knows no XDP (generic). */
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "veltrix.skel.h"
#include "xdp_test.h"

static const char *const interfaces[] = { "vxt0", "vxtbr0" }; /* native, generic */

static uint32_t attached(const char *name)
{
    uint32_t id = 0;
    (void)bpf_xdp_query_id((int)if_nametoindex(name), 0, &id);
    return id;
}

/* Loads ours and puts it on the interface as net_af_xdp does. */
static struct veltrix *plant(const char *name)
{
    struct xdp_state state;
    struct veltrix *loaded = xdp_test_load(&state);
    CU_ASSERT_PTR_NOT_NULL_FATAL(loaded);
    xdp_maps_close(&state);
    CU_ASSERT_EQUAL_FATAL(bpf_xdp_attach((int)if_nametoindex(name), bpf_program__fd(loaded->progs.vx_xdp), XDP_FLAGS_UPDATE_IF_NOEXIST, NULL), 0);
    return loaded;
}

static struct xdp_state state_of(const char *name)
{
    struct xdp_state state = { .object = -1, .link = -1, .interface = if_nametoindex(name) };
    for (unsigned i = 0; i < XDP_MAPS; i++)
        state.maps[i] = -1;
    return state;
}

static void test_stale(void)
{
    struct vx_error error;
    bool stale;
    for (unsigned i = 0; i < 2; i++) {
        unsigned interface = if_nametoindex(interfaces[i]);
        CU_ASSERT_EQUAL(xdp_clear_stale(interface, interfaces[i], &stale, &error), 0);
        CU_ASSERT_FALSE(stale);
        veltrix__destroy(plant(interfaces[i])); /* its process is gone, the program is still there */
        CU_ASSERT_NOT_EQUAL(attached(interfaces[i]), 0);
        CU_ASSERT_EQUAL(xdp_clear_stale(interface, interfaces[i], &stale, &error), 0);
        CU_ASSERT_TRUE(stale);
        CU_ASSERT_EQUAL(attached(interfaces[i]), 0);
    }
}

static void test_take_over(void)
{
    struct vx_error error;
    bool stale;
    for (unsigned i = 0; i < 2; i++) {
        struct veltrix *loaded = plant(interfaces[i]);
        struct xdp_state state = state_of(interfaces[i]);
        int program = xdp_take_over(&state, interfaces[i], &error);
        CU_ASSERT_FATAL(program >= 0);
        CU_ASSERT_EQUAL(state.native, i == 0);
        CU_ASSERT_NOT_EQUAL(attached(interfaces[i]), 0);
        CU_ASSERT_EQUAL(xdp_maps_open(&state, program, &error), 0);
        CU_ASSERT_EQUAL(xdp_clear_stale(state.interface, interfaces[i], &stale, &error), -EBUSY); /* lives */
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "a running veltrixd"));
        CU_ASSERT_EQUAL(close(program), 0);
        xdp_maps_close(&state);
        veltrix__destroy(loaded);
        CU_ASSERT_NOT_EQUAL(attached(interfaces[i]), 0); /* the link alone holds it */
        CU_ASSERT_EQUAL(close(state.link), 0);
        CU_ASSERT_EQUAL(attached(interfaces[i]), 0);
    }
}

/* Somebody else's program stays, and is named. */
static void test_foreign(void)
{
    struct bpf_insn pass[] = { { .code = 0xb7, .dst_reg = 0, .imm = XDP_PASS }, { .code = 0x95 } }; /* r0 = XDP_PASS; exit */
    int foreign = bpf_prog_load(BPF_PROG_TYPE_XDP, "somebodys", "GPL", pass, 2, NULL), interface = (int)if_nametoindex("vxt0");
    struct vx_error error;
    struct xdp_state state = state_of("vxt0");
    bool stale;
    CU_ASSERT_FATAL(foreign >= 0);
    CU_ASSERT_EQUAL(bpf_xdp_attach(interface, foreign, 0, NULL), 0);
    CU_ASSERT_EQUAL(xdp_clear_stale((unsigned)interface, "vxt0", &stale, &error), -EBUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "somebodys"));
    CU_ASSERT_EQUAL(xdp_take_over(&state, "vxt0", &error), -ENOENT);
    CU_ASSERT_NOT_EQUAL(attached("vxt0"), 0);
    CU_ASSERT_EQUAL(bpf_xdp_detach(interface, 0, NULL), 0);
    CU_ASSERT_EQUAL(xdp_take_over(&state, "vxt0", &error), -ENOENT); /* none at all */
    CU_ASSERT_EQUAL(close(foreign), 0);
}

/* A process that is killed takes its program along. */
static void test_killed(void)
{
    int ready[2];
    char byte;
    CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct xdp_state state = state_of("vxt0");
        (void)plant("vxt0");
        byte = xdp_take_over(&state, "vxt0", NULL) >= 0 ? 'y' : 'n';
        (void)!write(ready[1], &byte, 1);
        (void)pause();
        _exit(0);
    }
    CU_ASSERT_FATAL(child > 0 && read(ready[0], &byte, 1) == 1 && byte == 'y');
    CU_ASSERT_NOT_EQUAL(attached("vxt0"), 0);
    CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
    CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
    for (unsigned ms = 0; ms < 2000 && attached("vxt0") != 0; ms++) /* the kernel puts the link off to a worker */
        (void)usleep(1000);
    CU_ASSERT_EQUAL(attached("vxt0"), 0);
    CU_ASSERT_NOT_EQUAL(if_nametoindex("vxt0"), 0);
}

static void test_object_file(void)
{
    char path[64];
    int object = xdp_object_open();
    CU_ASSERT_FATAL(object >= 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", object); /* as net_af_xdp opens it */
    struct bpf_object *opened = bpf_object__open_file(path, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(opened);
    CU_ASSERT_EQUAL(bpf_object__load(opened), 0);
    CU_ASSERT_STRING_EQUAL(bpf_program__name(bpf_object__next_program(opened, NULL)), "vx_xdp"); /* it takes the first program */
    CU_ASSERT_PTR_NOT_NULL(bpf_object__find_map_by_name(opened, "xsks_map"));
    CU_ASSERT_PTR_NULL(bpf_object__next_program(opened, bpf_object__next_program(opened, NULL)));
    bpf_object__close(opened);
    CU_ASSERT_EQUAL(close(object), 0);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "the object as net_af_xdp opens it, through the verifier", test_object_file },
        { "a stale program is taken away", test_stale },
        { "a link takes over, and holds", test_take_over },
        { "somebody else's program stays", test_foreign },
        { "kill -9 takes the program along", test_killed },
    };
    struct xdp_state state;
    struct veltrix *loaded = xdp_test_load(&state);
    if (loaded == NULL) {
        (void)fprintf(stderr, "the kernel does not load the XDP program for us: %s\n", strerror(errno));
        return errno == EPERM ? TEST_SKIPPED : 1;
    }
    xdp_test_unload(loaded, &state);
    if (unshare(CLONE_NEWNET) != 0 || system("ip link add vxt0 type veth peer name vxt1 && ip link set vxt0 up && ip link set vxt1 up && "
                                             "ip link add vxtbr0 type bridge && ip link set vxtbr0 up") != 0)
        return 1;
    return vx_test_main("xdp_program", tests, sizeof(tests) / sizeof(tests[0]));
}
