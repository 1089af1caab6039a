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
    app_rates_commands,
    app_shard_commands,
    app_mem_commands,
    app_trace_commands,
    app_capture_commands,
    app_shutdown_commands,
    app_alarms_commands,
    app_formula_commands,
    NULL,
};
