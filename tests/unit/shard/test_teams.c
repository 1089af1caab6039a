/* Teams, parties and modes as docs/protocol.md tells them: each rule by a test that fails when the rule is broken. */
#include "teams.h"

/* The party's id; members accept in the order given, the first leads. */
static uint32_t party(const uint32_t *members, uint32_t count)
{
    uint32_t id = 0;
    for (uint32_t i = 1; i < count; i++) {
        (void)act(members[i], VX_ACTION_PING, 0);
        const struct vx_reply *reply = act(members[0], VX_ACTION_INVITE, members[i]);
        CU_ASSERT_FATAL(is(reply, VX_RESULT_PARTY, VX_CODE_OK));
        id = reply->a;
        CU_ASSERT(is(world_last(&world, members[i], VX_RESULT_INVITED), VX_RESULT_INVITED, VX_CODE_OK));
        reply = act(members[i], VX_ACTION_JOIN, id);
        CU_ASSERT_FATAL(is(reply, VX_RESULT_PARTY, VX_CODE_OK));
        CU_ASSERT(reply->arg16 == i + 1 && reply->a == id && reply->b == members[0]);
    }
    return id;
}

/* Ten who find each other: 0 to 9, tanks 0 and 5, healers 1 and 6. */
static uint32_t fives(bool start)
{
    static const uint16_t roles[] = { TANK, HEALER, ANY, ANY, ANY };
    for (uint32_t player = 0; player < 10; player++)
        CU_ASSERT(is(find(player, FIVES, roles[player % 5], 1500 + player), VX_RESULT_QUEUE_STATUS, VX_CODE_OK));
    world_wait(&world, 1200, true, true);
    uint32_t match = proposal_of(0);
    CU_ASSERT_FATAL(match != 0);
    for (uint32_t player = 0; player < 10; player++) {
        CU_ASSERT_EQUAL(proposal_of(player), match);
        if (start)
            CU_ASSERT(is(act(player, VX_ACTION_ACCEPT, match), VX_RESULT_OK, VX_CODE_OK));
    }
    return match;
}

static uint32_t seat_of(const struct vx_match_view *view, uint32_t player)
{
    for (uint32_t seat = 0; seat < view->seat_count; seat++)
        if (view->seats[seat].player == player)
            return seat;
    return UINT32_MAX;
}

static void test_five_on_five(void)
{
    open_world();
    uint32_t match = fives(true);
    struct vx_match_view view = look(match);
    CU_ASSERT(view.teams == 2 && view.size == 5 && strcmp(view.mode, "fives") == 0 && strcmp(vx_match_state_name(view.state), "hunting") == 0);
    CU_ASSERT_NOT_EQUAL(seat_of(&view, 0) / 5, seat_of(&view, 5) / 5); /* a tank for each team */
    CU_ASSERT_NOT_EQUAL(seat_of(&view, 1) / 5, seat_of(&view, 6) / 5); /* a healer for each team */
    for (uint32_t seat = 0; seat < 10; seat++) {
        const struct vx_reply *reply = act(3, VX_ACTION_STATUS, seat);
        CU_ASSERT(is(reply, VX_RESULT_SEAT, VX_CODE_OK) && reply->arg16 == (seat | seat / 5 << 8) && reply->a == match && reply->b == view.seats[seat].player);
        CU_ASSERT_EQUAL(reply->c, 1500 + view.seats[seat].player);
    }
    CU_ASSERT_EQUAL(act(3, VX_ACTION_STATUS, VX_SEAT_OWN)->b, 3);
    CU_ASSERT(refused(act(3, VX_ACTION_STATUS, 10), VX_CODE_BAD_ARGUMENT));
    CU_ASSERT(refused(find(20, FIVES, TANK, 20000), VX_CODE_BAD_ARGUMENT));
    CU_ASSERT(refused(find(20, MODES, TANK, 1500), VX_CODE_NO_MODE));
    CU_ASSERT(refused(world_act(&world, 20, VX_ACTION_FIND, 0, 1 << MODES, 0, 0), VX_CODE_NO_MODE));
    world_close(&world);
}

