/* `config`: what runs, what the file says, and the way from one to the other, with a way back. */
#include <errno.h>
#include <libgen.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <string.h>

#include "operate.h"
#include "vx_log.h"

enum { UNDO_MAX = 16, VALUE_BYTES = 640, TIMEOUT_S_MAX = 3600 };

/* Control thread. What ran before each of the last changes; only live keys are of interest in them. */
static struct {
    struct vx_config before[UNDO_MAX];
    uint32_t count;          /* grows; modulo UNDO_MAX the place of the next */
    uint32_t left;           /* changes that can still be undone */
    uint64_t confirm_cycles; /* deadline of the last change; 0: nothing to confirm */
} undo;

void app_config_remember(struct app *app)
{
    undo.before[undo.count++ % UNDO_MAX] = app->config;
    undo.left = undo.left < UNDO_MAX ? undo.left + 1 : UNDO_MAX;
}

/* Back to before the last change. */
static int step_back(struct app *app, json_t **changed, struct vx_error *error)
{
    json_t *restart = NULL;
    VX_ASSERT(undo.left > 0);
    undo.left--;
    undo.confirm_cycles = 0;
    int rc = app_adopt(app, &undo.before[--undo.count % UNDO_MAX], changed, &restart, error);
    json_decref(restart);
    return rc;
}

void app_config_tick(struct app *app)
{
    struct vx_error error;
    json_t *changed = NULL;
    if (undo.confirm_cycles == 0 || rte_rdtsc() < undo.confirm_cycles)
        return;
    int rc = step_back(app, &changed, &error);
    vx_log(VX_LOG_WARNING, "config", NULL, "nobody confirmed the configuration in time: %s", rc == 0 ? "back to what ran before" : error.text);
    vx_control_note(app->control, "config undo", NULL, changed);
}

int app_config_save(struct app *app, struct vx_error *error)
{
    int rc = vx_config_save(&app->config, app->config_path, error);
    if (rc == 0)
        app->saved = app->config;
    return rc;
}

/* A file's name as it was given: only files of the folder of the running configuration are looked at, for a sentence
 * about a file shows a piece of it, and who may ask us may not read everything that we may. */
static int resolve(const struct app *app, const char *name, char path[VX_PATH_BYTES * 2], struct vx_error *error)
{
    char folder[VX_PATH_BYTES * 2];
    (void)snprintf(folder, sizeof(folder), "%s", app->config_path);
    const char *parent = dirname(folder);
    size_t length = strlen(parent);
    if (strncmp(name, parent, length) == 0 && name[length] == '/')
        name += length + 1;
    if (strchr(name, '/') != NULL || strcmp(name, "..") == 0)
        return vx_error_set(error, -EINVAL, "%.100s is not in %.100s; only configurations there are looked at", name, parent);
    (void)snprintf(path, VX_PATH_BYTES * 2, "%s/%s", parent, name);
    return 0;
}

/* Loads the named file, or the configuration's own. */
static bool load(const struct app *app, struct vx_control_call *call, struct vx_config *config, struct vx_error *error)
{
    char path[VX_PATH_BYTES * 2];
    const char *name = vx_control_text(call, "file", NULL);
    (void)snprintf(path, sizeof(path), "%s", app->config_path);
    if (name != NULL && resolve(app, name, path, error) != 0) {
        call->code = VX_CONTROL_BAD_ARGUMENT;
        return false;
    }
    int rc = vx_config_load(path, config, error);
    if (rc == -ENOENT)
        call->code = VX_CONTROL_NOT_FOUND;
    return rc == 0;
}

static void difference_row(void *rows, const char *name, const char *running, const char *file, bool live)
{
    (void)json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s}", "key", name, "running", running, "file", file, "applies", live ? "now" : "at a restart"));
}

static json_t *on_diff(void *context, struct vx_control_call *call, struct vx_error *error)
{
    static struct vx_config config;
    const struct app *app = context;
    if (!load(app, call, &config, error))
        return NULL;
    json_t *rows = json_array();
    vx_config_diff(&app->config, &config, difference_row, rows);
    return rows;
}

static json_t *on_check(void *context, struct vx_control_call *call, struct vx_error *error)
{
    json_t *rows = on_diff(context, call, error);
    json_t *result = rows == NULL ? NULL : json_pack("{s:s,s:I}", "file", "good", "differences", (json_int_t)json_array_size(rows));
    json_decref(rows);
    return result;
}

