/* What tokens and formulas say in the modes that ask, and modes that change while they are played. */
#include "teams.h"

static void token_joins(uint32_t player, uint32_t token, uint32_t players)
{
    world.connections[player] = ++world.connection;
    struct vx_event event = { .kind = VX_EVENT_JOIN, .arg8 = VX_JOIN_NEW, .session = player | world.connections[player] << 16, .player = 1000 + player, .slot = player,
                              .number = world.connection, .a = 1600, .c = token, .seen = players };
    world_step(&world, &event, 1);
}

static void test_parties_by_token(void)
{
    open_world();
    token_joins(1, 77, 2);
    CU_ASSERT(refused(find(1, TWOS, 0, 0), VX_CODE_PARTY_APART) || world_last(&world, 1001, VX_RESULT_ERROR)->code == VX_CODE_PARTY_APART);
    token_joins(2, 77, 2);
    token_joins(3, 77, 2); /* one too many: alone */
    token_joins(4, 77, 3); /* contradicts the others: alone */
    CU_ASSERT_EQUAL(vx_shard_counters(world.shard)->parties_refused, 2);
    (void)find(1, TWOS, 0, 0);
    CU_ASSERT(is(world_last(&world, 1002, VX_RESULT_QUEUE_STATUS), VX_RESULT_QUEUE_STATUS, VX_CODE_OK));
    CU_ASSERT_EQUAL(vx_shard_counters(world.shard)->players_searching, 2);
    (void)find(0, DUEL, 0, 1500); /* what the first slot does is nothing to a party that is only beginning */
    token_joins(7, 78, 2);
    CU_ASSERT_EQUAL(vx_shard_counters(world.shard)->parties_refused, 2);
    CU_ASSERT_EQUAL(vx_shard_counters(world.shard)->parties_live, 2);
    world_close(&world);
}

static void joins_with(uint32_t player, uint8_t language, uint16_t platforms, uint16_t latency_ms)
{
    world.connections[player] = ++world.connection;
    struct vx_event event = { .kind = VX_EVENT_JOIN, .arg8 = VX_JOIN_NEW, .session = player | world.connections[player] << 16, .player = player, .slot = player,
                              .number = world.connection, .a = 1600 };
    const struct vx_join_traits traits = { .attributes = { language }, .sets = { platforms } };
    const struct vx_join_profile profile = { .latency_ms = { 0, latency_ms } };
    memcpy(&event.received_cycles, &traits, sizeof(traits));
    memcpy(event.out, &profile, sizeof(profile));
    world_step(&world, &event, 1);
    (void)find(player, DUEL, 0, 0);
}

/* What a token says of language, platforms and latency decides who meets. */
static void test_traits_of_tokens(void)
{
    open_world();
    world_close(&world);
    modes[DUEL].mode.equal_ms[0] = VX_MATCH_ALWAYS;
    modes[DUEL].mode.common[0] = 1;
    modes[DUEL].mode.latency_ms[0] = modes[DUEL].mode.latency_ms[1] = 80;
    world_open_modes(&world, 1, 10000, modes, MODES);
    world_wait(&world, 200, true, true);
    joins_with(1, 7, 1, 20);
    joins_with(2, 8, 1, 20); /* another language */
    joins_with(3, 7, 2, 20); /* no platform in common */
    joins_with(4, 7, 1, 81); /* too far */
    CU_ASSERT_EQUAL(world_last(&world, 4, VX_RESULT_ERROR)->code, VX_CODE_NO_REGION);
    world_wait(&world, 3000, true, true);
    CU_ASSERT_EQUAL(proposal_of(1), 0);
    joins_with(5, 7, 0, 30); /* any platform */
    world_wait(&world, 1500, true, true);
    CU_ASSERT(proposal_of(5) != 0 && (proposal_of(5) == proposal_of(1) || proposal_of(5) == proposal_of(3)));
    world_close(&world);
    memset(modes, 0, sizeof(modes));
}

