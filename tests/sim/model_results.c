/* Results that matter: numbered without a gap, repeated after repeat_ms and then after twice the pause each time
 * until the player has said that it has them, given up together with the player after repeats_max. */
#include <string.h>

#include "model_private.h"

static void results_shift(struct m_player *player, uint32_t count)
{
    player->results_unsure -= player->results_unsure < count ? player->results_unsure : count;
    player->result_count -= count;
    memmove(player->results, player->results + count, player->result_count * sizeof(player->results[0]));
}

/* In a large world it may take many passes until it is certain who has gone: then only what is told is checked, and not when
 * it is told again, until the player has acknowledged all there is. */
void m_results_doubt(const struct model *model, struct m_player *player)
{
    player->results_loose = player->results_loose || model->slack_passes > 0;
    if (player->results_sure)
        player->results_unsure = player->result_count;
    player->results_sure = player->results_unsure == 0;
}

/* Those that came after the first doubt may have been for a player that was gone: they stay. */
void m_results_gone(struct model *model, struct m_player *player)
{
    bool others = player->result_count > player->results_unsure;
    results_shift(player, player->results_unsure);
    player->round_next = 0;
    player->results_sure = !others;
    player->results_unsure = player->result_count;
    player->repeats = 0;
    player->repeat_ms = model->plan->repeat_ms;
    player->repeat_due_ms = model->now_ms + player->repeat_ms; /* or before */
}

void m_results_seen(struct model *model, struct m_player *player, uint32_t seen)
{
    if (seen > player->issued || seen <= player->acked)
        return; /* nobody can have what was never sent */
    uint32_t done = 0;
    while (done < player->result_count && player->results[done].number <= seen)
        done++;
    player->acked = seen;
    if (done == 0)
        return;
    results_shift(player, done);
    player->repeats = 0;
    player->repeat_ms = model->plan->repeat_ms;
    player->repeat_due_ms = model->now_ms + player->repeat_ms;
    player->round_next = 0;
    player->results_sure = player->results_sure || player->result_count == 0;
    player->results_loose = player->results_loose && (player->result_count > 0 || player->may & 1u << M_OFFLINE);
}

static bool is_same(const struct m_result *result, const struct vx_reply *reply)
{
    return result->type == reply->type && result->code == reply->code && result->arg16 == reply->arg16 && result->a == reply->a && result->b == reply->b &&
           result->c == reply->c;
}

/* All that wait are repeated together, in order. */
static void repeated(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    uint32_t index = reply->result_number - player->results[0].number;
    if (player->results_loose) {
        if (!is_same(&player->results[index], reply))
            m_wrong(model, player, "result %u is repeated with other contents", reply->result_number);
        return;
    }
    bool went = !player->results_sure && index > 0 && player->round_next == 0; /* those before it went with the player that came back */
    if (went) {
        results_shift(player, index);
        player->repeats = index = 0;
        player->repeat_ms = model->plan->repeat_ms;
    }
    if (!is_same(&player->results[index], reply))
        m_wrong(model, player, "result %u is repeated with other contents", reply->result_number);
    if (index != player->round_next)
        m_wrong(model, player, "result %u is repeated out of order", reply->result_number);
    player->round_next = index + 1 < player->result_count ? index + 1 : 0;
    if (index > 0)
        return;
    if (player->results_sure && !m_is_past(model->now_ms, player->repeat_due_ms))
        m_wrong(model, player, "result %u is repeated %d ms early", reply->result_number, (int32_t)(player->repeat_due_ms - model->now_ms));
    if (++player->repeats > model->plan->repeats_max)
        m_wrong(model, player, "result %u is repeated for the %uth time", reply->result_number, player->repeats);
    player->repeat_ms *= 2;
    player->repeat_due_ms = model->now_ms + player->repeat_ms;
    player->results_sure = true;
    player->results_unsure = 0;
}

/* A number that only a player can be given who had gone and has entered anew: what waited has gone with it, but for what
 * came while it was away and is told again. */
static bool has_entered(const struct m_player *player, const struct vx_reply *reply, bool *is_known)
{
    uint32_t first = player->result_count > 0 ? player->results[0].number : player->issued + 1, index = reply->result_number - first;
    bool fits = reply->result_number == player->issued + 1 || (index < player->result_count && is_same(&player->results[index], reply));
    *is_known = false;
    if (!player->may_enter || fits || reply->result_number <= player->enter_seen)
        return false;
    for (uint32_t i = 0; i < player->result_count; i++)
        *is_known = *is_known || is_same(&player->results[i], reply);
    return true;
}

