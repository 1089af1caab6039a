/* What the microbenchmarks share. A program is a list of cases; in every round each case is run once, so that a
 * disturbance of the machine falls on all of them, and the median over the rounds is printed:
 * key, tab, value, tab, sentence. perf/micro/run makes tables of that. */
#ifndef VX_BENCH_H
#define VX_BENCH_H

#include <x86intrin.h>

#include "vx_base.h"

struct bench_case {
    const char *key;       /* of the figure, unit last */
    const char *sentence;
    double (*run)(uint32_t argument); /* one round; TSC cycles an item */
    uint32_t argument;
};
struct bench_options {
    unsigned rounds;
    int cpus[2];           /* the program's own, and another's for a second thread */
};
enum { BENCH_ROUNDS_MAX = 1001 };

/* --rounds N (15), --cpus A,B (0,1). Pins the calling thread to A. False, with the usage printed, when they are wrong. */
bool bench_options_read(int argc, char **argv, struct bench_options *options);
/* Pins the calling thread. */
void bench_pin(int cpu);
/* Runs and prints; returns main's exit code. */
int bench_run(const struct bench_options *options, const struct bench_case *cases, uint32_t count);
/* Zeroed, aligned to a huge page's size so that each run finds the same layout; ends the program when there is none. */
void *bench_memory(size_t bytes);

#endif
