/* Elo, The Rating of Chessplayers (1978): a team is its mean; with k teams each meeting counts 1/(k - 1) of a game. Nothing
 * but the mean changes. */
#include "rating_private.h"

static const double ln10 = 0x1.26bb1bbb55516p+1, scale = 400;

static double mean_of(const struct vx_rating_seat *seats, const struct vx_rating_team *team)
{
    double sum = 0;
    for (uint32_t i = team->first; i < team->first + team->count; i++)
        sum += seats[i].rating.mean;
    return sum / team->count;
}

double elo_expected(double own, double other)
{
    return 1 / (1 + rating_exp((other - own) / scale * ln10));
}

void elo_game_rate(const struct vx_rating_rules *rules, struct vx_rating_seat *seats, const struct vx_rating_team *teams, uint32_t team_count)
{
    double means[VX_RATING_TEAMS_MAX];
    for (uint32_t i = 0; i < team_count; i++)
        means[i] = mean_of(seats, &teams[i]);
    for (uint32_t i = 0; i < team_count; i++) {
        double gain = 0;
        for (uint32_t q = 0; q < team_count; q++) {
            double score = teams[i].rank < teams[q].rank ? 1 : teams[i].rank > teams[q].rank ? 0 : 0.5;
            if (q != i)
                gain += score - elo_expected(means[i], means[q]);
        }
        for (uint32_t seat = teams[i].first; seat < teams[i].first + teams[i].count; seat++)
            seats[seat].rating.mean += rules->gain * seats[seat].share * gain / (team_count - 1);
    }
}
