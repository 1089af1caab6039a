/* The io lcores' side: a whole burst against the bans and the sources' buckets, before anything is parsed. Data
 * plane: nothing here allocates, logs or waits. */
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "rules_private.h"

enum { TYPE_IP4 = 0x0800, TYPE_IP6 = 0x86dd, IP4_BYTES = 20, IP6_BYTES = 40, IP4_SOURCE = 12, IP6_SOURCE = 8 };

/* The sender of a frame; key 0 when it is not IP, or too short to say. */
struct source {
    uint64_t key;
    bool banned;
};

static inline struct source source_of(const struct rules_table *table, const struct rte_mbuf *mbuf)
{
    const uint8_t *data = rte_pktmbuf_mtod(mbuf, const uint8_t *), *end = data + mbuf->data_len;
    uint16_t type = 0;
    const uint8_t *ip = vx_network_header(data, end, &type);
    if (ip != NULL && type == TYPE_IP4 && ip + IP4_BYTES <= end) {
        uint64_t key = vx_source_key4(ip + IP4_SOURCE);
        return (struct source){ key, rules_has4(table, __builtin_bswap32((uint32_t)key)) };
    }
    if (ip != NULL && type == TYPE_IP6 && ip + IP6_BYTES <= end)
        return (struct source){ vx_source_key6(ip + IP6_SOURCE), rules_has6(table, rules_address6(ip + IP6_SOURCE)) };
    return (struct source){ 0, false };
}

static inline struct rules_bucket *line_of(struct rules_lane *lane, uint64_t source)
{
    return &lane->buckets[(vx_mix64(source) & lane->line_mask) * RULES_WAYS];
}

/* A source without a bucket takes that of its set which has been full for longest. */
static inline struct rules_bucket *bucket_of(struct rules_bucket *line, uint64_t source)
{
    struct rules_bucket *idlest = line;
    for (uint32_t way = 0; way < RULES_WAYS; way++) {
        if (line[way].source == source)
            return &line[way];
        if (line[way].full_at < idlest->full_at)
            idlest = &line[way];
    }
    *idlest = (struct rules_bucket){ source, 0 };
    return idlest;
}

static inline bool is_over_rate(struct rules_lane *lane, const struct vx_rate *rate, uint64_t source, uint64_t now)
{
    struct rules_bucket *bucket = bucket_of(line_of(lane, source), source);
    uint64_t full_at = vx_rate_next(bucket->full_at, now, rate->interval, rate->burst);
    if (full_at == 0)
        return true;
    bucket->full_at = full_at;
    return false;
}

uint32_t vx_rules_filter_burst(struct vx_rules_lane *head, struct rte_mbuf **mbufs, uint32_t count, uint64_t now, uint64_t *drops)
{
    struct rules_lane *lane = (struct rules_lane *)head;
    const struct rules_table *table = __atomic_load_n(&lane->rules->table, __ATOMIC_ACQUIRE); /* releases in rules.c: publish */
    const struct vx_rate rate = { __atomic_load_n(&lane->rules->rate_cycles.interval, __ATOMIC_RELAXED),
                                  __atomic_load_n(&lane->rules->rate_cycles.burst, __ATOMIC_RELAXED) };
    struct source sources[VX_BURST_MAX];
    struct rte_mbuf *dropped[VX_BURST_MAX];
    uint32_t kept = 0, drop_count = 0;
    VX_ASSERT(count <= VX_BURST_MAX);
    for (uint32_t i = 0; i < count && i < 8; i++)
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
    for (uint32_t i = 0; i < count; i++) {
        if (i + 8 < count)
            rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + 8], void *));
        sources[i] = source_of(table, mbufs[i]);
        if (rate.interval != 0)
            rte_prefetch0(line_of(lane, sources[i].key));
    }
    for (uint32_t i = 0; i < count; i++) {
        enum vx_drop drop = VX_DROP_NONE;
        if (VX_UNLIKELY(sources[i].banned))
            drop = VX_DROP_BANNED;
        else if (rate.interval != 0 && sources[i].key != 0 && is_over_rate(lane, &rate, sources[i].key, now))
            drop = VX_DROP_OVER_RATE;
        if (VX_LIKELY(drop == VX_DROP_NONE)) {
            mbufs[kept++] = mbufs[i];
        } else {
            drops[drop]++;
            dropped[drop_count++] = mbufs[i];
        }
    }
    if (drop_count > 0)
        rte_pktmbuf_free_bulk(dropped, drop_count);
    return kept;
}
