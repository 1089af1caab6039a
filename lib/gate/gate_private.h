/* The gate's parts: gate.c what is done in which order, gate_jobs.c the jobs, gate_answers.c what is wrong with answers,
 * gate_times.c what batches cost, gate_report.c JSON and table. */
#ifndef GATE_PRIVATE_H
#define GATE_PRIVATE_H

#include "vx_gate.h"

enum {
    GATE_EVEN = 1 << 16,     /* jobs drawn evenly: what is wrong for one in 10,000 is missed once in 700 */
    GATE_SLICES = 32,        /* of each input's range … */
    GATE_SLICE_JOBS = 256,   /* … with so many jobs that have it in this slice and the others anywhere */
    GATE_ENDS = 1 << 14,     /* jobs with half of their inputs at an end of their range */
    GATE_MADE_MAX = GATE_EVEN + VX_JOB_INPUTS * GATE_SLICES * GATE_SLICE_JOBS + GATE_ENDS,
    GATE_RECORDED_MAX = 1 << 14,
    GATE_JOBS_MAX = GATE_MADE_MAX + GATE_RECORDED_MAX,
    GATE_BATCHES_MAX = GATE_JOBS_MAX / VX_FORMULA_BATCH_JOBS,
    GATE_TIMES = 3,
    GATE_CHUNK = 16 * VX_FORMULA_BATCH_JOBS, /* one version's turn, then the other's: both meet the machine's moods */
    GATE_INTERPRETED = 1 << 13,
};

struct gate_side {
    struct vx_trial *trial; /* NULL: not there */
    struct vx_trial_answer *answers; /* [jobs] */
    struct vx_trial_cost *best;      /* [batches]: of each figure the least of its times */
    uint64_t allocated;              /* bytes, in the last round */
};
struct gate {
    const struct vx_gate_config *config;
    struct vx_gate_objective objective;
    struct vx_gate_report *report;
    struct vx_job *jobs;
    uint32_t count, batches;
    struct gate_side candidate, live;
    struct vx_trial_answer *again; /* [jobs]: other rounds' answers */
    struct vx_job *shuffled;       /* [jobs] */
};

/* Sets the report's reason and sentence and returns false, so that a failing step can `return gate_refuse(…)`. */
bool gate_refuse(struct gate *gate, enum vx_gate_reason reason, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* "attacker_rating 1500, target_rating 3, …, seed 17": a job in words. */
void gate_job_text(const struct gate *gate, const struct vx_job *job, char *text, size_t bytes);

/* gate_jobs.c: fills jobs (GATE_JOBS_MAX), whole batches of each sort. */
void gate_jobs_make(struct gate *gate, uint64_t seed, const struct vx_job *recorded, uint32_t recorded_count);

/* gate_answers.c; false: refused. */
bool gate_answers_good(struct gate *gate);
bool gate_answers_equal(struct gate *gate, const struct vx_job *jobs, const struct vx_trial_answer *again, uint32_t count, uint32_t step, const char *how);
bool gate_means_good(struct gate *gate);
void gate_spreads(const struct gate *gate, const struct gate_side *side, struct vx_gate_side *figures);
void gate_differences(struct gate *gate);

/* gate_times.c */
void gate_cost_keep(struct vx_trial_cost *best, const struct vx_trial_cost *cost, bool first);
void gate_times(const struct gate *gate, const struct gate_side *side, struct vx_gate_side *figures);
bool gate_times_good(struct gate *gate);

#endif
