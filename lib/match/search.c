/* The step: pools whose tickets or windows have changed are looked through, a piece at a time and in turn, and
 * those who have waited long in teams' modes are served before that. */
#include "match_private.h"

enum {
    POOLS_AT_ONCE = 16, /* pools whose time is looked at in one step */
    MOVES_AT_ONCE = 32, /* tickets put anew after a mode has changed, in one step */
    LATE_AT_ONCE = 16,  /* tickets passed by in one step on the way to those who are late */
    LATE_LOOKS = 128,   /* … and with as many looks used the sweeps have their turn */
};

/* Windows widen by rows: once in each everything may have become possible. */
static void clocks(struct vx_match *match, uint32_t now_ms)
{
    if (match->clock_ms != now_ms) {
        match->clock_ms = now_ms;
        match->clock_left = match->pools_max;
    }
    for (uint32_t i = 0; i < POOLS_AT_ONCE && match->clock_left > 0; i++) {
        struct pool *pool = &match->pools[match->clock];
        match->clock = match->clock + 1 < match->pools_max ? match->clock + 1 : 0;
        match->clock_left--;
        if (pool->used && pool->stale) {
            pool->stale = false;
            family_join(match, pool);
        }
        if (!pool->used || pool_sweeper(match, pool) != pool || (pool->tickets == 0 && pool->family_next == pool_number(match, pool)))
            continue;
        uint32_t row = now_ms / match->modes[pool->mode].rules.step_ms;
        if (row != pool->row)
            pool_flood(match, pool);
        pool->row = row;
    }
}

/* Only newcomers can have made matches possible in a pool that has been swept: each is asked for its best. */
static uint32_t newcomer(struct vx_match *match, struct pool *pool, uint32_t now_ms, struct vx_match_found *found, uint32_t *looks)
{
    uint32_t slot = pool->fresh[pool->fresh_first];
    pool->fresh_first = (uint8_t)((pool->fresh_first + 1) % FRESH);
    if (--pool->fresh_count == 0)
        pool->later = (struct range){ 1, 0 };
    if (!ticket_in(match, pool, slot))
        return 0; /* it has left */
    return match->modes[pool->mode].pairs ? pairs_serve(match, pool, slot, now_ms, found, looks) : teams_serve(match, pool, slot, now_ms, found, looks);
}

static uint32_t look_through(struct vx_match *match, struct pool *pool, uint32_t now_ms, struct vx_match_found *found, uint32_t max, uint32_t *looks)
{
    if (match->moving_modes & (1u << pool->mode))
        return 0;
    if (pool->now.from > pool->now.to && !pool->flooded)
        return pool->fresh_count > 0 ? newcomer(match, pool, now_ms, found, looks) : 0;
    if (pool->now.from > pool->now.to) {
        pool->now = pool->later;
        pool->later = (struct range){ 1, 0 };
        pool->resume = 0;
        pool->flooded = false;
        pool->fresh_count = 0;
        family_sweep(match, pool);
    }
    return match->modes[pool->mode].pairs ? pairs_piece(match, pool, now_ms, found, max, looks) : teams_piece(match, pool, now_ms, found, max, looks);
}

/* The pool whose turn it is. */
static uint32_t sweep(struct vx_match *match, uint32_t now_ms, struct vx_match_found *found, uint32_t max, uint32_t *looks)
{
    struct pool *pool = &match->pools[match->queue_first - 1];
    ++*looks;
    match->queue_first = pool->next;
    if (match->queue_first == 0)
        match->queue_last = 0;
    pool->queued = false;
    uint32_t count = look_through(match, pool, now_ms, found, max, looks);
    if (pool->now.from <= pool->now.to || pool->flooded || pool->fresh_count > 0)
        pool_queue(match, pool);
    return count;
}

/* ---- the oldest first ---- */
static bool serve(struct vx_match *match, uint32_t slot, uint32_t now_ms, struct vx_match_found *found, uint32_t *looks)
{
    const struct ticket *ticket = &match->tickets[slot];
    for (uint32_t i = 0, line; i < 1u << match->entry_bits && (line = place_of(match, slot << match->entry_bits | i)->line) != 0; i++) {
        struct pool *pool = &match->pools[match->lines[line - 1].pool];
        const struct mode *mode = &match->modes[pool->mode];
        bool late = waited_of(ticket, now_ms) >= mode->rules.late_ms || (ticket->flags & TICKET_FIRST);
        if (!mode->pairs && late && (match->moving_modes & (1u << pool->mode)) == 0 && teams_serve(match, pool, slot, now_ms, found, looks))
            return true;
    }
    return false;
}

