/* What ledger.c (the database) and ledger_writer.c (the thread) share. */
#ifndef LEDGER_PRIVATE_H
#define LEDGER_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>
#include <time.h>

#include "vx_ledger.h"

enum {
    BATCH_MAX = 4096, /* grants in a transaction: measured 6 to 8 ms and 0.25 to 0.75 MB of log */
};

/* The writer's view of one shard lcore. A lane whose acknowledgements wait is not taken from, so that
 * `waiting` holds one batch at most, and a lane that stands still does not hold up the others. */
struct lane {
    struct rte_ring *grants, *acks;
    uint32_t taken_first, taken; /* this lane's part of the batch */
    uint32_t waiting_first, waiting_count;
    struct vx_event waiting[BATCH_MAX];
};

struct vx_ledger {
    sqlite3 *database;
    sqlite3_stmt *begin, *insert, *commit, *rollback;
    char path[VX_PATH_BYTES];
    struct vx_ledger_counters counters;
    /* The rest exists once the writer is started. */
    struct lane *lanes;
    uint32_t lane_count;
    uint32_t lane_first; /* whom the next batch begins with: it moves, so that no lane always comes last */
    bool started;        /* control: rw */
    bool stop;           /* control: released by close; writer: acquired */
    pthread_t thread;
    struct vx_grant batch[BATCH_MAX];
};

/* Stops the writer after it has emptied the rings; nothing when it was never started. Control thread. */
void ledger_stop(struct vx_ledger *ledger);

static inline uint64_t ledger_clock_us(clockid_t clock)
{
    struct timespec now;
    VX_ASSERT(clock_gettime(clock, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static inline void ledger_counter_set(uint64_t *counter, uint64_t value)
{
    __atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

static inline void ledger_counter_add(uint64_t *counter, uint64_t amount)
{
    ledger_counter_set(counter, *counter + amount);
}

#endif
