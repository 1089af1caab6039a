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

void ticket_add(struct vx_shard *shard, uint32_t slot, uint32_t since_ms)
{
    const struct player *player = &shard->players[slot];
    *vx_match_person(shard->match, slot) = (struct vx_match_person){ .id = player->id, .rating = (uint16_t)player->rating };
    const struct vx_ticket ticket = { .since_ms = since_ms, .modes = 1, .rating = (uint16_t)player->rating, .size = 1, .members = { slot } };
    VX_ASSERT(vx_match_add(shard->match, &ticket, shard->now_ms) == VX_MATCH_TAKEN);
}

struct vx_match_status ticket_status(const struct vx_shard *shard, uint32_t slot)
{
    struct vx_match_status status;
    vx_match_status(shard->match, slot, shard->now_ms, &status);
    return status;
}

static enum vx_code find(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    struct player *player = &shard->players[slot];
    if (shard->counters.draining)
        return VX_CODE_DRAINING;
    if (player->results >= RESULTS_FOR_FIND)
        return VX_CODE_BUSY;
    if (action->arg8 != 0 || action->a != 0 || (action->b != 0 && (action->b < VX_RATING_MIN || action->b > VX_RATING_MAX)))
        return VX_CODE_BAD_ARGUMENT;
    if (action->b != 0 && player->link != LINK_PLAIN)
        return VX_CODE_BAD_ARGUMENT; /* the token said the rating */
    if (action->b != 0)
        player->rating = (float)action->b;
    ticket_add(shard, slot, shard->now_ms);
    shard->counters.tickets_in++;
    timer_sooner(shard, slot, shard->now_ms + shard->config.search_ms_max);
    answer_long(shard, action, (struct vx_reply){ .type = VX_RESULT_QUEUE_STATUS, .a = vx_match_waiting(shard->match),
                                                  .b = ticket_status(shard, slot).window });
    return VX_CODE_OK;
}

static void queue_notice(struct vx_shard *shard, uint32_t slot, enum vx_code code)
{
    notice(shard, slot, (struct vx_reply){ .type = VX_RESULT_QUEUE_STATUS, .code = (uint8_t)code, .a = vx_match_waiting(shard->match),
                                           .c = shard->now_ms - vx_match_since_ms(shard->match, slot) });
}

static enum vx_code cancel(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    vx_match_remove(shard->match, slot);
    shard->counters.tickets_cancelled++;
    answer(shard, action, VX_RESULT_OK, VX_CODE_OK);
    return VX_CODE_OK;
}

static enum vx_code propose(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    (void)action;
    const struct player *player = &shard->players[slot];
    const struct hunt *hunt = &shard->hunts[player->hunt];
    quality_of_wait(shard, shard->now_ms - vx_match_since_ms(shard->match, slot));
    result_push(shard, slot, (struct vx_reply){ .type = VX_RESULT_PROPOSAL, .a = hunt->match, .c = shard->config.proposal_ms,
                                                .b = (uint32_t)shard->players[hunt->players[1 - player->side]].rating });
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
    match_event(shard, player->hunt, MATCH_ACCEPT, player->side);
    return VX_CODE_OK;
}

static enum vx_code decline(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    const struct player *player = &shard->players[slot];
    if (action->type == VX_ACTION_DECLINE && !in_match(shard, slot, action))
        return VX_CODE_NOT_YOURS;
    shard->hunts[player->hunt].declined |= (uint8_t)(1u << player->side);
    answer(shard, action, VX_RESULT_OK, VX_CODE_OK);
    match_event(shard, player->hunt, MATCH_BREAK, player->side);
    return VX_CODE_OK;
}

static enum vx_code search_on(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    (void)action;
    ticket_add(shard, slot, vx_match_since_ms(shard->match, slot));
    shard->players[slot].hunt = NONE;
    timer_sooner(shard, slot, vx_match_since_ms(shard->match, slot) + shard->config.search_ms_max);
    queue_notice(shard, slot, VX_CODE_DECLINED);
    return VX_CODE_OK;
}

static enum vx_code search_end(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    (void)action;
    struct player *player = &shard->players[slot];
    bool declined = player->hunt != NONE && (shard->hunts[player->hunt].declined & (1u << player->side));
    if (vx_match_has(shard->match, slot))
        vx_match_remove(shard->match, slot);
    bool crowded = !declined && player->results > RESULTS_FOR_SEARCH;
    *(declined ? &shard->counters.tickets_cancelled : &shard->counters.tickets_timed_out) += 1;
    player->hunt = NONE;
    queue_notice(shard, slot, declined ? VX_CODE_CANCELLED : crowded ? VX_CODE_BUSY : VX_CODE_TIMED_OUT);
    return VX_CODE_OK;
}

