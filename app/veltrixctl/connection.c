/* The socket: connect, a line out, a line in, all before a deadline. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

enum {
    REPLY_BYTES_MAX = 16 << 20, /* twice what the server would buffer */
    REPLY_BYTES_STEP = 64 << 10,
    RETRY_MS = 10, /* the server's queue of connections is full */
};

int64_t ctl_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int ctl_complain(int code, const char *what, const char *detail)
{
    (void)fprintf(stderr, "veltrixctl: %s: %s\n", what, detail);
    return code;
}

static int timed_out(const struct ctl *ctl)
{
    return ctl_complain(EXIT_TIMED_OUT, ctl->socket, "timed out");
}

/* Waits for the socket until the deadline (negative: for ever); false when it has passed. */
static bool wait_for(const struct ctl *ctl, short events)
{
    for (;;) {
        int64_t left_ms = ctl->deadline_ms < 0 ? -1 : ctl->deadline_ms - ctl_now_ms();
        struct pollfd item = { .fd = ctl->fd, .events = events };
        if (ctl->deadline_ms >= 0 && left_ms <= 0)
            return false;
        int ready = poll(&item, 1, (int)left_ms);
        if (ready > 0)
            return true;
        if (ready < 0 && errno == EINTR && ctl->deadline_ms < 0)
            return false;
    }
}

static int open_connection(struct ctl *ctl)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(ctl->socket) >= sizeof(address.sun_path))
        return ctl_complain(EXIT_NO_CONNECTION, ctl->socket, "longer than a socket's path can be");
    strcpy(address.sun_path, ctl->socket);
    ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ctl->fd < 0)
        return ctl_complain(EXIT_NO_CONNECTION, ctl->socket, strerror(errno));
    while (connect(ctl->fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno != EAGAIN && errno != EINTR)
            return ctl_complain(errno == EACCES ? EXIT_NOT_PERMITTED : EXIT_NO_CONNECTION, ctl->socket, strerror(errno));
        if (ctl_now_ms() >= ctl->deadline_ms)
            return timed_out(ctl);
        (void)poll(NULL, 0, RETRY_MS);
    }
    return 0;
}

/* A server that has closed already (it has too many clients) may have said why: reading tells. */
static int send_line(const struct ctl *ctl, const char *line, size_t bytes)
{
    for (size_t sent = 0; sent < bytes;) {
        ssize_t step = send(ctl->fd, line + sent, bytes - sent, MSG_NOSIGNAL);
        if (step >= 0)
            sent += (size_t)step;
        else if (errno == EAGAIN && !wait_for(ctl, POLLOUT))
            return timed_out(ctl);
        else if (errno != EAGAIN && errno != EINTR)
            return 0;
    }
    return 0;
}

/* Makes room for one more step; the line that was handed out last goes. */
static int make_room(struct ctl *ctl)
{
    if (ctl->in_capacity - ctl->in_bytes > REPLY_BYTES_STEP)
        return 0;
    size_t capacity = ctl->in_capacity * 2 + 2 * REPLY_BYTES_STEP;
    char *grown = capacity <= 2 * REPLY_BYTES_MAX ? realloc(ctl->in, capacity) : NULL;
    if (grown == NULL)
        return ctl_complain(EXIT_FAILED, ctl->socket, "the answer is too long");
    ctl->in = grown;
    ctl->in_capacity = capacity;
    return 0;
}

/* Reads until a whole line lies at ctl->in, without its newline; line_bytes is what it takes up there. */
static int receive_line(struct ctl *ctl)
{
    size_t seen = 0;
    ctl->in_bytes -= ctl->line_bytes;
    if (ctl->line_bytes > 0)
        memmove(ctl->in, ctl->in + ctl->line_bytes, ctl->in_bytes);
    ctl->line_bytes = 0;
    for (;;) {
        char *newline = ctl->in_bytes > seen ? memchr(ctl->in + seen, '\n', ctl->in_bytes - seen) : NULL;
        if (newline != NULL) {
            *newline = '\0';
            ctl->line_bytes = (size_t)(newline + 1 - ctl->in);
            return 0;
        }
        seen = ctl->in_bytes;
        int rc = make_room(ctl);
        if (rc != 0)
            return rc;
        if (!wait_for(ctl, POLLIN))
            return ctl->deadline_ms < 0 ? EXIT_FAILED : timed_out(ctl);
        ssize_t step = recv(ctl->fd, ctl->in + ctl->in_bytes, ctl->in_capacity - ctl->in_bytes, 0);
        if (step < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (step <= 0)
            return ctl_complain(EXIT_FAILED, ctl->socket, step == 0 ? "closed without an answer" : strerror(errno));
        ctl->in_bytes += (size_t)step;
    }
}

static int receive_json(struct ctl *ctl, json_t **line)
{
    int rc = receive_line(ctl);
    if (rc == 0 && (*line = json_loads(ctl->in, 0, NULL)) == NULL)
        rc = ctl_complain(EXIT_FAILED, ctl->socket, "the answer is not of this protocol");
    return rc;
}

int ctl_ask(struct ctl *ctl, json_t *request, json_t **reply)
{
    char *question = json_dumps(request, JSON_COMPACT);
    ctl->deadline_ms = ctl_now_ms() + (int64_t)(ctl->timeout_s * 1000 + 0.5);
    int rc = question != NULL ? 0 : ctl_complain(EXIT_FAILED, "request", "out of memory");
    if (rc == 0 && ctl->fd < 0)
        rc = open_connection(ctl);
    if (rc == 0) {
        size_t bytes = strlen(question);
        question[bytes] = '\n'; /* over the NUL: send_line has the length */
        rc = send_line(ctl, question, bytes + 1);
    }
    if (rc == 0)
        rc = receive_json(ctl, reply);
    free(question);
    if (rc != 0)
        ctl_close(ctl);
    return rc;
}

int ctl_next(struct ctl *ctl, int timeout_ms, json_t **line)
{
    ctl->deadline_ms = timeout_ms < 0 ? -1 : ctl_now_ms() + timeout_ms;
    return receive_json(ctl, line);
}

void ctl_close(struct ctl *ctl)
{
    if (ctl->fd >= 0)
        (void)close(ctl->fd);
    free(ctl->in);
    ctl->fd = -1;
    ctl->in = NULL;
    ctl->in_bytes = ctl->in_capacity = ctl->line_bytes = 0;
}
