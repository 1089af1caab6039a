/* Finds submitted batches and answers them. What is to be done stands in the batches and nowhere
 * else: a new worker needs no word from the one before, but for where to begin. */
#include <immintrin.h>
#include <time.h>

#include "worker.h"

static uint64_t now_ns(void)
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
    uint32_t *attempts = &worker->batches[number].attempts;
    if (VX_UNLIKELY(*attempts >= FORMULA_ATTEMPTS_MAX)) {
        counter_add(&worker->header->given_up[kind], 1);
        return runtime_give_up(worker, kind, number, count);
    }
    /* Stands in the memory before the formula runs: whatever ends this process, it was counted. */
    __atomic_store_n(attempts, *attempts + 1, __ATOMIC_RELEASE);
    return runtime_evaluate(worker, kind, number, count);
}

static void serve_batch(struct worker *worker, uint32_t kind, uint32_t number)
{
    struct formula_header *header = worker->header;
    struct formula_batch *batch = &worker->batches[number];
    uint32_t count = batch->count;
    VX_ASSERT(count >= 1 && count <= FORMULA_BATCH_JOBS);
    uint64_t began_ns = now_ns();
    atomic_store_explicit(&header->batch_began_ns, began_ns, memory_order_relaxed);
    header->turn = number / FORMULA_BATCHES;
    uint32_t failures = evaluate(worker, kind, number, count);
    batch->version = worker->versions[kind];
    counter_add(&header->busy_ns[kind], now_ns() - began_ns);
    counter_add(&header->jobs[kind], count);
    counter_add(&header->batches[kind], 1);
    counter_add(&header->failures[kind], failures);
    /* release: outputs before state; pairs with the acquire in lane.c's take(). */
    atomic_store_explicit(&batch->state, FORMULA_DONE, memory_order_release);
    atomic_store_explicit(&header->batch_began_ns, 0, memory_order_relaxed);
}

/* Looks at every state of the circle, beginning where the next batch is expected: 16 lines that stay in
 * this core's cache until a shard lcore writes one. There is no way to lose one's place. */
static uint32_t serve_lane_kind(struct worker *worker, uint32_t lane, uint32_t kind)
{
    uint32_t served = 0;
    uint32_t cursor = worker->cursors[lane][kind];
    for (uint32_t i = 0; i < FORMULA_BATCHES; i++) {
        uint32_t index = (cursor + i) % FORMULA_BATCHES;
        uint32_t number = formula_batch_number(lane, kind, index);
        /* acquire: pairs with the release of SUBMITTED in lane.c's publish(). */
        if (atomic_load_explicit(&worker->batches[number].state, memory_order_acquire) != FORMULA_SUBMITTED)
            continue;
        serve_batch(worker, kind, number);
        worker->cursors[lane][kind] = (index + 1) % FORMULA_BATCHES;
        served++;
    }
    return served;
}

static uint32_t serve_pass(struct worker *worker)
{
    uint32_t served = 0, turns = worker->header->lanes * VX_FORMULA_KINDS;
    for (uint32_t i = 0; i < turns; i++) {
        uint32_t turn = (worker->first_turn + i) % turns;
        served += serve_lane_kind(worker, turn / VX_FORMULA_KINDS, turn % VX_FORMULA_KINDS);
    }
    return served;
}

void serve(struct worker *worker, const volatile sig_atomic_t *stop)
{
    struct timespec idle = { .tv_sec = worker->options.idle_us / 1000000, .tv_nsec = worker->options.idle_us % 1000000 * 1000l };
    worker->first_turn = worker->header->turn + 1; /* behind the batch on which the worker before may have ended */
    while (!*stop) {
        if (serve_pass(worker) > 0)
            runtime_collect(worker);
        else if (worker->options.idle_us > 0)
            (void)nanosleep(&idle, NULL);
        else
            _mm_pause();
    }
}
