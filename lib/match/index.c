/* Where tickets lie: pools by key, in each a line for every class, in each line a list for every rating point.
 * A ticket has an entry in every pool in which it may ever be matched; what it may not yet is for the search. */
#include "match_private.h"

enum { ASK_FIRST = 4, /* tickets of a line that are on their way from memory before it is looked at */
       ASK_AHEAD = 8 };

/* ---- points ---- */
static void line_insert(struct vx_match *match, struct line *line, uint32_t entry, uint32_t now_ms)
{
    const struct ticket *ticket = &match->tickets[slot_of(match, entry)];
    struct list *list = &line->lists[ticket->rating];
    line->count++;
    if (list->head == 0) {
        line->points[ticket->rating / BLOCK_POINTS] |= 1ull << ticket->rating % BLOCK_POINTS;
        line->blocks |= 1ull << ticket->rating / BLOCK_POINTS;
        list_append(match, LIST_POINT, list, entry);
        return;
    }
    /* Last, but for a ticket that comes back with time earned or ahead of all. */
    bool first = (ticket->flags & TICKET_FIRST) != 0;
    if (ticket->since_ms != now_ms) {
        struct cursor oldest = cursor_first(match, list);
        first |= (int32_t)(ticket->since_ms - match->tickets[slot_of(match, cursor_number(&oldest))].since_ms) < 0;
    }
    if (first)
        list_prepend(match, LIST_POINT, list, entry);
    else
        list_append(match, LIST_POINT, list, entry);
}

static void line_remove(struct vx_match *match, struct line *line, uint32_t entry, uint32_t point)
{
    struct pool *pool = &match->pools[line->pool];
    line->count--;
    if (pool->at_entry == entry + 1) { /* the leader's, in a family */
        uint32_t next = list_next(match, LIST_POINT, &line->lists[point], entry);
        pool->at_entry = next + 1;
        pool->at_point = (uint16_t)(point + (next == VX_MATCH_NONE));
    }
    if (pool->resume == entry + 1 && match->modes[pool->mode].pairs) { /* a sweep was to go on here */
        uint32_t next = list_next(match, LIST_POINT, &line->lists[point], entry);
        pool->resume = next + 1; /* 0 for none */
        pool->now.from = (uint16_t)(point + (next == VX_MATCH_NONE));
    }
    list_remove(match, LIST_POINT, &line->lists[point], entry);
    if (line->lists[point].head != 0)
        return;
    line->points[point / BLOCK_POINTS] &= ~(1ull << point % BLOCK_POINTS);
    if (line->points[point / BLOCK_POINTS] == 0)
        line->blocks &= ~(1ull << point / BLOCK_POINTS);
}

/* ---- pools ---- */
static uint64_t key_of(const struct mode *mode, uint32_t number, const struct ticket *ticket, uint32_t region, bool any)
{
    uint64_t key = (uint64_t)number << 32 | (uint64_t)region << 40 | (uint64_t)any << 48;
    for (uint32_t i = 0; i < VX_MATCH_ATTRIBUTES; i++)
        if (mode->rules.equal_ms[i] != 0 && !(any && i == mode->soft))
            key |= (uint64_t)ticket->attributes[i] << (8 * i);
    return key;
}

static uint32_t bucket_of(const struct vx_match *match, uint64_t key)
{
    uint32_t bucket = (uint32_t)vx_mix64(key) & match->bucket_mask;
    while (match->buckets[bucket] != 0 && match->pools[match->buckets[bucket] - 1].key != key)
        bucket = (bucket + 1) & match->bucket_mask;
    return bucket;
}

static void bucket_clear(struct vx_match *match, uint32_t bucket)
{
    match->buckets[bucket] = 0;
    for (uint32_t at = (bucket + 1) & match->bucket_mask; match->buckets[at] != 0; at = (at + 1) & match->bucket_mask) {
        uint16_t pool = match->buckets[at]; /* whoever was pushed past the hole goes back */
        match->buckets[at] = 0;
        match->buckets[bucket_of(match, match->pools[pool - 1].key)] = pool;
    }
}

static void pool_free(struct vx_match *match, struct pool *pool)
{
    for (uint32_t class = 0; class < CLASSES; class ++)
        if (pool->lines[class] != 0) {
            match->lines[pool->lines[class] - 1].next_free = match->line_free;
            match->line_free = pool->lines[class];
            pool->lines[class] = 0;
        }
    family_leave(match, pool);
    bucket_clear(match, bucket_of(match, pool->key));
    pool->used = false;
}

/* A pool that nobody has used, or else an empty one: it keeps its place until somebody needs it. */
static struct pool *pool_free_find(struct vx_match *match)
{
    for (uint32_t i = 0; i < match->pools_max; i++)
        if (!match->pools[i].used)
            return &match->pools[i];
    for (uint32_t i = 0; i < match->pools_max; i++)
        if (match->pools[i].tickets == 0 && !match->pools[i].queued) {
            pool_free(match, &match->pools[i]);
            return &match->pools[i];
        }
    return NULL;
}

