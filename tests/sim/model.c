/* The model's doors: what comes is put in order and handed to the file that knows about it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_private.h"

uint32_t m_id(const struct model *model, const struct m_player *player)
{
    return (uint32_t)(player - model->players);
}

static const char *may_text(uint8_t may)
{
    static const char *const names[M_STATES] = { "offline ", "lobby ", "searching ", "proposed ", "hunting ", "settling " };
    static char text[80];
    text[0] = '\0';
    for (uint32_t i = 0; i < M_STATES; i++)
        if (may & 1u << i)
            (void)strcat(text, names[i]);
    return text;
}

_Noreturn void m_wrong_at(struct model *model, const struct m_player *player, const char *format, ...)
{
    char what[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    sim_violation("player %u, who may be %s(match %u, %u results waiting, shard clock %u ms): %s", m_id(model, player), may_text(player->may),
                  player->match != NULL ? player->match->id : 0, player->result_count, model->now_ms, what);
}

struct model *model_open(struct sim *sim)
{
    struct model *model = calloc(1, sizeof(*model));
    VX_ASSERT(model != NULL);
    model->players = calloc(sim->plan->players, sizeof(model->players[0]));
    VX_ASSERT(model->players != NULL);
    model->sim = sim;
    model->plan = sim->plan;
    /* Timers stop where a shard's output is full, 20 of them or more a call, and go on in the next pass. */
    model->slack_passes = sim->plan->players <= 30 ? 0 : 2 + sim->plan->players / 16;
    if (model->slack_passes >= M_PASSES)
        model->slack_passes = M_PASSES - 1;
    return model;
}

static void lists_forget(struct model *model)
{
    for (uint32_t i = 0; i < M_HASH; i++) {
        for (struct m_match *match; (match = model->matches[i]) != NULL; free(match))
            model->matches[i] = match->next;
        for (struct m_job *job; (job = model->jobs[i]) != NULL; free(job))
            model->jobs[i] = job->next;
        for (struct m_grant *grant; (grant = model->grants[i]) != NULL; free(grant))
            model->grants[i] = grant->next;
    }
    for (uint32_t shard = 0; shard < SIM_SHARDS_MAX; shard++)
        for (uint32_t kind = 0; kind < VX_FORMULA_KINDS; kind++)
            for (struct m_claim *claim; (claim = model->shards[shard].claims[kind]) != NULL; free(claim))
                model->shards[shard].claims[kind] = claim->next;
    for (uint32_t i = 0; i < model->plan->players; i++) {
        for (struct m_strike *strike; (strike = model->players[i].strikes) != NULL; free(strike))
            model->players[i].strikes = strike->next;
        for (struct m_unsettled *one; (one = model->players[i].unsettled) != NULL; free(one))
            model->players[i].unsettled = one->next;
    }
}

void model_start(struct model *model, uint64_t now_us)
{
    (void)now_us;
    lists_forget(model);
    memset(model->shards, 0, sizeof(model->shards));
    model->fed_count = model->check_count = 0;
    model->is_blind = false;
    if (model->plan->teams != 0)
        teams_start(model);
    model->now_ms = (uint32_t)(model->sim->shard_us / 1000);
    for (uint32_t i = 0; i < M_PASSES; i++)
        model->passes_ms[i] = model->now_ms;
    model->swept_ms = model->doubt_ms = model->now_ms;
    for (uint32_t i = 0; i < model->plan->players; i++)
        model->players[i] = (struct m_player){ .may = 1 << M_OFFLINE, .rating = 1500, .rating_known = true };
}

void model_blind(struct model *model)
{
    model->is_blind = true;
}

bool model_is_blind(const struct model *model)
{
    return model->is_blind;
}

void model_drained(struct model *model)
{
    for (uint32_t i = 0; i < model->plan->shards; i++)
        model->shards[i].draining = 1;
}

/* Called before the pass whose time the events will have. */
static void pass_begin(struct model *model)
{
    model->now_ms = (uint32_t)(model->sim->shard_us / 1000);
}

bool model_time_passes(struct model *model)
{
    pass_begin(model);
    return !model->is_blind && model->plan->teams == 0 && m_doubts_begin(model);
}

