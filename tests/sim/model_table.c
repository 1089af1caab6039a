/* The table: state × observation → what must hold, what it does, the next state. An observation is an answer to
 * an action, or a notice (action 0). An action for which a state has no row but refusals is WRONG_STATE there.
 * These are the state tables of docs/architecture.md as seen from outside, with the codes of docs/protocol.md. */
#include <stdlib.h>
#include <string.h>

#include "model_private.h"

typedef void effect(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply);
struct row {
    uint8_t states; /* bit a state */
    uint8_t action; /* 0: a notice */
    uint8_t type, code;
    m_guard *holds;
    effect *act;
    uint8_t next;   /* M_STATES: stays */
};
enum { STAYS = M_STATES, NOTICE = 0, TAKEN_ON = 0 /* type of a strike whose answer comes later */ };

/* ---- what it does ---- */

static void found(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply)
{
    (void)reply;
    if (fed->event.b != 0) {
        player->rating = (float)fed->event.b;
        player->rating_known = m_rating_is_settled(model, player);
        m_rating_brought(model, player);
    }
    player->ticket.since_ms = player->searching_ms = model->now_ms;
    player->ticket.rating = (uint32_t)player->rating;
}

static void accepted(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply)
{
    (void)model, (void)fed, (void)reply;
    player->match->accepted |= (uint8_t)(1u << player->member);
}

static void declined(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply)
{
    (void)model, (void)fed, (void)reply;
    player->match->declined |= (uint8_t)(1u << player->member);
}

static void moved(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply)
{
    (void)reply;
    const int32_t to[3] = { (int32_t)fed->event.a, (int32_t)fed->event.b, (int32_t)fed->event.c };
    if (player->position_known && memcmp(to, player->at_cm, sizeof(to)) != 0) {
        player->moved_ms = model->now_ms;
        player->moved_known = true;
    } else if (!player->position_known) {
        player->moved_known = false; /* it may have been there before, and have saved its time up */
    }
    memcpy(player->at_cm, to, sizeof(to));
    player->position_known = true;
}

static void acknowledged(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply)
{
    (void)reply;
    m_results_seen(model, player, fed->event.a);
}

static void left(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply)
{
    (void)fed, (void)reply;
    m_left(model, player);
}

static void chest_holds(struct model *model, const struct m_check *check)
{
    if (!(check->match->claimed & 1u << check->reply.arg16))
        m_wrong(model, check->player, "chest %u is said to be taken, and nobody has it", check->reply.arg16);
}

static void taken(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply)
{
    (void)fed;
    m_check_later(model, chest_holds, player, player->match, reply);
}

static void struck_on(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply)
{
    (void)reply;
    struct m_strike *strike = malloc(sizeof(*strike));
    VX_ASSERT(strike != NULL);
    *strike = (struct m_strike){ player->strikes, fed->event.number, model->now_ms, 0 };
    player->strikes = strike;
    fed->match = player->match;
}

#define EFFECT_OF(name, of)                                                                                             \
    static void name(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply) \
    {                                                                                                                   \
        (void)fed;                                                                                                      \
        of(model, player, reply);                                                                                       \
    }
