/* Metrics of the control plane: sessions, formulas, ledger, memory, the appliance itself. Control thread. */
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "formulas.h"
#include "metrics.h"

/* Sessions: the plain transport has none, its players online are told instead. */

static void sessions(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    uint64_t connected = 0, pending = 0;
    bool any = false;
    (void)metric;
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        const struct vx_session_counters *c = app->lcores[i].io != NULL ? vx_io_sessions(app->lcores[i].io) : NULL;
        any |= c != NULL;
        connected += c != NULL ? vx_counter_read(&c->connected) : 0;
        pending += c != NULL ? vx_counter_read(&c->pending) : 0;
    }
    if (!any) {
        struct vx_shard_counters sum;
        app_shards_sum(app, &sum);
        connected = sum.players_online;
    }
    vx_metric_value(out, (double)connected, "connected", NULL);
    vx_metric_value(out, (double)pending, "pending", NULL);
}

static void session_sum(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        const struct vx_session_counters *c = app->lcores[i].io != NULL ? vx_io_sessions(app->lcores[i].io) : NULL;
        sum += c != NULL ? app_counter_at(c, metric->field) : 0;
    }
    vx_metric_value(out, (double)sum, NULL, NULL);
}

static void admission(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    (void)metric;
    if (app->netcode.admission == NULL)
        return;
    const struct vx_admission_counters *c = vx_admission_counters(app->netcode.admission);
#define PUT(name, sentence) vx_metric_value(out, (double)vx_counter_read(&c->name), #name, NULL);
    VX_ADMISSION_COUNTERS(PUT)
#undef PUT
}

static void admission_gauge(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    if (app->netcode.admission != NULL)
        vx_metric_value(out, (double)app_counter_at(vx_admission_counters(app->netcode.admission), metric->field), NULL, NULL);
}

/* Formulas. */

enum formula_figure { JOBS, BATCHES, FAILURES, GIVEN_UP };

static void formula_kinds(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    struct vx_formula_counters c;
    vx_formula_counters(app->formula, &c);
    const uint64_t *const figures[] = { c.jobs, c.batches, c.failures, c.given_up };
    for (unsigned kind = 0; kind < VX_FORMULA_KINDS; kind++)
        vx_metric_value(out, (double)figures[metric->field][kind], vx_formula_abouts[kind].name, NULL);
}

/* A summary without quantiles: sum over count is a batch's mean time, whichever seats and workers it went through. */
static void formula_times(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    struct vx_formula_counters c;
    (void)metric;
    vx_formula_counters(app->formula, &c);
    for (unsigned kind = 0; kind < VX_FORMULA_KINDS; kind++)
        vx_metric_summary(out, NULL, 0, (double)c.busy_ns[kind] / 1e9, c.batches[kind], vx_formula_abouts[kind].name);
}

static void formula_figure(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    struct vx_formula_counters c;
    vx_formula_counters(app->formula, &c);
    vx_metric_value(out, (double)app_counter_at(&c, metric->field), NULL, NULL);
}

/* Each step of the way to a live version. */
static void formula_steps(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    const struct formulas_steps *steps = &app->formulas->steps;
    (void)metric;
#define STEP(name, sentence) vx_metric_value(out, (double)steps->name, #name, NULL);
    FORMULAS_STEPS(STEP)
#undef STEP
}

static void formula_worker(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    struct vx_formula_counters c;
    (void)metric;
    vx_formula_counters(app->formula, &c);
    vx_metric_value(out, c.worker_pid != 0, NULL, NULL);
}

/* The ledger. */

static void ledger_figure(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    struct vx_ledger_counters c;
    vx_ledger_counters(app->ledger, &c);
    vx_metric_value(out, (double)app_counter_at(&c, metric->field), NULL, NULL);
}

static void ledger_longest(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    struct vx_ledger_counters c;
    (void)metric;
    vx_ledger_counters(app->ledger, &c);
    vx_metric_value(out, (double)c.commit_us_max / 1e6, NULL, NULL);
}

/* Memory. */

static void resident(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    (void)context, (void)metric;
    vx_metric_value(out, (double)vx_memory_resident_bytes(), NULL, NULL);
}