static struct pool *pool_of(struct vx_match *match, uint64_t key, uint32_t mode, uint32_t region, bool any)
{
    uint32_t bucket = bucket_of(match, key);
    if (match->buckets[bucket] != 0)
        return &match->pools[match->buckets[bucket] - 1];
    struct pool *pool = pool_free_find(match);
    if (pool == NULL)
        return NULL;
    *pool = (struct pool){ .key = key, .mode = (uint8_t)mode, .region = (uint8_t)region, .any = any, .used = true, .now = { 1, 0 }, .later = { 1, 0 } };
    match->buckets[bucket_of(match, key)] = (uint16_t)(pool - match->pools + 1);
    family_alone(match, pool);
    family_join(match, pool);
    return pool;
}

/* NULL when a mode's classes have grown since the lines were counted, and all are taken. */
static struct line *line_of(struct vx_match *match, struct pool *pool, uint32_t class)
{
    if (pool->lines[class] != 0)
        return &match->lines[pool->lines[class] - 1];
    if (match->line_free == 0 && match->lines_taken == match->lines_max)
        return NULL;
    uint32_t index = match->line_free != 0 ? match->line_free - 1u : match->lines_taken++;
    struct line *line = &match->lines[index];
    if (match->line_free != 0)
        match->line_free = line->next_free;
    line->pool = (uint16_t)(pool - match->pools);
    line->class = (uint8_t) class;
    pool->lines[class] = (uint16_t)(index + 1);
    return line;
}

void pool_queue(struct vx_match *match, struct pool *pool)
{
    if (pool->queued)
        return;
    uint16_t name = (uint16_t)(pool - match->pools + 1);
    pool->queued = true;
    pool->next = 0;
    *(match->queue_last != 0 ? &match->pools[match->queue_last - 1].next : &match->queue_first) = name;
    match->queue_last = name;
}

void pool_flood(struct vx_match *match, struct pool *pool)
{
    pool->later = (struct range){ 0, POINTS - 1 };
    pool->flooded = true;
    pool_queue(match, pool);
}

void pool_newcomer(struct vx_match *match, struct pool *pool, uint32_t slot, uint32_t reach)
{
    uint32_t rating = match->tickets[slot].rating, from = rating > reach ? rating - reach : 0, to = rating + reach < POINTS ? rating + reach : POINTS - 1;
    bool empty = pool->later.from > pool->later.to;
    pool->later.from = (uint16_t)(empty || from < pool->later.from ? from : pool->later.from);
    pool->later.to = (uint16_t)(empty || to > pool->later.to ? to : pool->later.to);
    if (pool->fresh_count > 0 && pool->fresh[(pool->fresh_first + pool->fresh_count - 1) % FRESH] == slot)
        return; /* it waits in another pool of the family, too */
    if (pool->fresh_count < FRESH)
        pool->fresh[(pool->fresh_first + pool->fresh_count++) % FRESH] = slot;
    else
        pool->flooded = true;
    pool_queue(match, pool);
}

/* ---- tickets ---- */
static bool entry_add(struct vx_match *match, uint32_t slot, uint32_t *count, uint32_t number, uint32_t region, bool any, uint32_t now_ms)
{
    struct ticket *ticket = &match->tickets[slot];
    const struct mode *mode = &match->modes[number];
    if (*count == 1u << match->entry_bits)
        return true; /* the nearest regions have their places */
    struct pool *pool = pool_of(match, key_of(mode, number, ticket, region, any), number, region, any);
    struct line *line = pool != NULL ? line_of(match, pool, ticket_class(match, mode, slot)) : NULL;
    if (line == NULL)
        return false;
    place_of(match, slot << match->entry_bits | *count)->line = (uint16_t)(line - match->lines + 1);
    line_insert(match, line, slot << match->entry_bits | *count, now_ms);
    (*count)++;
    pool->tickets++;
    pool_newcomer(match, pool_sweeper(match, pool), slot, any ? mode->window_max : mode->window[row_of(mode, waited_of(ticket, now_ms))]);
    return true;
}

static uint32_t regions_by_latency(const struct mode *mode, const struct ticket *ticket, uint32_t *regions)
{
    uint32_t count = 0;
    for (uint32_t region = 0; region < mode->rules.region_count; region++) {
        uint32_t limit_ms = mode->rules.latency_ms[region] + (uint32_t)mode->rules.latency_more.at[VX_MATCH_ROWS - 1], at = count;
        if (ticket->latency_ms[region] == VX_MATCH_UNREACHABLE || ticket->latency_ms[region] > limit_ms)
            continue;
        for (; at > 0 && ticket->latency_ms[regions[at - 1]] > ticket->latency_ms[region]; at--)
            regions[at] = regions[at - 1];
        regions[at] = region;
        count++;
    }
    return count;
}

static bool mode_insert(struct vx_match *match, uint32_t slot, uint32_t number, uint32_t *count, uint32_t now_ms)
{
    const struct mode *mode = &match->modes[number];
    uint32_t regions[VX_MATCH_REGIONS] = { NO_REGION }, region_count = 1;
    if (mode->rules.region_count > 0)
        region_count = regions_by_latency(mode, &match->tickets[slot], regions);
    for (uint32_t i = 0; i < region_count; i++)
        if (!entry_add(match, slot, count, number, regions[i], false, now_ms) || (mode->soft != NO_SOFT && !entry_add(match, slot, count, number, regions[i], true, now_ms)))
            return false;
    return true;
}

