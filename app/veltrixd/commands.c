/* The commands of the control socket: every file of handlers has a table, and this is the list of tables.
 * `veltrixd --commands` prints it; the man page and the completions are made from that. */
#include "operate.h"

const struct vx_control_command *const app_commands[] = {
    app_status_commands,
    app_port_commands,
    app_rules_commands,
    app_tune_commands,
    app_config_commands,
    app_pauses_commands,
    NULL,
};
