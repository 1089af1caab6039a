/* Formula jobs on their way to the lane. A job that finds every batch taken waits here, in order, for no longer than its
 * shard waits for an answer: after that it has been given up there, or is asked again, and an old question in front of
 * the lane would only make the new ones late. Data plane. */
#include "shard_lcore_private.h"

static struct vx_job *job_at(struct backlog *backlog, uint32_t position)
{
    return &backlog->jobs[position % BACKLOG_JOBS];
}

static void put(struct vx_shard_lcore *lcore, const struct vx_job *job)
{
    struct backlog *backlog = &lcore->backlog;
    if (backlog->tail - backlog->head == BACKLOG_JOBS) {
        backlog->head++;
        lcore->counters.jobs_stale++;
    }
    *job_at(backlog, backlog->tail) = *job;
    backlog->until_us[backlog->tail++ % BACKLOG_JOBS] = lcore->now_us + lcore->config.shard.job_ms_max * 1000ull;
}

void shard_lcore_jobs_out(struct vx_shard_lcore *lcore)
{
    struct vx_shard_out *out = &lcore->out;
    uint32_t taken = 0;
    lcore->counters.jobs += out->job_count;
    if (lcore->config.formula != NULL && lcore->backlog.head == lcore->backlog.tail)
        taken = vx_formula_submit(lcore->config.formula, lcore->config.index, out->jobs, out->job_count);
    while (taken < out->job_count)
        put(lcore, &out->jobs[taken++]);
    out->job_count = 0;
}

void shard_lcore_backlog_out(struct vx_shard_lcore *lcore)
{
    struct backlog *backlog = &lcore->backlog;
    while (backlog->head != backlog->tail && backlog->until_us[backlog->head % BACKLOG_JOBS] <= lcore->now_us) {
        backlog->head++;
        lcore->counters.jobs_stale++;
    }
    while (backlog->head != backlog->tail && lcore->config.formula != NULL) {
        uint32_t count = backlog->tail - backlog->head, to_end = BACKLOG_JOBS - backlog->head % BACKLOG_JOBS;
        count = count < to_end ? count : to_end; /* the array is a circle */
        uint32_t taken = vx_formula_submit(lcore->config.formula, lcore->config.index, job_at(backlog, backlog->head), count);
        backlog->head += taken;
        if (taken < count)
            return;
    }
}
