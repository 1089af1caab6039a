/* Teams and free-for-all. A match is put together from its lowest ticket upwards: the nearest above that keep
 * every rule, each into the emptiest team that can take it, leaving out classes for which there is no room any
 * more (a team that still needs a healer and has one place left takes nobody else). Then tickets of one size
 * are exchanged between the strongest and the weakest team until their means are near.
 *
 * A range is swept by trying as the lowest the oldest tickets of every class at every point. Who has waited
 * for late_ms does not have to be reached by that: it is put in first, with several tickets below it as the
 * lowest, and the closest match is taken. */
#include "match_private.h"

enum {
    FILL_LOOKS = 128,   /* tickets that one attempt looks at, beyond four for each player */
    TRIES_AT_POINT = 2, /* oldest tickets of each class that are tried as the lowest at one point */
    MISSES_MAX = 32,    /* tickets of one class in a row that the rules keep out */
    REJECTS_MAX = 3,    /* last tickets given back because the means were too far apart */
    ALL_CLASSES = (1 << CLASSES) - 1,
    SINGLE_CLASSES = (1 << ROLE_CLASSES) - 1,
    GROUP_LOOKS = VX_MATCH_LOOKS_PIECE, /* for all attempts of one lowest ticket together */
    SERVE_LOWEST = 6, /* tickets below a late one that are tried as the lowest */
};

static uint32_t looks_max(const struct group *group)
{
    return FILL_LOOKS + 4u * group->teams * group->size;
}

/* Takes the last ticket out again. What it narrowed stays narrow: that only makes the match stricter. */
static void group_give_back(struct group *group)
{
    uint32_t slot = group->ticket[--group->count], team = group->place[group->count];
    const struct ticket *ticket = &group->match->tickets[slot];
    uint64_t have = ticket_have(group->match, group->mode, slot, ticket_class(group->match, group->mode, slot));
    group->team[team].have -= have;
    group->team[team].rating_sum -= (uint32_t)ticket->rating * ticket->size;
    group->team[team].players = (uint8_t)(group->team[team].players - ticket->size);
    group->players = (uint8_t)(group->players - ticket->size);
}

/* Goes up from the point until the shape is full, over the lines of some classes. The first `seeds` tickets are in it already. */
static bool group_fill(struct group *group, uint32_t seeds, uint32_t point, uint32_t classes, uint32_t *looks)
{
    struct walk walk;
    uint32_t class, slot, rejects = 0, most = looks_max(group), misses[CLASSES] = { 0 };
    walk_start(&walk, group->match, group->pool, point, false);
    for (class = 0; class < CLASSES; class ++)
        if ((classes & (1u << class)) == 0)
            walk_drop(&walk, class);
    for (uint32_t looked = 0; looked < most && *looks < group->looks_end && (slot = walk_next(&walk, &class)) != VX_MATCH_NONE; looked++) {
        ++*looks;
        if (group->match->tickets[slot].rating > group->low + group->window)
            return false;
        if (slot == group->ticket[0] || (seeds == 2 && slot == group->ticket[1]))
            continue;
        enum placing placing = group_place(group, slot, class);
        misses[class] = placing == PLACE_RULES ? misses[class] + 1 : 0;
        if (placing == PLACE_ROOM || misses[class] == MISSES_MAX)
            walk_drop(&walk, class);
        if (placing != PLACED || group->players < group->teams * group->size)
            continue;
        if (group_balance(group, looks))
            return true;
        if (rejects++ == REJECTS_MAX)
            return false;
        group_give_back(group); /* a class left out before stays so: its place was not this one */
    }
    return false;
}

/* The free-for-all and other shapes with fewer players than the most: only for those who have waited. */
static bool shape_smaller(const struct mode *mode, uint32_t *teams, uint32_t *size)
{
    if (*teams > mode->rules.teams_min) {
        *teams -= mode->rules.teams_multiple;
        return true;
    }
    *teams = mode->rules.teams_max;
    *size -= mode->rules.size_multiple;
    return *size >= mode->rules.size_min && *size <= mode->rules.size_max;
}

