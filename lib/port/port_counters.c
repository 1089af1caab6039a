/* What the device has counted, by name. Control thread. */
#include <stdio.h>
#include <string.h>

#include "port_private.h"

/* ENA's: packets that the instance's allowance has dropped or queued; and every device's own losses. */
static bool must_not_grow(const char *name)
{
    static const char *const endings[] = { "_allowance_exceeded", "rx_missed_errors", "rx_mbuf_allocation_errors" };
    size_t bytes = strlen(name);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t ending_bytes = strlen(endings[i]);
        if (bytes >= ending_bytes && strcmp(name + bytes - ending_bytes, endings[i]) == 0)
            return true;
    }
    return false;
}

static uint32_t extended(const struct vx_port *port, struct vx_port_counter *counters, uint32_t max)
{
    struct rte_eth_xstat values[VX_PORT_COUNTERS_MAX];
    struct rte_eth_xstat_name names[VX_PORT_COUNTERS_MAX];
    int count = rte_eth_xstats_get_names(port->id, names, VX_PORT_COUNTERS_MAX);
    if (count <= 0 || count > VX_PORT_COUNTERS_MAX || rte_eth_xstats_get(port->id, values, (unsigned)count) != count)
        return 0;
    uint32_t written = 0;
    for (int i = 0; i < count && written < max; i++) {
        struct vx_port_counter *counter = &counters[written++];
        (void)snprintf(counter->name, sizeof(counter->name), "%s", names[values[i].id].name);
        counter->value = values[i].value;
        counter->alarm = must_not_grow(counter->name);
    }
    return written;
}

uint32_t vx_port_counters(const struct vx_port *port, struct vx_port_counter *counters, uint32_t max)
{
    if (port->state == VX_PORT_GONE || port->state == VX_PORT_STARTING)
        return 0;
    uint32_t count = port->driver->counters != NULL ? port->driver->counters(port, counters, max) : 0;
    return count + extended(port, counters + count, max - count);
}
