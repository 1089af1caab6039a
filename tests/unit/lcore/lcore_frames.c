/* Players' frames, made by hand; and the check of what comes back. */
#include <arpa/inet.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>
#include <string.h>

#include "lcore_test.h"

static const uint8_t server_mac[6] = { 2, 0, 0, 0, 0, 1 };

static void player_mac(uint32_t player, uint8_t mac[6])
{
    const uint8_t made[6] = { 2, 1, 0, (uint8_t)(player >> 16), (uint8_t)(player >> 8), (uint8_t)player };
    memcpy(mac, made, 6);
}

static uint16_t vlan_of(uint32_t player)
{
    return (uint16_t)(1 + player % 4000);
}

static uint32_t way_l2(enum frame_way way)
{
    static const uint8_t bytes[WAYS] = { [WAY_IP4] = 14, [WAY_VLAN] = 18, [WAY_QINQ] = 22, [WAY_IP6] = 14, [WAY_VLAN_IP6] = 18 };
    return bytes[way];
}

static bool way_is_ip6(enum frame_way way)
{
    return way == WAY_IP6 || way == WAY_VLAN_IP6;
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void head_ethernet(uint8_t *frame, uint32_t player, enum frame_way way)
{
    uint32_t l2 = way_l2(way);
    memcpy(frame, server_mac, 6);
    player_mac(player, frame + 6);
    if (l2 == 22) {
        put16(frame + 12, 0x88a8);
        put16(frame + 14, 77);
    }
    if (l2 > 14) {
        put16(frame + l2 - 6, 0x8100);
        put16(frame + l2 - 4, vlan_of(player));
    }
    put16(frame + l2 - 2, way_is_ip6(way) ? 0x86dd : 0x0800);
}

void server_addresses(uint32_t *address4, uint8_t address6[16])
{
    const uint8_t server[16] = { 0xfd, [15] = 1 };
    *address4 = htonl(0x0aff0001);
    memcpy(address6, server, 16);
}

static void addresses6(uint32_t player, uint8_t source[16], uint8_t destination[16])
{
    uint32_t address4;
    server_addresses(&address4, destination);
    memset(source, 0, 16);
    source[0] = 0xfd;
    source[1] = 2;
    uint32_t network = htonl(player);
    memcpy(source + 12, &network, 4);
}

static uint32_t head_ip(uint8_t *ip, uint32_t player, bool is_ip6, uint32_t udp_bytes)
{
    if (is_ip6) {
        struct rte_ipv6_hdr *head = (struct rte_ipv6_hdr *)ip;
        *head = (struct rte_ipv6_hdr){ .vtc_flow = htonl(6u << 28), .payload_len = htons((uint16_t)udp_bytes), .proto = IPPROTO_UDP, .hop_limits = 9 };
        addresses6(player, head->src_addr, head->dst_addr);
        return sizeof(*head);
    }
    struct rte_ipv4_hdr *head = (struct rte_ipv4_hdr *)ip;
    *head = (struct rte_ipv4_hdr){ .version_ihl = 0x45, .total_length = htons((uint16_t)(sizeof(*head) + udp_bytes)), .time_to_live = 9,
                                   .next_proto_id = IPPROTO_UDP, .src_addr = htonl(0x0a000000 + player + 2), .dst_addr = htonl(0x0aff0001) };
    head->hdr_checksum = rte_ipv4_cksum(head);
    return sizeof(*head);
}

struct rte_mbuf *stage_frame(struct stage *stage, uint32_t player, enum frame_way way, const struct vx_wire_action *actions, uint32_t count)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(stage->pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mbuf);
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *), *ip = frame + way_l2(way);
    uint32_t payload = (uint32_t)(sizeof(struct vx_wire_header) + count * sizeof(struct vx_wire_action));
    head_ethernet(frame, player, way);
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + head_ip(ip, player, way_is_ip6(way), (uint32_t)sizeof(*udp) + payload));
    *udp = (struct rte_udp_hdr){ htons((uint16_t)(PLAYER_PORT + player)), htons(GAME_PORT), htons((uint16_t)(sizeof(*udp) + payload)), 0 };
    struct vx_wire_header header = { VX_WIRE_MAGIC_CLIENT, VX_WIRE_VERSION, (uint8_t)count, 0, player, stage->numbers[player] + 1, stage->seen[player] };
    memcpy(udp + 1, &header, sizeof(header));
    memcpy((uint8_t *)(udp + 1) + sizeof(header), actions, count * sizeof(*actions));
    udp->dgram_cksum = way_is_ip6(way) ? rte_ipv6_udptcp_cksum((void *)ip, udp) : rte_ipv4_udptcp_cksum((void *)ip, udp);
    stage->numbers[player] += count;
    mbuf->data_len = (uint16_t)((uint8_t *)(udp + 1) + payload - frame);
    mbuf->pkt_len = mbuf->data_len;
    return mbuf;
}

bool stage_enqueue(struct stage *stage, struct rte_mbuf *mbuf)
{
    if (rte_ring_enqueue(stage->rx, mbuf) == 0)
        return true;
    rte_pktmbuf_free(mbuf);
    return false;
}

struct vx_wire_action action(uint8_t type)
{
    return (struct vx_wire_action){ .type = type };
}

bool stage_put(struct stage *stage, uint32_t player, enum frame_way way, const struct vx_wire_action *actions, uint32_t count)
{
    return stage_enqueue(stage, stage_frame(stage, player, way, actions, count));
}

