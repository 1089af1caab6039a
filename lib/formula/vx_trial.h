/* trial: one formula in a worker process of its own, away from play: for the gate, for shadow runs and for the
 * designer's desk. The same worker, runtime and batches as the appliance's, with three more things: loops that leave answers as
 * the formula gives them, loops that are interpreted, and what each batch cost.
 *
 * A trial belongs to the thread that opened it; several may be open at once. */
#ifndef VX_TRIAL_H
#define VX_TRIAL_H

#include "vx_formula.h"

enum vx_trial_mode {
    VX_TRIAL_LIVE,        /* answers moved into the declared ranges, as in play */
    VX_TRIAL_RAW,         /* as the formula gives them; NaN where it raised an error */
    VX_TRIAL_INTERPRETED, /* the same without the compiler */
};
struct vx_trial_config {
    const char *worker_path, *runtime_folder;
    int cpu;              /* -1: any */
    uint32_t deadline_ms; /* CPU time of a batch; 0: 100 */
    uint32_t memory_mib;  /* 0: 16 */
    uint32_t load_ms;     /* 0: 2000 */
};
/* What the worker saw of the formula from its load up to now. */
struct vx_trial_report {
    uint32_t traces, aborts, flushes;
    uint32_t interpreted;    /* places at which the compiled loop falls back to the interpreter */
    uint32_t keeps_state;    /* a local of the file has another value than after the load */
    char abort_text[128];    /* the last abort: why, and where */
    char state_text[64];     /* the local that changed */
    char error_text[192];    /* the first error that the formula raised */
};
struct vx_trial_answer {
    float out[VX_JOB_OUTPUTS];
};
struct vx_trial_cost { /* of a batch of up to 64 jobs */
    uint32_t ns;        /* evaluation */
    uint32_t pause_ns;  /* with the garbage collection behind it */
    uint32_t allocated; /* bytes */
    uint32_t failures;  /* jobs for which the formula raised an error */
};
struct vx_trial;

/* Starts a worker and loads the formula: syntax, declaration, examples, whether it compiles. 0, or an error that
 * names file and line: -EINVAL (the formula), -ETIMEDOUT (does not end), -ECHILD (ended its worker), -E… (the system). */
int vx_trial_open(const struct vx_trial_config *config, uint32_t kind, const struct vx_formula_text *text, struct vx_trial **trial, struct vx_error *error);
const struct vx_formula_declared *vx_trial_declared(const struct vx_trial *trial);
/* Evaluates jobs in batches of 64; answers: count of them; costs: one for each batch, or NULL. -ETIMEDOUT or -ECHILD
 * when the formula has ended its worker: the trial is good for nothing but closing then, and *job is the first
 * job of the batch it ended on (job may be NULL). */
int vx_trial_run(struct vx_trial *trial, enum vx_trial_mode mode, const struct vx_job *jobs, uint32_t count, struct vx_trial_answer *answers,
                 struct vx_trial_cost *costs, uint32_t *job, struct vx_error *error);
int vx_trial_inspect(struct vx_trial *trial, struct vx_trial_report *report, struct vx_error *error);
void vx_trial_close(struct vx_trial *trial);

#endif
