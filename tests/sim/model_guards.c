/* What must hold for an observation to be possible in a state: guards of the table's rows. */
#include "model_private.h"

bool m_outbox_blocks_find(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)model, (void)action, (void)reply;
    return player->result_count >= M_OUTBOX_FOR_FIND;
}

bool m_find_is_bad(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)model, (void)player, (void)reply;
    return (action->b != 0 && (action->b < 100 || action->b > 4000)) || action->c > 4000;
}

/* There is one: number 0, bit 0. */
bool m_mode_is_none(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)model, (void)player, (void)reply;
    return action->arg8 != 0 || action->a > 1;
}

bool m_is_draining(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)action, (void)reply;
    return model->shards[m_id(model, player) % model->plan->shards].draining != 0;
}

bool m_find_fits(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    bool blocked = m_outbox_blocks_find(model, player, action, reply);
    return !blocked && !m_mode_is_none(model, player, action, reply) && !m_find_is_bad(model, player, action, reply) && model->shards[reply->shard].draining != 2;
}

bool m_match_is_right(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)model, (void)reply;
    return player->match != NULL && player->match->id == action->a;
}

bool m_match_is_wrong(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return !m_match_is_right(model, player, action, reply);
}

/* A shard has room for one formula job for every four players; below that nothing of a hunt may be BUSY. */
bool m_shard_is_busy(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)action, (void)reply;
    uint32_t shard = m_id(model, player) % model->plan->shards;
    uint64_t room = (model->plan->players + model->plan->shards - 1) / model->plan->shards / 4;
    return m_under_way(model, shard) >= room || model->shards[shard].under_way >= room;
}

static bool chest_exists(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return m_match_is_right(model, player, action, reply) && action->arg16 < model->plan->chests;
}

bool m_chest_reached(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return chest_exists(model, player, action, reply) && (!player->position_known || m_chest_in_range(model, player, action->arg16)) &&
           reply->arg16 == action->arg16 && reply->a == action->a;
}

/* The first valid claim wins, exactly once. */
bool m_chest_is_free(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return m_chest_reached(model, player, action, reply) && !(player->match->claimed & 1u << action->arg16);
}

bool m_chest_is_none(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return m_match_is_right(model, player, action, reply) && action->arg16 >= model->plan->chests;
}

bool m_chest_is_far(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return chest_exists(model, player, action, reply) && (!player->position_known || !m_chest_in_range(model, player, action->arg16));
}

bool m_weapon_is_none(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return m_match_is_right(model, player, action, reply) && (action->arg8 > 3 || action->arg16 != 0); /* a seat: of two, one is its own, and nobody has said which */
}

bool m_seat_is_one(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)model, (void)player, (void)reply;
    return action->a < M_MEMBERS || action->a == VX_SEAT_OWN;
}

bool m_seat_is_none(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return !m_seat_is_one(model, player, action, reply);
}

/* In or out of reach of some place that the opponent held in this pass. */
static bool target_was(const struct model *model, const struct m_player *player, bool in_reach)
{
    const struct m_player *target = &model->players[player->match->players[1 - player->member]];
    if (!player->position_known || !target->position_known || player->match->left)
        return true;
    uint64_t reach = (uint64_t)model->plan->strike_range_cm * model->plan->strike_range_cm;
    for (uint32_t i = 0; i < target->was_count; i++)
        if ((m_distance_square(player->at_cm, target->was_cm[i]) <= reach) == in_reach)
            return true;
    return target->was_count == 8 || (m_distance_square(player->at_cm, target->at_cm) <= reach) == in_reach;
}

bool m_target_is_far(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return m_match_is_right(model, player, action, reply) && action->arg8 <= 3 && action->arg16 <= 2 && target_was(model, player, false);
}

bool m_strike_fits(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return m_match_is_right(model, player, action, reply) && action->arg8 <= 3 && action->arg16 <= 2 && target_was(model, player, true);
}

enum { COORDINATE_MAX = 1000000, SLACK_CM = 200, SAVED_MS_MAX = 2000 };
bool m_place_is_bad(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)model, (void)player, (void)reply;
    const int32_t to[3] = { (int32_t)action->a, (int32_t)action->b, (int32_t)action->c };
    for (uint32_t i = 0; i < 3; i++)
        if (to[i] > COORDINATE_MAX || to[i] < -COORDINATE_MAX)
            return true;
    return false;
}

/* docs/protocol.md, "Speed". */
static bool place_in_reach(const struct model *model, const struct m_player *player, const struct vx_event *action)
{
    const int32_t to[3] = { (int32_t)action->a, (int32_t)action->b, (int32_t)action->c };
    uint64_t passed_ms = model->now_ms - player->moved_ms;
    uint64_t reach = model->plan->speed_cm_s * (passed_ms < SAVED_MS_MAX ? passed_ms : SAVED_MS_MAX) / 1000 + SLACK_CM;
    return m_distance_square(player->at_cm, to) <= reach * reach;
}

bool m_move_fits(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return !m_place_is_bad(model, player, action, reply) && (!player->position_known || !player->moved_known || place_in_reach(model, player, action));
}

bool m_move_too_fast(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return !m_place_is_bad(model, player, action, reply) && (!player->position_known || !player->moved_known || !place_in_reach(model, player, action));
}

bool m_ack_is_bad(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)model, (void)reply;
    return action->a > player->issued;
}

bool m_ack_fits(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)model, (void)reply;
    return action->a <= player->issued;
}

bool m_proposal_of_nobody(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)action;
    const struct m_match *match = m_match_find(model, m_id(model, player) % model->plan->shards, reply->a);
    return match == NULL || (match->proposed_ms == model->now_ms && match->count < M_MEMBERS);
}

bool m_match_of_reply(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)model, (void)action;
    return player->match != NULL && player->match->id == reply->a;
}

bool m_may_start(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return m_match_of_reply(model, player, action, reply) && player->match->accepted == (1 << M_MEMBERS) - 1 && reply->arg16 == model->plan->chests &&
           reply->c == model->plan->hunt_ms;
}

bool m_has_declined(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)model, (void)action, (void)reply;
    return player->match != NULL && (player->match->declined & 1u << player->member);
}

bool m_was_silent(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)action, (void)reply;
    return player->match != NULL && !(player->match->declined & 1u << player->member) && !(player->match->accepted & 1u << player->member) &&
           m_is_past(model->now_ms, player->match->proposed_ms + model->plan->proposal_ms);
}

/* It searches on only when a proposal, a start and an end would have room among what it has not acknowledged. */
bool m_outbox_blocks_search(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)model, (void)action, (void)reply;
    return player->match != NULL && player->result_count > M_OUTBOX - 3;
}

bool m_others_broke(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    return player->match != NULL && !(player->match->declined & 1u << player->member) && !m_outbox_blocks_search(model, player, action, reply);
}

bool m_search_is_over(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)action, (void)reply;
    return m_is_past(model->now_ms, player->ticket.since_ms + model->plan->search_ms);
}

bool m_repeated_or_new(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply)
{
    (void)model, (void)player, (void)action, (void)reply;
    return true;
}
