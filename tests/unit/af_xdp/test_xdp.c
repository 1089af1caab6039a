/* What the XDP program does with each kind of frame: verdict and counter. */
#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "veltrix.skel.h"
#include "xdp_test.h"

static struct xdp_state state;
static struct veltrix *program;
static int sockets[TEST_QUEUES];

/* The program's verdict on the frame; a queue other than 0 needs an interface that has it. */
static uint32_t run_on(const struct build *frame, unsigned interface, uint32_t queue)
{
    struct xdp_md context = { .data_end = frame->bytes, .ingress_ifindex = interface, .rx_queue_index = queue };
    uint8_t out[BUILD_BYTES_MAX];
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data, .data_size_in = frame->bytes, .data_out = out, .data_size_out = sizeof(out));
    if (interface != 0) {
        options.ctx_in = &context;
        options.ctx_size_in = sizeof(context);
    }
    int rc = bpf_prog_test_run_opts(bpf_program__fd(program->progs.vx_xdp), &options);
    if (rc != 0) {
        (void)fprintf(stderr, "test run: %d\n", rc);
        CU_FAIL_FATAL("the kernel does not run the program");
    }
    CU_ASSERT_EQUAL(options.data_size_out, frame->bytes); /* the frame is not changed */
    CU_ASSERT_EQUAL(memcmp(out, frame->data, frame->bytes), 0);
    return options.retval;
}

/* One frame, its verdict, and exactly one count, under the name. */
static void expect(const struct build *frame, uint32_t verdict, const char *name)
{
    struct vx_port_counter before[XDP_GIVEN], after[XDP_GIVEN];
    (void)xdp_counters(&state, before, XDP_GIVEN);
    uint32_t got = run_on(frame, 0, 0);
    (void)xdp_counters(&state, after, XDP_GIVEN);
    if (got != verdict)
        (void)fprintf(stderr, "verdict %u, expected %u (%s)\n", got, verdict, name);
    CU_ASSERT_EQUAL(got, verdict);
    for (uint32_t i = 0; i < XDP_GIVEN; i++) {
        uint64_t step = strcmp(after[i].name, name) == 0 ? 1 : 0;
        if (after[i].value - before[i].value != step)
            (void)fprintf(stderr, "%s counted %lu, expected %lu\n", after[i].name, after[i].value - before[i].value, step);
        CU_ASSERT_EQUAL(after[i].value - before[i].value, step);
    }
}

static void to_socket(const struct build *frame)
{
    expect(frame, XDP_REDIRECT, "xdp_to_socket");
}

static void to_kernel(const struct build *frame)
{
    expect(frame, XDP_PASS, "xdp_to_kernel");
}

static void settle(bool owned)
{
    struct vx_port_config config = xdp_test_config(owned);
    CU_ASSERT_EQUAL_FATAL(xdp_settings_write(&state, &config, NULL), 0);
}

static void test_before_settings(void)
{
    struct build frame;
    build_game(&frame, 4, 0, 0, 7, 1);
    to_kernel(&frame);
}

static void test_game_packets(void)
{
    struct build frame;
    for (unsigned owned = 0; owned < 2; owned++) {
        settle(owned);
        for (uint32_t version = 4; version <= 6; version += 2)
            for (uint32_t tags = 0; tags <= 2; tags++)
                for (uint32_t options = 0; options <= 40 && (version == 4 || options == 0); options += 20) {
                    build_game(&frame, version, tags, options, 7, 2);
                    to_socket(&frame);
                    build_append(&frame, NULL, 11); /* padding */
                    to_socket(&frame);
                }
        build_game(&frame, 4, 3, 0, 7, 2); /* more tags than anybody has */
        to_kernel(&frame);
    }
}

/* Whatever is not ours goes on, whatever it looks like. */
static void test_kernels_own(void)
{
    struct build frame;
    for (unsigned owned = 0; owned < 2; owned++) {
        settle(owned);
        build_game(&frame, 4, 0, 0, 7, 1);
        put_be16(frame.data + frame.l4_at + 2, 22); /* another port */
        to_kernel(&frame);
        put_be16(frame.data + frame.l4_at + 4, 3); /* with a bad length */
        to_kernel(&frame);
        build_game(&frame, 4, 0, 0, 7, 1);
        frame.data[frame.ip_at + 19] ^= 1; /* another address */
        to_kernel(&frame);
        frame.data[frame.ip_at] = 0x42; /* with a bad header */
        to_kernel(&frame);
        build_game(&frame, 6, 1, 0, 7, 1);
        frame.data[frame.ip_at + 39] ^= 1;
        to_kernel(&frame);
        build_ip4(&frame, 0, 0, IPPROTO_TCP); /* SSH */
        memset(build_append(&frame, NULL, 20), 0x16, 20);
        frame_finish(&frame);
        to_kernel(&frame);
        build_ip6(&frame, 0, IPPROTO_TCP);
        build_append(&frame, NULL, 20);
        frame_finish(&frame);
        to_kernel(&frame);
        build_ethernet(&frame, 0, 0x88cc); /* LLDP */
        build_append(&frame, NULL, 50);
        to_kernel(&frame);
        build_ethernet(&frame, 0, 0x0800);
        to_kernel(&frame); /* nothing behind Ethernet */
    }
}

