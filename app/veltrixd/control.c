/* The control socket's start, before anything else is taken: a second daemon is refused here, while it has done no
 * harm yet. */
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "vx_log.h"

/* The file of changes lies beside the ledger unless the configuration says where. */
static void history_path(const struct vx_config *config, char *path, size_t bytes)
{
    char ledger[VX_PATH_BYTES];
    (void)strcpy(ledger, config->ledger.path);
    if (config->control.history[0] != '\0')
        (void)snprintf(path, bytes, "%s", config->control.history);
    else
        (void)snprintf(path, bytes, "%s/history.jsonl", dirname(ledger));
}

int app_control_start(struct app *app, struct vx_error *error)
{
    char history[2 * VX_PATH_BYTES];
    history_path(&app->config, history, sizeof(history));
    const struct vx_control_config config = {
        .socket = app->config.control.socket, .mode = app->config.control.mode, .group = app->config.control.group, .admins = app->config.control.admins,
        .history = history,
    };
    return vx_control_create(&config, app_commands, app, &app->control, error);
}
