/* log: what the control plane has to say, with fields, to the journal or to stderr, never more than a bounded
 * number of lines a second. Data-plane files have no log: they count, and the control thread tells.
 *
 *   vx_log(VX_LOG_WARNING, "lcore", (struct vx_log_field[]){ { "LCORE", "1" }, { NULL } }, "lcore 1 stands still");
 *
 * Any control-plane thread may call (one short lock inside). Lines of one topic pass through a bucket of its own;
 * what it holds back is counted, and the next line that passes says how many. */
#ifndef VX_LOG_H
#define VX_LOG_H

#include "vx_base.h"

#define VX_LOG_LEVELS(X) X(ERROR, "error", 3) X(WARNING, "warning", 4) X(NOTICE, "notice", 5) X(INFO, "info", 6) X(DEBUG, "debug", 7)
enum vx_log_level {
#define VX_LOG_LEVEL_ENUM(name, text, priority) VX_LOG_##name,
    VX_LOG_LEVELS(VX_LOG_LEVEL_ENUM)
#undef VX_LOG_LEVEL_ENUM
        VX_LOG_LEVEL_COUNT
};
enum {
    VX_LOG_BURST = 50,  /* lines of a topic at once … */
    VX_LOG_PER_S = 10,  /* … and then so many a second; errors are never held back */
};
struct vx_log_field {
    const char *name; /* upper case, as journald wants it; NULL ends the list */
    const char *value;
};
/* The level's text, as in the configuration. Static text. */
const char *vx_log_level_name(enum vx_log_level level);
/* Lines below this level are passed over. INFO until told otherwise. */
void vx_log_level_set(enum vx_log_level level);
enum vx_log_level vx_log_level(void);
/* To journald when stderr is the journal's own stream (JOURNAL_STREAM, systemd.exec(5)), else to stderr as
 * `<priority>program: topic: text FIELD=value`, without the priority on a terminal. A pipe or a terminal
 * becomes non-blocking for this process and its children. Call once, before any thread. */
void vx_log_open(const char *program);
/* fields: NULL or a list that ends with a NULL name; borrowed. topic: a literal, at most 32 different ones. */
void vx_log(enum vx_log_level level, const char *topic, const struct vx_log_field *fields, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Lines that were held back since the start. */
uint64_t vx_log_suppressed(void);
/* Lines that found no room since the start: stderr is a pipe, a socket or a terminal that nobody reads. The next line that
 * finds room says how many; nobody ever waits. */
uint64_t vx_log_lost(void);

#endif
