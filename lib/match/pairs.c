/* Two single players: pieces of the line.
 *
 * Pieces follow each other up the line, and each is paired as cheaply as it can be (pairing.c). What lies near the
 * open end of a piece is left to the next, so that pieces join as if the line had been paired at once: a greedy choice
 * of nearest neighbours would leave leftovers far apart, and costs twice as much or more (perf/match-quality).
 *
 * Pools that share tickets are looked through together: overlap.c. */
#include <stdlib.h>

#include "pairs_private.h"

enum {
    OPEN_END = 12, /* tickets at an open end that are not decided */
    BATCH = 80,
    ALONG_LOOKS = 32, /* for one ticket alone: others that are asked on each side */
};

struct batch {
    uint32_t count;
    uint16_t points[BATCH + 1];
    uint32_t entries[BATCH + 1]; /* VX_MATCH_NONE after the last of the range */
};

/* Two of equal rating that fit are a pair, whatever becomes of the rest: no pairing gets dearer by it. */
static void piece_join_equals(struct piece *piece, const struct vx_match *match, const struct mode *mode, uint32_t now_ms)
{
    uint32_t i = piece->count - 1;
    if (i == 0 || piece->ratings[i] != piece->ratings[i - 1] || !piece_fit(piece, match, mode, i, i - 1, now_ms))
        return;
    piece->equals[piece->equal_count++] = piece->slots[i - 1];
    piece->equals[piece->equal_count++] = piece->slots[i];
    piece->count -= 2;
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
        piece_add(piece, mode, slot, &match->tickets[slot], 1, now_ms);
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

void pair_take(struct vx_match *match, const struct pool *pool, uint32_t low, uint32_t high, uint32_t now_ms, struct vx_match_found *found)
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

bool pairs_serve(struct vx_match *match, struct pool *leader, uint32_t slot, uint32_t now_ms, struct vx_match_found *found, uint32_t *looks)
{
    struct nearest nearest = { VX_MATCH_NONE, UINT32_MAX };
    const struct pool *where = leader;
    for (uint32_t i = 0, name; i < 1u << match->entry_bits && (name = place_of(match, slot << match->entry_bits | i)->line) != 0; i++) {
        const struct line *line = &match->lines[name - 1];
        const struct pool *pool = &match->pools[line->pool];
        uint32_t before = nearest.distance;
        if (pool_sweeper(match, pool) != leader || !active_in(&match->modes[pool->mode], pool, &match->tickets[slot], now_ms))
            continue;
        nearest_along(match, pool, line, slot, false, now_ms, looks, &nearest);
        nearest_along(match, pool, line, slot, true, now_ms, looks, &nearest);
        where = nearest.distance < before ? pool : where;
    }
    if (nearest.slot == VX_MATCH_NONE)
        return false;
    bool lower = match->tickets[nearest.slot].rating <= match->tickets[slot].rating;
    pair_take(match, where, lower ? nearest.slot : slot, lower ? slot : nearest.slot, now_ms, found);
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
    if (pool->family_next != pool_number(match, pool))
        return overlap_piece(match, pool, now_ms, found, max, looks);
    const struct line *line = pool->lines[0] != 0 ? &match->lines[pool->lines[0] - 1] : NULL;
    if (line == NULL || line->count < 2) {
        pool->now = (struct range){ 1, 0 };
        pool->resume = 0;
        return 0;
    }
    struct batch batch;
    struct piece piece;
    piece.count = piece.looks = piece.equal_count = 0;
    piece.closed = piece.choosy = false;
    batch_read(&batch, match, pool, line);
    piece_gather(&piece, match, pool, &batch, now_ms);
    *looks += piece.looks;
    uint32_t count = equals_take(match, pool, &piece, now_ms, found, max), i;
    if (2 * count < piece.equal_count)
        return count; /* no room for more: the range is where it was */
    const struct mode *mode = &match->modes[pool->mode];
    uint32_t decided = piece.closed || piece.count <= OPEN_END ? piece.count : piece.count - OPEN_END;
    piece_pair(&piece, match, mode, now_ms);
    if (piece.choosy)
        *looks += piece_improve(&piece, match, mode, decided, now_ms);
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
