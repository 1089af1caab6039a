/* What lane.c (shard lcores) and supervisor.c (control thread) have in common: who owns what. */
#ifndef FORMULA_PRIVATE_H
#define FORMULA_PRIVATE_H

#include <sys/types.h>

#include "formula_shared.h"
#include "vx_formula.h"

/* One circular array as its shard lcore sees it. Kept here and not in the shared memory, so that
 * nothing that happens to the worker can move it. Positions only grow; modulo FORMULA_BATCHES they
 * are indices. taken <= published; published - taken batches are out, the one at `published` is open. */
struct formula_lane_kind {
    struct formula_batch *batches;
    uint32_t published;
    uint32_t taken;
    uint32_t filled;  /* jobs in the open batch */
    uint32_t offset;  /* answers already taken from the batch at `taken` */
    uint8_t counts[FORMULA_BATCHES]; /* jobs in a published batch */
};
struct formula_lane { /* shard lcore: rw, nobody else */
    struct formula_lane_kind kinds[VX_FORMULA_KINDS];
    uint32_t first_kind; /* poll begins here, so that no kind waits for ever behind another */
} VX_ALIGNED;

struct vx_formula {
    /* control: rw */
    struct formula_header *header;
    size_t bytes;
    int fd;
    pid_t pid; /* 0: none */
    uint64_t started_ns;
    uint64_t worker_starts, worker_deaths;
    int exit_status; /* of the last worker, as waitpid gives it */
    int cpu;
    uint32_t idle_us;
    uint32_t lanes_count;
    char worker_path[VX_PATH_BYTES], formula_folder[VX_PATH_BYTES], runtime_folder[VX_PATH_BYTES];
    struct formula_lane lanes[]; /* aligned: a lane shares no line with the above */
};

#endif
