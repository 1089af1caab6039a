/* The production objects and the rings between them. Each ring of the appliance is two here, with the tap
 * between: what crosses is shown to the model and is otherwise untouched. */
#include <getopt.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "model.h"
#include "sim_private.h"
#include "vx_memory.h"

enum { DEVICE_RING = 1024, BUFFER_BYTES = RTE_PKTMBUF_HEADROOM + 768, RX_BUFFERS = 2047, GRANT_RING = 1024 };

/* EAL without hugepages takes a memfd, which children would share with their parent; told that there are none,
 * it takes private memory, and each run has its own copy of what the parent prepared. */
int memfd_create(const char *name, unsigned flags)
{
    (void)name, (void)flags;
    return -1;
}

void sim_eal(void)
{
    char *arguments[] = { "vx_sim", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-m", "192", "--log-level=1", "-l", "0" };
    optind = 1; /* EAL reads its arguments with the getopt that ours were read with */
    if (rte_eal_init(sizeof(arguments) / sizeof(arguments[0]), arguments) < 0) {
        (void)fprintf(stderr, "sim: EAL does not start: %s\n", rte_strerror(rte_errno));
        exit(2);
    }
}

static struct rte_ring *ring(const struct appliance *appliance, const char *kind, uint32_t a, uint32_t b, uint32_t element_bytes, uint32_t count)
{
    char name[RTE_RING_NAMESIZE];
    (void)snprintf(name, sizeof(name), "%s%u_%u_%u", kind, a, b, appliance->generation);
    struct rte_ring *made = rte_ring_create_elem(name, element_bytes, count, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    VX_ASSERT(made != NULL);
    return made;
}

static void device_open(struct appliance *appliance, uint32_t ios, uint32_t tx_length)
{
    struct rte_eth_conf conf = { 0 };
    for (uint32_t i = 0; i < ios; i++) {
        appliance->rx[i] = ring(appliance, "rx", i, 0, sizeof(void *), DEVICE_RING);
        appliance->tx[i] = ring(appliance, "tx", i, 0, sizeof(void *), tx_length);
    }
    int port = rte_eth_from_rings("sim", appliance->rx, ios, appliance->tx, ios, 0);
    VX_ASSERT(port >= 0);
    appliance->port = (uint16_t)port;
    VX_ASSERT(rte_eth_dev_configure(appliance->port, (uint16_t)ios, (uint16_t)ios, &conf) == 0);
    for (uint16_t i = 0; i < ios; i++)
        VX_ASSERT(rte_eth_rx_queue_setup(appliance->port, i, DEVICE_RING, 0, NULL, appliance->rx_pool) == 0 &&
                  rte_eth_tx_queue_setup(appliance->port, i, DEVICE_RING, 0, NULL) == 0);
    VX_ASSERT(rte_eth_dev_start(appliance->port) == 0);
}

static struct rte_mempool *pool_create(const char *name, uint32_t generation, uint32_t buffers)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%s%u", name, generation);
    struct rte_mempool *pool = rte_pktmbuf_pool_create(text, buffers, 0, 0, BUFFER_BYTES, SOCKET_ID_ANY);
    VX_ASSERT(pool != NULL);
    return pool;
}

void appliance_open(struct sim *sim)
{
    struct vx_error error;
    struct appliance *appliance = &sim->appliance;
    appliance->rx_pool = pool_create("rx", 0, RX_BUFFERS);
    device_open(appliance, sim->plan->ios, sim->plan->device_ring);
    VX_ASSERT(vx_arenas_create(sim->plan->shards, 32, -1, &appliance->arenas, &error) == 0);
}

static void rings_start(struct sim *sim)
{
    struct appliance *appliance = &sim->appliance;
    const struct sim_plan *plan = sim->plan;
    for (uint32_t io = 0; io < plan->ios; io++) {
        for (uint32_t shard = 0; shard < plan->shards; shard++) {
            appliance->actions_io[io][shard] = ring(appliance, "aio", io, shard, sizeof(struct vx_event), plan->action_ring);
            appliance->actions_shard[io][shard] = ring(appliance, "ash", io, shard, sizeof(struct vx_event), APPLIANCE_FEED_MAX);
        }
        for (uint32_t lane = 0; lane < plan->lanes; lane++)
            appliance->replies_io[io][lane] = ring(appliance, "rio", lane, io, sizeof(struct vx_reply), 8192);
        appliance->actions_io_lists[io] = appliance->actions_io[io];
        appliance->actions_shard_lists[io] = appliance->actions_shard[io];
    }
    for (uint32_t lane = 0; lane < plan->lanes; lane++) {
        appliance->grants[lane] = ring(appliance, "grants", lane, 0, sizeof(struct vx_grant), GRANT_RING);
        appliance->acks[lane] = ring(appliance, "acks", lane, 0, sizeof(struct vx_event), GRANT_RING);
        appliance->replies_shard[lane] = ring(appliance, "rsh", lane, 0, sizeof(struct vx_reply), plan->reply_ring);
        for (uint32_t io = 0; io < plan->ios; io++)
            appliance->replies_shard_lists[lane][io] = appliance->replies_shard[lane];
    }
}

static void io_start(struct sim *sim, uint32_t index)
{
    struct appliance *appliance = &sim->appliance;
    struct vx_error error;
    const struct vx_io_config config = {
        .port = appliance->port, .queue = (uint16_t)index, .index = index, .pool = appliance->pool, .filter = { .port = SIM_GAME_PORT },
        .players = sim->plan->players, .shards = sim->plan->shards, .window_cycles = (uint64_t)sim->plan->window_us * SIM_CYCLES_PER_US,
        .cycles_per_s = 1000000ull * SIM_CYCLES_PER_US, .busy_per_s = sim->plan->busy_per_s, .actions = appliance->actions_io_lists[index],
        .replies = appliance->replies_io[index], .reply_rings = sim->plan->lanes, .numa = SOCKET_ID_ANY,
    };
    if (vx_io_create(&config, &appliance->io[index], &error) != 0)
        sim_violation("io lcore does not start: %s", error.text);
}

static void modes_write(struct vx_shard_mode modes[5])
{
    static const char *const names[5] = { "duel", "pairs", "many", "squads", "unrated" };
    for (uint32_t i = 0; i < 5; i++) {
        (void)snprintf(modes[i].name, sizeof(modes[i].name), "%s", names[i]);
        vx_mode_default(&modes[i].mode);
        modes[i].mode.window_points = i > 0 ? 4095 : 0;
    }
    struct vx_mode *pairs = &modes[1].mode, *many = &modes[2].mode, *squads = &modes[3].mode, *unrated = &modes[4].mode;
    pairs->size_min = pairs->size_max = 2;
    pairs->backfill = 1;
    pairs->rating = VX_MODE_PLACKETT_LUCE;
    many->teams_min = 3;
    many->teams_max = 6;
    many->auto_accept = many->backfill = 1;
    many->players_min = 3;
    many->rating = VX_MODE_BRADLEY_TERRY_FULL;
    squads->size_min = 1;
    squads->size_max = 3;
    squads->auto_accept = squads->backfill = 1;
    squads->rating = VX_MODE_BRADLEY_TERRY_PART;
    unrated->teams_max = 3;
    unrated->size_max = 2;
    unrated->rating = VX_MODE_UNRATED;
    unrated->rematch_ms = 2000;
}

const struct vx_shard_mode *appliance_modes(const struct sim_plan *plan, uint32_t *count)
{
    static struct vx_shard_mode duel = { .name = "duel" }, modes[5];
    if (plan->teams == 0) {
        vx_mode_default(&duel.mode);
        duel.mode.rating = VX_MODE_ELO; /* which the model knows by heart */
        *count = 1;
        return &duel;
    }
    modes_write(modes);
    *count = 5;
    return modes;
}

static struct vx_shard_lcore_config lane_config(struct sim *sim, uint32_t lane)
{
    struct appliance *appliance = &sim->appliance;
    const struct sim_plan *plan = sim->plan;
    uint32_t mode_count;
    const struct vx_shard_mode *modes = appliance_modes(plan, &mode_count);
    uint32_t players = (plan->players + plan->shards - 1) / plan->shards;
    return (struct vx_shard_lcore_config){
        .index = lane, .shard_first = lane, .shard_step = plan->lanes, .shard_count = (plan->shards - lane + plan->lanes - 1) / plan->lanes,
        .io_count = plan->ios, .actions = appliance->actions_shard_lists, .replies = appliance->replies_shard_lists[lane], .formula = appliance->formula,
        .grants = appliance->grants[lane], .acks = appliance->acks[lane], .arenas = appliance->arenas, .numa = SOCKET_ID_ANY,
        .shard = { .epoch = appliance->epoch, .players_max = players, .hunts_max = plan->hunts_max, .seed = plan->seed + appliance->epoch,
                   .proposal_ms = plan->proposal_ms, .search_ms_max = plan->search_ms, .hunt_ms = plan->hunt_ms, .idle_ms = plan->idle_ms,
                   .repeat_ms = plan->repeat_ms, .repeats_max = plan->repeats_max, .job_ms_max = plan->job_ms, .speed_cm_s = plan->speed_cm_s,
                   .chest_range_cm = plan->chest_range_cm, .strike_range_cm = plan->strike_range_cm, .chests = plan->chests, .cooldown_ms = plan->cooldown_ms, .mode_count = mode_count, .modes = modes },
    };
}

/* A shard that does not fit its arena is refused with a sentence, and nothing is harmed: the next start is a good one. */
static void lanes_start(struct sim *sim)
{
    struct vx_error error;
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++) {
        struct vx_shard_lcore_config config = lane_config(sim, lane);
        if (sim->force[SIM_NO_ARENA] > 0) {
            struct vx_shard_lcore_config larger = config;
            struct vx_shard_lcore *none = NULL;
            larger.shard.players_max = VX_PLAYERS_MAX;
            if (vx_shard_lcore_create(&larger, &none, &error) != -ENOMEM || none != NULL || strstr(error.text, "arena has no room") == NULL)
                sim_violation("2^21 players fitted an arena of 32 MiB: %s", error.text);
            sim->report->faults[SIM_NO_ARENA]++;
        }
        if (vx_shard_lcore_create(&config, &sim->appliance.lanes[lane], &error) != 0)
            sim_violation("shard lcore does not start: %s", error.text);
    }
}

