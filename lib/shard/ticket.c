/* A search: one ticket for a player or a whole party, named after its slot or its leader's. */
#include "shard_private.h"

struct vx_match_status ticket_status(const struct vx_shard *shard, uint32_t slot)
{
    struct vx_match_status status;
    vx_match_status(shard->match, shard->players[slot].ticket, shard->now_ms, &status);
    return status;
}

uint32_t ticket_waited_ms(const struct vx_shard *shard, uint32_t slot)
{
    return shard->now_ms - vx_match_since_ms(shard->match, shard->players[slot].ticket);
}

void queue_notice(struct vx_shard *shard, uint32_t slot, enum vx_code code)
{
    notice(shard, slot, (struct vx_reply){ .type = VX_RESULT_QUEUE_STATUS, .code = (uint8_t)code, .a = vx_match_waiting(shard->match),
                                           .c = ticket_waited_ms(shard, slot) });
}

static void person_write(struct vx_shard *shard, uint32_t slot)
{
    struct vx_match_person *person = vx_match_person(shard->match, slot);
    person->id = shard->players[slot].id;
    person->roles = shard->profiles[slot].roles;
    person->rating = (uint16_t)shard->players[slot].rating;
}

/* The member who is farthest counts, and what all have in common. */
static void member_add(const struct vx_shard *shard, uint32_t slot, struct vx_ticket *ticket)
{
    const struct profile *profile = &shard->profiles[slot];
    for (uint32_t i = 0; i < VX_MATCH_REGIONS; i++) {
        uint16_t latency_ms = profile->latency_ms[i] != 0 ? profile->latency_ms[i] : VX_MATCH_UNREACHABLE;
        if (latency_ms > ticket->latency_ms[i])
            ticket->latency_ms[i] = latency_ms;
    }
    for (uint32_t i = 0; i < VX_MATCH_SETS; i++)
        ticket->sets[i] &= profile_set(profile, i);
    ticket->members[ticket->size++] = slot;
}

static enum vx_match_refusal ticket_put(struct vx_shard *shard, const uint32_t *members, uint32_t count, uint32_t since_ms, bool first)
{
    uint16_t ratings[VX_MATCH_PARTY_MAX];
    const struct profile *leader = &shard->profiles[members[0]];
    const struct vx_mode *mode = &shard->modes[__builtin_ctz(leader->modes)];
    struct vx_ticket ticket = { .since_ms = since_ms, .modes = leader->modes, .first = first, .sets = { UINT16_MAX, UINT16_MAX } };
    for (uint32_t i = 0; i < VX_MATCH_ATTRIBUTES; i++)
        ticket.attributes[i] = leader->attributes[i];
    for (uint32_t i = 0; i < count; i++) {
        person_write(shard, members[i]);
        member_add(shard, members[i], &ticket);
        ratings[i] = (uint16_t)shard->players[members[i]].rating;
    }
    ticket.rating = vx_match_party_rating(mode->party_rating, (uint16_t)mode->party_bonus_points, ratings, count);
    return vx_match_add(shard->match, &ticket, shard->now_ms);
}

bool ticket_again(struct vx_shard *shard, uint32_t slot)
{
    uint32_t members[VX_MATCH_PARTY_MAX], count = vx_match_members(shard->match, slot, members);
    return ticket_put(shard, members, count, vx_match_since_ms(shard->match, slot), true) == VX_MATCH_TAKEN;
}

void ticket_end(struct vx_shard *shard, uint32_t ticket, uint32_t except, enum vx_code why)
{
    uint32_t members[VX_MATCH_PARTY_MAX], count = vx_match_members(shard->match, ticket, members);
    vx_match_remove(shard->match, ticket);
    shard->ending = why;
    for (uint32_t i = 0; i < count; i++)
        if (members[i] != except)
            VX_ASSERT(player_event(shard, members[i], EVENT_SEARCH_END, NULL) == VX_CODE_OK);
}

