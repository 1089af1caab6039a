/* The player's table: state × event → action, next state. An action that refuses returns its code and
 * has changed nothing; an empty cell is WRONG_STATE. MOVE, PING and ACK change no state and do not come here. */
#include "shard_private.h"

enum { STAY = PLAYER_STATES };

static enum vx_code enter(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    (void)action;
    struct player *player = &shard->players[slot];
    player->hunt = NONE;
    player->position_cm[0] = player->position_cm[1] = player->position_cm[2] = 0;
    player->moved_ms = shard->now_ms;
    shard->counters.players_online++;
    if (player->link == LINK_PLAIN)
        timer_sooner(shard, slot, shard->now_ms + shard->config.idle_ms);
    return VX_CODE_OK;
}

/* Its party's leader searches for all. */
static enum vx_code queued(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    (void)action;
    queue_notice(shard, slot, VX_CODE_OK);
    return VX_CODE_OK;
}

static enum vx_code cancel(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    shard->counters.tickets_cancelled++;
    answer(shard, action, VX_RESULT_OK, VX_CODE_OK);
    ticket_end(shard, shard->players[slot].ticket, slot, VX_CODE_CANCELLED);
    return VX_CODE_OK;
}

static enum vx_code propose(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    (void)action;
    const struct player *player = &shard->players[slot];
    const struct hunt *hunt = &shard->hunts[player->hunt];
    quality_of_wait(shard, ticket_waited_ms(shard, slot));
    result_push(shard, slot, (struct vx_reply){ .type = VX_RESULT_PROPOSAL, .arg16 = hunt->mode, .a = hunt->match, .c = shard->config.proposal_ms,
                                                .b = (uint32_t)seats_opponents_mean(shard, player->hunt, player->seat) });
    return VX_CODE_OK;
}

static bool in_match(const struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    return shard->hunts[shard->players[slot].hunt].match == action->a;
}

static enum vx_code accept(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    const struct player *player = &shard->players[slot];
    if (!in_match(shard, slot, action))
        return VX_CODE_NOT_YOURS;
    answer(shard, action, VX_RESULT_OK, VX_CODE_OK);
    match_event(shard, player->hunt, MATCH_ACCEPT, player->seat);
    return VX_CODE_OK;
}

static enum vx_code decline(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    const struct player *player = &shard->players[slot];
    if (action->type == VX_ACTION_DECLINE && !in_match(shard, slot, action))
        return VX_CODE_NOT_YOURS;
    seat_of(shard, slot)->flags |= SEAT_DECLINED;
    decline_count(shard, slot);
    answer(shard, action, VX_RESULT_OK, VX_CODE_OK);
    match_event(shard, player->hunt, MATCH_BREAK, player->seat);
    return VX_CODE_OK;
}

static enum vx_code search_on(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    (void)action;
    shard->players[slot].hunt = NONE;
    timer_sooner(shard, slot, shard->now_ms + shard->config.search_ms_max - ticket_waited_ms(shard, slot));
    queue_notice(shard, slot, VX_CODE_DECLINED);
    return VX_CODE_OK;
}

/* shard->ending says why. Its ticket is out of the queue. */
static enum vx_code search_end(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    (void)action;
    *(shard->ending == VX_CODE_CANCELLED ? &shard->counters.tickets_cancelled : &shard->counters.tickets_timed_out) += 1;
    shard->players[slot].hunt = NONE;
    queue_notice(shard, slot, shard->ending);
    return VX_CODE_OK;
}

void started_tell(struct vx_shard *shard, uint32_t slot)
{
    const struct hunt *hunt = &shard->hunts[shard->players[slot].hunt];
    result_push(shard, slot, (struct vx_reply){ .type = VX_RESULT_HUNT_STARTED, .arg16 = (uint16_t)shard->config.chests, .a = hunt->match, .b = hunt->seed,
                                                .c = left_ms(shard, hunt->started_ms, shard->config.hunt_ms) });
}

static enum vx_code start(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    (void)action;
    struct player *player = &shard->players[slot];
    player->position_cm[0] = player->position_cm[1] = player->position_cm[2] = 0;
    player->moved_ms = shard->now_ms;
    shard->counters.tickets_matched++;
    if (player->state == PLAYER_SEARCHING) /* nobody was asked */
        quality_of_wait(shard, ticket_waited_ms(shard, slot));
    started_tell(shard, slot);
    return VX_CODE_OK;
}

/* It had fallen out of the hunt, and the seat is still free. */
static enum vx_code back_in(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    (void)action;
    struct player *player = &shard->players[slot];
    const struct profile *profile = &shard->profiles[slot];
    player->hunt = profile->lost_match % shard->config.hunts_max;
    player->seat = profile->lost_seat;
    seat_of(shard, slot)->flags &= (uint8_t)~(SEAT_LEFT | SEAT_LOST);
    shard->hunts[player->hunt].present++;
    shard->counters.players_returned++;
    started_tell(shard, slot);
    return VX_CODE_OK;
}

