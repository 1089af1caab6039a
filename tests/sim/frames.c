/* Players' frames and the answers to them, byte by byte from the RFCs and docs/protocol.md, without a line of
 * lib/wire. A player has many addresses in its life; some are IPv6, some behind a VLAN, some without a UDP checksum. */
#include <string.h>

#include "sim_private.h"

enum { ETHERNET = 14, VLAN = 4, IP4 = 20, IP6 = 40, UDP = 8, SERVER_PORT = SIM_GAME_PORT };
static const uint8_t server_mac[6] = { 2, 0, 0, 0, 0, 1 };

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t sum16(const uint8_t *bytes, uint32_t count, uint32_t sum)
{
    for (uint32_t i = 0; i + 1 < count; i += 2)
        sum += get16(bytes + i);
    if (count & 1)
        sum += (uint32_t)bytes[count - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Over the pseudo header (RFC 768, RFC 8200 8.1): addresses, protocol, length. */
static uint32_t udp_sum(const uint8_t *ip, bool is_6, const uint8_t *udp, uint32_t bytes)
{
    uint32_t sum = 17 + bytes;
    sum = is_6 ? sum16(ip + 8, 32, sum) : sum16(ip + 12, 8, sum);
    return sum16(udp, bytes, sum);
}

static bool way_is_6(const struct way *way)
{
    return way->address % 4 == 3;
}

static uint32_t ethernet_write(uint8_t *frame, const struct way *way)
{
    const uint8_t mac[6] = { 2, 1, (uint8_t)way->address, 0, (uint8_t)(way->player >> 8), (uint8_t)way->player };
    uint32_t bytes = ETHERNET;
    memcpy(frame, server_mac, 6);
    memcpy(frame + 6, mac, 6);
    if (way->address % 5 == 4) {
        put16(frame + 12, 0x8100);
        put16(frame + 14, 1 + way->player % 4000);
        bytes += VLAN;
    }
    put16(frame + bytes - 2, way_is_6(way) ? 0x86dd : 0x0800);
    return bytes;
}

static uint32_t ip_write(uint8_t *ip, const struct way *way, uint32_t udp_bytes)
{
    if (way_is_6(way)) {
        const uint8_t ends[32] = { 0xfd, 2, [12] = (uint8_t)way->address, [14] = (uint8_t)(way->player >> 8), [15] = (uint8_t)way->player, [16] = 0xfd, [31] = 1 };
        const uint8_t head[8] = { 0x60, 0, 0, 0, (uint8_t)(udp_bytes >> 8), (uint8_t)udp_bytes, 17, 9 };
        memcpy(ip, head, sizeof(head));
        memcpy(ip + 8, ends, sizeof(ends));
        return IP6;
    }
    const uint8_t head[IP4] = { 0x45, 0, (uint8_t)((IP4 + udp_bytes) >> 8), (uint8_t)(IP4 + udp_bytes), 0, 0, 0, 0, 9, 17, 0, 0,
                                10, (uint8_t)(way->player >> 8), (uint8_t)way->player, (uint8_t)way->address, 10, 255, 0, 1 };
    memcpy(ip, head, sizeof(head));
    put16(ip + 10, ~sum16(ip, IP4, 0));
    return IP4;
}

void frame_write(struct frame *frame, const struct way *way, const void *payload, uint32_t bytes)
{
    uint8_t *ip = frame->data + ethernet_write(frame->data, way);
    uint8_t *udp = ip + ip_write(ip, way, UDP + bytes);
    put16(udp, 20000 + way->player);
    put16(udp + 2, SERVER_PORT);
    put16(udp + 4, UDP + bytes);
    put16(udp + 6, 0);
    memcpy(udp + UDP, payload, bytes);
    if (way_is_6(way) || way->address % 3 != 0) {
        uint32_t sum = ~udp_sum(ip, way_is_6(way), udp, UDP + bytes) & 0xffff;
        put16(udp + 6, sum == 0 ? 0xffff : sum);
    }
    frame->bytes = (uint16_t)(udp + UDP + bytes - frame->data);
    frame->player = way->player;
    VX_ASSERT(frame->bytes <= SIM_FRAME_BYTES);
}

static uint32_t l2_of(const uint8_t *data)
{
    uint32_t l2 = ETHERNET;
    while (l2 < ETHERNET + 2 * VLAN && (get16(data + l2 - 2) == 0x8100 || get16(data + l2 - 2) == 0x88a8))
        l2 += VLAN;
    return l2;
}

uint32_t frame_payload(const uint8_t *data, uint32_t bytes, const uint8_t **payload)
{
    const uint8_t *ip = data + l2_of(data), *udp = ip + (ip[0] >> 4 == 6 ? IP6 : (ip[0] & 15u) * 4);
    if (udp + UDP > data + bytes || udp + get16(udp + 4) > data + bytes)
        sim_violation("a frame of %u bytes whose lengths contradict went through", bytes);
    *payload = udp + UDP;
    return get16(udp + 4) - UDP;
}

bool frame_ways_differ(const uint8_t *a, const uint8_t *b)
{
    uint32_t l2 = l2_of(a);
    if (l2 != l2_of(b) || memcmp(a, b, l2) != 0 || a[l2] >> 4 != b[l2] >> 4)
        return true;
    bool is_6 = a[l2] >> 4 == 6;
    uint32_t addresses = l2 + (is_6 ? 8 : 12), ports = l2 + (is_6 ? IP6 : (a[l2] & 15u) * 4);
    return memcmp(a + addresses, b + addresses, is_6 ? 32 : 8) != 0 || (!is_6 && a[l2] != b[l2]) || memcmp(a + ports, b + ports, 4) != 0;
}

const char *frame_check_answer(const uint8_t *request, const uint8_t *answer, uint32_t bytes)
{
    uint32_t l2 = l2_of(request);
    const uint8_t *ip = answer + l2, *ip_asked = request + l2;
    bool is_6 = ip_asked[0] >> 4 == 6;
    uint32_t address_bytes = is_6 ? 16 : 4, from = is_6 ? 8 : 12, ip_bytes = is_6 ? IP6 : IP4;
    const uint8_t *udp_asked = ip_asked + (is_6 ? IP6 : (ip_asked[0] & 15u) * 4), *udp = ip + ip_bytes;
    uint32_t udp_bytes = bytes - l2 - ip_bytes;
    const struct {
        bool holds;
        const char *what;
    } rules[] = {
        { memcmp(answer, request + 6, 6) == 0 && memcmp(answer + 6, request, 6) == 0, "MAC" },
        { memcmp(answer + 12, request + 12, l2 - 12) == 0, "VLAN or type" },
        { ip[0] == (is_6 ? 0x60 : 0x45) && ip[is_6 ? 6 : 9] == 17, "IP version or protocol" },
        { memcmp(ip + from, ip_asked + from + address_bytes, address_bytes) == 0, "source address" },
        { memcmp(ip + from + address_bytes, ip_asked + from, address_bytes) == 0, "destination address" },
        { get16(ip + (is_6 ? 4 : 2)) == udp_bytes + (is_6 ? 0 : IP4) && get16(udp + 4) == udp_bytes, "length" },
        { memcmp(udp, udp_asked + 2, 2) == 0 && memcmp(udp + 2, udp_asked, 2) == 0, "UDP port" },
        { is_6 || sum16(ip, IP4, 0) == 0xffff, "IP checksum" },
        { get16(udp + 6) != 0 && udp_sum(ip, is_6, udp, udp_bytes) == 0xffff, "UDP checksum" },
    };
    for (uint32_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (!rules[i].holds)
            return rules[i].what;
    return NULL;
}

struct way frame_way(const uint8_t *data)
{
    uint32_t l2 = ETHERNET + (get16(data + 12) == 0x8100 ? VLAN : 0);
    const uint8_t *to = data + l2 + (data[l2] >> 4 == 6 ? 24 + 12 : 16);
    if (data[l2] >> 4 == 6)
        return (struct way){ (uint32_t)to[2] << 8 | to[3], to[0] };
    return (struct way){ (uint32_t)to[1] << 8 | to[2], to[3] };
}
