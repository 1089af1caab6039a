/* What a person types, a word and numbers a line, as actions. One row a command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "player.h"

enum argument { ARGUMENT_NONE, ARGUMENT_MATCH /* the present one */, ARGUMENT_POSITION, ARGUMENT_CHEST, ARGUMENT_WEAPON, ARGUMENT_MODE };
static const struct command {
    const char *word;
    enum vx_action action;
    enum argument argument;
    const char *help;
} commands[] = {
    { "find", VX_ACTION_FIND, ARGUMENT_MODE, "find [MODE]       look for a match" },
    { "cancel", VX_ACTION_CANCEL, ARGUMENT_NONE, "cancel            stop looking" },
    { "accept", VX_ACTION_ACCEPT, ARGUMENT_MATCH, "accept            the proposed match" },
    { "decline", VX_ACTION_DECLINE, ARGUMENT_MATCH, "decline           the proposed match" },
    { "move", VX_ACTION_MOVE, ARGUMENT_POSITION, "move X Y [Z]      walk there, centimetres" },
    { "summon", VX_ACTION_SUMMON, ARGUMENT_CHEST, "summon CHEST      open a chest in reach, from 0" },
    { "strike", VX_ACTION_STRIKE, ARGUMENT_WEAPON, "strike [WEAPON]   hit the opponent, weapon 0 to 3" },
    { "leave", VX_ACTION_LEAVE, ARGUMENT_NONE, "leave             leave whatever it is" },
    { "ping", VX_ACTION_PING, ARGUMENT_NONE, "ping              ask for a PONG" },
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

void player_commands_help(void)
{
    for (uint32_t i = 0; i < COMMANDS; i++)
        printf("  %s\n", commands[i].help);
    printf("  chests            where the hunt's chests lie\n  auto              play from here on\n  quit              say goodbye\n");
}

static bool action_fill(const struct player *player, const struct command *command, const char *rest, struct vx_wire_action *action)
{
    int numbers[3] = { 0, 0, 0 };
    int given = sscanf(rest, "%d %d %d", &numbers[0], &numbers[1], &numbers[2]);
    given = given < 0 ? 0 : given;
    *action = (struct vx_wire_action){ .type = (uint8_t)command->action };
    switch (command->argument) {
    case ARGUMENT_POSITION:
        action->a = (uint32_t)numbers[0];
        action->b = (uint32_t)numbers[1];
        action->c = (uint32_t)numbers[2];
        return given >= 2;
    case ARGUMENT_CHEST:
        action->arg16 = (uint16_t)numbers[0];
        action->a = player->match;
        return given == 1;
    case ARGUMENT_WEAPON:
        action->arg8 = (uint8_t)numbers[0];
        action->a = player->match;
        return true;
    case ARGUMENT_MODE:
        action->arg8 = (uint8_t)numbers[0];
        return true;
    case ARGUMENT_MATCH:
        action->a = player->match;
        return true;
    default:
        return true;
    }
}

static void print_chests(const struct player *player)
{
    for (uint32_t i = 0; i < player->chests; i++) {
        int32_t at_cm[3];
        vx_chest_position(player->hunt_seed, i, at_cm);
        printf("chest %u at %d %d%s\n", i, at_cm[0], at_cm[1], player->chests_closed >> i & 1 ? ", open" : "");
    }
}

bool player_command(struct player *player, const char *line)
{
    char word[16] = "";
    int used = 0;
    if (sscanf(line, "%15s%n", word, &used) < 1)
        return true;
    if (strcmp(word, "quit") == 0) {
        player->quit = true;
        return true;
    }
    if (strcmp(word, "auto") == 0) {
        player->automatic = true;
        return true;
    }
    if (strcmp(word, "chests") == 0) {
        print_chests(player);
        return true;
    }
    for (uint32_t i = 0; i < COMMANDS; i++) {
        struct vx_wire_action action;
        if (strcmp(word, commands[i].word) != 0)
            continue;
        if (action_fill(player, &commands[i], line + used, &action))
            return player_act(player, &action);
        fprintf(stderr, "veltrix-player: %s\n", commands[i].help);
        return false;
    }
    fprintf(stderr, "veltrix-player: '%s' is no command; these are:\n", word);
    player_commands_help();
    return false;
}
