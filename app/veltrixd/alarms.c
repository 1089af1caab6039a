/* What is wrong now, each with the command that shows more or mends it: `alarms`, the top of `top`, the status page. */
#include <rte_cycles.h>
#include <stdio.h>
#include <stdarg.h>

#include "operate.h"
#include "rates.h"

enum { RECENT_S = 60 };

static void add(json_t *alarms, const char *severity, const char *mend, const char *format, ...) __attribute__((format(printf, 4, 5)));
static void add(json_t *alarms, const char *severity, const char *mend, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)json_array_append_new(alarms, json_pack("{s:s,s:s,s:s}", "severity", severity, "alarm", text, "look", mend));
}

/* A counter that must not grow, and has grown within the last minute. */
struct growth {
    uint64_t value, grown_cycles;
};

static bool grew(const struct app *app, struct growth *growth, uint64_t value)
{
    uint64_t now = rte_rdtsc();
    if (value != growth->value) {
        growth->value = value;
        growth->grown_cycles = now;
    }
    return growth->grown_cycles != 0 && now - growth->grown_cycles < RECENT_S * app->cycles_per_s;
}

static void lcore_alarms(const struct app *app, json_t *alarms)
{
    static struct growth stalls; /* control thread, as all here */
    if (grew(app, &stalls, app_watch_stalls()))
        add(alarms, "error", "pauses", "an lcore stood still within the last minute (%lu stalls since the start)", app_watch_stalls());
    for (uint32_t i = 0; i < app->lcore_count; i++)
        if (app_rates_last()->lcores[i].busy > 0.9)
            add(alarms, "warning", "lcores", "lcore %u is %.0f%% busy: what comes above will be shed", app->lcores[i].id, app_rates_last()->lcores[i].busy * 100);
}

static void traffic_alarms(json_t *alarms)
{
    const struct app_rate *last = app_rates_last();
    if (last->shed > 0)
        add(alarms, "error", "status", "%.0f actions a second are shed: shards take them slower than they come", last->shed);
    if (last->drops > last->packets_in / 100 && last->drops > 0)
        add(alarms, "warning", "status", "%.0f packets a second are dropped, over 1%%; status says for what reasons", last->drops);
}

static void plane_alarms(const struct app *app, json_t *alarms)
{
    static struct growth deaths, failures, minima;
    struct vx_ledger_counters ledger;
    struct vx_formula_counters formula;
    uint64_t failed = 0;
    vx_ledger_counters(app->ledger, &ledger);
    vx_formula_counters(app->formula, &formula);
    for (unsigned i = 0; i < VX_FORMULA_KINDS; i++)
        failed += formula.failures[i];
    if (grew(app, &failures, ledger.failures))
        add(alarms, "error", "status", "the ledger cannot commit: loot waits, nothing is lost (%lu failures); is the disk full?", ledger.failures);
    if (grew(app, &deaths, formula.worker_deaths))
        add(alarms, "warning", "status", "the formula worker died within the last minute (%lu deaths); its jobs were evaluated again", formula.worker_deaths);
    if (grew(app, &minima, failed))
        add(alarms, "error", "status", "formulas fail: %lu jobs were answered with the least there is", failed);
    if (formula.worker_pid == 0)
        add(alarms, "error", "status", "there is no formula worker: strikes and loot wait");
}

static void mode_alarms(const struct app *app, json_t *alarms)
{
    static uint32_t unbalanced;
    struct vx_shard_counters sum;
    app_shards_sum(app, &sum);
    if (sum.draining > 0)
        add(alarms, "notice", "shard resume --all", "%lu shards are draining: no new games there", sum.draining);
    if (sum.paused > 0)
        add(alarms, "notice", "shard resume --all", "%lu shards are paused: tickets wait", sum.paused);
    unbalanced = app_accounts_balance(app, false) ? 0 : unbalanced + 1;
    if (unbalanced >= 3) /* while packets are on their way one look may see half of a step */
        add(alarms, "error", "status", "the books do not balance: an action or a packet is not accounted for");
    if (app->no_huge)
        add(alarms, "notice", "mem", "runs without huge pages: slower than it could be (echo 512 > /proc/sys/vm/nr_hugepages, restart)");
}

static void port_alarms(const struct app *app, json_t *alarms)
{
    for (uint32_t i = 0; i < app->ports_started; i++) {
        const struct vx_port *port = &app->ports[i];
        if (vx_port_alarm_stands(port))
            add(alarms, "error", "ports", "port %u: %s grows (%lu in a second)", i + 1, port->alarm.name, port->alarm.growth);
    }
}

json_t *app_alarms_json(const struct app *app)
{
    json_t *alarms = json_array();
    lcore_alarms(app, alarms);
    traffic_alarms(alarms);
    plane_alarms(app, alarms);
    port_alarms(app, alarms);
    mode_alarms(app, alarms);
    return alarms;
}

static json_t *on_alarms(void *context, struct vx_control_call *call, struct vx_error *error)
{
    (void)call, (void)error;
    return app_alarms_json(context);
}

const struct vx_control_command app_alarms_commands[] = {
    { "alarms", VX_CONTROL_LOOK, "what is wrong now, and the command that shows more or mends it", "", NULL, on_alarms },
    { .name = NULL },
};
