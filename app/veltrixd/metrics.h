/* What veltrixd has counted, for Prometheus, DPDK's telemetry and the status page: the rows, and where they are served.
 * Control thread. */
#ifndef VX_APP_METRICS_H
#define VX_APP_METRICS_H

#include "operate.h"
#include "vx_metrics.h"

/* The rows: packets and lcores; shards and matchmaking; the control plane; names that the service before had. */
extern const struct vx_metric app_packet_metrics[], app_shard_metrics[], app_plane_metrics[], app_old_metrics[];
extern const struct vx_metric *const app_metrics[];

/* The counters of the lcore as the reader's field names them. */
static inline uint64_t app_counter_at(const void *counters, size_t field)
{
    return vx_counter_read((const uint64_t *)((const char *)counters + field));
}
static inline double app_seconds_per_cycle(const struct app *app)
{
    return 1 / (double)app->cycles_per_s;
}
/* Every lcore's gaps between polls in one, in a place that the next call uses again. */
const struct vx_hist *app_gaps_all(const struct app *app);
/* Live objects of a shard: players, tickets, hunts, jobs, grants. */
uint64_t app_objects_of(const struct vx_shard_counters *counters);

/* Takes metrics.port, when there is to be one; before EAL, so that a port in use ends the start before it has begun. */
int app_metrics_start(struct app *app, struct vx_error *error);
/* In every turn of the control loop. */
void app_metrics_turn(struct app *app);
void app_metrics_stop(struct app *app);

/* telemetry.c: before EAL; after it, the commands; in every turn of the control loop, whoever has asked is answered. */
void app_telemetry_prepare(void);
int app_telemetry_start(struct vx_error *error);
void app_telemetry_turn(struct app *app);

#endif
