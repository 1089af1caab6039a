/* netcode packets: what the reference's own bytes say, every step of the standard's order with the reason it gives, and
 * the replay window at both ends of the sequence numbers. */
#include "netcode_test.h"

#define PROTOCOL_ID 0x1122334455667788u
static struct vx_netcode_aads aads;
static uint8_t key[VX_NETCODE_KEY_BYTES];
enum { EVERY_TYPE = (1 << VX_NETCODE_TYPE_COUNT) - 1 };

/* A golden packet of the reference implementation's (netcode.go, testdata): a keep-alive, client 10 of 16, number 0x44556677. */
static void the_reference_writes_the_same(void)
{
    static const char golden[] = "44 77665544 8e8104bdf6ca06d9 a3f211879b59e10232e21d853a4249fd";
    static const uint32_t data[2] = { 10, 16 };
    uint8_t theirs[64], ours[64];
    struct vx_netcode_packet packet;
    uint32_t bytes = hex_read(golden, theirs);
    CU_ASSERT_EQUAL(bytes, 29);
    CU_ASSERT_EQUAL(vx_netcode_write(ours, VX_NETCODE_KEEP_ALIVE, 0x44556677, data, sizeof(data), &aads, key), bytes);
    CU_ASSERT_EQUAL(memcmp(ours, theirs, bytes), 0);
    CU_ASSERT_EQUAL(vx_netcode_read(theirs, bytes, EVERY_TYPE, &aads, key, NULL, &packet), VX_DROP_NONE);
    CU_ASSERT(packet.type == VX_NETCODE_KEEP_ALIVE && packet.sequence == 0x44556677 && packet.bytes == 8 && packet.offset == 5);
    CU_ASSERT_EQUAL(memcmp(theirs + packet.offset, data, sizeof(data)), 0);
}

static void sequence_numbers_leave_out_high_zeros(void)
{
    uint8_t out[16] = { 0 };
    CU_ASSERT(vx_netcode_header_write(out, VX_NETCODE_PAYLOAD, 1000) == 3 && memcmp(out, "\x25\xe8\x03", 3) == 0); /* the standard's example */
    CU_ASSERT(vx_netcode_header_write(out, VX_NETCODE_DENIED, 0) == 2 && memcmp(out, "\x11\x00", 2) == 0);
    for (uint32_t bytes = 1; bytes <= 8; bytes++) {
        uint64_t last = UINT64_MAX >> (64 - 8 * bytes), ends[] = { last, bytes == 1 ? 0 : (last >> 8) + 1 };
        for (uint32_t i = 0; i < 2; i++) {
            uint8_t packet[64];
            struct vx_netcode_packet parsed;
            CU_ASSERT_EQUAL(vx_netcode_header_bytes(ends[i]), 1 + bytes);
            uint32_t length = vx_netcode_write(packet, VX_NETCODE_PAYLOAD, ends[i], "x", 1, &aads, key);
            CU_ASSERT_EQUAL(packet[0], bytes << 4 | VX_NETCODE_PAYLOAD);
            CU_ASSERT_EQUAL(vx_netcode_read(packet, length, EVERY_TYPE, &aads, key, NULL, &parsed), VX_DROP_NONE);
            CU_ASSERT_EQUAL(parsed.sequence, ends[i]);
        }
    }
}

/* A number written with more bytes than it needs is still that number: the prefix is authentic. */
static void a_longer_sequence_number_is_read(void)
{
    uint8_t data[64] = { 0x45, 9, 0, 0, 0, 'x' };
    struct vx_aead_job job;
    struct vx_netcode_packet packet;
    vx_netcode_job(&job, &aads, key, 0x45, 9, data + 5, 1);
    vx_aead_seal_scalar(&job, 1);
    CU_ASSERT_EQUAL(vx_netcode_read(data, 5 + 1 + 16, EVERY_TYPE, &aads, key, NULL, &packet), VX_DROP_NONE);
    CU_ASSERT(packet.sequence == 9 && data[5] == 'x');
}

static enum vx_drop parse(const uint8_t *data, uint32_t bytes, uint32_t taken)
{
    struct vx_netcode_packet packet;
    return vx_netcode_parse(data, bytes, taken, &packet);
}

static void every_length_of_every_prefix(void)
{
    for (uint32_t prefix = 0; prefix < 256; prefix++)
        for (uint32_t bytes = 0; bytes <= 1500; bytes++) {
            uint8_t data[1500] = { (uint8_t)prefix };
            uint32_t type = prefix & 0xf, sequence_bytes = prefix >> 4;
            enum vx_drop expected = VX_DROP_NONE;
            if (bytes == 0)
                expected = VX_DROP_NETCODE_SHORT;
            else if (prefix == 0)
                expected = bytes == 1078 ? VX_DROP_NONE : VX_DROP_NETCODE_BAD_LENGTH;
            else if (bytes < 18)
                expected = VX_DROP_NETCODE_SHORT;
            else if (type == 0 || type > 6)
                expected = VX_DROP_NETCODE_BAD_TYPE;
            else if (sequence_bytes < 1 || sequence_bytes > 8)
                expected = VX_DROP_NETCODE_BAD_PREFIX;
            else if (bytes < 1 + sequence_bytes + 16)
                expected = VX_DROP_NETCODE_SHORT;
            else if (bytes > 1 + sequence_bytes + 1200 + 16)
                expected = VX_DROP_NETCODE_BAD_LENGTH;
            if (parse(data, bytes, EVERY_TYPE) != expected)
                CU_FAIL("a length or a prefix is judged wrongly");
        }
    CU_PASS("every prefix, every length");
}

