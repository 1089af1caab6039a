/* The shard lcore's side of formula jobs: fills batches for the seats that its shards are routed to, publishes
 * them, takes the answers in the order of publication per seat and kind. No system call, no lock, no allocation;
 * whatever a worker does or fails to do, these functions return at once. */
#include "formula_private.h"

/* With this many batches out the worker is behind, and a part-filled batch would only use up a place: it goes on
 * filling until it is full or the worker has caught up. Without this rule a lane whose passes are shorter
 * than the worker's sleep would be full after 16 jobs. */
enum { BATCHES_OUT_BUSY = 4 };

static uint32_t batches_out(const struct formula_circle *circle)
{
    return circle->published - circle->taken;
}

static void publish(struct formula_lane *lane, struct formula_circle *circle)
{
    uint32_t index = circle->published % FORMULA_BATCHES;
    circle->counts[index] = (uint8_t)circle->filled;
    circle->batches[index].count = circle->filled;
    circle->batches[index].attempts = 0;
    circle->batches[index].mode = VX_TRIAL_LIVE;
    circle->published++;
    circle->filled = 0;
    /* release: inputs before state; pairs with the acquire in the worker's batch_take(). */
    atomic_store_explicit(&circle->batches[index].state, FORMULA_SUBMITTED, memory_order_release);
    /* release: state before the bell; pairs with the acquire in the worker's lane_pending(). One writer. */
    atomic_store_explicit(lane->rung, atomic_load_explicit(lane->rung, memory_order_relaxed) + 1, memory_order_release);
}

static bool put(struct formula_lane *lane, const struct vx_job *job)
{
    VX_ASSERT(job->formula < VX_FORMULA_KINDS && job->shard < VX_SHARDS_MAX);
    struct formula_circle *circle = &lane->circles[lane->routes[job->shard] * VX_FORMULA_KINDS + job->formula];
    if (batches_out(circle) == FORMULA_BATCHES)
        return false;
    uint32_t index = circle->published % FORMULA_BATCHES, i = circle->filled;
    struct formula_batch *batch = &circle->batches[index];
    for (unsigned input = 0; input < VX_JOB_INPUTS; input++)
        batch->inputs[input][i] = job->in[input];
    batch->seeds[i] = job->seed;
    circle->ids[index][i] = job->id;
    circle->shards[index][i] = job->shard;
    if (++circle->filled == FORMULA_BATCH_JOBS)
        publish(lane, circle);
    return true;
}

uint32_t vx_formula_submit(struct vx_formula *formula, uint32_t lane, const struct vx_job *jobs, uint32_t count)
{
    VX_ASSERT(lane < formula->lanes_count);
    for (uint32_t i = 0; i < count; i++)
        if (!put(&formula->lanes[lane], &jobs[i]))
            return i;
    return count;
}

/* acquire: pairs with the release in supervisor.c's routes_publish(): routes before epoch. A route that is still
 * newer than the epoch read here is taken over again at the next one. */
static bool routes_take(struct formula_routes *routes, struct formula_lane *lane)
{
    uint32_t epoch = atomic_load_explicit(&routes->epoch, memory_order_acquire);
    if (VX_LIKELY(epoch == atomic_load_explicit(&lane->epoch, memory_order_relaxed)))
        return false;
    for (unsigned shard = 0; shard < VX_SHARDS_MAX; shard++)
        lane->routes[shard] = atomic_load_explicit(&routes->seat_of[shard], memory_order_relaxed);
    /* release: what was published for the seats of before; pairs with the acquire in seat_answered(). */
    atomic_store_explicit(&lane->epoch, epoch, memory_order_release);
    return true;
}

bool vx_formula_flush(struct vx_formula *formula, uint32_t lane)
{
    VX_ASSERT(lane < formula->lanes_count);
    struct formula_lane *own = &formula->lanes[lane];
    bool routed = atomic_load_explicit(&formula->routes.epoch, memory_order_relaxed) != atomic_load_explicit(&own->epoch, memory_order_relaxed);
    for (unsigned i = 0; i < FORMULA_CIRCLES; i++) /* before a change all of it, or a seat could retire with a batch half filled */
        if (own->circles[i].filled > 0 && (routed || batches_out(&own->circles[i]) < BATCHES_OUT_BUSY))
            publish(own, &own->circles[i]);
    return routes_take(&formula->routes, own);
}

bool vx_formula_tables_changed(struct vx_formula *formula, uint32_t lane, uint32_t shard)
{
    VX_ASSERT(lane < formula->lanes_count && shard < VX_SHARDS_MAX);
    struct formula_lane *own = &formula->lanes[lane];
    uint32_t tables = atomic_load_explicit(&formula->routes.tables[own->routes[shard]], memory_order_relaxed);
    bool changed = own->tables[shard] != tables;
    own->tables[shard] = tables;
    return changed;
}

static void answer(const struct formula_circle *circle, uint32_t index, uint32_t i, struct vx_event *event)
{
    const struct formula_batch *batch = &circle->batches[index];
    *event = (struct vx_event){
        .kind = VX_EVENT_JOB_DONE,
        .shard = circle->shards[index][i],
        .number = circle->ids[index][i],
        .c = batch->version,
    };
    for (unsigned output = 0; output < VX_JOB_OUTPUTS; output++)
        event->out[output] = batch->outputs[output][i];
}

static uint32_t take(struct formula_circle *circle, struct vx_event *events, uint32_t max)
{
    uint32_t done = 0;
    while (done < max && batches_out(circle) > 0) {
        uint32_t index = circle->taken % FORMULA_BATCHES;
        struct formula_batch *batch = &circle->batches[index];
        /* acquire: pairs with the release of DONE in the worker's serve_batch(). */
        if (atomic_load_explicit(&batch->state, memory_order_acquire) != FORMULA_DONE)
            break;
        while (circle->offset < circle->counts[index] && done < max)
            answer(circle, index, circle->offset++, &events[done++]);
        if (circle->offset < circle->counts[index])
            break;
        circle->offset = 0;
        circle->taken++;
        /* relaxed: workers act on SUBMITTED only, and read nothing of a FREE batch. */
        atomic_store_explicit(&batch->state, FORMULA_FREE, memory_order_relaxed);
    }
    return done;
}

uint32_t vx_formula_poll(struct vx_formula *formula, uint32_t lane, struct vx_event *events, uint32_t max)
{
    VX_ASSERT(lane < formula->lanes_count);
    struct formula_lane *own = &formula->lanes[lane];
    uint32_t done = 0;
    for (unsigned i = 0; i < FORMULA_CIRCLES; i++)
        done += take(&own->circles[(own->first + i) % FORMULA_CIRCLES], events + done, max - done);
    own->first = (own->first + 1) % FORMULA_CIRCLES;
    return done;
}
