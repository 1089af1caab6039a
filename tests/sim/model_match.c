/* Tickets, proposals and the ends of hunts. */
#include <math.h>
#include <stdlib.h>

#include "model_private.h"

static uint32_t hash_of(uint32_t shard, uint32_t id)
{
    return (uint32_t)vx_mix64((uint64_t)shard << 32 | id) % M_HASH;
}

struct m_match *m_match_find(struct model *model, uint32_t shard, uint32_t id)
{
    struct m_match *match = model->matches[hash_of(shard, id)];
    while (match != NULL && (match->id != id || match->shard != shard))
        match = match->next;
    return match;
}

static uint32_t window_of(const struct model *model, uint32_t shard, const struct m_ticket *ticket, uint32_t at_ms)
{
    uint32_t second = (at_ms - ticket->since_ms) / 1000;
    return model->shards[shard].windows[second < M_WINDOWS ? second : M_WINDOWS - 1];
}

static bool is_pair(const struct model *model, uint32_t shard, const struct m_ticket *a, const struct m_ticket *b, uint32_t at_ms)
{
    uint32_t distance = a->rating > b->rating ? a->rating - b->rating : b->rating - a->rating;
    return distance <= window_of(model, shard, a, at_ms) && distance <= window_of(model, shard, b, at_ms);
}

static void match_is_whole(struct model *model, const struct m_check *check)
{
    const struct m_match *match = check->match;
    if (match->count != M_MEMBERS)
        m_wrong(model, check->player, "match %u was proposed to %u players", match->id, match->count);
    uint32_t member = match->players[0] == m_id(model, check->player) ? 0 : 1, other = 1 - member;
    if (match->players[0] == match->players[1])
        m_wrong(model, check->player, "match %u is of one player with itself", match->id);
    if (match->ratings_known[other] && check->reply.b != (uint32_t)match->ratings[other])
        m_wrong(model, check->player, "its opponent's rating is said to be %u, it is %u", check->reply.b, (uint32_t)match->ratings[other]);
    const struct m_ticket *a = &match->tickets[0], *b = &match->tickets[1];
    if (match->ratings_known[0] && match->ratings_known[1] && !is_pair(model, match->shard, a, b, match->proposed_ms))
        m_wrong(model, check->player, "match %u joins ratings %u and %u after %u and %u ms, with windows %u and %u", match->id, a->rating, b->rating,
                match->proposed_ms - a->since_ms, match->proposed_ms - b->since_ms, window_of(model, match->shard, a, match->proposed_ms),
                window_of(model, match->shard, b, match->proposed_ms));
}

void m_proposal(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    struct m_shard *shard = &model->shards[reply->shard];
    struct m_match *match = m_match_find(model, reply->shard, reply->a);
    if (match == NULL) {
        match = calloc(1, sizeof(*match));
        VX_ASSERT(match != NULL);
        uint32_t hash = hash_of(reply->shard, reply->a);
        *match = (struct m_match){ .next = model->matches[hash], .id = reply->a, .shard = reply->shard, .proposed_ms = model->now_ms, .state = M_PROPOSED };
        model->matches[hash] = match;
        model->sim->report->matches++;
    }
    if (shard->windows_known < M_WINDOWS)
        m_wrong(model, player, "a match is proposed when %u of %u windows are known", shard->windows_known, M_WINDOWS);
    if (reply->c != model->plan->proposal_ms || reply->a == 0)
        m_wrong(model, player, "match %u is proposed for %u ms", reply->a, reply->c);
    player->match = match;
    player->member = (uint8_t)match->count;
    match->ratings[match->count] = player->rating;
    match->ratings_known[match->count] = player->rating_known;
    match->tickets[match->count] = player->ticket;
    match->players[match->count++] = m_id(model, player);
    m_check_later(model, match_is_whole, player, match, reply);
}

/* What a LEAVE does to others is told before its own answer. */
static bool is_leaving(const struct m_player *player)
{
    for (const struct m_fed *fed = player->fed; fed != NULL; fed = fed->next)
        if (fed->event.type == VX_ACTION_LEAVE)
            return true;
    return false;
}

bool m_member_may_have_left(struct model *model, const struct m_match *match, uint32_t member)
{
    struct m_player *player = m_player(model, match->players[member]);
    return is_leaving(player) || (match->left & 1u << member) || player->match != match || (player->may & ~M_IN_MATCH);
}

static bool others_may_have_left(struct model *model, const struct m_match *match, uint32_t member)
{
    for (uint32_t i = 0; i < match->count; i++)
        if (i != member && m_member_may_have_left(model, match, i))
            return true;
    return false;
}

bool m_match_may_finish(struct model *model, const struct m_match *match)
{
    bool someone_left = false;
    for (uint32_t i = 0; i < match->count; i++)
        someone_left = someone_left || m_member_may_have_left(model, match, i);
    return someone_left || match->dead != 0 || match->claimed == (1u << model->plan->chests) - 1 || m_is_past(model->now_ms, match->started_ms + model->plan->hunt_ms);
}

