/* netcode's sessions: found by the client's address, timed by a wheel, wiped when they end. */
#include "session_netcode.h"

static size_t rounded(size_t bytes)
{
    return (bytes + VX_CACHE_LINE_BYTES - 1) & ~(size_t)(VX_CACHE_LINE_BYTES - 1);
}

static uint32_t buckets_of(uint32_t places)
{
    return places / BUCKET_LOAD + 2;
}

size_t vx_session_netcode_bytes(uint32_t places)
{
    return sizeof(struct vx_session_table) + places * (sizeof(struct entry) + sizeof(struct session) + sizeof(struct session_keys)) +
           rounded(vx_wheel_bytes(places, WHEEL_SLOTS)) + buckets_of(places) * sizeof(struct bucket) + rounded(sizeof(struct netcode)) +
           rounded(vx_aead_bytes()) + rounded(vx_handshake_budget_bytes());
}

static void *carve(char **at, size_t bytes)
{
    void *piece = *at;
    *at += rounded(bytes);
    return piece;
}

static void free_add(struct netcode *netcode, uint32_t index)
{
    netcode->hot[index].player = NONE; /* next in the free list */
    if (netcode->free_first == NONE)
        netcode->free_first = index;
    else
        netcode->hot[netcode->free_last].player = index;
    netcode->free_last = index;
}

struct vx_session_table *vx_session_netcode_create(void *memory, const struct vx_session_netcode_config *config)
{
    const uint32_t places = config->places;
    struct vx_session_table *table = memory;
    char *at = (char *)memory + sizeof(*table) + places * sizeof(struct entry);
    struct netcode *netcode = carve(&at, sizeof(*netcode));
    VX_ASSERT(places > 0 && places <= SESSION_INDEX_MASK && config->address_count <= 16 && config->lcore < VX_IO_LCORES_MAX);
    table->count = places;
    table->netcode = netcode;
    netcode->config = *config;
    /* Challenges and denials of every io lcore count in a range of their own, far above any session's. */
    netcode->sequence_global = VX_NETCODE_SEQUENCE_GLOBAL | (uint64_t)config->lcore << 48;
    netcode->bucket_count = buckets_of(places);
    netcode->hot = carve(&at, places * sizeof(struct session));
    netcode->keys = carve(&at, places * sizeof(struct session_keys));
    netcode->buckets = carve(&at, netcode->bucket_count * sizeof(struct bucket));
    vx_wheel_create(&netcode->wheel, carve(&at, vx_wheel_bytes(places, WHEEL_SLOTS)), places, WHEEL_SLOTS, WHEEL_TICK_BITS, config->now_ms);
    netcode->aead = vx_aead_create(carve(&at, vx_aead_bytes()));
    netcode->budget = vx_handshake_budget_create(carve(&at, vx_handshake_budget_bytes()), config->handshakes_per_s, config->handshakes_per_network_per_s, config->seed);
    vx_netcode_aads_make(&netcode->aads, config->protocol_id);
    netcode->free_first = netcode->free_last = NONE;
    for (uint32_t i = 0; i < places; i++)
        free_add(netcode, i);
    return table;
}

const struct vx_session_counters *vx_session_counters(const struct vx_session_table *table)
{
    return table->netcode == NULL ? NULL : &table->netcode->counters;
}

/* ---- found by address ---- */

