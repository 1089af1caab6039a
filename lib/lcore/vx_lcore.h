/* lcore: what the polling cores do. vx_io_step() and vx_shard_lcore_step() make one pass and return the
 * work done; the loop around them, its clock and its idle policy are in app/. Each struct belongs to
 * one lcore; what two lcores share is a ring or a single-writer counter.
 *
 *  NIC queue ─▶ vx_io_step ─▶ action ring [io][shard] (SPSC, 64 B) ─▶ vx_shard_lcore_step
 *      ▲            ▲                                                     │     │      │
 *      └── tx ◀─────┴──────── reply ring [shard lcore][io] (SPSC, 48 B) ◀─┘   jobs   grants */
#ifndef VX_LCORE_H
#define VX_LCORE_H

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "vx_base.h"
#include "vx_formula.h"
#include "vx_rules.h"
#include "vx_session.h"
#include "vx_shard.h"
#include "vx_trace.h"
#include "vx_wire.h"

/* io: rw, control: ro. packets_in = Σ drops[] (drops[NONE] are the accepted).
 * actions_in = actions_queued + Σ actions_shed[]. */
struct vx_io_counters {
    uint64_t packets_in, bytes_in, packets_out, bytes_out;
    uint64_t packets_out_96;   /* of packets_out, frames of up to 96 bytes: those that ENA's LLQ takes along with the descriptor */
    uint64_t packets_spread;   /* given to the io lcore that their flow belongs to; not in packets_in here */
    uint64_t drops[VX_DROP_COUNT];
    uint64_t actions_in, actions_queued, actions_shed[VX_SHED_CLASSES];
    uint64_t busy_answers;     /* BUSY sent for shed actions (bounded rate) */
    uint64_t replies_in;       /* taken from reply rings */
    uint64_t replies_out;      /* results that left in packets */
    uint64_t replies_dropped;  /* no mbuf, or the tx queue stayed full, or late */
    uint64_t replies_late;     /* for sessions that had ended */
    uint64_t notices_queued;   /* JOIN and PART told to shards */
    uint64_t sessions_ended;
    uint64_t tx_full, paced;   /* bursts cut short by the device, by the allowance */
    uint64_t bursts;           /* polls that found packets */
};
struct vx_arenas;

struct vx_io_config {
    uint16_t port, queue;
    uint32_t index;            /* this io lcore, 0.. */
    struct rte_mempool *pool;
    struct vx_frame_filter filter;
    bool answers_control;      /* owned port */
    bool rx_checksums;         /* the port verifies: trust mbuf flags */
    bool tx_checksums;         /* the port computes IPv4's and UDP's */
    /* Where the card cannot hash UDP to its queues, the io lcores of the port spread flows among themselves: spread[i] leads
     * to the i-th of them, many producers, one consumer, struct rte_mbuf *. spread_count 0: the card's own hash is enough. */
    struct rte_ring **spread;
    uint32_t spread_count, spread_index; /* own place among them */
    struct vx_rules_lane *rules; /* who may not send; NULL: the port's driver sees to it */
    uint32_t players, shards;
    uint64_t window_cycles;    /* coalescing window */
    uint64_t cycles_per_s;
    uint64_t packets_per_s;    /* transmit allowance, 0: none */
    uint32_t busy_per_s;
    struct rte_ring **actions; /* [shard]: single producer, single consumer, struct vx_event */
    struct rte_ring **replies; /* [reply_rings] */
    uint32_t reply_rings;
    /* netcode only; NULL: plain transport */
    const struct vx_session_netcode_config *netcode; /* read by create */
    const uint64_t *unix_s;    /* control: rw, io: ro, atomic: the time by which tokens expire */
    struct rte_ring *asks, *verdicts; /* this lcore's, to and from admission: struct vx_admission_ask, _verdict */
    struct vx_admission *admission;   /* on the lcore that owns it, with every lcore's rings */
    struct rte_ring **admission_asks, **admission_verdicts; /* [admission_lcores] */
    uint32_t admission_lcores;
    int numa;
};
struct vx_io;
/* Start-up. Memory from DPDK on config->numa. */
int vx_io_create(const struct vx_io_config *config, struct vx_io **io, struct vx_error *error);
/* Control thread: new values for window_cycles, packets_per_s and busy_per_s, taken at the next pass. */
void vx_io_tune(struct vx_io *io, uint64_t window_cycles, uint64_t packets_per_s, uint32_t busy_per_s);
/* Control thread, netcode: from now on nobody new is let in, and every client is told that the server goes; done when all
 * have been. Plain transport: nothing to do. */
