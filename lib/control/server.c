/* The control socket's server: one epoll set, a table of clients, a line in and a line out. Runs on the
 * control thread only, inside vx_control_poll(); nothing here blocks.
 *
 *   bytes -> client.in -> line -> request_serve() -> reply line -> client.out -> bytes
 *
 * Who may connect is decided by the kernel from the socket file's mode, who may look and change by peer.c.
 * What one client can cost is bounded: a line, an output buffer, and a number of requests before the others have their turn. */
#include "control_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 64,
    LINE_BYTES_MAX = 64 << 10,
    INPUT_BYTES = LINE_BYTES_MAX + 1, /* full without a newline: the line is longer than allowed */
    OUTPUT_BYTES_MAX = REPLY_BYTES_MAX,
    OUTPUT_BYTES_MIN = 4 << 10,
    FEED_BYTES_MAX = 256 << 10,       /* what may wait of a feed, that answers have room beside it */
    REQUESTS_A_TURN = 16,             /* a line costs a byte and its answer a millisecond: the thread has other work */
    LISTENER = CLIENTS_MAX,           /* epoll's mark; clients have their index */
};

struct client {
    int fd; /* -1: free */
    uint32_t interest;
    bool ended;    /* the peer writes no more: answer what is there, then close */
    bool skipping; /* inside a line that was too long */
    bool backlog;  /* complete lines are left in `in`: do not wait for the socket */
    bool doomed;
    uint32_t in_bytes;
    char *in;
    char *out;
    size_t out_begin, out_end, out_capacity;
    bool typed;    /* its last line was words, not JSON */
    uint64_t name; /* never given twice, unlike the slot */
    struct vx_control_peer peer;
};

struct vx_control {
    int listener, epoll;
    struct peer_rules rules;
    struct service service;
    uint64_t clients_named;
    dev_t device; /* of the socket file, so that destroy removes no other's */
    ino_t inode;
    struct sockaddr_un address;
    struct client clients[CLIENTS_MAX];
};

/* Output. */

static void flush(struct client *client)
{
    while (!client->doomed && client->out_begin < client->out_end) {
        ssize_t sent = send(client->fd, client->out + client->out_begin, client->out_end - client->out_begin, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            client->doomed = errno != EAGAIN;
            return;
        }
        client->out_begin += (size_t)sent;
    }
    free(client->out);
    client->out = NULL;
    client->out_begin = client->out_end = client->out_capacity = 0;
}

static bool make_room(struct client *client, size_t bytes)
{
    size_t pending = client->out_end - client->out_begin;
    if (pending + bytes > OUTPUT_BYTES_MAX)
        return false;
    if (client->out_begin > 0)
        memmove(client->out, client->out + client->out_begin, pending);
    client->out_begin = 0;
    client->out_end = pending;
    size_t capacity = client->out_capacity > 0 ? client->out_capacity : OUTPUT_BYTES_MIN;
    while (capacity < pending + bytes)
        capacity *= 2;
    char *grown = capacity == client->out_capacity ? client->out : realloc(client->out, capacity);
    if (grown == NULL)
        return false;
    client->out = grown;
    client->out_capacity = capacity;
    return true;
}

/* A client whose buffer would overflow does not read: it is closed, what it has not read is lost. */
static void append(struct client *client, const char *text, size_t bytes)
{
    if (client->out_end + bytes > client->out_capacity && !make_room(client, bytes)) {
        client->doomed = true;
        return;
    }
    memcpy(client->out + client->out_end, text, bytes);
    client->out_end += bytes;
}

/* Takes the text; NULL: out of memory, nothing can be said. */
static void reply(struct client *client, char *text)
{
    if (text == NULL) {
        client->doomed = true;
        return;
    }
    append(client, text, strlen(text));
    append(client, "\n", 1);
    free(text);
    flush(client);
}

