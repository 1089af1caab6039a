/* Frames by hand, for the tests of wire and session and for the fuzzer. Shares no code with lib/wire:
 * its checksums go byte by byte in network order, so that a mistake there cannot hide here.
 * A frame is appended layer by layer; frame_finish() then writes lengths and checksums. */
#ifndef VX_FRAME_BUILD_H
#define VX_FRAME_BUILD_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "vx_wire.h"

enum { BUILD_BYTES_MAX = 2048, BUILD_PORT = 7777, BUILD_PORT_PLAYER = 40001 };
#define BUILD_OUR_MAC "\x02\x11\x22\x33\x44\x55"
#define BUILD_PLAYER_MAC "\x06\xaa\xbb\xcc\xdd\xee"
#define BUILD_OUR_IP4 "\x0a\x01\x00\x02"
#define BUILD_PLAYER_IP4 "\xc0\xa8\x07\x63"
#define BUILD_OUR_IP6 "\x20\x01\x0d\xb8\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02"
#define BUILD_PLAYER_IP6 "\x20\x01\x0d\xb8\x00\x02\x00\x00\xff\xfe\x00\x00\x12\x34\x56\x78"

struct build {
    uint8_t data[BUILD_BYTES_MAX];
    uint32_t bytes;
    uint32_t ip_at, l4_at, payload_at;
};

static inline void put_be16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline uint32_t get_be16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static inline uint8_t *build_append(struct build *build, const void *data, uint32_t bytes)
{
    uint8_t *at = build->data + build->bytes;
    if (data == NULL)
        memset(at, 0, bytes);
    else
        memcpy(at, data, bytes);
    build->bytes += bytes;
    return at;
}

/* Up to three tags: outer 0x88a8 when there are several, TCI 100, 101, 102. */
static inline void build_ethernet(struct build *build, uint32_t tags, uint32_t ethertype)
{
    memset(build, 0, sizeof(*build));
    build_append(build, BUILD_OUR_MAC BUILD_PLAYER_MAC, 12);
    for (uint32_t i = 0; i < tags; i++) {
        uint8_t *tag = build_append(build, NULL, 4);
        put_be16(tag, i == 0 && tags > 1 ? 0x88a8 : 0x8100);
        put_be16(tag + 2, 100 + i);
    }
    put_be16(build_append(build, NULL, 2), ethertype);
    build->ip_at = build->l4_at = build->payload_at = build->bytes;
}

static inline void build_ip4(struct build *build, uint32_t tags, uint32_t option_bytes, uint8_t protocol)
{
    build_ethernet(build, tags, 0x0800);
    uint8_t *ip = build_append(build, "\x45\x00\x00\x00\x12\x34\x40\x00\x39\x00\x00\x00" BUILD_PLAYER_IP4 BUILD_OUR_IP4, 20);
    ip[0] = (uint8_t)(0x40 | (5 + option_bytes / 4));
    ip[9] = protocol;
    memset(build_append(build, NULL, option_bytes), 1, option_bytes); /* "no operation" */
    build->l4_at = build->payload_at = build->bytes;
}

static inline void build_ip6(struct build *build, uint32_t tags, uint8_t next)
{
    build_ethernet(build, tags, 0x86dd);
    uint8_t *ip = build_append(build, "\x60\x0a\xbc\xde\x00\x00\x00\xff" BUILD_PLAYER_IP6 BUILD_OUR_IP6, 40);
    ip[6] = next;
    build->l4_at = build->payload_at = build->bytes;
}

static inline void build_udp(struct build *build)
{
    uint8_t *udp = build_append(build, NULL, 8);
    put_be16(udp, BUILD_PORT_PLAYER);
    put_be16(udp + 2, BUILD_PORT);
    build->payload_at = build->bytes;
}

