/* The program on its interface. net_af_xdp (DPDK 22.11) loads the object named by its devarg xdp_prog and attaches it
 * over netlink; a program attached so outlives its process, stays after kill -9, and net_af_xdp then refuses to
 * start because there is one already. So: before the start a program of ours without an owner is taken away; after
 * the start ours is detached and attached again by a BPF link, which the kernel closes with the process. */
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "veltrix.skel.h"
#include "xdp.h"

static const char program_name[] = "vx_xdp"; /* as in veltrix.bpf.c */

int xdp_object_open(void)
{
    size_t bytes = 0;
    const void *elf = veltrix__elf_bytes(&bytes);
    int object = memfd_create("veltrix.bpf.o", MFD_CLOEXEC);
    if (object >= 0 && write(object, elf, bytes) != (ssize_t)bytes) {
        (void)close(object);
        errno = EIO;
        return -1;
    }
    return object;
}

/* What hangs on the interface: the program's number, 0 for none, and the flags that name its mode. */
static int query(unsigned interface, uint32_t *id, uint32_t *mode)
{
    LIBBPF_OPTS(bpf_xdp_query_opts, found);
    int rc = bpf_xdp_query((int)interface, 0, &found);
    if (rc != 0)
        return rc;
    *id = found.prog_id != 0 ? found.prog_id : found.drv_prog_id != 0 ? found.drv_prog_id : found.skb_prog_id;
    *mode = found.attach_mode == XDP_ATTACHED_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
    return 0;
}

/* Opens the program by its number and reads its name. */
static int program_open(uint32_t id, char name[BPF_OBJ_NAME_LEN])
{
    struct bpf_prog_info info = { 0 };
    uint32_t bytes = sizeof(info);
    int program = bpf_prog_get_fd_by_id(id);
    name[0] = '\0';
    if (program >= 0 && bpf_obj_get_info_by_fd(program, &info, &bytes) == 0)
        memcpy(name, info.name, BPF_OBJ_NAME_LEN);
    return program;
}

int xdp_clear_stale(unsigned interface, const char *interface_name, bool *stale, struct vx_error *error)
{
    char name[BPF_OBJ_NAME_LEN];
    uint32_t id = 0, mode = 0;
    *stale = false;
    int rc = query(interface, &id, &mode);
    if (rc != 0)
        return vx_error_set(error, rc, "%s: the kernel does not say which XDP program it has: %s", interface_name, strerror(-rc));
    if (id == 0)
        return 0;
    int program = program_open(id, name);
    if (program >= 0)
        (void)close(program);
    if (strcmp(name, program_name) != 0)
        return vx_error_set(error, -EBUSY, "%s has the XDP program %s (%u), which is not ours; ip link set dev %s xdp off", interface_name, name, id, interface_name);
    rc = bpf_xdp_detach((int)interface, mode, NULL);
    if (rc == -EBUSY || rc == -EINVAL)
        return vx_error_set(error, -EBUSY, "%s is held by a running veltrixd", interface_name);
    if (rc != 0)
        return vx_error_set(error, rc, "%s: the stale XDP program %u does not go: %s", interface_name, id, strerror(-rc));
    *stale = true;
    return 0;
}

int xdp_take_over(struct xdp_state *state, const char *interface_name, struct vx_error *error)
{
    char name[BPF_OBJ_NAME_LEN] = "";
    uint32_t id = 0, mode = 0;
    int rc = query(state->interface, &id, &mode);
    int program = rc == 0 && id != 0 ? program_open(id, name) : -ENOENT;
    if (program < 0 || strcmp(name, program_name) != 0)
        return vx_error_set(error, -ENOENT, "%s: net_af_xdp left the XDP program '%s' (%u) there, expected %s", interface_name, name, id, program_name);
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = mode);
    rc = bpf_xdp_detach((int)state->interface, mode, NULL);
    if (rc == 0)
        rc = state->link = bpf_link_create(program, (int)state->interface, BPF_XDP, &options);
    if (rc < 0) {
        (void)close(program);
        return vx_error_set(error, rc, "%s: the XDP program cannot be held by a link (Linux 5.9 and later can): %s", interface_name, strerror(-rc));
    }
    state->native = mode == XDP_FLAGS_DRV_MODE;
    return program;
}
