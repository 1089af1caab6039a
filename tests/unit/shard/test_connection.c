/* Clients with connections: who is silent stays, who is lost may come back to queue, proposal and hunt, who left is
 * gone, and a slot that is given to somebody else tells it nothing of its last owner. */
#include <string.h>

#include "vx_test.h"
#include "world.h"

enum { ANNA, BERT, CARL, DORA_ID = 77 };
static struct world world;

static bool is(const struct vx_reply *reply, uint8_t type, uint8_t code)
{
    return reply != NULL && reply->type == type && reply->code == code;
}

static const struct vx_shard_counters *counters(void)
{
    return vx_shard_counters(world.shard);
}

static bool find(uint32_t player)
{
    return is(world_act(&world, player, VX_ACTION_FIND, 0, 0, 0, 0), VX_RESULT_QUEUE_STATUS, VX_CODE_OK);
}

/* Anna and Bert are connected and in a proposal. */
static uint32_t proposal_open(void)
{
    world_open(&world, 1, 20000);
    world_join(&world, ANNA, ANNA, VX_JOIN_NEW, 1600);
    world_join(&world, BERT, BERT, VX_JOIN_NEW, 1650);
    CU_ASSERT(find(ANNA) && find(BERT));
    world_wait(&world, 2000, true, true);
    const struct vx_reply *proposal = world_last(&world, ANNA, VX_RESULT_PROPOSAL);
    CU_ASSERT_FATAL(proposal != NULL);
    CU_ASSERT_EQUAL(proposal->b, 1650); /* the token's rating */
    return proposal->a;
}

static uint32_t hunt_open(void)
{
    uint32_t match = proposal_open();
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_ACCEPT, 0, match, 0, 0), VX_RESULT_OK, VX_CODE_OK));
    CU_ASSERT(is(world_act(&world, BERT, VX_ACTION_ACCEPT, 0, match, 0, 0), VX_RESULT_OK, VX_CODE_OK));
    CU_ASSERT_FATAL(world_last(&world, ANNA, VX_RESULT_HUNT_STARTED) != NULL);
    return match;
}

static void test_silence_is_not_the_shards_business(void)
{
    world_open(&world, 1, 200);
    world_join(&world, ANNA, ANNA, VX_JOIN_NEW, 1500);
    CU_ASSERT_EQUAL(counters()->players_online, 1);
    world_wait(&world, 100000, true, true);
    CU_ASSERT_EQUAL(counters()->players_online, 1);
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_PING, 0, 0, 0, 0), VX_RESULT_PONG, VX_CODE_OK));
    world_close(&world);
}

static void test_the_token_says_the_rating(void)
{
    world_open(&world, 1, 200);
    world_join(&world, ANNA, ANNA, VX_JOIN_NEW, 1600);
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_FIND, 0, 0, 1000, 0), VX_RESULT_ERROR, VX_CODE_BAD_ARGUMENT));
    CU_ASSERT(find(ANNA));
    world_close(&world);
}

static void test_lost_and_back_in_the_queue(void)
{
    world_open(&world, 1, 200);
    world_join(&world, ANNA, ANNA, VX_JOIN_NEW, 1600);
    CU_ASSERT(find(ANNA));
    world_wait(&world, 5000, true, true);
    world_part(&world, ANNA, VX_PART_LOST);
    world_wait(&world, 5000, true, true);
    CU_ASSERT_EQUAL(counters()->players_searching, 1);
    world_forget(&world);
    world_join(&world, ANNA, ANNA, VX_JOIN_RESUME, 0);
    const struct vx_reply *status = world_last(&world, ANNA, VX_RESULT_QUEUE_STATUS);
    CU_ASSERT_FATAL(status != NULL);
    CU_ASSERT(status->a == 1 && status->c >= 10000 && status->session == (ANNA | world.connections[ANNA] << 16));
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_CANCEL, 0, 0, 0, 0), VX_RESULT_OK, VX_CODE_OK));
    world_close(&world);
}

