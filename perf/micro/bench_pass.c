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

#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "core.h"
#include "vx_memory.h"

enum { HEAD_BYTES = 42, ACTIONS = 2, PAYLOAD_BYTES = 16 + ACTIONS * 16, FRAME_BYTES = HEAD_BYTES + PAYLOAD_BYTES, ROUNDS_MAX = 31, ARENA_MIB = 32 };

struct bench {
    uint32_t players, shards, burst, packets, rounds;
    uint8_t (*frames)[96];
    uint32_t place;
    struct core core;
};

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
    *udp = (struct rte_udp_hdr){ htons((uint16_t)(10000 + player % 50000)), htons(CORE_UDP_PORT), htons(PAYLOAD_BYTES + 8), 0 };
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
        core_fail("no memory for the frames");
    for (uint32_t i = 0; i < bench->players; i++) {
        uint32_t j = vx_rng_below(&rng, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (uint32_t i = 0; i < bench->players; i++)
        frame_make(bench->frames[i], order[i]);
    free(order);
}

static void frames_put(struct bench *bench)
{
    struct rte_mbuf *mbufs[VX_BURST_MAX];
    for (uint32_t i = 0; i < bench->burst; i++) {
        mbufs[i] = core_mbuf(&bench->core);
        uint8_t *frame = bench->frames[bench->place];
        memcpy(rte_pktmbuf_append(mbufs[i], FRAME_BYTES), frame, FRAME_BYTES);
        ((struct vx_wire_header *)(frame + HEAD_BYTES))->number += ACTIONS;
        bench->place = bench->place + 1 < bench->players ? bench->place + 1 : 0;
    }
    core_put(&bench->core, mbufs, bench->burst);
}

static uint32_t answers_take(struct bench *bench)
{
    struct rte_mbuf *mbufs[VX_BURST_MAX];
    uint32_t total = 0, count;
    while ((count = core_taken(&bench->core, mbufs)) > 0) {
        rte_pktmbuf_free_bulk(mbufs, count);
        total += count;
    }
    return total;
}

static double round_run(struct bench *bench)
{
    uint32_t answers = 0, passes = bench->packets / bench->burst;
    bench->core.received = bench->core.stepped = bench->core.sent = 0;
    for (uint32_t i = 0; i < passes; i++) {
        frames_put(bench);
        core_pass(&bench->core);
        answers += answers_take(bench);
    }
    if (answers != passes * bench->burst)
        core_fail("not every packet was answered");
    return (double)(bench->core.received + bench->core.stepped + bench->core.sent) / answers;
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
        core_fail("usage: vx_bench_pass [--players N] [--shards 1..256] [--burst 1..64] [--packets N] [--rounds 1..31]");
}

int main(int argc, char **argv)
{
    static struct bench bench;
    double rounds[ROUNDS_MAX];
    char *eal[] = { "bench", "--no-huge", "--no-pci", "--no-shconf", "-m", "256", "--log-level=4", "--no-telemetry", "-l", "0" };
    options_read(&bench, argc, argv);
    if (rte_eal_init(sizeof(eal) / sizeof(eal[0]), eal) < 0)
        core_fail("EAL does not start");
    frames_make(&bench);
    core_make(&bench.core, bench.players, bench.shards);
    const uint64_t before_bytes = vx_memory_resident_bytes();
    const struct vx_io_config io = core_io_config(&bench.core);
    core_start(&bench.core, &io, ARENA_MIB);
    for (uint32_t i = 0; i < bench.rounds; i++)
        rounds[i] = round_run(&bench);
    qsort(rounds, bench.rounds, sizeof(rounds[0]), compare);
    double passed = (double)(bench.packets / bench.burst * bench.burst);
    (void)printf("{\"players\": %u, \"shards\": %u, \"burst\": %u, \"cycles_per_packet\": %.1f, \"cycles_per_packet_min\": %.1f, \"receive\": %.1f, \"step\": %.1f, \"send\": %.1f, \"bytes_per_player\": %.1f}\n",
                 bench.players, bench.shards, bench.burst, rounds[bench.rounds / 2], rounds[0], (double)bench.core.received / passed, (double)bench.core.stepped / passed,
                 (double)bench.core.sent / passed, (double)(vx_memory_resident_bytes() - before_bytes) / bench.players);
    return 0;
}
