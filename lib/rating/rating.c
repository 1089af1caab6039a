/* Rules, and what is common to all systems: placement, floor and ceiling, inactivity, prediction. */
#include "vx_rating.h"

#include <errno.h>
#include <math.h>

#include "rating_private.h"

void vx_rating_rules_default(enum vx_rating_system system, struct vx_rating_rules *rules)
{
    /* Glickman's 350, 0.06, 0.5 and 173.7178; Weng and Lin's beta of half the deviation and OpenSkill's tau of
     * a hundredth of it. Thirty points is what two even players differ by on a bad day: less is not believed. */
    *rules = (struct vx_rating_rules){ .system = system, .start_mean = VX_RATING_START, .start_deviation = 350, .start_volatility = 0.06, .floor = VX_RATING_MIN, .ceiling = VX_RATING_MAX, .deviation_min = 30, .deviation_max = 350, .change = 0.5, .scale = 173.7178, .beta = 175, .drift = 3.5, .gain = 24, .kappa = 1e-4, .placement_games = 10, .placement_deviation = 150 };
}

int vx_rating_rules_check(const struct vx_rating_rules *rules, struct vx_error *error)
{
    const struct {
        const char *name;
        double value, least, most;
    } bounds[] = {
        { "start_mean", rules->start_mean, rules->floor, rules->ceiling },
        { "deviation_min", rules->deviation_min, 1e-6, rules->deviation_max },
        { "start_deviation", rules->start_deviation, rules->deviation_min, rules->deviation_max },
        { "placement_deviation", rules->placement_deviation, 0, rules->deviation_max },
        { "start_volatility", rules->start_volatility, 1e-6, 1 },
        { "change", rules->change, 0.01, 2 },
        { "scale", rules->scale, 1e-3, 1e6 },
        { "beta", rules->beta, 1e-6, 1e6 },
        { "drift", rules->drift, 0, rules->deviation_max },
        { "gain", rules->gain, 0, 1000 },
        { "kappa", rules->kappa, 1e-12, 1 },
    };
    if ((unsigned)rules->system >= VX_RATING_SYSTEMS)
        return vx_error_set(error, -EINVAL, "rating system %u: expected below %u", (unsigned)rules->system, VX_RATING_SYSTEMS);
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
        if (!(bounds[i].value >= bounds[i].least && bounds[i].value <= bounds[i].most))
            return vx_error_set(error, -EINVAL, "rating %s %g: expected %g to %g", bounds[i].name, bounds[i].value, bounds[i].least, bounds[i].most);
    return 0;
}

struct vx_rating vx_rating_new(const struct vx_rating_rules *rules)
{
    return (struct vx_rating){ rules->start_mean, rules->start_deviation, rules->start_volatility, 0 };
}

bool vx_rating_valid(const struct vx_rating_rules *rules, const struct vx_rating *rating)
{
    return rating->mean >= rules->floor && rating->mean <= rules->ceiling && rating->deviation > 0 && rating->deviation <= rules->deviation_max &&
           rating->volatility > 0 && rating->volatility <= 1; /* each is false for what is not a number */
}

static void seat_finish(const struct vx_rating_rules *rules, struct vx_rating *rating)
{
    rating->games++;
    double least = rating->games < rules->placement_games ? fmax(rules->placement_deviation, rules->deviation_min) : rules->deviation_min;
    rating->deviation = fmin(fmax(rating->deviation, least), rules->deviation_max);
    rating->mean = fmin(fmax(rating->mean, rules->floor), rules->ceiling);
    rating->volatility = fmin(rating->volatility, 1);
}

void vx_rating_game(const struct vx_rating_rules *rules, struct vx_rating_seat *seats, const struct vx_rating_team *teams, uint32_t team_count)
{
    VX_ASSERT(team_count > 0 && team_count <= VX_RATING_TEAMS_MAX);
    uint32_t seat_count = 0;
    for (uint32_t i = 0; i < team_count; i++) {
        VX_ASSERT(teams[i].count > 0 && teams[i].first == seat_count);
        seat_count += teams[i].count;
    }
    VX_ASSERT(seat_count <= VX_RATING_SEATS_MAX);
    if (team_count > 1 && rules->system == VX_RATING_GLICKO2)
        glicko2_game_rate(rules, seats, teams, team_count);
    else if (team_count > 1 && rules->system == VX_RATING_ELO)
        elo_game_rate(rules, seats, teams, team_count);
    else if (team_count > 1)
        weng_lin_game_rate(rules, seats, teams, team_count);
    for (uint32_t i = 0; i < seat_count; i++)
        seat_finish(rules, &seats[i].rating);
}

void vx_rating_idle(const struct vx_rating_rules *rules, struct vx_rating *rating, double periods)
{
    if (rules->system == VX_RATING_ELO)
        return;
    double growth = rules->system == VX_RATING_GLICKO2 ? rating->volatility * rules->scale : rules->drift;
    rating->deviation = fmin(sqrt(rating->deviation * rating->deviation + growth * growth * periods), rules->deviation_max);
}

double vx_rating_chance(const struct vx_rating_rules *rules, const struct vx_rating_seat *seats, const struct vx_rating_team teams[2])
{
    double mean[2] = { 0, 0 }, square = 0;
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t seat = teams[i].first; seat < teams[i].first + teams[i].count; seat++) {
            mean[i] += seats[seat].rating.mean / teams[i].count;
            square += seats[seat].rating.deviation * seats[seat].rating.deviation / teams[i].count;
        }
    if (rules->system == VX_RATING_GLICKO2)
        return glicko2_expected(mean[0] / rules->scale, mean[1] / rules->scale, glicko2_g(sqrt(square) / rules->scale));
    if (rules->system == VX_RATING_ELO)
        return elo_expected(mean[0], mean[1]);
    return 1 / (1 + rating_exp((mean[1] - mean[0]) / sqrt(square + 2 * rules->beta * rules->beta)));
}
