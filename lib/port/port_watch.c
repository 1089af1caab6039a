/* The watch over a running port. EAL's interrupt thread only sets a flag; everything else happens here, on the
 * control thread, while `closed` keeps the io lcores away: they read it once a pass, and quiesce() returns when
 * each has ended the pass that it was in. Sessions and shards know nothing of it: to players a reset is a
 * moment of silence, after which what matters is repeated. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_dev.h>

#include "port_private.h"
#include "vx_log.h"

static void say(enum vx_log_level level, const struct vx_port *port, const char *what)
{
    vx_log(level, "port", (struct vx_log_field[]){ { "PORT", port->config.target }, { NULL, NULL } }, "%s %s: %s", port->config.kind, port->config.target, what);
}

static int on_event(uint16_t id, enum rte_eth_event_type type, void *context, void *unused)
{
    struct vx_port *port = context;
    (void)id;
    (void)unused;
    __atomic_store_n(type == RTE_ETH_EVENT_INTR_RESET ? &port->reset_asked : &port->removal_seen, 1, __ATOMIC_RELEASE); /* acquired by vx_port_watch */
    return 0;
}

void port_events_register(struct vx_port *port)
{
    (void)rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_RESET, on_event, port);
    (void)rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_RMV, on_event, port);
}

void port_events_unregister(struct vx_port *port)
{
    (void)rte_eth_dev_callback_unregister(port->id, RTE_ETH_EVENT_INTR_RESET, on_event, port);
    (void)rte_eth_dev_callback_unregister(port->id, RTE_ETH_EVENT_INTR_RMV, on_event, port);
}

static void close_to_lcores(struct vx_port *port, vx_port_quiesce *quiesce, void *context)
{
    __atomic_store_n(&port->closed, 1, __ATOMIC_RELEASE); /* acquired by the io lcores' loop */
    quiesce(context);
}

static void open_to_lcores(struct vx_port *port)
{
    port->state = VX_PORT_UP;
    __atomic_store_n(&port->closed, 0, __ATOMIC_RELEASE); /* acquired by the io lcores' loop */
}

/* The same device, configured anew. */
static int come_back(struct vx_port *port, struct vx_error *error)
{
    uint16_t id = port->id;
    int rc = port_configure(port, error);
    if (rc == 0 && port->id != id) { /* the io lcores hold the number */
        rc = vx_error_set(error, -ENODEV, "%s came back as DPDK's port %u, expected %u", port->device, port->id, id);
        port->id = id;
    }
    if (rc == 0 && port->driver->started != NULL)
        rc = port->driver->started(port, error);
    return rc;
}

static void reset(struct vx_port *port, vx_port_quiesce *quiesce, void *context)
{
    struct vx_error error;
    port->state = VX_PORT_RESETTING;
    close_to_lcores(port, quiesce, context);
    if (port->driver->stopping != NULL)
        port->driver->stopping(port);
    int rc = rte_eth_dev_stop(port->id);
    if (rc == 0) {
        rc = rte_eth_dev_reset(port->id);
        rc = rc == -ENOTSUP ? 0 : rc; /* then stop and start are all there is */
    }
    if (rc == 0)
        rc = come_back(port, &error);
    else
        (void)vx_error_set(&error, rc, "%s refuses a reset: %s", port->device, strerror(-rc));
    port->resets++;
    if (rc == 0) {
        say(VX_LOG_WARNING, port, "was reset, as its driver asked");
        open_to_lcores(port);
        return;
    }
    say(VX_LOG_ERROR, port, error.text);
    __atomic_store_n(&port->reset_asked, 1, __ATOMIC_RELAXED);
}

