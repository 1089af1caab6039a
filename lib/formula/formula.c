/* The room's door on the control side: start, stop, and what can be read off the shared memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "formula_private.h"

enum { START_MS_MAX = 5000 };

static void lanes_set(struct vx_formula *formula)
{
    struct formula_header *header = formula->memory.header;
    for (uint32_t i = 0; i < formula->lanes_count; i++) {
        struct formula_lane *lane = &formula->lanes[i];
        lane->rung = &header->lanes_rung[i].submitted;
        for (uint32_t circle = 0; circle < FORMULA_CIRCLES; circle++)
            lane->circles[circle].batches =
                formula_batches(header) + formula_batch_number(i, circle / VX_FORMULA_KINDS, circle % VX_FORMULA_KINDS, 0);
    }
}

/* The first worker is the live one, and nobody has asked for tables of other versions yet. */
static int first_load(struct vx_formula *formula, const struct vx_formula_program *program, struct vx_error *error)
{
    struct formula_place *place = &formula->places[0];
    uint32_t seat;
    int rc = formula_process_start(&place->process, &formula->memory, 0, &formula->launch, error);
    if (rc == 0)
        rc = formula_process_wait(&place->process, &formula->memory, 0, FORMULA_WORKER_SPARE, START_MS_MAX, error);
    if (rc != 0)
        return rc;
    formula->worker_starts++;
    place->role = SEAT_SPARE;
    rc = vx_formula_load(formula, program, &seat, error);
    if (rc == 0)
        rc = vx_formula_good(formula, program) == 0 ? 0 : vx_error_set(error, -ENOMEM, "formulas: no memory for a program");
    if (rc != 0)
        return rc;
    for (uint32_t lane = 0; lane < formula->lanes_count; lane++)
        for (uint32_t shard = 0; shard < VX_SHARDS_MAX; shard++)
            formula->lanes[lane].tables[shard] = formula->tables_last;
    vx_formula_supervise(formula); /* starts the spare */
    return 0;
}

static int open_all(struct vx_formula *formula, const struct vx_formula_config *config, struct vx_error *error)
{
    formula->launch = (struct formula_launch){ .cpu = config->cpu, .idle_us = config->idle_us, .deadline_ms = config->deadline_ms,
                                               .memory_mib = config->memory_mib, .load_ms = config->load_ms };
    int rc = formula_launch_set(&formula->launch, config->worker_path, config->runtime_folder, error);
    if (rc == 0)
        rc = formula_memory_map(&formula->memory, config->lanes, error);
    if (rc != 0)
        return rc;
    lanes_set(formula);
    return first_load(formula, &config->program, error);
}

int vx_formula_start(const struct vx_formula_config *config, struct vx_formula **formula, struct vx_error *error)
{
    if (config->lanes == 0 || config->lanes > VX_SHARD_LCORES_MAX)
        return vx_error_set(error, -EINVAL, "formulas: %u lanes, expected 1 to %d", config->lanes, VX_SHARD_LCORES_MAX);
    size_t bytes = sizeof(struct vx_formula) + config->lanes * sizeof(struct formula_lane);
    struct vx_formula *made = aligned_alloc(VX_CACHE_LINE_BYTES, bytes);
    if (made == NULL)
        return vx_error_set(error, -ENOMEM, "formulas: no memory for %u lanes", config->lanes);
    memset(made, 0, bytes);
    made->memory.fd = -1;
    made->lanes_count = config->lanes;
    made->orphan = FORMULA_SEATS;
    int rc = open_all(made, config, error);
    if (rc != 0) {
        vx_formula_stop(made);
        return rc;
    }
    *formula = made;
    return 0;
}

void vx_formula_stop(struct vx_formula *formula)
{
    for (uint32_t seat = 0; seat < FORMULA_SEATS; seat++) {
        if (formula->places[seat].role == SEAT_LOADED)
            formula_process_stop(&formula->places[seat].process);
        else
            formula_process_kill(&formula->places[seat].process);
        vx_formula_program_free(&formula->places[seat].program);
    }
    vx_formula_program_free(&formula->good);
    formula_memory_unmap(&formula->memory);
    free(formula);
}

uint32_t vx_formula_live_seat(const struct vx_formula *formula)
{
    return formula->live;
}

const struct vx_formula_declared *vx_formula_declared(const struct vx_formula *formula, uint32_t seat, uint32_t kind)
{
    VX_ASSERT(seat < FORMULA_SEATS && kind < VX_FORMULA_KINDS);
    bool loaded = formula->places[seat].role == SEAT_LOADED || formula->places[seat].role == SEAT_RETIRING;
    return loaded ? &formula->memory.header->seats[seat].declared[kind] : NULL;
}

