/* Metrics are served from here: the list of tables, the status page's JSON, start and end. Control thread. */
#include <rte_cycles.h>
#include <stdlib.h>

#include "metrics.h"
#include "rates.h"

const struct vx_metric *const app_metrics[] = { app_packet_metrics, app_shard_metrics, app_plane_metrics, app_old_metrics, NULL };

static json_t *rows_json(void)
{
    json_t *rows = json_array();
    for (uint32_t ago = app_rates_count(); ago-- > 0;)
        (void)json_array_append_new(rows, app_rate_json(app_rates_ago(ago)));
    return rows;
}

static json_t *lcores_json(const struct app *app)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        const struct app_lcore_rate *rate = &app_rates_last()->lcores[i];
        (void)json_array_append_new(rows, json_pack("{s:I,s:I,s:f,s:f,s:f}", "lcore", (json_int_t)app->lcores[i].id, "cpu", (json_int_t)app->lcores[i].config->cpu, "busy",
                                                    rate->busy, "cycles_per_event", rate->cycles_per_event, "pause_us", rate->pause_us));
    }
    return rows;
}

/* For the status page: the last two minutes, alarms, lcores. */
static char *status_text(void *context)
{
    const struct app *app = context;
    json_t *object = json_pack("{s:s,s:I,s:I,s:I,s:I,s:o,s:o,s:o}", "version", VELTRIX_VERSION, "players", (json_int_t)app->config.transport.players, "shards",
                               (json_int_t)app->config.shards.count, "uptime_s", (json_int_t)((rte_rdtsc() - app->started_cycles) / app->cycles_per_s), "resident_bytes",
                               (json_int_t)vx_memory_resident_bytes(), "rows", rows_json(), "alarms", app_alarms_json(app), "lcores", lcores_json(app));
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(object);
    return text;
}

int app_metrics_start(struct app *app, struct vx_error *error)
{
    const struct vx_metrics_config config = { .address = app->config.metrics.address, .port = app->config.metrics.port, .source = { app_metrics, app }, .status = status_text };
    return config.port != 0 ? vx_metrics_open(&config, &app->metrics, error) : 0;
}

void app_metrics_turn(struct app *app)
{
    if (app->metrics != NULL)
        vx_metrics_poll(app->metrics);
}

void app_metrics_stop(struct app *app)
{
    if (app->metrics != NULL)
        vx_metrics_close(app->metrics);
    app->metrics = NULL;
}
