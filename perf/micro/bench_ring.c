/* vx_bench_ring: what a hop from one core to another costs, and the choice that lib/lcore made: one single-producer
 * ring per io lcore and shard, or one HTS ring per shard that all io lcores share. Rings are laid out without EAL;
 * events are written and read in place as lib/lcore does. Cycles are those of all cores that take part. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_pause.h>
#include <rte_ring_elem.h>
#include <rte_ring_hts.h>
#include <rte_ring_peek_zc.h>

#include "bench.h"
#include "vx_shard.h"

enum {
    SHARDS = 40,
    IOS_MAX = 8,
    SLOTS = 1024,          /* what rte_ring makes of shards.ring_events = 512 */
    SLOTS_FEW = 128,
    PACKET_EVENTS = 2,
    PACKETS = 32,          /* of one pass */
    BURST = 32,            /* events of a hop's burst */
    TAKE = 64,             /* most events taken from a ring at once */
    HOP_ROUND = 1 << 20,
    LAYOUT_ROUND = 1 << 20,
    POLL_ROUND = 4096,
    RANDOM = 4096,
};
enum style { COPY_SP, COPY_MP, ZERO_COPY_SP, ZERO_COPY_HTS };
enum layout { ONE_CORE, IO_TO_SHARDS, BOTH_TWICE };

static struct rte_ring *hop_rings[4];
static struct rte_ring *per_io[IOS_MAX][SHARDS], *per_io_few[1][SHARDS], *shared[SHARDS];
static uint16_t random_shards[RANDOM];
static int other_cpu;
static uint64_t sink;
static struct {
    uint32_t started VX_ALIGNED; /* threads that have come */
    uint64_t sent VX_ALIGNED;    /* by all producers; each adds its own when it is done */
} state;

static struct rte_ring *ring_new(uint32_t slots, unsigned flags)
{
    struct rte_ring *ring = bench_memory((size_t)rte_ring_get_memsize_elem(sizeof(struct vx_event), slots));
    VX_ASSERT(rte_ring_init(ring, "bench", slots, flags) == 0);
    return ring;
}

static void meet(uint32_t threads)
{
    (void)__atomic_add_fetch(&state.started, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&state.started, __ATOMIC_ACQUIRE) < threads)
        rte_pause();
}

static void event_fill(struct vx_event *event, uint32_t number)
{
    event->kind = VX_EVENT_ACTION;
    event->type = VX_ACTION_MOVE;
    event->arg8 = event->io = 0;
    event->arg16 = event->shard = 0;
    event->session = event->player = event->slot = number;
    event->number = number;
    event->seen = 0;
    event->a = event->b = event->c = number;
    event->received_cycles = number;
}

/* ---- one hop ---- */

static uint32_t hop_put(struct rte_ring *ring, enum style style, uint32_t number)
{
    struct vx_event events[BURST];
    struct rte_ring_zc_data zone;
    uint32_t most = HOP_ROUND - number < BURST ? HOP_ROUND - number : BURST;
    if (style == COPY_SP || style == COPY_MP) {
        for (uint32_t i = 0; i < most; i++)
            event_fill(&events[i], number + i);
        return style == COPY_SP ? rte_ring_sp_enqueue_burst_elem(ring, events, sizeof(events[0]), most, NULL)
                                : rte_ring_mp_enqueue_burst_elem(ring, events, sizeof(events[0]), most, NULL);
    }
    uint32_t count = rte_ring_enqueue_zc_burst_elem_start(ring, sizeof(struct vx_event), most, &zone, NULL);
    for (uint32_t i = 0; i < count; i++)
        event_fill(i < zone.n1 ? (struct vx_event *)zone.ptr1 + i : (struct vx_event *)zone.ptr2 + (i - zone.n1), number + i);
    if (count > 0)
        rte_ring_enqueue_zc_elem_finish(ring, count);
    return count;
}

