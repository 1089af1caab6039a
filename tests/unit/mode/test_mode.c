/* mode: numbers become the matchmaker's rules, or a sentence that names the field. */
#include <errno.h>
#include <string.h>

#include "vx_mode.h"
#include "vx_test.h"

static const uint16_t formula[VX_MATCH_ROWS] = { 50, 80, 70, 200, [4 ... VX_MATCH_ROWS - 1] = 400 };
static struct vx_match_mode rules;
static struct vx_error error;

static struct vx_mode five_on_five(void)
{
    struct vx_mode mode;
    vx_mode_default(&mode);
    mode.size_min = mode.size_max = 5;
    mode.window_points = 100;
    return mode;
}

static void the_default_is_a_duel(void)
{
    struct vx_mode mode;
    vx_mode_default(&mode);
    CU_ASSERT_EQUAL_FATAL(vx_mode_rules(&mode, "duel", formula, &rules, &error), 0);
    CU_ASSERT(rules.teams_min == 2 && rules.teams_max == 2 && rules.size_max == 1 && rules.role_count == 0 && rules.region_count == 0);
    CU_ASSERT(vx_mode_asks_formula(&mode) && vx_mode_players(&mode) == 2 && mode.rating == VX_MODE_GLICKO2);
    CU_ASSERT(rules.window.at[0] == 50 && rules.window.at[1] == 80 && rules.window.at[2] == 80 && rules.window.at[3] == 200); /* never narrower */
    CU_ASSERT(rules.means.at[0] == UINT16_MAX);
}

static void limits_widen_with_waiting(void)
{
    struct vx_mode mode = five_on_five();
    mode.window_more_points = 30;
    mode.window_most_points = 150;
    mode.means_points = 20;
    mode.means_more_points = 5;
    mode.latency_ms[0] = 60;
    mode.latency_ms[1] = 80;
    mode.latency_more_ms = 10;
    mode.latency_most_ms = 25;
    CU_ASSERT_EQUAL_FATAL(vx_mode_rules(&mode, "fives", formula, &rules, &error), 0);
    CU_ASSERT(rules.window.at[0] == 100 && rules.window.at[1] == 130 && rules.window.at[2] == 150 && rules.window.at[31] == 150);
    CU_ASSERT(rules.means.at[0] == 20 && rules.means.at[4] == 40);
    CU_ASSERT(rules.region_count == 2 && rules.latency_ms[1] == 80 && rules.latency_more.at[1] == 10 && rules.latency_more.at[9] == 25);
}

static void roles_and_attributes(void)
{
    struct vx_mode mode = five_on_five();
    mode.roles[0] = 3 << VX_MODE_ROLE_SHIFT | 2;
    mode.equal_ms[1] = VX_MATCH_ALWAYS;
    mode.common[0] = 1;
    CU_ASSERT_EQUAL_FATAL(vx_mode_rules(&mode, "fives", formula, &rules, &error), 0);
    CU_ASSERT(rules.role_count == 1 && rules.roles[0].role == 8 && rules.roles[0].count == 2);
    CU_ASSERT(rules.equal_ms[0] == 0 && rules.equal_ms[1] == VX_MATCH_ALWAYS && rules.common[0] && !rules.common[1]);
}

static void refused(const struct vx_mode *mode, const char *word)
{
    error.text[0] = '\0';
    CU_ASSERT_EQUAL(vx_mode_rules(mode, "odd", formula, &rules, &error), -EINVAL);
    CU_ASSERT(strstr(error.text, "mode odd") != NULL && strstr(error.text, word) != NULL);
}

static void what_contradicts_itself_is_refused(void)
{
    struct vx_mode mode = five_on_five();
    mode.roles[0] = 0 << VX_MODE_ROLE_SHIFT | 4;
    mode.roles[1] = 1 << VX_MODE_ROLE_SHIFT | 2;
    refused(&mode, "roles need 6 players");
    mode = five_on_five();
    mode.size_min = 6;
    refused(&mode, "size_min 6");
    mode = five_on_five();
    mode.teams_max = 40;
    refused(&mode, "at most 64 players");
    mode = five_on_five();
    mode.size_max = 8;
    mode.size_multiple = 2;
    refused(&mode, "size_multiple");
    mode = five_on_five();
    mode.latency_ms[0] = mode.latency_ms[2] = 50;
    refused(&mode, "without a gap");
    mode = five_on_five();
    mode.players_min = 11;
    refused(&mode, "players_min is 11");
    mode = five_on_five();
    mode.window_points = 5000;
    refused(&mode, "window_points is 5000");
    mode = five_on_five();
    mode.rating = 17;
    refused(&mode, "rating is 17");
    mode = five_on_five();
    mode.step_ms = 0;
    refused(&mode, "step_ms is 0");
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "the default is a duel", the_default_is_a_duel },
        { "limits widen with waiting", limits_widen_with_waiting },
        { "roles and attributes", roles_and_attributes },
        { "what contradicts itself is refused", what_contradicts_itself_is_refused },
    };
    return vx_test_main("mode", tests, sizeof(tests) / sizeof(tests[0]));
}
