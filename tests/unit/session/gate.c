#include <stdlib.h>

#include "gate.h"

static void *memory_for(size_t bytes)
{
    bytes = (bytes + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    VX_ASSERT(memory != NULL);
    return memset(memory, 0, bytes);
}

struct gate *gate_open(const struct gate_options *options)
{
    struct gate *gate = calloc(1, sizeof(*gate));
    const uint32_t players = options->players != 0 ? options->players : GATE_PLAYERS;
    VX_ASSERT(gate != NULL && vx_netcode_start() == 0);
    gate->time = (struct vx_session_time){ UINT32_MAX - 3000, GATE_NOW_S };
    gate->began_ms = gate->time.now_ms;
    netcode_backend_make(&gate->backend, GATE_NOW_S);
    const struct vx_admission_config admission = { .players = players, .shards = GATE_SHARDS, .tokens = 4 * players, .grace_ms = 5000, .seed = 3 };
    gate->admission = vx_admission_create(memory_for(vx_admission_bytes(&admission)), &admission, gate->time.now_ms);
    gate->config = (struct vx_session_netcode_config){
        .places = options->places != 0 ? options->places : 2 * players, .players = players, .protocol_id = gate->backend.protocol_id, .keys.count = 2,
        .address_count = 2, .expire_s_min = options->expire_s_min, .keepalive_ms = options->keepalive_ms != 0 ? options->keepalive_ms : 1000,
        .handshakes_per_s = options->handshakes_per_s, .handshakes_per_network_per_s = options->network_per_s, .seed = 77, .now_ms = gate->time.now_ms,
        .challenge_key = { 1, 2, 3 },
    };
    memcpy(gate->config.keys.keys[1], gate->backend.key, VX_NETCODE_KEY_BYTES); /* the older of two */
    memset(gate->config.keys.keys[0], 0xaa, VX_NETCODE_KEY_BYTES);
    memcpy(gate->config.addresses, gate->backend.servers, sizeof(gate->backend.servers));
    gate->table = vx_session_netcode_create(memory_for(vx_session_netcode_bytes(gate->config.places)), &gate->config);
    return gate;
}

void gate_close(struct gate *gate)
{
    const struct vx_session_counters *counters = vx_session_counters(gate->table);
    vx_session_check(gate->table);
    vx_admission_check(gate->admission);
    CU_ASSERT_FALSE(gate->wrong_frame);
    CU_ASSERT(counters->unproved_bytes_out <= counters->unproved_bytes_in);
    CU_ASSERT_EQUAL(counters->connected, vx_admission_counters(gate->admission)->clients);
    free(gate->table);
    free(gate->admission);
    free(gate);
}

void gate_wait(struct gate *gate, uint32_t ms)
{
    gate->time.now_ms += ms;
    gate->time.now_s = GATE_NOW_S + (gate->time.now_ms - gate->began_ms) / 1000;
}

static struct vx_admission_verdict ask(struct gate *gate, const struct vx_admission_ask *question)
{
    struct vx_admission_verdict verdict = { 0 };
    (void)vx_admission_step(gate->admission, gate->time.now_ms, gate->time.now_s, question, 1, &verdict);
    return verdict;
}

/* A frame that left: parsed with every checksum, then taken by the player. */
static void frame_take(struct gate *gate, struct netcode_player *player, const uint8_t *frame, uint32_t bytes)
{
    struct vx_frame_filter filter = { .port = player->address.port };
    struct vx_frame seen;
    bool good = vx_frame_parse(frame, bytes, &filter, &seen) == VX_DROP_NONE && memcmp(frame, player->mac, 6) == 0 && seen.port_source == 40000;
    gate->answer_bytes = good ? seen.payload_bytes : 0;
    good = good && seen.l2_bytes == 14 + player->tags_bytes && netcode_player_take(player, &gate->backend, frame + seen.payload_offset, seen.payload_bytes) == VX_DROP_NONE;
    gate->wrong_frame |= !good;
}

static void handshake(struct gate *gate, struct netcode_player *player, struct vx_packet *packet)
{
    struct vx_admission_ask question;
    struct vx_session_joined joined;
    bool connected;
    if (!vx_session_ask(gate->table, packet, &gate->time, &question))
        return;
    struct vx_admission_verdict verdict = ask(gate, &question);
    uint32_t asked_bytes = packet->bytes, bytes = vx_session_verdict(gate->table, packet, &verdict, &gate->time, &joined, &connected);
    CU_ASSERT(bytes <= asked_bytes);
    if (connected) {
        gate->joined = joined;
        gate->joined_count++;
        vx_session_told(gate->table, joined.session);
    }
    if (bytes > 0)
        frame_take(gate, player, packet->data, bytes);
}

void gate_burst(struct gate *gate, struct netcode_player *player, uint8_t (*frames)[NETCODE_PLAYER_FRAME_BYTES_MAX], const uint32_t *bytes, uint32_t count, uint8_t *drops)
{
    static const struct vx_frame_filter filter = { .port = 40000 };
    struct vx_packet packets[VX_BURST_MAX];
    gate->answer_bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        packets[i] = (struct vx_packet){ .data = frames[i], .bytes = bytes[i] };
        packets[i].drop = (uint8_t)vx_frame_parse(frames[i], bytes[i], &filter, &packets[i].frame);
        CU_ASSERT_EQUAL(packets[i].drop, VX_DROP_NONE);
    }
    vx_session_open(gate->table, packets, count, &gate->time);
    for (uint32_t i = 0; i < count; i++) {
        gate->packet = packets[i];
        if (packets[i].drop == VX_DROP_NETCODE_HANDSHAKE)
            handshake(gate, player, &packets[i]);
        drops[i] = packets[i].drop;
        gate->drops[drops[i]]++;
    }
}

