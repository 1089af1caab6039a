/* match, inside:
 *
 *   modes.c   what a mode may say        index.c   pools, lines, points: where tickets lie     lists.c  who lies there
 *   queue.c   birth, tickets in and out  rules.c   who may play with whom
 *   pairs.c, pairing.c, overlap.c   two single players
 *   teams.c   everything else            group.c   a match being put together
 *   search.c  the step: what is looked through, and when     backfill.c  room in running matches
 *   status.c  what a waiting ticket is told                   match_check.c  invariants by a full walk
 *
 * Places in the index are entries: slot << entry_bits | which. Lists begin at a head, the number of a chunk, stored
 * plus one, so that zeroed memory is an empty index and pages that nobody uses are never touched. */
#ifndef VX_MATCH_PRIVATE_H
#define VX_MATCH_PRIVATE_H

#include "vx_match.h"

enum {
    POINTS = VX_MATCH_RATING_MAX + 1,
    BLOCK_POINTS = 64,
    BLOCKS = POINTS / BLOCK_POINTS,
    ROLE_CLASSES = 1 << VX_MATCH_ROLES_MAX,
    CLASSES = ROLE_CLASSES + VX_MATCH_PARTY_MAX - 1, /* single players by the roles they can take; parties of 2, 3, … */
    AGE_SECONDS = 1024,
    BANDS = 16, /* of rating, for measured waits */
    BAND_POINTS = POINTS / BANDS,
    WAITS = 15, /* latest waits of a band: an odd number has a middle */
    CARRIED = 8, /* left out by one piece of a sweep and taken along to the next */
    FRESH = 16, /* newcomers of a pool that are looked at one by one; more are a flood */
    NO_SOFT = UINT8_MAX,
    NO_REGION = UINT8_MAX,
};
enum ticket_flag {
    TICKET_QUEUED = 1,
    TICKET_PICKY = 2, /* a member blocks or has met somebody: persons must be looked at */
    TICKET_FIRST = 4,
};

enum { CHUNK_NUMBERS = 13,
       CHUNK_MERGED_MAX = 6 }; /* neighbours that hold no more together are joined */
struct chunk { /* a piece of a list: lists.c. One cache line. */
    uint32_t numbers[CHUNK_NUMBERS];
    uint32_t next, prev; /* chunks, going round; next of a free one: index + 1 */
    uint8_t first, count;
} VX_ALIGNED;
struct list {
    uint32_t head, tail; /* chunk + 1, 0 for an empty list; chunk */
};
struct place {
    uint32_t chunk;
    uint16_t line; /* index + 1, 0 for none */
};
struct ticket { /* one cache line: all that a search and a leave touch of most tickets */
    uint32_t since_ms;
    uint32_t age;       /* chunk of its second */
    struct place place; /* of its first entry */
    uint16_t rating, modes;
    uint8_t size, flags;
    uint16_t sets[VX_MATCH_SETS];
    uint8_t attributes[VX_MATCH_ATTRIBUTES];
    uint16_t latency_ms[VX_MATCH_REGIONS];
    uint16_t roles[VX_MATCH_PARTY_MAX]; /* of its members: their persons are not looked at for them */
} VX_ALIGNED;
static_assert(sizeof(struct ticket) == VX_CACHE_LINE_BYTES, "the hot line of a ticket");
static_assert(sizeof(struct vx_match_person) <= VX_CACHE_LINE_BYTES, "a person");

/* Tickets of one class in one pool, by rating: bitmaps find the next point that has any. */
struct line {
    uint32_t count;
    uint16_t pool;
    uint8_t class;
    uint16_t next_free;
    uint64_t blocks;
    uint64_t points[BLOCKS];
    struct list lists[POINTS]; /* of entries */
};
struct range {
    uint16_t from, to; /* points, from > to: empty */
};
/* All who could meet: one mode, one region, equal attributes (or the mode's soft attribute given up). */
struct pool {
    uint64_t key;
    uint8_t mode, region;
    bool any;          /* the soft attribute counts for nothing here */
    bool used, queued; /* queued: there is something to look through */
    bool flooded;      /* `later` is to be swept: more came than `fresh` holds, or windows have widened */
    uint8_t fresh_first, fresh_count;
    uint32_t fresh[FRESH];   /* slots of newcomers */
    uint16_t lines[CLASSES]; /* index + 1 */
    uint32_t tickets;
    struct range now, later; /* being looked through; changed since */
    uint32_t resume;         /* where in now.from it goes on: pairs the entry, teams how many were tried; plus one, 0: at its beginning */
    uint32_t row;            /* of time, when all was last looked through */
    uint16_t next;           /* in the queue */
    /* pairs: pools that share tickets are one family, going round, which its leader sweeps: overlap.c */
    uint16_t leader, family_next;
    bool stale; /* the mode has changed: to be put into its family anew */
    uint8_t sibling;
    uint16_t at_point; /* where the leader's sweep goes on in this pool; entry + 1, 0: where the point begins */
    uint32_t at_entry;
    uint8_t carry_count; /* leader: left out so far, taken along */
    uint16_t carry_rating[CARRIED];
    uint32_t carry[CARRIED];
};

