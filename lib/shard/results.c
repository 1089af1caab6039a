/* What leaves the shard. An answer is given once; a result that matters is numbered and repeated, each
 * time after twice the pause, until the player says that it has it. */
#include "shard_private.h"

static void send(struct vx_shard *shard, uint32_t slot, const struct vx_reply *from)
{
    struct vx_reply *reply = reply_next(shard, slot);
    if (VX_UNLIKELY(reply == NULL))
        return;
    reply->type = from->type;
    reply->code = from->code;
    reply->flags = from->flags;
    reply->arg16 = from->arg16;
    reply->action_number = from->action_number;
    reply->result_number = from->result_number;
    reply->a = from->a;
    reply->b = from->b;
    reply->c = from->c;
    reply->received_cycles = from->received_cycles;
}

void answer_long(struct vx_shard *shard, const struct vx_event *event, struct vx_reply reply)
{
    reply.flags = urgency(event->type);
    reply.action_number = event->number;
    reply.received_cycles = event->received_cycles;
    send(shard, event->slot, &reply);
}

void notice(struct vx_shard *shard, uint32_t slot, struct vx_reply reply)
{
    reply.flags = VX_REPLY_URGENT;
    send(shard, slot, &reply);
}

void result_push(struct vx_shard *shard, uint32_t slot, struct vx_reply reply)
{
    struct player *player = &shard->players[slot];
    struct outbox *outbox = &shard->outboxes[slot];
    if (player->results == RESULTS_MAX) { /* this player has acknowledged nothing for long: it is about to be gone */
        shard->counters.results_overflow++;
        return;
    }
    if (player->results == 0) {
        outbox->repeat_ms = shard->config.repeat_ms;
        outbox->repeats = 0;
        outbox->repeat_due_ms = shard->now_ms + outbox->repeat_ms;
        timer_sooner(shard, slot, outbox->repeat_due_ms);
    }
    reply.result_number = ++outbox->issued;
    outbox->results[player->results++] = (struct result){ reply.type, reply.code, reply.arg16, reply.result_number, reply.a, reply.b, reply.c };
    notice(shard, slot, reply);
}

void results_acknowledge(struct vx_shard *shard, uint32_t slot, uint32_t seen)
{
    struct player *player = &shard->players[slot];
    struct outbox *outbox = &shard->outboxes[slot];
    uint32_t done = 0;
    if (seen > outbox->issued)
        return; /* it cannot have seen what was never sent */
    player->acked = seen;
    while (done < player->results && outbox->results[done].number <= seen)
        done++;
    if (done == 0)
        return;
    player->results = (uint8_t)(player->results - done);
    for (uint32_t i = 0; i < player->results; i++)
        outbox->results[i] = outbox->results[i + done];
    outbox->repeats = 0; /* it is alive */
    outbox->repeat_ms = shard->config.repeat_ms;
    outbox->repeat_due_ms = shard->now_ms + outbox->repeat_ms;
    if (player->results > 0)
        timer_sooner(shard, slot, outbox->repeat_due_ms); /* the timer stands at the end of a pause that had doubled */
}

void results_clear(struct vx_shard *shard, uint32_t slot)
{
    shard->players[slot].results = 0;
}

void results_enter(struct vx_shard *shard, uint32_t slot, uint32_t seen)
{
    struct player *player = &shard->players[slot];
    struct outbox *outbox = &shard->outboxes[slot];
    if (seen > RESULT_NUMBER_MAX || outbox->issued - player->results == seen)
        return;
    for (uint32_t i = 0; i < player->results; i++)
        outbox->results[i].number = seen + 1 + i;
    outbox->issued = seen + player->results;
    player->acked = seen;
}

static void results_tell(struct vx_shard *shard, uint32_t slot)
{
    const struct outbox *outbox = &shard->outboxes[slot];
    for (uint32_t i = 0; i < shard->players[slot].results; i++) {
        const struct result *result = &outbox->results[i];
        notice(shard, slot, (struct vx_reply){ .type = result->type, .code = result->code, .arg16 = result->arg16, .result_number = result->number,
                                               .a = result->a, .b = result->b, .c = result->c });
        shard->counters.results_repeated++;
    }
}

bool results_repeat(struct vx_shard *shard, uint32_t slot)
{
    struct outbox *outbox = &shard->outboxes[slot];
    if (outbox->repeats == shard->config.repeats_max)
        return true;
    results_tell(shard, slot);
    outbox->repeats++;
    outbox->repeat_ms *= 2;
    outbox->repeat_due_ms = shard->now_ms + outbox->repeat_ms;
    return false;
}

void results_restart(struct vx_shard *shard, uint32_t slot)
{
    struct player *player = &shard->players[slot];
    struct outbox *outbox = &shard->outboxes[slot];
    uint8_t kept = 0;
    for (uint32_t i = 0; i < player->results; i++)
        if (outbox->results[i].type != VX_RESULT_PROPOSAL && outbox->results[i].type != VX_RESULT_HUNT_STARTED) {
            outbox->results[kept] = outbox->results[i];
            outbox->results[kept].number = kept + 1u;
            kept++;
        }
    player->results = kept;
    player->acked = 0;
    outbox->issued = kept;
    outbox->repeats = 0;
    outbox->repeat_ms = shard->config.repeat_ms;
    outbox->repeat_due_ms = shard->now_ms + outbox->repeat_ms;
    results_tell(shard, slot);
}
