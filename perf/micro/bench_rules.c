/* vx_bench_rules: what bans and rates cost an io lcore, and the choice that lib/rules made: sorted intervals behind a
 * bitmap, or DPDK's rte_lpm and rte_lpm6. Sources are 120,000 players in random order, a hit is an address that is
 * banned. The packets of the whole filter lie in as many buffers as a memif ring has. */
#include <rte_eal.h>
#include <rte_lpm.h>
#include <rte_lpm6.h>
#include <rte_mbuf.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "frame_build.h"
#include "rules_private.h"

enum { SOURCES = 120000, FEW = 100, MANY = 1 << 16, BURST = 32, BUFFERS = 1024, SOURCE_BUCKETS = 1 << 16, CYCLES_PER_S = 2600000000u, LPM_TBL8 = 1 << 17 };

static uint32_t good4[SOURCES], bad4[SOURCES];
static uint8_t good6[SOURCES][16], bad6[SOURCES][16];
static struct vx_ban bans[2 * MANY];
static struct rte_lpm *lpm;
static struct rte_lpm6 *lpm6;
static struct rules_table *few, *many;
static struct vx_rules *rules;
static struct vx_rules_lane *lane;
static struct rte_mempool *pool;
static struct rte_mbuf *mbufs4[BUFFERS], *mbufs6[BUFFERS];
static uint64_t sink;

/* Bans are /24 and /48 whose second bit is set, players' addresses have it clear: they are neighbours, and never meet. */
static void addresses_make(void)
{
    struct vx_rng rng = { 1 };
    for (uint32_t i = 0; i < MANY; i++) {
        uint64_t r = vx_rng_next(&rng), s = vx_rng_next(&rng);
        bans[2 * i].prefix = (struct vx_prefix){ 4, 24, { (uint8_t)(1 + r % 220), (uint8_t)(r >> 8), (uint8_t)(r >> 16 | 1) } };
        bans[2 * i + 1].prefix = (struct vx_prefix){ 6, 48, { 0x20, 0x01, (uint8_t)s, (uint8_t)(s >> 8), (uint8_t)(s >> 16), (uint8_t)(s >> 24 | 1) } };
    }
    for (uint32_t i = 0; i < SOURCES; i++) {
        uint64_t r = vx_rng_next(&rng);
        const uint8_t *ban4 = bans[2 * (r % MANY)].prefix.address, *ban6 = bans[2 * (r % MANY) + 1].prefix.address;
        bad4[i] = (uint32_t)ban4[0] << 24 | (uint32_t)ban4[1] << 16 | (uint32_t)ban4[2] << 8 | (uint8_t)(r >> 24);
        good4[i] = ((1 + (uint32_t)(r >> 32) % 220) << 24 | ((uint32_t)r & 0xffffff)) & ~0x100u;
        memcpy(bad6[i], ban6, 16);
        memcpy(&bad6[i][8], &r, 8);
        memcpy(good6[i], bad6[i], 16);
        memcpy(&good6[i][2], &(uint32_t){ (uint32_t)vx_rng_next(&rng) & 0xfeffffffu }, 4);
    }
}

static void tables_make(void)
{
    const struct rte_lpm_config config = { .max_rules = MANY, .number_tbl8s = 256 };
    struct rte_lpm6_config config6 = { .max_rules = MANY, .number_tbl8s = LPM_TBL8 };
    lpm = rte_lpm_create("bans4", SOCKET_ID_ANY, &config);
    lpm6 = rte_lpm6_create("bans6", SOCKET_ID_ANY, &config6);
    few = rules_table_create(2 * FEW);
    many = rules_table_create(2 * MANY);
    VX_ASSERT(lpm != NULL && lpm6 != NULL && few != NULL && many != NULL);
    for (uint32_t i = 0; i < 2 * MANY; i++) {
        uint8_t *address = bans[i].prefix.address;
        int rc = bans[i].prefix.family == 4 ? rte_lpm_add(lpm, (uint32_t)address[0] << 24 | (uint32_t)address[1] << 16 | (uint32_t)address[2] << 8, 24, 1)
                                            : rte_lpm6_add(lpm6, address, 48, 1);
        VX_ASSERT(rc == 0);
    }
    rules_table_build(few, bans, 2 * FEW);
    rules_table_build(many, bans, 2 * MANY);
}

