/* The shard lcore's side of formula jobs: fills batches, publishes them, takes the answers in the
 * order of publication per kind. No system call, no lock, no allocation; whatever the worker does or
 * fails to do, these functions return at once. */
#include "formula_private.h"

/* With this many batches out the worker is behind, and a part-filled batch would only use up a slot:
 * it goes on filling until it is full or the worker has caught up. Without this rule a lane whose
 * passes are shorter than the worker's sleep would be full after 16 jobs. */
enum { BATCHES_OUT_BUSY = 4 };

static uint32_t batches_out(const struct formula_lane_kind *kind)
{
    return kind->published - kind->taken;
}

static void publish(struct formula_lane_kind *kind)
{
    uint32_t index = kind->published % FORMULA_BATCHES;
    kind->counts[index] = (uint8_t)kind->filled;
    kind->batches[index].count = kind->filled;
    kind->batches[index].attempts = 0;
    kind->published++;
    kind->filled = 0;
    /* release: inputs before state; pairs with the acquire in the worker's serve_lane_kind(). */
    atomic_store_explicit(&kind->batches[index].state, FORMULA_SUBMITTED, memory_order_release);
}

static bool put(struct formula_lane_kind *kind, const struct vx_job *job)
{
    if (batches_out(kind) == FORMULA_BATCHES)
        return false;
    struct formula_batch *batch = &kind->batches[kind->published % FORMULA_BATCHES];
    uint32_t i = kind->filled;
    for (unsigned input = 0; input < VX_JOB_INPUTS; input++)
        batch->inputs[input][i] = job->in[input];
    batch->seeds[i] = job->seed;
    batch->ids[i] = job->id;
    batch->shards[i] = job->shard;
    if (++kind->filled == FORMULA_BATCH_JOBS)
        publish(kind);
    return true;
}

uint32_t vx_formula_submit(struct vx_formula *formula, uint32_t lane, const struct vx_job *jobs, uint32_t count)
{
    VX_ASSERT(lane < formula->lanes_count);
    struct formula_lane_kind *kinds = formula->lanes[lane].kinds;
    for (uint32_t i = 0; i < count; i++) {
        VX_ASSERT(jobs[i].formula < VX_FORMULA_KINDS);
        if (!put(&kinds[jobs[i].formula], &jobs[i]))
            return i;
    }
    return count;
}

void vx_formula_flush(struct vx_formula *formula, uint32_t lane)
{
    VX_ASSERT(lane < formula->lanes_count);
    struct formula_lane_kind *kinds = formula->lanes[lane].kinds;
    for (unsigned i = 0; i < VX_FORMULA_KINDS; i++)
        if (kinds[i].filled > 0 && batches_out(&kinds[i]) < BATCHES_OUT_BUSY)
            publish(&kinds[i]);
}

static void answer(const struct formula_batch *batch, uint32_t i, struct vx_event *event)
{
    *event = (struct vx_event){
        .kind = VX_EVENT_JOB_DONE,
        .shard = batch->shards[i],
        .number = batch->ids[i],
        .c = batch->version,
    };
    for (unsigned output = 0; output < VX_JOB_OUTPUTS; output++)
        event->out[output] = batch->outputs[output][i];
}

static uint32_t take(struct formula_lane_kind *kind, struct vx_event *events, uint32_t max)
{
    uint32_t done = 0;
    while (done < max && batches_out(kind) > 0) {
        uint32_t index = kind->taken % FORMULA_BATCHES;
        struct formula_batch *batch = &kind->batches[index];
        /* acquire: pairs with the release of DONE in the worker's serve_batch(). */
        if (atomic_load_explicit(&batch->state, memory_order_acquire) != FORMULA_DONE)
            break;
        while (kind->offset < kind->counts[index] && done < max)
            answer(batch, kind->offset++, &events[done++]);
        if (kind->offset < kind->counts[index])
            break;
        kind->offset = 0;
        kind->taken++;
        /* relaxed: the worker acts on SUBMITTED only, and reads nothing of a FREE batch. */
        atomic_store_explicit(&batch->state, FORMULA_FREE, memory_order_relaxed);
    }
    return done;
}

uint32_t vx_formula_poll(struct vx_formula *formula, uint32_t lane, struct vx_event *events, uint32_t max)
{
    VX_ASSERT(lane < formula->lanes_count);
    struct formula_lane *own = &formula->lanes[lane];
    uint32_t done = 0;
    for (unsigned i = 0; i < VX_FORMULA_KINDS; i++)
        done += take(&own->kinds[(own->first_kind + i) % VX_FORMULA_KINDS], events + done, max - done);
    own->first_kind = (own->first_kind + 1) % VX_FORMULA_KINDS;
    return done;
}
