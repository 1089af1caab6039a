/* netcode's handshake: what is asked of admission, and what becomes of its verdict. Answers are written over what asked
 * for them, in the same buffer, so none can be longer. No branch here waits: between question and verdict the packet
 * rests with the io lcore, and what of the token is needed again lies in it (struct kept). */
#include "session_netcode.h"

static_assert((int)VX_ADMISSION_TAG_BYTES == VX_NETCODE_TAG_BYTES && (int)VX_ADMISSION_SHARD_ANY == VX_USER_SHARD_ANY, "the same words in both rooms");

struct kept {
    uint64_t client_id;
    int32_t timeout_s;
    struct session_keys keys;
    uint8_t user[VX_NETCODE_USER_BYTES];
};
static_assert(sizeof(struct kept) <= VX_NETCODE_REQUEST_BYTES, "it lies where the request lay");

static uint8_t *payload_of(const struct vx_packet *packet)
{
    return packet->data + packet->frame.payload_offset;
}

static bool is_request(const struct vx_packet *packet)
{
    return payload_of(packet)[0] == VX_NETCODE_REQUEST;
}

/* A backend that says nothing of the player in our format lets it play with defaults; one that does must do it right. */
static bool user_read(struct netcode *netcode, const uint8_t data[VX_NETCODE_USER_BYTES], uint64_t client_id, struct vx_user *user)
{
    enum vx_netcode_fault fault = vx_user_read(data, user);
    if (fault != VX_NETCODE_FAULT_USER_MAGIC)
        return fault == VX_NETCODE_FAULT_NONE;
    *user = (struct vx_user){ .shard = VX_USER_SHARD_ANY, .display = (uint32_t)client_id, .party_size = 1, .permissions = VX_USER_MAY_PLAY | VX_USER_MAY_RANKED };
    netcode->counters.users_unsaid++;
    return true;
}

static bool names_us(const struct netcode *netcode, const struct vx_netcode_private *token)
{
    for (uint32_t i = 0; i < token->server_count; i++)
        for (uint32_t j = 0; j < netcode->config.address_count; j++)
            if (vx_netcode_address_same(&token->servers[i], &netcode->config.addresses[j]))
                return true;
    return false;
}

/* ---- questions ---- */

static void from_write(const struct way *way, uint8_t from[VX_ADMISSION_FROM_BYTES])
{
    memset(from, 0, VX_ADMISSION_FROM_BYTES);
    memcpy(from, way->to_address, way->ip_version == 4 ? 4 : 16);
    memcpy(from + 16, &way->to_port, 2);
    from[18] = way->ip_version;
}

/* What admission and the challenge need of the token, before the request is written over. */
static enum vx_drop token_read(struct netcode *netcode, struct vx_packet *packet, const struct vx_netcode_request *request, struct vx_admission_ask *ask)
{
    struct vx_netcode_private token;
    struct vx_user user;
    struct kept kept = { 0 };
    if (vx_netcode_private_read(netcode->opened, &token) != VX_NETCODE_FAULT_NONE)
        return VX_DROP_NETCODE_TOKEN_BAD;
    kept.client_id = token.client_id;
    kept.timeout_s = token.timeout_s;
    memcpy(kept.keys.client, token.client_key, sizeof(kept.keys.client));
    memcpy(kept.keys.server, token.server_key, sizeof(kept.keys.server));
    memcpy(kept.user, token.user, sizeof(kept.user));
    vx_netcode_wipe(token.client_key, sizeof(token.client_key) + sizeof(token.server_key));
    if (!names_us(netcode, &token))
        return VX_DROP_NETCODE_OTHER_SERVER;
    if (!user_read(netcode, kept.user, kept.client_id, &user))
        return VX_DROP_NETCODE_USER_BAD;
    *ask = (struct vx_admission_ask){ .kind = VX_ASK_REQUEST, .shard = user.shard, .client_id = kept.client_id, .expire_s = request->expire_s };
    memcpy(ask->tag, request->sealed + VX_NETCODE_PRIVATE_BYTES - VX_NETCODE_TAG_BYTES, VX_NETCODE_TAG_BYTES);
    memcpy(payload_of(packet) + 8, &kept, sizeof(kept)); /* behind the prefix, which says that it was a request */
    vx_netcode_wipe(&kept, sizeof(kept));
    return VX_DROP_NONE;
}

