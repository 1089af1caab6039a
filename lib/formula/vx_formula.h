/* formula: the game's numbers, evaluated by LuaJIT worker processes over shared memory and changed while people play.
 *
 *   shard lcore ── fills a batch of up to 64 jobs, structure of arrays ──▶ batch: SUBMITTED
 *   worker      ── evaluates in place ─────────────────────────────────▶ batch: DONE
 *   shard lcore ── takes the answers ──────────────────────────────────▶ batch: FREE
 *
 * A worker process sits in a seat and has a program: one version of each kind of formula. Each shard is routed to a
 * seat. The live seat serves all shards that are on no canary; a canary's seat serves its own; a spare process
 * waits with its runtime loaded. New versions are loaded and warmed up in the spare, and only then are shards routed to
 * it, so a switch costs a shard nothing: between two passes of its lcore its next batch goes to another seat.
 *
 * A lane (one per shard lcore) has circular arrays of batches by seat and kind; each batch's state word is the only
 * thing both sides write. They stand where an rte_ring would, because a killed worker can leave an rte_ring's
 * consumer index half moved, while here a batch is answered or it is not: whoever is next finds what is
 * SUBMITTED and evaluates it again. The memory is a memfd, mapped by the daemon and handed to the workers over
 * exec: no pointers inside, nothing else is shared.
 *
 * LuaJIT cannot interrupt a compiled loop, so a formula that does not end is ended together with its process.
 * vx_formula_supervise() sees to it within deadline_ms of the worker's CPU time, has the version before answer what was
 * left, and tells of it by vx_formula_incident(). */
#ifndef VX_FORMULA_H
#define VX_FORMULA_H

#include "vx_base.h"
#include "vx_shard.h"

enum {
    VX_FORMULA_BATCH_JOBS = 64,
    VX_FORMULA_TEXT_BYTES_MAX = 32 << 10, /* of a formula's file; fits a control request */
    VX_FORMULA_SEATS_MAX = 3,
};

/* ---- what kinds there are (kinds.c) ---- */

struct vx_formula_field {
    const char *name, *unit;
    double min, max; /* widest range that a formula may declare */
    bool whole;      /* always whole numbers */
    bool may_lack;   /* output: a formula may leave it out; it is min then */
};
struct vx_formula_about {
    const char *name, *asked;
    uint8_t input_count, output_count;
    struct vx_formula_field inputs[VX_JOB_INPUTS], outputs[VX_JOB_OUTPUTS];
};
/* By enum vx_formula_kind. */
extern const struct vx_formula_about vx_formula_abouts[VX_FORMULA_KINDS];
/* enum vx_formula_kind, or -1. */
int vx_formula_kind(const char *name);

/* ---- texts (program.c) ---- */

struct vx_formula_text {
    const char *name; /* what errors call it: "battle.lua"; cut to 63 bytes */
    const char *text; /* need not end with 0 */
    uint32_t bytes;   /* at most VX_FORMULA_TEXT_BYTES_MAX */
};
struct vx_formula_program { /* one version of each kind */
    struct vx_formula_text texts[VX_FORMULA_KINDS];
};
/* Reads a file whole; the text belongs to the caller (free). 0, -ENOENT …, -EFBIG for one that is longer than a
 * formula may be, -EINVAL for one that holds no text. name points into path. */
int vx_formula_text_read(const char *path, struct vx_formula_text *text, struct vx_error *error);
/* Reads FOLDER/KIND.lua for every kind; vx_formula_program_free() when 0. */
int vx_formula_program_read(const char *folder, struct vx_formula_program *program, struct vx_error *error);
/* All texts copied; vx_formula_program_free(). -ENOMEM leaves nothing to free. */
int vx_formula_program_copy(const struct vx_formula_program *from, struct vx_formula_program *to);
void vx_formula_program_free(struct vx_formula_program *program);

/* The worker's program for a program of ours: where it is installed with it, or in its own folder of a build tree. False: there is none. */
bool vx_formula_worker_find(char path[VX_PATH_BYTES]);
/* The folder `name` ("formulas", "runtime") of what was installed with the program that asks. False: it was not; path is where it would be. */
bool vx_formula_data_find(const char *name, char path[VX_PATH_BYTES]);

struct vx_formula_range {
    double min, max;
};
/* What a formula's file says of itself. Inputs and outputs are in the kind's order, whatever the file's. */
struct vx_formula_declared {
    uint32_t version;
    uint32_t examples;     /* that it has */
    uint32_t inputs_used;  /* bit by input; ranges of others are the kind's */
    uint32_t inputs_whole; /* bit by input */
    struct vx_formula_range inputs[VX_JOB_INPUTS], outputs[VX_JOB_OUTPUTS];
    struct vx_formula_range means[VX_JOB_OUTPUTS]; /* limits.mean; max < min: none */
    double job_ns;                                 /* limits.job_ns; 0: none */
};
/* Made-up inputs from the declared ranges: uniform, or (ends > 0) one value in `ends` at its range's lower end and one at
 * its upper. */
void vx_formula_draw(uint32_t kind, const struct vx_formula_declared *declared, struct vx_rng *rng, uint32_t ends, float inputs[VX_JOB_INPUTS]);

/* ---- evaluating (supervisor.c, lane.c) ---- */

