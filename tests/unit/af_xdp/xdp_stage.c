/* What the tests of the XDP program share. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

#include "veltrix.skel.h"
#include "xdp_test.h"

struct veltrix *xdp_test_load(struct xdp_state *state)
{
    struct vx_error error;
    struct veltrix *loaded = veltrix__open_and_load();
    *state = (struct xdp_state){ .object = -1, .link = -1 };
    for (unsigned i = 0; i < XDP_MAPS; i++)
        state->maps[i] = -1;
    if (loaded != NULL && xdp_maps_open(state, bpf_program__fd(loaded->progs.vx_xdp), &error) != 0)
        CU_FAIL_FATAL(error.text);
    return loaded;
}

void xdp_test_unload(struct veltrix *loaded, struct xdp_state *state)
{
    xdp_maps_close(state);
    veltrix__destroy(loaded);
}

struct vx_port_config xdp_test_config(bool owned)
{
    struct vx_port_config config = { .udp_port = BUILD_PORT, .owned = owned, .address4_count = 1, .address6_count = 1 };
    memcpy(config.address4, BUILD_OUR_IP4, 4);
    memcpy(config.address6, BUILD_OUR_IP6, 16);
    return config;
}

uint64_t xdp_test_count(const struct xdp_state *state, const char *name)
{
    struct vx_port_counter counters[XDP_GIVEN];
    uint32_t count = xdp_counters(state, counters, XDP_GIVEN);
    CU_ASSERT_EQUAL(count, XDP_GIVEN);
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(counters[i].name, name) == 0)
            return counters[i].value;
    CU_FAIL_FATAL("no such counter");
    return 0;
}