static void test_owned_addresses(void)
{
    struct build frames[5];
    build_arp(&frames[0], 1);
    build_echo(&frames[1], 4, 0, 4, 30);
    build_echo(&frames[2], 6, 2, 0, 0);
    build_solicit(&frames[3], 0, false);
    build_solicit(&frames[4], 1, true);
    settle(true);
    for (uint32_t i = 0; i < 5; i++)
        to_socket(&frames[i]);
    settle(false); /* the addresses are the kernel's: so is the answer */
    for (uint32_t i = 0; i < 5; i++)
        to_kernel(&frames[i]);
    settle(true);
    frames[0].data[frames[0].ip_at + 27] ^= 1; /* asks for another */
    frames[1].data[frames[1].l4_at] = 0;       /* an echo's reply */
    frames[2].data[frames[2].l4_at] = 129;
    frames[3].data[frames[3].l4_at + 23] ^= 1; /* target */
    frames[4].data[frames[4].l4_at] = 136;     /* an advertisement */
    for (uint32_t i = 0; i < 5; i++)
        to_kernel(&frames[i]);
}

/* A game's packet whose headers contradict each other; `owned` where only an owned address makes it ours. */
static void test_malformed(void)
{
    struct build frame;
    for (unsigned owned = 0; owned < 2; owned++) {
        settle(owned);
        build_game(&frame, 4, 0, 0, 7, 1);
        put_be16(frame.data + frame.ip_at + 2, 500); /* total length beyond the frame */
        expect(&frame, XDP_DROP, "xdp_short_ip");
        build_game(&frame, 4, 0, 0, 7, 1);
        put_be16(frame.data + frame.ip_at + 6, 0x2000); /* first fragment */
        expect(&frame, XDP_DROP, "xdp_fragment");
        put_be16(frame.data + frame.ip_at + 6, 0x0010); /* a later one: no port in it */
        expect(&frame, owned ? XDP_DROP : XDP_PASS, owned ? "xdp_fragment" : "xdp_to_kernel");
        build_game(&frame, 4, 0, 0, 7, 1);
        frame.data[frame.ip_at] = 0x44; /* a header of 16 bytes */
        expect(&frame, owned ? XDP_DROP : XDP_PASS, owned ? "xdp_bad_ip_header" : "xdp_to_kernel");
        build_game(&frame, 4, 0, 0, 7, 1);
        put_be16(frame.data + frame.l4_at + 4, 7);
        expect(&frame, XDP_DROP, "xdp_short_udp");
        put_be16(frame.data + frame.l4_at + 4, 39);
        expect(&frame, XDP_DROP, "xdp_bad_udp_length");
        build_game(&frame, 4, 0, 0, 7, 1);
        put_be16(frame.data + frame.l4_at, 0); /* nobody to answer */
        expect(&frame, XDP_DROP, "xdp_bad_source");
        build_game(&frame, 4, 0, 0, 7, 1);
        frame.data[frame.ip_at + 12] = 224;
        expect(&frame, XDP_DROP, "xdp_bad_source");
        build_game(&frame, 6, 0, 0, 7, 1);
        put_be16(frame.data + frame.l4_at + 6, 0); /* no checksum */
        expect(&frame, XDP_DROP, "xdp_bad_udp_checksum");
        build_game(&frame, 6, 0, 0, 7, 1);
        put_be16(frame.data + frame.ip_at + 4, 500);
        expect(&frame, XDP_DROP, "xdp_short_ip");
        build_game(&frame, 6, 0, 0, 7, 1);
        memset(frame.data + frame.ip_at + 8, 0, 16); /* unspecified source */
        expect(&frame, XDP_DROP, "xdp_bad_source");
    }
}

/* A good frame cut at every length: never to the socket, never a fault. */
static void test_cut(void)
{
    struct build frame;
    settle(true);
    for (uint32_t version = 4; version <= 6; version += 2) {
        build_game(&frame, version, 2, 0, 7, 1);
        for (uint32_t bytes = frame.bytes - 1; bytes >= 14; bytes--) {
            frame.bytes = bytes;
            CU_ASSERT_NOT_EQUAL(run_on(&frame, 0, 0), XDP_REDIRECT);
        }
    }
}

static void ban(const char *text, bool banned)
{
    struct vx_prefix prefix;
    CU_ASSERT_EQUAL_FATAL(vx_prefix_parse(text, &prefix, NULL), 0);
    CU_ASSERT_EQUAL(xdp_ban(&state, &prefix, banned, NULL), 0);
}