bool m_rating_is_settled(const struct model *model, struct m_player *player)
{
    for (struct m_unsettled **at = &player->unsettled, *one; (one = *at) != NULL;) {
        const struct m_match *match = one->match;
        bool nobody_hears = match->left == (1 << M_MEMBERS) - 1 && match->grants_pending == 0 && m_is_overdue(model, match->finish_ms + model->plan->job_ms);
        if (match->state != M_LOBBY && !nobody_hears) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        free(one);
    }
    return player->unsettled == NULL;
}

void m_rating_brought(struct model *model, struct m_player *player)
{
    for (const struct m_unsettled *one = player->unsettled; one != NULL; one = one->next)
        one->match->ratings_known[one->match->players[0] == m_id(model, player) ? 0 : 1] = false;
}

void m_match_left(struct model *model, struct m_match *match, struct m_player *player)
{
    match->left |= (uint8_t)(1u << player->member);
    if (match->state == M_LOBBY) { /* its leaving was the end, and was told to the other first */
        player->rating = match->ratings_after[player->member];
        player->rating_known = player->rating_known && match->after_known;
    }
    if (match->state == M_HUNTING || match->state == M_SETTLING) {
        if (match->state == M_HUNTING)
            match->finish_ms = model->now_ms;
        match->state = M_SETTLING;
        player->rating_known = false; /* known again when the hunt has ended for the other */
        struct m_unsettled *unsettled = malloc(sizeof(*unsettled));
        VX_ASSERT(unsettled != NULL);
        *unsettled = (struct m_unsettled){ player->unsettled, match };
        player->unsettled = unsettled;
    }
}

static void broke_for_a_reason(struct model *model, const struct m_check *check)
{
    const struct m_match *match = check->match;
    uint8_t own = (uint8_t)(1u << (match->players[0] == m_id(model, check->player) ? 0 : 1));
    bool timeout = m_is_past(model->now_ms, match->proposed_ms + model->plan->proposal_ms) && (match->accepted & own) && match->accepted != 3;
    if (!(match->declined & ~own) && !timeout && !others_may_have_left(model, match, own == 1 ? 0 : 1))
        m_wrong(model, check->player, "match %u fell apart, and nobody declined, left or kept silent", match->id);
}

void m_back_to_queue(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    m_check_later(model, broke_for_a_reason, player, player->match, reply);
    player->match = NULL;
    player->ticket.rating = (uint32_t)player->rating;
    player->searching_ms = model->now_ms;
    if (reply->c != model->now_ms - player->ticket.since_ms)
        m_wrong(model, player, "it is said to have waited %u ms, it has %u", reply->c, model->now_ms - player->ticket.since_ms);
}

void m_back_to_lobby(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    player->match = NULL;
    if (reply->c != model->now_ms - player->ticket.since_ms)
        m_wrong(model, player, "it is said to have waited %u ms, it has %u", reply->c, model->now_ms - player->ticket.since_ms);
}

static void all_start(struct model *model, const struct m_check *check)
{
    for (uint32_t i = 0; i < check->match->count; i++)
        if (!(check->match->was_told & 1u << i) && !m_member_may_have_left(model, check->match, i))
            m_wrong(model, check->player, "match %u started for some only", check->match->id);
}

void m_started(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    struct m_match *match = player->match;
    if (match->state == M_PROPOSED) {
        match->state = M_HUNTING;
        match->started_ms = model->now_ms;
        match->seed = reply->b;
        for (uint32_t i = 0; i < M_MEMBERS; i++)
            match->health[i] = M_HEALTH;
    }
    if (match->seed != reply->b)
        m_wrong(model, player, "match %u has seed %u for one and %u for another", match->id, match->seed, reply->b);
    match->was_told |= (uint8_t)(1u << player->member);
    player->at_cm[0] = player->at_cm[1] = player->at_cm[2] = 0;
    player->moved_ms = model->now_ms;
    player->position_known = player->moved_known = true;
    player->was_count = 0;
    m_check_later(model, all_start, player, match, reply);
}

/* Elo, K = 24, between 100 and 4000. */
static double elo(double own, double other, double score)
{
    double after = own + 24 * (score - 1 / (1 + pow(10, (other - own) / 400)));
    return fmin(fmax(after, 100), 4000);
}

/* Who stayed beats who left, the living beat the dead, then chests count. */
static double score_of(const struct m_match *match, uint32_t member, bool other_left)
{
    uint32_t other = 1 - member;
    if (other_left)
        return 1;
    if (match->dead != 0)
        return match->dead == 3 ? 0.5 : match->dead == 1u << other;
    return match->chests[member] == match->chests[other] ? 0.5 : match->chests[member] > match->chests[other];
}

static bool is_near(uint32_t said, double value, bool exact)
{
    return fabs((double)said - value) <= (exact ? 0.51 : 1.51);
}

