/* What operators change and see: drain, pause, tune, the views of players and matches, waits and distances. */
#include <string.h>

#include "vx_test.h"
#include "world.h"

enum { ANNA, BERT, CARL };
static struct world world;

static void operate(uint8_t kind, uint32_t number, uint32_t value)
{
    struct vx_event event = { .kind = kind, .number = number, .a = value };
    world_step(&world, &event, 1);
}

static struct vx_player_view look(uint32_t player)
{
    struct vx_player_view view;
    vx_shard_view_player(world.shard, player, &view);
    return view;
}

static uint8_t find(uint32_t player, uint32_t rating)
{
    const struct vx_reply *reply = world_act(&world, player, VX_ACTION_FIND, 0, 0, rating, 0);
    return reply != NULL ? reply->code : UINT8_MAX;
}

static void why_they_wait(void)
{
    world_open(&world, 1, 200);
    CU_ASSERT_EQUAL(find(ANNA, 1500), VX_CODE_OK);
    CU_ASSERT_EQUAL(look(ANNA).reason, VX_WAIT_WINDOWS);
    world_wait(&world, 100, true, true); /* the windows come */
    CU_ASSERT_EQUAL(look(ANNA).reason, VX_WAIT_ALONE);
    CU_ASSERT_EQUAL(look(ANNA).nearest_player, VX_VIEW_NONE);
    CU_ASSERT_EQUAL(find(BERT, 2500), VX_CODE_OK);
    struct vx_player_view view = look(ANNA);
    CU_ASSERT_EQUAL(view.reason, VX_WAIT_DISTANCE);
    CU_ASSERT(view.nearest_player == BERT && view.nearest_distance == 1000 && view.nearest_window < 1000 && view.window < 1000 && view.waiting == 2);
    CU_ASSERT(view.waited_ms >= 100 && view.rating == 1500);
    CU_ASSERT_STRING_EQUAL(vx_player_state_name(view.state), "searching");
    operate(VX_EVENT_PAUSE, 0, 0);
    CU_ASSERT_EQUAL(find(CARL, 1501), VX_CODE_OK); /* fits, but the shard is paused */
    CU_ASSERT_EQUAL(look(CARL).reason, VX_WAIT_PAUSED);
    world_wait(&world, 1000, true, true);
    CU_ASSERT(vx_shard_counters(world.shard)->ticket_oldest_ms >= 1000);
    CU_ASSERT_STRING_EQUAL(vx_player_state_name(look(CARL).state), "searching");
    operate(VX_EVENT_RESUME, 0, 0);
    world_wait(&world, 200, true, true);
    view = look(CARL);
    CU_ASSERT_STRING_EQUAL(vx_player_state_name(view.state), "proposed");
    CU_ASSERT_EQUAL(view.reason, VX_WAIT_OWN_ACCEPT);
    CU_ASSERT(world_act(&world, CARL, VX_ACTION_ACCEPT, 0, view.match, 0, 0)->code == VX_CODE_OK);
    CU_ASSERT_EQUAL(look(CARL).reason, VX_WAIT_OTHER_ACCEPT);
    vx_shard_check(world.shard);
    world_close(&world);
}

/* Formulas have changed: every row is asked once more, and players are matched meanwhile as before. */
static void tables_are_asked_again(void)
{
    world_open(&world, 1, 200);
    world_wait(&world, 100, true, true);
    uint64_t sent = vx_shard_counters(world.shard)->jobs_sent;
    operate(VX_EVENT_FORMULAS, 0, 0);
    CU_ASSERT_EQUAL(find(ANNA, 1500), VX_CODE_OK);
    CU_ASSERT_NOT_EQUAL(look(ANNA).reason, VX_WAIT_WINDOWS);
    operate(VX_EVENT_FORMULAS, 0, 0); /* and again before all are answered: what comes of the first asking is passed over */
    world_wait(&world, 200, true, true);
    CU_ASSERT_EQUAL(vx_shard_counters(world.shard)->jobs_sent, sent + 2 * 32);
    CU_ASSERT_EQUAL(vx_shard_counters(world.shard)->jobs_pending, 0);
    vx_shard_check(world.shard);
    world_close(&world);
}

