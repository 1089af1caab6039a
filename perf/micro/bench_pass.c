/* bench_pass: what one core's passes cost without a device: vx_io_receive, vx_shard_lcore_step and vx_io_send over
 * two rings, MOVE and PING of many players in random order, in bursts of a given size. Cycles by TSC, median of rounds;
 * under `valgrind --tool=callgrind` the instructions repeat exactly.
 *
 *   vx_bench_pass [--players N] [--shards N] [--burst N] [--packets N] [--rounds N] */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "vx_lcore.h"
#include "vx_memory.h"

enum { HEAD_BYTES = 42, ACTIONS = 2, PAYLOAD_BYTES = 16 + ACTIONS * 16, FRAME_BYTES = HEAD_BYTES + PAYLOAD_BYTES, ROUNDS_MAX = 31, RING_EVENTS = 512, PORT = 40000 };

struct bench {
    uint32_t players, shards, burst, packets, rounds;
    uint8_t (*frames)[96];
    uint32_t place;
    uint16_t port;
    struct rte_mempool *pool;
    struct rte_ring *rx, *tx, *actions[VX_SHARDS_MAX], **by_io[1], *replies[1];
    struct vx_io *io;
    struct vx_shard_lcore *lane;
    uint64_t received, stepped, sent; /* cycles of a round */
};

static _Noreturn void fail(const char *what)
{
    (void)fprintf(stderr, "bench_pass: %s\n", what);
    exit(1);
}

static void frame_make(uint8_t *frame, uint32_t player)
{
    struct rte_ether_hdr *ethernet = (struct rte_ether_hdr *)frame;
    struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ethernet + 1);
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
    struct vx_wire_header *header = (struct vx_wire_header *)(udp + 1);
    struct vx_wire_action *actions = (struct vx_wire_action *)(header + 1);
    ethernet->ether_type = htons(RTE_ETHER_TYPE_IPV4);
    *ip = (struct rte_ipv4_hdr){ .version_ihl = RTE_IPV4_VHL_DEF, .time_to_live = 64, .next_proto_id = IPPROTO_UDP,
                                 .total_length = htons(FRAME_BYTES - 14), .src_addr = htonl(0x0a630002), .dst_addr = htonl(0x0a630001) };
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    *udp = (struct rte_udp_hdr){ htons((uint16_t)(10000 + player % 50000)), htons(PORT), htons(PAYLOAD_BYTES + 8), 0 };
    *header = (struct vx_wire_header){ VX_WIRE_MAGIC_CLIENT, VX_WIRE_VERSION, ACTIONS, 0, player, 1, 0 };
    actions[0].type = VX_ACTION_MOVE;
    actions[1].type = VX_ACTION_PING;
}

