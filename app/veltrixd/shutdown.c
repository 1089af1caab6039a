/* The end, asked for by an operator: at once, or when the last hunt is over. */
#include <rte_cycles.h>
#include <systemd/sd-daemon.h>

#include "operate.h"

enum { DRAIN_S_DEFAULT = 600, DRAIN_S_MAX = 86400 };

static struct {
    bool asked, drain;
    uint64_t deadline_cycles;
} ending;

void app_drain_shards(struct app *app)
{
    const struct vx_event no_new_games = { .kind = VX_EVENT_DRAIN, .shard = VX_LCORE_EVERY_SHARD };
    for (uint32_t i = 0; i < app->lcore_count; i++)
        if (app->lcores[i].shards != NULL)
            (void)vx_shard_lcore_tell(app->lcores[i].shards, &no_new_games); /* an lcore that stands still cannot drain either */
}

bool app_shutdown_due(const struct app *app)
{
    struct vx_shard_counters sum;
    if (!ending.asked)
        return false;
    if (!ending.drain || rte_rdtsc() >= ending.deadline_cycles)
        return true;
    app_shards_sum(app, &sum);
    return sum.hunts_live == 0 && sum.grants_pending == 0 && sum.jobs_pending == 0;
}

static json_t *on_shutdown(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct app *app = context;
    struct vx_shard_counters sum;
    (void)error;
    int64_t timeout_s = vx_control_whole(call, "timeout", DRAIN_S_DEFAULT);
    ending.asked = true;
    ending.drain = vx_control_flag(call, "drain");
    ending.deadline_cycles = rte_rdtsc() + (uint64_t)timeout_s * app->cycles_per_s;
    app_shards_sum(app, &sum);
    if (!ending.drain)
        return json_pack("{s:s}", "shutdown", "now");
    app_drain_shards(app);
    (void)sd_notifyf(0, "STATUS=Draining, at most %ld s more", (long)timeout_s);
    return json_pack("{s:s,s:I,s:I}", "shutdown", "when the last hunt is over", "within_s", (json_int_t)timeout_s, "hunts", (json_int_t)sum.hunts_live);
}

static const struct vx_control_argument shutdown_arguments[] = {
    { "drain", VX_ARGUMENT_FLAG, VX_ARGUMENT_NAMED, 0, 0, NULL, "", "no new games, and wait for the hunts to end" },
    { "timeout", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, DRAIN_S_MAX, NULL, "s", "with --drain: wait at most so long (600)" },
    { .name = NULL },
};
const struct vx_control_command app_shutdown_commands[] = {
    { "shutdown", VX_CONTROL_ADMIN, "ends veltrixd", "what is in flight is answered or counted; with --drain when the last hunt is over", shutdown_arguments, on_shutdown },
    { .name = NULL },
};
