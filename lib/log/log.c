/* Levels, buckets and the two ways out. */
#include "vx_log.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

enum { TOPICS_MAX = 32, FIELDS_MAX = 12, LINE_BYTES = 1024, NS_PER_S = 1000000000 };

/* sd_journal_sendv() says 0 when nobody listens here, so it is asked for at the start. */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct topic {
    const char *name;
    uint64_t tokens_ns; /* time saved up: a line costs NS_PER_S / VX_LOG_PER_S of it */
    uint64_t updated_ns;
    uint64_t held_back; /* since the last line that passed */
};

static struct {
    pthread_mutex_t lock;
    const char *program;
    bool to_journal, on_terminal;
    bool is_socket;          /* stderr */
    uint64_t unread;    /* lines since the last one that found room */
    enum vx_log_level level; /* atomic */
    uint64_t suppressed;     /* atomic */
    uint64_t lost;           /* atomic */
    struct topic topics[TOPICS_MAX];
} state = { .lock = PTHREAD_MUTEX_INITIALIZER, .program = "veltrix", .level = VX_LOG_INFO };

static const int priorities[] = {
#define VX_LOG_PRIORITY(name, text, priority) priority,
    VX_LOG_LEVELS(VX_LOG_PRIORITY)
#undef VX_LOG_PRIORITY
};

const char *vx_log_level_name(enum vx_log_level level)
{
    static const char *const names[] = {
#define VX_LOG_NAME(name, text, priority) text,
        VX_LOG_LEVELS(VX_LOG_NAME)
#undef VX_LOG_NAME
    };
    return (unsigned)level < VX_LOG_LEVEL_COUNT ? names[level] : "?";
}

void vx_log_level_set(enum vx_log_level level)
{
    VX_ASSERT((unsigned)level < VX_LOG_LEVEL_COUNT);
    __atomic_store_n(&state.level, level, __ATOMIC_RELAXED);
}

enum vx_log_level vx_log_level(void)
{
    return __atomic_load_n(&state.level, __ATOMIC_RELAXED);
}

uint64_t vx_log_suppressed(void)
{
    return __atomic_load_n(&state.suppressed, __ATOMIC_RELAXED);
}

uint64_t vx_log_lost(void)
{
    return __atomic_load_n(&state.lost, __ATOMIC_RELAXED);
}

/* JOURNAL_STREAM is "device:inode" of the journal's stream; another stderr means that somebody has redirected it. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;
    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
           status.st_ino == inode;
}

/* A pipe or a terminal is opened anew and takes stderr's place, because O_NONBLOCK belongs to the open file, which the shell
 * that started us shares. What writes to stderr without this log (libraries, the formula worker, a crash's stack) is
 * then never held up either. Files are always ready; sockets are asked call by call. */
static void stderr_open(void)
{
    struct stat status;
    if (fstat(STDERR_FILENO, &status) != 0)
        return;
    state.is_socket = S_ISSOCK(status.st_mode);
    if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
        return;
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return; /* put_line looks before it writes */
    (void)dup2(fd, STDERR_FILENO);
    (void)close(fd);
}

void vx_log_open(const char *program)
{
    state.program = program;
    state.unread = 0;
    stderr_open();
    state.to_journal = stderr_is_journal() && access(JOURNAL_SOCKET, W_OK) == 0;
    state.on_terminal = isatty(STDERR_FILENO) == 1;
}

static struct topic *topic_of(const char *name)
{
    for (uint32_t i = 0; i < TOPICS_MAX; i++) {
        struct topic *topic = &state.topics[i];
        if (topic->name == NULL) {
            topic->name = name;
            topic->tokens_ns = (uint64_t)VX_LOG_BURST * NS_PER_S / VX_LOG_PER_S;
        }
        if (strcmp(topic->name, name) == 0)
            return topic;
    }
    return &state.topics[TOPICS_MAX - 1]; /* a topic too many shares the last one's bucket */
}

