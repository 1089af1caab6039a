/* lcore: what happens when there is too much: rings that fill, a device that does not take, no buffers, an
 * allowance, and frames that nobody should send. Whatever it is: counted, and no buffer lost. */
#include <arpa/inet.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>

#include "lcore_test.h"

enum { RING = 256, BUSY_BURST = 64 };

static const struct vx_io_counters *counters(const struct stage *stage)
{
    return vx_io_counters(stage->io);
}

static void put_and_receive(struct stage *stage, uint32_t player, uint8_t type, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        CU_ASSERT(stage_put_one(stage, player, type));
        if (i % 1024 == 1023)
            stage_receive(stage);
    }
    stage_receive(stage);
}

/* Class 0 until a quarter is left, class 1 until an eighth, class 2 until nothing is. */
static void a_full_ring_sheds_by_class(void)
{
    static const struct {
        uint8_t type, class;
        uint32_t queued;
    } waves[] = { { VX_ACTION_MOVE, 0, RING * 3 / 4 }, { VX_ACTION_PING, 0, 0 }, { VX_ACTION_FIND, 1, RING / 8 }, { VX_ACTION_STRIKE, 1, 0 },
                  { VX_ACTION_ACCEPT, 2, RING / 8 }, { VX_ACTION_SUMMON, 2, 0 }, { VX_ACTION_ACK, 2, 0 }, { VX_ACTION_MOVE, 0, 0 } };
    struct stage *stage = stage_make(&(struct stage_options){ .action_ring = RING, .busy_per_s = 100 });
    uint64_t queued = 0, shed[VX_SHED_CLASSES] = { 0 };
    for (unsigned i = 0; i < sizeof(waves) / sizeof(waves[0]); i++) {
        put_and_receive(stage, 8, waves[i].type, RING);
        queued += waves[i].queued;
        shed[waves[i].class] += RING - waves[i].queued;
        CU_ASSERT_EQUAL(counters(stage)->actions_queued, queued);
        for (unsigned class = 0; class < VX_SHED_CLASSES; class++)
            CU_ASSERT_EQUAL(counters(stage)->actions_shed[class], shed[class]);
    }
    CU_ASSERT_EQUAL(rte_ring_count(stage->actions[0]), RING);
    put_and_receive(stage, 9, VX_ACTION_MOVE, 10); /* the other shard's ring is another matter */
    CU_ASSERT_EQUAL(counters(stage)->actions_queued, queued + 10);
    CU_ASSERT_EQUAL(counters(stage)->busy_answers, BUSY_BURST);
    stage_settle(stage);
    CU_ASSERT_EQUAL(stage_answers(stage, VX_RESULT_ERROR, VX_CODE_BUSY), BUSY_BURST);
    CU_ASSERT_EQUAL(stage->count, queued + 10 + BUSY_BURST); /* what was taken is answered */
    stage_end(stage);
}

/* In one packet: of its actions those are kept that matter. */
static void a_packet_is_shed_in_part(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ .action_ring = RING, .busy_per_s = 100 });
    struct vx_wire_action mixed[16];
    for (unsigned i = 0; i < 16; i++)
        mixed[i] = action(i % 2 == 0 ? VX_ACTION_MOVE : VX_ACTION_ACK);
    put_and_receive(stage, 8, VX_ACTION_MOVE, RING);
    uint64_t before = counters(stage)->actions_queued, busy = counters(stage)->busy_answers;
    stage->now += 1000000000;
    CU_ASSERT(stage_put(stage, 10, WAY_IP4, mixed, 16));
    stage_receive(stage);
    CU_ASSERT_EQUAL(counters(stage)->actions_queued, before + 8);
    CU_ASSERT_EQUAL(counters(stage)->busy_answers, busy + 8);
    stage_pass(stage);
    (void)stage_collect(stage);
    for (uint32_t i = 0; i < stage->count; i++)
        if (stage->answers[i].player == 10) /* even numbers were ACKs */
            CU_ASSERT(stage->answers[i].action_number % 2 == 0 ? stage->answers[i].type == VX_RESULT_OK : stage->answers[i].code == VX_CODE_BUSY);
    stage_end(stage);
}

