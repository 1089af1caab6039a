/* Who may play with whom. What never changes while a ticket waits is in the pool's key; the rest is here. */
#include "match_private.h"

bool active_in(const struct mode *mode, const struct pool *pool, const struct ticket *ticket, uint32_t now_ms)
{
    if (!pool->any && pool->region == NO_REGION)
        return true;
    uint32_t waited_ms = waited_of(ticket, now_ms);
    if (pool->any && waited_ms < mode->rules.equal_ms[mode->soft])
        return false;
    return pool->region == NO_REGION ||
           ticket->latency_ms[pool->region] <= mode->rules.latency_ms[pool->region] + (uint32_t)mode->rules.latency_more.at[row_of(mode, waited_ms)];
}

static bool listed(const uint32_t *ids, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static bool pair_may_meet(const struct vx_match_person *a, const struct vx_match_person *b, bool met_counts)
{
    if (listed(a->blocked, a->blocked_count, b->id) || listed(b->blocked, b->blocked_count, a->id))
        return false;
    return !met_counts || (!listed(a->met, a->met_count, b->id) && !listed(b->met, b->met_count, a->id));
}

static bool met_counts(const struct mode *mode, const struct ticket *ticket, uint32_t now_ms)
{
    return mode->rules.rematch_ms != 0 && (mode->rules.rematch_ms == VX_MATCH_ALWAYS || waited_of(ticket, now_ms) < mode->rules.rematch_ms);
}

bool may_meet(const struct vx_match *match, const struct mode *mode, uint32_t a, uint32_t b, uint32_t now_ms)
{
    const struct ticket *ticket_a = &match->tickets[a], *ticket_b = &match->tickets[b];
    if (((ticket_a->flags | ticket_b->flags) & TICKET_PICKY) == 0)
        return true;
    bool counts = met_counts(mode, ticket_a, now_ms) || met_counts(mode, ticket_b, now_ms);
    for (uint32_t i = a; i != VX_MATCH_NONE; i = match->persons[i].next)
        for (uint32_t j = b; j != VX_MATCH_NONE; j = match->persons[j].next)
            if (!pair_may_meet(&match->persons[i], &match->persons[j], counts))
                return false;
    return true;
}

bool may_join(const struct vx_match *match, const struct mode *mode, uint32_t slot, uint32_t person, uint32_t now_ms)
{
    bool counts = met_counts(mode, &match->tickets[slot], now_ms);
    for (uint32_t i = slot; i != VX_MATCH_NONE; i = match->persons[i].next)
        if (!pair_may_meet(&match->persons[i], &match->persons[person], counts))
            return false;
    return true;
}

bool sets_meet(const struct mode *mode, const uint16_t *a, const uint16_t *b)
{
    for (uint32_t i = 0; i < VX_MATCH_SETS; i++)
        if (mode->rules.common[i] && (a[i] & b[i]) == 0)
            return false;
    return true;
}

uint32_t role_class(const struct mode *mode, uint16_t roles)
{
    uint32_t class = 0;
    for (uint32_t i = 0; i < mode->rules.role_count; i++)
        class |= (uint32_t)((mode->rules.roles[i].role & roles) != 0) << i;
    return class;
}

uint32_t ticket_class(const struct vx_match *match, const struct mode *mode, uint32_t slot)
{
    uint32_t size = match->tickets[slot].size;
    if (mode->pairs)
        return 0; /* one line; who cannot take the roles was not let in */
    return size == 1 ? role_class(mode, match->tickets[slot].roles[0]) : ROLE_CLASSES + size - 2;
}

enum vx_match_refusal mode_admits(const struct vx_match *match, const struct mode *mode, const uint32_t *members, uint32_t size, const uint16_t *latency_ms)
{
    struct team team = { 0, 0, (uint8_t)size };
    if (size > mode->rules.size_max)
        return VX_MATCH_PARTY_TOO_LARGE;
    for (uint32_t i = 0; i < size; i++)
        team.have += class_have(role_class(mode, match->persons[members[i]].roles));
    if (!team_feasible(mode, &team, mode->rules.size_max))
        return VX_MATCH_ROLES;
    for (uint32_t region = 0; region < mode->rules.region_count; region++)
        if (latency_ms[region] != VX_MATCH_UNREACHABLE && latency_ms[region] <= mode->rules.latency_ms[region] + (uint32_t)mode->rules.latency_more.at[VX_MATCH_ROWS - 1])
            return VX_MATCH_TAKEN;
    return mode->rules.region_count == 0 ? VX_MATCH_TAKEN : VX_MATCH_REGION;
}
