/* The formula worker's side of the shared batches, as docs and formula_shared.h tell it, with every way to fail:
 * it is not there, it holds a batch, it says what is not a number, it says DONE of what is not out, it writes where
 * it may not. What is SUBMITTED is found again by the next worker; two workers that end on a batch give it up. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "model.h"
#include "sim_private.h"

struct vx_formula *worker_formula(uint32_t lanes)
{
    size_t bytes = sizeof(struct vx_formula) + lanes * sizeof(struct formula_lane), shared = formula_shared_bytes(lanes);
    struct vx_formula *formula = aligned_alloc(VX_CACHE_LINE_BYTES, bytes);
    VX_ASSERT(formula != NULL);
    memset(formula, 0, bytes);
    formula->memory.header = mmap(NULL, shared, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    VX_ASSERT(formula->memory.header != MAP_FAILED);
    formula->memory.bytes = shared;
    formula->lanes_count = lanes;
    struct formula_batch *batches = formula_batches(formula->memory.header);
    for (uint32_t lane = 0; lane < lanes; lane++) {
        formula->lanes[lane].rung = &formula->memory.header->lanes_rung[lane].submitted;
        for (uint32_t circle = 0; circle < FORMULA_CIRCLES; circle++)
            formula->lanes[lane].circles[circle].batches = batches + formula_batch_number(lane, circle / VX_FORMULA_KINDS, circle % VX_FORMULA_KINDS, 0);
    }
    return formula;
}

void worker_open(struct sim *sim)
{
    sim->worker = (struct worker_sim){ .rng.state = vx_mix64(sim->plan->seed ^ 0xf0), .version = { [0 ... VX_FORMULA_KINDS - 1] = 1 } };
}

static float lie(struct vx_rng *rng)
{
    const float lies[] = { NAN, -NAN, INFINITY, -INFINITY, -1, -1e30f, 1e30f, 4294967296.0f, 0, 0.5f, 1e-40f, 65535.5f, 100.5f, 1000001 };
    return lies[vx_rng_below(rng, sizeof(lies) / sizeof(lies[0]))];
}

/* Honest answers that vary with the job's seed; windows that widen, from narrow to all there is. */
static void evaluate(struct sim *sim, uint32_t kind, const struct formula_batch *batch, uint32_t i, float out[VX_JOB_OUTPUTS])
{
    uint32_t r = (uint32_t)vx_mix64(batch->seeds[i]), version = sim->worker.version[kind];
    out[2] = out[3] = 0;
    switch (kind) {
    case VX_FORMULA_BATTLE:
        out[0] = (float)(r % 60) / (version % 2 == 0 ? 4 : 1);
        out[1] = (float)(r % 7 == 0);
        break;
    case VX_FORMULA_LOOT:
        out[0] = (float)(1 + r % 900 + version);
        out[1] = (float)(1 + r % 20);
        break;
    default:
        out[0] = 50 + 60 * batch->inputs[0][i] * (float)version;
        out[1] = 0;
    }
    if (sim_strikes(sim, SIM_WORKER_LIES))
        out[0] = lie(&sim->worker.rng);
    if (sim_strikes(sim, SIM_WORKER_LIES))
        out[1] = lie(&sim->worker.rng);
}

/* All shards are routed to the first seat. */
static const struct formula_circle *kind_of(const struct sim *sim, uint32_t lane, uint32_t kind)
{
    return &sim->appliance.formula->lanes[lane].circles[kind];
}

static void show_jobs(struct sim *sim, uint32_t lane, uint32_t kind, uint32_t index)
{
    const struct formula_circle *own = kind_of(sim, lane, kind);
    const struct formula_batch *batch = &own->batches[index];
    for (uint32_t i = 0; i < batch->count; i++) {
        struct model_job job = { .kind = kind, .shard = own->shards[index][i], .id = own->ids[index][i], .seed = batch->seeds[i] };
        for (uint32_t input = 0; input < VX_JOB_INPUTS; input++)
            job.in[input] = batch->inputs[input][i];
        sim_digest(sim, &job, sizeof(job));
        model_job(sim->model, &job);
    }
}

static void answer_batch(struct sim *sim, uint32_t lane, uint32_t kind, uint32_t index)
{
    static const float minima[VX_FORMULA_KINDS][VX_JOB_OUTPUTS] = { [VX_FORMULA_LOOT] = { 1, 1 } };
    const struct formula_circle *own = kind_of(sim, lane, kind);
    struct formula_batch *batch = &own->batches[index];
    bool gives_up = batch->attempts >= FORMULA_ATTEMPTS_MAX;
    batch->attempts++;
    for (uint32_t i = 0; i < batch->count; i++) {
        float out[VX_JOB_OUTPUTS];
        if (gives_up)
            memcpy(out, minima[kind], sizeof(out));
        else
            evaluate(sim, kind, batch, i, out);
        for (uint32_t output = 0; output < VX_JOB_OUTPUTS; output++)
            batch->outputs[output][i] = out[output];
        model_job_answered(sim->model, own->shards[index][i], own->ids[index][i], out, sim->worker.version[kind]);
    }
    batch->version = sim->worker.version[kind];
    atomic_store_explicit(&batch->state, FORMULA_DONE, memory_order_release);
}

