/* The list of bans and the rate: changed here, told to the sinks, published to the io lcores. Control thread. */
#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "rules_private.h"

enum { NANOSECONDS_PER_S = 1000000000 };

int vx_rules_create(const struct vx_rules_config *config, struct vx_rules **rules, struct vx_error *error)
{
    struct vx_rules *made = rte_zmalloc("vx_rules", sizeof(*made), VX_CACHE_LINE_BYTES);
    if (made != NULL) {
        made->config = *config;
        made->burst = 1;
        made->bans = rte_zmalloc("vx_ban_list", config->bans_max * sizeof(*made->bans), 0);
        made->tables[0] = rules_table_create(config->bans_max);
        made->tables[1] = rules_table_create(config->bans_max);
        made->table = made->tables[0];
    }
    if (made == NULL || made->bans == NULL || made->tables[0] == NULL || made->tables[1] == NULL) {
        vx_rules_destroy(made);
        return vx_error_set(error, -ENOMEM, "rules.bans_max is %u: no memory for as many", config->bans_max);
    }
    *rules = made;
    return 0;
}

void vx_rules_destroy(struct vx_rules *rules)
{
    if (rules == NULL)
        return;
    rte_free(rules->bans);
    rules_table_destroy(rules->tables[0]);
    rules_table_destroy(rules->tables[1]);
    rte_free(rules);
}

/* Into the spare table, then the pointer, then the wait: after it nobody reads the old one, which is the next spare. */
static void publish(struct vx_rules *rules)
{
    struct rules_table *spare = rules->tables[rules->table == rules->tables[0]];
    rules_table_build(spare, rules->bans, rules->ban_count);
    __atomic_store_n(&rules->table, spare, __ATOMIC_RELEASE); /* acquired by vx_rules_filter_burst */
    __atomic_store_n(&rules->active, rules->ban_count > 0 || rules->packets_per_s > 0, __ATOMIC_RELAXED);
    if (rules->config.quiesce != NULL)
        rules->config.quiesce(rules->config.quiesce_context);
}

/* All sinks or none: when one refuses, those before it are told the opposite. */
static int tell_ban(const struct vx_rules *rules, const struct vx_prefix *prefix, bool banned, struct vx_error *error)
{
    for (uint32_t i = 0; i < rules->sink_count; i++) {
        int rc = rules->sinks[i].ban(rules->sinks[i].context, prefix, banned, error);
        if (rc == 0)
            continue;
        while (i-- > 0)
            (void)rules->sinks[i].ban(rules->sinks[i].context, prefix, !banned, NULL);
        return rc;
    }
    return 0;
}

int vx_rules_sink_add(struct vx_rules *rules, const struct vx_rules_sink *sink, struct vx_error *error)
{
    if (rules->sink_count == VX_RULES_SINKS_MAX)
        return vx_error_set(error, -ENOSPC, "%d places apply the rules already, no more are taken", VX_RULES_SINKS_MAX);
    int rc = sink->rate(sink->context, &rules->rate_ns, error);
    for (uint32_t i = 0; rc == 0 && i < rules->ban_count; i++)
        rc = sink->ban(sink->context, &rules->bans[i].prefix, true, error);
    if (rc == 0)
        rules->sinks[rules->sink_count++] = *sink;
    return rc;
}

/* The list is kept in this order, so that a ban is found quickly and a saved list is loaded without moving any. */
static int compare(const struct vx_prefix *left, const struct vx_prefix *right)
{
    return memcmp(left, right, sizeof(*left));
}

/* Where the prefix is, or would be. */
static uint32_t place_of(const struct vx_rules *rules, const struct vx_prefix *prefix, bool *present)
{
    uint32_t low = 0, high = rules->ban_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (compare(&rules->bans[middle].prefix, prefix) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *present = low < rules->ban_count && compare(&rules->bans[low].prefix, prefix) == 0;
    return low;
}

static int add(struct vx_rules *rules, const struct vx_ban *ban, struct vx_error *error)
{
    bool present;
    uint32_t place = place_of(rules, &ban->prefix, &present);
    if (present) {
        rules->bans[place].until_s = ban->until_s;
        return 0;
    }
    if (rules->ban_count == rules->config.bans_max)
        return vx_error_set(error, -ENOSPC, "there are %u bans already, as many as rules.bans_max allows", rules->ban_count);
    int rc = tell_ban(rules, &ban->prefix, true, error);
    if (rc != 0)
        return rc;
    memmove(&rules->bans[place + 1], &rules->bans[place], (rules->ban_count - place) * sizeof(*ban));
    rules->bans[place] = *ban;
    rules->ban_count++;
    return 0;
}

static int take(struct vx_rules *rules, uint32_t place, struct vx_error *error)
{
    int rc = tell_ban(rules, &rules->bans[place].prefix, false, error);
    if (rc != 0)
        return rc;
    rules->ban_count--;
    memmove(&rules->bans[place], &rules->bans[place + 1], (rules->ban_count - place) * sizeof(rules->bans[0]));
    return 0;
}

int vx_rules_ban(struct vx_rules *rules, const struct vx_ban *ban, struct vx_error *error)
{
    return vx_rules_ban_all(rules, ban, 1, error);
}

int vx_rules_ban_all(struct vx_rules *rules, const struct vx_ban *bans, uint32_t count, struct vx_error *error)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        rc = add(rules, &bans[i], error);
    publish(rules);
    return rc;
}

