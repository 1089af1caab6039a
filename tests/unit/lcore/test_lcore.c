/* lcore: frames into the device's ring, answers out of it: every way of addressing, the coalescing window, and a
 * whole hunt with a real formula worker and a ledger played by hand. */
#include <pthread.h>
#include <rte_ring_elem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lcore_test.h"

static void a_frame_in_an_answer_out(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ 0 });
    for (uint32_t way = 0; way < WAYS; way++) {
        uint32_t player = 100 + way, before = stage->count;
        struct vx_wire_action ping = action(VX_ACTION_PING);
        CU_ASSERT(stage_put(stage, player, (enum frame_way)way, &ping, 1));
        stage_pass(stage);
        CU_ASSERT_EQUAL(stage_collect(stage), 1); /* urgent: in the same pass */
        CU_ASSERT_EQUAL(stage->count, before + 1);
        const struct answer *pong = stage_answer(stage, player, VX_RESULT_PONG);
        CU_ASSERT(pong != NULL && pong->action_number == 1 && pong->code == VX_CODE_OK);
    }
    const struct vx_io_counters *c = vx_io_counters(stage->io);
    CU_ASSERT(c->packets_in == WAYS && c->packets_out == WAYS && c->drops[VX_DROP_NONE] == WAYS && c->replies_in == WAYS && c->replies_out == WAYS);
    CU_ASSERT(c->bytes_in > 0 && c->bytes_out > 0 && c->replies_dropped == 0);
    stage_end(stage);
}

static void several_actions_are_answered_in_order_in_one_packet(void)
{
    static const uint8_t types[] = { VX_ACTION_MOVE, VX_ACTION_FIND, VX_ACTION_MOVE, VX_ACTION_CANCEL, VX_ACTION_CANCEL, VX_ACTION_ACK, VX_ACTION_STRIKE, VX_ACTION_PING, VX_ACTION_LEAVE };
    static const uint8_t results[] = { VX_RESULT_OK, VX_RESULT_QUEUE_STATUS, VX_RESULT_OK, VX_RESULT_OK, VX_RESULT_ERROR, VX_RESULT_OK, VX_RESULT_ERROR, VX_RESULT_PONG, VX_RESULT_OK };
    enum { COUNT = sizeof(types) };
    struct stage *stage = stage_make(&(struct stage_options){ .shards = 4, .lanes = 2 });
    for (uint32_t player = 0; player < 40; player++) { /* every shard, both lanes */
        struct vx_wire_action actions[COUNT];
        for (uint32_t i = 0; i < COUNT; i++)
            actions[i] = action(types[i]);
        stage->count = 0;
        CU_ASSERT(stage_put(stage, player, WAY_IP6, actions, COUNT));
        stage_pass(stage);
        CU_ASSERT_EQUAL(stage_collect(stage), 1);
        CU_ASSERT_EQUAL(stage->count, COUNT);
        for (uint32_t i = 0; i < COUNT; i++)
            CU_ASSERT(stage->answers[i].type == results[i] && stage->answers[i].action_number == i + 1 && stage->answers[i].player == player);
        CU_ASSERT_EQUAL(stage->answers[4].code, VX_CODE_WRONG_STATE);
    }
    for (uint32_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(vx_shard_counters(vx_shard_lcore_shard(stage->lanes[i % 2], i / 2))->actions_in, 10 * COUNT);
    CU_ASSERT_PTR_NULL(vx_shard_lcore_shard(stage->lanes[0], 2));
    stage_end(stage);
}

static void a_repeated_packet_is_told_so(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ 0 });
    CU_ASSERT(stage_put_one(stage, 7, VX_ACTION_FIND));
    stage_pass(stage);
    stage->numbers[7] = 0;
    CU_ASSERT(stage_put_one(stage, 7, VX_ACTION_FIND));
    stage_pass(stage);
    (void)stage_collect(stage);
    CU_ASSERT(stage_answers(stage, VX_RESULT_QUEUE_STATUS, VX_CODE_OK) == 1 && stage_answers(stage, VX_RESULT_REPEATED, VX_CODE_OK) == 1);
    stage_end(stage);
}

/* ---- the coalescing window ---- */

