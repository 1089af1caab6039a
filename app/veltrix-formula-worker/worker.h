/* veltrix-formula-worker: one process, one thread, one LuaJIT state. main.c sets the process up,
 * runtime.c holds everything that speaks Lua, serve.c finds submitted batches and answers them. */
#ifndef WORKER_H
#define WORKER_H

#include <signal.h>

#include "formula_shared.h"

struct lua_State;

struct worker_options {
    const char *formula_folder, *runtime_folder;
    const char *trace_path; /* NULL: the compiler's work is not logged */
    int fd, cpu, parent;
    uint32_t idle_us;
};
struct worker {
    struct worker_options options;
    struct formula_header *header;
    struct formula_batch *batches;
    struct lua_State *lua;
    int loop_refs[VX_FORMULA_KINDS];    /* (batch number, count): the compiled loop */
    int careful_refs[VX_FORMULA_KINDS]; /* the same a job at a time, for batches with a failing job */
    int minima_refs[VX_FORMULA_KINDS];  /* the same without the formula */
    uint32_t versions[VX_FORMULA_KINDS];
    uint32_t cursors[VX_SHARD_LCORES_MAX][VX_FORMULA_KINDS]; /* where the next batch is expected */
    uint32_t first_turn; /* lane and kind with which each pass begins */
    int heap_kb; /* after loading */
};

/* runtime.c. On failure the header's text says why, with file and line; returns false. */
bool runtime_load(struct worker *worker);
/* Evaluates a batch; returns how many of its jobs failed (they have the minima as answers). */
uint32_t runtime_evaluate(struct worker *worker, uint32_t kind, uint32_t number, uint32_t count);
/* Answers every job with the minima, without the formula; returns how many. */
uint32_t runtime_give_up(struct worker *worker, uint32_t kind, uint32_t number, uint32_t count);
/* A bounded piece of garbage collection, when formulas make garbage at all; between batches. */
void runtime_collect(struct worker *worker);

/* serve.c. Returns when *stop is set. */
void serve(struct worker *worker, const volatile sig_atomic_t *stop);

#endif
