/* The headers of frames as they lie on the wire (RFC 791, 8200, 768, 826, 792, 4443, 4861), read in
 * place, shared by parsing (frame.c) and answering (frame_answer.c). */
#ifndef VX_WIRE_FRAME_PRIVATE_H
#define VX_WIRE_FRAME_PRIVATE_H

#include <netinet/in.h>

#include <rte_ip.h>

#include "vx_wire.h"

enum {
    FRAME_ETHERNET_BYTES = 14,
    FRAME_VLAN_BYTES = 4,
    FRAME_TYPE_IP4 = 0x0800,
    FRAME_TYPE_ARP = 0x0806,
    FRAME_TYPE_VLAN = 0x8100,
    FRAME_TYPE_QINQ = 0x88a8,
    FRAME_TYPE_IP6 = 0x86dd,
};

struct frame_ip4 {
    uint8_t version_length, tos;
    uint16_t total_length, id, fragment;
    uint8_t ttl, protocol;
    uint16_t checksum;
    uint32_t source, destination;
} __attribute__((packed));
static_assert(sizeof(struct frame_ip4) == 20 && sizeof(struct frame_ip4) == sizeof(struct rte_ipv4_hdr), "wire");

struct frame_ip6 {
    uint8_t version_class_flow[4];
    uint16_t payload_length;
    uint8_t next, hop_limit;
    uint8_t source[16], destination[16];
} __attribute__((packed));
static_assert(sizeof(struct frame_ip6) == 40 && sizeof(struct frame_ip6) == sizeof(struct rte_ipv6_hdr), "wire");

struct frame_udp {
    uint16_t source, destination, length, checksum;
} __attribute__((packed));
static_assert(sizeof(struct frame_udp) == 8, "wire");

static inline uint16_t frame_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Sum over pseudo header and `bytes` bytes at data, complemented: 0 when a checksum inside is right. */
static inline uint16_t frame_l4_sum(const uint8_t *ip, uint8_t version, uint8_t protocol, const void *data, uint32_t bytes)
{
    uint64_t sum = (uint64_t)htons(protocol) + htons((uint16_t)bytes);
    sum = version == 4 ? vx_checksum_add(sum, ip + 12, 8) : vx_checksum_add(sum, ip + 8, 32);
    return (uint16_t)~vx_checksum_fold(vx_checksum_add(sum, data, bytes));
}

static inline bool frame_udp_checksum_good(const uint8_t *ip, uint8_t version, const struct frame_udp *udp, uint32_t bytes)
{
    return frame_l4_sum(ip, version, IPPROTO_UDP, udp, bytes) == 0;
}

#endif