static void a_move_waits_for_its_window(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ 0 });
    uint64_t began = stage->now;
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT(stage_put_one(stage, 5, VX_ACTION_MOVE));
        stage_pass(stage);
        CU_ASSERT_EQUAL(stage_collect(stage), 0);
        stage->now += STAGE_WINDOW / 4;
    }
    stage->now = began + STAGE_WINDOW - 1;
    stage_pass(stage);
    CU_ASSERT_EQUAL(stage_collect(stage), 0);
    stage->now = began + STAGE_WINDOW; /* counted from the first */
    stage_pass(stage);
    CU_ASSERT_EQUAL(stage_collect(stage), 1);
    CU_ASSERT_EQUAL(stage->count, 3);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT(stage->answers[i].type == VX_RESULT_OK && stage->answers[i].action_number == i + 1);
    stage_end(stage);
}

static void what_is_urgent_takes_the_waiting_with_it(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ 0 });
    CU_ASSERT(stage_put_one(stage, 5, VX_ACTION_MOVE));
    CU_ASSERT(stage_put_one(stage, 6, VX_ACTION_MOVE));
    stage_pass(stage);
    CU_ASSERT_EQUAL(stage_collect(stage), 0);
    stage->now += STAGE_WINDOW / 2;
    CU_ASSERT(stage_put_one(stage, 5, VX_ACTION_PING));
    stage_pass(stage);
    CU_ASSERT_EQUAL(stage_collect(stage), 1);
    CU_ASSERT(stage->count == 2 && stage->answers[0].type == VX_RESULT_OK && stage->answers[1].type == VX_RESULT_PONG);
    CU_ASSERT(stage->answers[0].packet == stage->answers[1].packet && stage->answers[0].player == 5);
    /* Its successor has a window of its own; the other player's is as it was. */
    CU_ASSERT(stage_put_one(stage, 5, VX_ACTION_MOVE));
    stage_pass(stage);
    stage->now += STAGE_WINDOW / 2;
    stage_pass(stage);
    CU_ASSERT_EQUAL(stage_collect(stage), 1);
    CU_ASSERT(stage->count == 3 && stage->answers[2].player == 6);
    stage->now += STAGE_WINDOW / 2;
    stage_pass(stage);
    CU_ASSERT_EQUAL(stage_collect(stage), 1);
    CU_ASSERT(stage->count == 4 && stage->answers[3].player == 5);
    stage_end(stage);
}

static void a_full_packet_leaves_early(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ 0 });
    struct vx_wire_action moves[16];
    for (unsigned i = 0; i < 16; i++)
        moves[i] = action(VX_ACTION_MOVE);
    for (unsigned i = 0; i < 5; i++)
        CU_ASSERT(stage_put(stage, 5, WAY_QINQ, moves, 16));
    stage_pass(stage);
    stage_send(stage);
    CU_ASSERT_EQUAL(stage_collect(stage), 1);
    CU_ASSERT_EQUAL(stage->count, (VX_WIRE_REPLY_BYTES_MAX - sizeof(struct vx_wire_reply_header)) / sizeof(struct vx_wire_short));
    stage->now += STAGE_WINDOW;
    stage_pass(stage);
    CU_ASSERT_EQUAL(stage_collect(stage), 1);
    CU_ASSERT_EQUAL(stage->count, 80);
    for (uint32_t i = 0; i < stage->count; i++)
        CU_ASSERT_EQUAL(stage->answers[i].action_number, i + 1);
    stage_end(stage);
}

/* What has left keeps its place until all before it have: when the places run out, the oldest leaves early. */
static void more_windows_than_places(void)
{
    enum { PLACES = 8192, ROUND = 512, BATCH = 64 };
    struct stage *stage = stage_make(&(struct stage_options){ 0 });
    CU_ASSERT(stage_put_one(stage, 0, VX_ACTION_MOVE));
    stage_pass(stage);
    uint32_t taken = 1;
    while (taken < PLACES + ROUND) { /* a MOVE that waits takes a place, and the PING of the next pass takes it out */
        for (uint8_t type = VX_ACTION_MOVE;; type = VX_ACTION_PING) {
            for (uint32_t i = 0; i < BATCH; i++)
                CU_ASSERT(stage_put_one(stage, 1 + (taken + i) % 2000, type));
            stage_pass(stage);
            if (type == VX_ACTION_PING)
                break;
        }
        (void)stage_collect(stage);
        taken += BATCH;
        CU_ASSERT_EQUAL(stage_answer(stage, 0, VX_RESULT_OK) != NULL, taken > PLACES);
    }
    CU_ASSERT_EQUAL(stage->count, 1 + 2 * (taken - 1));
    CU_ASSERT_EQUAL(vx_io_counters(stage->io)->replies_dropped, 0);
    stage_end(stage);
}