static void strike(uint32_t player, uint32_t match, uint32_t seat)
{
    (void)world_act(&world, player, VX_ACTION_STRIKE, (uint16_t)(seat + 1), match, 0, 0);
    world_wait(&world, 10, true, true);
}

static void test_team_falls_one_by_one(void)
{
    open_world();
    uint32_t match = fives(true);
    struct vx_match_view view = look(match);
    uint32_t striker = view.seats[0].player, mate = view.seats[1].player, dead = view.seats[5].player;
    CU_ASSERT(refused(world_act(&world, striker, VX_ACTION_STRIKE, 2, match, 0, 0), VX_CODE_BAD_ARGUMENT)); /* its own team */
    CU_ASSERT(refused(world_act(&world, striker, VX_ACTION_STRIKE, 11, match, 0, 0), VX_CODE_BAD_ARGUMENT));
    for (uint32_t i = 0; i < 4; i++)
        strike(striker, match, 5); /* 30 of 100 each */
    view = look(match);
    CU_ASSERT(view.seats[5].dead && view.seats[5].health == 0 && view.seats[0].streak == 4);
    CU_ASSERT(refused(world_act(&world, striker, VX_ACTION_STRIKE, 6, match, 0, 0), VX_CODE_BAD_ARGUMENT)); /* is dead already */
    CU_ASSERT(refused(act(dead, VX_ACTION_STRIKE, match), VX_CODE_WRONG_STATE));
    CU_ASSERT(refused(act(dead, VX_ACTION_SUMMON, match), VX_CODE_WRONG_STATE));
    CU_ASSERT_PTR_NULL(world_last(&world, striker, VX_RESULT_HUNT_ENDED)); /* four stand */
    for (uint32_t seat = 6; seat < 10; seat++)
        for (uint32_t i = 0; i < 4; i++)
            strike(striker, match, seat);
    const struct vx_reply *won = world_last(&world, mate, VX_RESULT_HUNT_ENDED), *lost = world_last(&world, dead, VX_RESULT_HUNT_ENDED);
    CU_ASSERT_FATAL(is(won, VX_RESULT_HUNT_ENDED, VX_CODE_OK) && is(lost, VX_RESULT_HUNT_ENDED, VX_CODE_LOST));
    CU_ASSERT(won->arg16 == 1 && lost->arg16 == 2 && won->b == 1500 + mate && won->c > won->b && lost->c < lost->b);
    world_close(&world);
}

static void test_party_is_matched_whole(void)
{
    static const uint32_t three[] = { 10, 11, 12 }, two[] = { 13, 14 };
    open_world();
    (void)party(three, 3);
    (void)party(two, 2);
    CU_ASSERT(refused(find(11, FIVES, ANY, 0), VX_CODE_NOT_LEADER));
    CU_ASSERT(is(find(10, FIVES, TANK | HEALER, 0), VX_RESULT_QUEUE_STATUS, VX_CODE_OK));
    CU_ASSERT(is(world_last(&world, 12, VX_RESULT_QUEUE_STATUS), VX_RESULT_QUEUE_STATUS, VX_CODE_OK)); /* its leader searches for it */
    CU_ASSERT(refused(act(12, VX_ACTION_INVITE, 20), VX_CODE_WRONG_STATE));
    CU_ASSERT(is(act(12, VX_ACTION_CANCEL, 0), VX_RESULT_OK, VX_CODE_OK)); /* one ends it for all */
    CU_ASSERT(is(world_last(&world, 10, VX_RESULT_QUEUE_STATUS), VX_RESULT_QUEUE_STATUS, VX_CODE_CANCELLED));
    CU_ASSERT(is(find(10, FIVES, TANK, 0), VX_RESULT_QUEUE_STATUS, VX_CODE_OK));
    CU_ASSERT(is(find(13, FIVES, HEALER, 0), VX_RESULT_QUEUE_STATUS, VX_CODE_OK));
    for (uint32_t player = 20; player < 25; player++)
        (void)find(player, FIVES, TANK | HEALER | ANY, 1500);
    world_wait(&world, 1200, true, true);
    uint32_t match = proposal_of(10);
    CU_ASSERT_FATAL(match != 0);
    struct vx_match_view view = look(match);
    CU_ASSERT(seat_of(&view, 10) / 5 == seat_of(&view, 11) / 5 && seat_of(&view, 10) / 5 == seat_of(&view, 12) / 5);
    CU_ASSERT(seat_of(&view, 13) / 5 == seat_of(&view, 14) / 5);
    world_close(&world);
}