static uint64_t fold(uint64_t left, uint64_t right)
{
    __uint128_t product = (__uint128_t)left * right;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* A keyed multiply-and-fold: who does not know the seed cannot aim at a bucket, and only a token's holder gets into one. */
struct session_hash session_hash_of(const struct netcode *netcode, const struct way *way)
{
    uint64_t high = 0, low = 0, seed = netcode->config.seed;
    if (way->ip_version == 4) {
        memcpy(&low, way->to_address, 4);
    } else {
        memcpy(&high, way->to_address, 8);
        memcpy(&low, way->to_address + 8, 8);
    }
    uint64_t hash = fold(high ^ seed, low ^ vx_mix64(seed));
    hash = fold(hash ^ way->to_port ^ (uint64_t)way->ip_version << 32, vx_mix64(seed + 1) | 1);
    uint64_t other = vx_mix64(hash);
    return (struct session_hash){ { (uint32_t)((hash >> 32) * netcode->bucket_count >> 32), (uint32_t)((other >> 32) * netcode->bucket_count >> 32) },
                                (uint32_t)other | 1 };
}

static uint32_t bucket_find(const struct vx_session_table *table, uint32_t bucket, uint32_t tag, const struct way *way)
{
    const struct bucket *in = &table->netcode->buckets[bucket];
    for (uint32_t slot = 0; slot < BUCKET_SLOTS; slot++)
        if (in->tags[slot] == tag && way_same_client(&table->entries[in->indices[slot]].way, way))
            return in->indices[slot];
    return NONE;
}

uint32_t session_find(const struct vx_session_table *table, const struct way *way)
{
    struct session_hash hash = session_hash_of(table->netcode, way);
    uint32_t index = bucket_find(table, hash.buckets[0], hash.tag, way);
    return index != NONE ? index : bucket_find(table, hash.buckets[1], hash.tag, way);
}

static bool bucket_put(struct bucket *bucket, uint32_t tag, uint32_t index)
{
    for (uint32_t slot = 0; slot < BUCKET_SLOTS; slot++)
        if (bucket->tags[slot] == 0) {
            bucket->tags[slot] = tag;
            bucket->indices[slot] = index;
            return true;
        }
    return false;
}

/* Both buckets are full: somebody in them moves to its other bucket. Five places a bucket of eight leave one session in a
 * hundred without room in its two; that none of sixteen neighbours can move has not been seen. */
static bool bucket_make_room(struct vx_session_table *table, uint32_t bucket, uint32_t tag, uint32_t index)
{
    struct bucket *from = &table->netcode->buckets[bucket];
    for (uint32_t slot = 0; slot < BUCKET_SLOTS; slot++) {
        struct session_hash hash = session_hash_of(table->netcode, &table->entries[from->indices[slot]].way);
        uint32_t other = hash.buckets[hash.buckets[0] == bucket];
        if (other == bucket || !bucket_put(&table->netcode->buckets[other], hash.tag, from->indices[slot]))
            continue;
        from->tags[slot] = tag;
        from->indices[slot] = index;
        return true;
    }
    return false;
}

static bool hash_put(struct vx_session_table *table, const struct session_hash *hash, uint32_t index)
{
    struct bucket *buckets = table->netcode->buckets;
    return bucket_put(&buckets[hash->buckets[0]], hash->tag, index) || bucket_put(&buckets[hash->buckets[1]], hash->tag, index) ||
           bucket_make_room(table, hash->buckets[0], hash->tag, index) || bucket_make_room(table, hash->buckets[1], hash->tag, index);
}

static void bucket_remove(struct netcode *netcode, const struct session_hash *hash, uint32_t index)
{
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t slot = 0; slot < BUCKET_SLOTS; slot++) {
            struct bucket *bucket = &netcode->buckets[hash->buckets[i]];
            if (bucket->tags[slot] == hash->tag && bucket->indices[slot] == index) {
                bucket->tags[slot] = 0;
                return;
            }
        }
    VX_ASSERT(!"a session is in one of its two buckets");
}

uint32_t session_take(struct vx_session_table *table, const struct way *way, uint32_t now_ms)
{
    struct netcode *netcode = table->netcode;
    uint32_t index = netcode->free_first;
    if (index == NONE)
        return NONE;
    struct session_hash hash = session_hash_of(netcode, way);
    struct session *session = &netcode->hot[index];
    uint32_t next = session->player;
    if (!hash_put(table, &hash, index))
        return NONE;
    netcode->free_first = next;
    table->entries[index].way = *way;
    table->entries[index].note = 0;
    *session = (struct session){ .received_ms = now_ms, .sent_ms = now_ms, .generation = session->generation, .state = SESSION_PENDING };
    netcode->counters.pending++;
    return index;
}

