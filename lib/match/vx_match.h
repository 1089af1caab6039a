/* match: who plays with whom. Tickets (a player, or a party that stays together) wait under modes (teams,
 * sizes, roles, and limits on rating, latency, attributes and acquaintance, each widening with the time
 * waited) and leave in matches that keep every rule. Pure and deterministic: no clock, no allocation after
 * creation, nothing random. One thread at a time; in the appliance each shard has one.
 *
 *   vx_match_add ─▶ index: pool (mode, region, attributes) ▶ line (role class, party size) ▶ rating point
 *                     │
 *   vx_match_step ────┴─ sweeps what has changed, a bounded piece at a time ─▶ struct vx_match_found
 *
 * Two single players: every piece of a sweep is the cheapest pairing of all tickets in it (pairs.c). Teams
 * and free-for-all: from each ticket upwards the nearest that complete a match (teams.c); who has waited for
 * `late_ms` is served before that, the oldest first, from both sides. Work is counted in looks (tickets
 * touched); a step ends when it has used its looks.
 *
 * A ticket's name is a slot number that the caller chooses, below tickets_max: its player's, or its party's
 * leader's. Time is in milliseconds of any clock that never goes back; it may wrap. */
#ifndef VX_MATCH_H
#define VX_MATCH_H

#include "vx_base.h"

enum {
    VX_MATCH_NONE = UINT32_MAX,
    VX_MATCH_MODES_MAX = 16,
    VX_MATCH_PLAYERS_MAX = 64, /* of one match */
    VX_MATCH_PARTY_MAX = 8,
    VX_MATCH_ROLES_MAX = 3, /* different roles that a mode's team may require; each player has a mask of 16 */
    VX_MATCH_REGIONS = 8,
    VX_MATCH_ATTRIBUTES = 4,
    VX_MATCH_SETS = 2,
    VX_MATCH_ROWS = 32, /* of a curve */
    VX_MATCH_BLOCKED_MAX = 8,
    VX_MATCH_MET_MAX = 4,
    VX_MATCH_ENTRIES_MAX = 8,   /* places of one ticket in the index: modes × regions, twice where an attribute is given up */
    VX_MATCH_RATING_MAX = 4095, /* ratings are whole points: 0 to this */
    VX_MATCH_NAME_BYTES = 16,
};
#define VX_MATCH_ALWAYS UINT32_MAX      /* of waits: never given up */
#define VX_MATCH_UNREACHABLE UINT16_MAX /* of latencies */

/* A limit by time waited: row i holds from i × step_ms, the last row for ever. */
struct vx_match_curve {
    uint16_t at[VX_MATCH_ROWS];
};
struct vx_match_role {
    uint16_t role; /* one bit */
    uint8_t count; /* players of each team that take it */
};
struct vx_match_mode {
    char name[VX_MATCH_NAME_BYTES];
    uint8_t teams_min, teams_max, teams_multiple; /* teams: min, min + multiple, … max */
    uint8_t size_min, size_max, size_multiple;    /* players of each team; all teams of a match have as many */
    uint8_t role_count;
    struct vx_match_role roles[VX_MATCH_ROLES_MAX];
    uint32_t step_ms;                       /* one row of the curves */
    struct vx_match_curve window;           /* points between the highest and the lowest ticket of a match: every member's window holds */
    struct vx_match_curve means;            /* points between the means of any two teams; UINT16_MAX: no limit */
    uint32_t full_ms;                       /* until a member has waited so long only the largest match is made */
    uint32_t late_ms;                       /* teams: who has waited so long is served before the others, the oldest first */
    uint8_t region_count;                   /* 0: latency is not looked at */
    uint16_t latency_ms[VX_MATCH_REGIONS];  /* most for each member, to the region where the match is played … */
    struct vx_match_curve latency_more;     /* … and what is added with waiting */
    uint32_t equal_ms[VX_MATCH_ATTRIBUTES]; /* members have the same value until all have waited so long; 0: not looked at. At most one between 0 and ALWAYS. */
    bool common[VX_MATCH_SETS];             /* members' sets have an element in common */
    uint32_t rematch_ms;                    /* no two who have met (vx_match_person.met) until both have waited so long */
};
/* 0, or -EINVAL with a sentence that names the field: roles that exceed the team, sizes that contradict, … */
int vx_match_mode_check(const struct vx_match_mode *mode, struct vx_error *error);

