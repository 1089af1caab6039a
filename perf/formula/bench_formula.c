/* vx_bench_formula: what a job costs in the worker, and how many jobs a second it answers, per kind: full batches
 * through one lane to a real worker, busy nanoseconds by the jobs from its own counters. Medians of the repeats
 * are printed. The inputs lie all over the declared ranges and there are a million of them: 16,384, again and
 * again, are few enough for a branch predictor to know by heart (battle, with branches: 9 ns instead of 13).
 * Worker and this program each have a CPU; left to the scheduler they share one in one start out of twenty, and
 * the worker's busy time then contains the other's turns (28 to 75 ns). */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vx_formula.h"

enum { JOBS = 1 << 20, BATCH = 64, REPEATS_MAX = 101, GIVE_UP_S = 60 };

static struct vx_job jobs[JOBS];

struct options {
    const char *worker, *formulas, *runtime, *json;
    int cpu;
    unsigned repeats, batches;
};

static void jobs_make(const struct vx_formula *formula, uint8_t kind)
{
    struct vx_rng rng = { 1 + kind };
    const struct vx_formula_declared *declared = vx_formula_declared(formula, vx_formula_live_seat(formula), kind);
    for (uint32_t i = 0; i < JOBS; i++) {
        jobs[i] = (struct vx_job){ .formula = kind, .id = i, .seed = vx_rng_next(&rng) >> 12 };
        vx_formula_draw(kind, declared, &rng, 0, jobs[i].in);
    }
}

/* Keeps the lane full until `batches` full batches are answered; false when the worker does not answer. */
static bool run(struct vx_formula *formula, unsigned batches)
{
    struct vx_event events[BATCH];
    uint32_t offered = 0, answered = 0, all = batches * BATCH;
    time_t began = time(NULL);
    while (answered < all) {
        uint32_t at = offered % JOBS, count = all - offered < BATCH ? all - offered : BATCH;
        offered += vx_formula_submit(formula, 0, &jobs[at], count < JOBS - at ? count : JOBS - at);
        uint32_t taken = vx_formula_poll(formula, 0, events, BATCH);
        answered += taken;
        if (taken == 0) {
            vx_formula_supervise(formula);
            if (time(NULL) - began > GIVE_UP_S)
                return false;
        }
    }
    return true;
}

static int by_value(const void *one, const void *two)
{
    double a = *(const double *)one, b = *(const double *)two;
    return (a > b) - (a < b);
}

struct figures {
    double ns_per_job, jobs_per_s;
};

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Medians over the repeats of busy time by jobs and of jobs by wall time; false when the worker does not answer. */
static bool measure(struct vx_formula *formula, uint8_t kind, const struct options *options, struct figures *figures)
{
    double ns[REPEATS_MAX], per_s[REPEATS_MAX];
    struct vx_formula_counters before, after;
    jobs_make(formula, kind);
    if (!run(formula, options->batches)) /* rare branches get their traces */
        return false;
    for (unsigned repeat = 0; repeat < options->repeats; repeat++) {
        vx_formula_counters(formula, &before);
        double began_s = now_s();
        if (!run(formula, options->batches))
            return false;
        per_s[repeat] = (double)options->batches * BATCH / (now_s() - began_s);
        vx_formula_counters(formula, &after);
        ns[repeat] = (double)(after.busy_ns[kind] - before.busy_ns[kind]) / (double)(after.jobs[kind] - before.jobs[kind]);
    }
    qsort(ns, options->repeats, sizeof(ns[0]), by_value);
    qsort(per_s, options->repeats, sizeof(per_s[0]), by_value);
    *figures = (struct figures){ ns[options->repeats / 2], per_s[options->repeats / 2] };
    return true;
}

static int write_json(const char *path, const struct figures figures[VX_FORMULA_KINDS])
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    (void)fprintf(file, "{");
    for (unsigned kind = 0; kind < VX_FORMULA_KINDS; kind++)
        (void)fprintf(file, "%s\"formula_%s_ns_per_job\": %.2f, \"formula_%s_jobs_per_s\": %.0f", kind > 0 ? ", " : "", vx_formula_abouts[kind].name,
                      figures[kind].ns_per_job, vx_formula_abouts[kind].name, figures[kind].jobs_per_s);
    (void)fprintf(file, "}\n");
    return fclose(file) == 0 ? 0 : 1;
}

static bool options_read(int argc, char **argv, struct options *options)
{
    static const struct option all[] = {
        { "worker", required_argument, NULL, 'w' }, { "formulas", required_argument, NULL, 'f' }, { "runtime", required_argument, NULL, 'r' },
        { "json", required_argument, NULL, 'j' },   { "cpu", required_argument, NULL, 'c' },      { "repeats", required_argument, NULL, 'n' },
        { "batches", required_argument, NULL, 'b' }, { NULL, 0, NULL, 0 },
    };
    int name;
    while ((name = getopt_long(argc, argv, "", all, NULL)) != -1) {
        switch (name) {
        case 'w': options->worker = optarg; break;
        case 'f': options->formulas = optarg; break;
        case 'r': options->runtime = optarg; break;
        case 'j': options->json = optarg; break;
        case 'c': options->cpu = atoi(optarg); break;
        case 'n': options->repeats = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'b': options->batches = (unsigned)strtoul(optarg, NULL, 10); break;
        default: return false;
        }
    }
    return optind == argc && options->repeats >= 1 && options->repeats <= REPEATS_MAX && options->batches >= 1 && options->batches <= 1u << 20;
}

/* On any CPU but the worker's. With one CPU only there is no other, and the figures say so by themselves. */
static void pin_beside(int cpu)
{
    cpu_set_t set;
    if (cpu < 0 || sched_getaffinity(0, sizeof(set), &set) != 0)
        return;
    CPU_CLR(cpu, &set);
    (void)sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
    struct options options = { .worker = VX_WORKER, .formulas = VX_LUA_FOLDER "/formulas", .runtime = VX_LUA_FOLDER "/runtime", .cpu = 1,
                               .repeats = 15, .batches = 4000 };
    struct figures figures[VX_FORMULA_KINDS] = { 0 };
    struct vx_formula *formula;
    struct vx_error error;
    if (!options_read(argc, argv, &options)) {
        (void)fprintf(stderr, "usage: vx_bench_formula [--json FILE] [--repeats 1..%d] [--batches N] [--cpu N] [--worker PROGRAM] [--formulas FOLDER] [--runtime FOLDER]\n",
                      REPEATS_MAX);
        return 2;
    }
    pin_beside(options.cpu);
    struct vx_formula_config config = { .worker_path = options.worker, .runtime_folder = options.runtime, .lanes = 1, .cpu = options.cpu };
    if (vx_formula_program_read(options.formulas, &config.program, &error) != 0 || vx_formula_start(&config, &formula, &error) != 0) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    vx_formula_program_free(&config.program);
    int rc = 0;
    for (uint8_t kind = 0; kind < VX_FORMULA_KINDS && rc == 0; kind++) {
        if (!measure(formula, kind, &options, &figures[kind]))
            rc = 1;
        else
            (void)printf("formula %s ns_per_job %.2f jobs_per_s %.0f\n", vx_formula_abouts[kind].name, figures[kind].ns_per_job, figures[kind].jobs_per_s);
    }
    vx_formula_stop(formula);
    if (rc != 0)
        (void)fprintf(stderr, "the worker does not answer\n");
    return rc == 0 && options.json != NULL ? write_json(options.json, figures) : rc;
}
