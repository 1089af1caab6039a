/* What the simulator's files share. Flow of a step: run.c moves the clock, asks which faults are in force,
 * lets players act, network deliver, appliance.c make its passes, and shows all that crossed to the model. */
#ifndef SIM_PRIVATE_H
#define SIM_PRIVATE_H

#include <rte_ring.h>
#include <stdio.h>

#include "formula_private.h"
#include "sim.h"

struct rte_mempool;
struct model;

/* ---- appliance.c: the production objects, started and ended as often as a plan says ---- */
enum { APPLIANCE_FEED_MAX = 64 }; /* events of an io lcore that a shard gets in a pass: one burst of its lcore's, so all are taken */
struct appliance {
    uint32_t epoch, generation;
    uint16_t port;
    struct rte_ring *rx[SIM_IOS_MAX], *tx[SIM_IOS_MAX]; /* the device */
    struct rte_mempool *rx_pool, *pool;
    struct rte_ring *actions_io[SIM_IOS_MAX][SIM_SHARDS_MAX], *actions_shard[SIM_IOS_MAX][SIM_SHARDS_MAX];
    struct rte_ring *replies_shard[SIM_LANES_MAX]; /* for all io lcores, so that a shard's replies keep their order */
    struct rte_ring *replies_shard_lists[SIM_LANES_MAX][SIM_IOS_MAX], *replies_io[SIM_IOS_MAX][SIM_LANES_MAX];
    struct rte_ring *grants[SIM_LANES_MAX], *acks[SIM_LANES_MAX];
    struct rte_ring **actions_io_lists[SIM_IOS_MAX], **actions_shard_lists[SIM_IOS_MAX];
    struct vx_io *io[SIM_IOS_MAX];
    struct vx_shard_lcore *lanes[SIM_LANES_MAX];
    struct vx_formula *formula;
    struct vx_arenas *arenas;
};

/* ---- network.c: frames under way, in order of their arrival ---- */
struct frame {
    uint64_t due_us, order;
    uint32_t player;  /* whose; to the appliance: the sender */
    uint16_t bytes;
    bool to_appliance, is_spoilt;
    uint8_t io;       /* queue of the device, as RSS chooses */
    uint8_t data[SIM_FRAME_BYTES];
};
struct network {
    struct frame **heap;
    uint32_t count, capacity;
    struct frame *free;
    uint64_t order;
    struct vx_rng in, out;
};

/* ---- players.c ---- */
enum phase { PHASE_LOBBY, PHASE_SEARCHING, PHASE_PROPOSED, PHASE_ACCEPTED, PHASE_HUNTING };
enum habit { HABIT_DECLINER = 1, HABIT_DEAF = 2, HABIT_VANISHER = 4, HABIT_CHEAT = 8, HABIT_LEAVER = 16, HABIT_IDLER = 32 };
struct player_sim {
    struct vx_rng rng;
    uint64_t due_us;
    uint32_t habits; /* enum habit bits */
    uint32_t address; /* changes when it comes back from elsewhere */
    uint32_t number;  /* of the next action */
    uint32_t seen;    /* highest result received in order */
    uint32_t match, hunt_seed, chests, opened;
    uint32_t invited; /* to this party; 0: to none */
    uint64_t phase_us, waits_us; /* waits: an action is out since; 0: none */
    uint32_t waits_number, resends;
    int32_t at_cm[2];
    uint64_t moved_us;
    uint8_t phase;           /* enum phase */
    uint8_t last[16 + 16 * 16]; /* payload of the latest packet, for sending it again */
    uint32_t last_bytes;
};

/* ---- worker.c ---- */
struct worker_sim {
    struct vx_rng rng;
    uint64_t free_us;      /* when it has done what it holds */
    uint32_t version[VX_FORMULA_KINDS];
    bool was_dead;
    uint64_t held;         /* lane, kind, index + 1 of the batch that it is at; 0: none */
};