void vx_io_goodbye(struct vx_io *io);
bool vx_io_goodbye_done(const struct vx_io *io);
/* Tests: every invariant of its sessions, by a full walk. */
void vx_io_check(const struct vx_io *io);
/* NULL on the plain transport. */
const struct vx_session_counters *vx_io_sessions(const struct vx_io *io);
/* One pass: rx burst, parse, open, decode to rings. now: TSC. Returns packets taken. */
uint32_t vx_io_receive(struct vx_io *io, uint64_t now);
/* One pass: drain replies, coalesce, seal, transmit what is due. Returns replies + packets handled. */
uint32_t vx_io_send(struct vx_io *io, uint64_t now);
const struct vx_io_counters *vx_io_counters(const struct vx_io *io);
/* Time from rx_burst's return to the tx_burst call, in cycles: packets with an urgent answer; the others. */
const struct vx_hist *vx_io_residence(const struct vx_io *io, bool urgent);

struct vx_shard_lcore_config {
    uint32_t index;               /* this shard lcore: formula lane, ledger lane */
    uint32_t shard_first, shard_count, shard_step; /* shards first, first+step, … */
    uint32_t io_count;
    struct rte_ring ***actions;   /* [io][shard] */
    struct rte_ring **replies;    /* [io]: this lcore's reply ring to that io lcore */
    struct vx_formula *formula;   /* NULL in tests without */
    struct rte_ring *grants, *acks; /* NULL in tests without */
    struct vx_shard_config shard; /* .shard is set per shard */
    struct vx_trace *trace;       /* where a feed of actions and results goes while one is wanted; NULL: nowhere */
    struct vx_arenas *arenas;     /* one per shard of the appliance, by shard number */
    int numa;
};
struct vx_shard_lcore_counters {
    uint64_t events, jobs, grants, replies, replies_dropped;
    uint64_t jobs_stale; /* waited for a place in a batch for as long as their shard waits for an answer */
};
struct vx_shard_lcore;
/* Must run on the lcore that will step it: mimalloc heaps belong to their thread. */
int vx_shard_lcore_create(const struct vx_shard_lcore_config *config, struct vx_shard_lcore **lcore, struct vx_error *error);
/* One pass: answers of formulas and ledger, then every shard's actions and due timers; what they say goes into the rings.
 * now_us never goes back. Returns events taken. */
uint32_t vx_shard_lcore_step(struct vx_shard_lcore *lcore, uint64_t now_us);
enum { VX_LCORE_EVERY_SHARD = UINT16_MAX };
/* Control thread. Events for its shards, stepped in the next passes: VX_EVENT_DRAIN, PAUSE, RESUME, TUNE, with .shard, or
 * VX_LCORE_EVERY_SHARD. False when the lcore has not taken the last 63: it stands still. */
bool vx_shard_lcore_tell(struct vx_shard_lcore *lcore, const struct vx_event *event);
enum vx_lcore_question { VX_ASK_PLAYER, VX_ASK_MATCH };
union vx_lcore_answer {
    struct vx_player_view player;
    struct vx_match_view match;
};
/* Control thread. A copy of one player (key: slot) or match (key: match), made by the lcore between two steps; waits at
 * most timeout_us. 0; -ENOENT: no such match; -ETIMEDOUT: the lcore stands still. */
int vx_shard_lcore_ask(struct vx_shard_lcore *lcore, uint32_t shard, enum vx_lcore_question question, uint32_t key, union vx_lcore_answer *answer, uint32_t timeout_us);
/* Its shards in order, NULL from shard_count on; and what it has counted. Any thread reads relaxed. */
struct vx_shard *vx_shard_lcore_shard(const struct vx_shard_lcore *lcore, uint32_t index);
const struct vx_shard_lcore_counters *vx_shard_lcore_counters(const struct vx_shard_lcore *lcore);
/* Work still under way: events, jobs and grants that have not come back. */
uint64_t vx_shard_lcore_pending(const struct vx_shard_lcore *lcore);

#endif
