/* What the XDP program (drivers/af_xdp, compiled for BPF) and the io lcores' filter (lib/rules) have in common:
 * where an IP header begins, what counts as one source, and the token bucket. Freestanding C: no libc, no DPDK, no
 * loop that a verifier could not follow. */
#ifndef VX_RULES_SHARED_H
#define VX_RULES_SHARED_H

#include <stdint.h>

#define VX_SHARED static inline __attribute__((always_inline))

enum {
    VX_ETHERTYPE_OFFSET = 12,
    VX_TAG_BYTES = 4,
    VX_SOURCE_TAG_4 = 1, /* above the 32 bits of an IPv4 address; 0:1::/32 is nobody's (RFC 4291, 2.5) */
};

/* The token bucket of a source, as one number (the generic cell rate algorithm, ITU-T I.371): the time at which its
 * bucket will be full again. Times are nanoseconds in the XDP program and TSC cycles on io lcores. */
struct vx_rate {
    uint64_t interval; /* between two packets at the configured rate; 0: no limit */
    uint64_t burst;    /* how far ahead of now the bucket may be: (packets in it - 1) * interval */
};

/* The bucket after one more packet at `now`, or 0 when the packet is over the rate and the bucket stays. */
VX_SHARED uint64_t vx_rate_next(uint64_t full_at, uint64_t now, uint64_t interval, uint64_t burst)
{
    if (full_at < now)
        full_at = now;
    return full_at - now > burst ? 0 : full_at + interval;
}

/* The two bytes in the other order: the wire's for the host's. */
VX_SHARED uint16_t vx_swapped16(uint16_t value)
{
    return (uint16_t)(value >> 8 | value << 8); /* what the compiler makes one instruction of */
}

/* The first byte after Ethernet and up to two VLAN tags, and its ethertype in host order; NULL when the frame ends
 * before. `end` is one past the frame's last byte. */
VX_SHARED const uint8_t *vx_network_header(const uint8_t *data, const uint8_t *end, uint16_t *ethertype)
{
    const uint8_t *at = data + VX_ETHERTYPE_OFFSET;
    uint16_t type;
    if (at + sizeof(type) > end)
        return 0;
    __builtin_memcpy(&type, at, sizeof(type));
#pragma GCC unroll 2
    for (int tags = 0; tags < 2; tags++) {
        if (type != vx_swapped16(0x8100) && type != vx_swapped16(0x88a8))
            break;
        at += VX_TAG_BYTES;
        if (at + sizeof(type) > end)
            return 0;
        __builtin_memcpy(&type, at, sizeof(type));
    }
    *ethertype = vx_swapped16(type);
    return at + sizeof(type);
}

/* One source is an IPv4 address, or the /64 of an IPv6 address: a host has all of its /64 to itself. */
VX_SHARED uint64_t vx_source_key4(const uint8_t *address)
{
    uint32_t word;
    __builtin_memcpy(&word, address, sizeof(word));
    return (uint64_t)VX_SOURCE_TAG_4 << 32 | word;
}
VX_SHARED uint64_t vx_source_key6(const uint8_t *address)
{
    uint64_t word;
    __builtin_memcpy(&word, address, sizeof(word));
    return word;
}

#endif
