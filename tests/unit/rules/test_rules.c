/* Prefixes, the list of bans with its sinks and its file, and the filter against a model that asks every ban. */
#include <errno.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vx_rules.h"
#include "vx_test.h"

enum { MBUFS = 1023, BANS_MAX = 4096, SOURCES = 64, CYCLES_PER_S = 1000000000, ETHERNET_BYTES = 14 };

static struct rte_mempool *pool;
static uint32_t quiesced;

static void on_quiesce(void *context)
{
    (void)context;
    quiesced++;
}

static struct vx_rules *rules_make(void)
{
    struct vx_rules_config config = { .bans_max = BANS_MAX, .cycles_per_s = CYCLES_PER_S, .quiesce = on_quiesce };
    struct vx_rules *rules = NULL;
    CU_ASSERT_EQUAL_FATAL(vx_rules_create(&config, &rules, NULL), 0);
    return rules;
}

static struct vx_ban ban_of(const char *text)
{
    struct vx_ban ban = { .until_s = 0 };
    struct vx_error error;
    if (vx_prefix_parse(text, &ban.prefix, &error) != 0)
        CU_FAIL_FATAL(error.text);
    return ban;
}

static void ban(struct vx_rules *rules, const char *text)
{
    struct vx_ban made = ban_of(text);
    CU_ASSERT_EQUAL(vx_rules_ban(rules, &made, NULL), 0);
}

/* A frame of the family, from the address, with `tags` VLAN tags. */
static struct rte_mbuf *frame_of(uint8_t family, const uint8_t *address, uint32_t tags)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mbuf);
    uint32_t l2_bytes = ETHERNET_BYTES + 4 * tags, ip_bytes = family == 4 ? 20 : 40;
    uint8_t *data = (uint8_t *)rte_pktmbuf_append(mbuf, (uint16_t)(l2_bytes + ip_bytes + 8));
    memset(data, 0, mbuf->data_len);
    for (uint32_t i = 0; i < tags; i++)
        memcpy(data + 12 + 4 * i, (uint8_t[]){ i == 0 && tags == 2 ? 0x88 : 0x81, i == 0 && tags == 2 ? 0xa8 : 0, 0, 7 }, 4);
    memcpy(data + l2_bytes - 2, family == 4 ? (uint8_t[]){ 0x08, 0x00 } : (uint8_t[]){ 0x86, 0xdd }, 2);
    data[l2_bytes] = family == 4 ? 0x45 : 0x60;
    memcpy(data + l2_bytes + (family == 4 ? 12 : 8), address, family == 4 ? 4 : 16);
    return mbuf;
}

/* Sends one frame from the address through the filter; returns the reason for its drop. */
static enum vx_drop pass(struct vx_rules_lane *lane, const struct vx_prefix *from, uint32_t tags, uint64_t now)
{
    uint64_t drops[VX_DROP_COUNT] = { 0 };
    struct rte_mbuf *mbuf = frame_of(from->family, from->address, tags);
    uint32_t kept = vx_rules_filter(lane, &mbuf, 1, now, drops);
    if (kept == 1)
        rte_pktmbuf_free(mbuf);
    for (unsigned reason = 0; reason < VX_DROP_COUNT; reason++)
        if (drops[reason] > 0) {
            CU_ASSERT_EQUAL(drops[reason], 1);
            CU_ASSERT_EQUAL(kept, 0);
            return (enum vx_drop)reason;
        }
    CU_ASSERT_EQUAL(kept, 1);
    return VX_DROP_NONE;
}

static void test_prefixes(void)
{
    static const struct {
        const char *text, *back; /* NULL: refused */
    } cases[] = {
        { "10.1.2.3", "10.1.2.3/32" }, { "10.1.0.0/16", "10.1.0.0/16" }, { "0.0.0.0/0", "0.0.0.0/0" }, { "255.255.255.255/32", "255.255.255.255/32" },
        { "2001:db8::/32", "2001:db8::/32" }, { "::/0", "::/0" }, { "fd00::1", "fd00::1/128" },
        { "", NULL }, { "10.1.2", NULL }, { "10.1.2.3/33", NULL }, { "10.1.2.3/", NULL }, { "10.1.2.3/-1", NULL }, { "10.1.2.3/8x", NULL }, { "10.1.2.3/ 8", NULL },
        { "10.1.2.3/16", NULL }, { "2001:db8::1/32", NULL }, { "fd00::1/129", NULL }, { "example.org", NULL }, { "10.1.2.3.4/8", NULL },
    };
    struct vx_prefix prefix;
    struct vx_error error;
    char text[VX_PREFIX_TEXT_BYTES];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int rc = vx_prefix_parse(cases[i].text, &prefix, &error);
        CU_ASSERT_EQUAL(rc, cases[i].back != NULL ? 0 : -EINVAL);
        if (rc == 0) {
            CU_ASSERT_STRING_EQUAL(vx_prefix_text(&prefix, text), cases[i].back);
        } else {
            CU_ASSERT_PTR_NOT_NULL(strstr(error.text, cases[i].text)); /* the sentence names the value */
        }
    }
}

