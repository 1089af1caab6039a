/* wire: what a frame is taken for. Each frame lies right before a page that cannot be read, so that one
 * byte too many ends the program in any build; each drop reason has a neighbour that passes. */
#include <sys/mman.h>
#include <unistd.h>

#include "frame_build.h"
#include "vx_test.h"

static uint8_t *fence; /* the unreadable page; a page before it is ours */
static const uint32_t readable_bytes = 4096;

static enum vx_drop parse_at_fence(const uint8_t *data, uint32_t bytes, const struct vx_frame_filter *filter, struct vx_frame *frame)
{
    return vx_frame_parse(memcpy(fence - bytes, data, bytes), bytes, filter, frame);
}

static enum vx_drop parse(const struct build *build, struct vx_frame *frame)
{
    struct vx_frame_filter filter = build_filter();
    return parse_at_fence(build->data, build->bytes, &filter, frame);
}

/* The drop of a frame after one byte of it was replaced and its checksums were made right again. */
static enum vx_drop parse_with(struct build build, uint32_t offset, uint8_t value)
{
    struct vx_frame frame;
    build.data[offset] = value;
    frame_checksums(build.data, build.bytes);
    return parse(&build, &frame);
}

static struct build game(uint32_t version, uint32_t tags, uint32_t option_bytes)
{
    struct build build;
    build_game(&build, version, tags, option_bytes, 7, 2);
    return build;
}

static void check_accepted(const struct build *build, uint32_t version, uint32_t tags)
{
    struct vx_frame frame;
    CU_ASSERT_EQUAL_FATAL(parse(build, &frame), VX_DROP_NONE);
    CU_ASSERT_EQUAL(frame.kind, VX_FRAME_UDP);
    CU_ASSERT_EQUAL(frame.ip_version, version);
    CU_ASSERT_EQUAL(frame.l2_bytes, 14 + 4 * tags);
    CU_ASSERT_EQUAL(frame.l3_bytes, build->l4_at - build->ip_at);
    CU_ASSERT_EQUAL(frame.vlan_tci, tags == 0 ? 0 : 100);
    CU_ASSERT_EQUAL(frame.payload_offset, build->payload_at);
    CU_ASSERT_EQUAL(frame.payload_bytes, 16 + 2 * 16);
    CU_ASSERT_EQUAL(frame.port_source, BUILD_PORT_PLAYER);
    CU_ASSERT_EQUAL(frame.port_destination, BUILD_PORT);
}

static void every_good_frame_is_accepted(void)
{
    for (uint32_t tags = 0; tags <= 2; tags++) {
        for (uint32_t option_bytes = 0; option_bytes <= 40; option_bytes += 4) {
            struct build build = game(4, tags, option_bytes);
            check_accepted(&build, 4, tags);
        }
        struct build build = game(6, tags, 0);
        check_accepted(&build, 6, tags);
        for (uint32_t padding = 1; padding < 300; padding += 7) { /* Ethernet's, or a switch's trailer */
            struct build padded = build;
            memset(build_append(&padded, NULL, padding), 0xa5, padding);
            check_accepted(&padded, 6, tags);
        }
    }
    struct build padded = game(4, 0, 0);
    build_append(&padded, "trailer", 7);
    check_accepted(&padded, 4, 0);
}

/* Cut off anywhere, with the lengths of the whole: the reason is that of the layer that is cut. */
static void every_truncation_is_named(void)
{
    const struct build frames[] = { game(4, 0, 0), game(4, 1, 0), game(4, 2, 12), game(6, 0, 0), game(6, 2, 0) };
    for (uint32_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        struct build build = frames[i];
        for (uint32_t bytes = 0; bytes < frames[i].bytes; bytes++) {
            struct vx_frame frame;
            build.bytes = bytes;
            CU_ASSERT_EQUAL(parse(&build, &frame), bytes < build.ip_at ? VX_DROP_SHORT_ETHERNET : VX_DROP_SHORT_IP);
        }
    }
}

