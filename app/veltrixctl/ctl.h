/* veltrixctl: commands to a running veltrixd over its control socket, and the answers as text for a person or,
 * with --json, as a line for a program.
 *
 *   main.c  options, one command   connection.c  the socket   print.c, status.c  answers   local.c  commands of its own
 *   plan.c, plan_read.c, plan_work.c  what a host carries
 *   prompt.c  many, typed          watch.c  again and again   top.c  the whole screen      words.c  a line's words
 *   formula.c files of formulas    formula_try*.c  a formula run here      token*.c  connect tokens
 *
 * What commands there are and what they take is the server's table (`help`); the words are sent as they were typed. */
#ifndef VX_CTL_H
#define VX_CTL_H

#include "vx_control.h"

enum {
    CTL_WORDS_MAX = 64,
    CTL_LINE_BYTES = 4096,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NO_CONNECTION = 3,
    EXIT_NOT_PERMITTED = 4,
    EXIT_TIMED_OUT = 5,
};

struct ctl {
    const char *socket;
    bool json;
    double timeout_s;
    int fd;              /* -1: not connected */
    int64_t deadline_ms; /* of the conversation under way */
    char *in;            /* received; the line under way ends at in_bytes */
    size_t in_bytes, in_capacity, line_bytes;
};

/* Says what and why on stderr; returns code. */
int ctl_complain(int code, const char *what, const char *detail);
int64_t ctl_now_ms(void);

/* Sends the request as a line and waits for the answer's line: 0 and a new reference in *reply, or an exit status
 * (said). Connects when there is no connection yet; the deadline is now + timeout_s. */
int ctl_ask(struct ctl *ctl, json_t *request, json_t **reply);
/* The next line that comes unasked; timeout_ms < 0: however long it takes. As ctl_ask. */
int ctl_next(struct ctl *ctl, int timeout_ms, json_t **line);
void ctl_close(struct ctl *ctl);

/* Prints a reply's result on stdout or its error on stderr; returns the exit status. */
int ctl_print_reply(const struct ctl *ctl, const char *command, const json_t *reply);
void ctl_print_status(const json_t *status);

/* Commands that veltrixctl does itself, without a daemon; handlers get the struct ctl as context. Ends with NULL. */
extern const struct vx_control_command *const ctl_local_commands[];
/* One command, ours or the server's; prints the answer, goes on with a feed. Returns the exit status. */
int ctl_run(struct ctl *ctl, const char *const *words, size_t count);
/* The words of a line, which is cut up; at most max of them. */
size_t ctl_split(char *line, const char **words, size_t max);
/* Commands typed at a prompt, or from standard input where that is no terminal. */
int ctl_prompt(struct ctl *ctl);
/* What may stand next: a list of strings that begin with `begin`, after the words in `before`. */
json_t *ctl_complete(const char *before, const char *begin);
/* The command again and again until Ctrl-C. */
int ctl_watch(struct ctl *ctl, const char *const *words, size_t count, double every_s);
/* Prints what comes unasked until it ends, or Ctrl-C. */
int ctl_feed(struct ctl *ctl);
extern const struct vx_control_command ctl_top_commands[], plan_commands[];
/* formula.c: `formula push|check|gate FILE` sends what is in the file and tells how it goes; `formula record` fetches players' jobs;
 * `formula try` needs no server; `formula diff` shows two texts as diff(1) does. False: the words are none of these, and *exit_status is not set. */
bool ctl_formula(struct ctl *ctl, const char *const *words, size_t count, int *exit_status);
/* "battle.lua", "old/battle-2.lua": "battle"; NULL: the name says none. */
const char *ctl_formula_kind(const char *path);
#define CTL_FORMULA_NAMES "expected a file named battle.lua, loot.lua, pairing.lua, rating.lua or score.lua, or battle-ANYTHING.lua and so on"
/* The words name a local command: does it and sets *exit_status. */
bool ctl_local(struct ctl *ctl, const char *const *words, size_t count, int *exit_status);

#endif
