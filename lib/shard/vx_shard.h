/* shard: one deterministic matchmaking state machine. vx_shard_step() takes the time, a batch of
 * events, and writes replies, formula jobs and ledger grants. No I/O, no clock, no lock, no
 * allocation after creation; randomness only from the shard's seed. Same inputs, same outputs.
 * One thread at a time may use a shard. */
#ifndef VX_SHARD_H
#define VX_SHARD_H

#include "vx_base.h"
#include "vx_mode.h"
#include "vx_wire.h"

enum vx_event_kind {
    VX_EVENT_ACTION = 1, /* a player's action */
    VX_EVENT_JOB_DONE,   /* a formula's answer: number = job id, out[], c = formula version */
    VX_EVENT_GRANT_DONE, /* the ledger has committed: number = chest number (receipt's low half) */
    VX_EVENT_DRAIN,      /* no new games from now on: FIND is refused, games under way go on */
    VX_EVENT_JOIN,       /* a transport with sessions has connected a client to the slot: fields below */
    VX_EVENT_PART,       /* that connection (io and session) has ended: arg8 = enum vx_part */
    VX_EVENT_PAUSE,      /* no new matches from now on: tickets are taken and wait */
    VX_EVENT_RESUME,     /* undoes DRAIN and PAUSE */
    VX_EVENT_TUNE,       /* a setting: number = enum vx_shard_setting, a = its value, checked by who sends it */
    VX_EVENT_FORMULAS,   /* formulas that are kept as tables have another version: ask for the tables again */
    VX_EVENT_MODE,       /* number = mode; words of struct vx_mode: arg16 = the first, a, b, c = their values; or, arg8 = 1: all have come */
    VX_EVENT_KINDS,
};
/* JOIN: player = display id, io and session where it is reached, number = connection number (grows with every
 * connection of the appliance: what comes late from an older one is passed over), arg8 = enum vx_join,
 * arg16 = roles, a = rating (0: none known), b = deviation, c = party, seen = players in the party, out = struct vx_join_profile,
 * received_cycles = struct vx_join_traits.
 * A slot that has been joined once takes actions from its connection only, and idle_ms does not apply to it. */
enum vx_join { VX_JOIN_NEW, VX_JOIN_RESUME }; /* another client than the slot had: begins from nothing; the same one again */
enum vx_part { VX_PART_LOST, VX_PART_CLOSED }; /* grace_ms begin; the player left on purpose */
struct vx_join_traits { /* in vx_event.received_cycles */
    uint8_t attributes[VX_MATCH_ATTRIBUTES];
    uint16_t sets[VX_MATCH_SETS]; /* 0: any */
};
struct vx_join_profile { /* in vx_event.out: latencies to regions 1 to 8 in ms, 0: not known */
    uint16_t latency_ms[VX_MATCH_REGIONS];
};
struct vx_event {
    /* As an action lies on the wire, so that it is copied whole (struct vx_wire_action). */
    uint8_t type; /* enum vx_action */
    uint8_t arg8;
    uint16_t arg16;
    uint32_t a, b, c;
    /* The same for every action of a packet. */
    uint8_t kind;
    uint8_t io;   /* io lcore that holds the session */
    uint16_t shard;
    uint32_t session; /* the io lcore's name for the player, returned in replies */
    uint32_t player;  /* player id */
    uint32_t slot;    /* the player's slot in this shard: below players_max */
    uint64_t received_cycles; /* TSC at rx_burst's return; carried, never read */
    uint32_t seen;    /* highest result number that the player has received in order */
    uint32_t number;  /* action number, job id or chest number */
    float out[4];     /* JOB_DONE */
};
static_assert(sizeof(struct vx_event) == 64, "one event, one cache line");
static_assert(sizeof(struct vx_join_profile) == sizeof(((struct vx_event *)0)->out), "a profile travels in out");
static_assert(sizeof(struct vx_join_traits) == sizeof(uint64_t), "traits travel in received_cycles");

enum { VX_REPLY_URGENT = 1 }; /* leaves at the end of this pass; others wait for the window */
struct vx_reply {
    /* As a result lies on the wire, so that it is copied whole (struct vx_wire_long, of which vx_wire_short is the beginning). */
    uint8_t type; /* enum vx_result */
    uint8_t code;
    uint16_t arg16;
    uint32_t action_number;
    uint32_t result_number;
    uint32_t a, b, c;
    /* For whom. */
    uint32_t session;
    uint32_t player;
    uint64_t received_cycles; /* of the action answered; 0 for notices and repeats */
    uint8_t io;
    uint8_t flags;
    uint16_t shard;
    uint32_t reserved;
};
static_assert(sizeof(struct vx_reply) == 48, "reply ring element");

