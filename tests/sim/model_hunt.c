/* Chests, strikes, the formula jobs that they become, and grants: what is asked of a formula is what the hunt says,
 * what is said of a strike is what the formula answered, and a receipt that is told is in the ledger. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model_private.h"

uint64_t m_under_way(const struct model *model, uint32_t shard)
{
    const struct vx_shard_lcore *lane = model->sim->appliance.lanes[shard % model->plan->lanes];
    const struct vx_shard_counters *counters = vx_shard_counters(vx_shard_lcore_shard(lane, shard / model->plan->lanes));
    return counters->jobs_pending + counters->grants_pending;
}

static uint64_t key_of(uint32_t shard, uint32_t number)
{
    return (uint64_t)shard << 32 | number;
}

static struct m_job *job_find(struct model *model, uint64_t key)
{
    struct m_job *job = model->jobs[vx_mix64(key) % M_HASH];
    while (job != NULL && job->key != key)
        job = job->next;
    return job;
}

static struct m_grant *grant_find(struct model *model, uint64_t key)
{
    struct m_grant *grant = model->grants[vx_mix64(key) % M_HASH];
    while (grant != NULL && key_of(grant->grant.shard, grant->grant.chest) != key)
        grant = grant->next;
    return grant;
}

struct m_strike *m_strike_find(struct m_player *player, uint32_t number)
{
    struct m_strike *strike = player->strikes;
    while (strike != NULL && strike->number != number)
        strike = strike->next;
    return strike;
}

/* ---- jobs: what the shard asks must be what the hunt says ---- */

static void claim_put(struct model *model, uint32_t shard, uint32_t kind, const struct m_claim *claim)
{
    struct m_claim *made = malloc(sizeof(*made));
    VX_ASSERT(made != NULL);
    *made = *claim;
    struct m_shard *of = &model->shards[shard];
    *(of->claims[kind] == NULL ? &of->claims[kind] : &of->claims_last[kind]->next) = made;
    of->claims_last[kind] = made;
}

void m_claimed(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply)
{
    struct m_match *match = player->match;
    match->claimed |= (uint8_t)(1u << reply->arg16);
    match->chests[player->member]++;
    match->grants_pending++;
    model->shards[reply->shard].grants_pending++;
    fed->fate = FATE_CLAIMED;
    const struct m_claim claim = {
        .player = m_id(model, player), .number = fed->event.number, .match = match, .since_ms = model->now_ms,
        .in = { match->ratings[player->member], (float)(reply->arg16 % 4), (float)(model->plan->chests - (uint32_t)__builtin_popcount(match->claimed)),
                (float)(model->now_ms - match->started_ms) / 1000, M_MEMBERS, 0 },
        .checked = (uint8_t)(match->ratings_known[player->member] ? 0x3f : 0x3e),
    };
    claim_put(model, reply->shard, VX_FORMULA_LOOT, &claim);
}

/* How far the target was: of the places that it held in this pass, one. NaN, which equals nothing, when there are too many. */
static bool distance_is(const struct m_player *target, const int32_t from_cm[3], float asked_m)
{
    for (uint32_t i = 0; i <= target->was_count; i++) {
        const int32_t *to = i < target->was_count ? target->was_cm[i] : target->at_cm;
        double square = 0;
        for (uint32_t axis = 0; axis < 3; axis++)
            square += ((double)to[axis] - from_cm[axis]) * ((double)to[axis] - from_cm[axis]);
        if (fabs(sqrt(square) / 100 - (double)asked_m) <= 0.01 + (double)asked_m * 1e-5)
            return true;
    }
    return target->was_count == 8;
}

