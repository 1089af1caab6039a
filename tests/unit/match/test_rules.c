/* One test a rule: what breaks it alone is not matched, the same without the break is, and where the rule
 * widens with waiting it is matched then and not before. */
#include <string.h>

#include "stage.h"
#include "vx_test.h"

enum { ANNA,
       BERT,
       CARL,
       DORA,
       EMIL };
static struct stage stage;

static void open_duel(void)
{
    const struct vx_match_mode mode = stage_mode(2, 1);
    stage_open(&stage, &mode, 1);
}

/* ---- ratings ---- */
static void distance_of_ratings(void)
{
    open_duel();
    stage_single(&stage, ANNA, 1500);
    stage_single(&stage, BERT, 1601);
    CU_ASSERT_EQUAL(stage_settle(&stage), 0);
    stage_single(&stage, CARL, 1600);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1);
    CU_ASSERT(stage.found[0].ticket[0] == CARL && stage.found[0].ticket[1] == BERT); /* the nearest of the two that Carl could have */
    stage_close(&stage);
}

static void windows_of_both(void)
{
    struct vx_match_mode mode = stage_mode(2, 1);
    mode.window.at[0] = 10;
    stage_open(&stage, &mode, 1);
    stage_single(&stage, ANNA, 1500);
    CU_ASSERT_EQUAL(stage_wait(&stage, 1500), 0); /* Anna would take 100 by now, Bert only 10 */
    stage_single(&stage, BERT, 1550);
    CU_ASSERT_EQUAL(stage_settle(&stage), 0);
    CU_ASSERT_EQUAL(stage_wait(&stage, 999), 0);
    CU_ASSERT_EQUAL(stage_wait(&stage, 1000), 1); /* noticed within one row of time */
    stage_close(&stage);
}

static void window_of_every_member(void)
{
    struct vx_match_mode mode = stage_mode(2, 2);
    mode.window.at[0] = 40;
    stage_open(&stage, &mode, 1);
    for (uint32_t i = 0; i < 3; i++)
        stage_single(&stage, i, 1500 + 30 * i);
    (void)stage_wait(&stage, 2000);
    stage_single(&stage, 3, 1520);
    CU_ASSERT_EQUAL(stage_settle(&stage), 0); /* 1500 to 1560 is more than the newcomer's 40 */
    CU_ASSERT_EQUAL(stage_wait(&stage, 1000), 1);
    stage_close(&stage);
}

static void distance_of_means(void)
{
    struct vx_match_mode mode = stage_mode(2, 2);
    for (uint32_t row = 0; row < VX_MATCH_ROWS; row++)
        mode.means.at[row] = row < 3 ? 20 : 50;
    stage_open(&stage, &mode, 1);
    stage_party(&stage, 0, 1500, 2);
    stage_party(&stage, 2, 1521, 2);
    CU_ASSERT_EQUAL(stage_settle(&stage), 0);
    CU_ASSERT_EQUAL(stage_wait(&stage, 2999), 0);
    CU_ASSERT_EQUAL(stage_wait(&stage, 1), 1);
    stage_close(&stage);
}

static void means_of_single_players(void)
{
    struct vx_match_mode mode = stage_mode(2, 1);
    for (uint32_t row = 0; row < VX_MATCH_ROWS; row++)
        mode.means.at[row] = 20;
    stage_open(&stage, &mode, 1);
    stage_single(&stage, ANNA, 1500);
    stage_single(&stage, BERT, 1521);
    CU_ASSERT_EQUAL(stage_settle(&stage), 0);
    stage_single(&stage, CARL, 1520);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1);
    stage_close(&stage);
}

static void teams_are_balanced(void)
{
    const struct vx_match_mode mode = stage_mode(2, 3);
    static const uint16_t ratings[] = { 1500, 1510, 1530, 1560, 1580, 1590 };
    stage_open(&stage, &mode, 1);
    for (uint32_t i = 0; i < 6; i++)
        stage_single(&stage, i, ratings[i]);
    CU_ASSERT_EQUAL_FATAL(stage_settle(&stage), 1);
    CU_ASSERT(stage.found[0].means <= 3 && stage.found[0].spread == 90); /* 4670 and 4600 as they came, then 4635 each but for a third of ten */
    stage_close(&stage);
}

