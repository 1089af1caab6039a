/* Bans and rates: from the configuration and the file of bans to lib/rules, and the commands that change them. The
 * rules go to the XDP program of the ports that have one, and to the io lcores of the others. Control thread. */
#include <string.h>
#include <time.h>

#include "app.h"

enum { SECONDS_MAX = 366 * 24 * 3600 };

static int sink_ban(void *port, const struct vx_prefix *prefix, bool banned, struct vx_error *error)
{
    return ((struct vx_port *)port)->driver->ban(port, prefix, banned, error);
}

static int sink_rate(void *port, const struct vx_rate *rate, struct vx_error *error)
{
    return ((struct vx_port *)port)->driver->rate(port, rate, error);
}

int app_rules_start(struct app *app, struct vx_error *error)
{
    const struct vx_config *config = &app->config;
    const struct vx_rules_config rules = { .bans_max = config->rules.bans_max, .cycles_per_s = app->cycles_per_s, .quiesce = app_quiesce, .quiesce_context = app };
    int rc = vx_rules_create(&rules, &app->rules, error);
    for (uint32_t i = 0; rc == 0 && i < app->ports_started; i++)
        if (app->ports[i].driver->ban != NULL)
            rc = vx_rules_sink_add(app->rules, &(struct vx_rules_sink){ &app->ports[i], sink_ban, sink_rate }, error);
    if (rc == 0)
        rc = vx_rules_rate(app->rules, config->rules.packets_per_s, config->rules.burst, error);
    if (rc == 0 && config->rules.file[0] != '\0')
        rc = vx_rules_load(app->rules, config->rules.file, error);
    return rc;
}

int app_rules_lane(struct app *app, const struct vx_port *port, struct vx_rules_lane **lane, struct vx_error *error)
{
    *lane = NULL;
    if (port->driver->ban != NULL)
        return 0;
    return vx_rules_lane_create(app->rules, app->config.rules.sources, port->caps.numa, lane, error);
}

static int save(const struct app *app, struct vx_error *error)
{
    return app->config.rules.file[0] != '\0' ? vx_rules_save(app->rules, app->config.rules.file, error) : 0;
}

void app_rules_watch(struct app *app)
{
    struct vx_error error;
    if (vx_rules_expire(app->rules, (uint64_t)time(NULL)) > 0 && save(app, &error) != 0)
        vx_log(VX_LOG_ERROR, "rules", NULL, "%s", error.text);
}

/* Commands. */

static json_t *ban_json(const struct vx_ban *ban)
{
    char text[VX_PREFIX_TEXT_BYTES];
    uint64_t now = (uint64_t)time(NULL);
    json_t *object = json_pack("{s:s}", "prefix", vx_prefix_text(&ban->prefix, text));
    if (ban->until_s != 0)
        (void)json_object_set_new(object, "seconds_left", json_integer(ban->until_s > now ? (json_int_t)(ban->until_s - now) : 0));
    else
        (void)json_object_set_new(object, "seconds_left", json_null());
    return object;
}

/* What was changed is changed, also when it could not be written down: the sentence says so. */
static json_t *changed(struct app *app, struct vx_control_call *call, struct vx_error *error, json_t *result)
{
    struct vx_error reason;
    if (save(app, &reason) == 0)
        return result;
    json_decref(result);
    return vx_control_fail(call, error, VX_CONTROL_FAILED, "in force, but not on disk: %.300s", reason.text);
}

static json_t *on_ban_add(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct app *app = context;
    struct vx_ban ban = { .until_s = 0 };
    int64_t seconds = vx_control_whole(call, "seconds", 0);
    if (vx_prefix_parse(vx_control_text(call, "prefix", ""), &ban.prefix, error) != 0) {
        call->code = VX_CONTROL_BAD_ARGUMENT;
        return NULL;
    }
    if (seconds > 0)
        ban.until_s = (uint64_t)time(NULL) + (uint64_t)seconds;
    if (vx_rules_ban(app->rules, &ban, error) != 0)
        return NULL;
    call->new = ban_json(&ban);
    return changed(app, call, error, ban_json(&ban));
}

