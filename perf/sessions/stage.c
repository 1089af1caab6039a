/* The appliance: one io lcore and one shard lcore on one core, over two rings. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "sessions.h"
#include "vx_memory.h"

enum { MBUFS = 8191, MIB_FIXED = 256, BYTES_PER_PLAYER = 560 };

_Noreturn void fail(const char *what)
{
    (void)fprintf(stderr, "vx_bench_sessions: %s\n", what);
    exit(1);
}

static struct rte_ring *ring_make(const char *kind, uint32_t number, unsigned element_bytes, unsigned count)
{
    char name[RTE_RING_NAMESIZE];
    (void)snprintf(name, sizeof(name), "%s%u", kind, number);
    struct rte_ring *ring = rte_ring_create_elem(name, element_bytes, count, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (ring == NULL)
        fail("no memory for a ring");
    return ring;
}

static void eal_make(uint32_t players, bool huge)
{
    char mib[16];
    (void)snprintf(mib, sizeof(mib), "%u", MIB_FIXED + (uint32_t)((uint64_t)players * BYTES_PER_PLAYER >> 20));
    char *words[] = { "vx_bench_sessions", "--no-pci", "--log-level=4", "--no-telemetry", "-l", "0", "-m", mib, huge ? "--in-memory" : "--no-huge", "--no-shconf" };
    if (rte_eal_init(sizeof(words) / sizeof(words[0]) - huge, words) < 0 || vx_netcode_start() != 0)
        fail("EAL does not start");
}

static void device_make(struct stage *stage)
{
    struct rte_eth_conf conf = { 0 };
    stage->pool = rte_pktmbuf_pool_create("pool", MBUFS, 256, 0, RTE_PKTMBUF_HEADROOM + 2048, SOCKET_ID_ANY);
    stage->rx = ring_make("rx", 0, sizeof(void *), 4096);
    stage->tx = ring_make("tx", 0, sizeof(void *), 4096);
    int port = rte_eth_from_rings("sessions", &stage->rx, 1, &stage->tx, 1, 0);
    if (stage->pool == NULL || port < 0 || rte_eth_dev_configure((uint16_t)port, 1, 1, &conf) != 0 ||
        rte_eth_rx_queue_setup((uint16_t)port, 0, 512, 0, NULL, stage->pool) != 0 || rte_eth_tx_queue_setup((uint16_t)port, 0, 512, 0, NULL) != 0 ||
        rte_eth_dev_start((uint16_t)port) != 0)
        fail("the ring device does not start");
    stage->port = (uint16_t)port;
}

static void admission_make(struct stage *stage)
{
    const struct vx_admission_config config = { .players = stage->players, .shards = SHARDS, .tokens = stage->players + 1024, .grace_ms = 30000, .seed = 4 };
    void *memory = rte_zmalloc("admission", vx_admission_bytes(&config), VX_CACHE_LINE_BYTES);
    if (memory == NULL)
        fail("no memory for admission");
    stage->admission = vx_admission_create(memory, &config, (uint32_t)(rte_rdtsc() * 1000 / rte_get_tsc_hz()));
    stage->asks[0] = ring_make("asks", 0, sizeof(struct vx_admission_ask), 1024);
    stage->verdicts[0] = ring_make("verdicts", 0, sizeof(struct vx_admission_verdict), 1024);
    stage->bytes += vx_admission_bytes(&config) - (uint64_t)config.tokens * 64; /* without the tokens, which have their own number */
}