static void test_bans_by_hand(void)
{
    struct vx_rules *rules = rules_make();
    struct vx_rules_lane *lane;
    CU_ASSERT_EQUAL_FATAL(vx_rules_lane_create(rules, SOURCES, SOCKET_ID_ANY, &lane, NULL), 0);
    struct vx_prefix in4 = ban_of("10.1.2.3").prefix, out4 = ban_of("10.2.0.0").prefix, in6 = ban_of("2001:db8:7::9").prefix, out6 = ban_of("2001:db9::").prefix;
    CU_ASSERT_EQUAL(pass(lane, &in4, 0, 0), VX_DROP_NONE);
    ban(rules, "10.1.0.0/16");
    ban(rules, "2001:db8::/32");
    for (uint32_t tags = 0; tags <= 2; tags++) {
        CU_ASSERT_EQUAL(pass(lane, &in4, tags, 0), VX_DROP_BANNED);
        CU_ASSERT_EQUAL(pass(lane, &out4, tags, 0), VX_DROP_NONE);
        CU_ASSERT_EQUAL(pass(lane, &in6, tags, 0), VX_DROP_BANNED);
        CU_ASSERT_EQUAL(pass(lane, &out6, tags, 0), VX_DROP_NONE);
    }
    CU_ASSERT_EQUAL(vx_rules_unban(rules, &in4, NULL), -ENOENT); /* inside, but not what was banned */
    struct vx_prefix whole = ban_of("10.1.0.0/16").prefix;
    uint32_t before = quiesced;
    CU_ASSERT_EQUAL(vx_rules_unban(rules, &whole, NULL), 0);
    CU_ASSERT_EQUAL(quiesced, before + 1);
    CU_ASSERT_EQUAL(pass(lane, &in4, 0, 0), VX_DROP_NONE);
    CU_ASSERT_EQUAL(pass(lane, &in6, 0, 0), VX_DROP_BANNED);
    ban(rules, "0.0.0.0/0");
    ban(rules, "::/0");
    CU_ASSERT_EQUAL(pass(lane, &out4, 0, 0), VX_DROP_BANNED);
    CU_ASSERT_EQUAL(pass(lane, &out6, 0, 0), VX_DROP_BANNED);
    vx_rules_lane_destroy(lane);
    vx_rules_destroy(rules);
}

