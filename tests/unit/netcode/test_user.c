/* User data: what a backend may say of a player, byte for byte as docs/protocol.md has it, and what is refused and why. */
#include <math.h>

#include "netcode_test.h"

static const struct vx_user someone = { .shard = 7, .region = 3, .display = 0xdeadbeef, .party = 99, .party_size = 4, .latency_count = 2, .roles = 0x0102,
                                        .rating = 1500.5f, .deviation = 350, .permissions = VX_USER_MAY_PLAY | VX_USER_MAY_RANKED,
                                        .latencies = { { 3, 20 }, { 4, 180 } } };

static void it_lies_as_documented(void)
{
    static const char expected[] = "5658 01 02 0700 0300 efbeadde 63000000 04 00 0201 0090bb44 0000af43 03000000 0300 1400 0400 b400";
    uint8_t out[VX_NETCODE_USER_BYTES], head[64];
    struct vx_user read;
    uint32_t bytes = hex_read(expected, head);
    CU_ASSERT_EQUAL(bytes, 40);
    vx_user_write(&someone, out);
    CU_ASSERT_EQUAL(memcmp(out, head, bytes), 0);
    for (uint32_t i = bytes; i < sizeof(out); i++)
        CU_ASSERT_EQUAL(out[i], 0);
    CU_ASSERT_EQUAL(vx_user_read(out, &read), VX_NETCODE_FAULT_NONE);
    CU_ASSERT(read.shard == 7 && read.region == 3 && read.display == 0xdeadbeef && read.party == 99 && read.party_size == 4 && read.roles == 0x0102);
    CU_ASSERT(read.rating == 1500.5f && read.deviation == 350 && read.permissions == 3 && read.latency_count == 2);
    CU_ASSERT(read.latencies[0].region == 3 && read.latencies[0].ms == 20 && read.latencies[1].region == 4 && read.latencies[1].ms == 180);
    CU_ASSERT(read.latencies[2].region == 0 && read.latencies[2].ms == 0);
}

static enum vx_netcode_fault with(uint32_t offset, const void *value, uint32_t bytes)
{
    uint8_t out[VX_NETCODE_USER_BYTES];
    struct vx_user read;
    vx_user_write(&someone, out);
    memcpy(out + offset, value, bytes);
    return vx_user_read(out, &read);
}

static enum vx_netcode_fault with_8(uint32_t offset, uint8_t value)
{
    return with(offset, &value, 1);
}

static enum vx_netcode_fault with_16(uint32_t offset, uint16_t value)
{
    return with(offset, &value, 2);
}

static enum vx_netcode_fault with_float(uint32_t offset, float value)
{
    return with(offset, &value, 4);
}

static void what_it_is_comes_first(void)
{
    CU_ASSERT_EQUAL(with_8(0, 0), VX_NETCODE_FAULT_USER_MAGIC);
    CU_ASSERT_EQUAL(with_8(1, 'x'), VX_NETCODE_FAULT_USER_MAGIC);
    for (uint32_t version = 0; version < 256; version++)
        CU_ASSERT_EQUAL(with_8(2, (uint8_t)version), version == 1 ? VX_NETCODE_FAULT_NONE : VX_NETCODE_FAULT_USER_VERSION);
    uint8_t zero[VX_NETCODE_USER_BYTES] = { 0 };
    struct vx_user read;
    CU_ASSERT_EQUAL(vx_user_read(zero, &read), VX_NETCODE_FAULT_USER_MAGIC);
}

static void shards_and_parties(void)
{
    CU_ASSERT_EQUAL(with_16(4, 0), VX_NETCODE_FAULT_NONE);
    CU_ASSERT_EQUAL(with_16(4, 255), VX_NETCODE_FAULT_NONE);
    CU_ASSERT_EQUAL(with_16(4, 256), VX_NETCODE_FAULT_USER_SHARD);
    CU_ASSERT_EQUAL(with_16(4, 65534), VX_NETCODE_FAULT_USER_SHARD);
    CU_ASSERT_EQUAL(with_16(4, 65535), VX_NETCODE_FAULT_NONE);
    for (uint32_t size = 0; size < 256; size++)
        CU_ASSERT_EQUAL(with_8(16, (uint8_t)size), size >= 1 && size <= 16 ? VX_NETCODE_FAULT_NONE : VX_NETCODE_FAULT_USER_PARTY_SIZE);
    CU_ASSERT_EQUAL(with(12, "\0\0\0\0", 4), VX_NETCODE_FAULT_USER_PARTY_SIZE);
    CU_ASSERT_EQUAL(with(12, "\0\0\0\0\x01", 5), VX_NETCODE_FAULT_NONE);
}