static enum vx_code settle(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    (void)shard, (void)slot, (void)action;
    return VX_CODE_OK;
}

static enum vx_code settled(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    (void)action;
    shard->players[slot].hunt = NONE;
    return VX_CODE_OK;
}

/* Where it may come back to: nothing but a hunt that it was lost from. */
static void seat_keep(struct vx_shard *shard, uint32_t slot)
{
    const struct player *player = &shard->players[slot];
    struct profile *profile = &shard->profiles[slot];
    const struct hunt *hunt = &shard->hunts[player->hunt];
    if (hunt->state != MATCH_HUNTING)
        return;
    profile->lost_match = hunt->match;
    profile->lost_seat = player->seat;
    seat_of(shard, slot)->flags |= SEAT_LOST;
}

bool seat_is_kept(const struct vx_shard *shard, uint32_t slot)
{
    const struct profile *profile = &shard->profiles[slot];
    const uint32_t index = profile->lost_match % shard->config.hunts_max;
    const struct hunt *hunt = &shard->hunts[index];
    const struct seat *seat = &seats_of(shard, index)[profile->lost_seat];
    return profile->lost_match != 0 && hunt->match == profile->lost_match && hunt->state == MATCH_HUNTING && seat->slot == slot &&
           seat->occupant == shard->players[slot].occupant && (seat->flags & SEAT_LOST) != 0;
}

/* From anywhere: out of the queue or the match, of the party, and offline. */
static enum vx_code leave(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    struct player *player = &shard->players[slot];
    if (player->state == PLAYER_SEARCHING)
        ticket_end(shard, player->ticket, slot, VX_CODE_CANCELLED);
    if (player->state == PLAYER_SEARCHING || player->state == PLAYER_PROPOSED)
        shard->counters.tickets_gone++;
    if (player->hunt != NONE)
        match_event(shard, player->hunt, MATCH_LEFT, player->seat);
    player->hunt = NONE;
    shard->counters.players_online--;
    party_drop(shard, slot);
    if (action != NULL)
        answer(shard, action, VX_RESULT_OK, VX_CODE_OK);
    return VX_CODE_OK;
}

static enum vx_code gone(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    shard->counters.players_gone++;
    results_clear(shard, slot);
    if (shard->players[slot].hunt != NONE)
        seat_keep(shard, slot);
    return leave(shard, slot, action);
}

static enum vx_code away(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    if (action != NULL)
        answer(shard, action, VX_RESULT_OK, VX_CODE_OK);
    else
        results_clear(shard, slot);
    return VX_CODE_OK;
}

static enum vx_code status(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    const struct player *player = &shard->players[slot];
    if (player->state == PLAYER_SEARCHING) {
        struct vx_match_status status = ticket_status(shard, slot);
        answer_long(shard, action, (struct vx_reply){ .type = VX_RESULT_PLACE, .arg16 = (uint16_t)status.window, .a = status.position, .b = status.estimate_ms, .c = status.waited_ms });
        return VX_CODE_OK;
    }
    if (player->hunt != NONE)
        return seat_status(shard, slot, action);
    answer_long(shard, action, party_reply(shard, slot));
    return VX_CODE_OK;
}