EFFECT_OF(proposed, m_proposal)
EFFECT_OF(started, m_started)
EFFECT_OF(ended, m_ended)
EFFECT_OF(queued_again, m_back_to_queue)
EFFECT_OF(in_lobby_again, m_back_to_lobby)
EFFECT_OF(was_hit, m_hit)
EFFECT_OF(got_loot, m_loot)
#define ROW(states, action, type, code, holds, act, next) { states, action, VX_RESULT_##type, VX_CODE_##code, holds, act, next }
#define REFUSED(states, action, code, holds) { states, action, VX_RESULT_ERROR, VX_CODE_##code, holds, NULL, STAYS }
enum { OFF = 1 << M_OFFLINE, LOB = 1 << M_LOBBY, SEA = 1 << M_SEARCHING, PRO = 1 << M_PROPOSED, HUN = 1 << M_HUNTING, SET = 1 << M_SETTLING };
static const struct row rows[] = {
    ROW(LOB, VX_ACTION_FIND, QUEUE_STATUS, OK, m_find_fits, found, M_SEARCHING),
    REFUSED(LOB, VX_ACTION_FIND, DRAINING, m_is_draining),
    REFUSED(LOB, VX_ACTION_FIND, BUSY, m_outbox_blocks_find),
    REFUSED(LOB, VX_ACTION_FIND, NO_MODE, m_mode_is_none),
    REFUSED(LOB, VX_ACTION_FIND, BAD_ARGUMENT, m_find_is_bad),
    ROW(SEA, VX_ACTION_CANCEL, OK, OK, NULL, NULL, M_LOBBY),
    ROW(PRO, VX_ACTION_CANCEL, OK, OK, NULL, declined, STAYS),
    ROW(PRO, VX_ACTION_ACCEPT, OK, OK, m_match_is_right, accepted, STAYS),
    REFUSED(PRO, VX_ACTION_ACCEPT, NOT_YOURS, m_match_is_wrong),
    ROW(PRO, VX_ACTION_DECLINE, OK, OK, m_match_is_right, declined, STAYS),
    REFUSED(PRO, VX_ACTION_DECLINE, NOT_YOURS, m_match_is_wrong),
    ROW(M_ONLINE, VX_ACTION_MOVE, OK, OK, m_move_fits, moved, STAYS),
    REFUSED(M_ONLINE, VX_ACTION_MOVE, TOO_FAST, m_move_too_fast),
    REFUSED(M_ONLINE, VX_ACTION_MOVE, BAD_ARGUMENT, m_place_is_bad),
    ROW(HUN, VX_ACTION_SUMMON, CHEST, OK, m_chest_is_free, m_claimed, STAYS),
    ROW(HUN, VX_ACTION_SUMMON, CHEST, TAKEN, m_chest_reached, taken, STAYS),
    REFUSED(HUN, VX_ACTION_SUMMON, NOT_YOURS, m_match_is_wrong),
    REFUSED(HUN, VX_ACTION_SUMMON, BAD_ARGUMENT, m_chest_is_none),
    REFUSED(HUN, VX_ACTION_SUMMON, TOO_FAR, m_chest_is_far),
    REFUSED(HUN, VX_ACTION_SUMMON, BUSY, m_shard_is_busy),
    { HUN, VX_ACTION_STRIKE, TAKEN_ON, VX_CODE_OK, m_strike_fits, struck_on, STAYS },
    REFUSED(HUN, VX_ACTION_STRIKE, NOT_YOURS, m_match_is_wrong),
    REFUSED(HUN, VX_ACTION_STRIKE, BAD_ARGUMENT, m_weapon_is_none),
    REFUSED(HUN, VX_ACTION_STRIKE, TOO_FAR, m_target_is_far),
    REFUSED(HUN, VX_ACTION_STRIKE, BUSY, m_shard_is_busy),
    ROW(M_ONLINE, VX_ACTION_ACK, OK, OK, m_ack_fits, acknowledged, STAYS),
    REFUSED(M_ONLINE, VX_ACTION_ACK, BAD_ARGUMENT, m_ack_is_bad),
    ROW(M_ONLINE, VX_ACTION_LEAVE, OK, OK, NULL, left, M_OFFLINE),
    ROW(OFF, VX_ACTION_LEAVE, OK, OK, NULL, NULL, STAYS),
    ROW(M_ONLINE, VX_ACTION_PING, PONG, OK, NULL, NULL, STAYS),
    ROW(LOB, VX_ACTION_STATUS, PARTY, OK, NULL, NULL, STAYS),
    ROW(SEA, VX_ACTION_STATUS, PLACE, OK, NULL, NULL, STAYS),
    ROW(PRO | HUN | SET, VX_ACTION_STATUS, SEAT, OK, m_seat_is_one, NULL, STAYS),
    REFUSED(PRO | HUN | SET, VX_ACTION_STATUS, BAD_ARGUMENT, m_seat_is_none),
    REFUSED(LOB, VX_ACTION_INVITE, NOT_HERE, NULL),
    REFUSED(LOB, VX_ACTION_INVITE, BUSY, NULL),
    REFUSED(LOB, VX_ACTION_INVITE, BAD_ARGUMENT, NULL),
    REFUSED(LOB, VX_ACTION_JOIN, NOT_HERE, NULL),
    REFUSED(LOB, VX_ACTION_LEAVE_PARTY, WRONG_STATE, NULL),
    ROW(OFF | LOB | HUN | SET, VX_ACTION_BLOCK, OK, OK, NULL, NULL, STAYS),
    REFUSED(OFF | LOB | HUN | SET, VX_ACTION_BLOCK, BAD_ARGUMENT, NULL),
    REFUSED(SEA | PRO, VX_ACTION_BLOCK, WRONG_STATE, NULL),

    ROW(SEA, NOTICE, PROPOSAL, OK, m_proposal_of_nobody, proposed, M_PROPOSED),
    ROW(SEA, NOTICE, QUEUE_STATUS, TIMED_OUT, m_search_is_over, in_lobby_again, M_LOBBY),
    ROW(PRO, NOTICE, QUEUE_STATUS, TIMED_OUT, m_was_silent, in_lobby_again, M_LOBBY),
    ROW(PRO, NOTICE, QUEUE_STATUS, CANCELLED, m_has_declined, in_lobby_again, M_LOBBY),
    ROW(PRO, NOTICE, QUEUE_STATUS, BUSY, m_outbox_blocks_search, in_lobby_again, M_LOBBY),
    ROW(PRO, NOTICE, QUEUE_STATUS, DECLINED, m_others_broke, queued_again, M_SEARCHING),
    ROW(PRO, NOTICE, HUNT_STARTED, OK, m_may_start, started, M_HUNTING),
    ROW(HUN, NOTICE, CHEST, TAKEN, m_match_of_reply, taken, STAYS),
    ROW(HUN, NOTICE, STRIKE_RESULT, OK, m_match_of_reply, was_hit, STAYS),
    ROW(SET, NOTICE, HUNT_ENDED, OK, m_match_of_reply, ended, M_LOBBY),
    ROW(SET, NOTICE, HUNT_ENDED, LOST, m_match_of_reply, ended, M_LOBBY),
    ROW(SET, NOTICE, HUNT_ENDED, DRAWN, m_match_of_reply, ended, M_LOBBY),
    ROW(M_ANY, NOTICE, LOOT_GRANTED, OK, m_repeated_or_new, got_loot, STAYS),
};

