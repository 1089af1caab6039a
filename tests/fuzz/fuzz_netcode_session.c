/* A server's session table and admission under a script: the input's bytes are steps of four clients, who connect, send what
 * is authentic and what is not, repeat themselves, are silent, and come back with new tokens, while verdicts arrive late.
 * After every step: no answer larger than its question, no nonce used twice under one key, no packet taken twice, every
 * invariant of both. */
#include <stdlib.h>

#include "fuzz_netcode.h"
#include "netcode_player.h"
#include "vx_session.h"

enum { CLIENTS = 4, PLACES = 5, PLAYERS = 2, SHARDS = 2, WAITING_MAX = 8, STEPS_MAX = 400, SENT_MAX = 1024, BEGIN_S = 1800000000, SERVER_PORT = 40000 };
enum step { STEP_NEXT, STEP_RAW, STEP_SEALED, STEP_AGAIN, STEP_TWICE, STEP_VERDICT, STEP_TIME, STEP_SEND, STEP_TOKEN, STEPS };

struct client {
    struct netcode_player player;
    uint8_t last[NETCODE_PLAYER_FRAME_BYTES_MAX]; /* payload sent last */
    uint32_t last_bytes;
    uint32_t session;                             /* named when it was connected */
    uint64_t sent[SENT_MAX];                      /* numbers that the server has sealed under the token's key */
    uint32_t sent_count;
    uint64_t taken[SENT_MAX];                     /* tags of what the server has taken */
    uint32_t taken_count;
};
struct waiting { /* asked, no verdict yet: the frame stays as it was */
    struct vx_packet packet;
    struct vx_admission_ask ask;
    uint8_t frame[NETCODE_PLAYER_FRAME_BYTES_MAX];
};
struct world {
    struct vx_session_table *table;
    struct vx_admission *admission;
    struct netcode_backend backend;
    struct vx_session_time time;
    struct client clients[CLIENTS];
    struct waiting waiting[WAITING_MAX];
    uint32_t waiting_first, waiting_count;
};

/* The script: a byte at a time, zeros at its end. */
static const uint8_t *script, *script_end;

static uint8_t take(void)
{
    return script < script_end ? *script++ : 0;
}

static void *memory_for(size_t bytes)
{
    bytes = (bytes + VX_CACHE_LINE_BYTES - 1) / VX_CACHE_LINE_BYTES * VX_CACHE_LINE_BYTES;
    void *memory = aligned_alloc(VX_CACHE_LINE_BYTES, bytes);
    VX_ASSERT(memory != NULL);
    return memset(memory, 0, bytes);
}

static void client_token(struct world *world, struct client *client)
{
    static const struct vx_user user = { .shard = VX_USER_SHARD_ANY, .party_size = 1 };
    world->backend.expire_s = world->time.now_s + 5;
    world->backend.timeout_s = 1 + take() % 4;
    netcode_player_token(&client->player, &world->backend, take() % 2 == 0 ? &user : NULL);
    client->sent_count = 0;
}

static struct world *world_make(void)
{
    struct world *world = calloc(1, sizeof(*world));
    VX_ASSERT(world != NULL);
    world->time = (struct vx_session_time){ UINT32_MAX - 2000, BEGIN_S };
    netcode_backend_make(&world->backend, BEGIN_S);
    const struct vx_admission_config admission = { .players = PLAYERS, .shards = SHARDS, .tokens = 6, .grace_ms = 2000, .seed = 3 };
    struct vx_session_netcode_config config = { .places = PLACES, .players = PLAYERS, .protocol_id = world->backend.protocol_id, .keys.count = 1,
                                                .address_count = 2, .keepalive_ms = 500, .seed = 7, .now_ms = world->time.now_ms };
    memcpy(config.keys.keys[0], world->backend.key, VX_NETCODE_KEY_BYTES);
    memcpy(config.addresses, world->backend.servers, sizeof(world->backend.servers));
    world->admission = vx_admission_create(memory_for(vx_admission_bytes(&admission)), &admission, world->time.now_ms);
    world->table = vx_session_netcode_create(memory_for(vx_session_netcode_bytes(PLACES)), &config);
    for (uint32_t i = 0; i < CLIENTS; i++) /* the last two are one account on two devices */
        netcode_player_make(&world->clients[i].player, &world->backend, i < 3 ? 100 + i : 102, i, i % 2 == 1, NULL);
    return world;
}

static void once(uint64_t *list, uint32_t *count, uint64_t value)
{
    for (uint32_t i = 0; i < *count; i++)
        VX_ASSERT(list[i] != value);
    if (*count < SENT_MAX)
        list[(*count)++] = value;
}

