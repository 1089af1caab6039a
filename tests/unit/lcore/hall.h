/* A hall with two doors: one device with two queues, an io lcore each, netcode on both, admission on the first, one
 * shard lcore; stepped by hand under a clock that the test moves. Clients choose the queue that their packets come by. */
#ifndef HALL_H
#define HALL_H

#include "netcode_player.h"
#include "vx_lcore.h"
#include "vx_test.h"

enum { HALL_IOS = 2, HALL_SHARDS = 2, HALL_CLIENTS = 512, HALL_PLACES = 64, HALL_MBUFS = 8191, HALL_ANSWERS = 4096, HALL_WINDOW = 1000000, HALL_NOW_S = 1800000000 };
struct hall_options {
    uint32_t players;           /* 0: HALL_PLACES */
    uint32_t action_ring;       /* 0: 256 */
    uint32_t handshakes_per_s;  /* 0: no limit */
};
struct hall_answer {
    uint32_t client;
    struct vx_wire_long result;
};
struct hall {
    struct rte_mempool *pool;
    uint16_t port;
    struct rte_ring *rx[HALL_IOS], *tx[HALL_IOS];
    struct rte_ring *actions[HALL_IOS][HALL_SHARDS], **actions_by_io[HALL_IOS], *replies[HALL_IOS];
    struct rte_ring *asks[HALL_IOS], *verdicts[HALL_IOS];
    struct vx_admission *admission;
    struct vx_io *ios[HALL_IOS];
    struct vx_shard_lcore *lane;
    struct netcode_backend backend;
    uint64_t now, unix_s;       /* cycles of a clock that has 1e9 a second; Unix time */
    struct netcode_player clients[HALL_CLIENTS];
    uint32_t numbers[HALL_CLIENTS], seen[HALL_CLIENTS];
    uint32_t count, bad_packets, packets;
    struct hall_answer answers[HALL_ANSWERS];
};
bool hall_eal(void); /* once */
struct hall *hall_open(const struct hall_options *options);
/* Books balance, every buffer is back, every invariant of sessions, admission and shards holds. */
void hall_close(struct hall *hall);

/* Client `number` with a fresh token, at its own address. */
struct netcode_player *hall_client(struct hall *hall, uint32_t number, uint64_t client_id);
bool hall_put(struct hall *hall, uint32_t queue, const struct netcode_player *client, const uint8_t *payload, uint32_t bytes);
/* What the client's state calls for. */
bool hall_put_next(struct hall *hall, uint32_t queue, uint32_t number);
bool hall_put_action(struct hall *hall, uint32_t queue, uint32_t number, uint8_t type);
bool hall_put_disconnect(struct hall *hall, uint32_t queue, uint32_t number);
/* One pass of both io lcores and the shard lcore; then what the device was given goes to the clients. */
void hall_pass(struct hall *hall);
void hall_wait(struct hall *hall, uint32_t ms); /* passes every 10 ms */
bool hall_connect(struct hall *hall, uint32_t queue, uint32_t number);
const struct vx_wire_long *hall_answer(const struct hall *hall, uint32_t client, uint8_t type); /* the latest; NULL */
uint64_t hall_drops(const struct hall *hall, enum vx_drop drop);
const struct vx_shard_counters *hall_shard(const struct hall *hall, uint32_t shard);
uint64_t hall_online(const struct hall *hall);

#endif