static void test_lost_and_proposed_meanwhile(void)
{
    world_open(&world, 1, 200);
    world_join(&world, ANNA, ANNA, VX_JOIN_NEW, 1600);
    CU_ASSERT(find(ANNA));
    world_part(&world, ANNA, VX_PART_LOST);
    world_forget(&world);
    world_join(&world, BERT, BERT, VX_JOIN_NEW, 1600);
    CU_ASSERT(find(BERT));
    world_wait(&world, 2000, true, true);
    CU_ASSERT_FATAL(world_last(&world, BERT, VX_RESULT_PROPOSAL) != NULL);
    CU_ASSERT_PTR_NULL(world_last(&world, ANNA, VX_RESULT_PROPOSAL)); /* nobody is there to hear it */
    CU_ASSERT(counters()->replies_held > 0);
    world_join(&world, ANNA, ANNA, VX_JOIN_RESUME, 0);
    const struct vx_reply *proposal = world_last(&world, ANNA, VX_RESULT_PROPOSAL);
    CU_ASSERT_FATAL(proposal != NULL);
    CU_ASSERT(proposal->result_number == 1 && proposal->c > 0 && proposal->c < 5000);
    world_close(&world);
}

static void test_lost_and_back_in_the_hunt(void)
{
    uint32_t match = hunt_open();
    world.deaf = true; /* the chest's loot is told, and not acknowledged */
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_SUMMON, 0, match, 0, 0), VX_RESULT_CHEST, VX_CODE_OK));
    world_wait(&world, 20000, true, true);
    CU_ASSERT_FATAL(world_last(&world, ANNA, VX_RESULT_LOOT_GRANTED) != NULL);
    world_part(&world, ANNA, VX_PART_LOST);
    world_forget(&world);
    world_wait(&world, 10000, true, true);
    CU_ASSERT(world_last(&world, ANNA, VX_RESULT_LOOT_GRANTED) == NULL && counters()->players_hunting == 2);
    struct vx_event late = world_action(&world, ANNA, VX_ACTION_PING);
    world_join(&world, ANNA, ANNA, VX_JOIN_RESUME, 0);
    const struct vx_reply *loot = world_last(&world, ANNA, VX_RESULT_LOOT_GRANTED), *hunt = world_last(&world, ANNA, VX_RESULT_HUNT_STARTED);
    CU_ASSERT_FATAL(loot != NULL && hunt != NULL);
    CU_ASSERT(loot->result_number == 1 && hunt->result_number == 2 && hunt->a == match);
    CU_ASSERT(hunt->c <= 120000 - 30000 && hunt->c >= 120000 - 31000); /* the hunt did not wait */
    world_forget(&world);
    world_step(&world, &late, 1); /* from the connection before */
    CU_ASSERT(world.log_count == 0 && counters()->actions_dropped_gone == 1);
    world.deaf = false;
    world.seen[ANNA] = 2;
    struct vx_event first = world_action(&world, ANNA, VX_ACTION_PING);
    CU_ASSERT_EQUAL(first.number, 1);
    world_step(&world, &first, 1);
    CU_ASSERT(is(world_last(&world, ANNA, VX_RESULT_PONG), VX_RESULT_PONG, VX_CODE_OK));
    world_wait(&world, 3000, true, true);
    CU_ASSERT_PTR_NULL(world_last(&world, ANNA, VX_RESULT_LOOT_GRANTED)); /* acknowledged under its new number */
    world_close(&world);
}

static void test_grace_ends(void)
{
    (void)hunt_open();
    world_part(&world, ANNA, VX_PART_LOST);
    world_wait(&world, 19900, true, true);
    CU_ASSERT_EQUAL(counters()->players_hunting, 2);
    world_wait(&world, 200, true, true);
    CU_ASSERT(counters()->players_online == 1 && counters()->players_gone == 1);
    CU_ASSERT(is(world_last(&world, BERT, VX_RESULT_HUNT_ENDED), VX_RESULT_HUNT_ENDED, VX_CODE_OK));
    world_join(&world, ANNA, ANNA, VX_JOIN_RESUME, 0); /* late, but the slot is still its own */
    CU_ASSERT_EQUAL(counters()->players_online, 2);
    CU_ASSERT(find(ANNA));
    world_close(&world);
}

