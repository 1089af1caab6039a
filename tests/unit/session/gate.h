/* A server's side in small: one io lcore's netcode table and admission, under the test's own time; whole frames go in,
 * and what comes out is parsed and given to the player that it is addressed to. */
#ifndef GATE_H
#define GATE_H

#include "netcode_player.h"
#include "vx_session.h"
#include "vx_test.h"

enum { GATE_NOW_S = 1800000000, GATE_PLAYERS = 64, GATE_SHARDS = 4 };
struct gate_options {
    uint32_t places, players;  /* 0: 2 * GATE_PLAYERS, GATE_PLAYERS */
    uint32_t keepalive_ms;     /* 0: 1000 */
    uint32_t handshakes_per_s, network_per_s;
    uint64_t expire_s_min;
};
struct gate {
    struct vx_session_table *table;
    struct vx_admission *admission;
    struct netcode_backend backend;
    struct vx_session_netcode_config config;
    struct vx_session_time time;
    uint32_t began_ms;
    uint64_t drops[VX_DROP_COUNT];
    uint32_t joined_count;
    struct vx_session_joined joined;   /* the latest */
    struct vx_packet packet;           /* the latest that was opened */
    uint32_t answer_bytes;             /* UDP payload of the latest answer, 0: none */
    uint32_t ended, lost, keep_alives;
    bool wrong_frame;                  /* something came out that is not a good frame for its player */
};
struct gate *gate_open(const struct gate_options *options);
void gate_close(struct gate *gate); /* checks every invariant */
void gate_wait(struct gate *gate, uint32_t ms);
/* A UDP payload of the player's arrives. Answers go back to it. */
enum vx_drop gate_arrive(struct gate *gate, struct netcode_player *player, const uint8_t *payload, uint32_t bytes);
/* Several of one player's in one burst, already framed: drop reasons out. */
void gate_burst(struct gate *gate, struct netcode_player *player, uint8_t (*frames)[NETCODE_PLAYER_FRAME_BYTES_MAX], const uint32_t *bytes, uint32_t count, uint8_t *drops);
/* What the player's state calls for arrives. */
enum vx_drop gate_next(struct gate *gate, struct netcode_player *player);
bool gate_connect(struct gate *gate, struct netcode_player *player);
/* Lets what is due happen; keep-alives go to `player` when they are its (the others' are dropped). */
void gate_due(struct gate *gate, struct netcode_player *player);
/* A payload to the player's session. */
void gate_send(struct gate *gate, struct netcode_player *player, uint32_t session, const void *payload, uint32_t bytes);

/* Two clients that most tests are about; Anna's token says who she is, in shard 2. */
enum { ANNA = 7001, BERT = 7002 };
extern const struct vx_user anna_user;
extern struct netcode_player anna, bert;
struct gate *gate_with_anna(void);
struct gate *gate_with_anna_connected(void);
/* An action payload as the engine reads it, sealed by the player; returns its length. */
uint32_t gate_ping_of(struct gate *gate, struct netcode_player *player, uint8_t *out);
enum vx_drop gate_ping(struct gate *gate, struct netcode_player *player);
/* The action payload in the clear, as if it were `player`'s; returns its length. */
uint32_t gate_ping_write(uint8_t *out, uint32_t player);

#endif
