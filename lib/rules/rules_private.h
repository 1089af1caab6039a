/* rules, inside.
 *
 *   prefix.c  text <-> prefix            rules.c         the list, sinks, publishing (control thread)
 *   rules_file.c  the list <-> a file    rules_table.c   list -> sorted intervals (control thread)
 *                                        rules_filter.c  bursts against intervals and buckets (io lcores) */
#ifndef VX_RULES_PRIVATE_H
#define VX_RULES_PRIVATE_H

#include "vx_rules.h"

enum { RULES_MAP_BITS = 1 << 16, RULES_MAP_WORDS = RULES_MAP_BITS / 64 };

/* The bans of one family for looking up: disjoint intervals in order, and in front of them a bitmap of 8 KiB, which
 * stays in the first-level cache, that says for most addresses that no ban is anywhere near. */
struct rules_table {
    uint32_t count4, count6;
    uint64_t map4[RULES_MAP_WORDS]; /* by the first 16 bits */
    uint64_t map6[RULES_MAP_WORDS]; /* by a hash of the first 32 bits */
    uint32_t *first4, *last4;       /* host order */
    unsigned __int128 *first6, *last6;
} VX_ALIGNED;

struct vx_rules {
    uint32_t active VX_ALIGNED;         /* control: w, io lcores: r; atomic */
    const struct rules_table *table;    /* the published one; control: w, io lcores: r; atomic */
    struct vx_rate rate_cycles;         /* control: w, io lcores: r; each field atomic */
    struct vx_rules_config config VX_ALIGNED;
    struct rules_table *tables[2];      /* the published one and the spare */
    struct vx_ban *bans;
    uint32_t ban_count;
    uint64_t packets_per_s;
    uint32_t burst;
    struct vx_rate rate_ns;
    struct vx_rules_sink sinks[VX_RULES_SINKS_MAX];
    uint32_t sink_count;
};

struct rules_bucket {
    uint64_t source; /* vx_source_key; 0: nobody's */
    uint64_t full_at;
};
enum { RULES_WAYS = 4 }; /* buckets of a cache line */
struct rules_lane {
    struct vx_rules_lane head;
    const struct vx_rules *rules;
    uint32_t line_mask;
    struct rules_bucket buckets[] VX_ALIGNED;
};
static_assert(sizeof(struct rules_bucket) * RULES_WAYS == VX_CACHE_LINE_BYTES, "a set of buckets is one cache line");

/* 0: no memory. */
struct rules_table *rules_table_create(uint32_t bans_max);
void rules_table_destroy(struct rules_table *table);
void rules_table_build(struct rules_table *table, const struct vx_ban *bans, uint32_t count);

static inline uint32_t rules_map6_index(uint32_t first32)
{
    return (first32 * 0x9e3779b1u) >> 16; /* Fibonacci hashing */
}
static inline bool rules_map_has(const uint64_t *map, uint32_t index)
{
    return (map[index / 64] >> (index % 64) & 1) != 0;
}
/* Is the address (host order) in an interval? Branchless: the compiler makes conditional moves of it. */
static inline bool rules_has4(const struct rules_table *table, uint32_t address)
{
    if (VX_LIKELY(!rules_map_has(table->map4, address >> 16)))
        return false;
    const uint32_t *base = table->first4;
    for (uint32_t count = table->count4; count > 1;) {
        uint32_t half = count / 2;
        base += base[half] <= address ? half : 0;
        count -= half;
    }
    return *base <= address && address <= table->last4[base - table->first4];
}
static inline bool rules_has6(const struct rules_table *table, unsigned __int128 address)
{
    if (VX_LIKELY(!rules_map_has(table->map6, rules_map6_index((uint32_t)(address >> 96)))))
        return false;
    const unsigned __int128 *base = table->first6;
    for (uint32_t count = table->count6; count > 1;) {
        uint32_t half = count / 2;
        base += base[half] <= address ? half : 0;
        count -= half;
    }
    return *base <= address && address <= table->last6[base - table->first6];
}
static inline unsigned __int128 rules_address6(const uint8_t *address)
{
    uint64_t words[2];
    __builtin_memcpy(words, address, sizeof(words));
    return (unsigned __int128)__builtin_bswap64(words[0]) << 64 | __builtin_bswap64(words[1]);
}

#endif