static void residence_is_measured_by_urgency(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ .real_clock = true });
    CU_ASSERT(stage_put_one(stage, 1, VX_ACTION_PING));
    CU_ASSERT(stage_put_one(stage, 2, VX_ACTION_MOVE));
    stage_pass(stage);
    while (stage->packets < 2) {
        stage_pass(stage);
        (void)stage_collect(stage);
    }
    CU_ASSERT(vx_io_residence(stage->io, true)->count == 1 && vx_io_residence(stage->io, false)->count == 1);
    CU_ASSERT(vx_io_residence(stage->io, false)->max >= STAGE_WINDOW);
    stage_end(stage);
}

static void a_draining_shard_begins_nothing(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ 0 });
    struct vx_event drain_all = { .kind = VX_EVENT_DRAIN, .shard = VX_LCORE_EVERY_SHARD };
    CU_ASSERT_TRUE(vx_shard_lcore_tell(stage->lanes[0], &drain_all));
    CU_ASSERT(stage_put_one(stage, 1, VX_ACTION_PING));
    stage_pass(stage);
    CU_ASSERT(stage_put_one(stage, 1, VX_ACTION_FIND));
    stage_pass(stage);
    (void)stage_collect(stage);
    CU_ASSERT_EQUAL(stage_answers(stage, VX_RESULT_ERROR, VX_CODE_DRAINING), 1);
    stage_end(stage);
}

/* ---- operators ---- */

static bool passes_stop;
static void *passes(void *stage)
{
    while (!__atomic_load_n(&passes_stop, __ATOMIC_RELAXED))
        stage_pass(stage);
    return NULL;
}

static void a_view_is_asked_for(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ 0 });
    union vx_lcore_answer given;
    pthread_t thread;
    CU_ASSERT(stage_put_one(stage, 1, VX_ACTION_FIND));
    stage_pass(stage);
    const uint32_t number = 1; /* player 1 of 2 shards */
    uint32_t slot = vx_shard_slot_of(vx_shard_lcore_shard(stage->lanes[0], number), 1);
    CU_ASSERT_NOT_EQUAL_FATAL(slot, VX_VIEW_NONE);
    CU_ASSERT_EQUAL(vx_shard_lcore_ask(stage->lanes[0], number, VX_ASK_PLAYER, slot, &given, 1000), -ETIMEDOUT); /* nobody steps the lcore */
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, passes, stage), 0);
    CU_ASSERT_EQUAL(vx_shard_lcore_ask(stage->lanes[0], number, VX_ASK_PLAYER, slot, &given, 1000000), 0);
    CU_ASSERT(given.player.player == 1 && given.player.trail_count == 1 && given.player.trail[0].type == VX_ACTION_FIND);
    CU_ASSERT_EQUAL(vx_shard_lcore_ask(stage->lanes[0], number, VX_ASK_MATCH, 4711, &given, 1000000), -ENOENT);
    __atomic_store_n(&passes_stop, true, __ATOMIC_RELAXED);
    (void)pthread_join(thread, NULL);
    struct vx_event pause = { .kind = VX_EVENT_PAUSE, .shard = VX_LCORE_EVERY_SHARD };
    uint32_t told = 0;
    while (told < 1000 && vx_shard_lcore_tell(stage->lanes[0], &pause))
        told++;
    CU_ASSERT_EQUAL(told, 63); /* a ring, and nobody takes from it: no waiting, no growing */
    stage_end(stage);
}

