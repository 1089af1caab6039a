/* Ports and the rules of who may send through them: from the configuration to lib/port, drivers/ and lib/rules, and
 * the watch over them. Start-up and control threads. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "app.h"

enum { QUIESCE_POLL_US = 20, WATCH_HZ = 10 };

static void describe(const struct vx_config *config, const struct vx_config_port *from, struct vx_port_config *to)
{
    *to = (struct vx_port_config){ .queues = from->queues, .descriptors = from->descriptors, .udp_port = config->transport.udp_port, .busy_poll = from->busy_poll,
                                   .spread = from->spread, .owned = from->owned, .address4_count = from->address4_count, .address6_count = from->address6_count };
    static_assert(sizeof(to->kind) == sizeof(from->kind) && sizeof(to->target) == sizeof(from->target), "taken over as they are");
    static_assert(sizeof(to->address4) == sizeof(from->address4) && sizeof(to->address6) == sizeof(from->address6), "taken over as they are");
    memcpy(to->kind, from->kind, sizeof(to->kind));
    memcpy(to->target, from->target, sizeof(to->target));
    memcpy(to->address4, from->address4, sizeof(to->address4));
    memcpy(to->address6, from->address6, sizeof(to->address6));
}

int app_ports_prepare(struct app *app, struct vx_error *error)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < app->config.port_count; i++) {
        struct vx_port_config config;
        describe(&app->config, &app->config.ports[i], &config);
        rc = vx_port_prepare(&app->ports[i], vx_drivers, &config, i, error);
    }
    return rc;
}

int app_ports_start(struct app *app, struct vx_error *error)
{
    for (uint32_t i = 0; i < app->config.port_count; i++) {
        struct vx_port *port = &app->ports[i];
        int rc = vx_port_start(port, app->queue_pools[i], error);
        if (rc != 0)
            return rc;
        app->ports_started++;
        for (uint32_t note = 0; note < port->note_count; note++)
            vx_log(VX_LOG_NOTICE, "port", (struct vx_log_field[]){ { "PORT", port->config.target }, { NULL, NULL } }, "%s", port->notes[note]);
    }
    return 0;
}

void app_ports_stop(struct app *app)
{
    for (uint32_t i = 0; i < app->ports_started; i++)
        vx_port_stop(&app->ports[i]);
}

/* A pass that has begun before the call ends with the counter's next step. A lcore that does not poll (not yet, or
 * no more) reads nothing. */
void app_quiesce(void *context)
{
    const struct app *app = context;
    if (__atomic_load_n(&app->go, __ATOMIC_RELAXED) == 0)
        return;
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        uint64_t passes = __atomic_load_n(&app->lcores[i].passes, __ATOMIC_ACQUIRE);
        while (__atomic_load_n(&app->lcores[i].passes, __ATOMIC_ACQUIRE) == passes && __atomic_load_n(&app->stop, __ATOMIC_RELAXED) == 0)
            (void)usleep(QUIESCE_POLL_US);
    }
}

void app_ports_watch(struct app *app)
{
    uint64_t now = rte_rdtsc();
    if (now - app->ports_watched_cycles < app->cycles_per_s / WATCH_HZ)
        return;
    app->ports_watched_cycles = now;
    for (uint32_t i = 0; i < app->ports_started; i++)
        vx_port_watch(&app->ports[i], app_quiesce, app);
    app_rules_watch(app);
}

/* Commands. */

static json_t *counters_json(const struct vx_port *port)
{
    static struct vx_port_counter counters[VX_PORT_COUNTERS_MAX]; /* control thread only */
    uint32_t count = vx_port_counters(port, counters, VX_PORT_COUNTERS_MAX);
    json_t *object = json_object();
    for (uint32_t i = 0; i < count; i++)
        (void)json_object_set_new(object, counters[i].name, json_integer((json_int_t)counters[i].value));
    return object;
}

static json_t *notes_json(const struct vx_port *port)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < port->note_count; i++)
        (void)json_array_append_new(array, json_string(port->notes[i]));
    return array;
}

json_t *app_ports_json(const struct app *app)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < app->ports_started; i++) {
        const struct vx_port *port = &app->ports[i];
        json_t *object = json_pack("{s:I,s:s,s:s,s:s,s:s,s:i,s:i,s:i,s:b,s:b,s:b,s:I,s:I,s:I,s:b,s:s,s:I,s:I}", "port", (json_int_t)i + 1, "kind", port->config.kind,
                                   "target", port->config.target, "driver", port->caps.driver_name, "state", vx_port_state_name(port), "queues", port->config.queues,
                                   "rx_descriptors", port->caps.rx_descriptors, "tx_descriptors", port->caps.tx_descriptors, "rx_checksums", port->caps.rx_checksums,
                                   "rss_udp", port->caps.rss_udp, "spread", port->caps.spread, "link_downs", (json_int_t)port->link_downs, "resets",
                                   (json_int_t)port->resets, "removals", (json_int_t)port->removals, "alarm", vx_port_alarm_stands(port), "alarm_counter",
                                   port->alarm.name, "alarm_growth", (json_int_t)port->alarm.growth, "alarms_raised", (json_int_t)port->alarm.raised);
        (void)json_object_set_new(object, "counters", counters_json(port));
        (void)json_object_set_new(object, "notes", notes_json(port));
        (void)json_array_append_new(array, object);
    }
    return array;
}

static json_t *on_ports(void *context, struct vx_control_call *call, struct vx_error *error)
{
    (void)call;
    (void)error;
    return app_ports_json(context);
}

const struct vx_control_command app_port_commands[] = {
    { "ports", VX_CONTROL_LOOK, "each port: state, what its card can do, every counter of card, driver and XDP program", "", NULL, on_ports },
    { .name = NULL },
};
