/* The client of netcode 1.02, as its STANDARD.md describes it: request, response, keep-alives, time-outs, and the next
 * server of the token when one does not let us in. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client_private.h"

const char *vx_client_state_sentence(enum vx_client_state state)
{
    switch (state) {
#define SENTENCE(name, number, sentence) \
    case VX_CLIENT_##name:               \
        return sentence;
        VX_CLIENT_STATES(SENTENCE)
#undef SENTENCE
    }
    return "?";
}

static socklen_t address_of(const struct vx_netcode_address *server, struct sockaddr_storage *address)
{
    memset(address, 0, sizeof(*address));
    if (server->type == VX_NETCODE_ADDRESS_4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)address;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(server->port);
        memcpy(&v4->sin_addr, server->bytes, 4);
        return sizeof(*v4);
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(server->port);
    memcpy(&v6->sin6_addr, server->bytes, 16);
    return sizeof(*v6);
}

/* A socket connected to the server: the kernel then passes over what others send. */
static int socket_open(struct vx_client *client)
{
    struct sockaddr_storage address;
    socklen_t length = address_of(&client->token.servers[client->server], &address);
    int made = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0)
        return -errno;
    if (connect(made, (struct sockaddr *)&address, length) != 0) {
        int rc = -errno;
        (void)close(made);
        return rc;
    }
    if (client->socket >= 0)
        (void)close(client->socket);
    client->socket = made;
    return 0;
}

static void state_enter(struct vx_client *client, enum vx_client_state state, uint64_t now_ms)
{
    client->state = state;
    client->heard_ms = now_ms;
    client->sent_ms = now_ms - SEND_EVERY_MS; /* speak at once */
}

static void request_begin(struct vx_client *client, uint64_t now_ms)
{
    memset(&client->replay, 0, sizeof(client->replay));
    client_actions_reset(client);
    state_enter(client, VX_CLIENT_REQUESTING, now_ms);
}

/* On to the next server that can be reached at all; after the last one the failure is the state. */
static void server_next(struct vx_client *client, enum vx_client_state failure, uint64_t now_ms)
{
    while (++client->server < client->token.server_count)
        if (socket_open(client) == 0) {
            request_begin(client, now_ms);
            return;
        }
    state_enter(client, client->denied ? VX_CLIENT_DENIED : failure, now_ms);
}

int vx_client_create(const void *token, size_t bytes, uint64_t now_ms, struct vx_client **created, struct vx_error *error)
{
    struct vx_client *client = calloc(1, sizeof(*client));
    if (client == NULL || vx_netcode_start() != 0) {
        free(client);
        return vx_error_set(error, -ENOMEM, "client: no memory, or libsodium does not start");
    }
    enum vx_netcode_fault fault = vx_netcode_token_read(token, bytes, &client->token);
    client->socket = -1;
    int rc = fault != VX_NETCODE_FAULT_NONE ? vx_error_set(error, -EINVAL, "connect token: %s", vx_netcode_fault_sentence(fault)) : socket_open(client);
    if (rc != 0) {
        if (fault == VX_NETCODE_FAULT_NONE)
            (void)vx_error_set(error, rc, "connect token: no way to its first server: %s", strerror(-rc));
        vx_client_destroy(client);
        return rc;
    }
    vx_netcode_aads_make(&client->aads, client->token.protocol_id);
    client->started_ms = now_ms;
    request_begin(client, now_ms);
    *created = client;
    return 0;
}

int vx_client_socket(const struct vx_client *client)
{
    return client->socket;
}

enum vx_client_state vx_client_state(const struct vx_client *client)
{
    return client->state;
}

void vx_client_figures(const struct vx_client *client, struct vx_client_figures *figures)
{
    *figures = client->figures;
    figures->actions_open = 0;
    for (uint32_t i = 0; i < PACKETS_OPEN_MAX; i++)
        figures->actions_open += (uint32_t)__builtin_popcount(client->flights[i].open);
}

/* What the socket does not take is a lost packet, as any packet can be. */
static void datagram_send(struct vx_client *client, const void *data, uint32_t bytes, uint64_t now_ms)
{
    client->figures.packets_out += send(client->socket, data, bytes, MSG_NOSIGNAL) >= 0;
    client->sent_ms = now_ms;
}

void client_send(struct vx_client *client, enum vx_netcode_type type, const void *data, uint32_t bytes, uint64_t now_ms)
{
    uint8_t packet[VX_NETCODE_PACKET_BYTES_MAX];
    uint32_t length = vx_netcode_write(packet, (uint8_t)type, client->sequence++, data, bytes, &client->aads, client->token.client_key);
    datagram_send(client, packet, length, now_ms);
}

