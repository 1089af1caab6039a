/* The command `formula try`: opens a trial for each version, as the gate does, has it answer the set's jobs, times it, and
 * shows what came out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formula_try.h"

enum {
    SEED = 1,
    SEEDS_PICTURE = 64, /* a picture of a formula with random numbers is of its mean */
    STEPS = 21,         /* 0 to 100 in fives */
    STEPS_PICTURE = 64,
    ROWS = 24,          /* a screen's */
    TIMED_BATCHES = 512,
    TIMED_TIMES = 5,    /* a batch counts with its shortest */
    PATH_MAX_BYTES = 4096,
};

static const struct vx_control_argument try_arguments[] = {
    { "file", VX_ARGUMENT_TEXT, VX_ARGUMENT_NEEDED, 1, PATH_MAX_BYTES, NULL, "", "the formula: battle.lua, or battle-ANYTHING.lua, and so on" },
    { "inputs", VX_ARGUMENT_TEXT, VX_ARGUMENT_OPTIONAL, 1, TRY_WORDS_BYTES - 1, NULL, "", "NAME=VALUE ...; one of them may be NAME=LOW..HIGH; the middle of its range for each that is left out" },
    { "jobs", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 1, PATH_MAX_BYTES, NULL, "", "a captured set: CSV or JSON, as `formula record` writes it" },
    { "against", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 1, PATH_MAX_BYTES, NULL, "", "a second file of the same formula, for the table side by side" },
    { "steps", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 2, TRY_STEPS_MAX, NULL, "", "rows from LOW to HIGH (21; 64 for a picture)" },
    { "seeds", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, TRY_SEEDS_MAX, NULL, "", "jobs of each row, each with other random numbers: mean, least and most are shown (1; 64 for a picture)" },
    { "seed", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 0, UINT32_MAX, NULL, "", "of the first of them (1)" },
    { "rows", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, TRY_JOBS_MAX, NULL, "", "how many of a captured set are printed (24)" },
    { "plot", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 1, 40, NULL, "", "draw this output" },
    { "over", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 1, 40, NULL, "", "over this input (the one with LOW..HIGH)" },
    { "png", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 1, PATH_MAX_BYTES, NULL, "", "draw into this file, by gnuplot" },
    { "gate", VX_ARGUMENT_FLAG, VX_ARGUMENT_NAMED, 0, 0, NULL, "", "put it through the gate, too, beside the one of --against" },
    { "runtime", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 1, VX_PATH_BYTES - 1, NULL, "", "folder of Veltrix's own Lua files (beside the formula's folder, or the installed one)" },
    { .name = NULL },
};

/* ---- where the worker and its runtime are ---- */

static bool runtime_in(char folder[VX_PATH_BYTES], const char *before, const char *after)
{
    char file[2 * VX_PATH_BYTES];
    int bytes = snprintf(folder, VX_PATH_BYTES, "%s%s", before, after);
    (void)snprintf(file, sizeof(file), "%s/batch.lua", folder);
    return bytes > 0 && bytes < VX_PATH_BYTES && access(file, R_OK) == 0;
}

/* Beside the formula's folder as in the appliance, installed, or in the tree that this program was built from. */
static bool runtime_find(const char *formula, const char *worker, char folder[VX_PATH_BYTES])
{
    char beside[VX_PATH_BYTES];
    const char *slash = strrchr(formula, '/');
    (void)snprintf(beside, sizeof(beside), "%.*s", slash != NULL ? (int)(slash - formula + 1) : 0, formula);
    if (runtime_in(folder, beside, "../runtime") || vx_formula_data_find("runtime", folder))
        return true;
    (void)snprintf(beside, sizeof(beside), "%s", worker);
    *strrchr(beside, '/') = '\0';
    return runtime_in(folder, beside, "/../../../../lua/runtime") || runtime_in(folder, beside, "/../../../lua/runtime");
}

struct places {
    char worker[VX_PATH_BYTES], runtime[VX_PATH_BYTES];
    struct vx_trial_config config;
};

static int places_find(const struct vx_control_call *call, struct places *places, struct vx_error *error)
{
    const char *given = vx_control_text(call, "runtime", NULL), *formula = vx_control_text(call, "file", "");
    if (!vx_formula_worker_find(places->worker))
        return vx_error_set(error, -ENOENT, "there is no veltrix-formula-worker beside this program");
    if (given != NULL ? !runtime_in(places->runtime, given, "") : !runtime_find(formula, places->worker, places->runtime))
        return vx_error_set(error, -ENOENT, "there is no batch.lua in %s; --runtime FOLDER names the folder of Veltrix's own Lua files", places->runtime);
    places->config = (struct vx_trial_config){ .worker_path = places->worker, .runtime_folder = places->runtime, .cpu = -1 };
    return 0;
}

/* ---- a side ---- */

static int side_open(const char *path, uint32_t kind, const struct vx_trial_config *config, struct try_side *side, struct vx_error *error)
{
    int rc = vx_formula_text_read(path, &side->text, error);
    if (rc == 0)
        rc = vx_trial_open(config, kind, &side->text, &side->trial, error);
    if (rc == 0)
        side->declared = vx_trial_declared(side->trial);
    return rc;
}