static void a_window_is_tuned(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ 0 });
    CU_ASSERT(stage_put_one(stage, 2, VX_ACTION_MOVE));
    stage_pass(stage);
    (void)stage_collect(stage);
    CU_ASSERT_EQUAL(stage->packets, 0); /* waits for its window */
    vx_io_tune(stage->io, 0, 0, 1000);
    CU_ASSERT(stage_put_one(stage, 3, VX_ACTION_MOVE));
    stage_pass(stage); /* the new window is taken here, before the answer is begun */
    stage_pass(stage);
    (void)stage_collect(stage);
    stage->now += STAGE_WINDOW;
    stage_pass(stage);
    (void)stage_collect(stage);
    CU_ASSERT_EQUAL(stage->packets, 2);
    CU_ASSERT(stage_put_one(stage, 4, VX_ACTION_MOVE));
    stage_pass(stage);
    stage_pass(stage);
    (void)stage_collect(stage);
    CU_ASSERT_EQUAL(stage->packets, 3); /* at once */
    stage_end(stage);
}

/* ---- a hunt ---- */

#ifdef VX_WORKER
enum { LEFT = 10, RIGHT = 12, TRIES = 5000 };

static const struct answer *await(struct stage *stage, uint32_t player, uint8_t type)
{
    for (unsigned i = 0; i < TRIES; i++) {
        stage->now += 100000; /* a tenth of a millisecond */
        stage_pass(stage);
        (void)stage_collect(stage);
        const struct answer *answer = stage_answer(stage, player, type);
        if (answer != NULL)
            return answer;
        (void)usleep(100);
    }
    CU_FAIL_FATAL("no answer");
    return NULL;
}

static void put(struct stage *stage, uint32_t player, struct vx_wire_action one)
{
    stage->count = 0;
    CU_ASSERT(stage_put(stage, player, WAY_IP4, &one, 1));
}

/* The ledger's part: one grant is taken, looked at, and acknowledged. */
static struct vx_grant ledger_commit(struct stage *stage)
{
    struct vx_grant grant = { 0 };
    for (unsigned i = 0; i < TRIES && rte_ring_sc_dequeue_elem(stage->grants, &grant, sizeof(grant)) != 0; i++) {
        stage_pass(stage);
        (void)usleep(100);
    }
    struct vx_event ack = { .kind = VX_EVENT_GRANT_DONE, .shard = (uint16_t)grant.shard, .number = grant.chest };
    CU_ASSERT_EQUAL(rte_ring_sp_enqueue_elem(stage->acks, &ack, sizeof(ack)), 0);
    return grant;
}

static uint32_t hunt_begin(struct stage *stage, uint32_t *seed)
{
    CU_ASSERT(stage_put_one(stage, LEFT, VX_ACTION_FIND));
    CU_ASSERT(stage_put_one(stage, RIGHT, VX_ACTION_FIND));
    uint32_t match = await(stage, RIGHT, VX_RESULT_PROPOSAL)->a;
    const struct answer *proposal = stage_answer(stage, LEFT, VX_RESULT_PROPOSAL);
    CU_ASSERT(proposal != NULL && proposal->a == match && proposal->result_number == 1);
    struct vx_wire_action accept = { .type = VX_ACTION_ACCEPT, .a = match };
    put(stage, LEFT, accept);
    CU_ASSERT(stage_put(stage, RIGHT, WAY_IP4, &accept, 1));
    const struct answer *started = await(stage, RIGHT, VX_RESULT_HUNT_STARTED);
    CU_ASSERT(started->a == match && started->arg16 == 8 && started->result_number == 2);
    *seed = started->b;
    return match;
}

