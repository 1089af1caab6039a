/* veltrix-load, private: what its files share. One thread, one port, one queue; the flow is
 * options.c -> device.c -> games.c (turns.c sends, answers.c receives) or bounce.c -> report.c. Over netcode
 * games.c is also driven by netcode.c (sessions), and packets go through netcode_packets.c. */
#ifndef VELTRIX_LOAD_H
#define VELTRIX_LOAD_H

#include <stdio.h>

#include <rte_cycles.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "vx_base.h"
#include "vx_wire.h"

enum load_device { LOAD_DEVICE_NONE,
                   LOAD_DEVICE_MEMIF,
                   LOAD_DEVICE_AF_XDP,
                   LOAD_DEVICE_VDEV,
                   LOAD_DEVICE_PCI };

struct load_options {
    uint32_t players;
    double rate; /* actions a second, all players together */
    double seconds;
    double pace; /* bounce: packets a second, 0: no limit */
    bool bounce, no_huge, quiet;
    uint32_t server_ip, client_ip; /* network order */
    struct rte_ether_addr server_mac, client_mac;
    uint16_t udp_port;
    uint32_t cpu;
    enum load_device device;
    const char *device_argument;
    uint32_t window, actions; /* bounce: packets outstanding; actions in each */
    const char *json_path, *receipts_path;
    uint64_t seed;
    /* netcode */
    const char *key_path; /* NULL: the plain transport */
    bool is_netcode;
    uint64_t protocol_id, client_first; /* client ids count from client_first */
    uint32_t token_s, timeout_s;
    double arrive;  /* sessions that begin a second; 0: all at once */
    uint32_t storm; /* the last so many players arrive at once, while the others play */
    double flood;   /* packets of a flood for each packet of the players */
};

enum {
    LOAD_FRAME_HEAD_BYTES = 42, /* Ethernet, IPv4, UDP */
    LOAD_TURN_ACTIONS_MAX = 4,
    LOAD_TURNS_OUTSTANDING_MAX = 4, /* per player */
    LOAD_RESENDS_MAX = 10,
    LOAD_RESEND_MS = 300,
    LOAD_ACK_MS = 500, /* most acknowledgements ride on the next action before that */
    LOAD_SPEED_CM_S = 800,      /* a fifth below the server's 1000: the two clocks see different gaps */
    LOAD_STRIDE_MS_MAX = 2000,  /* time saved up for one step */
    LOAD_SUMMON_RANGE_CM = 100, /* inside any sensible chest range */
    LOAD_STUCK_MS = 60000,      /* searching or proposed for longer: ask again */
    LOAD_CHESTS_MAX = 32,
};
static const uint64_t LOAD_MS = 1000000; /* nanoseconds */

/* One packet that waits for answers. Its bytes are not kept: they follow from these fields. */
struct load_turn {
    uint64_t scheduled_ns; /* when the arrival process wanted it: latency counts from here */
    uint32_t number;       /* of the first action */
    uint32_t match;
    int16_t x_cm, y_cm; /* where its MOVEs go */
    uint8_t chest;
    uint8_t count;
    uint8_t open; /* bit i: action i has no answer yet; 0: the slot is free */
    uint8_t resends;
    uint8_t types[LOAD_TURN_ACTIONS_MAX];
};
static_assert(sizeof(struct load_turn) == 32, "four of them in two cache lines");

enum load_phase { LOAD_LOBBY,
                  LOAD_SEARCHING,
                  LOAD_PROPOSED,
                  LOAD_ACCEPTED,
                  LOAD_HUNTING };

struct load_player {
    struct load_turn turns[LOAD_TURNS_OUTSTANDING_MAX];
    uint64_t phase_ns; /* since when in this phase */
    uint64_t moved_ns;
    uint32_t number; /* of the next action */
    uint32_t seen;   /* highest reliable result received in order */
    uint32_t told;   /* highest `seen` that a packet has carried */
    uint32_t match, hunt_seed;
    uint32_t chests_closed; /* taken, or asked for */
    int16_t x_cm, y_cm;
    int16_t confirmed_x_cm, confirmed_y_cm; /* where the server last agreed that we are */
    uint8_t phase;
    uint8_t chests;
    bool has_played; /* a hunt has ended since the last FIND */
    bool ack_queued;
} VX_ALIGNED;
static_assert(sizeof(struct load_player) <= 256, "a million players in 256 MB");

/* Timers of one length fire in the order they were set, so a ring is all it takes. */
struct load_timer {
    uint64_t due_ns;
    uint32_t player;
    uint32_t number; /* of the turn's first action; unused by acknowledgements */
};
struct load_timers {
    struct load_timer *items;
    uint32_t mask, head, tail; /* free-running; tail - head items */
};

/* A growing set of 64-bit keys with a value each (open addressing; key 0 is kept apart by mixing). */
struct load_set {
    uint64_t *keys;
    uint32_t *values;
    uint64_t capacity, count;
};