static void packets_make(void)
{
    static struct build build;
    pool = rte_pktmbuf_pool_create("bench", 2 * BUFFERS + 64, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    const struct vx_rules_config config = { .bans_max = 2 * MANY, .cycles_per_s = CYCLES_PER_S };
    VX_ASSERT(pool != NULL && vx_rules_create(&config, &rules, NULL) == 0 && vx_rules_lane_create(rules, SOURCE_BUCKETS, SOCKET_ID_ANY, &lane, NULL) == 0);
    for (uint32_t i = 0; i < 2 * BUFFERS; i++) {
        struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
        build_game(&build, i % 2 ? 6 : 4, 0, 0, i, 2);
        memcpy(rte_pktmbuf_append(mbuf, (uint16_t)build.bytes), build.data, build.bytes);
        (i % 2 ? mbufs6 : mbufs4)[i / 2] = mbuf;
    }
}

static double lpm4(uint32_t hit)
{
    const uint32_t *from = hit ? bad4 : good4;
    uint32_t hops[BURST];
    uint64_t found = 0, began = __rdtsc();
    for (uint32_t i = 0; i < SOURCES; i += BURST) {
        (void)rte_lpm_lookup_bulk(lpm, &from[i], hops, BURST);
        for (uint32_t j = 0; j < BURST; j++)
            found += (hops[j] & RTE_LPM_LOOKUP_SUCCESS) != 0;
    }
    uint64_t cycles = __rdtsc() - began;
    VX_ASSERT(found == (hit ? SOURCES : 0));
    return (double)cycles / SOURCES;
}

static double lpm16(uint32_t hit)
{
    int32_t hops[BURST];
    uint64_t found = 0, began = __rdtsc();
    for (uint32_t i = 0; i < SOURCES; i += BURST) {
        (void)rte_lpm6_lookup_bulk_func(lpm6, &(hit ? bad6 : good6)[i], hops, BURST);
        for (uint32_t j = 0; j < BURST; j++)
            found += hops[j] >= 0;
    }
    uint64_t cycles = __rdtsc() - began;
    VX_ASSERT(found == (hit ? SOURCES : 0));
    return (double)cycles / SOURCES;
}

static double intervals4(uint32_t hit)
{
    const uint32_t *from = hit ? bad4 : good4;
    uint64_t found = 0, began = __rdtsc();
    for (uint32_t i = 0; i < SOURCES; i++)
        found += rules_has4(many, from[i]);
    uint64_t cycles = __rdtsc() - began;
    VX_ASSERT(found == (hit ? SOURCES : 0));
    return (double)cycles / SOURCES;
}

static double intervals6(uint32_t hit)
{
    uint64_t found = 0, began = __rdtsc();
    for (uint32_t i = 0; i < SOURCES; i++)
        found += rules_has6(many, rules_address6((hit ? bad6 : good6)[i]));
    uint64_t cycles = __rdtsc() - began;
    VX_ASSERT(found == (hit ? SOURCES : 0));
    return (double)cycles / SOURCES;
}

static double intervals_few(uint32_t version)
{
    uint64_t found = 0, began = __rdtsc();
    for (uint32_t i = 0; i < SOURCES; i++)
        found += version == 4 ? rules_has4(few, good4[i]) : rules_has6(few, rules_address6(good6[i]));
    uint64_t cycles = __rdtsc() - began;
    VX_ASSERT(found == 0);
    return (double)cycles / SOURCES;
}

/* The whole filter over bursts that all pass; each round writes other sources into the frames first. */
static double filter(uint32_t version)
{
    static uint32_t place;
    uint64_t drops[VX_DROP_COUNT] = { 0 }, cycles = 0;
    struct rte_mbuf **mbufs = version == 4 ? mbufs4 : mbufs6;
    for (uint32_t round = 0; round < SOURCES / BUFFERS; round++) {
        for (uint32_t i = 0; i < BUFFERS; i++, place = (place + 1) % SOURCES) {
            uint8_t *ip = rte_pktmbuf_mtod_offset(mbufs[i], uint8_t *, 14);
            uint32_t word = __builtin_bswap32(good4[place]);
            if (version == 4)
                memcpy(ip + 12, &word, 4);
            else
                memcpy(ip + 8, good6[place], 16);
        }
        uint64_t began = __rdtsc();
        for (uint32_t i = 0; i < BUFFERS; i += BURST)
            sink += vx_rules_filter(lane, &mbufs[i], BURST, began, drops);
        cycles += __rdtsc() - began;
    }
    VX_ASSERT(drops[VX_DROP_BANNED] + drops[VX_DROP_OVER_RATE] == 0);
    return (double)cycles / (SOURCES / BUFFERS * BUFFERS);
}

static double filter_nothing(uint32_t version)
{
    VX_ASSERT(*lane->active == 0);
    return filter(version);
}

static void rules_set(uint32_t count, uint64_t packets_per_s)
{
    VX_ASSERT(vx_rules_ban_all(rules, bans, count, NULL) == 0 && vx_rules_rate(rules, packets_per_s, 100, NULL) == 0);
}

static void rules_clear(void)
{
    VX_ASSERT(vx_rules_rate(rules, 0, 1, NULL) == 0);
    for (uint32_t i = 0; i < 2 * FEW; i++)
        (void)vx_rules_unban(rules, &bans[i].prefix, NULL);
}

static double filter_bans(uint32_t version)
{
    rules_set(2 * FEW, 0);
    double cycles = filter(version);
    rules_clear();
    return cycles;
}

static double filter_rate(uint32_t version)
{
    rules_set(0, 1000);
    double cycles = filter(version);
    rules_clear();
    return cycles;
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "ban4_lpm_reference_cycles", "reference: rte_lpm_lookup_bulk, 65,536 bans, 64 MiB; nobody banned", lpm4, 0 },
        { "ban4_intervals_cycles", "ours, 65,536 bans, 0.5 MiB; nobody banned", intervals4, 0 },
        { "ban4_intervals_100_cycles", "ours, 100 bans; nobody banned", intervals_few, 4 },
        { "ban4_lpm_hit_cycles", "rte_lpm, everybody banned", lpm4, 1 },
        { "ban4_intervals_hit_cycles", "ours, everybody banned", intervals4, 1 },
        { "ban6_lpm_reference_cycles", "reference: rte_lpm6_lookup_bulk_func, 65,536 bans, 192 MiB; nobody banned", lpm16, 0 },
        { "ban6_intervals_cycles", "ours, 65,536 bans, 2 MiB; nobody banned", intervals6, 0 },
        { "ban6_intervals_100_cycles", "ours, 100 bans; nobody banned", intervals_few, 6 },
        { "ban6_lpm_hit_cycles", "rte_lpm6, everybody banned", lpm16, 1 },
        { "ban6_intervals_hit_cycles", "ours, everybody banned", intervals6, 1 },
        { "filter_nothing_cycles", "the whole filter, cycles a packet: no rule set", filter_nothing, 4 },
        { "filter_bans4_cycles", "100 bans of each family, IPv4 packets", filter_bans, 4 },
        { "filter_bans6_cycles", "the same, IPv6 packets", filter_bans, 6 },
        { "filter_rate4_cycles", "a rate, 120,000 sources over 65,536 buckets", filter_rate, 4 },
    };
    struct bench_options options;
    char prefix[64];
    (void)snprintf(prefix, sizeof(prefix), "--file-prefix=veltrix-bench-%d", (int)getpid());
    char *eal[] = { "bench", "--no-huge", "--no-pci", "--no-shconf", "-m", "512", "--log-level=4", "--no-telemetry", prefix };
    if (!bench_options_read(argc, argv, &options))
        return 2;
    if (rte_eal_init(sizeof(eal) / sizeof(eal[0]), eal) < 0)
        return 1;
    bench_pin(options.cpus[0]);
    addresses_make();
    tables_make();
    packets_make();
    return bench_run(&options, cases, sizeof(cases) / sizeof(cases[0]));
}
