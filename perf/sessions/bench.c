/* vx_bench_sessions: what netcode costs one core that does io and shards, without a device; and whether as many sessions
 * as are asked for connect at all.
 *
 *   handshakes     two packets, two answers, admission: all of it
 *   round trips    MOVE and PING of clients in random order in bursts of 32: open, decode, shard, seal; beside them the same
 *                  library's open and seal alone, of as many bytes under as many keys, in rounds by turns
 *   keep-alives    opened, marked, done: nothing may cross a ring; beside opening alone
 *
 * Prints one JSON object. Ends with 0 only when everybody connected, every packet was answered, no keep-alive went
 * further than the io lcore, and everybody left without a trace. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_malloc.h>

#include "sessions.h"

enum { ROUNDS_MAX = 31,
       BUFFERS = 1024,
       BUFFER_BYTES = 2048 };

struct bench {
    uint32_t players, packets, rounds;
    bool huge;
    struct stage stage;
    struct client *clients;
    uint32_t *order, place;
    struct vx_aead *aead;
    /* for the seals alone: keys in pairs of a line, as a session table has them, and as many buffers as a memif ring */
    struct keys {
        uint8_t client[VX_NETCODE_KEY_BYTES], server[VX_NETCODE_KEY_BYTES];
    } VX_ALIGNED *keys;
    uint8_t *buffers;
    struct vx_aead_job jobs[BUFFERS];
};

/* The same kind of memory as the tables that are measured. */
static void *memory_of(size_t bytes)
{
    void *memory = rte_zmalloc("bench", bytes, VX_CACHE_LINE_BYTES);
    if (memory == NULL)
        core_fail("no memory for the clients");
    return memory;
}

static void bench_make(struct bench *bench)
{
    struct vx_rng rng = { 7 };
    stage_make(&bench->stage, bench->players, bench->huge);
    bench->clients = memory_of(bench->players * sizeof(*bench->clients));
    bench->order = memory_of(bench->players * sizeof(*bench->order));
    bench->aead = vx_aead_create(memory_of(vx_aead_bytes()));
    bench->keys = memory_of(bench->players * sizeof(*bench->keys));
    bench->buffers = memory_of((size_t)BUFFERS * BUFFER_BYTES);
    for (uint32_t i = 0; i < bench->players; i++) {
        uint32_t j = vx_rng_below(&rng, i + 1); /* Fisher and Yates, inside out */
        bench->order[i] = bench->order[j];
        bench->order[j] = i;
    }
}

/* The next clients in the random order. */
static const uint32_t *burst_next(struct bench *bench)
{
    if (bench->place + BURST > bench->players)
        bench->place = 0;
    bench->place += BURST;
    return &bench->order[bench->place - BURST];
}

static uint64_t cycles_of(const struct stage *stage)
{
    return stage->core.received + stage->core.stepped + stage->core.sent;
}

static double connect_all(struct bench *bench)
{
    struct stage *stage = &bench->stage;
    for (uint32_t first = 0; first < bench->players; first += BURST)
        clients_connect(stage, bench->clients, first, RTE_MIN((uint32_t)BURST, bench->players - first));
    for (uint32_t i = 0; i < bench->players; i++) {
        memcpy(bench->keys[i].client, bench->clients[i].client_key, VX_NETCODE_KEY_BYTES);
        memcpy(bench->keys[i].server, bench->clients[i].server_key, VX_NETCODE_KEY_BYTES);
    }
    const struct vx_session_counters *sessions = vx_io_sessions(stage->core.io);
    if (sessions->connected != bench->players || vx_admission_counters(stage->admission)->clients != bench->players)
        core_fail("not every client is connected");
    if (sessions->unproved_bytes_out > sessions->unproved_bytes_in)
        core_fail("more was sent to addresses that had proved nothing than came from them");
    return (double)cycles_of(stage) / bench->players;
}

static void taken_free(struct stage *stage)
{
    struct rte_mbuf *mbufs[VX_BURST_MAX];
    for (uint32_t taken; (taken = core_taken(&stage->core, mbufs)) > 0;)
        rte_pktmbuf_free_bulk(mbufs, taken);
}

static void passes_run(struct bench *bench, uint8_t type)
{
    struct stage *stage = &bench->stage;
    stage->core.received = stage->core.stepped = stage->core.sent = 0;
    for (uint32_t i = 0; i < bench->packets / BURST; i++) {
        clients_put(stage, bench->aead, bench->clients, burst_next(bench), BURST, type);
        core_pass(&stage->core);
        taken_free(stage);
    }
}

static double round_trips(struct bench *bench)
{
    const struct vx_io_counters *io = vx_io_counters(bench->stage.core.io);
    uint64_t replies = io->replies_out, packets = io->packets_in;
    passes_run(bench, VX_NETCODE_PAYLOAD);
    packets = io->packets_in - packets;
    if (io->replies_out - replies != packets * ACTIONS)
        core_fail("not every action was answered");
    return (double)cycles_of(&bench->stage) / (double)packets;
}

static double keep_alives(struct bench *bench)
{
    const struct vx_io_counters *io = vx_io_counters(bench->stage.core.io);
    uint64_t queued = io->actions_queued + io->notices_queued, marked = io->drops[VX_DROP_NETCODE_KEEP_ALIVE];
    passes_run(bench, VX_NETCODE_KEEP_ALIVE);
    marked = io->drops[VX_DROP_NETCODE_KEEP_ALIVE] - marked;
    if (marked != bench->packets / BURST * BURST || io->actions_queued + io->notices_queued != queued)
        core_fail("keep-alives are not the io lcore's alone");
    return (double)cycles_of(&bench->stage) / (double)marked;
}