/* Cut off anywhere after the IP header, with lengths made to match: UDP's header, then the payload's. */
static void every_short_datagram_is_named(void)
{
    const struct build frames[] = { game(4, 0, 0), game(4, 0, 40), game(4, 2, 0), game(6, 0, 0), game(6, 1, 0) };
    struct vx_frame_filter filter = build_filter();
    for (uint32_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        for (uint32_t bytes = frames[i].l4_at; bytes < frames[i].bytes; bytes++) {
            struct build build = frames[i];
            struct vx_frame frame;
            const struct vx_wire_header *header;
            build.bytes = bytes;
            frame_finish(&build);
            enum vx_drop drop = parse_at_fence(build.data, bytes, &filter, &frame);
            if (drop == VX_DROP_NONE)
                drop = vx_wire_check(fence - bytes + frame.payload_offset, frame.payload_bytes, 100, &header);
            CU_ASSERT_EQUAL(drop, bytes < build.payload_at         ? VX_DROP_SHORT_UDP
                                  : bytes < build.payload_at + 16u ? VX_DROP_SHORT_HEADER
                                                                   : VX_DROP_BAD_COUNT);
        }
    }
}

static void ethernet_is_checked(void)
{
    struct build build = game(4, 0, 0), three_tags = game(4, 3, 0);
    struct vx_frame frame;
    CU_ASSERT_EQUAL(parse_with(build, 6, 0x07), VX_DROP_BAD_SOURCE); /* a group as source */
    CU_ASSERT_EQUAL(parse_with(build, 6, 0x06), VX_DROP_NONE);
    CU_ASSERT_EQUAL(parse_with(build, 0, 0x03), VX_DROP_NOT_OUR_ADDRESS); /* a group as destination */
    CU_ASSERT_EQUAL(parse_with(build, 0, 0x02), VX_DROP_NONE);
    CU_ASSERT_EQUAL(parse_with(game(6, 0, 0), 0, 0x33), VX_DROP_NOT_OUR_ADDRESS);
    CU_ASSERT_EQUAL(parse_with(build, 13, 0x01), VX_DROP_OTHER_ETHERTYPE);
    CU_ASSERT_EQUAL(parse(&three_tags, &frame), VX_DROP_OTHER_ETHERTYPE);
    /* 0x88a8 alone and 0x8100 twice are as good. */
    struct build single = game(4, 1, 0), twice = game(4, 2, 0);
    put_be16(single.data + 12, 0x88a8);
    put_be16(twice.data + 12, 0x8100);
    check_accepted(&single, 4, 1);
    check_accepted(&twice, 4, 2);
    struct build lldp;
    build_ethernet(&lldp, 0, 0x88cc);
    CU_ASSERT_EQUAL(parse(&lldp, &frame), VX_DROP_OTHER_ETHERTYPE);
}

static void ip4_header_is_checked(void)
{
    struct build build = game(4, 0, 0);
    struct vx_frame frame;
    const uint32_t ip = build.ip_at;
    CU_ASSERT_EQUAL(parse_with(build, ip, 0x65), VX_DROP_BAD_IP_HEADER);
    CU_ASSERT_EQUAL(parse_with(build, ip, 0x44), VX_DROP_BAD_IP_HEADER);
    CU_ASSERT_EQUAL(parse_with(build, ip, 0x45), VX_DROP_NONE);
    CU_ASSERT_EQUAL(parse_with(build, ip + 3, 19), VX_DROP_BAD_IP_HEADER); /* total below the header */
    CU_ASSERT_EQUAL(parse_with(build, ip + 3, 20), VX_DROP_SHORT_UDP);
    CU_ASSERT_EQUAL(parse_with(build, ip + 3, (uint8_t)(build.bytes - ip + 1)), VX_DROP_SHORT_IP);
    CU_ASSERT_EQUAL(parse_with(build, ip + 9, IPPROTO_TCP), VX_DROP_OTHER_PROTOCOL);
    CU_ASSERT_EQUAL(parse_with(build, ip + 9, IPPROTO_ICMPV6), VX_DROP_OTHER_PROTOCOL);
    CU_ASSERT_EQUAL(parse_with(build, ip + 6, 0x20), VX_DROP_FRAGMENT); /* more to come */
    CU_ASSERT_EQUAL(parse_with(build, ip + 7, 0x01), VX_DROP_FRAGMENT); /* the last one */
    CU_ASSERT_EQUAL(parse_with(build, ip + 6, 0x1f), VX_DROP_FRAGMENT);
    CU_ASSERT_EQUAL(parse_with(build, ip + 6, 0x00), VX_DROP_NONE);
    for (uint32_t offset = 0; offset < 20; offset++) { /* each byte of the header is under its checksum */
        if (offset == 0 || offset == 2 || offset == 3)
            continue;
        struct build bad = build;
        bad.data[ip + offset] ^= 0x10;
        CU_ASSERT_EQUAL(parse(&bad, &frame), VX_DROP_BAD_IP_CHECKSUM);
    }
}