/* The budget first, for what comes after it is the dearest thing that a stranger can make us do. */
static enum vx_drop request_ask(struct vx_session_table *table, struct vx_packet *packet, const struct vx_session_time *time, struct vx_admission_ask *ask)
{
    struct netcode *netcode = table->netcode;
    struct vx_netcode_request request;
    struct way way = { 0 };
    way_read(packet, &way);
    if (packet->session == NONE && netcode->free_first == NONE)
        return VX_DROP_NETCODE_NO_PLACE;
    switch (vx_handshake_budget_take(netcode->budget, time->now_ms, way.to_address, way.ip_version == 6)) {
    case VX_BUDGET_RATE:
        return VX_DROP_NETCODE_RATE;
    case VX_BUDGET_NETWORK:
        return VX_DROP_NETCODE_NETWORK_RATE;
    case VX_BUDGET_TAKEN:
        break;
    }
    VX_ASSERT(vx_netcode_request_check(payload_of(packet), netcode->config.protocol_id, 0, &request) == VX_DROP_NONE); /* as open has found it */
    int key = vx_netcode_private_open(request.sealed, netcode->config.protocol_id, request.expire_s, request.nonce, &netcode->config.keys, netcode->opened);
    if (key < 0)
        return VX_DROP_NETCODE_TOKEN_FORGED;
    netcode->counters.tokens_opened++;
    enum vx_drop drop = token_read(netcode, packet, &request, ask);
    vx_netcode_wipe(netcode->opened, sizeof(netcode->opened));
    if (drop == VX_DROP_NONE)
        from_write(&way, ask->from);
    return drop;
}

/* The response is authentic; the challenge token in it must be ours, and of the token that this address has shown. */
static enum vx_drop response_ask(struct vx_session_table *table, struct vx_packet *packet, struct vx_admission_ask *ask)
{
    struct netcode *netcode = table->netcode;
    struct session *session = &netcode->hot[packet->session & SESSION_INDEX_MASK];
    uint8_t *text = payload_of(packet) + 1 + (payload_of(packet)[0] >> 4);
    struct vx_netcode_challenge challenge;
    struct vx_user user;
    uint64_t sequence;
    if (session->state != SESSION_PENDING)
        return VX_DROP_NETCODE_ASKED; /* its twin came in the same burst */
    netcode->counters.unproved_bytes_in += packet->frame.payload_bytes;
    memcpy(&sequence, text, sizeof(sequence));
    if (!vx_netcode_challenge_open(text + 8, sequence, netcode->config.challenge_key, &challenge) || challenge.client_id != session->client_id)
        return VX_DROP_NETCODE_CHALLENGE_FORGED;
    if (!user_read(netcode, challenge.user, challenge.client_id, &user))
        return VX_DROP_NETCODE_USER_BAD;
    *ask = (struct vx_admission_ask){ .kind = VX_ASK_RESPONSE, .shard = user.shard, .client_id = challenge.client_id, .token = session->player };
    memcpy(text, &challenge, sizeof(challenge));
    session->state = SESSION_ASKED;
    return VX_DROP_NONE;
}

bool vx_session_ask(struct vx_session_table *table, struct vx_packet *packet, const struct vx_session_time *time, struct vx_admission_ask *ask)
{
    enum vx_drop drop = is_request(packet) ? request_ask(table, packet, time, ask) : response_ask(table, packet, ask);
    if (drop != VX_DROP_NONE)
        packet->drop = (uint8_t)drop;
    return drop == VX_DROP_NONE;
}