static uint32_t hop_take(struct rte_ring *ring, enum style style, uint64_t *sum)
{
    struct vx_event events[BURST];
    struct rte_ring_zc_data zone = { events, NULL, BURST };
    bool copies = style == COPY_SP || style == COPY_MP;
    uint32_t count = copies ? rte_ring_sc_dequeue_burst_elem(ring, events, sizeof(events[0]), BURST, NULL)
                            : rte_ring_dequeue_zc_burst_elem_start(ring, sizeof(struct vx_event), BURST, &zone, NULL);
    for (uint32_t i = 0; i < count; i++)
        *sum += (i < zone.n1 ? (struct vx_event *)zone.ptr1 + i : (struct vx_event *)zone.ptr2 + (i - zone.n1))->a;
    if (!copies && count > 0)
        rte_ring_dequeue_zc_elem_finish(ring, count);
    return count;
}

static void *hop_producer(void *argument)
{
    enum style style = (enum style)(uintptr_t)argument;
    bench_pin(other_cpu);
    meet(2);
    for (uint32_t sent = 0; sent < HOP_ROUND;)
        sent += hop_put(hop_rings[style], style, sent);
    return NULL;
}

static double hop(uint32_t style)
{
    pthread_t producer;
    uint64_t sum = 0;
    state.started = 0;
    VX_ASSERT(pthread_create(&producer, NULL, hop_producer, (void *)(uintptr_t)style) == 0);
    meet(2);
    uint64_t began = __rdtsc();
    for (uint32_t taken = 0; taken < HOP_ROUND;)
        taken += hop_take(hop_rings[style], (enum style)style, &sum);
    uint64_t cycles = __rdtsc() - began;
    VX_ASSERT(pthread_join(producer, NULL) == 0 && sum == (uint64_t)HOP_ROUND * (HOP_ROUND - 1) / 2);
    return (double)cycles / HOP_ROUND;
}

/* ---- 40 shards ---- */

/* One lcore of a layout. */
struct lcore {
    struct rte_ring **out;             /* [shard]; NULL: no io */
    struct rte_ring **in[2];           /* [shard]: rings that it takes from */
    uint32_t in_count, shard_first, shard_step; /* in_count 0: no shards */
    uint32_t passes, threads;
    uint64_t taken, sum;
} VX_ALIGNED;

static uint32_t shards_take(struct lcore *lcore)
{
    uint32_t total = 0;
    for (uint32_t shard = lcore->shard_first; shard < SHARDS && lcore->in_count > 0; shard += lcore->shard_step)
        for (uint32_t io = 0; io < lcore->in_count; io++) {
            struct rte_ring_zc_data zone;
            uint32_t count = rte_ring_dequeue_zc_burst_elem_start(lcore->in[io][shard], sizeof(struct vx_event), TAKE, &zone, NULL);
            if (count == 0)
                continue;
            for (uint32_t i = 0; i < count; i++)
                lcore->sum += (i < zone.n1 ? (struct vx_event *)zone.ptr1 + i : (struct vx_event *)zone.ptr2 + (i - zone.n1))->a;
            rte_ring_dequeue_zc_elem_finish(lcore->in[io][shard], count);
            total += count;
        }
    __atomic_store_n(&lcore->taken, lcore->taken + total, __ATOMIC_RELAXED); /* read by the other's lcore_end */
    return total;
}

/* One packet's events, as lib/lcore's decode() puts them: what is free, then in place. */
static void packet_put(struct lcore *lcore, struct rte_ring *ring, uint32_t number)
{
    struct rte_ring_zc_data zone;
    while (rte_ring_free_count(ring) < PACKET_EVENTS || rte_ring_enqueue_zc_bulk_elem_start(ring, sizeof(struct vx_event), PACKET_EVENTS, &zone, NULL) == 0)
        if (shards_take(lcore) == 0) /* the other lcore is behind */
            rte_pause();
    struct vx_event *event = zone.ptr1;
    for (uint32_t i = 0; i < PACKET_EVENTS; i++) {
        if (i == zone.n1)
            event = zone.ptr2;
        event_fill(event++, number + i);
    }
    rte_ring_enqueue_zc_elem_finish(ring, PACKET_EVENTS);
}

