/* From a seed to a plan. Small worlds for most seeds, because small pools, short times and few players meet
 * more corners a second than large ones; one in sixteen is large. */
#include "sim_private.h"

static uint32_t between(struct vx_rng *rng, uint32_t low, uint32_t high)
{
    return low + vx_rng_below(rng, high - low + 1);
}

static uint32_t one_of(struct vx_rng *rng, const uint32_t *values, uint32_t count)
{
    return values[vx_rng_below(rng, count)];
}
#define ONE_OF(rng, ...) one_of(rng, (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

/* Zero for half of the seeds, so that faults and habits also appear alone. */
static uint32_t often_none(struct vx_rng *rng, uint32_t high)
{
    return vx_rng_below(rng, 2) == 0 ? 0 : between(rng, 1, high);
}

static void plan_world(struct sim_plan *plan, struct vx_rng *rng)
{
    bool is_large = vx_rng_below(rng, 16) == 0;
    plan->players = is_large ? between(rng, 400, 2000) : between(rng, 2, 120);
    plan->duration_ms = is_large ? between(rng, 20000, 60000) : between(rng, 60000, 400000);
    plan->shards = is_large ? between(rng, 1, SIM_SHARDS_MAX) : ONE_OF(rng, 1, 1, 1, 2, 3);
    plan->lanes = plan->shards > 1 ? between(rng, 1, SIM_LANES_MAX) : 1;
    plan->ios = ONE_OF(rng, 1, 1, 1, 2);
    plan->quantum_us = ONE_OF(rng, 1000, 2000, 4000, 5000, 10000);
    plan->window_us = ONE_OF(rng, 0, 0, 1000, 3000);
    plan->action_ring = ONE_OF(rng, 64, 128, 512);
    plan->reply_ring = ONE_OF(rng, 8192, 8192, 8192, 8192, 8192, 8192, 8192, 64);
    plan->device_ring = ONE_OF(rng, 64, 1024);
    plan->busy_per_s = ONE_OF(rng, 0, 100, 10000);
    plan->buffers = is_large ? 4095 : 2047;
    plan->latency_ms = ONE_OF(rng, 0, 10, 40, 150);
    plan->jitter_ms = ONE_OF(rng, 0, 0, 5, 40);
    /* Some begin shortly before the clock's 2^32nd millisecond, day 49 of a process. */
    plan->start_ms = ONE_OF(rng, 0, 0, 0, UINT32_MAX - 30000);
}

static void plan_rules(struct sim_plan *plan, struct vx_rng *rng)
{
    plan->hunts_max = ONE_OF(rng, 1, 2, 8, plan->players / plan->shards / 2 + 1, plan->players / plan->shards / 2 + 1);
    plan->proposal_ms = between(rng, 500, 6000);
    plan->search_ms = between(rng, 1000, 40000);
    plan->hunt_ms = between(rng, 2000, 40000);
    plan->idle_ms = between(rng, 1500, 20000);
    plan->repeat_ms = between(rng, 20, 1500);
    plan->repeats_max = between(rng, 1, 8);
    plan->job_ms = between(rng, 10, 1000);
    plan->speed_cm_s = between(rng, 300, 5000);
    plan->chest_range_cm = ONE_OF(rng, 100, 300, 1000, 6000);
    plan->strike_range_cm = ONE_OF(rng, 100, 1000, 9000);
    plan->chests = between(rng, 1, 8);
    plan->worker_us = ONE_OF(rng, 0, 200, 2000, 20000);
    plan->ledger_us = ONE_OF(rng, 500, 5000, 50000);
    plan->think_ms = ONE_OF(rng, 150, 400, 1000);
}

static void plan_habits(struct sim_plan *plan, struct vx_rng *rng)
{
    plan->per_1000_decliners = often_none(rng, 500);
    plan->per_1000_deaf = often_none(rng, 400);
    plan->per_1000_vanishers = often_none(rng, 600);
    plan->per_1000_cheats = often_none(rng, 500);
    plan->per_1000_leavers = often_none(rng, 500);
    plan->per_1000_idlers = often_none(rng, 300);
}

static void plan_fault(struct sim_plan *plan, struct vx_rng *rng)
{
    struct sim_fault *fault = &plan->faults[plan->fault_count];
    fault->kind = vx_rng_below(rng, SIM_FAULT_KINDS);
    if (fault->kind == SIM_CRASH || fault->kind == SIM_DRAIN || fault->kind == SIM_NO_ARENA) /* each takes all games with it */
        fault->kind = vx_rng_below(rng, 4) == 0 ? fault->kind : SIM_DROP_IN;
    uint32_t long_ms = plan->duration_ms / 2, short_ms = between(rng, 20, 3000);
    fault->from_ms = vx_rng_below(rng, plan->duration_ms);
    fault->to_ms = fault->from_ms + (vx_rng_below(rng, 2) == 0 ? short_ms : vx_rng_below(rng, long_ms) + 1);
    if (fault->kind == SIM_SHARD_STALL || fault->kind == SIM_IO_STALL || fault->kind == SIM_DEVICE_FULL || fault->kind == SIM_NO_BUFFERS)
        fault->to_ms = fault->from_ms + between(rng, 5, 1500);
    fault->per_1000 = ONE_OF(rng, 5, 50, 200, 500, 1000);
    plan->fault_count++;
}

/* One seed in four plays modes of teams. Drawn apart, so that worlds of duels stay what they were. */
static void plan_teams(struct sim_plan *plan)
{
    struct vx_rng rng = { vx_mix64(plan->seed ^ 0x7465616d73) };
    plan->teams = vx_rng_below(&rng, 4) == 0;
    if (plan->teams == 0)
        return;
    plan->cooldown_ms = ONE_OF(&rng, 0, 500, 5000);
    plan->players = plan->players < 8 ? 8 : plan->players > 600 ? 600 : plan->players;
    plan->hunts_max = plan->hunts_max < 2 ? 2 : plan->hunts_max;
    /* Long hunts that some fall out of: others take their seats, or they come back. */
    plan->idle_ms = between(&rng, 1500, 5000);
    plan->hunt_ms = between(&rng, 10000, 40000);
    plan->per_1000_vanishers += 300;
    plan->per_1000_leavers += 100;
}

void sim_plan_make(uint64_t seed, struct sim_plan *plan)
{
    struct vx_rng rng = { vx_mix64(seed) };
    *plan = (struct sim_plan){ .seed = seed };
    plan_world(plan, &rng);
    plan_rules(plan, &rng);
    plan_habits(plan, &rng);
    plan_teams(plan);
    for (uint32_t faults = often_none(&rng, 20); faults > 0; faults--)
        plan_fault(plan, &rng);
}

const char *sim_fault_name(enum sim_fault_kind kind)
{
    static const char *const names[] = {
#define NAME(name, text) #name,
        SIM_FAULTS(NAME)
#undef NAME
    };
    return (unsigned)kind < SIM_FAULT_KINDS ? names[kind] : "?";
}
