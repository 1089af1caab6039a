/* Pairs, inside: a piece of the line, and how it is paired. pairing.c pairs it; pairs.c lays it out from one pool,
 * overlap.c from several at once. */
#ifndef VX_MATCH_PAIRS_PRIVATE_H
#define VX_MATCH_PAIRS_PRIVATE_H

#include "match_private.h"

enum {
    PIECE = 64,
    PLACES = 4,           /* that partners may be apart */
    STATES = 1 << PLACES, /* bit k: the ticket k + 1 places back is still alone */
    LEFT_OUT = 1 << 20,   /* more than any distances can sum up to */
    LEFT_OUT_MAX = 1 << 16,
    SECOND_POINTS = 8, /* a second waited weighs so many points when somebody has to be left out */
};
struct piece {
    uint32_t count, looks;
    uint32_t stop_point, stop_entry; /* the first that was not looked at */
    uint32_t slots[PIECE], entries[PIECE];
    uint16_t ratings[PIECE], windows[PIECE];
    uint16_t pools[PIECE];               /* where each may be matched now, a bit each: two need one in common */
    uint8_t from[PIECE];                 /* overlap.c: in which pool it was found */
    uint32_t left_out[PIECE];            /* what it costs */
    uint8_t back[PIECE][STATES];         /* partner's places back << 4 | state before; 0 places: none */
    uint8_t partner[PIECE];              /* index, own when alone */
    uint32_t equal_count, equals[PIECE]; /* pairs of equal rating, one after the other: they cost nothing */
    bool choosy;                         /* more than ratings keeps neighbours apart */
    bool closed;                         /* nobody beyond could play with anybody here */
};
void piece_add(struct piece *piece, const struct mode *mode, uint32_t slot, const struct ticket *ticket, uint32_t pools, uint32_t now_ms);
bool piece_fit(const struct piece *piece, const struct vx_match *match, const struct mode *mode, uint32_t i, uint32_t j, uint32_t now_ms);
/* The cheapest pairing with partners at most four places apart, into partner[]. */
void piece_pair(struct piece *piece, const struct vx_match *match, const struct mode *mode, uint32_t now_ms);
/* Finds partners for those of the first `decided` who have none, then exchanges partners wherever that is cheaper, along
 * chains of up to four pairs; the looks it used. */
uint32_t piece_improve(struct piece *piece, const struct vx_match *match, const struct mode *mode, uint32_t decided, uint32_t now_ms);
/* Takes two out of the queue; `low` has the lower rating. */
void pair_take(struct vx_match *match, const struct pool *pool, uint32_t low, uint32_t high, uint32_t now_ms, struct vx_match_found *found);
uint32_t overlap_piece(struct vx_match *match, struct pool *leader, uint32_t now_ms, struct vx_match_found *found, uint32_t max, uint32_t *looks);

#endif
