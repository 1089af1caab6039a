/* The shard lcore's private state, shared by shard_lcore.c (its passes), shard_lcore_jobs.c (formula jobs)
 * and shard_lcore_operate.c (what the control thread tells and asks it). */
#ifndef VX_LCORE_SHARD_LCORE_PRIVATE_H
#define VX_LCORE_SHARD_LCORE_PRIVATE_H

#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>

#include "vx_lcore.h"

enum {
    OUT_REPLIES = 512,
    OUT_JOBS = 128,
    OUT_GRANTS = 64,
    BACKLOG_JOBS = 2048,   /* jobs that found every batch taken; beyond it the oldest goes; a power of two */
    EVENTS_BURST = 256,    /* taken from one ring in a pass */
    TIMERS_US = 1000,      /* an idle shard's timers run this often */
    COMMANDS = 64,         /* from the control thread */
    EVENT_ASK = VX_EVENT_KINDS, /* a command for the lcore itself: arg8 the question, number its key, a its turn */
    ASK_SLEEP_US = 20,
};

/* The answer to the control thread's one question. */
struct answer_box {
    uint32_t turn;   /* lcore: released when the rest is written; control: acquired */
    bool found;
    union vx_lcore_answer answer;
};

/* A ring that has events in this pass: start has been called, finish has not. */
struct waiting {
    struct rte_ring *ring;
    struct rte_ring_zc_data zone;
    uint32_t local, count;
};
struct backlog { /* positions only grow */
    struct vx_job jobs[BACKLOG_JOBS];
    uint64_t until_us[BACKLOG_JOBS];
    uint32_t head, tail;
};
struct vx_shard_lcore {
    struct vx_shard_lcore_config config;
    struct vx_shard *shards[VX_SHARDS_MAX];
    uint64_t stepped_us[VX_SHARDS_MAX];
    struct vx_shard_out out;
    struct vx_reply replies[OUT_REPLIES];
    struct vx_job jobs[OUT_JOBS];
    struct vx_grant grants[OUT_GRANTS];
    struct backlog backlog;
    uint64_t now_us; /* of this pass */
    bool tracing;    /* in this pass */
    struct rte_ring *commands;      /* control: producer; lcore: consumer */
    struct vx_shard_lcore_counters counters VX_ALIGNED;
    struct answer_box box VX_ALIGNED;
    uint32_t questions VX_ALIGNED;  /* control: rw */
    struct waiting waiting[] VX_ALIGNED; /* shard_count * io_count */
};

/* shard_lcore_jobs.c: what the shards ask in this pass, and what waits from passes before. */
void shard_lcore_jobs_out(struct vx_shard_lcore *lcore);
void shard_lcore_backlog_out(struct vx_shard_lcore *lcore);
/* Index of the shard among the lcore's own. */
uint32_t shard_lcore_local(const struct vx_shard_lcore *lcore, uint32_t shard);
struct rte_ring *shard_lcore_commands_create(int numa); /* NULL: no memory */
/* Lcore: fills the box for an EVENT_ASK. */
void shard_lcore_answer(struct vx_shard_lcore *lcore, const struct vx_event *ask);

#endif
