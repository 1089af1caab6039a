/* What the room's files have in common: who owns what.
 *
 *   memory.c      the memfd             process.c  one worker process in one seat
 *   supervisor.c  which seat does what  lane.c     shard lcores: jobs out, answers in
 *   trial.c       a worker for one formula, away from play */
#ifndef FORMULA_PRIVATE_H
#define FORMULA_PRIVATE_H

#include <sys/types.h>

#include "formula_shared.h"

/* One circular array as its shard lcore sees it. Kept here and not in the shared memory, so that
 * nothing that happens to the worker can move it, or give an answer to another job than was asked. Positions only
 * grow; modulo FORMULA_BATCHES they are indices. taken <= published; published - taken batches are out, the one at `published` is open. */
struct formula_circle {
    struct formula_batch *batches;
    uint32_t published;
    uint32_t taken;
    uint32_t filled;  /* jobs in the open batch */
    uint32_t offset;  /* answers already taken from the batch at `taken` */
    uint8_t counts[FORMULA_BATCHES]; /* jobs in a published batch */
    uint32_t ids[FORMULA_BATCHES][FORMULA_BATCH_JOBS]; /* whose the jobs are */
    uint16_t shards[FORMULA_BATCHES][FORMULA_BATCH_JOBS];
};
enum { FORMULA_CIRCLES = FORMULA_SEATS * VX_FORMULA_KINDS };
struct formula_lane { /* shard lcore: rw; control reads epoch */
    struct formula_circle circles[FORMULA_CIRCLES]; /* [seat][kind] */
    uint32_t first;        /* poll begins here, so that no kind waits for ever behind another */
    _Atomic uint32_t epoch; /* of the routes it goes by */
    _Atomic uint32_t *rung; /* in the shared memory */
    uint8_t routes[VX_SHARDS_MAX];
    uint32_t tables[VX_SHARDS_MAX]; /* versions for which the shard has asked its tables */
} VX_ALIGNED;

/* What the control thread makes known to lanes: routes, then epoch. */
struct formula_routes { /* control: w, lanes: r */
    _Atomic uint32_t epoch;
    _Atomic uint8_t seat_of[VX_SHARDS_MAX];
    _Atomic uint32_t tables[FORMULA_SEATS]; /* changes with the versions of the kinds that are tables */
} VX_ALIGNED;

/* The memory and how workers for it are started. */
struct formula_memory {
    struct formula_header *header;
    size_t bytes;
    int fd;
};
struct formula_launch {
    char worker_path[VX_PATH_BYTES], runtime_folder[VX_PATH_BYTES];
    int cpu;
    uint32_t idle_us, deadline_ms, memory_mib, load_ms;
    bool trial; /* lowest priority, and the extra loops */
};

/* memory.c */
int formula_memory_map(struct formula_memory *memory, uint32_t lanes, struct vx_error *error);
void formula_memory_unmap(struct formula_memory *memory);

/* process.c: one worker process. Everything here belongs to the thread that started it. */
struct formula_process {
    pid_t pid; /* 0: none */
    uint64_t started_ns;
    int exit_status;  /* of the last one, as waitpid gives it */
    bool killed_stuck; /* by us, for a batch that did not end */
    uint64_t watched_began_ns, watched_cpu_ns; /* the batch that is being watched, and CPU time when it was seen first */
};
uint64_t formula_now_ns(void);
void formula_sleep_us(long us);
/* Copies the settings, with defaults for zeros; -ENAMETOOLONG. */
int formula_launch_set(struct formula_launch *launch, const char *worker_path, const char *runtime_folder, struct vx_error *error);
int formula_process_start(struct formula_process *process, const struct formula_memory *memory, uint32_t seat, const struct formula_launch *launch,
                          struct vx_error *error);
/* True when it has ended; it is reaped then. */
bool formula_process_reap(struct formula_process *process);
void formula_process_kill(struct formula_process *process); /* and reaps */
void formula_process_stop(struct formula_process *process); /* asks first */
uint32_t formula_process_state(const struct formula_memory *memory, uint32_t seat);
/* What the worker says that it is doing, or why it failed; copied, for it may be writing, and what it writes need not end. */
const char *formula_process_words(const struct formula_memory *memory, uint32_t seat, char words[FORMULA_TEXT_BYTES]);
/* Waits until the seat's state is `state` (0), the worker has ended or failed, or ms are over: then it is killed and reaped. */
int formula_process_wait(struct formula_process *process, const struct formula_memory *memory, uint32_t seat, uint32_t state, uint32_t ms, struct vx_error *error);
/* Puts the program into the seat of a spare worker and tells it to load. Kinds without a text are left out. */
void formula_process_load(const struct formula_memory *memory, uint32_t seat, const struct vx_formula_program *program);
void formula_process_command(const struct formula_memory *memory, uint32_t seat, uint32_t command);
/* True when its batch has taken more than deadline_ms of CPU time, or a second by the clock. */
bool formula_process_stuck(struct formula_process *process, const struct formula_memory *memory, uint32_t seat, uint32_t deadline_ms);
/* "did not end within 5 ms", "was ended by signal 11". */
void formula_process_end(const struct formula_process *process, uint32_t deadline_ms, char *what, size_t bytes);

enum formula_seat_role {
    SEAT_EMPTY,    /* no process */
    SEAT_STARTING, /* will be a spare */
    SEAT_SPARE,
    SEAT_LOADED,   /* has a program and may be routed to */
    SEAT_RETIRING, /* nobody is routed to it; ends when it has answered all */
};
struct formula_place { /* control's view of a seat */
    struct formula_process process;
    struct vx_formula_program program; /* copied; of LOADED and RETIRING */
    uint32_t epoch;     /* RETIRING: of the routes without it */
    uint64_t since_ns;  /* RETIRING: from when */
    uint8_t role;
};

enum { INCIDENTS_MAX = 8 };
struct vx_formula {
    /* control: rw */
    struct formula_memory memory;
    struct formula_launch launch;
    struct formula_place places[FORMULA_SEATS];
    struct vx_formula_program good;
    uint32_t live;
    uint64_t orphan_since_ns; /* its last batch began */
    uint32_t orphan;          /* a live seat whose worker has ended and whose shards wait for the next; FORMULA_SEATS: none */
    uint32_t tables_last;     /* number given to the latest combination of table formulas */
    uint64_t respawn_ns;      /* not before, after a worker that never came so far as to be a spare */
    uint64_t worker_starts, worker_deaths, switches, quarantines;
    struct vx_formula_incident incidents[INCIDENTS_MAX];
    uint32_t incident_first, incident_count;
    uint32_t lanes_count;
    struct formula_routes routes;
    struct formula_lane lanes[]; /* aligned: a lane shares no line with the above */
};

#endif
