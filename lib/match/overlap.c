/* Pools that share tickets: of one mode, with the same attributes but for the one that is given up, in any region. A
 * player who is near enough to two regions waits in both; if each pool were paired by itself, whoever is looked at first
 * would take players whom the other needs more (half as much again in distance: perf/match-quality). Such a family is
 * looked through by one sweep, its leader's: all its lines together in order of rating, every ticket once.
 *
 * Who is left out in a piece is carried into the next, and asks by itself when no piece is likely to help it any more. */
#include "pairs_private.h"

enum {
    SIBLINGS = 16,   /* pools of one sweep; those beyond are looked through by the newcomers in them alone */
    OPEN_END = 24,   /* tickets at an open end that are not decided: several pools' */
    LOOKS_MAX = 192, /* tickets passed by while a piece is laid out */
    OPEN_COST = 30,  /* points: what it costs to leave out somebody who is not decided yet */
    NOT_FOUND = UINT8_MAX, /* of carried tickets: they lie behind the sweep */
};

/* ---- families ---- */
static uint64_t family_key(const struct mode *mode, uint64_t key)
{
    key &= ~(0xffull << 40 | 1ull << 48);
    return mode->soft == NO_SOFT ? key : key & ~(0xffull << (8 * mode->soft));
}

static void family_flood(struct vx_match *match, uint32_t leader)
{
    match->pools[leader].carry_count = 0;
    pool_flood(match, &match->pools[leader]);
}

void family_alone(struct vx_match *match, struct pool *pool)
{
    pool->leader = pool->family_next = pool_number(match, pool);
    pool->carry_count = 0;
}

void family_join(struct vx_match *match, struct pool *pool)
{
    const struct mode *mode = &match->modes[pool->mode];
    uint32_t number = pool_number(match, pool);
    if (!mode->pairs || pool->family_next != number)
        return;
    for (uint32_t i = 0; i < match->pools_max; i++) {
        struct pool *other = &match->pools[i];
        if (i == number || !other->used || other->mode != pool->mode || family_key(mode, other->key) != family_key(mode, pool->key))
            continue;
        pool->leader = other->leader;
        pool->family_next = other->family_next;
        other->family_next = (uint16_t)number;
        pool->now = pool->later = (struct range){ 1, 0 };
        pool->flooded = false;
        pool->fresh_count = 0;
        match->pools[pool->leader].now = (struct range){ 1, 0 };
        family_flood(match, pool->leader);
        return;
    }
}

void family_leave(struct vx_match *match, struct pool *pool)
{
    uint32_t number = pool_number(match, pool), heir = pool->family_next, before = heir;
    if (heir == number)
        return;
    while (match->pools[before].family_next != number)
        before = match->pools[before].family_next;
    match->pools[before].family_next = (uint16_t)heir;
    for (uint32_t i = 0, at = heir; pool->leader == number && (i == 0 || at != heir); i++, at = match->pools[at].family_next)
        match->pools[at].leader = (uint16_t)heir;
    if (pool->leader == number)
        family_flood(match, heir);
    family_alone(match, pool);
}

void family_sweep(struct vx_match *match, struct pool *leader)
{
    uint32_t at = pool_number(match, leader);
    leader->carry_count = 0;
    do {
        match->pools[at].at_point = leader->now.from;
        match->pools[at].at_entry = 0;
        at = match->pools[at].family_next;
    } while (at != pool_number(match, leader));
}

/* ---- a piece of all lines ---- */
struct overlap {
    uint32_t count;
    struct {
        struct pool *pool;
        const struct line *line; /* NULL: at its end */
        uint32_t point;
        struct cursor cursor;
    } at[SIBLINGS];
};

static void overlap_settle(struct overlap *overlap, const struct vx_match *match, uint32_t i, uint32_t point, uint32_t last_point)
{
    const struct line *line = overlap->at[i].line;
    overlap->at[i].point = point = point_up(line, point);
    if (point > last_point)
        overlap->at[i].line = NULL;
    else
        overlap->at[i].cursor = cursor_first(match, &line->lists[point]);
}

static void overlap_open(struct overlap *overlap, struct vx_match *match, struct pool *leader)
{
    uint32_t at = pool_number(match, leader);
    overlap->count = 0;
    do {
        struct pool *pool = &match->pools[at];
        uint32_t i = overlap->count++;
        pool->sibling = (uint8_t)i;
        overlap->at[i].pool = pool;
        overlap->at[i].line = pool->tickets > 0 ? &match->lines[pool->lines[0] - 1] : NULL;
        overlap->at[i].point = POINTS;
        if (overlap->at[i].line != NULL)
            overlap_settle(overlap, match, i, pool->at_point, leader->now.to);
        if (overlap->at[i].line != NULL && pool->at_entry != 0 && overlap->at[i].point == pool->at_point)
            overlap->at[i].cursor = cursor_at(match, pool->at_entry - 1);
        at = pool->family_next;
    } while (at != pool_number(match, leader) && overlap->count < SIBLINGS);
}

