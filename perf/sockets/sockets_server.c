/* The reference: a well-made kernel-socket server (recvmmsg, sendmmsg, SO_REUSEPORT, one thread) with
 * the same lib/shard behind it. Formulas are constants and the ledger says yes at once: only what a
 * bounce exercises is compared. */
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "vx_base.h"
#include "vx_shard.h"
#include "vx_wire.h"

enum { BURST = 64, EVENTS_MAX = BURST * VX_WIRE_ACTIONS_MAX, OUT_MAX = 1024, SHARDS_MAX = 64 };
struct reply_packet {
    uint32_t player;
    uint32_t bytes;
    uint8_t payload[VX_WIRE_REPLY_BYTES_MAX];
};
struct server {
    int fd;
    uint32_t players, shards;
    struct vx_shard *shard[SHARDS_MAX];
    struct vx_event *events[SHARDS_MAX];
    uint32_t counts[SHARDS_MAX];
    struct sockaddr_in *addresses; /* [player] */
    uint32_t *open;                /* [player]: place of its open packet + 1 */
    struct reply_packet packets[BURST];
    uint32_t packet_count;
    uint64_t packets_in, packets_out, actions;
};
static volatile sig_atomic_t stopped;
static struct vx_reply replies[OUT_MAX];
static struct vx_job jobs[OUT_MAX];
static struct vx_grant grants[OUT_MAX];

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static void *allocate(void *context, size_t bytes, size_t alignment)
{
    (void)context;
    void *memory = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    return memory == NULL ? NULL : memset(memory, 0, bytes);
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void packets_send(struct server *server)
{
    struct iovec vectors[BURST];
    struct mmsghdr messages[BURST];
    memset(messages, 0, sizeof(messages));
    for (uint32_t i = 0; i < server->packet_count; i++) {
        struct reply_packet *packet = &server->packets[i];
        vectors[i] = (struct iovec){ packet->payload, packet->bytes };
        messages[i].msg_hdr = (struct msghdr){ .msg_name = &server->addresses[packet->player], .msg_namelen = sizeof(struct sockaddr_in),
                                               .msg_iov = &vectors[i], .msg_iovlen = 1 };
        server->open[packet->player] = 0;
    }
    if (server->packet_count > 0) {
        int sent = sendmmsg(server->fd, messages, server->packet_count, 0);
        server->packets_out += sent > 0 ? (uint64_t)sent : 0;
    }
    server->packet_count = 0;
}

static struct reply_packet *packet_of(struct server *server, uint32_t player, uint32_t bytes)
{
    if (server->open[player] != 0 && server->packets[server->open[player] - 1].bytes + bytes > VX_WIRE_REPLY_BYTES_MAX)
        packets_send(server);
    if (server->open[player] != 0)
        return &server->packets[server->open[player] - 1];
    if (server->packet_count == BURST)
        packets_send(server);
    struct reply_packet *packet = &server->packets[server->packet_count++];
    server->open[player] = server->packet_count;
    const struct vx_wire_reply_header header = { VX_WIRE_MAGIC_SERVER, VX_WIRE_VERSION, 0, 0, player };
    memcpy(packet->payload, &header, sizeof(header));
    packet->player = player;
    packet->bytes = sizeof(header);
    return packet;
}

static void reply_write(struct server *server, const struct vx_reply *reply)
{
    const struct vx_wire_long wire = { reply->type, reply->code, reply->arg16, reply->action_number, reply->result_number, reply->a, reply->b, reply->c };
    uint32_t bytes = vx_result_bytes(reply->type); /* the short form is the long one's beginning */
    struct reply_packet *packet = packet_of(server, reply->player, bytes);
    memcpy(packet->payload + packet->bytes, &wire, bytes);
    packet->bytes += bytes;
    packet->payload[2]++;
}

/* What formulas and ledger would answer comes back with the shard's next step. */
static void side_effects(struct server *server, uint32_t index, const struct vx_shard_out *out)
{
    uint32_t *count = &server->counts[index];
    for (uint32_t i = 0; i < out->job_count && *count < 2 * EVENTS_MAX; i++)
        server->events[index][(*count)++] = (struct vx_event){ .kind = VX_EVENT_JOB_DONE, .number = jobs[i].id, .out = { 100, 1 } };
    for (uint32_t i = 0; i < out->grant_count && *count < 2 * EVENTS_MAX; i++)
        server->events[index][(*count)++] = (struct vx_event){ .kind = VX_EVENT_GRANT_DONE, .number = grants[i].chest };
}

static void shard_run(struct server *server, uint32_t index, uint64_t time_us)
{
    uint32_t count = server->counts[index], taken = 0;
    struct vx_shard_out out;
    server->counts[index] = 0;
    do {
        out = (struct vx_shard_out){ .replies = replies, .jobs = jobs, .grants = grants, .reply_max = OUT_MAX, .job_max = OUT_MAX, .grant_max = OUT_MAX };
        for (uint32_t i = taken; i < count && i < taken + 32; i++)
            vx_shard_prefetch(server->shard[index], &server->events[index][i]);
        taken += vx_shard_step(server->shard[index], time_us, server->events[index] + taken, count - taken, &out);
        for (uint32_t i = 0; i < out.reply_count; i++)
            reply_write(server, &replies[i]);
    } while (taken < count);
    side_effects(server, index, &out);
}

static void packet_take(struct server *server, const uint8_t *payload, uint32_t bytes, const struct sockaddr_in *from)
{
    const struct vx_wire_header *header;
    if (vx_wire_check(payload, bytes, server->players, &header) != VX_DROP_NONE)
        return;
    const struct vx_wire_action *actions = (const struct vx_wire_action *)(header + 1);
    uint32_t index = header->player % server->shards;
    server->addresses[header->player] = *from;
    for (uint32_t i = 0; i < header->count && server->counts[index] < 2 * EVENTS_MAX; i++) {
        server->events[index][server->counts[index]++] = (struct vx_event){
            .kind = VX_EVENT_ACTION, .type = actions[i].type, .arg8 = actions[i].arg8, .arg16 = actions[i].arg16, .shard = (uint16_t)index,
            .session = header->player, .player = header->player, .slot = header->player / server->shards, .number = header->number + i,
            .seen = header->seen, .a = actions[i].a, .b = actions[i].b, .c = actions[i].c };
        server->actions++;
    }
}

static void serve(struct server *server)
{
    static uint8_t payloads[BURST][1500];
    static struct sockaddr_in from[BURST];
    struct iovec vectors[BURST];
    struct mmsghdr messages[BURST];
    while (!stopped) {
        memset(messages, 0, sizeof(messages));
        for (uint32_t i = 0; i < BURST; i++) {
            vectors[i] = (struct iovec){ payloads[i], sizeof(payloads[i]) };
            messages[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &vectors[i], .msg_iovlen = 1 };
        }
        int received = recvmmsg(server->fd, messages, BURST, MSG_WAITFORONE, NULL);
        for (int i = 0; i < received; i++)
            packet_take(server, payloads[i], messages[i].msg_len, &from[i]);
        server->packets_in += received > 0 ? (uint64_t)received : 0;
        uint64_t time_us = now_us();
        for (uint32_t i = 0; i < server->shards; i++)
            if (server->counts[i] > 0)
                shard_run(server, i, time_us);
        packets_send(server);
    }
}

static int create(struct server *server, const struct sockaddr_in *address)
{
    int one = 1, bytes = 4 << 20;
    struct timeval wake = { 0, 100000 };
    server->fd = socket(AF_INET, SOCK_DGRAM, 0);
    server->addresses = calloc(server->players, sizeof(*server->addresses));
    server->open = calloc(server->players, sizeof(*server->open));
    if (server->addresses == NULL || server->open == NULL || setsockopt(server->fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0 ||
        setsockopt(server->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) != 0 || setsockopt(server->fd, SOL_SOCKET, SO_RCVTIMEO, &wake, sizeof(wake)) != 0 ||
        bind(server->fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        perror("vx_sockets_server");
        return 1;
    }
    uint32_t players = (server->players + server->shards - 1) / server->shards;
    for (uint32_t i = 0; i < server->shards; i++) {
        struct vx_error error;
        struct vx_shard_config config = { .shard = i, .epoch = 1, .players_max = players, .hunts_max = players / 2 + 1, .seed = i, .proposal_ms = 10000,
                                          .search_ms_max = 120000, .hunt_ms = 180000, .idle_ms = 30000, .repeat_ms = 200, .repeats_max = 8, .job_ms_max = 1000,
                                          .speed_cm_s = 1000, .chest_range_cm = 200, .strike_range_cm = 3000, .chests = 8, .allocate = allocate };
        server->events[i] = calloc(2 * EVENTS_MAX, sizeof(struct vx_event));
        if (server->events[i] == NULL || vx_shard_create(&config, &server->shard[i], &error) != 0) {
            (void)fprintf(stderr, "vx_sockets_server: shard %u: %s\n", i, error.text);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct server server;
    if (argc != 11) {
        (void)fprintf(stderr, "usage: vx_sockets_server --port P --bind ADDR --players N --shards N --cpu C\n");
        return 2;
    }
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2])) };
    struct sigaction action = { .sa_handler = on_signal };
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(atoi(argv[10]), &cpus);
    server.players = (uint32_t)atoi(argv[6]);
    server.shards = (uint32_t)atoi(argv[8]);
    if (server.shards == 0 || server.shards > SHARDS_MAX || inet_pton(AF_INET, argv[4], &address.sin_addr) != 1 || sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
        return 2;
    (void)sigaction(SIGTERM, &action, NULL);
    if (create(&server, &address) != 0)
        return 1;
    struct rusage before, after;
    (void)getrusage(RUSAGE_SELF, &before);
    serve(&server);
    (void)getrusage(RUSAGE_SELF, &after);
    double cpu_s = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
                   (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) * 1e-6;
    printf("{\"packets_in\": %lu, \"packets_out\": %lu, \"actions\": %lu, \"cpu_seconds\": %.6f}\n", server.packets_in, server.packets_out, server.actions, cpu_s);
    return 0;
}