static void busy_is_said_at_a_bounded_rate(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ .action_ring = RING, .busy_per_s = 1000 });
    put_and_receive(stage, 8, VX_ACTION_ACK, RING);
    put_and_receive(stage, 8, VX_ACTION_MOVE, 1000);
    CU_ASSERT_EQUAL(counters(stage)->busy_answers, 100); /* a tenth of a second's worth at once */
    for (unsigned i = 1; i <= 20; i++) {
        stage->now += 10000000; /* 10 ms */
        put_and_receive(stage, 8, VX_ACTION_MOVE, 50);
        CU_ASSERT_EQUAL(counters(stage)->busy_answers, 100 + 10 * i);
    }
    stage->now += 3600ull * 1000000000; /* nothing is saved up for longer */
    put_and_receive(stage, 8, VX_ACTION_MOVE, 1000);
    CU_ASSERT_EQUAL(counters(stage)->busy_answers, 400);
    stage_send(stage);
    (void)stage_collect(stage);
    CU_ASSERT_EQUAL(stage_answers(stage, VX_RESULT_ERROR, VX_CODE_BUSY), 400);
    CU_ASSERT_EQUAL(stage_answer(stage, 8, VX_RESULT_ERROR)->action_number, RING + 1000 + 20 * 50 + 100);
    stage_end(stage);
}

static void the_allowance_paces(void)
{
    enum { PER_S = 2000, PACKETS = 1000, BURST = PER_S / 10 };
    struct stage *stage = stage_make(&(struct stage_options){ .real_clock = true, .packets_per_s = PER_S });
    for (uint32_t player = 0; player < PACKETS; player++)
        CU_ASSERT(stage_put_one(stage, player, VX_ACTION_PING));
    stage_receive(stage);
    stage_step(stage);
    uint64_t began = rte_rdtsc(), took = 0, most = 0, over = 0;
    while (stage->packets < PACKETS && took < 5000) {
        stage_send(stage);
        (void)stage_collect(stage);
        took = (rte_rdtsc() - began) * 1000 / rte_get_tsc_hz();
        most = BURST + (took + 1) * PER_S / 1000;
        over += stage->packets > most;
    }
    CU_ASSERT_EQUAL(over, 0);
    CU_ASSERT_EQUAL(stage->packets, PACKETS);
    CU_ASSERT(took >= (PACKETS - BURST) * 1000 / PER_S - 1 && took < 1500);
    CU_ASSERT(counters(stage)->paced > 0 && counters(stage)->replies_dropped == 0);
    stage_end(stage);
}

/* The device takes less than it is given: the rest is first in line next time. */
static void a_full_device_is_tried_again(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ .tx_ring = 32 });
    for (uint32_t player = 0; player < 300; player++)
        CU_ASSERT(stage_put_one(stage, player * 2, VX_ACTION_PING));
    stage_pass(stage);
    for (unsigned i = 0; i < 20 && stage->count < 300; i++) {
        CU_ASSERT(stage_collect(stage) <= 32);
        stage_send(stage);
    }
    (void)stage_collect(stage);
    CU_ASSERT_EQUAL(stage->count, 300);
    for (uint32_t i = 0; i < stage->count; i++)
        CU_ASSERT_EQUAL(stage->answers[i].player, i * 2); /* in order */
    CU_ASSERT(counters(stage)->tx_full > 0 && counters(stage)->replies_dropped == 0 && counters(stage)->packets_out == 300);
    stage_end(stage);
}

static void a_device_that_takes_nothing_costs_answers_but_no_buffers(void)
{
    enum { PLAYERS = 1800 };
    struct stage *stage = stage_make(&(struct stage_options){ .tx_ring = 32 });
    for (uint32_t player = 0; player < PLAYERS; player++) {
        CU_ASSERT(stage_put_one(stage, player, VX_ACTION_PING));
        if (player % 64 == 63)
            stage_pass(stage);
    }
    stage_pass(stage);
    CU_ASSERT(counters(stage)->replies_dropped > 0);
    for (unsigned i = 0; i < 100; i++) {
        (void)stage_collect(stage);
        stage_send(stage);
    }
    CU_ASSERT_EQUAL(stage->packets + counters(stage)->replies_dropped, PLAYERS);
    stage_end(stage);
}

static void no_buffers_no_answers_until_there_are_some(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ 0 });
    static struct rte_mbuf *held[STAGE_MBUFS];
    uint32_t count = 0;
    for (uint32_t player = 0; player < 100; player++)
        CU_ASSERT(stage_put_one(stage, player, VX_ACTION_PING));
    stage_receive(stage);
    stage_step(stage);
    while (count < STAGE_MBUFS && (held[count] = rte_pktmbuf_alloc(stage->pool)) != NULL)
        count++;
    stage_send(stage);
    CU_ASSERT(stage_collect(stage) == 0 && counters(stage)->replies_dropped == 100);
    rte_pktmbuf_free_bulk(held, count);
    CU_ASSERT(stage_put_one(stage, 3, VX_ACTION_PING));
    stage_pass(stage);
    CU_ASSERT_EQUAL(stage_collect(stage), 1);
    stage_end(stage);
}

/* ---- anything at all ---- */