/* The library alone, each buffer under another client's keys: opened (after it was sealed, untimed), and sealed. */
static double seals(struct bench *bench, uint32_t opened_bytes, uint32_t sealed_bytes)
{
    uint64_t cycles = 0;
    uint32_t rounds = RTE_MAX(1u, bench->packets / BUFFERS);
    for (uint32_t round = 0; round < rounds; round++) {
        const uint32_t *ids = NULL;
        for (uint32_t i = 0; i < BUFFERS; i++) {
            ids = i % BURST == 0 ? burst_next(bench) : ids;
            vx_netcode_job(&bench->jobs[i], &bench->stage.backend.aads, bench->keys[ids[i % BURST]].client, 0x25, i, bench->buffers + (size_t)i * BUFFER_BYTES + 64, opened_bytes);
        }
        vx_aead_seal(bench->aead, bench->jobs, BUFFERS);
        uint64_t began = rte_rdtsc();
        for (uint32_t i = 0; i < BUFFERS; i += BURST)
            if (vx_aead_open(bench->aead, &bench->jobs[i], BURST) != BURST)
                core_fail("what was sealed does not open");
        cycles += rte_rdtsc() - began;
        for (uint32_t i = 0; i < BUFFERS && sealed_bytes > 0; i++) {
            bench->jobs[i].key += offsetof(struct keys, server);
            bench->jobs[i].bytes = sealed_bytes;
        }
        began = rte_rdtsc();
        for (uint32_t i = 0; i < BUFFERS && sealed_bytes > 0; i += BURST)
            vx_aead_seal(bench->aead, &bench->jobs[i], BURST);
        cycles += rte_rdtsc() - began;
    }
    return (double)cycles / ((double)rounds * BUFFERS);
}

/* Everybody leaves: places, admission and shards forget all of them. */
static void leave_all(struct bench *bench)
{
    struct stage *stage = &bench->stage;
    for (uint32_t first = 0; first < bench->players; first += BURST) {
        uint32_t ids[BURST], count = RTE_MIN((uint32_t)BURST, bench->players - first);
        for (uint32_t i = 0; i < count; i++)
            ids[i] = first + i;
        clients_put(stage, bench->aead, bench->clients, ids, count, VX_NETCODE_DISCONNECT);
        core_pass(&stage->core);
        taken_free(stage);
    }
    uint64_t until = rte_rdtsc() + 2 * rte_get_tsc_hz();
    while (vx_io_sessions(stage->core.io)->connected > 0 && rte_rdtsc() < until)
        core_pass(&stage->core);
    core_pass(&stage->core);
    vx_io_check(stage->core.io);
    vx_admission_check(stage->admission);
    if (vx_io_sessions(stage->core.io)->connected != 0 || vx_admission_counters(stage->admission)->clients != 0)
        core_fail("some have not been forgotten");
}

static int compare(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double median(double *values, uint32_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

static void options_read(struct bench *bench, int argc, char **argv)
{
    static const struct option options[] = { { "players", required_argument, NULL, 'p' }, { "packets", required_argument, NULL, 'n' }, { "rounds", required_argument, NULL, 'r' }, { "huge", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
    *bench = (struct bench){ .players = 120000, .packets = 240000, .rounds = 9 };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        uint32_t value = optarg != NULL ? (uint32_t)strtoul(optarg, NULL, 10) : 0;
        if (option == 'h')
            bench->huge = true;
        else
            *(option == 'p' ? &bench->players : option == 'n' ? &bench->packets
                                                              : &bench->rounds) = value;
    }
    if (bench->players < BURST || bench->players > VX_PLAYERS_MAX || bench->packets < BURST || bench->rounds == 0 || bench->rounds > ROUNDS_MAX)
        core_fail("usage: vx_bench_sessions [--players 32..2097152] [--packets N, of a round] [--rounds 1..31] [--huge]");
}

int main(int argc, char **argv)
{
    static struct bench bench;
    double trips[ROUNDS_MAX], alone[ROUNDS_MAX], ratios[ROUNDS_MAX], kept[ROUNDS_MAX], opened[ROUNDS_MAX];
    options_read(&bench, argc, argv);
    bench_make(&bench);
    double handshake = connect_all(&bench);
    struct stage last = { 0 };
    (void)round_trips(&bench); /* warm; and clients have shown that they know of their connection */
    for (uint32_t i = 0; i < bench.rounds; i++) {
        trips[i] = round_trips(&bench);
        last = bench.stage;
        alone[i] = seals(&bench, ASK_BYTES, ANSWER_BYTES);
        kept[i] = keep_alives(&bench);
        opened[i] = seals(&bench, KEEP_ALIVE_BYTES, 0);
        ratios[i] = alone[i] / trips[i];
    }
    leave_all(&bench);
    const double passed = bench.packets / BURST * BURST;
    (void)printf("{\"players\": %u, \"handshakes_per_second\": %.0f, \"handshake_cycles\": %.0f, \"netcode_over_seal\": %.3f, \"round_trip_cycles\": %.1f, \"open_seal_cycles\": %.1f, "
                 "\"receive_cycles\": %.1f, \"step_cycles\": %.1f, \"send_cycles\": %.1f, \"keep_alive_cycles\": %.1f, \"keep_alive_open_cycles\": %.1f, \"bytes_per_session\": %.1f, "
                 "\"library\": \"%s\"}\n",
                 bench.players, (double)rte_get_tsc_hz() / handshake, handshake, median(ratios, bench.rounds), median(trips, bench.rounds), median(alone, bench.rounds),
                 (double)last.core.received / passed, (double)last.core.stepped / passed, (double)last.core.sent / passed, median(kept, bench.rounds), median(opened, bench.rounds),
                 (double)bench.stage.bytes / bench.players, vx_aead_library(bench.aead));
    return 0;
}
