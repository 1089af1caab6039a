/* `formula`: a version's way to the players and back, as operators and designers ask for it. Texts come with the request;
 * veltrixctl reads the file. */
#include <errno.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "formulas.h"

enum { HISTORY_MAX = 200, SECONDS_MAX = 86400, SHARDS_MAX = VX_SHARDS_MAX, VERSION_MAX = 1 << 30 };

static uint32_t kind_of(const struct vx_control_call *call)
{
    int kind = vx_formula_kind(vx_control_text(call, "kind", "")); /* the table allows no other word */
    VX_ASSERT(kind >= 0);
    return (uint32_t)kind;
}

static const char *who_of(const struct vx_control_call *call)
{
    return call->peer != NULL ? call->peer->name : "veltrixd";
}

static json_t *on_list(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    struct vx_formula_counters counters;
    json_t *rows = json_array();
    (void)call;
    (void)error;
    vx_formula_counters(app->formula, &counters);
    for (uint32_t kind = 0; kind < VX_FORMULA_KINDS; kind++)
        (void)json_array_append_new(rows, json_pack("{s:s,s:s,s:I,s:I,s:I,s:I}", "kind", vx_formula_abouts[kind].name, "asked", vx_formula_abouts[kind].asked, "version",
                                                    (json_int_t)app->formulas->versions[kind], "version_before", (json_int_t)app->formulas->versions_before[kind], "jobs",
                                                    (json_int_t)counters.jobs[kind], "failures", (json_int_t)counters.failures[kind]));
    return rows;
}

static void under_way_put(const struct app *app, const struct patch *patch, json_t *into)
{
    uint64_t now = rte_rdtsc();
    json_t *way = json_pack("{s:s,s:I,s:s,s:s}", "kind", vx_formula_abouts[patch->kind].name, "version", (json_int_t)patch->version, "pushed_by", patch->who, "why", patch->why);
    if (patch->stage >= PATCH_SHADOW)
        (void)json_object_set_new(way, "seconds_left", json_integer(patch->due_cycles > now ? (json_int_t)((patch->due_cycles - now) / app->cycles_per_s) : 0));
    (void)json_object_set_new(into, "under_way", way);
}

static json_t *on_status(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    const struct app_formulas *own = app->formulas;
    const struct patch *patch = &own->patch;
    json_t *result = json_pack("{s:s,s:f,s:f}", "stage", patch_stage_name(patch->stage), "back_ms_last", own->back_ms_last, "back_ms_max", own->back_ms_max);
#define PUT(name, sentence) (void)json_object_set_new(result, #name, json_integer((json_int_t)own->steps.name));
    FORMULAS_STEPS(PUT)
#undef PUT
    (void)call;
    (void)error;
    if (patch->stage != PATCH_IDLE)
        under_way_put(app, patch, result);
    else if (patch->outcome[0] != '\0')
        (void)json_object_set_new(result, "last", json_pack("{s:s,s:I,s:s,s:b,s:s}", "kind", vx_formula_abouts[patch->ended_kind].name, "version", (json_int_t)patch->ended_version,
                                                            "outcome", patch->outcome, "good", patch->ended_well, "sentence", patch->sentence));
    if (patch->has_report)
        (void)json_object_set_new(result, "gate", vx_gate_json(&patch->gate.report));
    if (patch->shadow.jobs > 0)
        (void)json_object_set_new(result, "shadow", shadow_json(patch));
    if (patch->canary.verdict.judged > 0)
        (void)json_object_set_new(result, "canary", canary_json(patch));
    return result;
}

