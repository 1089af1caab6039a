/* The pump, and the shipped formulas in C: the same operations in the same order on doubles, so that the
 * answers must be equal to the last bit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "formula_test.h"

uint32_t ms_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

int formula_start(const char *formulas, const char *runtime, const char *worker, uint32_t lanes, struct vx_formula **formula, struct vx_error *error)
{
    struct vx_formula_config config = { .worker_path = worker != NULL ? worker : worker_program(), .runtime_folder = runtime != NULL ? runtime : shipped_runtime(),
                                        .lanes = lanes, .cpu = -1, .idle_us = 20 };
    *error = (struct vx_error){ "" };
    *formula = NULL;
    int rc = vx_formula_program_read(formulas != NULL ? formulas : shipped_formulas(), &config.program, error);
    if (rc != 0)
        return rc;
    rc = vx_formula_start(&config, formula, error);
    vx_formula_program_free(&config.program);
    return rc;
}

void jobs_make(struct test_jobs *jobs, uint32_t count, uint32_t lanes)
{
    *jobs = (struct test_jobs){ .jobs = calloc(count, sizeof(*jobs->jobs)), .answers = calloc(count, sizeof(*jobs->answers)),
                                .answered = calloc(count, 1), .lane_next = calloc(lanes, sizeof(uint32_t)), .count = count, .lanes = lanes };
    CU_ASSERT_FATAL(jobs->jobs != NULL && jobs->answers != NULL && jobs->answered != NULL && jobs->lane_next != NULL);
    for (uint32_t lane = 0; lane < lanes; lane++)
        jobs->lane_next[lane] = lane;
}

void jobs_free(struct test_jobs *jobs)
{
    free(jobs->jobs);
    free(jobs->answers);
    free(jobs->answered);
    free(jobs->lane_next);
}

static float within(struct vx_rng *rng, uint32_t low, uint32_t high, bool integer)
{
    return integer ? (float)(low + vx_rng_below(rng, high - low + 1)) : (float)low + (float)vx_rng_below(rng, (high - low) * 1000 + 1) / 1000.0f;
}

struct vx_job job_random(struct vx_rng *rng, uint8_t kind, uint32_t id)
{
    static const struct {
        uint16_t low, high;
        bool whole;
    } inputs[VX_FORMULA_KINDS][VX_JOB_INPUTS] = {
        [VX_FORMULA_BATTLE] = { { 0, 4000, false }, { 0, 4000, false }, { 0, 90, false }, { 0, 3, true }, { 0, 100, true }, { 0, 20, true } },
        [VX_FORMULA_LOOT] = { { 0, 4000, false }, { 0, 3, true }, { 0, 8, true }, { 0, 600, false }, { 1, 16, true } },
        [VX_FORMULA_PAIRING] = { { 0, 60, false } },
        [VX_FORMULA_RATING] = { { 0, 4000, false } },
        [VX_FORMULA_SCORE] = { { 0, 8, true }, { 0, 8, true }, { 0, 100, true }, { 0, 100, true }, { 0, 3, true }, { 0, 600, false } },
    };
    struct vx_job job = { .formula = kind, .id = id, .seed = vx_rng_next(rng) >> 12, .shard = (uint16_t)(id % 251) };
    for (unsigned i = 0; i < VX_JOB_INPUTS; i++)
        if (inputs[kind][i].high > 0)
            job.in[i] = within(rng, inputs[kind][i].low, inputs[kind][i].high, inputs[kind][i].whole);
    return job;
}

static void lane_pass(struct test_jobs *jobs, struct vx_formula *formula, uint32_t lane)
{
    struct vx_event events[48];
    for (unsigned burst = 0; burst < 40 && jobs->lane_next[lane] < jobs->count; burst++) {
        if (vx_formula_submit(formula, lane, &jobs->jobs[jobs->lane_next[lane]], 1) == 0)
            break;
        jobs->lane_next[lane] += jobs->lanes;
    }
    vx_formula_flush(formula, lane);
    uint32_t count = vx_formula_poll(formula, lane, events, sizeof(events) / sizeof(events[0]));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = events[i].number;
        if (id >= jobs->count || id % jobs->lanes != lane || id >= jobs->lane_next[lane] || jobs->answered[id]) {
            jobs->twice++;
            continue;
        }
        jobs->answers[id] = events[i];
        jobs->answered[id] = 1;
        jobs->done++;
    }
}

bool jobs_pass(struct test_jobs *jobs, struct vx_formula *formula)
{
    for (uint32_t lane = 0; lane < jobs->lanes; lane++)
        lane_pass(jobs, formula, lane);
    vx_formula_supervise(formula);
    return jobs->done < jobs->count;
}

bool jobs_run(struct test_jobs *jobs, struct vx_formula *formula, uint32_t ms)
{
    uint32_t began = ms_now();
    while (jobs_pass(jobs, formula))
        if (ms_now() - began > ms)
            return false;
    for (unsigned i = 0; i < 100; i++) /* what comes now came too often */
        (void)jobs_pass(jobs, formula);
    return true;
}

