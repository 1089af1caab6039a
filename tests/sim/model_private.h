/* The model's insides: what is known of players, matches, results, jobs and grants. */
#ifndef SIM_MODEL_PRIVATE_H
#define SIM_MODEL_PRIVATE_H

#include "model.h"
#include "sim_private.h"

enum m_state { M_OFFLINE, M_LOBBY, M_SEARCHING, M_PROPOSED, M_HUNTING, M_SETTLING, M_STATES };
enum {
    M_ANY = (1 << M_STATES) - 1,
    M_ONLINE = M_ANY & ~(1 << M_OFFLINE),
    M_IN_MATCH = 1 << M_PROPOSED | 1 << M_HUNTING | 1 << M_SETTLING,
    M_MEMBERS = 2,
    M_OUTBOX = 8,            /* results that a player may have waiting: docs/architecture.md */
    M_OUTBOX_FOR_FIND = 4,   /* from here on FIND is BUSY and hits are told once */
    M_OUTBOX_FOR_LOOT = 5,
    M_NUMBERS = 64,          /* action numbers behind the highest that are remembered */
    M_RETURN_MS = 5000,      /* silence after which numbers may start anew */
    M_TICK_MS = 4,           /* a timer may be as late */
    M_PASSES = 64,
    M_HEALTH = 100,
    M_WINDOWS = 32,
    M_GRANT_RETRY_MS = 1000,
    M_LOOT_TRIES = 3,
    M_ANSWERS_LATE = 5,
    M_HASH = 1 << 15,
};

