/* control: newline-delimited JSON over a UNIX stream socket, from one table of commands.
 *
 *   {"id":1,"command":"shard drain","shard":3}       request with named arguments
 *   {"id":1,"words":["shard","drain","3"]}           the same, as a person would type it
 *   shard drain 3                                     the same, for socat: answered as text
 *   {"id":1,"ok":true,"result":…}                     reply
 *   {"id":1,"ok":false,"error":{"code":"out_of_range","message":"…"}}
 *
 * The table says what each command is called, what it takes, who may call it and what it changes. The
 * server validates by it, `help` serves it, and veltrixctl, its man page and its completions come from
 * it. A handler sees only arguments that the table allows.
 * Control thread only; a slow or dead client costs a bounded buffer and is then closed. */
#ifndef VX_CONTROL_H
#define VX_CONTROL_H

#include <jansson.h>
#include <sys/types.h>

#include "vx_base.h"

/* Code of a failure, its name in replies, and veltrixctl's exit status for it. Stable: scripts rely on them. */
#define VX_CONTROL_CODES(X)                                                                        \
    X(FAILED, "failed", 1)                                                                         \
    X(NOT_FOUND, "not_found", 1)                                                                   \
    X(BUSY, "busy", 1)                                                                             \
    X(BAD_JSON, "bad_json", 2)                                                                     \
    X(BAD_REQUEST, "bad_request", 2)                                                               \
    X(UNKNOWN_COMMAND, "unknown_command", 2)                                                       \
    X(BAD_ARGUMENT, "bad_argument", 2)                                                             \
    X(OUT_OF_RANGE, "out_of_range", 2)                                                             \
    X(TOO_LONG, "too_long", 2)                                                                     \
    X(TOO_MANY_CLIENTS, "too_many_clients", 3)                                                     \
    X(NOT_PERMITTED, "not_permitted", 4)                                                           \
    X(TIMED_OUT, "timed_out", 5)
enum vx_control_code {
#define VX_CONTROL_CODE_ENUM(name, text, exit) VX_CONTROL_##name,
    VX_CONTROL_CODES(VX_CONTROL_CODE_ENUM)
#undef VX_CONTROL_CODE_ENUM
        VX_CONTROL_CODE_COUNT
};
/* The code's text as clients see it. Static text. */
const char *vx_control_code_name(enum vx_control_code code);
/* veltrixctl's exit status for a code's name; 1 for a name that this build does not know. */
int vx_control_code_exit(const char *name);

enum vx_argument_type {
    VX_ARGUMENT_WHOLE,  /* whole number in [min, max] */
    VX_ARGUMENT_NUMBER, /* number in [min, max] */
    VX_ARGUMENT_WORD,   /* one of `choices` */
    VX_ARGUMENT_TEXT,   /* UTF-8 of min to max bytes */
    VX_ARGUMENT_FLAG,   /* true or false; given as --NAME */
};
/* How people give it. In JSON every argument goes by its name. */
enum vx_argument_place {
    VX_ARGUMENT_NEEDED,   /* by position, or NAME=VALUE; must be there */
    VX_ARGUMENT_OPTIONAL, /* by position, or NAME=VALUE; may be left out. Stands behind the needed ones */
    VX_ARGUMENT_NAMED,    /* --NAME VALUE, --NAME=VALUE or NAME=VALUE; may be left out */
};
struct vx_control_argument {
    const char *name; /* lower case; ends a list when NULL */
    enum vx_argument_type type;
    enum vx_argument_place place;
    double min, max;     /* WHOLE, NUMBER: range (WHOLE up to 2^53); TEXT: bytes */
    const char *choices; /* WORD: words between spaces; others: NULL */
    const char *unit;    /* "ms", "packets/s"; "" when it has none */
    const char *summary;
};

enum vx_control_who {
    VX_CONTROL_LOOK,  /* anyone in the group */
    VX_CONTROL_ADMIN, /* root, the daemon's own user and control.admins; lands in the history */
    VX_CONTROL_MIXED, /* looks for anyone; its handler asks vx_control_may_change() before it changes anything */
};
/* Who is at the other end, by the kernel's word when it connected. */
struct vx_control_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
    bool admin;
    char name[33]; /* user name, or the uid in digits */
};
/* One call of a handler. */
struct vx_control_call {
    const json_t *arguments;            /* object: what was given, checked against the table */
    const struct vx_control_peer *peer; /* NULL: no client asked (veltrixctl's local commands) */
    bool changes;                       /* it is a change, or an attempt at one: lands in the history */
    uint64_t client;                    /* for vx_control_send; 0: none */
    enum vx_control_code code;          /* handler: w, looked at when it returns NULL */
    json_t *old, *new;                  /* ADMIN handlers: w, a new reference each or NULL; the history's words for what changed */
};
/* Returns a new reference to the result, or NULL with the error sentence filled; call->code is FAILED unless
 * the handler says otherwise. */