/* Goes from the oldest second to those who are not late in any mode, once a second; each ticket on the way is asked once. */
static uint32_t late_turn(struct vx_match *match, uint32_t now_ms, struct vx_match_found *found, uint32_t *looks)
{
    uint32_t now_s = now_ms / 1000, late_s = match->late_ms / 1000, end = late_s < AGE_SECONDS ? AGE_SECONDS - late_s : 0;
    if (match->late_second >= end) {
        if (match->late_row == now_s)
            return 0;
        match->late_row = now_s;
        match->late_second = 0;
        match->late_slot = 0;
    }
    for (uint32_t passed = 0; passed < LATE_AT_ONCE && *looks < LATE_LOOKS && match->late_second < end;) {
        const struct list *list = &match->ages[(match->late_row + 1 + match->late_second) % AGE_SECONDS];
        if (list->head == 0) {
            match->late_second++;
            match->late_slot = 0;
            continue;
        }
        struct cursor first = cursor_first(match, list);
        uint32_t slot = match->late_slot != 0 ? match->late_slot - 1 : cursor_number(&first);
        match->late_slot = list_next(match, LIST_AGES, list, slot) + 1; /* 0 for none */
        match->late_second += match->late_slot == 0;
        passed++;
        ++*looks;
        if (serve(match, slot, now_ms, found, looks))
            return 1;
    }
    return 0;
}

/* ---- a mode that has changed ---- */
void vx_match_mode_set(struct vx_match *match, uint32_t number, const struct vx_match_mode *rules)
{
    VX_ASSERT(number < match->mode_count);
    mode_compile(&match->modes[number], rules);
    modes_late(match);
    match->moving = match->tickets_max;
    match->moving_modes |= (uint16_t)(1u << number);
    for (uint32_t i = 0; i < match->pools_max; i++)
        if (match->pools[i].used && match->pools[i].mode == number) {
            match->pools[i].now = (struct range){ 1, 0 };
            match->pools[i].resume = match->pools[i].at_entry = 0;
            match->pools[i].stale = true;
            family_alone(match, &match->pools[i]);
        }
}

const struct vx_match_mode *vx_match_mode(const struct vx_match *match, uint32_t number)
{
    return number < match->mode_count ? &match->modes[number].rules : NULL;
}

void vx_match_window_set(struct vx_match *match, uint32_t number, uint32_t row, uint32_t points)
{
    VX_ASSERT(number < match->mode_count && row < VX_MATCH_ROWS && points <= VX_MATCH_RATING_MAX);
    struct mode *mode = &match->modes[number];
    struct vx_match_mode rules = mode->rules;
    rules.window.at[row] = (uint16_t)points;
    mode_compile(mode, &rules);
    for (uint32_t i = 0; i < match->pools_max; i++)
        if (match->pools[i].used && match->pools[i].mode == number)
            pool_flood(match, pool_sweeper(match, &match->pools[i]));
}

/* Classes, regions and attributes of the new rules are other places: tickets go there a few in each step. The
 * mode makes no matches meanwhile; a ticket for which there is no room any more keeps its other modes. */
static void move_some(struct vx_match *match, uint32_t now_ms, uint32_t *looks)
{
    for (uint32_t i = 0; i < MOVES_AT_ONCE && match->moving > 0; i++) {
        uint32_t slot = --match->moving;
        struct ticket *ticket = &match->tickets[slot];
        ++*looks;
        if ((ticket->flags & TICKET_QUEUED) == 0 || (ticket->modes & match->moving_modes) == 0)
            continue;
        index_remove(match, slot);
        (void)index_insert(match, slot, now_ms); /* no place: it waits until it is told that its time is over */
    }
    if (match->moving == 0)
        match->moving_modes = 0;
}

uint32_t vx_match_step(struct vx_match *match, uint32_t now_ms, uint32_t looks_max, struct vx_match_found *found, uint32_t max)
{
    uint32_t count = 0, looks = 0;
    clocks(match, now_ms);
    if (match->moving > 0)
        move_some(match, now_ms, &looks);
    if (max > 0 && match->late_ms != VX_MATCH_NONE)
        count += late_turn(match, now_ms, found, &looks);
    while (count < max && looks < looks_max && match->queue_first != 0)
        count += sweep(match, now_ms, &found[count], max - count, &looks);
    match->looks = looks;
    return count;
}

bool vx_match_idle(const struct vx_match *match)
{
    return match->queue_first == 0 && match->moving == 0;
}
