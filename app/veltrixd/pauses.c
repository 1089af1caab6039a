/* Pauses of the polling loops: written down by the lcores (loop.c), kept and explained here. Control thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "operate.h"

enum { KEPT = 32, SHOWN = 10 };

const char *app_stage_name(enum app_stage stage)
{
    static const char *const names[] = {
#define APP_STAGE_NAME(name, text) text,
        APP_STAGES(APP_STAGE_NAME)
#undef APP_STAGE_NAME
    };
    return (unsigned)stage < APP_STAGE_COUNT ? names[stage] : "?";
}

/* A pause with what the kernel's accounts said about its time. */
struct kept {
    struct app_pause pause;
    struct timespec at;
    uint64_t waited_us; /* for its CPU, somewhere between the look before and the one after it */
};
/* One lcore's worst, the longest first; its own sleep apart, so that it does not push the others out. */
struct worst {
    struct kept kept[KEPT];
    uint32_t count;
};
static struct {
    struct worst work, sleep;
    uint64_t run_delay_ns; /* of the thread at the last look */
} worst[VX_IO_LCORES_MAX + VX_SHARD_LCORES_MAX];

/* Nanoseconds that the thread has waited for its CPU while it could run, schedstat(5); 0 when the kernel does not say. */
static uint64_t run_delay_ns(pid_t tid)
{
    char path[64];
    unsigned long ran, waited = 0;
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", (int)tid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &ran, &waited) != 2)
        waited = 0;
    (void)fclose(file);
    return waited;
}

static void keep(struct worst *of, const struct kept *one)
{
    uint32_t place = of->count < KEPT ? of->count++ : KEPT;
    if (place == KEPT && of->kept[KEPT - 1].pause.cycles >= one->pause.cycles)
        return;
    place = place == KEPT ? KEPT - 1 : place;
    while (place > 0 && of->kept[place - 1].pause.cycles < one->pause.cycles) {
        of->kept[place] = of->kept[place - 1];
        place--;
    }
    of->kept[place] = *one;
}

/* When the pause began, by the clock on the wall. */
static struct timespec wall_time(const struct app *app, uint64_t began_cycles)
{
    struct timespec clock;
    (void)clock_gettime(CLOCK_REALTIME, &clock);
    uint64_t ago_ns = (uint64_t)((double)(rte_rdtsc() - began_cycles) * 1e9 / (double)app->cycles_per_s);
    uint64_t at_ns = (uint64_t)clock.tv_sec * NS_PER_S + (uint64_t)clock.tv_nsec - ago_ns;
    return (struct timespec){ (time_t)(at_ns / NS_PER_S), (long)(at_ns % NS_PER_S) };
}

static void collect(const struct app *app, uint32_t index)
{
    const struct app_lcore *lcore = &app->lcores[index];
    struct app_pauses *pauses = lcore->pauses;
    uint32_t head = __atomic_load_n(&pauses->head, __ATOMIC_ACQUIRE); /* released by the lcore */
    if (head == pauses->tail)
        return;
    uint64_t delay_ns = run_delay_ns(lcore->tid), waited_us = (delay_ns - worst[index].run_delay_ns) / 1000;
    worst[index].run_delay_ns = delay_ns;
    for (uint32_t i = pauses->tail; i != head; i++) {
        const struct app_pause *pause = &pauses->ring[i % PAUSES_RING];
        struct kept one = { .pause = *pause, .at = wall_time(app, pause->began_cycles), .waited_us = waited_us };
        keep(pause->stage == APP_STAGE_IDLE ? &worst[index].sleep : &worst[index].work, &one);
    }
    __atomic_store_n(&pauses->tail, head, __ATOMIC_RELEASE); /* acquired by the lcore */
}

void app_watch_turn(struct app *app)
{
    __atomic_store_n(&app->turns, app->turns + 1, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < app->lcore_count; i++)
        collect(app, i);
}

static const char *why(const struct kept *kept, double us)
{
    if (kept->pause.stage == APP_STAGE_IDLE)
        return "its own sleep without work (idle.policy), and the wake-up";
    return (double)kept->waited_us >= us / 2 ? "another task had its CPU" : "its own work, an interrupt or the hypervisor";
}

static json_t *pause_json(const struct app *app, const struct app_lcore *lcore, const struct kept *kept)
{
    char at[40];
    struct tm utc;
    double us = (double)kept->pause.cycles * 1e6 / (double)app->cycles_per_s;
    size_t used = strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%S", gmtime_r(&kept->at.tv_sec, &utc));
    (void)snprintf(at + used, sizeof(at) - used, ".%06ldZ", kept->at.tv_nsec / 1000);
    return json_pack("{s:I,s:I,s:s,s:f,s:s,s:s}", "lcore", (json_int_t)lcore->id, "cpu", (json_int_t)lcore->config->cpu, "at", at, "us", us, "in",
                     app_stage_name((enum app_stage)kept->pause.stage), "what_ran", why(kept, us));
}

static void add_rows(json_t *rows, const struct app *app, const struct app_lcore *lcore, const struct worst *of, int64_t most)
{
    for (uint32_t i = 0; i < of->count && i < most; i++)
        (void)json_array_append_new(rows, pause_json(app, lcore, &of->kept[i]));
}

static json_t *on_pauses(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    int64_t last = vx_control_whole(call, "last", SHOWN);
    bool reset = vx_control_flag(call, "reset");
    if (reset && !vx_control_may_change(call, "pauses --reset", error))
        return NULL;
    json_t *rows = json_array();
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        add_rows(rows, app, &app->lcores[i], &worst[i].work, last);
        if (vx_control_flag(call, "idle"))
            add_rows(rows, app, &app->lcores[i], &worst[i].sleep, last);
        if (reset)
            worst[i].work.count = worst[i].sleep.count = 0;
    }
    return rows;
}

static const struct vx_control_argument pauses_arguments[] = {
    { "last", VX_ARGUMENT_WHOLE, VX_ARGUMENT_OPTIONAL, 1, KEPT, NULL, "", "how many of each lcore (10)" },
    { "idle", VX_ARGUMENT_FLAG, VX_ARGUMENT_NAMED, 0, 0, NULL, "", "also those that were sleep without work" },
    { "reset", VX_ARGUMENT_FLAG, VX_ARGUMENT_NAMED, 0, 0, NULL, "", "and forget them: what comes is new" },
    { .name = NULL },
};
const struct vx_control_command app_pauses_commands[] = {
    { "pauses", VX_CONTROL_MIXED, "the longest times in which each lcore did not poll: when, how long, what ran", "--reset forgets them", pauses_arguments, on_pauses },
    { .name = NULL },
};
