/* What a new version does beside the live one: as a shadow, on copies of players' jobs; as a canary, by the counters of the
 * shards that it plays on. Control thread. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formulas.h"

/* ---- shadow ---- */

int shadow_begin(struct app *app, struct vx_error *error)
{
    struct patch *patch = &app->formulas->patch;
    const struct vx_formula_text text = { app->formulas->live.texts[patch->kind].name, patch->text, patch->bytes };
    patch->shadow = (struct shadow){ 0 };
    int rc = vx_trial_open(&app->formulas->gate.trial, patch->kind, &text, &patch->shadow.trial, error);
    vx_formula_sampling(app->formula, rc == 0);
    return rc;
}

static void difference_add(struct shadow *shadow, uint32_t outputs, const float *live, const float *candidate)
{
    bool differs = false;
    for (uint32_t k = 0; k < outputs; k++) {
        double difference = (double)candidate[k] - live[k], size = fabs(difference);
        shadow->outputs[k].sum += difference;
        if (size > fabs(shadow->outputs[k].largest))
            shadow->outputs[k].largest = difference;
        vx_hist_add(&shadow->outputs[k].thousandths, (uint64_t)(size * 1000));
        differs |= difference != 0;
    }
    shadow->jobs++;
    shadow->differing += differs;
}

int shadow_turn(struct app *app, struct vx_error *error)
{
    static struct vx_formula_sample sample;
    struct patch *patch = &app->formulas->patch;
    struct vx_trial_answer answers[VX_FORMULA_BATCH_JOBS];
    int rc = 0;
    while (rc == 0 && vx_formula_sample(app->formula, &sample)) {
        if (sample.kind != patch->kind)
            continue;
        rc = vx_trial_run(patch->shadow.trial, VX_TRIAL_LIVE, sample.jobs, sample.count, answers, NULL, NULL, error);
        for (uint32_t i = 0; rc == 0 && i < sample.count; i++)
            difference_add(&patch->shadow, vx_formula_abouts[patch->kind].output_count, sample.out[i], answers[i].out);
    }
    return rc;
}

void shadow_end(struct app *app, char *sentence, size_t bytes)
{
    struct patch *patch = &app->formulas->patch;
    struct shadow *shadow = &patch->shadow;
    const struct vx_formula_about *about = &vx_formula_abouts[patch->kind];
    vx_formula_sampling(app->formula, false);
    vx_trial_close(shadow->trial);
    shadow->trial = NULL;
    app->formulas->steps.shadow_jobs += shadow->jobs;
    app->formulas->steps.shadow_jobs_otherwise += shadow->differing;
    int used = snprintf(sentence, bytes, "%lu jobs, %lu answered otherwise", shadow->jobs, shadow->differing);
    for (uint32_t k = 0; k < about->output_count && used > 0 && (size_t)used < bytes; k++)
        used += snprintf(sentence + used, bytes - (size_t)used, "; %s: mean %+.4g, largest %+.4g", about->outputs[k].name, shadow->jobs > 0 ? shadow->outputs[k].sum / (double)shadow->jobs : 0,
                         shadow->outputs[k].largest);
}

json_t *shadow_json(const struct patch *patch)
{
    const struct vx_formula_about *about = &vx_formula_abouts[patch->kind];
    json_t *rows = json_array();
    for (uint32_t k = 0; patch->shadow.jobs > 0 && k < about->output_count; k++) {
        const struct shadow_output *output = &patch->shadow.outputs[k];
        (void)json_array_append_new(rows, json_pack("{s:s,s:I,s:I,s:f,s:f,s:f,s:f}", "output", about->outputs[k].name, "jobs", (json_int_t)patch->shadow.jobs, "answered_otherwise",
                                                    (json_int_t)patch->shadow.differing, "mean", output->sum / (double)patch->shadow.jobs, "size_p50",
                                                    (double)vx_hist_quantile(&output->thousandths, 0.5) / 1000, "size_p99",
                                                    (double)vx_hist_quantile(&output->thousandths, 0.99) / 1000, "largest", output->largest));
    }
    return rows;
}

/* ---- canary ---- */

