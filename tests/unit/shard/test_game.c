/* One game from FIND to HUNT_ENDED as docs/protocol.md tells it, and the rules on the way. */
#include <errno.h>
#include <string.h>

#include "vx_test.h"
#include "world.h"

enum { ANNA, BERT, CARL };
static struct world world;

static bool is(const struct vx_reply *reply, uint8_t type, uint8_t code)
{
    return reply != NULL && reply->type == type && reply->code == code;
}

static uint32_t hunt_open(uint32_t *seed)
{
    world_open(&world, 1, 200);
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_FIND, 0, 0, 1500, 0), VX_RESULT_QUEUE_STATUS, VX_CODE_OK));
    CU_ASSERT(is(world_act(&world, BERT, VX_ACTION_FIND, 0, 0, 1520, 0), VX_RESULT_QUEUE_STATUS, VX_CODE_OK));
    world_wait(&world, 3000, true, true);
    const struct vx_reply *proposal = world_last(&world, ANNA, VX_RESULT_PROPOSAL);
    CU_ASSERT_FATAL(proposal != NULL && world_last(&world, BERT, VX_RESULT_PROPOSAL) != NULL);
    uint32_t match = proposal->a;
    CU_ASSERT_EQUAL(proposal->b, 1520);
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_ACCEPT, 0, match, 0, 0), VX_RESULT_OK, VX_CODE_OK));
    CU_ASSERT(is(world_act(&world, BERT, VX_ACTION_ACCEPT, 0, match, 0, 0), VX_RESULT_OK, VX_CODE_OK));
    const struct vx_reply *anna = world_last(&world, ANNA, VX_RESULT_HUNT_STARTED), *bert = world_last(&world, BERT, VX_RESULT_HUNT_STARTED);
    CU_ASSERT_FATAL(anna != NULL && bert != NULL);
    CU_ASSERT(anna->a == match && bert->a == match && anna->b == bert->b && anna->arg16 == WORLD_CHESTS);
    *seed = anna->b;
    return match;
}

/* In strides that the speed limit allows; both players keep talking, so that nobody goes offline. */
static void walk(uint32_t player, uint32_t seed, uint32_t chest)
{
    static int32_t at_cm[WORLD_PLAYERS][2];
    int32_t to_cm[3];
    if (chest == UINT32_MAX) {
        memset(at_cm, 0, sizeof(at_cm));
        return;
    }
    vx_chest_position(seed, chest, to_cm);
    while (at_cm[player][0] != to_cm[0] || at_cm[player][1] != to_cm[1]) {
        for (uint32_t i = 0; i < 2; i++) {
            int32_t left = to_cm[i] - at_cm[player][i];
            at_cm[player][i] += left > 600 ? 600 : left < -600 ? -600 : left;
        }
        world_wait(&world, 1000, true, true);
        CU_ASSERT(is(world_act(&world, player, VX_ACTION_MOVE, 0, (uint32_t)at_cm[player][0], (uint32_t)at_cm[player][1], 0), VX_RESULT_OK, VX_CODE_OK));
        CU_ASSERT(is(world_act(&world, 1 - player, VX_ACTION_PING, 0, 0, 0, 0), VX_RESULT_PONG, VX_CODE_OK));
        world_forget(&world);
    }
}

static void test_whole_game(void)
{
    uint32_t seed, match = hunt_open(&seed);
    walk(0, 0, UINT32_MAX);
    for (uint32_t chest = 0; chest < WORLD_CHESTS; chest++) {
        walk(ANNA, seed, chest);
        const struct vx_reply *reply = world_act(&world, ANNA, VX_ACTION_SUMMON, (uint16_t)chest, match, 0, 0);
        CU_ASSERT(is(reply, VX_RESULT_CHEST, VX_CODE_OK) && reply->arg16 == chest && reply->a == match);
        CU_ASSERT(is(world_last(&world, BERT, VX_RESULT_CHEST), VX_RESULT_CHEST, VX_CODE_TAKEN));
        world_wait(&world, 50, true, false);
        CU_ASSERT_PTR_NULL(world_last(&world, ANNA, VX_RESULT_LOOT_GRANTED)); /* invariant 3: not before the ledger */
        CU_ASSERT_FATAL(world.grant_count == 1);
        struct vx_grant grant = world.grants[0];
        CU_ASSERT(grant.player == ANNA && grant.match == match && grant.item == 77 && grant.amount == 2 && grant.epoch == 7);
        for (uint32_t other = 1; other <= 1024; other++) { /* late words on other chests, some of which had this one's place */
            const struct vx_event done = { .kind = VX_EVENT_GRANT_DONE, .slot = grant.slot, .player = grant.player, .number = grant.chest + other };
            world_step(&world, &done, 1);
        }
        CU_ASSERT_PTR_NULL(world_last(&world, ANNA, VX_RESULT_LOOT_GRANTED));
        world_wait(&world, 20, true, true);
        reply = world_last(&world, ANNA, VX_RESULT_LOOT_GRANTED);
        CU_ASSERT_FATAL(reply != NULL);
        CU_ASSERT_EQUAL(((uint64_t)reply->b << 32 | reply->a), grant.receipt);
        CU_ASSERT(reply->arg16 == 77 && reply->c == 2);
    }
    const struct vx_reply *anna = world_last(&world, ANNA, VX_RESULT_HUNT_ENDED), *bert = world_last(&world, BERT, VX_RESULT_HUNT_ENDED);
    CU_ASSERT(is(anna, VX_RESULT_HUNT_ENDED, VX_CODE_OK) && is(bert, VX_RESULT_HUNT_ENDED, VX_CODE_LOST));
    CU_ASSERT(anna->b == 1500 && anna->c > 1500 && bert->b == 1520 && bert->c < 1520 && anna->c + bert->c == 3020);
    CU_ASSERT(vx_shard_counters(world.shard)->matches_settled == 1 && vx_shard_counters(world.shard)->hunts_live == 0);
    world_close(&world);
}

