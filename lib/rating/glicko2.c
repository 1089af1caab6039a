/* Glicko-2: Glickman, "Example of the Glicko-2 system", 2013. The paper rates one player against single
 * opponents over a period. Here a period is one game, and teams are composed so (docs/matchmaking.md):
 *
 *   - a team is one opponent: the mean of its members' ratings, the root mean square of their deviations;
 *   - a player meets each other team once, expecting what the mean of its own team should expect, for it is
 *     the team that wins; its own deviation and volatility say how far it moves;
 *   - with k teams each meeting counts 1/(k - 1) of a game, times the player's share: a free-for-all of 64
 *     is one game's evidence, not 63.
 *
 * Two single players are thereby the paper's own case. */
#include <math.h>

#include "rating_private.h"

static const double pi = 0x1.921fb54442d18p+1;
enum { VOLATILITY_STEPS_MAX = 100 }; /* the paper's procedure takes fewer than ten */

double glicko2_g(double deviation)
{
    return 1 / sqrt(1 + 3 * deviation * deviation / (pi * pi));
}

double glicko2_expected(double mean, double opponent_mean, double g)
{
    return 1 / (1 + rating_exp(-g * (mean - opponent_mean)));
}

struct volatility_search {
    double delta_square, deviation_square, variance, a, change;
};

static double f(const struct volatility_search *search, double x)
{
    double e = rating_exp(x), sum = search->deviation_square + search->variance + e;
    return e * (search->delta_square - sum) / (2 * sum * sum) - (x - search->a) / (search->change * search->change);
}

/* Step 5: the Illinois variant of regula falsi, as the paper gives it. */
static double volatility_new(const struct volatility_search *search)
{
    double a = search->a, b, excess = search->delta_square - search->deviation_square - search->variance;
    if (excess > 0) {
        b = rating_log(excess);
    } else {
        uint32_t k = 1;
        while (f(search, a - k * search->change) < 0 && k < VOLATILITY_STEPS_MAX)
            k++;
        b = a - k * search->change;
    }
    double at_a = f(search, a), at_b = f(search, b);
    for (uint32_t step = 0; step < VOLATILITY_STEPS_MAX && fabs(b - a) > 1e-6; step++) {
        double c = a + (a - b) * at_a / (at_b - at_a), at_c = f(search, c);
        if (at_c * at_b <= 0) {
            a = b;
            at_a = at_b;
        } else {
            at_a /= 2;
        }
        b = c;
        at_b = at_c;
    }
    return rating_exp(a / 2);
}

void glicko2_update(double change, double *mean, double *deviation, double *volatility, const struct glicko2_game *games, uint32_t count)
{
    double information = 0, gain = 0;
    for (uint32_t i = 0; i < count; i++) {
        double g = glicko2_g(games[i].opponent_deviation), expected = glicko2_expected(games[i].mean, games[i].opponent_mean, g);
        information += games[i].weight * g * g * expected * (1 - expected);
        gain += games[i].weight * g * (games[i].score - expected);
    }
    double variance = 1 / information, delta = variance * gain;
    struct volatility_search search = { delta * delta, *deviation * *deviation, variance, rating_log(*volatility * *volatility), change };
    *volatility = volatility_new(&search);
    double before = sqrt(*deviation * *deviation + *volatility * *volatility);
    *deviation = 1 / sqrt(1 / (before * before) + information);
    *mean += *deviation * *deviation * gain;
}

struct side {
    double mean, deviation;
};

static struct side side_of(const struct vx_rating_rules *rules, const struct vx_rating_seat *seats, const struct vx_rating_team *team)
{
    double mean = 0, square = 0;
    for (uint32_t i = team->first; i < team->first + team->count; i++) {
        mean += (seats[i].rating.mean - rules->start_mean) / rules->scale;
        square += seats[i].rating.deviation * seats[i].rating.deviation / (rules->scale * rules->scale);
    }
    return (struct side){ mean / team->count, sqrt(square / team->count) };
}

static void seat_rate(const struct vx_rating_rules *rules, struct vx_rating_seat *seat, struct glicko2_game *games, uint32_t count)
{
    double mean = (seat->rating.mean - rules->start_mean) / rules->scale, deviation = seat->rating.deviation / rules->scale;
    for (uint32_t i = 0; i < count; i++)
        games[i].weight = seat->share / count;
    glicko2_update(rules->change, &mean, &deviation, &seat->rating.volatility, games, count);
    seat->rating.mean = mean * rules->scale + rules->start_mean;
    seat->rating.deviation = deviation * rules->scale;
}

void glicko2_game_rate(const struct vx_rating_rules *rules, struct vx_rating_seat *seats, const struct vx_rating_team *teams, uint32_t team_count)
{
    struct side sides[VX_RATING_TEAMS_MAX];
    for (uint32_t i = 0; i < team_count; i++)
        sides[i] = side_of(rules, seats, &teams[i]);
    for (uint32_t i = 0; i < team_count; i++) {
        struct glicko2_game games[VX_RATING_TEAMS_MAX];
        uint32_t count = 0;
        for (uint32_t q = 0; q < team_count; q++) {
            double score = teams[i].rank < teams[q].rank ? 1 : teams[i].rank > teams[q].rank ? 0
                                                                                             : 0.5;
            if (q != i)
                games[count++] = (struct glicko2_game){ sides[i].mean, sides[q].mean, sides[q].deviation, score, 1 };
        }
        for (uint32_t seat = teams[i].first; seat < teams[i].first + teams[i].count; seat++)
            seat_rate(rules, &seats[seat], games, count);
    }
}
