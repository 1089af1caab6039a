/* Players' places: which client has which, by client id and by shard. A client that timed out keeps its place for
 * grace_ms, so that it comes back to its own player. */
#include "admission_private.h"

/* The power of two at or below: chains of one to two places, 2 to 4 bytes a player. */
static uint32_t buckets_of(uint32_t count)
{
    uint32_t buckets = 1;
    while (buckets * 2 <= count)
        buckets *= 2;
    return buckets;
}

size_t places_bytes(const struct vx_admission_config *config)
{
    return config->players * sizeof(struct place) + buckets_of(config->players) * sizeof(uint32_t) + vx_wheel_bytes(config->players, WHEEL_SLOTS);
}

static void free_add(struct vx_admission *admission, uint32_t player)
{
    struct queue *queue = &admission->places_free[player % admission->config.shards];
    admission->places[player].state = PLACE_FREE;
    admission->places[player].next = NONE;
    if (queue->first == NONE)
        queue->first = player;
    else
        admission->places[queue->last].next = player;
    queue->last = player;
}

void places_create(struct vx_admission *admission, char *memory, uint32_t now_ms)
{
    const uint32_t count = admission->config.players, buckets = buckets_of(count);
    admission->places = (struct place *)memory;
    admission->place_buckets = (uint32_t *)(admission->places + count);
    admission->place_mask = buckets - 1;
    for (uint32_t i = 0; i < VX_SHARDS_MAX; i++)
        admission->places_free[i] = (struct queue){ NONE, NONE };
    for (uint32_t i = 0; i < count; i++)
        free_add(admission, i);
    for (uint32_t i = 0; i < buckets; i++)
        admission->place_buckets[i] = NONE;
    vx_wheel_create(&admission->place_wheel, admission->place_buckets + buckets, count, WHEEL_SLOTS, GRACE_TICK_BITS, now_ms);
}

static uint64_t hash_of(const struct vx_admission *admission, uint64_t client_id)
{
    return vx_mix64(client_id ^ admission->config.seed);
}

uint32_t place_find(const struct vx_admission *admission, uint64_t client_id)
{
    uint32_t player = admission->place_buckets[hash_of(admission, client_id) & admission->place_mask];
    while (player != NONE && admission->places[player].client_id != client_id)
        player = admission->places[player].next;
    return player;
}

uint32_t place_first_free(const struct vx_admission *admission, uint16_t shard, uint64_t client_id)
{
    const uint32_t shards = admission->config.shards;
    if (shard != VX_ADMISSION_SHARD_ANY)
        return admission->places_free[shard].first;
    if (admission->counters.clients + admission->counters.clients_in_grace == admission->config.players)
        return NONE;
    uint32_t any = (uint32_t)((hash_of(admission, client_id) >> 32) * shards >> 32);
    while (admission->places_free[any].first == NONE)
        any = any + 1 < shards ? any + 1 : 0;
    return admission->places_free[any].first;
}

static void place_free(struct vx_admission *admission, uint32_t player)
{
    uint32_t *at = &admission->place_buckets[hash_of(admission, admission->places[player].client_id) & admission->place_mask];
    while (*at != player)
        at = &admission->places[*at].next;
    *at = admission->places[player].next;
    free_add(admission, player);
}

void place_connect(struct vx_admission *admission, uint32_t player, uint64_t client_id)
{
    struct place *place = &admission->places[player];
    if (place->state == PLACE_GRACE) {
        VX_ASSERT(place->client_id == client_id);
        vx_wheel_clear(&admission->place_wheel, player);
        admission->counters.clients_in_grace--;
    } else {
        struct queue *queue = &admission->places_free[player % admission->config.shards];
        uint32_t *bucket = &admission->place_buckets[hash_of(admission, client_id) & admission->place_mask];
        VX_ASSERT(place->state == PLACE_FREE && queue->first == player);
        queue->first = place->next;
        place->client_id = client_id;
        place->next = *bucket;
        *bucket = player;
    }
    place->state = PLACE_CONNECTED;
    admission->connection++;
    admission->counters.clients++;
}

void place_leave(struct vx_admission *admission, uint32_t player, enum vx_gone how, uint32_t now_ms)
{
    VX_ASSERT(player < admission->config.players);
    struct place *place = &admission->places[player];
    VX_ASSERT(place->state == PLACE_CONNECTED);
    admission->counters.clients--;
    if (how == VX_GONE_CLOSED) {
        place_free(admission, player);
        return;
    }
    place->state = PLACE_GRACE;
    admission->counters.clients_in_grace++;
    vx_wheel_set(&admission->place_wheel, player, now_ms + admission->config.grace_ms);
}

void places_expire(struct vx_admission *admission, uint32_t now_ms)
{
    for (uint32_t player; (player = vx_wheel_take(&admission->place_wheel, now_ms)) != VX_WHEEL_NONE;) {
        VX_ASSERT(admission->places[player].state == PLACE_GRACE);
        admission->counters.clients_in_grace--;
        admission->counters.grace_ended++;
        place_free(admission, player);
    }
}
