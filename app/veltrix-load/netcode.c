/* veltrix-load, netcode: every player's token, and the client's side of the handshake. Sessions are looked at in
 * turn, all of them once in LOAD_WALK_MS; one that has sent nothing for LOAD_SEND_MS sends what its state calls for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>

#include "netcode.h"
#include "vx_secret.h"

enum { SENDS_MAX = LOAD_TX_MAX, /* a pass: answers are looked at in between */
       LEAVE_MS_MAX = 10000 };

static uint32_t ms_of(uint64_t now_ns)
{
    return (uint32_t)(now_ns / LOAD_MS);
}

/* ---- tokens ---- */

static void user_make(struct load *load, uint64_t client_id, uint8_t out[VX_NETCODE_USER_BYTES])
{
    struct vx_user user = { .shard = VX_USER_SHARD_ANY, .display = (uint32_t)client_id, .party_size = 1, .rating = (float)(1000 + vx_rng_below(&load->rng, 1000)), .deviation = 100, .permissions = VX_USER_MAY_PLAY | VX_USER_MAY_RANKED };
    vx_user_write(&user, out);
}

void load_ticket_issue(struct load *load, uint64_t client_id, struct load_session *session, union load_ticket *ticket)
{
    struct load_netcode *netcode = load->netcode;
    struct vx_netcode_private private = { .client_id = client_id, .timeout_s = netcode->token.timeout_s, .server_count = 1, .servers = { netcode->token.servers[0] } };
    struct {
        uint8_t client_key[VX_NETCODE_KEY_BYTES], server_key[VX_NETCODE_KEY_BYTES], nonce[VX_NETCODE_TOKEN_NONCE_BYTES];
    } drawn;
    vx_secret_draw(&drawn, sizeof(drawn)); /* in one call: tokens are issued by the hundred thousand */
    memcpy(session->client_key, drawn.client_key, sizeof(drawn.client_key));
    memcpy(session->server_key, drawn.server_key, sizeof(drawn.server_key));
    memcpy(private.client_key, drawn.client_key, sizeof(drawn.client_key));
    memcpy(private.server_key, drawn.server_key, sizeof(drawn.server_key));
    memcpy(ticket->nonce, drawn.nonce, sizeof(drawn.nonce));
    user_make(load, client_id, private.user);
    vx_netcode_private_write(&private, ticket->sealed);
    vx_netcode_private_seal(ticket->sealed, netcode->token.protocol_id, netcode->token.expire_s, ticket->nonce, netcode->key);
}

static void *cache_aligned(size_t bytes)
{
    void *memory = aligned_alloc(VX_CACHE_LINE_BYTES, (bytes + VX_CACHE_LINE_BYTES - 1) / VX_CACHE_LINE_BYTES * VX_CACHE_LINE_BYTES);
    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}

static int memory_take(struct load *load)
{
    struct load_netcode *netcode = load->netcode = cache_aligned(sizeof(*netcode));
    const uint32_t players = load->options.players;
    if (netcode == NULL)
        return -ENOMEM;
    netcode->sessions = cache_aligned(players * sizeof(*netcode->sessions));
    netcode->tickets = calloc(players, sizeof(*netcode->tickets));
    netcode->sent_ms = calloc(players, sizeof(*netcode->sent_ms));
    netcode->aead = cache_aligned(vx_aead_bytes());
    return netcode->sessions == NULL || netcode->tickets == NULL || netcode->sent_ms == NULL || netcode->aead == NULL ? -ENOMEM : 0;
}

int load_netcode_create(struct load *load, struct vx_error *error)
{
    const struct load_options *options = &load->options;
    if (vx_netcode_start() != 0 || memory_take(load) != 0)
        return vx_error_set(error, -ENOMEM, "no memory for %u sessions", options->players);
    struct load_netcode *netcode = load->netcode;
    int rc = vx_secret_key_read(options->key_path, netcode->key, error);
    if (rc != 0)
        return rc;
    netcode->aead = vx_aead_create(netcode->aead);
    netcode->token = (struct vx_netcode_token){ .protocol_id = options->protocol_id, .timeout_s = (int32_t)options->timeout_s, .server_count = 1 };
    netcode->token.create_s = (uint64_t)time(NULL);
    netcode->token.expire_s = netcode->token.create_s + options->token_s;
    netcode->token.servers[0] = (struct vx_netcode_address){ .type = VX_NETCODE_ADDRESS_4, .port = options->udp_port };
    memcpy(netcode->token.servers[0].bytes, &options->server_ip, 4);
    vx_netcode_aads_make(&netcode->aads, options->protocol_id);
    for (uint32_t id = 0; id < options->players; id++)
        load_ticket_issue(load, options->client_first + id, &netcode->sessions[id], &netcode->tickets[id]);
    netcode->walked_ns = load_now_ns(load);
    return options->flood > 0 ? load_flood_create(load) : 0;
}