static json_t *on_show(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    const char *prefix = vx_control_text(call, "section", "");
    json_t *rows = json_array();
    (void)error;
    for (uint32_t i = 0; i < vx_config_key_count(); i++) {
        char value[VALUE_BYTES], otherwise[VALUE_BYTES], saved[VALUE_BYTES];
        struct vx_config_key key;
        vx_config_key(i, &key);
        if (strncmp(key.name, prefix, strlen(prefix)) != 0)
            continue;
        vx_config_value(&app->config, i, value, sizeof(value));
        vx_config_value(NULL, i, otherwise, sizeof(otherwise));
        vx_config_value(&app->saved, i, saved, sizeof(saved));
        const char *from = strcmp(saved, value) != 0 ? "drift" : strcmp(value, otherwise) == 0 ? "default" : "file";
        (void)json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s,s:s}", "key", key.name, "value", value, "from", from, "saved",
                                                    strcmp(saved, value) != 0 ? saved : "", "changes", key.effect[0] != '\0' ? "live" : "restart"));
    }
    return rows;
}

static json_t *on_apply(void *context, struct vx_control_call *call, struct vx_error *error)
{
    static struct vx_config target;
    struct app *app = context;
    int64_t timeout_s = vx_control_whole(call, "timeout", 0);
    json_t *changed = NULL, *restart = NULL;
    if (undo.confirm_cycles != 0)
        return vx_control_fail(call, error, VX_CONTROL_BUSY, "a change waits to be confirmed: config confirm, or config undo");
    if (!load(app, call, &target, error))
        return NULL;
    app_config_remember(app);
    int rc = app_adopt(app, &target, &changed, &restart, error);
    call->new = json_incref(changed);
    if (timeout_s > 0)
        undo.confirm_cycles = rte_rdtsc() + (uint64_t)timeout_s * app->cycles_per_s;
    if (rc == 0)
        return json_pack("{s:I,s:o,s:o}", "confirm_within_s", (json_int_t)timeout_s, "changed", changed, "restart", restart);
    json_decref(changed);
    json_decref(restart);
    return NULL;
}

static json_t *on_confirm(void *context, struct vx_control_call *call, struct vx_error *error)
{
    (void)context;
    if (undo.confirm_cycles == 0)
        return vx_control_fail(call, error, VX_CONTROL_NOT_FOUND, "no change waits to be confirmed");
    undo.confirm_cycles = 0;
    return json_pack("{s:b}", "confirmed", 1);
}

static json_t *on_undo(void *context, struct vx_control_call *call, struct vx_error *error)
{
    json_t *changed = NULL;
    if (undo.left == 0)
        return vx_control_fail(call, error, VX_CONTROL_NOT_FOUND, "nothing has been changed since the start that could be undone");
    int rc = step_back(context, &changed, error);
    call->new = json_incref(changed);
    if (rc == 0)
        return json_pack("{s:o,s:I}", "changed", changed, "undo_left", (json_int_t)undo.left);
    json_decref(changed);
    return NULL;
}

static json_t *on_save(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    (void)call;
    return app_config_save(context, error) == 0 ? json_pack("{s:s}", "saved", app->config_path) : NULL;
}

#define FILE_ARGUMENT { "file", VX_ARGUMENT_TEXT, VX_ARGUMENT_OPTIONAL, 1, VX_PATH_BYTES - 1, NULL, "", "a file beside the running configuration; none: that one itself" }
static const struct vx_control_argument file_arguments[] = { FILE_ARGUMENT, { .name = NULL } };
static const struct vx_control_argument apply_arguments[] = {
    FILE_ARGUMENT,
    { "timeout", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, TIMEOUT_S_MAX, NULL, "s", "go back unless `config confirm` comes within this time" },
    { .name = NULL },
};
static const struct vx_control_argument show_arguments[] = {
    { "section", VX_ARGUMENT_TEXT, VX_ARGUMENT_OPTIONAL, 1, VX_NAME_BYTES - 1, NULL, "", "only keys that begin so" },
    { .name = NULL },
};
const struct vx_control_command app_config_commands[] = {
    { "config show", VX_CONTROL_LOOK, "lists every key, where its value comes from, and what is not saved (drift)", "", show_arguments, on_show },
    { "config check", VX_CONTROL_LOOK, "reads a configuration and says what is wrong with it", "", file_arguments, on_check },
    { "config diff", VX_CONTROL_LOOK, "lists what differs between what runs and a file", "", file_arguments, on_diff },
    { "config apply", VX_CONTROL_ADMIN, "makes what runs like a file, as far as that goes without a restart", "every live key that differs, from when its row in tune says",
      apply_arguments, on_apply },
    { "config confirm", VX_CONTROL_ADMIN, "keeps what config apply --timeout has changed", "the change stays", NULL, on_confirm },
    { "config undo", VX_CONTROL_ADMIN, "takes the last change by tune or config apply back; up to 16 of them", "the keys that it had changed", NULL, on_undo },
    { "config save", VX_CONTROL_ADMIN, "writes what runs to the configuration file; the one before stays beside it as .before", "the file", NULL, on_save },
    { .name = NULL },
};