static void *lcore_run(void *argument)
{
    struct lcore *lcore = argument;
    uint32_t number = 0, place = lcore->shard_first * (RANDOM / 2);
    meet(lcore->threads);
    for (uint32_t pass = 0; pass < lcore->passes && lcore->out != NULL; pass++) {
        for (uint32_t packet = 0; packet < PACKETS; packet++, number += PACKET_EVENTS)
            packet_put(lcore, lcore->out[random_shards[place++ % RANDOM]], number);
        (void)shards_take(lcore);
    }
    (void)__atomic_add_fetch(&state.sent, number, __ATOMIC_ACQ_REL);
    return NULL;
}

/* Takes until everything is through. */
static void lcore_end(struct lcore *lcore, const struct lcore *other)
{
    while (lcore->taken + (other != NULL ? __atomic_load_n(&other->taken, __ATOMIC_RELAXED) : 0) < LAYOUT_ROUND)
        if (shards_take(lcore) == 0)
            rte_pause();
}

struct pair {
    struct lcore one, two;
};

static void *second_thread(void *argument)
{
    struct pair *pair = argument;
    bench_pin(other_cpu);
    (void)lcore_run(&pair->two);
    if (pair->two.in_count > 0)
        lcore_end(&pair->two, &pair->one);
    return NULL;
}

/* io lcores and shards of a layout over rings that are [io][shard], or the same for every io lcore. */
static double layout_run(enum layout layout, struct rte_ring **first, struct rte_ring **second, uint32_t rings_per_shard)
{
    static struct pair pair;
    pthread_t thread;
    const uint32_t threads = layout == ONE_CORE ? 1 : 2, passes = LAYOUT_ROUND / (PACKETS * PACKET_EVENTS);
    memset(&state, 0, sizeof(state));
    memset(&pair, 0, sizeof(pair));
    pair.one = (struct lcore){ .out = layout == IO_TO_SHARDS ? NULL : first, .in = { first, second }, .in_count = rings_per_shard, .shard_step = 1,
                               .passes = passes / (layout == BOTH_TWICE ? 2 : 1), .threads = threads };
    pair.two = (struct lcore){ .out = layout == BOTH_TWICE ? second : first, .passes = pair.one.passes, .threads = threads, .shard_step = 2, .shard_first = 1 };
    if (layout == BOTH_TWICE) {
        pair.one.shard_step = 2;
        memcpy(pair.two.in, pair.one.in, sizeof(pair.one.in));
        pair.two.in_count = rings_per_shard;
    }
    if (threads == 2)
        VX_ASSERT(pthread_create(&thread, NULL, second_thread, &pair) == 0);
    uint64_t began = __rdtsc();
    (void)lcore_run(&pair.one);
    lcore_end(&pair.one, &pair.two);
    uint64_t cycles = __rdtsc() - began;
    if (threads == 2)
        VX_ASSERT(pthread_join(thread, NULL) == 0);
    VX_ASSERT(pair.one.taken + pair.two.taken == LAYOUT_ROUND && state.sent == LAYOUT_ROUND);
    sink += pair.one.sum + pair.two.sum;
    return (double)cycles * threads / LAYOUT_ROUND;
}

static double layout_per_io(uint32_t layout)
{
    return layout_run((enum layout)layout, per_io[0], per_io[1], layout == BOTH_TWICE ? 2 : 1);
}

static double layout_shared(uint32_t layout)
{
    return layout_run((enum layout)layout, shared, shared, 1);
}

static double layout_few_slots(uint32_t layout)
{
    return layout_run((enum layout)layout, per_io_few[0], NULL, 1);
}

