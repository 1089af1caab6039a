/* What may be changed while it runs, and how it gets to whom it concerns. Every live key is a row of the configuration's
 * schema; here is only the way from the key to the lcores: single-writer values that they read, or events for shards. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operate.h"
#include "vx_log.h"

enum { VALUE_BYTES = 640 };

static int tell_shards(struct app *app, enum vx_shard_setting setting, uint64_t value, struct vx_error *error)
{
    const struct vx_event event = { .kind = VX_EVENT_TUNE, .shard = VX_LCORE_EVERY_SHARD, .number = setting, .a = (uint32_t)value };
    for (uint32_t i = 0; i < app->lcore_count; i++)
        if (app->lcores[i].shards != NULL && !vx_shard_lcore_tell(app->lcores[i].shards, &event))
            return vx_error_set(error, -EBUSY, "lcore %u stands still and takes no commands", app->lcores[i].id);
    return 0;
}

static void tell_io(struct app *app)
{
    const struct vx_config *config = &app->config;
    for (uint32_t i = 0; i < app->lcore_count; i++)
        if (app->lcores[i].io != NULL)
            vx_io_tune(app->lcores[i].io, app->cycles_per_s / 1000000 * config->transport.window_us, config->transport.packets_per_s, config->transport.busy_per_s);
}

/* Brings the key's new value, which is in app->config already, to whom it concerns. Keys of `idle`, `watch`, `gate` and `canary`
 * are read there by whom they concern. */
static int apply(struct app *app, const char *key, uint64_t value, struct vx_error *error)
{
    static const struct {
        const char *key;
        enum vx_shard_setting setting;
    } shard_keys[] = {
        { "shards.proposal_ms", VX_SHARD_proposal_ms }, { "shards.search_ms", VX_SHARD_search_ms_max },   { "shards.hunt_ms", VX_SHARD_hunt_ms },
        { "shards.idle_ms", VX_SHARD_idle_ms },         { "shards.repeat_ms", VX_SHARD_repeat_ms },       { "shards.repeats_max", VX_SHARD_repeats_max },
        { "shards.grace_ms", VX_SHARD_grace_ms },       { "shards.job_ms", VX_SHARD_job_ms_max },         { "shards.speed_cm_s", VX_SHARD_speed_cm_s },
        { "shards.chest_range_cm", VX_SHARD_chest_range_cm }, { "shards.strike_range_cm", VX_SHARD_strike_range_cm },
        { "shards.cooldown_ms", VX_SHARD_cooldown_ms },
    };
    for (size_t i = 0; i < sizeof(shard_keys) / sizeof(shard_keys[0]); i++)
        if (strcmp(key, shard_keys[i].key) == 0)
            return tell_shards(app, shard_keys[i].setting, value, error);
    if (strncmp(key, "transport.", 10) == 0)
        tell_io(app);
    else if (strcmp(key, "log.level") == 0)
        vx_log_level_set((enum vx_log_level)value);
    else
        VX_ASSERT(strncmp(key, "idle.", 5) == 0 || strncmp(key, "watch.", 6) == 0 || strncmp(key, "gate.", 5) == 0 || strncmp(key, "canary.", 7) == 0); /* a live key that nobody applies is a bug, found by the test of all of them */
    return 0;
}


struct adoption {
    struct app *app;
    const struct vx_config *target;
    json_t *changed, *restart;
    struct vx_error *error;
    int rc;
};

static void adopt_one(void *context, const char *name, const char *old, const char *new, bool live)
{
    struct adoption *adoption = context;
    struct app *app = adoption->app;
    unsigned mode = 0;
    bool is_mode = sscanf(name, "modes[%u]", &mode) == 1;
    if (adoption->rc != 0)
        return;
    live = live && (!is_mode || app_mode_has_seats(app, &adoption->target->modes[mode - 1].mode));
    (void)json_array_append_new(live ? adoption->changed : adoption->restart, json_pack("{s:s,s:s,s:s}", "key", name, "old", old, "new", new));
    if (!live)
        return;
    if (is_mode) {
        app->config.modes[mode - 1] = adoption->target->modes[mode - 1];
        adoption->rc = app_mode_tell(app, mode - 1, adoption->error);
        return;
    }
    uint32_t index = (uint32_t)vx_config_key_find(name);
    vx_config_copy(&app->config, adoption->target, index);
    adoption->rc = apply(app, name, vx_config_number(&app->config, index), adoption->error);
}

int app_adopt(struct app *app, const struct vx_config *target, json_t **changed, json_t **restart, struct vx_error *error)
{
    const struct vx_config before = app->config; /* what the differences are taken from while app->config changes */
    struct adoption adoption = { app, target, json_array(), json_array(), error, 0 };
    vx_config_diff(&before, target, adopt_one, &adoption);
    *changed = adoption.changed;
    *restart = adoption.restart;
    return adoption.rc;
}

/* `tune`. */