/* ---- shapes ---- */
static void every_shape(void)
{
    static const uint8_t shapes[][2] = { { 2, 1 }, { 2, 2 }, { 2, 3 }, { 2, 4 }, { 2, 5 }, { 3, 3 }, { 4, 4 }, { 8, 1 }, { 64, 1 }, { 2, 32 } };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const struct vx_match_mode mode = stage_mode(shapes[i][0], shapes[i][1]);
        uint32_t players = shapes[i][0] * shapes[i][1];
        stage_open(&stage, &mode, 1);
        for (uint32_t slot = 0; slot + 1 < players; slot++)
            stage_single(&stage, slot, 1500);
        CU_ASSERT_EQUAL(stage_settle(&stage), 0);
        stage_single(&stage, players - 1, 1500);
        CU_ASSERT_EQUAL(stage_settle(&stage), 1);
        CU_ASSERT(stage.found[0].teams == shapes[i][0] && stage.found[0].size == shapes[i][1] && vx_match_waiting(stage.match) == 0);
        stage_close(&stage);
    }
}

static void smaller_after_a_while(void)
{
    struct vx_match_mode mode = stage_mode(2, 1);
    mode.teams_min = 8;
    mode.teams_max = 64;
    mode.teams_multiple = 4;
    mode.full_ms = 5000;
    stage_open(&stage, &mode, 1);
    for (uint32_t slot = 0; slot < 23; slot++)
        stage_single(&stage, slot, 1500 + slot);
    CU_ASSERT_EQUAL(stage_wait(&stage, 4999), 0);
    CU_ASSERT_EQUAL(stage_wait(&stage, 1), 1);
    CU_ASSERT(stage.found[0].teams == 20);        /* 8, 12, 16, 20, … */
    CU_ASSERT_EQUAL(stage_wait(&stage, 5000), 0); /* three are fewer than eight */
    stage_close(&stage);
    mode = stage_mode(2, 5);
    mode.size_min = 3;
    mode.full_ms = 5000;
    stage_open(&stage, &mode, 1);
    for (uint32_t slot = 0; slot < 9; slot++)
        stage_single(&stage, slot, 1500 + slot);
    CU_ASSERT_EQUAL(stage_wait(&stage, 4999), 0);
    CU_ASSERT_EQUAL(stage_wait(&stage, 1), 1);
    CU_ASSERT(stage.found[0].size == 4 && vx_match_waiting(stage.match) == 1);
    stage_close(&stage);
}

/* ---- roles and parties ---- */
static void single_with_roles(uint32_t slot, uint32_t rating, uint16_t roles)
{
    vx_match_person(stage.match, slot)->roles = roles;
    stage_single(&stage, slot, rating);
}

static struct vx_match_mode tank_and_healer(void)
{
    struct vx_match_mode mode = stage_mode(2, 3);
    mode.role_count = 2;
    mode.roles[0] = (struct vx_match_role){ 1, 1 };
    mode.roles[1] = (struct vx_match_role){ 2, 1 };
    return mode;
}

static void roles_of_each_team(void)
{
    const struct vx_match_mode mode = tank_and_healer();
    stage_open(&stage, &mode, 1);
    for (uint32_t slot = 0; slot < 4; slot++)
        single_with_roles(slot, 1500, 4);
    single_with_roles(4, 1500, 1);
    single_with_roles(5, 1500, 2);
    CU_ASSERT_EQUAL(stage_settle(&stage), 0); /* six players, one tank and one healer */
    single_with_roles(6, 1500, 1);
    CU_ASSERT_EQUAL(stage_settle(&stage), 0);
    single_with_roles(7, 1500, 2);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1);
    CU_ASSERT_EQUAL(vx_match_waiting(stage.match), 2); /* two who take neither */
    stage_close(&stage);
}

