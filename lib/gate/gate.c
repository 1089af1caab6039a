/* What the gate does in which order. The first thing that is wrong is the report's reason; nothing after it is tried. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gate_private.h"

const char *vx_gate_reason_name(enum vx_gate_reason reason)
{
    static const char *const names[] = {
#define VX_GATE_REASON_NAME(name, text, sentence) text,
        VX_GATE_REASONS(VX_GATE_REASON_NAME)
#undef VX_GATE_REASON_NAME
    };
    return (unsigned)reason < VX_GATE_REASON_COUNT ? names[reason] : "?";
}

bool gate_refuse(struct gate *gate, enum vx_gate_reason reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(gate->report->sentence, sizeof(gate->report->sentence), format, args);
    va_end(args);
    gate->report->reason = reason;
    return false;
}

void gate_job_text(const struct gate *gate, const struct vx_job *job, char *text, size_t bytes)
{
    const struct vx_formula_about *about = &vx_formula_abouts[gate->report->kind];
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < about->input_count && used < bytes; i++)
        if (gate->report->declared.inputs_used >> i & 1)
            used += (size_t)snprintf(text + used, bytes - used, "%s %.9g, ", about->inputs[i].name, (double)job->in[i]);
    if (used < bytes)
        (void)snprintf(text + used, bytes - used, "seed %llu", (unsigned long long)job->seed);
}

static double now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* ---- check ---- */

/* The formula's own mistakes are a refusal, the system's are not: errno tells them apart. */
static bool is_refusal(int rc)
{
    return rc == -EINVAL || rc == -ETIMEDOUT || rc == -ECHILD || rc == -EFBIG;
}

static int check(struct gate *gate, uint32_t kind, const struct vx_formula_text *text, struct vx_error *error)
{
    *gate->report = (struct vx_gate_report){ .kind = kind };
    int rc = vx_trial_open(&gate->config->trial, kind, text, &gate->candidate.trial, error);
    if (rc == 0) {
        gate->report->declared = *vx_trial_declared(gate->candidate.trial);
        gate->report->candidate.version = gate->report->declared.version;
        return 0;
    }
    if (!is_refusal(rc))
        return rc;
    (void)gate_refuse(gate, VX_GATE_CHECK, "%s", error->text);
    return 0;
}

static bool refused(const struct gate *gate)
{
    return gate->report->reason != VX_GATE_NONE;
}

/* ---- rounds ---- */

static bool ended(struct gate *gate, const struct vx_job *jobs, uint32_t at, const struct vx_error *error)
{
    char job[128];
    gate_job_text(gate, &jobs[at], job, sizeof(job));
    return gate_refuse(gate, VX_GATE_ENDED, "%s on one of 64 jobs, the first of which is %s", error->text, job);
}

/* One version's chunk of jobs from `first` on, in the round `time`. false: it has ended its worker. */
static bool chunk(struct gate *gate, struct gate_side *side, uint32_t first, unsigned time)
{
    struct vx_trial_cost costs[GATE_CHUNK / VX_FORMULA_BATCH_JOBS];
    struct vx_error error;
    uint32_t count = gate->count - first < GATE_CHUNK ? gate->count - first : GATE_CHUNK, at = 0;
    struct vx_trial_answer *answers = (time == 0 ? side->answers : gate->again) + first;
    if (vx_trial_run(side->trial, VX_TRIAL_RAW, gate->jobs + first, count, answers, costs, &at, &error) != 0)
        return side == &gate->candidate && ended(gate, gate->jobs + first, at, &error);
    for (uint32_t i = 0; i < count / VX_FORMULA_BATCH_JOBS; i++) {
        gate_cost_keep(&side->best[first / VX_FORMULA_BATCH_JOBS + i], &costs[i], time == 0);
        side->allocated += time == GATE_TIMES - 1 ? costs[i].allocated : 0;
    }
    return true;
}