/* A worker that was killed in the middle of a batch leaves half of its answers behind, and the batch submitted. */
static void die(struct sim *sim)
{
    uint64_t held = sim->worker.held;
    sim->worker.held = 0;
    sim->worker.was_dead = true;
    sim->report->faults[SIM_WORKER_DEAD]++;
    if (held == 0)
        return;
    struct formula_batch *batch = &formula_batches(sim->appliance.formula->memory.header)[held - 1];
    batch->attempts++;
    for (uint32_t i = 0; i < batch->count / 2; i++)
        batch->outputs[0][i] = lie(&sim->worker.rng);
}

static uint64_t number_of(uint32_t lane, uint32_t kind, uint32_t index)
{
    return (uint64_t)formula_batch_number(lane, 0, kind, index);
}

/* What is out, in the order of its publication, one batch at a time, each in its service time. */
static bool serve(struct sim *sim, uint32_t lane, uint32_t kind)
{
    const struct formula_circle *own = kind_of(sim, lane, kind);
    for (uint32_t at = own->taken; at != own->published; at++) {
        uint32_t index = at % FORMULA_BATCHES;
        if (atomic_load_explicit(&own->batches[index].state, memory_order_acquire) != FORMULA_SUBMITTED)
            continue;
        uint64_t number = number_of(lane, kind, index) + 1;
        if (sim->worker.held != number) {
            show_jobs(sim, lane, kind, index);
            sim->worker.held = number;
            sim->worker.free_us = sim->now_us + vx_rng_below(&sim->worker.rng, 2 * sim->plan->worker_us + 1);
        }
        if (sim->now_us < sim->worker.free_us || sim_strikes(sim, SIM_WORKER_STALL))
            return true;
        answer_batch(sim, lane, kind, index);
        sim->worker.held = 0;
    }
    return false;
}

/* Batches that are not out, said to be done: a confused worker must not make the lanes take answers that are none. */
static void confuse(struct sim *sim)
{
    uint32_t lane = vx_rng_below(&sim->worker.rng, sim->plan->lanes), kind = vx_rng_below(&sim->worker.rng, VX_FORMULA_KINDS);
    const struct formula_circle *own = kind_of(sim, lane, kind);
    uint32_t index = vx_rng_below(&sim->worker.rng, FORMULA_BATCHES);
    if (atomic_load_explicit(&own->batches[index].state, memory_order_acquire) == FORMULA_FREE && sim_strikes(sim, SIM_WORKER_TWICE))
        atomic_store_explicit(&own->batches[index].state, FORMULA_DONE, memory_order_release);
}

/* A worker that formulas have taken over: whatever it can write to, it writes to, but for the words that are its own business
 * with the other side (a batch that is out may not lose its state, or nobody would ever answer it). */
static void scribble(struct sim *sim)
{
    uint32_t lane = vx_rng_below(&sim->worker.rng, sim->plan->lanes), kind = vx_rng_below(&sim->worker.rng, VX_FORMULA_KINDS);
    struct formula_batch *batch = &kind_of(sim, lane, kind)->batches[vx_rng_below(&sim->worker.rng, FORMULA_BATCHES)];
    if (atomic_load_explicit(&batch->state, memory_order_acquire) != FORMULA_FREE || !sim_strikes(sim, SIM_WORKER_SCRIBBLES))
        return;
    uint8_t *bytes = (uint8_t *)batch + offsetof(struct formula_batch, count);
    for (uint32_t i = 0; i < sizeof(*batch) - offsetof(struct formula_batch, count); i++)
        bytes[i] = (uint8_t)vx_rng_next(&sim->worker.rng);
}

void worker_work(struct sim *sim)
{
    if (sim->force[SIM_WORKER_DEAD] > 0) {
        if (!sim->worker.was_dead)
            die(sim);
        return;
    }
    sim->worker.was_dead = false;
    if (sim_strikes(sim, SIM_PUSH))
        sim->worker.version[vx_rng_below(&sim->worker.rng, VX_FORMULA_KINDS)]++;
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++)
        for (uint32_t kind = 0; kind < VX_FORMULA_KINDS; kind++)
            if (serve(sim, lane, kind))
                return;
    if (sim->force[SIM_WORKER_TWICE] > 0)
        confuse(sim);
    if (sim->force[SIM_WORKER_SCRIBBLES] > 0)
        scribble(sim);
}
