/* Loot on its way: chest claimed -> formula -> ledger -> player. The receipt leaves the shard only after
 * the ledger's word. A grant that the ledger does not answer is offered again: the key makes it the same row. */
#include "shard_private.h"

static void hand_over(struct vx_shard *shard, uint32_t index)
{
    struct grant *grant = &shard->grants[index];
    VX_ASSERT(shard->out->grant_count < shard->out->grant_max);
    shard->out->grants[shard->out->grant_count++] = grant->grant;
    timer_set(shard, shard->timer_grants + index, shard->now_ms + GRANT_RETRY_MS);
}

struct grant *grant_new(struct vx_shard *shard, uint32_t slot, uint32_t hunt)
{
    /* A place is a chest's number modulo their count. One that is kept for long, because its player acknowledges nothing, is passed over. */
    uint32_t chest, tries = 0;
    struct grant *grant;
    do {
        if (tries++ == GRANT_PLACES_TRIED)
            return NULL;
        chest = shard->chest_next++;
        VX_ASSERT(chest != UINT32_MAX);
        grant = &shard->grants[chest % shard->grants_max];
    } while (grant->state != GRANT_FREE);
    *grant = (struct grant){ .hunt = hunt, .occupant = shard->players[slot].occupant, .state = GRANT_JOB };
    grant->grant = (struct vx_grant){ .shard = shard->config.shard, .epoch = shard->config.epoch, .chest = chest, .player = shard->players[slot].id,
                                      .match = shard->hunts[hunt].match, .slot = slot };
    grant->grant.receipt = (uint64_t)shard->config.shard << 52 | (uint64_t)(shard->config.epoch & 0xfffff) << 32 | chest;
    shard->counters.grants_pending++;
    return grant;
}

void grant_evaluated(struct vx_shard *shard, uint32_t index, uint32_t item, uint32_t amount)
{
    struct grant *grant = &shard->grants[index];
    VX_ASSERT(grant->state == GRANT_JOB);
    grant->grant.item = item;
    grant->grant.amount = amount;
    grant->grant.granted_us = shard->now_us;
    grant->state = GRANT_SENT;
    shard->counters.grants_sent++;
    shard->counters.loot_amount += amount;
    hand_over(shard, index);
}

static void grant_deliver(struct vx_shard *shard, uint32_t index)
{
    struct grant *grant = &shard->grants[index];
    uint32_t slot = grant->grant.slot;
    const struct player *player = &shard->players[slot];
    bool here = player->occupant == grant->occupant; /* else the ledger alone tells its player */
    if (here && player->results >= (player->state == PLAYER_OFFLINE ? RESULTS_MAX : RESULTS_FOR_LOOT)) {
        timer_set(shard, shard->timer_grants + index, shard->now_ms + GRANT_ROOM_MS);
        return;
    }
    if (here)
        result_push(shard, slot, (struct vx_reply){ .type = VX_RESULT_LOOT_GRANTED, .arg16 = (uint16_t)grant->grant.item, .a = (uint32_t)grant->grant.receipt,
                                                    .b = (uint32_t)(grant->grant.receipt >> 32), .c = grant->grant.amount });
    grant->state = GRANT_FREE;
    timer_clear(shard, shard->timer_grants + index);
    shard->counters.grants_pending--;
    match_pending_done(shard, grant->hunt);
}

void grant_done(struct vx_shard *shard, const struct vx_event *event)
{
    uint32_t index = event->number % shard->grants_max;
    struct grant *grant = &shard->grants[index];
    if (grant->state != GRANT_SENT || grant->grant.chest != event->number) {
        shard->counters.grants_repeated++; /* the answer to a second offer */
        return;
    }
    shard->counters.grants_done++;
    grant->state = GRANT_DURABLE;
    grant_deliver(shard, index);
}

void grant_timer(struct vx_shard *shard, uint32_t index)
{
    VX_ASSERT(shard->grants[index].state == GRANT_SENT || shard->grants[index].state == GRANT_DURABLE);
    if (shard->grants[index].state == GRANT_DURABLE)
        grant_deliver(shard, index);
    else
        hand_over(shard, index);
}