static bool is_empty(const char *line, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

static void serve_line(const struct vx_control *control, struct client *client, const char *line, size_t bytes)
{
    if (is_empty(line, bytes))
        return;
    client->typed = request_is_typed(line, bytes);
    reply(client, request_serve(&control->service, &client->peer, client->name, line, bytes));
}

/* Input. */

static void receive(struct client *client)
{
    if (client->ended || client->in_bytes == INPUT_BYTES)
        return;
    ssize_t got = recv(client->fd, client->in + client->in_bytes, INPUT_BYTES - client->in_bytes, 0);
    if (got > 0)
        client->in_bytes += (uint32_t)got;
    else if (got == 0)
        client->ended = true;
    else
        client->doomed = errno != EAGAIN && errno != EINTR;
}

/* What is left after the last newline: the begin of a line, the middle of one too long, or the last. */
static void serve_tail(const struct vx_control *control, struct client *client)
{
    if (client->in_bytes == INPUT_BYTES && !client->skipping) {
        struct vx_error error;
        (void)vx_error_set(&error, 0, "the line is longer than %d bytes", LINE_BYTES_MAX);
        reply(client, request_refuse(VX_CONTROL_TOO_LONG, &error));
        client->skipping = true;
    }
    if (client->ended && !client->skipping)
        serve_line(control, client, client->in, client->in_bytes);
    if (client->ended || client->skipping)
        client->in_bytes = 0;
}

static void serve_lines(const struct vx_control *control, struct client *client)
{
    char *line = client->in, *end = client->in + client->in_bytes, *newline = NULL;
    for (uint32_t taken = 0; !client->doomed && (newline = memchr(line, '\n', (size_t)(end - line))) != NULL; taken++) {
        if (taken == REQUESTS_A_TURN)
            break;
        if (!client->skipping)
            serve_line(control, client, line, (size_t)(newline - line));
        client->skipping = false;
        line = newline + 1;
    }
    client->backlog = newline != NULL;
    client->in_bytes = (uint32_t)(end - line);
    memmove(client->in, line, client->in_bytes);
    if (!client->backlog && !client->doomed)
        serve_tail(control, client);
}

/* Clients. */

static void client_close(struct client *client)
{
    (void)close(client->fd); /* takes it out of the epoll set too */
    free(client->in);
    free(client->out);
    *client = (struct client){ .fd = -1 };
}

/* An ended peer stays readable for ever, a full input buffer until its lines are served. */
static bool interest_set(const struct vx_control *control, struct client *client)
{
    uint32_t interest = (client->ended || client->backlog ? 0 : EPOLLIN) | (client->out_begin < client->out_end ? EPOLLOUT : 0);
    struct epoll_event event = { .events = interest, .data.u32 = (uint32_t)(client - control->clients) };
    if (interest != client->interest && epoll_ctl(control->epoll, EPOLL_CTL_MOD, client->fd, &event) != 0)
        return false;
    client->interest = interest;
    return true;
}

static void client_turn(const struct vx_control *control, struct client *client)
{
    receive(client);
    serve_lines(control, client);
    flush(client);
    if (client->doomed || (client->ended && !client->backlog && client->out_begin == client->out_end) || !interest_set(control, client))
        client_close(client);
}

static struct client *client_free(struct vx_control *control)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        if (control->clients[i].fd < 0)
            return &control->clients[i];
    return NULL;
}

/* What the client has sent by now is read, and no more is taken: a socket that is closed with something unread resets
 * its other end, which then does not hear why. */
