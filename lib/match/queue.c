/* The ticket queue: intrusive lists of slot numbers, one per rating bucket and one of all tickets. */
#include "vx_match.h"

enum {
    BUCKET_POINTS = 32,
    BUCKETS = 128, /* ratings up to 4095 */
    CANDIDATES_MAX = 64,
    NEAREST_LOOKS_MAX = 1024,
};

struct link {
    uint32_t next, prev;
};
struct ticket {
    struct link bucket, age;
    uint32_t since_ms;
    uint16_t rating;
    bool queued;
};
struct vx_match {
    uint32_t tickets_max, waiting;
    uint32_t cursor; /* of vx_match_next: a queued slot or NONE */
    uint32_t age_first, age_last;
    uint32_t first[BUCKETS], last[BUCKETS];
    uint32_t windows[VX_MATCH_WINDOWS];
    struct ticket tickets[];
};

size_t vx_match_bytes(uint32_t tickets_max)
{
    return sizeof(struct vx_match) + tickets_max * sizeof(struct ticket);
}

struct vx_match *vx_match_create(void *memory, uint32_t tickets_max)
{
    struct vx_match *match = memory;
    match->tickets_max = tickets_max;
    match->cursor = match->age_first = match->age_last = VX_MATCH_NONE;
    for (uint32_t i = 0; i < BUCKETS; i++)
        match->first[i] = match->last[i] = VX_MATCH_NONE;
    return match;
}

void vx_match_window_set(struct vx_match *match, uint32_t second, uint32_t window)
{
    VX_ASSERT(second < VX_MATCH_WINDOWS);
    match->windows[second] = window;
}

static uint32_t window_of(const struct vx_match *match, const struct ticket *ticket, uint32_t now_ms)
{
    uint32_t second = (now_ms - ticket->since_ms) / 1000;
    return match->windows[second < VX_MATCH_WINDOWS ? second : VX_MATCH_WINDOWS - 1];
}

uint32_t vx_match_window(const struct vx_match *match, uint32_t slot, uint32_t now_ms)
{
    return window_of(match, &match->tickets[slot], now_ms);
}

uint32_t vx_match_waiting(const struct vx_match *match)
{
    return match->waiting;
}

bool vx_match_has(const struct vx_match *match, uint32_t slot)
{
    return match->tickets[slot].queued;
}

uint32_t vx_match_since_ms(const struct vx_match *match, uint32_t slot)
{
    return match->tickets[slot].since_ms;
}

