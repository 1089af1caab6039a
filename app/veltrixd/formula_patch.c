/* A patch's way from an operator's text to the live version: jobs recorded, the gate, a shadow, a canary, live, confirmed.
 * One at a time. A table of stages, each with what begins it and what a turn of the control thread does in it. */
#include <errno.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formulas.h"
#include "vx_log.h"

enum { RECORDING_MS = 300, RECORDING_ALONE_MS = 2000, LOOK_MS = 500 };

const char *patch_stage_name(enum patch_stage stage)
{
    static const char *const names[] = {
#define NAME(name, text, sentence) text,
        PATCH_STAGES(NAME)
#undef NAME
    };
    return names[stage];
}

static uint64_t in_ms(const struct app *app, uint64_t ms)
{
    return rte_rdtsc() + ms * (app->cycles_per_s / 1000);
}

/* The end of a patch, good or bad: into the history and the log, and free for the next. */
static void end(struct app *app, bool well, const char *outcome, const char *sentence)
{
    struct app_formulas *own = app->formulas;
    struct patch *patch = &own->patch;
    struct vx_error error;
    const char *name = vx_formula_abouts[patch->kind].name;
    patch->ended_well = well;
    patch->ended_kind = patch->kind;
    patch->ended_version = patch->version;
    (void)snprintf(patch->outcome, sizeof(patch->outcome), "%s", outcome);
    (void)snprintf(patch->sentence, sizeof(patch->sentence), "%s", sentence);
    own->steps.refusals += !well;
    vx_formula_sampling(app->formula, false);
    vx_log(well ? VX_LOG_NOTICE : VX_LOG_WARNING, "formula", NULL, "%s version %u: %s: %s (pushed by %s)", name, patch->version, outcome, sentence, patch->who);
    (void)vx_versions_event(own->store, name, patch->version, patch->who, outcome, sentence, &error);
    free(patch->text);
    patch->text = NULL;
    patch->stage = PATCH_IDLE;
}

/* ---- recorded, and the gate ---- */

static void *gate_main(void *context)
{
    struct app *app = context;
    struct patch *patch = &app->formulas->patch;
    if (patch->until == UNTIL_CHECKED)
        vx_gate_check(&app->formulas->gate, patch->kind, &patch->gate.candidate, &patch->gate.report);
    else
        patch->gate.rc = vx_gate_run(&app->formulas->gate, patch->kind, &patch->gate.candidate, &patch->gate.live, patch->recorded, patch->recorded_count, &patch->gate.report,
                                     &patch->gate.error);
    __atomic_store_n(&patch->gate.done, 1, __ATOMIC_RELEASE); /* acquired by gate_turn */
    return NULL;
}

/* Off the control thread, for it takes half a second; with a copy of the live text, which an incident may replace meanwhile. */
static void gate_begin(struct app *app)
{
    struct patch *patch = &app->formulas->patch;
    const struct vx_formula_text *live = &app->formulas->live.texts[patch->kind];
    vx_formula_sampling(app->formula, false);
    app->formulas->gate.objective = (struct vx_gate_objective){ .batch_us_p999 = app->config.gate.batch_us, .batch_us_max = app->config.gate.batch_max_us,
                                                                .times_live = app->config.gate.live_percent / 100.0, .bytes_per_job = app->config.gate.heap_bytes / 1000.0 };
    patch->gate.done = patch->gate.rc = 0;
    patch->gate.live_text = strndup(live->text, live->bytes);
    patch->gate.live = (struct vx_formula_text){ "live", patch->gate.live_text, live->bytes };
    patch->gate.candidate = (struct vx_formula_text){ live->name, patch->text, patch->bytes };
    patch->stage = PATCH_GATE;
    if (patch->gate.live_text != NULL && pthread_create(&patch->gate.thread, NULL, gate_main, app) == 0)
        return;
    free(patch->gate.live_text);
    end(app, false, "failed", "no thread for the gate");
}

static void recorded_end(struct app *app)
{
    const struct patch *patch = &app->formulas->patch;
    char sentence[80];
    (void)snprintf(sentence, sizeof(sentence), "%u jobs of players", patch->recorded_count);
    end(app, patch->recorded_count > 0, "recorded", sentence);
}

static void recording_turn(struct app *app)
{
    static struct vx_formula_sample sample; /* 4 KiB */
    struct patch *patch = &app->formulas->patch;
    while (patch->recorded_count < RECORDED_MAX && vx_formula_sample(app->formula, &sample))
        for (uint32_t i = 0; sample.kind == patch->kind && i < sample.count && patch->recorded_count < RECORDED_MAX; i++)
            patch->recorded[patch->recorded_count++] = sample.jobs[i];
    if (patch->recorded_count < RECORDED_MAX && rte_rdtsc() < patch->due_cycles)
        return;
    if (patch->until == UNTIL_RECORDED)
        recorded_end(app);
    else
        gate_begin(app);
}

static void live_begin(struct app *app, uint32_t seat, const char *after);