static void frames_make(struct bench *bench)
{
    struct vx_rng rng = { 7 };
    uint32_t *order = calloc(bench->players, sizeof(*order));
    bench->frames = calloc(bench->players, sizeof(*bench->frames));
    if (order == NULL || bench->frames == NULL)
        fail("no memory for the frames");
    for (uint32_t i = 0; i < bench->players; i++) {
        uint32_t j = vx_rng_below(&rng, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (uint32_t i = 0; i < bench->players; i++)
        frame_make(bench->frames[i], order[i]);
    free(order);
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

static void device_make(struct bench *bench)
{
    struct rte_eth_conf conf = { 0 };
    bench->rx = ring_make("rx", 0, sizeof(void *), 4096);
    bench->tx = ring_make("tx", 0, sizeof(void *), 4096);
    int port = rte_eth_from_rings("bench", &bench->rx, 1, &bench->tx, 1, 0);
    if (port < 0 || rte_eth_dev_configure((uint16_t)port, 1, 1, &conf) != 0 || rte_eth_rx_queue_setup((uint16_t)port, 0, 512, 0, NULL, bench->pool) != 0 ||
        rte_eth_tx_queue_setup((uint16_t)port, 0, 512, 0, NULL) != 0 || rte_eth_dev_start((uint16_t)port) != 0)
        fail("the ring device does not start");
    bench->port = (uint16_t)port;
}

static void appliance_make(struct bench *bench)
{
    struct vx_error error;
    struct vx_arenas *arenas;
    if (vx_arenas_create(bench->shards, 32, -1, &arenas, &error) != 0)
        fail(error.text);
    for (uint32_t shard = 0; shard < bench->shards; shard++)
        bench->actions[shard] = ring_make("actions", shard, sizeof(struct vx_event), RING_EVENTS);
    bench->by_io[0] = bench->actions;
    bench->replies[0] = ring_make("replies", 0, sizeof(struct vx_reply), 8192);
    struct vx_io_config io = { .port = bench->port, .pool = bench->pool, .filter = { .port = PORT }, .players = bench->players, .shards = bench->shards,
                               .window_cycles = rte_get_tsc_hz() / 1000, .cycles_per_s = rte_get_tsc_hz(), .actions = bench->actions, .replies = bench->replies,
                               .reply_rings = 1, .numa = SOCKET_ID_ANY };
    struct vx_shard_lcore_config lane = {
        .shard_step = 1, .shard_count = bench->shards, .io_count = 1, .actions = bench->by_io, .replies = bench->replies, .arenas = arenas, .numa = SOCKET_ID_ANY,
        .shard = { .epoch = 1, .players_max = (bench->players + bench->shards - 1) / bench->shards, .hunts_max = 64, .seed = 1, .proposal_ms = 10000,
                   .search_ms_max = 600000, .hunt_ms = 600000, .idle_ms = 600000, .repeat_ms = 750, .repeats_max = 8, .job_ms_max = 1u << 30, .speed_cm_s = 1000,
                   .chest_range_cm = 300, .strike_range_cm = 1000, .chests = 8 },
    };
    if (vx_io_create(&io, &bench->io, &error) != 0 || vx_shard_lcore_create(&lane, &bench->lane, &error) != 0)
        fail(error.text);
}

static void frames_put(struct bench *bench)
{
    struct rte_mbuf *mbufs[VX_BURST_MAX];
    if (rte_pktmbuf_alloc_bulk(bench->pool, mbufs, bench->burst) != 0)
        fail("the pool is empty: packets are lost");
    for (uint32_t i = 0; i < bench->burst; i++) {
        uint8_t *frame = bench->frames[bench->place];
        memcpy(rte_pktmbuf_append(mbufs[i], FRAME_BYTES), frame, FRAME_BYTES);
        ((struct vx_wire_header *)(frame + HEAD_BYTES))->number += ACTIONS;
        bench->place = bench->place + 1 < bench->players ? bench->place + 1 : 0;
    }
    if (rte_ring_sp_enqueue_bulk(bench->rx, (void *const *)mbufs, bench->burst, NULL) == 0)
        fail("the device's ring is full");
}

static uint32_t answers_take(struct bench *bench)
{
    struct rte_mbuf *mbufs[VX_BURST_MAX];
    uint32_t total = 0, count;
    while ((count = rte_ring_sc_dequeue_burst(bench->tx, (void **)mbufs, VX_BURST_MAX, NULL)) > 0) {
        rte_pktmbuf_free_bulk(mbufs, count);
        total += count;
    }
    return total;
}

static void pass(struct bench *bench)
{
    const uint64_t us_hz = rte_get_tsc_hz() / 1000000;
    uint64_t began = rte_rdtsc();
    (void)vx_io_receive(bench->io, began);
    uint64_t received = rte_rdtsc();
    (void)vx_shard_lcore_step(bench->lane, began / us_hz);
    uint64_t stepped = rte_rdtsc();
    (void)vx_io_send(bench->io, began);
    bench->received += received - began;
    bench->stepped += stepped - received;
    bench->sent += rte_rdtsc() - stepped;
}

static double round_run(struct bench *bench)
{
    uint32_t answers = 0, passes = bench->packets / bench->burst;
    bench->received = bench->stepped = bench->sent = 0;
    for (uint32_t i = 0; i < passes; i++) {
        frames_put(bench);
        pass(bench);
        answers += answers_take(bench);
    }
    if (answers != passes * bench->burst)
        fail("not every packet was answered");
    return (double)(bench->received + bench->stepped + bench->sent) / answers;
}

static int compare(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void options_read(struct bench *bench, int argc, char **argv)
{
    static const struct option options[] = { { "players", required_argument, NULL, 'p' }, { "shards", required_argument, NULL, 's' }, { "burst", required_argument, NULL, 'b' },
                                             { "packets", required_argument, NULL, 'n' }, { "rounds", required_argument, NULL, 'r' }, { NULL, 0, NULL, 0 } };
    *bench = (struct bench){ .players = 120000, .shards = 40, .burst = 32, .packets = 240000, .rounds = 9 };
    for (int option; (option = getopt_long(argc, argv, "p:s:b:n:r:", options, NULL)) != -1;) {
        uint32_t value = optarg != NULL ? (uint32_t)strtoul(optarg, NULL, 10) : 0;
        *(option == 'p' ? &bench->players : option == 's' ? &bench->shards : option == 'b' ? &bench->burst : option == 'n' ? &bench->packets : &bench->rounds) = value;
    }
    if (bench->players == 0 || bench->players > VX_PLAYERS_MAX || bench->shards == 0 || bench->shards > VX_SHARDS_MAX || bench->burst == 0 ||
        bench->burst > VX_BURST_MAX || bench->packets < bench->burst || bench->rounds == 0 || bench->rounds > ROUNDS_MAX)
        fail("usage: vx_bench_pass [--players N] [--shards 1..256] [--burst 1..64] [--packets N] [--rounds 1..31]");
}

int main(int argc, char **argv)
{
    static struct bench bench;
    double rounds[ROUNDS_MAX];
    char *eal[] = { "bench", "--no-huge", "--no-pci", "--no-shconf", "-m", "256", "--log-level=4", "--no-telemetry", "-l", "0" };
    options_read(&bench, argc, argv);
    if (rte_eal_init(sizeof(eal) / sizeof(eal[0]), eal) < 0)
        fail("EAL does not start");
    bench.pool = rte_pktmbuf_pool_create("pool", 8191, 256, 0, RTE_PKTMBUF_HEADROOM + 2048, SOCKET_ID_ANY);
    if (bench.pool == NULL)
        fail("no memory for the pool");
    frames_make(&bench);
    device_make(&bench);
    appliance_make(&bench);
    for (uint32_t i = 0; i < bench.rounds; i++)
        rounds[i] = round_run(&bench);
    qsort(rounds, bench.rounds, sizeof(rounds[0]), compare);
    double passed = (double)(bench.packets / bench.burst * bench.burst);
    (void)printf("{\"players\": %u, \"shards\": %u, \"burst\": %u, \"cycles_per_packet\": %.1f, \"cycles_per_packet_min\": %.1f, \"receive\": %.1f, \"step\": %.1f, \"send\": %.1f}\n",
                 bench.players, bench.shards, bench.burst, rounds[bench.rounds / 2], rounds[0], (double)bench.received / passed, (double)bench.stepped / passed,
                 (double)bench.sent / passed);
    return 0;
}