/* ---- the shipped formulas ---- */

static double at_least(double value, double low)
{
    return value < low ? low : value;
}

static double at_most(double value, double high)
{
    return value > high ? high : value;
}

static double next_random(struct vx_rng *rng)
{
    return (double)(vx_rng_next(rng) >> 11) * 0x1p-53;
}

static void battle_expected(const struct vx_job *job, float out[VX_JOB_OUTPUTS])
{
    static const double base[] = { 40, 32, 26, 30 }, near_m[] = { 3, 8, 20, 12 }, far_m[] = { 6, 20, 60, 40 };
    struct vx_rng rng = { job->seed };
    unsigned weapon = (unsigned)job->in[3];
    double away = at_most(at_least(((double)job->in[2] - near_m[weapon]) / (far_m[weapon] - near_m[weapon]), 0), 1);
    double range = 1 - away * (2.0 / 3);
    double skill = 1 + at_most(at_least(((double)job->in[0] - (double)job->in[1]) * 0.00025, -0.2), 0.2);
    double streak = at_most(job->in[5], 10);
    double last_stand = job->in[4] < 25 ? 0.85 : 1;
    double spread = 0.9 + 0.2 * next_random(&rng);
    double critical = next_random(&rng) < 0.05 + 0.01 * streak ? 1 : 0;
    double damage = base[weapon] * range * skill * (1 + 0.02 * streak) * last_stand * spread * (1 + 0.5 * critical);
    out[0] = (float)at_most(at_least(floor(damage + 0.5), 5), 60);
    out[1] = (float)critical;
}

static void loot_expected(const struct vx_job *job, float out[VX_JOB_OUTPUTS])
{
    struct vx_rng rng = { job->seed };
    double rating = job->in[0], tier = job->in[1], chests_left = job->in[2], elapsed_s = job->in[3], players = job->in[4];
    double roll = next_random(&rng), luck = roll * roll;
    double bonus = (chests_left <= 1 ? 0.1 : 0) + at_most(elapsed_s, 300) * 0.0003 + at_least(1500 - rating, 0) * 0.00004;
    double rarity = at_most(floor((luck + bonus * roll) * 100), 99);
    double plenty = (1 + tier) * (1 + at_most(players, 8) * 0.125);
    double amount = 1 + floor(next_random(&rng) * plenty * (1.5 - rarity * 0.01) * 2);
    out[0] = (float)at_most(at_least(tier * 100 + 1 + rarity, 1), 400);
    out[1] = (float)at_most(at_least(amount, 1), 50);
}

/* As lib/shard decides a hunt: who left, who is dead, whose chests are more. */
static float score_expected(const struct vx_job *job)
{
    unsigned left = (unsigned)job->in[4];
    bool dead = job->in[2] <= 0, dead_other = job->in[3] <= 0;
    if (left != 0)
        return left == 3 ? 0.5f : left == 2;
    if (dead || dead_other)
        return dead && dead_other ? 0.5f : dead_other;
    return job->in[0] == job->in[1] ? 0.5f : job->in[0] > job->in[1];
}

void job_expected(const struct vx_job *job, float out[VX_JOB_OUTPUTS])
{
    double part = at_most(at_least(job->in[0], 0), 20) * 0.05;
    switch (job->formula) {
    case VX_FORMULA_BATTLE:
        battle_expected(job, out);
        break;
    case VX_FORMULA_LOOT:
        loot_expected(job, out);
        break;
    case VX_FORMULA_PAIRING:
        out[0] = (float)(50 + 1950 * part * part);
        break;
    case VX_FORMULA_RATING:
        out[0] = 1;
        break;
    default:
        out[0] = score_expected(job);
    }
}

/* Those that the shipped formulas give. */
unsigned outputs_of(uint8_t kind)
{
    return kind == VX_FORMULA_BATTLE || kind == VX_FORMULA_LOOT ? 2 : 1;
}

bool answer_right(const struct vx_job *job, const struct vx_event *answer)
{
    float expected[VX_JOB_OUTPUTS] = { 0 };
    job_expected(job, expected);
    unsigned outputs = outputs_of(job->formula);
    return answer->kind == VX_EVENT_JOB_DONE && answer->number == job->id && answer->shard == job->shard &&
           memcmp(expected, answer->out, outputs * sizeof(float)) == 0;
}

uint32_t jobs_wrong(const struct test_jobs *jobs, bool (*skip)(const struct vx_job *job))
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < jobs->count; i++)
        if (jobs->answered[i] && (skip == NULL || !skip(&jobs->jobs[i])))
            wrong += !answer_right(&jobs->jobs[i], &jobs->answers[i]);
    return wrong;
}