static void test_broken_proposal_breaks_the_party_only(void)
{
    static const uint32_t two[] = { 10, 11 };
    open_world();
    (void)party(two, 2);
    (void)find(10, TWOS, 0, 1500);
    world_wait(&world, 100, true, true);
    (void)find(20, TWOS, 0, 1500);
    (void)find(21, TWOS, 0, 1500);
    world_wait(&world, 400, true, true);
    uint32_t match = proposal_of(10);
    CU_ASSERT_FATAL(match != 0 && proposal_of(20) == match);
    CU_ASSERT(refused(act(30, VX_ACTION_ACCEPT, match), VX_CODE_WRONG_STATE));
    CU_ASSERT(refused(act(20, VX_ACTION_ACCEPT, match + 1), VX_CODE_NOT_YOURS));
    CU_ASSERT(is(act(20, VX_ACTION_ACCEPT, match), VX_RESULT_OK, VX_CODE_OK));
    CU_ASSERT(is(act(20, VX_ACTION_ACCEPT, match), VX_RESULT_OK, VX_CODE_OK)); /* twice is once */
    CU_ASSERT(is(act(11, VX_ACTION_DECLINE, match), VX_RESULT_OK, VX_CODE_OK));
    CU_ASSERT(is(world_last(&world, 10, VX_RESULT_QUEUE_STATUS), VX_RESULT_QUEUE_STATUS, VX_CODE_CANCELLED));
    const struct vx_reply *again = world_last(&world, 20, VX_RESULT_QUEUE_STATUS);
    CU_ASSERT(is(again, VX_RESULT_QUEUE_STATUS, VX_CODE_DECLINED) && again->c >= 400); /* with what it had waited */
    CU_ASSERT(refused(act(20, VX_ACTION_ACCEPT, match), VX_CODE_WRONG_STATE)); /* too late */
    CU_ASSERT_EQUAL(vx_shard_counters(world.shard)->players_searching, 2);
    CU_ASSERT_EQUAL(act(20, VX_ACTION_STATUS, 0)->type, VX_RESULT_PLACE);
    world_close(&world);
}

static void decline_once(uint32_t player)
{
    uint32_t before = proposal_of(player);
    CU_ASSERT(is(find(player, DUEL, 0, 1500), VX_RESULT_QUEUE_STATUS, VX_CODE_OK));
    world_wait(&world, 100, true, true);
    uint32_t match = proposal_of(player);
    CU_ASSERT_FATAL(match != before);
    CU_ASSERT(is(act(player, VX_ACTION_DECLINE, match), VX_RESULT_OK, VX_CODE_OK));
}

static void test_who_declines_cools_down(void)
{
    open_world();
    (void)find(1, DUEL, 0, 1500);
    decline_once(0); /* the first is free */
    decline_once(0);
    CU_ASSERT(refused(find(0, DUEL, 0, 1500), VX_CODE_COOLING_DOWN));
    world_wait(&world, 5100, true, true);
    (void)act(1, VX_ACTION_PING, 0);
    decline_once(0);
    world_wait(&world, 5100, true, true);
    (void)act(1, VX_ACTION_PING, 0);
    CU_ASSERT(refused(find(0, DUEL, 0, 1500), VX_CODE_COOLING_DOWN)); /* twice as long now */
    world_wait(&world, 5100, true, true);
    CU_ASSERT(is(find(0, DUEL, 0, 1500), VX_RESULT_QUEUE_STATUS, VX_CODE_OK));
    world_close(&world);
}

