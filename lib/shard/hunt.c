/* What players do inside a hunt: walk, open chests, strike. */
#include <math.h>

#include "shard_private.h"

static bool within(const int32_t a[3], const int32_t b[3], uint64_t reach_cm)
{
    return distance_square(a, b) <= reach_cm * reach_cm;
}

enum vx_code hunt_move(struct vx_shard *shard, uint32_t slot, const struct vx_event *event)
{
    struct player *player = &shard->players[slot];
    const int32_t to_cm[3] = { (int32_t)event->a, (int32_t)event->b, (int32_t)event->c };
    for (uint32_t i = 0; i < 3; i++)
        if (to_cm[i] > COORDINATE_CM_MAX || to_cm[i] < -COORDINATE_CM_MAX)
            return VX_CODE_BAD_ARGUMENT;
    const uint64_t way_square = distance_square(player->position_cm, to_cm);
    if (way_square > (uint64_t)MOVE_SLACK_CM * MOVE_SLACK_CM) { /* most steps are shorter than what any clock forgives */
        uint32_t passed_ms = shard->now_ms - player->moved_ms;
        passed_ms = passed_ms < MOVE_MS_MAX ? passed_ms : MOVE_MS_MAX;
        const uint64_t reach_cm = (uint64_t)shard->config.speed_cm_s * passed_ms / 1000 + MOVE_SLACK_CM;
        if (way_square > reach_cm * reach_cm) {
            shard->counters.moves_too_fast++;
            return VX_CODE_TOO_FAST;
        }
    }
    if (way_square != 0) {
        for (uint32_t i = 0; i < 3; i++)
            player->position_cm[i] = to_cm[i];
        player->moved_ms = shard->now_ms; /* a step that goes nowhere saves its time up */
    }
    shard->counters.moves++;
    answer(shard, event, VX_RESULT_OK, VX_CODE_OK);
    return VX_CODE_OK;
}

static void chest_claim(struct vx_shard *shard, uint32_t slot, const struct vx_event *event, struct grant *grant, struct job *job)
{
    const struct player *player = &shard->players[slot];
    struct hunt *hunt = &shard->hunts[player->hunt];
    uint8_t bit = (uint8_t)(1u << event->arg16);
    VX_ASSERT((hunt->claimed & bit) == 0); /* invariant 1 */
    hunt->claimed |= bit;
    seat_of(shard, slot)->chests++;
    hunt->pending++;
    shard->counters.chests_claimed++;
    job->grant = (uint32_t)(grant - shard->grants);
    job->job.in[0] = player->rating;
    job->job.in[1] = (float)(event->arg16 & 3);
    job->job.in[2] = (float)(shard->config.chests - (uint32_t)__builtin_popcount(hunt->claimed));
    job->job.in[3] = (float)(shard->now_ms - hunt->started_ms) / 1000;
    job->job.in[4] = (float)hunt->present;
    job_send(shard, job);
    struct vx_reply reply = { .type = VX_RESULT_CHEST, .arg16 = event->arg16, .a = hunt->match };
    answer_long(shard, event, reply);
    reply.code = VX_CODE_TAKEN;
    seats_notice(shard, player->hunt, player->seat, reply);
}

enum vx_code hunt_summon(struct vx_shard *shard, uint32_t slot, const struct vx_event *event)
{
    const struct player *player = &shard->players[slot];
    const struct hunt *hunt = &shard->hunts[player->hunt];
    int32_t chest_cm[3];
    if (hunt->match != event->a)
        return VX_CODE_NOT_YOURS;
    if (seat_of(shard, slot)->flags & SEAT_DEAD)
        return VX_CODE_WRONG_STATE;
    if (event->arg16 >= shard->config.chests)
        return VX_CODE_BAD_ARGUMENT;
    vx_chest_position(hunt->seed, event->arg16, chest_cm);
    if (!within(player->position_cm, chest_cm, shard->config.chest_range_cm))
        return VX_CODE_TOO_FAR;
    if (hunt->claimed & (1u << event->arg16)) {
        answer_long(shard, event, (struct vx_reply){ .type = VX_RESULT_CHEST, .code = VX_CODE_TAKEN, .arg16 = event->arg16, .a = hunt->match });
        return VX_CODE_OK;
    }
    if (shard->job_free == NONE)
        return VX_CODE_BUSY;
    struct grant *grant = grant_new(shard, slot, player->hunt);
    if (grant == NULL)
        return VX_CODE_BUSY;
    chest_claim(shard, slot, event, grant, job_new(shard, VX_FORMULA_LOOT));
    return VX_CODE_OK;
}

