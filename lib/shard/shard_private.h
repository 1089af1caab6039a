/* The shard's insides, shared by its files:
 *
 *   shard.c    birth, the step, actions in      player_fsm.c  player's table and what its cells do
 *   connection.c  JOIN, PART, who is there      match_fsm.c   match's table and what its cells do
 *   ticket.c   a player's or party's search     seats.c       who sits where in a match, who still stands
 *   party.c    who plays together               ending.c      a hunt's end: places, ratings
 *   results.c  what leaves, and is repeated     jobs.c        formula jobs    grants.c  loot on its way
 *   hunt.c     MOVE, SUMMON, STRIKE             check.c       invariants by a full walk
 *   modes.c    what is played, and by which rules             directory.c   a player by its id
 *   tables.c   both tables as Markdown          operate.c     what operators change   view.c   what they see
 *
 * Everything is indices into arrays taken at creation. Time is in whole milliseconds of the shard's clock. */
#ifndef VX_SHARD_PRIVATE_H
#define VX_SHARD_PRIVATE_H

#include "vx_match.h"
#include "vx_mode.h"
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
    BACKFILLS_IN_TICK = 16, /* hunts that are looked at for open seats */
    DECLINES_FREE = 1,      /* before each further one cools down for twice as long … */
    DECLINES_MAX = 7,       /* … up to here */
    GRANT_RETRY_MS = 1000,
    GRANT_ROOM_MS = 100,
    GRANT_PLACES_TRIED = 64, /* bounds a SUMMON's work; beyond it the chest is BUSY */
    JOB_TRIES_MAX = 3,
    GAIN_POINTS = 100,      /* a row of the rating formula's table */
    GAIN_ROWS = VX_RATING_MAX / GAIN_POINTS + 1,
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
enum player_event { EVENT_ENTER = VX_ACTION_COUNT, EVENT_QUEUED, EVENT_PROPOSE, EVENT_BROKEN, EVENT_SEARCH_END, EVENT_START, EVENT_SETTLE, EVENT_SETTLED, EVENT_RETURN, EVENT_GONE, PLAYER_EVENTS };
enum match_state { MATCH_FORMING, MATCH_PROPOSED, MATCH_HUNTING, MATCH_SETTLING, MATCH_STATES };
enum match_event { MATCH_PROPOSE, MATCH_ACCEPT, MATCH_START, MATCH_BREAK, MATCH_TIMEOUT, MATCH_LEFT, MATCH_JOINED, MATCH_FINISHED, MATCH_DONE, MATCH_EVENTS };

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
    uint8_t seat;         /* in its hunt */
    uint8_t results;      /* pending */
    uint8_t known;        /* an action has come since the start, or since the connection's */
    uint8_t link;         /* enum player_link */
    uint16_t occupant;    /* counts the clients that have had this slot: what is under way for an earlier one misses it */
    uint32_t ticket;      /* searching, proposed: the slot that its ticket is named after, its party's leader's */
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
struct profile { /* cold: what is known of a player beyond the hot line. All zero: nothing. */
    float deviation, volatility; /* of its rating; 0: a newcomer's */
    uint32_t played_ms;     /* when its last rated hunt ended */
    uint16_t games;         /* rated */
    uint16_t modes;         /* leader: what its ticket was for */
    uint16_t roles;         /* it can take */
    uint16_t token_roles;   /* its token says; 0: any */
    uint16_t sets[VX_MATCH_SETS];          /* 0: any */
    uint16_t latency_ms[VX_MATCH_REGIONS]; /* 0: not known */
    uint8_t attributes[VX_MATCH_ATTRIBUTES];
    uint32_t party;         /* index + 1, 0: none */
    uint32_t invited;       /* the party that asked last, by its id; 0: none */
    uint32_t cool_ms;       /* no FIND before, while declines > DECLINES_FREE */
    uint8_t declines;
    uint8_t lost_seat;      /* of the hunt that it fell out of … */
    uint32_t lost_match;    /* … which may still be going on; 0: none */
};
static_assert(sizeof(struct profile) <= VX_CACHE_LINE_BYTES, "a profile");
static inline uint16_t profile_set(const struct profile *profile, uint32_t set)
{
    return profile->sets[set] != 0 ? profile->sets[set] : UINT16_MAX;
}
struct party {
    uint32_t id;            /* never 0 of one in use: generation × parties + index, or a token's number */
    uint32_t generation, next_free;
    uint32_t members[VX_MATCH_PARTY_MAX]; /* slots; the first leads */
    uint8_t count;
    uint8_t wanted;         /* formed by tokens: players that they name; 0: formed in play */
};