int vx_rules_unban(struct vx_rules *rules, const struct vx_prefix *prefix, struct vx_error *error)
{
    char text[VX_PREFIX_TEXT_BYTES];
    bool present;
    uint32_t place = place_of(rules, prefix, &present);
    if (!present)
        return vx_error_set(error, -ENOENT, "%s is not banned (only what was banned as such can be lifted)", vx_prefix_text(prefix, text));
    int rc = take(rules, place, error);
    if (rc == 0)
        publish(rules);
    return rc;
}

uint32_t vx_rules_expire(struct vx_rules *rules, uint64_t now_s)
{
    uint32_t gone = 0;
    for (uint32_t i = 0; i < rules->ban_count;) {
        bool over = rules->bans[i].until_s != 0 && rules->bans[i].until_s <= now_s;
        if (over && take(rules, i, NULL) == 0)
            gone++; /* the next has its place now */
        else
            i++;
    }
    if (gone > 0)
        publish(rules);
    return gone;
}

const struct vx_ban *vx_rules_bans(const struct vx_rules *rules, uint32_t *count)
{
    *count = rules->ban_count;
    return rules->bans;
}

static struct vx_rate rate_in(uint64_t units_per_s, uint64_t packets_per_s, uint32_t burst)
{
    if (packets_per_s == 0)
        return (struct vx_rate){ 0, 0 };
    uint64_t interval = units_per_s / packets_per_s > 0 ? units_per_s / packets_per_s : 1;
    return (struct vx_rate){ interval, (burst - 1) * interval };
}

int vx_rules_rate(struct vx_rules *rules, uint64_t packets_per_s, uint32_t burst, struct vx_error *error)
{
    if (burst < 1)
        return vx_error_set(error, -EINVAL, "burst is %u, expected at least 1 packet", burst);
    struct vx_rate rate_ns = rate_in(NANOSECONDS_PER_S, packets_per_s, burst), cycles = rate_in(rules->config.cycles_per_s, packets_per_s, burst);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < rules->sink_count; i++)
        rc = rules->sinks[i].rate(rules->sinks[i].context, &rate_ns, error);
    if (rc != 0)
        return rc;
    rules->packets_per_s = packets_per_s;
    rules->burst = burst;
    rules->rate_ns = rate_ns;
    __atomic_store_n(&rules->rate_cycles.burst, cycles.burst, __ATOMIC_RELAXED); /* a burst that meets half of the change is judged by both halves */
    __atomic_store_n(&rules->rate_cycles.interval, cycles.interval, __ATOMIC_RELAXED);
    publish(rules);
    return 0;
}

void vx_rules_rate_now(const struct vx_rules *rules, uint64_t *packets_per_s, uint32_t *burst)
{
    *packets_per_s = rules->packets_per_s;
    *burst = rules->burst;
}

int vx_rules_lane_create(const struct vx_rules *rules, uint32_t sources, int numa, struct vx_rules_lane **lane, struct vx_error *error)
{
    VX_ASSERT(sources >= RULES_WAYS && (sources & (sources - 1)) == 0);
    struct rules_lane *made = rte_zmalloc_socket("vx_sources", sizeof(*made) + sources * sizeof(made->buckets[0]), VX_CACHE_LINE_BYTES, numa);
    if (made == NULL)
        return vx_error_set(error, -ENOMEM, "rules.sources is %u: no memory for as many buckets", sources);
    made->head.active = &rules->active;
    made->rules = rules;
    made->line_mask = sources / RULES_WAYS - 1;
    *lane = &made->head;
    return 0;
}

void vx_rules_lane_destroy(struct vx_rules_lane *lane)
{
    rte_free(lane);
}