/* Whom a STRIKE is for: an opponent who is there and alive, named by its seat, or the nearest; NONE when it is nobody. */
static uint32_t strike_target(const struct vx_shard *shard, uint32_t slot, uint16_t named)
{
    const struct player *player = &shard->players[slot];
    const struct hunt *hunt = &shard->hunts[player->hunt];
    const struct seat *seats = seats_of(shard, player->hunt);
    if (named == 0)
        return seats_nearest(shard, slot);
    const uint32_t seat = named - 1u;
    return seat < hunt->seats && team_of(hunt, seat) != team_of(hunt, player->seat) && (seats[seat].flags & (SEAT_LEFT | SEAT_DEAD)) == 0 ? seat : NONE;
}

enum vx_code hunt_strike(struct vx_shard *shard, uint32_t slot, const struct vx_event *event)
{
    const struct player *player = &shard->players[slot];
    struct hunt *hunt = &shard->hunts[player->hunt];
    if (hunt->match != event->a)
        return VX_CODE_NOT_YOURS;
    if (seat_of(shard, slot)->flags & SEAT_DEAD)
        return VX_CODE_WRONG_STATE;
    const uint32_t seat = event->arg8 <= 3 ? strike_target(shard, slot, event->arg16) : NONE;
    if (seat == NONE)
        return VX_CODE_BAD_ARGUMENT;
    const struct seat *aim = &seats_of(shard, player->hunt)[seat];
    const struct player *target = &shard->players[aim->slot];
    if (!within(player->position_cm, target->position_cm, shard->config.strike_range_cm))
        return VX_CODE_TOO_FAR;
    struct job *job = job_new(shard, VX_FORMULA_BATTLE);
    if (job == NULL)
        return VX_CODE_BUSY;
    job->slot = slot;
    job->target = seat;
    job->target_slot = aim->slot;
    job->hunt = player->hunt;
    job->number = event->number;
    job->received_cycles = event->received_cycles;
    job->job.in[0] = player->rating;
    job->job.in[1] = target->rating;
    job->job.in[2] = sqrtf((float)distance_square(player->position_cm, target->position_cm)) / 100;
    job->job.in[3] = (float)event->arg8;
    job->job.in[4] = (float)aim->health;
    job->job.in[5] = (float)seat_of(shard, slot)->streak;
    hunt->pending++;
    shard->counters.strikes++;
    job_send(shard, job);
    return VX_CODE_OK;
}

static void tell(struct vx_shard *shard, uint32_t slot, struct vx_reply reply)
{
    if (shard->players[slot].results >= RESULTS_FOR_STRIKE)
        notice(shard, slot, reply);
    else
        result_push(shard, slot, reply);
}

static void hit(struct vx_shard *shard, const struct job *job, const struct vx_event *done, const struct vx_event *asked)
{
    struct hunt *hunt = &shard->hunts[job->hunt];
    struct seat *own = seat_of(shard, job->slot), *target = &seats_of(shard, job->hunt)[job->target];
    float value = done->out[0] >= 0 ? fminf(done->out[0], HEALTH) : 0; /* not a number: nothing */
    uint8_t damage = (uint8_t)lrintf(value);
    target->health = (uint8_t)(target->health > damage ? target->health - damage : 0);
    own->streak = (uint8_t)(own->streak < 255 ? own->streak + 1 : 255);
    target->streak = 0;
    struct vx_reply reply = { .type = VX_RESULT_STRIKE_RESULT, .arg16 = damage, .a = hunt->match, .b = target->health, .c = done->c };
    answer_long(shard, asked, reply);
    shard->counters.actions_answered++;
    tell(shard, job->target_slot, reply);
    if (target->health > 0 || (target->flags & SEAT_DEAD))
        return;
    target->flags |= SEAT_DEAD;
    if (seats_standing(shard, job->hunt) < 2)
        match_event(shard, job->hunt, MATCH_FINISHED, 0);
}

/* Whoever was struck may have left meanwhile, and the seat be another's. */
static bool target_is_there(const struct vx_shard *shard, const struct job *job)
{
    const struct seat *target = &seats_of(shard, job->hunt)[job->target];
    return target->slot == job->target_slot && (target->flags & SEAT_LEFT) == 0;
}

/* The formula has answered, or (done is NULL) has not in time. */
void hunt_struck(struct vx_shard *shard, const struct job *job, const struct vx_event *done)
{
    const struct player *player = &shard->players[job->slot];
    const struct vx_event asked = { .type = VX_ACTION_STRIKE, .slot = job->slot, .number = job->number, .received_cycles = job->received_cycles };
    shard->counters.actions_pending--;
    if (player->hunt != job->hunt) {
        shard->counters.actions_dropped_gone++; /* it has left: nobody waits for this */
    } else if (done == NULL || shard->hunts[job->hunt].state != MATCH_HUNTING || !target_is_there(shard, job)) {
        answer(shard, &asked, VX_RESULT_ERROR, done == NULL ? VX_CODE_FORMULA : VX_CODE_WRONG_STATE);
        shard->counters.actions_refused++;
    } else {
        hit(shard, job, done, &asked);
    }
    match_pending_done(shard, job->hunt);
}