static void dpdk_heap(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    struct rte_malloc_socket_stats stats;
    uint64_t total = 0, used = 0;
    (void)context, (void)metric;
    memset(&stats, 0, sizeof(stats));
    for (unsigned i = 0; i < rte_socket_count(); i++)
        if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &stats) == 0) {
            total += stats.heap_totalsz_bytes;
            used += stats.heap_allocsz_bytes;
        }
    vx_metric_value(out, (double)used, "used", NULL);
    vx_metric_value(out, (double)(total - used), "free", NULL);
}

static void buffers(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    char number[16];
    (void)metric;
    for (uint32_t node = 0; node < RTE_MAX_NUMA_NODES; node++) {
        const struct rte_mempool *pool = app->pools[node];
        if (pool == NULL)
            continue;
        unsigned used = rte_mempool_in_use_count(pool);
        (void)snprintf(number, sizeof(number), "%u", node);
        vx_metric_value(out, used, number, "used");
        vx_metric_value(out, pool->size - used, number, "free");
    }
}

/* The appliance. */

static void build(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    (void)metric;
    vx_metric_value(out, 1, VELTRIX_VERSION, app->config.transport.kind == VX_TRANSPORT_NETCODE ? "netcode" : "plain");
}

static void started(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    struct timespec now;
    (void)metric;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    vx_metric_value(out, (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)(rte_rdtsc() - app->started_cycles) * app_seconds_per_cycle(app), NULL, NULL);
}

static void books(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    (void)metric;
    vx_metric_value(out, app_accounts_balance(context, false), NULL, NULL);
}

static void alarms(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    static const char *const severities[] = { "error", "warning", "notice" };
    unsigned counts[] = { 0, 0, 0 };
    json_t *list = app_alarms_json(context), *alarm;
    size_t index;
    (void)metric;
    json_array_foreach(list, index, alarm)
        for (unsigned i = 0; i < 3; i++)
            counts[i] += strcmp(json_string_value(json_object_get(alarm, "severity")), severities[i]) == 0;
    json_decref(list);
    for (unsigned i = 0; i < 3; i++)
        vx_metric_value(out, counts[i], severities[i], NULL);
}

static void links(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    (void)metric;
    for (uint32_t i = 0; i < app->ports_started; i++)
        vx_metric_value_of(out, strcmp(vx_port_state_name(&app->ports[i]), "up") == 0, i + 1);
}