static void matches_and_trails(void)
{
    struct vx_match_view match;
    world_open(&world, 1, 200);
    world_wait(&world, 100, true, true);
    (void)find(ANNA, 1500);
    (void)find(BERT, 1540);
    world_wait(&world, 2000, true, true);
    uint32_t id = look(ANNA).match;
    CU_ASSERT_NOT_EQUAL_FATAL(id, 0);
    CU_ASSERT(vx_shard_may_hold_match(world.shard, id));
    CU_ASSERT_FATAL(vx_shard_view_match(world.shard, id, &match));
    CU_ASSERT_STRING_EQUAL(vx_match_state_name(match.state), "proposed");
    (void)world_act(&world, ANNA, VX_ACTION_PING, 0, 0, 0, 0); /* not in the trail */
    (void)world_act(&world, ANNA, VX_ACTION_ACCEPT, 0, id, 0, 0);
    (void)world_act(&world, BERT, VX_ACTION_ACCEPT, 0, id, 0, 0);
    (void)world_act(&world, ANNA, VX_ACTION_SUMMON, 77, id, 0, 0);
    CU_ASSERT_FATAL(vx_shard_view_match(world.shard, id, &match));
    CU_ASSERT_STRING_EQUAL(vx_match_state_name(match.state), "hunting");
    CU_ASSERT(match.seats[0].player + match.seats[1].player == ANNA + BERT && match.seats[0].rating + match.seats[1].rating == 3040 && match.seats[0].health == 100);
    CU_ASSERT(match.seats[0].accepted && match.seats[1].accepted && !match.seats[0].left && !match.seats[1].dead);
    struct vx_player_view view = look(ANNA);
    CU_ASSERT_EQUAL_FATAL(view.trail_count, 3);
    CU_ASSERT(view.trail[0].type == VX_ACTION_SUMMON && view.trail[0].code == VX_CODE_BAD_ARGUMENT && view.trail[0].number == world.numbers[ANNA]);
    CU_ASSERT(view.trail[1].type == VX_ACTION_ACCEPT && view.trail[1].code == VX_CODE_OK);
    CU_ASSERT(view.trail[2].type == VX_ACTION_FIND && view.trail[2].ms_ago >= 1900);
    for (uint32_t i = 0; i < 20; i++)
        (void)world_act(&world, ANNA, VX_ACTION_SUMMON, 77, id, 0, 0);
    CU_ASSERT_EQUAL(look(ANNA).trail_count, VX_TRAIL_MAX);
    CU_ASSERT_EQUAL(look(ANNA).trail[0].number, world.numbers[ANNA]);
    CU_ASSERT_FALSE(vx_shard_view_match(world.shard, id + 1, &match));
    CU_ASSERT_FALSE(vx_shard_may_hold_match(world.shard, id + 1));
    CU_ASSERT_EQUAL(vx_shard_slot_of(world.shard, BERT), BERT);
    CU_ASSERT_EQUAL(vx_shard_slot_of(world.shard, WORLD_PLAYERS), VX_VIEW_NONE);
    CU_ASSERT_EQUAL(vx_shard_slot_of(world.shard, CARL), VX_VIEW_NONE); /* has never been here */
    world_close(&world);
}

static uint64_t sum(const uint64_t *slots, uint32_t count)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += slots[i];
    return total;
}

static void waits_and_distances(void)
{
    world_open(&world, 1, 200);
    world_wait(&world, 100, true, true);
    const struct vx_shard_quality *quality = vx_shard_quality(world.shard);
    (void)find(ANNA, 1500);
    world_wait(&world, 1500, true, true);
    (void)find(BERT, 1512);
    world_wait(&world, 100, true, true);
    CU_ASSERT_EQUAL(sum(quality->wait_ms, VX_SHARD_WAIT_SLOTS), 2);
    CU_ASSERT_EQUAL(quality->wait_ms[0], 1);  /* Bert: at once */
    CU_ASSERT_EQUAL(quality->wait_ms[5], 1);  /* Anna: above 1000, at most 2000 */
    CU_ASSERT(quality->wait_ms_sum >= 1500 && quality->wait_ms_sum <= 1700);
    CU_ASSERT_EQUAL(sum(quality->distance, VX_SHARD_DISTANCE_SLOTS), 1);
    CU_ASSERT_EQUAL(quality->distance[2], 1); /* 12: above 10, at most 20 */
    CU_ASSERT_EQUAL(quality->distance_sum, 12);
    world_close(&world);
}

