/* Shard lcore: feeds its shards from the rings and carries away what they say. Data plane, but for
 * creation. Answers from formulas and the ledger are events like any other. */
#include <errno.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>
#include <string.h>

#include "shard_lcore_private.h"
#include "vx_memory.h"

struct shard_memory {
    struct vx_arenas *arenas;
    uint32_t shard;
};

static void *allocate(void *context, size_t bytes, size_t alignment)
{
    const struct shard_memory *memory = context;
    return vx_arena_table(memory->arenas, memory->shard, bytes, alignment);
}

int vx_shard_lcore_create(const struct vx_shard_lcore_config *config, struct vx_shard_lcore **lcore, struct vx_error *error)
{
    size_t bytes = sizeof(struct vx_shard_lcore) + (size_t)config->shard_count * config->io_count * sizeof(struct waiting);
    struct vx_shard_lcore *made = rte_zmalloc_socket("vx_shard_lcore", bytes, VX_CACHE_LINE_BYTES, config->numa);
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
        struct shard_memory memory = { config->arenas, shard };
        one.allocate_context = &memory; /* of use to vx_shard_create alone */
        if (vx_arena_heap(config->arenas, shard) == NULL)
            return vx_error_set(error, -ENOMEM, "shard %u: no arena", shard);
        int rc = vx_shard_create(&one, &made->shards[i], error);
        if (rc != 0)
            return rc;
    }
    made->commands = shard_lcore_commands_create(config->numa);
    if (made->commands == NULL)
        return vx_error_set(error, -ENOMEM, "shard lcore %u: no memory for its commands", config->index);
    *lcore = made;
    return 0;
}

/* The zero-copy calls with one memcpy: rte_ring's own copies a 48-byte element in twelve pieces. */
static uint32_t replies_put(struct rte_ring *ring, const struct vx_reply *replies, uint32_t count)
{
    struct rte_ring_zc_data zone;
    uint32_t taken = rte_ring_enqueue_zc_burst_elem_start(ring, sizeof(*replies), count, &zone, NULL);
    if (taken == 0)
        return 0;
    memcpy(zone.ptr1, replies, zone.n1 * sizeof(*replies));
    if (taken > zone.n1)
        memcpy(zone.ptr2, replies + zone.n1, (taken - zone.n1) * sizeof(*replies));
    rte_ring_enqueue_zc_elem_finish(ring, taken);
    return taken;
}

static void replies_out(struct vx_shard_lcore *lcore)
{
    struct vx_shard_out *out = &lcore->out;
    uint32_t at = 0;
    if (VX_UNLIKELY(lcore->tracing))
        vx_trace_replies(lcore->config.trace, out->replies, out->reply_count, rte_rdtsc());
    while (at < out->reply_count) { /* runs of replies for the same io lcore go in one enqueue */
        uint32_t end = at + 1;
        while (end < out->reply_count && out->replies[end].io == out->replies[at].io)
            end++;
        VX_ASSERT(out->replies[at].io < lcore->config.io_count);
        uint32_t sent = replies_put(lcore->config.replies[out->replies[at].io], &out->replies[at], end - at);
        lcore->counters.replies += sent;
        lcore->counters.replies_dropped += end - at - sent;
        at = end;
    }
    out->reply_count = 0;
}

static void out_flush(struct vx_shard_lcore *lcore)
{
    struct vx_shard_out *out = &lcore->out;
    if (out->reply_count > 0)
        replies_out(lcore);
    if (out->job_count > 0)
        shard_lcore_jobs_out(lcore);
    if (out->grant_count > 0) { /* what finds no room is offered again by its shard */
        if (lcore->config.grants != NULL)
            lcore->counters.grants += rte_ring_sp_enqueue_burst_elem(lcore->config.grants, out->grants, sizeof(struct vx_grant), out->grant_count, NULL);
        out->grant_count = 0;
    }
}

static void step(struct vx_shard_lcore *lcore, uint32_t local, uint64_t now_us, const struct vx_event *events, uint32_t count)
{
    lcore->stepped_us[local] = now_us;
    uint32_t done = vx_shard_step(lcore->shards[local], now_us, events, count, &lcore->out);
    while (VX_UNLIKELY(done < count)) { /* what the shards have said so far has filled the arrays */
        out_flush(lcore);
        done += vx_shard_step(lcore->shards[local], now_us, events + done, count - done, &lcore->out);
    }
    if (lcore->out.reply_count >= VX_BURST_MAX) /* an io lcore on another core begins while we go on */
        out_flush(lcore);
    lcore->counters.events += count;
}

static void prefetch(const struct vx_shard *shard, const struct vx_event *events, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        vx_shard_prefetch(shard, &events[i]);
}

/* Looks at what lies in every ring, and prefetches the players, before the first shard is stepped: a ring holds one or two
 * packets of a burst that is spread over 40 shards, so fetching within one ring, or a few ahead, comes too late. */