/* The pass is over: strikes that were taken on in it are jobs in the order of their actions. */
void m_strikes_done(struct model *model)
{
    for (uint32_t i = 0; i < model->fed_count; i++) {
        const struct m_fed *fed = &model->fed[i];
        const struct m_match *match = fed->match;
        if (fed->fate != FATE_STRUCK || match == NULL)
            continue;
        struct m_player *player = m_player(model, fed->event.player);
        uint32_t member = match->players[0] == fed->event.player ? 0 : 1;
        struct m_claim claim = {
            .player = fed->event.player, .number = fed->event.number, .match = fed->match, .since_ms = model->now_ms,
            .in = { match->ratings[member], match->ratings[1 - member], 0, (float)fed->event.arg8, (float)match->health[1 - member], (float)match->streak[member] },
            .checked = (uint8_t)(0x38 | match->ratings_known[member] | match->ratings_known[1 - member] << 1),
        };
        memcpy(claim.from_cm, fed->at_cm, sizeof(claim.from_cm));
        const struct m_player *target = m_player(model, match->players[1 - member]);
        claim.distance_known = player->position_known && target->position_known && match->left == 0;
        claim.target_count = target->was_count < 8 ? target->was_count : 8;
        memcpy(claim.target_cm, target->was_cm, sizeof(claim.target_cm));
        memcpy(claim.target_cm[8], target->at_cm, sizeof(claim.target_cm[8]));
        claim_put(model, fed->event.player % model->plan->shards, VX_FORMULA_BATTLE, &claim);
    }
    for (uint32_t shard = 0; shard < model->plan->shards; shard++)
        model->shards[shard].under_way = m_under_way(model, shard);
}

static bool distance_fits(const struct m_claim *claim, float asked_m)
{
    struct m_player target = { .was_count = claim->target_count };
    memcpy(target.was_cm, claim->target_cm, sizeof(target.was_cm));
    memcpy(target.at_cm, claim->target_cm[8], sizeof(target.at_cm));
    return !claim->distance_known || distance_is(&target, claim->from_cm, asked_m);
}

static bool job_fits(const struct model_job *job, const struct m_claim *claim)
{
    for (uint32_t i = 0; i < VX_JOB_INPUTS; i++)
        if ((claim->checked >> i & 1) && job->in[i] != claim->in[i])
            return false;
    return job->kind != VX_FORMULA_BATTLE || distance_fits(claim, job->in[2]);
}

bool m_jobs_are_stale(const struct model *model, uint32_t shard)
{
    return vx_shard_lcore_counters(model->sim->appliance.lanes[shard % model->plan->lanes])->jobs_stale > 0;
}

/* Jobs come in the order in which actions made them; where some went stale on the way, the first that fits. */
static struct m_claim *claim_take(struct model *model, const struct model_job *job)
{
    struct m_claim **at = &model->shards[job->shard].claims[job->kind], *before = NULL;
    while (*at != NULL && !job_fits(job, *at) && m_jobs_are_stale(model, job->shard)) {
        before = *at;
        at = &(*at)->next;
    }
    struct m_claim *claim = *at;
    if (claim == NULL)
        sim_violation("shard %u asks formula %u for a job that no action made", job->shard, job->kind);
    if (!job_fits(job, claim))
        m_wrong(model, m_player(model, claim->player), "formula %u is asked for action number %u with %f %f %f %f %f %f, the hunt says %f %f … %f %f %f", job->kind, claim->number,
                (double)job->in[0], (double)job->in[1], (double)job->in[2], (double)job->in[3], (double)job->in[4], (double)job->in[5], (double)claim->in[0],
                (double)claim->in[1], (double)claim->in[3], (double)claim->in[4], (double)claim->in[5]);
    *at = claim->next;
    if (claim == model->shards[job->shard].claims_last[job->kind])
        model->shards[job->shard].claims_last[job->kind] = before;
    return claim;
}

static struct m_job *job_add(struct model *model, const struct model_job *job)
{
    struct m_job *made = calloc(1, sizeof(*made));
    VX_ASSERT(made != NULL);
    uint64_t key = key_of(job->shard, job->id), hash = vx_mix64(key) % M_HASH;
    *made = (struct m_job){ .next = model->jobs[hash], .key = key, .job = *job, .asked_ms = model->now_ms };
    model->jobs[hash] = made;
    return made;
}

