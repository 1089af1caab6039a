/* Formulas in the daemon: which texts play from the start on, how another one is made live, and what it means when one has
 * ended its worker. */
#include <errno.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formulas.h"
#include "vx_log.h"

/* The runtime is the installed one; in a build tree it lies beside the formulas. Without a worker's program the start says what is missing. */
static void paths_find(const struct app *app, struct app_formulas *own)
{
    if (!vx_formula_worker_find(own->worker))
        (void)snprintf(own->worker, VX_PATH_BYTES, "veltrix-formula-worker");
    if (app->config.formulas.folder[0] != '\0')
        (void)snprintf(own->folder, VX_PATH_BYTES, "%s", app->config.formulas.folder);
    else
        (void)vx_formula_data_find("formulas", own->folder); /* the reader says that there is none */
    if (!vx_formula_data_find("runtime", own->runtime))
        (void)snprintf(own->runtime, VX_PATH_BYTES, "%s/../runtime", own->folder);
    own->gate.trial = (struct vx_trial_config){ .worker_path = own->worker, .runtime_folder = own->runtime, .cpu = app->control_cpu, .memory_mib = app->config.formulas.memory_mib };
}

/* A file that the store has never seen is an operator's newest word; otherwise what was last made live goes on. */
static int text_choose(struct app_formulas *own, uint32_t kind, struct vx_formula_text *text, struct vx_error *error)
{
    const char *name = vx_formula_abouts[kind].name;
    char *kept = NULL;
    uint32_t bytes = 0, live = vx_versions_live(own->store, name);
    if (live == 0 || vx_versions_known(own->store, name, text->text, text->bytes) == 0)
        return 0;
    int rc = vx_versions_text(own->store, name, live, &kept, &bytes, error);
    if (rc != 0)
        return rc;
    free((char *)text->text); /* vx_formula_program_free() frees what takes its place */
    text->text = kept;
    text->bytes = bytes;
    return 0;
}

static void store_start(struct app *app, uint32_t kind)
{
    struct app_formulas *own = app->formulas;
    const struct vx_formula_text *text = &own->live.texts[kind];
    const char *name = vx_formula_abouts[kind].name;
    struct vx_error error = { "" };
    own->versions[kind] = own->versions_before[kind] = vx_formula_declared(app->formula, vx_formula_live_seat(app->formula), kind)->version;
    int rc = vx_versions_put(own->store, name, own->versions[kind], text->text, text->bytes, "veltrixd", "found in formulas.folder at a start", &error);
    if (rc == 0)
        rc = vx_versions_event(own->store, name, own->versions[kind], "veltrixd", "live", "from formulas.folder, at a start", &error);
    if (rc >= 0)
        rc = vx_versions_live_set(own->store, name, own->versions[kind], &error);
    if (rc < 0)
        vx_log(VX_LOG_WARNING, "formula", NULL, "%s plays as it is in the folder, but cannot be kept, so there is no way back to it: %s", text->name, error.text);
}

int app_formula_start(struct app *app, struct vx_error *error)
{
    char path[APP_PATH_BYTES];
    struct app_formulas *own = app->formulas = calloc(1, sizeof(*own));
    if (own == NULL)
        return vx_error_set(error, -ENOMEM, "formulas: no memory");
    own->changed_kind = VX_FORMULA_KINDS;
    paths_find(app, own);
    app_state_path(&app->config, app->config.formulas.versions, "formulas.db", path);
    struct vx_formula_config config = { .worker_path = own->worker, .runtime_folder = own->runtime, .lanes = app->shard_lcore_count, .cpu = app->control_cpu,
                                        .idle_us = app->config.formulas.idle_us, .deadline_ms = app->config.formulas.deadline_ms,
                                        .memory_mib = app->config.formulas.memory_mib };
    int rc = vx_formula_program_read(own->folder, &config.program, error);
    if (rc == 0)
        rc = vx_versions_open(path, &own->store, error);
    for (uint32_t kind = 0; rc == 0 && kind < VX_FORMULA_KINDS; kind++)
        rc = text_choose(own, kind, &config.program.texts[kind], error);
    if (rc == 0)
        rc = vx_formula_start(&config, &app->formula, error);
    if (rc == 0 && (vx_formula_program_copy(&config.program, &own->live) != 0 || vx_formula_program_copy(&config.program, &own->before) != 0))
        rc = vx_error_set(error, -ENOMEM, "formulas: no memory for a program");
    for (uint32_t kind = 0; rc == 0 && kind < VX_FORMULA_KINDS; kind++)
        store_start(app, kind);
    vx_formula_program_free(&config.program);
    return rc;
}

static int program_with(const struct vx_formula_program *from, uint32_t kind, const char *text, uint32_t bytes, struct vx_formula_program *to)
{
    struct vx_formula_program mixed = *from; /* borrows */
    mixed.texts[kind].text = text;
    mixed.texts[kind].bytes = bytes;
    return vx_formula_program_copy(&mixed, to);
}

