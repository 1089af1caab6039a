/* Finds submitted batches and answers them. What is to be done stands in the batches and nowhere else: a new worker needs no
 * word from the one before, but for where to begin. */
#include <immintrin.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "worker.h"

uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* One writer: a plain addition, but a store that a reader never sees half of. */
static void counter_add(uint64_t *counter, uint64_t value)
{
    __atomic_store_n(counter, *counter + value, __ATOMIC_RELAXED);
}

static uint32_t evaluate(struct worker *worker, uint32_t kind, uint32_t number, uint32_t count)
{
    struct formula_batch *batch = &worker->batches[number];
    if (VX_UNLIKELY(batch->attempts >= FORMULA_ATTEMPTS_MAX)) {
        counter_add(&worker->seat->given_up[kind], 1);
        return runtime_give_up(worker, kind, number, count);
    }
    /* Stands in the memory before the formula runs: whatever ends this process, it was counted. */
    __atomic_store_n(&batch->attempts, batch->attempts + 1, __ATOMIC_RELEASE);
    return runtime_evaluate(worker, kind, number, count, batch->mode);
}

/* A copy for the control thread, when it wants any and has taken enough of those before. */
static void tap_write(struct worker *worker, uint32_t kind, const struct formula_batch *batch)
{
    struct formula_seat *seat = worker->seat;
    uint32_t written = atomic_load_explicit(&seat->tap_written, memory_order_relaxed), count = batch->count;
    /* acquire: pairs with the release in vx_formula_sample(): it has read what is overwritten here. */
    if (written - atomic_load_explicit(&seat->tap_taken, memory_order_acquire) >= FORMULA_TAPS) {
        counter_add(&seat->taps_missed, 1);
        return;
    }
    struct formula_tap *tap = &seat->taps[written % FORMULA_TAPS];
    tap->kind = kind;
    tap->count = count;
    tap->version = batch->version;
    for (unsigned i = 0; i < VX_JOB_INPUTS; i++)
        memcpy(tap->inputs[i], batch->inputs[i], count * sizeof(float));
    for (unsigned i = 0; i < VX_JOB_OUTPUTS; i++)
        memcpy(tap->outputs[i], batch->outputs[i], count * sizeof(float));
    memcpy(tap->seeds, batch->seeds, count * sizeof(uint64_t));
    /* release: pairs with the acquire in vx_formula_sample(). */
    atomic_store_explicit(&seat->tap_written, written + 1, memory_order_release);
}

static void account(struct worker *worker, uint32_t kind, const struct formula_batch *batch)
{
    struct formula_seat *seat = worker->seat;
    counter_add(&seat->busy_ns[kind], batch->ns);
    counter_add(&seat->jobs[kind], batch->count);
    counter_add(&seat->batches[kind], 1);
    counter_add(&seat->failures[kind], batch->failures);
    vx_hist_add(&seat->batch_ns[kind], batch->ns);
    if (atomic_load_explicit(&seat->tap_on, memory_order_relaxed) != 0)
        tap_write(worker, kind, batch);
}

/* Of a trial: what the batch took from the heap, and the pause with the collection that it brought about. */
static void trial_account(struct worker *worker, struct formula_batch *batch, uint64_t began_ns, uint64_t allocated)
{
    batch->allocated = (uint32_t)(worker->heap.allocated - allocated);
    runtime_collect(worker);
    batch->pause_ns = (uint32_t)(now_ns() - began_ns);
}

/* acquire: pairs with the release of SUBMITTED in lane.c's publish(). */
static bool batch_take(struct worker *worker, struct formula_batch *batch)
{
    uint32_t submitted = FORMULA_SUBMITTED;
    return atomic_load_explicit(&batch->state, memory_order_relaxed) == FORMULA_SUBMITTED &&
           atomic_compare_exchange_strong_explicit(&batch->state, &submitted, FORMULA_RUNNING + worker->options.seat, memory_order_acquire, memory_order_relaxed);
}

static void serve_batch(struct worker *worker, uint32_t lane, uint32_t kind, uint32_t number)
{
    struct formula_seat *seat = worker->seat;
    struct formula_batch *batch = &worker->batches[number];
    VX_ASSERT(batch->count >= 1 && batch->count <= FORMULA_BATCH_JOBS);
    uint64_t began_ns = now_ns(), allocated = worker->heap.allocated;
    atomic_store_explicit(&seat->batch_kind, kind, memory_order_relaxed);
    atomic_store_explicit(&seat->batch_began_ns, began_ns, memory_order_relaxed);
    atomic_store_explicit(&worker->header->turn, lane * VX_FORMULA_KINDS + kind, memory_order_relaxed);
    batch->failures = evaluate(worker, kind, number, batch->count);
    batch->version = worker->versions[kind];
    batch->ns = (uint32_t)(now_ns() - began_ns);
    account(worker, kind, batch);
    if (worker->options.trial)
        trial_account(worker, batch, began_ns, allocated);
    /* release: outputs before state; pairs with the acquire in lane.c's take(). */
    atomic_store_explicit(&batch->state, FORMULA_DONE, memory_order_release);
    atomic_store_explicit(&seat->batch_began_ns, 0, memory_order_relaxed);
}

