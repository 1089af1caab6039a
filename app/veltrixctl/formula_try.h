/* `formula try`: a formula at a designer's desk, in the appliance's own worker and without an appliance.
 *
 *   formula_try.c       the command: sides opened, asked, timed; the gate     formula_try_set.c    which jobs: NAME=VALUE, CSV, JSON
 *   formula_try_show.c  what came out, as JSON and as tables                  formula_try_plot.c   as a picture: letters, or gnuplot's PNG */
#ifndef VX_CTL_FORMULA_TRY_H
#define VX_CTL_FORMULA_TRY_H

#include "ctl.h"
#include "vx_gate.h"

enum {
    TRY_JOBS_MAX = 1 << 17, /* a sweep of 1024 steps with 128 seeds, or a day's worth of captures */
    TRY_STEPS_MAX = 1024,
    TRY_SEEDS_MAX = 4096,
    TRY_WORDS_BYTES = 2048,
};

/* The jobs: rows, each with one job for every seed. */
struct try_set {
    uint32_t kind;
    struct vx_job *jobs; /* [rows * seeds], a row's one after the other; the owner frees */
    uint32_t rows, seeds;
    int over;      /* the input that changes from row to row; -1: none */
    bool captured; /* out of a file: all inputs change */
};
struct try_wish {
    const char *inputs; /* "distance_m=0..90 weapon=2" */
    const char *file;   /* of captured jobs; NULL: none */
    uint32_t steps, seeds, seed;
};
/* What a wish says, with the middle of its range for every input that it does not name. 0, or a negative errno with the sentence. */
int try_set_make(const struct try_wish *wish, uint32_t kind, const struct vx_formula_declared *declared, struct try_set *set, struct vx_error *error);
/* Index of an input of the kind, or -1; used: bits of those that count. */
int try_input_find(uint32_t kind, uint32_t used, const char *name, size_t bytes);

/* One version. */
struct try_side {
    struct vx_formula_text text;
    struct vx_trial *trial; /* NULL: there is no such side */
    const struct vx_formula_declared *declared;
    struct vx_trial_answer *answers; /* [jobs], as in play */
    struct vx_trial_report seen;
    uint32_t moved;    /* answers that play moves into their declared range */
    uint32_t failures; /* jobs for which it raised an error */
    double job_ns_p50, job_ns_p99;
};
struct try_run {
    struct try_set set;
    struct try_side sides[2]; /* the formula, and the one it is held against */
};

/* {"kind", "inputs", "rows", "outputs", "versions"}; a new reference. */
json_t *try_json(const struct try_run *run);
/* The same for a person, at most `rows` of the rows; 0: none, for a picture has shown them. */
void try_print(const json_t *result, uint32_t rows);

struct try_plot {
    uint32_t output;
    int over;        /* input on the horizontal axis */
    const char *png; /* NULL: letters on the terminal */
};
/* 0, or a negative errno with the sentence: -ENOENT without gnuplot, and how to get it. */
int try_plot(const struct try_run *run, const struct try_plot *plot, struct vx_error *error);

extern const struct vx_control_command formula_try_commands[];

#endif
