/* session's insides: the way back to a client and the head that is written from it, which both transports share.
 *
 *   way.c    head, note, whatever is the same for both     plain.c  open and seal of the plain transport
 *   netcode_table.c      sessions: found by address, timed by a wheel, wiped when they end
 *   netcode_receive.c    a burst in: classify, look up, open, mark
 *   netcode_handshake.c  requests and responses, and what admission says to them
 *   netcode_send.c       a burst out: seal; keep-alives */
#ifndef VX_SESSION_PRIVATE_H
#define VX_SESSION_PRIVATE_H

#include <arpa/inet.h>
#include <string.h>

#include "vx_session.h"

enum { ETHERNET_BYTES = 14, TAGS_BYTES_MAX = 8, IP4_BYTES = 20, IP6_BYTES = 40, UDP_BYTES = 8, TTL = 64 };
/* Of a session's name; above it the generation of the place, so that what is late for its last session misses the next. */
enum { SESSION_INDEX_BITS = 23, SESSION_INDEX_MASK = (1 << SESSION_INDEX_BITS) - 1 };

/* Constant sizes throughout, so that a copy is two instructions: `tags` and the addresses are copied whole, and what is
 * beyond their length in a frame without tags, or with IPv4, is written over by what follows it. */
struct way {
    uint8_t to_mac[6], from_mac[6];
    uint8_t tags[10];        /* VLAN tags and ethertype, as they came */
    uint8_t l2_bytes;        /* 0: this session was never opened */
    uint8_t ip_version;
    uint16_t from_port, to_port;         /* network order */
    uint8_t from_address[16], to_address[16]; /* the first 4 bytes for IPv4; in the order of an IP header */
} __attribute__((packed, aligned(4)));
struct entry {
    struct way way;
    uint32_t note;
} VX_ALIGNED;
static_assert(sizeof(struct entry) == VX_CACHE_LINE_BYTES, "one line a session");

struct netcode;
struct vx_session_table {
    uint32_t count; /* entries */
    bool checksums_by_port;
    struct netcode *netcode; /* NULL: plain transport */
    struct entry entries[] VX_ALIGNED;
};
static_assert(offsetof(struct way, from_mac) == offsetof(struct way, to_mac) + 6 && offsetof(struct way, to_address) == offsetof(struct way, from_address) + 16,
              "way_head copies both MAC addresses as one, and both addresses");

static inline struct entry *entry_of(const struct vx_session_table *table, uint32_t session)
{
    uint32_t index = session & SESSION_INDEX_MASK;
    VX_ASSERT(index < table->count);
    return (struct entry *)&table->entries[index];
}

/* Source and destination change places here. A frame that was parsed has 28 bytes from its IP header on, and 22 of
 * Ethernet, tags and what follows. */
static VX_INLINE void way_read(const struct vx_packet *packet, struct way *way)
{
    const struct vx_frame *frame = &packet->frame;
    const uint8_t *ip = packet->data + frame->l2_bytes;
    memcpy(way->from_mac, packet->data, 6);
    memcpy(way->to_mac, packet->data + 6, 6);
    memcpy(way->tags, packet->data + 12, sizeof(way->tags));
    way->l2_bytes = frame->l2_bytes;
    way->ip_version = frame->ip_version;
    way->from_port = htons(frame->port_destination);
    way->to_port = htons(frame->port_source);
    if (VX_LIKELY(frame->ip_version == 4)) {
        memcpy(way->to_address, ip + 12, 4);
        memcpy(way->from_address, ip + 16, 4);
    } else {
        memcpy(way->to_address, ip + 8, 16);
        memcpy(way->from_address, ip + 24, 16);
    }
}

/* Ethernet to UDP; lengths and checksums are zero. Returns the head's length. */
static inline uint32_t way_head(const struct way *way, uint8_t *frame)
{
    VX_ASSERT(way->l2_bytes != 0);
    memcpy(frame, way->to_mac, 12);
    memcpy(frame + 12, way->tags, sizeof(way->tags));
    uint8_t *ip = frame + way->l2_bytes, *udp = ip + (way->ip_version == 4 ? IP4_BYTES : IP6_BYTES);
    if (way->ip_version == 4) {
        static const uint8_t fixed[12] = { 0x45, 0, 0, 0, 0, 0, 0x40 /* do not fragment */, 0, TTL, IPPROTO_UDP };
        memcpy(ip, fixed, sizeof(fixed));
        memcpy(ip + 12, way->from_address, 4);
        memcpy(ip + 16, way->to_address, 4);
    } else {
        static const uint8_t fixed[8] = { 0x60, 0, 0, 0, 0, 0, IPPROTO_UDP, TTL };
        memcpy(ip, fixed, sizeof(fixed));
        memcpy(ip + 8, way->from_address, 32);
    }
    memcpy(udp, &way->from_port, 4);
    memset(udp + 4, 0, 4);
    return (uint32_t)(udp + UDP_BYTES - frame);
}

