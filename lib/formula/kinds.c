/* The kinds of formulas: what the appliance asks and what it takes for an answer. The one place where it stands:
 * the worker checks declarations by it, the gate draws jobs by it, and docs/formulas.md is held against it. */
#include <math.h>
#include <string.h>

#include "vx_formula.h"

#define POINTS "rating points"
const struct vx_formula_about vx_formula_abouts[VX_FORMULA_KINDS] = {
    [VX_FORMULA_BATTLE] = { "battle", "once for each STRIKE: how much it hurts", 6, 2,
                            { { "attacker_rating", POINTS, 0, 10000, false, false },
                              { "target_rating", POINTS, 0, 10000, false, false },
                              { "distance_m", "m", 0, 10000, false, false },
                              { "weapon", "0 blade, 1 pistol, 2 rifle, 3 bow", 0, 255, true, false },
                              { "target_health", "health", 0, 1000, true, false },
                              { "attacker_streak", "hits", 0, 255, true, false } },
                            { { "damage", "health", 0, 65535, false, false }, { "critical", "0 or 1", 0, 1, false, true } } },
    [VX_FORMULA_LOOT] = { "loot", "once for each chest that is won: what is in it", 5, 2,
                          { { "player_rating", POINTS, 0, 10000, false, false },
                            { "tier", "chest's number modulo 4", 0, 255, true, false },
                            { "chests_left", "chests", 0, 255, true, false },
                            { "elapsed_s", "s", 0, 86400, false, false },
                            { "players", "players", 1, 64, true, false } },
                          /* a float counts exactly up to 2^24 */
                          { { "item", "item number", 1, 65535, false, false }, { "amount", "pieces", 1, 16777216, false, false } } },
    [VX_FORMULA_PAIRING] = { "pairing", "once for each second of waiting: how far apart opponents may be", 1, 3,
                             { { "wait_s", "s", 0, 3600, false, false } },
                             { { "window_rating", POINTS, 0, 100000, false, false },
                               { "window_latency_ms", "ms", 0, 10000, false, true },
                               { "roles_open", "part of the roles that anybody may fill", 0, 1, false, true } } },
    [VX_FORMULA_RATING] = { "rating", "once for each 100 points of rating: how fast it changes", 1, 1,
                            { { "rating", POINTS, 0, 10000, false, false } },
                            { { "gain", "times the rating system's own change", 0, 10, false, false } } },
    [VX_FORMULA_SCORE] = { "score", "once for each finished hunt: who has won, and by how much", 6, 1,
                           { { "chests", "chests", 0, 255, true, false },
                             { "chests_other", "chests", 0, 255, true, false },
                             { "health", "health", 0, 1000, true, false },
                             { "health_other", "health", 0, 1000, true, false },
                             { "left", "0 nobody, 1 this side, 2 the other, 3 both", 0, 3, true, false },
                             { "elapsed_s", "s", 0, 86400, false, false } },
                           { { "score", "1 won, 0.5 drawn, 0 lost", 0, 1, false, false } } },
};

int vx_formula_kind(const char *name)
{
    for (int kind = 0; kind < VX_FORMULA_KINDS; kind++)
        if (strcmp(vx_formula_abouts[kind].name, name) == 0)
            return kind;
    return -1;
}

void vx_formula_draw(uint32_t kind, const struct vx_formula_declared *declared, struct vx_rng *rng, uint32_t ends, float inputs[VX_JOB_INPUTS])
{
    const struct vx_formula_about *about = &vx_formula_abouts[kind];
    for (unsigned i = 0; i < VX_JOB_INPUTS; i++) {
        const struct vx_formula_range *range = &declared->inputs[i];
        uint64_t random = vx_rng_next(rng);
        uint32_t where = ends > 0 ? (uint32_t)random % ends : 2;
        double part = where < 2 ? where : (double)(random >> 11) * 0x1p-53;
        double value = range->min + (range->max - range->min) * part;
        bool whole = (declared->inputs_whole >> i & 1) != 0;
        inputs[i] = i < about->input_count ? (float)(whole ? floor(value + 0.5) : value) : 0;
    }
}
