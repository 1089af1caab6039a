/* vx_sim: runs seeds, each in a process of its own, until the time is up or the last is done; a failure is shrunk
 * and printed as a plan that can be kept. At the end: what was exercised, and what was not. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "runner.h"

struct options {
    uint64_t first, last;
    double minutes;
    bool quiet, all_rows, twice, go_on, no_shrink;
    const char *plan_path, *json_path, *digests_path;
};

static int usage(FILE *to)
{
    (void)fprintf(to, "usage: vx_sim [--seeds A..B] [--minutes N] [--twice] [--all-rows] [--quiet] [--go-on] [--no-shrink]\n"
                      "              [--json FILE] [--digests FILE]\n"
                      "       vx_sim --plan FILE     one run, as a kept failure says\n"
                      "  --twice     runs each seed twice and compares the digests\n"
                      "  --all-rows  fails when a row of the state tables was not reached\n"
                      "  --go-on     goes on after a failure, and shrinks none\n"
                      "  --no-shrink ends at a failure without making it smaller\n"
                      "  --digests   appends `seed digest` lines, to compare builds\n");
    return to == stdout ? 0 : 2;
}

static bool seeds_read(const char *text, struct options *options)
{
    char *end;
    options->first = options->last = strtoull(text, &end, 10);
    if (end != text && strncmp(end, "..", 2) == 0)
        options->last = strtoull(end + 2, &end, 10);
    return *text != '\0' && *end == '\0' && options->first <= options->last;
}

static int options_read(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        { "seeds", required_argument, NULL, 's' },   { "minutes", required_argument, NULL, 'm' }, { "plan", required_argument, NULL, 'p' },
        { "json", required_argument, NULL, 'j' },    { "digests", required_argument, NULL, 'd' }, { "quiet", no_argument, NULL, 'q' },
        { "all-rows", no_argument, NULL, 'a' },      { "twice", no_argument, NULL, 't' },         { "go-on", no_argument, NULL, 'g' },         { "no-shrink", no_argument, NULL, 'n' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    *options = (struct options){ .first = 1, .last = 50 };
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (name == 's' && seeds_read(optarg, options))
            continue;
        if (name == 'm' && (options->minutes = strtod(optarg, NULL)) > 0)
            continue;
        options->plan_path = name == 'p' ? optarg : options->plan_path;
        options->json_path = name == 'j' ? optarg : options->json_path;
        options->digests_path = name == 'd' ? optarg : options->digests_path;
        options->quiet = options->quiet || name == 'q';
        options->all_rows = options->all_rows || name == 'a';
        options->twice = options->twice || name == 't';
        options->go_on = options->go_on || name == 'g';
        options->no_shrink = options->no_shrink || name == 'n';
        if (name == 'h' || strchr("pjdqatgn", name) == NULL)
            return usage(name == 'h' ? stdout : stderr) + 1;
    }
    return optind == argc ? 0 : usage(stderr) + 1;
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int fail(const struct sim_plan *plan, const struct sim_report *report, bool shrink)
{
    struct sim_plan small = *plan;
    (void)printf("seed %lu FAILS at %lu ms: %s\n", plan->seed, report->at_ms, report->text);
    (void)fflush(stdout);
    if (!shrink)
        return 1;
    struct sim_report *last = runner_shrink(&small, report);
    (void)printf("\nshrunk to %u players, %u ms, %u faults; keep it as tests/sim/regressions/NAME.plan:\n\n# at %lu ms: %s\n", small.players, small.duration_ms, small.fault_count,
                 last->at_ms, last->text);
    sim_plan_print(&small, stdout);
    return 1;
}

static int one_plan(const char *path)
{
    struct sim_plan plan;
    struct vx_error error;
    if (sim_plan_read(path, &plan, &error) != 0) {
        (void)fprintf(stderr, "vx_sim: %s\n", error.text);
        return 2;
    }
    const struct sim_report *report = runner_run(&plan);
    if (report->outcome != SIM_CLEAN) {
        (void)printf("%s FAILS at %lu ms: %s\n", path, report->at_ms, report->text);
        return 1;
    }
    (void)printf("%s: clean, digest %016lx, %lu steps, %lu actions\n", path, report->digest, report->steps, report->actions);
    return 0;
}

static int seed_run(const struct options *options, uint64_t seed, FILE *digests)
{
    struct sim_plan plan;
    sim_plan_make(seed, &plan);
    const struct sim_report *report = runner_run(&plan);
    if (report->outcome != SIM_CLEAN)
        return fail(&plan, report, !options->go_on && !options->no_shrink);
    summary_add(report);
    if (digests != NULL)
        (void)fprintf(digests, "%lu %016lx\n", seed, report->digest);
    uint64_t digest = report->digest;
    if (options->twice && runner_run(&plan)->digest != digest) {
        (void)printf("seed %lu FAILS: its second run has another digest\n", seed);
        return 1;
    }
    return 0;
}

static int seeds_run(const struct options *options)
{
    FILE *digests = options->digests_path != NULL ? fopen(options->digests_path, "a") : NULL;
    double began = now_s(), told = began;
    int rc = 0;
    uint64_t seed = options->first, failed = 0;
    for (; rc == 0 && seed <= options->last && (options->minutes == 0 || now_s() - began < options->minutes * 60); seed++) {
        rc = seed_run(options, seed, digests);
        failed += rc != 0;
        rc = options->go_on ? 0 : rc;
        if (!options->quiet && now_s() - told >= 5) {
            told = now_s();
            summary_progress(seed, told - began);
        }
    }
    if (digests != NULL)
        (void)fclose(digests);
    if (rc == 0)
        rc = summary_print(options->first, seed - 1, now_s() - began, options->all_rows, options->quiet);
    if (failed > 0)
        rc = printf("%lu of %lu seeds failed\n", failed, seed - options->first) > 0;
    return rc != 0 || options->json_path == NULL ? rc : summary_json(options->json_path, options->first, seed - 1, now_s() - began);
}

int main(int argc, char **argv)
{
    struct options options;
    int rc = options_read(argc, argv, &options);
    if (rc != 0)
        return rc - 1;
    sim_eal();
    runner_open();
    return options.plan_path != NULL ? one_plan(options.plan_path) : seeds_run(&options);
}
