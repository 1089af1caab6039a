/* The watch: a thread of its own, because the control thread may itself be waiting for an lcore. A hundred looks a
 * second; one that finds an lcore's pass counter where it was counts a look without progress, so that a machine that
 * stops as a whole accuses nobody. Five in a row are a stall: the lcore is made to write down its own stack, which works
 * when it runs in circles; when it is not run at all, the kernel's word for its state says so. */
#include "watch.h"

#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "operate.h"

enum {
    LOOK_MS = 10,
    FRAMES_MAX = 32,
    FRAMES_WAIT_MS = 20,
    CONTROL_STALL_MS = 1000, /* it may wait for a disk */
    STACK_BYTES = 2048,
};

/* What the watch knows of one lcore. */
struct look {
    uint64_t passes;
    uint32_t still; /* looks without progress */
    bool stalled;
};

static struct {
    pthread_t thread;
    bool started, stop; /* stop: control w, watch r; atomic */
    struct look lcores[VX_IO_LCORES_MAX + VX_SHARD_LCORES_MAX];
    uint32_t turns, control_still;
    uint64_t stalls;    /* watch: rw; others: ro */
    uint64_t notify_looks, looks;
} watch;

/* Written by the stalled lcore in its signal handler, one at a time. */
static struct {
    void *frames[FRAMES_MAX];
    int count; /* released by the handler */
} stack;

static void on_ask_stack(int number)
{
    (void)number;
    int count = backtrace(stack.frames, FRAMES_MAX);
    __atomic_store_n(&stack.count, count, __ATOMIC_RELEASE);
}

static int stack_signal(void)
{
    return SIGRTMIN + 3;
}

/* "name+0x12 < name+0x34 < …", innermost first, without the handler's own two frames. */
static void stack_text(char *text, size_t bytes)
{
    int count = __atomic_load_n(&stack.count, __ATOMIC_ACQUIRE);
    char **symbols = backtrace_symbols(stack.frames, count);
    size_t used = 0;
    text[0] = '\0';
    for (int i = 2; symbols != NULL && i < count && used < bytes; i++) {
        char *begin = strchr(symbols[i], '('), *end = begin != NULL ? strchr(begin, ')') : NULL;
        if (end != NULL)
            used += (size_t)snprintf(text + used, bytes - used, "%s%.*s", used > 0 ? " < " : "", (int)(end - begin - 1), begin + 1);
    }
    free(symbols);
}

/* The kernel's word: "R (running)", "T (stopped)" … of a thread that does not answer a signal. */
static void state_text(pid_t tid, char *text, size_t bytes)
{
    char path[64], line[128];
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
    FILE *file = fopen(path, "re");
    (void)snprintf(text, bytes, "no such thread: it has ended");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "State:", 6) == 0)
            (void)snprintf(text, bytes, "not run by the kernel, state %.*s", (int)strcspn(line + 7, "\n"), line + 7);
    if (file != NULL)
        (void)fclose(file);
}

static void describe(const struct app_lcore *lcore, char *text, size_t bytes)
{
    struct timespec pause = { 0, 1000000 };
    __atomic_store_n(&stack.count, 0, __ATOMIC_RELAXED);
    int rc = pthread_kill(lcore->thread, stack_signal());
    for (int ms = 0; rc == 0 && ms < FRAMES_WAIT_MS && __atomic_load_n(&stack.count, __ATOMIC_ACQUIRE) == 0; ms++)
        (void)nanosleep(&pause, NULL);
    if (__atomic_load_n(&stack.count, __ATOMIC_ACQUIRE) > 0)
        stack_text(text, bytes);
    else
        state_text(lcore->tid, text, bytes);
}

static void tell(const struct app_lcore *lcore, uint32_t still_ms, enum vx_log_level level, const char *what)
{
    char text[STACK_BYTES], id[16], cpu[16], ms[16];
    describe(lcore, text, sizeof(text));
    (void)snprintf(id, sizeof(id), "%u", lcore->id);
    (void)snprintf(cpu, sizeof(cpu), "%u", lcore->config->cpu);
    (void)snprintf(ms, sizeof(ms), "%u", still_ms);
    const char *stage = app_stage_name((enum app_stage)__atomic_load_n(&lcore->pass.stage, __ATOMIC_RELAXED));
    const struct vx_log_field fields[] = { { "LCORE", id }, { "CPU", cpu }, { "STILL_MS", ms }, { "STAGE", stage }, { "BACKTRACE", text }, { NULL, NULL } };
    vx_log(level, "lcore", fields, "lcore %u on CPU %u %s %u ms in %s: %s", lcore->id, lcore->config->cpu, what, still_ms, stage, text);
}

