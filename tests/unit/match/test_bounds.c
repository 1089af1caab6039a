/* What does not depend on who arrives: how much memory and how much work the index may take. */
#include <stdio.h>
#include <string.h>

#include "stage.h"
#include "vx_test.h"

static struct stage stage;

/* Who leaves from the middle of long lists leaves chunks behind that nobody fills: vx_match_check holds that they are
 * joined, so that there is room for everybody whatever leaves in whatever order. Who is left is matched in order of arrival. */
static void leaving_in_any_order(void)
{
    struct vx_match_mode mode = stage_mode(2, 1);
    struct vx_rng rng = { 3 };
    mode.common[0] = true;
    stage_open(&stage, &mode, 1);
    for (uint32_t round = 0; round < 40; round++) {
        for (uint32_t slot = 0; slot < STAGE_SLOTS; slot++)
            if (!vx_match_has(stage.match, slot)) {
                struct vx_ticket ticket = stage_ticket(&stage, slot, 1000 + vx_rng_below(&rng, 3));
                ticket.since_ms -= vx_rng_below(&rng, 4) == 0 ? vx_rng_below(&rng, 5000) : 0;
                ticket.first = vx_rng_below(&rng, 50) == 0;
                CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_TAKEN);
            }
        vx_match_check(stage.match);
        for (uint32_t left = round % 4 == 0 ? 0 : 40 * round, slot; vx_match_waiting(stage.match) > left;)
            if (vx_match_has(stage.match, slot = vx_rng_below(&rng, STAGE_SLOTS)))
                vx_match_remove(stage.match, slot);
        vx_match_check(stage.match);
        stage.now_ms += 700;
    }
    stage_close(&stage);
}

static void members_of_tickets(void)
{
    struct vx_match_mode mode = stage_mode(2, 3);
    uint32_t members[VX_MATCH_PARTY_MAX];
    stage_open(&stage, &mode, 1);
    stage_party(&stage, 10, 1000, 3);
    stage_single(&stage, 20, 1000);
    vx_match_expect(stage.match, 30);
    CU_ASSERT(vx_match_members(stage.match, 20, members) == 1 && members[0] == 20);
    CU_ASSERT(vx_match_members(stage.match, 10, members) == 3 && members[0] == 10 && members[1] == 11 && members[2] == 12);
    vx_match_remove(stage.match, 10);
    CU_ASSERT(vx_match_members(stage.match, 10, members) == 3 && members[2] == 12);
    stage_close(&stage);
}

/* ---- a step's work, whoever arrives ---- */
enum { LOOKS = 256,
       STEPS = 400,
       ARRIVALS = 64 };
enum adversary { NOBODY_FITS,
                 ONE_POINT,
                 BLOCKS,
                 REGIONS,
                 NO_HEALERS,
                 LATE,
                 SMALLER,
                 LARGE_TEAMS,
                 MODE_CHANGES };

static struct vx_match_mode adverse_mode(enum adversary adversary)
{
    bool pairs = adversary <= REGIONS;
    struct vx_match_mode mode = pairs ? stage_mode(2, 1) : adversary == SMALLER ? stage_mode(64, 1)
                                                       : adversary == LARGE_TEAMS ? stage_mode(2, 32)
                                                                                  : stage_mode(2, 5);
    for (uint32_t row = 0; row < VX_MATCH_ROWS; row++) {
        mode.window.at[row] = (uint16_t)(row < 4 ? 100 : VX_MATCH_RATING_MAX);
        mode.means.at[row] = pairs ? UINT16_MAX : 1; /* teams are put together and given up again */
    }
    mode.step_ms = 5;
    mode.common[0] = adversary == NOBODY_FITS || adversary == SMALLER || adversary == REGIONS;
    mode.rematch_ms = adversary == BLOCKS ? VX_MATCH_ALWAYS : 0;
    mode.late_ms = adversary == LATE || adversary == SMALLER ? 0 : 600000;
    mode.region_count = adversary == REGIONS ? 4 : 0;
    for (uint32_t i = 0; i < 4; i++)
        mode.latency_ms[i] = 100;
    mode.equal_ms[0] = adversary == REGIONS ? 20 : 0;
    if (adversary == SMALLER)
        mode.teams_min = 2;
    if (adversary == NO_HEALERS || adversary == LATE || adversary == MODE_CHANGES) {
        mode.role_count = 2;
        mode.roles[0] = (struct vx_match_role){ 1, 1 };
        mode.roles[1] = (struct vx_match_role){ 2, 1 };
    }
    return mode;
}