struct vx_match_config {
    uint32_t tickets_max;
    uint32_t mode_count;
    const struct vx_match_mode *modes; /* checked; copied */
    uint32_t entries;                  /* for each ticket, 1 to VX_MATCH_ENTRIES_MAX */
    uint32_t pools_max;                /* combinations of mode, region and attribute values that wait at once: about 33 KiB for each class of the
                                        * mode with the most (roles, party sizes), of which only pages in use are touched */
};
struct vx_match;
size_t vx_match_bytes(const struct vx_match_config *config);
/* memory: vx_match_bytes() bytes, aligned to a cache line, zeroed, borrowed. Not touched beyond what is used. */
struct vx_match *vx_match_create(void *memory, const struct vx_match_config *config);
/* Replaces a mode, checked, from the next match on. What needs other places in the index moves there during the next steps. */
void vx_match_mode_set(struct vx_match *match, uint32_t mode, const struct vx_match_mode *rules);
const struct vx_match_mode *vx_match_mode(const struct vx_match *match, uint32_t mode);
/* One row of a mode's window: the pairing formula's answers come one by one. */
void vx_match_window_set(struct vx_match *match, uint32_t mode, uint32_t row, uint32_t points);

/* What the matchmaker knows of the player in a slot. The caller writes it while the player is in no queue. */
struct vx_match_person {
    uint32_t id;     /* what others block and meet */
    uint32_t next;   /* the party's next member, or VX_MATCH_NONE: vx_match_add writes it */
    uint16_t roles;  /* that this player can take */
    uint16_t rating; /* backfill: points */
    uint8_t blocked_count, met_count;
    uint32_t blocked[VX_MATCH_BLOCKED_MAX];
    uint32_t met[VX_MATCH_MET_MAX];
};
/* The person in a slot, to be written while it is in no queue. Any slot below tickets_max. */
struct vx_match_person *vx_match_person(struct vx_match *match, uint32_t slot);
/* Asks the memory for what vx_match_person and vx_match_add will touch of a slot below tickets_max. For callers that see
 * several events ahead: with a million waiting, what a newcomer waits for is mostly these two lines of cache. */
void vx_match_expect(const struct vx_match *match, uint32_t slot);

struct vx_ticket {
    uint32_t since_ms; /* waiting counts from here: a ticket that comes back brings the time it has earned */
    uint16_t modes;    /* bit per mode */
    uint16_t rating;   /* points; a party's is vx_match_party_rating()'s */
    uint8_t size;      /* players */
    bool first;        /* a proposal broke under it: ahead of all others of its rating */
    uint8_t attributes[VX_MATCH_ATTRIBUTES];
    uint16_t sets[VX_MATCH_SETS];
    uint16_t latency_ms[VX_MATCH_REGIONS]; /* of the member who is farthest */
    uint32_t members[VX_MATCH_PARTY_MAX];  /* slots; members[0] is the ticket's name */
};
#define VX_MATCH_REFUSALS(X)                                             \
    X(TAKEN, "taken")                                                    \
    X(NO_MODE, "no mode of that number")                                 \
    X(PARTY_TOO_LARGE, "a party larger than a team")                     \
    X(ROLES, "a party that leaves no room for the roles its team needs") \
    X(RATING, "a rating above the highest point")                        \
    X(MEMBER, "a member without a slot, or twice")                       \
    X(REGION, "no region near enough, ever")                             \
    X(FULL, "more combinations of attributes than there is room for")
enum vx_match_refusal {
#define VX_MATCH_REFUSAL_ENUM(name, sentence) VX_MATCH_##name,
    VX_MATCH_REFUSALS(VX_MATCH_REFUSAL_ENUM)
#undef VX_MATCH_REFUSAL_ENUM
};
/* Puts a ticket into every mode that it names, or into none and says why. Its slot must not be queued. A
 * region too many (entries) leaves the farthest out. */
enum vx_match_refusal vx_match_add(struct vx_match *match, const struct vx_ticket *ticket, uint32_t now_ms);
/* The slot must be queued. */
void vx_match_remove(struct vx_match *match, uint32_t slot);
bool vx_match_has(const struct vx_match *match, uint32_t slot);

enum vx_match_aggregate { VX_MATCH_MEAN,
                          VX_MATCH_HIGHEST,
                          VX_MATCH_BETWEEN }; /* BETWEEN: half way from the mean to the highest */
