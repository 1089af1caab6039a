/* The appliance of one core, over two rings. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "core.h"
#include "vx_memory.h"

enum { MBUFS = 8191, DEVICE_RING = 4096, RING_EVENTS = 512, RING_REPLIES = 8192 };

_Noreturn void core_fail(const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
    exit(1);
}

struct rte_ring *core_ring(const char *kind, uint32_t number, unsigned element_bytes, unsigned count)
{
    char name[RTE_RING_NAMESIZE];
    (void)snprintf(name, sizeof(name), "%s%u", kind, number);
    struct rte_ring *ring = rte_ring_create_elem(name, element_bytes, count, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (ring == NULL)
        core_fail("no memory for a ring");
    return ring;
}

static void device_make(struct core *core)
{
    struct rte_eth_conf conf = { 0 };
    core->pool = rte_pktmbuf_pool_create("pool", MBUFS, 256, 0, RTE_PKTMBUF_HEADROOM + 2048, SOCKET_ID_ANY);
    core->rx = core_ring("rx", 0, sizeof(void *), DEVICE_RING);
    core->tx = core_ring("tx", 0, sizeof(void *), DEVICE_RING);
    int port = rte_eth_from_rings("core", &core->rx, 1, &core->tx, 1, 0);
    if (core->pool == NULL || port < 0 || rte_eth_dev_configure((uint16_t)port, 1, 1, &conf) != 0 ||
        rte_eth_rx_queue_setup((uint16_t)port, 0, 512, 0, NULL, core->pool) != 0 || rte_eth_tx_queue_setup((uint16_t)port, 0, 512, 0, NULL) != 0 ||
        rte_eth_dev_start((uint16_t)port) != 0)
        core_fail("the ring device does not start");
    core->port = (uint16_t)port;
}

void core_make(struct core *core, uint32_t players, uint32_t shards)
{
    *core = (struct core){ .players = players, .shards = shards };
    core->actions_by_io[0] = core->actions;
    device_make(core);
    for (uint32_t shard = 0; shard < shards; shard++)
        core->actions[shard] = core_ring("actions", shard, sizeof(struct vx_event), RING_EVENTS);
    core->replies[0] = core_ring("replies", 0, sizeof(struct vx_reply), RING_REPLIES);
}

struct vx_io_config core_io_config(struct core *core)
{
    return (struct vx_io_config){ .port = core->port, .pool = core->pool, .filter = { .port = CORE_UDP_PORT }, .players = core->players, .shards = core->shards,
                                  .window_cycles = rte_get_tsc_hz() / 1000, .cycles_per_s = rte_get_tsc_hz(), .actions = core->actions, .replies = core->replies,
                                  .reply_rings = 1, .numa = SOCKET_ID_ANY };
}

void core_start(struct core *core, const struct vx_io_config *io, uint32_t arena_mib)
{
    struct vx_error error;
    struct vx_arenas *arenas;
    struct vx_shard_lcore_config lane = {
        .shard_step = 1, .shard_count = core->shards, .io_count = 1, .actions = core->actions_by_io, .replies = core->replies, .numa = SOCKET_ID_ANY,
        .shard = { .epoch = 1, .players_max = (core->players + core->shards - 1) / core->shards, .hunts_max = 64, .seed = 1, .proposal_ms = 10000,
                   .search_ms_max = 600000, .hunt_ms = 600000, .idle_ms = 600000, .repeat_ms = 750, .repeats_max = 8, .job_ms_max = 1u << 30, .speed_cm_s = 1000,
                   .chest_range_cm = 300, .strike_range_cm = 1000, .chests = 8, .grace_ms = 30000 },
    };
    if (vx_arenas_create(core->shards, arena_mib, -1, &arenas, &error) != 0)
        core_fail(error.text);
    lane.arenas = arenas;
    if (vx_io_create(io, &core->io, &error) != 0 || vx_shard_lcore_create(&lane, &core->lane, &error) != 0)
        core_fail(error.text);
}

void core_pass(struct core *core)
{
    const uint64_t us_hz = rte_get_tsc_hz() / 1000000;
    uint64_t began = rte_rdtsc();
    (void)vx_io_receive(core->io, began);
    uint64_t received = rte_rdtsc();
    (void)vx_shard_lcore_step(core->lane, began / us_hz);
    uint64_t stepped = rte_rdtsc();
    (void)vx_io_send(core->io, began);
    core->received += received - began;
    core->stepped += stepped - received;
    core->sent += rte_rdtsc() - stepped;
}

struct rte_mbuf *core_mbuf(struct core *core)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(core->pool);
    if (mbuf == NULL)
        core_fail("the pool is empty: packets are lost");
    return mbuf;
}

void core_put(struct core *core, struct rte_mbuf **mbufs, uint32_t count)
{
    if (rte_ring_sp_enqueue_bulk(core->rx, (void *const *)mbufs, count, NULL) == 0)
        core_fail("the device's ring is full");
}

uint32_t core_taken(struct core *core, struct rte_mbuf **mbufs)
{
    return rte_ring_sc_dequeue_burst(core->tx, (void **)mbufs, VX_BURST_MAX, NULL);
}