void session_free(struct vx_session_table *table, uint32_t index)
{
    struct netcode *netcode = table->netcode;
    struct session *session = &netcode->hot[index];
    struct session_hash hash = session_hash_of(netcode, &table->entries[index].way);
    bool was_connected = session->state == SESSION_CONNECTED || session->state == SESSION_CLOSING;
    VX_ASSERT(session->state != SESSION_FREE && table->entries[index].note == 0);
    bucket_remove(netcode, &hash, index);
    vx_netcode_wipe(&netcode->keys[index], sizeof(netcode->keys[index]));
    if (vx_wheel_is_set(&netcode->wheel, index))
        vx_wheel_clear(&netcode->wheel, index);
    session->state = SESSION_FREE;
    session->generation++;
    free_add(netcode, index);
    *(was_connected ? &netcode->counters.connected : &netcode->counters.pending) -= 1;
}

uint32_t session_name(const struct netcode *netcode, uint32_t index)
{
    return index | (uint32_t)netcode->hot[index].generation << SESSION_INDEX_BITS;
}

static const struct session *connected(const struct vx_session_table *table, uint32_t name)
{
    const struct netcode *netcode = table->netcode;
    uint32_t index = name & SESSION_INDEX_MASK;
    VX_ASSERT(index < table->count);
    return netcode->hot[index].state == SESSION_CONNECTED && session_name(netcode, index) == name ? &netcode->hot[index] : NULL;
}

bool vx_session_is(const struct vx_session_table *table, uint32_t session)
{
    return table->netcode == NULL || connected(table, session) != NULL;
}

bool vx_session_is_unconfirmed(const struct vx_session_table *table, uint32_t session)
{
    return table->netcode != NULL && !(table->netcode->hot[session & SESSION_INDEX_MASK].flags & FLAG_CONFIRMED);
}

void vx_session_told(struct vx_session_table *table, uint32_t session)
{
    if (connected(table, session) != NULL)
        table->netcode->hot[session & SESSION_INDEX_MASK].flags |= FLAG_TOLD;
}

bool vx_session_each(const struct vx_session_table *table, uint32_t *cursor, uint32_t *session)
{
    const struct netcode *netcode = table->netcode;
    for (; netcode != NULL && *cursor < table->count; (*cursor)++)
        if (netcode->hot[*cursor].state == SESSION_CONNECTED) {
            *session = session_name(netcode, (*cursor)++);
            return true;
        }
    return false;
}

/* ---- timed by a wheel ---- */

/* A pending place does not wait for ever, even for a token without a time-out. */
static uint32_t timeout_ms(const struct session *session)
{
    if (session->timeout_s == TIMEOUT_S_NEVER && session->state != SESSION_CONNECTED)
        return PENDING_MS_MAX;
    return session->timeout_s == TIMEOUT_S_NEVER ? INT32_MAX : session->timeout_s * 1000u;
}

/* Configured, but never over a third of the time-out; and quick until the client knows. */
static uint32_t interval_ms(const struct netcode *netcode, const struct session *session)
{
    uint32_t ms = session->flags & FLAG_CONFIRMED ? netcode->config.keepalive_ms : KEEPALIVE_UNCONFIRMED_MS;
    uint32_t third_ms = timeout_ms(session) / 3;
    return ms < third_ms ? ms : third_ms;
}

