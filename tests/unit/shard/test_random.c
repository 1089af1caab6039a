/* Random actions, formulas and ledgers that are late, silent or say things twice: the books balance at
 * every step, no chest goes to two players, and the same seed gives the same outputs, byte for byte. */
#include <stdlib.h>
#include <string.h>

#include "vx_test.h"
#include "world.h"

enum { STEPS = 20000, BURST = 16, CLAIMS = 1 << 18 };
static struct world world;
static struct claim {
    uint32_t match, player;
    uint16_t chest;
    bool used;
} claims[CLAIMS];
static uint32_t doubled, matches[WORLD_PLAYERS], parties[WORLD_PLAYERS];
static uint64_t counter;

static uint32_t below(uint32_t limit)
{
    return (uint32_t)(vx_mix64(++counter) >> 20) % limit;
}

static struct vx_shard_mode modes[4];
static uint32_t mode_count;

/* Duels; three on three with a role and open seats filled; a free-for-all of five that starts without asking; pairs. */
static void modes_make(void)
{
    static const char *const names[] = { "duel", "three", "all", "pairs" };
    mode_count = 4;
    for (uint32_t i = 0; i < mode_count; i++) {
        strcpy(modes[i].name, names[i]);
        vx_mode_default(&modes[i].mode);
        modes[i].mode.window_points = i == 0 ? 0 : 800;
        modes[i].mode.late_ms = 500;
        modes[i].mode.rating = i;
    }
    modes[1].mode.size_min = modes[1].mode.size_max = 3;
    modes[1].mode.roles[0] = 1 << VX_MODE_ROLE_SHIFT | 1;
    modes[1].mode.backfill = 1;
    modes[2].mode.teams_min = 3;
    modes[2].mode.teams_max = 5;
    modes[2].mode.auto_accept = 1;
    modes[2].mode.players_min = 3;
    modes[3].mode.size_min = modes[3].mode.size_max = 2;
    modes[3].mode.rematch_ms = 2000;
}

/* Every fourth player is a client with connections: lost, closed, back again, or somebody else in its slot. */
static void random_connection(void)
{
    uint32_t player = below(WORLD_PLAYERS / 4) * 4;
    uint32_t chosen = below(8);
    if (chosen < 2)
        world_part(&world, player, chosen == 0 ? VX_PART_LOST : VX_PART_CLOSED);
    else if (chosen < 6)
        world_join(&world, player, player, VX_JOIN_RESUME, 0);
    else
        world_join(&world, player, player, VX_JOIN_NEW, 1000 + below(1000));
}

static void watch(struct world *unused, const struct vx_reply *reply)
{
    (void)unused;
    if (reply->type == VX_RESULT_INVITED)
        parties[reply->player] = reply->a;
    if (reply->type == VX_RESULT_PROPOSAL || reply->type == VX_RESULT_HUNT_STARTED)
        matches[reply->player] = reply->a;
    if (reply->type != VX_RESULT_CHEST || reply->code != VX_CODE_OK)
        return;
    uint32_t place = (uint32_t)vx_mix64((uint64_t)reply->a << 16 | reply->arg16) % CLAIMS;
    while (claims[place].used && (claims[place].match != reply->a || claims[place].chest != reply->arg16))
        place = (place + 1) % CLAIMS;
    doubled += claims[place].used && claims[place].player != reply->player;
    claims[place] = (struct claim){ reply->a, reply->player, reply->arg16, true };
}

/* Parties are formed and modes asked for as well. */
static void modes_play(struct vx_event *event)
{
    uint32_t chosen = below(16);
    if (chosen == 0) {
        event->type = VX_ACTION_INVITE;
        event->a = (event->player & ~7u) + below(8);
        event->arg16 = 0;
    } else if (chosen <= 2) {
        event->type = VX_ACTION_JOIN;
        event->a = parties[event->player];
        event->arg16 = (uint16_t)(1 + below(3));
    }
    if (event->type == VX_ACTION_FIND) {
        event->arg8 = (uint8_t)below(mode_count);
        event->a = below(4) == 0 ? below(16) : 0;
        event->arg16 = (uint16_t)below(4);
    }
}

static struct vx_event random_action(void)
{
    static const uint8_t likely[] = { VX_ACTION_FIND, VX_ACTION_ACCEPT, VX_ACTION_SUMMON, VX_ACTION_SUMMON, VX_ACTION_STRIKE, VX_ACTION_MOVE };
    uint32_t player = below(WORLD_PLAYERS);
    uint8_t type = below(4) ? likely[below(sizeof(likely))] : (uint8_t)(1 + below(VX_ACTION_COUNT - 1));
    struct vx_event event = world_action(&world, player, type);
    event.arg16 = (uint16_t)below(WORLD_CHESTS + 1);
    event.arg8 = (uint8_t)below(5);
    event.a = type == VX_ACTION_MOVE ? below(400) - 200 : type == VX_ACTION_ACK ? world.seen[player] : matches[player];
    event.b = type == VX_ACTION_MOVE ? below(400) - 200 : world.connections[player] != 0 ? 0 : 1000 + below(1000);
    if (mode_count > 0)
        modes_play(&event);
    if (below(20) == 0) /* sent again */
        event.number -= below(8) < event.number ? below(8) % event.number : 0;
    return event;
}

