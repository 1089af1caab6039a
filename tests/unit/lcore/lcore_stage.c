/* The stage itself: device, rings, lcores, passes. */
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lcore_test.h"

static struct vx_arenas *arenas;
static unsigned stages; /* names must differ */

bool stage_eal(void)
{
    char prefix[64];
    (void)snprintf(prefix, sizeof(prefix), "--file-prefix=veltrix-test-%d", (int)getpid());
    char *eal[] = { "test", "--no-huge", "--no-pci", "--no-shconf", "-m", "512", "--log-level=4", "--no-telemetry", prefix };
    struct vx_error error;
    return rte_eal_init(sizeof(eal) / sizeof(eal[0]), eal) >= 0 && vx_arenas_create(STAGE_SHARDS_MAX, 32, -1, &arenas, &error) == 0;
}

static struct rte_ring *ring(const char *name, unsigned number, unsigned element_bytes, unsigned count)
{
    char text[RTE_RING_NAMESIZE];
    (void)snprintf(text, sizeof(text), "%s%u_%u", name, number, stages);
    struct rte_ring *made = rte_ring_create_elem(text, element_bytes, count, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    return made;
}

static void device_make(struct stage *stage)
{
    char name[32];
    struct rte_eth_conf conf = { 0 };
    stage->rx = ring("rx", 0, sizeof(void *), 4096);
    stage->tx = ring("tx", 0, sizeof(void *), stage->options.tx_ring);
    (void)snprintf(name, sizeof(name), "stage%u", stages);
    int port = rte_eth_from_rings(name, &stage->rx, 1, &stage->tx, 1, 0);
    CU_ASSERT_FATAL(port >= 0);
    stage->port = (uint16_t)port;
    CU_ASSERT_EQUAL_FATAL(rte_eth_dev_configure(stage->port, 1, 1, &conf), 0);
    CU_ASSERT_EQUAL_FATAL(rte_eth_rx_queue_setup(stage->port, 0, 512, 0, NULL, stage->pool), 0);
    CU_ASSERT_EQUAL_FATAL(rte_eth_tx_queue_setup(stage->port, 0, 512, 0, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(rte_eth_dev_start(stage->port), 0);
}

static void io_make(struct stage *stage)
{
    const struct stage_options *options = &stage->options;
    struct vx_error error;
    struct vx_io_config config = {
        .port = stage->port, .pool = stage->pool, .filter = { .port = GAME_PORT }, .answers_control = options->answers_control,
        .players = STAGE_PLAYERS, .shards = options->shards, .window_cycles = STAGE_WINDOW,
        .cycles_per_s = options->real_clock ? rte_get_tsc_hz() : 1000000000, .packets_per_s = options->packets_per_s, .busy_per_s = options->busy_per_s,
        .actions = stage->actions, .replies = stage->replies, .reply_rings = options->lanes, .numa = SOCKET_ID_ANY,
    };
    if (options->answers_control) {
        config.filter.address4_count = config.filter.address6_count = 1;
        server_addresses(&config.filter.address4[0], config.filter.address6[0]);
    }
    if (vx_io_create(&config, &stage->io, &error) != 0)
        CU_FAIL_FATAL(error.text);
}

static void lane_make(struct stage *stage, uint32_t lane)
{
    const struct stage_options *options = &stage->options;
    struct vx_error error;
    stage->lane_replies[lane][0] = stage->replies[lane] = ring("replies", lane, sizeof(struct vx_reply), 8192);
    struct vx_shard_lcore_config config = {
        .index = lane, .shard_first = lane, .shard_step = options->lanes, .shard_count = options->shards / options->lanes, .io_count = 1,
        .actions = stage->actions_by_io, .replies = stage->lane_replies[lane], .formula = options->formula, .grants = stage->grants, .acks = stage->acks,
        .arenas = arenas, .numa = SOCKET_ID_ANY,
        .shard = { .epoch = 9, .players_max = STAGE_PLAYERS / options->shards, .hunts_max = 64, .seed = 1, .proposal_ms = 10000, .search_ms_max = 600000,
                   .hunt_ms = 600000, .idle_ms = 600000, .repeat_ms = options->repeat_ms != 0 ? options->repeat_ms : 60000, .repeats_max = 8, .job_ms_max = 2000, .speed_cm_s = 1000000,
                   .chest_range_cm = 300, .strike_range_cm = 1000, .chests = 8 },
    };
    if (vx_shard_lcore_create(&config, &stage->lanes[lane], &error) != 0)
        CU_FAIL_FATAL(error.text);
}

struct stage *stage_make(const struct stage_options *options)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    char name[32];
    CU_ASSERT_PTR_NOT_NULL_FATAL(stage);
    stages++;
    stage->options = *options;
    stage->options.shards = options->shards != 0 ? options->shards : 2;
    stage->options.lanes = options->lanes != 0 ? options->lanes : 1;
    stage->options.action_ring = options->action_ring != 0 ? options->action_ring : 1024;
    stage->options.tx_ring = options->tx_ring != 0 ? options->tx_ring : 4096;
    (void)snprintf(name, sizeof(name), "pool%u", stages);
    stage->pool = rte_pktmbuf_pool_create(name, STAGE_MBUFS, 0, 0, RTE_PKTMBUF_HEADROOM + 2048, SOCKET_ID_ANY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stage->pool);
    device_make(stage);
    for (uint32_t shard = 0; shard < stage->options.shards; shard++)
        stage->actions[shard] = ring("actions", shard, sizeof(struct vx_event), stage->options.action_ring);
    stage->actions_by_io[0] = stage->actions;
    if (options->grants) {
        stage->grants = ring("grants", 0, sizeof(struct vx_grant), 256);
        stage->acks = ring("acks", 0, sizeof(struct vx_event), 256);
    }
    for (uint32_t lane = 0; lane < stage->options.lanes; lane++)
        lane_make(stage, lane);
    io_make(stage);
    stage->now = options->real_clock ? rte_rdtsc() : 5000000000;
    return stage;
}

void stage_end(struct stage *stage)
{
    stage_settle(stage);
    CU_ASSERT_EQUAL(stage->bad_packets, 0);
    CU_ASSERT_EQUAL(rte_mempool_avail_count(stage->pool), STAGE_MBUFS); /* no mbuf is lost */
    accounts_balance(stage);
    CU_ASSERT_EQUAL(rte_eth_dev_stop(stage->port), 0);
    CU_ASSERT_EQUAL(rte_eth_dev_close(stage->port), 0);
    for (uint32_t shard = 0; shard < stage->options.shards; shard++)
        rte_ring_free(stage->actions[shard]);
    for (uint32_t lane = 0; lane < stage->options.lanes; lane++) {
        rte_ring_free(stage->replies[lane]);
        rte_free(stage->lanes[lane]);
    }
    rte_free(stage->io);
    rte_ring_free(stage->rx);
    rte_ring_free(stage->tx);
    rte_ring_free(stage->grants);
    rte_ring_free(stage->acks);
    rte_mempool_free(stage->pool);
    free(stage);
}

void stage_receive(struct stage *stage)
{
    if (stage->options.real_clock)
        stage->now = rte_rdtsc();
    while (vx_io_receive(stage->io, stage->now) > 0) {
    }
}

void stage_step(struct stage *stage)
{
    uint64_t now_us = stage->now / (stage->options.real_clock ? rte_get_tsc_hz() / 1000000 : 1000);
    for (uint32_t lane = 0; lane < stage->options.lanes; lane++)
        while (vx_shard_lcore_step(stage->lanes[lane], now_us) > 0) {
        }
}

void stage_send(struct stage *stage)
{
    if (stage->options.real_clock)
        stage->now = rte_rdtsc();
    (void)vx_io_send(stage->io, stage->now);
}

void stage_pass(struct stage *stage)
{
    stage_receive(stage);
    stage_step(stage);
    stage_send(stage);
}

void stage_settle(struct stage *stage)
{
    for (unsigned quiet = 0; quiet < 4;) {
        stage->now += STAGE_WINDOW;
        stage_pass(stage);
        quiet = stage_collect(stage) == 0 ? quiet + 1 : 0;
    }
}

void accounts_balance(const struct stage *stage)
{
    const struct vx_io_counters *c = vx_io_counters(stage->io);
    uint64_t drops = 0, shed = 0, in = 0;
    for (unsigned i = 0; i < VX_DROP_COUNT; i++)
        drops += c->drops[i];
    for (unsigned i = 0; i < VX_SHED_CLASSES; i++)
        shed += c->actions_shed[i];
    CU_ASSERT_EQUAL(c->packets_in, drops);
    CU_ASSERT_EQUAL(c->actions_in, c->actions_queued + shed);
    CU_ASSERT(c->replies_in <= c->replies_out + c->replies_dropped);
    CU_ASSERT(c->busy_answers <= shed);
    for (uint32_t lane = 0; lane < stage->options.lanes; lane++)
        for (uint32_t i = 0; i < stage->options.shards / stage->options.lanes; i++) {
            vx_shard_check(vx_shard_lcore_shard(stage->lanes[lane], i));
            in += vx_shard_counters(vx_shard_lcore_shard(stage->lanes[lane], i))->actions_in;
        }
    CU_ASSERT_EQUAL(in, c->actions_queued);
}