static void look_at(const struct app *app, const struct app_lcore *lcore, struct look *look)
{
    uint64_t passes = vx_counter_read(&lcore->passes);
    uint32_t stall_ms = __atomic_load_n(&app->config.watch.stall_ms, __ATOMIC_RELAXED), dead_ms = __atomic_load_n(&app->config.watch.dead_ms, __ATOMIC_RELAXED);
    if (passes != look->passes) {
        if (look->stalled)
            vx_log(VX_LOG_WARNING, "lcore", NULL, "lcore %u goes on after %u ms", lcore->id, look->still * LOOK_MS);
        *look = (struct look){ .passes = passes };
        return;
    }
    uint32_t still_ms = ++look->still * LOOK_MS;
    if (!look->stalled && still_ms >= stall_ms) {
        look->stalled = true;
        __atomic_store_n(&watch.stalls, watch.stalls + 1, __ATOMIC_RELAXED);
        tell(lcore, still_ms, VX_LOG_ERROR, "stands still since");
    }
    if (look->stalled && dead_ms > 0 && still_ms >= dead_ms) {
        tell(lcore, still_ms, VX_LOG_ERROR, "is given up after");
        abort(); /* the service manager starts us anew: the ledger and the players' repeats bridge it */
    }
}

static bool control_turns(const struct app *app)
{
    uint32_t turns = __atomic_load_n(&app->turns, __ATOMIC_RELAXED);
    watch.control_still = turns == watch.turns ? watch.control_still + 1 : 0;
    watch.turns = turns;
    if (watch.control_still == CONTROL_STALL_MS / LOOK_MS)
        vx_log(VX_LOG_WARNING, "control", NULL, "the control thread stands still since %u ms; lcores go on", CONTROL_STALL_MS);
    return watch.control_still < CONTROL_STALL_MS / LOOK_MS;
}

/* The service manager hears of us only while everybody moves: else it starts us anew (WatchdogSec= in the unit). */
static void notify(bool all_move)
{
    if (watch.notify_looks > 0 && watch.looks % watch.notify_looks == 0 && all_move)
        (void)sd_notify(0, "WATCHDOG=1");
    watch.looks++;
}

static void *watch_main(void *argument)
{
    const struct app *app = argument;
    struct timespec pause = { 0, LOOK_MS * 1000000 };
    while (!__atomic_load_n(&watch.stop, __ATOMIC_RELAXED)) {
        (void)nanosleep(&pause, NULL);
        bool all_move = control_turns(app);
        for (uint32_t i = 0; i < app->lcore_count; i++) {
            look_at(app, &app->lcores[i], &watch.lcores[i]);
            all_move = all_move && !watch.lcores[i].stalled;
        }
        notify(all_move);
    }
    return NULL;
}

int app_watch_start(struct app *app, struct vx_error *error)
{
    struct sigaction action = { .sa_handler = on_ask_stack, .sa_flags = SA_RESTART };
    uint64_t watchdog_us = 0;
    (void)backtrace(stack.frames, FRAMES_MAX); /* its first call loads a library, which a handler must not */
    (void)sigaction(stack_signal(), &action, NULL);
    if (sd_watchdog_enabled(0, &watchdog_us) > 0)
        watch.notify_looks = watchdog_us / 1000 / LOOK_MS / 4 + 1;
    int rc = pthread_create(&watch.thread, NULL, watch_main, app);
    if (rc != 0)
        return vx_error_set(error, -rc, "cannot start the thread that watches the lcores: %s", strerror(rc));
    watch.started = true;
    return 0;
}

void app_watch_stop(struct app *app)
{
    (void)app;
    if (!watch.started)
        return;
    __atomic_store_n(&watch.stop, true, __ATOMIC_RELAXED);
    (void)pthread_join(watch.thread, NULL);
    watch.started = false;
}

uint64_t app_watch_stalls(void)
{
    return vx_counter_read(&watch.stalls);
}
