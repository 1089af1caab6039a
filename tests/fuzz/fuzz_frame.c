/* Random, truncated and bit-flipped frames through everything that looks at bytes before a player is
 * known. The frame ends where poisoned memory begins, so that AddressSanitizer sees one byte too many.
 * usage: fuzz_frame PACKETS SEED; or, built with -DVX_LIBFUZZER -fsanitize=fuzzer, a libFuzzer target. */
#include <arpa/inet.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vx_base.h"
#include "vx_wire.h"

enum { FRAME_MAX = 2048, PLAYERS = 1000, GAME_PORT = 40000, TEMPLATES_MAX = 16 };
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct vx_frame_filter filter = { .port = GAME_PORT, .address4_count = 1, .address6_count = 1, .mac = { 2, 0, 0, 0, 0, 1 } };
static uint64_t drops[VX_DROP_COUNT], answered, accepted_actions;
static _Alignas(8) uint8_t arena[FRAME_MAX + 8];

static void filter_set(void)
{
    filter.address4[0] = inet_addr("10.0.0.1");
    (void)inet_pton(AF_INET6, "fd00::1", filter.address6[0]);
}

static enum vx_drop udp_check(const uint8_t *data, uint32_t bytes, const struct vx_frame *frame)
{
    const struct vx_wire_header *header;
    VX_ASSERT((uint32_t)frame->payload_offset + frame->payload_bytes <= bytes);
    enum vx_drop drop = vx_wire_check(data + frame->payload_offset, frame->payload_bytes, PLAYERS, &header);
    if (drop != VX_DROP_NONE)
        return drop;
    VX_ASSERT(header->player < PLAYERS && header->count >= 1 && header->count <= VX_WIRE_ACTIONS_MAX);
    VX_ASSERT(sizeof(*header) + header->count * sizeof(struct vx_wire_action) == frame->payload_bytes);
    const struct vx_wire_action *actions = (const struct vx_wire_action *)(header + 1);
    for (uint32_t i = 0; i < header->count; i++) {
        VX_ASSERT(actions[i].type > VX_ACTION_NONE && actions[i].type < VX_ACTION_COUNT);
        accepted_actions++;
    }
    return VX_DROP_NONE;
}

/* Exactly one reason a packet; an answer is no longer than what it answers, but for the padding of runts. */
static void check_one(const uint8_t *frame_bytes, uint32_t bytes)
{
    uint8_t *data = arena + FRAME_MAX - bytes;
    struct vx_frame frame;
    memcpy(data, frame_bytes, bytes);
    ASAN_POISON_MEMORY_REGION(arena + FRAME_MAX, 8);
    enum vx_drop drop = vx_frame_parse(data, bytes, &filter, &frame);
    if (drop == VX_DROP_NONE && frame.kind == VX_FRAME_UDP)
        drop = udp_check(data, bytes, &frame);
    else if (drop == VX_DROP_NONE) {
        uint32_t answer_bytes = vx_frame_answer_control(data, bytes, bytes, &filter, &frame);
        VX_ASSERT(answer_bytes <= bytes);
        answered += answer_bytes > 0;
    }
    ASAN_UNPOISON_MEMORY_REGION(arena + FRAME_MAX, 8);
    VX_ASSERT(drop < VX_DROP_COUNT);
    drops[drop]++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    filter_set();
    if (bytes <= FRAME_MAX)
        check_one(data, (uint32_t)bytes);
    return 0;
}

#ifndef VX_LIBFUZZER
struct template {
    uint8_t bytes[256];
    uint32_t count, l3, l4; /* offsets of the IP and UDP or ICMP headers; 0: none */
    bool is_6;
};
static struct template templates[TEMPLATES_MAX];
static uint32_t template_count;
static uint64_t state;

static uint32_t below(uint32_t limit)
{
    return (uint32_t)((vx_mix64(++state) >> 32) * limit >> 32);
}

static void put(struct template *to, const void *bytes, uint32_t count)
{
    memcpy(to->bytes + to->count, bytes, count);
    to->count += count;
}

static void put_16(struct template *to, uint16_t value)
{
    put(to, &(uint16_t){ htons(value) }, 2);
}

