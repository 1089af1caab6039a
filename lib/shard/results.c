/* What leaves the shard. An answer is given once; a result that matters is numbered and repeated, each
 * time after twice the pause, until the player says that it has it. */
#include "shard_private.h"

/* Every field is stored where it leaves: built elsewhere and copied whole, the copy's wide loads wait for the narrow
 * stores (a sixth of a packet's time). The caller sets what is not set here. NULL when nobody is there to be told. */
static inline struct vx_reply *reply_next(struct vx_shard *shard, uint32_t slot)
{
    struct vx_shard_out *out = shard->out;
    const struct player *player = &shard->players[slot];
    VX_ASSERT(out->reply_count < out->reply_max);
    if (VX_UNLIKELY(player->link == LINK_AWAY)) {
        shard->counters.replies_held++; /* what matters is told when it comes back */
        return NULL;
    }
    struct vx_reply *reply = &out->replies[out->reply_count++];
    reply->shard = (uint16_t)shard->config.shard;
    reply->session = player->session;
    reply->player = player->id;
    reply->io = player->io;
    reply->reserved = 0;
    return reply;
}

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

/* MOVE's OK changes nothing that a player waits for: it may wait for the window. */
static uint8_t urgency(uint8_t action)
{
    return action == VX_ACTION_MOVE ? 0 : VX_REPLY_URGENT;
}

void answer(struct vx_shard *shard, const struct vx_event *event, enum vx_result type, enum vx_code code)
{
    struct vx_reply *reply = reply_next(shard, event->slot);
    if (VX_UNLIKELY(reply == NULL))
        return;
    reply->type = (uint8_t)type;
    reply->code = (uint8_t)code;
    reply->flags = urgency(event->type);
    reply->arg16 = 0;
    reply->action_number = event->number;
    reply->result_number = reply->a = reply->b = reply->c = 0;
    reply->received_cycles = event->received_cycles;
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
