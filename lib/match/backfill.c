/* Room in a running match: the nearest ticket that its open places, its roles and all rules admit. Those who
 * are in it do not wait, so it is the newcomer's windows that count. */
#include "match_private.h"

enum { BACKFILL_LOOKS = 256 };

static struct pool *pool_of_open(struct vx_match *match, const struct vx_match_open *open, bool any)
{
    for (uint32_t i = 0; i < match->pools_max; i++) {
        struct pool *pool = &match->pools[i];
        const struct mode *mode = &match->modes[open->mode];
        bool same = pool->used && pool->mode == open->mode && pool->region == open->region && pool->any == any;
        for (uint32_t a = 0; a < VX_MATCH_ATTRIBUTES && same; a++)
            same = mode->rules.equal_ms[a] == 0 || (any && a == mode->soft) || (uint8_t)(pool->key >> (8 * a)) == open->attributes[a];
        if (same)
            return pool;
    }
    return NULL;
}

/* The members as a group that already stands. */
static void group_of_open(struct group *group, const struct vx_match *match, const struct pool *pool, const struct vx_match_open *open, uint32_t now_ms)
{
    group_start(group, match, pool, now_ms, open->teams, open->size);
    for (uint32_t i = 0; i < open->players; i++) {
        const struct vx_match_person *person = &match->persons[open->player[i]];
        struct team *team = &group->team[open->team[i]];
        team->have += class_have(role_class(group->mode, person->roles));
        team->rating_sum += person->rating;
        team->players++;
        group->low = person->rating < group->low ? person->rating : group->low;
        group->high = person->rating > group->high ? person->rating : group->high;
    }
    for (uint32_t i = 0; i < VX_MATCH_SETS; i++)
        group->sets[i] = open->sets[i];
}

/* Twice the mean, so that halves do not get lost. */
static uint32_t apart(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

/* The team that comes out nearest to the mean of the others, of those that can take the ticket. */
static uint32_t team_for_open(const struct group *group, const struct ticket *ticket, uint64_t have, uint32_t mean)
{
    uint32_t best = VX_MATCH_NONE, best_apart = UINT32_MAX;
    for (uint32_t i = 0; i < group->teams; i++) {
        const struct team *team = &group->team[i];
        struct team with = { team->have + have, team->rating_sum + (uint32_t)ticket->rating * ticket->size, (uint8_t)(team->players + ticket->size) };
        if (with.players > group->size || !team_feasible(group->mode, &with, group->size))
            continue;
        uint32_t from_mean = apart(with.rating_sum / with.players, mean) + 64u * team->players; /* the emptier team first */
        if (from_mean < best_apart) {
            best = i;
            best_apart = from_mean;
        }
    }
    return best;
}

static bool admits(const struct group *group, const struct vx_match_open *open, uint32_t slot)
{
    const struct ticket *ticket = &group->match->tickets[slot];
    uint32_t window = window_of(group->mode, ticket, group->now_ms);
    uint32_t low = ticket->rating < group->low ? ticket->rating : group->low, high = ticket->rating > group->high ? ticket->rating : group->high;
    if (high - low > window || !active_in(group->mode, group->pool, ticket, group->now_ms) || !sets_meet(group->mode, group->sets, ticket->sets))
        return false;
    for (uint32_t i = 0; i < open->players; i++)
        if (!may_join(group->match, group->mode, slot, open->player[i], group->now_ms))
            return false;
    return true;
}

struct pick {
    uint32_t slot, team, distance;
};

/* Goes one way from the members' mean; the first that fits is the nearest of that way. */
static void pick_along(const struct group *group, const struct vx_match_open *open, uint32_t mean, bool down, struct pick *pick)
{
    struct walk walk;
    uint32_t class, slot;
    walk_start(&walk, group->match, group->pool, down ? mean : mean + 1, down);
    for (uint32_t looked = 0; looked < BACKFILL_LOOKS && (slot = walk_next(&walk, &class)) != VX_MATCH_NONE; looked++) {
        const struct ticket *ticket = &group->match->tickets[slot];
        uint32_t distance = apart(ticket->rating, mean);
        if (distance >= pick->distance)
            return;
        uint32_t team = team_for_open(group, ticket, ticket_have(group->match, group->mode, slot, class), mean);
        if (team == VX_MATCH_NONE) {
            if (class < ROLE_CLASSES)
                walk_drop(&walk, class);
            continue;
        }
        if (admits(group, open, slot))
            *pick = (struct pick){ slot, team, distance };
    }
}

uint32_t vx_match_backfill(struct vx_match *match, const struct vx_match_open *open, uint32_t now_ms, uint32_t *team)
{
    struct pick pick = { VX_MATCH_NONE, 0, UINT32_MAX };
    VX_ASSERT(open->mode < match->mode_count && open->players > 0);
    for (uint32_t any = 0; any < (match->modes[open->mode].soft != NO_SOFT ? 2u : 1u); any++) {
        struct pool *pool = pool_of_open(match, open, any != 0);
        struct group group;
        uint32_t sum = 0;
        if (pool == NULL || pool->tickets == 0 || (match->moving_modes & (1u << open->mode)))
            continue;
        group_of_open(&group, match, pool, open, now_ms);
        for (uint32_t i = 0; i < open->teams; i++)
            sum += group.team[i].rating_sum;
        pick_along(&group, open, sum / open->players, true, &pick);
        pick_along(&group, open, sum / open->players, false, &pick);
    }
    if (pick.slot == VX_MATCH_NONE)
        return VX_MATCH_NONE;
    wait_measured(&match->modes[open->mode], match->tickets[pick.slot].rating, waited_of(&match->tickets[pick.slot], now_ms));
    ticket_leave(match, pick.slot);
    *team = pick.team;
    return pick.slot;
}
