/* From the list of bans to what io lcores look up. Bans carry no data, so prefixes become plain intervals, and
 * intervals that overlap or touch become one. Control thread. */
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "rules_private.h"

struct rules_table *rules_table_create(uint32_t bans_max)
{
    struct rules_table *table = rte_zmalloc("vx_bans", sizeof(*table), VX_CACHE_LINE_BYTES);
    if (table == NULL)
        return NULL;
    table->first4 = rte_zmalloc("vx_bans4", 2 * bans_max * sizeof(*table->first4), VX_CACHE_LINE_BYTES);
    table->first6 = rte_zmalloc("vx_bans6", 2 * bans_max * sizeof(*table->first6), VX_CACHE_LINE_BYTES);
    if (table->first4 == NULL || table->first6 == NULL) {
        rules_table_destroy(table);
        return NULL;
    }
    table->last4 = table->first4 + bans_max;
    table->last6 = table->first6 + bans_max;
    return table;
}

void rules_table_destroy(struct rules_table *table)
{
    if (table == NULL)
        return;
    rte_free(table->first4);
    rte_free(table->first6);
    rte_free(table);
}

/* Both families as 128-bit numbers, so that there is one way to sort and to merge. */
static unsigned __int128 first_of(const struct vx_prefix *prefix)
{
    unsigned __int128 address = rules_address6(prefix->address);
    return prefix->family == 4 ? address >> 96 : address;
}

static unsigned __int128 last_of(const struct vx_prefix *prefix)
{
    uint32_t free_bits = (prefix->family == 4 ? 32u : 128u) - prefix->bits;
    unsigned __int128 rest = free_bits == 128 ? ~(unsigned __int128)0 : ((unsigned __int128)1 << free_bits) - 1;
    return first_of(prefix) | rest;
}

static int by_address(const void *left, const void *right)
{
    const struct vx_prefix *a = &((const struct vx_ban *)left)->prefix, *b = &((const struct vx_ban *)right)->prefix;
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    unsigned __int128 x = first_of(a), y = first_of(b);
    return x != y ? (x < y ? -1 : 1) : (int)a->bits - (int)b->bits;
}

static void map_set(uint64_t *map, uint32_t index)
{
    map[index / 64] |= 1ull << index % 64;
}

static void map4_mark(struct rules_table *table, const struct vx_prefix *prefix)
{
    for (uint32_t index = (uint32_t)first_of(prefix) >> 16; index <= (uint32_t)last_of(prefix) >> 16; index++)
        map_set(table->map4, index);
}

static void map6_mark(struct rules_table *table, const struct vx_prefix *prefix)
{
    uint32_t first = (uint32_t)(first_of(prefix) >> 96), last = (uint32_t)(last_of(prefix) >> 96);
    if (last - first >= RULES_MAP_BITS) {
        memset(table->map6, 0xff, sizeof(table->map6));
        return;
    }
    for (uint32_t first32 = first;; first32++) {
        map_set(table->map6, rules_map6_index(first32));
        if (first32 == last)
            return;
    }
}

static void add4(struct rules_table *table, const struct vx_prefix *prefix)
{
    uint32_t first = (uint32_t)first_of(prefix), last = (uint32_t)last_of(prefix);
    map4_mark(table, prefix);
    uint32_t *before = table->count4 > 0 ? &table->last4[table->count4 - 1] : NULL;
    if (before != NULL && (*before == UINT32_MAX || first <= *before + 1)) {
        *before = last > *before ? last : *before;
        return;
    }
    table->first4[table->count4] = first;
    table->last4[table->count4++] = last;
}

static void add6(struct rules_table *table, const struct vx_prefix *prefix)
{
    unsigned __int128 first = first_of(prefix), last = last_of(prefix);
    map6_mark(table, prefix);
    unsigned __int128 *before = table->count6 > 0 ? &table->last6[table->count6 - 1] : NULL;
    if (before != NULL && (*before == ~(unsigned __int128)0 || first <= *before + 1)) {
        *before = last > *before ? last : *before;
        return;
    }
    table->first6[table->count6] = first;
    table->last6[table->count6++] = last;
}

void rules_table_build(struct rules_table *table, const struct vx_ban *bans, uint32_t count)
{
    struct vx_ban *sorted = malloc((count > 0 ? count : 1) * sizeof(*sorted));
    VX_ASSERT(sorted != NULL); /* a few hundred KiB on the control thread; without them nothing else would go on either */
    memcpy(sorted, bans, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), by_address);
    table->count4 = table->count6 = 0;
    memset(table->map4, 0, sizeof(table->map4));
    memset(table->map6, 0, sizeof(table->map6));
    for (uint32_t i = 0; i < count; i++) {
        if (sorted[i].prefix.family == 4)
            add4(table, &sorted[i].prefix);
        else
            add6(table, &sorted[i].prefix);
    }
    free(sorted);
}
