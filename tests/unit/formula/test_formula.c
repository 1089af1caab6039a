/* formula: a real worker answers every job once and rightly, and its death is nobody's loss. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formula_test.h"

enum { EACH = 10000, ALL_MS = 20000 };

static struct vx_formula *formula;

static void start(uint32_t lanes)
{
    struct vx_error error;
    if (formula_start(NULL, NULL, NULL, lanes, &formula, &error) != 0)
        CU_FAIL_FATAL(error.text);
}

static struct vx_formula_counters counters(void)
{
    struct vx_formula_counters counted;
    vx_formula_counters(formula, &counted);
    return counted;
}

/* `each` jobs of every kind, shuffled. */
static void mix(struct test_jobs *jobs, uint32_t each, uint64_t seed)
{
    struct vx_rng rng = { seed };
    jobs_make(jobs, each * VX_FORMULA_KINDS, TEST_LANES);
    uint8_t *kinds = malloc(jobs->count);
    CU_ASSERT_PTR_NOT_NULL_FATAL(kinds);
    for (uint32_t i = 0; i < jobs->count; i++)
        kinds[i] = (uint8_t)(i % VX_FORMULA_KINDS);
    for (uint32_t i = jobs->count - 1; i > 0; i--) {
        uint32_t other = vx_rng_below(&rng, i + 1);
        uint8_t kind = kinds[i];
        kinds[i] = kinds[other];
        kinds[other] = kind;
    }
    for (uint32_t i = 0; i < jobs->count; i++)
        jobs->jobs[i] = job_random(&rng, kinds[i], i);
    free(kinds);
}

static void every_job_is_answered_once_and_rightly(void)
{
    struct test_jobs jobs;
    start(TEST_LANES);
    mix(&jobs, EACH, 1);
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    CU_ASSERT_EQUAL(jobs.done, jobs.count);
    CU_ASSERT_EQUAL(jobs.twice, 0);
    CU_ASSERT_EQUAL(jobs_wrong(&jobs, NULL), 0);
    struct vx_formula_counters c = counters();
    for (unsigned i = 0; i < VX_FORMULA_KINDS; i++) {
        CU_ASSERT_EQUAL(c.jobs[i], EACH);
        CU_ASSERT(c.batches[i] >= EACH / 64 && c.busy_ns[i] > 0);
        CU_ASSERT(c.failures[i] == 0 && c.given_up[i] == 0);
    }
    CU_ASSERT(c.worker_starts == 2 && c.worker_deaths == 0); /* the live one and the spare */
    for (uint32_t i = 0; i < jobs.count; i++)
        if (jobs.answers[i].c != 1)
            CU_FAIL("the formula's version is in its answers");
    jobs_free(&jobs);
    vx_formula_stop(formula);
}

/* The same jobs in another order, in other batches and beside other neighbours, on the other lane. */
static void the_same_job_has_the_same_answer(void)
{
    struct test_jobs one, two;
    start(TEST_LANES);
    mix(&one, 2000, 2);
    jobs_make(&two, one.count, TEST_LANES);
    for (uint32_t i = 0; i < one.count; i++) {
        two.jobs[i] = one.jobs[one.count - 1 - i];
        two.jobs[i].id = i;
    }
    CU_ASSERT_FATAL(jobs_run(&one, formula, ALL_MS));
    CU_ASSERT_FATAL(jobs_run(&two, formula, ALL_MS));
    uint32_t other = 0;
    for (uint32_t i = 0; i < one.count; i++)
        other += memcmp(one.answers[i].out, two.answers[one.count - 1 - i].out, outputs_of(one.jobs[i].formula) * sizeof(float)) != 0;
    CU_ASSERT_EQUAL(other, 0);
    jobs_free(&one);
    jobs_free(&two);
    vx_formula_stop(formula);
}

/* Inputs that the declarations do not promise: answers stay in range and are the same, whatever they are. */
static void answers_stay_in_range(void)
{
    struct test_jobs jobs;
    struct vx_rng rng = { 3 };
    start(TEST_LANES);
    jobs_make(&jobs, 3000, TEST_LANES);
    for (uint32_t i = 0; i < jobs.count; i++) {
        jobs.jobs[i] = job_random(&rng, (uint8_t)(i % VX_FORMULA_KINDS), i);
        const float strange[] = { __builtin_nanf(""), __builtin_inff(), -__builtin_inff(), 3e38f, -3e38f, 1e-40f, -1e-40f, -0.0f, (float)vx_rng_below(&rng, 1 << 30) - (1 << 29) };
        jobs.jobs[i].in[vx_rng_below(&rng, VX_JOB_INPUTS)] = strange[vx_rng_below(&rng, sizeof(strange) / sizeof(strange[0]))];
    }
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    static const float low[][2] = { { 5, 0 }, { 1, 1 }, { 50 }, { 0.5 }, { 0 } }, high[][2] = { { 60, 1 }, { 400, 50 }, { 2000 }, { 2 }, { 1 } };
    uint32_t outside = 0;
    for (uint32_t i = 0; i < jobs.count; i++)
        for (unsigned k = 0; k < outputs_of(jobs.jobs[i].formula); k++) {
            float value = jobs.answers[i].out[k];
            outside += !(value >= low[jobs.jobs[i].formula][k] && value <= high[jobs.jobs[i].formula][k]);
        }
    CU_ASSERT_EQUAL(outside, 0);
    jobs_free(&jobs);
    vx_formula_stop(formula);
}

