/* The control thread's side of formulas: which seat does what, and that there is always somebody who answers.
 *
 *   EMPTY ─start─▶ STARTING ─▶ SPARE ─vx_formula_load─▶ LOADED ─nobody is routed to it─▶ RETIRING ─all answered─▶ EMPTY
 *
 * A worker that ends while LOADED leaves batches behind: they become SUBMITTED again, and the live worker answers
 * them (server_of). When it was the live one, the spare loads the same program, with the version before of the
 * formula that was to blame, and inherits routes and batches. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "formula_private.h"

enum {
    START_MS_MAX = 5000,   /* of a worker up to being a spare */
    SPARE_MS_MAX = 500,    /* that a switch waits for a spare which is being started */
    RETIRE_MS_MAX = 1000,  /* a lane that makes no passes does not keep a seat */
    RESPAWN_MS = 100,      /* a worker that cannot even start must not eat the control core */
};
#define NS_PER_MS 1000000ull

static struct formula_seat *shared_of(const struct vx_formula *formula, uint32_t seat)
{
    return &formula->memory.header->seats[seat];
}

/* ---- routes ---- */

/* release: pairs with the acquire in lane.c's routes_take(). One writer. */
static void routes_publish(struct vx_formula *formula)
{
    struct formula_routes *routes = &formula->routes;
    atomic_store_explicit(&routes->epoch, atomic_load_explicit(&routes->epoch, memory_order_relaxed) + 1, memory_order_release);
}

static bool routed_to(const struct vx_formula *formula, uint32_t seat)
{
    for (unsigned shard = 0; shard < VX_SHARDS_MAX; shard++)
        if (atomic_load_explicit(&formula->routes.seat_of[shard], memory_order_relaxed) == seat)
            return true;
    return false;
}

static void reroute(struct vx_formula *formula, uint32_t from, uint32_t to)
{
    for (unsigned shard = 0; shard < VX_SHARDS_MAX; shard++)
        if (atomic_load_explicit(&formula->routes.seat_of[shard], memory_order_relaxed) == from)
            atomic_store_explicit(&formula->routes.seat_of[shard], (uint8_t)to, memory_order_relaxed);
    routes_publish(formula);
}

/* release: batches made SUBMITTED again before their new server; pairs with the acquire in the worker's servers_look(). */
static void serve_by(struct vx_formula *formula, uint32_t seat, uint32_t server)
{
    atomic_store_explicit(&formula->memory.header->server_of[seat], server, memory_order_release);
}

static void retire(struct vx_formula *formula, uint32_t seat)
{
    struct formula_place *place = &formula->places[seat];
    place->role = SEAT_RETIRING;
    place->epoch = atomic_load_explicit(&formula->routes.epoch, memory_order_relaxed);
    place->since_ns = formula_now_ns();
}

static void seat_free(struct vx_formula *formula, uint32_t seat)
{
    vx_formula_program_free(&formula->places[seat].program);
    formula->places[seat].role = SEAT_EMPTY;
}

static void retire_unused(struct vx_formula *formula)
{
    for (uint32_t seat = 0; seat < FORMULA_SEATS; seat++) {
        if (formula->places[seat].role != SEAT_LOADED || seat == formula->live || routed_to(formula, seat))
            continue;
        if (formula->places[seat].process.pid != 0) {
            retire(formula, seat);
            continue;
        }
        serve_by(formula, seat, formula->live); /* its worker had ended and nobody had taken over yet */
        seat_free(formula, seat);
        formula->orphan = FORMULA_SEATS;
    }
}

void vx_formula_route(struct vx_formula *formula, uint32_t seat, const bool *shards)
{
    VX_ASSERT(seat < FORMULA_SEATS && formula->places[seat].role == SEAT_LOADED);
    for (unsigned shard = 0; shard < VX_SHARDS_MAX; shard++)
        if (shards == NULL || shards[shard])
            atomic_store_explicit(&formula->routes.seat_of[shard], (uint8_t)seat, memory_order_relaxed);
    if (shards == NULL)
        formula->live = seat;
    formula->switches++;
    routes_publish(formula);
    retire_unused(formula);
}

/* ---- loading ---- */

static bool same_text(const struct vx_formula_text *one, const struct vx_formula_text *two)
{
    return one->bytes == two->bytes && (one->bytes == 0 || memcmp(one->text, two->text, one->bytes) == 0);
}