static void test_closed_is_gone_at_once(void)
{
    (void)hunt_open();
    world_part(&world, ANNA, VX_PART_CLOSED);
    CU_ASSERT_EQUAL(counters()->players_online, 1);
    world_wait(&world, 100, true, true);
    CU_ASSERT(is(world_last(&world, BERT, VX_RESULT_HUNT_ENDED), VX_RESULT_HUNT_ENDED, VX_CODE_OK));
    world_close(&world);
}

static void test_what_is_late_is_passed_over(void)
{
    world_open(&world, 1, 200);
    world_join(&world, ANNA, ANNA, VX_JOIN_NEW, 1500);
    uint32_t before = world.connections[ANNA];
    world_join(&world, ANNA, ANNA, VX_JOIN_RESUME, 0);
    uint32_t now = world.connections[ANNA];
    world.connections[ANNA] = before;
    world_part(&world, ANNA, VX_PART_CLOSED);
    struct vx_event join = { .kind = VX_EVENT_JOIN, .session = 9, .player = ANNA, .slot = ANNA, .number = before };
    world_step(&world, &join, 1);
    CU_ASSERT(counters()->players_online == 1 && counters()->joins_late == 1 && counters()->parts_late == 1);
    world.connections[ANNA] = now;
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_PING, 0, 0, 0, 0), VX_RESULT_PONG, VX_CODE_OK));
    world_close(&world);
}

static void test_another_client_begins_from_nothing(void)
{
    uint32_t match = hunt_open();
    CU_ASSERT(is(world_act(&world, ANNA, VX_ACTION_SUMMON, 0, match, 0, 0), VX_RESULT_CHEST, VX_CODE_OK));
    world_wait(&world, 100, true, false); /* the formula has answered, the ledger has not */
    CU_ASSERT_FATAL(world.grant_count == 1);
    world_part(&world, ANNA, VX_PART_LOST);
    world_forget(&world);
    world_join(&world, ANNA, DORA_ID, VX_JOIN_NEW, 1200);
    CU_ASSERT(counters()->players_online == 2 && counters()->players_hunting == 0);
    world_wait(&world, 3000, true, true); /* the ledger answers, and the hunt is settled */
    CU_ASSERT(counters()->grants_done == 1 && counters()->hunts_live == 0 && counters()->matches_abandoned == 1);
    for (uint32_t i = 0; i < world.log_count; i++)
        CU_ASSERT(world.log[i].player != DORA_ID);
    (void)find(ANNA); /* answered to another name */
    CU_ASSERT(world_last(&world, DORA_ID, VX_RESULT_QUEUE_STATUS) != NULL && find(BERT));
    world_wait(&world, 20000, true, true);
    const struct vx_reply *proposal = world_last(&world, BERT, VX_RESULT_PROPOSAL);
    CU_ASSERT_FATAL(proposal != NULL);
    CU_ASSERT_EQUAL(proposal->b, 1200); /* neither the last owner's nor what settling made of that */
    proposal = world_last(&world, DORA_ID, VX_RESULT_PROPOSAL);
    CU_ASSERT(proposal != NULL && proposal->result_number == 1);
    world_close(&world);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "silence is not the shard's business", test_silence_is_not_the_shards_business },
        { "the token says the rating", test_the_token_says_the_rating },
        { "lost, and back in the queue", test_lost_and_back_in_the_queue },
        { "lost, and proposed meanwhile", test_lost_and_proposed_meanwhile },
        { "lost, and back in the hunt", test_lost_and_back_in_the_hunt },
        { "grace ends", test_grace_ends },
        { "closed is gone at once", test_closed_is_gone_at_once },
        { "what is late is passed over", test_what_is_late_is_passed_over },
        { "another client begins from nothing", test_another_client_begins_from_nothing },
    };
    return vx_test_main("shard: connections", tests, sizeof(tests) / sizeof(tests[0]));
}
