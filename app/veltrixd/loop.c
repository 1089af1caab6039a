/* The loop of a polling lcore: its clock, its passes, its idle policy. Everything that is done in a pass
 * is in lib/lcore. */
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <time.h>

#include "app.h"

/* Longest gap between two polls in each millisecond: comparable with an empty loop's by quantiles. */
struct gap_watch {
    uint64_t last, window_end, window_cycles, longest;
};

static void gap_note(struct gap_watch *watch, struct vx_hist *hist, uint64_t now)
{
    if (now - watch->last > watch->longest)
        watch->longest = now - watch->last;
    watch->last = now;
    if (now >= watch->window_end) {
        vx_hist_add(hist, watch->longest);
        watch->longest = 0;
        watch->window_end = now + watch->window_cycles;
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

static void poll_until_stopped(struct app_lcore *lcore)
{
    const struct app *app = lcore->app;
    uint64_t empty = 0, now = rte_rdtsc();
    struct gap_watch watch = { now, now + app->cycles_per_s / 1000, app->cycles_per_s / 1000, 0 };
    /* microseconds = cycles * (2^32 / cycles per us) >> 32, good for 584 years */
    const uint64_t us_per_cycle_32 = (1000000ull << 32) / app->cycles_per_s;
    while (__atomic_load_n(&app->stop, __ATOMIC_RELAXED) == 0) {
        uint32_t work = 0;
        now = rte_rdtsc();
        gap_note(&watch, lcore->gaps, now);
        /* While a port is reset nobody touches it; the shards go on. */
        bool open = lcore->io != NULL && __atomic_load_n(&lcore->port->closed, __ATOMIC_ACQUIRE) == 0;
        if (open)
            work += vx_io_receive(lcore->io, now);
        if (lcore->shards != NULL)
            work += vx_shard_lcore_step(lcore->shards, (uint64_t)(((__uint128_t)(now - app->started_cycles) * us_per_cycle_32) >> 32));
        if (open)
            work += vx_io_send(lcore->io, now);
        __atomic_store_n(&lcore->passes, lcore->passes + 1, __ATOMIC_RELEASE); /* acquired by app_quiesce */
        if (work > 0) {
            lcore->passes_busy++;
            lcore->busy_cycles += rte_rdtsc() - now;
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
    if (lcore->has_shards)
        rc = vx_shard_lcore_create(&lcore->shard_config, &lcore->shards, &lcore->error);
    __atomic_store_n(&lcore->state, rc == 0 ? 1 : -1, __ATOMIC_RELEASE); /* acquired by wait_ready in main.c */
    while (__atomic_load_n(&lcore->app->go, __ATOMIC_ACQUIRE) == 0 && __atomic_load_n(&lcore->app->stop, __ATOMIC_RELAXED) == 0)
        rte_pause();
    if (rc == 0)
        poll_until_stopped(lcore);
    return rc;
}