void decline_count(struct vx_shard *shard, uint32_t slot)
{
    struct profile *profile = &shard->profiles[slot];
    if (profile->declines < DECLINES_MAX)
        profile->declines++;
    profile->cool_ms = shard->now_ms;
    if (profile->declines > DECLINES_FREE)
        profile->cool_ms += shard->config.cooldown_ms << (profile->declines - DECLINES_FREE - 1);
}

/* Who declines again and again waits longer and longer; each quarter of an hour without forgives one. */
static bool cools_down(const struct vx_shard *shard, struct profile *profile)
{
    static const uint32_t forgiven_ms = 900000;
    while (profile->declines > 0 && (int32_t)(shard->now_ms - profile->cool_ms - forgiven_ms) >= 0) {
        profile->declines--;
        profile->cool_ms += forgiven_ms;
    }
    return profile->declines > DECLINES_FREE && (int32_t)(shard->now_ms - profile->cool_ms) < 0;
}

static enum vx_code find_check(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    const struct player *player = &shard->players[slot];
    if (shard->counters.draining)
        return VX_CODE_DRAINING;
    if (player->results >= RESULTS_FOR_FIND)
        return VX_CODE_BUSY;
    if (action->arg8 >= shard->mode_count || action->a >> shard->mode_count != 0)
        return VX_CODE_NO_MODE;
    if ((action->b != 0 || action->c != 0) && player->link != LINK_PLAIN)
        return VX_CODE_BAD_ARGUMENT; /* the token said the rating */
    if ((action->b != 0 && (action->b < VX_RATING_MIN || action->b > VX_RATING_MAX)) || action->c > VX_RATING_MAX)
        return VX_CODE_BAD_ARGUMENT;
    return cools_down(shard, &shard->profiles[slot]) ? VX_CODE_COOLING_DOWN : VX_CODE_OK;
}

/* Everybody of the party, its leader first; or why it cannot search. */
static enum vx_code members_gather(const struct vx_shard *shard, uint32_t slot, uint32_t members[VX_MATCH_PARTY_MAX], uint32_t *count)
{
    const struct party *party = party_of(shard, slot);
    *count = party != NULL ? party->count : 1;
    if (party == NULL) {
        members[0] = slot;
        return VX_CODE_OK;
    }
    if (party->members[0] != slot)
        return VX_CODE_NOT_LEADER;
    if (party->count < party->wanted)
        return VX_CODE_PARTY_APART;
    for (uint32_t i = 0; i < party->count; i++) {
        const struct player *member = &shard->players[party->members[i]];
        if (member->state != PLAYER_LOBBY || member->link == LINK_AWAY || member->results >= RESULTS_FOR_FIND)
            return VX_CODE_PARTY_APART;
        members[i] = party->members[i];
    }
    return VX_CODE_OK;
}

static enum vx_code code_of(enum vx_match_refusal refusal)
{
    static const uint8_t codes[] = { [VX_MATCH_NO_MODE] = VX_CODE_NO_MODE, [VX_MATCH_PARTY_TOO_LARGE] = VX_CODE_PARTY_FULL, [VX_MATCH_ROLES] = VX_CODE_ROLES,
                                     [VX_MATCH_REGION] = VX_CODE_NO_REGION, [VX_MATCH_FULL] = VX_CODE_BUSY };
    VX_ASSERT(refusal != VX_MATCH_RATING && refusal != VX_MATCH_MEMBER);
    return codes[refusal];
}