static void stage_begin(struct app *app)
{
    struct patch *patch = &app->formulas->patch;
    struct vx_error error;
    int rc = 0;
    if (patch->stage < PATCH_SHADOW && patch->shadow_s > 0) {
        rc = shadow_begin(app, &error);
        patch->stage = PATCH_SHADOW;
        app->formulas->steps.shadows += rc == 0;
        patch->due_cycles = in_ms(app, patch->shadow_s * 1000ull);
    } else if (patch->stage < PATCH_CANARY && patch->canary_shards > 0) {
        rc = canary_begin(app, &error);
        patch->stage = PATCH_CANARY;
        app->formulas->steps.canaries += rc == 0;
        patch->due_cycles = in_ms(app, patch->for_s * 1000ull);
        patch->canary.looked_cycles = rte_rdtsc();
    } else {
        live_begin(app, VX_FORMULA_SEATS_MAX, "");
    }
    if (rc != 0)
        end(app, false, "failed", error.text);
}

static void gate_turn(struct app *app)
{
    struct app_formulas *own = app->formulas;
    struct patch *patch = &own->patch;
    const struct vx_gate_report *report = &patch->gate.report;
    struct vx_error error;
    if (__atomic_load_n(&patch->gate.done, __ATOMIC_ACQUIRE) == 0) /* released by gate_main */
        return;
    (void)pthread_join(patch->gate.thread, NULL);
    free(patch->gate.live_text);
    patch->has_report = patch->until != UNTIL_CHECKED && patch->gate.rc == 0;
    patch->version = report->declared.version;
    own->steps.gate_passes += patch->gate.rc == 0 && report->reason == VX_GATE_NONE;
    own->steps.gate_refusals += patch->gate.rc == 0 && report->reason != VX_GATE_NONE;
    if (patch->gate.rc != 0)
        end(app, false, "failed", patch->gate.error.text);
    else if (report->reason != VX_GATE_NONE)
        end(app, false, "refused", report->sentence);
    else if (patch->until != UNTIL_LIVE)
        end(app, true, patch->until == UNTIL_CHECKED ? "checked" : "gated", report->sentence);
    else if (vx_versions_put(own->store, vx_formula_abouts[patch->kind].name, patch->version, patch->text, patch->bytes, patch->who, patch->why, &error) < 0)
        end(app, false, "refused", error.text);
    else if (patch->version == own->versions[patch->kind])
        end(app, true, "live", "it is the live version already");
    else
        stage_begin(app);
}

/* ---- shadow, canary, live ---- */

static void shadow_stage_turn(struct app *app)
{
    struct patch *patch = &app->formulas->patch;
    struct vx_error error;
    char sentence[300];
    int rc = shadow_turn(app, &error);
    if (rc == 0 && rte_rdtsc() < patch->due_cycles)
        return;
    shadow_end(app, sentence, sizeof(sentence));
    if (rc != 0) {
        end(app, false, "refused", error.text);
        return;
    }
    (void)vx_versions_event(app->formulas->store, vx_formula_abouts[patch->kind].name, patch->version, patch->who, "shadowed", sentence, &error);
    stage_begin(app);
}

static void canary_turn(struct app *app)
{
    struct patch *patch = &app->formulas->patch;
    struct canary *canary = &patch->canary;
    char sentence[160];
    uint64_t now = rte_rdtsc();
    if (now - canary->looked_cycles < LOOK_MS * (app->cycles_per_s / 1000))
        return;
    canary->looked_cycles = now;
    canary_judge(app);
    if (canary->verdict.breached) {
        canary_give_up(app);
        app->formulas->steps.rollbacks++;
        app->formulas->steps.canary_breaches++;
        end(app, false, "rolled back", canary->verdict.sentence);
    } else if (now >= patch->due_cycles) {
        (void)snprintf(sentence, sizeof(sentence), "after %u s on %u shards, %u of %u figures judged", patch->for_s, patch->canary_shards, canary->verdict.judged, VX_CANARY_FIGURE_COUNT);
        live_begin(app, canary->seat, sentence);
    }
}

static void live_begin(struct app *app, uint32_t seat, const char *after)
{
    struct patch *patch = &app->formulas->patch;
    struct vx_error error;
    if (formulas_make_live(app, patch->kind, patch->version, patch->text, patch->bytes, seat, patch->who, "live", &error) != 0) {
        if (seat != VX_FORMULA_SEATS_MAX)
            canary_give_up(app);
        end(app, false, "failed", error.text);
    } else if (patch->timeout_s > 0) {
        patch->stage = PATCH_CONFIRM;
        patch->due_cycles = in_ms(app, patch->timeout_s * 1000ull);
    } else {
        end(app, true, "live", after[0] != '\0' ? after : "on all shards");
    }
}

static void take_back(struct app *app, const char *who, const char *why)
{
    struct app_formulas *own = app->formulas;
    struct patch *patch = &own->patch;
    struct vx_error error;
    char sentence[400];
    int rc = formulas_go_back(app, patch->kind, own->versions_before[patch->kind], who, "live again", &error);
    (void)snprintf(sentence, sizeof(sentence), "%s: %.200s", why, rc == 0 ? "the version before is live again" : error.text);
    end(app, false, "undone", sentence);
}