static void ip6_header_is_checked(void)
{
    static const uint8_t extensions[] = { IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_ESP, IPPROTO_AH, IPPROTO_DSTOPTS, 135 };
    struct build build = game(6, 0, 0);
    const uint32_t ip = build.ip_at, payload = build.bytes - build.l4_at;
    CU_ASSERT_EQUAL(parse_with(build, ip, 0x4f), VX_DROP_BAD_IP_HEADER);
    CU_ASSERT_EQUAL(parse_with(build, ip, 0x6f), VX_DROP_NONE);
    CU_ASSERT_EQUAL(parse_with(build, ip + 5, (uint8_t)(payload + 1)), VX_DROP_SHORT_IP);
    CU_ASSERT_EQUAL(parse_with(build, ip + 4, 0xff), VX_DROP_SHORT_IP);
    CU_ASSERT_EQUAL(parse_with(build, ip + 6, IPPROTO_FRAGMENT), VX_DROP_FRAGMENT);
    for (uint32_t i = 0; i < sizeof(extensions); i++)
        CU_ASSERT_EQUAL(parse_with(build, ip + 6, extensions[i]), VX_DROP_IP6_EXTENSION);
    CU_ASSERT_EQUAL(parse_with(build, ip + 6, IPPROTO_TCP), VX_DROP_OTHER_PROTOCOL);
    CU_ASSERT_EQUAL(parse_with(build, ip + 6, IPPROTO_ICMP), VX_DROP_OTHER_PROTOCOL);
    CU_ASSERT_EQUAL(parse_with(build, ip + 6, IPPROTO_UDP), VX_DROP_NONE);
}

static void sources_can_be_answered(void)
{
    struct build four = game(4, 0, 0), six = game(6, 0, 0);
    for (uint32_t first = 0; first < 256; first++)
        CU_ASSERT_EQUAL(parse_with(four, four.ip_at + 12, (uint8_t)first), first == 0 || first >= 224 ? VX_DROP_BAD_SOURCE : VX_DROP_NONE);
    CU_ASSERT_EQUAL(parse_with(six, six.ip_at + 8, 0xff), VX_DROP_BAD_SOURCE);
    CU_ASSERT_EQUAL(parse_with(six, six.ip_at + 8, 0xfe), VX_DROP_NONE);
    memset(six.data + six.ip_at + 8, 0, 16);
    CU_ASSERT_EQUAL(parse_with(six, six.ip_at + 23, 0), VX_DROP_BAD_SOURCE);
    CU_ASSERT_EQUAL(parse_with(six, six.ip_at + 23, 1), VX_DROP_NONE);
    put_be16(four.data + four.l4_at, 0); /* port 0: no answer wanted */
    CU_ASSERT_EQUAL(parse_with(four, four.l4_at, 0), VX_DROP_BAD_SOURCE);
    CU_ASSERT_EQUAL(parse_with(four, four.l4_at + 1, 1), VX_DROP_NONE);
}

static void destinations_are_ours(void)
{
    struct build four = game(4, 0, 0), six = game(6, 0, 0);
    struct vx_frame frame;
    CU_ASSERT_EQUAL(parse_with(four, four.ip_at + 19, 3), VX_DROP_NOT_OUR_ADDRESS);
    CU_ASSERT_EQUAL(parse_with(six, six.ip_at + 39, 3), VX_DROP_NOT_OUR_ADDRESS);
    CU_ASSERT_EQUAL(parse_with(four, four.l4_at + 3, 1), VX_DROP_WRONG_PORT);
    CU_ASSERT_EQUAL(parse_with(six, six.l4_at + 2, 0), VX_DROP_WRONG_PORT);

    struct vx_frame_filter filter = build_filter();
    filter.address4_count = filter.address6_count = 4; /* ours is the last of several */
    memcpy(&filter.address4[3], BUILD_OUR_IP4, 4);
    memcpy(filter.address6[3], BUILD_OUR_IP6, 16);
    filter.address4[0] = 0;
    filter.address6[0][0] = 0;
    CU_ASSERT_EQUAL(parse_at_fence(four.data, four.bytes, &filter, &frame), VX_DROP_NONE);
    CU_ASSERT_EQUAL(parse_at_fence(six.data, six.bytes, &filter, &frame), VX_DROP_NONE);
    filter.address4_count = filter.address6_count = 3;
    CU_ASSERT_EQUAL(parse_at_fence(four.data, four.bytes, &filter, &frame), VX_DROP_NOT_OUR_ADDRESS);
    CU_ASSERT_EQUAL(parse_at_fence(six.data, six.bytes, &filter, &frame), VX_DROP_NOT_OUR_ADDRESS);
    filter.address4_count = 0; /* IPv6 only: no IPv4 address is ours */
    CU_ASSERT_EQUAL(parse_at_fence(four.data, four.bytes, &filter, &frame), VX_DROP_NOT_OUR_ADDRESS);
}