static void test_starts_without_asking(void)
{
    open_world();
    for (uint32_t player = 0; player < 8; player++)
        CU_ASSERT(is(find(player, ALL, 0, 1500 + player), VX_RESULT_QUEUE_STATUS, VX_CODE_OK));
    world_wait(&world, 1200, true, true);
    for (uint32_t player = 0; player < 8; player++) {
        CU_ASSERT_PTR_NULL(world_last(&world, player, VX_RESULT_PROPOSAL));
        CU_ASSERT(is(world_last(&world, player, VX_RESULT_HUNT_STARTED), VX_RESULT_HUNT_STARTED, VX_CODE_OK));
    }
    for (uint32_t player = 0; player < 7; player++) /* the last one standing wins */
        (void)act(player, VX_ACTION_LEAVE, 0);
    const struct vx_reply *won = world_last(&world, 7, VX_RESULT_HUNT_ENDED);
    CU_ASSERT(is(won, VX_RESULT_HUNT_ENDED, VX_CODE_OK) && won->arg16 == 1 && won->c > won->b);
    world_close(&world);
}

static void test_open_seat_is_filled(void)
{
    open_world();
    uint32_t match = fives(true);
    struct vx_match_view view = look(match);
    uint32_t healer_seat = seat_of(&view, 1);
    (void)act(1, VX_ACTION_LEAVE, 0);
    (void)find(40, FIVES, ANY, 1500); /* does not fit: the healer is missing */
    world_wait(&world, 400, true, true);
    CU_ASSERT_PTR_NULL(world_last(&world, 40, VX_RESULT_HUNT_STARTED));
    (void)find(41, FIVES, HEALER, 1500);
    world_wait(&world, 3000, true, true);
    CU_ASSERT_FATAL(is(world_last(&world, 41, VX_RESULT_HUNT_STARTED), VX_RESULT_HUNT_STARTED, VX_CODE_OK));
    CU_ASSERT_EQUAL(world_last(&world, 41, VX_RESULT_HUNT_STARTED)->a, match);
    view = look(match);
    CU_ASSERT(view.seats[healer_seat].player == 41 && !view.seats[healer_seat].left);
    struct vx_player_view leaver;
    vx_shard_view_player(world.shard, 1, &leaver);
    CU_ASSERT(leaver.rating < 1501); /* it left, and that is a loss */
    world_close(&world);
}

static void test_too_few_are_left(void)
{
    open_world();
    uint32_t match = fives(true);
    for (uint32_t player = 0; player < 4; player++)
        (void)act(player, VX_ACTION_LEAVE, 0);
    (void)match;
    for (uint32_t player = 4; player < 10; player++) {
        const struct vx_reply *ended = world_last(&world, player, VX_RESULT_HUNT_ENDED);
        CU_ASSERT_FATAL(is(ended, VX_RESULT_HUNT_ENDED, VX_CODE_ABANDONED));
        CU_ASSERT(ended->c >= ended->b);
    }
    CU_ASSERT_EQUAL(vx_shard_counters(world.shard)->matches_abandoned, 1);
    world_close(&world);
}

static void test_way_back(void)
{
    open_world();
    uint32_t match = fives(true);
    for (uint32_t passed_s = 0; passed_s < 32; passed_s++) { /* all but 2 keep talking */
        world_wait(&world, 1000, true, true);
        for (uint32_t player = 0; player < 10; player++)
            if (player != 2)
                (void)act(player, VX_ACTION_PING, 0);
        world_forget(&world);
    }
    struct vx_match_view view = look(match);
    CU_ASSERT(view.seats[seat_of(&view, 2)].left);
    CU_ASSERT(is(act(2, VX_ACTION_PING, 0), VX_RESULT_PONG, VX_CODE_OK));
    const struct vx_reply *back = world_last(&world, 2, VX_RESULT_HUNT_STARTED);
    CU_ASSERT_FATAL(back != NULL);
    CU_ASSERT(back->a == match && back->c < 120000 - 31000 && vx_shard_counters(world.shard)->players_returned == 1);
    view = look(match);
    CU_ASSERT(!view.seats[seat_of(&view, 2)].left);
    (void)act(2, VX_ACTION_LEAVE, 0); /* on purpose: there is no way back */
    (void)act(2, VX_ACTION_PING, 0);
    CU_ASSERT_EQUAL(act(2, VX_ACTION_STATUS, 0)->type, VX_RESULT_PARTY);
    world_close(&world);
}