/* In which of the sweep's pools the ticket may be matched now; *first is the one in which the sweep meets it. */
static uint32_t pools_of(const struct overlap *overlap, const struct vx_match *match, uint32_t slot, uint32_t now_ms, uint32_t *first)
{
    const struct ticket *ticket = &match->tickets[slot];
    uint32_t pools = 0;
    *first = SIBLINGS;
    for (uint32_t i = 0, line; i < 1u << match->entry_bits && (line = place_of(match, slot << match->entry_bits | i)->line) != 0; i++) {
        const struct pool *pool = &match->pools[match->lines[line - 1].pool];
        if (pool->sibling >= overlap->count || overlap->at[pool->sibling].pool != pool)
            continue;
        *first = *first == SIBLINGS ? pool->sibling : *first;
        pools |= (uint32_t)active_in(&match->modes[pool->mode], pool, ticket, now_ms) << pool->sibling;
    }
    return pools;
}

static void overlap_carried(struct piece *piece, const struct overlap *overlap, const struct vx_match *match, struct pool *leader, uint32_t now_ms)
{
    for (uint32_t i = 0; i < leader->carry_count; i++) {
        uint32_t slot = leader->carry[i], first, pools;
        if (!vx_match_has(match, slot) || match->tickets[slot].rating != leader->carry_rating[i] || (pools = pools_of(overlap, match, slot, now_ms, &first)) == 0)
            continue; /* it has left; somebody else may have its slot */
        piece->from[piece->count] = NOT_FOUND;
        piece_add(piece, &match->modes[leader->mode], slot, &match->tickets[slot], pools, now_ms);
    }
}

static bool carries(const struct piece *piece, uint32_t slot)
{
    for (uint32_t i = 0; i < piece->count && piece->from[i] == NOT_FOUND; i++)
        if (piece->slots[i] == slot)
            return true;
    return false;
}

static void overlap_gather(struct piece *piece, struct overlap *overlap, struct vx_match *match, struct pool *leader, uint32_t now_ms)
{
    const struct mode *mode = &match->modes[leader->mode];
    uint32_t last = POINTS;
    overlap_carried(piece, overlap, match, leader, now_ms);
    while (piece->count < PIECE && piece->looks < LOOKS_MAX) {
        uint32_t best = SIBLINGS, first;
        for (uint32_t i = 0; i < overlap->count; i++)
            if (overlap->at[i].line != NULL && (best == SIBLINGS || overlap->at[i].point < overlap->at[best].point))
                best = i;
        piece->closed = best == SIBLINGS || (last != POINTS && overlap->at[best].point - last > mode->window_max);
        if (piece->closed)
            return;
        uint32_t entry = cursor_number(&overlap->at[best].cursor), slot = slot_of(match, entry), point = overlap->at[best].point;
        uint32_t pools = pools_of(overlap, match, slot, now_ms, &first);
        piece->looks++;
        if (first == best && pools != 0 && !carries(piece, slot)) {
            piece->from[piece->count] = (uint8_t)best;
            piece->entries[piece->count] = entry;
            piece_add(piece, mode, slot, &match->tickets[slot], pools, now_ms);
            last = point;
        }
        if (!cursor_next(match, &overlap->at[best].line->lists[point], &overlap->at[best].cursor))
            overlap_settle(overlap, match, best, point + 1, leader->now.to);
    }
}

/* Of the pools that two share, the one whose region is nearest to the farther of them. */
static const struct pool *pool_for(const struct overlap *overlap, const struct vx_match *match, const struct piece *piece, uint32_t a, uint32_t b)
{
    const struct ticket *one = &match->tickets[piece->slots[a]], *other = &match->tickets[piece->slots[b]];
    const struct pool *best = NULL;
    uint32_t best_ms = UINT32_MAX;
    for (uint32_t pools = piece->pools[a] & piece->pools[b]; pools != 0; pools &= pools - 1) {
        const struct pool *pool = overlap->at[__builtin_ctz(pools)].pool;
        uint32_t ms = 0;
        if (pool->region != NO_REGION)
            ms = one->latency_ms[pool->region] > other->latency_ms[pool->region] ? one->latency_ms[pool->region] : other->latency_ms[pool->region];
        if (best == NULL || ms < best_ms) {
            best = pool;
            best_ms = ms;
        }
    }
    return best;
}