static void test_rules_of_the_hunt(void)
{
    uint32_t seed, match = hunt_open(&seed);
    walk(0, 0, UINT32_MAX);
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_MOVE, 0, 100000, 0, 0), VX_RESULT_ERROR, VX_CODE_TOO_FAST));
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_MOVE, 0, 2000000000, 0, 0), VX_RESULT_ERROR, VX_CODE_BAD_ARGUMENT));
    int32_t chest_cm[3];
    vx_chest_position(seed, 0, chest_cm);
    CU_ASSERT_FATAL(chest_cm[0] * chest_cm[0] + chest_cm[1] * chest_cm[1] > 200 * 200);
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_SUMMON, 0, match, 0, 0), VX_RESULT_ERROR, VX_CODE_TOO_FAR));
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_SUMMON, WORLD_CHESTS, match, 0, 0), VX_RESULT_ERROR, VX_CODE_BAD_ARGUMENT));
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_SUMMON, 0, match + 1, 0, 0), VX_RESULT_ERROR, VX_CODE_NOT_YOURS));
    CU_ASSERT(is(world_act(&world, CARL, VX_ACTION_SUMMON, 0, match, 0, 0), VX_RESULT_ERROR, VX_CODE_WRONG_STATE));
    walk(ANNA, seed, 0);
    walk(BERT, seed, 0);
    CU_ASSERT(is(world_act(&world, BERT, VX_ACTION_SUMMON, 0, match, 0, 0), VX_RESULT_CHEST, VX_CODE_OK));
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_SUMMON, 0, match, 0, 0), VX_RESULT_CHEST, VX_CODE_TAKEN));
    CU_ASSERT_PTR_NULL(world_act(&world, ANNA, VX_ACTION_STRIKE, 0, match, 0, 0)); /* the formula answers later */
    world_wait(&world, 20, true, true);
    const struct vx_reply *strike = world_last(&world, ANNA, VX_RESULT_STRIKE_RESULT);
    CU_ASSERT_FATAL(strike != NULL);
    CU_ASSERT(strike->arg16 == 30 && strike->b == 70 && strike->action_number == world.numbers[ANNA]);
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_LEAVE, 0, 0, 0, 0), VX_RESULT_OK, VX_CODE_OK));
    world_wait(&world, 20, true, true);
    CU_ASSERT(is(world_last(&world, BERT, VX_RESULT_HUNT_ENDED), VX_RESULT_HUNT_ENDED, VX_CODE_OK)); /* who stayed wins */
    world_close(&world);
}

static void test_action_numbers(void)
{
    world_open(&world, 1, 200);
    struct vx_event event = world_action(&world, ANNA, VX_ACTION_PING);
    world_step(&world, &event, 1);
    CU_ASSERT(is(world_last(&world, ANNA, VX_RESULT_PONG), VX_RESULT_PONG, VX_CODE_OK));
    world_forget(&world);
    world_step(&world, &event, 1);
    CU_ASSERT(world.log_count == 1 && world.log[0].type == VX_RESULT_REPEATED && world.log[0].action_number == event.number);
    CU_ASSERT_EQUAL(vx_shard_counters(world.shard)->actions_repeated, 1);
    world_close(&world);
}

static uint32_t times_told(uint32_t player, uint8_t type)
{
    uint32_t times = 0;
    for (uint32_t i = 0; i < world.log_count; i++)
        times += world.log[i].player == player && world.log[i].type == type;
    return times;
}

static void test_repeated_until_acknowledged(void)
{
    world_open(&world, 1, 200);
    world.deaf = true;
    (void)world_act(&world, ANNA, VX_ACTION_FIND, 0, 0, 1500, 0);
    (void)world_act(&world, BERT, VX_ACTION_FIND, 0, 0, 1500, 0);
    world_wait(&world, 3000, true, true);
    uint32_t told = times_told(ANNA, VX_RESULT_PROPOSAL);
    CU_ASSERT(told >= 3 && told <= 6); /* 200, 600, 1400 ms … after the first: each wait doubles */
    const struct vx_reply *proposal = world_last(&world, ANNA, VX_RESULT_PROPOSAL);
    world.seen[ANNA] = proposal->result_number;
    (void)world_act(&world, ANNA, VX_ACTION_PING, 0, 0, 0, 0);
    world_forget(&world);
    world_wait(&world, 1500, true, true);
    CU_ASSERT_EQUAL(times_told(ANNA, VX_RESULT_PROPOSAL), 0);
    CU_ASSERT(times_told(BERT, VX_RESULT_PROPOSAL) > 0);
    world_close(&world);
}