void vx_session_unask(struct vx_session_table *table, const struct vx_packet *packet)
{
    struct session *session = &table->netcode->hot[packet->session & SESSION_INDEX_MASK];
    if (is_request(packet))
        return;
    VX_ASSERT(session->state == SESSION_ASKED);
    session->state = SESSION_PENDING;
}

/* ---- verdicts ---- */

/* Seals what lies at `data` bytes behind the header, in the frame that asked, for the way back. */
static uint32_t answer_seal(struct netcode *netcode, struct vx_packet *packet, const struct way *way, uint8_t type, uint64_t sequence, const uint8_t *key,
                            const void *data, uint32_t bytes)
{
    uint32_t asked_bytes = packet->frame.payload_offset + packet->frame.payload_bytes, head_bytes = way_head(way, packet->data);
    uint8_t *udp = packet->data + head_bytes - UDP_BYTES;
    uint32_t udp_bytes = UDP_BYTES + vx_netcode_write(udp + UDP_BYTES, type, sequence, data, bytes, &netcode->aads, key);
    head_finish(udp - (way->ip_version == 4 ? IP4_BYTES : IP6_BYTES), udp, udp_bytes);
    VX_ASSERT(udp_bytes - UDP_BYTES <= packet->frame.payload_bytes && head_bytes - UDP_BYTES + udp_bytes <= asked_bytes);
    return head_bytes - UDP_BYTES + udp_bytes;
}

static uint32_t unproved_seal(struct netcode *netcode, struct vx_packet *packet, const struct way *way, uint8_t type, const uint8_t *key, const void *data, uint32_t bytes)
{
    uint32_t answer_bytes = answer_seal(netcode, packet, way, type, netcode->sequence_global++, key, data, bytes);
    netcode->counters.unproved_bytes_out += answer_bytes - (way->l2_bytes + (way->ip_version == 4 ? IP4_BYTES : IP6_BYTES) + UDP_BYTES);
    VX_ASSERT(netcode->counters.unproved_bytes_out <= netcode->counters.unproved_bytes_in);
    return answer_bytes;
}

static uint32_t deny(struct netcode *netcode, struct vx_packet *packet, const struct way *way, const uint8_t *key)
{
    netcode->counters.denials_sent++;
    return unproved_seal(netcode, packet, way, VX_NETCODE_DENIED, key, NULL, 0);
}

static uint16_t timeout_of(int32_t timeout_s)
{
    if (timeout_s < 0)
        return TIMEOUT_S_NEVER;
    return (uint16_t)(timeout_s < TIMEOUT_S_NEVER - 1 ? timeout_s : TIMEOUT_S_NEVER - 1);
}

/* The address's pending place: a new one, or the one that a repeated request finds. */
static bool pending_make(struct vx_session_table *table, const struct way *way, const struct kept *kept, uint32_t token, uint32_t now_ms)
{
    struct netcode *netcode = table->netcode;
    uint32_t index = session_find(table, way);
    if (index == NONE)
        index = session_take(table, way, now_ms);
    if (index == NONE || netcode->hot[index].state != SESSION_PENDING)
        return false;
    struct session *session = &netcode->hot[index];
    session->client_id = kept->client_id;
    session->player = token;
    session->timeout_s = timeout_of(kept->timeout_s);
    session->received_ms = now_ms;
    netcode->keys[index] = kept->keys;
    session_rearm(netcode, index);
    return true;
}

static uint32_t challenge(struct vx_session_table *table, struct vx_packet *packet, const struct way *way, const struct kept *kept)
{
    struct netcode *netcode = table->netcode;
    struct vx_netcode_challenge token = { .client_id = kept->client_id };
    uint8_t text[VX_NETCODE_STEP_BYTES];
    memcpy(token.user, kept->user, sizeof(token.user));
    memcpy(text, &netcode->sequence_challenge, 8);
    vx_netcode_challenge_seal(&token, netcode->sequence_challenge++, netcode->config.challenge_key, text + 8);
    netcode->counters.challenges_sent++;
    return unproved_seal(netcode, packet, way, VX_NETCODE_CHALLENGE, kept->keys.server, text, sizeof(text));
}