static void test_bans(void)
{
    static const struct {
        const char *prefix;
        uint32_t version;
        bool hits;
    } cases[] = {
        { "192.168.7.99", 4, true }, { "192.168.0.0/16", 4, true }, { "0.0.0.0/0", 4, true }, { "192.168.7.98", 4, false }, { "::/0", 4, false },
        { "2001:db8:2:0:fffe:0:1234:5678", 6, true }, { "2001:db8:2::/64", 6, true }, { "::/0", 6, true }, { "2001:db8:3::/64", 6, false }, { "0.0.0.0/0", 6, false },
    };
    struct build game, ssh;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        settle(true);
        build_game(&game, cases[i].version, 1, 0, 7, 1);
        to_socket(&game);
        ban(cases[i].prefix, true);
        expect(&game, cases[i].hits ? XDP_DROP : XDP_REDIRECT, cases[i].hits ? "xdp_banned" : "xdp_to_socket");
        if (cases[i].version == 4)
            build_ip4(&ssh, 0, 0, IPPROTO_TCP);
        else
            build_ip6(&ssh, 0, IPPROTO_TCP);
        build_append(&ssh, NULL, 20);
        frame_finish(&ssh);
        to_kernel(&ssh); /* a ban is from the game, not from the machine */
        build_echo(&ssh, cases[i].version, 0, 0, 8);
        expect(&ssh, cases[i].hits ? XDP_DROP : XDP_REDIRECT, cases[i].hits ? "xdp_banned" : "xdp_to_socket");
        ban(cases[i].prefix, false);
        ban(cases[i].prefix, false); /* twice is no error */
        to_socket(&game);
    }
}

static void test_rate(void)
{
    struct build frame;
    const struct vx_rate rate = { 3600000000000, 4 * 3600000000000 }; /* one an hour, five at once */
    settle(true);
    CU_ASSERT_EQUAL(xdp_rate(&state, &rate, NULL), 0);
    for (uint32_t version = 4; version <= 6; version += 2) {
        build_game(&frame, version, 0, 0, 7, 1);
        for (uint32_t i = 0; i < 5; i++)
            to_socket(&frame);
        expect(&frame, XDP_DROP, "xdp_over_rate");
        frame.data[frame.ip_at + (version == 4 ? 15 : 23)] ^= 1; /* the neighbour: another address, the same /64 */
        if (version == 4)
            to_socket(&frame);
        else
            expect(&frame, XDP_DROP, "xdp_over_rate");
    }
    CU_ASSERT_EQUAL(xdp_rate(&state, &(struct vx_rate){ 0, 0 }, NULL), 0);
    to_socket(&frame);
}

/* A frame goes to the socket of the queue that it came on; a queue without one is counted. */
static void test_queues(void)
{
    struct build frame;
    settle(true);
    build_game(&frame, 4, 0, 0, 7, 1);
    if (unshare(CLONE_NEWNET) != 0 || system("ip link add vxt0 numrxqueues 4 numtxqueues 4 type veth peer name vxt1 numrxqueues 4 numtxqueues 4 && "
                                             "ip link set vxt0 up && ip link set vxt1 up") != 0)
        CU_FAIL_FATAL("no veth pair in a network namespace");
    unsigned interface = if_nametoindex("vxt0");
    struct bpf_link *link = bpf_program__attach_xdp(program->progs.vx_xdp, (int)interface); /* the queues exist for XDP from now on */
    CU_ASSERT_PTR_NOT_NULL_FATAL(link);
    uint64_t none = xdp_test_count(&state, "xdp_no_socket");
    for (uint32_t queue = 0; queue < TEST_QUEUES; queue++) {
        bool has_socket = queue != 2;
        CU_ASSERT_EQUAL(run_on(&frame, interface, queue), has_socket ? XDP_REDIRECT : XDP_DROP);
    }
    CU_ASSERT_EQUAL(xdp_test_count(&state, "xdp_no_socket"), none + 1);
    CU_ASSERT_EQUAL(bpf_link__destroy(link), 0);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "without settings everything is the kernel's", test_before_settings },
        { "the game's packets: IPv4, IPv6, VLAN, options, padding", test_game_packets },
        { "what is not ours goes on", test_kernels_own },
        { "ARP, echo and solicitations where the address is ours", test_owned_addresses },
        { "malformed headers", test_malformed },
        { "frames cut at every length", test_cut },
        { "bans", test_bans },
        { "rate of a source", test_rate },
        { "queues", test_queues },
    };
    program = xdp_test_load(&state);
    if (program == NULL) {
        (void)fprintf(stderr, "the kernel does not load the XDP program for us: %s\n", strerror(errno));
        return errno == EPERM ? TEST_SKIPPED : 1;
    }
    for (uint32_t queue = 0; queue < TEST_QUEUES; queue++) {
        sockets[queue] = socket(AF_XDP, SOCK_RAW, 0);
        if (sockets[queue] < 0 || (queue != 2 && bpf_map_update_elem(bpf_map__fd(program->maps.xsks_map), &queue, &sockets[queue], BPF_ANY) != 0))
            return 1;
    }
    int rc = vx_test_main("xdp", tests, sizeof(tests) / sizeof(tests[0]));
    xdp_test_unload(program, &state);
    return rc;
}