static void without_addresses_every_host_is_ours(void)
{
    struct vx_frame_filter filter = { .port = BUILD_PORT };
    struct build four = game(4, 0, 0), six = game(6, 0, 0);
    struct vx_frame frame;
    CU_ASSERT_EQUAL(parse_at_fence(four.data, four.bytes, &filter, &frame), VX_DROP_NONE);
    CU_ASSERT_EQUAL(parse_at_fence(six.data, six.bytes, &filter, &frame), VX_DROP_NONE);
    four.data[four.ip_at + 16] = 0xe0;
    six.data[six.ip_at + 24] = 0xff;
    frame_finish(&four);
    frame_finish(&six);
    CU_ASSERT_EQUAL(parse_at_fence(four.data, four.bytes, &filter, &frame), VX_DROP_NOT_OUR_ADDRESS);
    CU_ASSERT_EQUAL(parse_at_fence(six.data, six.bytes, &filter, &frame), VX_DROP_NOT_OUR_ADDRESS);
}

static void udp_length_is_exact(void)
{
    for (uint32_t version = 4; version <= 6; version += 2) {
        struct build build = game(version, 0, 0);
        const uint32_t at = build.l4_at + 5, udp_bytes = build.bytes - build.l4_at;
        for (uint32_t length = 0; length < 256; length++) {
            enum vx_drop expected = length < 8 ? VX_DROP_SHORT_UDP : length == udp_bytes ? VX_DROP_NONE : VX_DROP_BAD_UDP_LENGTH;
            CU_ASSERT_EQUAL(parse_with(build, at, (uint8_t)length), expected);
        }
        CU_ASSERT_EQUAL(parse_with(build, build.l4_at + 4, 1), VX_DROP_BAD_UDP_LENGTH);
    }
}

static void udp_checksum_is_checked(void)
{
    struct vx_frame frame;
    for (uint32_t version = 4; version <= 6; version += 2) {
        struct build build = game(version, 1, 8);
        for (uint32_t offset = build.payload_at; offset < build.bytes; offset++) {
            struct build bad = build;
            bad.data[offset] ^= 0x40;
            CU_ASSERT_EQUAL(parse(&bad, &frame), VX_DROP_BAD_UDP_CHECKSUM);
        }
        put_be16(build.data + build.l4_at + 6, 0); /* absent: IPv4 may (RFC 768), IPv6 must not (RFC 8200) */
        CU_ASSERT_EQUAL(parse(&build, &frame), version == 4 ? VX_DROP_NONE : VX_DROP_BAD_UDP_CHECKSUM);
    }
    struct build six = game(6, 0, 0); /* the addresses are under it too */
    six.data[six.ip_at + 10] ^= 1;
    CU_ASSERT_EQUAL(parse(&six, &frame), VX_DROP_BAD_UDP_CHECKSUM);
    CU_ASSERT_EQUAL(parse_with(six, six.ip_at + 10, six.data[six.ip_at + 10]), VX_DROP_NONE);
}

/* A sum of zero travels as ffff; odd lengths are summed with a zero after the last byte. */
static void unusual_checksums_are_good(void)
{
    struct vx_frame frame;
    for (uint32_t version = 4; version <= 6; version += 2) {
        struct build build = game(version, 0, 0);
        put_be16(build.data + build.payload_at, 0);
        frame_finish(&build);
        put_be16(build.data + build.payload_at, get_be16(build.data + build.l4_at + 6));
        frame_finish(&build);
        CU_ASSERT_EQUAL(get_be16(build.data + build.l4_at + 6), 0xffff);
        CU_ASSERT_EQUAL(parse(&build, &frame), VX_DROP_NONE);
        build_append(&build, "\x9c", 1);
        frame_finish(&build);
        CU_ASSERT_EQUAL(parse(&build, &frame), VX_DROP_NONE);
    }
}

