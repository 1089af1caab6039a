/* What a player does next: mostly what its place in the game asks for, sometimes what its habits suggest. */
#include "sim_private.h"

static bool has(const struct player_sim *player, enum habit habit)
{
    return (player->habits & habit) != 0;
}

static uint32_t below(struct player_sim *player, uint32_t bound)
{
    return vx_rng_below(&player->rng, bound);
}

static struct vx_wire_action act(uint8_t type, uint32_t a)
{
    return (struct vx_wire_action){ .type = type, .a = a };
}

/* Anything, about any match, with any argument. */
static uint32_t cheat(struct sim *sim, struct player_sim *player, struct vx_wire_action *actions)
{
    uint32_t count = 1 + below(player, 4);
    for (uint32_t i = 0; i < count; i++) {
        struct vx_wire_action *action = &actions[i];
        *action = act((uint8_t)(1 + below(player, players_actions(sim->plan))), player->match);
        if (below(player, 3) == 0)
            action->a = sim->players[below(player, sim->plan->players)].match;
        if (below(player, 8) == 0)
            action->a = (uint32_t)vx_rng_next(&player->rng);
        action->arg8 = (uint8_t)(below(player, 4) == 0 ? below(player, 6) : 0);
        action->arg16 = (uint16_t)below(player, sim->plan->chests + 2);
        if (action->type == VX_ACTION_ACK && below(player, 2) == 0)
            action->a = below(player, 30);
        if (action->type == VX_ACTION_FIND) {
            action->a = below(player, 4) == 0;
            action->b = below(player, 2) == 0 ? below(player, 5000) : 1500;
        }
        if (action->type == VX_ACTION_MOVE && below(player, 2) == 0) {
            action->a = (uint32_t)((int32_t)below(player, 8000) - 4000);
            action->b = (uint32_t)((int32_t)below(player, 8000) - 4000);
        }
    }
    return count;
}

/* Somebody of the same shard, now and then oneself. */
static uint32_t somebody(struct sim *sim, struct player_sim *player)
{
    uint32_t shards = sim->plan->shards, own = (uint32_t)(player - sim->players);
    return own % shards + shards * below(player, (sim->plan->players - own % shards + shards - 1) / shards);
}

static struct vx_wire_action status(struct player_sim *player)
{
    return act(VX_ACTION_STATUS, below(player, 2) == 0 ? VX_SEAT_OWN : below(player, 8));
}

/* Parties come and go, and search in modes that some of them are too large for. */
static uint32_t in_lobby_of_teams(struct sim *sim, struct player_sim *player, struct vx_wire_action *actions)
{
    uint32_t whim = below(player, 16), modes;
    (void)appliance_modes(sim->plan, &modes);
    if (player->invited != 0 && whim < 12) {
        actions[0] = act(VX_ACTION_JOIN, player->invited);
        player->invited = 0;
    } else if (whim < 4) {
        actions[0] = act(VX_ACTION_INVITE, somebody(sim, player));
    } else if (whim == 4) {
        actions[0] = act(VX_ACTION_LEAVE_PARTY, 0);
    } else if (whim == 5) {
        actions[0] = act(VX_ACTION_BLOCK, somebody(sim, player));
        actions[0].arg8 = (uint8_t)below(player, 2);
    } else if (whim == 6) {
        actions[0] = status(player);
    } else {
        actions[0] = act(VX_ACTION_FIND, below(player, 2) == 0 ? below(player, 1u << modes) : 0);
        actions[0].arg8 = (uint8_t)below(player, modes);
        actions[0].b = below(player, 6) == 0 ? 1200 + below(player, 600) : 0;
    }
    return 1;
}

static uint32_t in_lobby(struct player_sim *player, struct vx_wire_action *actions)
{
    actions[0] = act(VX_ACTION_FIND, 0);
    if (below(player, 3) == 0)
        actions[0].b = 1200 + below(player, 600);
    return 1;
}

static uint32_t in_queue(struct player_sim *player, struct vx_wire_action *actions)
{
    if (below(player, has(player, HABIT_DECLINER) ? 4 : 60) == 0)
        actions[0] = act(VX_ACTION_CANCEL, 0);
    else
        actions[0] = act(VX_ACTION_PING, 0);
    return 1;
}

