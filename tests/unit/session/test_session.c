/* The way back. A packet under construction keeps the way that it was begun with, whatever comes meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "vx_session.h"
#include "vx_test.h"

static const struct vx_session_time no_time = { 0 };
enum { PLAYERS = 10, PLAYER = 3, PAYLOAD_BYTES = 32 };

static struct vx_session_table *table_new(void)
{
    size_t bytes = (vx_session_table_bytes(PLAYERS) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    VX_ASSERT(memory != NULL);
    return vx_session_table_create(memset(memory, 0, bytes), PLAYERS);
}

/* A frame with one PING, as the parser would describe it. */
static struct vx_packet packet_of(uint8_t *data, uint32_t player, uint8_t ip_version, uint8_t l2_bytes)
{
    uint8_t l3_bytes = ip_version == 4 ? 20 : 40;
    uint16_t offset = (uint16_t)(l2_bytes + l3_bytes + 8);
    for (uint32_t i = 0; i < offset; i++)
        data[i] = (uint8_t)(i + 1);
    memcpy(data + l2_bytes - 2, ip_version == 4 ? "\x08\0" : "\x86\xdd", 2);
    data[l2_bytes] = ip_version == 4 ? 0x45 : 0x60;
    const struct vx_wire_header header = { VX_WIRE_MAGIC_CLIENT, VX_WIRE_VERSION, 1, 0, player, 1, 0 };
    const struct vx_wire_action action = { .type = VX_ACTION_PING };
    memcpy(data + offset, &header, sizeof(header));
    memcpy(data + offset + sizeof(header), &action, sizeof(action));
    return (struct vx_packet){ .data = data, .bytes = offset + PAYLOAD_BYTES,
                               .frame = { .kind = VX_FRAME_UDP, .ip_version = ip_version, .l2_bytes = l2_bytes, .l3_bytes = l3_bytes, .payload_offset = offset,
                                          .payload_bytes = PAYLOAD_BYTES,
                                          .port_source = (uint16_t)(data[offset - 8] << 8 | data[offset - 7]),
                                          .port_destination = (uint16_t)(data[offset - 6] << 8 | data[offset - 5]) } };
}

static uint32_t sum(const uint8_t *bytes, uint32_t count, uint32_t total)
{
    for (uint32_t i = 0; i < count; i++)
        total += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return total;
}

static void check_frame(const uint8_t *frame, uint32_t bytes, const uint8_t *request, uint8_t ip_version, uint8_t l2_bytes)
{
    const uint8_t *ip = frame + l2_bytes, *asked = request + l2_bytes;
    uint32_t l3_bytes = ip_version == 4 ? 20 : 40, address = ip_version == 4 ? 12 : 8, address_bytes = ip_version == 4 ? 4 : 16;
    uint32_t udp_bytes = 8 + PAYLOAD_BYTES;
    const uint8_t *udp = ip + l3_bytes;
    CU_ASSERT_EQUAL(bytes, l2_bytes + l3_bytes + udp_bytes);
    CU_ASSERT(memcmp(frame, request + 6, 6) == 0 && memcmp(frame + 6, request, 6) == 0);
    CU_ASSERT(memcmp(frame + 12, request + 12, l2_bytes - 12u) == 0);
    CU_ASSERT(memcmp(ip + address, asked + address + address_bytes, address_bytes) == 0);
    CU_ASSERT(memcmp(ip + address + address_bytes, asked + address, address_bytes) == 0);
    CU_ASSERT(memcmp(udp, asked + l3_bytes + 2, 2) == 0 && memcmp(udp + 2, asked + l3_bytes, 2) == 0);
    CU_ASSERT_EQUAL((uint32_t)udp[4] << 8 | udp[5], udp_bytes);
    CU_ASSERT_EQUAL(sum(udp, udp_bytes, sum(ip + address, 2 * address_bytes, 17 + udp_bytes)), 0xffff);
    if (ip_version == 4)
        CU_ASSERT(sum(ip, 20, 0) == 0xffff && ((uint32_t)ip[2] << 8 | ip[3]) == 20 + udp_bytes);
    if (ip_version == 6)
        CU_ASSERT_EQUAL((uint32_t)ip[4] << 8 | ip[5], udp_bytes);
}

static uint32_t seal_one(struct vx_session_table *table, uint8_t *frame, uint32_t head_bytes)
{
    struct vx_sealing sealing = { .frame = frame, .session = PLAYER, .head_bytes = (uint16_t)head_bytes, .payload_bytes = PAYLOAD_BYTES };
    vx_session_seal(table, &sealing, 1);
    return sealing.bytes;
}

static const struct {
    uint8_t ip_version, l2_bytes;
} ways[] = { { 4, 14 }, { 6, 14 }, { 4, 18 }, { 6, 18 }, { 4, 22 }, { 6, 22 } };
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static void test_way_back(void)
{
    struct vx_session_table *table = table_new();
    for (uint32_t i = 0; i < WAYS; i++) {
        uint8_t request[256], frame[256] = { 0 };
        struct vx_packet packet = packet_of(request, PLAYER, ways[i].ip_version, ways[i].l2_bytes);
        vx_session_open(table, &packet, 1, &no_time);
        CU_ASSERT(packet.drop == VX_DROP_NONE && packet.session == PLAYER && packet.header->player == PLAYER);
        uint32_t head_bytes = vx_session_head(table, PLAYER, frame);
        check_frame(frame, seal_one(table, frame, head_bytes), request, ways[i].ip_version, ways[i].l2_bytes);
    }
}

static void test_way_changes_meanwhile(void)
{
    struct vx_session_table *table = table_new();
    for (uint32_t i = 0; i < WAYS; i++)
        for (uint32_t j = 0; j < WAYS; j++) {
            uint8_t first[256], later[256], frame[256] = { 0 };
            struct vx_packet packet = packet_of(first, PLAYER, ways[i].ip_version, ways[i].l2_bytes);
            vx_session_open(table, &packet, 1, &no_time);
            uint32_t head_bytes = vx_session_head(table, PLAYER, frame);
            packet = packet_of(later, PLAYER, ways[j].ip_version, ways[j].l2_bytes);
            vx_session_open(table, &packet, 1, &no_time);
            check_frame(frame, seal_one(table, frame, head_bytes), first, ways[i].ip_version, ways[i].l2_bytes);
        }
}

static void test_unknown_player(void)
{
    struct vx_session_table *table = table_new();
    uint8_t request[256];
    struct vx_packet packet = packet_of(request, PLAYERS, 4, 14);
    vx_session_open(table, &packet, 1, &no_time);
    CU_ASSERT_EQUAL(packet.drop, VX_DROP_BAD_PLAYER);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "the way back, byte for byte", test_way_back },
        { "a way that changes meanwhile", test_way_changes_meanwhile },
        { "an unknown player", test_unknown_player },
    };
    return vx_test_main("session", tests, sizeof(tests) / sizeof(tests[0]));
}
