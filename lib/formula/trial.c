/* Trials: a worker with one formula, asked in rounds. The caller waits, in short sleeps. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formula_private.h"

enum {
    DEADLINE_MS = 100,   /* of a batch's CPU time: nobody plays meanwhile, and the interpreter may be slow */
    START_MS_MAX = 5000,
    INSPECT_MS_MAX = 2000,
    IDLE_US = 20,
    LOOK_MS = 5,         /* between two looks whether it is stuck */
};
#define NS_PER_MS 1000000ull

struct vx_trial {
    struct formula_memory memory;
    struct formula_launch launch;
    struct formula_process process;
    uint32_t kind;
    struct vx_formula_declared declared;
};

static bool finite_range(const struct vx_formula_range *range)
{
    return isfinite(range->min) && isfinite(range->max) && range->min <= range->max;
}

/* What the worker says of the formula is used for drawing jobs and judging answers: nothing absurd may get in. */
static int declared_check(struct vx_trial *trial, struct vx_error *error)
{
    const struct vx_formula_about *about = &vx_formula_abouts[trial->kind];
    trial->declared = trial->memory.header->seats[0].declared[trial->kind];
    bool good = trial->declared.version > 0 && trial->declared.job_ns >= 0;
    for (unsigned i = 0; i < about->input_count; i++)
        good = good && finite_range(&trial->declared.inputs[i]) && trial->declared.inputs[i].min >= about->inputs[i].min &&
               trial->declared.inputs[i].max <= about->inputs[i].max;
    for (unsigned i = 0; i < about->output_count; i++)
        good = good && finite_range(&trial->declared.outputs[i]);
    return good ? 0 : vx_error_set(error, -EINVAL, "the formula worker declares what cannot be");
}

static int open_all(struct vx_trial *trial, const struct vx_trial_config *config, const struct vx_formula_text *text, struct vx_error *error)
{
    struct vx_formula_program program = { 0 };
    program.texts[trial->kind] = *text;
    trial->launch = (struct formula_launch){ .cpu = config->cpu, .idle_us = IDLE_US, .deadline_ms = config->deadline_ms != 0 ? config->deadline_ms : DEADLINE_MS,
                                             .memory_mib = config->memory_mib, .load_ms = config->load_ms, .trial = true };
    int rc = formula_launch_set(&trial->launch, config->worker_path, config->runtime_folder, error);
    if (rc == 0)
        rc = formula_memory_map(&trial->memory, 1, error);
    if (rc == 0)
        rc = formula_process_start(&trial->process, &trial->memory, 0, &trial->launch, error);
    if (rc == 0)
        rc = formula_process_wait(&trial->process, &trial->memory, 0, FORMULA_WORKER_SPARE, START_MS_MAX, error);
    if (rc != 0)
        return rc;
    formula_process_load(&trial->memory, 0, &program);
    rc = formula_process_wait(&trial->process, &trial->memory, 0, FORMULA_WORKER_READY, trial->launch.load_ms, error);
    return rc == 0 ? declared_check(trial, error) : rc;
}

int vx_trial_open(const struct vx_trial_config *config, uint32_t kind, const struct vx_formula_text *text, struct vx_trial **trial, struct vx_error *error)
{
    VX_ASSERT(kind < VX_FORMULA_KINDS);
    if (text->bytes == 0 || text->bytes > VX_FORMULA_TEXT_BYTES_MAX)
        return vx_error_set(error, -EFBIG, "%s: has %u bytes, expected 1 to %d", text->name, text->bytes, VX_FORMULA_TEXT_BYTES_MAX);
    struct vx_trial *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return vx_error_set(error, -ENOMEM, "formulas: no memory for a trial");
    made->kind = kind;
    made->memory.fd = -1;
    int rc = open_all(made, config, text, error);
    if (rc != 0)
        vx_trial_close(made);
    else
        *trial = made;
    return rc;
}

void vx_trial_close(struct vx_trial *trial)
{
    formula_process_kill(&trial->process);
    formula_memory_unmap(&trial->memory);
    free(trial);
}

const struct vx_formula_declared *vx_trial_declared(const struct vx_trial *trial)
{
    return &trial->declared;
}

/* ---- rounds ---- */

/* Lane 0, seat 0: a worker takes a batch's kind from where it lies. */
static struct formula_batch *batch_of(const struct vx_trial *trial, uint32_t index)
{
    return formula_batches(trial->memory.header) + formula_batch_number(0, 0, trial->kind, index);
}

static void fill(struct formula_batch *batch, const struct vx_job *jobs, uint32_t count, uint32_t mode)
{
    for (uint32_t i = 0; i < count; i++) {
        for (unsigned input = 0; input < VX_JOB_INPUTS; input++)
            batch->inputs[input][i] = jobs[i].in[input];
        batch->seeds[i] = jobs[i].seed;
    }
    batch->count = count;
    batch->mode = mode;
    batch->attempts = 0;
    batch->failures = 0;
    /* release: pairs with the acquire in the worker's batch_take(). */
    atomic_store_explicit(&batch->state, FORMULA_SUBMITTED, memory_order_release);
}

