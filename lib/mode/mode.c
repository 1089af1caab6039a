/* From numbers to rules. */
#include <errno.h>
#include <stdio.h>

#include "vx_mode.h"

void vx_mode_default(struct vx_mode *mode)
{
#define MODE_DEFAULT(name, least, most, otherwise, unit, sentence) .name = otherwise,
    *mode = (struct vx_mode){ VX_MODE_NUMBERS(MODE_DEFAULT) };
#undef MODE_DEFAULT
}

bool vx_mode_asks_formula(const struct vx_mode *mode)
{
    return mode->window_points == 0 && mode->window_more_points == 0 && mode->window_most_points == 0;
}

uint32_t vx_mode_players(const struct vx_mode *mode)
{
    return mode->teams_max * mode->size_max;
}

static int check_ranges(const struct vx_mode *mode, const char *name, struct vx_error *error)
{
#define MODE_RANGE(field, least, most, otherwise, unit, sentence) { #field, mode->field, least, most },
    const struct {
        const char *field;
        uint32_t value, least, most;
    } ranges[] = { VX_MODE_NUMBERS(MODE_RANGE){ "rating", mode->rating, 0, VX_MODE_UNRATED }, { "party_rating", mode->party_rating, 0, VX_MATCH_BETWEEN },
                   { "auto_accept", mode->auto_accept, 0, 1 }, { "backfill", mode->backfill, 0, 1 },
                   { "rating_formula", mode->rating_formula, 0, 1 }, { "score_formula", mode->score_formula, 0, 1 } };
#undef MODE_RANGE
    for (uint32_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (ranges[i].value < ranges[i].least || ranges[i].value > ranges[i].most)
            return vx_error_set(error, -EINVAL, "mode %s: %s is %u, expected %u to %u", name, ranges[i].field, ranges[i].value, ranges[i].least, ranges[i].most);
    if (mode->players_min > vx_mode_players(mode))
        return vx_error_set(error, -EINVAL, "mode %s: players_min is %u, expected at most the %u players of its largest match", name, mode->players_min, vx_mode_players(mode));
    return 0;
}

/* from, from + more, from + 2 × more … up to most. */
static void curve(struct vx_match_curve *curve, uint32_t from, uint32_t more, uint32_t most)
{
    for (uint32_t row = 0; row < VX_MATCH_ROWS; row++) {
        uint32_t at = from + row * more;
        curve->at[row] = (uint16_t)(at < most ? at : most);
    }
}

static void limits(const struct vx_mode *mode, const uint16_t *windows, struct vx_match_mode *rules)
{
    if (vx_mode_asks_formula(mode))
        for (uint32_t row = 0; row < VX_MATCH_ROWS; row++)
            rules->window.at[row] = row > 0 && windows[row] < rules->window.at[row - 1] ? rules->window.at[row - 1] : windows[row];
    else
        curve(&rules->window, mode->window_points, mode->window_more_points, mode->window_most_points != 0 ? mode->window_most_points : VX_MATCH_RATING_MAX);
    curve(&rules->means, mode->means_points != 0 ? mode->means_points : UINT16_MAX, mode->means_points != 0 ? mode->means_more_points : 0, UINT16_MAX);
    curve(&rules->latency_more, 0, mode->latency_more_ms, mode->latency_most_ms);
}

static int regions(const struct vx_mode *mode, const char *name, struct vx_match_mode *rules, struct vx_error *error)
{
    while (rules->region_count < VX_MATCH_REGIONS && mode->latency_ms[rules->region_count] != 0) {
        rules->latency_ms[rules->region_count] = (uint16_t)mode->latency_ms[rules->region_count];
        rules->region_count++;
    }
    for (uint32_t i = rules->region_count; i < VX_MATCH_REGIONS; i++)
        if (mode->latency_ms[i] != 0)
            return vx_error_set(error, -EINVAL, "mode %s: latency names region %u and not region %u, expected regions from 1 on without a gap", name, i + 1, rules->region_count + 1);
    return 0;
}

int vx_mode_rules(const struct vx_mode *mode, const char *name, const uint16_t *windows, struct vx_match_mode *rules, struct vx_error *error)
{
    int rc = check_ranges(mode, name, error);
    if (rc != 0)
        return rc;
    *rules = (struct vx_match_mode){ .teams_min = (uint8_t)mode->teams_min, .teams_max = (uint8_t)mode->teams_max, .teams_multiple = (uint8_t)mode->teams_multiple,
                                     .size_min = (uint8_t)mode->size_min, .size_max = (uint8_t)mode->size_max, .size_multiple = (uint8_t)mode->size_multiple,
                                     .step_ms = mode->step_ms, .full_ms = mode->full_ms, .late_ms = mode->late_ms, .rematch_ms = mode->rematch_ms };
    (void)snprintf(rules->name, sizeof(rules->name), "%s", name);
    for (uint32_t i = 0; i < VX_MATCH_ROLES_MAX; i++)
        if (mode->roles[i] != 0)
            rules->roles[rules->role_count++] = (struct vx_match_role){ (uint16_t)(1u << (mode->roles[i] >> VX_MODE_ROLE_SHIFT & 15)), (uint8_t)mode->roles[i] };
    for (uint32_t i = 0; i < VX_MATCH_ATTRIBUTES; i++)
        rules->equal_ms[i] = mode->equal_ms[i];
    for (uint32_t i = 0; i < VX_MATCH_SETS; i++)
        rules->common[i] = mode->common[i] != 0;
    limits(mode, windows, rules);
    rc = regions(mode, name, rules, error);
    return rc != 0 ? rc : vx_match_mode_check(rules, error);
}