static struct rte_mbuf *frame_random(struct stage *stage, struct vx_rng *rng)
{
    struct vx_wire_action actions[VX_WIRE_ACTIONS_MAX];
    uint32_t count = 1 + vx_rng_below(rng, vx_rng_below(rng, 4) == 0 ? VX_WIRE_ACTIONS_MAX : 2);
    for (uint32_t i = 0; i < count; i++)
        actions[i] = (struct vx_wire_action){ .type = (uint8_t)(1 + vx_rng_below(rng, VX_ACTION_COUNT - 1)), .a = vx_rng_below(rng, 300), .b = 1500 };
    uint32_t player = vx_rng_below(rng, STAGE_PLAYERS);
    return stage_frame(stage, player, (enum frame_way)(player % WAYS), actions, count);
}

/* Bits turned, the end cut off, bytes added, a second segment: never one that stays good. */
static void spoil(struct stage *stage, struct rte_mbuf *mbuf, struct vx_rng *rng)
{
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    struct rte_mbuf *second;
    switch (vx_rng_below(rng, 4)) {
    case 0: /* behind the addresses: from the ethertype on every bit is looked at or under a checksum, but for tags and IPv6's class, flow and hops */
        frame[mbuf->data_len - 1 - vx_rng_below(rng, 32)] ^= (uint8_t)(1u << vx_rng_below(rng, 8));
        break;
    case 1:
        mbuf->data_len = (uint16_t)vx_rng_below(rng, mbuf->data_len);
        mbuf->pkt_len = mbuf->data_len;
        break;
    case 2:
        frame[12] = (uint8_t)(0x90 + vx_rng_below(rng, 32));
        break;
    default:
        second = rte_pktmbuf_alloc(stage->pool);
        CU_ASSERT_PTR_NOT_NULL_FATAL(second);
        (void)rte_pktmbuf_append(second, 8);
        CU_ASSERT_EQUAL(rte_pktmbuf_chain(mbuf, second), 0);
    }
}

static void accounts_hold_whatever_comes(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ .shards = 4, .lanes = 2, .action_ring = 512, .busy_per_s = 100000, .answers_control = true });
    struct vx_rng rng = { 11 };
    uint64_t spoilt = 0, arps = 0, numbered = 0;
    for (unsigned round = 0; round < 1500; round++) {
        for (uint32_t burst = vx_rng_below(&rng, round % 10 == 0 ? 1000 : 40); burst > 0; burst--) {
            struct rte_mbuf *mbuf = frame_random(stage, &rng);
            if (vx_rng_below(&rng, 10) == 0) {
                spoil(stage, mbuf, &rng);
                spoilt++;
            }
            CU_ASSERT(stage_enqueue(stage, mbuf));
        }
        if (round % 7 == 0) {
            stage_put_arp(stage);
            arps++;
        }
        stage->now += vx_rng_below(&rng, STAGE_WINDOW / 3);
        stage_receive(stage);
        if (round % 3 != 0)
            stage_step(stage);
        stage_send(stage);
        (void)stage_collect(stage);
        if (round % 50 == 49) {
            stage_settle(stage);
            accounts_balance(stage);
            for (uint32_t i = 0; i < stage->count; i++)
                numbered += stage->answers[i].action_number != 0;
            stage->count = 0;
        }
    }
    const struct vx_io_counters *c = counters(stage);
    CU_ASSERT_EQUAL(c->packets_in - c->drops[VX_DROP_NONE], spoilt + arps);
    CU_ASSERT_EQUAL(c->drops[VX_DROP_CONTROL_ANSWERED], arps);
    CU_ASSERT_EQUAL(c->replies_in, c->replies_out);
    CU_ASSERT(c->replies_dropped == 0 && c->actions_shed[0] > 0 && c->drops[VX_DROP_SEGMENTED] > 0 && arps > 0);
    CU_ASSERT_EQUAL(numbered, c->actions_queued + c->busy_answers); /* an answer for each, exactly one */
    stage_end(stage);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "a full ring sheds by class", a_full_ring_sheds_by_class },
        { "a packet is shed in part", a_packet_is_shed_in_part },
        { "BUSY is said at a bounded rate", busy_is_said_at_a_bounded_rate },
        { "the allowance paces", the_allowance_paces },
        { "a full device is tried again", a_full_device_is_tried_again },
        { "a device that takes nothing costs answers but no buffers", a_device_that_takes_nothing_costs_answers_but_no_buffers },
        { "no buffers, no answers until there are some", no_buffers_no_answers_until_there_are_some },
        { "accounts hold whatever comes", accounts_hold_whatever_comes },
    };
    if (!stage_eal())
        return 2;
    return vx_test_main("lcore_pressure", tests, sizeof(tests) / sizeof(tests[0]));
}
