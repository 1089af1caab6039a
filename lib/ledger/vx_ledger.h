/* ledger: grants made durable in SQLite (WAL, synchronous=FULL, group commit) before any player sees
 * their receipt. The writer is a thread on the control core: it may wait for the disk, nobody waits
 * for it. Primary key: shard, boot epoch, chest number; a repeated grant is the same row. */
#ifndef VX_LEDGER_H
#define VX_LEDGER_H

#include "vx_base.h"
#include "vx_shard.h"

struct rte_ring;
struct vx_ledger;

struct vx_ledger_counters { /* writer thread: rw, others: ro */
    uint64_t grants_committed, grants_repeated, commits, failures, acks_waiting, commit_us_max;
};
/* Opens or creates the database, takes the next boot epoch (durably) into *epoch. Errors name the
 * path and SQLite's reason; a file that is not ours is refused and left untouched. */
int vx_ledger_open(const char *path, struct vx_ledger **ledger, uint32_t *epoch, struct vx_error *error);
/* One transaction for all of them; 0 when every row is durable, else -EIO (nothing is acknowledged;
 * the caller offers them again). Writer thread. */
int vx_ledger_commit(struct vx_ledger *ledger, const struct vx_grant *grants, uint32_t count, struct vx_error *error);
/* Starts the writer thread pinned to cpu (-1: not pinned): takes struct vx_grant elements from
 * `grants[lane]`, commits up to 4096 at once, answers with VX_EVENT_GRANT_DONE events (64 bytes:
 * shard, slot, player, number = chest) on `acks[lane]`, both single producer, single consumer,
 * 64-byte elements. A failing disk is retried for ever, once a second, and counted. */
int vx_ledger_start(struct vx_ledger *ledger, struct rte_ring **grants, struct rte_ring **acks, uint32_t lanes, int cpu, struct vx_error *error);
void vx_ledger_counters(const struct vx_ledger *ledger, struct vx_ledger_counters *counters);
/* Commits what is in the rings, stops the thread, checkpoints, closes. */
void vx_ledger_close(struct vx_ledger *ledger);

#endif