static void test_proposal_falls_apart(void)
{
    world_open(&world, 1, 200);
    (void)world_act(&world, ANNA, VX_ACTION_FIND, 0, 0, 1500, 0);
    (void)world_act(&world, BERT, VX_ACTION_FIND, 0, 0, 1500, 0);
    world_wait(&world, 3000, true, true);
    uint32_t match = world_last(&world, ANNA, VX_RESULT_PROPOSAL)->a;
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_DECLINE, 0, match, 0, 0), VX_RESULT_OK, VX_CODE_OK));
    const struct vx_shard_counters *counters = vx_shard_counters(world.shard);
    CU_ASSERT(counters->matches_declined == 1 && counters->players_searching == 1 && counters->hunts_live == 0);
    CU_ASSERT(is(world_act(&world, BERT, VX_ACTION_CANCEL, 0, 0, 0, 0), VX_RESULT_OK, VX_CODE_OK) || counters->players_searching == 0);
    world_close(&world);
}

/* The server gave up what BERT never acknowledged, or was started anew: BERT waits for the number after `seen`. */
static void test_numbers_go_on_from_seen(void)
{
    world_open(&world, 1, 200);
    world.deaf = true;
    (void)world_act(&world, ANNA, VX_ACTION_FIND, 0, 0, 1500, 0);
    (void)world_act(&world, BERT, VX_ACTION_FIND, 0, 0, 1500, 0);
    world_wait(&world, 60000, true, true);
    CU_ASSERT(vx_shard_counters(world.shard)->players_online == 0);
    world.deaf = false;
    world.seen[ANNA] = 17; /* of a server before this one */
    (void)world_act(&world, ANNA, VX_ACTION_FIND, 0, 0, 1500, 0);
    (void)world_act(&world, BERT, VX_ACTION_FIND, 0, 0, 1500, 0);
    world_wait(&world, 100, true, true);
    const struct vx_reply *anna = world_last(&world, ANNA, VX_RESULT_PROPOSAL), *bert = world_last(&world, BERT, VX_RESULT_PROPOSAL);
    CU_ASSERT_FATAL(anna != NULL && bert != NULL);
    CU_ASSERT(anna->result_number == 18 && bert->result_number == 1);
    CU_ASSERT(world.seen[ANNA] == 18 && world.seen[BERT] == 1);
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_ACK, 0, 18, 0, 0), VX_RESULT_OK, VX_CODE_OK));
    CU_ASSERT(is(world_act(&world, BERT, VX_ACTION_ACK, 0, 2, 0, 0), VX_RESULT_ERROR, VX_CODE_BAD_ARGUMENT));
    world_close(&world);
}

static void test_silence_ends_everything(void)
{
    uint32_t seed;
    (void)hunt_open(&seed);
    world_wait(&world, 40000, true, true);
    const struct vx_shard_counters *counters = vx_shard_counters(world.shard);
    CU_ASSERT(counters->players_online == 0 && counters->hunts_live == 0 && counters->jobs_pending == 0 && counters->grants_pending == 0);
    world_close(&world);
}

static void test_draining(void)
{
    world_open(&world, 1, 200);
    struct vx_event drain = { .kind = VX_EVENT_DRAIN };
    world_step(&world, &drain, 1);
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_FIND, 0, 0, 1500, 0), VX_RESULT_ERROR, VX_CODE_DRAINING));
    world_close(&world);
}

static void *no_room(void *context, size_t bytes, size_t alignment)
{
    (void)context, (void)bytes, (void)alignment;
    return NULL;
}

static void test_no_memory(void)
{
    struct vx_shard *shard = NULL;
    struct vx_error error;
    const struct vx_shard_config config = { .epoch = 1, .players_max = 10, .hunts_max = 6, .proposal_ms = 1000, .search_ms_max = 1000, .hunt_ms = 1000, .idle_ms = 1000,
                                            .repeat_ms = 100, .repeats_max = 3, .job_ms_max = 100, .speed_cm_s = 100, .chest_range_cm = 100, .strike_range_cm = 100,
                                            .chests = 1, .allocate = no_room };
    CU_ASSERT_EQUAL(vx_shard_create(&config, &shard, &error), -ENOMEM);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "a whole game", test_whole_game },
        { "rules of the hunt", test_rules_of_the_hunt },
        { "action numbers", test_action_numbers },
        { "repeated until acknowledged", test_repeated_until_acknowledged },
        { "a proposal falls apart", test_proposal_falls_apart },
        { "numbers go on from seen", test_numbers_go_on_from_seen },
        { "silence ends everything", test_silence_ends_everything },
        { "draining", test_draining },
        { "no memory", test_no_memory },
    };
    return vx_test_main("shard: game", tests, sizeof(tests) / sizeof(tests[0]));
}
