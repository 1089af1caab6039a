/* Bounces MOVE+PING off a kernel-socket server: a closed window, as veltrix-load's bounce does. */
#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "vx_base.h"
#include "vx_wire.h"

enum { BURST = 64, WINDOW = 256, ACTIONS = 2, LOSS_MS = 100 };
struct packet {
    struct vx_wire_header header;
    struct vx_wire_action actions[ACTIONS];
};
struct client {
    int fd;
    uint32_t players, place, *numbers;
    uint64_t sent, answered, lost; /* packets; actions answered are halved into packets */
    uint64_t actions_answered;
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void packets_send(struct client *client, uint32_t count)
{
    struct packet packets[BURST];
    struct iovec vectors[BURST];
    struct mmsghdr messages[BURST];
    memset(packets, 0, sizeof(packets));
    memset(messages, 0, sizeof(messages));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t player = (uint32_t)(vx_mix64(client->place++) % client->players);
        packets[i].header = (struct vx_wire_header){ VX_WIRE_MAGIC_CLIENT, VX_WIRE_VERSION, ACTIONS, 0, player, client->numbers[player] + 1, 0 };
        packets[i].actions[0].type = VX_ACTION_MOVE;
        packets[i].actions[1].type = VX_ACTION_PING;
        client->numbers[player] += ACTIONS;
        vectors[i] = (struct iovec){ &packets[i], sizeof(packets[i]) };
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int sent = sendmmsg(client->fd, messages, count, 0);
    client->sent += sent > 0 ? (uint64_t)sent : 0;
}

static int packets_receive(struct client *client)
{
    uint8_t payloads[BURST][VX_WIRE_REPLY_BYTES_MAX];
    struct iovec vectors[BURST];
    struct mmsghdr messages[BURST];
    memset(messages, 0, sizeof(messages));
    for (uint32_t i = 0; i < BURST; i++) {
        vectors[i] = (struct iovec){ payloads[i], sizeof(payloads[i]) };
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int received = recvmmsg(client->fd, messages, BURST, MSG_DONTWAIT, NULL);
    for (int i = 0; i < received; i++)
        if (messages[i].msg_len >= sizeof(struct vx_wire_reply_header) && payloads[i][0] == VX_WIRE_MAGIC_SERVER)
            client->actions_answered += payloads[i][2];
    client->answered = client->actions_answered / ACTIONS;
    return received;
}

static void bounce(struct client *client, double seconds)
{
    double end = now_s() + seconds, heard = now_s(), now;
    while ((now = now_s()) < end) {
        if (packets_receive(client) > 0)
            heard = now;
        uint64_t outstanding = client->sent - client->answered - client->lost;
        outstanding = (int64_t)outstanding < 0 ? 0 : outstanding; /* late ones that were given up */
        if (outstanding < WINDOW)
            packets_send(client, (uint32_t)(WINDOW - outstanding < BURST ? WINDOW - outstanding : BURST));
        if (now - heard > LOSS_MS * 1e-3) {
            client->lost += outstanding;
            heard = now;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 11) {
        (void)fprintf(stderr, "usage: vx_sockets_client --server ADDR --port P --players N --seconds S --cpu C\n");
        return 2;
    }
    struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[4])) };
    struct client client = { .fd = socket(AF_INET, SOCK_DGRAM, 0), .players = (uint32_t)atoi(argv[6]) };
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(atoi(argv[10]), &cpus);
    client.numbers = calloc(client.players, sizeof(*client.numbers));
    if (client.numbers == NULL || sched_setaffinity(0, sizeof(cpus), &cpus) != 0 || inet_pton(AF_INET, argv[2], &server.sin_addr) != 1 ||
        connect(client.fd, (struct sockaddr *)&server, sizeof(server)) != 0) {
        perror("vx_sockets_client");
        return 1;
    }
    double seconds = atof(argv[8]);
    bounce(&client, seconds);
    printf("{\"sent\": %lu, \"actions_answered\": %lu, \"lost\": %lu, \"seconds\": %.3f}\n", client.sent, client.actions_answered, client.lost, seconds);
    return 0;
}