static uint32_t bucket_of(uint32_t rating)
{
    uint32_t bucket = rating / BUCKET_POINTS;
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

void vx_match_add(struct vx_match *match, uint32_t slot, uint32_t rating, uint32_t since_ms)
{
    VX_ASSERT(slot < match->tickets_max && !match->tickets[slot].queued && rating <= UINT16_MAX);
    struct ticket *ticket = &match->tickets[slot];
    uint32_t bucket = bucket_of(rating);
    *ticket = (struct ticket){ { VX_MATCH_NONE, match->last[bucket] }, { VX_MATCH_NONE, match->age_last }, since_ms, (uint16_t)rating, true };
    *(ticket->bucket.prev != VX_MATCH_NONE ? &match->tickets[ticket->bucket.prev].bucket.next : &match->first[bucket]) = slot;
    *(ticket->age.prev != VX_MATCH_NONE ? &match->tickets[ticket->age.prev].age.next : &match->age_first) = slot;
    match->last[bucket] = match->age_last = slot;
    match->waiting++;
}

void vx_match_remove(struct vx_match *match, uint32_t slot)
{
    VX_ASSERT(slot < match->tickets_max && match->tickets[slot].queued);
    struct ticket *ticket = &match->tickets[slot];
    uint32_t bucket = bucket_of(ticket->rating);
    if (match->cursor == slot)
        match->cursor = ticket->age.next;
    *(ticket->bucket.prev != VX_MATCH_NONE ? &match->tickets[ticket->bucket.prev].bucket.next : &match->first[bucket]) = ticket->bucket.next;
    *(ticket->bucket.next != VX_MATCH_NONE ? &match->tickets[ticket->bucket.next].bucket.prev : &match->last[bucket]) = ticket->bucket.prev;
    *(ticket->age.prev != VX_MATCH_NONE ? &match->tickets[ticket->age.prev].age.next : &match->age_first) = ticket->age.next;
    *(ticket->age.next != VX_MATCH_NONE ? &match->tickets[ticket->age.next].age.prev : &match->age_last) = ticket->age.prev;
    ticket->queued = false;
    match->waiting--;
}

struct search {
    const struct vx_match *match;
    uint32_t slot, now_ms, window, looked;
    uint32_t best, best_distance;
};

static void search_bucket(struct search *search, uint32_t bucket)
{
    uint32_t rating = search->match->tickets[search->slot].rating;
    for (uint32_t slot = search->match->first[bucket]; slot != VX_MATCH_NONE && search->looked < CANDIDATES_MAX;
         slot = search->match->tickets[slot].bucket.next) {
        const struct ticket *other = &search->match->tickets[slot];
        if (slot == search->slot)
            continue;
        search->looked++;
        uint32_t distance = rating > other->rating ? rating - other->rating : other->rating - rating;
        if (distance < search->best_distance && distance <= search->window && distance <= window_of(search->match, other, search->now_ms)) {
            search->best = slot;
            search->best_distance = distance;
        }
    }
}

uint32_t vx_match_find(const struct vx_match *match, uint32_t slot, uint32_t now_ms)
{
    const struct ticket *ticket = &match->tickets[slot];
    struct search search = { match, slot, now_ms, window_of(match, ticket, now_ms), 0, VX_MATCH_NONE, UINT32_MAX };
    uint32_t middle = bucket_of(ticket->rating), reach = search.window / BUCKET_POINTS + 1;
    search_bucket(&search, middle);
    for (uint32_t away = 1; away <= reach && away < BUCKETS && search.looked < CANDIDATES_MAX; away++) {
        if (search.best_distance <= (away - 1) * BUCKET_POINTS)
            break; /* nothing farther out can be nearer */
        if (middle >= away)
            search_bucket(&search, middle - away);
        if (middle + away < BUCKETS)
            search_bucket(&search, middle + away);
    }
    return search.best;
}

uint32_t vx_match_oldest_ms(const struct vx_match *match, uint32_t now_ms)
{
    return match->age_first != VX_MATCH_NONE ? now_ms - match->tickets[match->age_first].since_ms : 0;
}

static void nearest_in(const struct vx_match *match, uint32_t slot, uint32_t bucket, uint32_t *best, uint32_t *distance, uint32_t *looked)
{
    uint32_t rating = match->tickets[slot].rating;
    for (uint32_t other = match->first[bucket]; other != VX_MATCH_NONE && *looked < NEAREST_LOOKS_MAX; other = match->tickets[other].bucket.next) {
        uint32_t away = rating > match->tickets[other].rating ? rating - match->tickets[other].rating : match->tickets[other].rating - rating;
        (*looked)++;
        if (other != slot && away < *distance) {
            *best = other;
            *distance = away;
        }
    }
}

uint32_t vx_match_nearest(const struct vx_match *match, uint32_t slot, uint32_t *distance)
{
    uint32_t best = VX_MATCH_NONE, looked = 0, middle = bucket_of(match->tickets[slot].rating);
    *distance = UINT32_MAX;
    for (uint32_t away = 0; away < BUCKETS && (away == 0 || *distance > (away - 1) * BUCKET_POINTS); away++) {
        if (middle >= away)
            nearest_in(match, slot, middle - away, &best, distance, &looked);
        if (away > 0 && middle + away < BUCKETS)
            nearest_in(match, slot, middle + away, &best, distance, &looked);
    }
    return best;
}

uint32_t vx_match_next(struct vx_match *match)
{
    uint32_t slot = match->cursor != VX_MATCH_NONE ? match->cursor : match->age_first;
    match->cursor = slot != VX_MATCH_NONE ? match->tickets[slot].age.next : VX_MATCH_NONE;
    return slot;
}

void vx_match_check(const struct vx_match *match)
{
    uint32_t by_age = 0, by_bucket = 0, prev = VX_MATCH_NONE;
    for (uint32_t slot = match->age_first; slot != VX_MATCH_NONE; slot = match->tickets[slot].age.next) {
        VX_ASSERT(match->tickets[slot].queued && match->tickets[slot].age.prev == prev);
        prev = slot;
        by_age++;
    }
    VX_ASSERT(match->age_last == prev);
    for (uint32_t bucket = 0; bucket < BUCKETS; bucket++)
        for (uint32_t slot = match->first[bucket]; slot != VX_MATCH_NONE; slot = match->tickets[slot].bucket.next) {
            VX_ASSERT(match->tickets[slot].queued && bucket_of(match->tickets[slot].rating) == bucket);
            by_bucket++;
        }
    VX_ASSERT(by_age == match->waiting && by_bucket == match->waiting);
    VX_ASSERT(match->cursor == VX_MATCH_NONE || match->tickets[match->cursor].queued);
}
