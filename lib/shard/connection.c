/* Connections of a transport with sessions: JOIN says who has the slot and where it is reached, PART that
 * nobody is. Between the two the shard hears of no silence (keep-alives do not come here). A client that lost its
 * connection keeps its place for grace_ms; when it comes back as a program that knows nothing, it is told where it stands. */
#include <string.h>

#include "shard_private.h"

/* Events of one slot come over a ring of each io lcore, so an old connection's may be late. */
static bool is_late(const struct vx_shard *shard, const struct vx_event *event)
{
    return (int32_t)(event->number - shard->outboxes[event->slot].connection) < 0;
}

/* The slot has another client now: the last one is gone if it was not, and nothing of it stays. */
static void occupant_new(struct vx_shard *shard, const struct vx_event *event)
{
    struct player *player = &shard->players[event->slot];
    player->link = LINK_AWAY; /* nothing of this is for the new one to hear */
    VX_ASSERT(player_event(shard, event->slot, EVENT_GONE, NULL) == VX_CODE_OK);
    player->occupant++;
    player->rating = event->a >= VX_RATING_MIN && event->a <= VX_RATING_MAX ? (float)event->a : VX_RATING_START;
    struct profile *profile = &shard->profiles[event->slot];
    *profile = (struct profile){ .roles = event->arg16, .token_roles = event->arg16 };
    struct vx_join_traits traits;
    memcpy(&traits, &event->received_cycles, sizeof(traits));
    memcpy(profile->latency_ms, event->out, sizeof(profile->latency_ms));
    memcpy(profile->attributes, traits.attributes, sizeof(profile->attributes));
    memcpy(profile->sets, traits.sets, sizeof(profile->sets));
    rating_take(shard, event->slot, 0, event->b);
    *vx_match_person(shard->match, event->slot) = (struct vx_match_person){ 0 };
}

static bool is_named(const struct player *player)
{
    return player->known != 0 || player->link != LINK_PLAIN;
}

void player_name(struct vx_shard *shard, uint32_t slot, uint32_t id)
{
    struct player *player = &shard->players[slot];
    if (is_named(player))
        directory_remove(&shard->players_by_id, player->id, slot);
    player->id = id;
    directory_put(&shard->players_by_id, id, slot);
}

void player_enter(struct vx_shard *shard, uint32_t slot)
{
    VX_ASSERT(player_event(shard, slot, EVENT_ENTER, NULL) == VX_CODE_OK);
    if (shard->profiles[slot].lost_match != 0 && seat_is_kept(shard, slot))
        VX_ASSERT(player_event(shard, slot, EVENT_RETURN, NULL) == VX_CODE_OK);
}

/* Whom it does not want to play with, by their ids; not while it searches, for its ticket stands already. */
enum vx_code player_block(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    const struct player *player = &shard->players[slot];
    struct vx_match_person *person = vx_match_person(shard->match, slot);
    uint32_t at = 0;
    if (player->state == PLAYER_SEARCHING || player->state == PLAYER_PROPOSED)
        return VX_CODE_WRONG_STATE;
    if (action->arg8 > 1 || action->a == player->id)
        return VX_CODE_BAD_ARGUMENT;
    while (at < person->blocked_count && person->blocked[at] != action->a)
        at++;
    if (action->arg8 == 1 && at == VX_MATCH_BLOCKED_MAX)
        return VX_CODE_BUSY;
    if (action->arg8 == 1 && at == person->blocked_count)
        person->blocked[person->blocked_count++] = action->a;
    else if (action->arg8 == 0 && at < person->blocked_count)
        person->blocked[at] = person->blocked[--person->blocked_count];
    answer(shard, action, VX_RESULT_OK, VX_CODE_OK);
    return VX_CODE_OK;
}

static void tell_standing(struct vx_shard *shard, uint32_t slot)
{
    const struct player *player = &shard->players[slot];
    const struct hunt *hunt = player->hunt != NONE ? &shard->hunts[player->hunt] : NULL;
    if (player->state == PLAYER_SEARCHING)
        notice(shard, slot, (struct vx_reply){ .type = VX_RESULT_QUEUE_STATUS, .a = vx_match_waiting(shard->match),
                                               .b = ticket_status(shard, slot).window,
                                               .c = ticket_waited_ms(shard, slot) });
    else if (player->state == PLAYER_PROPOSED)
        result_push(shard, slot, (struct vx_reply){ .type = VX_RESULT_PROPOSAL, .arg16 = hunt->mode, .a = hunt->match, .c = left_ms(shard, hunt->proposed_ms, shard->config.proposal_ms),
                                                    .b = (uint32_t)seats_opponents_mean(shard, player->hunt, player->seat) });
    else if (player->state == PLAYER_HUNTING)
        started_tell(shard, slot);
}

void player_join(struct vx_shard *shard, const struct vx_event *event)
{
    VX_ASSERT(event->slot < shard->config.players_max);
    struct player *player = &shard->players[event->slot];
    if (is_late(shard, event)) {
        shard->counters.joins_late++;
        return;
    }
    shard->counters.joins++;
    if (event->arg8 == VX_JOIN_NEW)
        occupant_new(shard, event);
    else
        shard->counters.joins_resumed++;
    shard->outboxes[event->slot].connection = event->number;
    player_name(shard, event->slot, event->player);
    player->session = event->session;
    player->io = event->io;
    player->link = LINK_JOINED;
    player->known = 0;
    player->last_ms = shard->now_ms;
    results_restart(shard, event->slot);
    if (player->state == PLAYER_OFFLINE)
        player_enter(shard, event->slot);
    else
        tell_standing(shard, event->slot);
    if (event->c != 0 && event->seen > 1)
        party_by_token(shard, event->slot, event->c, event->seen);
    player_rearm(shard, event->slot);
}

void player_part(struct vx_shard *shard, const struct vx_event *event)
{
    VX_ASSERT(event->slot < shard->config.players_max);
    struct player *player = &shard->players[event->slot];
    if (player->link != LINK_JOINED || event->session != player->session || event->io != player->io) {
        shard->counters.parts_late++;
        return;
    }
    shard->counters.parts++;
    player->link = LINK_AWAY;
    player->last_ms = shard->now_ms;
    if (event->arg8 == VX_PART_CLOSED)
        VX_ASSERT(player_event(shard, event->slot, EVENT_GONE, NULL) == VX_CODE_OK);
    player_rearm(shard, event->slot);
}
