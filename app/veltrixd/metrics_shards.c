/* Metrics of shards and matchmaking, summed over the shards where a label does not tell them apart: 40 shards times 25
 * buckets would be a thousand series for a figure. Control thread; the counters have one writer each, the shard's lcore. */
#include <stdio.h>
#include <string.h>

#include "metrics.h"

typedef void shard_visit(void *into, uint32_t number, const struct vx_shard *shard);

static void shards_walk(const struct app *app, shard_visit *visit, void *into)
{
    for (uint32_t number = 0; number < app->config.shards.count; number++) {
        const struct vx_shard *shard = NULL;
        if (app_lane_of(app, number, &shard) != NULL && shard != NULL)
            visit(into, number, shard);
    }
}

static double sum_of(const struct app *app, size_t field)
{
    struct vx_shard_counters sum;
    app_shards_sum(app, &sum);
    return (double)app_counter_at(&sum, field);
}

static void shard_sum(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    vx_metric_value(out, sum_of(context, metric->field), NULL, NULL);
}

static void oldest(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    vx_metric_value(out, sum_of(context, metric->field) / 1000, NULL, NULL);
}

/* Lists of counters that are one metric with a label. */
struct labelled {
    const char *label;
    size_t field;
};
#define AT(label, name) { label, offsetof(struct vx_shard_counters, name) }
static const struct labelled outcomes[] = { AT("answered", actions_answered), AT("refused", actions_refused), AT("repeated", actions_repeated), AT("busy", actions_busy),
                                            AT("gone", actions_dropped_gone), { NULL, 0 } };
static const struct labelled players[] = { AT("searching", players_searching), AT("proposed", players_proposed), AT("hunting", players_hunting), AT("settling", players_settling),
                                           AT("online", players_online), { NULL, 0 } };
static const struct labelled tickets[] = { AT("matched", tickets_matched), AT("cancelled", tickets_cancelled), AT("timed_out", tickets_timed_out), AT("gone", tickets_gone), { NULL, 0 } };
static const struct labelled matches[] = { AT("proposed", matches_proposed), AT("started", matches_started), AT("settled", matches_settled), AT("abandoned", matches_abandoned),
                                           AT("declined", matches_declined), { NULL, 0 } };
static const struct labelled modes[] = { AT("draining", draining), AT("paused", paused), { NULL, 0 } };
#define EACH(name) AT(#name, name),
static const struct labelled counters[] = { VX_SHARD_COUNTERS(EACH) { NULL, 0 } };

static void labelled_sums(void *context, const struct labelled *list, struct vx_metric_out *out)
{
    struct vx_shard_counters sum;
    app_shards_sum(context, &sum);
    for (; list->label != NULL; list++)
        vx_metric_value(out, (double)app_counter_at(&sum, list->field), list->label, NULL);
}

/* The row's field says which list. */
static const struct labelled *const lists[] = { outcomes, players, tickets, matches, modes, counters };
enum { OUTCOMES, PLAYERS, TICKETS, MATCHES, MODES, COUNTERS };

static void labelled_rows(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    labelled_sums(context, lists[metric->field], out);
}

/* Quality. */

static void quality_add(void *into, uint32_t number, const struct vx_shard *shard)
{
    const struct vx_shard_quality *from = vx_shard_quality(shard);
    struct vx_shard_quality *sum = into;
    (void)number;
    for (unsigned i = 0; i < VX_SHARD_WAIT_SLOTS; i++)
        sum->wait_ms[i] += vx_counter_read(&from->wait_ms[i]);
    for (unsigned i = 0; i < VX_SHARD_DISTANCE_SLOTS; i++)
        sum->distance[i] += vx_counter_read(&from->distance[i]);
    sum->wait_ms_sum += vx_counter_read(&from->wait_ms_sum);
    sum->distance_sum += vx_counter_read(&from->distance_sum);
}

static void waits(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    static const uint32_t bounds_ms[] = VX_SHARD_WAIT_BOUNDS_MS;
    enum { BOUNDS = sizeof(bounds_ms) / sizeof(bounds_ms[0]) };
    static_assert(BOUNDS + 1 == VX_SHARD_WAIT_SLOTS, "bounds");
    struct vx_shard_quality sum = { 0 };
    double bounds_s[BOUNDS];
    (void)metric;
    shards_walk(context, quality_add, &sum);
    for (unsigned i = 0; i < BOUNDS; i++)
        bounds_s[i] = bounds_ms[i] / 1e3;
    vx_metric_buckets(out, bounds_s, BOUNDS, sum.wait_ms, (double)sum.wait_ms_sum / 1e3, NULL);
}

static void distances(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    static const double bounds[] = VX_SHARD_DISTANCE_BOUNDS;
    static_assert(sizeof(bounds) / sizeof(bounds[0]) + 1 == VX_SHARD_DISTANCE_SLOTS, "bounds");
    struct vx_shard_quality sum = { 0 };
    (void)metric;
    shards_walk(context, quality_add, &sum);
    vx_metric_buckets(out, bounds, VX_SHARD_DISTANCE_SLOTS - 1, sum.distance, (double)sum.distance_sum, NULL);
}

