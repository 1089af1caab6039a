/* Two single players: a piece of the line is paired as cheaply as it can be.
 *
 * Up to 64 tickets in order of rating are laid side by side, and a dynamic programme over them finds the
 * pairing that leaves out the fewest (the longest waiting last) and, among those, has the least sum of rating
 * distances, with partners at most four places apart. Where only ratings matter the cheapest pairing of a
 * line never needs more: neighbours pair up (any crossing can be undone without loss). Blocks, sets and
 * narrow windows make ticket skip each other; four places let them.
 *
 * Pieces follow each other up the line. What lies near the open end of a piece is left to the next, so that
 * pieces join as if the line had been paired at once: a greedy choice of nearest neighbours would leave
 * leftovers far apart, and costs twice as much or more (perf/match-quality). */
#include "match_private.h"

enum {
    PIECE = 64,
    PLACES = 4,           /* that partners may be apart */
    STATES = 1 << PLACES, /* bit k: the ticket k + 1 places back is still alone */
    OPEN_END = 12,        /* tickets at an open end that are not decided */
    BATCH = 80,
    LEFT_OUT = 1 << 20, /* more than any distances can sum up to */
    LEFT_OUT_MAX = 1 << 16,
    SECOND_POINTS = 8, /* a second waited weighs so many points when somebody has to be left out */
    ALONG_LOOKS = 32,  /* for one ticket alone: others that are asked on each side */
    ALONE = 0,
    UNREACHED = UINT32_MAX / 2,
};

struct batch {
    uint32_t count;
    uint16_t points[BATCH + 1];
    uint32_t entries[BATCH + 1]; /* VX_MATCH_NONE after the last of the range */
};
struct piece {
    uint32_t count, looks;
    uint32_t stop_point, stop_entry; /* the first that was not looked at */
    uint32_t slots[PIECE], entries[PIECE];
    uint16_t ratings[PIECE], windows[PIECE];
    uint32_t left_out[PIECE];            /* what it costs */
    uint8_t back[PIECE][STATES];         /* partner's places back << 4 | state before; ALONE places: none */
    uint8_t partner[PIECE];              /* index, own when alone */
    uint32_t equal_count, equals[PIECE]; /* pairs of equal rating, one after the other: they cost nothing */
    bool closed;                         /* nobody beyond could play with anybody here */
};

static bool fit(const struct piece *piece, const struct vx_match *match, const struct mode *mode, uint32_t i, uint32_t j, uint32_t now_ms)
{
    uint32_t distance = (uint32_t)(piece->ratings[i] - piece->ratings[j]);
    return distance <= piece->windows[i] && distance <= piece->windows[j] &&
           sets_meet(mode, match->tickets[piece->slots[i]].sets, match->tickets[piece->slots[j]].sets) && may_meet(match, mode, piece->slots[i], piece->slots[j], now_ms);
}

/* Two of equal rating that fit are a pair, whatever becomes of the rest: no pairing gets dearer by it. */
static void piece_join_equals(struct piece *piece, const struct vx_match *match, const struct mode *mode, uint32_t now_ms)
{
    uint32_t i = piece->count - 1;
    if (i == 0 || piece->ratings[i] != piece->ratings[i - 1] || !fit(piece, match, mode, i, i - 1, now_ms))
        return;
    piece->equals[piece->equal_count++] = piece->slots[i - 1];
    piece->equals[piece->equal_count++] = piece->slots[i];
    piece->count -= 2;
}

static void piece_add(struct piece *piece, const struct mode *mode, uint32_t slot, const struct ticket *ticket, uint32_t now_ms)
{
    uint32_t waited_ms = waited_of(ticket, now_ms), longer = waited_ms / 1000 * SECOND_POINTS, i = piece->count++;
    piece->slots[i] = slot;
    piece->ratings[i] = ticket->rating;
    piece->windows[i] = mode->window[row_of(mode, waited_ms)];
    piece->left_out[i] = LEFT_OUT + (longer < LEFT_OUT_MAX ? longer : LEFT_OUT_MAX) + (ticket->flags & TICKET_FIRST ? LEFT_OUT_MAX : 0);
}

/* The next places from where the range is to go on, without looking at the tickets: only asking the memory for
 * them, so that a million of them, far beyond the caches, cost little more than ten thousand. */