void model_time_passed(struct model *model)
{
    if (!model->is_blind)
        m_doubts_end(model);
}

void model_feed(struct model *model, uint32_t shard, const struct vx_event *event)
{
    struct m_player *player = m_player(model, event->player);
    VX_ASSERT(model->fed_count < M_FED_MAX);
    pass_begin(model);
    struct m_fed *fed = &model->fed[model->fed_count++];
    *fed = (struct m_fed){ .event = *event };
    if (event->player % model->plan->shards != shard)
        m_wrong(model, player, "its action is given to shard %u", shard);
    *(player->fed == NULL ? &player->fed : &player->fed_last->next) = fed;
    player->fed_last = fed;
}

void m_check_later(struct model *model, void (*holds)(struct model *, const struct m_check *), struct m_player *player, struct m_match *match,
                   const struct vx_reply *reply)
{
    VX_ASSERT(model->check_count < M_CHECKS_MAX);
    model->checks[model->check_count++] = (struct m_check){ holds, player, match, *reply, player->may };
}

static void position_note(struct m_player *player)
{
    if (player->was_count < 8)
        memcpy(player->was_cm[player->was_count++], player->at_cm, sizeof(player->at_cm));
}

static bool is_late_strike(struct m_player *player, const struct vx_reply *reply)
{
    bool may_be = reply->type == VX_RESULT_STRIKE_RESULT || (reply->type == VX_RESULT_ERROR && (reply->code == VX_CODE_FORMULA || reply->code == VX_CODE_WRONG_STATE));
    return may_be && m_strike_find(player, reply->action_number) != NULL;
}

static void fed_settle(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply)
{
    player->fed = fed->next;
    fed->fate = reply == NULL ? FATE_STRUCK : FATE_ANSWERED;
    m_player_pass_time(model, player);
    if (player->was_count == 0)
        position_note(player);
    memcpy(fed->at_cm, player->at_cm, sizeof(fed->at_cm));
    m_answer(model, player, fed, reply);
    if (reply == NULL)
        memcpy(fed->at_cm, player->at_cm, sizeof(fed->at_cm));
    position_note(player);
}

/* Actions are taken in the order in which the shard was given them. What has no answer when a later one has, its own or
 * another player's, is a strike that was taken on: its answer comes later. */
static void strikes_before(struct model *model, const struct m_fed *until)
{
    uint32_t shard = until->event.player % model->plan->shards, end = (uint32_t)(until - model->fed);
    for (uint32_t *next = &model->fed_settled[shard]; *next < end; (*next)++) {
        struct m_fed *fed = &model->fed[*next];
        if (fed->fate != FATE_OPEN || fed->event.player % model->plan->shards != shard)
            continue;
        struct m_player *player = m_player(model, fed->event.player);
        if (fed->event.type != VX_ACTION_STRIKE)
            m_wrong(model, player, "action number %u of type %u has no answer, and a later one has", fed->event.number, fed->event.type);
        fed_settle(model, player, fed, NULL);
    }
}

/* The same strike twice in a pass: the first is taken on, the second is the REPEATED one. */
static bool is_first_of_two(const struct m_player *player, const struct m_fed *fed, const struct vx_reply *reply)
{
    uint32_t behind = player->number - fed->event.number;
    bool was_taken = player->known && behind < M_NUMBERS && (player->taken >> behind & 1);
    return fed->event.type == VX_ACTION_STRIKE && reply->type == VX_RESULT_REPEATED && !was_taken && fed->next != NULL;
}

static void answer(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    struct m_fed *fed = player->fed;
    while (fed != NULL && (fed->event.number != reply->action_number || is_first_of_two(player, fed, reply)))
        fed = fed->next;
    if (fed == NULL)
        m_wrong(model, player, "answer of type 0x%x, code %u to action number %u, which does not wait for one", reply->type, reply->code, reply->action_number);
    strikes_before(model, fed);
    fed_settle(model, player, fed, reply);
}

/* No client of ours gives that number; a spoilt packet whose checksum holds has it. */
static bool waits_for_number_0(const struct m_player *player)
{
    for (const struct m_fed *fed = player->fed; fed != NULL; fed = fed->next)
        if (fed->event.number == 0)
            return true;
    return false;
}

