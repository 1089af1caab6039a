/* A piece of the line of single players is paired as cheaply as it can be.
 *
 * Up to 64 tickets in order of rating are laid side by side, and a dynamic programme over them finds the
 * pairing that leaves out the fewest (the longest waiting last) and, among those, has the least sum of rating
 * distances, with partners at most four places apart. Where only ratings matter the cheapest pairing of a
 * line never needs more: neighbours pair up (any crossing can be undone without loss).
 *
 * Where more than ratings decides (regions, attributes, sets, blocks) many neighbours do not fit. There partners are
 * exchanged afterwards: somebody leaves his partner for a nearer one, whose partner looks for another, and so on; the chain
 * is kept when all together is cheaper. That is the step of Lin and Kernighan's heuristic (1973), as it applies to matchings. */
#include <stdlib.h>

#include "pairs_private.h"

enum {
    ALONE = 0,
    UNREACHED = UINT32_MAX / 2,
    CHAIN = 4,       /* pairs that one chain breaks at most */
    NOBODY = PIECE,
    IMPROVE_WORK = 5120, /* questions that the exchanges of one piece may ask … */
    ALONE_WORK = 128,    /* … and the chains from one ticket */
    WORK_A_LOOK = 12,    /* … of which so many cost as much as a look at a ticket */
};

void piece_add(struct piece *piece, const struct mode *mode, uint32_t slot, const struct ticket *ticket, uint32_t pools, uint32_t now_ms)
{
    uint32_t waited_ms = waited_of(ticket, now_ms), longer = waited_ms / 1000 * SECOND_POINTS, i = piece->count++;
    piece->slots[i] = slot;
    piece->pools[i] = (uint16_t)pools;
    piece->ratings[i] = ticket->rating;
    piece->windows[i] = mode->window[row_of(mode, waited_ms)];
    piece->left_out[i] = LEFT_OUT + (longer < LEFT_OUT_MAX ? longer : LEFT_OUT_MAX) + (ticket->flags & TICKET_FIRST ? LEFT_OUT_MAX : 0);
}

bool piece_fit(const struct piece *piece, const struct vx_match *match, const struct mode *mode, uint32_t i, uint32_t j, uint32_t now_ms)
{
    uint32_t distance = (uint32_t)abs(piece->ratings[i] - piece->ratings[j]);
    return (piece->pools[i] & piece->pools[j]) != 0 && distance <= piece->windows[i] && distance <= piece->windows[j] &&
           sets_meet(mode, match->tickets[piece->slots[i]].sets, match->tickets[piece->slots[j]].sets) && may_meet(match, mode, piece->slots[i], piece->slots[j], now_ms);
}

static void better(uint32_t *costs, uint8_t *back, uint32_t state, uint32_t cost, uint32_t from, uint32_t places)
{
    if (cost < costs[state]) {
        costs[state] = cost;
        back[state] = (uint8_t)(places << PLACES | from);
    }
}

/* Ticket i joins: it stays alone for now, or takes one of the four before it that are. Who is pushed out of
 * the four alone has been left out. */
static void piece_step(struct piece *piece, uint32_t i, uint32_t costs[STATES], const uint32_t *distances)
{
    uint32_t after[STATES];
    for (uint32_t state = 0; state < STATES; state++)
        after[state] = UNREACHED;
    uint32_t falls = i >= PLACES ? piece->left_out[i - PLACES] : 0;
    for (uint32_t state = 0; state < STATES; state++) {
        if (costs[state] >= UNREACHED)
            continue;
        uint32_t cost = costs[state] + (state & (STATES / 2) ? falls : 0);
        better(after, piece->back[i], (state << 1 & (STATES - 1)) | 1, cost, state, ALONE);
        for (uint32_t k = 1; k <= PLACES; k++) {
            uint32_t bit = 1u << (k - 1), rest = state & ~bit;
            if ((state & bit) && distances[k] < UNREACHED)
                better(after, piece->back[i], rest << 1 & (STATES - 1), costs[state] + distances[k] + (rest & (STATES / 2) ? falls : 0), state, k);
        }
    }
    for (uint32_t state = 0; state < STATES; state++)
        costs[state] = after[state];
}

