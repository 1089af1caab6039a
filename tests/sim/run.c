/* One run: time goes on in steps of a quantum; faults come into force and go; at the end everything heals, players
 * fall silent, and nothing may be left under way. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model.h"
#include "sim_private.h"

enum { CHECK_MS = 200, HEAL_QUANTUM_US = 20000, HEAL_MS_MAX = 3000000, LEAP_PASSES = 32 };
static struct sim_report *report_of_run;
static struct sim *run;

_Noreturn void sim_violation(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(report_of_run->text, sizeof(report_of_run->text), format, args);
    va_end(args);
    report_of_run->at_ms = run->ms;
    report_of_run->outcome = SIM_VIOLATION;
    _exit(1);
}

bool sim_strikes(struct sim *sim, enum sim_fault_kind kind)
{
    uint32_t force = sim->force[kind];
    bool strikes = force > 0 && vx_rng_below(&sim->fault_rng[kind], 1000) < force;
    sim->report->faults[kind] += strikes;
    return strikes;
}

void sim_digest(struct sim *sim, const void *bytes, size_t count)
{
    uint64_t digest = sim->report->digest, word;
    const uint8_t *at = bytes;
    for (; count >= 8; count -= 8, at += 8) {
        memcpy(&word, at, 8);
        digest = vx_mix64(digest ^ word);
    }
    for (; count > 0; count--)
        digest = vx_mix64(digest ^ *at++);
    sim->report->digest = digest;
}

static void restart(struct sim *sim, enum sim_fault_kind kind)
{
    sim->report->faults[kind]++;
    appliance_stop(sim);
    tap_start(sim);
    appliance_start(sim);
}

static void clock_jump(struct sim *sim, uint64_t ms)
{
    sim->shard_us += ms * 1000;
    sim->report->faults[SIM_CLOCK_JUMP]++;
}

static void tell(struct sim *sim, uint8_t kind)
{
    const struct vx_event event = { .kind = kind, .shard = VX_LCORE_EVERY_SHARD };
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++)
        if (!vx_shard_lcore_tell(sim->appliance.lanes[lane], &event))
            sim_violation("lane %u does not hear its operator", lane);
}

/* Faults that happen at a moment; others are asked for while they last. */
static void fault_begins(struct sim *sim, uint32_t index)
{
    const struct sim_fault *fault = &sim->plan->faults[index];
    switch (fault->kind) {
    case SIM_CLOCK_JUMP:
        clock_jump(sim, 1 + (uint64_t)fault->per_1000 * (1 + vx_rng_below(&sim->fault_rng[SIM_CLOCK_JUMP], 200)));
        break;
    case SIM_DRAIN:
        tell(sim, VX_EVENT_DRAIN);
        model_drained(sim->model);
        sim->report->faults[SIM_DRAIN]++;
        break;
    case SIM_CRASH:
    case SIM_NO_ARENA:
        restart(sim, (enum sim_fault_kind)fault->kind);
        break;
    default:
        break;
    }
}

static void faults_set(struct sim *sim)
{
    memset(sim->force, 0, sizeof(sim->force));
    for (uint32_t i = 0; i < sim->plan->fault_count && !sim->healing; i++) {
        const struct sim_fault *fault = &sim->plan->faults[i];
        bool in_force = sim->ms >= fault->from_ms && sim->ms < fault->to_ms;
        if (in_force && fault->per_1000 > sim->force[fault->kind])
            sim->force[fault->kind] = fault->per_1000;
    }
    for (uint32_t i = 0; i < sim->plan->fault_count && !sim->healing; i++) {
        const struct sim_fault *fault = &sim->plan->faults[i];
        uint64_t bit = 1ull << i;
        if (sim->ms >= fault->from_ms && !(sim->begun & bit)) {
            sim->begun |= bit;
            fault_begins(sim, i);
        }
        if (sim->ms >= fault->to_ms && fault->kind == SIM_DRAIN && !(sim->over & bit)) {
            sim->over |= bit;
            restart(sim, SIM_DRAIN);
        }
    }
}

