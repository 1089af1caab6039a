/* Shard lcore: feeds its shards from the rings and carries away what they say. Data plane, but for
 * creation. Answers from formulas and the ledger are events like any other. */
#include <errno.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>

#include "vx_lcore.h"
#include "vx_memory.h"

enum {
    OUT_REPLIES = 512,
    OUT_JOBS = 128,
    OUT_GRANTS = 64,
    BACKLOG_JOBS = 2048,   /* jobs that found every batch taken; beyond it a job times out in its shard */
    EVENTS_AHEAD = 16, /* events of a shard that are prefetched while others are stepped */
    SHARDS_AHEAD = 4,
    EVENTS_BURST = 64,
    TIMERS_US = 1000,      /* an idle shard's timers run this often */
};

struct vx_shard_lcore {
    struct vx_shard_lcore_config config;
    struct vx_shard *shards[VX_SHARDS_MAX];
    uint64_t stepped_us[VX_SHARDS_MAX];
    struct vx_shard_out out;
    struct vx_reply replies[OUT_REPLIES];
    struct vx_job jobs[OUT_JOBS];
    struct vx_grant grants[OUT_GRANTS];
    struct vx_job backlog[BACKLOG_JOBS];
    uint32_t backlog_count;
    bool drain;
    struct vx_shard_lcore_counters counters VX_ALIGNED;
};

static void *allocate(void *heap, size_t bytes, size_t alignment)
{
    return vx_arena_allocate(heap, bytes, alignment);
}

int vx_shard_lcore_create(const struct vx_shard_lcore_config *config, struct vx_shard_lcore **lcore, struct vx_error *error)
{
    struct vx_shard_lcore *made = rte_zmalloc_socket("vx_shard_lcore", sizeof(*made), VX_CACHE_LINE_BYTES, config->numa);
    if (made == NULL)
        return vx_error_set(error, -ENOMEM, "shard lcore %u: no memory for its buffers", config->index);
    made->config = *config;
    made->out = (struct vx_shard_out){ .replies = made->replies, .jobs = made->jobs, .grants = made->grants,
                                       .reply_max = OUT_REPLIES, .job_max = OUT_JOBS, .grant_max = OUT_GRANTS };
    for (uint32_t i = 0; i < config->shard_count; i++) {
        uint32_t shard = config->shard_first + i * config->shard_step;
        struct vx_shard_config one = config->shard;
        one.shard = shard;
        one.seed = vx_mix64(config->shard.seed + shard);
        one.allocate = allocate;
        one.allocate_context = vx_arena_heap(config->arenas, shard);
        if (one.allocate_context == NULL)
            return vx_error_set(error, -ENOMEM, "shard %u: no arena", shard);
        int rc = vx_shard_create(&one, &made->shards[i], error);
        if (rc != 0)
            return rc;
    }
    *lcore = made;
    return 0;
}

static void replies_out(struct vx_shard_lcore *lcore)
{
    struct vx_shard_out *out = &lcore->out;
    uint32_t at = 0;
    while (at < out->reply_count) { /* runs of replies for the same io lcore go in one enqueue */
        uint32_t end = at + 1;
        while (end < out->reply_count && out->replies[end].io == out->replies[at].io)
            end++;
        VX_ASSERT(out->replies[at].io < lcore->config.io_count);
        uint32_t sent = rte_ring_sp_enqueue_burst_elem(lcore->config.replies[out->replies[at].io], &out->replies[at],
                                                       sizeof(struct vx_reply), end - at, NULL);
        lcore->counters.replies += sent;
        lcore->counters.replies_dropped += end - at - sent;
        at = end;
    }
    out->reply_count = 0;
}

