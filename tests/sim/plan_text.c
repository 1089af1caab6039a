/* Plans as text: what a failure is kept as in tests/sim/regressions. A line a field, so that a plan means the
 * same after the generator in plan.c has changed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_private.h"

struct field {
    const char *name;
    size_t offset;
};
#define FIELD(name) { #name, offsetof(struct sim_plan, name) }
static const struct field fields[] = {
    FIELD(players), FIELD(duration_ms), FIELD(shards), FIELD(lanes), FIELD(ios), FIELD(quantum_us), FIELD(window_us), FIELD(action_ring),
    FIELD(reply_ring), FIELD(device_ring), FIELD(busy_per_s), FIELD(buffers), FIELD(latency_ms), FIELD(jitter_ms), FIELD(start_ms), FIELD(hunts_max), FIELD(proposal_ms),
    FIELD(search_ms), FIELD(hunt_ms), FIELD(idle_ms), FIELD(repeat_ms), FIELD(repeats_max), FIELD(job_ms), FIELD(speed_cm_s), FIELD(chest_range_cm),
    FIELD(strike_range_cm), FIELD(chests), FIELD(worker_us), FIELD(ledger_us), FIELD(think_ms), FIELD(per_1000_decliners), FIELD(per_1000_deaf),
    FIELD(per_1000_vanishers), FIELD(per_1000_cheats), FIELD(per_1000_leavers), FIELD(per_1000_idlers), FIELD(teams), FIELD(cooldown_ms),
};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static uint32_t *field_of(struct sim_plan *plan, const char *name)
{
    for (uint32_t i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].name, name) == 0)
            return (uint32_t *)((char *)plan + fields[i].offset);
    return NULL;
}

void sim_plan_print(const struct sim_plan *plan, FILE *to)
{
    (void)fprintf(to, "seed %lu\n", plan->seed);
    for (uint32_t i = 0; i < FIELDS; i++)
        (void)fprintf(to, "%s %u\n", fields[i].name, *(const uint32_t *)((const char *)plan + fields[i].offset));
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        const struct sim_fault *fault = &plan->faults[i];
        (void)fprintf(to, "fault %s %u %u %u\n", sim_fault_name((enum sim_fault_kind)fault->kind), fault->from_ms, fault->to_ms, fault->per_1000);
    }
}

static bool fault_read(struct sim_plan *plan, const char *line)
{
    struct sim_fault fault = { 0 };
    char name[32];
    if (plan->fault_count == SIM_FAULTS_MAX || sscanf(line, "fault %31s %u %u %u", name, &fault.from_ms, &fault.to_ms, &fault.per_1000) != 4)
        return false;
    while (fault.kind < SIM_FAULT_KINDS && strcmp(sim_fault_name((enum sim_fault_kind)fault.kind), name) != 0)
        fault.kind++;
    if (fault.kind == SIM_FAULT_KINDS)
        return false;
    plan->faults[plan->fault_count++] = fault;
    return true;
}

static bool line_read(struct sim_plan *plan, const char *line)
{
    char name[40];
    unsigned long value;
    if (line[0] == '#' || line[0] == '\n')
        return true;
    if (strncmp(line, "fault ", 6) == 0)
        return fault_read(plan, line);
    if (sscanf(line, "%39s %lu", name, &value) != 2)
        return false;
    if (strcmp(name, "seed") == 0) {
        plan->seed = value;
        return true;
    }
    uint32_t *field = field_of(plan, name);
    if (field == NULL || value > UINT32_MAX)
        return false;
    *field = (uint32_t)value;
    return true;
}

/* Fields that a plan does not name are those of its seed: seed comes first in the file. */
int sim_plan_read(const char *path, struct sim_plan *plan, struct vx_error *error)
{
    char line[256];
    uint32_t number = 0;
    int rc = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return vx_error_set(error, -errno, "%s: %s", path, strerror(errno));
    while (rc == 0 && fgets(line, sizeof(line), file) != NULL) {
        number++;
        if (!line_read(plan, line))
            rc = vx_error_set(error, -EINVAL, "%s:%u: %.60s: expected `FIELD NUMBER` or `fault NAME FROM TO PER_1000`", path, number, line);
        if (rc == 0 && strncmp(line, "seed ", 5) == 0) {
            sim_plan_make(plan->seed, plan);
            plan->fault_count = 0;
            plan->teams = plan->cooldown_ms = 0; /* what is older than these fields played duels */
        }
    }
    (void)fclose(file);
    if (rc == 0 && (plan->players < 1 || plan->players > SIM_PLAYERS_MAX || plan->shards < 1 || plan->shards > SIM_SHARDS_MAX))
        rc = vx_error_set(error, -EINVAL, "%s: players %u, shards %u: expected 1 to %d and 1 to %d", path, plan->players, plan->shards, SIM_PLAYERS_MAX,
                          SIM_SHARDS_MAX);
    return rc;
}