static uint32_t best_end(const struct piece *piece, const uint32_t costs[STATES])
{
    uint32_t best = 0, best_cost = UINT32_MAX;
    for (uint32_t state = 0; state < STATES; state++) {
        uint32_t cost = costs[state];
        for (uint32_t k = 1; k <= PLACES && cost < UNREACHED && piece->closed; k++)
            cost += state & (1u << (k - 1)) ? piece->left_out[piece->count - k] : 0;
        if (cost < best_cost) {
            best = state;
            best_cost = cost;
        }
    }
    return best;
}

void piece_pair(struct piece *piece, const struct vx_match *match, const struct mode *mode, uint32_t now_ms)
{
    uint32_t costs[STATES];
    for (uint32_t state = 0; state < STATES; state++)
        costs[state] = state == 0 ? 0 : UNREACHED;
    for (uint32_t i = 0; i < piece->count; i++) {
        uint32_t distances[PLACES + 1];
        for (uint32_t k = 1; k <= PLACES; k++) {
            distances[k] = k <= i && piece_fit(piece, match, mode, i, i - k, now_ms) ? (uint32_t)(piece->ratings[i] - piece->ratings[i - k]) : UNREACHED;
            piece->choosy |= k <= i && distances[k] == UNREACHED && piece->ratings[i] - piece->ratings[i - k] <= piece->windows[i] && piece->ratings[i] - piece->ratings[i - k] <= piece->windows[i - k];
        }
        piece_step(piece, i, costs, distances);
        piece->partner[i] = (uint8_t)i;
    }
    uint32_t state = best_end(piece, costs);
    for (uint32_t i = piece->count; i-- > 0;) {
        uint32_t places = piece->back[i][state] >> PLACES;
        state = piece->back[i][state] & (STATES - 1);
        if (places != ALONE) {
            piece->partner[i] = (uint8_t)(i - places);
            piece->partner[i - places] = (uint8_t)i;
        }
    }
}

/* ---- exchanges ---- */
struct chain {
    struct piece *piece;
    const struct vx_match *match;
    const struct mode *mode;
    uint32_t now_ms, work, work_end, links;
    uint8_t link[CHAIN + 1][2]; /* new pairs so far */
    uint64_t on;                /* indices that the chain has touched */
    uint64_t asked[PIECE], fits[PIECE];
};

static bool chain_fit(struct chain *chain, uint32_t i, uint32_t j)
{
    if ((chain->asked[i] >> j & 1) == 0) {
        uint64_t fit = piece_fit(chain->piece, chain->match, chain->mode, i, j, chain->now_ms);
        chain->asked[i] |= 1ull << j;
        chain->asked[j] |= 1ull << i;
        chain->fits[i] |= fit << j;
        chain->fits[j] |= fit << i;
    }
    return chain->fits[i] >> j & 1;
}

static int32_t apart(const struct piece *piece, uint32_t i, uint32_t j)
{
    return abs(piece->ratings[i] - piece->ratings[j]);
}

static void chain_link(struct chain *chain, uint32_t i, uint32_t j)
{
    chain->link[chain->links][0] = (uint8_t)i;
    chain->link[chain->links++][1] = (uint8_t)j;
}

/* All whom the chain has touched are alone; then its pairs are made. */
static void chain_keep(struct chain *chain)
{
    for (uint64_t on = chain->on; on != 0; on &= on - 1)
        chain->piece->partner[__builtin_ctzll(on)] = (uint8_t)__builtin_ctzll(on);
    for (uint32_t i = 0; i < chain->links; i++) {
        chain->piece->partner[chain->link[i][0]] = chain->link[i][1];
        chain->piece->partner[chain->link[i][1]] = chain->link[i][0];
    }
}

/* Ends the chain at `to`, whose partner (if any) takes the anchor or stays alone; true when that is cheaper than before. */
static bool chain_close(struct chain *chain, uint32_t anchor, uint32_t to, int32_t gain)
{
    const struct piece *piece = chain->piece;
    uint32_t left = piece->partner[to];
    int32_t total = left == to ? gain + (int32_t)piece->left_out[to] - (anchor != NOBODY ? (int32_t)piece->left_out[anchor] : 0)
                    : anchor == NOBODY ? gain + apart(piece, to, left) - (int32_t)piece->left_out[left]
                                       : gain + apart(piece, to, left) - apart(piece, left, anchor);
    if (total <= 0 || (left != to && anchor != NOBODY && !chain_fit(chain, left, anchor)))
        return false;
    chain->on |= 1ull << to | 1ull << left;
    if (left != to && anchor != NOBODY)
        chain_link(chain, left, anchor);
    chain_keep(chain);
    return true;
}