int formulas_load_with(struct app *app, uint32_t kind, const char *text, uint32_t bytes, uint32_t *seat, struct vx_error *error)
{
    struct vx_formula_program program;
    if (program_with(&app->formulas->live, kind, text, bytes, &program) != 0)
        return vx_error_set(error, -ENOMEM, "formulas: no memory for a program");
    int rc = vx_formula_load(app->formula, &program, seat, error);
    vx_formula_program_free(&program);
    return rc;
}

int formulas_make_live(struct app *app, uint32_t kind, uint32_t version, const char *text, uint32_t bytes, uint32_t seat, const char *who, const char *event,
                       struct vx_error *error)
{
    struct app_formulas *own = app->formulas;
    struct vx_formula_program program;
    uint64_t began = rte_rdtsc();
    char detail[120];
    int rc = seat == VX_FORMULA_SEATS_MAX ? formulas_load_with(app, kind, text, bytes, &seat, error) : 0;
    if (rc != 0)
        return rc;
    if (program_with(&own->live, kind, text, bytes, &program) != 0 || vx_formula_good(app->formula, &own->live) != 0)
        return vx_error_set(error, -ENOMEM, "formulas: no memory for a program");
    vx_formula_route(app->formula, seat, NULL);
    double took_ms = (double)(rte_rdtsc() - began) * 1000 / (double)app->cycles_per_s;
    vx_formula_program_free(&own->before);
    own->before = own->live;
    own->live = program;
    memcpy(own->versions_before, own->versions, sizeof(own->versions));
    own->versions[kind] = version;
    own->changed_kind = kind;
    own->steps.lives++;
    (void)snprintf(detail, sizeof(detail), "in place of version %u, in %.2f ms", own->versions_before[kind], took_ms);
    const char *name = vx_formula_abouts[kind].name;
    vx_log(VX_LOG_NOTICE, "formula", NULL, "%s version %u is live, %s (%s)", name, version, detail, who);
    if (vx_versions_live_set(own->store, name, version, error) != 0 || vx_versions_event(own->store, name, version, who, event, detail, error) != 0)
        vx_log(VX_LOG_WARNING, "formula", NULL, "what is live could not be written down: %s", error->text);
    return 0;
}

int formulas_go_back(struct app *app, uint32_t kind, uint32_t version, const char *who, const char *event, struct vx_error *error)
{
    char *text = NULL;
    uint32_t bytes = 0;
    const char *name = vx_formula_abouts[kind].name;
    int rc = vx_versions_allowed(app->formulas->store, name, version, error);
    if (rc == 0)
        rc = vx_versions_text(app->formulas->store, name, version, &text, &bytes, error);
    if (rc == 0)
        rc = formulas_make_live(app, kind, version, text, bytes, VX_FORMULA_SEATS_MAX, who, event, error);
    app->formulas->steps.rollbacks += rc == 0;
    free(text);
    return rc;
}

/* The version before has taken over already, where there was one. */
static void ended_its_worker(struct app *app, const struct vx_formula_incident *incident)
{
    struct app_formulas *own = app->formulas;
    const char *name = vx_formula_abouts[incident->kind].name;
    struct vx_error error;
    char detail[160];
    double back_ms = incident->back_us / 1000.0;
    (void)snprintf(detail, sizeof(detail), "it %s; %s after %.1f ms", incident->what, incident->fell_back ? "the version before has taken over" : "there is no version before it: another worker has it", back_ms);
    vx_log(VX_LOG_ERROR, "formula", NULL, "%s version %u: %s%s", name, incident->version, detail, incident->fell_back ? "; it is quarantined" : "");
    (void)vx_versions_event(own->store, name, incident->version, "veltrixd", "ended worker", detail, &error);
    own->back_ms_last = back_ms;
    own->back_ms_max = back_ms > own->back_ms_max ? back_ms : own->back_ms_max;
    if (!incident->fell_back)
        return;
    own->steps.quarantines++;
    (void)vx_versions_quarantine(own->store, name, incident->version, &error);
    if (incident->was_live) {
        struct vx_formula_program program;
        const struct vx_formula_text *before = &own->before.texts[incident->kind];
        if (program_with(&own->live, incident->kind, before->text, before->bytes, &program) == 0) {
            vx_formula_program_free(&own->live);
            own->live = program;
        }
        own->versions[incident->kind] = own->versions_before[incident->kind];
        (void)vx_versions_live_set(own->store, name, own->versions[incident->kind], &error);
    }
    patch_died(app, incident);
}

void app_formula_turn(struct app *app)
{
    struct vx_formula_incident incident;
    while (vx_formula_incident(app->formula, &incident))
        ended_its_worker(app, &incident);
    patch_turn(app);
}

void app_formula_stop(struct app *app)
{
    struct app_formulas *own = app->formulas;
    if (own == NULL)
        return;
    if (own->patch.stage == PATCH_GATE)
        (void)pthread_join(own->patch.gate.thread, NULL); /* half a second at most: its worker has a deadline */
    if (own->patch.shadow.trial != NULL)
        vx_trial_close(own->patch.shadow.trial);
    if (app->formula != NULL)
        vx_formula_stop(app->formula);
    if (own->store != NULL)
        vx_versions_close(own->store);
}