#define SESSION(name, field, help) { "sessions", name, VX_METRIC_COUNTER, "", help, session_sum, offsetof(struct vx_session_counters, field) }
#define ADMISSION(name, field, help) { "sessions", name, VX_METRIC_GAUGE, "", help, admission_gauge, offsetof(struct vx_admission_counters, field) }
#define FORMULA(name, kind, field, help) { "formulas", name, kind, "", help, formula_figure, offsetof(struct vx_formula_counters, field) }
#define FORMULA_KINDS(name, figure, help) { "formulas", name, VX_METRIC_COUNTER, "formula", help, formula_kinds, figure }
#define LEDGER(name, kind, field, help) { "ledger", name, kind, "", help, ledger_figure, offsetof(struct vx_ledger_counters, field) }
const struct vx_metric app_plane_metrics[] = {
    { "sessions", "veltrix_sessions", VX_METRIC_GAUGE, "state", "sessions connected and pending; on the plain transport, which has none, players online", sessions, 0 },
    SESSION("veltrix_tokens_opened_total", tokens_opened, "connect tokens opened"),
    SESSION("veltrix_challenges_sent_total", challenges_sent, "challenges sent"),
    SESSION("veltrix_denials_sent_total", denials_sent, "denials sent"),
    SESSION("veltrix_keep_alives_sent_total", keep_alives_sent, "keep-alives sent"),
    SESSION("veltrix_unproved_received_bytes_total", unproved_bytes_in, "payload of packets from addresses that had not proved that they receive there"),
    SESSION("veltrix_unproved_sent_bytes_total", unproved_bytes_out, "payload of answers to these: never more"),
    { "sessions", "veltrix_admission_total", VX_METRIC_COUNTER, "event", "netcode: what admission decided, as the status command names it", admission, 0 },
    ADMISSION("veltrix_admission_clients", clients, "netcode: clients with a place"),
    ADMISSION("veltrix_admission_clients_in_grace", clients_in_grace, "netcode: of these, clients whose connection is lost"),
    ADMISSION("veltrix_admission_tokens", tokens, "netcode: unexpired tokens remembered"),
    FORMULA_KINDS("veltrix_formula_jobs_total", JOBS, "jobs answered by formulas"),
    FORMULA_KINDS("veltrix_formula_batches_total", BATCHES, "batches of jobs answered"),
    FORMULA_KINDS("veltrix_formula_failures_total", FAILURES, "jobs answered with the least there is: an error, or their batch was given up"),
    FORMULA_KINDS("veltrix_formula_given_up_total", GIVEN_UP, "batches on which two workers have ended"),
    { "formulas", "veltrix_formula_batch_seconds", VX_METRIC_SUMMARY, "formula", "time of a batch in the worker", formula_times, 0 },
    { "formulas", "veltrix_formula_steps_total", VX_METRIC_COUNTER, "step", "patches of formulas by what has come of them, as `formula status` has it", formula_steps, 0 },
    { "formulas", "veltrix_formula_worker_up", VX_METRIC_GAUGE, "", "1: a worker serves the live formulas", formula_worker, 0 },
    FORMULA("veltrix_formula_worker_starts_total", VX_METRIC_COUNTER, worker_starts, "worker processes started"),
    FORMULA("veltrix_formula_worker_deaths_total", VX_METRIC_COUNTER, worker_deaths, "workers that ended by themselves or were ended"),
    FORMULA("veltrix_formula_switches_total", VX_METRIC_COUNTER, switches, "changes of the live version"),
    FORMULA("veltrix_formula_quarantines_total", VX_METRIC_COUNTER, quarantines, "versions put out of use"),
    FORMULA("veltrix_formula_heap_bytes", VX_METRIC_GAUGE, heap_bytes, "Lua heap of the live worker"),
    FORMULA("veltrix_formula_collections_total", VX_METRIC_COUNTER, collections, "collections of that heap, between batches"),
    LEDGER("veltrix_ledger_grants_total", VX_METRIC_COUNTER, grants_committed, "grants made durable"),
    LEDGER("veltrix_ledger_grants_repeated_total", VX_METRIC_COUNTER, grants_repeated, "grants that were durable already"),
    LEDGER("veltrix_ledger_commits_total", VX_METRIC_COUNTER, commits, "transactions"),
    LEDGER("veltrix_ledger_failures_total", VX_METRIC_COUNTER, failures, "transactions that the disk refused; they are tried again"),
    LEDGER("veltrix_ledger_acknowledgements_waiting", VX_METRIC_GAUGE, acks_waiting, "committed grants whose shard has not taken the word yet"),
    { "ledger", "veltrix_ledger_commit_seconds_max", VX_METRIC_GAUGE, "", "the longest transaction since the start", ledger_longest, 0 },
    { "memory", "veltrix_resident_bytes", VX_METRIC_GAUGE, "", "resident memory with huge pages", resident, 0 },
    { "memory", "veltrix_dpdk_heap_bytes", VX_METRIC_GAUGE, "state", "DPDK's heap", dpdk_heap, 0 },
    { "memory", "veltrix_packet_buffers", VX_METRIC_GAUGE, "numa state", "packet buffers of each NUMA node", buffers, 0 },
    { "appliance", "veltrix_build", VX_METRIC_GAUGE, "version transport", "always 1", build, 0 },
    { "appliance", "veltrix_start_time_seconds", VX_METRIC_GAUGE, "", "when it started, Unix time", started, 0 },
    { "appliance", "veltrix_books_balance", VX_METRIC_GAUGE, "", "1: every packet and action is accounted for; a single 0 under load may be a look in the middle of a step", books, 0 },
    { "appliance", "veltrix_alarms", VX_METRIC_GAUGE, "severity", "alarms that stand; the alarms command says them", alarms, 0 },
    { "appliance", "veltrix_port_up", VX_METRIC_GAUGE, "port", "1: the port runs", links, 0 },
    { .name = NULL },
};