static bool has_row(enum m_state state, uint8_t action)
{
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if ((rows[i].states & 1u << state) && rows[i].action == action)
            return true;
    return false;
}

static bool fits(struct model *model, struct m_player *player, const struct row *row, enum m_state state, const struct vx_event *action, const struct vx_reply *reply)
{
    uint8_t type = reply == NULL ? TAKEN_ON : reply->type, code = reply == NULL ? VX_CODE_OK : reply->code;
    return (row->states & 1u << state) && row->action == (action == NULL ? NOTICE : action->type) && row->type == type && row->code == code &&
           (row->holds == NULL || row->holds(model, player, action, reply));
}

/* Keeps those states in which what was observed can be, and takes each to its next. */
static void observe(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply)
{
    const struct vx_event *action = fed == NULL ? NULL : &fed->event;
    uint8_t before = 0, after = 0;
    const struct row *row_found = NULL;
    bool wrong_state = reply != NULL && reply->type == VX_RESULT_ERROR && reply->code == VX_CODE_WRONG_STATE;
    for (uint32_t state = 0; state < M_STATES; state++) {
        if (!(player->may & 1u << state))
            continue;
        if (wrong_state && action != NULL && !has_row((enum m_state)state, action->type))
            after |= (uint8_t)(1u << state), before |= (uint8_t)(1u << state);
        for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
            if (fits(model, player, &rows[i], (enum m_state)state, action, reply)) {
                row_found = &rows[i];
                before |= (uint8_t)(1u << state);
                after |= (uint8_t)(1u << (rows[i].next == STAYS ? state : rows[i].next));
            }
    }
    if (after == 0 && reply == NULL)
        m_wrong(model, player, "STRIKE number %u in match %u is neither answered nor could it be taken on", action->number, action->a);
    if (after == 0)
        m_wrong(model, player, "%s of type %u, arguments %u %u %u %u, number %u: result 0x%x, code %u, %u %u %u %u cannot be", action == NULL ? "notice" : "answer to action",
                action == NULL ? 0 : action->type, action == NULL ? 0 : action->arg16, action == NULL ? 0 : action->a, action == NULL ? 0 : action->b,
                action == NULL ? 0 : action->c, reply->action_number, reply->type, reply->code, reply->arg16, reply->a, reply->b, reply->c);
    if (player->match != NULL && !(before & M_IN_MATCH)) { /* it had gone, and this is what came back */
        m_match_left(model, player->match, player);
        player->match = NULL;
    }
    player->may = after;
    if (row_found != NULL && row_found->act != NULL)
        row_found->act(model, player, fed, reply);
}

