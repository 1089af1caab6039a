/* netcode, a burst in. Stages are loops of their own over the burst, so that what one fetches has arrived when the next
 * one needs it: classify, find the bucket, find the session, authenticate all at once, mark and sort. */
#include "session_netcode.h"

static const uint8_t *payload_of(const struct vx_packet *packet)
{
    return packet->data + packet->frame.payload_offset;
}

/* The clear bytes; for requests all that costs nothing (version, protocol id, dates). */
static enum vx_drop classify(struct netcode *netcode, const struct vx_packet *packet, struct vx_netcode_packet *clear, uint64_t now_s)
{
    struct vx_netcode_request request;
    enum vx_drop drop = vx_netcode_parse(payload_of(packet), packet->frame.payload_bytes, VX_NETCODE_TAKEN_BY_SERVER, clear);
    if (drop != VX_DROP_NONE || clear->type != VX_NETCODE_REQUEST)
        return drop;
    netcode->counters.unproved_bytes_in += packet->frame.payload_bytes;
    drop = vx_netcode_request_check(payload_of(packet), netcode->config.protocol_id, now_s, &request);
    if (drop == VX_DROP_NONE && request.expire_s < netcode->config.expire_s_min)
        return VX_DROP_NETCODE_BEFORE_START;
    return drop;
}

static void classify_all(struct netcode *netcode, struct vx_packet *packets, uint32_t count, uint64_t now_s)
{
    struct burst *burst = &netcode->burst;
    for (uint32_t i = 0; i < count; i++) {
        if (packets[i].drop != VX_DROP_NONE)
            continue;
        packets[i].drop = (uint8_t)classify(netcode, &packets[i], &burst->packets[i], now_s);
        if (packets[i].drop != VX_DROP_NONE)
            continue;
        way_read(&packets[i], &burst->ways[i]);
        burst->hashes[i] = session_hash_of(netcode, &burst->ways[i]);
        __builtin_prefetch(&netcode->buckets[burst->hashes[i].buckets[0]]);
    }
}

/* The index that a tag points at, not yet compared with the address; NONE: no such tag. */
static uint32_t bucket_candidate(const struct netcode *netcode, uint32_t bucket, uint32_t tag)
{
    const struct bucket *in = &netcode->buckets[bucket];
    for (uint32_t slot = 0; slot < BUCKET_SLOTS; slot++)
        if (in->tags[slot] == tag)
            return in->indices[slot];
    return NONE;
}

static void session_fetch(const struct vx_session_table *table, uint32_t index)
{
    __builtin_prefetch(&table->entries[index], 1);
    __builtin_prefetch(&table->netcode->hot[index], 1);
    __builtin_prefetch(&table->netcode->keys[index]);
}

static void find_all(struct vx_session_table *table, struct vx_packet *packets, uint32_t count)
{
    struct netcode *netcode = table->netcode;
    struct burst *burst = &netcode->burst;
    for (uint32_t i = 0; i < count; i++) {
        if (packets[i].drop != VX_DROP_NONE)
            continue;
        burst->indices[i] = bucket_candidate(netcode, burst->hashes[i].buckets[0], burst->hashes[i].tag);
        if (burst->indices[i] != NONE)
            session_fetch(table, burst->indices[i]);
        else
            __builtin_prefetch(&netcode->buckets[burst->hashes[i].buckets[1]]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (packets[i].drop != VX_DROP_NONE || burst->indices[i] != NONE)
            continue;
        burst->indices[i] = bucket_candidate(netcode, burst->hashes[i].buckets[1], burst->hashes[i].tag);
        if (burst->indices[i] != NONE)
            session_fetch(table, burst->indices[i]);
    }
    /* One tag in four billion is another address's: then the long way. */
    for (uint32_t i = 0; i < count; i++)
        if (packets[i].drop == VX_DROP_NONE && burst->indices[i] != NONE && !way_same_client(&table->entries[burst->indices[i]].way, &burst->ways[i]))
            burst->indices[i] = session_find(table, &burst->ways[i]);
}

/* Whether a packet of this type may come now; all of it before anything is decrypted. */
static enum vx_drop admit_type(const struct session *session, const struct vx_netcode_packet *clear)
{
    if (clear->type == VX_NETCODE_REQUEST || clear->type == VX_NETCODE_RESPONSE) {
        if (session->state == SESSION_CONNECTED || session->state == SESSION_CLOSING)
            return VX_DROP_NETCODE_CONNECTED;
        return session->state == SESSION_ASKED ? VX_DROP_NETCODE_ASKED : VX_DROP_NONE;
    }
    if (session->state != SESSION_CONNECTED)
        return VX_DROP_NETCODE_NOT_CONNECTED;
    return vx_netcode_replay_seen(&session->replay, clear->sequence) ? VX_DROP_NETCODE_REPLAYED : VX_DROP_NONE;
}

/* One job for each packet that has a session; requests wait for vx_session_ask. */
static uint32_t describe_all(struct vx_session_table *table, struct vx_packet *packets, uint32_t count)
{
    struct netcode *netcode = table->netcode;
    struct burst *burst = &netcode->burst;
    uint32_t jobs = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct vx_netcode_packet *clear = &burst->packets[i];
        uint32_t index = burst->indices[i];
        if (packets[i].drop != VX_DROP_NONE)
            continue;
        if (index != NONE)
            packets[i].drop = (uint8_t)admit_type(&netcode->hot[index], clear);
        else if (clear->type != VX_NETCODE_REQUEST)
            packets[i].drop = VX_DROP_NETCODE_UNKNOWN;
        packets[i].session = index != NONE ? session_name(netcode, index) : NONE;
        if (packets[i].drop != VX_DROP_NONE)
            continue;
        if (clear->type == VX_NETCODE_REQUEST) {
            packets[i].drop = VX_DROP_NETCODE_HANDSHAKE;
            continue;
        }
        vx_netcode_job(&burst->jobs[jobs], &netcode->aads, netcode->keys[index].client, clear->prefix, clear->sequence,
                       packets[i].data + packets[i].frame.payload_offset + clear->offset, clear->bytes);
        burst->job_packets[jobs++] = (uint8_t)i;
    }
    return jobs;
}

