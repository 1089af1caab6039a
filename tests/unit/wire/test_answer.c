/* wire: what a port of our own answers when nobody else does: ARP, ICMP echo, IPv6 neighbour solicitation. Every byte
 * of each answer, and for everything else silence with the frame left as it was. The room for the answer ends at a
 * page that cannot be touched. */
#include <sys/mman.h>
#include <unistd.h>

#include "frame_build.h"
#include "vx_test.h"

enum { PAGE_BYTES = 4096, FRAME_BYTES_MIN = 60, ROOMY = 2048 };
static uint8_t *fence;

/* The answer lies at fence - capacity. 0: silence, and nothing was changed. */
static uint32_t answer_in(const struct build *build, uint32_t capacity)
{
    struct vx_frame_filter filter = build_filter();
    struct vx_frame frame;
    uint8_t *data = fence - capacity;
    memset(data, 0xee, capacity); /* what a buffer was used for before */
    memcpy(data, build->data, build->bytes);
    if (vx_frame_parse(data, build->bytes, &filter, &frame) != VX_DROP_NONE || frame.kind == VX_FRAME_UDP)
        return 0;
    uint32_t bytes = vx_frame_answer_control(data, build->bytes, capacity, &filter, &frame);
    CU_ASSERT(bytes <= capacity);
    CU_ASSERT(bytes != 0 || memcmp(data, build->data, build->bytes) == 0);
    return bytes;
}

/* With the byte replaced and every checksum made right again. */
static uint32_t answer_with(struct build build, uint32_t offset, uint8_t value)
{
    build.data[offset] = value;
    frame_checksums(build.data, build.bytes);
    return answer_in(&build, ROOMY);
}

/* The answer is `expected`, followed by zeros up to Ethernet's least. */
static void check_answer(const struct build *asked, const struct build *expected)
{
    uint32_t bytes = answer_in(asked, ROOMY), least = expected->bytes > FRAME_BYTES_MIN ? expected->bytes : FRAME_BYTES_MIN;
    const uint8_t *data = fence - ROOMY;
    CU_ASSERT_EQUAL_FATAL(bytes, least);
    CU_ASSERT(memcmp(data, expected->data, expected->bytes) == 0);
    for (uint32_t i = expected->bytes; i < bytes; i++)
        CU_ASSERT_EQUAL(data[i], 0);
    CU_ASSERT_EQUAL(data[bytes], bytes < asked->bytes ? asked->data[bytes] : 0xee); /* nothing behind it */
}

static void turn_ethernet(struct build *build)
{
    memcpy(build->data, BUILD_PLAYER_MAC, 6);
    memcpy(build->data + 6, BUILD_OUR_MAC, 6);
}

/* ---- ARP ---- */

static void arp_is_answered(void)
{
    for (uint32_t tags = 0; tags <= 2; tags++) {
        struct build asked, expected;
        build_arp(&asked, tags);
        expected = asked;
        turn_ethernet(&expected);
        memcpy(expected.data + expected.ip_at + 6, "\x00\x02" BUILD_OUR_MAC BUILD_OUR_IP4 BUILD_PLAYER_MAC BUILD_PLAYER_IP4, 22);
        check_answer(&asked, &expected);
        CU_ASSERT_EQUAL(answer_in(&asked, asked.bytes), asked.bytes); /* no room for padding: the kernel or the card pads */
        memset(build_append(&asked, NULL, 18), 0x55, 18);             /* padding of the request is not sent back */
        check_answer(&asked, &expected);
    }
}

static void other_arp_is_not(void)
{
    static const struct {
        uint32_t offset;
        uint8_t value;
    } spoilt[] = { { 1, 6 }, { 2, 0x86 }, { 4, 8 }, { 5, 16 }, { 7, 2 }, { 7, 3 }, { 27, 9 }, { 24, 11 } };
    struct build build;
    build_arp(&build, 1);
    for (uint32_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++)
        CU_ASSERT_EQUAL(answer_with(build, build.ip_at + spoilt[i].offset, spoilt[i].value), 0);
    for (build.bytes--; build.bytes > build.ip_at; build.bytes--)
        CU_ASSERT_EQUAL(answer_in(&build, ROOMY), 0);
}

/* ---- echo ---- */