static json_t *key_json(const struct app *app, uint32_t index)
{
    char value[VALUE_BYTES], otherwise[VALUE_BYTES], saved[VALUE_BYTES], range[64] = "";
    struct vx_config_key key;
    vx_config_key(index, &key);
    vx_config_value(&app->config, index, value, sizeof(value));
    vx_config_value(NULL, index, otherwise, sizeof(otherwise));
    vx_config_value(&app->saved, index, saved, sizeof(saved));
    if (strcmp(key.type, "number") == 0)
        (void)snprintf(range, sizeof(range), "%lu to %lu", key.min, key.max);
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "key", key.name, "value", value, "default", otherwise, "saved", strcmp(saved, value) == 0 ? "" : saved,
                     "range", key.choices[0] != '\0' ? key.choices : range, "unit", key.unit, "applies", key.effect, "summary", key.sentence);
}

static json_t *list_json(const struct app *app)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; i < vx_config_key_count(); i++) {
        struct vx_config_key key;
        vx_config_key(i, &key);
        if (key.effect[0] != '\0')
            (void)json_array_append_new(rows, key_json(app, i));
    }
    return rows;
}

static json_t *set_key(struct app *app, struct vx_control_call *call, uint32_t index, const char *value, struct vx_error *error)
{
    static struct vx_config target; /* control thread */
    struct vx_config_key key;
    json_t *changed = NULL, *restart = NULL;
    vx_config_key(index, &key);
    if (key.effect[0] == '\0')
        return vx_control_fail(call, error, VX_CONTROL_BAD_ARGUMENT, "%s takes a restart: set it in %s", key.name, app->config_path);
    target = app->config;
    int rc = vx_config_set(&target, index, value, error);
    if (rc != 0) {
        call->code = rc == -ERANGE ? VX_CONTROL_OUT_OF_RANGE : VX_CONTROL_BAD_ARGUMENT;
        return NULL;
    }
    char old[VALUE_BYTES], new[VALUE_BYTES];
    vx_config_value(&app->config, index, old, sizeof(old));
    vx_config_value(&target, index, new, sizeof(new));
    call->old = json_string(old);
    call->new = json_string(new);
    app_config_remember(app);
    rc = app_adopt(app, &target, &changed, &restart, error);
    json_decref(changed);
    json_decref(restart);
    if (rc == 0 && vx_control_flag(call, "save"))
        rc = app_config_save(app, error);
    return rc == 0 ? key_json(app, index) : NULL;
}

static json_t *on_tune(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct app *app = context;
    const char *name = vx_control_text(call, "key", NULL), *value = vx_control_text(call, "value", NULL);
    bool save = vx_control_flag(call, "save");
    if ((save || value != NULL) && !vx_control_may_change(call, "to tune", error))
        return NULL;
    if (name == NULL && save)
        return app_config_save(app, error) == 0 ? json_pack("{s:s}", "saved", app->config_path) : NULL;
    if (name == NULL)
        return list_json(app);
    int index = vx_config_key_find(name);
    if (index < 0)
        return vx_control_fail(call, error, VX_CONTROL_NOT_FOUND, "there is no key \"%.60s\"; tune lists those that can be changed while it runs", name);
    return value == NULL ? key_json(app, (uint32_t)index) : set_key(app, call, (uint32_t)index, value, error);
}

static json_t *on_log_level(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct app *app = context;
    const char *level = vx_control_text(call, "level", NULL);
    int index = vx_config_key_find("log.level");
    VX_ASSERT(index >= 0);
    if (level != NULL) {
        if (!vx_control_may_change(call, "to change what is logged", error))
            return NULL;
        json_t *row = set_key(app, call, (uint32_t)index, level, error);
        if (row == NULL)
            return NULL;
        json_decref(row);
    }
    return json_pack("{s:s,s:I,s:I}", "level", vx_log_level_name(vx_log_level()), "held_back", (json_int_t)vx_log_suppressed(), "not_read", (json_int_t)vx_log_lost());
}

static const struct vx_control_argument log_level_arguments[] = {
    { "level", VX_ARGUMENT_WORD, VX_ARGUMENT_OPTIONAL, 0, 0, "error warning notice info debug", "", "the least level of lines; none: show it, and how many lines were lost" },
    { .name = NULL },
};
static const struct vx_control_argument tune_arguments[] = {
    { "key", VX_ARGUMENT_TEXT, VX_ARGUMENT_OPTIONAL, 1, VX_NAME_BYTES - 1, NULL, "", "a key of the configuration; none: all that can be changed while it runs" },
    { "value", VX_ARGUMENT_TEXT, VX_ARGUMENT_OPTIONAL, 0, VX_PATH_BYTES, NULL, "", "its new value; none: show it" },
    { "save", VX_ARGUMENT_FLAG, VX_ARGUMENT_NAMED, 0, 0, NULL, "", "write what runs to the configuration file" },
    { .name = NULL },
};
const struct vx_control_command app_tune_commands[] = {
    { "tune", VX_CONTROL_MIXED, "shows or changes what can be changed while it runs", "the running system, from when its row says; a restart forgets it unless it is saved",
      tune_arguments, on_tune },
    { "log level", VX_CONTROL_MIXED, "shows or changes what is logged, and what was not", "the next line; the same as tune log.level", log_level_arguments, on_log_level },
    { .name = NULL },
};
