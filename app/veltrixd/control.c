/* The control socket's start, before anything else is taken: a second daemon is refused here, while it has done no
 * harm yet. */
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>

#include "app.h"
#include "vx_log.h"

/* Makes the last folder of a file's path where there is none: under systemd the unit has made it, elsewhere /run is empty after each
 * boot. What it cannot make is said by whoever opens the file. */
static void folder_make(const char *path, mode_t mode)
{
    char folder[VX_PATH_BYTES];
    (void)snprintf(folder, sizeof(folder), "%s", path);
    (void)mkdir(dirname(folder), mode);
}

int app_control_start(struct app *app, struct vx_error *error)
{
    char history[APP_PATH_BYTES];
    folder_make(app->config.control.socket, 0755);
    folder_make(app->config.ledger.path, 0750);
    app_state_path(&app->config, app->config.control.history, "history.jsonl", history);
    const struct vx_control_config config = {
        .socket = app->config.control.socket, .mode = app->config.control.mode, .group = app->config.control.group, .admins = app->config.control.admins,
        .history = history,
    };
    return vx_control_create(&config, app_commands, app, &app->control, error);
}
