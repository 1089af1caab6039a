/* veltrix-player: connects with a token and plays, by hand, by a script on standard input, or by itself.
 * Exit: 0 as asked for, 1 not connected or connection lost, 2 usage, 3 --auto and no game within --seconds. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "player.h"

enum { WAIT_MS = 20 };

static uint64_t clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int usage(FILE *to)
{
    fprintf(to, "usage: veltrix-player --token FILE [--auto] [--seconds S] [--json]\n"
                "  --token FILE   connect token, as `veltrixctl token issue` writes it\n"
                "  --auto         play one whole game, then leave\n"
                "  --seconds S    give up after S seconds (default: never)\n"
                "  --json         results as JSON, one a line\n"
                "Otherwise commands are read from standard input:\n");
    if (to == stdout)
        player_commands_help();
    return to == stdout ? 0 : 2;
}

bool player_act(struct player *player, const struct vx_wire_action *action)
{
    uint32_t number = vx_client_act(player->client, action, 1, player->now_ms);
    if (number == 0)
        fprintf(stderr, "veltrix-player: %s is not sent: %s\n", vx_action_name(action->type),
                vx_client_state(player->client) == VX_CLIENT_CONNECTED ? "too many actions wait for their answers" : "not connected yet");
    return number != 0;
}

static struct vx_client *client_open(const char *path)
{
    uint8_t token[4096];
    struct vx_client *client = NULL;
    struct vx_error error;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = file >= 0 ? read(file, token, sizeof(token)) : -1;
    if (bytes < 0)
        fprintf(stderr, "veltrix-player: %s: %s\n", path, strerror(errno));
    else if (vx_client_create(token, (size_t)bytes, clock_ms(), &client, &error) != 0)
        fprintf(stderr, "veltrix-player: %s: %s\n", path, error.text);
    if (file >= 0)
        (void)close(file);
    return client;
}

/* Whole lines of standard input; the end of input quits once every action has its answer. */
static bool input_read(struct player *player, char *line, size_t *length, size_t room)
{
    ssize_t bytes = read(STDIN_FILENO, line + *length, room - *length - 1);
    if (bytes <= 0)
        return bytes < 0 && errno == EINTR;
    *length += (size_t)bytes;
    line[*length] = '\0';
    for (char *end; (end = strchr(line, '\n')) != NULL;) {
        *end = '\0';
        (void)player_command(player, line);
        *length -= (size_t)(end + 1 - line);
        memmove(line, end + 1, *length + 1);
    }
    if (*length == room - 1) {
        fprintf(stderr, "veltrix-player: a line longer than %zu bytes is passed over\n", room - 1);
        *length = 0;
    }
    return true;
}

static bool nothing_open(const struct player *player)
{
    struct vx_client_figures figures;
    vx_client_figures(player->client, &figures);
    return figures.actions_open == 0;
}

static int play(struct player *player, double seconds)
{
    char line[256];
    size_t length = 0;
    bool input = !player->automatic;
    enum vx_client_state state = VX_CLIENT_REQUESTING, told = VX_CLIENT_REQUESTING;
    const uint64_t began_ms = clock_ms();
    while (!player->quit && state > VX_CLIENT_DISCONNECTED) {
        struct pollfd wait[2] = { { vx_client_socket(player->client), POLLIN, 0 }, { input && state == VX_CLIENT_CONNECTED ? STDIN_FILENO : -1, POLLIN, 0 } };
        (void)poll(wait, 2, WAIT_MS);
        player->now_ms = clock_ms();
        state = vx_client_update(player->client, player->now_ms);
        if (state != told)
            fprintf(stderr, "veltrix-player: %s\n", vx_client_state_sentence(state));
        told = state;
        for (struct vx_client_result result; vx_client_result(player->client, &result);)
            player_result(player, &result);
        (void)fflush(stdout);
        if (wait[1].revents != 0)
            input = input_read(player, line, &length, sizeof(line));
        if (player->automatic && state == VX_CLIENT_CONNECTED)
            player_turn(player);
        else if (!input && !player->automatic && nothing_open(player))
            player->quit = true;
        if (seconds > 0 && (double)(player->now_ms - began_ms) >= seconds * 1000)
            break;
    }
    if (state <= VX_CLIENT_DISCONNECTED)
        return 1;
    return player->quit ? 0 : 3;
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "token", required_argument, NULL, 't' }, { "auto", no_argument, NULL, 'a' }, { "seconds", required_argument, NULL, 's' },
                                             { "json", no_argument, NULL, 'j' },        { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
    struct player player = { .client = NULL };
    const char *token = NULL;
    double seconds = 0;
    for (int option; (option = getopt_long(argc, argv, "t:as:jh", options, NULL)) != -1;) {
        switch (option) {
        case 't':
            token = optarg;
            break;
        case 'a':
            player.automatic = true;
            break;
        case 's':
            seconds = atof(optarg);
            break;
        case 'j':
            player.json = true;
            break;
        default:
            return usage(option == 'h' ? stdout : stderr);
        }
    }
    if (token == NULL || optind != argc)
        return usage(stderr);
    player.client = client_open(token);
    if (player.client == NULL)
        return 1;
    int code = play(&player, seconds);
    vx_client_destroy(player.client);
    return code;
}
