/* When the port is ours nobody else answers for it: ARP (RFC 826), ICMP echo (RFC 792, 4443), IPv6
 * neighbour solicitation (RFC 4861, 7.2). In place, one answer a request. Rare, but on the io lcore:
 * pure like the rest. */
#include <arpa/inet.h>
#include <string.h>

#include "frame_private.h"

enum {
    ICMP4_ECHO = 8,
    ICMP4_ECHO_REPLY = 0,
    ICMP6_ECHO = 128,
    ICMP6_ECHO_REPLY = 129,
    ICMP6_SOLICIT = 135,
    ICMP6_ADVERTISE = 136,
    ICMP6_OPTION_TARGET = 2,
    ICMP6_ADVERTISE_BYTES = 32, /* with the target's link-layer address */
    FRAME_BYTES_MIN = 60,
    TTL = 64,
    HOP_LIMIT_ND = 255, /* proves that the sender is on this link */
};

struct frame_arp {
    uint16_t hardware, protocol;
    uint8_t hardware_bytes, protocol_bytes;
    uint16_t operation;
    uint8_t sender_mac[6];
    uint32_t sender;
    uint8_t target_mac[6];
    uint32_t target;
} __attribute__((packed));
static_assert(sizeof(struct frame_arp) == 28, "wire");

struct frame_icmp {
    uint8_t type, code;
    uint16_t checksum;
    uint32_t rest;
    uint8_t target[16];
    uint8_t option, option_units;
    uint8_t option_mac[6];
} __attribute__((packed));
static_assert(sizeof(struct frame_icmp) == ICMP6_ADVERTISE_BYTES, "wire");

static const uint8_t unspecified[16];

static bool has_address4(const struct vx_frame_filter *filter, uint32_t address)
{
    for (uint32_t i = 0; i < filter->address4_count; i++)
        if (filter->address4[i] == address)
            return true;
    return false;
}

static const uint8_t *find_address6(const struct vx_frame_filter *filter, const uint8_t *address)
{
    for (uint32_t i = 0; i < filter->address6_count; i++)
        if (memcmp(filter->address6[i], address, 16) == 0)
            return filter->address6[i];
    return NULL;
}

static void ethernet_turn(uint8_t *data, const struct vx_frame_filter *filter)
{
    memcpy(data, data + 6, 6);
    memcpy(data + 6, filter->mac, 6);
}

static uint32_t answer_arp(uint8_t *data, uint32_t bytes, const struct vx_frame_filter *filter, const struct vx_frame *frame)
{
    struct frame_arp *arp = (struct frame_arp *)(data + frame->l2_bytes);
    if (bytes < frame->l2_bytes + sizeof(*arp) || arp->hardware != htons(1) || arp->protocol != htons(FRAME_TYPE_IP4))
        return 0;
    if (arp->hardware_bytes != 6 || arp->protocol_bytes != 4 || arp->operation != htons(1) || !has_address4(filter, arp->target))
        return 0;
    uint32_t asked = arp->target;
    arp->operation = htons(2);
    memcpy(arp->target_mac, arp->sender_mac, 6);
    arp->target = arp->sender;
    memcpy(arp->sender_mac, filter->mac, 6);
    arp->sender = asked;
    ethernet_turn(data, filter);
    return (uint32_t)frame->l2_bytes + (uint32_t)sizeof(*arp);
}

static uint32_t answer_echo4(uint8_t *data, const struct vx_frame_filter *filter, const struct vx_frame *frame)
{
    struct frame_ip4 *ip = (struct frame_ip4 *)(data + frame->l2_bytes);
    struct frame_icmp *icmp = (struct frame_icmp *)(data + frame->payload_offset);
    uint32_t bytes = frame->payload_bytes;
    if (bytes < 8 || icmp->type != ICMP4_ECHO || icmp->code != 0 || vx_checksum_fold(vx_checksum_add(0, icmp, bytes)) != 0xffff || !has_address4(filter, ip->destination))
        return 0;
    icmp->type = ICMP4_ECHO_REPLY;
    icmp->checksum = 0;
    icmp->checksum = (uint16_t)~vx_checksum_fold(vx_checksum_add(0, icmp, bytes));
    uint32_t asked = ip->destination;
    ip->destination = ip->source;
    ip->source = asked;
    ip->ttl = TTL;
    ip->checksum = 0;
    ip->checksum = (uint16_t)~vx_checksum_fold(vx_checksum_add(0, ip, frame->l3_bytes));
    ethernet_turn(data, filter);
    return (uint32_t)frame->payload_offset + bytes;
}