/* Looks at every state of the circle, beginning where the next batch is expected. There is no way to lose one's place. */
static uint32_t serve_circle(struct worker *worker, uint32_t lane, uint32_t seat, uint32_t kind)
{
    uint32_t served = 0, cursor = worker->cursors[lane][seat][kind];
    for (uint32_t i = 0; i < FORMULA_BATCHES; i++) {
        uint32_t index = (cursor + i) % FORMULA_BATCHES;
        uint32_t number = formula_batch_number(lane, seat, kind, index);
        if (!batch_take(worker, &worker->batches[number]))
            continue;
        serve_batch(worker, lane, kind, number);
        worker->cursors[lane][seat][kind] = (index + 1) % FORMULA_BATCHES;
        served++;
    }
    return served;
}

/* Whose batches are ours: after a change every lane is looked at. acquire: pairs with the release in supervisor.c's serve_by(). */
static void servers_look(struct worker *worker)
{
    for (uint32_t seat = 0; seat < FORMULA_SEATS; seat++) {
        bool ours = atomic_load_explicit(&worker->header->server_of[seat], memory_order_acquire) == worker->options.seat;
        if (VX_LIKELY(ours == worker->serves[seat]))
            continue;
        worker->serves[seat] = ours;
        for (uint32_t lane = 0; lane < worker->header->lanes; lane++)
            worker->rung[lane]--; /* as if it had rung */
    }
}

/* acquire: pairs with the release in lane.c's publish(). A batch published after this look rings again. */
static bool lane_pending(struct worker *worker, uint32_t lane)
{
    uint32_t rung = atomic_load_explicit(&worker->header->lanes_rung[lane].submitted, memory_order_acquire);
    bool pending = rung != worker->rung[lane];
    worker->rung[lane] = rung;
    return pending;
}

static uint32_t serve_turn(struct worker *worker, uint32_t lane, uint32_t kind)
{
    uint32_t served = 0;
    for (uint32_t seat = 0; seat < FORMULA_SEATS; seat++)
        if (worker->serves[seat])
            served += serve_circle(worker, lane, seat, kind);
    return served;
}

static uint32_t serve_pass(struct worker *worker)
{
    bool pending[VX_SHARD_LCORES_MAX];
    uint32_t lanes = worker->header->lanes, turns = lanes * VX_FORMULA_KINDS, served = 0, any = 0;
    servers_look(worker);
    for (uint32_t lane = 0; lane < lanes; lane++)
        any += pending[lane] = lane_pending(worker, lane);
    for (uint32_t i = 0; any > 0 && i < turns; i++) {
        uint32_t turn = (worker->first_turn + i) % turns;
        if (pending[turn / VX_FORMULA_KINDS])
            served += serve_turn(worker, turn / VX_FORMULA_KINDS, turn % VX_FORMULA_KINDS);
    }
    return served;
}

/* At 20 us a sleep a worker without jobs takes a fifth of its core; when none has come for a while it sleeps longer, and the
 * first job after that waits for as long. */
static void idle(const struct worker *worker, uint64_t idle_passes)
{
    enum { PASSES_A_STEP = 64, STEPS = 4 };
    const uint64_t steps = idle_passes / PASSES_A_STEP;
    const uint64_t sleep_us = (uint64_t)worker->options.idle_us << (steps < STEPS ? steps : STEPS);
    struct timespec time = { .tv_sec = (time_t)(sleep_us / 1000000), .tv_nsec = (long)(sleep_us % 1000000 * 1000) };
    if (sleep_us > 0)
        (void)nanosleep(&time, NULL);
    else
        _mm_pause();
}

static void inspect(struct worker *worker)
{
    runtime_inspect(worker);
    /* release: the report before the word; pairs with the acquire in vx_trial_inspect(). */
    atomic_store_explicit(&worker->seat->command, FORMULA_COMMAND_NONE, memory_order_release);
}

void serve(struct worker *worker)
{
    /* Behind the batch on which the worker before may have ended. */
    worker->first_turn = atomic_load_explicit(&worker->header->turn, memory_order_relaxed) + 1;
    for (uint64_t idle_passes = 0; !worker->stop;) {
        if (serve_pass(worker) > 0) {
            runtime_collect(worker);
            idle_passes = 0;
        } else {
            idle(worker, idle_passes++);
        }
        if (VX_UNLIKELY(worker->options.trial && atomic_load_explicit(&worker->seat->command, memory_order_acquire) == FORMULA_COMMAND_INSPECT))
            inspect(worker);
    }
}