/* RFC 1071, continued from `sum`; folded, not complemented. */
static inline uint32_t build_sum(const uint8_t *data, uint32_t bytes, uint32_t sum)
{
    for (uint32_t i = 0; i < bytes; i++)
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Where the IP header begins by the frame's own ethertypes; 0 when there is none or it is cut off. */
static inline uint32_t build_find_ip(const uint8_t *data, uint32_t bytes, uint32_t *version)
{
    uint32_t at = 12;
    for (uint32_t tags = 0; tags < 2 && at + 2 <= bytes && (get_be16(data + at) == 0x8100 || get_be16(data + at) == 0x88a8); tags++)
        at += 4;
    if (at + 2 > bytes)
        return 0;
    *version = get_be16(data + at) == 0x0800 ? 4 : 6;
    if (*version == 6 && get_be16(data + at) != 0x86dd)
        return 0;
    return at + 2 + (*version == 4 ? 20 : 40) <= bytes ? at + 2 : 0;
}

/* What follows the IP header, by its lengths; false when the frame holds less. */
static inline bool build_find_l4(const uint8_t *data, uint32_t bytes, uint32_t ip_at, uint32_t version, uint32_t *l4_at, uint32_t *l4_bytes)
{
    const uint8_t *ip = data + ip_at;
    uint32_t head = version == 4 ? (ip[0] & 15) * 4u : 40, total = version == 4 ? get_be16(ip + 2) : 40 + get_be16(ip + 4);
    *l4_at = ip_at + head;
    *l4_bytes = total - head;
    return head >= 20 && total >= head && ip_at + total <= bytes;
}

/* Writes the lengths that `bytes` bytes without padding call for. */
static inline void frame_lengths(uint8_t *data, uint32_t bytes)
{
    uint32_t version = 0, at = build_find_ip(data, bytes, &version), l4_at, l4_bytes;
    if (at == 0)
        return;
    put_be16(data + at + (version == 4 ? 2 : 4), version == 4 ? bytes - at : bytes - at - 40);
    if (build_find_l4(data, bytes, at, version, &l4_at, &l4_bytes) && l4_bytes >= 8 && data[at + (version == 4 ? 9 : 6)] == IPPROTO_UDP)
        put_be16(data + l4_at + 4, l4_bytes);
}

/* Makes every checksum right that the frame's lengths allow: IPv4 header, UDP, ICMP, ICMPv6. */
static inline void frame_checksums(uint8_t *data, uint32_t bytes)
{
    uint32_t version = 0, at = build_find_ip(data, bytes, &version), l4_at, l4_bytes;
    if (at == 0 || !build_find_l4(data, bytes, at, version, &l4_at, &l4_bytes))
        return;
    uint8_t *l4 = data + l4_at, protocol = data[at + (version == 4 ? 9 : 6)];
    if (version == 4) {
        put_be16(data + at + 10, 0);
        put_be16(data + at + 10, ~build_sum(data + at, l4_at - at, 0));
    }
    uint32_t field = protocol == IPPROTO_UDP ? 6 : 2;
    bool icmp4 = version == 4 && protocol == IPPROTO_ICMP, icmp6 = version == 6 && protocol == IPPROTO_ICMPV6;
    if (l4_bytes < field + 2 || !(icmp4 || icmp6 || protocol == IPPROTO_UDP))
        return;
    uint32_t pseudo = icmp4 ? 0 : build_sum(data + at + (version == 4 ? 12 : 8), version == 4 ? 8 : 32, protocol + l4_bytes);
    put_be16(l4 + field, 0);
    uint32_t checksum = ~build_sum(l4, l4_bytes, pseudo) & 0xffff;
    put_be16(l4 + field, checksum == 0 && protocol == IPPROTO_UDP ? 0xffff : checksum);
}

static inline bool frame_checksums_good(const uint8_t *data, uint32_t bytes)
{
    uint8_t copy[BUILD_BYTES_MAX];
    memcpy(copy, data, bytes);
    frame_checksums(copy, bytes);
    return memcmp(copy, data, bytes) == 0;
}

static inline void frame_finish(struct build *build)
{
    frame_lengths(build->data, build->bytes);
    frame_checksums(build->data, build->bytes);
}

/* A payload of `count` actions of every type in turn, number 41, seen 3. */
static inline void build_actions(struct build *build, uint32_t player, uint32_t count)
{
    struct vx_wire_header header = { .magic = VX_WIRE_MAGIC_CLIENT, .version = VX_WIRE_VERSION, .count = (uint8_t)count, .player = player,
                                     .number = 41, .seen = 3 };
    build_append(build, &header, sizeof(header));
    for (uint32_t i = 0; i < count; i++) {
        struct vx_wire_action action = { .type = (uint8_t)(1 + i % (VX_ACTION_COUNT - 1)), .a = i * 100 };
        build_append(build, &action, sizeof(action));
    }
}

/* A player's whole packet. IPv4 options go where version is 4. */
static inline void build_game(struct build *build, uint32_t version, uint32_t tags, uint32_t option_bytes, uint32_t player, uint32_t count)
{
    if (version == 4)
        build_ip4(build, tags, option_bytes, IPPROTO_UDP);
    else
        build_ip6(build, tags, IPPROTO_UDP);
    build_udp(build);
    build_actions(build, player, count);
    frame_finish(build);
}

static inline void build_arp(struct build *build, uint32_t tags)
{
    build_ethernet(build, tags, 0x0806);
    memset(build->data, 0xff, 6);
    build_append(build, "\x00\x01\x08\x00\x06\x04\x00\x01" BUILD_PLAYER_MAC BUILD_PLAYER_IP4 "\0\0\0\0\0\0" BUILD_OUR_IP4, 28);
}

static inline void build_echo(struct build *build, uint32_t version, uint32_t tags, uint32_t option_bytes, uint32_t data_bytes)
{
    if (version == 4)
        build_ip4(build, tags, option_bytes, IPPROTO_ICMP);
    else
        build_ip6(build, tags, IPPROTO_ICMPV6);
    build_append(build, version == 4 ? "\x08\0\0\0\x12\x34\0\x07" : "\x80\0\0\0\x12\x34\0\x07", 8);
    for (uint32_t i = 0; i < data_bytes; i++)
        build_append(build, &(uint8_t){ (uint8_t)(i * 7 + 1) }, 1);
    frame_finish(build);
}

/* A neighbour solicitation for our address: with the asker's link-layer address as usual, or from ::
 * without it (duplicate address detection). */
static inline void build_solicit(struct build *build, uint32_t tags, bool probe)
{
    build_ip6(build, tags, IPPROTO_ICMPV6);
    memcpy(build->data, "\x33\x33\xff\x00\x00\x02", 6);
    memcpy(build->data + build->ip_at + 24, "\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff\x00\x00\x02", 16);
    build_append(build, "\x87\0\0\0\0\0\0\0" BUILD_OUR_IP6, 24);
    if (probe)
        memset(build->data + build->ip_at + 8, 0, 16);
    else
        build_append(build, "\x01\x01" BUILD_PLAYER_MAC, 8);
    frame_finish(build);
}

static inline struct vx_frame_filter build_filter(void)
{
    struct vx_frame_filter filter = { .port = BUILD_PORT, .address4_count = 1, .address6_count = 1 };
    memcpy(filter.address4, BUILD_OUR_IP4, 4);
    memcpy(filter.address6, BUILD_OUR_IP6, 16);
    memcpy(filter.mac, BUILD_OUR_MAC, 6);
    return filter;
}

#endif
