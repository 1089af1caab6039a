/* A player of whole games, for tests and benchmarks that have no veltrix-load: asked, it says its next packet's
 * actions; told each result, it moves on. Knows the words of the wire and nothing else. It walks in strides that
 * need a speed limit of at least GAME_STRIDE_CM within the time between two of its packets. */
#ifndef GAME_PLAYER_H
#define GAME_PLAYER_H

#include "vx_wire.h"

enum { GAME_ACTIONS_MAX = 4, GAME_STRIDE_CM = 500, GAME_SUMMON_CM = 250 };
enum game_phase { GAME_LOBBY, GAME_SEARCHING, GAME_PROPOSED, GAME_ACCEPTED, GAME_HUNTING };
struct game_player {
    uint32_t number;      /* of the last action */
    uint32_t seen;        /* results received in order */
    uint32_t match, seed;
    int32_t x_cm, y_cm;
    uint8_t phase;        /* enum game_phase */
    uint8_t chests, closed; /* how many; bit i: chest i is nobody's any more */
    uint8_t idle;         /* packets since the phase began */
};

/* The next packet: 1 to GAME_ACTIONS_MAX actions, numbered from player->number + 1; the numbers are taken. */
uint32_t game_player_act(struct game_player *player, struct vx_rng *rng, struct vx_wire_action actions[GAME_ACTIONS_MAX]);
/* A result of either length, widened. */
void game_player_told(struct game_player *player, const struct vx_wire_long *result);

#endif
