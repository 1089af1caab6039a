/* What happens without a word, and what must not be left unsaid: silence ends a player, time ends a hunt, and every
 * ticket, proposal, hunt, strike and result has an hour at which it is wrong that nothing has been heard of it. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "model_private.h"

/* Offline for sure, by its own word or by its silence. */
void m_left(struct model *model, struct m_player *player)
{
    if (player->match != NULL)
        m_match_left(model, player->match, player);
    player->match = NULL;
    player->may = 1u << M_OFFLINE;
    for (struct m_strike *strike; (strike = player->strikes) != NULL; free(strike))
        player->strikes = strike->next; /* nobody waits for those answers */
}

static bool is_silent(const struct model *model, const struct m_player *player)
{
    return (player->may & M_ONLINE) && m_is_past(model->now_ms, player->last_ms + model->plan->idle_ms);
}

static bool is_deaf(const struct model *model, const struct m_player *player)
{
    return player->result_count > 0 && player->repeats == model->plan->repeats_max && m_is_past(model->now_ms, player->repeat_due_ms);
}

static void doubt_by(struct model *model, uint32_t due_ms)
{
    if ((int32_t)(due_ms - model->doubt_ms) < 0)
        model->doubt_ms = due_ms;
}

/* Whose stay may end now because it has said nothing, or acknowledged nothing, for long enough. */
bool m_doubts_begin(struct model *model)
{
    if (!m_is_past(model->now_ms, model->doubt_ms))
        return false;
    bool any = false;
    model->doubt_ms = model->now_ms + model->plan->idle_ms;
    for (uint32_t i = 0; i < model->plan->players; i++) {
        struct m_player *player = m_player(model, i);
        player->in_doubt = is_silent(model, player) || is_deaf(model, player);
        any = any || player->in_doubt;
        if (player->in_doubt) {
            player->results_unsure = player->result_count;
            player->may |= 1u << M_OFFLINE;
            doubt_by(model, model->now_ms);
        } else if (player->may & M_ONLINE) {
            doubt_by(model, player->last_ms + model->plan->idle_ms);
        }
        if (player->result_count > 0 && player->repeats == model->plan->repeats_max && !player->in_doubt)
            doubt_by(model, player->repeat_due_ms);
    }
    return any;
}

/* What an operator who looks at the player now sees: has its stay ended? Whether it may and must is the model's to say. */
static void doubt_end(struct model *model, struct m_player *player)
{
    const struct sim_plan *plan = model->plan;
    uint32_t id = m_id(model, player), shard = id % plan->shards;
    struct vx_player_view view;
    vx_shard_view_player(vx_shard_lcore_shard(model->sim->appliance.lanes[shard % plan->lanes], shard / plan->lanes), id / plan->shards, &view);
    bool was_here = (player->may & M_ONLINE) != 0;
    bool has_gone = was_here ? strcmp(vx_player_state_name(view.state), "offline") == 0 : view.results_pending < player->result_count;
    uint32_t late_ms = M_TICK_MS; /* what else happens to the player in that tick may set its timer anew, for the next */
    bool must = (is_silent(model, player) && m_is_overdue(model, player->last_ms + plan->idle_ms + late_ms)) ||
                (is_deaf(model, player) && m_is_overdue(model, player->repeat_due_ms + late_ms));
    player->in_doubt = false;
    if (has_gone) {
        if (view.results_pending > player->result_count - player->results_unsure)
            m_wrong(model, player, "has gone, and %u of its %u results wait", view.results_pending, player->result_count);
        player->results_unsure = player->result_count - view.results_pending; /* some may have come in this pass, before it went */
        m_results_gone(model, player);
        m_left(model, player);
    } else if (must) {
        m_wrong(model, player, "has been silent for %u ms, and told %u results %u times: it is still here", model->now_ms - player->last_ms, player->result_count, player->repeats);
    } else if (was_here) {
        player->may &= (uint8_t)~(1u << M_OFFLINE);
    }
    player->results_unsure = 0;
}

void m_doubts_end(struct model *model)
{
    for (uint32_t i = 0; i < model->plan->players; i++)
        if (m_player(model, i)->in_doubt)
            doubt_end(model, m_player(model, i));
}