void model_reply(struct model *model, const struct vx_reply *reply)
{
    struct m_player *player = m_player(model, reply->player);
    pass_begin(model);
    if (model->is_blind)
        return;
    if (reply->session != reply->player || reply->shard != reply->player % model->plan->shards)
        m_wrong(model, player, "a reply names session %u and shard %u", reply->session, reply->shard);
    if (model->plan->teams != 0) {
        teams_reply(model, player, reply);
        return;
    }
    m_player_pass_time(model, player);
    if (reply->action_number == 0 && !waits_for_number_0(player))
        m_notice(model, player, reply);
    else if (is_late_strike(player, reply))
        m_struck(model, player, reply);
    else
        answer(model, player, reply);
    if (player->may == 0)
        m_wrong(model, player, "no state is left after type 0x%x, code %u", reply->type, reply->code);
}

static void fed_finish(struct model *model)
{
    for (uint32_t i = 0; i < model->fed_count; i++) {
        struct m_fed *fed = &model->fed[i];
        if (fed->fate != FATE_OPEN)
            continue;
        struct m_player *player = m_player(model, fed->event.player);
        if (fed->event.type != VX_ACTION_STRIKE)
            m_wrong(model, player, "action number %u of type %u has no answer", fed->event.number, fed->event.type);
        fed_settle(model, player, fed, NULL);
    }
    memset(model->fed_settled, 0, sizeof(model->fed_settled));
}

static void checks_make(struct model *model)
{
    for (uint32_t i = 0; i < model->check_count; i++)
        model->checks[i].holds(model, &model->checks[i]);
    model->check_count = 0;
}

void model_pass_done(struct model *model, uint64_t shard_us)
{
    model->now_ms = (uint32_t)(shard_us / 1000);
    model->was_still = model->was_still || model->now_ms - model->passes_ms[model->pass % M_PASSES] > 100;
    if (!model->is_blind && model->plan->teams != 0)
        teams_pass_done(model);
    else if (!model->is_blind) {
        fed_finish(model);
        m_strikes_done(model);
        checks_make(model);
    }
    for (uint32_t i = 0; i < model->plan->shards; i++)
        model->shards[i].draining = model->shards[i].draining != 0 ? 2 : 0;
    for (uint32_t i = 0; i < model->fed_count; i++)
        m_player(model, model->fed[i].event.player)->fed = NULL;
    for (uint32_t i = 0; i < model->fed_count; i++)
        m_player(model, model->fed[i].event.player)->was_count = 0;
    model->fed_count = 0;
    bool has_leapt = model->now_ms - model->passes_ms[model->pass % M_PASSES] > 1u << 28; /* to the day on which the run begins */
    model->passes_ms[++model->pass % M_PASSES] = model->now_ms;
    for (uint32_t i = 0; i < M_PASSES && has_leapt; i++)
        model->passes_ms[i] = model->now_ms;
    if (!model->is_blind && model->plan->teams == 0 && m_is_past(model->now_ms, model->swept_ms + 40)) {
        model->swept_ms = model->now_ms;
        m_sweep(model);
    }
}

void model_look(struct model *model)
{
    if (model->plan->teams != 0)
        teams_look(model);
}

void model_rest(struct model *model)
{
    if (model->is_blind || model->plan->teams != 0)
        return;
    for (uint32_t i = 0; i < model->plan->players; i++) {
        struct m_player *player = m_player(model, i);
        m_player_pass_time(model, player);
        if (!m_certainly(player, M_OFFLINE) || player->result_count > 0)
            m_wrong(model, player, "is still here after the healing time");
    }
    for (uint32_t shard = 0; shard < model->plan->shards; shard++)
        if (model->shards[shard].grants_pending > 0 ||
            (!m_jobs_are_stale(model, shard) && (model->shards[shard].claims[VX_FORMULA_LOOT] != NULL || model->shards[shard].claims[VX_FORMULA_BATTLE] != NULL)))
            sim_violation("shard %u: %u chests were claimed and their loot was never told, or a job was never asked", shard, model->shards[shard].grants_pending);
}