const struct vx_hist *vx_formula_batch_ns(const struct vx_formula *formula, uint32_t seat, uint32_t kind)
{
    VX_ASSERT(seat < FORMULA_SEATS && kind < VX_FORMULA_KINDS);
    return &formula->memory.header->seats[seat].batch_ns[kind];
}

void vx_formula_seat_counters(const struct vx_formula *formula, uint32_t seat, uint32_t kind, struct vx_formula_seat_counters *counters)
{
    VX_ASSERT(seat < FORMULA_SEATS && kind < VX_FORMULA_KINDS);
    const struct formula_seat *shared = &formula->memory.header->seats[seat];
    *counters = (struct vx_formula_seat_counters){ vx_counter_read(&shared->jobs[kind]), vx_counter_read(&shared->batches[kind]),
                                                   vx_counter_read(&shared->busy_ns[kind]), vx_counter_read(&shared->failures[kind]) };
}

static void counters_add(const struct formula_seat *shared, struct vx_formula_counters *counters)
{
    for (unsigned kind = 0; kind < VX_FORMULA_KINDS; kind++) {
        counters->jobs[kind] += vx_counter_read(&shared->jobs[kind]);
        counters->batches[kind] += vx_counter_read(&shared->batches[kind]);
        counters->busy_ns[kind] += vx_counter_read(&shared->busy_ns[kind]);
        counters->failures[kind] += vx_counter_read(&shared->failures[kind]);
        counters->given_up[kind] += vx_counter_read(&shared->given_up[kind]);
    }
    uint64_t collection_ns = vx_counter_read(&shared->collection_ns_max);
    counters->collection_ns_max = collection_ns > counters->collection_ns_max ? collection_ns : counters->collection_ns_max;
    counters->collections += vx_counter_read(&shared->collections);
    counters->traces += vx_counter_read(&shared->traces);
    counters->trace_aborts += vx_counter_read(&shared->trace_aborts);
    counters->trace_flushes += vx_counter_read(&shared->trace_flushes);
}

void vx_formula_counters(const struct vx_formula *formula, struct vx_formula_counters *counters)
{
    const struct formula_seat *live = &formula->memory.header->seats[formula->live];
    *counters = (struct vx_formula_counters){
        .worker_starts = formula->worker_starts,
        .worker_deaths = formula->worker_deaths,
        .switches = formula->switches,
        .quarantines = formula->quarantines,
        .worker_pid = formula->places[formula->live].process.pid,
        .seat = formula->live,
        .heap_bytes = vx_counter_read(&live->heap_bytes),
        .heap_bytes_max = vx_counter_read(&live->heap_bytes_max),
    };
    for (uint32_t seat = 0; seat < FORMULA_SEATS; seat++)
        counters_add(&formula->memory.header->seats[seat], counters);
}

/* ---- samples ---- */

void vx_formula_sampling(struct vx_formula *formula, bool on)
{
    for (uint32_t seat = 0; seat < FORMULA_SEATS; seat++)
        atomic_store_explicit(&formula->memory.header->seats[seat].tap_on, on, memory_order_relaxed);
}

/* What a worker writes is copied before it is looked at, and looked at as numbers that may be anything. */
static bool sample_make(const struct formula_tap *tap, struct vx_formula_sample *sample)
{
    *sample = (struct vx_formula_sample){ .kind = tap->kind, .version = tap->version, .count = tap->count };
    if (sample->kind >= VX_FORMULA_KINDS || sample->count > VX_FORMULA_BATCH_JOBS)
        return false;
    for (uint32_t i = 0; i < sample->count; i++) {
        sample->jobs[i] = (struct vx_job){ .formula = (uint8_t)sample->kind, .seed = tap->seeds[i] };
        for (unsigned k = 0; k < VX_JOB_INPUTS; k++)
            sample->jobs[i].in[k] = tap->inputs[k][i];
        for (unsigned k = 0; k < VX_JOB_OUTPUTS; k++)
            sample->out[i][k] = tap->outputs[k][i];
    }
    return true;
}

bool vx_formula_sample(struct vx_formula *formula, struct vx_formula_sample *sample)
{
    struct formula_seat *shared = &formula->memory.header->seats[formula->live];
    uint32_t taken = atomic_load_explicit(&shared->tap_taken, memory_order_relaxed);
    /* acquire: pairs with the release in the worker's tap_write(). */
    uint32_t written = atomic_load_explicit(&shared->tap_written, memory_order_acquire);
    if (written == taken)
        return false;
    bool good = sample_make(&shared->taps[taken % FORMULA_TAPS], sample);
    /* release: read before the place is given back; pairs with the acquire in tap_write(). */
    atomic_store_explicit(&shared->tap_taken, taken + 1, memory_order_release);
    return good;
}