static uint32_t request_verdict(struct vx_session_table *table, struct vx_packet *packet, const struct vx_admission_verdict *verdict, uint32_t now_ms)
{
    struct kept kept;
    struct way way = { 0 };
    uint32_t bytes = 0;
    way_read(packet, &way);
    memcpy(&kept, payload_of(packet) + 8, sizeof(kept));
    vx_netcode_wipe(payload_of(packet) + 8, sizeof(kept));
    if (verdict->verdict == VX_VERDICT_DENY)
        bytes = deny(table->netcode, packet, &way, kept.keys.server);
    else if (verdict->verdict == VX_VERDICT_ADMIT && pending_make(table, &way, &kept, verdict->token, now_ms))
        bytes = challenge(table, packet, &way, &kept);
    vx_netcode_wipe(&kept, sizeof(kept));
    return bytes;
}

/* The session begins: its sequence numbers from 0, its replay window empty. */
static uint32_t session_begin(struct vx_session_table *table, struct vx_packet *packet, uint32_t index, const struct vx_admission_verdict *verdict, uint32_t now_ms)
{
    struct netcode *netcode = table->netcode;
    struct session *session = &netcode->hot[index];
    const uint32_t says[2] = { verdict->player, netcode->config.players };
    session->replay = (struct vx_netcode_replay){ 0 };
    session->player = verdict->player;
    session->state = SESSION_CONNECTED;
    session->flags = 0;
    session->sequence = 1;
    session->received_ms = session->sent_ms = now_ms;
    session_rearm(netcode, index);
    netcode->counters.pending--;
    netcode->counters.connected++;
    netcode->counters.keep_alives_sent++;
    return answer_seal(netcode, packet, &table->entries[index].way, VX_NETCODE_KEEP_ALIVE, 0, netcode->keys[index].server, says, sizeof(says));
}

static uint32_t response_verdict(struct vx_session_table *table, struct vx_packet *packet, const struct vx_admission_verdict *verdict, uint32_t now_ms,
                                 struct vx_session_joined *joined, bool *connected)
{
    struct netcode *netcode = table->netcode;
    uint32_t index = packet->session & SESSION_INDEX_MASK;
    struct vx_netcode_challenge opened;
    VX_ASSERT(session_name(netcode, index) == packet->session && netcode->hot[index].state == SESSION_ASKED); /* it cannot have ended meanwhile */
    if (verdict->verdict != VX_VERDICT_ADMIT) {
        netcode->hot[index].state = SESSION_PENDING;
        return verdict->verdict == VX_VERDICT_DENY ? deny(netcode, packet, &table->entries[index].way, netcode->keys[index].server) : 0;
    }
    memcpy(&opened, payload_of(packet) + 1 + (payload_of(packet)[0] >> 4), sizeof(opened));
    *joined = (struct vx_session_joined){ .session = packet->session, .player = verdict->player, .connection = verdict->connection, .resumes = verdict->resumes };
    VX_ASSERT(user_read(netcode, opened.user, opened.client_id, &joined->user)); /* as vx_session_ask has found it */
    *connected = true;
    return session_begin(table, packet, index, verdict, now_ms);
}

uint32_t vx_session_verdict(struct vx_session_table *table, struct vx_packet *packet, const struct vx_admission_verdict *verdict,
                            const struct vx_session_time *time, struct vx_session_joined *joined, bool *connected)
{
    *connected = false;
    table->netcode->now_ms = time->now_ms;
    if (is_request(packet))
        return request_verdict(table, packet, verdict, time->now_ms);
    return response_verdict(table, packet, verdict, time->now_ms, joined, connected);
}