static bool ended_as(struct m_match *match, uint32_t member, double score, const struct vx_reply *reply)
{
    uint8_t code = score > 0.75 ? VX_CODE_OK : score < 0.25 ? VX_CODE_LOST : VX_CODE_DRAWN;
    bool exact = match->ratings_known[member] && match->ratings_known[1 - member];
    double own = match->ratings[member], other = match->ratings[1 - member];
    if (!match->ratings_known[member])
        own = reply->b;
    return reply->code == code && is_near(reply->b, own, exact) && (!match->ratings_known[1 - member] || is_near(reply->c, elo(own, other, score), exact));
}

void m_ended(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    struct m_match *match = player->match;
    uint32_t other = 1 - player->member;
    struct m_player *opponent = m_player(model, match->players[other]);
    bool may_have_left = m_member_may_have_left(model, match, other), has_left = (match->left & 1u << other) || opponent->match != match;
    if (opponent->match != match && match->state == M_LOBBY)
        may_have_left = has_left = (match->left & 1u << other) != 0; /* it heard of the end just before */
    if (!m_match_may_finish(model, match) && match->state != M_LOBBY)
        m_wrong(model, player, "match %u has ended without a reason", match->id);
    double score = score_of(match, player->member, has_left);
    if (!ended_as(match, player->member, score, reply)) {
        score = score_of(match, player->member, may_have_left);
        if (!ended_as(match, player->member, score, reply))
            m_wrong(model, player, "match %u ended with code %u, rating %u to %u; it left %u, is dead %u, has %u chests to %u, rating %f against %f", match->id, reply->code,
                    reply->b, reply->c, match->left, match->dead, match->chests[player->member], match->chests[other], (double)match->ratings[player->member],
                    (double)match->ratings[other]);
    }
    if (match->grants_pending > 0 || (player->strikes != NULL))
        m_wrong(model, player, "match %u ended with %u grants under way and %s strike of its own", match->id, match->grants_pending, player->strikes ? "a" : "no");
    bool known = match->ratings_known[player->member] && match->ratings_known[other];
    player->rating = known ? (float)elo(match->ratings[player->member], match->ratings[other], score) : (float)reply->c;
    player->rating_known = known;
    match->state = M_LOBBY;
    match->after_known = known;
    match->ratings_after[other] = (float)elo(match->ratings[other], match->ratings[player->member], 1 - score);
    if (has_left && known && m_certainly(opponent, M_OFFLINE) && m_rating_is_settled(model, opponent)) {
        opponent->rating = match->ratings_after[other];
        opponent->rating_known = true;
    }
    player->match = NULL;
}

/* Two who fit each other, in a shard that has room and pairs, must not wait for ever: all are looked at once in each
 * row of the windows, a second, and some at each tick of 50 ms. */
enum { PATIENCE_MS = 2500, WAITING_MAX = 60 };

static bool has_waited(const struct model *model, const struct m_player *player)
{
    return m_certainly(player, M_SEARCHING) && player->rating_known && m_is_overdue(model, player->ticket.since_ms + PATIENCE_MS) && m_is_overdue(model, player->searching_ms + PATIENCE_MS);
}

static void sweep_ticket(struct model *model, uint32_t id, uint32_t waiting)
{
    const struct m_player *a = m_player(model, id);
    if (!has_waited(model, a) || waiting > WAITING_MAX)
        return;
    for (uint32_t j = id + model->plan->shards; j < model->plan->players; j += model->plan->shards) {
        const struct m_player *b = m_player(model, j);
        uint32_t shard = id % model->plan->shards;
        if (has_waited(model, b) && is_pair(model, shard, &a->ticket, &b->ticket, model->now_ms) &&
            is_pair(model, shard, &a->ticket, &b->ticket, model->now_ms - PATIENCE_MS / 2) && is_pair(model, shard, &a->ticket, &b->ticket, model->now_ms - PATIENCE_MS))
            m_wrong(model, a, "it and player %u fit each other and are not paired: ratings %u and %u, waiting %u and %u ms, %u wait", j, a->ticket.rating, b->ticket.rating,
                    model->now_ms - a->ticket.since_ms, model->now_ms - b->ticket.since_ms, waiting);
    }
}

void m_sweep_pairs(struct model *model)
{
    for (uint32_t i = 0; i < model->plan->shards; i++) {
        struct m_shard *shard = &model->shards[i];
        const struct vx_shard_counters *c = vx_shard_counters(vx_shard_lcore_shard(model->sim->appliance.lanes[i % model->plan->lanes], i / model->plan->lanes));
        uint32_t waiting = 0;
        for (uint32_t j = i; j < model->plan->players; j += model->plan->shards)
            waiting += (m_player(model, j)->may & 1u << M_SEARCHING) != 0;
        if (c->hunts_live >= model->plan->hunts_max || shard->draining || shard->windows_known < M_WINDOWS || model->was_still)
            shard->hunts_full_ms = model->now_ms;
        if (waiting < 2 || !m_is_overdue(model, shard->hunts_full_ms + PATIENCE_MS))
            continue;
        for (uint32_t j = i; j < model->plan->players; j += model->plan->shards)
            sweep_ticket(model, j, waiting);
    }
    model->was_still = false;
}