static struct vx_prefix random_prefix(struct vx_rng *rng, bool full)
{
    struct vx_prefix prefix = { .family = vx_rng_below(rng, 2) ? 4 : 6 };
    uint32_t most = prefix.family == 4 ? 32 : 128;
    prefix.bits = (uint8_t)(full ? most : most - vx_rng_below(rng, most / 2 + 4));
    for (uint32_t i = 0; i < most / 8; i++) /* few different bytes, so that prefixes meet */
        prefix.address[i] = (uint8_t)(vx_rng_below(rng, 4) == 0 ? 255 : vx_rng_below(rng, 3));
    for (uint32_t bit = prefix.bits; bit < most; bit++)
        prefix.address[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
    return prefix;
}

static bool covers(const struct vx_prefix *prefix, const struct vx_prefix *address)
{
    for (uint32_t bit = 0; bit < prefix->bits; bit++)
        if (((prefix->address[bit / 8] ^ address->address[bit / 8]) & (0x80u >> bit % 8)) != 0)
            return false;
    return prefix->family == address->family;
}

/* Bans come and go at random; each address must fare as the plain list says. */
static void test_bans_against_a_model(void)
{
    struct vx_rng rng = { 1 };
    struct vx_rules *rules = rules_make();
    struct vx_rules_lane *lane;
    uint32_t count = 0, banned = 0;
    CU_ASSERT_EQUAL_FATAL(vx_rules_lane_create(rules, SOURCES, SOCKET_ID_ANY, &lane, NULL), 0);
    for (uint32_t round = 0; round < 400; round++) {
        const struct vx_ban *bans = vx_rules_bans(rules, &count);
        if (count > 0 && vx_rng_below(&rng, 3) == 0) {
            struct vx_prefix gone = bans[vx_rng_below(&rng, count)].prefix;
            CU_ASSERT_EQUAL(vx_rules_unban(rules, &gone, NULL), 0);
        } else {
            struct vx_ban made = { random_prefix(&rng, false), 0 };
            CU_ASSERT_EQUAL(vx_rules_ban(rules, &made, NULL), 0);
        }
        bans = vx_rules_bans(rules, &count);
        for (uint32_t i = 0; i < 50; i++) {
            struct vx_prefix address = random_prefix(&rng, true);
            if (i % 2 == 0 && count > 0) { /* the first or last address of a ban, where intervals meet */
                address = bans[vx_rng_below(&rng, count)].prefix;
                for (uint32_t bit = address.bits; i % 4 == 0 && bit < (address.family == 4 ? 32u : 128u); bit++)
                    address.address[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
            }
            bool expected = false;
            for (uint32_t j = 0; j < count; j++)
                expected |= covers(&bans[j].prefix, &address);
            CU_ASSERT_EQUAL(pass(lane, &address, i % 3, 0), expected ? VX_DROP_BANNED : VX_DROP_NONE);
            banned += expected;
        }
    }
    CU_ASSERT(count > 50 && banned > 1000); /* the test has met both */
    vx_rules_lane_destroy(lane);
    vx_rules_destroy(rules);
}

static void test_rate(void)
{
    struct vx_rules *rules = rules_make();
    struct vx_rules_lane *lane;
    struct vx_prefix one = ban_of("10.0.0.1").prefix, other = ban_of("10.0.0.2").prefix;
    struct vx_prefix six = ban_of("2001:db8::1").prefix, same_64 = ban_of("2001:db8::2").prefix;
    uint64_t now = CYCLES_PER_S;
    uint32_t passed = 0;
    CU_ASSERT_EQUAL_FATAL(vx_rules_lane_create(rules, SOURCES, SOCKET_ID_ANY, &lane, NULL), 0);
    CU_ASSERT_EQUAL(vx_rules_rate(rules, 1000, 0, NULL), -EINVAL);
    CU_ASSERT_EQUAL(vx_rules_rate(rules, 1000, 10, NULL), 0);
    for (uint32_t i = 0; i < 100; i++)
        passed += pass(lane, &one, 0, now) == VX_DROP_NONE;
    CU_ASSERT_EQUAL(passed, 10); /* the burst */
    CU_ASSERT_EQUAL(pass(lane, &one, 0, now), VX_DROP_OVER_RATE);
    CU_ASSERT_EQUAL(pass(lane, &other, 0, now), VX_DROP_NONE); /* a bucket of its own */
    passed = 0;
    for (uint32_t i = 0; i < 10000; i++) { /* ten a millisecond for a second */
        now += CYCLES_PER_S / 10000;
        passed += pass(lane, &one, 0, now) == VX_DROP_NONE;
    }
    CU_ASSERT(passed >= 999 && passed <= 1001);
    for (uint32_t i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(pass(lane, i % 2 ? &six : &same_64, 0, now), VX_DROP_NONE);
    CU_ASSERT_EQUAL(pass(lane, &same_64, 0, now), VX_DROP_OVER_RATE); /* one /64 is one source */
    CU_ASSERT_EQUAL(vx_rules_rate(rules, 0, 1, NULL), 0);
    CU_ASSERT_EQUAL(pass(lane, &same_64, 0, now), VX_DROP_NONE);
    vx_rules_lane_destroy(lane);
    vx_rules_destroy(rules);
}

/* More sources than buckets: nobody is refused whose rate is right, for the idlest gives way. */
static void test_rate_many_sources(void)
{
    struct vx_rules *rules = rules_make();
    struct vx_rules_lane *lane;
    uint64_t now = CYCLES_PER_S;
    CU_ASSERT_EQUAL_FATAL(vx_rules_lane_create(rules, SOURCES, SOCKET_ID_ANY, &lane, NULL), 0);
    CU_ASSERT_EQUAL(vx_rules_rate(rules, 10, 1, NULL), 0);
    for (uint32_t round = 0; round < 5; round++, now += CYCLES_PER_S)
        for (uint32_t i = 1; i <= 20 * SOURCES; i++) {
            struct vx_prefix from = { 4, 32, { 10, 0, (uint8_t)(i >> 8), (uint8_t)i } };
            CU_ASSERT_EQUAL(pass(lane, &from, 0, now), VX_DROP_NONE);
        }
    vx_rules_lane_destroy(lane);
    vx_rules_destroy(rules);
}

static void test_burst_order_and_strangers(void)
{
    struct vx_rules *rules = rules_make();
    struct vx_rules_lane *lane;
    struct rte_mbuf *mbufs[VX_BURST_MAX];
    uint64_t drops[VX_DROP_COUNT] = { 0 };
    CU_ASSERT_EQUAL_FATAL(vx_rules_lane_create(rules, SOURCES, SOCKET_ID_ANY, &lane, NULL), 0);
    ban(rules, "10.0.0.0/31");
    for (uint32_t i = 0; i < VX_BURST_MAX; i++) {
        mbufs[i] = frame_of(4, (uint8_t[]){ 10, 0, 0, (uint8_t)(i % 4) }, 0);
        mbufs[i]->hash.usr = i;
    }
    mbufs[8]->data_len = 13;  /* ends within Ethernet */
    mbufs[12]->data_len = 33; /* within its IP header: whose it is cannot be said */
    *(rte_pktmbuf_mtod(mbufs[16], uint8_t *) + 13) = 0x06; /* ARP */
    uint32_t kept = vx_rules_filter(lane, mbufs, VX_BURST_MAX, 0, drops);
    CU_ASSERT_EQUAL(kept, VX_BURST_MAX / 2 + 3);
    CU_ASSERT_EQUAL(drops[VX_DROP_BANNED], VX_BURST_MAX / 2 - 3);
    for (uint32_t i = 1; i < kept; i++)
        CU_ASSERT(mbufs[i]->hash.usr > mbufs[i - 1]->hash.usr);
    rte_pktmbuf_free_bulk(mbufs, kept);
    CU_ASSERT_EQUAL(rte_mempool_avail_count(pool), MBUFS);
    vx_rules_lane_destroy(lane);
    vx_rules_destroy(rules);
}

/* A sink that keeps a list of what it was told. */
struct told {
    uint32_t bans;
    int refuse;
    struct vx_rate rate;
};
static int told_ban(void *context, const struct vx_prefix *prefix, bool banned, struct vx_error *error)
{
    struct told *told = context;
    (void)prefix;
    if (banned && told->refuse != 0)
        return vx_error_set(error, told->refuse, "no room in the card");
    told->bans += banned ? 1u : -1u;
    return 0;
}
static int told_rate(void *context, const struct vx_rate *rate, struct vx_error *error)
{
    (void)error;
    ((struct told *)context)->rate = *rate;
    return 0;
}

static void test_sinks(void)
{
    struct vx_rules *rules = rules_make();
    struct told early = { 0 }, late = { 0 };
    struct vx_ban made = ban_of("10.0.0.0/8");
    struct vx_error error;
    uint32_t count;
    CU_ASSERT_EQUAL(vx_rules_sink_add(rules, &(struct vx_rules_sink){ &early, told_ban, told_rate }, NULL), 0);
    ban(rules, "192.0.2.1");
    CU_ASSERT_EQUAL(vx_rules_rate(rules, 100, 5, NULL), 0);
    CU_ASSERT_EQUAL(early.rate.interval, 10000000);
    CU_ASSERT_EQUAL(early.rate.burst, 40000000);
    CU_ASSERT_EQUAL(vx_rules_sink_add(rules, &(struct vx_rules_sink){ &late, told_ban, told_rate }, NULL), 0);
    CU_ASSERT_EQUAL(late.bans, 1); /* what was in force */
    CU_ASSERT_EQUAL(late.rate.interval, 10000000);
    late.refuse = -E2BIG;
    CU_ASSERT_EQUAL(vx_rules_ban(rules, &made, &error), -E2BIG);
    CU_ASSERT_STRING_EQUAL(error.text, "no room in the card");
    (void)vx_rules_bans(rules, &count);
    CU_ASSERT(count == 1 && early.bans == 1 && late.bans == 1);
    late.refuse = 0;
    made.until_s = 500;
    CU_ASSERT_EQUAL(vx_rules_ban(rules, &made, NULL), 0);
    made.until_s = 1000; /* again: a new end, no second ban */
    CU_ASSERT_EQUAL(vx_rules_ban(rules, &made, NULL), 0);
    (void)vx_rules_bans(rules, &count);
    CU_ASSERT(count == 2 && early.bans == 2 && late.bans == 2);
    CU_ASSERT_EQUAL(vx_rules_expire(rules, 999), 0);
    CU_ASSERT_EQUAL(vx_rules_expire(rules, 1000), 1);
    CU_ASSERT_EQUAL(vx_rules_expire(rules, UINT64_MAX), 0); /* what has no end stays */
    (void)vx_rules_bans(rules, &count);
    CU_ASSERT(count == 1 && early.bans == 1 && late.bans == 1);
    vx_rules_destroy(rules);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs(text, file) >= 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static void test_file(void)
{
    static const struct {
        const char *text, *sentence;
    } bad[] = {
        { "10.0.0.1/32 0\nrubbish\n", ":2: expected PREFIX UNTIL" }, { "10.0.0.1/32 0", ":1: expected PREFIX UNTIL" }, /* cut off */
        { "10.0.0.1/33 0\n", ":1: \"10.0.0.1/33\": expected 0 to 32" }, { "10.0.0.1/32 0 more\n", ":1: expected PREFIX UNTIL" },
    };
    char folder[] = "/tmp/veltrix-rules-XXXXXX", path[64], nowhere[80];
    struct vx_error error;
    uint32_t count;
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/bans", folder);
    (void)snprintf(nowhere, sizeof(nowhere), "%s/no/bans", folder);
    struct vx_rules *rules = rules_make(), *again = rules_make();
    CU_ASSERT_EQUAL(vx_rules_load(rules, path, NULL), 0); /* no file, no bans */
    ban(rules, "2001:db8::/32");
    ban(rules, "10.0.0.0/8");
    struct vx_ban timed = ban_of("192.0.2.1");
    timed.until_s = 12345;
    CU_ASSERT_EQUAL(vx_rules_ban(rules, &timed, NULL), 0);
    CU_ASSERT_EQUAL(vx_rules_save(rules, path, NULL), 0);
    CU_ASSERT_EQUAL(vx_rules_save(rules, nowhere, &error), -EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, nowhere));
    CU_ASSERT_EQUAL(vx_rules_load(again, path, NULL), 0);
    const struct vx_ban *bans = vx_rules_bans(again, &count), *first = vx_rules_bans(rules, &count);
    CU_ASSERT_EQUAL(count, 3);
    CU_ASSERT_EQUAL(memcmp(bans, first, count * sizeof(*bans)), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct vx_rules *fresh = rules_make();
        write_file(path, bad[i].text);
        CU_ASSERT(vx_rules_load(fresh, path, &error) < 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, bad[i].sentence));
        (void)vx_rules_bans(fresh, &count);
        CU_ASSERT_EQUAL(count, 0);
        vx_rules_destroy(fresh);
    }
    vx_rules_destroy(rules);
    vx_rules_destroy(again);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void test_full(void)
{
    struct vx_rules_config config = { .bans_max = 2, .cycles_per_s = CYCLES_PER_S };
    struct vx_rules *rules;
    struct vx_error error;
    struct vx_ban third = ban_of("10.0.0.3");
    CU_ASSERT_EQUAL_FATAL(vx_rules_create(&config, &rules, NULL), 0);
    ban(rules, "10.0.0.1");
    ban(rules, "10.0.0.2");
    CU_ASSERT_EQUAL(vx_rules_ban(rules, &third, &error), -ENOSPC);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "rules.bans_max"));
    ban(rules, "10.0.0.2"); /* is there: takes no room */
    vx_rules_destroy(rules);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "prefixes as people write them", test_prefixes },
        { "bans by hand, IPv4, IPv6 and VLAN", test_bans_by_hand },
        { "bans at random against a plain list", test_bans_against_a_model },
        { "rate of a source, burst and refill", test_rate },
        { "more sources than buckets", test_rate_many_sources },
        { "a burst keeps its order, strangers pass", test_burst_order_and_strangers },
        { "sinks are told everything, and may refuse", test_sinks },
        { "the file, and what is wrong with it", test_file },
        { "a full list refuses", test_full },
    };
    char prefix[64];
    (void)snprintf(prefix, sizeof(prefix), "--file-prefix=veltrix-test-%d", (int)getpid());
    char *eal[] = { "test", "--no-huge", "--no-pci", "--no-shconf", "-m", "64", "--log-level=4", "--no-telemetry", prefix };
    if (rte_eal_init(sizeof(eal) / sizeof(eal[0]), eal) < 0)
        return 2;
    pool = rte_pktmbuf_pool_create("rules", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    return pool == NULL ? 2 : vx_test_main("rules", tests, sizeof(tests) / sizeof(tests[0]));
}
