/* The judge of canaries: each figure breaches alone, differences within the limits do not, and few events say nothing. */
#include <string.h>

#include "vx_canary.h"
#include "vx_test.h"

static const struct vx_canary_limits limits = { .batch_times = 3, .timed_out = 0.001, .hunt = 0.30, .loot = 0.25, .favourites = 0.15, .events = 200, .jobs = 1000 };

static struct vx_canary_side others(void)
{
    return (struct vx_canary_side){ .shards = 37, .hunts_ended = 40000, .hunt_ms = 40000 * 30000ull, .loot_amount = 300000, .jobs_answered = 500000, .jobs_timed_out = 5,
                                    .favourites = { 9000, 9000, 9000 }, .favourite_halves = { 10800, 10800, 10800 }, .batch_us_p50 = 1.5, .batches = 50000 };
}

/* A tenth of it, and the same in every figure. */
static struct vx_canary_side canary(void)
{
    return (struct vx_canary_side){ .shards = 3, .hunts_ended = 4000, .hunt_ms = 4000 * 30000ull, .loot_amount = 30000, .jobs_answered = 50000, .jobs_timed_out = 1,
                                    .favourites = { 900, 900, 900 }, .favourite_halves = { 1080, 1080, 1080 }, .batch_us_p50 = 1.6, .batches = 5000 };
}

static void judged(struct vx_canary_side one, int breached_figure)
{
    struct vx_canary_side rest = others();
    struct vx_canary_verdict verdict;
    vx_canary_judge(&limits, &one, &rest, &verdict);
    CU_ASSERT_EQUAL(verdict.breached, breached_figure >= 0);
    for (int i = 0; i < VX_CANARY_FIGURE_COUNT; i++)
        CU_ASSERT_EQUAL(verdict.rows[i].breached, i == breached_figure);
    if (breached_figure >= 0)
        CU_ASSERT(strstr(verdict.sentence, vx_canary_figure_name((enum vx_canary_figure)breached_figure)) != NULL);
}

static void the_same_is_left_alone(void)
{
    judged(canary(), -1);
}

static void each_figure_breaches_alone(void)
{
    struct vx_canary_side side = canary();
    side.loot_amount *= 2;
    judged(side, VX_CANARY_LOOT_PER_HOUR);
    side = canary();
    side.hunt_ms = side.hunt_ms * 14 / 10;
    side.loot_amount = side.loot_amount * 14 / 10;
    judged(side, VX_CANARY_HUNT_S);
    side = canary();
    side.jobs_timed_out = 500;
    judged(side, VX_CANARY_TIMED_OUT);
    side = canary();
    side.batch_us_p50 = 60;
    judged(side, VX_CANARY_BATCH_US_P50);
    for (unsigned band = 0; band < 3; band++) {
        side = canary();
        side.favourite_halves[band] = 1500;
        judged(side, VX_CANARY_FAVOURITES_LOW + (int)band);
    }
}

static void small_differences_are_noise(void)
{
    struct vx_canary_side side = canary();
    side.loot_amount = side.loot_amount * 115 / 100;
    side.favourite_halves[1] = 1200;
    side.batch_us_p50 = 19; /* much slower, and still fast */
    judged(side, -1);
}

static void few_events_say_nothing(void)
{
    struct vx_canary_side side = canary(), rest = others();
    struct vx_canary_verdict verdict;
    side.hunts_ended = 20;
    side.loot_amount = 100000;
    side.batches = side.jobs_answered = 0;
    memset(side.favourites, 0, sizeof(side.favourites));
    vx_canary_judge(&limits, &side, &rest, &verdict);
    CU_ASSERT(!verdict.breached && verdict.judged == 0);
    vx_canary_judge(&limits, &(struct vx_canary_side){ 0 }, &(struct vx_canary_side){ 0 }, &verdict); /* nothing at all: no division */
    CU_ASSERT(!verdict.breached && verdict.judged == 0);
}

/* Each limit decides about its own figures, and about no other. */
static void limits_are_what_is_held_against(void)
{
    struct vx_canary_side side = canary(), rest = others();
    struct vx_canary_limits wide = limits;
    struct vx_canary_verdict verdict;
    side.loot_amount *= 2;
    wide.loot = 1.5;
    vx_canary_judge(&wide, &side, &rest, &verdict);
    CU_ASSERT(!verdict.breached && verdict.judged == VX_CANARY_FIGURE_COUNT);
    wide.events = 5000; /* more than the canary's hunts, as many as its batches */
    vx_canary_judge(&wide, &side, &rest, &verdict);
    CU_ASSERT(!verdict.breached && verdict.judged == 2 && verdict.rows[VX_CANARY_BATCH_US_P50].judged && verdict.rows[VX_CANARY_TIMED_OUT].judged);
    struct vx_canary_limits narrow = limits;
    side = canary();
    side.loot_amount = side.loot_amount * 110 / 100;
    narrow.loot = 0.05;
    vx_canary_judge(&narrow, &side, &rest, &verdict);
    CU_ASSERT(verdict.breached && verdict.rows[VX_CANARY_LOOT_PER_HOUR].breached && !verdict.rows[VX_CANARY_HUNT_S].breached);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "the same is left alone", the_same_is_left_alone },
        { "each figure breaches alone", each_figure_breaches_alone },
        { "small differences are noise", small_differences_are_noise },
        { "few events say nothing", few_events_say_nothing },
        { "limits are what is held against", limits_are_what_is_held_against },
    };
    return vx_test_main("canary", tests, sizeof(tests) / sizeof(tests[0]));
}