void model_job(struct model *model, const struct model_job *job)
{
    if (model->is_blind || model->plan->teams != 0)
        return;
    if (job->shard >= model->plan->shards || job->seed >= 1ull << 52)
        sim_violation("a job of shard %u with seed %lu", job->shard, job->seed);
    struct m_job *known = job_find(model, key_of(job->shard, job->id));
    if (known != NULL) {
        if (memcmp(&known->job, job, offsetof(struct model_job, in) + sizeof(job->in)) != 0)
            sim_violation("shard %u asks job %u again with other inputs", job->shard, job->id);
        return;
    }
    known = job_add(model, job);
    if (job->kind == VX_FORMULA_PAIRING)
        return;
    struct m_shard *shard = &model->shards[job->shard];
    struct m_claim *claim = claim_take(model, job);
    known->player = claim->player;
    known->number = claim->number;
    known->match = claim->match;
    known->asked_ms = claim->since_ms;
    if (job->kind == VX_FORMULA_LOOT && !claim->is_granted) {
        known->next_loot = shard->loot;
        shard->loot = known;
    }
    struct m_strike *strike = job->kind == VX_FORMULA_BATTLE ? m_strike_find(m_player(model, claim->player), claim->number) : NULL;
    if (strike != NULL)
        strike->job = known->key;
    free(claim);
}

/* docs/protocol.md: whole numbers within their bounds; what is not a number is the least. */
static uint32_t whole(float value, uint32_t low, uint32_t high)
{
    if (isnan(value) || value < (float)low)
        return low;
    return value > (float)high ? high : (uint32_t)rint((double)value);
}

void model_job_answered(struct model *model, uint32_t shard, uint32_t id, const float out[VX_JOB_OUTPUTS], uint32_t version)
{
    struct m_job *job = model->is_blind || model->plan->teams != 0 ? NULL : job_find(model, key_of(shard, id));
    if (job != NULL && job->is_answered && job->late_count < M_ANSWERS_LATE)
        memcpy(job->late[job->late_count++], out, sizeof(job->out));
    if (job == NULL || job->is_answered)
        return;
    job->is_answered = true;
    memcpy(job->out, out, sizeof(job->out));
    job->version = version;
    uint32_t second = (uint32_t)job->job.in[0];
    if (job->job.kind != VX_FORMULA_PAIRING || second >= M_WINDOWS)
        return;
    model->shards[shard].windows[second] = whole(out[0], 0, 4096);
    model->shards[shard].windows_known++;
}

/* ---- strikes ---- */

static void strike_remove(struct m_player *player, struct m_strike *strike)
{
    struct m_strike **at = &player->strikes;
    while (*at != strike)
        at = &(*at)->next;
    *at = strike->next;
    free(strike);
}

static void strike_lands(struct model *model, struct m_player *player, const struct m_strike *strike, const struct vx_reply *reply)
{
    const struct m_job *job = strike->job != 0 ? job_find(model, strike->job) : NULL;
    struct m_match *match = player->match;
    bool is_stale = m_jobs_are_stale(model, reply->shard); /* then which job is whose is a guess */
    if (!is_stale && (job == NULL || !job->is_answered))
        m_wrong(model, player, "strike number %u has an answer before its formula has", strike->number);
    uint32_t damage = is_stale ? reply->arg16 : whole(job->out[0], 0, M_HEALTH), target = 1u - player->member;
    uint32_t health = match->health[target] > damage ? match->health[target] - damage : 0;
    if (damage > M_HEALTH || reply->arg16 != damage || reply->b != health || (!is_stale && reply->c != job->version) || reply->a != match->id)
        m_wrong(model, player, "strike number %u: damage %u, health %u, version %u; the formula said %f, which leaves %u, version %u", strike->number, reply->arg16, reply->b,
                reply->c, job == NULL ? 0 : (double)job->out[0], health, job == NULL ? 0 : job->version);
    match->health[target] = (uint8_t)health;
    match->streak[player->member] = (uint8_t)(match->streak[player->member] < 255 ? match->streak[player->member] + 1 : 255);
    match->streak[target] = 0;
    match->hit = *reply;
    if (health == 0)
        match->dead |= (uint8_t)(1u << target);
}