/* A packet that was taken is not taken again, for its tag is its own. */
static void taken_check(struct client *client)
{
    uint64_t tag;
    memcpy(&tag, client->last + client->last_bytes - VX_NETCODE_TAG_BYTES, sizeof(tag));
    once(client->taken, &client->taken_count, tag);
}

/* What the server sends is a whole frame to one of the clients. */
static void leaves(struct world *world, const uint8_t *frame, uint32_t bytes)
{
    uint8_t copy[NETCODE_PLAYER_FRAME_BYTES_MAX];
    struct vx_netcode_packet packet;
    struct vx_frame seen;
    struct vx_frame_filter filter = { .port = (uint16_t)(20000 + frame[5]) }; /* a client's MAC ends with its number */
    VX_ASSERT(bytes <= sizeof(copy) && frame[5] < CLIENTS);
    struct client *client = &world->clients[frame[5]];
    VX_ASSERT(vx_frame_parse(frame, bytes, &filter, &seen) == VX_DROP_NONE && seen.kind == VX_FRAME_UDP && seen.port_source == SERVER_PORT);
    memcpy(copy, frame + seen.payload_offset, seen.payload_bytes);
    enum vx_drop drop = vx_netcode_read(copy, seen.payload_bytes, VX_NETCODE_TAKEN_BY_CLIENT, &world->backend.aads, client->player.server_key, NULL, &packet);
    VX_ASSERT(drop == VX_DROP_NONE || drop == VX_DROP_NETCODE_FORGED); /* forged: it is for the token that the client has given up */
    if (drop == VX_DROP_NONE)
        once(client->sent, &client->sent_count, packet.sequence); /* twice under one key would give both packets away */
    (void)netcode_player_take(&client->player, &world->backend, frame + seen.payload_offset, seen.payload_bytes);
}

static void ask(struct world *world, const struct vx_packet *packet)
{
    struct waiting *waiting = &world->waiting[(world->waiting_first + world->waiting_count) % WAITING_MAX];
    struct vx_packet own = *packet;
    if (world->waiting_count == WAITING_MAX) {
        struct vx_admission_ask unsent;
        if (vx_session_ask(world->table, &own, &world->time, &unsent))
            vx_session_unask(world->table, &own);
        return;
    }
    memcpy(waiting->frame, packet->data, packet->bytes);
    waiting->packet = own;
    waiting->packet.data = waiting->frame;
    world->waiting_count += vx_session_ask(world->table, &waiting->packet, &world->time, &waiting->ask);
}

static void arrives(struct world *world, struct client *client, uint32_t times)
{
    static uint8_t frames[2][NETCODE_PLAYER_FRAME_BYTES_MAX];
    static const struct vx_frame_filter filter = { .port = SERVER_PORT };
    struct vx_packet packets[2];
    for (uint32_t i = 0; i < times; i++) {
        packets[i] = (struct vx_packet){ .data = frames[i], .bytes = netcode_player_frame(&client->player, client->last, client->last_bytes, frames[i]) };
        packets[i].drop = (uint8_t)vx_frame_parse(frames[i], packets[i].bytes, &filter, &packets[i].frame);
    }
    vx_session_open(world->table, packets, times, &world->time);
    for (uint32_t i = 0; i < times; i++) {
        VX_ASSERT(packets[i].drop < VX_DROP_COUNT);
        if (packets[i].drop == VX_DROP_NONE || packets[i].drop == VX_DROP_NETCODE_KEEP_ALIVE || packets[i].drop == VX_DROP_NETCODE_DISCONNECT)
            taken_check(client);
        if (packets[i].drop == VX_DROP_NETCODE_HANDSHAKE)
            ask(world, &packets[i]);
        else if (packets[i].drop == VX_DROP_NONE)
            VX_ASSERT(packets[i].player < PLAYERS && packets[i].header->count >= 1 && packets[i].header->player == 0 && vx_session_is(world->table, packets[i].session));
    }
}

/* Admission answers the question that has waited longest. */
static void verdict_one(struct world *world)
{
    struct waiting *waiting = &world->waiting[world->waiting_first % WAITING_MAX];
    struct vx_admission_verdict verdict = { 0 };
    struct vx_session_joined joined;
    bool connected;
    if (world->waiting_count == 0)
        return;
    world->waiting_first++;
    world->waiting_count--;
    VX_ASSERT(vx_admission_step(world->admission, world->time.now_ms, world->time.now_s, &waiting->ask, 1, &verdict) == 1);
    uint32_t asked_bytes = waiting->packet.bytes, bytes = vx_session_verdict(world->table, &waiting->packet, &verdict, &world->time, &joined, &connected);
    VX_ASSERT(bytes <= asked_bytes);
    if (connected) {
        VX_ASSERT(joined.player < PLAYERS && vx_session_is(world->table, joined.session) && bytes > 0);
        vx_session_told(world->table, joined.session);
        world->clients[waiting->frame[5]].session = joined.session;
    }
    if (bytes > 0)
        leaves(world, waiting->packet.data, bytes);
}