static json_t *begin(void *context, struct vx_control_call *call, enum patch_until until, struct vx_error *error)
{
    struct app *app = context;
    static struct patch wanted; /* large, and the control thread's */
    const char *text = vx_control_text(call, "text", "");
    wanted.until = until;
    wanted.kind = kind_of(call);
    wanted.canary_shards = (uint32_t)vx_control_whole(call, "canary", 0);
    wanted.for_s = (uint32_t)vx_control_whole(call, "for", 60);
    wanted.shadow_s = (uint32_t)vx_control_whole(call, "shadow", 0);
    wanted.timeout_s = (uint32_t)vx_control_whole(call, "timeout", 0);
    (void)snprintf(wanted.who, sizeof(wanted.who), "%s", who_of(call));
    (void)snprintf(wanted.why, sizeof(wanted.why), "%s", vx_control_text(call, "why", ""));
    if (!patch_begin(app, &wanted, text, (uint32_t)strlen(text), error)) {
        call->code = VX_CONTROL_BUSY;
        return NULL;
    }
    call->new = json_pack("{s:s,s:I}", "kind", vx_formula_abouts[wanted.kind].name, "bytes", (json_int_t)strlen(text));
    return json_pack("{s:s,s:s}", "kind", vx_formula_abouts[wanted.kind].name, "stage", patch_stage_name(app->formulas->patch.stage));
}

static json_t *on_check(void *context, struct vx_control_call *call, struct vx_error *error)
{
    return begin(context, call, UNTIL_CHECKED, error);
}

static json_t *on_gate(void *context, struct vx_control_call *call, struct vx_error *error)
{
    return begin(context, call, UNTIL_GATED, error);
}

static json_t *on_push(void *context, struct vx_control_call *call, struct vx_error *error)
{
    return begin(context, call, UNTIL_LIVE, error);
}

static json_t *on_record(void *context, struct vx_control_call *call, struct vx_error *error)
{
    return begin(context, call, UNTIL_RECORDED, error);
}