struct load_stats {
    uint64_t actions_sent, actions_answered, actions_refused, actions_busy, actions_given_up;
    uint64_t answers_wrong, answers_repeated, results_early, results_repeated;
    uint64_t chests, chests_doubled, matches, grants; /* chests: opened by our players; each is owed a grant */
    uint64_t packets_sent, packets_received, packets_resent, packets_lost, packets_foreign;
    uint64_t turns_sent, turns_skipped;
    double seconds;
    struct vx_hist latency_ns, latency_second_ns; /* of the run; of the second under way */
    /* netcode. over: sessions that have ended before their time, for whichever reason */
    uint64_t sessions_connected, sessions_denied, sessions_failed, sessions_lost, sessions_over;
    uint64_t requests_sent, keep_alives_sent, keep_alives_received, packets_forged;
    uint64_t unproved_bytes_sent, unproved_bytes_received; /* of requests; what came back before the challenge was answered */
    uint64_t packets_players, packets_disturbed, packets_flood; /* disturbed: the players' while a flood was under way */
    double connect_seconds, storm_seconds;
    struct vx_hist connect_ms;
    struct vx_hist latency_quiet_ns, latency_disturbed_ns; /* without and with a storm or flood under way */
};

enum { LOAD_TX_MAX = 64 };
struct load {
    struct load_options options;
    struct load_stats stats;
    struct load_player *players;
    uint32_t *order;  /* a permutation of the players: the order of their turns */
    uint32_t playing; /* of order, the first so many have turns */
    bool disturbed;   /* a storm or a flood is under way */
    struct load_netcode *netcode; /* NULL: the plain transport */
    struct load_timers resend, ack;
    struct load_set chests, receipts, matches;
    FILE *receipts_file;
    struct vx_rng rng;
    struct rte_mempool *pool;
    struct rte_mbuf *tx[LOAD_TX_MAX];
    uint32_t tx_count;
    uint16_t port;
    uint64_t tsc_start;
    double ns_per_cycle;
};

static inline uint64_t load_now_ns(const struct load *load)
{
    return (uint64_t)((double)(rte_rdtsc() - load->tsc_start) * load->ns_per_cycle);
}
/* Free places for frames: turns wait when there are none. */
static inline uint32_t load_tx_room(const struct load *load)
{
    return LOAD_TX_MAX - load->tx_count;
}

/* options.c: 0, or a negative errno with the sentence; 1 when help was asked for. */
int load_options_parse(int argc, char **argv, struct load_options *options, struct vx_error *error);
void load_options_usage(FILE *file);

/* device.c: EAL, port, pool; waits for the link. */
int load_device_open(struct load *load, const char *program, struct vx_error *error);
void load_device_close(struct load *load);
void load_tx_flush(struct load *load);
/* The frame will leave with the next flush, which comes by itself when there is no room for another. */
void load_tx_add(struct load *load, struct rte_mbuf *mbuf);
/* Players are spread over source ports, so that RSS spreads them too. */
uint16_t load_source_port(uint32_t player);
/* Writes Ethernet, IPv4 and UDP headers (LOAD_FRAME_HEAD_BYTES) for a payload. ip in network order. UDP
 * checksum 0, "none", as IPv4 allows. */
void load_frame_head(const struct load_options *options, uint32_t ip, uint16_t port, uint32_t payload_bytes, uint8_t *frame);
/* A frame with room for the payload, its headers written, from the player's source port; NULL: no buffer. ip in network order. */
struct rte_mbuf *load_frame_new(struct load *load, uint32_t ip, uint32_t player, uint32_t payload_bytes);
/* The UDP payload of a frame from the server's port, and which address (network order) and port it is for; NULL for anything
 * else (ARP, IPv6 noise of the link). */
uint8_t *load_payload_find(const struct load *load, struct rte_mbuf *mbuf, uint32_t *bytes, uint32_t *ip, uint16_t *port);

/* set.c */
bool load_set_add(struct load_set *set, uint64_t key, uint32_t value, uint32_t *present); /* false: was there, *present its value */
void load_set_free(struct load_set *set);
void load_timers_create(struct load_timers *timers, uint64_t items);
bool load_timers_push(struct load_timers *timers, struct load_timer timer);                  /* false: full */
const struct load_timer *load_timers_due(const struct load_timers *timers, uint64_t now_ns); /* NULL: none */

/* turns.c: what players send. Returns the number of actions, 0 when the turn was skipped. */
uint32_t load_turn_play(struct load *load, uint32_t player, uint64_t scheduled_ns, uint64_t now_ns);
void load_turns_resend(struct load *load, uint64_t now_ns);
void load_acks_send(struct load *load, uint64_t now_ns);
void load_phase_set(struct load_player *player, enum load_phase phase, uint64_t now_ns);

/* answers.c: what players receive. id: whose it is, or LOAD_PLAYER_SAID: the payload says so. */
enum { LOAD_PLAYER_SAID = -1 };
void load_answers_take(struct load *load, uint32_t id, const uint8_t *payload, uint32_t bytes, uint64_t now_ns);

/* games.c, bounce.c: one whole run; 0 or a negative errno. load_stop ends it early. */
int load_games_run(struct load *load);
int load_bounce_run(struct load *load);
bool load_stop_requested(void);
/* A permutation of `first` players, followed by one of the rest. */
uint32_t *load_order_create(uint32_t players, uint32_t first, struct vx_rng *rng);

/* report.c */
uint64_t load_actions_unaccounted(const struct load_stats *stats);
void load_report_second(struct load *load, double seconds);
int load_report_final(const struct load *load);

#endif