/* The sweep goes on in each line where it stopped, or at the first ticket of the piece that is still to be decided. */
static void overlap_leave(struct piece *piece, const struct overlap *overlap, struct pool *leader, uint32_t decided)
{
    for (uint32_t i = piece->count; i-- > decided;)
        if (piece->from[i] != NOT_FOUND && (piece->partner[i] >= decided || piece->partner[i] == i)) {
            struct pool *pool = overlap->at[piece->from[i]].pool;
            pool->at_point = piece->ratings[i];
            pool->at_entry = piece->entries[i] + 1;
        }
    if (piece->closed && decided == piece->count && piece->stop_point > leader->now.to) {
        leader->now = (struct range){ 1, 0 };
        return;
    }
    leader->now.from = leader->now.to;
    for (uint32_t i = 0; i < overlap->count; i++)
        if (overlap->at[i].pool->at_point < leader->now.from)
            leader->now.from = overlap->at[i].pool->at_point;
}

static void overlap_stop(struct piece *piece, const struct overlap *overlap)
{
    piece->stop_point = POINTS;
    for (uint32_t i = 0; i < overlap->count; i++) {
        bool more = overlap->at[i].line != NULL;
        overlap->at[i].pool->at_point = (uint16_t)(more ? overlap->at[i].point : POINTS);
        overlap->at[i].pool->at_entry = more ? cursor_number(&overlap->at[i].cursor) + 1 : 0;
        piece->stop_point = more && overlap->at[i].point < piece->stop_point ? overlap->at[i].point : piece->stop_point;
    }
}

static uint32_t overlap_take(struct vx_match *match, const struct overlap *overlap, const struct piece *piece, uint32_t *decided, uint32_t now_ms, struct vx_match_found *found, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < *decided; i++) {
        uint32_t partner = piece->partner[i];
        if (partner <= i)
            continue; /* alone, or taken with its partner */
        if (count == max) {
            *decided = i;
            break;
        }
        pair_take(match, pool_for(overlap, match, piece, i, partner), piece->slots[i], piece->slots[partner], now_ms, &found[count++]);
    }
    return count;
}

/* Who was left out below the decided: the last few go on with the sweep. */
static void overlap_carry(struct piece *piece, struct pool *leader, uint32_t decided)
{
    leader->carry_count = 0;
    for (uint32_t i = piece->count; i-- > 0 && leader->carry_count < CARRIED;) {
        bool waits = i < decided ? piece->partner[i] == i : piece->from[i] == NOT_FOUND && (piece->partner[i] >= decided || piece->partner[i] == i);
        if (!waits)
            continue;
        leader->carry[leader->carry_count] = piece->slots[i];
        leader->carry_rating[leader->carry_count++] = piece->ratings[i];
    }
    for (uint32_t i = 0; i < leader->carry_count / 2u; i++) { /* in order of rating */
        uint32_t other = leader->carry_count - 1 - i, slot = leader->carry[i];
        uint16_t rating = leader->carry_rating[i];
        leader->carry[i] = leader->carry[other];
        leader->carry_rating[i] = leader->carry_rating[other];
        leader->carry[other] = slot;
        leader->carry_rating[other] = rating;
    }
}

uint32_t overlap_piece(struct vx_match *match, struct pool *leader, uint32_t now_ms, struct vx_match_found *found, uint32_t max, uint32_t *looks)
{
    struct overlap overlap;
    struct piece piece;
    const struct mode *mode = &match->modes[leader->mode];
    piece.count = piece.looks = piece.equal_count = 0;
    piece.closed = piece.choosy = false;
    overlap_open(&overlap, match, leader);
    overlap_gather(&piece, &overlap, match, leader, now_ms);
    overlap_stop(&piece, &overlap);
    uint32_t decided = piece.closed || piece.count < PIECE ? piece.count : piece.count - OPEN_END;
    piece_pair(&piece, match, mode, now_ms);
    for (uint32_t i = decided; i < piece.count; i++)
        piece.left_out[i] = OPEN_COST;
    *looks += piece.looks + piece_improve(&piece, match, mode, decided, now_ms);
    uint32_t count = overlap_take(match, &overlap, &piece, &decided, now_ms, found, max);
    overlap_leave(&piece, &overlap, leader, decided);
    overlap_carry(&piece, leader, decided);
    if (leader->now.from > leader->now.to)
        leader->carry_count = 0;
    return count;
}
