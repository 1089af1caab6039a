/* `status`: what lcores, ports, shards, formulas and the ledger have counted. Control thread. */
#include "operate.h"
#include "vx_log.h"

static json_t *integer(const uint64_t *counter)
{
    return json_integer((json_int_t)vx_counter_read(counter));
}

static void put(json_t *object, const char *key, uint64_t value)
{
    (void)json_object_set_new(object, key, json_integer((json_int_t)value));
}

static double us(const struct app *app, const struct vx_hist *hist, double quantile)
{
    return (double)vx_hist_quantile(hist, quantile) * 1e6 / (double)app->cycles_per_s;
}

static json_t *quantiles(const struct app *app, const struct vx_hist *hist)
{
    return json_pack("{s:I,s:f,s:f,s:f,s:f}", "count", (json_int_t)hist->count, "us_p50", us(app, hist, 0.5), "us_p99", us(app, hist, 0.99), "us_p999",
                     us(app, hist, 0.999), "us_max", (double)hist->max * 1e6 / (double)app->cycles_per_s);
}

static json_t *io_json(const struct app *app, const struct vx_io *io)
{
    const struct vx_io_counters *c = vx_io_counters(io);
    json_t *object = json_object(), *drops = json_object(), *shed = json_array();
    put(object, "packets_in", c->packets_in);
    put(object, "packets_out", c->packets_out);
    put(object, "packets_out_96", c->packets_out_96);
    put(object, "packets_spread", c->packets_spread);
    put(object, "bytes_in", c->bytes_in);
    put(object, "bytes_out", c->bytes_out);
    put(object, "actions_in", c->actions_in);
    put(object, "actions_queued", c->actions_queued);
    put(object, "busy_answers", c->busy_answers);
    put(object, "replies_in", c->replies_in);
    put(object, "replies_out", c->replies_out);
    put(object, "replies_dropped", c->replies_dropped);
    put(object, "replies_late", c->replies_late);
    put(object, "tx_full", c->tx_full);
    put(object, "paced", c->paced);
    for (unsigned i = 0; i < VX_DROP_COUNT; i++)
        (void)json_object_set_new(drops, vx_drop_name((enum vx_drop)i), integer(&c->drops[i]));
    for (unsigned i = 0; i < VX_SHED_CLASSES; i++)
        (void)json_array_append_new(shed, integer(&c->actions_shed[i]));
    (void)json_object_set_new(object, "packets", drops);
    (void)json_object_set_new(object, "actions_shed", shed);
    (void)json_object_set_new(object, "sessions", app_sessions_json(io));
    (void)json_object_set_new(object, "residence_urgent", quantiles(app, vx_io_residence(io, true)));
    (void)json_object_set_new(object, "residence_windowed", quantiles(app, vx_io_residence(io, false)));
    return object;
}

static json_t *shard_lcore_json(const struct vx_shard_lcore *lcore)
{
    const struct vx_shard_lcore_counters *c = vx_shard_lcore_counters(lcore);
    json_t *object = json_object();
    put(object, "events", vx_counter_read(&c->events));
    put(object, "jobs", vx_counter_read(&c->jobs));
    put(object, "jobs_stale", vx_counter_read(&c->jobs_stale));
    put(object, "grants", vx_counter_read(&c->grants));
    put(object, "replies", vx_counter_read(&c->replies));
    put(object, "replies_dropped", vx_counter_read(&c->replies_dropped));
    return object;
}

static json_t *lcores_json(const struct app *app)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        const struct app_lcore *lcore = &app->lcores[i];
        json_t *object = json_object();
        put(object, "lcore", lcore->id);
        put(object, "cpu", lcore->config->cpu);
        (void)json_object_set_new(object, "roles", json_pack("[s,s]", lcore->io ? "io" : "-", lcore->has_shards ? "shard" : "-"));
        put(object, "passes", vx_counter_read(&lcore->passes));
        put(object, "passes_busy", vx_counter_read(&lcore->passes_busy));
        put(object, "busy_cycles", vx_counter_read(&lcore->busy_cycles));
        (void)json_object_set_new(object, "gaps", quantiles(app, lcore->gaps));
        if (lcore->io != NULL)
            (void)json_object_set_new(object, "io", io_json(app, lcore->io));
        if (lcore->shards != NULL)
            (void)json_object_set_new(object, "shard", shard_lcore_json(lcore->shards));
        (void)json_array_append_new(array, object);
    }
    return array;
}

static void shards_sum(const struct app *app, struct vx_shard_counters *sum, json_t *each)
{
    *sum = (struct vx_shard_counters){ 0 };
    uint64_t oldest_ms = 0;
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        if (app->lcores[i].shards == NULL)
            continue;
        const struct vx_shard *shard;
        for (uint32_t local = 0; (shard = vx_shard_lcore_shard(app->lcores[i].shards, local)) != NULL; local++) {
            const uint64_t *from = (const uint64_t *)vx_shard_counters(shard);
            uint64_t *into = (uint64_t *)sum;
            for (size_t field = 0; field < sizeof(*sum) / sizeof(uint64_t); field++)
                into[field] += vx_counter_read(&from[field]);
            const struct vx_shard_counters *c = vx_shard_counters(shard);
            oldest_ms = vx_counter_read(&c->ticket_oldest_ms) > oldest_ms ? vx_counter_read(&c->ticket_oldest_ms) : oldest_ms;
            if (each != NULL)
                (void)json_array_append_new(each, json_pack("{s:I,s:I,s:I,s:I,s:I}", "shard", (json_int_t)app->lcores[i].shard_config.shard_first + local * app->shard_lcore_count,
                                                            "online", (json_int_t)c->players_online, "searching", (json_int_t)c->players_searching,
                                                            "hunts", (json_int_t)c->hunts_live, "actions_in", (json_int_t)c->actions_in));
        }
    }
    sum->ticket_oldest_ms = oldest_ms;
}

