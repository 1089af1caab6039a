/* What an io lcore, a shard lcore, the control thread and a worker share, each on a thread of its own: the action ring with its slots
 * written in place, batches of jobs behind one state word, routes that change under a lane. The lane's code and the rings are the
 * appliance's; worker and control thread are the few lines here that take their side of the protocol in formula_shared.h. Without EAL,
 * for ThreadSanitizer cannot see into what DPDK maps. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ring.h>
#include <rte_ring_peek_zc.h>

#include "formula_private.h"
#include "vx_shard.h"
#include "vx_test.h"

enum { EVENTS = 200000, RING = 64, JOBS = 20000, SHARDS = 4, SEATS_USED = 2, ROUTES = 200 };

static void *aligned(size_t bytes)
{
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    VX_ASSERT(memory != NULL);
    return memset(memory, 0, (bytes + 63) / 64 * 64);
}

/* ---- the action ring ---- */

static void *events_make(void *context)
{
    struct rte_ring *ring = context;
    for (uint32_t sent = 0; sent < EVENTS;) {
        struct rte_ring_zc_data zone;
        uint32_t want = 1 + sent % 7 < EVENTS - sent ? 1 + sent % 7 : EVENTS - sent;
        if (rte_ring_enqueue_zc_bulk_elem_start(ring, sizeof(struct vx_event), want, &zone, NULL) != want) {
            sched_yield();
            continue;
        }
        for (uint32_t i = 0; i < want; i++, sent++) {
            struct vx_event *event = i < zone.n1 ? (struct vx_event *)zone.ptr1 + i : (struct vx_event *)zone.ptr2 + (i - zone.n1);
            *event = (struct vx_event){ .number = sent, .a = sent * 3, .player = sent ^ 0x55u };
        }
        rte_ring_enqueue_zc_elem_finish(ring, want);
    }
    return NULL;
}

static void actions_arrive_whole_and_in_order(void)
{
    struct rte_ring *ring = aligned((size_t)rte_ring_get_memsize_elem(sizeof(struct vx_event), RING));
    pthread_t thread;
    uint32_t wrong = 0;
    CU_ASSERT_EQUAL_FATAL(rte_ring_init(ring, "actions", RING, RING_F_SP_ENQ | RING_F_SC_DEQ), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, events_make, ring), 0);
    for (uint32_t seen = 0; seen < EVENTS;) {
        struct vx_event events[32];
        uint32_t count = rte_ring_sc_dequeue_burst_elem(ring, events, sizeof(events[0]), 32, NULL);
        for (uint32_t i = 0; i < count; i++, seen++)
            wrong += events[i].number != seen || events[i].a != seen * 3 || events[i].player != (seen ^ 0x55u);
        if (count == 0)
            sched_yield();
    }
    (void)pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(wrong, 0);
    free(ring);
}

/* ---- batches and routes ---- */

struct table {
    struct vx_formula *formula;
    struct formula_batch *batches; /* of one lane: [seat][kind][FORMULA_BATCHES] */
    _Atomic uint32_t rung;
    _Atomic bool is_over;
};

static void *worker_work(void *context)
{
    struct table *table = context;
    while (!atomic_load_explicit(&table->is_over, memory_order_acquire)) {
        bool idle = true;
        for (uint32_t i = 0; i < FORMULA_CIRCLES * FORMULA_BATCHES; i++) {
            struct formula_batch *batch = &table->batches[i];
            if (atomic_load_explicit(&batch->state, memory_order_acquire) != FORMULA_SUBMITTED)
                continue;
            for (uint32_t job = 0; job < batch->count; job++)
                batch->outputs[0][job] = batch->inputs[0][job] * 2 + (float)(batch->seeds[job] & 1);
            batch->version = i / (VX_FORMULA_KINDS * FORMULA_BATCHES);
            atomic_store_explicit(&batch->state, FORMULA_DONE, memory_order_release);
            idle = false;
        }
        if (idle)
            sched_yield();
    }
    return NULL;
}

/* As supervisor.c publishes: routes, then epoch. */
static void *routes_change(void *context)
{
    struct table *table = context;
    struct formula_routes *routes = &table->formula->routes;
    for (uint32_t i = 1; i <= ROUTES; i++) {
        for (uint32_t shard = 0; shard < SHARDS; shard++)
            atomic_store_explicit(&routes->seat_of[shard], (uint8_t)(i % SEATS_USED), memory_order_relaxed);
        atomic_store_explicit(&routes->epoch, i, memory_order_release);
        while (atomic_load_explicit(&table->formula->lanes[0].epoch, memory_order_acquire) != i)
            sched_yield();
    }
    return NULL;
}

static void table_open(struct table *table)
{
    *table = (struct table){ .formula = aligned(sizeof(struct vx_formula) + sizeof(struct formula_lane)), .batches = aligned(sizeof(struct formula_batch) * FORMULA_CIRCLES * FORMULA_BATCHES) };
    table->formula->lanes_count = 1;
    table->formula->lanes[0].rung = &table->rung;
    for (uint32_t i = 0; i < FORMULA_CIRCLES; i++)
        table->formula->lanes[0].circles[i].batches = table->batches + (size_t)i * FORMULA_BATCHES;
}

static void every_job_has_its_own_answer(void)
{
    struct table table;
    pthread_t worker, control;
    static uint8_t answered[JOBS];
    uint32_t asked = 0, done = 0, wrong = 0;
    bool seats_seen[FORMULA_SEATS] = { false };
    table_open(&table);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&worker, NULL, worker_work, &table), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&control, NULL, routes_change, &table), 0);
    while (done < JOBS || atomic_load(&table.formula->lanes[0].epoch) < ROUTES) {
        const struct vx_job job = { .formula = (uint8_t)(asked % VX_FORMULA_KINDS), .id = asked, .seed = asked, .in = { (float)asked }, .shard = (uint16_t)(asked % SHARDS) };
        struct vx_event events[32];
        asked += asked < JOBS ? vx_formula_submit(table.formula, 0, &job, 1) : 0;
        (void)vx_formula_flush(table.formula, 0);
        uint32_t count = vx_formula_poll(table.formula, 0, events, 32);
        for (uint32_t i = 0; i < count; i++, done++) {
            wrong += events[i].number >= JOBS || answered[events[i].number]++ != 0 || events[i].shard != events[i].number % SHARDS || events[i].c >= SEATS_USED ||
                     events[i].out[0] != (float)events[i].number * 2 + (float)(events[i].number & 1);
            seats_seen[events[i].c % FORMULA_SEATS] = true;
        }
    }
    atomic_store_explicit(&table.is_over, true, memory_order_release);
    (void)pthread_join(control, NULL);
    (void)pthread_join(worker, NULL);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(done, JOBS);
    CU_ASSERT(seats_seen[0] && seats_seen[1]); /* the routes did change meanwhile */
    free(table.batches);
    free(table.formula);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "actions arrive whole and in order", actions_arrive_whole_and_in_order },
        { "every job has its own answer, whatever the routes do", every_job_has_its_own_answer },
    };
    return vx_test_main("threads", tests, sizeof(tests) / sizeof(tests[0]));
}
