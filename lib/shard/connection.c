/* Connections of a transport with sessions: JOIN says who has the slot and where it is reached, PART that
 * nobody is. Between the two the shard hears of no silence (keep-alives do not come here). A client that lost its
 * connection keeps its place for grace_ms; when it comes back as a program that knows nothing, it is told where it stands. */
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
}

static uint32_t left_ms(const struct vx_shard *shard, uint32_t since_ms, uint32_t ms)
{
    uint32_t passed_ms = shard->now_ms - since_ms;
    return passed_ms < ms ? ms - passed_ms : 0;
}

static void tell_standing(struct vx_shard *shard, uint32_t slot)
{
    const struct player *player = &shard->players[slot];
    const struct hunt *hunt = player->hunt != NONE ? &shard->hunts[player->hunt] : NULL;
    if (player->state == PLAYER_SEARCHING)
        notice(shard, slot, (struct vx_reply){ .type = VX_RESULT_QUEUE_STATUS, .a = vx_match_waiting(shard->match),
                                               .b = ticket_status(shard, slot).window,
                                               .c = shard->now_ms - vx_match_since_ms(shard->match, slot) });
    else if (player->state == PLAYER_PROPOSED)
        result_push(shard, slot, (struct vx_reply){ .type = VX_RESULT_PROPOSAL, .a = hunt->match, .c = left_ms(shard, hunt->proposed_ms, shard->config.proposal_ms),
                                                    .b = (uint32_t)shard->players[hunt->players[1 - player->side]].rating });
    else if (player->state == PLAYER_HUNTING)
        result_push(shard, slot, (struct vx_reply){ .type = VX_RESULT_HUNT_STARTED, .arg16 = (uint16_t)shard->config.chests, .a = hunt->match, .b = hunt->seed,
                                                    .c = left_ms(shard, hunt->started_ms, shard->config.hunt_ms) });
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
    player->id = event->player;
    player->session = event->session;
    player->io = event->io;
    player->link = LINK_JOINED;
    player->known = 0;
    player->last_ms = shard->now_ms;
    results_restart(shard, event->slot);
    if (player->state == PLAYER_OFFLINE)
        VX_ASSERT(player_event(shard, event->slot, EVENT_ENTER, NULL) == VX_CODE_OK);
    else
        tell_standing(shard, event->slot);
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
