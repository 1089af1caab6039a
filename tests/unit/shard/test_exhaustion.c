/* Everything was taken at start, so everything can run out: a shard without a free job or grant says BUSY to whom it
 * cannot serve, counts it, loses nothing, and serves again as soon as there is room. */
#include <string.h>

#include "vx_test.h"
#include "world.h"

static struct world world;
static uint32_t matches[WORLD_PLAYERS];

static bool is(const struct vx_reply *reply, uint8_t type, uint8_t code)
{
    return reply != NULL && reply->type == type && reply->code == code;
}

/* Every player is in a hunt, and every chest within reach from where they stand. */
static void hunts_open(void)
{
    world_open(&world, 5, 10000);
    memset(matches, 0, sizeof(matches));
    for (uint32_t player = 0; player < WORLD_PLAYERS; player++) {
        world_forget(&world);
        CU_ASSERT(is(world_act(&world, player, VX_ACTION_FIND, 0, 0, 1500, 0), VX_RESULT_QUEUE_STATUS, VX_CODE_OK));
    }
    for (uint32_t ms = 0; ms < 5000; ms += 50) {
        world_forget(&world);
        world_wait(&world, 50, true, true);
        for (uint32_t player = 0; player < WORLD_PLAYERS; player++) {
            const struct vx_reply *proposal = world_last(&world, player, VX_RESULT_PROPOSAL);
            if (proposal == NULL || matches[player] == proposal->a)
                continue;
            matches[player] = proposal->a;
            CU_ASSERT(is(world_act(&world, player, VX_ACTION_ACCEPT, 0, matches[player], 0, 0), VX_RESULT_OK, VX_CODE_OK));
        }
    }
    CU_ASSERT_EQUAL(vx_shard_counters(world.shard)->players_hunting, WORLD_PLAYERS);
}

/* Players strike in turn until one is refused; how many strikes were taken. */
static uint32_t strike_until_busy(void)
{
    for (uint32_t taken = 0; taken < 4 * WORLD_PLAYERS; taken++) {
        const uint32_t player = taken % WORLD_PLAYERS;
        world_forget(&world);
        const struct vx_reply *reply = world_act(&world, player, VX_ACTION_STRIKE, 0, matches[player], 0, 0);
        if (is(reply, VX_RESULT_ERROR, VX_CODE_BUSY))
            return taken;
        CU_ASSERT_PTR_NULL(reply); /* the formula answers later */
    }
    CU_FAIL("never busy");
    return 0;
}

static void test_no_free_job(void)
{
    hunts_open();
    const struct vx_shard_counters *counters = vx_shard_counters(world.shard);
    uint64_t busy = counters->actions_busy, strikes = counters->strikes;
    uint32_t taken = strike_until_busy();
    CU_ASSERT(taken >= WORLD_PLAYERS / 4);
    CU_ASSERT(counters->strikes == strikes + taken && counters->actions_busy == busy + 1 && counters->actions_pending == taken);
    CU_ASSERT(is(world_act(&world, 0, VX_ACTION_PING, 0, 0, 0, 0), VX_RESULT_PONG, VX_CODE_OK)); /* what needs no job goes on */
    vx_shard_check(world.shard);
    world_wait(&world, 20, true, true);
    CU_ASSERT_EQUAL(counters->actions_pending, 0); /* each strike that was taken has had its answer */
    CU_ASSERT_PTR_NULL(world_act(&world, 0, VX_ACTION_STRIKE, 0, matches[0], 0, 0));
    world_close(&world);
}

static void test_no_free_grant(void)
{
    hunts_open();
    const struct vx_shard_counters *counters = vx_shard_counters(world.shard);
    uint32_t taken = 0, round = 0, kept;
    /* Formulas answer and the ledger does not: grants pile up, jobs do not. */
    for (; round < WORLD_CHESTS && counters->actions_busy == 0; round++)
        for (uint32_t player = 0; player < WORLD_PLAYERS && counters->actions_busy == 0; player += 2) {
            world_forget(&world);
            const struct vx_reply *reply = world_act(&world, player, VX_ACTION_SUMMON, (uint16_t)round, matches[player], 0, 0);
            taken += is(reply, VX_RESULT_CHEST, VX_CODE_OK);
            if (world.job_count > 32)
                world_wait(&world, 10, true, false);
        }
    CU_ASSERT_EQUAL(counters->actions_busy, 1);
    CU_ASSERT(taken >= WORLD_PLAYERS / 2 && counters->chests_claimed == taken && counters->grants_pending == taken);
    vx_shard_check(world.shard);
    kept = taken;
    world_wait(&world, 2000, true, true); /* the ledger is back: what was held is offered again and becomes durable */
    CU_ASSERT_EQUAL(counters->grants_pending, 0);
    CU_ASSERT_EQUAL(counters->grants_done, kept);
    world_forget(&world);
    CU_ASSERT(is(world_act(&world, WORLD_PLAYERS - 1, VX_ACTION_SUMMON, WORLD_CHESTS - 1, matches[WORLD_PLAYERS - 1], 0, 0), VX_RESULT_CHEST, VX_CODE_OK));
    world_close(&world);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "no free job", test_no_free_job },
        { "no free grant", test_no_free_grant },
    };
    return vx_test_main("shard: exhaustion", tests, sizeof(tests) / sizeof(tests[0]));
}