static void ip6_turn(struct frame_ip6 *ip, const uint8_t source[16], uint8_t hop_limit)
{
    memcpy(ip->destination, ip->source, 16);
    memcpy(ip->source, source, 16);
    ip->hop_limit = hop_limit;
}

static uint32_t answer_echo6(uint8_t *data, struct frame_ip6 *ip, struct frame_icmp *icmp, const struct vx_frame_filter *filter, const struct vx_frame *frame)
{
    const uint8_t *ours = find_address6(filter, ip->destination);
    if (ours == NULL || ip->source[0] == 0xff || memcmp(ip->source, unspecified, 16) == 0)
        return 0;
    icmp->type = ICMP6_ECHO_REPLY;
    icmp->checksum = 0;
    ip6_turn(ip, ours, TTL);
    icmp->checksum = frame_l4_sum((uint8_t *)ip, 6, IPPROTO_ICMPV6, icmp, frame->payload_bytes);
    ethernet_turn(data, filter);
    return (uint32_t)frame->payload_offset + frame->payload_bytes;
}

/* The option is always there: a solicitation by multicast must be answered with it. It is the one
 * answer that may be longer than its request, and only to a neighbour on the link (hop limit 255). */
static uint32_t answer_solicit(uint8_t *data, uint32_t capacity, struct frame_ip6 *ip, struct frame_icmp *icmp, const struct vx_frame_filter *filter,
                               const struct vx_frame *frame)
{
    static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };
    static const uint8_t all_nodes_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
    const uint8_t *ours = find_address6(filter, icmp->target);
    if (ours == NULL || ip->hop_limit != HOP_LIMIT_ND || icmp->code != 0 || ip->source[0] == 0xff || capacity < (uint32_t)frame->payload_offset + ICMP6_ADVERTISE_BYTES)
        return 0;
    bool probe = memcmp(ip->source, unspecified, 16) == 0; /* duplicate address detection: everyone is told */
    ip6_turn(ip, ours, HOP_LIMIT_ND);
    if (probe)
        memcpy(ip->destination, all_nodes, 16);
    ip->payload_length = htons(ICMP6_ADVERTISE_BYTES);
    icmp->type = ICMP6_ADVERTISE;
    icmp->checksum = 0;
    icmp->rest = htonl(probe ? 0x20000000u : 0x60000000u); /* override; solicited */
    icmp->option = ICMP6_OPTION_TARGET;
    icmp->option_units = 1;
    memcpy(icmp->option_mac, filter->mac, 6);
    icmp->checksum = frame_l4_sum((uint8_t *)ip, 6, IPPROTO_ICMPV6, icmp, ICMP6_ADVERTISE_BYTES);
    ethernet_turn(data, filter);
    if (probe)
        memcpy(data, all_nodes_mac, 6);
    return (uint32_t)frame->payload_offset + ICMP6_ADVERTISE_BYTES;
}

static uint32_t answer_icmp6(uint8_t *data, uint32_t capacity, const struct vx_frame_filter *filter, const struct vx_frame *frame)
{
    struct frame_ip6 *ip = (struct frame_ip6 *)(data + frame->l2_bytes);
    struct frame_icmp *icmp = (struct frame_icmp *)(data + frame->payload_offset);
    uint32_t bytes = frame->payload_bytes;
    if (bytes < 8 || frame_l4_sum((uint8_t *)ip, 6, IPPROTO_ICMPV6, icmp, bytes) != 0)
        return 0;
    if (icmp->type == ICMP6_ECHO && icmp->code == 0)
        return answer_echo6(data, ip, icmp, filter, frame);
    if (icmp->type == ICMP6_SOLICIT && bytes >= 24)
        return answer_solicit(data, capacity, ip, icmp, filter, frame);
    return 0;
}

uint32_t vx_frame_answer_control(uint8_t *data, uint32_t bytes, uint32_t capacity, const struct vx_frame_filter *filter, const struct vx_frame *frame)
{
    uint32_t answer = 0;
    if (frame->kind == VX_FRAME_ARP)
        answer = answer_arp(data, bytes, filter, frame);
    else if (frame->kind == VX_FRAME_ICMP4)
        answer = answer_echo4(data, filter, frame);
    else if (frame->kind == VX_FRAME_ICMP6)
        answer = answer_icmp6(data, capacity, filter, frame);
    if (answer == 0 || answer >= FRAME_BYTES_MIN || capacity < FRAME_BYTES_MIN)
        return answer;
    memset(data + answer, 0, FRAME_BYTES_MIN - answer); /* no old bytes in the padding */
    return FRAME_BYTES_MIN;
}