/* ---- answers ---- */

enum taking { TAKE_NEW, TAKE_BEFORE, TAKE_TOO_OLD };
/* docs/protocol.md, "Numbers". */
static bool starts_numbers_anew(const struct model *model, const struct m_player *player, uint32_t number)
{
    uint32_t behind = player->number - number;
    return (behind >= M_NUMBERS && behind < 1u << 31) || model->now_ms - player->last_ms >= M_RETURN_MS;
}

static enum taking number_is(const struct model *model, const struct m_player *player, uint32_t number, bool offline)
{
    uint32_t behind = player->number - number;
    if (!player->known || (offline && starts_numbers_anew(model, player, number)))
        return TAKE_NEW;
    if (behind >= 1u << 31)
        return TAKE_NEW;
    return behind >= M_NUMBERS ? TAKE_TOO_OLD : player->taken >> behind & 1 ? TAKE_BEFORE : TAKE_NEW;
}

static void number_take(struct m_player *player, uint32_t number, bool anew)
{
    uint32_t behind = player->number - number, ahead = number - player->number;
    if (!player->known || anew) {
        player->number = number;
        player->taken = 1;
    } else if (behind >= 1u << 31) {
        player->taken = ahead < M_NUMBERS ? player->taken << ahead | 1 : 1;
        player->number = number;
    } else if (behind < M_NUMBERS) {
        player->taken |= 1ull << behind;
    }
    player->known = true;
}

static void enter(struct model *model, struct m_player *player, uint32_t seen)
{
    bool for_sure = m_certainly(player, M_OFFLINE);
    player->may = (uint8_t)((player->may & ~(1u << M_OFFLINE)) | 1u << M_LOBBY);
    if (for_sure) {
        memset(player->at_cm, 0, sizeof(player->at_cm));
        player->moved_ms = model->now_ms;
        player->match = NULL;
        m_results_enter(model, player, seen);
    }
    player->position_known = player->moved_known = for_sure;
}

void m_answer(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply)
{
    const struct vx_event *action = &fed->event;
    enum taking offline = number_is(model, player, action->number, true), online = number_is(model, player, action->number, false);
    enum taking said = reply == NULL || reply->type != VX_RESULT_REPEATED ? TAKE_NEW : TAKE_BEFORE;
    if (reply != NULL && reply->type == VX_RESULT_ERROR && reply->code == VX_CODE_STALE)
        said = TAKE_TOO_OLD;
    if (offline != said)
        player->may &= (uint8_t)~(1u << M_OFFLINE);
    if (online != said)
        player->may &= (uint8_t)(1u << M_OFFLINE);
    if (player->may == 0)
        m_wrong(model, player, "action number %u (highest %u): result 0x%x, code %u", action->number, player->number, reply == NULL ? 0 : reply->type,
                reply == NULL ? 0 : reply->code);
    bool starts_anew = starts_numbers_anew(model, player, action->number);
    if (said == TAKE_NEW)
        number_take(player, action->number, m_certainly(player, M_OFFLINE) && starts_anew);
    player->last_ms = model->now_ms;
    m_results_seen(model, player, action->seen);
    model->sim->report->answers[action->type][said == TAKE_BEFORE ? VX_CODE_COUNT : reply == NULL ? VX_CODE_OK : reply->code]++;
    if (said != TAKE_NEW)
        return;
    if ((player->may & 1u << M_OFFLINE) && action->type != VX_ACTION_LEAVE)
        enter(model, player, action->seen);
    observe(model, player, fed, reply);
}

void m_notice(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    if (reply->result_number != 0 && !m_results_number(model, player, reply))
        return; /* said before */
    observe(model, player, NULL, reply);
}