enum vx_formula_kind { VX_FORMULA_BATTLE, VX_FORMULA_LOOT, VX_FORMULA_PAIRING, VX_FORMULA_RATING, VX_FORMULA_SCORE, VX_FORMULA_KINDS };
enum { VX_JOB_INPUTS = 6, VX_JOB_OUTPUTS = 4 };
/* Inputs by kind (outputs in `out`):
 * battle:  attacker rating, target rating, distance m, weapon 0..3, target health, attacker streak -> damage, critical (0|1)
 * loot:    player rating, chest tier 0..3, chests left, hunt elapsed s, players in hunt, 0       -> item 1..65535, amount 1..
 * pairing: wait s, 0…                                                                             -> rating window
 * rating:  rating, 0…                                                                             -> gain
 * score:   of the first team: chests, of the other; best health, of the other; who has left 0..3, elapsed s -> 1 won, 0.5, 0 */
struct vx_job {
    uint8_t formula; /* enum vx_formula_kind */
    uint8_t reserved[3];
    uint32_t id;     /* the shard's own: comes back in VX_EVENT_JOB_DONE.number */
    uint64_t seed;   /* below 2^52, so that a double carries it */
    float in[VX_JOB_INPUTS];
    uint16_t shard;
    uint16_t reserved2;
    uint32_t reserved3[5];
};
static_assert(sizeof(struct vx_job) == 64, "job");

struct vx_grant {
    uint32_t shard, epoch, chest; /* the ledger's primary key */
    uint32_t player;
    uint32_t match;
    uint32_t item, amount;
    uint32_t slot;
    uint64_t receipt; /* shard << 52 | (epoch & 0xfffff) << 32 | chest */
    uint64_t granted_us;
    uint64_t reserved[2];
};
static_assert(sizeof(struct vx_grant) == 64, "grant");

/* Caller-owned arrays; a step stops before an event or timer whose outputs might not fit: vx_shard_replies_max(),
 * VX_STEP_JOBS_MAX, VX_STEP_GRANTS_MAX of them. */
enum { VX_STEP_OTHER_REPLIES = 32, /* beside one for each player of the largest match */
       VX_STEP_REPLIES_MAX = VX_MATCH_PLAYERS_MAX + VX_STEP_OTHER_REPLIES,
       VX_STEP_JOBS_MAX = 20,
       VX_STEP_GRANTS_MAX = 2 };
struct vx_shard_out {
    struct vx_reply *replies;
    struct vx_job *jobs;
    struct vx_grant *grants;
    uint32_t reply_count, reply_max;
    uint32_t job_count, job_max;
    uint32_t grant_count, grant_max;
};

struct vx_shard_mode {
    char name[VX_MATCH_NAME_BYTES];
    struct vx_mode mode;
};
struct vx_shard_config {
    uint32_t shard;       /* 0.. */
    uint32_t epoch;       /* boot epoch, from the ledger */
    uint32_t players_max; /* slots */
    uint32_t hunts_max;
    uint64_t seed;
    uint32_t proposal_ms;   /* time to accept */
    uint32_t search_ms_max; /* ticket expiry */
    uint32_t hunt_ms;       /* length of a hunt */
    uint32_t idle_ms;       /* silence after which a player is offline */
    uint32_t repeat_ms;     /* first repeat of an unacknowledged result; doubles */
    uint32_t repeats_max;   /* then the player is gone */
    uint32_t grace_ms;      /* how long a player whose connection was lost keeps its place in queue and hunt */
    uint32_t job_ms_max;    /* formula deadline */
    uint32_t speed_cm_s;    /* MOVE limit */
    uint32_t chest_range_cm;
    uint32_t strike_range_cm;
    uint32_t chests;        /* in a hunt, up to 8 */
    uint32_t cooldown_ms;   /* no FIND after the second proposal in a row that a player declines or lets pass; doubles. 0: none */
    uint32_t mode_count;    /* 0: duels, vx_mode_default */
    const struct vx_shard_mode *modes; /* copied */
    void *(*allocate)(void *context, size_t bytes, size_t alignment); /* only called by create; NULL means no room */
    void *allocate_context;
};

/* What VX_EVENT_TUNE may change while the shard runs; timers that run already keep their time. */
#define VX_SHARD_SETTINGS(X) X(proposal_ms) X(search_ms_max) X(hunt_ms) X(idle_ms) X(repeat_ms) X(repeats_max) X(grace_ms) X(job_ms_max) X(speed_cm_s) X(chest_range_cm) X(strike_range_cm) X(cooldown_ms)
enum vx_shard_setting {
#define VX_SHARD_SETTING_ENUM(name) VX_SHARD_##name,
    VX_SHARD_SETTINGS(VX_SHARD_SETTING_ENUM)
#undef VX_SHARD_SETTING_ENUM
        VX_SHARD_SETTING_COUNT
};

