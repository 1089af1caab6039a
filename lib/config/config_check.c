/* What several keys must say together: who polls which queue, and that every kind of work has an lcore. */
#include <errno.h>

#include "config_private.h"

static int check_cpus(const char *path, const struct vx_config *config, struct vx_error *error)
{
    uint32_t owner[VX_CPUS_MAX] = { 0 };
    for (uint32_t i = 0; i < config->lcore_count; i++) {
        uint32_t cpu = config->lcores[i].cpu;
        if (owner[cpu] != 0)
            return vx_error_set(error, -EINVAL, "%.120s: lcores[%u].cpu is %u, expected a CPU that lcores[%u] does not have already", path, i + 1, cpu, owner[cpu]);
        owner[cpu] = i + 1;
    }
    return 0;
}

static int check_role(const char *path, const struct vx_config *config, uint8_t role, const char *word, uint32_t max, struct vx_error *error)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->lcore_count; i++)
        count += (config->lcores[i].roles & role) != 0;
    if (count >= 1 && count <= max)
        return 0;
    return vx_error_set(error, -EINVAL, "%.120s: lcores has %u with the role \"%s\", expected 1 to %u", path, count, word, max);
}

static int check_io(const char *path, struct vx_config *config, struct vx_error *error)
{
    uint32_t owner[VX_PORTS_MAX][256] = { 0 };
    for (uint32_t i = 0; i < config->lcore_count; i++) {
        struct vx_config_lcore *lcore = &config->lcores[i];
        if ((lcore->roles & VX_ROLE_IO) == 0) {
            if (lcore->port != 0)
                return vx_error_set(error, -EINVAL, "%.120s: lcores[%u].port is %u, expected none without the role \"io\"", path, i + 1, lcore->port);
            continue;
        }
        if (lcore->port < 1 || lcore->port > config->port_count)
            return vx_error_set(error, -EINVAL, "%.120s: lcores[%u].port is %u, expected a number from 1 to %u (how many ports there are)", path, i + 1, lcore->port, config->port_count);
        lcore->port--;
        uint32_t queues = config->ports[lcore->port].queues;
        if (lcore->queue >= queues)
            return vx_error_set(error, -EINVAL, "%.120s: lcores[%u].queue is %u, expected below ports[%u].queues, %u", path, i + 1, lcore->queue, lcore->port + 1u, queues);
        uint32_t *queue_owner = &owner[lcore->port][lcore->queue];
        if (*queue_owner != 0)
            return vx_error_set(error, -EINVAL, "%.120s: lcores[%u].queue is %u, expected a queue of port %u that lcores[%u] does not poll already", path, i + 1, lcore->queue, lcore->port + 1u, *queue_owner);
        *queue_owner = i + 1;
    }
    /* The card spreads flows over all its queues: one that nobody polls would swallow its share of the players. */
    for (uint32_t p = 0; p < config->port_count; p++)
        for (uint32_t q = 0; q < config->ports[p].queues; q++)
            if (owner[p][q] == 0)
                return vx_error_set(error, -EINVAL, "%.120s: ports[%u].queues is %u, expected an io lcore for each; queue %u has none", path, p + 1, config->ports[p].queues, q);
    return 0;
}

static int check_ports(const char *path, const struct vx_config *config, struct vx_error *error)
{
    for (uint32_t i = 0; i < config->port_count; i++) {
        const struct vx_config_port *port = &config->ports[i];
        if (port->owned && port->address4_count + port->address6_count == 0)
            return vx_error_set(error, -EINVAL, "%.120s: ports[%u].addresses is empty, expected at least one on a port with owned = true", path, i + 1);
    }
    return 0;
}

int config_check(const char *path, struct vx_config *config, struct vx_error *error)
{
    int code = check_cpus(path, config, error);
    if (code == 0)
        code = check_role(path, config, VX_ROLE_IO, "io", VX_IO_LCORES_MAX, error);
    if (code == 0)
        code = check_role(path, config, VX_ROLE_SHARD, "shard", VX_SHARD_LCORES_MAX, error);
    if (code == 0)
        code = check_role(path, config, VX_ROLE_CONTROL, "control", VX_CPUS_MAX, error);
    if (code == 0)
        code = check_io(path, config, error);
    if (code == 0)
        code = check_ports(path, config, error);
    return code == 0 ? config_modes_check(path, config, error) : code;
}