static uint32_t actions_gather(struct vx_shard_lcore *lcore)
{
    struct waiting *waiting = lcore->waiting;
    for (uint32_t local = 0; local < lcore->config.shard_count; local++) {
        uint32_t shard = lcore->config.shard_first + local * lcore->config.shard_step;
        for (uint32_t io = 0; io < lcore->config.io_count; io++) {
            struct rte_ring *ring = lcore->config.actions[io][shard];
            uint32_t count = rte_ring_dequeue_zc_burst_elem_start(ring, sizeof(struct vx_event), EVENTS_BURST, &waiting->zone, NULL);
            if (count == 0)
                continue;
            waiting->ring = ring;
            waiting->local = local;
            waiting->count = count;
            prefetch(lcore->shards[local], waiting->zone.ptr1, waiting->zone.n1);
            prefetch(lcore->shards[local], waiting->zone.ptr2, count - waiting->zone.n1);
            waiting++;
        }
    }
    return (uint32_t)(waiting - lcore->waiting);
}

static uint32_t actions_in(struct vx_shard_lcore *lcore, uint64_t now_us)
{
    uint32_t rings = actions_gather(lcore), total = 0;
    for (uint32_t i = 0; i < rings; i++) {
        const struct waiting *waiting = &lcore->waiting[i];
        if (VX_UNLIKELY(lcore->tracing)) {
            vx_trace_events(lcore->config.trace, waiting->zone.ptr1, waiting->zone.n1);
            vx_trace_events(lcore->config.trace, waiting->zone.ptr2, waiting->count - waiting->zone.n1);
        }
        step(lcore, waiting->local, now_us, waiting->zone.ptr1, waiting->zone.n1);
        if (waiting->count > waiting->zone.n1)
            step(lcore, waiting->local, now_us, waiting->zone.ptr2, waiting->count - waiting->zone.n1);
        rte_ring_dequeue_zc_elem_finish(waiting->ring, waiting->count);
        total += waiting->count;
    }
    return total;
}

uint32_t shard_lcore_local(const struct vx_shard_lcore *lcore, uint32_t shard)
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
        step(lcore, shard_lcore_local(lcore, events[i].shard), now_us, &events[i], 1);
    total += count;
    count = lcore->config.acks == NULL ? 0 : rte_ring_sc_dequeue_burst_elem(lcore->config.acks, events, sizeof(events[0]), EVENTS_BURST, NULL);
    for (uint32_t i = 0; i < count; i++)
        step(lcore, shard_lcore_local(lcore, events[i].shard), now_us, &events[i], 1);
    return total + count;
}

/* One command a pass: what operators do is rare, and a pass stays short. */
static void command_in(struct vx_shard_lcore *lcore, uint64_t now_us)
{
    struct vx_event event;
    if (VX_LIKELY(rte_ring_sc_dequeue_elem(lcore->commands, &event, sizeof(event)) != 0))
        return;
    if (event.kind == EVENT_ASK) {
        shard_lcore_answer(lcore, &event);
        return;
    }
    for (uint32_t local = 0; local < lcore->config.shard_count; local++)
        if (event.shard == VX_LCORE_EVERY_SHARD || local == shard_lcore_local(lcore, event.shard))
            step(lcore, local, now_us, &event, 1);
}

/* Formulas have changed: shards whose tables come from another version now ask for them again. */
static void tables_renew(struct vx_shard_lcore *lcore, uint64_t now_us)
{
    const struct vx_event event = { .kind = VX_EVENT_FORMULAS };
    for (uint32_t local = 0; local < lcore->config.shard_count; local++)
        if (vx_formula_tables_changed(lcore->config.formula, lcore->config.index, lcore->config.shard_first + local * lcore->config.shard_step))
            step(lcore, local, now_us, &event, 1);
}

uint32_t vx_shard_lcore_step(struct vx_shard_lcore *lcore, uint64_t now_us)
{
    lcore->now_us = now_us;
    lcore->tracing = lcore->config.trace != NULL && vx_trace_on(lcore->config.trace);
    uint32_t work = answers_in(lcore, now_us);
    command_in(lcore, now_us);
    work += actions_in(lcore, now_us);
    for (uint32_t local = 0; local < lcore->config.shard_count; local++)
        if (now_us - lcore->stepped_us[local] >= TIMERS_US)
            step(lcore, local, now_us, NULL, 0);
    out_flush(lcore);
    shard_lcore_backlog_out(lcore);
    if (lcore->config.formula != NULL && VX_UNLIKELY(vx_formula_flush(lcore->config.formula, lcore->config.index)))
        tables_renew(lcore, now_us);
    return work;
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
    uint64_t pending = lcore->backlog.tail - lcore->backlog.head;
    for (uint32_t i = 0; i < lcore->config.shard_count; i++) {
        const struct vx_shard_counters *counters = vx_shard_counters(lcore->shards[i]);
        pending += vx_counter_read(&counters->jobs_pending) + vx_counter_read(&counters->grants_pending);
        for (uint32_t io = 0; io < lcore->config.io_count; io++)
            pending += rte_ring_count(lcore->config.actions[io][lcore->config.shard_first + i * lcore->config.shard_step]);
    }
    return pending;
}