static void each_side_takes_what_the_other_sends(void)
{
    static const bool by_server[] = { true, false, false, true, true, true, true }, by_client[] = { false, true, true, false, true, true, true };
    for (uint8_t type = 0; type < VX_NETCODE_TYPE_COUNT; type++) {
        uint8_t data[VX_NETCODE_REQUEST_BYTES] = { type == 0 ? 0 : (uint8_t)(0x10 | type) };
        CU_ASSERT_EQUAL(parse(data, sizeof(data), VX_NETCODE_TAKEN_BY_SERVER), by_server[type] ? VX_DROP_NONE : VX_DROP_NETCODE_NOT_TAKEN);
        CU_ASSERT_EQUAL(parse(data, sizeof(data), VX_NETCODE_TAKEN_BY_CLIENT), by_client[type] ? VX_DROP_NONE : VX_DROP_NETCODE_NOT_TAKEN);
    }
}

/* Authentic data of every length up to 320, and around the largest. */
static void lengths_are_checked_when_opened(void)
{
    static const struct {
        uint8_t type;
        uint32_t min, max;
    } types[] = { { VX_NETCODE_DENIED, 0, 0 }, { VX_NETCODE_CHALLENGE, 308, 308 }, { VX_NETCODE_RESPONSE, 308, 308 },
                  { VX_NETCODE_KEEP_ALIVE, 8, 8 }, { VX_NETCODE_PAYLOAD, 1, 1200 }, { VX_NETCODE_DISCONNECT, 0, 0 } };
    static uint8_t text[1300], data[1400];
    for (uint32_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        for (uint32_t bytes = 0; bytes <= 1201; bytes += bytes == 320 ? 876 : 1) {
            struct vx_netcode_packet packet;
            struct vx_netcode_replay replay = { 0 };
            uint32_t length = vx_netcode_write(data, types[i].type, 5, text, bytes, &aads, key);
            bool good = bytes >= types[i].min && bytes <= types[i].max;
            CU_ASSERT_EQUAL(vx_netcode_read(data, length, EVERY_TYPE, &aads, key, &replay, &packet), good ? VX_DROP_NONE : VX_DROP_NETCODE_BAD_LENGTH);
            /* The standard advances the window by what is authentic, before it looks at the length. */
            CU_ASSERT_EQUAL(replay.newest, vx_netcode_is_replayable(types[i].type) && bytes <= 1200 ? 5 : 0);
        }
}

static void every_flipped_bit_is_found(void)
{
    uint8_t good[64], data[64];
    struct vx_netcode_packet packet;
    struct vx_netcode_replay replay = { 0 };
    uint32_t bytes = vx_netcode_write(good, VX_NETCODE_PAYLOAD, 0x1234, "action", 6, &aads, key);
    for (uint32_t bit = 0; bit < bytes * 8; bit++) {
        memcpy(data, good, bytes);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CU_ASSERT_NOT_EQUAL(vx_netcode_read(data, bytes, EVERY_TYPE, &aads, key, &replay, &packet), VX_DROP_NONE);
    }
    for (uint32_t cut = 1; cut <= bytes; cut++) {
        memcpy(data, good, bytes);
        CU_ASSERT_NOT_EQUAL(vx_netcode_read(data, bytes - cut, EVERY_TYPE, &aads, key, &replay, &packet), VX_DROP_NONE);
    }
    CU_ASSERT_EQUAL(replay.newest, 0); /* nothing of it moved the window */
    memcpy(data, good, bytes);
    CU_ASSERT_EQUAL(vx_netcode_read(data, bytes, EVERY_TYPE, &aads, key, &replay, &packet), VX_DROP_NONE);
}

static void other_keys_and_games_do_not_open(void)
{
    uint8_t good[64], data[64], other[VX_NETCODE_KEY_BYTES];
    struct vx_netcode_aads foreign;
    struct vx_netcode_packet packet;
    uint32_t bytes = vx_netcode_write(good, VX_NETCODE_PAYLOAD, 1, "action", 6, &aads, key);
    vx_netcode_aads_make(&foreign, PROTOCOL_ID + 1);
    memcpy(other, key, sizeof(other));
    other[31] ^= 0x80;
    memcpy(data, good, bytes);
    CU_ASSERT_EQUAL(vx_netcode_read(data, bytes, EVERY_TYPE, &aads, other, NULL, &packet), VX_DROP_NETCODE_FORGED);
    memcpy(data, good, bytes);
    CU_ASSERT_EQUAL(vx_netcode_read(data, bytes, EVERY_TYPE, &foreign, key, NULL, &packet), VX_DROP_NETCODE_FORGED);
}

static void a_packet_counts_once(void)
{
    struct vx_netcode_replay replay = { 0 };
    for (uint8_t type = VX_NETCODE_DENIED; type < VX_NETCODE_TYPE_COUNT; type++) {
        static const uint8_t text[308];
        static const uint32_t lengths[] = { 0, 0, 308, 308, 8, 1, 0 };
        for (uint32_t time = 0; time < 2; time++) {
            uint8_t data[400];
            struct vx_netcode_packet packet;
            uint32_t bytes = vx_netcode_write(data, type, type, text, lengths[type], &aads, key);
            bool again = time > 0 && type >= VX_NETCODE_KEEP_ALIVE;
            CU_ASSERT_EQUAL(vx_netcode_read(data, bytes, EVERY_TYPE, &aads, key, &replay, &packet), again ? VX_DROP_NETCODE_REPLAYED : VX_DROP_NONE);
        }
    }
}

static void take(struct vx_netcode_replay *replay, uint64_t sequence, bool fresh)
{
    CU_ASSERT_EQUAL(vx_netcode_replay_seen(replay, sequence), !fresh);
    if (fresh)
        vx_netcode_replay_mark(replay, sequence);
    CU_ASSERT(vx_netcode_replay_seen(replay, sequence));
}

static void the_window_at_its_low_end(void)
{
    struct vx_netcode_replay replay = { 0 };
    take(&replay, 0, true);
    take(&replay, 0, false);
    take(&replay, 255, true);
    take(&replay, 1, true); /* 254 below */
    take(&replay, 256, true);
    take(&replay, 0, false); /* 256 below: older than the window */
    take(&replay, 2, true);
    take(&replay, 257 + 255, true);
    take(&replay, 256, false); /* older than the window now */
    take(&replay, 257, true);  /* 255 below */
}

static void the_window_at_its_high_end(void)
{
    struct vx_netcode_replay replay = { 0 };
    take(&replay, UINT64_MAX - 300, true);
    take(&replay, UINT64_MAX - 300 - 255, true);
    take(&replay, UINT64_MAX - 300 - 256, false);
    take(&replay, UINT64_MAX, true);
    take(&replay, UINT64_MAX, false);
    take(&replay, UINT64_MAX - 300, false);
    for (uint64_t below = 1; below < 256; below++)
        take(&replay, UINT64_MAX - below, true);
    take(&replay, UINT64_MAX - 256, false);
    take(&replay, 0, false);
    take(&replay, VX_NETCODE_SEQUENCE_GLOBAL, false);
}

/* Jumps of every length that matters, against a list of what was received. */
static void the_window_against_a_list(void)
{
    static bool received[1 << 16];
    struct vx_netcode_replay replay = { 0 };
    struct vx_rng rng = { 7 };
    uint32_t newest = 0, wrong = 0, taken = 0;
    while (newest < (1 << 16) - 600) {
        uint32_t back = vx_rng_below(&rng, 400), forward = vx_rng_below(&rng, 64) == 0 ? vx_rng_below(&rng, 600) : vx_rng_below(&rng, 4);
        uint32_t sequence = vx_rng_below(&rng, 2) ? newest + forward : newest - (back < newest ? back : newest);
        bool fresh = !received[sequence] && (sequence > newest || newest - sequence < 256);
        wrong += vx_netcode_replay_seen(&replay, sequence) == fresh;
        if (!fresh)
            continue;
        vx_netcode_replay_mark(&replay, sequence);
        received[sequence] = true;
        newest = sequence > newest ? sequence : newest;
        taken++;
    }
    CU_ASSERT(wrong == 0 && taken > 10000);
}

static void names_are_the_standards(void)
{
    static const char *const names[] = { "REQUEST", "DENIED", "CHALLENGE", "RESPONSE", "KEEP_ALIVE", "PAYLOAD", "DISCONNECT", "?", "?" };
    for (uint8_t type = 0; type < 9; type++)
        CU_ASSERT_STRING_EQUAL(vx_netcode_type_name(type), names[type]);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "the reference writes the same", the_reference_writes_the_same },
        { "sequence numbers leave out high zeros", sequence_numbers_leave_out_high_zeros },
        { "a longer sequence number is read", a_longer_sequence_number_is_read },
        { "every length of every prefix", every_length_of_every_prefix },
        { "each side takes what the other sends", each_side_takes_what_the_other_sends },
        { "lengths are checked when opened", lengths_are_checked_when_opened },
        { "every flipped bit is found", every_flipped_bit_is_found },
        { "other keys and games do not open", other_keys_and_games_do_not_open },
        { "a packet counts once", a_packet_counts_once },
        { "the window at its low end", the_window_at_its_low_end },
        { "the window at its high end", the_window_at_its_high_end },
        { "the window against a list", the_window_against_a_list },
        { "names are the standard's", names_are_the_standards },
    };
    VX_ASSERT(vx_netcode_start() == 0);
    pattern(key, sizeof(key), 7, 1);
    vx_netcode_aads_make(&aads, PROTOCOL_ID);
    return vx_test_main("netcode packets", tests, sizeof(tests) / sizeof(tests[0]));
}
