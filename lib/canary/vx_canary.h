/* canary: judges a formula that plays on some shards by what happens there, against the other shards over the same time.
 * Pure: figures in, a verdict out; any thread. */
#ifndef VX_CANARY_H
#define VX_CANARY_H

#include "vx_base.h"

/* What the shards of one side have counted since the canary began, and its formula's batches. */
struct vx_canary_side {
    uint32_t shards;
    uint64_t hunts_ended, hunt_ms, loot_amount;
    uint64_t jobs_answered, jobs_timed_out;
    uint64_t favourites[3], favourite_halves[3]; /* by rating band: low, middle, high; 2 halves a win, 1 a draw */
    double batch_us_p50;                         /* of the kind that is tried; the median, for others may have the core */
    uint64_t batches;
};

/* How far apart the two sides may be. */
struct vx_canary_limits {
    double batch_times;   /* the others' median batch, above a floor */
    double timed_out;     /* more, of 1 */
    double hunt, loot;    /* either way, as a part of the others' */
    double favourites;    /* either way, of 1 */
    double events, jobs;  /* that each side must have before a figure says anything; jobs: for those timed out */
};
/* Figure, what it is in, how it may differ (R: that part of the others' figure, either way; A: by so much; U: at most so many
 * times, and only above a floor), by which limit, and which limit says how many events it takes. */
#define VX_CANARY_FIGURES(X)                                                                       \
    X(BATCH_US_P50, "batch, median", "us", U, batch_times, events)                                      \
    X(TIMED_OUT, "jobs timed out", "of 1", A, timed_out, jobs)                                         \
    X(HUNT_S, "hunt length", "s", R, hunt, events)                                                    \
    X(LOOT_PER_HOUR, "loot in an hour of hunts", "", R, loot, events)                                 \
    X(FAVOURITES_LOW, "favourites' part of wins, low ratings", "of 1", A, favourites, events)               \
    X(FAVOURITES_MIDDLE, "favourites' part of wins, middle ratings", "of 1", A, favourites, events)         \
    X(FAVOURITES_HIGH, "favourites' part of wins, high ratings", "of 1", A, favourites, events)
enum vx_canary_figure {
#define VX_CANARY_ENUM(name, text, unit, how, by, events) VX_CANARY_##name,
    VX_CANARY_FIGURES(VX_CANARY_ENUM)
#undef VX_CANARY_ENUM
        VX_CANARY_FIGURE_COUNT
};
struct vx_canary_row {
    double canary, others;
    uint64_t events_canary, events_others;
    bool judged;   /* enough events on both sides */
    bool breached;
};
struct vx_canary_verdict {
    struct vx_canary_row rows[VX_CANARY_FIGURE_COUNT];
    uint32_t judged;               /* rows that say something */
    bool breached;
    char sentence[192];            /* the first breach */
};
/* Text and unit of the list above. Static text. */
const char *vx_canary_figure_name(enum vx_canary_figure figure);
/* "" when it has none. */
const char *vx_canary_figure_unit(enum vx_canary_figure figure);
/* Both sides over the same time; *verdict is written whole. */
void vx_canary_judge(const struct vx_canary_limits *limits, const struct vx_canary_side *canary, const struct vx_canary_side *others, struct vx_canary_verdict *verdict);

#endif