static void side_add(struct vx_canary_side *side, const struct vx_shard_counters *from)
{
    side->shards++;
    side->hunts_ended += vx_counter_read(&from->hunts_ended);
    side->hunt_ms += vx_counter_read(&from->hunt_ms);
    side->loot_amount += vx_counter_read(&from->loot_amount);
    side->jobs_answered += vx_counter_read(&from->jobs_answered);
    side->jobs_timed_out += vx_counter_read(&from->jobs_timed_out);
    const uint64_t *const favourites[3] = { &from->favourites_low, &from->favourites_middle, &from->favourites_high };
    const uint64_t *const halves[3] = { &from->favourites_low_halves, &from->favourites_middle_halves, &from->favourites_high_halves };
    for (uint32_t band = 0; band < 3; band++) {
        side->favourites[band] += vx_counter_read(favourites[band]);
        side->favourite_halves[band] += vx_counter_read(halves[band]);
    }
}

static void sides_read(const struct app *app, const struct canary *canary, struct vx_canary_side sides[2])
{
    memset(sides, 0, 2 * sizeof(sides[0]));
    for (uint32_t shard = 0; shard < app->config.shards.count; shard++) {
        const struct vx_shard *of;
        if (app_lane_of(app, shard, &of) != NULL)
            side_add(&sides[canary->shards[shard] ? 0 : 1], vx_shard_counters(of));
    }
}

static void batches_read(const struct app *app, uint32_t seat, uint32_t kind, struct vx_canary_side *side)
{
    const struct vx_hist *ns = vx_formula_batch_ns(app->formula, seat, kind);
    side->batches = vx_counter_read(&ns->count);
    side->batch_us_p50 = (double)vx_hist_quantile(ns, 0.5) / 1000;
}

int canary_begin(struct app *app, struct vx_error *error)
{
    struct patch *patch = &app->formulas->patch;
    struct canary *canary = &patch->canary;
    int rc = formulas_load_with(app, patch->kind, patch->text, patch->bytes, &canary->seat, error);
    if (rc != 0)
        return rc;
    memset(canary->shards, 0, sizeof(canary->shards));
    for (uint32_t i = 0; i < patch->canary_shards; i++) /* spread evenly, so that each lcore has its part */
        canary->shards[(uint64_t)i * app->config.shards.count / patch->canary_shards] = true;
    sides_read(app, canary, canary->began);
    vx_formula_route(app->formula, canary->seat, canary->shards);
    return 0;
}

static void since(struct vx_canary_side *now, const struct vx_canary_side *began)
{
    now->hunts_ended -= began->hunts_ended;
    now->hunt_ms -= began->hunt_ms;
    now->loot_amount -= began->loot_amount;
    now->jobs_answered -= began->jobs_answered;
    now->jobs_timed_out -= began->jobs_timed_out;
    for (uint32_t band = 0; band < 3; band++) {
        now->favourites[band] -= began->favourites[band];
        now->favourite_halves[band] -= began->favourite_halves[band];
    }
}

void canary_judge(struct app *app)
{
    struct patch *patch = &app->formulas->patch;
    struct canary *canary = &patch->canary;
    struct vx_canary_side sides[2];
    sides_read(app, canary, sides);
    since(&sides[0], &canary->began[0]);
    since(&sides[1], &canary->began[1]);
    batches_read(app, canary->seat, patch->kind, &sides[0]);
    batches_read(app, vx_formula_live_seat(app->formula), patch->kind, &sides[1]);
    const struct vx_canary_limits limits = { .batch_times = app->config.canary.batch_percent / 100.0, .timed_out = app->config.canary.timed_out * 1e-6,
                                             .hunt = app->config.canary.hunt_percent / 100.0, .loot = app->config.canary.loot_percent / 100.0,
                                             .favourites = app->config.canary.favourites_percent / 100.0, .events = app->config.canary.events, .jobs = app->config.canary.jobs };
    vx_canary_judge(&limits, &sides[0], &sides[1], &canary->verdict);
}

void canary_give_up(struct app *app)
{
    vx_formula_route(app->formula, vx_formula_live_seat(app->formula), app->formulas->patch.canary.shards);
}

json_t *canary_json(const struct patch *patch)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; patch->canary_shards > 0 && i < VX_CANARY_FIGURE_COUNT; i++) {
        const struct vx_canary_row *row = &patch->canary.verdict.rows[i];
        (void)json_array_append_new(rows, json_pack("{s:s,s:f,s:f,s:s,s:I,s:I,s:s}", "figure", vx_canary_figure_name(i), "canary", row->canary, "others", row->others, "unit",
                                                    vx_canary_figure_unit(i), "events_canary", (json_int_t)row->events_canary, "events_others", (json_int_t)row->events_others, "verdict",
                                                    row->breached ? "breached" : row->judged ? "good" : "too few"));
    }
    return rows;
}