typedef json_t *vx_control_handler(void *context, struct vx_control_call *call, struct vx_error *error);
struct vx_control_command {
    const char *name; /* one or two words: "status", "shard drain"; ends a table when NULL */
    enum vx_control_who who;
    const char *summary;
    const char *effect; /* what it changes in the running system and from when; "" for one that only looks */
    const struct vx_control_argument *arguments; /* NULL: takes none */
    vx_control_handler *handler;
};

/* For handlers: an argument, or `otherwise` when it was left out. */
int64_t vx_control_whole(const struct vx_control_call *call, const char *name, int64_t otherwise);
double vx_control_number(const struct vx_control_call *call, const char *name, double otherwise);
const char *vx_control_text(const struct vx_control_call *call, const char *name, const char *otherwise);
bool vx_control_flag(const struct vx_control_call *call, const char *name);
/* For handlers of MIXED commands: from here on the call is a change. False (said in error): its peer may only look. */
bool vx_control_may_change(struct vx_control_call *call, const char *what, struct vx_error *error);
/* For handlers: `return vx_control_fail(call, error, VX_CONTROL_NOT_FOUND, "…")`. Always NULL. */
json_t *vx_control_fail(struct vx_control_call *call, struct vx_error *error, enum vx_control_code code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The table itself, for servers and for programs that have commands of their own. `tables` are NULL-terminated
 * arrays of commands, themselves in a NULL-terminated array. */
const struct vx_control_command *vx_control_find(const struct vx_control_command *const *tables, const char *name);
/* words[0] … of a person: finds the command and makes its arguments (a new reference) or says what is wrong:
 * 0, or -EINVAL with *code and the sentence. */
int vx_control_words(const struct vx_control_command *const *tables, const char *const *words, size_t count, const struct vx_control_command **command,
                     json_t **arguments, enum vx_control_code *code, struct vx_error *error);
/* Checks named arguments against the command: 0, or -EINVAL with *code and the sentence. */
int vx_control_check(const struct vx_control_command *command, const json_t *arguments, enum vx_control_code *code, struct vx_error *error);
/* The schema of the commands whose name begins with prefix ("": all) as `help` serves it: {"commands":[…]}. */
json_t *vx_control_help(const struct vx_control_command *const *tables, const char *prefix);
/* An object as one line of `key=value`, with its newline; the caller frees. NULL: no memory. */
char *vx_control_render_line(const json_t *object);
/* A result as a person reads it: tables for lists of objects, `key  value` lines for objects. Ends with a
 * newline; the caller frees. A result of `help` becomes usage lines. NULL: no memory. */
char *vx_control_render(const json_t *result);

struct vx_control_config {
    const char *socket;
    uint32_t mode;      /* of the socket's file */
    const char *group;  /* its group: who may look; "": whoever the mode lets in */
    const char *admins; /* user names or uids between spaces: who may change, besides root and our own user */
    const char *history; /* file that keeps every change, with FILE.1 a MiB or two; "": in memory only */
};
struct vx_control;
/* Listens (a stale socket of a dead process is replaced, a living one is an error). config is copied, tables are
 * borrowed; `help` and `history` are built in. */
int vx_control_create(const struct vx_control_config *config, const struct vx_control_command *const *tables, void *context, struct vx_control **control,
                      struct vx_error *error);
/* Waits up to timeout_ms for clients and serves them. */
void vx_control_poll(struct vx_control *control, int timeout_ms);
/* A line that no request asked for, to a client whose command has begun a feed: {"event":…}, or words where the client
 * types. 0; -EAGAIN: it reads too slowly, the line is not sent; -ENOENT: it is gone. */
int vx_control_send(struct vx_control *control, uint64_t client, const json_t *event);
bool vx_control_connected(const struct vx_control *control, uint64_t client);
/* A change that nobody asked for by a command (a time limit that has passed): into history and log as veltrixd's own.
 * old, new: references are taken; may be NULL. */
void vx_control_note(struct vx_control *control, const char *command, json_t *old, json_t *new);
void vx_control_destroy(struct vx_control *control);

#endif