static void refuse(int fd, enum vx_control_code code, struct vx_error *error)
{
    char *text = request_refuse(code, error), unread[512];
    (void)shutdown(fd, SHUT_RD);
    while (recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0)
        ;
    if (text != NULL) {
        (void)send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)send(fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    free(text);
    (void)close(fd);
}

static void client_open(struct vx_control *control, int fd)
{
    struct client *client = client_free(control);
    struct vx_control_peer peer;
    struct vx_error error;
    if (client == NULL) {
        (void)vx_error_set(&error, 0, "%d clients are connected, no more are taken", CLIENTS_MAX);
        refuse(fd, VX_CONTROL_TOO_MANY_CLIENTS, &error);
        return;
    }
    if (!peer_read(&control->rules, fd, &peer)) {
        (void)vx_error_set(&error, 0, "user %s is neither an admin (control.admins) nor in the group that may look (control.group)", peer.name);
        refuse(fd, VX_CONTROL_NOT_PERMITTED, &error);
        return;
    }
    *client = (struct client){ .fd = fd, .interest = EPOLLIN, .in = malloc(INPUT_BYTES), .peer = peer, .name = ++control->clients_named };
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)(client - control->clients) };
    if (client->in == NULL || epoll_ctl(control->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        client_close(client);
}

static void accept_all(struct vx_control *control)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        int fd = accept4(control->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        client_open(control, fd);
    }
}

void vx_control_poll(struct vx_control *control, int timeout_ms)
{
    struct epoll_event events[CLIENTS_MAX + 1];
    bool ready[CLIENTS_MAX + 1] = { false };
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        ready[i] = control->clients[i].backlog;
        if (ready[i])
            timeout_ms = 0;
    }
    int count = epoll_wait(control->epoll, events, CLIENTS_MAX + 1, timeout_ms);
    for (int i = 0; i < count; i++)
        ready[events[i].data.u32] = true;
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        if (ready[i])
            client_turn(control, &control->clients[i]);
    if (ready[LISTENER]) /* last, so that an event never meets a slot's next owner */
        accept_all(control);
}

/* Start and end. */

/* Makes path free to bind, or says why it is not. */
static int path_clear(const struct sockaddr_un *address, struct vx_error *error)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0)
        return errno == ENOENT ? 0 : vx_error_set(error, -errno, "control.socket: %s: %s", address->sun_path, strerror(errno));
    if (!S_ISSOCK(status.st_mode))
        return vx_error_set(error, -EEXIST, "control.socket: %s exists and is not a socket", address->sun_path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return vx_error_set(error, -errno, "control.socket: no socket: %s", strerror(errno));
    int reason = connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
    (void)close(probe);
    if (reason == 0 || reason == EAGAIN) /* EAGAIN: its queue of connections is full */
        return vx_error_set(error, -EADDRINUSE, "control.socket: a living process listens at %s", address->sun_path);
    if (reason == ENOENT)
        return 0;
    if (reason != ECONNREFUSED)
        return vx_error_set(error, -reason, "control.socket: %s is in use by something else: %s", address->sun_path, strerror(reason));
    if (unlink(address->sun_path) != 0 && errno != ENOENT)
        return vx_error_set(error, -errno, "control.socket: cannot replace the stale %s: %s", address->sun_path, strerror(errno));
    return 0;
}

/* Nobody can connect between bind and listen, so the mode is in force before the first client; umask,
 * which belongs to every thread of the process, stays as it is. */
static int listen_at(struct vx_control *control, struct vx_error *error)
{
    const char *path = control->address.sun_path;
    struct stat status;
    if (bind(control->listener, (const struct sockaddr *)&control->address, sizeof(control->address)) != 0)
        return vx_error_set(error, -errno, "control.socket: cannot bind %s: %s", path, strerror(errno));
    if (lstat(path, &status) == 0) {
        control->device = status.st_dev;
        control->inode = status.st_ino;
    }
    if (control->rules.has_group && chown(path, (uid_t)-1, control->rules.group) != 0)
        return vx_error_set(error, -errno, "control.group: cannot give %s to it: %s", path, strerror(errno));
    if (chmod(path, control->rules.mode) != 0)
        return vx_error_set(error, -errno, "control.mode: cannot set %03o on %s: %s", control->rules.mode, path, strerror(errno));
    if (listen(control->listener, CLIENTS_MAX) != 0)
        return vx_error_set(error, -errno, "control.socket: cannot listen at %s: %s", path, strerror(errno));
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = LISTENER };
    if (epoll_ctl(control->epoll, EPOLL_CTL_ADD, control->listener, &event) != 0)
        return vx_error_set(error, -errno, "control.socket: cannot watch %s: %s", path, strerror(errno));
    return 0;
}

