/* What a player knows of its game from the results alone, and a simple way to play: accept, walk to the nearest chest,
 * open it, go on, until the hunt ends. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "player.h"

static void print_result(const struct player *player, const struct vx_client_result *result)
{
    if (player->json)
        printf("{\"result\": \"%s\", \"code\": \"%s\", \"action\": %u, \"arg\": %u, \"a\": %u, \"b\": %u, \"c\": %u}\n", vx_result_name(result->type),
               vx_code_name(result->code), result->action_number, result->arg16, result->a, result->b, result->c);
    else
        printf("%s %s  action %u, arg %u, a %u, b %u, c %u\n", vx_result_name(result->type), vx_code_name(result->code), result->action_number, result->arg16,
               result->a, result->b, result->c);
}

static void hunt_begin(struct player *player, const struct vx_client_result *result)
{
    player->match = result->a;
    player->hunt_seed = result->b;
    player->chests = result->arg16 < PLAYER_CHESTS_MAX ? result->arg16 : PLAYER_CHESTS_MAX;
    player->chests_closed = 0;
    player->hunting = true;
    player->searching = player->proposed = false;
    memset(player->position_cm, 0, sizeof(player->position_cm));
}

void player_result(struct player *player, const struct vx_client_result *result)
{
    print_result(player, result);
    player->answers += result->action_number != 0;
    player->errors += result->type == VX_RESULT_ERROR;
    switch (result->type) {
    case VX_RESULT_QUEUE_STATUS:
        player->searching = result->code == VX_CODE_OK || result->code == VX_CODE_DECLINED;
        player->proposed = false;
        break;
    case VX_RESULT_ERROR: /* FIND was refused, say BUSY: ask again at the next turn */
        player->searching = player->searching && (player->hunting || player->proposed);
        break;
    case VX_RESULT_PROPOSAL:
        player->match = result->a;
        player->proposed = true;
        player->accepted = false;
        break;
    case VX_RESULT_HUNT_STARTED:
        hunt_begin(player, result);
        break;
    case VX_RESULT_CHEST:
        if (result->arg16 < PLAYER_CHESTS_MAX)
            player->chests_closed |= 1u << result->arg16;
        break;
    case VX_RESULT_LOOT_GRANTED:
        player->receipts++;
        break;
    case VX_RESULT_HUNT_ENDED:
        player->hunting = false;
        player->ended = true;
        break;
    default:
        break;
    }
}

static int32_t chest_nearest(const struct player *player, int32_t at_cm[3], double *distance_cm)
{
    int32_t nearest = -1;
    *distance_cm = INFINITY;
    for (uint32_t i = 0; i < player->chests; i++) {
        int32_t position_cm[3];
        vx_chest_position(player->hunt_seed, i, position_cm);
        double distance = hypot(position_cm[0] - player->position_cm[0], position_cm[1] - player->position_cm[1]);
        if ((player->chests_closed >> i & 1) || distance >= *distance_cm)
            continue;
        nearest = (int32_t)i;
        *distance_cm = distance;
        memcpy(at_cm, position_cm, sizeof(position_cm));
    }
    return nearest;
}

static void hunt_turn(struct player *player)
{
    int32_t at_cm[3];
    double distance_cm;
    int32_t chest = chest_nearest(player, at_cm, &distance_cm);
    if (chest < 0) { /* all are open: what is left is to fight */
        (void)player_act(player, &(struct vx_wire_action){ .type = VX_ACTION_STRIKE, .arg8 = 1, .a = player->match });
        return;
    }
    double part = distance_cm <= PLAYER_STEP_CM ? 1 : PLAYER_STEP_CM / distance_cm;
    for (uint32_t i = 0; i < 2; i++)
        player->position_cm[i] += (int32_t)((at_cm[i] - player->position_cm[i]) * part);
    if (!player_act(player, &(struct vx_wire_action){ .type = VX_ACTION_MOVE, .a = (uint32_t)player->position_cm[0], .b = (uint32_t)player->position_cm[1] }))
        return;
    if (part == 1)
        (void)player_act(player, &(struct vx_wire_action){ .type = VX_ACTION_SUMMON, .arg16 = (uint16_t)chest, .a = player->match });
}

void player_turn(struct player *player)
{
    if (player->now_ms - player->turn_ms < PLAYER_TURN_MS)
        return;
    player->turn_ms = player->now_ms;
    if (player->ended) {
        struct vx_client_figures figures;
        vx_client_figures(player->client, &figures);
        player->quit = figures.actions_open == 0;
    } else if (player->hunting) {
        hunt_turn(player);
    } else if (player->proposed && !player->accepted) {
        player->accepted = player_act(player, &(struct vx_wire_action){ .type = VX_ACTION_ACCEPT, .a = player->match });
    } else if (!player->searching && !player->proposed) {
        player->searching = player_act(player, &(struct vx_wire_action){ .type = VX_ACTION_FIND });
    }
}