static void what_the_nic_has_checked_is_not_checked_again(void)
{
    struct vx_frame_filter filter = build_filter();
    struct build four = game(4, 0, 0), six = game(6, 0, 0);
    struct vx_frame frame;
    four.data[four.ip_at + 10] ^= 1;
    four.data[four.bytes - 1] ^= 1;
    six.data[six.bytes - 1] ^= 1;
    filter.ip_checksum_checked = true;
    CU_ASSERT_EQUAL(parse_at_fence(four.data, four.bytes, &filter, &frame), VX_DROP_BAD_UDP_CHECKSUM);
    CU_ASSERT_EQUAL(parse_at_fence(six.data, six.bytes, &filter, &frame), VX_DROP_BAD_UDP_CHECKSUM);
    filter.udp_checksum_checked = true;
    CU_ASSERT_EQUAL(parse_at_fence(four.data, four.bytes, &filter, &frame), VX_DROP_NONE);
    CU_ASSERT_EQUAL(parse_at_fence(six.data, six.bytes, &filter, &frame), VX_DROP_NONE);
    put_be16(six.data + six.l4_at + 6, 0);
    CU_ASSERT_EQUAL(parse_at_fence(six.data, six.bytes, &filter, &frame), VX_DROP_BAD_UDP_CHECKSUM);
    filter.ip_checksum_checked = false;
    CU_ASSERT_EQUAL(parse_at_fence(four.data, four.bytes, &filter, &frame), VX_DROP_BAD_IP_CHECKSUM);
}

static void control_frames_have_a_kind(void)
{
    struct build builds[4];
    build_arp(&builds[0], 1);
    build_echo(&builds[1], 4, 2, 4, 56);
    build_echo(&builds[2], 6, 0, 0, 56);
    build_solicit(&builds[3], 0, true);
    static const uint8_t kinds[] = { VX_FRAME_ARP, VX_FRAME_ICMP4, VX_FRAME_ICMP6, VX_FRAME_ICMP6 };
    for (uint32_t i = 0; i < 4; i++) {
        struct vx_frame frame;
        CU_ASSERT_EQUAL(parse(&builds[i], &frame), VX_DROP_NONE);
        CU_ASSERT_EQUAL(frame.kind, kinds[i]);
        if (kinds[i] == VX_FRAME_ARP)
            continue;
        CU_ASSERT_EQUAL(frame.payload_offset, builds[i].l4_at);
        CU_ASSERT_EQUAL(frame.payload_bytes, builds[i].bytes - builds[i].l4_at);
    }
}

/* Word by word as RFC 1071 defines it, in big-endian words, at every length and at the fence. */
static void the_checksum_is_that_of_rfc_1071(void)
{
    struct vx_rng rng = { 3 };
    for (uint32_t bytes = 0; bytes < 1600; bytes++) {
        uint8_t *data = fence - bytes;
        uint32_t sum = 0;
        for (uint32_t i = 0; i < bytes; i++) {
            data[i] = (uint8_t)(bytes % 7 == 0 ? 0xff : vx_rng_next(&rng));
            sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
        }
        while (sum >> 16)
            sum = (sum & 0xffff) + (sum >> 16);
        CU_ASSERT_EQUAL(ntohs(vx_checksum_fold(vx_checksum_add(0, data, bytes))), sum);
    }
    CU_ASSERT_EQUAL(vx_checksum_fold(UINT64_MAX), 0xffff);
    CU_ASSERT_EQUAL(vx_checksum_fold(0), 0);
}

int main(void)
{
    uint8_t *pages = mmap(NULL, 2 * readable_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || sysconf(_SC_PAGESIZE) != readable_bytes || mprotect(pages + readable_bytes, readable_bytes, PROT_NONE) != 0)
        return 2;
    fence = pages + readable_bytes;
    static const struct vx_test tests[] = {
        { "every good frame is accepted", every_good_frame_is_accepted },
        { "every truncation is named", every_truncation_is_named },
        { "every short datagram is named", every_short_datagram_is_named },
        { "Ethernet is checked", ethernet_is_checked },
        { "the IPv4 header is checked", ip4_header_is_checked },
        { "the IPv6 header is checked", ip6_header_is_checked },
        { "sources can be answered", sources_can_be_answered },
        { "destinations are ours", destinations_are_ours },
        { "without addresses every host is ours", without_addresses_every_host_is_ours },
        { "UDP length is exact", udp_length_is_exact },
        { "the UDP checksum is checked", udp_checksum_is_checked },
        { "unusual checksums are good", unusual_checksums_are_good },
        { "what the NIC has checked is not checked again", what_the_nic_has_checked_is_not_checked_again },
        { "the checksum is that of RFC 1071", the_checksum_is_that_of_rfc_1071 },
        { "control frames have a kind", control_frames_have_a_kind },
    };
    return vx_test_main("wire frames", tests, sizeof(tests) / sizeof(tests[0]));
}