struct waits {
    uint32_t ms[WAITS];
    uint8_t count, next;
};
struct mode {
    struct vx_match_mode rules;
    uint64_t need;                              /* byte r: players that the roles of set r need together (Hall's condition) */
    uint8_t soft;                               /* the attribute that is given up with time, or NO_SOFT */
    bool pairs;                                 /* two single players */
    uint16_t window[VX_MATCH_ROWS], window_max; /* of single players in teams of one the means are the ratings: the narrower of both */
    uint32_t waiting;
    uint32_t seconds[AGE_SECONDS]; /* tickets by the second since which they wait */
    struct waits waits[BANDS];
};
struct vx_match {
    uint32_t tickets_max, mode_count, entry_bits, pools_max, lines_max;
    uint32_t waiting;
    uint32_t looks; /* of the last step */
    struct mode *modes;
    struct ticket *tickets;
    struct vx_match_person *persons;
    struct place *places; /* of a ticket's entries after the first */
    struct chunk *chunks;
    uint32_t chunks_max, chunks_taken, chunk_free; /* how many were ever taken; free list, index + 1 */
    struct list ages[AGE_SECONDS];                 /* of slots */
    struct pool *pools;
    uint16_t *buckets; /* pools by key, open addressing: index + 1 */
    uint32_t bucket_mask;
    struct line *lines;
    uint16_t line_free, lines_taken;           /* free list (index + 1), and how many were ever taken */
    uint16_t queue_first, queue_last;          /* pools to be looked through: index + 1 */
    uint32_t clock, clock_left, clock_ms;      /* next pool whose windows may have widened; pools not yet asked at this time */
    uint32_t late_ms;                          /* the earliest that anybody is late; VX_MATCH_NONE without teams' modes */
    uint32_t late_second, late_slot, late_row; /* oldest first: where it goes on, counted from the oldest second; slot + 1 */
    uint32_t moving;                           /* slots still to be put anew after vx_match_mode_set, counting down */
    uint16_t moving_modes;
};

static inline uint32_t slot_of(const struct vx_match *match, uint32_t entry)
{
    return entry >> match->entry_bits;
}
static inline struct place *place_of(const struct vx_match *match, uint32_t entry)
{
    uint32_t slot = slot_of(match, entry), which = entry - (slot << match->entry_bits);
    return which == 0 ? &match->tickets[slot].place : &match->places[entry - slot - 1];
}

/* ---- lists.c ---- */
enum list_of { LIST_POINT, /* entries */
               LIST_AGES   /* slots */
};
void list_append(struct vx_match *match, enum list_of of, struct list *list, uint32_t number);
void list_prepend(struct vx_match *match, enum list_of of, struct list *list, uint32_t number);
void list_remove(struct vx_match *match, enum list_of of, struct list *list, uint32_t number);
/* Who comes after `number`, VX_MATCH_NONE: nobody. */
uint32_t list_next(struct vx_match *match, enum list_of of, const struct list *list, uint32_t number);
/* The most chunks that so many lists can need for so many numbers in all. */
size_t lists_chunks(size_t lists, size_t numbers);

/* Goes along a list that nobody changes meanwhile. */
struct cursor {
    const struct chunk *chunk;
    uint32_t at;
};
static inline struct cursor cursor_first(const struct vx_match *match, const struct list *list)
{
    return (struct cursor){ &match->chunks[list->head - 1], match->chunks[list->head - 1].first };
}
struct cursor cursor_at(const struct vx_match *match, uint32_t entry); /* in its point's list */
static inline uint32_t cursor_number(const struct cursor *cursor)
{
    return cursor->chunk->numbers[cursor->at];
}
static inline bool cursor_next(const struct vx_match *match, const struct list *list, struct cursor *cursor)
{
    if (++cursor->at < (uint32_t)cursor->chunk->first + cursor->chunk->count)
        return true;
    if (cursor->chunk->next + 1 == list->head)
        return false;
    cursor->chunk = &match->chunks[cursor->chunk->next];
    cursor->at = cursor->chunk->first;
    return true;
}