bool m_results_number(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    bool is_known;
    if (has_entered(player, reply, &is_known)) {
        player->may_enter = (player->may & 1u << M_OFFLINE) != 0;
        player->result_count = player->results_unsure = 0;
        player->acked = player->enter_seen;
        player->issued = reply->result_number - 1;
        player->results_loose = true;
        if (is_known) {
            player->issued++;
            player->results[player->result_count++] = (struct m_result){ reply->result_number, reply->a, reply->b, reply->c, reply->arg16, reply->type, reply->code };
            return false;
        }
    }
    if (reply->result_number == player->issued + 1) {
        if (player->result_count == M_OUTBOX && !player->results_sure) { /* so the first have gone, and the others began anew */
            results_shift(player, player->results_unsure);
            player->repeats = player->round_next = 0;
            player->repeat_ms = model->plan->repeat_ms;
            player->repeat_due_ms = model->now_ms + player->repeat_ms; /* or before */
        }
        if (player->result_count == M_OUTBOX && player->results_loose)
            results_shift(player, 1);
        if (player->result_count == M_OUTBOX)
            m_wrong(model, player, "result %u is the ninth that waits", reply->result_number);
        if (player->result_count == 0) {
            player->repeats = player->round_next = 0;
            player->repeat_ms = model->plan->repeat_ms;
            player->repeat_due_ms = model->now_ms + player->repeat_ms;
            player->results_sure = true;
            player->results_unsure = 0;
        }
        player->issued++;
        player->results[player->result_count++] =
            (struct m_result){ reply->result_number, reply->a, reply->b, reply->c, reply->arg16, reply->type, reply->code };
        return true;
    }
    bool is_waiting = player->result_count > 0 && reply->result_number - player->results[0].number < player->result_count;
    if (player->results_loose && !is_waiting && reply->result_number <= player->issued)
        return false; /* it had not gone with the player */
    if (!is_waiting)
        m_wrong(model, player, "result %u is sent; %u were issued, %u are acknowledged", reply->result_number, player->issued, player->acked);
    repeated(model, player, reply);
    return false;
}

void m_results_pass_time(struct model *model, struct m_player *player)
{
    if (player->results_loose) {
        player->may |= 1u << M_OFFLINE; /* at any time, by what it has not acknowledged */
        return;
    }
    if (player->result_count == 0 || !m_is_past(model->now_ms, player->repeat_due_ms))
        return;
    if (player->repeats < model->plan->repeats_max && !player->results_sure && player->results_unsure == player->result_count && m_is_overdue(model, player->repeat_due_ms)) {
        results_shift(player, player->result_count); /* they would have been repeated by now */
        player->results_sure = true;
    }
    if (player->result_count == 0 || player->repeats < model->plan->repeats_max)
        return;
    bool silent_since = (int32_t)(player->last_ms - player->repeat_due_ms) < 0;
    if (player->doubted_ms != player->repeat_due_ms) {
        player->doubted_before = !player->results_sure;
        m_results_doubt(model, player);
    }
    player->doubted_ms = player->repeat_due_ms;
    if (m_is_overdue(model, player->repeat_due_ms)) {
        /* Else: they went before, and the player came back; or they and the player go now. */
        if ((silent_since && !player->doubted_before) || m_certainly(player, M_OFFLINE))
            m_left(model, player);
        else
            player->may |= 1u << M_OFFLINE;
        m_results_gone(model, player);
        return;
    }
    player->may |= 1u << M_OFFLINE;
}

/* A client that comes says what it has; numbers go on from there. */
void m_results_enter(struct model *model, struct m_player *player, uint32_t seen)
{
    (void)model;
    player->may_enter = false;
    m_results_may_enter(player, seen);
    player->may_enter = player->may_enter && !(player->results_sure && !player->results_loose);
    if (seen > INT32_MAX)
        return;
    for (uint32_t i = 0; i < player->result_count; i++)
        player->results[i].number = seen + 1 + i;
    player->issued = seen + player->result_count;
    player->acked = seen;
}

void m_results_may_enter(struct m_player *player, uint32_t seen)
{
    if (seen > INT32_MAX)
        return;
    player->enter_seen = player->may_enter && player->enter_seen < seen ? player->enter_seen : seen;
    player->may_enter = true;
}