/* The answer to a strike that was taken on before. */
void m_struck(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    struct m_strike *strike = m_strike_find(player, reply->action_number);
    if (player->match == NULL || !(player->may & (1u << M_HUNTING | 1u << M_SETTLING)))
        m_wrong(model, player, "strike number %u is answered outside of a hunt", reply->action_number);
    if (reply->type == VX_RESULT_STRIKE_RESULT) {
        if (!(player->may & 1u << M_HUNTING))
            m_wrong(model, player, "strike number %u lands in a hunt that is over", reply->action_number);
        player->may = 1u << M_HUNTING;
        strike_lands(model, player, strike, reply);
    } else if (reply->code == VX_CODE_WRONG_STATE) {
        if (!(player->may & 1u << M_SETTLING))
            m_wrong(model, player, "strike number %u is refused in a hunt that goes on", reply->action_number);
        player->may = 1u << M_SETTLING;
    } else if (!m_is_past(model->now_ms, strike->accepted_ms + model->plan->job_ms)) {
        m_wrong(model, player, "strike number %u is given up after %u ms", reply->action_number, model->now_ms - strike->accepted_ms);
    }
    model->sim->report->answers[VX_ACTION_STRIKE][reply->type == VX_RESULT_STRIKE_RESULT ? VX_CODE_COUNT + 1 : reply->code]++;
    strike_remove(player, strike);
}

/* You were hit: the same figures as the attacker was told just before. */
void m_hit(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    const struct vx_reply *told = &player->match->hit;
    if (told->arg16 != reply->arg16 || told->b != reply->b || told->c != reply->c || told->player == reply->player)
        m_wrong(model, player, "it is hit with damage %u, health %u; the attacker was told %u, %u", reply->arg16, reply->b, told->arg16, told->b);
    if ((reply->result_number != 0) != (player->result_count - (reply->result_number != 0) < M_OUTBOX_FOR_FIND))
        m_wrong(model, player, "a hit is %srepeated with %u results waiting", reply->result_number != 0 ? "" : "not ", player->result_count);
}

/* ---- loot ---- */

static bool is_said(const struct vx_grant *grant, const float out[VX_JOB_OUTPUTS])
{
    return grant->item == whole(out[0], 1, 65535) && grant->amount == whole(out[1], 1, 1000000);
}

enum fit { FIT_SAID, FIT_UNANSWERED, FIT_LATE, FIT_NONE };
/* A player may have several chests under way: what was given up is nobody's answer, before it is taken for one that came too late. */
static enum fit grant_fit(const struct model *model, const struct m_job *job, const struct vx_grant *grant)
{
    if (job->player != grant->player || job->match->id != grant->match)
        return FIT_NONE;
    bool as_said = job->is_answered && is_said(grant, job->out);
    for (uint32_t i = 0; i < job->late_count; i++)
        as_said = as_said || is_said(grant, job->late[i]);
    bool given_up = grant->item == 1 && grant->amount == 1 && m_is_past(model->now_ms, job->asked_ms + M_LOOT_TRIES * model->plan->job_ms);
    return as_said ? FIT_SAID : !given_up ? FIT_NONE : job->is_answered ? FIT_LATE : FIT_UNANSWERED;
}

/* Claimed, and the formula never heard of: its job may still lie in the backlog of a lane that is full. */
static bool unasked_fits(struct m_shard *shard, const struct model *model, const struct vx_grant *grant)
{
    for (struct m_claim **at = &shard->claims[VX_FORMULA_LOOT], *claim; (claim = *at) != NULL; at = &claim->next)
        if (claim->player == grant->player && claim->match->id == grant->match && grant->item == 1 && grant->amount == 1 && !claim->is_granted &&
            m_is_past(model->now_ms, claim->since_ms + M_LOOT_TRIES * model->plan->job_ms))
            return claim->is_granted = true;
    return false;
}