/* ---- index.c ---- */
/* The first point at or above `from` that has tickets, POINTS when there is none. */
static inline uint32_t point_up(const struct line *line, uint32_t from)
{
    if (from >= POINTS)
        return POINTS;
    uint64_t here = line->points[from / BLOCK_POINTS] & (~0ull << from % BLOCK_POINTS);
    if (here != 0)
        return from / BLOCK_POINTS * BLOCK_POINTS + (uint32_t)__builtin_ctzll(here);
    uint64_t above = from / BLOCK_POINTS + 1 < BLOCKS ? line->blocks & (~0ull << (from / BLOCK_POINTS + 1)) : 0;
    if (above == 0)
        return POINTS;
    uint32_t block = (uint32_t)__builtin_ctzll(above);
    return block * BLOCK_POINTS + (uint32_t)__builtin_ctzll(line->points[block]);
}
/* The first point at or below `from`, POINTS when there is none. */
static inline uint32_t point_down(const struct line *line, uint32_t from)
{
    if (from >= POINTS)
        return POINTS;
    uint64_t here = line->points[from / BLOCK_POINTS] & (~0ull >> (BLOCK_POINTS - 1 - from % BLOCK_POINTS));
    if (here != 0)
        return from / BLOCK_POINTS * BLOCK_POINTS + BLOCK_POINTS - 1 - (uint32_t)__builtin_clzll(here);
    uint64_t below = line->blocks & ((1ull << from / BLOCK_POINTS) - 1);
    if (below == 0)
        return POINTS;
    uint32_t block = BLOCKS - 1 - (uint32_t)__builtin_clzll(below);
    return block * BLOCK_POINTS + BLOCK_POINTS - 1 - (uint32_t)__builtin_clzll(line->points[block]);
}
static inline uint16_t pool_number(const struct vx_match *match, const struct pool *pool)
{
    return (uint16_t)(pool - match->pools);
}
/* The pool whose sweep looks through this one. */
static inline struct pool *pool_sweeper(const struct vx_match *match, const struct pool *pool)
{
    return &match->pools[pool->leader];
}
/* True when the ticket waits where the pool's sweep looks. */
static inline bool ticket_in(const struct vx_match *match, const struct pool *pool, uint32_t slot)
{
    for (uint32_t i = 0, line; i < 1u << match->entry_bits && (line = place_of(match, slot << match->entry_bits | i)->line) != 0; i++)
        if (pool_sweeper(match, &match->pools[match->lines[line - 1].pool]) == pool)
            return true;
    return false;
}
/* False: no pool or line is free. */
bool index_insert(struct vx_match *match, uint32_t slot, uint32_t now_ms);
void index_remove(struct vx_match *match, uint32_t slot);
/* A newcomer that may be matched with those within reach of it. */
void pool_newcomer(struct vx_match *match, struct pool *pool, uint32_t slot, uint32_t reach);
/* Everything is to be looked through again. */
void pool_flood(struct vx_match *match, struct pool *pool);
void pool_queue(struct vx_match *match, struct pool *pool);

/* Tickets of a pool in order of rating, over its lines. Up or down from a point. */
struct walk {
    const struct vx_match *match;
    uint32_t lines; /* that still have some */
    bool down;
    struct {
        const struct line *line;
        uint32_t point;
        struct cursor cursor;
    } at[CLASSES];
};
void walk_start(struct walk *walk, const struct vx_match *match, const struct pool *pool, uint32_t point, bool down);
/* The next ticket's slot and class; VX_MATCH_NONE at the end. Of equal ratings the largest parties first, then those who
 * can take most roles: single players without any fit wherever a place is left, so they come last. */
uint32_t walk_next(struct walk *walk, uint32_t *class);
/* Leaves out a class from here on. */
void walk_drop(struct walk *walk, uint32_t class);

/* ---- rules.c ---- */
struct team {
    uint64_t have; /* byte r: members who can take a role of set r */
    uint32_t rating_sum;
    uint8_t players;
};
/* For each set of roles whether the class can take one of it, a byte each. */
static inline uint64_t class_have(uint32_t class)
{
    uint64_t have = 0;
    for (uint32_t set = 0; set < ROLE_CLASSES; set++)
        have |= (uint64_t)((class & set) != 0) << (8 * set);
    return have;
}
/* Eight sets of roles at once: in no set may more be missing than places are left. Counts are below 64, so
 * that the top bit of each byte is free for the comparison. */
