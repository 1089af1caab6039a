/* The last two minutes, second by second: what `rates`, `lcores`, `top` and the status page show. Once a second the
 * control thread takes the counters' differences; quantiles are those of that second alone. */
#include "rates.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "operate.h"

/* What a difference is taken from. */
struct sample {
    uint64_t cycles;
    uint64_t packets_in, packets_out, actions, answers, shed, drops, matches, bursts;
    uint64_t busy_cycles[APP_LCORES_MAX], events[APP_LCORES_MAX], passes[APP_LCORES_MAX], lcore_packets[APP_LCORES_MAX], lcore_bursts[APP_LCORES_MAX];
};

static struct {
    struct sample last;
    struct vx_hist residence_last, gaps_last[APP_LCORES_MAX];
    struct app_rate rows[APP_RATES_KEPT];
    uint64_t count; /* grows; modulo APP_RATES_KEPT the place of the next */
} rates;

static uint64_t events_of(const struct app_lcore *lcore)
{
    return lcore->shards != NULL ? vx_counter_read(&vx_shard_lcore_counters(lcore->shards)->events) : 0;
}

static void sample_io(const struct vx_io_counters *c, uint32_t lcore, struct sample *sample)
{
    sample->lcore_packets[lcore] = vx_counter_read(&c->packets_in);
    sample->lcore_bursts[lcore] = vx_counter_read(&c->bursts);
    sample->packets_in += sample->lcore_packets[lcore];
    sample->packets_out += vx_counter_read(&c->packets_out);
    sample->actions += vx_counter_read(&c->actions_in);
    sample->answers += vx_counter_read(&c->replies_out);
    for (unsigned i = 0; i < VX_SHED_CLASSES; i++)
        sample->shed += vx_counter_read(&c->actions_shed[i]);
    for (unsigned i = VX_DROP_NONE + 1; i < VX_DROP_COUNT; i++)
        sample->drops += i == VX_DROP_CONTROL_ANSWERED || i == VX_DROP_CONTROL_IGNORED ? 0 : vx_counter_read(&c->drops[i]);
}

static void sample_take(const struct app *app, const struct vx_shard_counters *sum, struct sample *sample)
{
    *sample = (struct sample){ .cycles = rte_rdtsc(), .matches = sum->matches_started };
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        const struct app_lcore *lcore = &app->lcores[i];
        sample->busy_cycles[i] = vx_counter_read(&lcore->busy_cycles);
        sample->passes[i] = vx_counter_read(&lcore->passes);
        sample->events[i] = events_of(lcore);
        if (lcore->io != NULL)
            sample_io(vx_io_counters(lcore->io), i, sample);
    }
}

/* What came to a histogram since `last`, which becomes what it is now. */
static void hist_since(const struct vx_hist *now, struct vx_hist *last, struct vx_hist *since)
{
    memset(since, 0, sizeof(*since));
    for (uint32_t slot = 0; slot < VX_HIST_SLOTS; slot++) {
        uint64_t value = vx_counter_read(&now->slots[slot]);
        since->slots[slot] = value - last->slots[slot];
        since->count += since->slots[slot];
        last->slots[slot] = value;
    }
    since->max = UINT64_MAX; /* of this second alone it is not known: quantiles are the middles of their slots */
}

static double us(const struct app *app, uint64_t cycles)
{
    return (double)cycles * 1e6 / (double)app->cycles_per_s;
}

static void latencies(const struct app *app, struct app_rate *row)
{
    static struct vx_hist all, since; /* control thread */
    memset(&all, 0, sizeof(all));
    for (uint32_t i = 0; i < app->lcore_count; i++)
        if (app->lcores[i].io != NULL)
            vx_hist_merge(&all, vx_io_residence(app->lcores[i].io, true));
    hist_since(&all, &rates.residence_last, &since);
    row->us_p50 = us(app, vx_hist_quantile(&since, 0.5));
    row->us_p99 = us(app, vx_hist_quantile(&since, 0.99));
    row->us_p999 = us(app, vx_hist_quantile(&since, 0.999));
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        hist_since(app->lcores[i].gaps, &rates.gaps_last[i], &since);
        row->lcores[i].pause_us = since.count > 0 ? us(app, vx_hist_quantile(&since, 1)) : 0;
        row->pause_us = row->lcores[i].pause_us > row->pause_us ? row->lcores[i].pause_us : row->pause_us;
    }
}

static double share(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

static void lcore_rates(const struct app *app, const struct sample *now, struct app_rate *row)
{
    const struct sample *last = &rates.last;
    uint64_t cycles = now->cycles - last->cycles;
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        uint64_t busy = now->busy_cycles[i] - last->busy_cycles[i], packets = now->lcore_packets[i] - last->lcore_packets[i];
        uint64_t events = app->lcores[i].shards != NULL ? now->events[i] - last->events[i] : packets;
        row->lcores[i].busy = share(busy, cycles);
        row->lcores[i].cycles_per_event = share(busy, events);
        row->lcores[i].packets_per_burst = share(packets, now->lcore_bursts[i] - last->lcore_bursts[i]);
        row->lcores[i].passes_per_s = share((now->passes[i] - last->passes[i]) * app->cycles_per_s, cycles);
    }
}