static void test_parties_refuse(void)
{
    static const uint32_t six[] = { 10, 11, 12, 13, 14, 15 };
    open_world();
    CU_ASSERT(refused(act(10, VX_ACTION_INVITE, 10), VX_CODE_BAD_ARGUMENT)); /* oneself */
    CU_ASSERT(refused(act(10, VX_ACTION_INVITE, 400), VX_CODE_NOT_HERE));
    CU_ASSERT(refused(act(10, VX_ACTION_JOIN, 12345), VX_CODE_NOT_HERE));
    uint32_t id = party(six, 6);
    (void)act(20, VX_ACTION_PING, 0);
    CU_ASSERT(refused(act(20, VX_ACTION_JOIN, id), VX_CODE_NOT_YOURS)); /* nobody has asked it */
    CU_ASSERT(refused(act(11, VX_ACTION_INVITE, 20), VX_CODE_NOT_LEADER));
    CU_ASSERT(refused(find(10, FIVES, TANK | HEALER, 0), VX_CODE_PARTY_FULL)); /* six are no five */
    CU_ASSERT(refused(find(10, DUEL, 0, 0), VX_CODE_PARTY_FULL));
    (void)act(15, VX_ACTION_LEAVE_PARTY, 0);
    CU_ASSERT(refused(find(10, FIVES, TANK, 0), VX_CODE_ROLES)); /* five without a healer */
    (void)find(15, DUEL, 0, 1500);
    CU_ASSERT(refused(act(10, VX_ACTION_INVITE, 15), VX_CODE_BUSY)); /* it searches */
    CU_ASSERT(refused(act(15, VX_ACTION_LEAVE_PARTY, 0), VX_CODE_WRONG_STATE));
    (void)act(10, VX_ACTION_LEAVE, 0); /* the next one leads */
    CU_ASSERT_EQUAL(act(12, VX_ACTION_STATUS, 0)->b, 11);
    CU_ASSERT_EQUAL(act(12, VX_ACTION_STATUS, 0)->arg16, 4);
    world_close(&world);
}

static void test_blocked_never_meet(void)
{
    open_world();
    CU_ASSERT(refused(world_act(&world, 1, VX_ACTION_BLOCK, 0, 1, 0, 0), VX_CODE_BAD_ARGUMENT));
    struct vx_event event = world_action(&world, 1, VX_ACTION_BLOCK);
    event.a = 2;
    event.arg8 = 1;
    world_step(&world, &event, 1);
    (void)find(1, DUEL, 0, 1500);
    (void)find(2, DUEL, 0, 1500);
    world_wait(&world, 3000, true, true);
    CU_ASSERT_EQUAL(proposal_of(1), 0);
    CU_ASSERT(refused(act(1, VX_ACTION_BLOCK, 2), VX_CODE_WRONG_STATE));
    (void)act(1, VX_ACTION_CANCEL, 0);
    CU_ASSERT(is(act(1, VX_ACTION_BLOCK, 2), VX_RESULT_OK, VX_CODE_OK)); /* no longer */
    (void)find(1, DUEL, 0, 1500);
    world_wait(&world, 3000, true, true);
    CU_ASSERT(proposal_of(1) != 0 && proposal_of(1) == proposal_of(2));
    world_close(&world);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "five on five", test_five_on_five },
        { "a team falls one by one", test_team_falls_one_by_one },
        { "a party is matched whole", test_party_is_matched_whole },
        { "a broken proposal breaks the party only", test_broken_proposal_breaks_the_party_only },
        { "who declines cools down", test_who_declines_cools_down },
        { "starts without asking", test_starts_without_asking },
        { "an open seat is filled", test_open_seat_is_filled },
        { "too few are left", test_too_few_are_left },
        { "the way back", test_way_back },
        { "parties refuse", test_parties_refuse },
        { "the blocked never meet", test_blocked_never_meet },
    };
    return vx_test_main("shard: teams", tests, sizeof(tests) / sizeof(tests[0]));
}
