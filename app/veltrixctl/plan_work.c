/* The planner's calculation: how many players each limit allows, and the fewest cores that reach the least of them. Pure. */
#include <math.h>

#include "plan.h"

enum {
    CONTROL_CORES = 1,   /* kernel, control socket, ledger, formula worker */
    WIRE_EXTRA_BYTES = 24, /* preamble 8, FCS 4, gap 12 */
    FRAME_HEAD_BYTES = 42,
    ACTION_HEAD_BYTES = 16, ACTION_BYTES = 16,
    ANSWER_HEAD_BYTES = 8, ANSWER_BYTES = 8, /* short answers, as most are */
    BENCH_ACTIONS = 2, /* in a packet of the measurement */
};

double plan_wire_bytes(double actions)
{
    double in = FRAME_HEAD_BYTES + ACTION_HEAD_BYTES + ACTION_BYTES * actions, out = FRAME_HEAD_BYTES + ANSWER_HEAD_BYTES + ANSWER_BYTES * actions;
    return in + out + 2 * WIRE_EXTRA_BYTES;
}

/* Actions a second of one core. Receiving and sending are paid for each packet, stepping for each action. */
static double io_actions_per_s(const struct plan_host *host, const struct plan_costs *costs, const struct plan_assumptions *assumptions)
{
    return assumptions->load * host->tsc_mhz * 1e6 / (costs->receive + costs->send) * assumptions->actions_per_packet;
}

static double shard_actions_per_s(const struct plan_host *host, const struct plan_costs *costs, const struct plan_assumptions *assumptions)
{
    return assumptions->load * host->tsc_mhz * 1e6 / (costs->step / BENCH_ACTIONS);
}

static uint32_t cores_for(double actions_per_s, double of_one, uint32_t max)
{
    double cores = ceil(actions_per_s / of_one - 1e-9);
    return cores < 1 ? 1 : cores > max ? max : (uint32_t)cores;
}

static uint32_t io_cores_max(const struct plan_host *host)
{
    uint32_t near = host->cores / host->numa_nodes - (host->nic_numa_node == 0 ? CONTROL_CORES : 0), others = host->cores - CONTROL_CORES - 1;
    uint32_t most = near < others ? near : others;
    return host->nic_queues < most ? host->nic_queues : most;
}

/* The split of all cores that carries most. */
static uint32_t best_io(const struct plan_host *host, double io_rate, double shard_rate)
{
    uint32_t best = 1, work = host->cores - CONTROL_CORES;
    double most = 0;
    for (uint32_t io = 1; io <= io_cores_max(host); io++) {
        double carried = fmin(io * io_rate, (work - io) * shard_rate);
        if (carried > most) {
            most = carried;
            best = io;
        }
    }
    return best;
}

static void place(const struct plan_host *host, struct plan *plan)
{
    uint32_t node_cores = host->cores / host->numa_nodes, first = host->nic_numa_node * node_cores;
    plan->io_cpu = first == 0 ? CONTROL_CORES : first;
    plan->shard_cpu = plan->io_cpu + plan->io;
    uint32_t near = first + node_cores - plan->shard_cpu;
    plan->shard_away = plan->shard > near ? plan->shard - near : 0;
    if (plan->shard_cpu + plan->shard > host->cores) { /* the NIC is on a later node: shards go on from the beginning */
        plan->shard_cpu = CONTROL_CORES;
        plan->shard_away = plan->shard;
    }
}

void plan_make(const struct plan_host *host, const struct plan_costs *costs, const struct plan_assumptions *assumptions, struct plan *plan)
{
    double io_rate = io_actions_per_s(host, costs, assumptions), shard_rate = shard_actions_per_s(host, costs, assumptions), each = assumptions->actions_per_player_s;
    uint32_t io = best_io(host, io_rate, shard_rate), shard = host->cores - CONTROL_CORES - io;
    double packets_per_action = 2 / assumptions->actions_per_packet;
    *plan = (struct plan){ .first = PLAN_CPU_IO };
    plan->players[PLAN_CPU_IO] = io * io_rate / each;
    plan->players[PLAN_CPU_SHARD] = shard * shard_rate / each;
    plan->players[PLAN_ALLOWANCE] = host->packets_per_s == 0 ? INFINITY : assumptions->load * host->packets_per_s / packets_per_action / each;
    plan->players[PLAN_NETWORK] = assumptions->load * host->network_mbit_per_s * 1e6 / 8 / (plan_wire_bytes(assumptions->actions_per_packet) / assumptions->actions_per_packet) / each;
    plan->players[PLAN_MEMORY] = assumptions->memory_share * host->memory_mib * 1048576.0 / costs->bytes_per_player;
    plan->players[PLAN_PROGRAM] = VX_PLAYERS_MAX;
    for (unsigned limit = 1; limit < PLAN_LIMITS; limit++)
        if (plan->players[limit] < plan->players[plan->first])
            plan->first = (enum plan_limit)limit;
    double actions_per_s = plan->players[plan->first] * each;
    plan->io = cores_for(actions_per_s, io_rate, io);
    plan->shard = cores_for(actions_per_s, shard_rate, shard);
    plan->spare = host->cores - CONTROL_CORES - plan->io - plan->shard;
    place(host, plan);
}