/* A number that two seats share exactly when their table formulas have the same texts. */
static void tables_number(struct vx_formula *formula, uint32_t seat)
{
    static const uint8_t kinds[] = { VX_FORMULA_PAIRING, VX_FORMULA_RATING };
    for (uint32_t other = 0; other < FORMULA_SEATS; other++) {
        bool same = other != seat && formula->places[other].program.texts[0].text != NULL;
        for (unsigned i = 0; same && i < sizeof(kinds); i++)
            same = same_text(&formula->places[other].program.texts[kinds[i]], &formula->places[seat].program.texts[kinds[i]]);
        if (same) {
            uint32_t number = atomic_load_explicit(&formula->routes.tables[other], memory_order_relaxed);
            atomic_store_explicit(&formula->routes.tables[seat], number, memory_order_relaxed);
            return;
        }
    }
    atomic_store_explicit(&formula->routes.tables[seat], ++formula->tables_last, memory_order_relaxed);
}

static int spawn(struct vx_formula *formula, uint32_t seat, struct vx_error *error)
{
    struct formula_place *place = &formula->places[seat];
    int rc = formula_process_start(&place->process, &formula->memory, seat, &formula->launch, error);
    if (rc != 0)
        return rc;
    place->role = SEAT_STARTING;
    formula->worker_starts++;
    return 0;
}

/* The spare, or the seat in which one is being started; FORMULA_SEATS when there is neither. */
static uint32_t spare_find(const struct vx_formula *formula)
{
    uint32_t found = FORMULA_SEATS;
    for (uint32_t seat = 0; seat < FORMULA_SEATS; seat++) {
        if (formula->places[seat].role == SEAT_SPARE)
            return seat;
        if (formula->places[seat].role == SEAT_STARTING)
            found = seat;
    }
    return found;
}

static int spare_wait(struct vx_formula *formula, uint32_t *seat, struct vx_error *error)
{
    uint64_t began_ns = formula_now_ns();
    while ((*seat = spare_find(formula)) == FORMULA_SEATS || formula->places[*seat].role != SEAT_SPARE) {
        vx_formula_supervise(formula);
        if (formula_now_ns() - began_ns > SPARE_MS_MAX * NS_PER_MS)
            return vx_error_set(error, -EBUSY, "formulas: there is no spare worker: both other seats are taken or cannot be started");
        formula_sleep_us(200);
    }
    return 0;
}

/* The seat is SPARE; it is LOADED afterwards or EMPTY. */
static int load_into(struct vx_formula *formula, uint32_t seat, const struct vx_formula_program *program, struct vx_error *error)
{
    struct formula_place *place = &formula->places[seat];
    if (vx_formula_program_copy(program, &place->program) != 0)
        return vx_error_set(error, -ENOMEM, "formulas: no memory for a program");
    formula_process_load(&formula->memory, seat, &place->program);
    int rc = formula_process_wait(&place->process, &formula->memory, seat, FORMULA_WORKER_READY, formula->launch.load_ms, error);
    if (rc != 0) {
        seat_free(formula, seat);
        return rc;
    }
    tables_number(formula, seat);
    serve_by(formula, seat, seat);
    place->role = SEAT_LOADED;
    return 0;
}

int vx_formula_load(struct vx_formula *formula, const struct vx_formula_program *program, uint32_t *seat, struct vx_error *error)
{
    int rc = spare_wait(formula, seat, error);
    return rc == 0 ? load_into(formula, *seat, program, error) : rc;
}

int vx_formula_good(struct vx_formula *formula, const struct vx_formula_program *program)
{
    struct vx_formula_program copy;
    if (vx_formula_program_copy(program, &copy) != 0)
        return -ENOMEM;
    vx_formula_program_free(&formula->good);
    formula->good = copy;
    return 0;
}

/* ---- deaths ---- */

/* Nobody else touches a batch that is RUNNING, and its worker is reaped. */
static void batches_recover(struct vx_formula *formula, uint32_t seat)
{
    struct formula_batch *batches = formula_batches(formula->memory.header);
    for (uint32_t i = 0; i < formula_batches_total(formula->lanes_count); i++)
        if (atomic_load_explicit(&batches[i].state, memory_order_acquire) == FORMULA_RUNNING + seat)
            atomic_store_explicit(&batches[i].state, FORMULA_SUBMITTED, memory_order_release);
}

