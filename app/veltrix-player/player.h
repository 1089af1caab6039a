/* veltrix-player: one player at a terminal, over lib/client. main.c is the loop, commands.c what is typed, game.c what it
 * knows of its game and, with --auto, how it plays one. */
#ifndef VELTRIX_PLAYER_H
#define VELTRIX_PLAYER_H

#include "vx_client.h"

enum { PLAYER_STEP_CM = 200, PLAYER_STEP_MS = 300, PLAYER_CHESTS_MAX = 8, PLAYER_TURN_MS = 200 };

struct player {
    struct vx_client *client;
    uint64_t now_ms;
    bool automatic, json;
    bool quit;             /* asked for, or the game is over */
    /* what results have said */
    uint32_t match, hunt_seed, chests;
    uint32_t chests_closed; /* bit per chest */
    bool searching, proposed, accepted, hunting, ended;
    int32_t position_cm[3];
    uint64_t turn_ms;      /* of the latest automatic turn */
    uint32_t answers, receipts, errors;
};

/* main.c: sends one action; says so when it cannot be sent. */
bool player_act(struct player *player, const struct vx_wire_action *action);
/* commands.c: one line that was typed; false, with a sentence on stderr, when it is no command. */
bool player_command(struct player *player, const char *line);
void player_commands_help(void);
/* game.c: takes a result in and prints it; plays a turn when it is time. */
void player_result(struct player *player, const struct vx_client_result *result);
void player_turn(struct player *player);

#endif
