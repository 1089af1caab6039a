/* What is played: modes as configuration has them, turned into the matchmaker's rules, and changed while tickets wait. */
#include <errno.h>

#include "shard_private.h"

enum { POOLS_MAX = 1024, ATTRIBUTE_POOLS = 64 };

static const struct vx_mode *mode_at(const struct vx_shard_config *config, uint32_t index, struct vx_mode *otherwise)
{
    vx_mode_default(otherwise);
    return config->mode_count > 0 ? &config->modes[index].mode : otherwise;
}

static uint32_t modes_of(const struct vx_shard_config *config)
{
    return config->mode_count > 0 ? config->mode_count : 1;
}

uint32_t modes_seats_max(const struct vx_shard_config *config)
{
    uint32_t most = 0;
    struct vx_mode otherwise;
    for (uint32_t i = 0; i < modes_of(config); i++) {
        uint32_t players = vx_mode_players(mode_at(config, i, &otherwise));
        most = players > most ? players : most;
    }
    return most;
}

/* Combinations of mode, region and attributes that may wait at once: with attributes, as many as people bring. */
static uint32_t pools_of(const struct vx_match_mode *rules)
{
    bool by_attributes = false;
    for (uint32_t i = 0; i < VX_MATCH_ATTRIBUTES; i++)
        by_attributes = by_attributes || rules->equal_ms[i] != 0;
    return (rules->region_count > 0 ? rules->region_count : 1u) * (by_attributes ? ATTRIBUTE_POOLS : 1);
}

struct vx_match_config modes_match_config(const struct vx_shard_config *config, struct vx_match_mode rules[VX_MATCH_MODES_MAX])
{
    static const uint16_t unknown[VX_MATCH_ROWS];
    struct vx_match_config match = { .tickets_max = config->players_max, .mode_count = modes_of(config), .modes = rules, .entries = 1 };
    uint32_t entries = 0;
    for (uint32_t i = 0; i < match.mode_count; i++) {
        struct vx_mode otherwise;
        struct vx_error error;
        const char *name = config->mode_count > 0 ? config->modes[i].name : "duel";
        VX_ASSERT(vx_mode_rules(mode_at(config, i, &otherwise), name, unknown, &rules[i], &error) == 0); /* asked by modes_check */
        uint32_t pools = pools_of(&rules[i]);
        match.pools_max += pools;
        entries += rules[i].region_count > 1 ? 2 * rules[i].region_count : pools > 1 ? 2 : 1;
    }
    match.entries = entries > VX_MATCH_ENTRIES_MAX ? VX_MATCH_ENTRIES_MAX : entries;
    match.pools_max = match.pools_max > POOLS_MAX ? POOLS_MAX : match.pools_max;
    return match;
}

int modes_check(const struct vx_shard_config *config, struct vx_error *error)
{
    static const uint16_t unknown[VX_MATCH_ROWS];
    if (config->mode_count > VX_MATCH_MODES_MAX)
        return vx_error_set(error, -EINVAL, "shard %u: %u modes, expected at most %d", config->shard, config->mode_count, VX_MATCH_MODES_MAX);
    for (uint32_t i = 0; i < config->mode_count; i++) {
        struct vx_match_mode rules;
        int rc = vx_mode_rules(&config->modes[i].mode, config->modes[i].name, unknown, &rules, error);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Which tables any of the modes wants. */
static void asks_find(struct vx_shard *shard)
{
    shard->asks_windows = shard->asks_gains = false;
    for (uint32_t i = 0; i < shard->mode_count; i++) {
        shard->asks_windows |= vx_mode_asks_formula(&shard->modes[i]);
        shard->asks_gains |= shard->modes[i].rating_formula != 0;
    }
}

void modes_create(struct vx_shard *shard)
{
    shard->mode_count = modes_of(&shard->config);
    for (uint32_t i = 0; i < shard->mode_count; i++) {
        struct vx_mode otherwise;
        shard->modes[i] = shard->modes_next[i] = *mode_at(&shard->config, i, &otherwise);
    }
    asks_find(shard);
}

bool modes_ready(const struct vx_shard *shard)
{
    return !shard->asks_windows || shard->windows_ready;
}

void modes_window(struct vx_shard *shard, uint32_t row, uint32_t points)
{
    shard->windows[row] = (uint16_t)points;
    for (uint32_t i = 0; i < shard->mode_count; i++)
        if (vx_mode_asks_formula(&shard->modes[i]))
            vx_match_window_set(shard->match, i, row, points);
}

/* Words of a mode, or (arg8) the end of its words: then it holds, from the next match on. Who sends it has checked the whole;
 * what needs more seats than were taken at the start is not taken. */
void modes_change(struct vx_shard *shard, const struct vx_event *event)
{
    struct vx_match_mode rules;
    struct vx_error error;
    const uint32_t index = event->number;
    if (index >= shard->mode_count)
        return;
    struct vx_mode *next = &shard->modes_next[index];
    if (event->arg8 == 0) {
        const uint32_t words[] = { event->a, event->b, event->c };
        for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]) && event->arg16 + i < VX_MODE_WORDS; i++)
            ((uint32_t *)next)[event->arg16 + i] = words[i];
        return;
    }
    if (vx_mode_rules(next, vx_match_mode(shard->match, index)->name, shard->windows, &rules, &error) != 0 || vx_mode_players(next) > shard->seats_max) {
        *next = shard->modes[index];
        return;
    }
    shard->modes[index] = *next;
    asks_find(shard);
    vx_match_mode_set(shard->match, index, &rules);
    jobs_tables(shard); /* it may ask for a table that no mode has asked for so far */
}
