/* What is impossible is refused, with a reason: modes that contradict themselves, tickets that no match could hold. */
#include <errno.h>
#include <string.h>

#include "stage.h"
#include "vx_test.h"

static struct stage stage;

static struct vx_match_mode tank_and_healer(void)
{
    struct vx_match_mode mode = stage_mode(2, 3);
    mode.role_count = 2;
    mode.roles[0] = (struct vx_match_role){ 1, 1 };
    mode.roles[1] = (struct vx_match_role){ 2, 1 };
    return mode;
}

static void attributed(uint32_t slot, uint32_t attribute, uint8_t value)
{
    struct vx_ticket ticket = stage_ticket(&stage, slot, 1500);
    ticket.attributes[attribute] = value;
    CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_TAKEN);
}

static void impossible_modes(void)
{
    struct vx_error error;
    struct vx_match_mode good = tank_and_healer(), mode;
#define REFUSED(change, says) \
    mode = good;              \
    change;                   \
    CU_ASSERT(vx_match_mode_check(&mode, &error) == -EINVAL && strstr(error.text, says) != NULL && strstr(error.text, "expected") != NULL)
    CU_ASSERT_EQUAL(vx_match_mode_check(&good, &error), 0);
    REFUSED(mode.teams_min = 1, "teams_min 1");
    REFUSED(mode.teams_max = 1, "teams_max 1");
    REFUSED(mode.size_min = 0, "size_min 0");
    REFUSED(mode.size_max = 2, "size_max 2");
    REFUSED(mode.teams_max = 22, "22 teams of 3");
    REFUSED(mode.teams_multiple = 0, "teams_multiple 0");
    REFUSED((mode.teams_max = 5, mode.teams_multiple = 2), "teams_multiple 2");
    REFUSED((mode.size_max = 5, mode.size_multiple = 4), "size_multiple 4");
    REFUSED(mode.roles[0].count = 3, "roles need 4");
    REFUSED(mode.roles[0].count = 0, "role 1 is 0x1, 0 of it");
    REFUSED(mode.roles[1].role = 3, "one bit");
    REFUSED(mode.roles[1].role = 1, "no other role");
    REFUSED(mode.role_count = 4, "4 different roles");
    REFUSED(mode.step_ms = 0, "step_ms 0");
    REFUSED(mode.region_count = 9, "9 regions");
    REFUSED(mode.window.at[31] = 4096, "window 4096");
    REFUSED(mode.window.at[7] = 99, "row 7");
    REFUSED(mode.latency_more.at[3] = 9, "row 4");
    REFUSED((mode.equal_ms[0] = 5, mode.equal_ms[2] = 6), "2 attributes");
    REFUSED(memset(mode.name, 'x', sizeof(mode.name)), "name");
    REFUSED(mode.name[0] = '\0', "name");
}

static void impossible_tickets(void)
{
    const struct vx_match_mode mode = stage_mode(2, 2);
    stage_open(&stage, &mode, 1);
    struct vx_ticket good = stage_ticket(&stage, 7, 1500), ticket;
#define TICKET_REFUSED(change, refusal) \
    ticket = good;                      \
    change;                             \
    CU_ASSERT_EQUAL(vx_match_add(stage.match, &ticket, stage.now_ms), refusal)
    TICKET_REFUSED(ticket.modes = 0, VX_MATCH_NO_MODE);
    TICKET_REFUSED(ticket.modes = 2, VX_MATCH_NO_MODE);
    TICKET_REFUSED(ticket.rating = 4096, VX_MATCH_RATING);
    TICKET_REFUSED(ticket.size = 0, VX_MATCH_PARTY_TOO_LARGE);
    TICKET_REFUSED(ticket.size = 9, VX_MATCH_PARTY_TOO_LARGE);
    TICKET_REFUSED((ticket.size = 3, ticket.members[1] = 8, ticket.members[2] = 9), VX_MATCH_PARTY_TOO_LARGE);
    TICKET_REFUSED(ticket.members[0] = STAGE_SLOTS, VX_MATCH_MEMBER);
    TICKET_REFUSED((ticket.size = 2, ticket.members[1] = 7), VX_MATCH_MEMBER);
    CU_ASSERT_EQUAL(vx_match_waiting(stage.match), 0);
    stage_close(&stage);
}

static void too_many_combinations(void)
{
    struct vx_match_mode mode = stage_mode(2, 1);
    mode.equal_ms[0] = VX_MATCH_ALWAYS;
    stage_open(&stage, &mode, 1);
    for (uint32_t slot = 0; slot < 16; slot++)
        attributed(slot, 0, (uint8_t)slot);
    (void)stage_settle(&stage);
    struct vx_ticket ticket = stage_ticket(&stage, 16, 1500);
    ticket.attributes[0] = 16;
    CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_FULL);
    vx_match_remove(stage.match, 3); /* an empty combination makes room */
    (void)stage_settle(&stage);
    CU_ASSERT_EQUAL(stage_add(&stage, &ticket), VX_MATCH_TAKEN);
    attributed(20, 0, 5);
    CU_ASSERT_EQUAL(stage_settle(&stage), 1);
    stage_close(&stage);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "impossible modes", impossible_modes },
        { "impossible tickets", impossible_tickets },
        { "too many combinations", too_many_combinations },
    };
    return vx_test_main("match: refusals", tests, sizeof(tests) / sizeof(tests[0]));
}
