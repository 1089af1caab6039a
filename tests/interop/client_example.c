/* The smallest client: connects, asks for a match, prints what comes for some seconds. docs/client.md explains it. */
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include <vx_client.h>

static uint64_t clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
    unsigned char token[2048];
    struct vx_client *client;
    struct vx_error error;
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    size_t bytes = file != NULL ? fread(token, 1, sizeof(token), file) : 0;
    if (vx_client_create(token, bytes, clock_ms(), &client, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    bool asked = false;
    for (uint64_t end_ms = clock_ms() + 5000; clock_ms() < end_ms;) {
        struct pollfd wait = { vx_client_socket(client), POLLIN, 0 };
        (void)poll(&wait, 1, 50);
        enum vx_client_state state = vx_client_update(client, clock_ms());
        if (state <= VX_CLIENT_DISCONNECTED) {
            fprintf(stderr, "%s\n", vx_client_state_sentence(state));
            return 1;
        }
        if (state == VX_CLIENT_CONNECTED && !asked)
            asked = vx_client_act(client, &(struct vx_wire_action){ .type = VX_ACTION_FIND }, 1, clock_ms()) != 0;
        for (struct vx_client_result result; vx_client_result(client, &result);)
            printf("%s %s\n", vx_result_name(result.type), vx_code_name(result.code));
    }
    vx_client_destroy(client);
    return 0;
}