/* A party's rating: the aggregate, and bonus_points for each member after the first, for those who know each other play better. */
uint16_t vx_match_party_rating(enum vx_match_aggregate aggregate, uint16_t bonus_points, const uint16_t *ratings, uint32_t count);

/* A match: every rule holds at now_ms. Tickets are out of the queue; their persons still say who is in them. */
struct vx_match_found {
    uint16_t mode, spread, means; /* points: highest less lowest; between the teams' means */
    uint8_t region;               /* UINT8_MAX: the mode does not look at latency */
    uint8_t teams, size, tickets;
    uint32_t ticket[VX_MATCH_PLAYERS_MAX];
    uint8_t team[VX_MATCH_PLAYERS_MAX]; /* of each ticket */
};
enum { VX_MATCH_LOOKS_PIECE = 512,                       /* the longest attempt at one match */
       VX_MATCH_LOOKS_OVER = 2 * VX_MATCH_LOOKS_PIECE }; /* by which a step may exceed its looks: whatever waits and arrives */
/* Looks for matches until `looks` have been used (a piece of work that has begun is ended: VX_MATCH_LOOKS_OVER) or `max` are found; returns how many. Call it again and again: what is not finished goes on there. */
uint32_t vx_match_step(struct vx_match *match, uint32_t now_ms, uint32_t looks, struct vx_match_found *found, uint32_t max);
/* Looks that the last step used: what it cost, whatever machine it ran on. */
uint32_t vx_match_looks(const struct vx_match *match);
/* True when nothing has changed since all was looked through: a step would find nothing before windows widen. */
bool vx_match_idle(const struct vx_match *match);

/* A running match that has room: for backfill. */
struct vx_match_open {
    uint16_t mode;
    uint8_t region; /* of the match */
    uint8_t teams, size, players;
    uint32_t player[VX_MATCH_PLAYERS_MAX]; /* slots of those who are in it: their persons count */
    uint8_t team[VX_MATCH_PLAYERS_MAX];
    uint8_t attributes[VX_MATCH_ATTRIBUTES]; /* that its members have in common */
    uint16_t sets[VX_MATCH_SETS];
};
/* The nearest ticket that fits the open places of a team, its roles, and all rules of the mode; it leaves the
 * queue. Its slot and *team, or VX_MATCH_NONE. Looks at no more than VX_MATCH_LOOKS_PIECE tickets. */
uint32_t vx_match_backfill(struct vx_match *match, const struct vx_match_open *open, uint32_t now_ms, uint32_t *team);

/* What a waiting ticket is told, for the first of its modes. */
struct vx_match_status {
    uint32_t waiting;  /* tickets in the mode */
    uint32_t position; /* how many of them have waited longer (to the second, up to 17 minutes back) */
    uint32_t window;   /* points, now */
    uint32_t waited_ms;
    uint32_t estimate_ms; /* median wait of the latest matched tickets of the mode near this rating; VX_MATCH_NONE: none was measured */
};
/* The slot must be queued. */
void vx_match_status(const struct vx_match *match, uint32_t slot, uint32_t now_ms, struct vx_match_status *status);
/* Tickets in all modes, each once. */
uint32_t vx_match_waiting(const struct vx_match *match);
/* The slots in a ticket, its own first, into members[]; how many. Of a ticket that has left, too, until the slot is
 * queued again. Of single players no person is touched. */
uint32_t vx_match_members(const struct vx_match *match, uint32_t slot, uint32_t members[VX_MATCH_PARTY_MAX]);
/* From when its wait counts; of a ticket that has left, too, until the slot is queued again. */
uint32_t vx_match_since_ms(const struct vx_match *match, uint32_t slot);
/* How long the oldest ticket has waited; 0 when none waits. */
uint32_t vx_match_oldest_ms(const struct vx_match *match, uint32_t now_ms);
/* The other ticket of the same pool whose rating is nearest, whether the rules admit it or not, of at most
 * 1024 looked at; VX_MATCH_NONE when alone. For operators: it may look at many. The slot must be queued. */
uint32_t vx_match_nearest(const struct vx_match *match, uint32_t slot, uint32_t *distance);
/* Full walk: every list and counter holds what it should. Tests. */
void vx_match_check(const struct vx_match *match);

#endif