static inline bool team_feasible(const struct mode *mode, const struct team *team, uint32_t size)
{
    const uint64_t each_byte = 0x0101010101010101ull, each_top = 0x8080808080808080ull;
    uint64_t could_have = team->have + (size - team->players) * each_byte;
    return (((could_have | each_top) - mode->need) & each_top) == each_top;
}
/* What can be said of a ticket before it waits. */
enum vx_match_refusal mode_admits(const struct vx_match *match, const struct mode *mode, const uint32_t *members, uint32_t size, const uint16_t *latency_ms);
static inline uint32_t row_of(const struct mode *mode, uint32_t waited_ms)
{
    uint32_t row = waited_ms / mode->rules.step_ms;
    return row < VX_MATCH_ROWS ? row : VX_MATCH_ROWS - 1;
}
static inline uint32_t waited_of(const struct ticket *ticket, uint32_t now_ms)
{
    uint32_t waited_ms = now_ms - ticket->since_ms;
    return (int32_t)waited_ms < 0 ? 0 : waited_ms;
}
static inline uint32_t window_of(const struct mode *mode, const struct ticket *ticket, uint32_t now_ms)
{
    return mode->window[row_of(mode, waited_of(ticket, now_ms))];
}
/* What of the pool's rules changes with time: latency, and the attribute given up. */
bool active_in(const struct mode *mode, const struct pool *pool, const struct ticket *ticket, uint32_t now_ms);
/* No member of one blocks, or may not meet again, a member of the other. */
bool may_meet(const struct vx_match *match, const struct mode *mode, uint32_t a, uint32_t b, uint32_t now_ms);
/* The same for somebody who is in no queue. */
bool may_join(const struct vx_match *match, const struct mode *mode, uint32_t slot, uint32_t person, uint32_t now_ms);
bool sets_meet(const struct mode *mode, const uint16_t *a, const uint16_t *b);
/* Which of the mode's roles a person can take, a bit each. */
uint32_t role_class(const struct mode *mode, uint16_t roles);
uint32_t ticket_class(const struct vx_match *match, const struct mode *mode, uint32_t slot);

/* ---- group.c: a match that is being put together ---- */
struct group {
    const struct vx_match *match;
    const struct mode *mode;
    const struct pool *pool;
    uint32_t now_ms;
    uint32_t low, high, window; /* ratings; the narrowest window */
    uint16_t sets[VX_MATCH_SETS];
    bool picky;          /* a member must be asked about every other */
    uint8_t teams, size; /* the shape */
    uint8_t scarce;      /* roles, a bit each: who can take one gets no other place */
    uint8_t players, count;
    uint32_t looks_end; /* when this many have been used it is given up */
    bool full_waited; /* somebody who was put in has waited long enough for a smaller match */
    struct team team[VX_MATCH_PLAYERS_MAX];
    uint32_t ticket[VX_MATCH_PLAYERS_MAX];
    uint8_t place[VX_MATCH_PLAYERS_MAX]; /* team of each ticket */
};
enum placing { PLACED,
               PLACE_RULES,
               PLACE_ROOM }; /* _ROOM: no ticket of this class will ever fit again */
void group_start(struct group *group, const struct vx_match *match, const struct pool *pool, uint32_t now_ms, uint32_t teams, uint32_t size);
enum placing group_place(struct group *group, uint32_t slot, uint32_t class);
uint64_t ticket_have(const struct vx_match *match, const struct mode *mode, uint32_t slot, uint32_t class);
/* Exchanges tickets between teams until their means are near. False: farther apart than a member allows. */
bool group_balance(struct group *group, uint32_t *looks);
/* Removes the members from the queue. */
void group_take(struct vx_match *match, const struct group *group, struct vx_match_found *found);

/* ---- pairs.c, teams.c: one piece of a pool's range; the number found, and looks used ---- */
uint32_t pairs_piece(struct vx_match *match, struct pool *pool, uint32_t now_ms, struct vx_match_found *found, uint32_t max, uint32_t *looks);
uint32_t teams_piece(struct vx_match *match, struct pool *pool, uint32_t now_ms, struct vx_match_found *found, uint32_t max, uint32_t *looks);
/* The best match for one ticket. */
bool pairs_serve(struct vx_match *match, struct pool *pool, uint32_t slot, uint32_t now_ms, struct vx_match_found *found, uint32_t *looks);
bool teams_serve(struct vx_match *match, struct pool *pool, uint32_t slot, uint32_t now_ms, struct vx_match_found *found, uint32_t *looks);

/* ---- overlap.c ---- */
void family_alone(struct vx_match *match, struct pool *pool);
void family_join(struct vx_match *match, struct pool *pool);
void family_leave(struct vx_match *match, struct pool *pool);
/* leader->now is to be swept. */
void family_sweep(struct vx_match *match, struct pool *leader);

/* ---- queue.c, status.c ---- */
void ticket_leave(struct vx_match *match, uint32_t slot); /* vx_match_remove without asking */
void wait_measured(struct mode *mode, uint32_t rating, uint32_t waited_ms);
void mode_compile(struct mode *mode, const struct vx_match_mode *rules);
void modes_late(struct vx_match *match);
/* Lines that a pool of the mode may need. */
uint32_t mode_classes(const struct vx_match_mode *rules);

#endif