void load_netcode_free(struct load *load)
{
    struct load_netcode *netcode = load->netcode;
    if (netcode == NULL)
        return;
    vx_netcode_wipe(netcode->key, sizeof(netcode->key));
    free(netcode->flood);
    free(netcode->sessions);
    free(netcode->tickets);
    free(netcode->sent_ms);
    free(netcode->aead);
    free(netcode);
}

/* ---- what sessions do by themselves ---- */

void load_netcode_invite(struct load *load, uint32_t count, uint64_t now_ns)
{
    load->netcode->invited = count;
    load->netcode->invited_ns = now_ns;
}

static void arrive(struct load *load, uint64_t elapsed_ns, uint32_t now_ms)
{
    struct load_netcode *netcode = load->netcode;
    const double rate = load->options.arrive;
    uint32_t waiting = netcode->invited - netcode->arrived;
    netcode->arrivals_owed = rate == 0 ? waiting : RTE_MIN(netcode->arrivals_owed + rate * (double)elapsed_ns * 1e-9, (double)waiting);
    for (; netcode->arrivals_owed >= 1; netcode->arrivals_owed -= 1) {
        uint32_t id = netcode->arrived++;
        netcode->sessions[id].arrived_ms = netcode->sessions[id].heard_ms = now_ms;
        netcode->sent_ms[id] = now_ms - LOAD_SEND_MS;
    }
}

static void session_over(struct load *load, uint32_t id, uint64_t *counter)
{
    load->netcode->sessions[id].state = LOAD_SESSION_OVER;
    load->stats.sessions_over++;
    ++*counter;
}

/* False when the token's life or the server's silence has ended the session. */
static bool session_lives(struct load *load, uint32_t id, uint32_t now_ms)
{
    struct load_session *session = &load->netcode->sessions[id];
    if (session->state == LOAD_SESSION_CONNECTED && now_ms - session->heard_ms > load->options.timeout_s * 1000)
        session_over(load, id, &load->stats.sessions_lost);
    else if (session->state < LOAD_SESSION_CONNECTED && now_ms - session->arrived_ms > load->options.token_s * 1000)
        session_over(load, id, &load->stats.sessions_failed);
    return session->state != LOAD_SESSION_OVER;
}

static void session_send(struct load *load, uint32_t id)
{
    static const uint8_t nothing[VX_NETCODE_KEEP_ALIVE_BYTES];
    struct load_netcode *netcode = load->netcode;
    switch (netcode->sessions[id].state) {
    case LOAD_SESSION_REQUESTING:
        load->stats.requests_sent += load_request_send(load, id, &netcode->tickets[id]);
        break;
    case LOAD_SESSION_RESPONDING:
        (void)load_sealed_send(load, id, VX_NETCODE_RESPONSE, netcode->tickets[id].step, VX_NETCODE_STEP_BYTES);
        break;
    default:
        load->stats.keep_alives_sent += load_sealed_send(load, id, VX_NETCODE_KEEP_ALIVE, nothing, sizeof(nothing));
    }
}

static uint32_t walk(struct load *load, uint32_t now_ms)
{
    struct load_netcode *netcode = load->netcode;
    uint32_t sent = 0;
    for (; netcode->walk_owed >= 1 && sent < SENDS_MAX; netcode->walk_owed -= 1) {
        uint32_t id = netcode->walk_place;
        if (load_tx_room(load) == 0)
            break;
        netcode->walk_place = id + 1 < netcode->arrived ? id + 1 : 0;
        if (now_ms - netcode->sent_ms[id] < LOAD_SEND_MS)
            continue;
        netcode->sent_ms[id] = now_ms;
        if (!session_lives(load, id, now_ms))
            continue;
        session_send(load, id);
        sent++;
    }
    return sent;
}