/* The better rated of a hunt's two: by how often it wins one sees whether ratings are worth anything. */
static void favourites(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    static const struct labelled games[] = { AT("low", favourites_low), AT("middle", favourites_middle), AT("high", favourites_high), { NULL, 0 } };
    static const struct labelled halves[] = { AT("low", favourites_low_halves), AT("middle", favourites_middle_halves), AT("high", favourites_high_halves), { NULL, 0 } };
    labelled_sums(context, metric->field == 0 ? games : halves, out);
}

/* One figure of each shard. */
struct each {
    struct vx_metric_out *out;
    size_t field;
};

static void shard_put(void *into, uint32_t number, const struct vx_shard *shard)
{
    const struct each *each = into;
    vx_metric_value_of(each->out, (double)app_counter_at(vx_shard_counters(shard), each->field), number);
}

static void each_shard(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    shards_walk(context, shard_put, &(struct each){ out, metric->field });
}

static void shard_memory(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    for (uint32_t shard = 0; shard < app->config.shards.count; shard++) {
        struct vx_arena_figures figures;
        vx_arena_figures(app->arenas, shard, &figures);
        vx_metric_value_of(out, (double)app_counter_at(&figures, metric->field), shard);
    }
}

uint64_t app_objects_of(const struct vx_shard_counters *c)
{
    return vx_counter_read(&c->players_online) + vx_counter_read(&c->hunts_live) + vx_counter_read(&c->jobs_pending) + vx_counter_read(&c->grants_pending) +
           vx_counter_read(&c->players_searching);
}

#define SUM(group, name, kind, field, help) { group, name, kind, "", help, shard_sum, offsetof(struct vx_shard_counters, field) }
#define EACH_SHARD(name, kind, field, help) { "shards", name, kind, "shard", help, each_shard, offsetof(struct vx_shard_counters, field) }
#define ARENA(name, field, help) { "memory", name, VX_METRIC_GAUGE, "shard", help, shard_memory, offsetof(struct vx_arena_figures, field) }
const struct vx_metric app_shard_metrics[] = {
    { "actions", "veltrix_actions_total", VX_METRIC_COUNTER, "outcome", "actions that shards are done with", labelled_rows, OUTCOMES },
    SUM("actions", "veltrix_actions_pending", VX_METRIC_GAUGE, actions_pending, "STRIKE and SUMMON that wait for a formula"),
    { "matchmaking", "veltrix_matchmaking_wait_seconds", VX_METRIC_HISTOGRAM, "", "how long tickets waited for their proposal", waits, 0 },
    { "matchmaking", "veltrix_matchmaking_rating_distance", VX_METRIC_HISTOGRAM, "", "how far apart the ratings of a proposal lay, in points", distances, 0 },
    { "matchmaking", "veltrix_matchmaking_favourites_total", VX_METRIC_COUNTER, "band", "hunts with a better rated player, by the band of the mean rating (below 1400, up to 1700, above)", favourites, 0 },
    { "matchmaking", "veltrix_matchmaking_favourite_points_total", VX_METRIC_COUNTER, "band", "what these players got: 2 for a win, 1 for a draw", favourites, 1 },
    SUM("matchmaking", "veltrix_tickets_opened_total", VX_METRIC_COUNTER, tickets_in, "searches that were begun"),
    { "matchmaking", "veltrix_tickets_ended_total", VX_METRIC_COUNTER, "outcome", "how searches ended", labelled_rows, TICKETS },
    { "matchmaking", "veltrix_ticket_oldest_seconds", VX_METRIC_GAUGE, "", "how long the oldest ticket of all shards has waited", oldest, offsetof(struct vx_shard_counters, ticket_oldest_ms) },
    { "matchmaking", "veltrix_matches_total", VX_METRIC_COUNTER, "event", "what became of matches: proposed, then started or declined, then settled or abandoned", labelled_rows, MATCHES },
    { "matchmaking", "veltrix_players", VX_METRIC_GAUGE, "state", "players by state; online are all of them, with those in the lobby", labelled_rows, PLAYERS },
    SUM("matchmaking", "veltrix_hunts", VX_METRIC_GAUGE, hunts_live, "hunts under way"),
    EACH_SHARD("veltrix_shard_actions_total", VX_METRIC_COUNTER, actions_in, "actions that a shard has taken"),
    EACH_SHARD("veltrix_shard_players", VX_METRIC_GAUGE, players_online, "players online in a shard"),
    EACH_SHARD("veltrix_shard_searching", VX_METRIC_GAUGE, players_searching, "players who search in a shard"),
    EACH_SHARD("veltrix_shard_hunts", VX_METRIC_GAUGE, hunts_live, "hunts under way in a shard"),
    { "shards", "veltrix_shards", VX_METRIC_GAUGE, "mode", "shards that an operator has stopped: draining, paused", labelled_rows, MODES },
    { "shards", "veltrix_shard_events_total", VX_METRIC_COUNTER, "event", "every counter of the shards by its own name, as the status command has them", labelled_rows, COUNTERS },
    ARENA("veltrix_shard_memory_live_bytes", live_bytes, "bytes handed out in a shard's arena"),
    ARENA("veltrix_shard_memory_peak_bytes", peak_bytes, "the most there ever were"),
    ARENA("veltrix_shard_memory_retained_bytes", retained_bytes, "resident bytes of the arena"),
    ARENA("veltrix_shard_memory_reserved_bytes", reserved_bytes, "address space of the arena"),
    { .name = NULL },
};