static void check_all(struct sim *sim, bool at_rest)
{
    uint64_t in = 0, queued = 0;
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++) {
        struct vx_shard *shard;
        for (uint32_t i = 0; (shard = vx_shard_lcore_shard(sim->appliance.lanes[lane], i)) != NULL; i++) {
            const struct vx_shard_counters *c = vx_shard_counters(shard);
            vx_shard_check(shard);
            in += c->actions_in;
            if (c->actions_in != c->actions_answered + c->actions_refused + c->actions_repeated + c->actions_busy + c->actions_dropped_gone + c->actions_pending)
                sim_violation("shard %u of lane %u took %lu actions, not all are counted as answered, refused, repeated, busy, dropped or pending", i, lane, c->actions_in);
            if (at_rest && (c->players_online != 0 || c->hunts_live != 0 || c->jobs_pending != 0 || c->grants_pending != 0 || c->actions_pending != 0))
                sim_violation("shard %u of lane %u is not at rest: %lu online, %lu hunts, %lu jobs, %lu grants, %lu actions", i, lane, c->players_online, c->hunts_live,
                              c->jobs_pending, c->grants_pending, c->actions_pending);
            if (at_rest && c->tickets_in != c->tickets_matched + c->tickets_cancelled + c->tickets_timed_out + c->tickets_gone)
                sim_violation("shard %u of lane %u: %lu tickets came in, not all have ended", i, lane, c->tickets_in);
            if (c->results_overflow != 0)
                sim_violation("shard %u of lane %u has thrown %lu results away that matter", i, lane, c->results_overflow);
        }
    }
    for (uint32_t io = 0; io < sim->plan->ios; io++) {
        queued += vx_io_counters(sim->appliance.io[io])->actions_queued;
        for (uint32_t i = 0; i < sim->plan->shards; i++)
            queued -= rte_ring_count(sim->appliance.actions_io[io][i]);
    }
    if (in != queued)
        sim_violation("shards took %lu actions of %lu that were queued for them", in, queued);
    tap_balance(sim, at_rest);
    model_look(sim->model);
}

static void step(struct sim *sim, uint32_t quantum_us)
{
    sim->now_us += quantum_us;
    sim->shard_us += quantum_us;
    sim->ms = sim->now_us / 1000;
    faults_set(sim);
    players_act(sim);
    appliance_pass(sim);
    sim->report->steps++;
    if (sim->ms >= sim->checked_ms + CHECK_MS) {
        sim->checked_ms = sim->ms;
        check_all(sim, false);
    }
}

static bool is_at_rest(const struct sim *sim)
{
    uint64_t pending = 0;
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++)
        for (uint32_t i = 0; vx_shard_lcore_shard(sim->appliance.lanes[lane], i) != NULL; i++) {
            const struct vx_shard_counters *c = vx_shard_counters(vx_shard_lcore_shard(sim->appliance.lanes[lane], i));
            pending += c->players_online + c->hunts_live + c->jobs_pending + c->grants_pending + c->actions_pending;
        }
    return pending == 0 && sim->network.count == 0;
}

/* Results of a player that left in time are repeated for as long as the plan's rules say: that long it may take. */
static void heal(struct sim *sim)
{
    const struct sim_plan *plan = sim->plan;
    uint64_t began_ms = sim->ms, silent_ms = plan->idle_ms + plan->search_ms + plan->hunt_ms + ((uint64_t)plan->repeat_ms << (plan->repeats_max + 1)) + 20000;
    sim->healing = true;
    while (!is_at_rest(sim) || sim->ms < began_ms + silent_ms) {
        if (sim->ms > began_ms + HEAL_MS_MAX)
            sim_violation("nothing has come to rest %u s after the last fault", HEAL_MS_MAX / 1000);
        step(sim, sim->ms < began_ms + 2000 ? plan->quantum_us : HEAL_QUANTUM_US);
    }
    check_all(sim, true);
    model_rest(sim->model);
}

static void rows_count(struct sim *sim)
{
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++)
        for (uint32_t i = 0; vx_shard_lcore_shard(sim->appliance.lanes[lane], i) != NULL; i++)
            (void)vx_shard_rows_taken(vx_shard_lcore_shard(sim->appliance.lanes[lane], i), sim->report->rows, SIM_ROWS_MAX);
}

void sim_run(const struct sim_plan *plan, struct sim_report *report)
{
    static struct sim sim;
    sim = (struct sim){ .plan = plan, .report = report };
    run = &sim;
    report_of_run = report;
    for (uint32_t i = 0; i < SIM_FAULT_KINDS; i++)
        sim.fault_rng[i].state = vx_mix64(plan->seed ^ vx_mix64(1000 + i));
    network_open(&sim);
    ledger_open(&sim);
    appliance_open(&sim);
    tap_open(&sim);
    sim.model = model_open(&sim);
    appliance_start(&sim);
    tap_start(&sim);
    for (uint64_t left_ms = plan->start_ms; left_ms > 0;) { /* in leaps that its clock, a signed difference, can tell from the past */
        uint64_t leap_ms = left_ms < 1u << 30 ? left_ms : 1u << 30;
        sim.shard_us += leap_ms * 1000;
        left_ms -= leap_ms;
        for (uint32_t i = 0; i < LEAP_PASSES; i++, sim.shard_us += 1000) /* what was due may take more than one pass's output */
            appliance_pass(&sim);
    }
    players_open(&sim);
    while (sim.ms < plan->duration_ms)
        step(&sim, plan->quantum_us);
    report->player_hours = (double)plan->players * plan->duration_ms / 3600000;
    heal(&sim);
    rows_count(&sim);
    report->outcome = SIM_CLEAN;
}