static void due(struct world *world)
{
    struct vx_session_due what[8];
    uint8_t frame[256];
    struct vx_sealing sealing;
    for (uint32_t count; (count = vx_session_due(world->table, &world->time, what, 8)) > 0;)
        for (uint32_t i = 0; i < count; i++) {
            if (what[i].kind == VX_DUE_KEEP_ALIVE) {
                vx_session_keep_alive(world->table, what[i].session, frame, &world->time, &sealing);
                vx_session_seal(world->table, &sealing, 1);
                leaves(world, frame, sealing.bytes);
                continue;
            }
            const struct vx_admission_ask gone = { .kind = VX_ASK_GONE, .how = what[i].kind == VX_DUE_CLOSED ? VX_GONE_CLOSED : VX_GONE_LOST, .player = what[i].player };
            VX_ASSERT(vx_admission_step(world->admission, world->time.now_ms, world->time.now_s, &gone, 1, NULL) == 0);
            vx_session_end(world->table, what[i].session);
        }
}

static void send_payload(struct world *world, const struct client *client)
{
    uint8_t frame[512];
    struct vx_sealing sealing = { .frame = frame, .session = client->session, .payload_bytes = (uint16_t)(1 + take()) };
    if (!vx_session_is(world->table, client->session))
        return;
    sealing.head_bytes = (uint16_t)vx_session_head(world->table, client->session, frame);
    memset(frame + sealing.head_bytes, 0x55, sealing.payload_bytes);
    vx_session_seal(world->table, &sealing, 1);
    leaves(world, frame, sealing.bytes);
}

/* A body from the script: what is authentic and yet anything. */
static void sealed_make(struct world *world, struct client *client)
{
    uint8_t body[VX_NETCODE_STEP_BYTES] = { 0 }, type = (uint8_t)(1 + take() % 6), jump = take();
    static const uint16_t usual[] = { 0, 0, VX_NETCODE_STEP_BYTES, VX_NETCODE_STEP_BYTES, VX_NETCODE_KEEP_ALIVE_BYTES, 32, 0 };
    uint32_t bytes = jump % 4 == 0 ? take() : usual[type];
    for (uint32_t i = 0; i < bytes && i < 40; i++)
        body[i] = take();
    client->player.sequence += jump >= 250 ? 300 : jump / 64;
    client->last_bytes = netcode_player_packet(&client->player, &world->backend, type, body, bytes, client->last);
}

static void raw_make(struct client *client)
{
    client->last_bytes = 1 + take();
    for (uint32_t i = 0; i < client->last_bytes; i++)
        client->last[i] = take();
}

static void step(struct world *world)
{
    uint8_t what = take();
    struct client *client = &world->clients[what % CLIENTS];
    enum step kind = (enum step)(what / CLIENTS % STEPS);
    uint32_t ms;
    switch (kind) {
    case STEP_NEXT:
        client->last_bytes = netcode_player_next(&client->player, &world->backend, client->last);
        break;
    case STEP_RAW:
        raw_make(client);
        break;
    case STEP_SEALED:
        sealed_make(world, client);
        break;
    case STEP_VERDICT:
        verdict_one(world);
        return;
    case STEP_TIME:
        ms = take() * (take() % 16 + 1u);
        world->time.now_ms += ms;
        world->time.now_s = BEGIN_S + (world->time.now_ms - (UINT32_MAX - 2000)) / 1000;
        due(world);
        return;
    case STEP_SEND:
        send_payload(world, client);
        return;
    case STEP_TOKEN:
        client_token(world, client);
        return;
    case STEP_AGAIN: /* as it was, or with one bit of it not */
        if (client->last_bytes > 0 && take() % 2 == 1)
            client->last[take() * 5u % client->last_bytes] ^= (uint8_t)(1u << take() % 8);
        break;
    default: /* twice in one burst */
        break;
    }
    arrives(world, client, kind == STEP_TWICE ? 2 : 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    (void)fuzz_aads();
    script = data;
    script_end = data + bytes;
    struct world *world = world_make();
    for (uint32_t i = 0; i < STEPS_MAX && script < script_end; i++) {
        step(world);
        vx_session_check(world->table);
        vx_admission_check(world->admission);
        const struct vx_session_counters *counters = vx_session_counters(world->table);
        VX_ASSERT(counters->unproved_bytes_out <= counters->unproved_bytes_in);
    }
    free(world->table);
    free(world->admission);
    free(world);
    return 0;
}