static void batch_read(struct batch *batch, const struct vx_match *match, const struct pool *pool, const struct line *line)
{
    uint32_t resume = pool->resume;
    batch->count = 0;
    for (uint32_t point = point_up(line, pool->now.from); point <= pool->now.to; point = point_up(line, point + 1)) {
        const struct list *list = &line->lists[point];
        struct cursor cursor = cursor_first(match, list);
        if (resume != 0 && point == pool->now.from)
            cursor = cursor_at(match, resume - 1);
        do {
            uint32_t entry = cursor_number(&cursor);
            batch->points[batch->count] = (uint16_t)point;
            batch->entries[batch->count++] = entry;
            if (batch->count > BATCH)
                return; /* the last is where the next batch begins */
            __builtin_prefetch(&match->tickets[slot_of(match, entry)], 1);
        } while (cursor_next(match, list, &cursor));
    }
    batch->points[batch->count] = POINTS - 1;
    batch->entries[batch->count] = VX_MATCH_NONE;
}

/* Lays out the tickets of a batch, up to a gap that nobody's window spans, or as many as a piece may have. */
static void piece_gather(struct piece *piece, const struct vx_match *match, const struct pool *pool, const struct batch *batch, uint32_t now_ms)
{
    const struct mode *mode = &match->modes[pool->mode];
    uint32_t last = POINTS, i, count = batch->count <= BATCH ? batch->count : BATCH;
    for (i = 0; i < count && piece->count < PIECE && piece->equal_count < PIECE; i++) {
        uint32_t slot = slot_of(match, batch->entries[i]);
        piece->closed = last != POINTS && batch->points[i] - last > mode->window_max;
        if (piece->closed)
            break;
        if (!active_in(mode, pool, &match->tickets[slot], now_ms))
            continue;
        piece_add(piece, mode, slot, &match->tickets[slot], now_ms);
        piece->entries[piece->count - 1] = batch->entries[i];
        last = batch->points[i];
        __builtin_prefetch(&match->chunks[match->tickets[slot].age], 1); /* where it has to be taken out if it leaves */
        piece_join_equals(piece, match, mode, now_ms);
    }
    piece->looks = i;
    piece->closed |= batch->entries[i] == VX_MATCH_NONE;
    piece->stop_point = batch->points[i];
    piece->stop_entry = batch->entries[i];
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

static void piece_pair(struct piece *piece, const struct vx_match *match, const struct mode *mode, uint32_t now_ms)
{
    uint32_t costs[STATES];
    for (uint32_t state = 0; state < STATES; state++)
        costs[state] = state == 0 ? 0 : UNREACHED;
    for (uint32_t i = 0; i < piece->count; i++) {
        uint32_t distances[PLACES + 1];
        for (uint32_t k = 1; k <= PLACES; k++)
            distances[k] = k <= i && fit(piece, match, mode, i, i - k, now_ms) ? (uint32_t)(piece->ratings[i] - piece->ratings[i - k]) : UNREACHED;
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

static void pair_take(struct vx_match *match, const struct pool *pool, uint32_t low, uint32_t high, uint32_t now_ms, struct vx_match_found *found)
{
    struct mode *mode = &match->modes[pool->mode];
    struct ticket *tickets = match->tickets;
    uint16_t spread = (uint16_t)(tickets[high].rating - tickets[low].rating);
    found->mode = pool->mode;
    found->region = pool->region;
    found->spread = found->means = spread;
    found->teams = found->tickets = 2;
    found->size = 1;
    found->ticket[0] = low;
    found->ticket[1] = high;
    found->team[0] = 0;
    found->team[1] = 1;
    for (uint32_t i = 0; i < 2; i++) {
        wait_measured(mode, tickets[found->ticket[i]].rating, waited_of(&tickets[found->ticket[i]], now_ms));
        ticket_leave(match, found->ticket[i]);
    }
}

static uint32_t equals_take(struct vx_match *match, const struct pool *pool, const struct piece *piece, uint32_t now_ms, struct vx_match_found *found, uint32_t max)
{
    uint32_t count = 0;
    for (; count < max && 2 * count < piece->equal_count; count++)
        pair_take(match, pool, piece->equals[2 * count], piece->equals[2 * count + 1], now_ms, &found[count]);
    return count;
}

/* The nearest who fits, one way along the line. Whoever stands behind `slot` at its own point is not asked
 * on the way down: in a sweep they are not decided yet. */
struct nearest {
    uint32_t slot, distance;
};

static void nearest_along(const struct vx_match *match, const struct pool *pool, const struct line *line, uint32_t slot, bool down, uint32_t now_ms, uint32_t *looks, struct nearest *nearest)
{
    const struct mode *mode = &match->modes[pool->mode];
    const struct ticket *ticket = &match->tickets[slot];
    uint32_t rating = ticket->rating, window = window_of(mode, ticket, now_ms), asked = 0;
    uint32_t point = down ? point_down(line, rating) : point_up(line, rating);
    while (point != POINTS) {
        uint32_t distance = down ? rating - point : point - rating;
        const struct list *list = &line->lists[point];
        struct cursor cursor = cursor_first(match, list);
        if (distance > window || distance >= nearest->distance)
            return;
        do {
            uint32_t other = slot_of(match, cursor_number(&cursor));
            const struct ticket *candidate = &match->tickets[other];
            if (other == slot && down)
                break;
            ++*looks;
            if (asked++ == ALONG_LOOKS)
                return;
            if (other != slot && distance <= window_of(mode, candidate, now_ms) && active_in(mode, pool, candidate, now_ms) &&
                sets_meet(mode, ticket->sets, candidate->sets) && may_meet(match, mode, slot, other, now_ms)) {
                *nearest = (struct nearest){ other, distance };
                return;
            }
        } while (cursor_next(match, list, &cursor));
        point = !down ? point_up(line, point + 1) : point > 0 ? point_down(line, point - 1)
                                                              : POINTS;
    }
}

/* Somebody who is left out asks those below who were left out before: farther than four places away, over
 * others that did not fit. */
static bool back_search(struct vx_match *match, const struct pool *pool, const struct line *line, uint32_t slot, uint32_t now_ms, uint32_t *looks, struct vx_match_found *found)
{
    struct nearest nearest = { VX_MATCH_NONE, UINT32_MAX };
    nearest_along(match, pool, line, slot, true, now_ms, looks, &nearest);
    if (nearest.slot == VX_MATCH_NONE)
        return false;
    pair_take(match, pool, nearest.slot, slot, now_ms, found);
    return true;
}

bool pairs_serve(struct vx_match *match, struct pool *pool, uint32_t slot, uint32_t now_ms, struct vx_match_found *found, uint32_t *looks)
{
    const struct line *line = &match->lines[pool->lines[0] - 1];
    struct nearest nearest = { VX_MATCH_NONE, UINT32_MAX };
    if (!active_in(&match->modes[pool->mode], pool, &match->tickets[slot], now_ms))
        return false;
    nearest_along(match, pool, line, slot, false, now_ms, looks, &nearest);
    nearest_along(match, pool, line, slot, true, now_ms, looks, &nearest);
    if (nearest.slot == VX_MATCH_NONE)
        return false;
    bool lower = match->tickets[nearest.slot].rating <= match->tickets[slot].rating;
    pair_take(match, pool, lower ? nearest.slot : slot, lower ? slot : nearest.slot, now_ms, found);
    return true;
}

/* The range goes on at the piece's ticket `first`, or where the piece stopped. */
static void piece_leave(struct pool *pool, const struct piece *piece, uint32_t first)
{
    while (first < piece->count && piece->partner[first] < first)
        first++; /* taken with its partner */
    bool inside = first < piece->count;
    uint32_t point = inside ? piece->ratings[first] : piece->stop_point;
    if (point > pool->now.to || (!inside && piece->stop_entry == VX_MATCH_NONE)) {
        pool->now = (struct range){ 1, 0 };
        pool->resume = 0;
        return;
    }
    pool->now.from = (uint16_t)point;
    pool->resume = (inside ? piece->entries[first] : piece->stop_entry) + 1;
}

uint32_t pairs_piece(struct vx_match *match, struct pool *pool, uint32_t now_ms, struct vx_match_found *found, uint32_t max, uint32_t *looks)
{
    const struct line *line = pool->lines[0] != 0 ? &match->lines[pool->lines[0] - 1] : NULL;
    if (line == NULL || line->count < 2) {
        pool->now = (struct range){ 1, 0 };
        pool->resume = 0;
        return 0;
    }
    struct batch batch;
    struct piece piece;
    piece.count = piece.looks = piece.equal_count = 0;
    piece.closed = false;
    batch_read(&batch, match, pool, line);
    piece_gather(&piece, match, pool, &batch, now_ms);
    *looks += piece.looks;
    uint32_t count = equals_take(match, pool, &piece, now_ms, found, max), i;
    if (2 * count < piece.equal_count)
        return count; /* no room for more: the range is where it was */
    piece_pair(&piece, match, &match->modes[pool->mode], now_ms);
    uint32_t decided = piece.closed || piece.count <= OPEN_END ? piece.count : piece.count - OPEN_END;
    for (i = 0; i < decided && count < max; i++) {
        uint32_t partner = piece.partner[i];
        if (partner < i)
            continue; /* taken with its partner */
        if (partner >= decided)
            break;
        if (partner > i)
            pair_take(match, pool, piece.slots[i], piece.slots[partner], now_ms, &found[count++]);
        else
            count += back_search(match, pool, line, piece.slots[i], now_ms, looks, &found[count]);
    }
    piece_leave(pool, &piece, i);
    return count;
}
