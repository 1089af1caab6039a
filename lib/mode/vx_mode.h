/* mode: a way to play, as configuration and operators have it: whole numbers only, so that a mode travels to the shards word
 * by word and a recording of them replays. Turned into the matchmaker's rules here, and checked. Pure. */
#ifndef VX_MODE_H
#define VX_MODE_H

#include "vx_match.h"

enum vx_mode_rating { VX_MODE_GLICKO2, VX_MODE_PLACKETT_LUCE, VX_MODE_BRADLEY_TERRY_FULL, VX_MODE_BRADLEY_TERRY_PART, VX_MODE_ELO, VX_MODE_UNRATED };
#define VX_MODE_RATINGS "glicko2 plackett_luce bradley_terry_full bradley_terry_part elo none"
#define VX_MODE_PARTY_RATINGS "mean highest between" /* enum vx_match_aggregate */

/* Field, least, most, default, unit, sentence. */
#define VX_MODE_NUMBERS(X)                                                                                                         \
    X(teams_min, 2, 64, 2, "teams", "least of a match")                                                                            \
    X(teams_max, 2, 64, 2, "teams", "most of a match")                                                                             \
    X(teams_multiple, 1, 62, 1, "teams", "step from the least to the most")                                                        \
    X(size_min, 1, 32, 1, "players", "least of each team")                                                                         \
    X(size_max, 1, 32, 1, "players", "most of each team")                                                                          \
    X(size_multiple, 1, 31, 1, "players", "step from the least to the most")                                                       \
    X(step_ms, 1, 60000, 1000, "ms", "waiting after which limits widen by one step, 31 times at most")                             \
    X(window_points, 0, 4095, 0, "points", "most between the ratings of a match; this and the next two 0: as the pairing formula says") \
    X(window_more_points, 0, 4095, 0, "points", "added with each step of waiting")                                                 \
    X(window_most_points, 0, 4095, 0, "points", "where that ends; 0: nowhere")                                                     \
    X(means_points, 0, 4095, 0, "points", "most between the means of two teams; 0: no limit")                                      \
    X(means_more_points, 0, 4095, 0, "points", "added with each step of waiting")                                                  \
    X(latency_more_ms, 0, 10000, 0, "ms", "added to the latencies of all regions with each step of waiting")                       \
    X(latency_most_ms, 0, 10000, 0, "ms", "most that is added; 0: nothing is")                                                     \
    X(full_ms, 0, 86400000, 0, "ms", "before so much waiting only the largest match is made")                                      \
    X(late_ms, 0, 86400000, 15000, "ms", "teams: who has waited so long is served first, the oldest first")                        \
    X(rematch_ms, 0, 86400000, 0, "ms", "before so much waiting nobody meets one of the last 4 that they met; 0: they may")        \
    X(players_min, 0, 64, 0, "players", "a hunt with fewer left is abandoned, and costs nobody who stayed a point; 0: it goes on while two teams stand") \
    X(party_bonus_points, 0, 1000, 0, "points", "a party's rating for each member after the first")                                \
    X(placement_games, 0, 1000, 10, "games", "after which a newcomer's rating settles")                                           \
    X(period_s, 0, 31536000, 86400, "s", "without a game after which a rating is a step less certain; 0: it stays")

enum { VX_MODE_ROLE_SHIFT = 8, VX_MODE_REGION_NONE = 0 };
struct vx_mode { /* words of 32 bits and nothing else */
#define VX_MODE_FIELD(name, least, most, otherwise, unit, sentence) uint32_t name;
    VX_MODE_NUMBERS(VX_MODE_FIELD)
#undef VX_MODE_FIELD
    uint32_t rating;       /* enum vx_mode_rating */
    uint32_t party_rating; /* enum vx_match_aggregate */
    uint32_t auto_accept, backfill, rating_formula, score_formula; /* 0 or 1 */
    uint32_t roles[VX_MATCH_ROLES_MAX];       /* bit number << VX_MODE_ROLE_SHIFT | players of each team; 0: none */
    uint32_t latency_ms[VX_MATCH_REGIONS];    /* most to region i + 1; 0: that region, and all after it, are not played in */
    uint32_t equal_ms[VX_MATCH_ATTRIBUTES];   /* as vx_match_mode's */
    uint32_t common[VX_MATCH_SETS];           /* 0 or 1 */
};
enum { VX_MODE_WORDS = sizeof(struct vx_mode) / sizeof(uint32_t) };

/* Two single players, windows by the pairing formula, Glicko-2: what is played when nothing is configured. */
void vx_mode_default(struct vx_mode *mode);
/* The matchmaker's rules; windows[VX_MATCH_ROWS], in points, are the pairing formula's. 0, or -EINVAL with a sentence that
 * names the field. */
int vx_mode_rules(const struct vx_mode *mode, const char *name, const uint16_t *windows, struct vx_match_mode *rules, struct vx_error *error);
/* True when the pairing formula says the mode's windows. */
bool vx_mode_asks_formula(const struct vx_mode *mode);
/* Players of the largest match. */
uint32_t vx_mode_players(const struct vx_mode *mode);

#endif