static enum vx_drop payload_take(struct vx_session_table *table, struct vx_packet *packet, const struct vx_netcode_packet *clear, uint32_t index)
{
    const struct session *session = &table->netcode->hot[index];
    if (!(session->flags & FLAG_TOLD))
        return VX_DROP_NETCODE_NOT_CONNECTED; /* its shard does not know it yet */
    packet->player = session->player;
    /* The token says who it is: the header's player is 0. */
    return vx_wire_check(payload_of(packet) + clear->offset, clear->bytes, 1, &packet->header);
}

/* An authentic packet. The replay window is asked again: its twin may have come in the same burst. */
static enum vx_drop sort_one(struct vx_session_table *table, struct vx_packet *packet, uint32_t i, uint32_t now_ms)
{
    struct netcode *netcode = table->netcode;
    const struct vx_netcode_packet *clear = &netcode->burst.packets[i];
    uint32_t index = netcode->burst.indices[i];
    struct session *session = &netcode->hot[index];
    enum vx_drop drop = admit_type(session, clear);
    if (drop != VX_DROP_NONE)
        return drop;
    if (vx_netcode_is_replayable(clear->type))
        vx_netcode_replay_mark(&session->replay, clear->sequence);
    drop = vx_netcode_length_check(clear);
    if (drop != VX_DROP_NONE)
        return drop;
    if (clear->type == VX_NETCODE_RESPONSE)
        return VX_DROP_NETCODE_HANDSHAKE;
    if (clear->type == VX_NETCODE_DISCONNECT) {
        session->state = SESSION_CLOSING;
        vx_wheel_set(&netcode->wheel, index, now_ms);
        return VX_DROP_NETCODE_DISCONNECT;
    }
    session->received_ms = now_ms;
    session->flags |= FLAG_CONFIRMED;
    if (VX_UNLIKELY(!way_same_link(&table->entries[index].way, &netcode->burst.ways[i])))
        table->entries[index].way = netcode->burst.ways[i]; /* another gateway; the client's address is the same */
    return clear->type == VX_NETCODE_KEEP_ALIVE ? VX_DROP_NETCODE_KEEP_ALIVE : payload_take(table, packet, clear, index);
}

void netcode_open(struct vx_session_table *table, struct vx_packet *packets, uint32_t count, const struct vx_session_time *time)
{
    struct netcode *netcode = table->netcode;
    struct burst *burst = &netcode->burst;
    VX_ASSERT(count <= VX_BURST_MAX);
    netcode->now_ms = time->now_ms;
    classify_all(netcode, packets, count, time->now_s);
    find_all(table, packets, count);
    uint32_t jobs = describe_all(table, packets, count);
    (void)vx_aead_open(netcode->aead, burst->jobs, jobs);
    for (uint32_t job = 0; job < jobs; job++) {
        uint32_t i = burst->job_packets[job];
        packets[i].drop = (uint8_t)(burst->jobs[job].ok ? sort_one(table, &packets[i], i, time->now_ms) : VX_DROP_NETCODE_FORGED);
    }
}
