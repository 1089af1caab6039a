/* Formula jobs on their way: each ends once, by its answer or by its deadline. A late answer finds
 * another generation under its id and is only counted. */
#include <math.h>

#include "shard_private.h"

enum { JOB_INDEX_BITS = 20 };

static uint32_t index_of(const struct vx_shard *shard, const struct job *job)
{
    return (uint32_t)(job - shard->jobs);
}

struct job *job_new(struct vx_shard *shard, uint8_t formula)
{
    if (shard->job_free == NONE)
        return NULL;
    struct job *job = &shard->jobs[shard->job_free];
    shard->job_free = job->next_free;
    job->used = true;
    job->tries = 0;
    job->generation++;
    job->job = (struct vx_job){ .formula = formula, .seed = vx_rng_next(&shard->rng) >> 12, .shard = (uint16_t)shard->config.shard };
    job->job.id = index_of(shard, job) | job->generation << JOB_INDEX_BITS;
    job->hunt = NONE;
    shard->counters.jobs_pending++;
    return job;
}

void job_send(struct vx_shard *shard, struct job *job)
{
    VX_ASSERT(shard->out->job_count < shard->out->job_max);
    shard->out->jobs[shard->out->job_count++] = job->job;
    job->tries++;
    shard->counters.jobs_sent++;
    timer_set(shard, shard->timer_jobs + index_of(shard, job), shard->now_ms + shard->config.job_ms_max);
}

/* Last in, last out, as hunts: the 4096 generations of a place last as long as possible, for an answer may be seconds late. */
static void job_free(struct vx_shard *shard, struct job *job)
{
    uint32_t index = index_of(shard, job);
    timer_clear(shard, shard->timer_jobs + index);
    job->used = false;
    job->next_free = NONE;
    *(shard->job_free == NONE ? &shard->job_free : &shard->jobs[shard->job_free_last].next_free) = index;
    shard->job_free_last = index;
    shard->counters.jobs_pending--;
}

/* A formula's number as a whole one in [low, high]; what is not a number becomes low. */
static uint32_t whole(float value, uint32_t low, uint32_t high)
{
    if (!(value >= (float)low))
        return low;
    return value >= (float)high ? high : (uint32_t)lrintf(value);
}

static bool is_table(const struct job *job)
{
    return job->job.formula == VX_FORMULA_PAIRING || job->job.formula == VX_FORMULA_RATING;
}

static void table_row_take(struct vx_shard *shard, uint32_t row, float value)
{
    static const float gain_max = 10;
    if (row >= VX_MATCH_ROWS) {
        shard->gains[row - VX_MATCH_ROWS] = value >= 0 ? fminf(value, gain_max) : 1; /* not a number: as it was worked out */
        return;
    }
    modes_window(shard, row, whole(value, 0, VX_MATCH_RATING_MAX));
    if (++shard->windows_known == VX_MATCH_ROWS)
        shard->windows_ready = true; /* and stays so: an old table is better than none */
}

static void job_apply(struct vx_shard *shard, const struct job *job, const struct vx_event *event)
{
    switch (job->job.formula) {
    case VX_FORMULA_BATTLE:
        hunt_struck(shard, job, event);
        break;
    case VX_FORMULA_LOOT:
        grant_evaluated(shard, job->grant, whole(event->out[0], 1, UINT16_MAX), whole(event->out[1], 1, 1000000));
        break;
    case VX_FORMULA_SCORE:
        hunt_scored(shard, job, event);
        break;
    default:
        VX_ASSERT(is_table(job));
        if (job->match == shard->table_epoch) /* else of the version before: all rows are being asked for again */
            table_row_take(shard, job->grant, event->out[0]);
    }
}

void job_done(struct vx_shard *shard, const struct vx_event *event)
{
    uint32_t index = event->number & ((1u << JOB_INDEX_BITS) - 1);
    struct job *job = index < shard->jobs_max ? &shard->jobs[index] : NULL;
    if (job == NULL || !job->used || job->job.id != event->number) {
        shard->counters.jobs_late++;
        return;
    }
    shard->counters.jobs_answered++;
    struct job copy = *job; /* applying may take the place again */
    job_free(shard, job);
    job_apply(shard, &copy, event);
}

/* Loot and tables are asked for again, for the chest is taken; a strike has missed its moment, and rules say who has won. */
void job_timeout(struct vx_shard *shard, uint32_t index)
{
    struct job *job = &shard->jobs[index];
    VX_ASSERT(job->used);
    shard->counters.jobs_timed_out += job->tries > 0; /* a window's first asking is a timer, too */
    bool again = is_table(job) || (job->job.formula == VX_FORMULA_LOOT && job->tries < JOB_TRIES_MAX);
    if (again) {
        job_send(shard, job);
        return;
    }
    struct job copy = *job;
    job_free(shard, job);
    if (copy.job.formula == VX_FORMULA_BATTLE)
        hunt_struck(shard, &copy, NULL);
    else if (copy.job.formula == VX_FORMULA_SCORE)
        hunt_scored(shard, &copy, NULL);
    else
        grant_evaluated(shard, copy.grant, 1, 1); /* no formula: the least there is, but never nothing */
}

/* The window of each second waited, and each hundred points' gain where a mode wants them. Players queue meanwhile. */
void jobs_tables_go_on(struct vx_shard *shard)
{
    const uint32_t rows = VX_MATCH_ROWS + (shard->asks_gains ? GAIN_ROWS : 0);
    for (; shard->table_next < rows && shard->job_free != NONE; shard->table_next++) {
        const bool is_window = shard->table_next < VX_MATCH_ROWS;
        struct job *job = job_new(shard, is_window ? VX_FORMULA_PAIRING : VX_FORMULA_RATING);
        job->grant = shard->table_next;
        job->match = shard->table_epoch;
        job->job.in[0] = (float)(is_window ? shard->table_next : (shard->table_next - VX_MATCH_ROWS) * GAIN_POINTS);
        timer_set(shard, shard->timer_jobs + index_of(shard, job), shard->now_ms);
    }
}

void jobs_tables(struct vx_shard *shard)
{
    shard->table_epoch++;
    shard->table_next = shard->windows_known = 0;
    jobs_tables_go_on(shard);
}
