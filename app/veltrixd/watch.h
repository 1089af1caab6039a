/* Lcores under watch. Each lcore says in one byte what it is doing and writes down its long pauses; a thread of its own
 * looks at all of them a hundred times a second, and the control thread collects the pauses. */
#ifndef VX_WATCH_H
#define VX_WATCH_H

#include <pthread.h>
#include <rte_cycles.h>
#include <sys/types.h>

#include "vx_base.h"

/* Parts of a pass. */
#define APP_STAGES(X) X(START, "start") X(RECEIVE, "receive") X(SHARDS, "shards") X(SEND, "send") X(IDLE, "idle")
enum app_stage {
#define APP_STAGE_ENUM(name, text) APP_STAGE_##name,
    APP_STAGES(APP_STAGE_ENUM)
#undef APP_STAGE_ENUM
        APP_STAGE_COUNT
};
const char *app_stage_name(enum app_stage stage);

enum { PAUSES_RING = 256, PAUSE_US_MIN = 100 }; /* a machine's own timer tick takes 12 to 100 us, 250 times a second */
struct app_pause {
    uint64_t began_cycles, cycles;
    uint8_t stage; /* the part of the pass that took longest; IDLE: its own sleep */
};
/* From the lcore to the control thread: single producer, single consumer; what finds no room is counted. */
struct app_pauses {
    struct app_pause ring[PAUSES_RING];
    uint64_t lost;             /* lcore: rw, control: ro */
    uint32_t head VX_ALIGNED;  /* lcore: released; control: acquired */
    uint32_t tail VX_ALIGNED;  /* control: released; lcore: acquired */
};

/* The lcore's own; only `stage` is read by others. */
struct app_pass {
    uint8_t stage; /* relaxed: the watch wants to know about where */
    uint64_t began[APP_STAGE_COUNT]; /* TSC at which each part of this pass began */
    uint64_t pause_cycles_min;
    uint64_t last, window_end, window_cycles, longest;
};

/* Lcore: a part of the pass begins. */
static inline void app_stage(struct app_pass *pass, enum app_stage stage, uint64_t now)
{
    __atomic_store_n(&pass->stage, (uint8_t)stage, __ATOMIC_RELAXED);
    pass->began[stage] = now;
}
struct app;
/* Starts the watch: 0 or a negative errno. Stalls are logged with the lcore's backtrace. */
int app_watch_start(struct app *app, struct vx_error *error);
void app_watch_stop(struct app *app);
/* Control thread, in every turn of its loop: it is alive, and takes the lcores' pauses. */
void app_watch_turn(struct app *app);
/* A process that ends by a fault says where, in which thread, with its stack. Once, before any other thread. */
void app_crash_reports(void);
/* Stalls that have been noticed since the start. */
uint64_t app_watch_stalls(void);

#endif
