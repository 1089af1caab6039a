/* The memory that daemon and formula worker share, and nothing else that they share: one header, then
 * per lane and kind a circular array of batches, then one scratch batch in which only the worker
 * writes, to warm its loops up. No pointers inside: each process maps it where it likes.
 *
 * A batch belongs to one side at a time, and its state word says to which:
 *   FREE, DONE   shard lcore
 *   SUBMITTED    worker; it reads inputs and seeds, writes outputs and version, and counts the attempt;
 *                never anything else, so that a batch whose worker was killed half way can be evaluated
 *                again. FORMULA_ATTEMPTS_MAX workers may end on it: the next one answers it with the minima
 *                and does not evaluate it, or one bad job would end every worker there is.
 * lua/runtime/batch.lua declares struct formula_batch once more for LuaJIT; the worker hands it sizes
 * and offsets from this declaration, and it refuses to start when they differ. */
#ifndef FORMULA_SHARED_H
#define FORMULA_SHARED_H

#include <stdatomic.h>

#include "vx_shard.h"

enum {
    FORMULA_MAGIC = 0x78764658,
    FORMULA_LAYOUT_VERSION = 2,
    FORMULA_BATCH_JOBS = 64,        /* LuaJIT's loop becomes hot at 56; 64 floats are four cache lines */
    FORMULA_BATCHES = 16,           /* of a lane and kind: 1,024 jobs; a power of two */
    FORMULA_TEXT_BYTES = 320,       /* leaves room in struct vx_error for what is put before it */
    FORMULA_ATTEMPTS_MAX = 2,
    FORMULA_HEADER_BYTES = 4096,    /* batches begin on a page */
};

enum formula_batch_state { FORMULA_FREE, FORMULA_SUBMITTED, FORMULA_DONE };
struct formula_batch {
    _Atomic uint32_t state; /* alone in its cache line, so that whoever waits does not disturb whoever works */
    uint32_t state_reserved[15];
    uint32_t count;   /* shard: w, worker: r */
    uint32_t version; /* worker: w, shard: r; of the formula that answered */
    uint32_t attempts; /* shard: w 0, worker: rw; evaluations begun */
    uint32_t reserved[13];
    float inputs[VX_JOB_INPUTS][FORMULA_BATCH_JOBS];   /* shard: w, worker: r */
    float outputs[VX_JOB_OUTPUTS][FORMULA_BATCH_JOBS]; /* worker: w, shard: r */
    uint64_t seeds[FORMULA_BATCH_JOBS];                /* shard: w, worker: r */
    uint32_t ids[FORMULA_BATCH_JOBS];                  /* shard: rw */
    uint16_t shards[FORMULA_BATCH_JOBS];               /* shard: rw */
};
static_assert(sizeof(struct formula_batch) % VX_CACHE_LINE_BYTES == 0, "batches do not share cache lines");
static_assert(offsetof(struct formula_batch, count) == VX_CACHE_LINE_BYTES, "the state word is alone");
static_assert(sizeof(_Atomic uint32_t) == 4 && ATOMIC_INT_LOCK_FREE == 2, "the state word works between processes");

enum formula_worker_state { FORMULA_WORKER_LOADING, FORMULA_WORKER_READY, FORMULA_WORKER_FAILED };
struct formula_header {
    /* daemon: w before the first worker starts; worker: r */
    uint32_t magic, layout_version, header_bytes, batch_bytes;
    uint32_t lanes;
    uint32_t reserved[11];
    /* worker: w; daemon: r, and rw while there is no worker */
    _Atomic uint32_t worker_state;
    char text[FORMULA_TEXT_BYTES];  /* LOADING: what is being loaded; FAILED: why */
    _Atomic uint64_t batch_began_ns VX_ALIGNED; /* CLOCK_MONOTONIC; 0 between batches */
    /* One writer, the living worker; they go on counting where a dead one stopped. */
    uint64_t jobs[VX_FORMULA_KINDS], batches[VX_FORMULA_KINDS], busy_ns[VX_FORMULA_KINDS];
    uint64_t failures[VX_FORMULA_KINDS]; /* jobs answered with the minima: the formula raised an error, or their batch was given up */
    uint64_t given_up[VX_FORMULA_KINDS]; /* batches on which FORMULA_ATTEMPTS_MAX workers have ended */
    /* lane * VX_FORMULA_KINDS + kind of the batch begun last. The next worker begins behind it: were it to begin
     * in front each time, a formula that ends its workers would keep all that comes after from being served. */
    uint32_t turn;
};
static_assert(sizeof(struct formula_header) <= FORMULA_HEADER_BYTES, "header");

/* Number of the batch in the whole memory; the scratch batch is number formula_batches_total(). */
static inline uint32_t formula_batch_number(uint32_t lane, uint32_t kind, uint32_t index)
{
    return (lane * VX_FORMULA_KINDS + kind) * FORMULA_BATCHES + index;
}
static inline uint32_t formula_batches_total(uint32_t lanes)
{
    return lanes * VX_FORMULA_KINDS * FORMULA_BATCHES;
}
static inline size_t formula_shared_bytes(uint32_t lanes)
{
    return FORMULA_HEADER_BYTES + (formula_batches_total(lanes) + 1) * sizeof(struct formula_batch);
}

#endif
