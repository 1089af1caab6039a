/* Start-up between EAL and the loops: everything the appliance will ever hold is taken here. */
#include <errno.h>
#include <libgen.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_ring_elem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "operate.h"

enum {
    REPLY_RING = 8192,
    GRANT_RING = 4096,
    SPREAD_RING = 2048, /* packets on their way to the io lcore of their flow: 32 full bursts */
};

void app_state_path(const struct vx_config *config, const char *given, const char *name, char path[APP_PATH_BYTES])
{
    char ledger[VX_PATH_BYTES];
    (void)strcpy(ledger, config->ledger.path);
    if (given[0] != '\0')
        (void)snprintf(path, APP_PATH_BYTES, "%s", given);
    else
        (void)snprintf(path, APP_PATH_BYTES, "%s/%s", dirname(ledger), name);
}

struct rte_ring *app_ring_create(const char *kind, unsigned a, unsigned b, unsigned element_bytes, unsigned count, int numa, struct vx_error *error)
{
    char name[RTE_RING_NAMESIZE];
    (void)snprintf(name, sizeof(name), "%s_%u_%u", kind, a, b);
    struct rte_ring *ring = rte_ring_create_elem(name, element_bytes, count, numa, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (ring == NULL)
        (void)vx_error_set(error, -ENOMEM, "ring %s of %u elements: %s", name, count, rte_strerror(rte_errno));
    return ring;
}

static int rings_create(struct app *app, struct vx_error *error)
{
    const uint32_t shards = app->config.shards.count;
    for (uint32_t io = 0; io < app->io_count; io++) {
        app->actions[io] = rte_calloc("actions", shards, sizeof(struct rte_ring *), 0);
        if (app->actions[io] == NULL)
            return vx_error_set(error, -ENOMEM, "no memory for %u ring names", shards);
        for (uint32_t shard = 0; shard < shards; shard++)
            if ((app->actions[io][shard] = app_ring_create("actions", io, shard, sizeof(struct vx_event), app->config.shards.ring_events,
                                                           app_numa_of(app, VX_ROLE_SHARD, shard % app->shard_lcore_count), error)) == NULL)
                return -ENOMEM;
    }
    for (uint32_t lane = 0; lane < app->shard_lcore_count; lane++) {
        for (uint32_t io = 0; io < app->io_count; io++) {
            if ((app->replies[lane][io] = app_ring_create("replies", lane, io, sizeof(struct vx_reply), REPLY_RING, app_numa_of(app, VX_ROLE_IO, io), error)) == NULL)
                return -ENOMEM;
            app->io_replies[io][lane] = app->replies[lane][io];
        }
        app->grants[lane] = app_ring_create("grants", lane, 0, sizeof(struct vx_grant), GRANT_RING, app_numa_of(app, VX_ROLE_SHARD, lane), error);
        app->acks[lane] = app_ring_create("acks", lane, 0, sizeof(struct vx_event), GRANT_RING, app_numa_of(app, VX_ROLE_SHARD, lane), error);
        if (app->grants[lane] == NULL || app->acks[lane] == NULL)
            return -ENOMEM;
    }
    return 0;
}

/* Where the io lcores of a port spread flows among themselves: a ring to each. */
static int spread_rings_create(struct app *app, struct vx_error *error)
{
    for (uint32_t i = 0; i < app->config.port_count; i++)
        for (uint32_t queue = 0; app->ports[i].caps.spread && queue < app->config.ports[i].queues; queue++) {
            char name[RTE_RING_NAMESIZE];
            (void)snprintf(name, sizeof(name), "spread_%u_%u", i, queue);
            if (queue >= VX_IO_LCORES_MAX || (app->spread[i][queue] = rte_ring_create(name, SPREAD_RING, SOCKET_ID_ANY, RING_F_SC_DEQ)) == NULL)
                return vx_error_set(error, -ENOMEM, "ring %s of %d packets: %s", name, SPREAD_RING, rte_strerror(rte_errno));
        }
    return 0;
}

static int io_start(struct app *app, struct app_lcore *lcore, uint32_t index, struct vx_error *error)
{
    const struct vx_config *config = &app->config;
    const struct vx_config_port *port = &config->ports[lcore->config->port];
    struct vx_port *device = &app->ports[lcore->config->port];
    const struct vx_port_caps *caps = &device->caps;
    lcore->port = device;
    struct vx_io_config io = {
        .port = device->id, .queue = lcore->config->queue, .index = index, .pool = app->queue_pools[lcore->config->port][lcore->config->queue],
        .answers_control = port->owned, .rx_checksums = caps->rx_checksums, .tx_checksums = caps->tx_checksums,
        .players = config->transport.players, .shards = config->shards.count,
        .window_cycles = app->cycles_per_s / 1000000 * config->transport.window_us, .cycles_per_s = app->cycles_per_s,
        .packets_per_s = config->transport.packets_per_s, .busy_per_s = config->transport.busy_per_s,
        .actions = app->actions[index], .replies = app->io_replies[index], .reply_rings = app->shard_lcore_count, .numa = lcore->numa,
    };
    io.filter.port = config->transport.udp_port;
    io.filter.address4_count = port->address4_count;
    io.filter.address6_count = port->address6_count;
    memcpy(io.filter.address4, port->address4, sizeof(io.filter.address4));
    memcpy(io.filter.address6, port->address6, sizeof(io.filter.address6));
    memcpy(io.filter.mac, caps->mac, sizeof(io.filter.mac));
    if (caps->spread) {
        io.spread = app->spread[device->index];
        io.spread_count = port->queues;
        io.spread_index = lcore->config->queue;
    }
    struct vx_session_netcode_config netcode;
    int rc = app_rules_lane(app, device, &io.rules, error);
    if (rc == 0)
        rc = app_netcode_io(app, index, &io, &netcode, error);
    if (rc == 0)
        rc = vx_io_create(&io, &lcore->io, error);
    vx_netcode_wipe(&netcode.keys, sizeof(netcode.keys));
    return rc;
}

static void shards_describe(struct app *app, struct app_lcore *lcore, uint32_t index)
{
    const struct vx_config *config = &app->config;
    uint32_t players = (config->transport.players + config->shards.count - 1) / config->shards.count;
    lcore->has_shards = true;
    lcore->shard_config = (struct vx_shard_lcore_config){
        .index = index, .shard_first = index, .shard_step = app->shard_lcore_count,
        .shard_count = (config->shards.count - index + app->shard_lcore_count - 1) / app->shard_lcore_count,
        .io_count = app->io_count, .actions = app->actions, .replies = app->replies[index], .formula = app->formula,
        .grants = app->grants[index], .acks = app->acks[index], .trace = lcore->trace, .arenas = app->arenas, .numa = lcore->numa,
        .shard = { .epoch = app->epoch, .players_max = players, .hunts_max = config->shards.hunts_max ? config->shards.hunts_max : players / 2 + 1,
                   .seed = config->shards.seed, .proposal_ms = config->shards.proposal_ms, .search_ms_max = config->shards.search_ms,
                   .hunt_ms = config->shards.hunt_ms, .idle_ms = config->shards.idle_ms, .repeat_ms = config->shards.repeat_ms,
                   .repeats_max = config->shards.repeats_max, .job_ms_max = config->shards.job_ms, .speed_cm_s = config->shards.speed_cm_s,
                   .chest_range_cm = config->shards.chest_range_cm, .strike_range_cm = config->shards.strike_range_cm, .chests = config->shards.chests,
                   .grace_ms = config->transport.grace_ms, .cooldown_ms = config->shards.cooldown_ms },
    };
    app_modes_describe(app, &lcore->shard_config.shard);
}

static int control_plane_start(struct app *app, struct vx_error *error)
{
    int rc = vx_ledger_open(app->config.ledger.path, &app->ledger, &app->epoch, error);
    if (rc == 0)
        rc = app_formula_start(app, error);
    return rc == 0 ? vx_ledger_start(app->ledger, app->grants, app->acks, app->shard_lcore_count, app->control_cpu, error) : rc;
}

int app_setup(struct app *app, struct vx_error *error)
{
    const struct vx_config *config = &app->config;
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        app->io_count += (app->lcores[i].config->roles & VX_ROLE_IO) != 0;
        app->shard_lcore_count += (app->lcores[i].config->roles & VX_ROLE_SHARD) != 0;
    }
    int rc = app_numa_start(app, error);
    if (rc == 0)
        rc = app_capture_create(app, error);
    if (rc == 0)
        rc = vx_arenas_create(config->shards.count, config->memory.arena_mib, -1, &app->arenas, error);
    if (rc == 0)
        rc = rings_create(app, error);
    if (rc == 0)
        rc = app_netcode_start(app, error);
    if (rc == 0)
        rc = app_ports_start(app, error);
    if (rc == 0)
        rc = app_rules_start(app, error);
    if (rc == 0)
        rc = spread_rings_create(app, error);
    if (rc == 0)
        rc = control_plane_start(app, error);
    uint32_t io = 0, lane = 0;
    for (uint32_t i = 0; rc == 0 && i < app->lcore_count; i++) {
        struct app_lcore *lcore = &app->lcores[i];
        lcore->gaps = rte_zmalloc("gaps", sizeof(*lcore->gaps), VX_CACHE_LINE_BYTES);
        lcore->pauses = rte_zmalloc("pauses", sizeof(*lcore->pauses), VX_CACHE_LINE_BYTES);
        if (lcore->gaps == NULL || lcore->pauses == NULL)
            return vx_error_set(error, -ENOMEM, "no memory for lcore %u's pauses", lcore->id);
        if (lcore->config->roles & VX_ROLE_SHARD) {
            lcore->trace = vx_trace_create(lcore->numa); /* NULL: no feeds of this lcore */
            shards_describe(app, lcore, lane++);
        }
        if (lcore->config->roles & VX_ROLE_IO)
            rc = io_start(app, lcore, io++, error);
    }
    return rc;
}

void app_teardown(struct app *app)
{
    if (app->ledger != NULL)
        vx_ledger_close(app->ledger);
    app_formula_stop(app);
    app_ports_stop(app);
}
