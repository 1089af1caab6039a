/* rating: what a finished game says about those who played it. Glicko-2 (Glickman 2013) and the Weng-Lin
 * systems (Weng and Lin, JMLR 12, 2011; the update that OpenSkill ships), and Elo; for two teams, many teams and
 * free-for-all, with draws, partial play, placement matches, inactivity, floor and ceiling.
 *
 * Pure, any thread, nothing kept. Everything is built from IEEE additions, multiplications, divisions and
 * square roots in a fixed order (the room has its own exp and log, and is compiled without contraction), so
 * the same game gives the same bits with every compiler and on every CPU.
 *
 * Numbers are in the rules' own scale: rating points (1500, 350) in the game, 25 and 25/3 in the tests. */
#ifndef VX_RATING_H
#define VX_RATING_H

#include "vx_base.h"

enum { VX_RATING_MIN = 100,
       VX_RATING_MAX = 4000,
       VX_RATING_START = 1500 };
enum {
    VX_RATING_TEAMS_MAX = 64,
    VX_RATING_SEATS_MAX = 64, /* players of one game, all teams together */
};

/* Glicko-2: each player against each other team as one opponent. Weng-Lin: Plackett-Luce ranks all teams
 * at once; Bradley-Terry takes each pair of teams (full) or those that are next to each other in the final
 * ranking (part: cheaper for many teams, and the paper's own "partial pairing"). */
enum vx_rating_system { VX_RATING_GLICKO2,
                        VX_RATING_PLACKETT_LUCE,
                        VX_RATING_BRADLEY_TERRY_FULL,
                        VX_RATING_BRADLEY_TERRY_PART,
                        VX_RATING_ELO,
                        VX_RATING_SYSTEMS };

struct vx_rating {
    double mean;
    double deviation;
    double volatility; /* Glicko-2 only */
    uint32_t games;    /* finished: placement is over when it reaches rules->placement_games */
};

struct vx_rating_rules {
    enum vx_rating_system system;
    double start_mean, start_deviation, start_volatility;
    double floor, ceiling; /* of the mean */
    double deviation_min, deviation_max;
    double change;              /* Glicko-2's tau: how fast the volatility may change, 0.3 to 1.2 */
    double scale;               /* Glicko-2's 173.7178: rating points in one unit of its inner scale */
    double beta;                /* Weng-Lin: spread of one performance, usually half the starting deviation */
    double drift;               /* Weng-Lin's tau: what is added to the deviation before each game, in squares; also its growth in one idle period */
    double gain;                /* Elo's K: points that one game moves at most */
    double kappa;               /* Weng-Lin: least part of the variance that a game may leave */
    bool limit_deviation;       /* Weng-Lin: a game never makes a deviation larger */
    uint32_t placement_games;   /* the first so many games … */
    double placement_deviation; /* … leave a deviation of at least this: a newcomer finds its place quickly */
};

/* One player in a game. */
struct vx_rating_seat {
    struct vx_rating rating; /* in: before; out: after */
    double share;            /* part of the game that the player was in, (0, 1]: evidence counts by it. Backfilled players have less than 1. */
    double contribution;     /* OpenSkill's weight within the team, 0 or more; equal ones say nothing. Glicko-2 does not look at it. */
};
struct vx_rating_team {
    uint32_t first, count; /* its seats */
    uint32_t rank;         /* lower is better; equal is a draw */
};

/* The values of the systems' authors, in rating points around VX_RATING_START. */
void vx_rating_rules_default(enum vx_rating_system system, struct vx_rating_rules *rules);
/* 0, or -EINVAL with the sentence. */
int vx_rating_rules_check(const struct vx_rating_rules *rules, struct vx_error *error);
struct vx_rating vx_rating_new(const struct vx_rating_rules *rules);
/* False for what no game can have made: not a number, outside floor and ceiling, no deviation. */
bool vx_rating_valid(const struct vx_rating_rules *rules, const struct vx_rating *rating);

/* Updates the seats of one finished game in place. Seats of a team stand together, in the order of teams; a
 * game of one team changes only the number of games. team_count up to VX_RATING_TEAMS_MAX, seats up to
 * VX_RATING_SEATS_MAX, at least one in each team; ratings must be valid. */
void vx_rating_game(const struct vx_rating_rules *rules, struct vx_rating_seat *seats, const struct vx_rating_team *teams, uint32_t team_count);

/* Inactivity: the deviation grows as if `periods` rating periods had passed without a game (Glicko-2 by the
 * volatility, Weng-Lin by drift), up to deviation_max. periods need not be whole, nor small. */
void vx_rating_idle(const struct vx_rating_rules *rules, struct vx_rating *rating, double periods);
/* Chance that the first of two teams wins, a draw counted as half: logistic, by the teams' mean ratings. */
double vx_rating_chance(const struct vx_rating_rules *rules, const struct vx_rating_seat *seats, const struct vx_rating_team teams[2]);

#endif