static void one_player_takes_one_role(void)
{
    const struct vx_match_mode mode = tank_and_healer();
    stage_open(&stage, &mode, 1);
    for (uint32_t slot = 0; slot < 4; slot++)
        single_with_roles(slot, 1500, 4);
    for (uint32_t slot = 4; slot < 6; slot++)
        single_with_roles(slot, 1500, 3); /* either, but not both at once */
    CU_ASSERT_EQUAL(stage_settle(&stage), 0);
    for (uint32_t slot = 6; slot < 8; slot++)
        single_with_roles(slot, 1500, 3);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1);
    stage_close(&stage);
}

static void parties_stay_together(void)
{
    const struct vx_match_mode mode = stage_mode(2, 3);
    stage_open(&stage, &mode, 1);
    stage_party(&stage, 0, 1500, 2);
    stage_party(&stage, 2, 1500, 2);
    stage_party(&stage, 4, 1500, 2);
    CU_ASSERT_EQUAL(stage_settle(&stage), 0); /* six players, but no way to have three and three */
    stage_single(&stage, 6, 1500);
    stage_single(&stage, 7, 1500);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1);
    CU_ASSERT_EQUAL(vx_match_waiting(stage.match), 1);
    stage_party(&stage, 10, 1500, 3);
    stage_single(&stage, 8, 1500);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1);
    stage_close(&stage);
}

static void roles_within_a_party(void)
{
    const struct vx_match_mode mode = tank_and_healer();
    stage_open(&stage, &mode, 1);
    for (uint32_t slot = 0; slot < 3; slot++)
        vx_match_person(stage.match, slot)->roles = slot == 0 ? 1 : slot == 1 ? 2
                                                                              : 4;
    stage_party(&stage, 0, 1500, 3);
    vx_match_person(stage.match, 3)->roles = vx_match_person(stage.match, 4)->roles = 4;
    struct vx_ticket party = stage_ticket(&stage, 3, 1500);
    party.size = 2;
    party.members[1] = 4;
    CU_ASSERT_EQUAL(stage_add(&stage, &party), VX_MATCH_ROLES); /* no room for a tank and a healer beside them */
    vx_match_person(stage.match, 4)->roles = 2;
    CU_ASSERT_EQUAL(stage_add(&stage, &party), VX_MATCH_TAKEN);
    single_with_roles(5, 1500, 4);
    CU_ASSERT_EQUAL(stage_settle(&stage), 0);
    single_with_roles(6, 1500, 1);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1);
    CU_ASSERT(vx_match_has(stage.match, 5));
    stage_close(&stage);
}

/* ---- latency ---- */
static void latency_to_one_region(void)
{
    struct vx_match_mode mode = stage_mode(2, 1);
    mode.region_count = 2;
    mode.latency_ms[0] = mode.latency_ms[1] = 50;
    for (uint32_t row = 5; row < VX_MATCH_ROWS; row++)
        mode.latency_more.at[row] = 30;
    stage_open(&stage, &mode, 1);
    static const uint16_t latencies[3][2] = { { 40, 90 }, { 70, 30 }, { 80, 50 } };
    for (uint32_t slot = 0; slot < 2; slot++) {
        struct vx_ticket ticket = stage_ticket(&stage, slot, 1500);
        memcpy(ticket.latency_ms, latencies[slot], sizeof(latencies[slot]));
        CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_TAKEN);
    }
    CU_ASSERT_EQUAL(stage_wait(&stage, 4999), 0); /* no region that both reach */
    struct vx_ticket third = stage_ticket(&stage, 2, 1550);
    memcpy(third.latency_ms, latencies[2], sizeof(latencies[2]));
    CU_ASSERT_EQUAL(stage_add(&stage, &third), VX_MATCH_TAKEN);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1);
    CU_ASSERT(stage.found[0].region == 1 && vx_match_has(stage.match, 0));
    struct vx_ticket fourth = stage_ticket(&stage, 3, 1500);
    memcpy(fourth.latency_ms, latencies[1], sizeof(latencies[1]));
    fourth.since_ms -= 5000;
    CU_ASSERT_EQUAL(stage_add(&stage, &fourth), VX_MATCH_TAKEN);
    CU_ASSERT_EQUAL(stage_wait(&stage, 1), 1); /* by now both would go as far as 80 */
    CU_ASSERT(stage.found[0].region == 0);
    stage_close(&stage);
}