static void drain_and_resume(void)
{
    world_open(&world, 1, 200);
    world_wait(&world, 100, true, true);
    operate(VX_EVENT_DRAIN, 0, 0);
    CU_ASSERT_EQUAL(vx_shard_counters(world.shard)->draining, 1);
    CU_ASSERT_EQUAL(find(ANNA, 1500), VX_CODE_DRAINING);
    operate(VX_EVENT_RESUME, 0, 0);
    CU_ASSERT_EQUAL(find(ANNA, 1500), VX_CODE_OK);
    world_close(&world);
}

/* Each setting is changed, and the next thing that it governs follows it. */
static void settings(void)
{
    world_open(&world, 1, 200);
    world_wait(&world, 100, true, true);
    operate(VX_EVENT_TUNE, VX_SHARD_search_ms_max, 300);
    (void)find(ANNA, 1500);
    world_wait(&world, 500, true, true);
    CU_ASSERT_EQUAL(world_last(&world, ANNA, VX_RESULT_QUEUE_STATUS)->code, VX_CODE_TIMED_OUT);
    operate(VX_EVENT_TUNE, VX_SHARD_search_ms_max, 60000);
    operate(VX_EVENT_TUNE, VX_SHARD_proposal_ms, 250);
    operate(VX_EVENT_TUNE, VX_SHARD_hunt_ms, 12345);
    (void)find(ANNA, 1500);
    (void)find(BERT, 1500);
    world_wait(&world, 100, true, true);
    const struct vx_reply *proposal = world_last(&world, ANNA, VX_RESULT_PROPOSAL);
    CU_ASSERT_FATAL(proposal != NULL);
    CU_ASSERT_EQUAL(proposal->c, 250);
    uint32_t match = proposal->a;
    (void)world_act(&world, ANNA, VX_ACTION_ACCEPT, 0, match, 0, 0);
    (void)world_act(&world, BERT, VX_ACTION_ACCEPT, 0, match, 0, 0);
    CU_ASSERT_EQUAL(world_last(&world, ANNA, VX_RESULT_HUNT_STARTED)->c, 12345);
    operate(VX_EVENT_TUNE, VX_SHARD_speed_cm_s, 1);
    world_wait(&world, 1000, true, true);
    CU_ASSERT_EQUAL(world_act(&world, ANNA, VX_ACTION_MOVE, 0, 500, 0, 0)->code, VX_CODE_TOO_FAST);
    operate(VX_EVENT_TUNE, VX_SHARD_speed_cm_s, 1000000);
    CU_ASSERT_EQUAL(world_act(&world, ANNA, VX_ACTION_MOVE, 0, 5000, 0, 0)->code, VX_CODE_OK);
    operate(VX_EVENT_TUNE, VX_SHARD_strike_range_cm, 1);
    CU_ASSERT_EQUAL(world_act(&world, ANNA, VX_ACTION_STRIKE, 0, match, 0, 0)->code, VX_CODE_TOO_FAR);
    operate(VX_EVENT_TUNE, VX_SHARD_chest_range_cm, 1000000);
    CU_ASSERT_EQUAL(world_act(&world, ANNA, VX_ACTION_SUMMON, 0, match, 0, 0)->type, VX_RESULT_CHEST);
    vx_shard_check(world.shard);
    world_close(&world);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "tables are asked again", tables_are_asked_again },
        { "why players wait", why_they_wait },     { "matches and trails", matches_and_trails }, { "waits and distances", waits_and_distances },
        { "drain and resume", drain_and_resume }, { "settings", settings },
    };
    return vx_test_main("shard_operate", tests, sizeof(tests) / sizeof(tests[0]));
}
