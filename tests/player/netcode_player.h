/* A netcode client made for tests and benchmarks: it holds a token, speaks the client's side of the handshake, and builds
 * whole frames around it. Written from the standard's text over lib/netcode; it says what it is told to, right or wrong. */
#ifndef NETCODE_PLAYER_H
#define NETCODE_PLAYER_H

#include "vx_netcode.h"

enum { NETCODE_PLAYER_FRAME_BYTES_MAX = 1600 };
/* What tokens are issued with. */
struct netcode_backend {
    uint64_t protocol_id;
    uint8_t key[VX_NETCODE_KEY_BYTES];
    struct vx_netcode_address servers[2];
    uint32_t server_count;
    uint64_t create_s, expire_s;
    int32_t timeout_s;
    struct vx_netcode_aads aads; /* made by netcode_backend_make */
};
/* Server 10.255.0.1 and fd00::1, port 40000. */
void netcode_backend_make(struct netcode_backend *backend, uint64_t now_s);

enum netcode_player_state { NETCODE_PLAYER_REQUESTING, NETCODE_PLAYER_RESPONDING, NETCODE_PLAYER_CONNECTED, NETCODE_PLAYER_DENIED, NETCODE_PLAYER_DISCONNECTED };
struct netcode_player {
    struct vx_netcode_address address; /* the client's own */
    uint8_t mac[6];
    uint8_t tags_bytes;                /* 0, 4 or 8 of VLAN tags */
    uint64_t client_id;
    uint64_t expire_s;
    uint8_t nonce[VX_NETCODE_TOKEN_NONCE_BYTES];
    uint8_t sealed[VX_NETCODE_PRIVATE_BYTES];
    uint8_t client_key[VX_NETCODE_KEY_BYTES], server_key[VX_NETCODE_KEY_BYTES];
    uint8_t step[VX_NETCODE_STEP_BYTES]; /* the challenge, to be echoed */
    uint64_t sequence;                   /* of the next packet */
    struct vx_netcode_replay replay;
    uint32_t index, players;             /* said by keep-alives */
    uint32_t keep_alives, payloads, others;
    uint8_t state;                       /* enum netcode_player_state */
    uint32_t payload_bytes;              /* of the latest payload */
    uint8_t payload[VX_NETCODE_PAYLOAD_BYTES_MAX];
};
/* A fresh token for a client at an address of its own: 10.x.y.z, or fd02:: … for odd numbers when ip6. user may be NULL. */
void netcode_player_make(struct netcode_player *player, const struct netcode_backend *backend, uint64_t client_id, uint32_t number, bool ip6, const struct vx_user *user);
/* The same client and address with another token. */
void netcode_player_token(struct netcode_player *player, const struct netcode_backend *backend, const struct vx_user *user);

/* Each returns the UDP payload's length. */
uint32_t netcode_player_request(const struct netcode_player *player, const struct netcode_backend *backend, uint8_t *out);
uint32_t netcode_player_response(struct netcode_player *player, const struct netcode_backend *backend, uint8_t *out);
uint32_t netcode_player_packet(struct netcode_player *player, const struct netcode_backend *backend, uint8_t type, const void *data, uint32_t bytes, uint8_t *out);
/* What the state calls for: request, response, keep-alive. */
uint32_t netcode_player_next(struct netcode_player *player, const struct netcode_backend *backend, uint8_t *out);
/* Takes a UDP payload from the server; VX_DROP_NONE when it was good. */
enum vx_drop netcode_player_take(struct netcode_player *player, const struct netcode_backend *backend, const uint8_t *data, uint32_t bytes);

/* The player's frame around a payload; returns its length. */
uint32_t netcode_player_frame(const struct netcode_player *player, const uint8_t *payload, uint32_t bytes, uint8_t *frame);

#endif
