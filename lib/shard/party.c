/* Parties: formed by INVITE and JOIN, or named by tokens. The first member leads; a party is matched whole, on one team, or not
 * at all. Whoever has gone is out of it. */
#include "shard_private.h"

struct party *party_of(const struct vx_shard *shard, uint32_t slot)
{
    uint32_t name = shard->profiles[slot].party;
    return name != 0 ? &shard->parties[name - 1] : NULL;
}

struct vx_reply party_reply(const struct vx_shard *shard, uint32_t slot)
{
    const struct party *party = party_of(shard, slot);
    struct vx_reply reply = { .type = VX_RESULT_PARTY };
    if (party != NULL) {
        reply.arg16 = party->count;
        reply.a = party->id;
        reply.b = shard->players[party->members[0]].id;
    }
    return reply;
}

static void tell_others(struct vx_shard *shard, const struct party *party, uint32_t except)
{
    for (uint32_t i = 0; i < party->count; i++)
        if (party->members[i] != except)
            notice(shard, party->members[i], party_reply(shard, party->members[i]));
}

/* NULL: none free. */
static struct party *party_new(struct vx_shard *shard, uint32_t id, uint32_t wanted)
{
    uint32_t index = shard->party_free;
    if (index == NONE)
        return NULL;
    struct party *party = &shard->parties[index];
    shard->party_free = party->next_free;
    party->generation++;
    party->id = id != 0 ? id : party->generation * shard->parties_max + index;
    party->count = 0;
    party->wanted = (uint8_t)wanted;
    if (wanted != 0)
        directory_put(&shard->parties_by_token, id, index);
    shard->counters.parties_live++;
    return party;
}

static void party_free(struct vx_shard *shard, struct party *party)
{
    uint32_t index = (uint32_t)(party - shard->parties);
    if (party->wanted != 0)
        directory_remove(&shard->parties_by_token, party->id, index);
    party->id = 0;
    party->next_free = shard->party_free;
    shard->party_free = index;
    shard->counters.parties_live--;
}

static bool is_full(const struct party *party)
{
    return party->count == (party->wanted != 0 ? party->wanted : VX_MATCH_PARTY_MAX);
}

static void member_in(struct vx_shard *shard, struct party *party, uint32_t slot)
{
    VX_ASSERT(party->count < VX_MATCH_PARTY_MAX);
    party->members[party->count++] = slot;
    shard->profiles[slot].party = (uint32_t)(party - shard->parties) + 1;
}

void party_drop(struct vx_shard *shard, uint32_t slot)
{
    struct party *party = party_of(shard, slot);
    if (party == NULL)
        return;
    uint32_t at = 0;
    while (party->members[at] != slot)
        at++;
    for (; at + 1 < party->count; at++)
        party->members[at] = party->members[at + 1];
    party->count--;
    shard->profiles[slot].party = 0;
    if (party->count == 1 && party->wanted == 0) { /* one is no party */
        uint32_t last = party->members[0];
        shard->profiles[last].party = 0;
        party->count = 0;
        notice(shard, last, party_reply(shard, last));
    }
    if (party->count == 0)
        party_free(shard, party);
    else
        tell_others(shard, party, NONE);
}

bool roles_take(struct vx_shard *shard, uint32_t slot, uint16_t roles)
{
    struct profile *profile = &shard->profiles[slot];
    if (profile->token_roles != 0 && (roles & ~profile->token_roles) != 0)
        return false;
    profile->roles = roles;
    return true;
}

/* A party by its id: formed in play, the id says where it is; by a token, the directory does. */
static struct party *party_find(const struct vx_shard *shard, uint32_t id)
{
    struct party *party = &shard->parties[id % shard->parties_max];
    if (id == 0)
        return NULL;
    if (party->id == id && party->wanted == 0)
        return party;
    uint32_t index = directory_find(&shard->parties_by_token, id);
    return index != NONE ? &shard->parties[index] : NULL;
}

enum vx_code party_invite(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    struct party *party = party_of(shard, slot);
    uint32_t guest = directory_find(&shard->players_by_id, action->a);
    if (guest == slot)
        return VX_CODE_BAD_ARGUMENT;
    if (guest == NONE || shard->players[guest].state == PLAYER_OFFLINE)
        return VX_CODE_NOT_HERE;
    if (party != NULL && party->members[0] != slot)
        return VX_CODE_NOT_LEADER;
    if (party != NULL && is_full(party))
        return VX_CODE_PARTY_FULL;
    if (shard->players[guest].state != PLAYER_LOBBY || shard->profiles[guest].party != 0 || shard->players[guest].results >= RESULTS_FOR_FIND)
        return VX_CODE_BUSY;
    if (action->arg16 != 0 && !roles_take(shard, slot, action->arg16))
        return VX_CODE_BAD_ARGUMENT;
    if (party == NULL) {
        party = party_new(shard, 0, 0);
        if (party == NULL)
            return VX_CODE_BUSY;
        member_in(shard, party, slot);
    }
    shard->profiles[guest].invited = party->id;
    result_push(shard, guest, (struct vx_reply){ .type = VX_RESULT_INVITED, .a = party->id, .b = shard->players[slot].id });
    answer_long(shard, action, party_reply(shard, slot));
    return VX_CODE_OK;
}

enum vx_code party_join(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    struct profile *profile = &shard->profiles[slot];
    struct party *party = party_find(shard, action->a);
    if (profile->party != 0)
        return VX_CODE_WRONG_STATE;
    if (party == NULL)
        return VX_CODE_NOT_HERE;
    if (profile->invited != party->id)
        return VX_CODE_NOT_YOURS;
    if (is_full(party))
        return VX_CODE_PARTY_FULL;
    if (shard->players[party->members[0]].state != PLAYER_LOBBY)
        return VX_CODE_BUSY; /* its ticket names those who are in it now */
    if (action->arg16 != 0 && !roles_take(shard, slot, action->arg16))
        return VX_CODE_BAD_ARGUMENT;
    profile->invited = 0;
    member_in(shard, party, slot);
    shard->counters.party_joins++;
    answer_long(shard, action, party_reply(shard, slot));
    tell_others(shard, party, slot);
    return VX_CODE_OK;
}

enum vx_code party_leave(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    if (party_of(shard, slot) == NULL)
        return VX_CODE_WRONG_STATE;
    party_drop(shard, slot);
    answer_long(shard, action, party_reply(shard, slot));
    return VX_CODE_OK;
}

/* Tokens that contradict each other, or a party that plays already: the newcomer is alone. */
static bool admits(const struct vx_shard *shard, const struct party *party, uint32_t wanted)
{
    return party->wanted == wanted && !is_full(party) && shard->players[party->members[0]].state <= PLAYER_LOBBY;
}

void party_by_token(struct vx_shard *shard, uint32_t slot, uint32_t token, uint32_t wanted)
{
    uint32_t index = directory_find(&shard->parties_by_token, token);
    struct party *party = NULL;
    if (shard->profiles[slot].party != 0)
        return;
    if (index != NONE)
        party = admits(shard, &shard->parties[index], wanted) ? &shard->parties[index] : NULL;
    else if (wanted <= VX_MATCH_PARTY_MAX)
        party = party_new(shard, token, wanted);
    if (party == NULL) {
        shard->counters.parties_refused++;
        return;
    }
    member_in(shard, party, slot);
    tell_others(shard, party, slot);
}