static void side_close(struct try_side *side)
{
    if (side->trial != NULL)
        vx_trial_close(side->trial);
    free(side->answers);
    free((char *)side->text.text);
}

static int ended(const struct try_set *set, const struct try_side *side, uint32_t at, struct vx_error *error)
{
    char said[sizeof(error->text)], words[160] = "";
    size_t used = 0;
    memcpy(said, error->text, sizeof(said));
    for (unsigned i = 0; i < vx_formula_abouts[set->kind].input_count && used < sizeof(words); i++)
        if ((side->declared->inputs_used >> i & 1) != 0)
            used += (size_t)snprintf(words + used, sizeof(words) - used, "%s %.9g, ", vx_formula_abouts[set->kind].inputs[i].name, (double)set->jobs[at].in[i]);
    return vx_error_set(error, -EINVAL, "%s: %.100s on one of 64 jobs, the first of which is %sseed %llu", side->text.name, said, words, (unsigned long long)set->jobs[at].seed);
}

/* As in play; and once more as the formula gives them, to see what play makes of it. */
static int side_answer(const struct try_set *set, struct try_side *side, struct vx_error *error)
{
    uint32_t count = set->rows * set->seeds, batches = (count + VX_FORMULA_BATCH_JOBS - 1) / VX_FORMULA_BATCH_JOBS, at = 0;
    struct vx_trial_answer *raw = calloc(count, sizeof(*raw));
    struct vx_trial_cost *costs = calloc(batches, sizeof(*costs));
    side->answers = calloc(count, sizeof(*side->answers));
    int rc = raw == NULL || costs == NULL || side->answers == NULL ? vx_error_set(error, -ENOMEM, "no memory for %u answers", count) : 0;
    if (rc == 0 && (vx_trial_run(side->trial, VX_TRIAL_LIVE, set->jobs, count, side->answers, costs, &at, error) != 0 ||
                    vx_trial_run(side->trial, VX_TRIAL_RAW, set->jobs, count, raw, NULL, &at, error) != 0))
        rc = ended(set, side, at, error);
    for (uint32_t i = 0; rc == 0 && i < batches; i++)
        side->failures += costs[i].failures;
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        for (unsigned k = 0; k < vx_formula_abouts[set->kind].output_count; k++)
            side->moved += raw[i].out[k] != side->answers[i].out[k];
    free(raw);
    free(costs);
    return rc;
}

/* ---- what it costs ---- */

static int by_ns(const void *one, const void *two)
{
    uint32_t a = ((const struct vx_trial_cost *)one)->ns, b = ((const struct vx_trial_cost *)two)->ns;
    return (a > b) - (a < b);
}

static int side_time(const struct vx_job *jobs, struct try_side *side, struct vx_error *error)
{
    static struct vx_trial_answer answers[TIMED_BATCHES * VX_FORMULA_BATCH_JOBS];
    static struct vx_trial_cost costs[TIMED_BATCHES], best[TIMED_BATCHES];
    for (unsigned time = 0; time < TIMED_TIMES; time++) {
        int rc = vx_trial_run(side->trial, VX_TRIAL_LIVE, jobs, TIMED_BATCHES * VX_FORMULA_BATCH_JOBS, answers, costs, NULL, error);
        if (rc != 0)
            return rc;
        for (unsigned i = 0; i < TIMED_BATCHES; i++)
            if (time == 0 || costs[i].ns < best[i].ns)
                best[i] = costs[i];
    }
    qsort(best, TIMED_BATCHES, sizeof(best[0]), by_ns);
    side->job_ns_p50 = (double)best[TIMED_BATCHES / 2].ns / VX_FORMULA_BATCH_JOBS;
    side->job_ns_p99 = (double)best[TIMED_BATCHES * 99 / 100].ns / VX_FORMULA_BATCH_JOBS;
    return vx_trial_inspect(side->trial, &side->seen, error);
}

/* In full batches of the set's jobs, in another order: equal ones side by side would be faster than in play. */
static int sides_time(struct try_run *run, struct vx_error *error)
{
    enum { STEP = 10007 };
    static struct vx_job jobs[TIMED_BATCHES * VX_FORMULA_BATCH_JOBS];
    uint32_t count = run->set.rows * run->set.seeds;
    for (uint32_t i = 0; i < TIMED_BATCHES * VX_FORMULA_BATCH_JOBS; i++)
        jobs[i] = run->set.jobs[(uint64_t)i * STEP % count];
    int rc = side_time(jobs, &run->sides[0], error);
    return rc == 0 && run->sides[1].trial != NULL ? side_time(jobs, &run->sides[1], error) : rc;
}

/* ---- the command ---- */