static void strike_and_open(struct stage *stage, uint32_t match, uint32_t seed)
{
    put(stage, LEFT, (struct vx_wire_action){ .type = VX_ACTION_STRIKE, .arg8 = 0, .a = match });
    struct answer hit = *await(stage, RIGHT, VX_RESULT_STRIKE_RESULT);
    const struct answer *told = stage_answer(stage, LEFT, VX_RESULT_STRIKE_RESULT);
    CU_ASSERT(told != NULL && told->action_number == stage->numbers[LEFT] && told->arg16 == hit.arg16);
    CU_ASSERT(hit.action_number == 0 && hit.arg16 >= 5 && hit.arg16 <= 60 && hit.b == 100u - hit.arg16 && hit.c == 1);
    int32_t chest_cm[3];
    vx_chest_position(seed, 3, chest_cm);
    stage->now += 1000000000;
    put(stage, LEFT, (struct vx_wire_action){ .type = VX_ACTION_MOVE, .a = (uint32_t)chest_cm[0], .b = (uint32_t)chest_cm[1] });
    CU_ASSERT_EQUAL(await(stage, LEFT, VX_RESULT_OK)->action_number, stage->numbers[LEFT]);
    put(stage, LEFT, (struct vx_wire_action){ .type = VX_ACTION_SUMMON, .arg16 = 3, .a = match });
    CU_ASSERT_EQUAL(await(stage, LEFT, VX_RESULT_CHEST)->code, VX_CODE_OK);
    CU_ASSERT_EQUAL(await(stage, RIGHT, VX_RESULT_CHEST)->code, VX_CODE_TAKEN);
    CU_ASSERT_PTR_NULL(stage_answer(stage, LEFT, VX_RESULT_LOOT_GRANTED)); /* not before it is in the ledger */
    CU_ASSERT(vx_shard_lcore_pending(stage->lanes[0]) >= 1);
    struct vx_grant grant = ledger_commit(stage);
    CU_ASSERT(grant.player == LEFT && grant.match == match && grant.epoch == 9);
    CU_ASSERT(grant.item >= 301 && grant.item <= 400 && grant.amount >= 1 && grant.amount <= 50); /* chest 3 is of tier 3 */
    const struct answer *loot = await(stage, LEFT, VX_RESULT_LOOT_GRANTED);
    CU_ASSERT(loot->arg16 == grant.item && loot->c == grant.amount && ((uint64_t)loot->b << 32 | loot->a) == grant.receipt);
}

static void a_whole_hunt(void)
{
    struct vx_formula *formula = NULL;
    struct vx_error error;
    struct vx_formula_config config = { .worker_path = VX_WORKER, .runtime_folder = VX_LUA_FOLDER "/runtime", .lanes = 1, .cpu = -1, .idle_us = 20 };
    if (vx_formula_program_read(VX_LUA_FOLDER "/formulas", &config.program, &error) != 0 || vx_formula_start(&config, &formula, &error) != 0)
        CU_FAIL_FATAL(error.text);
    struct stage *stage = stage_make(&(struct stage_options){ .formula = formula, .grants = true });
    uint32_t seed = 0, match = hunt_begin(stage, &seed);
    strike_and_open(stage, match, seed);
    CU_ASSERT_EQUAL(vx_shard_lcore_pending(stage->lanes[0]), 0);
    put(stage, RIGHT, action(VX_ACTION_LEAVE));
    CU_ASSERT_EQUAL(await(stage, LEFT, VX_RESULT_HUNT_ENDED)->a, match);
    const struct vx_shard_lcore_counters *counters = vx_shard_lcore_counters(stage->lanes[0]);
    struct vx_formula_counters formulas;
    vx_formula_counters(formula, &formulas);
    CU_ASSERT_EQUAL(counters->jobs, formulas.jobs[0] + formulas.jobs[1] + formulas.jobs[2]);
    CU_ASSERT(formulas.jobs[VX_FORMULA_BATTLE] == 1 && formulas.jobs[VX_FORMULA_LOOT] == 1 && counters->grants == 1 && counters->replies_dropped == 0);
    stage_end(stage);
    vx_formula_stop(formula);
}
#endif

int main(void)
{
    static const struct vx_test tests[] = {
        { "a frame in, an answer out", a_frame_in_an_answer_out },
        { "several actions are answered in order in one packet", several_actions_are_answered_in_order_in_one_packet },
        { "a repeated packet is told so", a_repeated_packet_is_told_so },
        { "a move waits for its window", a_move_waits_for_its_window },
        { "what is urgent takes the waiting with it", what_is_urgent_takes_the_waiting_with_it },
        { "a full packet leaves early", a_full_packet_leaves_early },
        { "more windows than places", more_windows_than_places },
        { "residence is measured by urgency", residence_is_measured_by_urgency },
        { "a draining shard begins nothing", a_draining_shard_begins_nothing },
        { "a view is asked for", a_view_is_asked_for },
        { "a window is tuned", a_window_is_tuned },
#ifdef VX_WORKER
        { "a whole hunt", a_whole_hunt },
#endif
    };
    if (!stage_eal())
        return 2;
    return vx_test_main("lcore", tests, sizeof(tests) / sizeof(tests[0]));
}
