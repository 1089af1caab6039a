/* control, inside:
 *
 *   server.c  sockets, clients, what one of them can cost    peer.c   who is at the other end
 *   request.c a line becomes a call, its result a reply      schema.c arguments against the table, and `help`
 *   words.c   what a person types becomes arguments          render.c results for people
 *   history.c who changed what                                                              */
#ifndef VX_CONTROL_PRIVATE_H
#define VX_CONTROL_PRIVATE_H

#include "vx_control.h"

enum {
    ADMINS_BYTES = 512,
    WORDS_MAX = 64,
    REPLY_BYTES_MAX = 8 << 20, /* a status with every lcore and shard is a few hundred KiB */
};

/* history.c */
struct history;
/* path "": in memory only. */
int history_open(const char *path, struct history **history, struct vx_error *error);
void history_close(struct history *history);
/* A change or an attempt at one; the sentence says why it was refused. */
void history_note(struct history *history, const char *command, const struct vx_control_call *call, bool ok, const char *sentence);
/* The last `count` entries, oldest first; a new reference. */
json_t *history_last(const struct history *history, size_t count);

/* What a line is served with. */
struct service {
    const struct vx_control_command *const *tables;
    void *context;
    struct history *history;
};

/* A line (without its newline) of this peer; returns the reply without its newline, which the caller frees;
 * NULL: no memory. */
char *request_serve(const struct service *service, const struct vx_control_peer *peer, uint64_t client, const char *line, size_t bytes);
/* Words of a person, not JSON. */
bool request_is_typed(const char *line, size_t bytes);
/* A line of a feed with its newline; the caller frees. NULL: no memory. */
char *request_event(const json_t *event, bool typed);
/* A reply that refuses, with a null id. */
char *request_refuse(enum vx_control_code code, struct vx_error *error);

struct peer_rules {
    uint32_t mode;
    gid_t group;
    bool has_group;
    char admins[ADMINS_BYTES];
};
/* Resolves the group's name and checks the admins': 0 or -EINVAL. */
int peer_rules_set(struct peer_rules *rules, const struct vx_control_config *config, struct vx_error *error);
/* Reads the credentials of a connected socket; false when this peer may not even look. */
bool peer_read(const struct peer_rules *rules, int fd, struct vx_control_peer *peer);

/* Number of edits between two words, at most `most`. */
unsigned words_distance(const char *a, const char *b, unsigned most);

#endif