/* What the file of a captured set holds: `formula try` reads it. */
static json_t *on_jobs(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct patch *patch = &((const struct app *)context)->formulas->patch;
    uint32_t kind = kind_of(call);
    const struct vx_formula_about *about = &vx_formula_abouts[kind];
    if (patch->recorded_count == 0 || patch->recorded_kind != kind || patch->stage == PATCH_RECORDING)
        return vx_control_fail(call, error, VX_CONTROL_NOT_FOUND, "no jobs of %s were recorded last; `formula record %s` does it", about->name, about->name);
    json_t *rows = json_array();
    for (uint32_t i = 0; i < patch->recorded_count; i++) {
        json_t *row = json_object();
        for (unsigned k = 0; k < about->input_count; k++)
            (void)json_object_set_new(row, about->inputs[k].name, json_real((double)patch->recorded[i].in[k]));
        (void)json_object_set_new(row, "seed", json_integer((json_int_t)patch->recorded[i].seed));
        (void)json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *versions_now(const struct app *app)
{
    json_t *now = json_object();
    for (uint32_t kind = 0; kind < VX_FORMULA_KINDS; kind++)
        (void)json_object_set_new(now, vx_formula_abouts[kind].name, json_integer((json_int_t)app->formulas->versions[kind]));
    return now;
}

static json_t *on_confirm(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct app *app = context;
    if (patch_confirm(app, who_of(call), error))
        return versions_now(app);
    call->code = VX_CONTROL_NOT_FOUND;
    return NULL;
}

static json_t *on_undo(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct app *app = context;
    json_t *old = versions_now(app);
    bool done = patch_undo(app, who_of(call), error);
    app->formulas->steps.undos += done;
    call->old = old;
    call->new = versions_now(app);
    return done ? versions_now(app) : NULL;
}

static json_t *on_rollback(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct app *app = context;
    uint32_t kind = kind_of(call), version = (uint32_t)vx_control_whole(call, "version", app->formulas->versions_before[kind]);
    uint64_t began = rte_rdtsc();
    if (app->formulas->patch.stage != PATCH_IDLE)
        return vx_control_fail(call, error, VX_CONTROL_BUSY, "a patch is on its way (%s): `formula undo` gives it up", patch_stage_name(app->formulas->patch.stage));
    if (version == app->formulas->versions[kind])
        return vx_control_fail(call, error, VX_CONTROL_BAD_ARGUMENT, "%s version %u is live already", vx_formula_abouts[kind].name, version);
    call->old = json_integer((json_int_t)app->formulas->versions[kind]);
    call->new = json_integer((json_int_t)version);
    int rc = formulas_go_back(app, kind, version, who_of(call), "rolled back to", error);
    call->code = rc == -ENOENT ? VX_CONTROL_NOT_FOUND : VX_CONTROL_FAILED;
    if (rc != 0)
        return NULL;
    return json_pack("{s:s,s:I,s:f}", "kind", vx_formula_abouts[kind].name, "version", (json_int_t)version, "took_ms",
                     (double)(rte_rdtsc() - began) * 1000 / (double)app->cycles_per_s);
}

static void time_words(int64_t at_ms, char words[32])
{
    time_t seconds = at_ms / 1000;
    struct tm parts;
    (void)gmtime_r(&seconds, &parts);
    (void)strftime(words, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static void event_row(void *rows, const struct vx_versions_event *event)
{
    char at[32];
    time_words(event->at_ms, at);
    (void)json_array_append_new(rows, json_pack("{s:s,s:s,s:I,s:s,s:s,s:s}", "at", at, "kind", event->kind, "version", (json_int_t)event->version, "who", event->who, "event",
                                                event->event, "detail", event->detail));
}

static json_t *on_history(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    json_t *rows = json_array();
    (void)error;
    vx_versions_events(app->formulas->store, vx_control_text(call, "kind", NULL), HISTORY_MAX, event_row, rows);
    return rows;
}

static void version_row(void *rows, const struct vx_versions_row *row)
{
    char at[32], hash[13];
    time_words(row->at_ms, at);
    (void)snprintf(hash, sizeof(hash), "%.12s", row->hash);
    (void)json_array_append_new(rows, json_pack("{s:s,s:I,s:s,s:s,s:s,s:s,s:s}", "kind", row->kind, "version", (json_int_t)row->version, "state",
                                                row->live ? "live" : row->quarantined ? "quarantined" : "kept", "first_pushed", at, "who", row->who, "why", row->why, "sha256", hash));
}

static json_t *on_versions(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    json_t *rows = json_array();
    (void)error;
    vx_versions_each(app->formulas->store, vx_control_text(call, "kind", NULL), version_row, rows);
    return rows;
}

static json_t *text_of(const struct app *app, struct vx_control_call *call, uint32_t kind, uint32_t version, struct vx_error *error)
{
    char *text = NULL;
    uint32_t bytes;
    int rc = vx_versions_text(app->formulas->store, vx_formula_abouts[kind].name, version, &text, &bytes, error);
    call->code = rc == -ENOENT ? VX_CONTROL_NOT_FOUND : VX_CONTROL_FAILED;
    json_t *words = rc == 0 ? json_stringn(text, bytes) : NULL;
    if (rc == 0 && words == NULL)
        (void)vx_error_set(error, 0, "the text is not UTF-8");
    free(text);
    return words;
}

static json_t *on_show(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    uint32_t kind = kind_of(call), version = (uint32_t)vx_control_whole(call, "version", app->formulas->versions[kind]);
    json_t *text = text_of(app, call, kind, version, error);
    return text == NULL ? NULL : json_pack("{s:s,s:I,s:o}", "kind", vx_formula_abouts[kind].name, "version", (json_int_t)version, "text", text);
}

static json_t *on_diff(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    uint32_t kind = kind_of(call), old = (uint32_t)vx_control_whole(call, "old", 0), new = (uint32_t)vx_control_whole(call, "new", app->formulas->versions[kind]);
    json_t *old_text = text_of(app, call, kind, old, error), *new_text = old_text == NULL ? NULL : text_of(app, call, kind, new, error);
    if (new_text == NULL) {
        json_decref(old_text);
        return NULL;
    }
    return json_pack("{s:s,s:I,s:o,s:I,s:o}", "kind", vx_formula_abouts[kind].name, "old", (json_int_t)old, "old_text", old_text, "new", (json_int_t)new, "new_text", new_text);
}

#define KINDS "battle loot pairing rating score"
#define KIND(place) { "kind", VX_ARGUMENT_WORD, place, 0, 0, KINDS, "", "which formula" }
#define TEXT { "text", VX_ARGUMENT_TEXT, VX_ARGUMENT_NEEDED, 1, VX_FORMULA_TEXT_BYTES_MAX, NULL, "", "the file's text; veltrixctl takes FILE in place of kind and text, and reads it" }
static const struct vx_control_argument one_kind_arguments[] = { KIND(VX_ARGUMENT_NEEDED), { .name = NULL } };
static const struct vx_control_argument kind_arguments[] = { KIND(VX_ARGUMENT_OPTIONAL), { .name = NULL } };
static const struct vx_control_argument text_arguments[] = { KIND(VX_ARGUMENT_NEEDED), TEXT, { .name = NULL } };
static const struct vx_control_argument push_arguments[] = {
    KIND(VX_ARGUMENT_NEEDED), TEXT,
    { "shadow", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, SECONDS_MAX, NULL, "s", "first evaluate it so long beside the live version, unused" },
    { "canary", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, SHARDS_MAX, NULL, "shards", "then let it play on so many shards" },
    { "for", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, SECONDS_MAX, NULL, "s", "how long the canary lasts (60); a breach rolls back by itself" },
    { "timeout", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, SECONDS_MAX, NULL, "s", "live on all shards, it is undone unless `formula confirm` comes within this time" },
    { "why", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 1, WHY_BYTES - 1, NULL, "", "for the history" },
    { .name = NULL },
};
static const struct vx_control_argument version_arguments[] = {
    KIND(VX_ARGUMENT_NEEDED), { "version", VX_ARGUMENT_WHOLE, VX_ARGUMENT_OPTIONAL, 1, VERSION_MAX, NULL, "", "as its file declares it" }, { .name = NULL }
};
static const struct vx_control_argument diff_arguments[] = { KIND(VX_ARGUMENT_NEEDED),
                                                             { "old", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NEEDED, 1, VERSION_MAX, NULL, "", "a kept version" },
                                                             { "new", VX_ARGUMENT_WHOLE, VX_ARGUMENT_OPTIONAL, 1, VERSION_MAX, NULL, "", "another; none: the live one" },
                                                             { .name = NULL } };

const struct vx_control_command app_formula_commands[] = {
    { "formula list", VX_CONTROL_LOOK, "the live version of each formula", "", NULL, on_list },
    { "formula status", VX_CONTROL_LOOK, "the patch on its way, or how the last one ended: gate, shadow, canary", "", NULL, on_status },
    { "formula versions", VX_CONTROL_LOOK, "every version that was ever pushed", "", kind_arguments, on_versions },
    { "formula history", VX_CONTROL_LOOK, "who did what to formulas, and what came of it; the newest first", "", kind_arguments, on_history },
    { "formula show", VX_CONTROL_LOOK, "a version's text; the live one's without a number", "", version_arguments, on_show },
    { "formula diff", VX_CONTROL_LOOK, "the texts of two versions", "", diff_arguments, on_diff },
    { "formula record", VX_CONTROL_ADMIN, "copies up to 2,048 of players' jobs, for at most 2 s; `formula jobs` has them", "the worker copies batches that it answers", one_kind_arguments, on_record },
    { "formula jobs", VX_CONTROL_LOOK, "the jobs that were recorded last, by `formula record` or for the gate", "", one_kind_arguments, on_jobs },
    { "formula check", VX_CONTROL_ADMIN, "begins a check of the file alone; `formula status` has the outcome", "a worker on the control core, for some milliseconds", text_arguments, on_check },
    { "formula gate", VX_CONTROL_ADMIN, "begins a check and the measurement beside the live version", "a worker on the control core, for about a second", text_arguments, on_gate },
    { "formula push", VX_CONTROL_ADMIN, "begins its way to the players: gate, shadow, canary, live", "each shard's next batch, when it is live there", push_arguments, on_push },
    { "formula confirm", VX_CONTROL_ADMIN, "keeps what was pushed with a timeout", "at once", NULL, on_confirm },
    { "formula undo", VX_CONTROL_ADMIN, "gives up what is on its way, or takes the last change back", "each shard's next batch", NULL, on_undo },
    { "formula rollback", VX_CONTROL_ADMIN, "makes a kept version live again; without a number the one before", "each shard's next batch", version_arguments, on_rollback },
    { .name = NULL },
};
