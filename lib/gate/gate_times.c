/* What batches cost. */
#include <stdlib.h>

#include "gate_private.h"

/* Under this (31 ns a job) a ratio says nothing: the shipped formulas take 0.16 to 0.7 us a batch, and where the machine's two
 * processors are far apart the same batch takes 1 us. */
static const double batch_us_floor = 2;

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void gate_cost_keep(struct vx_trial_cost *best, const struct vx_trial_cost *cost, bool first)
{
    if (first) {
        *best = *cost;
        return;
    }
    best->ns = lesser(best->ns, cost->ns);
    best->pause_ns = lesser(best->pause_ns, cost->pause_ns);
    best->allocated = lesser(best->allocated, cost->allocated);
}

static int by_ns(const void *one, const void *two)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)two;
    return (a > b) - (a < b);
}

void gate_times(const struct gate *gate, const struct gate_side *side, struct vx_gate_side *figures)
{
    static const double jobs = VX_FORMULA_BATCH_JOBS;
    uint32_t *ns = (uint32_t *)gate->again, pause_ns = 0, last = gate->batches - 1;
    for (uint32_t i = 0; i < gate->batches; i++) {
        ns[i] = side->best[i].ns;
        pause_ns = side->best[i].pause_ns > pause_ns ? side->best[i].pause_ns : pause_ns;
    }
    qsort(ns, gate->batches, sizeof(ns[0]), by_ns);
    figures->job_ns_p50 = ns[last / 2] / jobs;
    figures->job_ns_p99 = ns[(uint32_t)(0.99 * last + 0.5)] / jobs;
    figures->job_ns_p999 = ns[(uint32_t)(0.999 * last + 0.5)] / jobs;
    figures->job_ns_max = ns[last] / jobs;
    figures->batch_us_p999 = figures->job_ns_p999 * jobs / 1000;
    figures->batch_us_max = ns[last] / 1000.0;
    figures->pause_us_max = pause_ns / 1000.0;
    figures->bytes_per_job = (double)side->allocated / gate->count;
}

static bool slower(struct gate *gate, const char *what, double candidate_us, double live_us)
{
    double most_us = live_us * gate->objective.times_live;
    if (most_us < batch_us_floor)
        most_us = batch_us_floor;
    return candidate_us <= most_us || gate_refuse(gate, VX_GATE_SLOWER, "%s of its batches of 64 jobs takes %.2f us, the live version's %.2f us, expected at most %g times as much", what,
                                                  candidate_us, live_us, gate->objective.times_live);
}

bool gate_times_good(struct gate *gate)
{
    const struct vx_gate_side *candidate = &gate->report->candidate, *live = &gate->report->live;
    const struct vx_gate_objective *objective = &gate->objective;
    static const double batch_us = VX_FORMULA_BATCH_JOBS / 1000.0;
    double limit_ns = gate->report->declared.job_ns;
    if (candidate->bytes_per_job > objective->bytes_per_job)
        return gate_refuse(gate, VX_GATE_ALLOCATES, "it takes %.1f bytes for each job, expected none", candidate->bytes_per_job);
    /* The median first: whatever else the machine does, it is the formula's own. */
    if (live->version != 0 && !slower(gate, "half", candidate->job_ns_p50 * batch_us, live->job_ns_p50 * batch_us))
        return false;
    if (candidate->batch_us_p999 > objective->batch_us_p999)
        return gate_refuse(gate, VX_GATE_SLOW, "p99.9 of its batches of 64 jobs is %.2f us, the objective is %g us", candidate->batch_us_p999, objective->batch_us_p999);
    if (candidate->batch_us_max > objective->batch_us_max || candidate->pause_us_max > objective->batch_us_max)
        return gate_refuse(gate, VX_GATE_SLOW, "its worst batch of 64 jobs takes %.2f us (with garbage collection %.2f us), the objective is %g us", candidate->batch_us_max,
                           candidate->pause_us_max, objective->batch_us_max);
    if (live->version != 0 && !slower(gate, "p99.9", candidate->batch_us_p999, live->batch_us_p999))
        return false;
    /* Its own limit is for a quiet machine: where the live version is over it too, it says nothing about the candidate. */
    if (limit_ns > 0 && candidate->job_ns_p50 > limit_ns && (live->version == 0 || live->job_ns_p50 <= limit_ns))
        return gate_refuse(gate, VX_GATE_SLOW, "half of its jobs take %.1f ns or more, limits.job_ns says %g", candidate->job_ns_p50, limit_ns);
    return true;
}