static void echo_is_answered(void)
{
    static const uint32_t sizes[] = { 0, 1, 2, 17, 18, 19, 56, 57, 1400 };
    for (uint32_t tags = 0; tags <= 2; tags++)
        for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            for (uint32_t version = 4; version <= 6; version += 2) {
                struct build asked, expected;
                build_echo(&asked, version, tags, version == 4 ? tags * 4 : 0, sizes[i]);
                expected = asked;
                turn_ethernet(&expected);
                uint8_t *ip = expected.data + expected.ip_at;
                if (version == 4)
                    memcpy(ip + 12, BUILD_OUR_IP4 BUILD_PLAYER_IP4, 8);
                else
                    memcpy(ip + 8, BUILD_OUR_IP6 BUILD_PLAYER_IP6, 32);
                ip[version == 4 ? 8 : 7] = 64;
                expected.data[expected.l4_at] = version == 4 ? 0 : 129;
                frame_checksums(expected.data, expected.bytes);
                check_answer(&asked, &expected);
                memset(build_append(&asked, NULL, 5), 0x55, 5); /* behind the IP packet: not echoed */
                check_answer(&asked, &expected);
            }
}

static void other_icmp_is_not(void)
{
    struct build four, six;
    build_echo(&four, 4, 0, 0, 32);
    build_echo(&six, 6, 0, 0, 32);
    for (uint32_t type = 0; type < 256; type++) {
        CU_ASSERT_EQUAL(answer_with(four, four.l4_at, (uint8_t)type) != 0, type == 8);
        CU_ASSERT_EQUAL(answer_with(six, six.l4_at, (uint8_t)type) != 0, type == 128);
    }
    CU_ASSERT_EQUAL(answer_with(four, four.l4_at + 1, 1), 0);
    CU_ASSERT_EQUAL(answer_with(six, six.l4_at + 1, 1), 0);
    CU_ASSERT_EQUAL(answer_with(four, four.ip_at + 19, 77), 0); /* for somebody else */
    CU_ASSERT_EQUAL(answer_with(six, six.ip_at + 39, 77), 0);
    CU_ASSERT_EQUAL(answer_with(six, six.ip_at + 8, 0xff), 0); /* from a group: it would be answered by all */
    struct build from_nowhere = six;
    memset(from_nowhere.data + from_nowhere.ip_at + 8, 0, 16);
    CU_ASSERT_EQUAL(answer_with(from_nowhere, from_nowhere.l4_at + 1, 0), 0);
    four.data[four.bytes - 1] ^= 1; /* checksums as they were */
    six.data[six.bytes - 1] ^= 1;
    CU_ASSERT_EQUAL(answer_in(&four, ROOMY), 0);
    CU_ASSERT_EQUAL(answer_in(&six, ROOMY), 0);
}

static void short_icmp_is_not(void)
{
    for (uint32_t version = 4; version <= 6; version += 2)
        for (uint32_t bytes = 0; bytes < 8; bytes++) {
            struct build build;
            build_echo(&build, version, 0, 0, 0);
            build.bytes = build.l4_at + bytes;
            frame_lengths(build.data, build.bytes);
            frame_checksums(build.data, build.bytes);
            CU_ASSERT_EQUAL(answer_in(&build, ROOMY), 0);
        }
}

/* ---- neighbour discovery ---- */