static bool waited_full(const struct group *group)
{
    for (uint32_t i = 0; i < group->count; i++)
        if (waited_of(&group->match->tickets[group->ticket[i]], group->now_ms) >= group->mode->rules.full_ms)
            return true;
    return false;
}

enum preference { SPARING,
                  PARTIES_FIRST,
                  ANYBODY,
                  PREFERENCES };

/* Roles that fewer of those who wait alone can take than the matches of all would need, and a quarter: a tank who
 * goes where anybody could makes the next match wait for one. */
static uint8_t scarce_roles(const struct vx_match *match, const struct mode *mode, const struct pool *pool)
{
    uint32_t able[VX_MATCH_ROLES_MAX] = { 0 }, alone = 0;
    uint8_t scarce = 0;
    for (uint32_t class = 0; class < ROLE_CLASSES && mode->need != 0; class ++) {
        uint32_t count = pool->lines[class] != 0 ? match->lines[pool->lines[class] - 1].count : 0;
        alone += count;
        for (uint32_t i = 0; i < mode->rules.role_count; i++)
            able[i] += class & (1u << i) ? count : 0;
    }
    for (uint32_t i = 0; i < mode->rules.role_count; i++)
        scarce |= (uint8_t)((uint64_t)able[i] * mode->rules.size_max * 4 < (uint64_t)alone * mode->rules.roles[i].count * 5) << i;
    return scarce;
}

/* `first` and `second` are put in before the others: the lowest, and the one that is served, if it is not the same. */
static bool group_shape(struct group *group, uint32_t first, uint32_t second, uint32_t teams, uint32_t size, enum preference preference, uint32_t *looks)
{
    const struct vx_match *match = group->match;
    const struct mode *mode = group->mode;
    uint32_t seeds = second == first ? 1 : 2, point = match->tickets[first].rating;
    group_start(group, match, group->pool, group->now_ms, teams, size);
    if (group_place(group, first, ticket_class(match, mode, first)) != PLACED ||
        (seeds == 2 && group_place(group, second, ticket_class(match, mode, second)) != PLACED))
        return false;
    group->scarce = preference == ANYBODY ? 0 : scarce_roles(match, mode, group->pool);
    if (preference != PARTIES_FIRST)
        return group_fill(group, seeds, point, ALL_CLASSES, looks);
    for (uint32_t class = ROLE_CLASSES + size - 2; size > 1 && class >= ROLE_CLASSES; class --)
        if (class < CLASSES && group->pool->lines[class] != 0 && group_fill(group, seeds, point, 1u << class, looks))
            return true;
    return group_fill(group, seeds, point, SINGLE_CLASSES, looks);
}

static bool has_parties(const struct vx_match *match, const struct pool *pool)
{
    for (uint32_t class = ROLE_CLASSES; class < CLASSES; class ++)
        if (pool->lines[class] != 0 && match->lines[pool->lines[class] - 1].count > 0)
            return true;
    return false;
}

/* In order: sparing scarce roles; when single players took the places where parties should have gone, the largest
 * parties first; when roles were spared in vain, anybody anywhere. Then the next smaller shape. */
static bool group_make(struct group *group, struct vx_match *match, const struct pool *pool, uint32_t first, uint32_t second, uint32_t now_ms, uint32_t *looks)
{
    const struct mode *mode = &match->modes[pool->mode];
    uint32_t teams = mode->rules.teams_max, size = mode->rules.size_max, most = teams * size;
    bool parties = has_parties(match, pool);
    *group = (struct group){ .match = match, .mode = mode, .pool = pool, .now_ms = now_ms, .looks_end = *looks + GROUP_LOOKS };
    do {
        ++*looks;
        if (teams * size > most)
            continue; /* as many were not there */
        bool smaller = teams < mode->rules.teams_max || size < mode->rules.size_max, full = false, spared = false;
        uint32_t reached = 0;
        for (enum preference preference = SPARING; preference < PREFERENCES && !full; preference++) {
            if ((preference == PARTIES_FIRST && !parties) || (preference == ANYBODY && !spared))
                continue;
            full = group_shape(group, first, second, teams, size, preference, looks);
            spared |= group->scarce != 0;
            reached = group->players > reached ? group->players : reached;
        }
        if (full && (!smaller || waited_full(group)))
            return true;
        if (!group->full_waited)
            return false; /* nobody who came into it has waited long enough for less */
        most = reached;
    } while (*looks < group->looks_end && shape_smaller(mode, &teams, &size));
    return false;
}