void appliance_start(struct sim *sim)
{
    struct appliance *appliance = &sim->appliance;
    appliance->generation++;
    appliance->epoch++;
    sim->shard_us = 0; /* a process counts its time from its start */
    appliance->pool = pool_create("tx", appliance->generation, sim->plan->buffers);
    appliance->formula = worker_formula(sim->plan->lanes);
    rings_start(sim);
    lanes_start(sim);
    for (uint32_t io = 0; io < sim->plan->ios; io++)
        io_start(sim, io);
    worker_open(sim);
    model_start(sim->model, sim->now_us);
}

static void ring_empty(struct rte_ring *of)
{
    void *mbuf;
    while (rte_ring_dequeue(of, &mbuf) == 0)
        rte_pktmbuf_free(mbuf);
}

/* As a process ends: whatever is under way is gone. Objects that have no end of their own go with the run. */
void appliance_stop(struct sim *sim)
{
    struct appliance *appliance = &sim->appliance;
    for (uint32_t io = 0; io < sim->plan->ios; io++) {
        ring_empty(appliance->rx[io]);
        ring_empty(appliance->tx[io]);
        for (uint32_t shard = 0; shard < sim->plan->shards; shard++) {
            rte_ring_free(appliance->actions_io[io][shard]);
            rte_ring_free(appliance->actions_shard[io][shard]);
        }
        for (uint32_t lane = 0; lane < sim->plan->lanes; lane++)
            rte_ring_free(appliance->replies_io[io][lane]);
    }
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++) {
        rte_ring_free(appliance->grants[lane]);
        rte_ring_free(appliance->acks[lane]);
        rte_ring_free(appliance->replies_shard[lane]);
        rte_free(appliance->lanes[lane]);
    }
    rte_mempool_free(appliance->pool);
    ledger_crash(sim);
}