/* One writer (the shard's lcore); others read relaxed. Every row is exported by name. */
#define VX_SHARD_COUNTERS(X)                                                                       \
    X(actions_in) X(actions_answered) X(actions_refused) X(actions_repeated) X(actions_busy) X(actions_dropped_gone) X(moves) \
    X(jobs_sent) X(jobs_answered) X(jobs_late) X(jobs_timed_out)                                   \
    X(grants_sent) X(grants_done) X(grants_repeated)                                               \
    X(results_repeated) X(results_overflow) X(players_gone)                                        \
    X(joins) X(joins_resumed) X(joins_late) X(parts) X(parts_late) X(replies_held)                 \
    X(tickets_in) X(tickets_matched) X(tickets_cancelled) X(tickets_timed_out) X(tickets_gone)     \
    X(matches_proposed) X(matches_started) X(matches_settled) X(matches_abandoned) X(matches_declined) \
    X(players_returned) X(backfilled) X(party_joins) X(parties_refused)                            \
    X(chests_claimed) X(strikes) X(moves_too_fast)                                        \
    X(hunts_ended) X(hunt_ms) X(loot_amount)                                                       \
    X(favourites_low) X(favourites_middle) X(favourites_high)                                      \
    X(favourites_low_halves) X(favourites_middle_halves) X(favourites_high_halves)
/* hunt_ms and loot_amount are sums. A favourite is the better rated of two teams, by the band of both teams' mean
 * rating (below 1400, up to 1700, above); its halves are 2 for a win and 1 for a draw. Canaries of formulas are judged by these. */
struct vx_shard_counters {
    /* A gauge: STRIKE and SUMMON whose job is under way. actions_in = answered + refused + repeated + busy + dropped_gone +
     * actions_pending, always; what every action counts is on one cache line. */
    uint64_t actions_pending;
#define VX_SHARD_COUNTER_FIELD(name) uint64_t name;
    VX_SHARD_COUNTERS(VX_SHARD_COUNTER_FIELD)
#undef VX_SHARD_COUNTER_FIELD
    /* Gauges. */
    uint64_t players_online, players_searching, players_proposed, players_hunting, players_settling;
    uint64_t hunts_live, parties_live, grants_pending, jobs_pending;
    uint64_t draining, paused;  /* 0 or 1 */
    uint64_t ticket_oldest_ms;  /* how long the oldest ticket has waited, looked at every 50 ms */
};

/* How long tickets waited for their proposal, and how far apart the ratings of a proposal lay: the counts of
 * histograms with these upper bounds (inclusive), the last slot for what lies beyond. As counters: one writer. */
#define VX_SHARD_WAIT_BOUNDS_MS { 50, 100, 200, 500, 1000, 2000, 3000, 4000, 5000, 7500, 10000, 15000, 20000, 30000, 45000, 60000, 90000, 120000, 180000, 300000 }
#define VX_SHARD_DISTANCE_BOUNDS { 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1000 }
enum { VX_SHARD_WAIT_SLOTS = 21, VX_SHARD_DISTANCE_SLOTS = 15 };
struct vx_shard_quality {
    uint64_t wait_ms[VX_SHARD_WAIT_SLOTS], wait_ms_sum;
    uint64_t distance[VX_SHARD_DISTANCE_SLOTS], distance_sum;
};

struct vx_shard;
/* Returns 0, or -ENOMEM when allocate gave nothing, -EINVAL for a setting out of range. */
int vx_shard_create(const struct vx_shard_config *config, struct vx_shard **shard, struct vx_error *error);
/* Runs the timers that are due at now_us (never goes back), then the events in order. Returns how many
 * events were taken: fewer than count when `out` has filled up. received: order within arrays is kept. */
uint32_t vx_shard_step(struct vx_shard *shard, uint64_t now_us, const struct vx_event *events, uint32_t count, struct vx_shard_out *out);
/* Prefetches what the event will touch; call for a whole burst before stepping it. (A prefetch of an address that is not in
 * the TLB is dropped, which is why tables are coloured: vx_memory.h.) */
void vx_shard_prefetch(const struct vx_shard *shard, const struct vx_event *event);
const struct vx_shard_quality *vx_shard_quality(const struct vx_shard *shard);
const struct vx_shard_counters *vx_shard_counters(const struct vx_shard *shard);
/* Bytes that create takes from allocate with this configuration. */
size_t vx_shard_bytes(const struct vx_shard_config *config);
/* Checks every invariant that can be seen from inside by a full walk; for tests and the simulator. */
void vx_shard_check(const struct vx_shard *shard);
/* Prints the player's and the match's state tables as Markdown into buffer; returns its length. */
size_t vx_shard_tables_markdown(char *buffer, size_t bytes);
/* Adds to rows[i] how often this shard has taken the i-th row of those tables, in their order, up to rows_max of
 * them. Returns how many rows there are. Counted where VX_SLOW_ASSERTS is defined; the simulator asks. */