/* Killed again and again with batches out. */
static void a_killed_worker_loses_nothing(void)
{
    struct test_jobs jobs;
    uint32_t kills = 0;
    start(TEST_LANES);
    mix(&jobs, EACH, 4);
    uint32_t began = ms_now();
    while (kills < 5 && ms_now() - began < ALL_MS) {
        struct vx_formula_counters before = counters();
        while (jobs.done < jobs.count / 8 * (kills + 1) && ms_now() - began < ALL_MS) /* by progress: a slow machine passes seldom, and the worker goes on meanwhile */
            (void)jobs_pass(&jobs, formula);
        if (before.worker_pid == 0)
            continue;
        /* Stopped first: the jobs that are offered now are in flight when it dies. */
        CU_ASSERT_EQUAL(kill((pid_t)before.worker_pid, SIGSTOP), 0);
        for (uint32_t passes = 0; passes < 20; passes++)
            (void)jobs_pass(&jobs, formula);
        CU_ASSERT(jobs.done < jobs.count);
        CU_ASSERT_EQUAL(kill((pid_t)before.worker_pid, SIGKILL), 0);
        kills++;
        while (counters().worker_starts < 2 + kills && ms_now() - began < ALL_MS)
            (void)jobs_pass(&jobs, formula);
    }
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    CU_ASSERT(jobs.done == jobs.count && jobs.twice == 0);
    CU_ASSERT_EQUAL(jobs_wrong(&jobs, NULL), 0);
    struct vx_formula_counters c = counters();
    CU_ASSERT(c.worker_deaths == kills && c.worker_starts == kills + 2 && c.quarantines == 0); /* who kills from outside blames nobody */
    jobs_free(&jobs);
    vx_formula_stop(formula);
}

/* No worker: what has room is taken, the rest refused at once, and all of the former is answered later. */
static void a_full_lane_refuses_and_forgets_nothing(void)
{
    static struct vx_job offered[2000];
    struct vx_rng rng = { 5 };
    struct vx_event events[64];
    start(TEST_LANES);
    CU_ASSERT_EQUAL(kill((pid_t)counters().worker_pid, SIGSTOP), 0);
    for (uint32_t i = 0; i < 2000; i++)
        offered[i] = job_random(&rng, VX_FORMULA_BATTLE, i);
    uint32_t taken = vx_formula_submit(formula, 1, offered, 2000);
    CU_ASSERT_EQUAL(taken, 1024); /* 16 batches of 64 */
    CU_ASSERT_EQUAL(vx_formula_submit(formula, 1, offered + taken, 10), 0);
    CU_ASSERT_EQUAL(vx_formula_poll(formula, 1, events, 64), 0);
    struct vx_job other = job_random(&rng, VX_FORMULA_LOOT, 1);
    CU_ASSERT_EQUAL(vx_formula_submit(formula, 1, &other, 1), 1);
    vx_formula_flush(formula, 1);
    CU_ASSERT_EQUAL(kill((pid_t)counters().worker_pid, SIGCONT), 0);
    uint32_t next = 0, loot = 0, began = ms_now();
    while (next + loot < taken + 1 && ms_now() - began < ALL_MS) {
        uint32_t count = vx_formula_poll(formula, 1, events, 64);
        for (uint32_t i = 0; i < count; i++) {
            if (events[i].number == 1 && answer_right(&other, &events[i])) {
                loot++;
                continue;
            }
            CU_ASSERT_EQUAL(events[i].number, next); /* of a kind: in order */
            CU_ASSERT(answer_right(&offered[next], &events[i]));
            next++;
        }
    }
    CU_ASSERT(next == taken && loot == 1);
    CU_ASSERT_EQUAL(vx_formula_poll(formula, 0, events, 64), 0);
    vx_formula_stop(formula);
}

static void stop_ends_the_worker(void)
{
    start(1);
    pid_t pid = (pid_t)counters().worker_pid;
    CU_ASSERT_EQUAL(kill(pid, 0), 0);
    vx_formula_stop(formula);
    CU_ASSERT_EQUAL(kill(pid, 0), -1);
}

/* Machine code memory is found by luck near the library: it must not run out at the hundredth start. */
static void starting_works_every_time(void)
{
    for (unsigned i = 0; i < 60; i++) {
        start(TEST_LANES);
        vx_formula_stop(formula);
    }
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "every job is answered once and rightly", every_job_is_answered_once_and_rightly },
        { "the same job has the same answer", the_same_job_has_the_same_answer },
        { "answers stay in range", answers_stay_in_range },
        { "a killed worker loses nothing", a_killed_worker_loses_nothing },
        { "a full lane refuses and forgets nothing", a_full_lane_refuses_and_forgets_nothing },
        { "stop ends the worker", stop_ends_the_worker },
        { "starting works every time", starting_works_every_time },
    };
    return vx_test_main("formula", tests, sizeof(tests) / sizeof(tests[0]));
}