struct cell {
    enum vx_code (*act)(struct vx_shard *shard, uint32_t slot, const struct vx_event *action);
    const char *name;
    uint8_t next;
};
#define CELL(action, state) { action, #action, state }
#define LEAVING [VX_ACTION_LEAVE] = CELL(leave, PLAYER_OFFLINE), [EVENT_GONE] = CELL(gone, PLAYER_OFFLINE)
static const struct cell table[PLAYER_STATES][PLAYER_EVENTS] = {
    [PLAYER_OFFLINE] = { [EVENT_ENTER] = CELL(enter, PLAYER_LOBBY), [VX_ACTION_LEAVE] = CELL(away, STAY), [EVENT_GONE] = CELL(away, STAY) },
    [PLAYER_LOBBY] = { [VX_ACTION_FIND] = CELL(ticket_find, PLAYER_SEARCHING),
                       [VX_ACTION_INVITE] = CELL(party_invite, STAY),
                       [VX_ACTION_JOIN] = CELL(party_join, STAY),
                       [VX_ACTION_LEAVE_PARTY] = CELL(party_leave, STAY),
                       [VX_ACTION_STATUS] = CELL(status, STAY),
                       [EVENT_QUEUED] = CELL(queued, PLAYER_SEARCHING),
                       [EVENT_RETURN] = CELL(back_in, PLAYER_HUNTING), LEAVING },
    [PLAYER_SEARCHING] = { [VX_ACTION_CANCEL] = CELL(cancel, PLAYER_LOBBY),
                           [VX_ACTION_STATUS] = CELL(status, STAY),
                           [EVENT_START] = CELL(start, PLAYER_HUNTING),
                           [EVENT_PROPOSE] = CELL(propose, PLAYER_PROPOSED),
                           [EVENT_SEARCH_END] = CELL(search_end, PLAYER_LOBBY), LEAVING },
    [PLAYER_PROPOSED] = { [VX_ACTION_ACCEPT] = CELL(accept, STAY),
                          [VX_ACTION_DECLINE] = CELL(decline, STAY),
                          [VX_ACTION_CANCEL] = CELL(decline, STAY),
                          [VX_ACTION_STATUS] = CELL(status, STAY),
                          [EVENT_BROKEN] = CELL(search_on, PLAYER_SEARCHING),
                          [EVENT_SEARCH_END] = CELL(search_end, PLAYER_LOBBY),
                          [EVENT_START] = CELL(start, PLAYER_HUNTING), LEAVING },
    [PLAYER_HUNTING] = { [VX_ACTION_SUMMON] = CELL(hunt_summon, STAY),
                         [VX_ACTION_STRIKE] = CELL(hunt_strike, STAY),
                         [VX_ACTION_STATUS] = CELL(status, STAY),
                         [EVENT_SETTLE] = CELL(settle, PLAYER_SETTLING), LEAVING },
    [PLAYER_SETTLING] = { [VX_ACTION_STATUS] = CELL(status, STAY), [EVENT_SETTLED] = CELL(settled, PLAYER_LOBBY), LEAVING },
};

enum vx_code player_event(struct vx_shard *shard, uint32_t slot, uint32_t event, const struct vx_event *action)
{
    struct player *player = &shard->players[slot];
    const struct cell *cell = &table[player->state][event];
    if (cell->act == NULL)
        return VX_CODE_WRONG_STATE;
    uint64_t *row = &shard->player_rows[player->state][event];
    enum vx_code code = cell->act(shard, slot, action);
    if (code == VX_CODE_OK)
        ROW_TAKEN(*row);
    if (code != VX_CODE_OK || cell->next == STAY || cell->next == player->state)
        return code;
    uint64_t *from = gauge_of(shard, player->state), *to = gauge_of(shard, cell->next);
    if (from != NULL)
        (*from)--;
    if (to != NULL)
        (*to)++;
    player->state = cell->next;
    return code;
}

/* A connection's transport says when it ends; one that was lost may come back within the grace time. */
static uint32_t silence_ms_max(const struct vx_shard *shard, const struct player *player)
{
    return player->link == LINK_AWAY ? shard->config.grace_ms : shard->config.idle_ms;
}

/* Sets the player's one timer to the earliest thing that can happen to it. */
void player_rearm(struct vx_shard *shard, uint32_t slot)
{
    const struct player *player = &shard->players[slot];
    timer_clear(shard, slot);
    if (player->link == LINK_AWAY ? player->state != PLAYER_OFFLINE || player->results > 0 : player->link == LINK_PLAIN && player->state != PLAYER_OFFLINE)
        timer_set(shard, slot, player->last_ms + silence_ms_max(shard, player));
    if (player->state == PLAYER_SEARCHING)
        timer_sooner(shard, slot, shard->now_ms - ticket_waited_ms(shard, slot) + shard->config.search_ms_max);
    if (player->results > 0 && player->link != LINK_AWAY)
        timer_sooner(shard, slot, shard->outboxes[slot].repeat_due_ms);
}

void player_timer(struct vx_shard *shard, uint32_t slot)
{
    const struct player *player = &shard->players[slot];
    bool is_gone = player->link != LINK_JOINED && (player->state != PLAYER_OFFLINE || player->link == LINK_AWAY) &&
                   shard->now_ms - player->last_ms >= silence_ms_max(shard, player);
    if (!is_gone && player->link != LINK_AWAY && player->results > 0 && (int32_t)(shard->now_ms - shard->outboxes[slot].repeat_due_ms) >= 0)
        is_gone = results_repeat(shard, slot);
    if (is_gone)
        VX_ASSERT(player_event(shard, slot, EVENT_GONE, NULL) == VX_CODE_OK);
    else if (player->state == PLAYER_SEARCHING && ticket_waited_ms(shard, slot) >= shard->config.search_ms_max)
        ticket_end(shard, player->ticket, NONE, VX_CODE_TIMED_OUT);
    player_rearm(shard, slot);
}

const char *player_cell(uint32_t state, uint32_t event, uint32_t *next)
{
    *next = table[state][event].next;
    return table[state][event].name;
}
