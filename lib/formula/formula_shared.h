/* The memory that daemon and formula workers share, and nothing else that they share: a header, a seat for each
 * worker process, then per lane, seat and kind a circular array of batches, then one scratch batch a seat in
 * which only the worker writes, to warm its loops up. No pointers inside: each process maps it where it likes.
 *
 * A batch belongs to one side at a time, and its state word says to which:
 *   FREE, DONE      shard lcore
 *   SUBMITTED       whoever serves the seat: taken by compare-and-swap
 *   RUNNING + seat  that seat's worker; it reads inputs and seeds, writes outputs, version and costs, and counts the
 *                   attempt; never anything else, so that a batch whose worker was killed half way can be evaluated
 *                   again. The control thread makes it SUBMITTED again when it has reaped that worker.
 * FORMULA_ATTEMPTS_MAX workers may end on a batch: the next one answers it with the minima and does not evaluate
 * it, or one bad job would end every worker there is.
 *
 * What a worker writes is believed by nobody: texts are cut, positions checked, numbers taken as numbers.
 * lua/runtime/batch.lua declares struct formula_batch once more for LuaJIT; the worker hands it sizes and offsets
 * from this declaration, and it refuses to start when they differ. */
#ifndef FORMULA_SHARED_H
#define FORMULA_SHARED_H

#include <stdatomic.h>

#include "vx_trial.h"

enum {
    FORMULA_MAGIC = 0x78764658,
    FORMULA_LAYOUT_VERSION = 4,
    FORMULA_BATCH_JOBS = VX_FORMULA_BATCH_JOBS, /* LuaJIT's loop becomes hot at 56; 64 floats are four cache lines */
    FORMULA_BATCHES = 16,           /* of a lane, seat and kind: 1,024 jobs; a power of two */
    FORMULA_SEATS = VX_FORMULA_SEATS_MAX,             /* live, canary, and a spare process that has everything but a program */
    FORMULA_TEXT_BYTES = 320,       /* leaves room in struct vx_error for what is put before it */
    FORMULA_NAME_BYTES = 64,
    FORMULA_ATTEMPTS_MAX = 2,
    FORMULA_TAPS = 16,              /* batches copied for the control thread between two of its turns; a power of two */
    FORMULA_PAGE_BYTES = 4096,      /* batches begin on a page */
    FORMULA_EXIT_MEMORY = 70,       /* statuses with which a worker ends itself, its batch unanswered */
    FORMULA_EXIT_STACK = 71,
};

enum formula_batch_state { FORMULA_FREE, FORMULA_SUBMITTED, FORMULA_DONE, FORMULA_RUNNING };
struct formula_batch {
    _Atomic uint32_t state; /* alone in its cache line, so that whoever waits does not disturb whoever works */
    uint32_t state_reserved[15];
    uint32_t count;     /* shard: w, worker: r */
    uint32_t version;   /* worker: w, shard: r; of the formula that answered */
    uint32_t attempts;  /* shard: w 0, worker: rw; evaluations begun */
    uint32_t mode;      /* shard: w, worker: r; enum vx_trial_mode, 0 outside of trials */
    uint32_t ns;        /* worker: w, shard: r; the evaluation … */
    uint32_t pause_ns;  /* … and with the piece of collection behind it; trials only */
    uint32_t allocated; /* worker: w, shard: r; bytes taken from the Lua heap meanwhile; trials only */
    uint32_t failures;  /* worker: w, shard: r; jobs for which the formula raised an error */
    uint32_t reserved[8];
    float inputs[VX_JOB_INPUTS][FORMULA_BATCH_JOBS];   /* shard: w, worker: r */
    float outputs[VX_JOB_OUTPUTS][FORMULA_BATCH_JOBS]; /* worker: w, shard: r */
    uint64_t seeds[FORMULA_BATCH_JOBS];                /* shard: w, worker: r */
};
static_assert(sizeof(struct formula_batch) % VX_CACHE_LINE_BYTES == 0, "batches do not share cache lines");
static_assert(offsetof(struct formula_batch, count) == VX_CACHE_LINE_BYTES, "the state word is alone");
static_assert(sizeof(_Atomic uint32_t) == 4 && ATOMIC_INT_LOCK_FREE == 2, "the state word works between processes");

/* A copy of an answered batch, for shadow runs and recordings. */
struct formula_tap {
    uint32_t kind, count, version, reserved;
    float inputs[VX_JOB_INPUTS][FORMULA_BATCH_JOBS];
    float outputs[VX_JOB_OUTPUTS][FORMULA_BATCH_JOBS];
    uint64_t seeds[FORMULA_BATCH_JOBS];
};

enum formula_worker_state {
    FORMULA_WORKER_STARTING, /* exec'd, reads its runtime */
    FORMULA_WORKER_SPARE,    /* waits for a program; from here on it can open nothing */
    FORMULA_WORKER_LOADING,
    FORMULA_WORKER_READY,
    FORMULA_WORKER_FAILED,
};
enum formula_command { FORMULA_COMMAND_NONE, FORMULA_COMMAND_LOAD, FORMULA_COMMAND_INSPECT };

