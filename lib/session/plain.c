/* Plain transport: the player id is believed, and indexes the table. An entry is the way back, kept in
 * the order in which a frame needs it: one cache line, written only when the way has changed. */
#include <arpa/inet.h>
#include <string.h>

#include "vx_session.h"

enum { ETHERNET_BYTES = 14, TAGS_BYTES_MAX = 8, IP4_BYTES = 20, IP6_BYTES = 40, UDP_BYTES = 8, TTL = 64 };
static_assert(TAGS_BYTES_MAX + IP4_BYTES < IP6_BYTES, "a head's length tells its IP version");

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
static_assert(sizeof(struct entry) == VX_CACHE_LINE_BYTES, "one line a player");

struct vx_session_table {
    uint32_t players;
    struct entry entries[] VX_ALIGNED;
};

size_t vx_session_table_bytes(uint32_t players)
{
    return sizeof(struct vx_session_table) + players * sizeof(struct entry);
}

struct vx_session_table *vx_session_table_create(void *memory, uint32_t players)
{
    struct vx_session_table *table = memory;
    table->players = players;
    return table;
}

/* Source and destination change places here. A frame that was parsed has 28 bytes from its IP header on, and 22 of
 * Ethernet, tags and what follows. */
static void way_read(const struct vx_packet *packet, struct way *way)
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

void vx_session_open(struct vx_session_table *table, struct vx_packet *packets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct vx_packet *packet = &packets[i];
        if (packet->drop != VX_DROP_NONE)
            continue;
        packet->drop = (uint8_t)vx_wire_check(packet->data + packet->frame.payload_offset, packet->frame.payload_bytes, table->players, &packet->header);
        if (packet->drop != VX_DROP_NONE)
            continue;
        packet->session = packet->header->player;
        __builtin_prefetch(&table->entries[packet->session], 1);
    }
    for (uint32_t i = 0; i < count; i++)
        if (packets[i].drop == VX_DROP_NONE) /* the line will be written for the reply's note anyway */
            way_read(&packets[i], &table->entries[packets[i].session].way);
}

static const struct entry *entry_of(const struct vx_session_table *table, uint32_t session)
{
    VX_ASSERT(session < table->players);
    return &table->entries[session];
}

uint32_t vx_session_head(const struct vx_session_table *table, uint32_t session, uint8_t *frame)
{
    const struct way *way = &entry_of(table, session)->way;
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

static void put16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, sizeof(value));
}

/* Read from the head, not from the way: a later packet of this player may have changed that since. The head has zeros
 * for lengths and checksums; they are stored last, for a wide load waits for a narrow store that it covers. */
static void seal(struct vx_sealing *sealing)
{
    const uint32_t ip_bytes = sealing->head_bytes < ETHERNET_BYTES + IP6_BYTES + UDP_BYTES ? IP4_BYTES : IP6_BYTES;
    uint8_t *udp = sealing->frame + sealing->head_bytes - UDP_BYTES, *ip = udp - ip_bytes;
    uint32_t udp_bytes = UDP_BYTES + sealing->payload_bytes;
    const uint16_t length = htons((uint16_t)udp_bytes);
    uint64_t sum = (uint64_t)htons(IPPROTO_UDP) + 2u * length; /* in the pseudo header, and where it will lie */
    if (VX_LIKELY(ip_bytes == IP4_BYTES)) {
        const uint16_t total = htons((uint16_t)(IP4_BYTES + udp_bytes));
        uint16_t checksum = (uint16_t)~vx_checksum_fold(vx_checksum_add(total, ip, IP4_BYTES));
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
    sealing->bytes = sealing->head_bytes + sealing->payload_bytes;
}

void vx_session_seal(const struct vx_session_table *table, struct vx_sealing *sealings, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        VX_ASSERT(sealings[i].session < table->players);
        seal(&sealings[i]);
    }
}

void vx_session_prefetch(const struct vx_session_table *table, uint32_t session)
{
    __builtin_prefetch(&table->entries[session], 1);
}

uint32_t *vx_session_note(struct vx_session_table *table, uint32_t session)
{
    VX_ASSERT(session < table->players);
    return &table->entries[session].note;
}
