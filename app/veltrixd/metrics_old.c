/* Names that dashboards know from the service that Veltrix replaces: a collected heap, its objects and pauses. There is no
 * collector beside the packets any more; each name says what stands in its place. Control thread. */
#include <string.h>

#include "metrics.h"
#include "rates.h"

static void heap_objects(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    struct vx_shard_counters sum;
    (void)metric;
    app_shards_sum(context, &sum);
    vx_metric_value(out, (double)app_objects_of(&sum), NULL, NULL);
}

static void allocated_objects(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    struct vx_shard_counters sum;
    (void)metric;
    app_shards_sum(context, &sum);
    vx_metric_value(out, (double)(sum.tickets_in + sum.matches_proposed + sum.jobs_sent + sum.grants_sent), NULL, NULL);
}

static void pauses(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    (void)metric;
    vx_metric_hist(out, app_gaps_all(context), app_seconds_per_cycle(context), NULL);
}

static void p99(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    (void)context, (void)metric;
    vx_metric_value(out, app_rates_last()->us_p99 / 1e6, NULL, NULL);
}

static void collector(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    static struct vx_hist pauses_only; /* control thread */
    const struct app *app = context;
    static const double quantiles[] = { 0, 0.25, 0.5, 0.75, 1 };
    struct vx_metric_quantile values[sizeof(quantiles) / sizeof(quantiles[0])];
    (void)metric;
    vx_hist_from(app_gaps_all(app), app->cycles_per_s / 1000000 * PAUSE_US_MIN, &pauses_only);
    for (unsigned i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
        values[i] = (struct vx_metric_quantile){ quantiles[i], (double)vx_hist_quantile(&pauses_only, quantiles[i]) * app_seconds_per_cycle(app) };
    vx_metric_summary(out, values, sizeof(quantiles) / sizeof(quantiles[0]), vx_hist_sum(&pauses_only) * app_seconds_per_cycle(app), pauses_only.count, NULL);
}

const struct vx_metric app_old_metrics[] = {
    { "before", "heap_objects", VX_METRIC_GAUGE, "", "live objects of all shards: players, tickets, hunts, formula jobs, grants", heap_objects, 0 },
    { "before", "allocated_objects_total", VX_METRIC_COUNTER, "", "tickets, matches, jobs and grants made since the start; they take places that exist, nothing is allocated", allocated_objects, 0 },
    { "before", "pause_seconds", VX_METRIC_HISTOGRAM, "", "the longest time between two polls in each millisecond, of all polling lcores", pauses, 0 },
    { "before", "p99_latency_seconds", VX_METRIC_GAUGE, "", "p99 of the last second from receive burst to transmit burst, of packets that somebody waits for", p99, 0 },
    { "before", "gc_duration_seconds", VX_METRIC_SUMMARY, "", "times of 100 us and more in which a polling loop stood still, the longest of each millisecond: what collections were to the service before", collector, 0 },
    { .name = NULL },
};