struct vx_formula_config {
    const char *worker_path;    /* veltrix-formula-worker */
    const char *runtime_folder; /* lua/runtime */
    struct vx_formula_program program; /* borrowed for the call */
    uint32_t lanes;             /* shard lcores */
    int cpu;                    /* the control core; -1: any */
    uint32_t idle_us;           /* a worker sleeps this long when there is nothing to do; 0: it polls */
    uint32_t deadline_ms;       /* CPU time of a batch after which its worker is killed; 0: 5 */
    uint32_t memory_mib;        /* of a worker's Lua heap; 0: 16 */
    uint32_t load_ms;           /* a program that is not loaded by then is refused; 0: 2000 */
};
struct vx_formula_counters { /* control thread: rw */
    uint64_t worker_starts, worker_deaths, switches, quarantines;
    int64_t worker_pid; /* of the live seat; 0: none at the moment */
    uint32_t seat;      /* the live one */
    /* from the shared memory, written by the workers, summed over the seats */
    uint64_t jobs[VX_FORMULA_KINDS], batches[VX_FORMULA_KINDS], busy_ns[VX_FORMULA_KINDS];
    uint64_t failures[VX_FORMULA_KINDS]; /* jobs answered with the minima: an error, or their batch was given up */
    uint64_t given_up[VX_FORMULA_KINDS]; /* batches on which two workers have ended */
    uint64_t heap_bytes, heap_bytes_max; /* of the live seat's Lua heap */
    uint64_t collections, collection_ns_max;
    uint64_t traces, trace_aborts, trace_flushes;
};
struct vx_formula;

/* Control thread, as all that follows up to the lanes. Maps the memory, starts a worker and waits until it has
 * loaded the program (load_ms); starts the spare. Errors name the formula file and the line. */
int vx_formula_start(const struct vx_formula_config *config, struct vx_formula **formula, struct vx_error *error);
/* Every few milliseconds: kills a worker that is stuck, replaces dead ones, retires seats that nobody is routed to. */
void vx_formula_supervise(struct vx_formula *formula);
void vx_formula_counters(const struct vx_formula *formula, struct vx_formula_counters *counters);
void vx_formula_stop(struct vx_formula *formula);

/* Loads a program into the spare and waits for it (a few milliseconds; load_ms at most). 0 and the seat, -EBUSY when
 * both other seats are taken, -EINVAL with the formula's error, -ETIMEDOUT, -ECHILD. No shard is routed to it yet. */
int vx_formula_load(struct vx_formula *formula, const struct vx_formula_program *program, uint32_t *seat, struct vx_error *error);
/* Routes shards (those for which shards[shard] is true; NULL: all) to a loaded seat, each from its lcore's next
 * pass on. With NULL the seat becomes the live one. A seat that no shard is routed to any more is retired when it
 * has answered what it was given. */
void vx_formula_route(struct vx_formula *formula, uint32_t seat, const bool *shards);
/* The versions to fall back to when a formula ends its worker: copied. vx_formula_start's program at first. -ENOMEM. */
int vx_formula_good(struct vx_formula *formula, const struct vx_formula_program *program);
uint32_t vx_formula_live_seat(const struct vx_formula *formula);
/* What the seat's formula of this kind has declared; NULL when it has no program. */
const struct vx_formula_declared *vx_formula_declared(const struct vx_formula *formula, uint32_t seat, uint32_t kind);
/* Time of a seat's batches of a kind, in ns; written by the worker meanwhile. */
const struct vx_hist *vx_formula_batch_ns(const struct vx_formula *formula, uint32_t seat, uint32_t kind);
struct vx_formula_seat_counters {
    uint64_t jobs, batches, busy_ns, failures;
};
/* One seat's counters of a kind, of all workers that have sat there. */
void vx_formula_seat_counters(const struct vx_formula *formula, uint32_t seat, uint32_t kind, struct vx_formula_seat_counters *counters);

/* A formula has ended its worker. */
struct vx_formula_incident {
    uint32_t kind, version; /* what was running */
    uint32_t seat;
    bool was_live;          /* or a canary's */
    bool fell_back;         /* another version has taken over: this one is to be quarantined */
    uint32_t back_us;       /* from the begin of the batch that it ended on until another worker took over its shards */
    char what[64];          /* "did not end within 5 ms", "was ended by signal 11" */
};
/* The oldest one not yet told; false: there is none, or nobody has taken over yet. Up to 8 are kept. */
bool vx_formula_incident(struct vx_formula *formula, struct vx_formula_incident *incident);

struct vx_formula_sample { /* an answered batch */
    uint32_t kind, version, count;
    struct vx_job jobs[VX_FORMULA_BATCH_JOBS]; /* formula, seed and in; ids are 0 */
    float out[VX_FORMULA_BATCH_JOBS][VX_JOB_OUTPUTS];
};
/* Workers copy the batches that they answer, as many as fit (16) between two calls of vx_formula_sample(). */
void vx_formula_sampling(struct vx_formula *formula, bool on);
/* The oldest copy of a batch of the live seat; false: there is none. */
bool vx_formula_sample(struct vx_formula *formula, struct vx_formula_sample *sample);

/* ---- shard lcore `lane` only; no system call, no lock ---- */

/* Takes jobs into the lane's open batches; returns how many had room (the others: offer again). */
uint32_t vx_formula_submit(struct vx_formula *formula, uint32_t lane, const struct vx_job *jobs, uint32_t count);
/* Publishes partly filled batches and takes over new routes; once per pass. True when routes have changed. */
bool vx_formula_flush(struct vx_formula *formula, uint32_t lane);
/* Once for each shard after flush() was true: the kinds that are evaluated into tables have another version for this
 * shard than at the last call; it should ask for its tables again. */
bool vx_formula_tables_changed(struct vx_formula *formula, uint32_t lane, uint32_t shard);
/* Takes up to max answers as VX_EVENT_JOB_DONE events (with .shard set, and .c the version that answered). */
uint32_t vx_formula_poll(struct vx_formula *formula, uint32_t lane, struct vx_event *events, uint32_t max);

#endif