/* Most answers come, some twice, some never, in no order. */
static uint32_t random_answers(struct vx_event *events)
{
    uint32_t count = 0;
    for (uint32_t i = below(12); i > 0 && world.job_count > 0; i--) {
        uint32_t chosen = below(world.job_count);
        if (below(50) != 0)
            events[count++] = world_job_done(&world.jobs[chosen]);
        if (below(20) != 0)
            world.jobs[chosen] = world.jobs[--world.job_count];
    }
    for (uint32_t i = below(4); i > 0 && world.grant_count > 0; i--) {
        uint32_t chosen = below(world.grant_count);
        if (below(20) != 0)
            events[count++] = (struct vx_event){ .kind = VX_EVENT_GRANT_DONE, .number = world.grants[chosen].chest };
        if (below(20) != 0)
            world.grants[chosen] = world.grants[--world.grant_count];
    }
    return count;
}

static bool books_balance(void)
{
    const struct vx_shard_counters *c = vx_shard_counters(world.shard);
    return c->actions_in == c->actions_answered + c->actions_refused + c->actions_repeated + c->actions_busy + c->actions_dropped_gone + c->actions_pending;
}

static uint64_t run(uint64_t seed)
{
    uint32_t unbalanced = 0;
    memset(claims, 0, sizeof(claims));
    memset(matches, 0, sizeof(matches));
    memset(parties, 0, sizeof(parties));
    doubled = 0;
    counter = seed << 32;
    if (mode_count > 0)
        world_open_modes(&world, seed, 10000, modes, mode_count);
    else
        world_open(&world, seed, 10000);
    world.watch = watch;
    for (uint32_t i = 0; i < STEPS; i++) {
        struct vx_event events[BURST + 16];
        uint32_t count = random_answers(events);
        for (uint32_t actions = below(BURST); actions > 0; actions--)
            events[count++] = random_action();
        if (below(2) == 0)
            random_connection();
        world.now_us += below(20) == 0 ? 200000 : below(4000);
        world_forget(&world);
        world_step(&world, events, count);
        unbalanced += !books_balance();
        if (i % 500 == 0)
            vx_shard_check(world.shard);
    }
    CU_ASSERT_EQUAL(unbalanced, 0);
    CU_ASSERT_EQUAL(doubled, 0);
    return world.digest;
}

static void everything_ends(void)
{
    for (uint32_t player = 0; player < WORLD_PLAYERS; player += 4)
        world_part(&world, player, VX_PART_LOST);
    world_wait(&world, 400000, true, true);
    const struct vx_shard_counters *c = vx_shard_counters(world.shard);
    CU_ASSERT(c->players_online == 0 && c->hunts_live == 0 && c->jobs_pending == 0 && c->grants_pending == 0 && c->actions_pending == 0);
    CU_ASSERT_EQUAL(c->tickets_in, c->tickets_matched + c->tickets_cancelled + c->tickets_timed_out + c->tickets_gone);
    CU_ASSERT(books_balance());
    world_close(&world);
}

static void test_random(void)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        (void)run(seed);
        const struct vx_shard_counters *c = vx_shard_counters(world.shard);
        CU_ASSERT(c->joins > 1000 && c->joins_resumed > 500 && c->parts > 300 && c->replies_held > 5 && c->actions_dropped_gone > 1000);
        CU_ASSERT(c->matches_started > 50 && c->strikes > 50 && c->moves > 50 && c->chests_claimed > 50); /* the run does play */
        everything_ends();
    }
}

static void test_modes(void)
{
    uint64_t backfilled = 0, returned = 0;
    modes_make();
    for (uint64_t seed = 21; seed <= 24; seed++) {
        (void)run(seed);
        const struct vx_shard_counters *c = vx_shard_counters(world.shard);
        CU_ASSERT(c->party_joins > 50 && c->matches_started > 50 && c->matches_declined > 50 && c->matches_abandoned > 20);
        backfilled += c->backfilled;
        returned += c->players_returned;
        everything_ends();
    }
    CU_ASSERT(backfilled > 0 && returned > 0);
    mode_count = 0;
}

static void test_same_seed_same_outputs(void)
{
    uint64_t first = run(9), again = run(9), other = run(10);
    CU_ASSERT_EQUAL(first, again);
    CU_ASSERT_NOT_EQUAL(first, other);
}

int main(void)
{
    static const struct vx_test tests[] = { { "random events", test_random }, { "random modes and parties", test_modes }, { "same seed, same outputs", test_same_seed_same_outputs } };
    return vx_test_main("shard: random", tests, sizeof(tests) / sizeof(tests[0]));
}