static inline void put16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, sizeof(value));
}

/* Lengths and checksums, which way_head has left zero. They are stored last, for a wide load waits for a narrow store
 * that it covers. udp_bytes: header and payload. */
static VX_INLINE void head_finish(uint8_t *ip, uint8_t *udp, uint32_t udp_bytes)
{
    const uint16_t length = htons((uint16_t)udp_bytes);
    uint64_t sum = (uint64_t)htons(IPPROTO_UDP) + 2u * length; /* in the pseudo header, and where it will lie */
    if (VX_LIKELY(udp - ip == IP4_BYTES)) {
        const uint16_t total = htons((uint16_t)(IP4_BYTES + udp_bytes));
        const uint64_t fixed = 0x0045u + 0x0040u + (IPPROTO_UDP << 8 | TTL); /* as way_head writes */
        uint16_t checksum = (uint16_t)~vx_checksum_fold(vx_checksum_add(fixed + total, ip + 12, 8));
        sum = vx_checksum_add(sum, ip + 12, 8);
        put16(ip + 2, total);
        put16(ip + 10, checksum);
    } else {
        sum = vx_checksum_add(sum, ip + 8, 32);
        put16(ip + 4, length);
    }
    uint16_t checksum = (uint16_t)~vx_checksum_fold(vx_checksum_add(sum, udp, udp_bytes));
    put16(udp + 4, length);
    put16(udp + 6, checksum == 0 ? 0xffff : checksum); /* 0 says "no checksum" (RFC 768) */
}

/* The same where the port computes checksums: IPv4's stays zero, UDP's says what the pseudo header sums up to. */
static inline void head_finish_for_port(uint8_t *ip, uint8_t *udp, uint32_t udp_bytes)
{
    const bool is_ip4 = udp - ip == IP4_BYTES;
    const uint16_t length = htons((uint16_t)udp_bytes);
    uint64_t sum = (uint64_t)htons(IPPROTO_UDP) + length;
    sum = is_ip4 ? vx_checksum_add(sum, ip + 12, 8) : vx_checksum_add(sum, ip + 8, 32);
    put16(is_ip4 ? ip + 2 : ip + 4, is_ip4 ? htons((uint16_t)(IP4_BYTES + udp_bytes)) : length);
    put16(udp + 4, length);
    put16(udp + 6, vx_checksum_fold(sum));
}

/* The last step of sealing: the frame's length is known. */
static VX_INLINE void sealing_finish(const struct vx_session_table *table, struct vx_sealing *sealing, uint8_t *udp, uint32_t ip_bytes)
{
    const uint32_t udp_bytes = (uint32_t)(sealing->frame + sealing->bytes - udp);
    sealing->l2_bytes = (uint8_t)(udp - ip_bytes - sealing->frame);
    sealing->l3_bytes = (uint8_t)ip_bytes;
    if (VX_UNLIKELY(table->checksums_by_port))
        head_finish_for_port(udp - ip_bytes, udp, udp_bytes);
    else
        head_finish(udp - ip_bytes, udp, udp_bytes);
}

/* Each transport's part of the calls in vx_session.h, which tell them apart once a burst. */
void plain_open(struct vx_session_table *table, struct vx_packet *packets, uint32_t count);
void plain_seal(const struct vx_session_table *table, struct vx_sealing *sealings, uint32_t count);
void netcode_open(struct vx_session_table *table, struct vx_packet *packets, uint32_t count, const struct vx_session_time *time);
void netcode_seal(struct vx_session_table *table, struct vx_sealing *sealings, uint32_t count);
/* Prefix and sequence number of the session's next packet; returns their length. */
uint32_t netcode_head(struct vx_session_table *table, uint32_t session, uint8_t *at);

#endif