bool stage_put_one(struct stage *stage, uint32_t player, uint8_t type)
{
    struct vx_wire_action one = action(type);
    return stage_put(stage, player, WAY_IP4, &one, 1);
}

void stage_put_arp(struct stage *stage)
{
    static const uint8_t request[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1, 0, 0, 0, 7, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1,
                                         2, 1, 0, 0, 0, 7, 10, 0, 0, 7, 0, 0, 0, 0, 0, 0, 10, 255, 0, 1 };
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(stage->pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mbuf);
    memcpy(rte_pktmbuf_append(mbuf, sizeof(request)), request, sizeof(request));
    CU_ASSERT(stage_enqueue(stage, mbuf));
}

/* ---- what comes back ---- */

/* The frame must be the mirror of what the player's frames look like on the way that it has itself. */
static bool mirrors(const uint8_t *frame, uint32_t bytes, const struct vx_frame *seen, uint32_t player)
{
    static const enum frame_way ways[2][3] = { { WAY_IP4, WAY_VLAN, WAY_QINQ }, { WAY_IP6, WAY_VLAN_IP6, WAYS } };
    enum frame_way way = ways[seen->ip_version == 6][(seen->l2_bytes - 14) / 4];
    uint8_t expected[64], mac[6];
    const uint8_t *ip = frame + seen->l2_bytes;
    if (way == WAYS)
        return false;
    head_ethernet(expected, player, way);
    player_mac(player, mac);
    bool good = memcmp(frame, mac, 6) == 0 && memcmp(frame + 6, server_mac, 6) == 0 && memcmp(frame + 12, expected + 12, seen->l2_bytes - 12u) == 0;
    (void)head_ip(expected, player, way_is_ip6(way), 0);
    uint32_t at = way_is_ip6(way) ? 8 : 12, address = way_is_ip6(way) ? 16 : 4;
    good = good && memcmp(ip + at, expected + at + address, address) == 0 && memcmp(ip + at + address, expected + at, address) == 0;
    return good && seen->port_source == GAME_PORT && seen->port_destination == PLAYER_PORT + player && bytes == seen->payload_offset + (uint32_t)seen->payload_bytes;
}

static bool results_read(struct stage *stage, const uint8_t *payload, uint32_t bytes)
{
    const struct vx_wire_reply_header *header = (const struct vx_wire_reply_header *)payload;
    uint32_t at = sizeof(*header), count = 0;
    while (at + sizeof(struct vx_wire_short) <= bytes && at + vx_result_bytes(payload[at]) <= bytes && stage->count < STAGE_ANSWERS) {
        struct answer *answer = &stage->answers[stage->count++];
        struct vx_wire_long result = { 0 };
        memcpy(&result, payload + at, vx_result_bytes(payload[at]));
        *answer = (struct answer){ header->player, stage->packets, result.type, result.code, result.arg16, result.action_number, result.result_number, result.a, result.b, result.c };
        at += vx_result_bytes(payload[at]);
        count++;
    }
    return at == bytes && count == header->count && bytes <= VX_WIRE_REPLY_BYTES_MAX;
}

static bool packet_read(struct stage *stage, const struct rte_mbuf *mbuf)
{
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    struct vx_frame seen;
    uint16_t ethertype = (uint16_t)(frame[12] << 8 | frame[13]);
    if (stage->options.answers_control && ethertype == 0x0806)
        return true;
    struct vx_frame_filter filter = { .port = 0 };
    const uint8_t *ip = frame + 14; /* each player has its own port: read it, then parse with checksums */
    while (ethertype == 0x8100 || ethertype == 0x88a8) {
        ethertype = (uint16_t)(ip[2] << 8 | ip[3]);
        ip += 4;
    }
    const uint8_t *udp = ip + (ethertype == 0x86dd ? 40 : 20);
    filter.port = (uint16_t)(udp[2] << 8 | udp[3]);
    if (vx_frame_parse(frame, mbuf->data_len, &filter, &seen) != VX_DROP_NONE || seen.kind != VX_FRAME_UDP)
        return false;
    const struct vx_wire_reply_header *header = (const struct vx_wire_reply_header *)(frame + seen.payload_offset);
    return seen.payload_bytes >= sizeof(*header) && header->magic == VX_WIRE_MAGIC_SERVER && header->version == VX_WIRE_VERSION && header->flags == 0 &&
           header->player < STAGE_PLAYERS && mirrors(frame, mbuf->data_len, &seen, header->player) &&
           results_read(stage, frame + seen.payload_offset, seen.payload_bytes);
}

uint32_t stage_collect(struct stage *stage)
{
    void *mbuf;
    uint32_t packets = 0;
    while (rte_ring_dequeue(stage->tx, &mbuf) == 0) {
        stage->bad_packets += !packet_read(stage, mbuf);
        stage->packets++;
        packets++;
        rte_pktmbuf_free(mbuf);
    }
    return packets;
}

const struct answer *stage_answer(const struct stage *stage, uint32_t player, uint8_t type)
{
    for (uint32_t i = stage->count; i > 0; i--)
        if (stage->answers[i - 1].player == player && stage->answers[i - 1].type == type)
            return &stage->answers[i - 1];
    return NULL;
}

uint32_t stage_answers(const struct stage *stage, uint8_t type, int code)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stage->count; i++)
        count += stage->answers[i].type == type && (code < 0 || stage->answers[i].code == code);
    return count;
}