static int run_make(const struct vx_control_call *call, const struct places *places, uint32_t kind, struct try_run *run, struct vx_error *error)
{
    const char *against = vx_control_text(call, "against", NULL);
    bool picture = vx_control_text(call, "plot", NULL) != NULL;
    const struct try_wish wish = { .inputs = vx_control_text(call, "inputs", ""), .file = vx_control_text(call, "jobs", NULL),
                                   .steps = (uint32_t)vx_control_whole(call, "steps", picture ? STEPS_PICTURE : STEPS),
                                   .seeds = (uint32_t)vx_control_whole(call, "seeds", picture ? SEEDS_PICTURE : 1), .seed = (uint32_t)vx_control_whole(call, "seed", SEED) };
    int rc = side_open(vx_control_text(call, "file", ""), kind, &places->config, &run->sides[0], error);
    if (rc == 0 && against != NULL)
        rc = side_open(against, kind, &places->config, &run->sides[1], error);
    if (rc == 0)
        rc = try_set_make(&wish, kind, run->sides[0].declared, &run->set, error);
    for (unsigned side = 0; rc == 0 && side < 2 && run->sides[side].trial != NULL; side++)
        rc = side_answer(&run->set, &run->sides[side], error);
    return rc == 0 ? sides_time(run, error) : rc;
}

static int plot_make(const struct vx_control_call *call, const struct try_run *run, struct try_plot *plot, struct vx_error *error)
{
    const char *output = vx_control_text(call, "plot", ""), *over = vx_control_text(call, "over", NULL);
    const struct vx_formula_about *about = &vx_formula_abouts[run->set.kind];
    *plot = (struct try_plot){ .output = about->output_count, .over = run->set.over, .png = vx_control_text(call, "png", NULL) };
    for (uint32_t k = 0; k < about->output_count; k++)
        if (strcmp(about->outputs[k].name, output) == 0)
            plot->output = k;
    if (plot->output == about->output_count)
        return vx_error_set(error, -EINVAL, "plot: %s has no output %.40s", about->name, output);
    if (over != NULL)
        plot->over = try_input_find(run->set.kind, run->sides[0].declared->inputs_used, over, strlen(over));
    if (plot->over < 0 || (!run->set.captured && plot->over != run->set.over))
        return vx_error_set(error, -EINVAL, run->set.captured ? "plot: --over expects an input of the formula" : "plot: expected one input given as LOW..HIGH to draw over");
    return 0;
}

static int gate(const struct ctl *ctl, const struct places *places, const struct try_run *run, json_t *result, struct vx_error *error)
{
    static struct vx_gate_report report;
    const struct vx_gate_config config = { .trial = places->config, .seed = SEED };
    const struct vx_formula_text *live = run->sides[1].trial != NULL ? &run->sides[1].text : NULL;
    int rc = vx_gate_run(&config, run->set.kind, &run->sides[0].text, live, run->set.captured ? run->set.jobs : NULL, run->set.captured ? run->set.rows : 0, &report, error);
    if (rc != 0)
        return rc;
    json_t *json = vx_gate_json(&report);
    char *table = ctl->json ? NULL : vx_gate_table(json);
    if (table != NULL)
        (void)fputs(table, stdout);
    free(table);
    (void)json_object_set_new(result, "gate", json);
    return report.reason == VX_GATE_NONE ? 0 : vx_error_set(error, -EINVAL, "the gate refuses it: %s", report.sentence);
}

static json_t *show(const struct ctl *ctl, const struct vx_control_call *call, const struct places *places, const struct try_run *run, struct vx_error *error)
{
    struct try_plot plot;
    bool picture = vx_control_text(call, "plot", NULL) != NULL;
    json_t *result = try_json(run);
    int rc = picture ? plot_make(call, run, &plot, error) : 0;
    if (rc == 0 && picture && (plot.png != NULL || !ctl->json))
        rc = try_plot(run, &plot, error);
    if (rc == 0 && !ctl->json)
        try_print(result, picture ? 0 : !run->set.captured ? run->set.rows : (uint32_t)vx_control_whole(call, "rows", ROWS));
    if (rc == 0 && vx_control_flag(call, "gate"))
        rc = gate(ctl, places, run, result, error);
    (void)fflush(stdout);
    if (rc == 0 && ctl->json)
        return result;
    json_decref(result);
    return rc == 0 ? json_null() : NULL;
}

static json_t *on_try(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct places places;
    struct try_run run = { 0 };
    const char *path = vx_control_text(call, "file", ""), *kind = ctl_formula_kind(path);
    if (kind == NULL)
        return vx_control_fail(call, error, VX_CONTROL_BAD_ARGUMENT, "%s: " CTL_FORMULA_NAMES, path);
    int rc = places_find(call, &places, error);
    if (rc == 0)
        rc = run_make(call, &places, (uint32_t)vx_formula_kind(kind), &run, error);
    json_t *result = rc == 0 ? show(context, call, &places, &run, error) : NULL;
    free(run.set.jobs);
    side_close(&run.sides[0]);
    side_close(&run.sides[1]);
    return result;
}

const struct vx_control_command formula_try_commands[] = {
    { "formula try", VX_CONTROL_LOOK, "runs a formula's file here, without an appliance: tables, pictures, two versions side by side, what a job costs", "", try_arguments, on_try },
    { .name = NULL },
};
