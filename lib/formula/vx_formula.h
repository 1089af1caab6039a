/* formula: battle, loot and pairing jobs, answered by a LuaJIT worker process over shared memory.
 *
 *   shard lcore ── fills a batch of up to 64 jobs, structure of arrays ──▶ slot: SUBMITTED
 *   worker      ── evaluates in place ─────────────────────────────────▶ slot: DONE
 *   shard lcore ── takes the answers ──────────────────────────────────▶ slot: FREE
 *
 * A lane (one per shard lcore and kind) is a circular array of batches; each batch's state word is the
 * only thing both sides write. It stands where an rte_ring would, because a killed worker can leave
 * an rte_ring's consumer index half moved, while here a batch is answered or it is not: the next
 * worker finds what is SUBMITTED and evaluates it again. The memory is a memfd, mapped by the daemon
 * and handed to the worker over exec: no pointers inside, nothing else is shared. */
#ifndef VX_FORMULA_H
#define VX_FORMULA_H

#include "vx_base.h"
#include "vx_shard.h"

struct vx_formula_config {
    const char *worker_path;    /* veltrix-formula-worker */
    const char *formula_folder; /* with battle.lua, loot.lua, pairing.lua */
    const char *runtime_folder; /* lua/runtime */
    uint32_t lanes;             /* shard lcores */
    int cpu;                    /* the control core */
    uint32_t idle_us;           /* the worker sleeps this long when there is nothing to do */
};
struct vx_formula_counters { /* control thread: rw */
    uint64_t worker_starts, worker_deaths;
    int64_t worker_pid;
    /* from the shared memory, written by the worker */
    uint64_t jobs[VX_FORMULA_KINDS], batches[VX_FORMULA_KINDS], busy_ns[VX_FORMULA_KINDS];
    uint64_t failures[VX_FORMULA_KINDS]; /* jobs answered with the minima: an error, or their batch was given up */
    uint64_t given_up[VX_FORMULA_KINDS]; /* batches on which two workers have ended */
};
struct vx_formula;

/* Control thread. Maps the memory, starts the worker and waits (up to 5 s) until it has loaded the
 * formulas. Errors name the formula file and the line. */
int vx_formula_start(const struct vx_formula_config *config, struct vx_formula **formula, struct vx_error *error);
/* Control thread, every few milliseconds: reaps a dead worker and starts the next; kills one that has
 * held a batch for more than a second. A batch on which two workers have ended is answered with the
 * minima by the third. */
void vx_formula_supervise(struct vx_formula *formula);
void vx_formula_counters(const struct vx_formula *formula, struct vx_formula_counters *counters);
void vx_formula_stop(struct vx_formula *formula);

/* Shard lcore `lane` only; no system call, no lock. */
/* Takes jobs into the lane's open batches; returns how many had room (the others: offer again). */
uint32_t vx_formula_submit(struct vx_formula *formula, uint32_t lane, const struct vx_job *jobs, uint32_t count);
/* Publishes partly filled batches; once per pass. */
void vx_formula_flush(struct vx_formula *formula, uint32_t lane);
/* Takes up to max answers as VX_EVENT_JOB_DONE events (with .shard set). */
uint32_t vx_formula_poll(struct vx_formula *formula, uint32_t lane, struct vx_event *events, uint32_t max);

#endif
