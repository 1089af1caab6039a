/* What operators do with a running veltrixd: one file of handlers each, all of it on the control thread. */
#ifndef VX_OPERATE_H
#define VX_OPERATE_H

#include "app.h"

extern const struct vx_control_command app_tune_commands[], app_config_commands[], app_pauses_commands[], app_rates_commands[], app_shard_commands[];
extern const struct vx_control_command app_mem_commands[], app_trace_commands[], app_capture_commands[], app_shutdown_commands[], app_alarms_commands[], app_formula_commands[];

/* tune.c: makes the running configuration like the target as far as that goes without a restart. changed and restart get
 * lists of {key, old, new} (new references, also on failure). -EBUSY: an lcore takes no commands. */
int app_adopt(struct app *app, const struct vx_config *target, json_t **changed, json_t **restart, struct vx_error *error);

/* status.c: every shard's counters added up; of ticket_oldest_ms the most. */
void app_shards_sum(const struct app *app, struct vx_shard_counters *sum);
/* shards.c: the lane that steps the shard, and (of may be NULL) the shard. */
struct vx_shard_lcore *app_lane_of(const struct app *app, uint32_t shard, const struct vx_shard **of);
/* shutdown.c: no new games from now on; true when an operator's shutdown is due. */
void app_drain_shards(struct app *app);
bool app_shutdown_due(const struct app *app);
/* trace.c, in every turn of the control loop: hands the lcores' feeds on. */
void app_trace_turn(const struct app *app);
/* capture.c: buffers at the start; in every turn what was captured is written; what runs at the end is completed. */
int app_capture_create(struct app *app, struct vx_error *error);
void app_capture_turn(struct app *app);
void app_capture_stop(struct app *app);
/* alarms.c: what is wrong now, a list of {severity, alarm, mend}. A new reference. */
json_t *app_alarms_json(const struct app *app);

/* config.c: remembers the running configuration, so that `config undo` comes back to it. Before a change. */
void app_config_remember(struct app *app);
/* Writes what runs to the file. 0 or a negative errno. */
int app_config_save(struct app *app, struct vx_error *error);
/* Every few milliseconds: undoes a change whose time to be confirmed has passed. */
void app_config_tick(struct app *app);

#endif