void m_player_pass_time(struct model *model, struct m_player *player)
{
    if (m_certainly(player, M_SETTLING) && player->match->state == M_HUNTING) { /* an answer has told */
        player->match->state = M_SETTLING;
        player->match->finish_ms = model->now_ms;
    }
    if (!(player->may & 1u << M_HUNTING))
        return;
    struct m_match *match = player->match;
    bool is_over = match->state != M_HUNTING || m_is_overdue(model, match->started_ms + model->plan->hunt_ms);
    if (is_over) {
        if (match->state == M_HUNTING) {
            match->finish_ms = model->now_ms;
            match->state = M_SETTLING;
        }
        player->may = (uint8_t)((player->may & ~(1u << M_HUNTING)) | 1u << M_SETTLING);
    } else if (m_match_may_finish(model, match)) {
        player->may |= 1u << M_SETTLING;
    }
}

static void sweep_player(struct model *model, struct m_player *player)
{
    const struct sim_plan *plan = model->plan;
    m_player_pass_time(model, player);
    if (m_certainly(player, M_SEARCHING) && m_is_overdue(model, player->ticket.since_ms + plan->search_ms) && m_is_overdue(model, player->searching_ms))
        m_wrong(model, player, "its ticket of %u ms ago has not ended", model->now_ms - player->ticket.since_ms);
    if (m_certainly(player, M_PROPOSED) && m_is_overdue(model, player->match->proposed_ms + plan->proposal_ms))
        m_wrong(model, player, "its proposal of %u ms ago has not ended", model->now_ms - player->match->proposed_ms);
    if (m_certainly(player, M_SETTLING) && player->match->grants_pending == 0 && m_is_overdue(model, player->match->finish_ms + plan->job_ms))
        m_wrong(model, player, "its hunt has nothing to wait for and does not settle");
    for (const struct m_strike *strike = player->strikes; strike != NULL && !(player->may & 1u << M_OFFLINE); strike = strike->next)
        if (m_is_overdue(model, strike->accepted_ms + plan->job_ms))
            m_wrong(model, player, "strike number %u of %u ms ago has no answer", strike->number, model->now_ms - strike->accepted_ms);
    if (player->result_count > 0 && player->repeats < plan->repeats_max && m_is_overdue(model, player->repeat_due_ms))
        m_wrong(model, player, "result %u was due %u ms ago for the %uth repeat", player->results[0].number, model->now_ms - player->repeat_due_ms,
                player->repeats + 1);
}

/* The gauges that operators see, where the model knows every player's state. */
static void sweep_gauges(struct model *model)
{
    uint64_t states[SIM_SHARDS_MAX][M_STATES] = { 0 };
    bool is_sure[SIM_SHARDS_MAX];
    for (uint32_t shard = 0; shard < model->plan->shards; shard++)
        is_sure[shard] = true;
    for (uint32_t i = 0; i < model->plan->players; i++) {
        const struct m_player *player = m_player(model, i);
        uint32_t shard = i % model->plan->shards;
        if (__builtin_popcount(player->may) != 1)
            is_sure[shard] = false;
        else
            states[shard][__builtin_ctz(player->may)]++;
    }
    for (uint32_t shard = 0; shard < model->plan->shards; shard++) {
        const struct vx_shard_counters *c = vx_shard_counters(vx_shard_lcore_shard(model->sim->appliance.lanes[shard % model->plan->lanes], shard / model->plan->lanes));
        const uint64_t *known = states[shard], here = (model->plan->players - shard + model->plan->shards - 1) / model->plan->shards;
        model->sim->report->ambiguous += !is_sure[shard];
        if (!is_sure[shard])
            continue;
        if (c->players_online != here - known[M_OFFLINE] || c->players_searching != known[M_SEARCHING] || c->players_proposed != known[M_PROPOSED] ||
            c->players_hunting != known[M_HUNTING] || c->players_settling != known[M_SETTLING])
            sim_violation("shard %u counts %lu online, %lu searching, %lu proposed, %lu hunting, %lu settling; they are %lu, %lu, %lu, %lu, %lu", shard, c->players_online,
                          c->players_searching, c->players_proposed, c->players_hunting, c->players_settling, here - known[M_OFFLINE], known[M_SEARCHING],
                          known[M_PROPOSED], known[M_HUNTING], known[M_SETTLING]);
    }
}

void m_sweep(struct model *model)
{
    for (uint32_t i = 0; i < model->plan->players; i++)
        sweep_player(model, m_player(model, i));
    sweep_gauges(model);
    m_sweep_pairs(model);
}