static bool seat_answered(const struct vx_formula *formula, uint32_t seat)
{
    const struct formula_batch *batches = formula_batches(formula->memory.header);
    for (uint32_t lane = 0; lane < formula->lanes_count; lane++) {
        /* acquire: pairs with the release in lane.c's routes_take(): its last batches for the seat are to be seen. */
        uint32_t epoch = atomic_load_explicit(&formula->lanes[lane].epoch, memory_order_acquire);
        if ((int32_t)(epoch - formula->places[seat].epoch) < 0)
            return false;
        uint32_t first = formula_batch_number(lane, seat, 0, 0);
        for (uint32_t i = first; i < first + VX_FORMULA_KINDS * FORMULA_BATCHES; i++) {
            uint32_t state = atomic_load_explicit(&batches[i].state, memory_order_relaxed);
            if (state != FORMULA_FREE && state != FORMULA_DONE)
                return false;
        }
    }
    return true;
}

/* Was it the formula? An end that we brought about because the batch did not end, and every end of the worker's own,
 * says so. Killed from outside it is to blame only when a batch has ended two workers. */
static bool formula_to_blame(const struct vx_formula *formula, uint32_t seat)
{
    const struct formula_process *process = &formula->places[seat].process;
    if (atomic_load_explicit(&shared_of(formula, seat)->batch_began_ns, memory_order_relaxed) == 0)
        return false;
    if (process->killed_stuck || !WIFSIGNALED(process->exit_status))
        return true;
    int signal = WTERMSIG(process->exit_status);
    return signal != SIGKILL && signal != SIGTERM;
}

static void incident_add(struct vx_formula *formula, uint32_t seat, uint32_t kind, bool fell_back)
{
    if (formula->incident_count == INCIDENTS_MAX) { /* the oldest is the least interesting */
        formula->incident_first = (formula->incident_first + 1) % INCIDENTS_MAX;
        formula->incident_count--;
    }
    struct vx_formula_incident *incident = &formula->incidents[(formula->incident_first + formula->incident_count++) % INCIDENTS_MAX];
    uint64_t began_ns = atomic_load_explicit(&shared_of(formula, seat)->batch_began_ns, memory_order_relaxed);
    *incident = (struct vx_formula_incident){ .kind = kind, .version = shared_of(formula, seat)->declared[kind].version, .seat = seat,
                                              .was_live = seat == formula->live, .fell_back = fell_back, .back_us = (uint32_t)((formula_now_ns() - began_ns) / 1000) };
    formula_process_end(&formula->places[seat].process, formula->launch.deadline_ms, incident->what, sizeof(incident->what));
    formula->quarantines += fell_back;
}

bool vx_formula_incident(struct vx_formula *formula, struct vx_formula_incident *incident)
{
    if (formula->incident_count == 0 || formula->orphan != FORMULA_SEATS)
        return false;
    *incident = formula->incidents[formula->incident_first];
    formula->incident_first = (formula->incident_first + 1) % INCIDENTS_MAX;
    formula->incident_count--;
    return true;
}

/* A formula has ended the worker: from now on its seat's program has the good version of that kind, if that is another. */
static void blame(struct vx_formula *formula, uint32_t seat)
{
    struct vx_formula_program *program = &formula->places[seat].program;
    uint32_t kind = atomic_load_explicit(&shared_of(formula, seat)->batch_kind, memory_order_relaxed) % VX_FORMULA_KINDS;
    bool live = seat == formula->live;
    const struct vx_formula_program *instead = live ? &formula->good : &formula->places[formula->live].program;
    bool other = !same_text(&program->texts[kind], &instead->texts[kind]);
    incident_add(formula, seat, kind, other);
    if (!other || !live)
        return;
    struct vx_formula_program mixed = *program; /* borrows */
    mixed.texts[kind] = formula->good.texts[kind];
    struct vx_formula_program copy;
    if (vx_formula_program_copy(&mixed, &copy) == 0) { /* no memory: the same version once more, the next time perhaps */
        vx_formula_program_free(program);
        *program = copy;
    }
}

/* Those of the orphan's end: now somebody has taken over. */
static void incidents_adopted(struct vx_formula *formula, uint32_t orphan)
{
    for (uint32_t i = 0; i < formula->incident_count; i++) {
        struct vx_formula_incident *incident = &formula->incidents[(formula->incident_first + i) % INCIDENTS_MAX];
        if (incident->was_live && incident->seat == orphan)
            incident->back_us = (uint32_t)((formula_now_ns() - formula->orphan_since_ns) / 1000);
    }
}

