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

void m_results_gone(struct model *model, struct m_player *player)
{
    results_shift(player, player->results_unsure); /* those that came since are for a player that was away */
    player->repeats = player->round_next = 0;
    player->repeat_ms = model->plan->repeat_ms;
    player->repeat_due_ms = model->now_ms + player->repeat_ms;
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
    if (!is_same(&player->results[index], reply))
        m_wrong(model, player, "result %u is repeated with other contents", reply->result_number);
    if (index != player->round_next)
        m_wrong(model, player, "result %u is repeated out of order", reply->result_number);
    player->round_next = index + 1 < player->result_count ? index + 1 : 0;
    if (index > 0)
        return;
    if (!m_is_past(model->now_ms, player->repeat_due_ms))
        m_wrong(model, player, "result %u is repeated %d ms early", reply->result_number, (int32_t)(player->repeat_due_ms - model->now_ms));
    if (++player->repeats > model->plan->repeats_max)
        m_wrong(model, player, "result %u is repeated for the %uth time", reply->result_number, player->repeats);
    player->repeat_ms *= 2;
    player->repeat_due_ms = model->now_ms + player->repeat_ms;
    if (player->repeats == model->plan->repeats_max && m_is_past(model->doubt_ms, player->repeat_due_ms))
        model->doubt_ms = player->repeat_due_ms;
}

bool m_results_number(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    if (reply->result_number == player->issued + 1) {
        if (player->result_count == M_OUTBOX && player->in_doubt) { /* so the first have gone, and the others began anew */
            m_results_gone(model, player);
            player->results_unsure = 0;
        }
        if (player->result_count == M_OUTBOX)
            m_wrong(model, player, "result %u is the ninth that waits", reply->result_number);
        if (player->result_count == 0) {
            player->repeats = player->round_next = 0;
            player->repeat_ms = model->plan->repeat_ms;
            player->repeat_due_ms = model->now_ms + player->repeat_ms;
        }
        player->issued++;
        player->results[player->result_count++] =
            (struct m_result){ reply->result_number, reply->a, reply->b, reply->c, reply->arg16, reply->type, reply->code };
        return true;
    }
    bool is_waiting = player->result_count > 0 && reply->result_number - player->results[0].number < player->result_count;
    if (!is_waiting)
        m_wrong(model, player, "result %u is sent; %u were issued, %u are acknowledged", reply->result_number, player->issued, player->acked);
    repeated(model, player, reply);
    return false;
}

/* A client that comes says what it has; numbers go on from there. */
void m_results_enter(struct model *model, struct m_player *player, uint32_t seen)
{
    (void)model;
    if (seen > INT32_MAX)
        return;
    for (uint32_t i = 0; i < player->result_count; i++)
        player->results[i].number = seen + 1 + i;
    player->issued = seen + player->result_count;
    player->acked = seen;
}
