/* veltrix-formula-worker: one process, one thread, one LuaJIT state, one program.
 *
 *   main.c  options, process, orders   sandbox.c  what it may not do   heap.c  Lua's memory
 *   runtime.c  everything that speaks Lua   serve.c  finds submitted batches and answers them */
#ifndef WORKER_H
#define WORKER_H

#include <signal.h>

#include "formula_shared.h"

struct lua_State;
struct mi_heap_s;

struct worker_options {
    const char *runtime_folder;
    int fd, cpu, parent, trace_fd; /* trace_fd -1: the compiler's work is not logged */
    uint32_t seat, idle_us, memory_mib;
    bool trial;
};
struct worker_heap {
    struct mi_heap_s *heap;
    uint64_t in_use, in_use_max, limit; /* bytes */
    uint64_t allocated;                 /* ever; what was given back is not taken off */
};
struct worker_loops { /* references of one kind's functions, all (batch number, count) */
    int loop;        /* the compiled loop */
    int careful;     /* the same a job at a time, for batches with a failing job; returns how many failed */
    int minima;      /* the same without the formula */
    int raw, raw_careful; /* trials: answers as they are … */
    int interpreted; /* … and the same, never compiled and a job at a time */
};
struct worker {
    struct worker_options options;
    struct formula_header *header;
    struct formula_seat *seat;
    struct formula_batch *batches;
    struct lua_State *lua;
    struct worker_heap heap;
    int load_ref, compiled_ref, inspect_ref; /* batch.lua's functions */
    struct worker_loops loops[VX_FORMULA_KINDS];
    uint32_t versions[VX_FORMULA_KINDS];
    bool serves[FORMULA_SEATS];
    uint32_t rung[VX_SHARD_LCORES_MAX]; /* bells answered */
    uint32_t cursors[VX_SHARD_LCORES_MAX][FORMULA_SEATS][VX_FORMULA_KINDS]; /* where the next batch is expected */
    uint32_t first_turn; /* lane and kind with which each pass begins */
    uint64_t heap_loaded; /* bytes in use after loading */
    volatile sig_atomic_t stop;
};

/* sandbox.c */
/* LuaJIT writes machine code and makes it executable: false when the system does not allow that. */
bool sandbox_can_compile(void);
/* From here on: no file, no socket, no other program, no more than so much memory. Returns false with errno. */
bool sandbox_enter(const struct worker_options *options);

/* heap.c: Lua's allocator over a mimalloc heap in an arena of its own. */
bool heap_create(struct worker_heap *heap, uint32_t mib);
void *heap_allocate(void *heap, void *block, size_t old_bytes, size_t new_bytes);

/* runtime.c. On failure the seat's text says why, with file and line; returns false. */
bool runtime_start(struct worker *worker);
bool runtime_load(struct worker *worker);
/* Evaluates a batch; returns how many of its jobs failed (they have the minima as answers, or NaN when raw). */
uint32_t runtime_evaluate(struct worker *worker, uint32_t kind, uint32_t number, uint32_t count, uint32_t mode);
/* Answers every job with the minima, without the formula; returns how many. */
uint32_t runtime_give_up(struct worker *worker, uint32_t kind, uint32_t number, uint32_t count);
/* A bounded piece of garbage collection, when formulas make garbage at all; between batches. */
void runtime_collect(struct worker *worker);
void runtime_inspect(struct worker *worker);

/* serve.c */
uint64_t now_ns(void);
void serve(struct worker *worker);

#endif