/* The live worker has ended: its program, perhaps with one version changed, goes on in the spare. Called again until there is one. */
static void orphan_adopt(struct vx_formula *formula)
{
    uint32_t orphan = formula->orphan, seat = spare_find(formula);
    struct vx_error error;
    if (seat == FORMULA_SEATS || formula->places[seat].role != SEAT_SPARE)
        return;
    if (load_into(formula, seat, &formula->places[orphan].program, &error) != 0) {
        (void)fprintf(stderr, "veltrix: formulas: %s\n", error.text);
        formula->respawn_ns = formula_now_ns() + RESPAWN_MS * NS_PER_MS;
        return;
    }
    formula->live = seat;
    formula->orphan = FORMULA_SEATS;
    reroute(formula, orphan, seat);
    incidents_adopted(formula, orphan);
    for (uint32_t other = 0; other < FORMULA_SEATS; other++) /* what a canary has left behind, too */
        if (formula->places[other].process.pid == 0)
            serve_by(formula, other, seat);
    seat_free(formula, orphan);
}

static void loaded_died(struct vx_formula *formula, uint32_t seat)
{
    formula->worker_deaths++;
    if (formula_to_blame(formula, seat))
        blame(formula, seat);
    batches_recover(formula, seat);
    if (formula->places[seat].role == SEAT_LOADED && seat == formula->live) {
        formula->orphan = seat;
        formula->orphan_since_ns = atomic_load_explicit(&shared_of(formula, seat)->batch_began_ns, memory_order_relaxed);
        return;
    }
    reroute(formula, seat, formula->live);
    serve_by(formula, seat, formula->orphan == FORMULA_SEATS ? formula->live : seat);
    seat_free(formula, seat);
}

static void spare_died(struct vx_formula *formula, uint32_t seat)
{
    char words[FORMULA_TEXT_BYTES];
    (void)fprintf(stderr, "veltrix: formulas: a spare worker has ended: %s\n", formula_process_words(&formula->memory, seat, words));
    formula->worker_deaths++;
    formula->respawn_ns = formula_now_ns() + RESPAWN_MS * NS_PER_MS;
    seat_free(formula, seat);
}

/* ---- every few milliseconds ---- */

static void seat_look(struct vx_formula *formula, uint32_t seat)
{
    struct formula_place *place = &formula->places[seat];
    if (place->process.pid == 0)
        return;
    bool works = place->role == SEAT_LOADED || place->role == SEAT_RETIRING;
    bool ended = formula_process_reap(&place->process);
    if (!ended && works && formula_process_stuck(&place->process, &formula->memory, seat, formula->launch.deadline_ms)) {
        formula_process_kill(&place->process);
        ended = true;
    }
    if (ended && works) {
        loaded_died(formula, seat);
        return;
    }
    if (ended) {
        spare_died(formula, seat);
        return;
    }
    uint32_t state = formula_process_state(&formula->memory, seat);
    if (place->role == SEAT_STARTING && state == FORMULA_WORKER_SPARE)
        place->role = SEAT_SPARE;
    if (place->role == SEAT_STARTING && (state == FORMULA_WORKER_FAILED || formula_now_ns() - place->process.started_ns > START_MS_MAX * NS_PER_MS)) {
        formula_process_kill(&place->process);
        spare_died(formula, seat);
    }
}

/* One that is retired has nothing left, or its lane makes no passes and the live worker takes what is left. */
static void retired_look(struct vx_formula *formula, uint32_t seat)
{
    struct formula_place *place = &formula->places[seat];
    if (place->role != SEAT_RETIRING)
        return;
    if (!seat_answered(formula, seat) && formula_now_ns() - place->since_ns < RETIRE_MS_MAX * NS_PER_MS)
        return;
    formula_process_kill(&place->process); /* it holds nothing but shared memory: there is nothing to tidy up */
    batches_recover(formula, seat);
    serve_by(formula, seat, formula->live);
    seat_free(formula, seat);
}

static void respawn(struct vx_formula *formula)
{
    struct vx_error error;
    if (spare_find(formula) != FORMULA_SEATS || formula_now_ns() < formula->respawn_ns)
        return;
    for (uint32_t seat = 0; seat < FORMULA_SEATS; seat++)
        if (formula->places[seat].role == SEAT_EMPTY) {
            if (spawn(formula, seat, &error) != 0) {
                formula->respawn_ns = formula_now_ns() + RESPAWN_MS * NS_PER_MS;
                (void)fprintf(stderr, "veltrix: formulas: %s\n", error.text);
            }
            return;
        }
}

void vx_formula_supervise(struct vx_formula *formula)
{
    for (uint32_t seat = 0; seat < FORMULA_SEATS; seat++) {
        seat_look(formula, seat);
        retired_look(formula, seat);
    }
    respawn(formula);
    if (formula->orphan != FORMULA_SEATS)
        orphan_adopt(formula);
}
