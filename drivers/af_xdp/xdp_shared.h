/* The maps' contents, as the XDP program and the driver that fills them see them. */
#ifndef VX_XDP_SHARED_H
#define VX_XDP_SHARED_H

#include "vx_drop.h"
#include "vx_rules_shared.h"

enum {
    XDP_ADDRESSES_MAX = 4,
    XDP_QUEUES_MAX = 128,
    XDP_BANS_MAX = 1 << 20,    /* of each family; the tries take memory as they grow */
    XDP_SOURCES_MAX = 1 << 17, /* token buckets, about 10 MB of kernel memory; the least recently used gives way */
};

struct xdp_settings {
    uint16_t port; /* the game's, network order; 0: everything goes to the kernel */
    uint8_t owned; /* ARP, echo and neighbour solicitations for our addresses are ours to answer */
    uint8_t address4_count, address6_count; /* 0 and 0: any destination */
    uint8_t padding[3];
    uint32_t address4[XDP_ADDRESSES_MAX];
    uint8_t address6[XDP_ADDRESSES_MAX][16];
};
struct xdp_prefix4 {
    uint32_t bits;
    uint8_t address[4];
};
struct xdp_prefix6 {
    uint32_t bits;
    uint8_t address[16];
};

/* Counters: every reason of vx_drop.h (NONE is what went to a socket), then these. */
enum {
    XDP_COUNT_KERNEL = VX_DROP_COUNT, /* not ours: passed on */
    XDP_COUNT_NO_SOCKET,              /* ours, but no io lcore polls the queue that it came on */
    XDP_COUNTERS,
    XDP_GIVEN = 12, /* of these, those that the program gives */
};

#endif