static void jobs_out(struct vx_shard_lcore *lcore)
{
    struct vx_shard_out *out = &lcore->out;
    uint32_t taken = 0;
    lcore->counters.jobs += out->job_count;
    if (lcore->config.formula != NULL && lcore->backlog_count == 0)
        taken = vx_formula_submit(lcore->config.formula, lcore->config.index, out->jobs, out->job_count);
    while (taken < out->job_count && lcore->backlog_count < BACKLOG_JOBS)
        lcore->backlog[lcore->backlog_count++] = out->jobs[taken++];
    out->job_count = 0;
}

static void backlog_out(struct vx_shard_lcore *lcore)
{
    if (lcore->backlog_count == 0 || lcore->config.formula == NULL)
        return;
    uint32_t taken = vx_formula_submit(lcore->config.formula, lcore->config.index, lcore->backlog, lcore->backlog_count);
    lcore->backlog_count -= taken;
    for (uint32_t i = 0; i < lcore->backlog_count; i++)
        lcore->backlog[i] = lcore->backlog[i + taken];
}

static void out_flush(struct vx_shard_lcore *lcore)
{
    struct vx_shard_out *out = &lcore->out;
    if (out->reply_count > 0)
        replies_out(lcore);
    if (out->job_count > 0)
        jobs_out(lcore);
    if (out->grant_count > 0) { /* what finds no room is offered again by its shard */
        if (lcore->config.grants != NULL)
            lcore->counters.grants += rte_ring_sp_enqueue_burst_elem(lcore->config.grants, out->grants, sizeof(struct vx_grant), out->grant_count, NULL);
        out->grant_count = 0;
    }
}

static void step(struct vx_shard_lcore *lcore, uint32_t local, uint64_t now_us, const struct vx_event *events, uint32_t count)
{
    uint32_t done = 0;
    lcore->stepped_us[local] = now_us;
    for (;;) {
        done += vx_shard_step(lcore->shards[local], now_us, events + done, count - done, &lcore->out);
        out_flush(lcore);
        if (done >= count)
            break;
    }
    lcore->counters.events += count;
}

static void prefetch(const struct vx_shard *shard, const struct vx_event *events, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        vx_shard_prefetch(shard, &events[i]);
}

static uint32_t actions_in(struct vx_shard_lcore *lcore, uint32_t local, uint32_t shard, uint64_t now_us)
{
    uint32_t total = 0;
    for (uint32_t io = 0; io < lcore->config.io_count; io++) {
        struct rte_ring *ring = lcore->config.actions[io][shard];
        struct rte_ring_zc_data zone;
        uint32_t count = rte_ring_dequeue_zc_burst_elem_start(ring, sizeof(struct vx_event), EVENTS_BURST, &zone, NULL);
        if (count == 0)
            continue;
        if (zone.n1 > EVENTS_AHEAD)
            prefetch(lcore->shards[local], (const struct vx_event *)zone.ptr1 + EVENTS_AHEAD, zone.n1 - EVENTS_AHEAD);
        step(lcore, local, now_us, zone.ptr1, zone.n1);
        if (count > zone.n1)
            step(lcore, local, now_us, zone.ptr2, count - zone.n1);
        rte_ring_dequeue_zc_elem_finish(ring, count);
        total += count;
    }
    return total;
}

/* Looks at a shard's waiting events without taking them, so that its players are on their way while
 * another shard is being stepped. Fewer than a burst lie in each of many rings: prefetching within one is too late. */
static void shard_prefetch_ahead(struct vx_shard_lcore *lcore, uint32_t local)
{
    if (local >= lcore->config.shard_count)
        return;
    uint32_t shard = lcore->config.shard_first + local * lcore->config.shard_step;
    for (uint32_t io = 0; io < lcore->config.io_count; io++) {
        struct rte_ring_zc_data zone;
        struct rte_ring *ring = lcore->config.actions[io][shard];
        if (rte_ring_dequeue_zc_burst_elem_start(ring, sizeof(struct vx_event), EVENTS_AHEAD, &zone, NULL) == 0)
            continue;
        prefetch(lcore->shards[local], zone.ptr1, zone.n1);
        rte_ring_dequeue_zc_elem_finish(ring, 0); /* start has moved the head: put it back, nothing is taken */
    }
}