static void drop_live(struct gate *gate)
{
    if (gate->live.trial != NULL)
        vx_trial_close(gate->live.trial);
    gate->live.trial = NULL;
}

static bool rounds(struct gate *gate)
{
    for (unsigned time = 0; time < GATE_TIMES; time++) {
        for (uint32_t first = 0; first < gate->count; first += GATE_CHUNK) {
            if (gate->live.trial != NULL && !chunk(gate, &gate->live, first, time))
                drop_live(gate); /* a live version that fails here is not the candidate's fault */
            if (!chunk(gate, &gate->candidate, first, time))
                return false;
        }
        if (time > 0 && !gate_answers_equal(gate, gate->jobs, gate->again, gate->count, 1, "the next time"))
            return false;
    }
    return true;
}

/* Every job once more, in other batches and beside other neighbours; the step has no divisor in common with the count. */
static bool another_order(struct gate *gate)
{
    enum { STEP = 1000003 };
    struct vx_error error;
    uint32_t at = 0;
    for (uint32_t i = 0; i < gate->count; i++)
        gate->shuffled[i] = gate->jobs[(uint64_t)i * STEP % gate->count];
    if (vx_trial_run(gate->candidate.trial, VX_TRIAL_RAW, gate->shuffled, gate->count, gate->again, NULL, &at, &error) != 0)
        return ended(gate, gate->shuffled, at, &error);
    return gate_answers_equal(gate, gate->shuffled, gate->again, gate->count, STEP, "in another batch");
}

/* Jobs of every sort, without the compiler. */
static bool interpreted(struct gate *gate)
{
    struct vx_error error;
    uint32_t step = gate->count / GATE_INTERPRETED, at = 0;
    for (uint32_t i = 0; i < GATE_INTERPRETED; i++)
        gate->shuffled[i] = gate->jobs[i * step];
    if (vx_trial_run(gate->candidate.trial, VX_TRIAL_INTERPRETED, gate->shuffled, GATE_INTERPRETED, gate->again, NULL, &at, &error) != 0)
        return ended(gate, gate->shuffled, at, &error);
    return gate_answers_equal(gate, gate->shuffled, gate->again, GATE_INTERPRETED, step, "when it is not compiled");
}

/* ---- what the worker saw ---- */

static uint32_t failures(const struct gate_side *side, uint32_t batches)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batches; i++)
        count += side->best[i].failures;
    return count;
}

static bool inspected(struct gate *gate)
{
    struct vx_trial_report seen;
    struct vx_error error;
    if (vx_trial_inspect(gate->candidate.trial, &seen, &error) != 0)
        return gate_refuse(gate, VX_GATE_ENDED, "%s", error.text);
    gate->report->candidate.traces = seen.traces;
    gate->report->candidate.aborts = seen.aborts;
    uint32_t raised = failures(&gate->candidate, gate->batches);
    if (raised > 0)
        return gate_refuse(gate, VX_GATE_RAISED, "%u of %u jobs raised an error: %s", raised, gate->count, seen.error_text);
    if (seen.keeps_state)
        return gate_refuse(gate, VX_GATE_STATE, "it keeps state from job to job: %s has changed", seen.state_text);
    if (seen.interpreted > 0 || seen.aborts > 0 || seen.flushes > 0)
        return gate_refuse(gate, VX_GATE_NOT_COMPILED, "not all of it is compiled (%u traces given up, %u end in the interpreter): %s", seen.aborts, seen.interpreted,
                           seen.abort_text);
    if (gate->live.trial != NULL && vx_trial_inspect(gate->live.trial, &seen, &error) == 0) {
        gate->report->live.traces = seen.traces;
        gate->report->live.aborts = seen.aborts;
    }
    return true;
}

/* ---- all of it ---- */

