/* Both ends of the feed: the lcore's copies, the control thread's filter and its taking. */
#include "vx_trace.h"

#include <rte_malloc.h>

struct vx_trace {
    /* control: rw, lcore: ro */
    uint32_t on; /* released after the filter; 0 while the filter changes */
    struct vx_trace_filter filter;
    /* lcore: rw, control: ro */
    uint32_t budget VX_ALIGNED; /* records that this pass may still write */
    struct vx_trace_filter wanted; /* its own copy of the filter */
    uint64_t lost;
    uint32_t head VX_ALIGNED; /* lcore: released; control: acquired */
    uint32_t tail VX_ALIGNED; /* control: released; lcore: acquired */
    struct vx_trace_record ring[VX_TRACE_RING] VX_ALIGNED;
};

struct vx_trace *vx_trace_create(int numa)
{
    return rte_zmalloc_socket("vx_trace", sizeof(struct vx_trace), VX_CACHE_LINE_BYTES, numa);
}

void vx_trace_free(struct vx_trace *trace)
{
    rte_free(trace);
}

void vx_trace_set(struct vx_trace *trace, const struct vx_trace_filter *filter)
{
    __atomic_store_n(&trace->on, 0, __ATOMIC_RELEASE);
    if (filter == NULL)
        return;
    /* A lcore that has seen `on` before may read a mixture for one pass; whoever takes the records narrows them anyway. */
    __atomic_store_n(&trace->filter.player, filter->player, __ATOMIC_RELAXED);
    __atomic_store_n(&trace->filter.shard, filter->shard, __ATOMIC_RELAXED);
    __atomic_store_n(&trace->filter.every, filter->every, __ATOMIC_RELAXED);
    __atomic_store_n(&trace->filter.refusals, filter->refusals, __ATOMIC_RELAXED);
    __atomic_store_n(&trace->on, 1, __ATOMIC_RELEASE); /* acquired by vx_trace_on */
}

bool vx_trace_on(struct vx_trace *trace)
{
    if (VX_LIKELY(__atomic_load_n(&trace->on, __ATOMIC_ACQUIRE) == 0))
        return false;
    trace->budget = VX_TRACE_PASS_MAX;
    trace->wanted.player = __atomic_load_n(&trace->filter.player, __ATOMIC_RELAXED);
    trace->wanted.shard = __atomic_load_n(&trace->filter.shard, __ATOMIC_RELAXED);
    trace->wanted.every = __atomic_load_n(&trace->filter.every, __ATOMIC_RELAXED);
    trace->wanted.refusals = __atomic_load_n(&trace->filter.refusals, __ATOMIC_RELAXED);
    return true;
}

bool vx_trace_fits(const struct vx_trace_filter *filter, const struct vx_trace_record *record)
{
    if (filter->player != VX_TRACE_ANY && record->player != filter->player)
        return false;
    if (filter->shard != VX_TRACE_ANY && record->shard != filter->shard)
        return false;
    if (filter->refusals && (!record->is_result || record->code == VX_CODE_OK))
        return false;
    return (vx_mix64(record->player) & (filter->every - 1)) == 0;
}

static void put(struct vx_trace *trace, const struct vx_trace_record *record)
{
    if (!vx_trace_fits(&trace->wanted, record))
        return;
    uint32_t head = trace->head;
    if (trace->budget == 0 || head - __atomic_load_n(&trace->tail, __ATOMIC_ACQUIRE) == VX_TRACE_RING) { /* released by vx_trace_take */
        __atomic_store_n(&trace->lost, trace->lost + 1, __ATOMIC_RELAXED);
        return;
    }
    trace->budget--;
    trace->ring[head % VX_TRACE_RING] = *record;
    __atomic_store_n(&trace->head, head + 1, __ATOMIC_RELEASE); /* acquired by vx_trace_take */
}

void vx_trace_events(struct vx_trace *trace, const struct vx_event *events, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct vx_event *event = &events[i];
        if (event->kind != VX_EVENT_ACTION)
            continue;
        const struct vx_trace_record record = { .cycles = event->received_cycles, .player = event->player, .number = event->number, .shard = event->shard,
                                                .arg16 = event->arg16, .type = event->type, .arg8 = event->arg8, .a = event->a, .b = event->b };
        put(trace, &record);
    }
}

void vx_trace_replies(struct vx_trace *trace, const struct vx_reply *replies, uint32_t count, uint64_t now_cycles)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct vx_reply *reply = &replies[i];
        const struct vx_trace_record record = { .cycles = now_cycles, .player = reply->player, .number = reply->action_number, .shard = reply->shard,
                                                .arg16 = reply->arg16, .is_result = 1, .type = reply->type, .code = reply->code, .a = reply->a, .b = reply->b };
        put(trace, &record);
    }
}

uint32_t vx_trace_take(struct vx_trace *trace, struct vx_trace_record *records, uint32_t max, uint64_t *lost)
{
    uint32_t head = __atomic_load_n(&trace->head, __ATOMIC_ACQUIRE), tail = trace->tail, count = 0; /* released by put */
    while (tail != head && count < max)
        records[count++] = trace->ring[tail++ % VX_TRACE_RING];
    __atomic_store_n(&trace->tail, tail, __ATOMIC_RELEASE); /* acquired by put */
    *lost = vx_counter_read(&trace->lost);
    return count;
}