enum seat_flag { SEAT_ACCEPTED = 1, SEAT_DECLINED = 2, SEAT_LEFT = 4, SEAT_LOST = 8, SEAT_DEAD = 16 };
struct seat {
    uint32_t slot;
    float mean, deviation, volatility; /* of its player's rating, when it took the seat */
    uint32_t joined_ms;
    uint16_t games, occupant;
    uint8_t chests, health, streak;
    uint8_t flags;          /* enum seat_flag */
    uint8_t ticket;         /* seat of the first of its ticket */
};
struct hunt { /* its seats are shard->seats[index × seats_max] on, team after team */
    uint32_t match;     /* id: never 0, unique until 2^32 of them */
    uint32_t seed, proposed_ms, started_ms, generation;
    uint32_t pending;   /* jobs and grants under way */
    uint32_t next_free;
    uint8_t state;      /* enum match_state; FORMING is free */
    uint8_t mode, region;
    uint8_t teams, size, seats; /* seats = teams × size */
    uint8_t accepted;   /* how many have */
    uint8_t present;    /* how many have not left */
    uint8_t claimed;    /* bit per chest */
    bool abandoned;     /* too few were left */
    bool scored;        /* the score formula has answered */
    float score;        /* 1: the first team has won */
    uint16_t points;    /* between its ratings when it was made */
};
struct job {
    struct vx_job job;
    uint64_t received_cycles;
    uint32_t generation;
    uint32_t slot, hunt, match, number;
    uint32_t target, target_slot; /* battle: whose seat */
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

/* Slots by a number that is not a slot. Open addressing, never more than half full. */
struct directory_place {
    uint32_t key, value; /* value + 1; 0: empty */
};
struct directory {
    struct directory_place *places;
    uint32_t mask;
};

struct vx_shard {
    struct vx_shard_config config;
    struct vx_shard_counters counters VX_ALIGNED;
    /* With the counters' and the configuration's first line, all of the shard that MOVE and PING touch: one visit of forty. */
    struct vx_shard_out *out VX_ALIGNED; /* during a step */
    uint64_t now_us;
    struct player *players;
    uint32_t now_ms;
    bool windows_ready, asks_windows, asks_gains; /* of the formulas' tables: known; wanted by any mode */
    struct vx_wheel wheel; /* timers of players, hunts, jobs, grants, and the match tick */
    struct outbox *outboxes VX_ALIGNED;
    struct profile *profiles;
    struct hunt *hunts;
    struct seat *seats;
    struct party *parties;
    struct directory players_by_id, parties_by_token;
    struct job *jobs;
    struct grant *grants;
    struct vx_match *match;
    struct vx_rng rng;
    struct vx_mode modes[VX_MATCH_MODES_MAX], modes_next[VX_MATCH_MODES_MAX]; /* as they are played; as words of a change have come so far */
    uint32_t mode_count, seats_max, replies_max, parties_max, party_free;
    uint32_t backfill_next; /* hunt */
    enum vx_code ending;    /* EVENT_SEARCH_END: why */
    uint16_t windows[VX_MATCH_ROWS]; /* the pairing formula's */
    float gains[GAIN_ROWS];          /* the rating formula's */
    uint32_t windows_known;
    uint32_t table_next, table_epoch; /* row that is asked next (windows, then gains), and for which versions */
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

/* Of a time that began at since_ms and lasts for ms. */
static inline uint32_t left_ms(const struct vx_shard *shard, uint32_t since_ms, uint32_t ms)
{
    uint32_t passed_ms = shard->now_ms - since_ms;
    return passed_ms < ms ? ms - passed_ms : 0;
}

static inline uint64_t distance_square(const int32_t a[3], const int32_t b[3])
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 3; i++) {
        int64_t d = (int64_t)a[i] - b[i];
        sum += (uint64_t)(d * d);
    }
    return sum;
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
/* Its first action, or its connection, says who it is. */
void player_name(struct vx_shard *shard, uint32_t slot, uint32_t id);
/* From offline: into the lobby, or back into the hunt that it was lost from. */
void player_enter(struct vx_shard *shard, uint32_t slot);
enum vx_code player_block(struct vx_shard *shard, uint32_t slot, const struct vx_event *action);
void player_join(struct vx_shard *shard, const struct vx_event *event);
void player_part(struct vx_shard *shard, const struct vx_event *event);

/* player_fsm.c: BAD_ARGUMENT and the like when a cell refuses; nothing has changed then. */
enum vx_code player_event(struct vx_shard *shard, uint32_t slot, uint32_t event, const struct vx_event *action);
void player_timer(struct vx_shard *shard, uint32_t slot);
void player_rearm(struct vx_shard *shard, uint32_t slot);
/* HUNT_STARTED, with the time that is left. */
void started_tell(struct vx_shard *shard, uint32_t slot);
/* It fell out of a hunt that goes on, and nobody else has the seat. */
bool seat_is_kept(const struct vx_shard *shard, uint32_t slot);
/* The cell's action by name, NULL when it is empty; next: PLAYER_STATES when the state stays. For tables.c. */
const char *player_cell(uint32_t state, uint32_t event, uint32_t *next);

/* ticket.c */
enum vx_code ticket_find(struct vx_shard *shard, uint32_t slot, const struct vx_event *action);
/* After a proposal that broke: with the wait it has earned, ahead of others. The slot names the ticket. False: its modes do
 * not take it any more. */
bool ticket_again(struct vx_shard *shard, uint32_t slot);
/* The whole ticket goes: everybody in it but `except` (NONE: nobody) is told why. */
void ticket_end(struct vx_shard *shard, uint32_t ticket, uint32_t except, enum vx_code why);
struct vx_match_status ticket_status(const struct vx_shard *shard, uint32_t slot);
uint32_t ticket_waited_ms(const struct vx_shard *shard, uint32_t slot);
/* One more proposal that the player declined, or let pass. */
void decline_count(struct vx_shard *shard, uint32_t slot);
void queue_notice(struct vx_shard *shard, uint32_t slot, enum vx_code code);
/* Looks for one match and proposes it. */
void matches_make(struct vx_shard *shard, uint32_t looks);
/* Players for hunts that have lost some. */
void matches_fill(struct vx_shard *shard);

/* party.c: the actions' answers are given there */
enum vx_code party_invite(struct vx_shard *shard, uint32_t slot, const struct vx_event *action);
enum vx_code party_join(struct vx_shard *shard, uint32_t slot, const struct vx_event *action);
enum vx_code party_leave(struct vx_shard *shard, uint32_t slot, const struct vx_event *action);
/* The player has gone. */
void party_drop(struct vx_shard *shard, uint32_t slot);
/* A token names the party and how many play in it. */
void party_by_token(struct vx_shard *shard, uint32_t slot, uint32_t token, uint32_t wanted);
struct party *party_of(const struct vx_shard *shard, uint32_t slot); /* NULL: alone */
struct vx_reply party_reply(const struct vx_shard *shard, uint32_t slot);
bool roles_take(struct vx_shard *shard, uint32_t slot, uint16_t roles);

/* directory.c */
size_t directory_bytes(uint32_t entries_max);
void directory_create(struct directory *directory, void *memory, uint32_t entries_max);
void directory_put(struct directory *directory, uint32_t key, uint32_t value);
void directory_remove(struct directory *directory, uint32_t key, uint32_t value);
uint32_t directory_find(const struct directory *directory, uint32_t key); /* NONE */

/* modes.c */
int modes_check(const struct vx_shard_config *config, struct vx_error *error);
void modes_create(struct vx_shard *shard);
struct vx_match_config modes_match_config(const struct vx_shard_config *config, struct vx_match_mode rules[VX_MATCH_MODES_MAX]);
uint32_t modes_seats_max(const struct vx_shard_config *config);
void modes_change(struct vx_shard *shard, const struct vx_event *event);
void modes_window(struct vx_shard *shard, uint32_t row, uint32_t points);
/* False while a mode's windows are the pairing formula's and not known yet. */
bool modes_ready(const struct vx_shard *shard);

/* match_fsm.c */
uint32_t match_open(struct vx_shard *shard, const struct vx_match_found *found); /* NONE: no hunt free */
void match_event(struct vx_shard *shard, uint32_t hunt, enum match_event event, uint32_t seat);
void match_pending_done(struct vx_shard *shard, uint32_t hunt);
const char *match_cell(uint32_t state, uint32_t event, uint32_t *next); /* likewise */

/* seats.c */
static inline struct seat *seats_of(const struct vx_shard *shard, uint32_t hunt)
{
    return &shard->seats[(size_t)hunt * shard->seats_max];
}
static inline uint32_t team_of(const struct hunt *hunt, uint32_t seat)
{
    return seat / hunt->size;
}
static inline struct seat *seat_of(const struct vx_shard *shard, uint32_t slot)
{
    return &seats_of(shard, shard->players[slot].hunt)[shard->players[slot].seat];
}
void seat_take(struct vx_shard *shard, uint32_t hunt, uint32_t seat, uint32_t slot, uint32_t ticket_seat);
/* Mean rating of everybody who is not in the seat's team. */
float seats_opponents_mean(const struct vx_shard *shard, uint32_t hunt, uint32_t seat);
/* How many teams have somebody who is there and alive. */
uint32_t seats_standing(const struct vx_shard *shard, uint32_t hunt);
/* The opponent's seat that is nearest and alive; NONE when there is none. */
uint32_t seats_nearest(const struct vx_shard *shard, uint32_t slot);
/* To everybody there but one (NONE: to all). */
void seats_notice(struct vx_shard *shard, uint32_t hunt, uint32_t except, struct vx_reply reply);
enum vx_code seat_status(struct vx_shard *shard, uint32_t slot, const struct vx_event *action);

/* ending.c */
/* Asks who has won, where a formula says it. */
void hunt_score(struct vx_shard *shard, uint32_t hunt);
void hunt_scored(struct vx_shard *shard, const struct job *job, const struct vx_event *done);
void hunt_settle(struct vx_shard *shard, uint32_t hunt);
/* One who has left, as the last of its hunt, before somebody else takes the seat. */
void hunt_settle_leaver(struct vx_shard *shard, uint32_t hunt, uint32_t seat);
void rating_take(struct vx_shard *shard, uint32_t slot, uint32_t mean, uint32_t deviation);

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
void quality_of_match(struct vx_shard *shard, uint32_t points);

static inline uint64_t *gauge_of(struct vx_shard *shard, uint8_t state)
{
    uint64_t *const gauges[PLAYER_STATES] = { NULL, NULL, &shard->counters.players_searching, &shard->counters.players_proposed,
                                              &shard->counters.players_hunting, &shard->counters.players_settling };
    return gauges[state];
}

#endif