static struct template *ethernet(uint32_t vlans, uint16_t type)
{
    struct template *to = &templates[template_count++];
    put(to, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
    for (uint32_t i = 0; i < vlans; i++) {
        put_16(to, i + 1 < vlans ? 0x88a8 : 0x8100);
        put_16(to, (uint16_t)(100 + i));
    }
    put_16(to, type);
    to->l3 = to->count;
    return to;
}

static void ip(struct template *to, uint32_t options_words, uint8_t protocol, uint32_t payload_bytes)
{
    to->is_6 = options_words == UINT32_MAX;
    if (to->is_6) {
        struct in6_addr from, target;
        (void)inet_pton(AF_INET6, "fd00::2", &from);
        (void)inet_pton(AF_INET6, "fd00::1", &target);
        put(to, "\x60\0\0\0", 4);
        put_16(to, (uint16_t)payload_bytes);
        put(to, (uint8_t[]){ protocol, 255 }, 2);
        put(to, &from, 16);
        put(to, &target, 16);
    } else {
        uint8_t options[40] = { 0 };
        put(to, (uint8_t[]){ (uint8_t)(0x45 + options_words), 0 }, 2);
        put_16(to, (uint16_t)(20 + options_words * 4 + payload_bytes));
        put(to, (uint8_t[]){ 0, 0, 0, 0, 64, protocol, 0, 0 }, 8);
        put(to, &(uint32_t){ inet_addr("10.0.0.2") }, 4);
        put(to, &(uint32_t){ inet_addr("10.0.0.1") }, 4);
        memset(options, 1, options_words * 4);
        put(to, options, options_words * 4);
    }
    to->l4 = to->count;
}

static void udp(struct template *to, uint8_t actions)
{
    uint32_t bytes = (uint32_t)sizeof(struct vx_wire_header) + actions * (uint32_t)sizeof(struct vx_wire_action);
    const struct vx_wire_header header = { VX_WIRE_MAGIC_CLIENT, VX_WIRE_VERSION, actions, 0, 7, 1, 0 };
    put_16(to, 12345);
    put_16(to, GAME_PORT);
    put_16(to, (uint16_t)(8 + bytes));
    put_16(to, 0);
    put(to, &header, sizeof(header));
    for (uint32_t i = 0; i < actions; i++)
        put(to, &(struct vx_wire_action){ .type = (uint8_t)(1 + i % (VX_ACTION_COUNT - 1)) }, sizeof(struct vx_wire_action));
}

static uint32_t sum(const uint8_t *bytes, uint32_t count, uint32_t total)
{
    for (uint32_t i = 0; i < count; i++)
        total += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return total;
}

/* Makes the checksums right again for whatever the frame now says, so that deeper checks are reached. */
static void checksums_repair(const struct template *of, uint8_t *bytes, uint32_t count)
{
    if (of->l4 == 0 || count < of->l4 + 8)
        return;
    uint8_t *l3 = bytes + of->l3, *l4 = bytes + of->l4;
    uint32_t protocol = of->is_6 ? l3[6] : l3[9], at = protocol == 17 ? 6 : 2;
    if (!of->is_6) {
        l3[10] = l3[11] = 0;
        uint16_t value = htons((uint16_t)~sum(l3, of->l4 - of->l3, 0));
        memcpy(l3 + 10, &value, 2);
    }
    uint32_t l4_bytes = count - of->l4;
    l4[at] = l4[at + 1] = 0;
    uint32_t total = protocol == 1 ? 0 : sum(l3 + (of->is_6 ? 8 : 12), of->is_6 ? 32 : 8, protocol + l4_bytes);
    uint16_t value = htons((uint16_t)~sum(l4, l4_bytes, total));
    memcpy(l4 + at, &value, 2);
}

static void templates_make(void)
{
    for (uint32_t vlans = 0; vlans <= 2; vlans++) {
        struct template *to = ethernet(vlans, 0x0800);
        ip(to, vlans * 2, 17, 8 + 16 + 16 * (1 + vlans));
        udp(to, (uint8_t)(1 + vlans));
        to = ethernet(vlans, 0x86dd);
        ip(to, UINT32_MAX, 17, 8 + 16 + 16 * 3);
        udp(to, 3);
    }
    struct template *to = ethernet(0, 0x0800);
    ip(to, 0, 1, 16);
    put(to, "\x08\0\0\0\x12\x34\0\x01" "abcdefgh", 16);
    to = ethernet(0, 0x86dd);
    ip(to, UINT32_MAX, 58, 32);
    put(to, "\x87\0\0\0\0\0\0\0", 8);
    put(to, filter.address6[0], 16);
    put(to, "\x01\x01\x02\0\0\0\0\x02", 8);
    to = ethernet(0, 0x0806);
    put(to, "\0\x01\x08\0\x06\x04\0\x01\x02\0\0\0\0\x02\x0a\0\0\x02\0\0\0\0\0\0\x0a\0\0\x01", 28);
    to->l3 = 0;
    for (uint32_t i = 0; i < template_count; i++)
        checksums_repair(&templates[i], templates[i].bytes, templates[i].count);
}

static void packet_make_and_check(void)
{
    uint8_t bytes[512];
    const struct template *from = &templates[below(template_count)];
    uint32_t count = from->count, kind = below(16);
    memcpy(bytes, from->bytes, count);
    if (kind == 0) { /* noise */
        count = below(sizeof(bytes));
        for (uint32_t i = 0; i < count; i++)
            bytes[i] = (uint8_t)below(256);
    } else if (kind < 4) {
        count = below(count + 1);
    }
    for (uint32_t flips = kind > 1 && count > 0 ? below(4) : 0; flips > 0; flips--) {
        if (below(2))
            bytes[below(count)] ^= (uint8_t)(1u << below(8));
        else
            bytes[below(count)] = (uint8_t)below(256);
    }
    if (below(2))
        checksums_repair(from, bytes, count);
    check_one(bytes, count);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: fuzz_frame PACKETS SEED\n");
        return 2;
    }
    uint64_t packets = strtoull(argv[1], NULL, 10), total = 0;
    state = strtoull(argv[2], NULL, 10) << 40;
    filter_set();
    templates_make();
    for (uint32_t i = 0; i < template_count; i++) /* each is good before it is spoilt */
        check_one(templates[i].bytes, templates[i].count);
    if (drops[VX_DROP_NONE] != template_count || answered != 3) {
        (void)fprintf(stderr, "fuzz_frame: %lu of %u templates are good, %lu of 3 answered\n", drops[VX_DROP_NONE], template_count, answered);
        return 1;
    }
    for (uint64_t i = 0; i < packets; i++)
        packet_make_and_check();
    for (uint32_t i = 0; i < VX_DROP_COUNT; i++) {
        printf("%-24s %lu\n", vx_drop_name((enum vx_drop)i), drops[i]);
        total += drops[i];
    }
    printf("answered %lu, actions %lu\n", answered, accepted_actions);
    return total == packets + template_count ? 0 : 1;
}
#endif
