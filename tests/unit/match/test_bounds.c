/* What does not depend on who arrives: how much memory and how much work the index may take. */
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

int main(void)
{
    static const struct vx_test tests[] = {
        { "leaving in any order", leaving_in_any_order },
        { "members of tickets", members_of_tickets },
    };
    return vx_test_main("match: bounds", tests, sizeof(tests) / sizeof(tests[0]));
}
