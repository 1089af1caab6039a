/* The Weng-Lin systems: "A Bayesian approximation method for online ranking", JMLR 12 (2011), algorithms 1
 * (Bradley-Terry, full and partial pairing) and 4 (Plackett-Luce), with what OpenSkill adds: drift before a
 * game, deviations that may be kept from growing, and weights of contribution. A team's strength is the sum
 * of its members'. The order of operations is OpenSkill's, so its published values come out bit for bit. */
#include <math.h>

#include "rating_private.h"

struct side {
    double mean, square; /* square: sum of the members' variances */
    uint32_t rank;
};
/* What the game says of a team: how far to move, and what part of the variance it explains. */
struct verdict {
    double omega, delta;
};

static void plackett_luce(const struct vx_rating_rules *rules, const struct side *sides, uint32_t count, struct verdict *verdicts)
{
    double c_square = 0, strength[VX_RATING_TEAMS_MAX], sum[VX_RATING_TEAMS_MAX], equals[VX_RATING_TEAMS_MAX];
    for (uint32_t i = 0; i < count; i++)
        c_square += sides[i].square + rules->beta * rules->beta;
    double c = sqrt(c_square);
    for (uint32_t i = 0; i < count; i++)
        strength[i] = rating_exp(sides[i].mean / c);
    for (uint32_t q = 0; q < count; q++) {
        sum[q] = equals[q] = 0;
        for (uint32_t i = 0; i < count; i++) {
            sum[q] += sides[i].rank >= sides[q].rank ? strength[i] : 0;
            equals[q] += sides[i].rank == sides[q].rank;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        double omega = 0, delta = 0;
        for (uint32_t q = 0; q < count; q++) {
            if (sides[q].rank > sides[i].rank)
                continue;
            double part = strength[i] / sum[q];
            omega += q == i ? (1 - part) / equals[q] : -part / equals[q];
            delta += part * (1 - part) / equals[q];
        }
        double gamma = sqrt(sides[i].square) / c;
        verdicts[i] = (struct verdict){ omega * (sides[i].square / c), gamma * (delta * (sides[i].square / (c * c))) };
    }
}

static void pair_add(const struct vx_rating_rules *rules, const struct side *own, const struct side *other, struct verdict *verdict)
{
    double c = sqrt(own->square + other->square + 2 * (rules->beta * rules->beta)), part = 1 / (1 + rating_exp((other->mean - own->mean) / c));
    double score = own->rank < other->rank ? 1 : own->rank == other->rank ? 0.5
                                                                          : 0,
           gamma = sqrt(own->square) / c, ratio = own->square / c;
    verdict->omega += ratio * (score - part);
    verdict->delta += gamma * ratio / c * part * (1 - part);
}

/* order: teams from the best to the worst, equals in the order given. */
static void order_by_rank(const struct side *sides, uint32_t count, uint32_t *order)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && sides[order[at - 1]].rank > sides[i].rank; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

static void bradley_terry(const struct vx_rating_rules *rules, const struct side *sides, uint32_t count, struct verdict *verdicts)
{
    uint32_t order[VX_RATING_TEAMS_MAX], reach = rules->system == VX_RATING_BRADLEY_TERRY_PART ? 1 : count;
    order_by_rank(sides, count, order);
    for (uint32_t at = 0; at < count; at++) {
        verdicts[order[at]] = (struct verdict){ 0, 0 };
        for (uint32_t other = at > reach ? at - reach : 0; other < count && other <= at + reach; other++)
            if (other != at)
                pair_add(rules, &sides[order[at]], &sides[order[other]], &verdicts[order[at]]);
    }
}

/* OpenSkill's normalisation: the least contribution of a team counts 1, the greatest 2, and when nobody
 * stands out (contributions that were not given) everybody counts 1. */
static double contribution_of(const struct vx_rating_seat *seats, const struct vx_rating_team *team, uint32_t seat)
{
    double low = seats[team->first].contribution, high = low;
    for (uint32_t i = team->first; i < team->first + team->count; i++) {
        low = fmin(low, seats[i].contribution);
        high = fmax(high, seats[i].contribution);
    }
    return high > low ? 1 + (seats[seat].contribution - low) / (high - low) : 1;
}

static void seat_rate(const struct vx_rating_rules *rules, struct vx_rating_seat *seat, const struct side *side, struct verdict verdict, double contribution)
{
    double deviation = sqrt(seat->rating.deviation * seat->rating.deviation + rules->drift * rules->drift), before = seat->rating.deviation;
    double ratio = deviation * deviation / side->square;
    /* Who did more gains more of a victory and loses less of a defeat. */
    double weight = seat->share * (verdict.omega > 0 ? contribution : 1 / contribution);
    seat->rating.mean += ratio * verdict.omega * weight;
    seat->rating.deviation = deviation * sqrt(fmax(1 - ratio * verdict.delta * weight, rules->kappa));
    if (rules->limit_deviation)
        seat->rating.deviation = fmin(seat->rating.deviation, before);
}

void weng_lin_game_rate(const struct vx_rating_rules *rules, struct vx_rating_seat *seats, const struct vx_rating_team *teams, uint32_t team_count)
{
    struct side sides[VX_RATING_TEAMS_MAX];
    struct verdict verdicts[VX_RATING_TEAMS_MAX];
    for (uint32_t i = 0; i < team_count; i++) {
        sides[i] = (struct side){ .rank = teams[i].rank };
        for (uint32_t seat = teams[i].first; seat < teams[i].first + teams[i].count; seat++) {
            double drifted = sqrt(seats[seat].rating.deviation * seats[seat].rating.deviation + rules->drift * rules->drift);
            sides[i].mean += seats[seat].rating.mean;
            sides[i].square += drifted * drifted;
        }
    }
    if (rules->system == VX_RATING_PLACKETT_LUCE)
        plackett_luce(rules, sides, team_count, verdicts);
    else
        bradley_terry(rules, sides, team_count, verdicts);
    for (uint32_t i = 0; i < team_count; i++)
        for (uint32_t seat = teams[i].first; seat < teams[i].first + teams[i].count; seat++)
            seat_rate(rules, &seats[seat], &sides[i], verdicts[i], contribution_of(seats, &teams[i], seat));
}