static void out_of_reach(void)
{
    struct vx_match_mode mode = stage_mode(2, 1);
    mode.region_count = 1;
    mode.latency_ms[0] = 50;
    stage_open(&stage, &mode, 1);
    struct vx_ticket ticket = stage_ticket(&stage, 0, 1500);
    ticket.latency_ms[0] = 51;
    CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_REGION);
    ticket.latency_ms[0] = VX_MATCH_UNREACHABLE;
    CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_REGION);
    ticket.latency_ms[0] = 50;
    CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_TAKEN);
    stage_close(&stage);
}

/* ---- attributes ---- */
static void attributed(uint32_t slot, uint32_t attribute, uint8_t value)
{
    struct vx_ticket ticket = stage_ticket(&stage, slot, 1500);
    ticket.attributes[attribute] = value;
    CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_TAKEN);
}

static void attribute_always_equal(void)
{
    struct vx_match_mode mode = stage_mode(2, 1);
    mode.equal_ms[1] = VX_MATCH_ALWAYS;
    stage_open(&stage, &mode, 1);
    attributed(0, 1, 1);
    attributed(1, 1, 2);
    CU_ASSERT_EQUAL(stage_wait(&stage, 1000000), 0);
    attributed(2, 1, 2);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1);
    CU_ASSERT(vx_match_has(stage.match, 0));
    attributed(3, 0, 9); /* another attribute is not looked at, but this one is: 0 and 1 */
    CU_ASSERT_EQUAL(stage_settle(&stage), 0);
    stage_close(&stage);
}

static void attribute_given_up(void)
{
    struct vx_match_mode mode = stage_mode(2, 1);
    mode.equal_ms[0] = 8000;
    stage_open(&stage, &mode, 1);
    attributed(0, 0, 1);
    CU_ASSERT_EQUAL(stage_wait(&stage, 2000), 0);
    attributed(1, 0, 2);
    CU_ASSERT_EQUAL(stage_wait(&stage, 7999), 0); /* the first has waited long enough, the second not */
    CU_ASSERT_EQUAL(stage_wait(&stage, 1000), 1);
    stage_close(&stage);
}

static void sets_have_something_in_common(void)
{
    struct vx_match_mode mode = stage_mode(3, 1);
    mode.common[1] = true;
    stage_open(&stage, &mode, 1);
    static const uint16_t sets[] = { 3, 6, 5, 2 }; /* each two of the first three have something in common, all three nothing */
    for (uint32_t slot = 0; slot < 3; slot++) {
        struct vx_ticket ticket = stage_ticket(&stage, slot, 1500);
        ticket.sets[1] = sets[slot];
        CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_TAKEN);
    }
    CU_ASSERT_EQUAL(stage_settle(&stage), 0);
    struct vx_ticket ticket = stage_ticket(&stage, 3, 1500);
    ticket.sets[1] = sets[3];
    CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_TAKEN);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1);
    CU_ASSERT(vx_match_has(stage.match, 2));
    stage_close(&stage);
    mode = stage_mode(2, 1);
    mode.common[0] = true;
    stage_open(&stage, &mode, 1);
    for (uint32_t slot = 0; slot < 2; slot++) {
        ticket = stage_ticket(&stage, slot, 1500);
        ticket.sets[0] = (uint16_t)(1u << slot);
        CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_TAKEN);
    }
    CU_ASSERT_EQUAL(stage_settle(&stage), 0);
    stage_close(&stage);
}

/* ---- acquaintance ---- */
static void blocked(void)
{
    for (uint32_t who = 0; who < 2; who++) { /* by one, by the other */
        open_duel();
        struct vx_match_person *person = vx_match_person(stage.match, who);
        person->blocked_count = 1;
        person->blocked[0] = 1 - who;
        stage_single(&stage, ANNA, 1500);
        stage_single(&stage, BERT, 1500);
        CU_ASSERT_EQUAL(stage_wait(&stage, 1000000), 0);
        stage_single(&stage, CARL, 1520);
        CU_ASSERT_EQUAL(stage_settle(&stage), 1);
        stage_close(&stage);
    }
}

