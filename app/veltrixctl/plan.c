/* `plan`: which cores of a host do what, how many players that carries, what limits first, and every assumption in it. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "ctl.h"
#include "plan.h"

static const char *const limit_names[PLAN_LIMITS] = {
    [PLAN_CPU_IO] = "cores for packets", [PLAN_CPU_SHARD] = "cores for shards", [PLAN_ALLOWANCE] = "the instance's packet allowance",
    [PLAN_NETWORK] = "the network's bits", [PLAN_MEMORY] = "memory", [PLAN_PROGRAM] = "the program's own most",
};

static void say(json_t *object, const char *of, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say(json_t *object, const char *of, const char *format, ...)
{
    char text[240];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)json_object_set_new(object, of, json_string(text));
}

static json_t *assumptions_json(const struct plan_host *host, const struct plan_costs *costs, const struct plan_assumptions *a, const char *where)
{
    json_t *list = json_object();
    say(list, "cost", "a packet of two actions costs %.0f cycles received, %.0f stepped, %.0f sent (%s)", costs->receive, costs->step, costs->send, where);
    say(list, "clock", "a cycle of %s is worth one of the machine that measured, at %u MHz of its TSC", host->name, host->tsc_mhz);
    say(list, "memory", "a player takes %.0f bytes; %.0f %% of %u MiB are for players", costs->bytes_per_player, 100 * a->memory_share, host->memory_mib);
    say(list, "players", "a player does %.3g actions a second, %.3g to a packet, and each packet has one answer of short results", a->actions_per_player_s, a->actions_per_packet);
    say(list, "load", "cores, allowance and network are planned to %.0f %%", 100 * a->load);
    say(list, "cores", "io and shard lcores have a core each; its sibling threads (%u a core) stay idle", host->threads_per_core);
    say(list, "queues", "io lcores are on the NIC's node, one for each of at most %u queues, and flows spread evenly over them", host->nic_queues);
    say(list, "control", "one core is control's: kernel, control socket, ledger, formula worker; what formulas and grants cost it is not projected");
    say(list, "not_counted", "a hop between cores and a shard on another node cost what they cost on one core; the transport is plain");
    if (host->packets_per_s != 0)
        say(list, "allowance", "the instance lets %u packets a second pass, in plus out", host->packets_per_s);
    return list;
}

static json_t *cpus_json(uint32_t first, uint32_t count)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_integer(first + i));
    return list;
}

static json_t *limits_json(const struct plan *plan)
{
    json_t *object = json_object();
    for (unsigned limit = 0; limit < PLAN_LIMITS; limit++)
        (void)json_object_set_new(object, limit_names[limit], isinf(plan->players[limit]) ? json_string("none") : json_integer((json_int_t)plan->players[limit]));
    return object;
}

static json_t *plan_json(const struct plan_host *host, const struct plan *plan, const struct plan_assumptions *a)
{
    double players = plan->players[plan->first], actions = players * a->actions_per_player_s;
    json_t *object = json_pack("{s:s,s:I,s:s,s:I,s:I}", "host", host->name, "players", (json_int_t)players, "limited_by", limit_names[plan->first], "actions_per_s",
                               (json_int_t)actions, "packets_per_s", (json_int_t)(2 * actions / a->actions_per_packet));
    (void)json_object_set_new(object, "players_by_limit", limits_json(plan));
    (void)json_object_set_new(object, "control_cpus", cpus_json(0, 1));
    (void)json_object_set_new(object, "io_cpus", cpus_json(plan->io_cpu, plan->io));
    (void)json_object_set_new(object, "shard_cpus", cpus_json(plan->shard_cpu, plan->shard));
    (void)json_object_set_new(object, "shard_cpus_away_from_nic", json_integer(plan->shard_away));
    (void)json_object_set_new(object, "spare_cores", json_integer(plan->spare));
    return object;
}

static json_t *plan_run(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct plan_host host;
    struct plan_costs costs;
    struct plan plan;
    const struct plan_assumptions assumptions = {
        .actions_per_player_s = vx_control_number(call, "actions", 4), .actions_per_packet = vx_control_number(call, "per_packet", 2),
        .load = vx_control_number(call, "load", 0.7), .memory_share = 0.75,
    };
    const char *path = vx_control_text(call, "costs", "");
    char where[256];
    (void)context;
    if (plan_host_read(vx_control_text(call, "host", ""), &host, error) != 0 ||
        plan_costs_read(path[0] != '\0' ? path : NULL, &costs, where, sizeof(where), error) != 0)
        return NULL;
    plan_make(&host, &costs, &assumptions, &plan);
    json_t *object = plan_json(&host, &plan, &assumptions);
    (void)json_object_set_new(object, "assumptions", assumptions_json(&host, &costs, &assumptions, where));
    return object;
}

static const struct vx_control_argument plan_arguments[] = {
    { "host", VX_ARGUMENT_TEXT, VX_ARGUMENT_NEEDED, 1, 4096, NULL, "", "description of the host; docs/hosts has four" },
    { "costs", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 1, 4096, NULL, "", "what vx_bench_pass has printed; without it, it is run now" },
    { "actions", VX_ARGUMENT_NUMBER, VX_ARGUMENT_NAMED, 0.01, 1000, NULL, "actions/s", "of each player (4)" },
    { "per_packet", VX_ARGUMENT_NUMBER, VX_ARGUMENT_NAMED, 1, 16, NULL, "actions", "in each packet (2)" },
    { "load", VX_ARGUMENT_NUMBER, VX_ARGUMENT_NAMED, 0.05, 1, NULL, "", "share of cores, allowance and network that is planned for (0.7)" },
    { .name = NULL },
};

const struct vx_control_command plan_commands[] = {
    { "plan", VX_CONTROL_LOOK, "which cores of a host do what, how many players it carries and what limits first", "", plan_arguments, plan_run },
    { .name = NULL },
};