static int open_at(struct vx_control *control, struct vx_error *error)
{
    control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    control->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (control->listener < 0 || control->epoll < 0)
        return vx_error_set(error, -errno, "control.socket: no socket: %s", strerror(errno));
    int rc = path_clear(&control->address, error);
    return rc == 0 ? listen_at(control, error) : rc;
}

int vx_control_create(const struct vx_control_config *config, const struct vx_control_command *const *tables, void *context, struct vx_control **control,
                      struct vx_error *error)
{
    size_t path_bytes = strlen(config->socket);
    if (path_bytes == 0 || path_bytes >= sizeof((*control)->address.sun_path))
        return vx_error_set(error, -EINVAL, "control.socket: \"%s\" has %zu bytes, expected 1 to %zu", config->socket, path_bytes,
                            sizeof((*control)->address.sun_path) - 1);
    if (config->mode > 0777)
        return vx_error_set(error, -EINVAL, "control.mode: %o, expected at most 777", config->mode);
    struct vx_control *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return vx_error_set(error, -ENOMEM, "control.socket: no memory");
    made->service = (struct service){ .tables = tables, .context = context };
    made->address.sun_family = AF_UNIX;
    memcpy(made->address.sun_path, config->socket, path_bytes);
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        made->clients[i].fd = -1;
    made->listener = made->epoll = -1;
    int rc = peer_rules_set(&made->rules, config, error);
    if (rc == 0)
        rc = history_open(config->history, &made->service.history, error);
    if (rc == 0)
        rc = open_at(made, error);
    if (rc != 0)
        vx_control_destroy(made);
    else
        *control = made;
    return rc;
}

static struct client *client_named(struct vx_control *control, uint64_t name)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        if (control->clients[i].fd >= 0 && control->clients[i].name == name && !control->clients[i].doomed && !control->clients[i].ended)
            return &control->clients[i];
    return NULL;
}

bool vx_control_connected(const struct vx_control *control, uint64_t name)
{
    return client_named((struct vx_control *)control, name) != NULL;
}

int vx_control_send(struct vx_control *control, uint64_t name, const json_t *event)
{
    struct client *client = client_named(control, name);
    if (client == NULL)
        return -ENOENT;
    flush(client);
    if (client->out_end - client->out_begin > FEED_BYTES_MAX)
        return -EAGAIN;
    char *text = request_event(event, client->typed);
    if (text == NULL)
        return -EAGAIN;
    append(client, text, strlen(text));
    free(text);
    flush(client);
    if (client->doomed || !interest_set(control, client))
        (void)shutdown(client->fd, SHUT_RDWR); /* its next turn closes it */
    return 0;
}

void vx_control_note(struct vx_control *control, const char *command, json_t *old, json_t *new)
{
    static const struct vx_control_peer own = { .admin = true, .name = "veltrixd" };
    json_t *arguments = json_object();
    struct vx_control_call call = { .arguments = arguments, .peer = &own, .old = old, .new = new };
    history_note(control->service.history, command, &call, true, "");
    json_decref(arguments);
    json_decref(old);
    json_decref(new);
}

void vx_control_destroy(struct vx_control *control)
{
    struct stat status;
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        if (control->clients[i].fd >= 0)
            client_close(&control->clients[i]);
    if (control->inode != 0 && lstat(control->address.sun_path, &status) == 0 && status.st_dev == control->device && status.st_ino == control->inode)
        (void)unlink(control->address.sun_path);
    if (control->listener >= 0)
        (void)close(control->listener);
    if (control->epoll >= 0)
        (void)close(control->epoll);
    history_close(control->service.history);
    free(control);
}