/* ---- ledger.c: what is durable outlives every crash ---- */
struct ledger_sim {
    struct vx_rng rng;
    struct vx_grant *rows;      /* durable */
    uint32_t row_count, row_capacity;
    struct vx_grant *taken[SIM_LANES_MAX]; /* in the open transaction */
    uint32_t taken_count[SIM_LANES_MAX];
    uint64_t done_us;           /* when the open transaction is durable; 0: none */
    struct vx_event *acks[SIM_LANES_MAX];
    uint32_t ack_count[SIM_LANES_MAX];
    uint32_t *index;            /* open addressing over rows by key, row + 1 */
    uint32_t index_size;
};

struct sim {
    const struct sim_plan *plan;
    struct sim_report *report;
    struct model *model;
    uint64_t now_us;        /* of the run; never goes back */
    uint64_t shard_us;      /* what shards are told: now plus start and jumps */
    uint64_t ms;            /* since the run began, jumps left out: what fault times refer to */
    struct vx_rng fault_rng[SIM_FAULT_KINDS];
    uint32_t force[SIM_FAULT_KINDS]; /* per 1000, 0 when not in force */
    uint64_t begun, over;   /* bit per fault of the plan */
    uint64_t checked_ms;
    bool healing;           /* the end: no faults, players fall silent */
    struct appliance appliance;
    struct network network;
    struct worker_sim worker;
    struct ledger_sim ledger;
    struct player_sim *players;
};

/* True with the probability of the fault that is in force, and counted when it strikes. */
bool sim_strikes(struct sim *sim, enum sim_fault_kind kind);
void sim_digest(struct sim *sim, const void *bytes, size_t count);

/* What is played. */
const struct vx_shard_mode *appliance_modes(const struct sim_plan *plan, uint32_t *count);
/* What cheats choose from, from 1 on: the model of duels does not know parties. */
uint32_t players_actions(const struct sim_plan *plan);
void appliance_open(struct sim *sim);  /* device and pools: once */
void appliance_start(struct sim *sim); /* shards, lcores, rings: with the next epoch */
void appliance_stop(struct sim *sim);

/* tap.c */
void tap_open(struct sim *sim);
void tap_start(struct sim *sim);
void appliance_pass(struct sim *sim);
void tap_balance(struct sim *sim, bool at_rest);

void network_open(struct sim *sim);
/* Takes a frame over: loses, doubles, delays, spoils it as is in force. */
void network_send(struct sim *sim, struct frame *frame);
struct frame *network_frame(struct sim *sim);
void network_free(struct sim *sim, struct frame *frame);
/* Next frame that has arrived by now; the caller frees it. NULL: none. */
struct frame *network_take(struct sim *sim);

/* frames.c */
struct way { /* from where a player sends */
    uint32_t player, address;
};
void frame_write(struct frame *frame, const struct way *way, const void *payload, uint32_t bytes);
/* The payload of a frame that the appliance has taken or sent; ends the run when lengths contradict. Returns its length. */
uint32_t frame_payload(const uint8_t *data, uint32_t bytes, const uint8_t **payload);
/* NULL when answer is headed back to where request (SIM_FRAME_BYTES of it) came from, with every length and checksum right; else what is wrong. */
const char *frame_check_answer(const uint8_t *request, const uint8_t *answer, uint32_t bytes);
bool frame_ways_differ(const uint8_t *a, const uint8_t *b);
/* Where a frame from the appliance goes. */
struct way frame_way(const uint8_t *data);

void players_open(struct sim *sim);
void players_act(struct sim *sim);
void players_hear(struct sim *sim, const struct frame *frame);
/* player_turn.c: what a player does next; actions into `actions` (16 places), returns how many. */
uint32_t player_turn(struct sim *sim, uint32_t player, struct vx_wire_action *actions);

void worker_open(struct sim *sim);
struct vx_formula *worker_formula(uint32_t lanes);
void worker_work(struct sim *sim);
void ledger_open(struct sim *sim);
void ledger_work(struct sim *sim);
void ledger_crash(struct sim *sim); /* what is not durable is lost */
const struct vx_grant *ledger_row(const struct sim *sim, uint32_t shard, uint32_t epoch, uint32_t chest);

#endif