/* By a chest that was opened. */
static void grant_earned(struct model *model, const struct vx_grant *grant)
{
    struct m_job **at = NULL;
    for (enum fit fit = FIT_SAID; fit < FIT_NONE && (at == NULL || *at == NULL); fit++)
        for (at = &model->shards[grant->shard].loot; *at != NULL && grant_fit(model, *at, grant) != fit;)
            at = &(*at)->next_loot;
    if (*at != NULL)
        *at = (*at)->next_loot;
    else if (!unasked_fits(&model->shards[grant->shard], model, grant) && !m_jobs_are_stale(model, grant->shard))
        sim_violation("shard %u grants player %u item %u × %u for match %u, which no chest of it gives", grant->shard, grant->player, grant->item, grant->amount,
                      grant->match);
}

static void grant_new(struct model *model, const struct vx_grant *grant)
{
    if (model->plan->teams == 0)
        grant_earned(model, grant);
    if (grant->receipt != ((uint64_t)grant->shard << 52 | (uint64_t)(grant->epoch & 0xfffff) << 32 | grant->chest) || grant->epoch != model->sim->appliance.epoch)
        sim_violation("shard %u, epoch %u, chest %u has receipt %lx", grant->shard, grant->epoch, grant->chest, grant->receipt);
    struct m_grant *made = calloc(1, sizeof(*made));
    VX_ASSERT(made != NULL);
    uint64_t hash = vx_mix64(key_of(grant->shard, grant->chest)) % M_HASH;
    *made = (struct m_grant){ model->grants[hash], *grant, model->now_ms, false };
    model->grants[hash] = made;
}

void model_grant(struct model *model, const struct vx_grant *grant)
{
    if (model->is_blind)
        return;
    if (grant->shard >= model->plan->shards)
        sim_violation("a grant of shard %u", grant->shard);
    struct m_grant *known = grant_find(model, key_of(grant->shard, grant->chest));
    if (known == NULL)
        grant_new(model, grant);
    else if (memcmp(&known->grant, grant, sizeof(*grant)) != 0)
        sim_violation("chest %u of shard %u is offered again with other contents", grant->chest, grant->shard);
}

/* Invariant 3: a receipt that a player sees is in the ledger, for that player, and is told once. */
void m_loot(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    uint64_t receipt = (uint64_t)reply->b << 32 | reply->a;
    uint32_t shard = (uint32_t)(receipt >> 52), epoch = (uint32_t)(receipt >> 32) & 0xfffff;
    const struct vx_grant *row = ledger_row(model->sim, shard, epoch, reply->a);
    struct m_grant *grant = grant_find(model, key_of(shard, reply->a));
    if (row == NULL || grant == NULL)
        m_wrong(model, player, "receipt %lx is told and is not in the ledger", receipt);
    if (row->player != m_id(model, player) || row->item != reply->arg16 || row->amount != reply->c)
        m_wrong(model, player, "receipt %lx is told as item %u × %u; the ledger has player %u, item %u × %u", receipt, reply->arg16, reply->c, row->player, row->item,
                row->amount);
    if (grant->is_told)
        m_wrong(model, player, "receipt %lx is told for the second time", receipt);
    if (reply->result_number == 0)
        m_wrong(model, player, "receipt %lx is told without a number", receipt);
    if (!(player->may & 1u << M_OFFLINE) && player->result_count > M_OUTBOX_FOR_LOOT)
        m_wrong(model, player, "loot is told with %u results waiting", player->result_count - 1);
    grant->is_told = true;
    model->sim->report->receipts++;
    struct m_match *match = m_match_find(model, shard, grant->grant.match);
    if (match == NULL || match->grants_pending == 0 || model->shards[shard].grants_pending == 0)
        m_wrong(model, player, "receipt %lx belongs to match %u, which waits for none", receipt, grant->grant.match);
    match->grants_pending--;
    model->shards[shard].grants_pending--;
}