enum vx_drop gate_arrive(struct gate *gate, struct netcode_player *player, const uint8_t *payload, uint32_t bytes)
{
    static uint8_t frames[1][NETCODE_PLAYER_FRAME_BYTES_MAX];
    uint32_t frame_bytes = netcode_player_frame(player, payload, bytes, frames[0]);
    uint8_t drop;
    gate_burst(gate, player, frames, &frame_bytes, 1, &drop);
    return (enum vx_drop)drop;
}

enum vx_drop gate_next(struct gate *gate, struct netcode_player *player)
{
    uint8_t payload[NETCODE_PLAYER_FRAME_BYTES_MAX];
    uint32_t bytes = netcode_player_next(player, &gate->backend, payload);
    return gate_arrive(gate, player, payload, bytes);
}

bool gate_connect(struct gate *gate, struct netcode_player *player)
{
    return gate_next(gate, player) == VX_DROP_NETCODE_HANDSHAKE && player->state == NETCODE_PLAYER_RESPONDING &&
           gate_next(gate, player) == VX_DROP_NETCODE_HANDSHAKE && player->state == NETCODE_PLAYER_CONNECTED;
}

static void end(struct gate *gate, const struct vx_session_due *due)
{
    struct vx_admission_ask question = { .kind = VX_ASK_GONE, .how = due->kind == VX_DUE_CLOSED ? VX_GONE_CLOSED : VX_GONE_LOST, .player = due->player };
    (void)ask(gate, &question);
    vx_session_end(gate->table, due->session);
    gate->ended++;
    gate->lost += due->kind == VX_DUE_LOST;
}

void gate_due(struct gate *gate, struct netcode_player *player)
{
    uint8_t frame[256];
    struct vx_session_due due[16];
    struct vx_sealing sealing;
    for (uint32_t count; (count = vx_session_due(gate->table, &gate->time, due, 16)) > 0;)
        for (uint32_t i = 0; i < count; i++) {
            if (due[i].kind != VX_DUE_KEEP_ALIVE) {
                end(gate, &due[i]);
                continue;
            }
            vx_session_keep_alive(gate->table, due[i].session, frame, &gate->time, &sealing);
            vx_session_seal(gate->table, &sealing, 1);
            gate->keep_alives++;
            if (player != NULL && player->index == due[i].player)
                frame_take(gate, player, frame, sealing.bytes);
        }
}

void gate_send(struct gate *gate, struct netcode_player *player, uint32_t session, const void *payload, uint32_t bytes)
{
    uint8_t frame[2048];
    struct vx_sealing sealing = { .frame = frame, .session = session, .payload_bytes = (uint16_t)bytes };
    sealing.head_bytes = (uint16_t)vx_session_head(gate->table, session, frame);
    memcpy(frame + sealing.head_bytes, payload, bytes);
    vx_session_seal(gate->table, &sealing, 1);
    frame_take(gate, player, frame, sealing.bytes);
}

const struct vx_user anna_user = { .shard = 2, .display = 4711, .party_size = 1, .rating = 1600, .deviation = 90, .roles = 3, .permissions = VX_USER_MAY_PLAY };
struct netcode_player anna, bert;

struct gate *gate_with_anna(void)
{
    struct gate *gate = gate_open(&(struct gate_options){ 0 });
    netcode_player_make(&anna, &gate->backend, ANNA, 1, false, &anna_user);
    return gate;
}

struct gate *gate_with_anna_connected(void)
{
    struct gate *gate = gate_with_anna();
    CU_ASSERT_FATAL(gate_connect(gate, &anna));
    return gate;
}

uint32_t gate_ping_write(uint8_t *out, uint32_t player)
{
    const struct vx_wire_header header = { VX_WIRE_MAGIC_CLIENT, VX_WIRE_VERSION, 1, 0, player, 1, 0 };
    const struct vx_wire_action action = { .type = VX_ACTION_PING };
    memcpy(out, &header, sizeof(header));
    memcpy(out + sizeof(header), &action, sizeof(action));
    return sizeof(header) + sizeof(action);
}

uint32_t gate_ping_of(struct gate *gate, struct netcode_player *player, uint8_t *out)
{
    uint8_t text[64];
    uint32_t bytes = gate_ping_write(text, 0);
    return netcode_player_packet(player, &gate->backend, VX_NETCODE_PAYLOAD, text, bytes, out);
}

enum vx_drop gate_ping(struct gate *gate, struct netcode_player *player)
{
    uint8_t payload[256];
    uint32_t bytes = gate_ping_of(gate, player, payload);
    return gate_arrive(gate, player, payload, bytes);
}
