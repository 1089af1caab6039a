/* The maps of the program on the interface: found by name, since net_af_xdp has loaded them. Control thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "vx_rules.h"
#include "xdp.h"

enum { PROGRAM_MAPS_MAX = 16, CPUS_MAX = 1024 };

static const char *const map_names[XDP_MAPS] = { /* as in veltrix.bpf.c */
    [XDP_MAP_SETTINGS] = "vx_settings", [XDP_MAP_BANS4] = "vx_bans4", [XDP_MAP_BANS6] = "vx_bans6",
    [XDP_MAP_RATE] = "vx_rate", [XDP_MAP_BUCKETS] = "vx_buckets", [XDP_MAP_COUNTERS] = "vx_counters",
};

/* Keeps the map when its name is one of ours. */
static void map_keep(struct xdp_state *state, uint32_t id)
{
    struct bpf_map_info info = { 0 };
    uint32_t bytes = sizeof(info);
    int map = bpf_map_get_fd_by_id(id);
    if (map < 0)
        return;
    if (bpf_obj_get_info_by_fd(map, &info, &bytes) == 0)
        for (unsigned i = 0; i < XDP_MAPS; i++)
            if (strcmp(info.name, map_names[i]) == 0) {
                state->maps[i] = map;
                return;
            }
    (void)close(map);
}

int xdp_maps_open(struct xdp_state *state, int program, struct vx_error *error)
{
    uint32_t ids[PROGRAM_MAPS_MAX] = { 0 };
    struct bpf_prog_info info = { .nr_map_ids = PROGRAM_MAPS_MAX, .map_ids = (uint64_t)(uintptr_t)ids };
    uint32_t bytes = sizeof(info);
    if (bpf_obj_get_info_by_fd(program, &info, &bytes) != 0)
        return vx_error_set(error, -errno, "the kernel does not list the XDP program's maps: %s", strerror(errno));
    for (uint32_t i = 0; i < info.nr_map_ids && i < PROGRAM_MAPS_MAX; i++)
        map_keep(state, ids[i]);
    for (unsigned i = 0; i < XDP_MAPS; i++)
        if (state->maps[i] < 0)
            return vx_error_set(error, -ENOENT, "the XDP program has no map %s", map_names[i]);
    return 0;
}

void xdp_maps_close(struct xdp_state *state)
{
    for (unsigned i = 0; i < XDP_MAPS; i++) {
        if (state->maps[i] >= 0)
            (void)close(state->maps[i]);
        state->maps[i] = -1;
    }
}

int xdp_settings_write(const struct xdp_state *state, const struct vx_port_config *config, struct vx_error *error)
{
    static_assert((int)XDP_ADDRESSES_MAX == (int)VX_PORT_ADDRESSES_MAX, "every address of the configuration has its place");
    struct xdp_settings settings = { .port = htons(config->udp_port), .owned = config->owned, .address4_count = config->address4_count,
                                     .address6_count = config->address6_count };
    uint32_t zero = 0;
    memcpy(settings.address4, config->address4, sizeof(settings.address4));
    memcpy(settings.address6, config->address6, sizeof(settings.address6));
    if (bpf_map_update_elem(state->maps[XDP_MAP_SETTINGS], &zero, &settings, BPF_ANY) != 0)
        return vx_error_set(error, -errno, "the XDP program does not take its settings: %s", strerror(errno));
    return 0;
}

static int ban_write(int map, const void *key, bool banned)
{
    uint8_t one = 1;
    if (banned)
        return bpf_map_update_elem(map, key, &one, BPF_ANY) == 0 ? 0 : -errno;
    return bpf_map_delete_elem(map, key) == 0 || errno == ENOENT ? 0 : -errno;
}

int xdp_ban(const struct xdp_state *state, const struct vx_prefix *prefix, bool banned, struct vx_error *error)
{
    struct xdp_prefix4 key4 = { .bits = prefix->bits };
    struct xdp_prefix6 key6 = { .bits = prefix->bits };
    memcpy(key4.address, prefix->address, sizeof(key4.address));
    memcpy(key6.address, prefix->address, sizeof(key6.address));
    int rc = prefix->family == 4 ? ban_write(state->maps[XDP_MAP_BANS4], &key4, banned) : ban_write(state->maps[XDP_MAP_BANS6], &key6, banned);
    return rc == 0 ? 0 : vx_error_set(error, rc, "the XDP program's trie does not take the prefix: %s", strerror(-rc));
}

int xdp_rate(const struct xdp_state *state, const struct vx_rate *rate, struct vx_error *error)
{
    uint32_t zero = 0;
    if (bpf_map_update_elem(state->maps[XDP_MAP_RATE], &zero, rate, BPF_ANY) != 0)
        return vx_error_set(error, -errno, "the XDP program does not take the rate: %s", strerror(errno));
    return 0;
}

static uint64_t counter_sum(const struct xdp_state *state, uint32_t key)
{
    uint64_t each[CPUS_MAX], sum = 0;
    int cpus = libbpf_num_possible_cpus();
    if (cpus < 0 || cpus > CPUS_MAX || bpf_map_lookup_elem(state->maps[XDP_MAP_COUNTERS], &key, each) != 0)
        return 0;
    for (int cpu = 0; cpu < cpus; cpu++)
        sum += each[cpu];
    return sum;
}

static const char *counter_name(uint32_t key)
{
    switch (key) {
    case VX_DROP_NONE: return "to_socket";
    case XDP_COUNT_KERNEL: return "to_kernel";
    case XDP_COUNT_NO_SOCKET: return "no_socket";
    default: return vx_drop_name((enum vx_drop)key);
    }
}

uint32_t xdp_counters(const struct xdp_state *state, struct vx_port_counter *counters, uint32_t max)
{
    static const uint8_t given[XDP_GIVEN] = { /* what the program ever counts */
        VX_DROP_NONE, XDP_COUNT_KERNEL, XDP_COUNT_NO_SOCKET, VX_DROP_BANNED, VX_DROP_OVER_RATE, VX_DROP_SHORT_IP, VX_DROP_BAD_IP_HEADER, VX_DROP_FRAGMENT,
        VX_DROP_SHORT_UDP, VX_DROP_BAD_UDP_LENGTH, VX_DROP_BAD_UDP_CHECKSUM, VX_DROP_BAD_SOURCE,
    };
    uint32_t count = 0;
    for (; count < XDP_GIVEN && count < max; count++) {
        (void)snprintf(counters[count].name, sizeof(counters[count].name), "xdp_%s", counter_name(given[count]));
        counters[count].value = counter_sum(state, given[count]);
        counters[count].alarm = given[count] == XDP_COUNT_NO_SOCKET;
    }
    return count;
}