static void test_mode_changes_live(void)
{
    open_world();
    (void)find(1, DUEL, 0, 1500);
    (void)find(2, DUEL, 0, 2800);
    world_wait(&world, 1000, true, true);
    CU_ASSERT_EQUAL(proposal_of(1), 0);
    struct vx_mode wide = modes[DUEL].mode;
    wide.window_points = 2000;
    uint32_t words[VX_MODE_WORDS + 2] = { 0 };
    memcpy(words, &wide, sizeof(wide));
    for (uint32_t word = 0; word < VX_MODE_WORDS; word += 3) {
        struct vx_event event = { .kind = VX_EVENT_MODE, .number = DUEL, .arg16 = (uint16_t)word, .a = words[word], .b = words[word + 1], .c = words[word + 2] };
        world_step(&world, &event, 1);
    }
    world_wait(&world, 1000, true, true);
    CU_ASSERT_EQUAL(proposal_of(1), 0); /* not before all has come */
    struct vx_event end = { .kind = VX_EVENT_MODE, .number = DUEL, .arg8 = 1 };
    world_step(&world, &end, 1);
    world_wait(&world, 1000, true, true);
    CU_ASSERT(proposal_of(1) != 0 && proposal_of(1) == proposal_of(2));
    world_close(&world);
}

/* The formulas' answers are the world's: a gain of 2, and always the second team. */
static uint32_t change_of(bool rating_formula, bool score_formula, uint8_t code_of_who_stays, bool answers)
{
    open_world();
    world_close(&world);
    modes[DUEL].mode.rating_formula = rating_formula;
    modes[DUEL].mode.score_formula = score_formula;
    modes[DUEL].mode.rating = VX_MODE_ELO;
    world_open_modes(&world, 1, 10000, modes, MODES);
    world_wait(&world, 200, true, true);
    (void)find(1, DUEL, 0, 1500);
    (void)find(2, DUEL, 0, 1500);
    world_wait(&world, 100, true, true);
    uint32_t match = proposal_of(1);
    CU_ASSERT_FATAL(match != 0 && proposal_of(2) == match);
    (void)act(1, VX_ACTION_ACCEPT, match);
    (void)act(2, VX_ACTION_ACCEPT, match);
    struct vx_match_view view = look(match);
    uint32_t first = view.seats[0].player, second = view.seats[1].player;
    (void)act(second, VX_ACTION_LEAVE, 0); /* by the rules the first wins */
    world_wait(&world, 1000, answers, true);
    const struct vx_reply *ended = world_last(&world, first, VX_RESULT_HUNT_ENDED);
    CU_ASSERT_FATAL(ended != NULL);
    CU_ASSERT_EQUAL(ended->code, code_of_who_stays);
    world_close(&world);
    modes[DUEL].mode.rating_formula = modes[DUEL].mode.score_formula = 0;
    return ended->c > ended->b ? ended->c - ended->b : ended->b - ended->c;
}

static void test_formulas_say_gain_and_winner(void)
{
    CU_ASSERT_EQUAL(change_of(false, false, VX_CODE_OK, true), 12);
    CU_ASSERT_EQUAL(change_of(true, false, VX_CODE_OK, true), 24);
    CU_ASSERT_EQUAL(change_of(false, true, VX_CODE_LOST, true), 12);
    CU_ASSERT_EQUAL(change_of(false, true, VX_CODE_OK, false), 12); /* no answer in time: the rules */
    memset(modes, 0, sizeof(modes));
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "parties by token", test_parties_by_token },
        { "formulas say gain and winner", test_formulas_say_gain_and_winner },
        { "traits of tokens", test_traits_of_tokens },
        { "a mode changes live", test_mode_changes_live },
    };
    return vx_test_main("shard: modes", tests, sizeof(tests) / sizeof(tests[0]));
}
