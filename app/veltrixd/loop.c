/* The loop of a polling lcore: its clock, its passes, its idle policy. Everything that is done in a pass
 * is in lib/lcore. */
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <time.h>
#include <unistd.h>

#include "app.h"

/* The part that took longest of the time until now. */
static uint8_t longest_stage(const struct app_pass *pass, uint64_t now)
{
    static const uint8_t order[] = { APP_STAGE_START, APP_STAGE_RECEIVE, APP_STAGE_SHARDS, APP_STAGE_SEND, APP_STAGE_IDLE };
    uint8_t longest = APP_STAGE_START;
    uint64_t most = 0;
    for (uint32_t i = 0; i < APP_STAGE_COUNT; i++) {
        uint64_t end = i + 1 < APP_STAGE_COUNT ? pass->began[order[i + 1]] : now, took = end - pass->began[order[i]];
        if (took > most) {
            most = took;
            longest = order[i];
        }
    }
    return longest;
}

static void pause_note(const struct app_pass *pass, struct app_pauses *pauses, uint64_t now)
{
    uint32_t head = pauses->head, tail = __atomic_load_n(&pauses->tail, __ATOMIC_ACQUIRE); /* released by the control thread */
    if (head - tail == PAUSES_RING) {
        __atomic_store_n(&pauses->lost, pauses->lost + 1, __ATOMIC_RELAXED);
        return;
    }
    pauses->ring[head % PAUSES_RING] = (struct app_pause){ pass->last, now - pass->last, longest_stage(pass, now) };
    __atomic_store_n(&pauses->head, head + 1, __ATOMIC_RELEASE); /* acquired by the control thread */
}

/* The pass before is over: the longest gap between two polls in each millisecond goes to the histogram (comparable with an
 * empty loop's by quantiles), every gap from PAUSE_US_MIN on to the ring. */
static void pass_begin(struct app_pass *pass, struct vx_hist *gaps, struct app_pauses *pauses, uint64_t now)
{
    uint64_t gap = now - pass->last;
    if (gap > pass->longest)
        pass->longest = gap;
    if (VX_UNLIKELY(gap >= pass->pause_cycles_min) && pass->began[APP_STAGE_RECEIVE] != 0)
        pause_note(pass, pauses, now);
    pass->last = now;
    pass->began[APP_STAGE_START] = now;
    if (now >= pass->window_end) {
        vx_hist_add(gaps, pass->longest);
        pass->longest = 0;
        pass->window_end = now + pass->window_cycles;
    }
}

/* The control thread may change the policy at any time. */
static void idle(const struct vx_config *config, uint64_t empty_polls)
{
    uint32_t policy = __atomic_load_n(&config->idle_policy, __ATOMIC_RELAXED);
    if (policy == VX_IDLE_BUSY)
        return;
    rte_pause();
    if (policy == VX_IDLE_SLEEP && empty_polls >= __atomic_load_n(&config->idle_after_polls, __ATOMIC_RELAXED)) {
        struct timespec pause = { 0, (long)__atomic_load_n(&config->idle_sleep_us, __ATOMIC_RELAXED) * 1000 };
        (void)nanosleep(&pause, NULL);
    }
}

/* While a port is reset nobody touches it; the shards go on. */
static bool port_open(const struct app_lcore *lcore)
{
    return lcore->io != NULL && __atomic_load_n(&lcore->port->closed, __ATOMIC_ACQUIRE) == 0;
}

static void poll_until_stopped(struct app_lcore *lcore)
{
    const struct app *app = lcore->app;
    struct app_pass *pass = &lcore->pass;
    uint64_t empty = 0, now = rte_rdtsc();
    /* microseconds = cycles * (2^32 / cycles per us) >> 32, good for 584 years */
    const uint64_t us_per_cycle_32 = (1000000ull << 32) / app->cycles_per_s;
    *pass = (struct app_pass){ .last = now, .window_end = now, .window_cycles = app->cycles_per_s / 1000, .pause_cycles_min = app->cycles_per_s / 1000000 * PAUSE_US_MIN };
    while (__atomic_load_n(&app->stop, __ATOMIC_RELAXED) == 0) {
        uint32_t work = 0;
        now = rte_rdtsc();
        pass_begin(pass, lcore->gaps, lcore->pauses, now);
        bool open = port_open(lcore);
        app_stage(pass, APP_STAGE_RECEIVE, now);
        if (open)
            work += vx_io_receive(lcore->io, now);
        app_stage(pass, APP_STAGE_SHARDS, rte_rdtsc());
        if (lcore->shards != NULL)
            work += vx_shard_lcore_step(lcore->shards, (uint64_t)(((__uint128_t)(now - app->started_cycles) * us_per_cycle_32) >> 32));
        app_stage(pass, APP_STAGE_SEND, rte_rdtsc());
        if (open)
            work += vx_io_send(lcore->io, now);
        uint64_t end = rte_rdtsc();
        app_stage(pass, APP_STAGE_IDLE, end);
        __atomic_store_n(&lcore->passes, lcore->passes + 1, __ATOMIC_RELEASE); /* acquired by app_quiesce */
        if (work > 0) {
            lcore->passes_busy++;
            lcore->busy_cycles += end - now;
            empty = 0;
        } else {
            idle(&app->config, ++empty);
        }
    }
}

int app_lcore_main(void *argument)
{
    struct app_lcore *lcore = argument;
    int rc = 0;
    lcore->thread = pthread_self();
    lcore->tid = gettid();
    if (lcore->has_shards)
        rc = vx_shard_lcore_create(&lcore->shard_config, &lcore->shards, &lcore->error);
    __atomic_store_n(&lcore->state, rc == 0 ? 1 : -1, __ATOMIC_RELEASE); /* acquired by wait_ready in main.c */
    while (__atomic_load_n(&lcore->app->go, __ATOMIC_ACQUIRE) == 0 && __atomic_load_n(&lcore->app->stop, __ATOMIC_RELAXED) == 0)
        rte_pause();
    if (rc == 0)
        poll_until_stopped(lcore);
    return rc;
}
