/* What a mode may say, and the tables that follow from it. */
#include <errno.h>
#include <string.h>

#include "match_private.h"

static int check_shape(const struct vx_match_mode *mode, struct vx_error *error)
{
    const char *name = mode->name;
    if (mode->teams_min < 2 || mode->teams_max < mode->teams_min)
        return vx_error_set(error, -EINVAL, "mode %s: teams_min %u, teams_max %u: expected 2 or more, and the most not below the least", name, mode->teams_min, mode->teams_max);
    if (mode->size_min < 1 || mode->size_max < mode->size_min)
        return vx_error_set(error, -EINVAL, "mode %s: size_min %u, size_max %u: expected 1 or more, and the most not below the least", name, mode->size_min, mode->size_max);
    if (mode->teams_max * mode->size_max > VX_MATCH_PLAYERS_MAX)
        return vx_error_set(error, -EINVAL, "mode %s: %u teams of %u: expected at most %d players in a match", name, mode->teams_max, mode->size_max, VX_MATCH_PLAYERS_MAX);
    if (mode->teams_multiple == 0 || (mode->teams_max - mode->teams_min) % mode->teams_multiple != 0)
        return vx_error_set(error, -EINVAL, "mode %s: teams_multiple %u: expected to lead from %u to %u teams in whole steps", name, mode->teams_multiple, mode->teams_min, mode->teams_max);
    if (mode->size_multiple == 0 || (mode->size_max - mode->size_min) % mode->size_multiple != 0)
        return vx_error_set(error, -EINVAL, "mode %s: size_multiple %u: expected to lead from %u to %u players in whole steps", name, mode->size_multiple, mode->size_min, mode->size_max);
    return 0;
}

static int check_roles(const struct vx_match_mode *mode, struct vx_error *error)
{
    uint32_t needed = 0;
    uint16_t seen = 0;
    if (mode->role_count > VX_MATCH_ROLES_MAX)
        return vx_error_set(error, -EINVAL, "mode %s: %u different roles: expected at most %d", mode->name, mode->role_count, VX_MATCH_ROLES_MAX);
    for (uint32_t i = 0; i < mode->role_count; i++) {
        uint16_t role = mode->roles[i].role;
        if (role == 0 || (role & (role - 1)) != 0 || (seen & role) != 0 || mode->roles[i].count == 0)
            return vx_error_set(error, -EINVAL, "mode %s: role %u is 0x%x, %u of it: expected one bit that no other role has, and at least one player", mode->name, i + 1, role, mode->roles[i].count);
        seen |= role;
        needed += mode->roles[i].count;
    }
    if (needed > mode->size_min)
        return vx_error_set(error, -EINVAL, "mode %s: roles need %u players of each team: expected at most size_min, %u", mode->name, needed, mode->size_min);
    return 0;
}

static int check_limits(const struct vx_match_mode *mode, struct vx_error *error)
{
    uint32_t soft = 0;
    for (uint32_t i = 0; i < VX_MATCH_ATTRIBUTES; i++)
        soft += mode->equal_ms[i] != 0 && mode->equal_ms[i] != VX_MATCH_ALWAYS;
    if (soft > 1)
        return vx_error_set(error, -EINVAL, "mode %s: %u attributes are given up with time: expected at most 1", mode->name, soft);
    if (mode->step_ms == 0 || mode->step_ms > 60000)
        return vx_error_set(error, -EINVAL, "mode %s: step_ms %u: expected 1 to 60000", mode->name, mode->step_ms);
    if (mode->region_count > VX_MATCH_REGIONS)
        return vx_error_set(error, -EINVAL, "mode %s: %u regions: expected at most %d", mode->name, mode->region_count, VX_MATCH_REGIONS);
    for (uint32_t row = 0; row < VX_MATCH_ROWS; row++) {
        if (mode->window.at[row] > VX_MATCH_RATING_MAX)
            return vx_error_set(error, -EINVAL, "mode %s: window %u in row %u: expected at most %d", mode->name, mode->window.at[row], row, VX_MATCH_RATING_MAX);
        if (row > 0 && (mode->window.at[row] < mode->window.at[row - 1] || mode->means.at[row] < mode->means.at[row - 1] || mode->latency_more.at[row] < mode->latency_more.at[row - 1]))
            return vx_error_set(error, -EINVAL, "mode %s: row %u of window, means or latency_more is below the row before: expected that no limit narrows with waiting", mode->name, row);
    }
    return 0;
}

int vx_match_mode_check(const struct vx_match_mode *mode, struct vx_error *error)
{
    if (memchr(mode->name, '\0', sizeof(mode->name)) == NULL || mode->name[0] == '\0')
        return vx_error_set(error, -EINVAL, "mode without a name: expected 1 to %d bytes", VX_MATCH_NAME_BYTES - 1);
    int rc = check_shape(mode, error);
    if (rc == 0)
        rc = check_roles(mode, error);
    return rc == 0 ? check_limits(mode, error) : rc;
}

/* Hall's theorem: a team can take its roles exactly when every set of roles has as many members who can take
 * one of the set as the set needs. Three roles have eight sets, one byte each. */
void mode_compile(struct mode *mode, const struct vx_match_mode *rules)
{
    mode->rules = *rules;
    mode->need = 0;
    for (uint32_t set = 0; set < ROLE_CLASSES; set++)
        for (uint32_t i = 0; i < rules->role_count; i++)
            if (set & (1u << i))
                mode->need += (uint64_t)rules->roles[i].count << (8 * set);
    mode->soft = NO_SOFT;
    for (uint32_t i = 0; i < VX_MATCH_ATTRIBUTES; i++)
        if (rules->equal_ms[i] != 0 && rules->equal_ms[i] != VX_MATCH_ALWAYS)
            mode->soft = (uint8_t)i;
    mode->pairs = rules->teams_max == 2 && rules->size_max == 1;
    mode->window_max = 0;
    for (uint32_t row = 0; row < VX_MATCH_ROWS; row++) {
        uint16_t window = rules->window.at[row], means = rules->size_max == 1 ? rules->means.at[row] : UINT16_MAX;
        mode->window[row] = window < means ? window : means;
        mode->window_max = mode->window[row] > mode->window_max ? mode->window[row] : mode->window_max;
    }
}

void modes_late(struct vx_match *match)
{
    match->late_ms = VX_MATCH_NONE;
    for (uint32_t i = 0; i < match->mode_count; i++)
        if (!match->modes[i].pairs && match->modes[i].rules.late_ms < match->late_ms)
            match->late_ms = match->modes[i].rules.late_ms;
}

uint32_t mode_classes(const struct vx_match_mode *rules)
{
    uint32_t largest = rules->size_max < VX_MATCH_PARTY_MAX ? rules->size_max : VX_MATCH_PARTY_MAX;
    bool pairs = rules->teams_max == 2 && rules->size_max == 1;
    return pairs ? 1 : (1u << rules->role_count) + largest - 1;
}