static void judge(struct gate *gate)
{
    if (!rounds(gate) || !inspected(gate) || !gate_answers_good(gate) || !another_order(gate) || !interpreted(gate))
        return;
    gate_times(gate, &gate->candidate, &gate->report->candidate);
    gate_spreads(gate, &gate->candidate, &gate->report->candidate);
    if (gate->live.trial != NULL) {
        gate->report->live.version = vx_trial_declared(gate->live.trial)->version;
        gate_times(gate, &gate->live, &gate->report->live);
        gate_spreads(gate, &gate->live, &gate->report->live);
        gate_differences(gate);
    }
    if (gate_times_good(gate) && gate_means_good(gate))
        (void)snprintf(gate->report->sentence, sizeof(gate->report->sentence), "passed %u jobs", gate->count);
}

static bool side_allocate(struct gate_side *side)
{
    side->answers = calloc(GATE_JOBS_MAX, sizeof(*side->answers));
    side->best = calloc(GATE_BATCHES_MAX, sizeof(*side->best));
    return side->answers != NULL && side->best != NULL;
}

static bool allocate(struct gate *gate)
{
    gate->jobs = calloc(GATE_JOBS_MAX, sizeof(*gate->jobs));
    gate->shuffled = calloc(GATE_JOBS_MAX, sizeof(*gate->shuffled));
    gate->again = calloc(GATE_JOBS_MAX, sizeof(*gate->again));
    return gate->jobs != NULL && gate->shuffled != NULL && gate->again != NULL && side_allocate(&gate->candidate) && side_allocate(&gate->live);
}

static void release(struct gate *gate)
{
    drop_live(gate);
    if (gate->candidate.trial != NULL)
        vx_trial_close(gate->candidate.trial);
    free(gate->jobs);
    free(gate->shuffled);
    free(gate->again);
    free(gate->candidate.answers);
    free(gate->candidate.best);
    free(gate->live.answers);
    free(gate->live.best);
}

static void objective_set(struct gate *gate)
{
    const struct vx_gate_objective *given = &gate->config->objective;
    gate->objective = (struct vx_gate_objective){
        .batch_us_p999 = given->batch_us_p999 > 0 ? given->batch_us_p999 : 20,
        .batch_us_max = given->batch_us_max > 0 ? given->batch_us_max : 100,
        .times_live = given->times_live > 0 ? given->times_live : 2,
        .bytes_per_job = given->bytes_per_job > 0 ? given->bytes_per_job : 0.25,
    };
}

void vx_gate_check(const struct vx_gate_config *config, uint32_t kind, const struct vx_formula_text *text, struct vx_gate_report *report)
{
    struct gate gate = { .config = config, .report = report };
    struct vx_error error = { "" };
    double began_ms = now_ms();
    if (check(&gate, kind, text, &error) != 0)
        (void)gate_refuse(&gate, VX_GATE_CHECK, "%s", error.text);
    if (!refused(&gate))
        (void)snprintf(report->sentence, sizeof(report->sentence), "the file is good, %u examples", report->declared.examples);
    report->took_ms = now_ms() - began_ms;
    release(&gate);
}

int vx_gate_run(const struct vx_gate_config *config, uint32_t kind, const struct vx_formula_text *text, const struct vx_formula_text *live,
                const struct vx_job *recorded, uint32_t recorded_count, struct vx_gate_report *report, struct vx_error *error)
{
    struct gate gate = { .config = config, .report = report };
    struct vx_error ignored;
    double began_ms = now_ms();
    objective_set(&gate);
    int rc = check(&gate, kind, text, error);
    if (rc == 0 && !refused(&gate)) {
        if (!allocate(&gate)) {
            rc = vx_error_set(error, -ENOMEM, "gate: no memory for %d jobs", GATE_JOBS_MAX);
        } else {
            if (live != NULL && vx_trial_open(&config->trial, kind, live, &gate.live.trial, &ignored) != 0)
                gate.live.trial = NULL;
            gate_jobs_make(&gate, config->seed, recorded, recorded_count);
            judge(&gate);
        }
    }
    report->took_ms = now_ms() - began_ms;
    release(&gate);
    return rc;
}