/* A pass that finds nothing: what each further io lcore costs a shard lcore. */
static double poll_empty(uint32_t ios)
{
    uint64_t began = __rdtsc();
    for (uint32_t pass = 0; pass < POLL_ROUND; pass++)
        for (uint32_t shard = 0; shard < SHARDS; shard++)
            for (uint32_t io = 0; io < ios; io++) {
                struct rte_ring_zc_data zone;
                VX_ASSERT(rte_ring_dequeue_zc_burst_elem_start(per_io[io][shard], sizeof(struct vx_event), TAKE, &zone, NULL) == 0);
            }
    return (double)(__rdtsc() - began) / ((double)POLL_ROUND * SHARDS);
}

static void rings_make(void)
{
    static const unsigned flags[] = { RING_F_SP_ENQ | RING_F_SC_DEQ, RING_F_SC_DEQ, RING_F_SP_ENQ | RING_F_SC_DEQ, RING_F_MP_HTS_ENQ | RING_F_SC_DEQ };
    struct vx_rng rng = { 1 };
    for (uint32_t style = 0; style < 4; style++)
        hop_rings[style] = ring_new(SLOTS, flags[style]);
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        for (uint32_t io = 0; io < IOS_MAX; io++)
            per_io[io][shard] = ring_new(SLOTS, RING_F_SP_ENQ | RING_F_SC_DEQ);
        per_io_few[0][shard] = ring_new(SLOTS_FEW, RING_F_SP_ENQ | RING_F_SC_DEQ);
        shared[shard] = ring_new(SLOTS, RING_F_MP_HTS_ENQ | RING_F_SC_DEQ);
    }
    for (uint32_t i = 0; i < RANDOM; i++)
        random_shards[i] = (uint16_t)vx_rng_below(&rng, SHARDS);
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "hop_reference_cycles", "reference: core to core, one ring, rte_ring's copying burst of 32 x 64 bytes, one producer", hop, COPY_SP },
        { "hop_multi_producer_cycles", "the same through a multi-producer ring", hop, COPY_MP },
        { "hop_cycles", "written and read in place, one producer", hop, ZERO_COPY_SP },
        { "hop_hts_cycles", "written and read in place, HTS producer", hop, ZERO_COPY_HTS },
        { "shards_one_core_per_io_cycles", "40 shards, io and shards on one core, a ring per io lcore and shard", layout_per_io, ONE_CORE },
        { "shards_one_core_hts_cycles", "the same, one HTS ring per shard", layout_shared, ONE_CORE },
        { "shards_one_core_few_slots_cycles", "the same, a ring per io lcore and shard, 128 slots instead of 1,024", layout_few_slots, ONE_CORE },
        { "shards_1_producer_per_io_cycles", "40 shards, io on one core, shards on the other, a ring per io lcore and shard", layout_per_io, IO_TO_SHARDS },
        { "shards_1_producer_hts_cycles", "the same, one HTS ring per shard", layout_shared, IO_TO_SHARDS },
        { "shards_2_producers_per_io_cycles", "40 shards, io and half the shards on each of two cores, a ring per io lcore and shard", layout_per_io, BOTH_TWICE },
        { "shards_2_producers_hts_cycles", "the same, one HTS ring per shard", layout_shared, BOTH_TWICE },
        { "poll_1_ring_cycles", "a look at a shard's empty rings, cycles a shard: one ring (HTS, or one io lcore)", poll_empty, 1 },
        { "poll_2_rings_cycles", "two rings (two io lcores)", poll_empty, 2 },
        { "poll_8_rings_cycles", "eight rings (eight io lcores)", poll_empty, 8 },
    };
    struct bench_options options;
    if (!bench_options_read(argc, argv, &options))
        return 2;
    other_cpu = options.cpus[1];
    rings_make();
    return bench_run(&options, cases, sizeof(cases) / sizeof(cases[0]));
}