static void ring(struct vx_trial *trial)
{
    (void)atomic_fetch_add_explicit(&trial->memory.header->lanes_rung[0].submitted, 1, memory_order_release);
}

static int ended(struct vx_trial *trial, struct vx_error *error)
{
    char what[64];
    bool stuck = trial->process.killed_stuck;
    formula_process_end(&trial->process, trial->launch.deadline_ms, what, sizeof(what));
    return vx_error_set(error, stuck ? -ETIMEDOUT : -ECHILD, "%s %s", vx_formula_abouts[trial->kind].name, what);
}

/* acquire: pairs with the release of DONE in the worker's serve_batch(). */
static int batch_wait(struct vx_trial *trial, const struct formula_batch *batch, struct vx_error *error)
{
    uint64_t looked_ns = formula_now_ns();
    while (atomic_load_explicit(&batch->state, memory_order_acquire) != FORMULA_DONE) {
        formula_sleep_us(IDLE_US);
        if (formula_now_ns() - looked_ns < LOOK_MS * NS_PER_MS)
            continue;
        looked_ns = formula_now_ns();
        if (formula_process_stuck(&trial->process, &trial->memory, 0, trial->launch.deadline_ms))
            formula_process_kill(&trial->process);
        if (trial->process.pid == 0 || formula_process_reap(&trial->process))
            return ended(trial, error);
    }
    return 0;
}

static void take(struct formula_batch *batch, uint32_t count, struct vx_trial_answer *answers, struct vx_trial_cost *cost)
{
    for (uint32_t i = 0; i < count; i++)
        for (unsigned output = 0; output < VX_JOB_OUTPUTS; output++)
            answers[i].out[output] = batch->outputs[output][i];
    if (cost != NULL)
        *cost = (struct vx_trial_cost){ batch->ns, batch->pause_ns, batch->allocated, batch->failures };
    atomic_store_explicit(&batch->state, FORMULA_FREE, memory_order_relaxed);
}

static uint32_t jobs_of(uint32_t count, uint32_t batch)
{
    uint32_t left = count - batch * FORMULA_BATCH_JOBS;
    return left < FORMULA_BATCH_JOBS ? left : FORMULA_BATCH_JOBS;
}

int vx_trial_run(struct vx_trial *trial, enum vx_trial_mode mode, const struct vx_job *jobs, uint32_t count, struct vx_trial_answer *answers,
                 struct vx_trial_cost *costs, uint32_t *job, struct vx_error *error)
{
    uint32_t batches = (count + FORMULA_BATCH_JOBS - 1) / FORMULA_BATCH_JOBS, asked = 0;
    if (trial->process.pid == 0)
        return vx_error_set(error, -ECHILD, "the formula has ended its worker");
    for (uint32_t done = 0; done < batches; done++) {
        if (asked == done) { /* a circle full at once */
            for (; asked < batches && asked - done < FORMULA_BATCHES; asked++)
                fill(batch_of(trial, asked % FORMULA_BATCHES), jobs + (size_t)asked * FORMULA_BATCH_JOBS, jobs_of(count, asked), mode);
            ring(trial);
        }
        int rc = batch_wait(trial, batch_of(trial, done % FORMULA_BATCHES), error);
        if (rc != 0) {
            if (job != NULL)
                *job = done * FORMULA_BATCH_JOBS;
            return rc;
        }
        take(batch_of(trial, done % FORMULA_BATCHES), jobs_of(count, done), answers + (size_t)done * FORMULA_BATCH_JOBS, costs != NULL ? &costs[done] : NULL);
    }
    return 0;
}

/* ---- what the worker saw ---- */

static void text_end(char *text, size_t bytes)
{
    text[bytes - 1] = '\0';
}

int vx_trial_inspect(struct vx_trial *trial, struct vx_trial_report *report, struct vx_error *error)
{
    struct formula_seat *shared = &trial->memory.header->seats[0];
    uint64_t began_ns = formula_now_ns();
    if (trial->process.pid == 0)
        return vx_error_set(error, -ECHILD, "the formula has ended its worker");
    formula_process_command(&trial->memory, 0, FORMULA_COMMAND_INSPECT);
    /* acquire: pairs with the release in the worker's command_take(). */
    while (atomic_load_explicit(&shared->command, memory_order_acquire) != FORMULA_COMMAND_NONE) {
        formula_sleep_us(IDLE_US);
        if (formula_process_reap(&trial->process))
            return ended(trial, error);
        if (formula_now_ns() - began_ns > INSPECT_MS_MAX * NS_PER_MS) {
            formula_process_kill(&trial->process);
            return vx_error_set(error, -ETIMEDOUT, "the formula worker does not answer");
        }
    }
    *report = shared->report;
    text_end(report->abort_text, sizeof(report->abort_text));
    text_end(report->state_text, sizeof(report->state_text));
    text_end(report->error_text, sizeof(report->error_text));
    return 0;
}
