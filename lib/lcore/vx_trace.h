/* trace: a sampled feed of actions and results, from a shard lcore to the control thread. The lcore looks at one word a
 * pass; when it is on, it copies what fits the filter into a ring of its own, at most TRACE_PASS_MAX records in a pass,
 * and counts what found no room. It never waits. */
#ifndef VX_TRACE_H
#define VX_TRACE_H

#include "vx_shard.h"

enum { VX_TRACE_RING = 4096, VX_TRACE_PASS_MAX = 256, VX_TRACE_ANY = UINT32_MAX };
struct vx_trace_record { /* one action in, or one result out */
    uint64_t cycles;     /* TSC: when the action was received; of a result when it left its shard */
    uint32_t player, number; /* action number; of a result that answers none 0 */
    uint16_t shard, arg16;
    uint8_t is_result, type, code, arg8;
    uint32_t a, b;
};
static_assert(sizeof(struct vx_trace_record) == 32, "two records, one cache line");

/* What is wanted. every: 1 for all players, 64 for those of one 64th of all ids. */
struct vx_trace_filter {
    uint32_t player; /* or VX_TRACE_ANY */
    uint32_t shard;  /* or VX_TRACE_ANY */
    uint32_t every;  /* a power of two */
    bool refusals;   /* results with a code other than OK, and nothing else */
};
struct vx_trace;
/* Start-up: memory near numa; NULL: none. */
struct vx_trace *vx_trace_create(int numa);
void vx_trace_free(struct vx_trace *trace);
/* Control thread. NULL: off. The lcore follows at its next pass. */
void vx_trace_set(struct vx_trace *trace, const struct vx_trace_filter *filter);
/* Control thread: takes up to max records; *lost gets how many found no room since the start. */
uint32_t vx_trace_take(struct vx_trace *trace, struct vx_trace_record *records, uint32_t max, uint64_t *lost);
/* Does this record fit? For whoever narrows a wider feed. */
bool vx_trace_fits(const struct vx_trace_filter *filter, const struct vx_trace_record *record);

/* Lcore, once a pass: true while somebody wants a feed. */
bool vx_trace_on(struct vx_trace *trace);
/* Lcore, while vx_trace_on: what goes into the shards, what comes out. */
void vx_trace_events(struct vx_trace *trace, const struct vx_event *events, uint32_t count);
void vx_trace_replies(struct vx_trace *trace, const struct vx_reply *replies, uint32_t count, uint64_t now_cycles);

#endif
