/* The control socket's start, before anything else is taken: a second daemon is refused here, while it has done no
 * harm yet. */
#include "app.h"
#include "vx_log.h"

int app_control_start(struct app *app, struct vx_error *error)
{
    char history[APP_PATH_BYTES];
    app_state_path(&app->config, app->config.control.history, "history.jsonl", history);
    const struct vx_control_config config = {
        .socket = app->config.control.socket, .mode = app->config.control.mode, .group = app->config.control.group, .admins = app->config.control.admins,
        .history = history,
    };
    return vx_control_create(&config, app_commands, app, &app->control, error);
}