/* `open` has lost its partner, which has saved `gain` so far: asks its nearest. */
static bool chain_extend(struct chain *chain, uint32_t anchor, uint32_t open, int32_t gain, uint32_t depth)
{
    static const uint8_t breadth[CHAIN] = { 8, 5, 3, 2 };
    const struct piece *piece = chain->piece;
    uint32_t low = open, high = open + 1, asked = 0;
    while (asked < breadth[depth] && chain->work < chain->work_end && (low > 0 || high < piece->count)) {
        bool down = high == piece->count || (low > 0 && apart(piece, open, low - 1) <= apart(piece, open, high));
        uint32_t to = down ? --low : high++;
        int32_t after = gain - apart(piece, open, to);
        chain->work++;
        if (after <= 0)
            return false;
        if ((chain->on >> to & 1) || !chain_fit(chain, open, to))
            continue;
        asked++;
        uint32_t links = chain->links, left = piece->partner[to];
        uint64_t on = chain->on;
        chain_link(chain, open, to);
        if (chain_close(chain, anchor, to, after))
            return true;
        if (left != to && depth + 1 < CHAIN) {
            chain->on |= 1ull << to | 1ull << left;
            if (chain_extend(chain, anchor, left, after + apart(piece, to, left), depth + 1))
                return true;
        }
        chain->on = on;
        chain->links = links;
    }
    return false;
}

/* Finds somebody for `root`, whoever has to change partners for it: goes from those who are open to all who fit them, from
 * there to their partners, who are open then, until one is met who is alone. Nearest first, each index once. */
static bool chain_augment(struct chain *chain, uint32_t root, uint64_t *seen)
{
    struct piece *piece = chain->piece;
    uint8_t queue[PIECE], via[PIECE], from[PIECE];
    uint32_t first = 0, last = 0;
    queue[last++] = (uint8_t)root;
    for (*seen |= 1ull << root; first < last; first++) {
        uint32_t open = queue[first], low = open, high = open + 1;
        while ((low > 0 || high < piece->count) && chain->work < IMPROVE_WORK) {
            bool down = high == piece->count || (low > 0 && apart(piece, open, low - 1) <= apart(piece, open, high));
            uint32_t to = down ? --low : high++, left = piece->partner[to];
            chain->work++;
            if ((*seen >> to & 1) || !chain_fit(chain, open, to))
                continue;
            if (left != to) {
                *seen |= 1ull << to | 1ull << left;
                via[left] = (uint8_t)to;
                from[left] = (uint8_t)open;
                queue[last++] = (uint8_t)left;
                continue;
            }
            for (;; to = via[open], open = from[open]) {
                piece->partner[open] = (uint8_t)to;
                piece->partner[to] = (uint8_t)open;
                if (open == root)
                    return true;
            }
        }
    }
    return false;
}

uint32_t piece_improve(struct piece *piece, const struct vx_match *match, const struct mode *mode, uint32_t decided, uint32_t now_ms)
{
    struct chain chain = { .piece = piece, .match = match, .mode = mode, .now_ms = now_ms };
    uint64_t seen = 0; /* from where nobody can be helped stays so */
    for (uint32_t i = 0; i < decided; i++)
        if (piece->partner[i] == i && (seen >> i & 1) == 0 && chain_augment(&chain, i, &seen))
            seen = 0;
    uint64_t look = piece->count > 0 ? ~0ull >> (PIECE - piece->count) : 0; /* whose surroundings have changed */
    while (look != 0 && chain.work < IMPROVE_WORK) {
        uint32_t i = (uint32_t)__builtin_ctzll(look), partner = piece->partner[i];
        look &= look - 1;
        chain.links = 0;
        chain.on = 1ull << i | 1ull << partner;
        chain.work_end = chain.work + ALONE_WORK < IMPROVE_WORK ? chain.work + ALONE_WORK : IMPROVE_WORK;
        if (partner == i ? chain_extend(&chain, NOBODY, i, (int32_t)piece->left_out[i], 0) : chain_extend(&chain, i, partner, apart(piece, i, partner), 0))
            look |= chain.on;
    }
    return chain.work / WORK_A_LOOK;
}