/* The n-th ticket to be tried as the lowest at a point: the oldest of each class, then the second of each. */
static uint32_t lowest_at(const struct vx_match *match, const struct pool *pool, uint32_t point, uint32_t n)
{
    for (uint32_t depth = 0; depth < TRIES_AT_POINT; depth++)
        for (uint32_t class = 0; class < CLASSES; class ++) {
            const struct line *line = pool->lines[class] != 0 ? &match->lines[pool->lines[class] - 1] : NULL;
            const struct list *list = line != NULL ? &line->lists[point] : NULL;
            if (list == NULL || list->head == 0)
                continue;
            struct cursor cursor = cursor_first(match, list);
            if ((depth == 0 || cursor_next(match, list, &cursor)) && n-- == 0)
                return slot_of(match, cursor_number(&cursor));
        }
    return VX_MATCH_NONE;
}

static uint32_t pool_point_up(const struct vx_match *match, const struct pool *pool, uint32_t from)
{
    uint32_t lowest = POINTS;
    for (uint32_t class = 0; class < CLASSES; class ++)
        if (pool->lines[class] != 0) {
            uint32_t point = point_up(&match->lines[pool->lines[class] - 1], from);
            lowest = point < lowest ? point : lowest;
        }
    return lowest;
}

uint32_t teams_piece(struct vx_match *match, struct pool *pool, uint32_t now_ms, struct vx_match_found *found, uint32_t max, uint32_t *looks)
{
    const struct mode *mode = &match->modes[pool->mode];
    struct group group;
    uint32_t end = *looks + VX_MATCH_LOOKS_PIECE / 2;
    uint32_t point = pool->tickets > 0 ? pool_point_up(match, pool, pool->now.from) : POINTS;
    pool->resume = point == pool->now.from ? pool->resume : 0;
    while (point <= pool->now.to && point != POINTS) {
        pool->now.from = (uint16_t)point;
        uint32_t lowest = lowest_at(match, pool, point, pool->resume);
        if (lowest == VX_MATCH_NONE) {
            pool->resume = 0;
            point = pool_point_up(match, pool, point + 1);
            continue;
        }
        if (*looks >= end)
            return 0; /* goes on here */
        ++*looks;
        if (active_in(mode, pool, &match->tickets[lowest], now_ms) && group_make(&group, match, pool, lowest, lowest, now_ms, looks)) {
            VX_ASSERT(max > 0);
            group_take(match, &group, found);
            return 1; /* the next oldest at this point is in its place */
        }
        pool->resume++;
    }
    pool->now = (struct range){ 1, 0 };
    pool->resume = 0;
    return 0;
}

bool teams_serve(struct vx_match *match, struct pool *pool, uint32_t slot, uint32_t now_ms, struct vx_match_found *found, uint32_t *looks)
{
    const struct mode *mode = &match->modes[pool->mode];
    const struct ticket *ticket = &match->tickets[slot];
    struct group groups[2];
    struct walk walk;
    uint32_t window = window_of(mode, ticket, now_ms), lowest = slot, class, best = VX_MATCH_NONE, at = 0, end = *looks + VX_MATCH_LOOKS_PIECE / 2;
    if (!active_in(mode, pool, ticket, now_ms))
        return false;
    walk_start(&walk, match, pool, ticket->rating, true);
    for (uint32_t tried = 0; tried <= SERVE_LOWEST && *looks < end && lowest != VX_MATCH_NONE && ticket->rating - match->tickets[lowest].rating <= (int32_t)window; tried++) {
        if (group_make(&groups[at], match, pool, lowest, slot, now_ms, looks) && (best == VX_MATCH_NONE || groups[at].high - groups[at].low < groups[best].high - groups[best].low)) {
            best = at;
            at = 1 - at;
        }
        do
            lowest = walk_next(&walk, &class);
        while (lowest == slot);
    }
    if (best == VX_MATCH_NONE)
        return false;
    group_take(match, &groups[best], found);
    return true;
}
