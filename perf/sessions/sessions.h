/* vx_bench_sessions' own: a core (perf/core) that serves netcode, and its clients.
 *
 *   clients.c  tokens, handshakes, sealed packets: the other side, outside of what is timed
 *   stage.c    the core, with admission and sealed sessions
 *   bench.c    what is measured, and what has to hold */
#ifndef SESSIONS_H
#define SESSIONS_H

#include "core.h"
#include "netcode_player.h"

enum { SHARDS = 40, BURST = 32, HEAD_BYTES = 42, ACTIONS = 2, ASK_BYTES = 16 + ACTIONS * 16, ANSWER_BYTES = 8 + ACTIONS * 8, KEEP_ALIVE_BYTES = VX_NETCODE_KEEP_ALIVE_BYTES };

/* What a client keeps of its handshake. */
struct client {
    uint8_t client_key[VX_NETCODE_KEY_BYTES], server_key[VX_NETCODE_KEY_BYTES];
    uint8_t head[HEAD_BYTES]; /* Ethernet, IPv4, UDP */
    uint32_t number;          /* of the last action */
    uint64_t sequence;
};
struct stage {
    struct core core;
    struct rte_ring *asks[1], *verdicts[1];
    struct vx_admission *admission;
    uint64_t unix_s;
    struct netcode_backend backend;
    uint64_t bytes; /* of session table and admission */
};

/* EAL, and a core that serves netcode. With huge pages where there are enough of them, and `huge`; else it says that there are not. */
void stage_make(struct stage *stage, uint32_t players, bool huge);

/* Connects clients first … first + count - 1, at most BURST, in passes of the stage. */
void clients_connect(struct stage *stage, struct client *clients, uint32_t first, uint32_t count);
/* A burst of sealed packets of these clients goes in: MOVE and PING, or keep-alives, or disconnects. */
void clients_put(struct stage *stage, struct vx_aead *aead, struct client *clients, const uint32_t *ids, uint32_t count, uint8_t type);

#endif