static void numbers_are_numbers(void)
{
    const float bad[] = { NAN, -NAN, INFINITY, -INFINITY, 100001, -100001, 3.4e38f };
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_EQUAL(with_float(20, bad[i]), VX_NETCODE_FAULT_USER_RATING);
        CU_ASSERT_EQUAL(with_float(24, bad[i]), VX_NETCODE_FAULT_USER_DEVIATION);
    }
    CU_ASSERT_EQUAL(with(20, "\x01\x00\x80\x7f", 4), VX_NETCODE_FAULT_USER_RATING); /* a signalling NaN */
    CU_ASSERT_EQUAL(with_float(20, 100000), VX_NETCODE_FAULT_NONE);
    CU_ASSERT_EQUAL(with_float(20, -100000), VX_NETCODE_FAULT_NONE);
    CU_ASSERT_EQUAL(with_float(24, 0), VX_NETCODE_FAULT_NONE);
    CU_ASSERT_EQUAL(with_float(24, 10000), VX_NETCODE_FAULT_NONE);
    CU_ASSERT_EQUAL(with_float(24, 10000.1f), VX_NETCODE_FAULT_USER_DEVIATION);
    CU_ASSERT_EQUAL(with_float(24, -0.001f), VX_NETCODE_FAULT_USER_DEVIATION);
}

static void permissions_are_known(void)
{
    for (uint32_t bit = 0; bit < 32; bit++) {
        uint32_t permissions = 1u << bit;
        CU_ASSERT_EQUAL(with(28, &permissions, 4), bit < 4 ? VX_NETCODE_FAULT_NONE : VX_NETCODE_FAULT_USER_PERMISSIONS);
    }
}

static void latencies_are_of_regions(void)
{
    CU_ASSERT_EQUAL(with_8(3, 9), VX_NETCODE_FAULT_USER_LATENCIES);
    CU_ASSERT_EQUAL(with_8(3, 255), VX_NETCODE_FAULT_USER_LATENCIES);
    CU_ASSERT_EQUAL(with_8(3, 3), VX_NETCODE_FAULT_USER_LATENCIES); /* the third region is 0 */
    CU_ASSERT_EQUAL(with_8(3, 1), VX_NETCODE_FAULT_USER_RESERVED);  /* the second is there and not counted */
    CU_ASSERT_EQUAL(with_16(34, 10000), VX_NETCODE_FAULT_NONE);
    CU_ASSERT_EQUAL(with_16(34, 10001), VX_NETCODE_FAULT_USER_LATENCIES);
    CU_ASSERT_EQUAL(with_16(36, 3), VX_NETCODE_FAULT_USER_LATENCIES); /* region 3 twice */
    struct vx_user most = someone, read;
    uint8_t out[VX_NETCODE_USER_BYTES];
    most.latency_count = VX_USER_LATENCIES_MAX;
    for (uint16_t i = 0; i < VX_USER_LATENCIES_MAX; i++)
        most.latencies[i].region = (uint16_t)(100 + i);
    vx_user_write(&most, out);
    CU_ASSERT(vx_user_read(out, &read) == VX_NETCODE_FAULT_NONE && read.latency_count == 8 && read.latencies[7].region == 107);
}

static void attributes_and_sets(void)
{
    struct vx_user more = someone, read;
    uint8_t out[VX_NETCODE_USER_BYTES];
    more.attributes[3] = 9;
    more.sets[1] = 0x0203;
    vx_user_write(&more, out);
    CU_ASSERT(out[67] == 9 && out[70] == 3 && out[71] == 2);
    CU_ASSERT(vx_user_read(out, &read) == VX_NETCODE_FAULT_NONE && read.attributes[3] == 9 && read.attributes[0] == 0 && read.sets[1] == 0x0203 && read.sets[0] == 0);
}

static void what_is_reserved_is_zero(void)
{
    CU_ASSERT_EQUAL(with_8(17, 1), VX_NETCODE_FAULT_USER_RESERVED);
    for (uint32_t offset = 40; offset < VX_NETCODE_USER_BYTES; offset++)
        CU_ASSERT_EQUAL(with_8(offset, 0x80), offset >= 64 && offset < 72 ? VX_NETCODE_FAULT_NONE : VX_NETCODE_FAULT_USER_RESERVED);
}

static void every_fault_has_a_sentence(void)
{
    for (uint32_t fault = 0; fault < VX_NETCODE_FAULT_COUNT; fault++)
        CU_ASSERT(strlen(vx_netcode_fault_sentence((enum vx_netcode_fault)fault)) > 10);
    CU_ASSERT_STRING_EQUAL(vx_netcode_fault_sentence(VX_NETCODE_FAULT_COUNT), "?");
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "it lies as documented", it_lies_as_documented },
        { "what it is comes first", what_it_is_comes_first },
        { "shards and parties", shards_and_parties },
        { "numbers are numbers", numbers_are_numbers },
        { "permissions are known", permissions_are_known },
        { "latencies are of regions", latencies_are_of_regions },
        { "attributes and sets", attributes_and_sets },
        { "what is reserved is zero", what_is_reserved_is_zero },
        { "every fault has a sentence", every_fault_has_a_sentence },
    };
    return vx_test_main("netcode user data", tests, sizeof(tests) / sizeof(tests[0]));
}
