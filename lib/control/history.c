/* The history of changes: who, what, with which arguments, from what to what, and how it ended. One line of JSON each,
 * appended to a file that is renamed to FILE.1 when it is full; the last ones are kept in memory for `history`.
 * A line is written, not synced: it survives our own end, and the control thread never waits for the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control_private.h"
#include "vx_log.h"

enum { ENTRIES_MAX = 256, FILE_BYTES_MAX = 1 << 20, LINE_BYTES_MAX = 128 << 10, NAME_BYTES = VX_PATH_BYTES + 8 };

struct history {
    char path[NAME_BYTES]; /* "": in memory only */
    int fd;
    off_t bytes;
    json_t *entries; /* array, oldest first */
};

static void remember(struct history *history, json_t *entry)
{
    if (json_array_size(history->entries) == ENTRIES_MAX)
        (void)json_array_remove(history->entries, 0);
    (void)json_array_append_new(history->entries, entry);
}

/* What an earlier run has written. A line that is not ours (cut short by a full disk) is passed over. */
static void load(struct history *history)
{
    FILE *file = fopen(history->path, "re");
    char *line = file != NULL ? malloc(LINE_BYTES_MAX) : NULL;
    while (line != NULL && fgets(line, LINE_BYTES_MAX, file) != NULL) {
        json_t *entry = json_loads(line, 0, NULL);
        if (json_is_object(entry))
            remember(history, entry);
        else
            json_decref(entry);
    }
    free(line);
    if (file != NULL)
        (void)fclose(file);
}

static int open_file(struct history *history, struct vx_error *error)
{
    struct stat status;
    history->fd = open(history->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (history->fd < 0 || fstat(history->fd, &status) != 0)
        return vx_error_set(error, -errno, "control.history: cannot write %s: %s", history->path, strerror(errno));
    history->bytes = status.st_size;
    return 0;
}

int history_open(const char *path, struct history **opened, struct vx_error *error)
{
    struct history *history = calloc(1, sizeof(*history));
    if (history == NULL)
        return vx_error_set(error, -ENOMEM, "control.history: no memory");
    history->fd = -1;
    history->entries = json_array();
    (void)snprintf(history->path, sizeof(history->path), "%s", path);
    if (path[0] != '\0')
        load(history);
    int rc = path[0] != '\0' ? open_file(history, error) : 0;
    if (rc == 0)
        *opened = history;
    else
        history_close(history);
    return rc;
}

void history_close(struct history *history)
{
    if (history == NULL)
        return;
    if (history->fd >= 0)
        (void)close(history->fd);
    json_decref(history->entries);
    free(history);
}

static void rotate(struct history *history)
{
    char old[NAME_BYTES + 2];
    struct vx_error error;
    (void)snprintf(old, sizeof(old), "%s.1", history->path);
    (void)close(history->fd);
    history->fd = -1;
    if (rename(history->path, old) != 0 || open_file(history, &error) != 0)
        vx_log(VX_LOG_ERROR, "control", NULL, "control.history: cannot begin %s anew: %s; changes are kept in memory only", history->path, strerror(errno));
}

static void append(struct history *history, const json_t *entry)
{
    char *line = json_dumps(entry, JSON_COMPACT);
    size_t bytes = line != NULL ? strlen(line) : 0;
    if (line != NULL && history->fd >= 0) {
        line[bytes] = '\n'; /* over the NUL: write has the length */
        if (history->bytes + (off_t)bytes >= FILE_BYTES_MAX)
            rotate(history);
        ssize_t written = history->fd >= 0 ? write(history->fd, line, bytes + 1) : 0;
        if (written != (ssize_t)bytes + 1)
            vx_log(VX_LOG_ERROR, "control", NULL, "control.history: cannot write to %s: %s", history->path, written < 0 ? strerror(errno) : "the disk is full");
        history->bytes += written > 0 ? written : 0;
    }
    free(line);
}

static json_t *time_json(void)
{
    char text[40];
    struct timespec now;
    struct tm utc;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    size_t used = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &utc));
    (void)snprintf(text + used, sizeof(text) - used, ".%03ldZ", now.tv_nsec / 1000000);
    return json_string(text);
}

/* A long text, such as a formula's, is kept elsewhere by whoever takes it: the history has its beginning. A new reference. */
static json_t *shortened(const json_t *arguments)
{
    enum { SHOWN_BYTES = 60, LONG_BYTES = 400 };
    json_t *copy = json_copy((json_t *)arguments); /* shallow; json_copy takes no const and changes nothing */
    const char *name;
    json_t *value;
    json_object_foreach(copy, name, value) {
        const char *text = json_string_value(value);
        size_t bytes = json_string_length(value), end = SHOWN_BYTES;
        if (text == NULL || bytes <= LONG_BYTES)
            continue;
        while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80) /* not in the middle of a character */
            end--;
        (void)json_object_set_new(copy, name, json_sprintf("%.*s… (%zu bytes)", (int)end, text, bytes));
    }
    return copy;
}

/* For the journal's line: "3" or "{…}". */
static char *shown(const json_t *value)
{
    return value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
}

static void log_change(const struct vx_control_peer *peer, const char *command, const json_t *given, const struct vx_control_call *call, bool ok,
                       const char *sentence)
{
    char pid[16], *arguments = shown(given), *old = shown(call->old), *new = shown(call->new);
    (void)snprintf(pid, sizeof(pid), "%d", (int)peer->pid);
    const struct vx_log_field fields[] = { { "USER", peer->name }, { "CLIENT_PID", pid }, { "COMMAND", command },   { "ARGUMENTS", arguments != NULL ? arguments : "{}" },
                                           { "OLD", old != NULL ? old : "" }, { "NEW", new != NULL ? new : "" }, { NULL, NULL } };
    vx_log(ok ? VX_LOG_NOTICE : VX_LOG_WARNING, "control", fields, "%s: %s %s%s%s", peer->name, command, ok ? "done" : "refused", ok ? "" : ": ", ok ? "" : sentence);
    free(arguments);
    free(old);
    free(new);
}

void history_note(struct history *history, const char *command, const struct vx_control_call *call, bool ok, const char *sentence)
{
    const struct vx_control_peer *peer = call->peer;
    json_t *given = shortened(call->arguments);
    json_t *entry = json_pack("{s:o,s:s,s:I,s:I,s:s,s:O,s:O*,s:O*,s:b}", "time", time_json(), "user", peer->name, "uid", (json_int_t)peer->uid, "pid",
                              (json_int_t)peer->pid, "command", command, "arguments", given, "old", call->old, "new", call->new, "ok", ok);
    log_change(peer, command, given, call, ok, sentence);
    json_decref(given);
    if (entry == NULL)
        return;
    if (!ok) {
        json_t *reason = json_string(sentence);
        (void)json_object_set_new(entry, "error", reason != NULL ? reason : json_string("?"));
    }
    append(history, entry);
    remember(history, entry);
}

json_t *history_last(const struct history *history, size_t count)
{
    size_t size = json_array_size(history->entries), first = size > count ? size - count : 0;
    json_t *list = json_array();
    for (size_t i = first; i < size; i++)
        (void)json_array_append(list, json_array_get(history->entries, i));
    return list;
}
