/* gate: whether a formula may play. Checks its file, then runs it beside the live version, in workers of their own, over
 * made-up jobs from all over its declared ranges (evenly, slice by slice of each input, at the ends and in the corners) and
 * over recorded ones, and holds what comes out against an objective:
 *
 *   answers finite and inside their declared ranges · the same job twice, in another batch, and without the compiler: the same
 *   answer · no state between jobs · compiled, with no trace given up · no allocation per job · time per job and per batch
 *
 * Every batch is timed three times and counts with its shortest: what the machine does meanwhile is in one time and not in the
 * others, what the formula does is in all of them.
 * Any thread but the data plane's; takes half a second of one core at the lowest priority. */
#ifndef VX_GATE_H
#define VX_GATE_H

#include <jansson.h>

#include "vx_trial.h"

struct vx_gate_objective {
    double batch_us_p999;   /* of batches of 64 jobs; default 20 */
    double batch_us_max;    /* the worst one; default 100 */
    double times_live;      /* p50 and p99.9 at most so many times the live version's; default 2 */
    double bytes_per_job;   /* taken from the heap; default 0.25: a trace of a rare branch now and then */
};
struct vx_gate_config {
    struct vx_trial_config trial;
    struct vx_gate_objective objective; /* zeros: the defaults */
    uint64_t seed;                      /* of the made-up jobs */
};

/* What the gate refuses for; each row has a test that is refused for it. */
#define VX_GATE_REASONS(X)                                                                         \
    X(NONE, "none", "accepted")                                                                    \
    X(CHECK, "check", "the file: syntax, declaration, examples, or it does not load")              \
    X(ENDED, "ended", "it ended its worker: a loop, the stack, memory")                            \
    X(RAISED, "raised", "it raised an error")                                                      \
    X(NOT_FINITE, "not_finite", "an answer is not a finite number")                                \
    X(OUT_OF_RANGE, "out_of_range", "an answer is outside of its declared range")                  \
    X(NOT_REPEATED, "not_repeated", "the same job got another answer")                             \
    X(STATE, "state", "a local of the file changes from job to job")                               \
    X(NOT_COMPILED, "not_compiled", "part of it runs in the interpreter, or a trace was given up") \
    X(ALLOCATES, "allocates", "it takes memory for every job")                                     \
    X(SLOW, "slow", "its time is over the objective or its own limit")                             \
    X(SLOWER, "slower", "its time is over so many times the live version's")                       \
    X(MEAN, "mean", "an output's mean is outside of limits.mean")
enum vx_gate_reason {
#define VX_GATE_REASON_ENUM(name, text, sentence) VX_GATE_##name,
    VX_GATE_REASONS(VX_GATE_REASON_ENUM)
#undef VX_GATE_REASON_ENUM
        VX_GATE_REASON_COUNT
};
/* The reason's text in the list above. */
const char *vx_gate_reason_name(enum vx_gate_reason reason);

struct vx_gate_spread { /* of an output, over the evenly drawn jobs */
    double mean, least, p50, p99, most;
};
struct vx_gate_side { /* one version */
    uint32_t version; /* 0: there is none */
    double job_ns_p50, job_ns_p99, job_ns_p999, job_ns_max; /* of a batch's jobs, by batches */
    double batch_us_p999, batch_us_max, pause_us_max;       /* pause: with the collection behind the batch */
    double bytes_per_job;
    uint32_t traces, aborts;
    struct vx_gate_spread outputs[VX_JOB_OUTPUTS];
};
struct vx_gate_difference { /* candidate less live, over all jobs */
    double mean, mean_size, p99_size, largest;
    double part; /* of the jobs whose answers differ */
};
struct vx_gate_report {
    uint32_t kind;
    enum vx_gate_reason reason; /* NONE: passed */
    char sentence[256];         /* why, with the job where there is one */
    struct vx_formula_declared declared; /* of the candidate, from its check on */
    struct vx_gate_side candidate, live;
    struct vx_gate_difference differences[VX_JOB_OUTPUTS]; /* live.version > 0 */
    uint32_t jobs_made, jobs_recorded;
    double took_ms;
};

/* Only the file: syntax, sandbox, declaration, its own examples. */
void vx_gate_check(const struct vx_gate_config *config, uint32_t kind, const struct vx_formula_text *text, struct vx_gate_report *report);
/* All of it. live: NULL when there is none to compare with; one that fails itself is left out. recorded: jobs of this kind that were
 * played (only in and seed are used). The report is filled in either case; -E… only when the system fails (no process, no memory). */
int vx_gate_run(const struct vx_gate_config *config, uint32_t kind, const struct vx_formula_text *text, const struct vx_formula_text *live,
                const struct vx_job *recorded, uint32_t recorded_count, struct vx_gate_report *report, struct vx_error *error);

/* The report for programs (a new reference) and, from that, for people: the table side by side; the caller frees. */
json_t *vx_gate_json(const struct vx_gate_report *report);
char *vx_gate_table(const json_t *report);

#endif
