/* A match being put together: what its members have in common so far, and what its teams still need. */
#include "match_private.h"

enum { BALANCE_ROUNDS = 8,
       EXCHANGES_A_LOOK = 16 }; /* tried exchanges that cost about as much as a look at a ticket far away */

void group_start(struct group *group, const struct vx_match *match, const struct pool *pool, uint32_t now_ms, uint32_t teams, uint32_t size)
{
    group->match = match;
    group->mode = &match->modes[pool->mode];
    group->pool = pool;
    group->now_ms = now_ms;
    group->low = VX_MATCH_RATING_MAX;
    group->high = 0;
    group->window = VX_MATCH_RATING_MAX;
    for (uint32_t i = 0; i < VX_MATCH_SETS; i++)
        group->sets[i] = UINT16_MAX;
    group->picky = group->full_waited = false;
    group->scarce = 0;
    group->teams = (uint8_t)teams;
    group->size = (uint8_t)size;
    group->players = group->count = 0;
    for (uint32_t i = 0; i < teams; i++)
        group->team[i] = (struct team){ 0, 0, 0 };
}

uint64_t ticket_have(const struct vx_match *match, const struct mode *mode, uint32_t slot, uint32_t class)
{
    if (mode->need == 0)
        return 0;
    if (class < ROLE_CLASSES)
        return class_have(class);
    uint64_t have = 0;
    for (uint32_t i = 0; i < match->tickets[slot].size; i++)
        have += class_have(role_class(mode, match->tickets[slot].roles[i]));
    return have;
}

static bool rules_hold(const struct group *group, uint32_t slot, const struct ticket *ticket, uint32_t window)
{
    uint32_t low = ticket->rating < group->low ? ticket->rating : group->low, high = ticket->rating > group->high ? ticket->rating : group->high;
    if (group->count > 0 && (high - low > window || high - low > group->window))
        return false;
    if (!active_in(group->mode, group->pool, ticket, group->now_ms) || !sets_meet(group->mode, group->sets, ticket->sets))
        return false;
    if (!group->picky && (ticket->flags & TICKET_PICKY) == 0)
        return true;
    for (uint32_t i = 0; i < group->count; i++)
        if (!may_meet(group->match, group->mode, group->ticket[i], slot, group->now_ms))
            return false;
    return true;
}

/* Somebody who takes one of its roles is still missing, and this one can. */
static bool helps(const struct mode *mode, const struct team *team, uint64_t have)
{
    const uint64_t each_top = 0x8080808080808080ull;
    return (~((team->have | each_top) - mode->need) & each_top & have << 7) != 0;
}

/* The emptiest team that it helps, or else that can take it; of equals the first. VX_MATCH_NONE when none can. Who
 * can take a role that is scarce is kept for teams that it helps. */
static uint32_t team_for(const struct group *group, uint32_t players, uint64_t have, bool alone, bool scarce)
{
    uint32_t best = VX_MATCH_NONE;
    bool best_helps = false;
    if (group->size == 1) { /* every team is one ticket */
        const struct team one = { have, 0, 1 };
        return group->count < group->teams && players == 1 && team_feasible(group->mode, &one, 1) ? group->count : VX_MATCH_NONE;
    }
    for (uint32_t i = 0; i < group->teams; i++) {
        const struct team *team = &group->team[i];
        struct team with = { team->have + have, 0, (uint8_t)(team->players + players) };
        bool help = alone && have != 0 && helps(group->mode, team, have);
        if (with.players > group->size || (best != VX_MATCH_NONE && (help < best_helps || (help == best_helps && team->players >= group->team[best].players))))
            continue;
        if ((scarce && !help) || !team_feasible(group->mode, &with, group->size))
            continue;
        best = i;
        best_helps = help;
    }
    return best;
}

static bool has_places(const struct group *group, uint32_t players)
{
    for (uint32_t i = 0; i < group->teams; i++)
        if (group->team[i].players + players <= group->size)
            return true;
    return false;
}

enum placing group_place(struct group *group, uint32_t slot, uint32_t class)
{
    const struct ticket *ticket = &group->match->tickets[slot];
    uint64_t have = ticket_have(group->match, group->mode, slot, class);
    bool alone = class < ROLE_CLASSES;
    uint32_t team = team_for(group, ticket->size, have, alone, alone && (class & group->scarce) != 0), waited_ms = waited_of(ticket, group->now_ms);
    if (team == VX_MATCH_NONE) /* of single players all in the class have the same roles; of parties only the size is the same */
        return alone || group->mode->need == 0 || !has_places(group, ticket->size) ? PLACE_ROOM : PLACE_RULES;
    uint32_t window = group->mode->window[row_of(group->mode, waited_ms)];
    if (!rules_hold(group, slot, ticket, window))
        return PLACE_RULES;
    group->team[team].have += have;
    group->team[team].rating_sum += (uint32_t)ticket->rating * ticket->size;
    group->team[team].players = (uint8_t)(group->team[team].players + ticket->size);
    group->low = ticket->rating < group->low ? ticket->rating : group->low;
    group->high = ticket->rating > group->high ? ticket->rating : group->high;
    group->window = window < group->window ? window : group->window;
    for (uint32_t i = 0; i < VX_MATCH_SETS; i++)
        group->sets[i] &= ticket->sets[i];
    group->picky |= (ticket->flags & TICKET_PICKY) != 0;
    group->full_waited |= waited_ms >= group->mode->rules.full_ms;
    group->players = (uint8_t)(group->players + ticket->size);
    group->place[group->count] = (uint8_t)team;
    group->ticket[group->count++] = slot;
    __builtin_prefetch(&group->match->chunks[ticket->age], 1); /* where it has to be taken out if it leaves */
    return PLACED;
}