void app_shards_sum(const struct app *app, struct vx_shard_counters *sum)
{
    shards_sum(app, sum, NULL);
}

static json_t *totals_json(const struct app *app)
{
    struct vx_shard_counters sum;
    json_t *object = json_object();
    shards_sum(app, &sum, NULL);
#define PUT(name) put(object, #name, sum.name);
    VX_SHARD_COUNTERS(PUT)
    PUT(actions_pending)
    PUT(players_online)
    PUT(players_searching)
    PUT(players_proposed)
    PUT(players_hunting)
    PUT(players_settling)
    PUT(hunts_live)
    PUT(grants_pending)
    PUT(jobs_pending)
#undef PUT
    return object;
}

static json_t *formula_json(const struct app *app)
{
    struct vx_formula_counters c;
    vx_formula_counters(app->formula, &c);
    json_t *object = json_pack("{s:I,s:I,s:I}", "worker_pid", (json_int_t)c.worker_pid, "worker_starts", (json_int_t)c.worker_starts, "worker_deaths",
                               (json_int_t)c.worker_deaths);
    for (unsigned i = 0; i < VX_FORMULA_KINDS; i++)
        (void)json_object_set_new(object, vx_formula_abouts[i].name, json_pack("{s:I,s:I,s:f}", "jobs", (json_int_t)c.jobs[i], "batches", (json_int_t)c.batches[i], "ns_per_job",
                                                              c.jobs[i] ? (double)c.busy_ns[i] / (double)c.jobs[i] : 0.0));
    return object;
}

static json_t *on_status(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    (void)call;
    (void)error;
    struct vx_ledger_counters ledger;
    struct vx_shard_counters sum;
    vx_ledger_counters(app->ledger, &ledger);
    json_t *object = json_object(), *each = json_array();
    shards_sum(app, &sum, each);
    put(object, "epoch", app->epoch);
    put(object, "uptime_s", (rte_rdtsc() - app->started_cycles) / app->cycles_per_s);
    put(object, "players", app->config.transport.players);
    put(object, "shards", app->config.shards.count);
    put(object, "resident_bytes", vx_memory_resident_bytes());
    put(object, "stalls", app_watch_stalls());
    put(object, "cycles_per_s", app->cycles_per_s);
    (void)json_object_set_new(object, "accounts_balance", json_boolean(app_accounts_balance(app, false)));
    (void)json_object_set_new(object, "lcores", lcores_json(app));
    (void)json_object_set_new(object, "ports", app_ports_json(app));
    (void)json_object_set_new(object, "admission", app_netcode_json(app));
    (void)json_object_set_new(object, "totals", totals_json(app));
    (void)json_object_set_new(object, "formulas", formula_json(app));
    (void)json_object_set_new(object, "ledger", json_pack("{s:I,s:I,s:I,s:I,s:I}", "grants_committed", (json_int_t)ledger.grants_committed, "grants_repeated",
                                                          (json_int_t)ledger.grants_repeated, "commits", (json_int_t)ledger.commits, "failures",
                                                          (json_int_t)ledger.failures, "commit_us_max", (json_int_t)ledger.commit_us_max));
    (void)json_object_set_new(object, "shard_list", each);
    return object;
}

const struct vx_control_command app_status_commands[] = {
    { "status", VX_CONTROL_LOOK, "what lcores, shards, formulas and the ledger are doing", "", NULL, on_status },
    { .name = NULL },
};

bool app_accounts_balance(const struct app *app, bool print)
{
    uint64_t packets = 0, accounted = 0, actions = 0, queued = 0, shed = 0;
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        if (app->lcores[i].io == NULL)
            continue;
        const struct vx_io_counters *c = vx_io_counters(app->lcores[i].io);
        packets += c->packets_in;
        actions += c->actions_in;
        queued += c->actions_queued;
        for (unsigned reason = 0; reason < VX_DROP_COUNT; reason++)
            accounted += c->drops[reason];
        for (unsigned class = 0; class < VX_SHED_CLASSES; class++)
            shed += c->actions_shed[class];
    }
    struct vx_shard_counters sum;
    shards_sum(app, &sum, NULL);
    uint64_t ended = sum.actions_answered + sum.actions_refused + sum.actions_repeated + sum.actions_busy + sum.actions_dropped_gone + sum.actions_pending;
    bool balance = packets == accounted && actions == queued + shed && queued >= sum.actions_in && sum.actions_in == ended;
    if (print)
        vx_log(balance ? VX_LOG_NOTICE : VX_LOG_ERROR, "stop", NULL, "packets %lu = accounted %lu; actions %lu = queued %lu + shed %lu; queued = taken %lu; taken = ended %lu", packets, accounted,
                      actions, queued, shed, sum.actions_in, ended);
    return balance;
}