static void leave(struct vx_port *port, vx_port_quiesce *quiesce, void *context)
{
    struct rte_eth_dev_info info = { 0 };
    bool known = rte_eth_dev_info_get(port->id, &info) == 0;
    port->state = VX_PORT_GONE;
    port->removals++;
    port->watched_cycles = rte_rdtsc();
    close_to_lcores(port, quiesce, context);
    port_events_unregister(port);
    if (port->driver->stopping != NULL)
        port->driver->stopping(port);
    (void)rte_eth_dev_stop(port->id);
    (void)rte_eth_dev_close(port->id);
    if (known && info.device != NULL)
        (void)rte_dev_remove(info.device);
    say(VX_LOG_ERROR, port, "is gone; waiting for it to come back");
}

static void look_for_it(struct vx_port *port)
{
    struct vx_error error;
    if (rte_dev_probe(port->device) != 0 || come_back(port, &error) != 0)
        return;
    port_events_register(port);
    open_to_lcores(port);
    say(VX_LOG_NOTICE, port, "is back");
}

static void link_look(struct vx_port *port)
{
    struct rte_eth_link link;
    if (rte_eth_link_get_nowait(port->id, &link) != 0)
        return;
    bool was_up = port->state == VX_PORT_UP, up = link.link_status == RTE_ETH_LINK_UP;
    if (was_up != up)
        say(up ? VX_LOG_NOTICE : VX_LOG_WARNING, port, up ? "link is up" : "link is down");
    port->link_downs += was_up && !up;
    port->state = up ? VX_PORT_UP : VX_PORT_LINK_DOWN;
}

bool vx_port_alarm_stands(const struct vx_port *port)
{
    return port->alarm.name[0] != '\0' && rte_rdtsc() - port->alarm.cycles < VX_PORT_ALARM_S * rte_get_tsc_hz();
}

static void alarm_raise(struct vx_port *port, const struct vx_port_counter *counter, uint64_t growth)
{
    if (!vx_port_alarm_stands(port) || strcmp(port->alarm.name, counter->name) != 0) {
        port->alarm.raised++;
        vx_log(VX_LOG_ERROR, "port", (struct vx_log_field[]){ { "PORT", port->config.target }, { "COUNTER", counter->name }, { NULL, NULL } },
               "%s grew by %lu in a second: packets are being lost", counter->name, growth);
    }
    (void)snprintf(port->alarm.name, sizeof(port->alarm.name), "%s", counter->name);
    port->alarm.growth = growth;
    port->alarm.cycles = rte_rdtsc();
}

void port_counters_look(struct vx_port *port, bool raises_alarms)
{
    static struct vx_port_counter counters[VX_PORT_COUNTERS_MAX]; /* control thread only */
    uint32_t count = vx_port_counters(port, counters, VX_PORT_COUNTERS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (raises_alarms && counters[i].alarm && counters[i].value > port->counted[i])
            alarm_raise(port, &counters[i], counters[i].value - port->counted[i]);
        port->counted[i] = counters[i].value;
    }
    port->watched_cycles = rte_rdtsc();
}

void vx_port_watch(struct vx_port *port, vx_port_quiesce *quiesce, void *context)
{
    bool second_over = rte_rdtsc() - port->watched_cycles >= rte_get_tsc_hz();
    if (port->state == VX_PORT_GONE) {
        if (second_over) {
            look_for_it(port);
            port->watched_cycles = rte_rdtsc();
        }
        return;
    }
    if (__atomic_exchange_n(&port->removal_seen, 0, __ATOMIC_ACQUIRE) != 0) {
        leave(port, quiesce, context);
        return;
    }
    if (__atomic_exchange_n(&port->reset_asked, 0, __ATOMIC_ACQUIRE) != 0)
        reset(port, quiesce, context);
    if (port->state == VX_PORT_RESETTING)
        return;
    if (port->driver->poll != NULL)
        port->driver->poll(port);
    link_look(port);
    if (second_over)
        port_counters_look(port, true);
}

const char *vx_port_state_name(const struct vx_port *port)
{
    static const char *const names[] = { "starting", "up", "link down", "resetting", "gone" };
    return names[port->state];
}