static void io_make(struct stage *stage)
{
    struct vx_error error;
    struct vx_session_netcode_config netcode = {
        .places = stage->players + 256, .players = stage->players, .protocol_id = stage->backend.protocol_id, .keys.count = 1, .address_count = 2,
        .keepalive_ms = 60000, /* who plays is answered more often, and needs none */
        .seed = 5, .challenge_key = { 9 }, .now_ms = (uint32_t)(rte_rdtsc() * 1000 / rte_get_tsc_hz()),
    };
    memcpy(netcode.keys.keys[0], stage->backend.key, sizeof(stage->backend.key));
    memcpy(netcode.addresses, stage->backend.servers, sizeof(stage->backend.servers));
    struct vx_io_config config = {
        .port = stage->port, .pool = stage->pool, .filter = { .port = 40000 }, .players = stage->players, .shards = SHARDS,
        .window_cycles = rte_get_tsc_hz() / 1000, .cycles_per_s = rte_get_tsc_hz(), .actions = stage->actions, .replies = stage->replies, .reply_rings = 1,
        .numa = SOCKET_ID_ANY, .netcode = &netcode, .unix_s = &stage->unix_s, .asks = stage->asks[0], .verdicts = stage->verdicts[0], .admission = stage->admission,
        .admission_asks = stage->asks, .admission_verdicts = stage->verdicts, .admission_lcores = 1,
    };
    if (vx_io_create(&config, &stage->io, &error) != 0)
        fail(error.text);
    stage->bytes += vx_session_netcode_bytes(netcode.places);
}

static void lane_make(struct stage *stage)
{
    struct vx_error error;
    struct vx_arenas *arenas;
    struct vx_shard_lcore_config config = {
        .shard_step = 1, .shard_count = SHARDS, .io_count = 1, .actions = stage->actions_by_io, .replies = stage->replies, .numa = SOCKET_ID_ANY,
        .shard = { .epoch = 1, .players_max = (stage->players + SHARDS - 1) / SHARDS, .hunts_max = 64, .seed = 1, .proposal_ms = 10000, .search_ms_max = 600000,
                   .hunt_ms = 600000, .idle_ms = 600000, .repeat_ms = 750, .repeats_max = 8, .job_ms_max = 1u << 30, .speed_cm_s = 1000, .chest_range_cm = 300,
                   .strike_range_cm = 1000, .chests = 8, .grace_ms = 30000 },
    };
    if (vx_arenas_create(SHARDS, 64, -1, &arenas, &error) != 0)
        fail(error.text);
    config.arenas = arenas;
    if (vx_shard_lcore_create(&config, &stage->lane, &error) != 0)
        fail(error.text);
}

void stage_make(struct stage *stage, uint32_t players, bool huge)
{
    *stage = (struct stage){ .players = players, .unix_s = (uint64_t)time(NULL) };
    stage->actions_by_io[0] = stage->actions;
    netcode_backend_make(&stage->backend, stage->unix_s);
    stage->backend.expire_s = stage->unix_s + 3600;
    stage->backend.timeout_s = 3600;
    eal_make(players, huge);
    device_make(stage);
    for (uint32_t shard = 0; shard < SHARDS; shard++)
        stage->actions[shard] = ring_make("actions", shard, sizeof(struct vx_event), 512);
    stage->replies[0] = ring_make("replies", 0, sizeof(struct vx_reply), 8192);
    admission_make(stage);
    io_make(stage);
    lane_make(stage);
}

void stage_pass(struct stage *stage)
{
    const uint64_t us_hz = rte_get_tsc_hz() / 1000000;
    uint64_t began = rte_rdtsc();
    (void)vx_io_receive(stage->io, began);
    uint64_t received = rte_rdtsc();
    (void)vx_shard_lcore_step(stage->lane, began / us_hz);
    uint64_t stepped = rte_rdtsc();
    (void)vx_io_send(stage->io, began);
    stage->received += received - began;
    stage->stepped += stepped - received;
    stage->sent += rte_rdtsc() - stepped;
}

struct rte_mbuf *stage_mbuf(struct stage *stage)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(stage->pool);
    if (mbuf == NULL)
        fail("the pool is empty: packets are lost");
    return mbuf;
}

void stage_put(struct stage *stage, struct rte_mbuf **mbufs, uint32_t count)
{
    if (rte_ring_sp_enqueue_bulk(stage->rx, (void *const *)mbufs, count, NULL) == 0)
        fail("the device's ring is full");
}

uint32_t stage_taken(struct stage *stage, struct rte_mbuf **mbufs)
{
    return rte_ring_sc_dequeue_burst(stage->tx, (void **)mbufs, BURST, NULL);
}