/* A mode that has changed may not take everybody who waited for it. */
static bool still_admitted(const struct vx_match *match, uint32_t slot, uint32_t number)
{
    if ((match->moving_modes & (1u << number)) == 0)
        return true;
    uint32_t members[VX_MATCH_PARTY_MAX], size = 0;
    for (uint32_t member = slot; member != VX_MATCH_NONE; member = match->persons[member].next)
        members[size++] = member;
    return mode_admits(match, &match->modes[number], members, size, match->tickets[slot].latency_ms) == VX_MATCH_TAKEN;
}

bool index_insert(struct vx_match *match, uint32_t slot, uint32_t now_ms)
{
    uint32_t count = 0;
    for (uint32_t number = 0; number < match->mode_count; number++)
        if ((match->tickets[slot].modes & (1u << number)) && still_admitted(match, slot, number) && !mode_insert(match, slot, number, &count, now_ms)) {
            index_remove(match, slot);
            return false;
        }
    return count > 0;
}

void index_remove(struct vx_match *match, uint32_t slot)
{
    for (uint32_t i = 0; i < 1u << match->entry_bits; i++) {
        struct place *place = place_of(match, slot << match->entry_bits | i);
        if (place->line == 0)
            break;
        struct line *line = &match->lines[place->line - 1];
        line_remove(match, line, slot << match->entry_bits | i, match->tickets[slot].rating);
        match->pools[line->pool].tickets--;
        place->line = 0;
    }
}

/* ---- walking ---- */
/* Asks the memory for tickets whose turn comes soon: where a list begins for the next few, then with every ticket for
 * one more. Tickets of one class follow each other within 10 ns, and memory takes a hundred. */
static void walk_ask(const struct vx_match *match, const struct cursor *cursor)
{
    const struct chunk *chunk = cursor->chunk;
    uint32_t end = (uint32_t)chunk->first + chunk->count, at = cursor->at + ASK_AHEAD;
    if (at >= end) {
        chunk = &match->chunks[chunk->next];
        at = chunk->first + (at - end < chunk->count ? at - end : 0);
    }
    __builtin_prefetch(&match->tickets[slot_of(match, chunk->numbers[at])], 1);
    __builtin_prefetch(&match->chunks[chunk->next], 1);
}

static void walk_ask_first(const struct vx_match *match, const struct cursor *cursor)
{
    const struct chunk *chunk = cursor->chunk;
    for (uint32_t i = 0; i < chunk->count && i < ASK_FIRST; i++)
        __builtin_prefetch(&match->tickets[slot_of(match, chunk->numbers[chunk->first + i])], 1);
}

static void walk_settle(struct walk *walk, uint32_t i, uint32_t point)
{
    const struct line *line = walk->at[i].line;
    point = walk->down ? point_down(line, point) : point_up(line, point);
    walk->at[i].point = point;
    if (point == POINTS) {
        walk->at[i] = walk->at[--walk->lines];
        return;
    }
    walk->at[i].cursor = cursor_first(walk->match, &line->lists[point]);
    walk_ask_first(walk->match, &walk->at[i].cursor);
}

void walk_start(struct walk *walk, const struct vx_match *match, const struct pool *pool, uint32_t point, bool down)
{
    walk->match = match;
    walk->down = down;
    walk->lines = 0;
    for (uint32_t class = 0; class < CLASSES; class ++) {
        if (pool->lines[class] == 0 || match->lines[pool->lines[class] - 1].count == 0)
            continue;
        walk->at[walk->lines++].line = &match->lines[pool->lines[class] - 1];
        walk_settle(walk, walk->lines - 1, point);
    }
}

uint32_t walk_next(struct walk *walk, uint32_t *class)
{
    if (walk->lines == 0)
        return VX_MATCH_NONE;
    uint32_t best = 0;
    for (uint32_t i = 1; i < walk->lines; i++) {
        uint32_t point = walk->at[i].point, nearest = walk->at[best].point;
        bool nearer = walk->down ? point > nearest : point < nearest;
        if (nearer || (point == nearest && walk->at[i].line->class > walk->at[best].line->class))
            best = i;
    }
    const struct line *line = walk->at[best].line;
    uint32_t entry = cursor_number(&walk->at[best].cursor), point = walk->at[best].point;
    *class = line->class;
    if (cursor_next(walk->match, &line->lists[point], &walk->at[best].cursor))
        walk_ask(walk->match, &walk->at[best].cursor);
    else if (walk->down && point == 0)
        walk->at[best] = walk->at[--walk->lines];
    else
        walk_settle(walk, best, walk->down ? point - 1 : point + 1);
    return slot_of(walk->match, entry);
}

void walk_drop(struct walk *walk, uint32_t class)
{
    for (uint32_t i = 0; i < walk->lines; i++)
        if (walk->at[i].line->class == class) {
            walk->at[i] = walk->at[--walk->lines];
            return;
        }
}