/* Takes a line's worth; false when there is none. */
static bool topic_passes(struct topic *topic)
{
    const uint64_t price_ns = NS_PER_S / VX_LOG_PER_S;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
    if (topic->updated_ns != 0)
        topic->tokens_ns += now_ns - topic->updated_ns;
    topic->updated_ns = now_ns;
    if (topic->tokens_ns > VX_LOG_BURST * price_ns)
        topic->tokens_ns = VX_LOG_BURST * price_ns;
    if (topic->tokens_ns < price_ns)
        return false;
    topic->tokens_ns -= price_ns;
    return true;
}

/* Whether there was room. A line is shorter than PIPE_BUF: all of it is written, or nothing. Where the pipe could not be
 * opened anew, a look before the write has to do: only another writer's line in between could make it wait. */
static bool put_line(const char *line, size_t bytes)
{
    struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
    if (state.is_socket)
        return send(STDERR_FILENO, line, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
    return poll(&room, 1, 0) == 1 && write(STDERR_FILENO, line, bytes) > 0;
}

static void to_stderr(enum vx_log_level level, const char *topic, const struct vx_log_field *fields, const char *text)
{
    char line[LINE_BYTES + 64];
    int used = state.on_terminal ? 0 : snprintf(line, LINE_BYTES, "<%d>", priorities[level]);
    used += snprintf(line + used, LINE_BYTES - (size_t)used, "%s: %s: %s", state.program, topic, text);
    for (; fields != NULL && fields->name != NULL && used < LINE_BYTES; fields++)
        used += snprintf(line + used, LINE_BYTES - (size_t)used, " %s=%s", fields->name, fields->value);
    used = used < LINE_BYTES ? used : LINE_BYTES - 1;
    used += state.unread == 0 ? 0 : snprintf(line + used, sizeof(line) - 1 - (size_t)used, " (%lu lines before this were not read)", state.unread);
    line[used++] = '\n';
    if (put_line(line, (size_t)used)) {
        state.unread = 0;
        return;
    }
    state.unread++;
    (void)__atomic_add_fetch(&state.lost, 1, __ATOMIC_RELAXED);
}

static void to_journal(enum vx_log_level level, const char *topic, const struct vx_log_field *fields, const char *text)
{
    char lines[FIELDS_MAX + 4][LINE_BYTES];
    struct iovec parts[FIELDS_MAX + 4];
    int count = 0;
    (void)snprintf(lines[count++], LINE_BYTES, "MESSAGE=%s", text);
    (void)snprintf(lines[count++], LINE_BYTES, "PRIORITY=%d", priorities[level]);
    (void)snprintf(lines[count++], LINE_BYTES, "SYSLOG_IDENTIFIER=%s", state.program);
    (void)snprintf(lines[count++], LINE_BYTES, "VELTRIX_TOPIC=%s", topic);
    for (; fields != NULL && fields->name != NULL && count < FIELDS_MAX + 4; fields++)
        (void)snprintf(lines[count++], LINE_BYTES, "VELTRIX_%s=%s", fields->name, fields->value);
    for (int i = 0; i < count; i++)
        parts[i] = (struct iovec){ lines[i], strlen(lines[i]) };
    if (sd_journal_sendv(parts, count) != 0)
        to_stderr(level, topic, fields, text);
}

void vx_log(enum vx_log_level level, const char *topic, const struct vx_log_field *fields, const char *format, ...)
{
    char text[LINE_BYTES / 2];
    va_list args;
    if (level > vx_log_level())
        return;
    va_start(args, format);
    int used = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)pthread_mutex_lock(&state.lock);
    struct topic *bucket = topic_of(topic);
    bool passes = level == VX_LOG_ERROR || topic_passes(bucket);
    if (!passes) {
        bucket->held_back++;
        (void)__atomic_add_fetch(&state.suppressed, 1, __ATOMIC_RELAXED);
    } else if (bucket->held_back > 0 && used >= 0 && used < (int)sizeof(text)) {
        (void)snprintf(text + used, sizeof(text) - (size_t)used, " (%lu lines before this were held back)", bucket->held_back);
        bucket->held_back = 0;
    }
    if (passes)
        (state.to_journal ? to_journal : to_stderr)(level, topic, fields, text);
    (void)pthread_mutex_unlock(&state.lock);
}
