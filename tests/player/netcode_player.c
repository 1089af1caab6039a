#include <arpa/inet.h>

#include "netcode_player.h"
#include "vx_wire.h"

enum { SERVER_PORT = 40000, PLAYER_PORT = 20000 };
static const uint8_t server_mac[6] = { 2, 0, 0, 0, 0, 1 }, server4[4] = { 10, 255, 0, 1 }, server6[16] = { 0xfd, [15] = 1 };

void netcode_backend_make(struct netcode_backend *backend, uint64_t now_s)
{
    *backend = (struct netcode_backend){ .protocol_id = 0x1122334455667788, .server_count = 2, .create_s = now_s, .expire_s = now_s + 30, .timeout_s = 10 };
    for (uint32_t i = 0; i < VX_NETCODE_KEY_BYTES; i++)
        backend->key[i] = (uint8_t)(i * 7 + 1);
    backend->servers[0] = (struct vx_netcode_address){ .type = VX_NETCODE_ADDRESS_4, .port = SERVER_PORT };
    backend->servers[1] = (struct vx_netcode_address){ .type = VX_NETCODE_ADDRESS_6, .port = SERVER_PORT };
    memcpy(backend->servers[0].bytes, server4, sizeof(server4));
    memcpy(backend->servers[1].bytes, server6, sizeof(server6));
    vx_netcode_aads_make(&backend->aads, backend->protocol_id);
}

/* Random enough for tests, and never twice. */
static void draw(uint8_t *out, uint32_t bytes)
{
    static struct vx_rng rng = { 99 };
    for (uint32_t i = 0; i < bytes; i += 8) {
        uint64_t word = vx_rng_next(&rng);
        memcpy(out + i, &word, bytes - i < 8 ? bytes - i : 8);
    }
}

void netcode_player_token(struct netcode_player *player, const struct netcode_backend *backend, const struct vx_user *user)
{
    struct vx_netcode_private token = { .client_id = player->client_id, .timeout_s = backend->timeout_s, .server_count = backend->server_count };
    memcpy(token.servers, backend->servers, backend->server_count * sizeof(token.servers[0]));
    draw(player->nonce, sizeof(player->nonce));
    draw(player->client_key, sizeof(player->client_key));
    draw(player->server_key, sizeof(player->server_key));
    memcpy(token.client_key, player->client_key, sizeof(token.client_key));
    memcpy(token.server_key, player->server_key, sizeof(token.server_key));
    if (user != NULL)
        vx_user_write(user, token.user);
    player->expire_s = backend->expire_s;
    vx_netcode_private_write(&token, player->sealed);
    vx_netcode_private_seal(player->sealed, backend->protocol_id, backend->expire_s, player->nonce, backend->key);
    player->state = NETCODE_PLAYER_REQUESTING;
    player->sequence = 0;
    player->replay = (struct vx_netcode_replay){ 0 };
    player->keep_alives = player->payloads = player->others = 0;
}

void netcode_player_make(struct netcode_player *player, const struct netcode_backend *backend, uint64_t client_id, uint32_t number, bool ip6, const struct vx_user *user)
{
    uint32_t host = number + 2;
    memset(player, 0, sizeof(*player));
    player->client_id = client_id;
    player->address = (struct vx_netcode_address){ .type = ip6 ? VX_NETCODE_ADDRESS_6 : VX_NETCODE_ADDRESS_4, .port = (uint16_t)(PLAYER_PORT + number % 40000) };
    if (ip6)
        memcpy(player->address.bytes, (const uint8_t[]){ 0xfd, 2 }, 2);
    for (uint32_t i = 0; i < 3; i++)
        player->address.bytes[(ip6 ? 13 : 1) + i] = (uint8_t)(host >> (16 - 8 * i));
    if (!ip6)
        player->address.bytes[0] = 10;
    memcpy(player->mac, (const uint8_t[]){ 2, 1, 0, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number }, 6);
    netcode_player_token(player, backend, user);
}

uint32_t netcode_player_request(const struct netcode_player *player, const struct netcode_backend *backend, uint8_t *out)
{
    struct vx_netcode_token token = { .protocol_id = backend->protocol_id, .expire_s = player->expire_s };
    memcpy(token.nonce, player->nonce, sizeof(token.nonce));
    memcpy(token.sealed, player->sealed, sizeof(token.sealed));
    vx_netcode_request_write(&token, out);
    return VX_NETCODE_REQUEST_BYTES;
}

uint32_t netcode_player_packet(struct netcode_player *player, const struct netcode_backend *backend, uint8_t type, const void *data, uint32_t bytes, uint8_t *out)
{
    return vx_netcode_write(out, type, player->sequence++, data, bytes, &backend->aads, player->client_key);
}

uint32_t netcode_player_response(struct netcode_player *player, const struct netcode_backend *backend, uint8_t *out)
{
    return netcode_player_packet(player, backend, VX_NETCODE_RESPONSE, player->step, sizeof(player->step), out);
}