static uint32_t local_of(const struct vx_shard_lcore *lcore, uint32_t shard)
{
    uint32_t local = (shard - lcore->config.shard_first) / lcore->config.shard_step;
    VX_ASSERT(local < lcore->config.shard_count);
    return local;
}

/* Formula answers and ledger acknowledgements. */
static uint32_t answers_in(struct vx_shard_lcore *lcore, uint64_t now_us)
{
    struct vx_event events[EVENTS_BURST];
    uint32_t total = 0, count = 0;
    if (lcore->config.formula != NULL)
        count = vx_formula_poll(lcore->config.formula, lcore->config.index, events, EVENTS_BURST);
    for (uint32_t i = 0; i < count; i++)
        step(lcore, local_of(lcore, events[i].shard), now_us, &events[i], 1);
    total += count;
    count = lcore->config.acks == NULL ? 0 : rte_ring_sc_dequeue_burst_elem(lcore->config.acks, events, sizeof(events[0]), EVENTS_BURST, NULL);
    for (uint32_t i = 0; i < count; i++)
        step(lcore, local_of(lcore, events[i].shard), now_us, &events[i], 1);
    return total + count;
}

uint32_t vx_shard_lcore_step(struct vx_shard_lcore *lcore, uint64_t now_us)
{
    uint32_t work = answers_in(lcore, now_us);
    bool drain = __atomic_load_n(&lcore->drain, __ATOMIC_ACQUIRE); /* released by vx_shard_lcore_drain */
    if (VX_UNLIKELY(drain))
        __atomic_store_n(&lcore->drain, false, __ATOMIC_RELAXED);
    for (uint32_t local = 0; local < SHARDS_AHEAD; local++)
        shard_prefetch_ahead(lcore, local);
    for (uint32_t local = 0; local < lcore->config.shard_count; local++) {
        shard_prefetch_ahead(lcore, local + SHARDS_AHEAD);
        work += actions_in(lcore, local, lcore->config.shard_first + local * lcore->config.shard_step, now_us);
        if (VX_UNLIKELY(drain)) {
            struct vx_event event = { .kind = VX_EVENT_DRAIN };
            step(lcore, local, now_us, &event, 1);
        }
        if (now_us - lcore->stepped_us[local] >= TIMERS_US)
            step(lcore, local, now_us, NULL, 0);
    }
    backlog_out(lcore);
    if (lcore->config.formula != NULL)
        vx_formula_flush(lcore->config.formula, lcore->config.index);
    return work;
}

void vx_shard_lcore_drain(struct vx_shard_lcore *lcore)
{
    __atomic_store_n(&lcore->drain, true, __ATOMIC_RELEASE); /* acquired by the next step */
}

struct vx_shard *vx_shard_lcore_shard(const struct vx_shard_lcore *lcore, uint32_t index)
{
    return index < lcore->config.shard_count ? lcore->shards[index] : NULL;
}

const struct vx_shard_lcore_counters *vx_shard_lcore_counters(const struct vx_shard_lcore *lcore)
{
    return &lcore->counters;
}

uint64_t vx_shard_lcore_pending(const struct vx_shard_lcore *lcore)
{
    uint64_t pending = lcore->backlog_count;
    for (uint32_t i = 0; i < lcore->config.shard_count; i++) {
        const struct vx_shard_counters *counters = vx_shard_counters(lcore->shards[i]);
        pending += vx_counter_read(&counters->jobs_pending) + vx_counter_read(&counters->grants_pending);
        for (uint32_t io = 0; io < lcore->config.io_count; io++)
            pending += rte_ring_count(lcore->config.actions[io][lcore->config.shard_first + i * lcore->config.shard_step]);
    }
    return pending;
}
