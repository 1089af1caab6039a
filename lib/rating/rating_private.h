/* rating, inside: rating.c rules and what is common, glicko2.c, weng_lin.c and elo.c the systems, exp_log.c the two
 * transcendental functions that they need. */
#ifndef VX_RATING_PRIVATE_H
#define VX_RATING_PRIVATE_H

#include "vx_rating.h"

/* exp_log.c: within one unit in the last place, the same bits everywhere. */
double rating_exp(double x);
double rating_log(double x); /* x > 0, normal */

/* One game as Glicko-2 sees it, in its inner scale; weight is the part of a game that it counts as. */
struct glicko2_game {
    double mean; /* of the own side, then of the other */
    double opponent_mean, opponent_deviation;
    double score; /* 1, 0.5 or 0 */
    double weight;
};
/* glicko2.c, steps 3 to 7 of the paper, on the inner scale. */
double glicko2_g(double deviation);
double glicko2_expected(double mean, double opponent_mean, double g);
void glicko2_update(double change, double *mean, double *deviation, double *volatility, const struct glicko2_game *games, uint32_t count);
void glicko2_game_rate(const struct vx_rating_rules *rules, struct vx_rating_seat *seats, const struct vx_rating_team *teams, uint32_t team_count);

/* weng_lin.c */
void weng_lin_game_rate(const struct vx_rating_rules *rules, struct vx_rating_seat *seats, const struct vx_rating_team *teams, uint32_t team_count);

/* elo.c */
double elo_expected(double own, double other);
void elo_game_rate(const struct vx_rating_rules *rules, struct vx_rating_seat *seats, const struct vx_rating_team *teams, uint32_t team_count);

#endif
