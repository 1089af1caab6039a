/* Every invariant that can be seen from inside, by a full walk. Tests and the simulator call it. */
#include "shard_private.h"

static void check_player(const struct vx_shard *shard, uint32_t slot, uint64_t states[PLAYER_STATES])
{
    const struct player *player = &shard->players[slot];
    const struct outbox *outbox = &shard->outboxes[slot];
    VX_ASSERT(player->state < PLAYER_STATES && player->results <= RESULTS_MAX);
    states[player->state]++;
    bool in_hunt = player->state == PLAYER_PROPOSED || player->state == PLAYER_HUNTING || player->state == PLAYER_SETTLING;
    VX_ASSERT(vx_match_has(shard->match, slot) == (player->state == PLAYER_SEARCHING && player->ticket == slot));
    VX_ASSERT(player->state != PLAYER_SEARCHING || vx_match_has(shard->match, player->ticket)); /* invariant 5: in one ticket, whole */
    VX_ASSERT((player->hunt != NONE) == in_hunt); /* invariant 2 */
    VX_ASSERT(player->state == PLAYER_OFFLINE || player->link == LINK_JOINED || timer_is_set(shard, slot));
    VX_ASSERT(player->state != PLAYER_SEARCHING || timer_is_set(shard, slot)); /* invariant 4 */
    VX_ASSERT(player->results == 0 || timer_is_set(shard, slot));
    for (uint32_t i = 0; i < player->results; i++)
        VX_ASSERT(outbox->results[i].number == outbox->issued - player->results + 1 + i && outbox->results[i].number > player->acked);
    if (in_hunt)
        VX_ASSERT(player->seat < shard->hunts[player->hunt].seats && seat_of(shard, slot)->slot == slot && !(seat_of(shard, slot)->flags & SEAT_LEFT));
    const struct party *party = party_of(shard, slot);
    for (uint32_t i = 0; party != NULL; i++) {
        VX_ASSERT(i < party->count);
        if (party->members[i] == slot)
            break;
    }
}

static void check_hunt(const struct vx_shard *shard, uint32_t index)
{
    static const uint8_t player_state[MATCH_STATES] = { 0, PLAYER_PROPOSED, PLAYER_HUNTING, PLAYER_SETTLING };
    const struct hunt *hunt = &shard->hunts[index];
    if (hunt->state == MATCH_FORMING)
        return;
    const struct seat *seats = seats_of(shard, index);
    uint32_t chests = 0, present = 0, accepted = 0;
    VX_ASSERT(hunt->seats == hunt->teams * hunt->size && hunt->seats >= 2);
    VX_ASSERT(hunt->state == MATCH_SETTLING ? hunt->pending > 0 : timer_is_set(shard, shard->timer_hunts + index)); /* invariant 4 */
    for (uint32_t i = 0; i < hunt->seats; i++) {
        chests += seats[i].chests;
        accepted += (seats[i].flags & SEAT_ACCEPTED) != 0;
        VX_ASSERT(team_of(hunt, seats[i].ticket) == team_of(hunt, i)); /* invariant 5: a ticket is on one team */
        if (seats[i].flags & SEAT_LEFT)
            continue;
        present++;
        VX_ASSERT(shard->players[seats[i].slot].hunt == index && shard->players[seats[i].slot].seat == i && shard->players[seats[i].slot].state == player_state[hunt->state]);
    }
    VX_ASSERT(present == hunt->present && (hunt->state != MATCH_PROPOSED || accepted == hunt->accepted));
    VX_ASSERT(chests <= (uint32_t)__builtin_popcount(hunt->claimed)); /* invariant 1; a newcomer begins with none */
}

static void check_parties(const struct vx_shard *shard)
{
    uint64_t live = 0;
    for (uint32_t i = 0; i < shard->parties_max; i++) {
        const struct party *party = &shard->parties[i];
        if (party->id == 0)
            continue;
        live++;
        VX_ASSERT(party->count >= 1 && party->count <= VX_MATCH_PARTY_MAX);
        for (uint32_t member = 0; member < party->count; member++)
            VX_ASSERT(shard->profiles[party->members[member]].party == i + 1 && shard->players[party->members[member]].state != PLAYER_OFFLINE);
    }
    VX_ASSERT(live == shard->counters.parties_live);
}

static void check_pools(const struct vx_shard *shard, uint64_t *waiting)
{
    uint64_t jobs = 0, grants = 0;
    for (uint32_t i = 0; i < shard->jobs_max; i++) {
        jobs += shard->jobs[i].used;
        *waiting += shard->jobs[i].used && (shard->jobs[i].job.formula == VX_FORMULA_BATTLE || shard->jobs[i].job.formula == VX_FORMULA_SCORE);
        VX_ASSERT(!shard->jobs[i].used || timer_is_set(shard, shard->timer_jobs + i));
    }
    for (uint32_t i = 0; i < shard->grants_max; i++) {
        grants += shard->grants[i].state != GRANT_FREE;
        *waiting += shard->grants[i].state != GRANT_FREE;
        VX_ASSERT(shard->grants[i].state < GRANT_SENT || timer_is_set(shard, shard->timer_grants + i));
    }
    VX_ASSERT(jobs == shard->counters.jobs_pending && grants == shard->counters.grants_pending);
}

void vx_shard_check(const struct vx_shard *shard)
{
    const struct vx_shard_counters *c = &shard->counters;
    uint64_t states[PLAYER_STATES] = { 0 }, live = 0, waiting = 0, pending = 0;
    for (uint32_t i = 0; i < shard->config.players_max; i++)
        check_player(shard, i, states);
    for (uint32_t i = 0; i < shard->config.hunts_max; i++) {
        check_hunt(shard, i);
        live += shard->hunts[i].state != MATCH_FORMING;
        pending += shard->hunts[i].state != MATCH_FORMING ? shard->hunts[i].pending : 0;
    }
    check_pools(shard, &waiting);
    check_parties(shard);
    vx_match_check(shard->match);
    VX_ASSERT(waiting == pending && live == c->hunts_live);
    VX_ASSERT(c->players_online == shard->config.players_max - states[PLAYER_OFFLINE]);
    VX_ASSERT(c->players_searching == states[PLAYER_SEARCHING] && c->players_proposed == states[PLAYER_PROPOSED]);
    VX_ASSERT(c->players_hunting == states[PLAYER_HUNTING] && c->players_settling == states[PLAYER_SETTLING]);
    VX_ASSERT(c->tickets_in == c->tickets_matched + c->tickets_cancelled + c->tickets_timed_out + c->tickets_gone + c->players_searching + c->players_proposed);
}