static void blocked_within_a_team(void)
{
    const struct vx_match_mode mode = stage_mode(2, 2);
    stage_open(&stage, &mode, 1);
    vx_match_person(stage.match, 5)->blocked_count = 1; /* the second member of a party blocks a single player */
    vx_match_person(stage.match, 5)->blocked[0] = 0;
    stage_single(&stage, 0, 1500);
    stage_single(&stage, 1, 1500);
    stage_party(&stage, 4, 1500, 2);
    CU_ASSERT_EQUAL(stage_settle(&stage), 0);
    stage_single(&stage, 2, 1500);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1);
    CU_ASSERT(vx_match_has(stage.match, 0));
    stage_close(&stage);
}

static void rematch(void)
{
    struct vx_match_mode mode = stage_mode(2, 1);
    mode.rematch_ms = 5000;
    stage_open(&stage, &mode, 1);
    vx_match_person(stage.match, ANNA)->met_count = 1;
    vx_match_person(stage.match, ANNA)->met[0] = BERT;
    stage_single(&stage, ANNA, 1500);
    CU_ASSERT_EQUAL(stage_wait(&stage, 1000), 0);
    stage_single(&stage, BERT, 1500);
    CU_ASSERT_EQUAL(stage_wait(&stage, 4999), 0); /* both must have waited */
    CU_ASSERT_EQUAL(stage_wait(&stage, 1001), 1);
    stage_close(&stage);
    mode.rematch_ms = 0;
    stage_open(&stage, &mode, 1);
    vx_match_person(stage.match, ANNA)->met_count = 1;
    vx_match_person(stage.match, ANNA)->met[0] = BERT;
    stage_single(&stage, ANNA, 1500);
    stage_single(&stage, BERT, 1500);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1);
    stage_close(&stage);
}

/* ---- modes ---- */
static void several_modes_in_one_ticket(void)
{
    struct vx_match_mode modes[2] = { stage_mode(2, 1), stage_mode(2, 2) };
    stage_open(&stage, modes, 2);
    for (uint32_t slot = 0; slot < 3; slot++) {
        struct vx_ticket ticket = stage_ticket(&stage, slot, 1500 + 101 * slot); /* too far apart for a duel */
        ticket.modes = slot == 2 ? 1 : 3;
        CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_TAKEN);
    }
    CU_ASSERT_EQUAL(stage_settle(&stage), 0);
    struct vx_ticket ticket = stage_ticket(&stage, 3, 1600);
    ticket.modes = 2;
    CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_TAKEN);
    CU_ASSERT_EQUAL(stage_settle(&stage), 0);
    stage_single(&stage, 4, 1590);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1); /* in the first mode, and gone from the second */
    CU_ASSERT(stage.found[0].mode == 0 && vx_match_waiting(stage.match) == 3);
    stage_close(&stage);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "distance of ratings", distance_of_ratings },
        { "windows of both", windows_of_both },
        { "window of every member", window_of_every_member },
        { "distance of means", distance_of_means },
        { "means of single players", means_of_single_players },
        { "teams are balanced", teams_are_balanced },
        { "every shape", every_shape },
        { "smaller after a while", smaller_after_a_while },
        { "roles of each team", roles_of_each_team },
        { "one player takes one role", one_player_takes_one_role },
        { "parties stay together", parties_stay_together },
        { "roles within a party", roles_within_a_party },
        { "latency to one region", latency_to_one_region },
        { "out of reach", out_of_reach },
        { "an attribute always equal", attribute_always_equal },
        { "an attribute given up", attribute_given_up },
        { "sets have something in common", sets_have_something_in_common },
        { "blocked", blocked },
        { "blocked within a team", blocked_within_a_team },
        { "rematch", rematch },
        { "several modes in one ticket", several_modes_in_one_ticket },
    };
    return vx_test_main("match: rules", tests, sizeof(tests) / sizeof(tests[0]));
}