static enum vx_code start(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    (void)action;
    struct player *player = &shard->players[slot];
    const struct hunt *hunt = &shard->hunts[player->hunt];
    player->position_cm[0] = player->position_cm[1] = player->position_cm[2] = 0;
    player->moved_ms = shard->now_ms;
    shard->counters.tickets_matched++;
    result_push(shard, slot, (struct vx_reply){ .type = VX_RESULT_HUNT_STARTED, .arg16 = (uint16_t)shard->config.chests, .a = hunt->match, .b = hunt->seed,
                                                .c = shard->config.hunt_ms });
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

/* From anywhere: out of the queue or the match, and offline. */
static enum vx_code leave(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    struct player *player = &shard->players[slot];
    if (player->state == PLAYER_SEARCHING)
        vx_match_remove(shard->match, slot);
    if (player->state == PLAYER_SEARCHING || player->state == PLAYER_PROPOSED)
        shard->counters.tickets_gone++;
    if (player->hunt != NONE)
        match_event(shard, player->hunt, MATCH_LEFT, player->side);
    player->hunt = NONE;
    shard->counters.players_online--;
    if (action != NULL)
        answer(shard, action, VX_RESULT_OK, VX_CODE_OK);
    return VX_CODE_OK;
}

static enum vx_code gone(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    shard->counters.players_gone++;
    results_clear(shard, slot);
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

struct cell {
    enum vx_code (*act)(struct vx_shard *shard, uint32_t slot, const struct vx_event *action);
    const char *name;
    uint8_t next;
};
#define CELL(action, state) { action, #action, state }
#define LEAVING [VX_ACTION_LEAVE] = CELL(leave, PLAYER_OFFLINE), [EVENT_GONE] = CELL(gone, PLAYER_OFFLINE)
static const struct cell table[PLAYER_STATES][PLAYER_EVENTS] = {
    [PLAYER_OFFLINE] = { [EVENT_ENTER] = CELL(enter, PLAYER_LOBBY), [VX_ACTION_LEAVE] = CELL(away, STAY), [EVENT_GONE] = CELL(away, STAY) },
    [PLAYER_LOBBY] = { [VX_ACTION_FIND] = CELL(find, PLAYER_SEARCHING), LEAVING },
    [PLAYER_SEARCHING] = { [VX_ACTION_CANCEL] = CELL(cancel, PLAYER_LOBBY),
                           [EVENT_PROPOSE] = CELL(propose, PLAYER_PROPOSED),
                           [EVENT_SEARCH_END] = CELL(search_end, PLAYER_LOBBY), LEAVING },
    [PLAYER_PROPOSED] = { [VX_ACTION_ACCEPT] = CELL(accept, STAY),
                          [VX_ACTION_DECLINE] = CELL(decline, STAY),
                          [VX_ACTION_CANCEL] = CELL(decline, STAY),
                          [EVENT_BROKEN] = CELL(search_on, PLAYER_SEARCHING),
                          [EVENT_SEARCH_END] = CELL(search_end, PLAYER_LOBBY),
                          [EVENT_START] = CELL(start, PLAYER_HUNTING), LEAVING },
    [PLAYER_HUNTING] = { [VX_ACTION_SUMMON] = CELL(hunt_summon, STAY),
                         [VX_ACTION_STRIKE] = CELL(hunt_strike, STAY),
                         [EVENT_SETTLE] = CELL(settle, PLAYER_SETTLING), LEAVING },
    [PLAYER_SETTLING] = { [EVENT_SETTLED] = CELL(settled, PLAYER_LOBBY), LEAVING },
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

void matches_make(struct vx_shard *shard, uint32_t looks)
{
    struct vx_match_found found;
    if (matches_open(shard) && vx_match_step(shard->match, shard->now_ms, looks, &found, 1) == 1)
        (void)match_open(shard, found.ticket[0], found.ticket[1]); /* there is a free hunt: asked above */
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
        timer_sooner(shard, slot, vx_match_since_ms(shard->match, slot) + shard->config.search_ms_max);
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
    else if (player->state == PLAYER_SEARCHING && shard->now_ms - vx_match_since_ms(shard->match, slot) >= shard->config.search_ms_max)
        VX_ASSERT(player_event(shard, slot, EVENT_SEARCH_END, NULL) == VX_CODE_OK);
    player_rearm(shard, slot);
}

const char *player_cell(uint32_t state, uint32_t event, uint32_t *next)
{
    *next = table[state][event].next;
    return table[state][event].name;
}