void patch_turn(struct app *app)
{
    struct patch *patch = &app->formulas->patch;
    switch (patch->stage) {
    case PATCH_IDLE:
        return;
    case PATCH_RECORDING:
        recording_turn(app);
        return;
    case PATCH_GATE:
        gate_turn(app);
        return;
    case PATCH_SHADOW:
        shadow_stage_turn(app);
        return;
    case PATCH_CANARY:
        canary_turn(app);
        return;
    case PATCH_CONFIRM:
        if (rte_rdtsc() < patch->due_cycles)
            return;
        app->formulas->steps.timeouts++;
        take_back(app, "veltrixd", "nobody confirmed it in time");
    }
}

/* ---- what operators and incidents do to it ---- */

bool patch_begin(struct app *app, const struct patch *wanted, const char *text, uint32_t bytes, struct vx_error *error)
{
    struct patch *patch = &app->formulas->patch;
    if (patch->stage != PATCH_IDLE)
        return vx_error_set(error, 0, "%s is on its way (%s, pushed by %s); `formula status` shows it, `formula undo` gives it up", vx_formula_abouts[patch->kind].name,
                            patch_stage_name(patch->stage), patch->who) != 0;
    if (wanted->canary_shards >= app->config.shards.count)
        return vx_error_set(error, 0, "a canary of %u shards leaves none to compare with: expected fewer than shards.count, %u", wanted->canary_shards, app->config.shards.count) != 0;
    char *copy = strndup(text, bytes);
    if (copy == NULL)
        return vx_error_set(error, 0, "no memory for the text") != 0;
    patch->until = wanted->until;
    patch->kind = wanted->kind;
    patch->version = wanted->until == UNTIL_RECORDED ? app->formulas->versions[wanted->kind] : 0;
    patch->canary_shards = wanted->canary_shards;
    patch->for_s = wanted->for_s;
    patch->shadow_s = wanted->shadow_s;
    patch->timeout_s = wanted->timeout_s;
    memcpy(patch->who, wanted->who, sizeof(patch->who));
    memcpy(patch->why, wanted->why, sizeof(patch->why));
    patch->text = copy;
    patch->bytes = bytes;
    patch->recorded_count = 0;
    patch->recorded_kind = wanted->kind;
    patch->has_report = false;
    patch->outcome[0] = patch->sentence[0] = '\0';
    patch->canary.verdict = (struct vx_canary_verdict){ 0 };
    patch->shadow.jobs = 0;
    patch->stage = PATCH_RECORDING;
    patch->due_cycles = in_ms(app, patch->until == UNTIL_CHECKED ? 0 : patch->until == UNTIL_RECORDED ? RECORDING_ALONE_MS : RECORDING_MS);
    vx_formula_sampling(app->formula, patch->until != UNTIL_CHECKED);
    uint64_t *const asked[] = { [UNTIL_LIVE] = &app->formulas->steps.pushes, [UNTIL_CHECKED] = &app->formulas->steps.checks, [UNTIL_GATED] = &app->formulas->steps.gates,
                                [UNTIL_RECORDED] = &app->formulas->steps.recordings };
    (*asked[wanted->until])++;
    return true;
}

bool patch_confirm(struct app *app, const char *who, struct vx_error *error)
{
    char sentence[80];
    if (app->formulas->patch.stage != PATCH_CONFIRM)
        return vx_error_set(error, 0, "no formula waits to be confirmed") != 0;
    (void)snprintf(sentence, sizeof(sentence), "confirmed by %.39s", who);
    app->formulas->steps.confirms++;
    end(app, true, "live", sentence);
    return true;
}

bool patch_undo(struct app *app, const char *who, struct vx_error *error)
{
    struct app_formulas *own = app->formulas;
    struct patch *patch = &own->patch;
    char sentence[80], shadow[300];
    (void)snprintf(sentence, sizeof(sentence), "given up by %.39s", who);
    switch (patch->stage) {
    case PATCH_GATE:
        return vx_error_set(error, 0, "the gate measures; it is over in a second, then again") != 0;
    case PATCH_CONFIRM:
        take_back(app, who, sentence);
        return true;
    case PATCH_IDLE:
        if (own->changed_kind == VX_FORMULA_KINDS)
            return vx_error_set(error, 0, "no formula has been changed since the start that could be undone") != 0;
        return formulas_go_back(app, own->changed_kind, own->versions_before[own->changed_kind], who, "live again", error) == 0;
    case PATCH_SHADOW:
        shadow_end(app, shadow, sizeof(shadow));
        break;
    case PATCH_CANARY:
        canary_give_up(app);
        own->steps.rollbacks++;
        break;
    default:
        break;
    }
    end(app, false, "given up", sentence);
    return true;
}

void patch_died(struct app *app, const struct vx_formula_incident *incident)
{
    const struct patch *patch = &app->formulas->patch;
    char sentence[160];
    if (patch->stage < PATCH_CANARY || incident->kind != patch->kind || incident->version != patch->version)
        return;
    (void)snprintf(sentence, sizeof(sentence), "it %s; the version before has taken over", incident->what);
    app->formulas->steps.rollbacks++;
    end(app, false, "quarantined", sentence);
}