/* A kind's text as the worker gets it; bytes 0: this kind is not loaded (trials load one). */
struct formula_program_text {
    uint32_t bytes;
    char name[FORMULA_NAME_BYTES]; /* what errors call it */
    char text[VX_FORMULA_TEXT_BYTES_MAX];
};

struct formula_seat {
    /* control: w, worker: r */
    _Atomic uint32_t command; /* enum formula_command; a futex on which a worker without work waits */
    uint32_t trial;           /* before LOAD: run the examples, watch the compiler, keep raw and interpreted loops */
    /* worker: w; control: r, and rw while the seat has no worker */
    _Atomic uint32_t state VX_ALIGNED; /* enum formula_worker_state */
    char text[FORMULA_TEXT_BYTES];     /* STARTING, LOADING: what is being loaded; FAILED: why */
    _Atomic uint64_t batch_began_ns VX_ALIGNED; /* CLOCK_MONOTONIC; 0 between batches */
    _Atomic uint32_t batch_kind;                /* of the batch begun last */
    /* One writer, the living worker; they go on counting where a dead one stopped. */
    uint64_t jobs[VX_FORMULA_KINDS] VX_ALIGNED, batches[VX_FORMULA_KINDS], busy_ns[VX_FORMULA_KINDS];
    uint64_t failures[VX_FORMULA_KINDS]; /* jobs answered with the minima: the formula raised an error, or their batch was given up */
    uint64_t given_up[VX_FORMULA_KINDS]; /* batches on which FORMULA_ATTEMPTS_MAX workers have ended */
    uint64_t heap_bytes, heap_bytes_max; /* of the Lua heap, now and ever */
    uint64_t collections;                /* bounded pieces of garbage collection … */
    uint64_t collection_ns_max;          /* … and the longest of them */
    uint64_t traces, trace_aborts, trace_flushes; /* what the compiler has done */
    struct vx_hist batch_ns[VX_FORMULA_KINDS]; /* evaluations of a batch, whatever its size */
    /* worker: w after LOAD */
    struct vx_formula_declared declared[VX_FORMULA_KINDS];
    struct vx_trial_report report; /* after INSPECT; command is NONE again then */
    /* Single producer (worker), single consumer (control); positions only grow. */
    _Atomic uint32_t tap_on VX_ALIGNED; /* control: w */
    _Atomic uint32_t tap_taken;         /* control: w */
    _Atomic uint32_t tap_written VX_ALIGNED; /* worker: w */
    uint64_t taps_missed;               /* worker: w; the ring was full */
    struct formula_tap taps[FORMULA_TAPS];
    /* control: w before LOAD */
    struct formula_program_text programs[VX_FORMULA_KINDS];
};

struct formula_header {
    /* daemon: w before the first worker starts; worker: r */
    uint32_t magic, layout_version, batch_bytes, seat_bytes, lanes;
    uint32_t reserved[11];
    _Atomic uint32_t server_of[FORMULA_SEATS]; /* control: w, worker: r; the seat whose worker answers this seat's batches */
    /* lane * VX_FORMULA_KINDS + kind of the batch begun last; workers: rw. The next worker begins behind it: were it to
     * begin in front each time, a formula that ends its workers would keep all that comes after from being served. */
    _Atomic uint32_t turn VX_ALIGNED;
    struct {
        _Atomic uint32_t submitted VX_ALIGNED; /* shard: w, worker: r; grows with each batch published: unchanged, nothing new */
    } lanes_rung[VX_SHARD_LCORES_MAX];
    struct formula_seat seats[FORMULA_SEATS] VX_ALIGNED;
};

enum { FORMULA_HEADER_BYTES = (sizeof(struct formula_header) + FORMULA_PAGE_BYTES - 1) / FORMULA_PAGE_BYTES * FORMULA_PAGE_BYTES };

/* Number of the batch in the whole memory; the scratch batches come behind. */
static inline uint32_t formula_batch_number(uint32_t lane, uint32_t seat, uint32_t kind, uint32_t index)
{
    return ((lane * FORMULA_SEATS + seat) * VX_FORMULA_KINDS + kind) * FORMULA_BATCHES + index;
}
static inline uint32_t formula_batches_total(uint32_t lanes)
{
    return lanes * FORMULA_SEATS * VX_FORMULA_KINDS * FORMULA_BATCHES;
}
static inline uint32_t formula_scratch_number(uint32_t lanes, uint32_t seat)
{
    return formula_batches_total(lanes) + seat;
}
static inline size_t formula_shared_bytes(uint32_t lanes)
{
    return FORMULA_HEADER_BYTES + (formula_batches_total(lanes) + FORMULA_SEATS) * sizeof(struct formula_batch);
}
static inline struct formula_batch *formula_batches(struct formula_header *header)
{
    return (struct formula_batch *)((char *)header + FORMULA_HEADER_BYTES);
}

#endif