static uint32_t when_proposed(struct player_sim *player, struct vx_wire_action *actions)
{
    uint32_t whim = has(player, HABIT_DECLINER) ? below(player, 8) : below(player, 60);
    if (whim == 0 || whim > 56) {
        actions[0] = act(VX_ACTION_DECLINE, player->match);
    } else if (whim == 1) {
        actions[0] = act(VX_ACTION_CANCEL, 0);
    } else if (whim == 2) {
        actions[0] = act(VX_ACTION_PING, 0); /* keeps it waiting */
        return 1;
    } else {
        actions[0] = act(VX_ACTION_ACCEPT, player->match);
        player->phase = PHASE_ACCEPTED;
        return 1;
    }
    player->phase = PHASE_LOBBY;
    return 1;
}

static struct vx_wire_action step_towards(struct sim *sim, struct player_sim *player, const int32_t to_cm[3])
{
    uint64_t passed_us = sim->now_us - player->moved_us;
    int64_t reach = (int64_t)(sim->plan->speed_cm_s * (passed_us < 2000000 ? passed_us : 2000000) / 1500000); /* two axes, and the clocks differ */
    for (uint32_t i = 0; i < 2; i++) {
        int64_t left = to_cm[i] - player->at_cm[i];
        player->at_cm[i] += (int32_t)(left > reach ? reach : left < -reach ? -reach : left);
    }
    player->moved_us = sim->now_us;
    return (struct vx_wire_action){ .type = VX_ACTION_MOVE, .a = (uint32_t)player->at_cm[0], .b = (uint32_t)player->at_cm[1] };
}

static uint32_t in_hunt(struct sim *sim, struct player_sim *player, struct vx_wire_action *actions)
{
    uint32_t chest = 0, count = 0;
    int32_t to_cm[3];
    while (chest < player->chests && (player->opened & 1u << chest))
        chest++;
    vx_chest_position(player->hunt_seed, chest, to_cm);
    if (chest < player->chests) {
        actions[count++] = step_towards(sim, player, to_cm);
        int64_t x = to_cm[0] - player->at_cm[0], y = to_cm[1] - player->at_cm[1], range = sim->plan->chest_range_cm;
        if (x * x + y * y <= range * range) {
            actions[count] = act(VX_ACTION_SUMMON, player->match);
            actions[count++].arg16 = (uint16_t)chest;
        }
    }
    if (below(player, 3) == 0) {
        actions[count] = act(VX_ACTION_STRIKE, player->match);
        actions[count++].arg8 = (uint8_t)below(player, 4);
    }
    if (count == 0)
        actions[count++] = act(VX_ACTION_PING, 0);
    return count;
}

uint32_t player_turn(struct sim *sim, uint32_t id, struct vx_wire_action *actions)
{
    struct player_sim *player = &sim->players[id];
    uint64_t in_phase_us = sim->now_us - player->phase_us;
    if (has(player, HABIT_LEAVER) && below(player, 25) == 0) {
        actions[0] = act(VX_ACTION_LEAVE, 0);
        player->phase = PHASE_LOBBY;
        return 1;
    }
    if (has(player, HABIT_CHEAT) && below(player, 3) == 0)
        return cheat(sim, player, actions);
    if (player->phase != PHASE_LOBBY && in_phase_us > 60000000)
        player->phase = PHASE_LOBBY; /* it has not heard of something: it asks again */
    if (sim->plan->teams != 0 && player->phase != PHASE_LOBBY && below(player, 12) == 0) {
        actions[0] = status(player);
        return 1;
    }
    switch (player->phase) {
    case PHASE_LOBBY:
        return sim->plan->teams != 0 ? in_lobby_of_teams(sim, player, actions) : in_lobby(player, actions);
    case PHASE_SEARCHING:
        return in_queue(player, actions);
    case PHASE_PROPOSED:
        return when_proposed(player, actions);
    case PHASE_ACCEPTED:
        actions[0] = act(below(player, 40) == 0 ? VX_ACTION_DECLINE : below(player, 3) == 0 ? VX_ACTION_ACK : VX_ACTION_PING, player->match);
        if (actions[0].type == VX_ACTION_ACK)
            actions[0].a = has(player, HABIT_DEAF) ? 0 : player->seen;
        return 1;
    default:
        return in_hunt(sim, player, actions);
    }
}