static void adverse_arrival(enum adversary adversary, struct vx_rng *rng)
{
    uint32_t slot = vx_rng_below(rng, STAGE_SLOTS);
    if (vx_match_has(stage.match, slot))
        return;
    struct vx_ticket ticket = { .since_ms = stage.now_ms - vx_rng_below(rng, 40), .modes = 1, .size = 1, .rating = (uint16_t)(adversary == ONE_POINT ? 1500 : 1400 + vx_rng_below(rng, 200)), .members = { slot } };
    struct vx_match_person *person = vx_match_person(stage.match, slot);
    *person = (struct vx_match_person){ .id = slot, .roles = (uint16_t)(adversary == NO_HEALERS ? 1 : vx_rng_below(rng, 40) == 0 ? 2 : vx_rng_below(rng, 2)) };
    ticket.sets[0] = (uint16_t)(1u << vx_rng_below(rng, 16));
    ticket.attributes[0] = (uint8_t)vx_rng_below(rng, 3);
    for (uint32_t i = 0; i < 4; i++)
        ticket.latency_ms[i] = (uint16_t)(50 + vx_rng_below(rng, 100));
    person->blocked_count = adversary == BLOCKS ? VX_MATCH_BLOCKED_MAX : 0;
    for (uint32_t i = 0; i < person->blocked_count; i++)
        person->blocked[i] = vx_rng_below(rng, STAGE_SLOTS);
    enum vx_match_refusal refusal = vx_match_add(stage.match, &ticket, stage.now_ms);
    CU_ASSERT(refusal == VX_MATCH_TAKEN || refusal == VX_MATCH_REGION);
}

static uint32_t looks_most(enum adversary adversary)
{
    struct vx_match_mode mode = adverse_mode(adversary);
    struct vx_rng rng = { 5 };
    uint32_t most = 0;
    stage_open(&stage, &mode, 1);
    for (uint32_t i = 0; i < STAGE_SLOTS; i++)
        adverse_arrival(adversary, &rng);
    for (uint32_t step = 0; step < STEPS; step++) {
        for (uint32_t i = 0; i < ARRIVALS; i++)
            adverse_arrival(adversary, &rng);
        if (adversary == MODE_CHANGES && step % 50 == 49)
            vx_match_mode_set(stage.match, 0, &mode);
        (void)vx_match_step(stage.match, stage.now_ms, LOOKS, stage.found, STAGE_FOUND);
        most = vx_match_looks(stage.match) > most ? vx_match_looks(stage.match) : most;
        stage.now_ms++;
    }
    stage_close(&stage);
    return most;
}

static void no_step_is_longer(void)
{
    for (enum adversary adversary = NOBODY_FITS; adversary <= MODE_CHANGES; adversary++) {
        uint32_t most = looks_most(adversary);
        printf("%u ", most);
        CU_ASSERT(most > 0 && most <= LOOKS + VX_MATCH_LOOKS_OVER);
    }
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "leaving in any order", leaving_in_any_order },
        { "members of tickets", members_of_tickets },
        { "no step is longer, whoever arrives", no_step_is_longer },
    };
    return vx_test_main("match: bounds", tests, sizeof(tests) / sizeof(tests[0]));
}
