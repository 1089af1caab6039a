/* vx_bench_sessions' own: one core's appliance over two rings in place of a device, and its clients.
 *
 *   clients.c  tokens, handshakes, sealed packets: the other side, outside of what is timed
 *   stage.c    the io lcore, the shard lcore, admission: the production objects, stepped by hand
 *   bench.c    what is measured, and what has to hold */
#ifndef SESSIONS_H
#define SESSIONS_H

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "netcode_player.h"
#include "vx_lcore.h"

enum { SHARDS = 40, BURST = 32, HEAD_BYTES = 42, ACTIONS = 2, ASK_BYTES = 16 + ACTIONS * 16, ANSWER_BYTES = 8 + ACTIONS * 8, KEEP_ALIVE_BYTES = VX_NETCODE_KEEP_ALIVE_BYTES };

/* What a client keeps of its handshake. */
struct client {
    uint8_t client_key[VX_NETCODE_KEY_BYTES], server_key[VX_NETCODE_KEY_BYTES];
    uint8_t head[HEAD_BYTES]; /* Ethernet, IPv4, UDP */
    uint32_t number;          /* of the last action */
    uint64_t sequence;
};
struct stage {
    uint32_t players;
    uint16_t port;
    struct rte_mempool *pool;
    struct rte_ring *rx, *tx, *actions[SHARDS], **actions_by_io[1], *replies[1], *asks[1], *verdicts[1];
    struct vx_admission *admission;
    struct vx_io *io;
    struct vx_shard_lcore *lane;
    uint64_t unix_s;
    struct netcode_backend backend;
    uint64_t received, stepped, sent; /* cycles of the passes since they were last set to 0 */
    uint64_t bytes;                   /* of session table and admission */
};

_Noreturn void fail(const char *what);
/* EAL, with huge pages or without, device, lcores; ends the program when something is missing. */
void stage_make(struct stage *stage, uint32_t players, bool huge);
/* One pass of the core, timed. */
void stage_pass(struct stage *stage);
void stage_put(struct stage *stage, struct rte_mbuf **mbufs, uint32_t count);
/* What has left since the last time, at most BURST frames, to be freed by the caller. */
uint32_t stage_taken(struct stage *stage, struct rte_mbuf **mbufs);
struct rte_mbuf *stage_mbuf(struct stage *stage);

/* Connects clients first … first + count - 1, at most BURST, in passes of the stage. */
void clients_connect(struct stage *stage, struct client *clients, uint32_t first, uint32_t count);
/* A burst of sealed packets of these clients goes in: MOVE and PING, or keep-alives, or disconnects. */
void clients_put(struct stage *stage, struct vx_aead *aead, struct client *clients, const uint32_t *ids, uint32_t count, uint8_t type);

#endif
