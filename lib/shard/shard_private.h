/* The shard's insides, shared by its files:
 *
 *   shard.c    birth, the step, actions in      player_fsm.c  player's table and what its cells do
 *   connection.c  JOIN, PART, who is there      match_fsm.c   match's table and what its cells do
 *   results.c  what leaves, and is repeated     jobs.c        formula jobs    grants.c  loot on its way
 *   hunt.c     MOVE, SUMMON, STRIKE             check.c       invariants by a full walk
 *   tables.c   both tables as Markdown          operate.c     what operators change   view.c   what they see
 *
 * Everything is indices into arrays taken at creation. Time is in whole milliseconds of the shard's clock. */
#ifndef VX_SHARD_PRIVATE_H
#define VX_SHARD_PRIVATE_H

#include "vx_match.h"
#include "vx_rating.h"
#include "vx_shard.h"

enum {
    NONE = UINT32_MAX, /* VX_WHEEL_NONE, too */
    RESULTS_MAX = 8,        /* unacknowledged results of one player */
    RESULT_NUMBER_MAX = INT32_MAX, /* what a client that enters says it has is believed up to here */
    RESULTS_FOR_FIND = 4,   /* with as many waiting a player begins nothing new … */
    RESULTS_FOR_STRIKE = 4, /* … strikes are told without repetition … */
    RESULTS_FOR_LOOT = 5,   /* … and loot waits … */
    RESULTS_FOR_SEARCH = RESULTS_MAX - 3, /* … with more nobody searches on, so that proposal, start and end always have room */
    TIMER_TICK_BITS = 2,    /* 4 ms */
    TIMER_SLOTS = 1024,     /* a round of 4 s; what is due later is passed over */
    MATCH_TICK_MS = 50,
    MATCH_LOOKS = 64,       /* tickets looked at for one match */
    MATCHES_IN_TICK = 8,    /* bounds a step's replies */
    GRANT_RETRY_MS = 1000,
    GRANT_ROOM_MS = 100,
    GRANT_PLACES_TRIED = 64, /* bounds a SUMMON's work; beyond it the chest is BUSY */
    JOB_TRIES_MAX = 3,
    HEALTH = 100,
    MOVE_SLACK_CM = 200,
    MOVE_MS_MAX = 2000,
    COORDINATE_CM_MAX = 1000000, /* squares of distances fit 64 bits */
    RETURN_MS = 5000,       /* after such a silence an offline player may start its numbers anew */
};

enum player_state { PLAYER_OFFLINE, PLAYER_LOBBY, PLAYER_SEARCHING, PLAYER_PROPOSED, PLAYER_HUNTING, PLAYER_SETTLING, PLAYER_STATES };
/* How the player is reached: believed packet by packet (plain transport), by a connection, or not at all just now. */
enum player_link { LINK_PLAIN, LINK_JOINED, LINK_AWAY };
/* Actions come first, under their own numbers; then what happens to a player. */
enum player_event { EVENT_ENTER = VX_ACTION_COUNT, EVENT_PROPOSE, EVENT_BROKEN, EVENT_SEARCH_END, EVENT_START, EVENT_SETTLE, EVENT_SETTLED, EVENT_GONE, PLAYER_EVENTS };
enum match_state { MATCH_FORMING, MATCH_PROPOSED, MATCH_HUNTING, MATCH_SETTLING, MATCH_STATES };
enum match_event { MATCH_PROPOSE, MATCH_ACCEPT, MATCH_START, MATCH_BREAK, MATCH_TIMEOUT, MATCH_LEFT, MATCH_FINISHED, MATCH_DONE, MATCH_EVENTS };

struct player { /* one cache line: what an action touches */
    uint64_t taken;       /* bit i: action number `number - i` was taken */
    uint32_t number;      /* highest action number taken */
    uint32_t session;
    uint32_t id;
    uint32_t hunt;        /* index, or NONE */
    uint32_t last_ms;     /* of the last action; LINK_AWAY: when the connection was lost */
    uint32_t moved_ms;
    int32_t position_cm[3];
    float rating;
    uint32_t acked;       /* highest result number received */
    uint8_t state;        /* enum player_state */
    uint8_t io;
    uint8_t side;         /* in its hunt: 0 or 1 */
    uint8_t results;      /* pending */
    uint8_t known;        /* an action has come since the start, or since the connection's */
    uint8_t link;         /* enum player_link */
    uint16_t occupant;    /* counts the clients that have had this slot: what is under way for an earlier one misses it */
} VX_ALIGNED;
static_assert(sizeof(struct player) == VX_CACHE_LINE_BYTES, "the hot line of a player");