enum vx_code ticket_find(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    uint32_t members[VX_MATCH_PARTY_MAX], count;
    enum vx_code code = find_check(shard, slot, action);
    if (code == VX_CODE_OK)
        code = members_gather(shard, slot, members, &count);
    if (code != VX_CODE_OK)
        return code;
    const struct profile before = shard->profiles[slot];
    const float rating_before = shard->players[slot].rating;
    if (action->arg16 != 0 && !roles_take(shard, slot, action->arg16))
        return VX_CODE_BAD_ARGUMENT;
    rating_take(shard, slot, action->b, action->c);
    shard->profiles[slot].modes = (uint16_t)(1u << action->arg8 | action->a);
    enum vx_match_refusal refusal = ticket_put(shard, members, count, shard->now_ms, false);
    if (refusal != VX_MATCH_TAKEN) {
        shard->profiles[slot] = before;
        shard->players[slot].rating = rating_before;
        return code_of(refusal);
    }
    for (uint32_t i = 0; i < count; i++) {
        shard->players[members[i]].ticket = slot;
        shard->counters.tickets_in++;
        timer_sooner(shard, members[i], shard->now_ms + shard->config.search_ms_max);
    }
    answer_long(shard, action, (struct vx_reply){ .type = VX_RESULT_QUEUE_STATUS, .a = vx_match_waiting(shard->match), .b = ticket_status(shard, slot).window });
    for (uint32_t i = 1; i < count; i++)
        VX_ASSERT(player_event(shard, members[i], EVENT_QUEUED, NULL) == VX_CODE_OK);
    return VX_CODE_OK;
}

void matches_make(struct vx_shard *shard, uint32_t looks)
{
    struct vx_match_found found;
    if (matches_open(shard) && vx_match_step(shard->match, shard->now_ms, looks, &found, 1) == 1)
        (void)match_open(shard, &found); /* there is a free hunt: asked above */
}

/* ---- open seats of hunts ---- */
static void open_seats(const struct vx_shard *shard, uint32_t index, struct vx_match_open *open)
{
    const struct hunt *hunt = &shard->hunts[index];
    const struct seat *seats = seats_of(shard, index);
    *open = (struct vx_match_open){ .mode = hunt->mode, .region = hunt->region, .teams = hunt->teams, .size = hunt->size, .sets = { UINT16_MAX, UINT16_MAX } };
    for (uint32_t i = 0; i < hunt->seats; i++) {
        if (seats[i].flags & SEAT_LEFT)
            continue;
        const struct profile *profile = &shard->profiles[seats[i].slot];
        for (uint32_t set = 0; set < VX_MATCH_SETS; set++)
            open->sets[set] &= profile_set(profile, set);
        for (uint32_t a = 0; a < VX_MATCH_ATTRIBUTES; a++)
            open->attributes[a] = profile->attributes[a];
        open->team[open->players] = (uint8_t)team_of(hunt, i);
        open->player[open->players++] = seats[i].slot;
    }
}

/* Seats the ticket's members in the team. */
static void fill(struct vx_shard *shard, uint32_t index, uint32_t ticket, uint32_t team)
{
    const struct hunt *hunt = &shard->hunts[index];
    struct seat *seats = seats_of(shard, index);
    uint32_t members[VX_MATCH_PARTY_MAX], count = vx_match_members(shard->match, ticket, members), seated = 0, first = NONE;
    for (uint32_t i = team * hunt->size; i < (team + 1) * hunt->size && seated < count; i++) {
        if ((seats[i].flags & SEAT_LEFT) == 0)
            continue;
        hunt_settle_leaver(shard, index, i);
        first = first == NONE ? i : first;
        seat_take(shard, index, i, members[seated], first);
        match_event(shard, index, MATCH_JOINED, i);
        seated++;
    }
    VX_ASSERT(seated == count);
}

void matches_fill(struct vx_shard *shard)
{
    for (uint32_t tried = 0; tried < BACKFILLS_IN_TICK && modes_ready(shard) && !shard->counters.draining && !shard->counters.paused; tried++) {
        uint32_t index = shard->backfill_next, team, ticket;
        const struct hunt *hunt = &shard->hunts[index];
        struct vx_match_open open;
        shard->backfill_next = index + 1 < shard->config.hunts_max ? index + 1 : 0;
        if (hunt->state != MATCH_HUNTING || hunt->present == hunt->seats || !shard->modes[hunt->mode].backfill)
            continue;
        open_seats(shard, index, &open);
        ticket = vx_match_backfill(shard->match, &open, shard->now_ms, &team);
        if (ticket != VX_MATCH_NONE)
            fill(shard, index, ticket, team);
        return; /* one search a tick: its work is bounded, and so is the step's */
    }
}
