/* What a player does next, and what results do to it. */
#include "game_player.h"

#include <math.h>

enum { PATIENCE = 64 /* packets without news after which it leaves and begins anew */ };

static void phase_set(struct game_player *player, enum game_phase phase)
{
    player->phase = (uint8_t)phase;
    player->idle = 0;
}

/* The first chest that nobody has; -1 when all are gone. */
static int chest_next(const struct game_player *player)
{
    for (int i = 0; i < player->chests; i++)
        if ((player->closed & 1 << i) == 0)
            return i;
    return -1;
}

/* One stride towards the chest; what is left, in cm. */
static double stride(struct game_player *player, uint32_t chest)
{
    int32_t to_cm[3];
    vx_chest_position(player->seed, chest, to_cm);
    double dx = to_cm[0] - player->x_cm, dy = to_cm[1] - player->y_cm, distance = sqrt(dx * dx + dy * dy);
    double part = distance <= GAME_STRIDE_CM ? 1 : GAME_STRIDE_CM / distance;
    player->x_cm += (int32_t)(dx * part);
    player->y_cm += (int32_t)(dy * part);
    return distance * (1 - part);
}

static uint32_t hunt(struct game_player *player, struct vx_rng *rng, struct vx_wire_action actions[GAME_ACTIONS_MAX])
{
    int chest = chest_next(player);
    const struct vx_wire_action strike = { .type = VX_ACTION_STRIKE, .arg8 = (uint8_t)(player->number & 3), .a = player->match };
    if (chest < 0) {
        actions[0] = strike;
        return 1;
    }
    double left_cm = stride(player, (uint32_t)chest);
    actions[0] = actions[1] = (struct vx_wire_action){ .type = VX_ACTION_MOVE, .a = (uint32_t)player->x_cm, .b = (uint32_t)player->y_cm };
    if (left_cm <= GAME_SUMMON_CM)
        actions[2] = (struct vx_wire_action){ .type = VX_ACTION_SUMMON, .arg16 = (uint16_t)chest, .a = player->match };
    else if (vx_rng_below(rng, 4) == 0)
        actions[2] = strike;
    else
        return 2;
    return 3;
}

static uint32_t choose(struct game_player *player, struct vx_rng *rng, struct vx_wire_action actions[GAME_ACTIONS_MAX])
{
    actions[1] = (struct vx_wire_action){ .type = VX_ACTION_PING };
    switch (player->phase) {
    case GAME_LOBBY:
        actions[0] = (struct vx_wire_action){ .type = VX_ACTION_FIND };
        phase_set(player, GAME_SEARCHING);
        return 1;
    case GAME_PROPOSED:
        actions[0] = (struct vx_wire_action){ .type = VX_ACTION_ACCEPT, .a = player->match };
        phase_set(player, GAME_ACCEPTED);
        return 1;
    case GAME_HUNTING:
        return hunt(player, rng, actions);
    default:
        actions[0] = (struct vx_wire_action){ .type = VX_ACTION_ACK, .a = player->seen };
        return 2;
    }
}

uint32_t game_player_act(struct game_player *player, struct vx_rng *rng, struct vx_wire_action actions[GAME_ACTIONS_MAX])
{
    uint32_t count;
    if (++player->idle >= PATIENCE && player->phase != GAME_HUNTING) { /* a game begins with LEAVE, too */
        actions[0] = (struct vx_wire_action){ .type = VX_ACTION_LEAVE };
        phase_set(player, GAME_LOBBY);
        count = 1;
    } else {
        count = choose(player, rng, actions);
    }
    player->number += count;
    return count;
}

static void refused(struct game_player *player, const struct vx_wire_long *result)
{
    if (player->phase == GAME_ACCEPTED && result->code != VX_CODE_BUSY)
        phase_set(player, GAME_SEARCHING);
    else if (player->phase == GAME_SEARCHING && result->code == VX_CODE_BUSY)
        phase_set(player, GAME_LOBBY);
}

void game_player_told(struct game_player *player, const struct vx_wire_long *result)
{
    if (result->result_number != 0) {
        if (result->result_number != player->seen + 1)
            return;
        player->seen++;
    }
    switch (result->type) {
    case VX_RESULT_ERROR:
        refused(player, result);
        break;
    case VX_RESULT_QUEUE_STATUS:
        if (result->action_number == 0 && player->phase != GAME_HUNTING)
            phase_set(player, result->code == VX_CODE_DECLINED ? GAME_SEARCHING : GAME_LOBBY);
        break;
    case VX_RESULT_PROPOSAL:
        player->match = result->a;
        phase_set(player, GAME_PROPOSED);
        break;
    case VX_RESULT_HUNT_STARTED:
        player->match = result->a;
        player->seed = result->b;
        player->chests = (uint8_t)result->arg16;
        player->closed = 0;
        player->x_cm = player->y_cm = 0;
        phase_set(player, GAME_HUNTING);
        break;
    case VX_RESULT_CHEST:
        if (result->a == player->match)
            player->closed |= (uint8_t)(1u << result->arg16);
        break;
    case VX_RESULT_HUNT_ENDED:
        phase_set(player, GAME_LOBBY);
        break;
    default:
        break;
    }
}
