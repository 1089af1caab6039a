/* A stage for the lcores' passes: a device made of two rings, one io lcore, one or two shard lcores, all stepped
 * by hand under a clock that the test moves; and players whose frames are made by hand. */
#ifndef LCORE_TEST_H
#define LCORE_TEST_H

#include "vx_lcore.h"
#include "vx_memory.h"
#include "vx_test.h"

enum {
    STAGE_PLAYERS = 2048,
    STAGE_MBUFS = 8191,
    STAGE_WINDOW = 1000000,     /* cycles; the made-up clock has 1e9 a second */
    STAGE_LANES_MAX = 2,
    STAGE_SHARDS_MAX = 4,
    STAGE_ANSWERS = 32768,
    GAME_PORT = 40000,
    PLAYER_PORT = 20000,
};

struct stage_options {
    uint32_t shards, lanes;     /* 0: 2 shards, 1 lane */
    uint32_t action_ring;       /* 0: 1024 */
    uint32_t tx_ring;           /* 0: 4096 */
    uint32_t busy_per_s;
    uint64_t packets_per_s;
    uint32_t repeat_ms;         /* 0: 60 s */
    bool real_clock, answers_control;
    struct vx_formula *formula;
    bool grants;
};
struct answer {
    uint32_t player, packet;
    uint8_t type, code;
    uint16_t arg16;
    uint32_t action_number, result_number, a, b, c;
};
struct stage {
    struct stage_options options;
    uint16_t port;
    struct rte_mempool *pool;
    struct rte_ring *rx, *tx;
    struct rte_ring *actions[STAGE_SHARDS_MAX], **actions_by_io[1], *replies[STAGE_LANES_MAX], *lane_replies[STAGE_LANES_MAX][1];
    struct rte_ring *grants, *acks;
    struct vx_io *io;
    struct vx_shard_lcore *lanes[STAGE_LANES_MAX];
    uint64_t now;               /* cycles */
    uint32_t numbers[STAGE_PLAYERS], seen[STAGE_PLAYERS];
    uint32_t packets;           /* taken from the device */
    uint32_t bad_packets;       /* of those, not as they must be */
    uint32_t count;
    struct answer answers[STAGE_ANSWERS];
};

/* Way that a player's frames take. */
enum frame_way { WAY_IP4, WAY_VLAN, WAY_QINQ, WAY_IP6, WAY_VLAN_IP6, WAYS };

bool stage_eal(void); /* once */
struct stage *stage_make(const struct stage_options *options);
/* Everything out, pool full again, device gone. */
void stage_end(struct stage *stage);

/* One pass of each; step moves the shards' clock to the stage's. */
void stage_receive(struct stage *stage);
void stage_step(struct stage *stage);
void stage_send(struct stage *stage);
void stage_pass(struct stage *stage); /* all three */
/* Takes what the device was given, checks every frame, appends the answers. Returns packets. */
uint32_t stage_collect(struct stage *stage);
/* Passes, windows, collections until nothing comes any more. */
void stage_settle(struct stage *stage);

void server_addresses(uint32_t *address4, uint8_t address6[16]);
struct vx_wire_action action(uint8_t type);
/* Sends a packet of actions for the player; its numbers go on. False when the device's ring is full. */
bool stage_put(struct stage *stage, uint32_t player, enum frame_way way, const struct vx_wire_action *actions, uint32_t count);
bool stage_put_one(struct stage *stage, uint32_t player, uint8_t type);
/* The frame alone, in a new mbuf that is not on its way yet. */
struct rte_mbuf *stage_frame(struct stage *stage, uint32_t player, enum frame_way way, const struct vx_wire_action *actions, uint32_t count);
bool stage_enqueue(struct stage *stage, struct rte_mbuf *mbuf);
void stage_put_arp(struct stage *stage);
const struct answer *stage_answer(const struct stage *stage, uint32_t player, uint8_t type); /* the latest; NULL */
uint32_t stage_answers(const struct stage *stage, uint8_t type, int code); /* code -1: any */
void accounts_balance(const struct stage *stage);

#endif
