/* The parent's side: runs plans in processes of their own, shrinks those that fail, and sums up. */
#ifndef SIM_RUNNER_H
#define SIM_RUNNER_H

#include "sim.h"

void runner_open(void);
/* Runs the plan; an assertion, a signal or a hang is a violation like any other. Valid until the next run. */
struct sim_report *runner_run(const struct sim_plan *plan);
/* Makes the plan smaller while it still fails, by any violation; returns the last failure's report. */
struct sim_report *runner_shrink(struct sim_plan *plan, const struct sim_report *first);

void summary_add(const struct sim_report *report);
void summary_progress(uint64_t seed, double seconds);
/* 1 when rows are asked for and one was never taken. */
int summary_print(uint64_t first, uint64_t last, double seconds, bool all_rows, bool quiet);
int summary_json(const char *path, uint64_t first, uint64_t last, double seconds);

#endif
