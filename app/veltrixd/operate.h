/* What operators do with a running veltrixd: one file of handlers each, all of it on the control thread. */
#ifndef VX_OPERATE_H
#define VX_OPERATE_H

#include "app.h"

extern const struct vx_control_command app_tune_commands[], app_config_commands[], app_pauses_commands[];

/* tune.c: makes the running configuration like the target as far as that goes without a restart. changed and restart get
 * lists of {key, old, new} (new references, also on failure). -EBUSY: an lcore takes no commands. */
int app_adopt(struct app *app, const struct vx_config *target, json_t **changed, json_t **restart, struct vx_error *error);

/* config.c: remembers the running configuration, so that `config undo` comes back to it. Before a change. */
void app_config_remember(struct app *app);
/* Writes what runs to the file. 0 or a negative errno. */
int app_config_save(struct app *app, struct vx_error *error);
/* Every few milliseconds: undoes a change whose time to be confirmed has passed. */
void app_config_tick(struct app *app);

#endif