/* The earliest of what can happen to it. A packet in between moves it later; the timer finds that out. */
void session_rearm(struct netcode *netcode, uint32_t index)
{
    const struct session *session = &netcode->hot[index];
    uint32_t due_ms = session->received_ms + timeout_ms(session);
    if (session->state == SESSION_CONNECTED) {
        uint32_t keepalive_ms = session->sent_ms + interval_ms(netcode, session);
        due_ms = (int32_t)(keepalive_ms - due_ms) < 0 ? keepalive_ms : due_ms;
    }
    vx_wheel_set(&netcode->wheel, index, due_ms);
}

static enum vx_due_kind what_is_due(struct netcode *netcode, uint32_t index, uint32_t now_ms)
{
    const struct session *session = &netcode->hot[index];
    if (session->state == SESSION_CLOSING)
        return VX_DUE_CLOSED;
    if (now_ms - session->received_ms >= timeout_ms(session))
        return VX_DUE_LOST;
    return now_ms - session->sent_ms >= interval_ms(netcode, session) ? VX_DUE_KEEP_ALIVE : 0;
}

uint32_t vx_session_due(struct vx_session_table *table, const struct vx_session_time *time, struct vx_session_due *due, uint32_t max)
{
    struct netcode *netcode = table->netcode;
    uint32_t count = 0, index;
    netcode->now_ms = time->now_ms;
    while (count < max && (index = vx_wheel_take(&netcode->wheel, time->now_ms)) != VX_WHEEL_NONE) {
        struct session *session = &netcode->hot[index];
        if (session->state == SESSION_ASKED) { /* admission has it in hand */
            vx_wheel_set(&netcode->wheel, index, time->now_ms + ASKED_MS);
            continue;
        }
        uint8_t kind = (uint8_t)what_is_due(netcode, index, time->now_ms);
        if (session->state == SESSION_PENDING) {
            if (kind == VX_DUE_LOST)
                session_free(table, index);
            else
                session_rearm(netcode, index);
            continue;
        }
        if (kind == VX_DUE_KEEP_ALIVE)
            session->sent_ms = time->now_ms;
        if (kind == VX_DUE_LOST || kind == VX_DUE_CLOSED)
            vx_wheel_set(&netcode->wheel, index, time->now_ms + (1 << WHEEL_TICK_BITS)); /* until it is ended */
        else
            session_rearm(netcode, index);
        if (kind != 0)
            due[count++] = (struct vx_session_due){ session_name(netcode, index), session->player, kind };
    }
    return count;
}

void vx_session_end(struct vx_session_table *table, uint32_t session)
{
    uint32_t index = session & SESSION_INDEX_MASK;
    VX_ASSERT(index < table->count && session_name(table->netcode, index) == session);
    session_free(table, index);
}

void vx_session_check(const struct vx_session_table *table)
{
    const struct netcode *netcode = table->netcode;
    uint64_t counts[SESSION_CLOSING + 1] = { 0 }, listed = 0, hashed = 0;
    static const struct session_keys wiped;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct session *session = &netcode->hot[i];
        counts[session->state]++;
        VX_ASSERT(vx_wheel_is_set(&netcode->wheel, i) == (session->state != SESSION_FREE)); /* every session ends */
        VX_ASSERT(session->state != SESSION_FREE || memcmp(&netcode->keys[i], &wiped, sizeof(wiped)) == 0);
        VX_ASSERT(session->state == SESSION_FREE || session_find(table, &table->entries[i].way) == i); /* one for an address */
    }
    for (uint32_t i = netcode->free_first; i != NONE; i = netcode->hot[i].player)
        listed++;
    for (uint32_t i = 0; i < netcode->bucket_count; i++)
        for (uint32_t slot = 0; slot < BUCKET_SLOTS; slot++)
            hashed += netcode->buckets[i].tags[slot] != 0;
    VX_ASSERT(listed == counts[SESSION_FREE] && hashed == table->count - listed);
    VX_ASSERT(netcode->counters.connected == counts[SESSION_CONNECTED] + counts[SESSION_CLOSING]);
    VX_ASSERT(netcode->counters.pending == counts[SESSION_PENDING] + counts[SESSION_ASKED]);
}