struct result {
    uint8_t type, code;
    uint16_t arg16;
    uint32_t number, a, b, c;
};
struct outbox { /* cold: reliable results in order, results[0] the oldest */
    struct result results[RESULTS_MAX];
    uint32_t repeat_due_ms, repeat_ms;
    uint32_t repeats;
    uint32_t issued; /* highest result number given */
    uint32_t connection; /* number of the latest JOIN */
    uint32_t trail_next; /* grows; modulo VX_TRAIL_MAX the place of the next step */
    struct trail_step {
        uint32_t ms, number;
        uint8_t type, code;
    } trail[VX_TRAIL_MAX];
};
struct hunt {
    uint32_t match;     /* id: never 0, unique until 2^32 of them */
    uint32_t seed, proposed_ms, started_ms, generation;
    uint32_t players[2]; /* slots */
    uint32_t pending;   /* jobs and grants under way */
    uint32_t next_free;
    uint8_t state;      /* enum match_state; FORMING is free */
    uint8_t accepted, left, dead; /* bit per side */
    uint8_t claimed;    /* bit per chest */
    uint8_t chests[2], health[2], streak[2];
    uint8_t declined;   /* bit per side */
    uint16_t occupants[2]; /* of the slots, when the match was made */
    float ratings[2];
};
struct job {
    struct vx_job job;
    uint64_t received_cycles;
    uint32_t generation;
    uint32_t slot, target, hunt, match, number;
    uint32_t grant;     /* loot: its grant; pairing: its second, for the version `match` */
    uint32_t next_free;
    uint8_t tries;
    bool used;
};
enum grant_state { GRANT_FREE, GRANT_JOB, GRANT_SENT, GRANT_DURABLE };
struct grant {
    struct vx_grant grant;
    uint32_t hunt;
    uint16_t occupant;
    uint8_t state;
};

struct vx_shard {
    struct vx_shard_config config;
    struct vx_shard_counters counters VX_ALIGNED;
    /* With the counters' and the configuration's first line, all of the shard that MOVE and PING touch: one visit of forty. */
    struct vx_shard_out *out VX_ALIGNED; /* during a step */
    uint64_t now_us;
    struct player *players;
    uint32_t now_ms;
    bool windows_ready;
    struct vx_wheel wheel; /* timers of players, hunts, jobs, grants, and the match tick */
    struct outbox *outboxes VX_ALIGNED;
    struct hunt *hunts;
    struct job *jobs;
    struct grant *grants;
    struct vx_match *match;
    struct vx_rng rng;
    uint32_t windows_known;
    uint32_t table_next, table_epoch; /* row that is asked next (VX_MATCH_ROWS: none), and for which version */
    uint32_t jobs_max, grants_max;
    uint32_t timer_hunts, timer_jobs, timer_grants, timer_match;
    uint32_t hunt_free, hunt_free_last, job_free, job_free_last, chest_next;
    struct vx_shard_quality quality;
    uint64_t player_rows[PLAYER_STATES][PLAYER_EVENTS], match_rows[MATCH_STATES][MATCH_EVENTS]; /* taken; see ROW_TAKEN */
};
static_assert(offsetof(struct vx_shard, outboxes) - offsetof(struct vx_shard, out) == VX_CACHE_LINE_BYTES, "a step's own line");
static_assert(offsetof(struct vx_shard_config, speed_cm_s) < VX_CACHE_LINE_BYTES && offsetof(struct vx_shard_counters, moves) < VX_CACHE_LINE_BYTES, "first lines");
#ifdef VX_SLOW_ASSERTS
#define ROW_TAKEN(row) ((row)++)
#else
#define ROW_TAKEN(row) ((void)sizeof(row))
#endif

static inline void timer_set(struct vx_shard *shard, uint32_t index, uint32_t due_ms)
{
    vx_wheel_set(&shard->wheel, index, due_ms);
}
static inline void timer_sooner(struct vx_shard *shard, uint32_t index, uint32_t due_ms)
{
    vx_wheel_sooner(&shard->wheel, index, due_ms);
}
static inline void timer_clear(struct vx_shard *shard, uint32_t index)
{
    vx_wheel_clear(&shard->wheel, index);
}
static inline bool timer_is_set(const struct vx_shard *shard, uint32_t index)
{
    return vx_wheel_is_set(&shard->wheel, index);
}

/* results.c; what every action goes through is here, to be inlined */
/* Every field is stored where it leaves: built elsewhere and copied whole, the copy's wide loads wait for the narrow
 * stores (a sixth of a packet's time). The caller sets what is not set here. NULL when nobody is there to be told. */
static inline struct vx_reply *reply_next(struct vx_shard *shard, uint32_t slot)
{
    struct vx_shard_out *out = shard->out;
    const struct player *player = &shard->players[slot];
    VX_ASSERT(out->reply_count < out->reply_max);
    if (VX_UNLIKELY(player->link == LINK_AWAY)) {
        shard->counters.replies_held++; /* what matters is told when it comes back */
        return NULL;
    }
    struct vx_reply *reply = &out->replies[out->reply_count++];
    reply->shard = (uint16_t)shard->config.shard;
    reply->session = player->session;
    reply->player = player->id;
    reply->io = player->io;
    reply->reserved = 0;
    return reply;
}

/* MOVE's OK changes nothing that a player waits for: it may wait for the window. */
static inline uint8_t urgency(uint8_t action)
{
    return action == VX_ACTION_MOVE ? 0 : VX_REPLY_URGENT;
}

