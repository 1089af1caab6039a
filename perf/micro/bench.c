/* Rounds, medians, options. */
#include "bench.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE_BYTES = 2 << 20 };

void bench_pin(int cpu)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
        perror("bench: --cpus");
}

bool bench_options_read(int argc, char **argv, struct bench_options *options)
{
    static const struct option all[] = { { "rounds", required_argument, NULL, 'r' }, { "cpus", required_argument, NULL, 'c' }, { NULL, 0, NULL, 0 } };
    int name;
    bool good = true;
    *options = (struct bench_options){ 15, { 0, 1 } };
    while ((name = getopt_long(argc, argv, "", all, NULL)) != -1) {
        if (name == 'r')
            options->rounds = (unsigned)strtoul(optarg, NULL, 10);
        else if (name != 'c' || sscanf(optarg, "%d,%d", &options->cpus[0], &options->cpus[1]) != 2)
            good = false;
    }
    if (!good || optind != argc || options->rounds < 1 || options->rounds > BENCH_ROUNDS_MAX) {
        (void)fprintf(stderr, "usage: %s [--rounds 1..%d] [--cpus A,B]\n", argv[0], BENCH_ROUNDS_MAX);
        return false;
    }
    bench_pin(options->cpus[0]);
    return true;
}

void *bench_memory(size_t bytes)
{
    void *memory = aligned_alloc(HUGE_PAGE_BYTES, (bytes + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES);
    if (memory == NULL) {
        (void)fprintf(stderr, "bench: no memory for %zu bytes\n", bytes);
        exit(1);
    }
    (void)madvise(memory, bytes, MADV_HUGEPAGE); /* as DPDK's memory is; the kernel may have none */
    return memset(memory, 0, bytes);
}

static int by_value(const void *one, const void *two)
{
    double a = *(const double *)one, b = *(const double *)two;
    return (a > b) - (a < b);
}

int bench_run(const struct bench_options *options, const struct bench_case *cases, uint32_t count)
{
    double *samples = bench_memory(sizeof(double) * count * options->rounds);
    for (uint32_t i = 0; i < count; i++)
        (void)cases[i].run(cases[i].argument); /* warm up */
    for (uint32_t round = 0; round < options->rounds; round++)
        for (uint32_t i = 0; i < count; i++)
            samples[i * options->rounds + round] = cases[i].run(cases[i].argument);
    for (uint32_t i = 0; i < count; i++) {
        double *own = &samples[i * options->rounds];
        qsort(own, options->rounds, sizeof(*own), by_value);
        printf("%s\t%.2f\t%s\n", cases[i].key, own[options->rounds / 2], cases[i].sentence);
    }
    free(samples);
    return 0;
}