static json_t *on_ban_del(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct app *app = context;
    struct vx_prefix prefix;
    if (vx_prefix_parse(vx_control_text(call, "prefix", ""), &prefix, error) != 0) {
        call->code = VX_CONTROL_BAD_ARGUMENT;
        return NULL;
    }
    if (vx_rules_unban(app->rules, &prefix, error) != 0) {
        call->code = VX_CONTROL_NOT_FOUND;
        return NULL;
    }
    call->old = ban_json(&(struct vx_ban){ prefix, 0 });
    return changed(app, call, error, json_pack("{s:s}", "lifted", vx_control_text(call, "prefix", "")));
}

static json_t *on_ban_list(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    uint32_t count;
    const struct vx_ban *bans = vx_rules_bans(app->rules, &count);
    json_t *array = json_array();
    (void)call;
    (void)error;
    for (uint32_t i = 0; i < count; i++)
        (void)json_array_append_new(array, ban_json(&bans[i]));
    return array;
}

static json_t *rate_json(const struct app *app)
{
    uint64_t packets_per_s;
    uint32_t burst;
    vx_rules_rate_now(app->rules, &packets_per_s, &burst);
    return json_pack("{s:I,s:I}", "packets_per_s", (json_int_t)packets_per_s, "burst", (json_int_t)burst);
}

static json_t *on_rate_show(void *context, struct vx_control_call *call, struct vx_error *error)
{
    (void)call;
    (void)error;
    return rate_json(context);
}

static json_t *on_rate_set(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct app *app = context;
    uint64_t packets_per_s;
    uint32_t burst;
    vx_rules_rate_now(app->rules, &packets_per_s, &burst);
    call->old = rate_json(app);
    if (vx_rules_rate(app->rules, (uint64_t)vx_control_whole(call, "packets_per_s", 0), (uint32_t)vx_control_whole(call, "burst", burst), error) != 0)
        return NULL;
    call->new = rate_json(app);
    return rate_json(app);
}

static const struct vx_control_argument ban_add_arguments[] = {
    { "prefix", VX_ARGUMENT_TEXT, VX_ARGUMENT_NEEDED, 2, VX_PREFIX_TEXT_BYTES - 1, NULL, "", "IPv4 or IPv6 address, or a prefix like 198.51.100.0/24" },
    { "seconds", VX_ARGUMENT_WHOLE, VX_ARGUMENT_OPTIONAL, 1, SECONDS_MAX, NULL, "s", "how long; without it for ever" },
    { .name = NULL },
};
static const struct vx_control_argument ban_del_arguments[] = {
    { "prefix", VX_ARGUMENT_TEXT, VX_ARGUMENT_NEEDED, 2, VX_PREFIX_TEXT_BYTES - 1, NULL, "", "as it was banned" },
    { .name = NULL },
};
static const struct vx_control_argument rate_set_arguments[] = {
    { "packets_per_s", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NEEDED, 0, 1e9, NULL, "packets/s", "of each source; 0: no limit" },
    { "burst", VX_ARGUMENT_WHOLE, VX_ARGUMENT_OPTIONAL, 1, 1e6, NULL, "packets", "what a source may send at once after a pause; without it as before" },
    { .name = NULL },
};
const struct vx_control_command app_rules_commands[] = {
    { "ban add", VX_CONTROL_ADMIN, "bans sources from the game", "their packets are dropped at once, in the NIC's driver where XDP runs; the kernel's own traffic is not touched",
      ban_add_arguments, on_ban_add },
    { "ban del", VX_CONTROL_ADMIN, "lifts a ban", "the sources' packets pass at once", ban_del_arguments, on_ban_del },
    { "ban list", VX_CONTROL_LOOK, "every ban in force", "", NULL, on_ban_list },
    { "rate set", VX_CONTROL_ADMIN, "limits what one source may send", "at once; what exceeds it is dropped and counted as over_rate", rate_set_arguments, on_rate_set },
    { "rate show", VX_CONTROL_LOOK, "the limit of each source", "", NULL, on_rate_show },
    { .name = NULL },
};
