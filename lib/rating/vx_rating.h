/* rating: what a finished game says about two players. Pure; any thread. */
#ifndef VX_RATING_H
#define VX_RATING_H

enum { VX_RATING_MIN = 100, VX_RATING_MAX = 4000, VX_RATING_START = 1500 };
/* Elo (The Rating of Chessplayers, 1978) with K = 24. score_a: 1 a won, 0.5 drawn, 0 a lost. Updates
 * both in place, clamped to [VX_RATING_MIN, VX_RATING_MAX]. */
void vx_rating_elo(double *a, double *b, double score_a);

#endif