struct m_result {
    uint32_t number, a, b, c;
    uint16_t arg16;
    uint8_t type, code;
};
struct m_strike {
    struct m_strike *next;
    uint32_t number, accepted_ms;
    uint64_t job;  /* key, 0 until the worker has seen it */
};
struct m_ticket {
    uint32_t rating, since_ms; /* its age counts from */
};
struct m_match {
    struct m_match *next; /* of the same hash */
    uint32_t id, shard, count, proposed_ms, started_ms, seed, finish_ms;
    uint32_t players[M_MEMBERS];
    struct m_ticket tickets[M_MEMBERS]; /* that were joined */
    float ratings[M_MEMBERS], ratings_after[M_MEMBERS];
    bool ratings_known[M_MEMBERS], after_known;
    uint8_t state;        /* M_PROPOSED, M_HUNTING, M_SETTLING; M_LOBBY: ended */
    uint8_t accepted, declined, left, dead; /* bit a member */
    uint8_t claimed;      /* bit a chest */
    uint8_t chests[M_MEMBERS], health[M_MEMBERS], streak[M_MEMBERS];
    uint32_t grants_pending;
    struct vx_reply hit; /* what the latest attacker was told */
    uint8_t was_told;    /* bit a member: HUNT_STARTED */
};
struct m_unsettled {
    struct m_unsettled *next;
    struct m_match *match;
};
struct m_fed {
    struct vx_event event;
    struct m_fed *next; /* of the same player, in this pass */
    uint8_t fate;       /* enum m_fate */
    int32_t at_cm[3];   /* where the player was */
    struct m_match *match;
};
enum m_fate { FATE_OPEN, FATE_ANSWERED, FATE_STRUCK, FATE_CLAIMED };
struct m_player {
    uint8_t may;        /* bit a state */
    uint8_t member;
    bool known;         /* has sent an action to this generation */
    bool position_known, moved_known, rating_known;
    bool in_doubt;           /* time alone may have ended its stay in this pass … */
    uint32_t results_unsure; /* … and then the first so many of its results went, too */
    uint32_t number;
    uint64_t taken;     /* bit i: number - i was taken */
    uint32_t last_ms, moved_ms;
    uint32_t searching_ms; /* in the queue from */
    struct m_ticket ticket;
    int32_t at_cm[3];
    int32_t was_cm[8][3]; /* positions held in this pass */
    uint32_t was_count;
    float rating;
    struct m_unsettled *unsettled; /* hunts that it left and whose end may still change its rating */
    struct m_match *match;
    struct m_result results[M_OUTBOX];
    uint32_t result_count, issued, acked, repeats, repeat_ms, repeat_due_ms, round_next;
    struct m_strike *strikes;
    struct m_fed *fed, *fed_last;
};
struct m_job {
    struct m_job *next;
    uint64_t key;
    struct model_job job;
    uint32_t player, number;    /* battle: whose strike; loot: whose chest */
    struct m_match *match;
    uint32_t asked_ms;
    bool is_answered;
    struct m_job *next_loot; /* of the shard's that no grant carries yet */
    float out[VX_JOB_OUTPUTS];
    float late[M_ANSWERS_LATE][VX_JOB_OUTPUTS]; /* of a job that was asked again: which of them the shard hears first is not seen */
    uint32_t late_count;
    uint32_t version;
};
struct m_grant {
    struct m_grant *next;
    struct vx_grant grant;
    uint32_t offered_ms;
    bool is_told;
};
struct m_claim { /* accepted strikes and claimed chests that wait for their job, in order */
    struct m_claim *next;
    uint32_t player, number;
    struct m_match *match;
    float in[VX_JOB_INPUTS];
    uint8_t checked; /* bit an input that the model can tell */
    uint32_t since_ms;
    bool is_granted; /* loot: given up before the formula heard of it */
    bool distance_known;
    int32_t from_cm[3], target_cm[9][3]; /* where the target was in the pass, where it is */
    uint32_t target_count;
};
struct m_shard {
    struct m_claim *claims[VX_FORMULA_KINDS], *claims_last[VX_FORMULA_KINDS];
    struct m_job *loot;
    uint32_t windows[M_WINDOWS], windows_known;
    uint32_t grants_pending;
    uint64_t under_way; /* jobs and grants that the shard counted after the pass before */
    uint32_t hunts_full_ms; /* when last all hunts were taken, or the shard was not pairing */
    uint8_t draining; /* 1: told in this pass, 2: before it */
};
struct m_check { /* what depends on others: looked at when the pass is over */
    void (*holds)(struct model *model, const struct m_check *check);
    struct m_player *player;
    struct m_match *match;
    struct vx_reply reply;
    uint8_t may;
};
enum { M_FED_MAX = SIM_IOS_MAX * SIM_SHARDS_MAX * APPLIANCE_FEED_MAX, M_CHECKS_MAX = 65536 };
struct model {
    struct sim *sim;
    const struct sim_plan *plan;
    struct m_player *players;
    struct m_shard shards[SIM_SHARDS_MAX];
    struct m_match *matches[M_HASH];
    struct m_job *jobs[M_HASH];
    struct m_grant *grants[M_HASH];
    struct m_fed fed[M_FED_MAX];
    uint32_t fed_count, fed_settled[SIM_SHARDS_MAX]; /* all of a shard before that one are settled */
    struct m_check checks[M_CHECKS_MAX];
    uint32_t check_count;
    uint32_t now_ms;             /* of the shards' clock */
    uint32_t passes_ms[M_PASSES], pass; /* when the latest passes were */
    uint32_t slack_passes, swept_ms;
    uint32_t doubt_ms;           /* nobody's stay can end by time alone before then */
    bool is_blind;
    bool was_still; /* a long time has passed without a pass */
};

static inline struct m_player *m_player(struct model *model, uint32_t player)
{
    return &model->players[player];
}
static inline bool m_is_past(uint32_t now_ms, uint32_t due_ms)
{
    return (int32_t)(now_ms - due_ms) >= 0;
}
/* Certain: a pass is over in which timers that were due then have fired; in a large world, some passes. */
static inline bool m_is_overdue(const struct model *model, uint32_t due_ms)
{
    return m_is_past(model->passes_ms[(model->pass - model->slack_passes) % M_PASSES], due_ms + M_TICK_MS);
}
static inline bool m_certainly(const struct m_player *player, enum m_state state)
{
    return player->may == 1u << state;
}
/* Jobs and grants that a shard counts as under way. */
uint64_t m_under_way(const struct model *model, uint32_t shard);
uint32_t m_id(const struct model *model, const struct m_player *player);
void m_check_later(struct model *model, void (*holds)(struct model *, const struct m_check *), struct m_player *player, struct m_match *match,
                   const struct vx_reply *reply);
