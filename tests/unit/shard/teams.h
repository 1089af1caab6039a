/* A world of four modes, and what its players do, for the tests of teams and of modes. Each test program has its own. */
#ifndef TEAMS_H
#define TEAMS_H

#include <string.h>

#include "vx_test.h"
#include "world.h"

enum { TANK = 1, HEALER = 2, ANY = 4 };
enum { DUEL, FIVES, ALL, TWOS, MODES };
static struct world world;
static struct vx_shard_mode modes[MODES];

static inline void open_world(void)
{
    static const char *const names[MODES] = { "duel", "fives", "all", "twos" };
    for (uint32_t i = 0; i < MODES; i++) {
        strcpy(modes[i].name, names[i]);
        vx_mode_default(&modes[i].mode);
        modes[i].mode.window_points = 1000;
    }
    modes[FIVES].mode.size_min = modes[FIVES].mode.size_max = 5;
    modes[FIVES].mode.roles[0] = 0 << VX_MODE_ROLE_SHIFT | 1; /* a tank */
    modes[FIVES].mode.roles[1] = 1 << VX_MODE_ROLE_SHIFT | 1; /* a healer */
    modes[FIVES].mode.backfill = 1;
    modes[FIVES].mode.players_min = 7;
    modes[ALL].mode.teams_min = modes[ALL].mode.teams_max = 8;
    modes[ALL].mode.auto_accept = 1;
    modes[TWOS].mode.size_min = modes[TWOS].mode.size_max = 2;
    world_open_modes(&world, 1, 10000, modes, MODES);
    world_wait(&world, 200, true, true);
}

static inline bool is(const struct vx_reply *reply, uint8_t type, uint8_t code)
{
    return reply != NULL && reply->type == type && reply->code == code;
}

static inline bool refused(const struct vx_reply *reply, uint8_t code)
{
    return is(reply, VX_RESULT_ERROR, code);
}

static inline const struct vx_reply *find(uint32_t player, uint8_t mode, uint16_t roles, uint32_t rating)
{
    struct vx_event event = world_action(&world, player, VX_ACTION_FIND);
    event.arg8 = mode;
    event.arg16 = roles;
    event.b = rating;
    uint32_t first = world.log_count;
    world_step(&world, &event, 1);
    for (uint32_t i = first; i < world.log_count; i++)
        if (world.log[i].player == player && world.log[i].action_number == event.number)
            return &world.log[i];
    return NULL;
}

static inline const struct vx_reply *act(uint32_t player, uint8_t type, uint32_t a)
{
    return world_act(&world, player, type, 0, a, 0, 0);
}

static inline uint32_t proposal_of(uint32_t player)
{
    const struct vx_reply *reply = world_last(&world, player, VX_RESULT_PROPOSAL);
    return reply != NULL ? reply->a : 0;
}

static inline struct vx_match_view look(uint32_t match)
{
    struct vx_match_view view = { 0 };
    CU_ASSERT(vx_shard_view_match(world.shard, match, &view));
    return view;
}

#endif