uint32_t vx_shard_rows_taken(const struct vx_shard *shard, uint64_t *rows, uint32_t rows_max);

/* For operators. Only on the shard's thread, between steps: a copy that holds together. */
/* Why a player is where it is; the sentence is for people. */
#define VX_WAIT_REASONS(X)                                                                         \
    X(NOTHING, "waits for nothing")                                                                \
    X(WINDOWS, "the pairing formula has not said its windows yet")                                 \
    X(DRAINING, "the shard is draining: no new matches")                                           \
    X(PAUSED, "the shard is paused: no new matches")                                               \
    X(HUNTS, "every hunt of the shard is taken (shards.hunts_max)")                                \
    X(ALONE, "no other ticket is in the queue")                                                    \
    X(DISTANCE, "the nearest rating lies outside a window; windows widen with every second")       \
    X(NEXT_LOOK, "a partner fits: matched at the next look")                                       \
    X(OWN_ACCEPT, "has not answered its proposal")                                                 \
    X(OTHER_ACCEPT, "has accepted; another has not")                                               \
    X(SETTLING, "formulas or the ledger have not answered for all of the hunt's chests and strikes")
enum vx_wait_reason {
#define VX_WAIT_REASON_ENUM(name, sentence) VX_WAIT_##name,
    VX_WAIT_REASONS(VX_WAIT_REASON_ENUM)
#undef VX_WAIT_REASON_ENUM
        VX_WAIT_REASON_COUNT
};
/* The sentence of the list above. Static text. */
const char *vx_wait_reason(enum vx_wait_reason reason);

enum { VX_TRAIL_MAX = 8, VX_VIEW_NONE = UINT32_MAX };
struct vx_trail_step { /* an action that may change state, and the code of its answer */
    uint32_t ms_ago, number;
    uint8_t type, code;
};
struct vx_player_view {
    uint32_t slot, player, session;
    uint8_t io;
    uint8_t state;           /* vx_player_state_name() */
    uint8_t link;            /* 0 plain, 1 joined, 2 connection lost */
    uint8_t results_pending;
    bool known;              /* has been here since the start */
    uint32_t number;         /* highest action number taken */
    uint32_t issued, acked;  /* result numbers */
    uint32_t silent_ms;      /* since its last action */
    int32_t position_cm[3];
    float rating;
    uint32_t waited_ms, window; /* searching */
    uint32_t party, party_players; /* 0: none */
    uint32_t waiting;           /* tickets in the queue */
    uint32_t nearest_player, nearest_distance, nearest_window; /* searching: the nearest other ticket; VX_VIEW_NONE */
    uint32_t match;             /* proposed, hunting, settling; 0: none */
    uint8_t reason;             /* enum vx_wait_reason */
    uint8_t trail_count;
    struct vx_trail_step trail[VX_TRAIL_MAX]; /* the latest first */
};
struct vx_seat_view {
    uint32_t player, rating;
    bool accepted, left, dead;
    uint8_t team, chests, health, streak;
};
struct vx_match_view {
    uint32_t match, seed;
    uint8_t state;           /* vx_match_state_name() */
    char mode[VX_MATCH_NAME_BYTES];
    uint32_t age_ms;         /* since it was proposed, or started */
    uint32_t pending;        /* formula jobs and grants under way */
    uint8_t claimed;         /* bit per chest */
    uint8_t teams, size, seat_count;
    struct vx_seat_view seats[VX_MATCH_PLAYERS_MAX];
};
/* As in the state tables of docs/architecture.md. Static text. */
const char *vx_player_state_name(uint8_t state);
const char *vx_match_state_name(uint8_t state);
/* The shard's thread, between two steps: a copy for people. slot: below players_max. */
void vx_shard_view_player(const struct vx_shard *shard, uint32_t slot, struct vx_player_view *view);
/* False when there is no such match now. */
bool vx_shard_view_match(const struct vx_shard *shard, uint32_t match, struct vx_match_view *view);
/* Any thread, racing with the shard: where a player, a match might be. Ask the shard's thread, then look again. */
uint32_t vx_shard_slot_of(const struct vx_shard *shard, uint32_t player); /* VX_VIEW_NONE */
bool vx_shard_may_hold_match(const struct vx_shard *shard, uint32_t match);

#endif