static void solicitation_is_answered(void)
{
    for (uint32_t tags = 0; tags <= 2; tags++)
        for (uint32_t probe = 0; probe <= 1; probe++) {
            struct build asked, expected;
            build_solicit(&asked, tags, probe != 0);
            build_ip6(&expected, tags, IPPROTO_ICMPV6);
            turn_ethernet(&expected);
            uint8_t *ip = expected.data + expected.ip_at;
            memcpy(ip + 8, BUILD_OUR_IP6 BUILD_PLAYER_IP6, 32);
            build_append(&expected, probe ? "\x88\0\0\0\x20\0\0\0" BUILD_OUR_IP6 "\x02\x01" BUILD_OUR_MAC : "\x88\0\0\0\x60\0\0\0" BUILD_OUR_IP6 "\x02\x01" BUILD_OUR_MAC, 32);
            if (probe) { /* somebody wants our address: everyone on the link is told whose it is */
                memcpy(expected.data, "\x33\x33\x00\x00\x00\x01", 6);
                memcpy(ip + 24, "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
            }
            frame_finish(&expected);
            check_answer(&asked, &expected);
            CU_ASSERT_EQUAL(answer_in(&asked, expected.bytes), expected.bytes);
            if (asked.bytes < expected.bytes) /* without the option that it must have there is no answer */
                CU_ASSERT_EQUAL(answer_in(&asked, expected.bytes - 1), 0);
        }
}

static void other_solicitation_is_not(void)
{
    struct build build;
    build_solicit(&build, 0, false);
    CU_ASSERT(answer_with(build, build.ip_at + 7, 255) != 0);
    CU_ASSERT_EQUAL(answer_with(build, build.ip_at + 7, 254), 0); /* it has been through a router */
    CU_ASSERT_EQUAL(answer_with(build, build.l4_at + 1, 1), 0);
    CU_ASSERT_EQUAL(answer_with(build, build.l4_at + 23, 77), 0); /* for somebody else's address */
    CU_ASSERT_EQUAL(answer_with(build, build.ip_at + 8, 0xff), 0);
    build.data[build.bytes - 1] ^= 1;
    CU_ASSERT_EQUAL(answer_in(&build, ROOMY), 0);
    build_solicit(&build, 0, true);
    for (build.bytes--; build.bytes >= build.l4_at; build.bytes--) {
        frame_lengths(build.data, build.bytes);
        frame_checksums(build.data, build.bytes);
        CU_ASSERT_EQUAL(answer_in(&build, ROOMY), 0);
    }
}

/* ---- anything ---- */

/* Whatever comes: an answer is well formed, goes to a single neighbour or to all nodes, and is no longer than its
 * request but for padding and the 8 bytes of an advertisement. */
static void whatever_comes(void)
{
    struct vx_rng rng = { 5 };
    uint32_t answered = 0;
    for (uint32_t i = 0; i < 200000; i++) {
        struct build build;
        uint32_t tags = vx_rng_below(&rng, 3);
        switch (vx_rng_below(&rng, 4)) {
        case 0: build_arp(&build, tags); break;
        case 1: build_echo(&build, 4, tags, 0, vx_rng_below(&rng, 100)); break;
        case 2: build_echo(&build, 6, tags, 0, vx_rng_below(&rng, 100)); break;
        default: build_solicit(&build, tags, vx_rng_below(&rng, 2) == 0);
        }
        for (uint32_t changes = vx_rng_below(&rng, 3); changes > 0; changes--)
            build.data[vx_rng_below(&rng, build.bytes)] = (uint8_t)vx_rng_next(&rng);
        if (vx_rng_below(&rng, 4) != 0)
            frame_checksums(build.data, build.bytes);
        uint32_t capacity = build.bytes + vx_rng_below(&rng, 3) * 32, bytes = answer_in(&build, capacity);
        if (bytes == 0)
            continue;
        answered++;
        uint32_t most = build.bytes + 8 > FRAME_BYTES_MIN ? build.bytes + 8 : FRAME_BYTES_MIN;
        CU_ASSERT(bytes <= most && frame_checksums_good(fence - capacity, bytes));
        CU_ASSERT(memcmp(fence - capacity + 6, BUILD_OUR_MAC, 6) == 0);
    }
    CU_ASSERT(answered > 20000);
}

int main(void)
{
    uint8_t *pages = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + PAGE_BYTES, PAGE_BYTES, PROT_NONE) != 0)
        return 2;
    fence = pages + PAGE_BYTES;
    static const struct vx_test tests[] = {
        { "ARP is answered, byte for byte", arp_is_answered },
        { "other ARP is not", other_arp_is_not },
        { "echo is answered, byte for byte", echo_is_answered },
        { "other ICMP is not", other_icmp_is_not },
        { "short ICMP is not", short_icmp_is_not },
        { "a solicitation is answered, byte for byte", solicitation_is_answered },
        { "other solicitations are not", other_solicitation_is_not },
        { "whatever comes", whatever_comes },
    };
    return vx_test_main("wire: answers for our addresses", tests, sizeof(tests) / sizeof(tests[0]));
}