uint32_t netcode_player_next(struct netcode_player *player, const struct netcode_backend *backend, uint8_t *out)
{
    static const uint8_t nothing[VX_NETCODE_KEEP_ALIVE_BYTES];
    if (player->state == NETCODE_PLAYER_REQUESTING)
        return netcode_player_request(player, backend, out);
    if (player->state == NETCODE_PLAYER_RESPONDING)
        return netcode_player_response(player, backend, out);
    return netcode_player_packet(player, backend, VX_NETCODE_KEEP_ALIVE, nothing, sizeof(nothing), out);
}

static void keep_alive_take(struct netcode_player *player, const uint8_t *text)
{
    if (player->state != NETCODE_PLAYER_RESPONDING && player->state != NETCODE_PLAYER_CONNECTED)
        return;
    memcpy(&player->index, text, 4);
    memcpy(&player->players, text + 4, 4);
    player->state = NETCODE_PLAYER_CONNECTED;
    player->keep_alives++;
}

enum vx_drop netcode_player_take(struct netcode_player *player, const struct netcode_backend *backend, const uint8_t *data, uint32_t bytes)
{
    uint8_t copy[VX_NETCODE_PACKET_BYTES_MAX];
    struct vx_netcode_packet packet;
    if (bytes > sizeof(copy))
        return VX_DROP_NETCODE_BAD_LENGTH;
    memcpy(copy, data, bytes);
    enum vx_drop drop = vx_netcode_read(copy, bytes, VX_NETCODE_TAKEN_BY_CLIENT, &backend->aads, player->server_key, &player->replay, &packet);
    if (drop != VX_DROP_NONE)
        return drop;
    const uint8_t *text = copy + packet.offset;
    if (packet.type == VX_NETCODE_KEEP_ALIVE) {
        keep_alive_take(player, text);
    } else if (packet.type == VX_NETCODE_CHALLENGE && player->state == NETCODE_PLAYER_REQUESTING) {
        memcpy(player->step, text, sizeof(player->step));
        player->state = NETCODE_PLAYER_RESPONDING;
    } else if (packet.type == VX_NETCODE_PAYLOAD && player->state == NETCODE_PLAYER_CONNECTED) {
        player->payload_bytes = packet.bytes;
        memcpy(player->payload, text, packet.bytes);
        player->payloads++;
    } else if (packet.type == VX_NETCODE_DENIED && player->state < NETCODE_PLAYER_CONNECTED) {
        player->state = NETCODE_PLAYER_DENIED;
    } else if (packet.type == VX_NETCODE_DISCONNECT && player->state == NETCODE_PLAYER_CONNECTED) {
        player->state = NETCODE_PLAYER_DISCONNECTED;
    } else {
        player->others++;
    }
    return VX_DROP_NONE;
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint16_t udp_sum(const uint8_t *addresses, uint32_t addresses_bytes, const uint8_t *udp, uint32_t udp_bytes)
{
    uint64_t sum = vx_checksum_add((uint64_t)htons(IPPROTO_UDP) + htons((uint16_t)udp_bytes), addresses, addresses_bytes);
    uint16_t checksum = (uint16_t)~vx_checksum_fold(vx_checksum_add(sum, udp, udp_bytes));
    return checksum == 0 ? 0xffff : checksum;
}

uint32_t netcode_player_frame(const struct netcode_player *player, const uint8_t *payload, uint32_t bytes, uint8_t *frame)
{
    const bool ip6 = player->address.type == VX_NETCODE_ADDRESS_6;
    uint8_t *ip = frame + 14 + player->tags_bytes, *udp = ip + (ip6 ? 40 : 20);
    uint32_t udp_bytes = 8 + bytes;
    memcpy(frame, server_mac, 6);
    memcpy(frame + 6, player->mac, 6);
    for (uint32_t at = 0; at < player->tags_bytes; at += 4) {
        put16(frame + 12 + at, at + 4 < player->tags_bytes ? 0x88a8 : 0x8100);
        put16(frame + 14 + at, 100 + at);
    }
    put16(ip - 2, ip6 ? 0x86dd : 0x0800);
    memset(ip, 0, ip6 ? 40 : 20);
    if (ip6) {
        ip[0] = 0x60;
        put16(ip + 4, udp_bytes);
        ip[6] = IPPROTO_UDP;
        ip[7] = 9;
        memcpy(ip + 8, player->address.bytes, 16);
        memcpy(ip + 24, server6, 16);
    } else {
        ip[0] = 0x45;
        put16(ip + 2, 20 + udp_bytes);
        ip[8] = 9;
        ip[9] = IPPROTO_UDP;
        memcpy(ip + 12, player->address.bytes, 4);
        memcpy(ip + 16, server4, 4);
        uint16_t checksum = (uint16_t)~vx_checksum_fold(vx_checksum_add(0, ip, 20));
        memcpy(ip + 10, &checksum, 2);
    }
    put16(udp, player->address.port);
    put16(udp + 2, SERVER_PORT);
    put16(udp + 4, udp_bytes);
    put16(udp + 6, 0);
    memcpy(udp + 8, payload, bytes);
    uint16_t checksum = udp_sum(ip + (ip6 ? 8 : 12), ip6 ? 32 : 8, udp, udp_bytes);
    memcpy(udp + 6, &checksum, 2);
    return (uint32_t)(udp + udp_bytes - frame);
}