#define m_wrong(model, player, ...) m_wrong_at(model, player, __VA_ARGS__)
_Noreturn void m_wrong_at(struct model *model, const struct m_player *player, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* model_time.c: what passes without a word */
/* Before time alone passes in a pass: whose stay may end by it. True: somebody's. */
bool m_doubts_begin(struct model *model);
/* After that, before any action is taken: whose has. */
void m_doubts_end(struct model *model);
void m_player_pass_time(struct model *model, struct m_player *player);
void m_sweep(struct model *model);
void m_left(struct model *model, struct m_player *player); /* for sure: offline */

/* model_table.c */
void m_answer(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply); /* NULL: a strike taken on */
void m_notice(struct model *model, struct m_player *player, const struct vx_reply *reply);

/* model_guards.c */
typedef bool m_guard(struct model *model, struct m_player *player, const struct vx_event *action, const struct vx_reply *reply);
m_guard m_outbox_blocks_find, m_find_is_bad, m_mode_is_none, m_is_draining, m_find_fits, m_match_is_right, m_match_is_wrong, m_shard_is_busy, m_chest_reached, m_chest_is_free, m_chest_is_none, m_chest_is_far, m_weapon_is_none, m_seat_is_one, m_seat_is_none, m_target_is_far, m_strike_fits, m_place_is_bad, m_move_fits, m_move_too_fast, m_ack_is_bad, m_ack_fits, m_proposal_of_nobody, m_match_of_reply, m_may_start, m_has_declined, m_was_silent, m_outbox_blocks_search, m_others_broke, m_search_is_over, m_repeated_or_new;

/* model_results.c */
void m_results_seen(struct model *model, struct m_player *player, uint32_t seen);
/* True when it is told for the first time. */
bool m_results_number(struct model *model, struct m_player *player, const struct vx_reply *reply);
/* The player has gone, and with it what waited then. */
void m_results_gone(struct model *model, struct m_player *player);
void m_results_enter(struct model *model, struct m_player *player, uint32_t seen);

/* model_match.c: guards and effects of rows that concern a match */
struct m_match *m_match_find(struct model *model, uint32_t shard, uint32_t id);
void m_match_left(struct model *model, struct m_match *match, struct m_player *player);
bool m_match_may_finish(struct model *model, const struct m_match *match);
bool m_member_may_have_left(struct model *model, const struct m_match *match, uint32_t member);
void m_proposal(struct model *model, struct m_player *player, const struct vx_reply *reply);
void m_started(struct model *model, struct m_player *player, const struct vx_reply *reply);
void m_ended(struct model *model, struct m_player *player, const struct vx_reply *reply);
void m_back_to_queue(struct model *model, struct m_player *player, const struct vx_reply *reply);
void m_back_to_lobby(struct model *model, struct m_player *player, const struct vx_reply *reply);
void m_sweep_pairs(struct model *model);
/* No hunt that the player left is still to be rated. */
bool m_rating_is_settled(const struct model *model, struct m_player *player);
/* It brings another rating, to which those hunts' ends will be added. */
void m_rating_brought(struct model *model, struct m_player *player);

/* model_hunt.c: chests, strikes, jobs, grants */
void m_claimed(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply);
void m_struck(struct model *model, struct m_player *player, const struct vx_reply *reply);
void m_hit(struct model *model, struct m_player *player, const struct vx_reply *reply);
void m_loot(struct model *model, struct m_player *player, const struct vx_reply *reply);
struct m_strike *m_strike_find(struct m_player *player, uint32_t number);
void m_strikes_done(struct model *model);
/* Jobs of this shard's lane have waited too long for a batch, and were dropped and counted. */
bool m_jobs_are_stale(const struct model *model, uint32_t shard);

/* model_teams.c: in worlds of teams, in place of all of the above */
void teams_start(struct model *model);
void teams_reply(struct model *model, struct m_player *player, const struct vx_reply *reply);
void teams_pass_done(struct model *model);
void teams_look(struct model *model);

/* model_place.c */
uint64_t m_distance_square(const int32_t a[3], const int32_t b[3]);
void m_chest_position(uint32_t seed, uint32_t chest, int32_t at_cm[3]);
bool m_chest_in_range(const struct model *model, const struct m_player *player, uint32_t chest);

#endif