static void row_make(const struct app *app, const struct vx_shard_counters *sum, const struct sample *now, struct app_rate *row)
{
    const struct sample *last = &rates.last;
    double s = (double)(now->cycles - last->cycles) / (double)app->cycles_per_s;
    *row = (struct app_rate){
        .at_s = (uint64_t)time(NULL), .online = sum->players_online, .searching = sum->players_searching, .hunting = sum->players_hunting, .hunts = sum->hunts_live,
        .packets_in = (double)(now->packets_in - last->packets_in) / s, .packets_out = (double)(now->packets_out - last->packets_out) / s,
        .actions = (double)(now->actions - last->actions) / s, .answers = (double)(now->answers - last->answers) / s,
        .shed = (double)(now->shed - last->shed) / s, .drops = (double)(now->drops - last->drops) / s, .matches = (double)(now->matches - last->matches) / s,
        .oldest_s = (double)sum->ticket_oldest_ms / 1000,
    };
    lcore_rates(app, now, row);
    latencies(app, row);
}

void app_rates_tick(const struct app *app)
{
    struct vx_shard_counters sum;
    struct sample now;
    if (rates.last.cycles != 0 && rte_rdtsc() - rates.last.cycles < app->cycles_per_s)
        return;
    app_shards_sum(app, &sum);
    sample_take(app, &sum, &now);
    if (rates.last.cycles != 0)
        row_make(app, &sum, &now, &rates.rows[rates.count++ % APP_RATES_KEPT]);
    else
        latencies(app, &(struct app_rate){ 0 }); /* the first second begins here */
    rates.last = now;
}

const struct app_rate *app_rates_last(void)
{
    static const struct app_rate none;
    return rates.count > 0 ? &rates.rows[(rates.count - 1) % APP_RATES_KEPT] : &none;
}

uint32_t app_rates_count(void)
{
    return rates.count < APP_RATES_KEPT ? (uint32_t)rates.count : APP_RATES_KEPT;
}

const struct app_rate *app_rates_ago(uint32_t ago)
{
    VX_ASSERT(ago < app_rates_count());
    return &rates.rows[(rates.count - 1 - ago) % APP_RATES_KEPT];
}

/* Commands. */

json_t *app_rate_json(const struct app_rate *row)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f}", "at_s", (json_int_t)row->at_s, "online", (json_int_t)row->online, "searching",
                     (json_int_t)row->searching, "hunting", (json_int_t)row->hunting, "hunts", (json_int_t)row->hunts, "packets_in", row->packets_in, "packets_out",
                     row->packets_out, "actions", row->actions, "answers", row->answers, "matches", row->matches, "shed", row->shed, "drops", row->drops, "us_p50", row->us_p50,
                     "us_p99", row->us_p99, "us_p999", row->us_p999, "pause_us", row->pause_us, "oldest_s", row->oldest_s);
}

static json_t *on_rates(void *context, struct vx_control_call *call, struct vx_error *error)
{
    (void)context;
    (void)error;
    json_t *rows = json_array();
    int64_t last = vx_control_whole(call, "last", 10);
    uint32_t count = app_rates_count() < last ? app_rates_count() : (uint32_t)last;
    for (uint32_t ago = count; ago-- > 0;)
        (void)json_array_append_new(rows, app_rate_json(app_rates_ago(ago)));
    return rows;
}

static json_t *on_lcores(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    json_t *rows = json_array();
    (void)call;
    (void)error;
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        const struct app_lcore *lcore = &app->lcores[i];
        const struct app_lcore_rate *rate = &app_rates_last()->lcores[i];
        json_t *roles = json_array();
        if (lcore->io != NULL)
            (void)json_array_append_new(roles, json_string("io"));
        if (lcore->has_shards)
            (void)json_array_append_new(roles, json_string("shard"));
        (void)json_array_append_new(rows, json_pack("{s:I,s:I,s:o,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:s}", "lcore", (json_int_t)lcore->id, "cpu", (json_int_t)lcore->config->cpu,
                                                    "roles", roles, "busy_percent", rate->busy * 100, "cycles_per_event", rate->cycles_per_event, "packets_per_burst",
                                                    rate->packets_per_burst, "passes_per_s", rate->passes_per_s, "pause_us_last_s", rate->pause_us, "pause_us_p999",
                                                    us(app, vx_hist_quantile(lcore->gaps, 0.999)), "pause_us_max", us(app, lcore->gaps->max), "doing",
                                                    app_stage_name((enum app_stage)__atomic_load_n(&lcore->pass.stage, __ATOMIC_RELAXED))));
    }
    return rows;
}

static const struct vx_control_argument rates_arguments[] = {
    { "last", VX_ARGUMENT_WHOLE, VX_ARGUMENT_OPTIONAL, 1, APP_RATES_KEPT, NULL, "s", "how many seconds (10)" },
    { .name = NULL },
};
const struct vx_control_command app_rates_commands[] = {
    { "lcores", VX_CONTROL_LOOK, "each polling lcore in the last second: busy share, cycles per event, packets per burst, pauses", "", NULL, on_lcores },
    { "rates", VX_CONTROL_LOOK, "the last seconds, one row each: players, actions, matches, latency in the box, pauses", "", rates_arguments, on_rates },
    { .name = NULL },
};