/* A packet that is authentic, and of a type that a server sends. */
static void packet_take(struct vx_client *client, const struct vx_netcode_packet *packet, const uint8_t *data, uint64_t now_ms)
{
    const enum vx_client_state state = client->state;
    if (packet->type == VX_NETCODE_DENIED && (state == VX_CLIENT_REQUESTING || state == VX_CLIENT_RESPONDING)) {
        client->denied = true;
        server_next(client, VX_CLIENT_DENIED, now_ms);
    } else if (packet->type == VX_NETCODE_CHALLENGE && state == VX_CLIENT_REQUESTING) {
        memcpy(client->challenge, data, sizeof(client->challenge));
        state_enter(client, VX_CLIENT_RESPONDING, now_ms);
    } else if (packet->type == VX_NETCODE_KEEP_ALIVE && state == VX_CLIENT_RESPONDING) {
        state_enter(client, VX_CLIENT_CONNECTED, now_ms);
    } else if (packet->type == VX_NETCODE_KEEP_ALIVE && state == VX_CLIENT_CONNECTED) {
        client->heard_ms = now_ms;
    } else if (packet->type == VX_NETCODE_PAYLOAD && state == VX_CLIENT_CONNECTED) {
        client->heard_ms = now_ms;
        client_payload_take(client, data, packet->bytes, now_ms);
    } else if (packet->type == VX_NETCODE_DISCONNECT && state == VX_CLIENT_CONNECTED) {
        state_enter(client, VX_CLIENT_DISCONNECTED, now_ms);
    }
}

static void receive(struct vx_client *client, uint64_t now_ms)
{
    uint8_t data[2048];
    ssize_t bytes;
    while (client->state > VX_CLIENT_DISCONNECTED && (bytes = recv(client->socket, data, sizeof(data), 0)) > 0) {
        struct vx_netcode_packet packet;
        if (vx_netcode_read(data, (uint32_t)bytes, VX_NETCODE_TAKEN_BY_CLIENT, &client->aads, client->token.server_key, &client->replay, &packet) != VX_DROP_NONE) {
            client->figures.packets_refused++;
            continue;
        }
        client->figures.packets_in++;
        packet_take(client, &packet, data + packet.offset, now_ms);
    }
}

static void time_out(struct vx_client *client, uint64_t now_ms)
{
    const uint64_t life_ms = (client->token.expire_s - client->token.create_s) * 1000;
    if (client->state < VX_CLIENT_CONNECTED && now_ms - client->started_ms >= life_ms) {
        state_enter(client, VX_CLIENT_TOKEN_EXPIRED, now_ms);
        return;
    }
    if (client->token.timeout_s < 0 || now_ms - client->heard_ms < (uint64_t)client->token.timeout_s * 1000)
        return;
    if (client->state == VX_CLIENT_CONNECTED)
        state_enter(client, VX_CLIENT_CONNECTION_TIMED_OUT, now_ms);
    else
        server_next(client, client->state == VX_CLIENT_REQUESTING ? VX_CLIENT_REQUEST_TIMED_OUT : VX_CLIENT_RESPONSE_TIMED_OUT, now_ms);
}

static void speak(struct vx_client *client, uint64_t now_ms)
{
    if (now_ms - client->sent_ms < SEND_EVERY_MS)
        return;
    if (client->state == VX_CLIENT_REQUESTING) {
        uint8_t request[VX_NETCODE_REQUEST_BYTES];
        vx_netcode_request_write(&client->token, request);
        datagram_send(client, request, sizeof(request), now_ms);
    } else if (client->state == VX_CLIENT_RESPONDING) {
        client_send(client, VX_NETCODE_RESPONSE, client->challenge, sizeof(client->challenge), now_ms);
    } else {
        static const uint8_t nothing[VX_NETCODE_KEEP_ALIVE_BYTES];
        client_send(client, VX_NETCODE_KEEP_ALIVE, nothing, sizeof(nothing), now_ms);
    }
}

enum vx_client_state vx_client_update(struct vx_client *client, uint64_t now_ms)
{
    receive(client, now_ms);
    if (client->state > VX_CLIENT_DISCONNECTED)
        time_out(client, now_ms);
    if (client->state == VX_CLIENT_CONNECTED)
        client_actions_repeat(client, now_ms);
    if (client->state > VX_CLIENT_DISCONNECTED)
        speak(client, now_ms);
    return client->state;
}

void vx_client_destroy(struct vx_client *client)
{
    if (client == NULL)
        return;
    if (client->state == VX_CLIENT_CONNECTED)
        for (uint32_t i = 0; i < GOODBYES; i++)
            client_send(client, VX_NETCODE_DISCONNECT, NULL, 0, client->sent_ms);
    if (client->socket >= 0)
        (void)close(client->socket);
    vx_netcode_wipe(client, sizeof(*client));
    free(client);
}