static void extremes(const struct group *group, uint32_t *weakest, uint32_t *strongest)
{
    *weakest = *strongest = 0;
    for (uint32_t i = 1; i < group->teams; i++) {
        *weakest = group->team[i].rating_sum < group->team[*weakest].rating_sum ? i : *weakest;
        *strongest = group->team[i].rating_sum > group->team[*strongest].rating_sum ? i : *strongest;
    }
}

struct exchange {
    uint32_t a, b;       /* tickets: of the strongest, of the weakest team */
    uint32_t difference; /* of the two sums then */
};

static uint64_t have_of(const struct group *group, uint32_t index)
{
    uint32_t slot = group->ticket[index];
    return ticket_have(group->match, group->mode, slot, ticket_class(group->match, group->mode, slot));
}

static void exchange_try(const struct group *group, uint32_t a, uint32_t b, struct exchange *best)
{
    const struct ticket *tickets = group->match->tickets, *ticket_a = &tickets[group->ticket[a]], *ticket_b = &tickets[group->ticket[b]];
    const struct team *strong = &group->team[group->place[a]], *weak = &group->team[group->place[b]];
    if (ticket_a->size != ticket_b->size || ticket_a->rating <= ticket_b->rating)
        return;
    uint32_t moved = (uint32_t)(ticket_a->rating - ticket_b->rating) * ticket_a->size, apart = strong->rating_sum - weak->rating_sum;
    uint32_t difference = 2 * moved > apart ? 2 * moved - apart : apart - 2 * moved;
    if (difference >= best->difference)
        return;
    if (group->mode->need != 0) {
        uint64_t have_a = have_of(group, a), have_b = have_of(group, b);
        const struct team strong_after = { strong->have - have_a + have_b, 0, strong->players }, weak_after = { weak->have - have_b + have_a, 0, weak->players };
        if (!team_feasible(group->mode, &strong_after, group->size) || !team_feasible(group->mode, &weak_after, group->size))
            return;
    }
    *best = (struct exchange){ a, b, difference };
}

static void exchange_do(struct group *group, const struct exchange *exchange)
{
    uint32_t strong = group->place[exchange->a], weak = group->place[exchange->b];
    const struct ticket *tickets = group->match->tickets, *ticket_a = &tickets[group->ticket[exchange->a]], *ticket_b = &tickets[group->ticket[exchange->b]];
    uint32_t moved = (uint32_t)(ticket_a->rating - ticket_b->rating) * ticket_a->size;
    uint64_t have_a = have_of(group, exchange->a), have_b = have_of(group, exchange->b);
    group->team[strong].rating_sum -= moved;
    group->team[weak].rating_sum += moved;
    group->team[strong].have += have_b - have_a;
    group->team[weak].have += have_a - have_b;
    group->place[exchange->a] = (uint8_t)weak;
    group->place[exchange->b] = (uint8_t)strong;
}

static bool means_allowed(const struct group *group, uint32_t apart)
{
    for (uint32_t i = 0; i < group->count; i++) {
        uint32_t limit = group->mode->rules.means.at[row_of(group->mode, waited_of(&group->match->tickets[group->ticket[i]], group->now_ms))];
        if (limit != UINT16_MAX && apart > limit * group->size)
            return false;
    }
    return true;
}

bool group_balance(struct group *group, uint32_t *looks)
{
    uint32_t weakest, strongest;
    extremes(group, &weakest, &strongest);
    for (uint32_t round = 0; round < BALANCE_ROUNDS && group->size > 1 && *looks < group->looks_end; round++) {
        struct exchange best = { 0, 0, group->team[strongest].rating_sum - group->team[weakest].rating_sum };
        for (uint32_t a = 0; a < group->count; a++)
            for (uint32_t b = 0; b < group->count && group->place[a] == strongest; b++)
                if (group->place[b] == weakest)
                    exchange_try(group, a, b, &best);
        *looks += group->count * group->count / group->teams / EXCHANGES_A_LOOK;
        if (best.a == best.b)
            break;
        exchange_do(group, &best);
        extremes(group, &weakest, &strongest);
    }
    return means_allowed(group, group->team[strongest].rating_sum - group->team[weakest].rating_sum);
}

void group_take(struct vx_match *match, const struct group *group, struct vx_match_found *found)
{
    struct mode *mode = &match->modes[group->pool->mode];
    uint32_t weakest, strongest, low = VX_MATCH_RATING_MAX, high = 0; /* the group's may be those of one who was given back */
    extremes(group, &weakest, &strongest);
    found->mode = group->pool->mode;
    found->region = group->pool->region;
    found->means = (uint16_t)((group->team[strongest].rating_sum - group->team[weakest].rating_sum) / group->size);
    found->teams = group->teams;
    found->size = group->size;
    found->tickets = group->count;
    for (uint32_t i = 0; i < group->count; i++) {
        uint32_t slot = group->ticket[i];
        found->ticket[i] = slot;
        found->team[i] = group->place[i];
        low = match->tickets[slot].rating < low ? match->tickets[slot].rating : low;
        high = match->tickets[slot].rating > high ? match->tickets[slot].rating : high;
        wait_measured(mode, match->tickets[slot].rating, waited_of(&match->tickets[slot], group->now_ms));
        ticket_leave(match, slot);
    }
    found->spread = (uint16_t)(high - low);
}