static inline void answer(struct vx_shard *shard, const struct vx_event *event, enum vx_result type, enum vx_code code)
{
    struct vx_reply *reply = reply_next(shard, event->slot);
    if (VX_UNLIKELY(reply == NULL))
        return;
    reply->type = (uint8_t)type;
    reply->code = (uint8_t)code;
    reply->flags = urgency(event->type);
    reply->arg16 = 0;
    reply->action_number = event->number;
    reply->result_number = reply->a = reply->b = reply->c = 0;
    reply->received_cycles = event->received_cycles;
}

void answer_long(struct vx_shard *shard, const struct vx_event *event, struct vx_reply reply);
/* To a player who did not ask. */
void notice(struct vx_shard *shard, uint32_t slot, struct vx_reply reply);
/* Numbered and repeated until acknowledged. */
void result_push(struct vx_shard *shard, uint32_t slot, struct vx_reply reply);
void results_acknowledge(struct vx_shard *shard, uint32_t slot, uint32_t seen);
void results_clear(struct vx_shard *shard, uint32_t slot);
/* True when the player has had all its repeats: gone. */
bool results_repeat(struct vx_shard *shard, uint32_t slot);
/* A player of the plain transport comes back, to a server that may have given up its results, or been started anew, and waits
 * for the number after `seen`: numbers go on from there. */
void results_enter(struct vx_shard *shard, uint32_t slot, uint32_t seen);
/* A new connection counts from 1: what is unacknowledged gets new numbers and is told at once, but for what says
 * where the player stands, which the caller tells afresh. */
void results_restart(struct vx_shard *shard, uint32_t slot);

/* connection.c */
void player_join(struct vx_shard *shard, const struct vx_event *event);
void player_part(struct vx_shard *shard, const struct vx_event *event);

/* player_fsm.c: BAD_ARGUMENT and the like when a cell refuses; nothing has changed then. */
enum vx_code player_event(struct vx_shard *shard, uint32_t slot, uint32_t event, const struct vx_event *action);
void player_timer(struct vx_shard *shard, uint32_t slot);
void ticket_add(struct vx_shard *shard, uint32_t slot, uint32_t since_ms);
/* Looks for one match and proposes it. */
void matches_make(struct vx_shard *shard, uint32_t looks);
struct vx_match_status ticket_status(const struct vx_shard *shard, uint32_t slot);
void player_rearm(struct vx_shard *shard, uint32_t slot);
/* The cell's action by name, NULL when it is empty; next: PLAYER_STATES when the state stays. For tables.c. */
const char *player_cell(uint32_t state, uint32_t event, uint32_t *next);

/* match_fsm.c */
uint32_t match_open(struct vx_shard *shard, uint32_t slot_a, uint32_t slot_b); /* NONE: no hunt free */
void match_event(struct vx_shard *shard, uint32_t hunt, enum match_event event, uint32_t side);
void match_pending_done(struct vx_shard *shard, uint32_t hunt);
const char *match_cell(uint32_t state, uint32_t event, uint32_t *next); /* likewise */

/* hunt.c */
enum vx_code hunt_move(struct vx_shard *shard, uint32_t slot, const struct vx_event *event);
enum vx_code hunt_summon(struct vx_shard *shard, uint32_t slot, const struct vx_event *event);
enum vx_code hunt_strike(struct vx_shard *shard, uint32_t slot, const struct vx_event *event);
void hunt_struck(struct vx_shard *shard, const struct job *job, const struct vx_event *done);

/* jobs.c */
struct job *job_new(struct vx_shard *shard, uint8_t formula); /* NULL: none free */
void job_send(struct vx_shard *shard, struct job *job);
void job_done(struct vx_shard *shard, const struct vx_event *event);
void job_timeout(struct vx_shard *shard, uint32_t index);
/* Tables of formulas, from the first row on; what finds no free job is asked by jobs_tables_go_on(). */
void jobs_tables(struct vx_shard *shard);
void jobs_tables_go_on(struct vx_shard *shard);

/* grants.c */
struct grant *grant_new(struct vx_shard *shard, uint32_t slot, uint32_t hunt); /* NULL: none free */
void grant_evaluated(struct vx_shard *shard, uint32_t index, uint32_t item, uint32_t amount);
void grant_done(struct vx_shard *shard, const struct vx_event *event);
void grant_timer(struct vx_shard *shard, uint32_t index);

/* operate.c */
void operate(struct vx_shard *shard, const struct vx_event *event);
/* False while the shard makes no new matches. */
bool matches_open(const struct vx_shard *shard);
/* Remembers an action that may change state, for view.c. */
void trail_add(struct vx_shard *shard, const struct vx_event *event, enum vx_code code);
void quality_of_wait(struct vx_shard *shard, uint32_t waited_ms);
void quality_of_match(struct vx_shard *shard, float rating_a, float rating_b);

static inline uint64_t *gauge_of(struct vx_shard *shard, uint8_t state)
{
    uint64_t *const gauges[PLAYER_STATES] = { NULL, NULL, &shard->counters.players_searching, &shard->counters.players_proposed,
                                              &shard->counters.players_hunting, &shard->counters.players_settling };
    return gauges[state];
}

#endif