uint32_t load_netcode_step(struct load *load, uint64_t now_ns)
{
    struct load_netcode *netcode = load->netcode;
    uint64_t elapsed_ns = now_ns - netcode->walked_ns;
    netcode->walked_ns = now_ns;
    arrive(load, elapsed_ns, ms_of(now_ns));
    netcode->walk_owed = RTE_MIN(netcode->walk_owed + (double)netcode->arrived * (double)elapsed_ns / (double)(LOAD_WALK_MS * LOAD_MS), (double)netcode->arrived);
    return walk(load, ms_of(now_ns));
}

bool load_netcode_settled(const struct load *load)
{
    return load->stats.sessions_connected + load->stats.sessions_denied + load->stats.sessions_failed >= load->netcode->invited;
}

void load_storm_step(struct load *load, uint64_t now_ns, uint64_t elapsed_ns)
{
    struct load_netcode *netcode = load->netcode;
    if (netcode->invited < load->options.players && (double)elapsed_ns * 3e-9 >= load->options.seconds) {
        load->options.arrive = 0;
        load->disturbed = true;
        load_netcode_invite(load, load->options.players, now_ns);
    } else if (load->disturbed && load_netcode_settled(load)) {
        load->stats.storm_seconds = (double)(netcode->connected_ns - netcode->invited_ns) * 1e-9;
        load->disturbed = false;
        load->playing = load->options.players;
    }
}

bool load_netcode_may_play(const struct load *load, uint32_t id)
{
    return load->netcode == NULL || load->netcode->sessions[id].state == LOAD_SESSION_CONNECTED;
}

uint8_t *load_netcode_payload(struct load *load, uint32_t id, uint32_t bytes, uint64_t now_ns, struct rte_mbuf **mbuf)
{
    if (!load_netcode_may_play(load, id))
        return NULL;
    load->netcode->sent_ms[id] = ms_of(now_ns);
    return load_sealed_begin(load, id, VX_NETCODE_PAYLOAD, bytes, mbuf);
}

/* ---- what the server says ---- */

static void connected(struct load *load, struct load_session *session, uint64_t now_ns)
{
    session->state = LOAD_SESSION_CONNECTED;
    load->stats.sessions_connected++;
    vx_hist_add(&load->stats.connect_ms, ms_of(now_ns) - session->arrived_ms);
    load->netcode->connected_ns = now_ns;
}

void load_netcode_take(struct load *load, uint32_t id, const struct vx_netcode_packet *packet, const uint8_t *text, uint64_t now_ns)
{
    struct load_netcode *netcode = load->netcode;
    struct load_session *session = &netcode->sessions[id];
    session->heard_ms = ms_of(now_ns);
    if (packet->type == VX_NETCODE_PAYLOAD && session->state == LOAD_SESSION_CONNECTED) {
        load_answers_take(load, id, text, packet->bytes, now_ns);
    } else if (packet->type == VX_NETCODE_KEEP_ALIVE && session->state == LOAD_SESSION_RESPONDING) {
        connected(load, session, now_ns);
    } else if (packet->type == VX_NETCODE_KEEP_ALIVE && session->state == LOAD_SESSION_CONNECTED) {
        load->stats.keep_alives_received++;
    } else if (packet->type == VX_NETCODE_CHALLENGE && session->state == LOAD_SESSION_REQUESTING) {
        memcpy(netcode->tickets[id].step, text, VX_NETCODE_STEP_BYTES);
        session->state = LOAD_SESSION_RESPONDING;
        netcode->sent_ms[id] -= LOAD_SEND_MS; /* the response is due at once */
    } else if (packet->type == VX_NETCODE_DENIED && session->state < LOAD_SESSION_CONNECTED) {
        session_over(load, id, &load->stats.sessions_denied);
    } else if (packet->type == VX_NETCODE_DISCONNECT && session->state == LOAD_SESSION_CONNECTED) {
        session_over(load, id, &load->stats.sessions_lost);
    }
}

void load_netcode_leave(struct load *load)
{
    uint64_t until_ns = load_now_ns(load) + LEAVE_MS_MAX * LOAD_MS;
    for (uint32_t round = 0; round < LOAD_GOODBYES; round++)
        for (uint32_t id = 0; id < load->options.players; id++) {
            if (load->netcode->sessions[id].state != LOAD_SESSION_CONNECTED)
                continue;
            while (load_tx_room(load) == 0 && load_now_ns(load) < until_ns)
                load_tx_flush(load);
            if (load_tx_room(load) > 0)
                (void)load_sealed_send(load, id, VX_NETCODE_DISCONNECT, NULL, 0);
        }
    while (load->tx_count > 0 && load_now_ns(load) < until_ns)
        load_tx_flush(load);
}
