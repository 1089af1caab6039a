/* What the formula tests have in common: folders with formulas made up for a test, a pump that offers jobs
 * and takes answers, and the shipped formulas once more in C. */
#ifndef FORMULA_TEST_H
#define FORMULA_TEST_H

#include "vx_formula.h"
#include "vx_test.h"

enum { TEST_LANES = 2 };

/* A folder with the shipped formulas, of which a test may overwrite some. */
struct test_folder {
    char path[VX_PATH_BYTES];
};
void folder_make(struct test_folder *folder);
void folder_remove(const struct test_folder *folder);
/* text NULL: the file is removed. */
void folder_write(const struct test_folder *folder, const char *name, const char *text, size_t bytes);
/* One formula's file from its declarations' usual form and the function's body. */
void folder_write_battle(const struct test_folder *folder, const char *before, const char *body);
/* A copy of lua/runtime, in whose batch.lua `from` is replaced by `to`. */
void folder_write_runtime(const struct test_folder *folder, const char *from, const char *to);
/* A program `name` that runs the worker with its output to `name`.stderr and, when trace is set, its log to `name`.trace. */
void folder_write_worker(const struct test_folder *folder, const char *name, bool trace);
char *file_read(const char *path, size_t *bytes); /* with a 0 after it; free() it */

const char *shipped_formulas(void);
const char *shipped_runtime(void);
const char *worker_program(void);

/* formulas, runtime, worker NULL: the shipped ones. */
int formula_start(const char *formulas, const char *runtime, const char *worker, uint32_t lanes, struct vx_formula **formula, struct vx_error *error);

/* ---- jobs ---- */

/* All jobs of a test with the answers that came, by id; asked in order, lane by id. */
struct test_jobs {
    struct vx_job *jobs;
    struct vx_event *answers;
    uint8_t *answered;
    uint32_t *lane_next; /* [TEST_LANES] */
    uint32_t count, done, lanes;
    uint32_t twice;      /* answers to what was answered before or never asked */
};
void jobs_make(struct test_jobs *jobs, uint32_t count, uint32_t lanes);
void jobs_free(struct test_jobs *jobs);
/* A job of the kind from all over the declared ranges. */
struct vx_job job_random(struct vx_rng *rng, uint8_t kind, uint32_t id);
/* One pass of every lane: submit, flush, poll; then supervise. False when all jobs are answered. */
bool jobs_pass(struct test_jobs *jobs, struct vx_formula *formula);
/* Passes until everything is answered or ms have gone by; true when everything is. */
bool jobs_run(struct test_jobs *jobs, struct vx_formula *formula, uint32_t ms);
/* The shipped formula's answer, recomputed. */
void job_expected(const struct vx_job *job, float out[VX_JOB_OUTPUTS]);
unsigned outputs_of(uint8_t kind);
bool answer_right(const struct vx_job *job, const struct vx_event *answer);
/* Answers that are not what the shipped formulas give, among jobs for which skip is false. */
uint32_t jobs_wrong(const struct test_jobs *jobs, bool (*skip)(const struct vx_job *job));
uint32_t ms_now(void);

#endif
