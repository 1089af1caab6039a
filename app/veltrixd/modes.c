/* Modes on their way from the configuration to the shards: at the start as a list, later word by word. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app.h"

enum { TELL_WAIT_US = 50, TELL_WAITS = 4000, WORDS_AT_ONCE = 3 };

/* What the shards were made with; their seats do not grow. */
static struct {
    struct vx_shard_mode modes[VX_MATCH_MODES_MAX];
    uint32_t players_max;
} start;

void app_modes_describe(struct app *app, struct vx_shard_config *shard)
{
    struct vx_mode duel;
    vx_mode_default(&duel);
    start.players_max = app->config.mode_count == 0 ? vx_mode_players(&duel) : 0;
    for (uint32_t i = 0; i < app->config.mode_count; i++) {
        memcpy(start.modes[i].name, app->config.modes[i].name, sizeof(start.modes[i].name));
        start.modes[i].mode = app->config.modes[i].mode;
        uint32_t players = vx_mode_players(&start.modes[i].mode);
        start.players_max = players > start.players_max ? players : start.players_max;
    }
    shard->modes = start.modes;
    shard->mode_count = app->config.mode_count;
}

bool app_mode_has_seats(const struct app *app, const struct vx_mode *mode)
{
    (void)app;
    return vx_mode_players(mode) <= start.players_max;
}

/* The lcore takes one command in a pass, and a mode is more of them than wait for it at once. */
static int tell(struct app_lcore *lcore, const struct vx_event *event, struct vx_error *error)
{
    for (uint32_t waited = 0; !vx_shard_lcore_tell(lcore->shards, event); waited++) {
        if (waited == TELL_WAITS)
            return vx_error_set(error, -EBUSY, "lcore %u stands still and takes no commands", lcore->id);
        (void)usleep(TELL_WAIT_US);
    }
    return 0;
}

int app_mode_tell(struct app *app, uint32_t index, struct vx_error *error)
{
    uint32_t words[VX_MODE_WORDS + WORDS_AT_ONCE] = { 0 };
    int rc = 0;
    memcpy(words, &app->config.modes[index].mode, sizeof(app->config.modes[index].mode));
    for (uint32_t i = 0; rc == 0 && i < app->lcore_count; i++) {
        if (app->lcores[i].shards == NULL)
            continue;
        for (uint32_t word = 0; rc == 0 && word < VX_MODE_WORDS; word += WORDS_AT_ONCE) {
            const struct vx_event event = { .kind = VX_EVENT_MODE, .shard = VX_LCORE_EVERY_SHARD, .number = index, .arg16 = (uint16_t)word,
                                            .a = words[word], .b = words[word + 1], .c = words[word + 2] };
            rc = tell(&app->lcores[i], &event, error);
        }
        const struct vx_event end = { .kind = VX_EVENT_MODE, .shard = VX_LCORE_EVERY_SHARD, .number = index, .arg8 = 1 };
        rc = rc == 0 ? tell(&app->lcores[i], &end, error) : rc;
    }
    return rc;
}
