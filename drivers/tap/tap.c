/* tap: a new interface of the kernel whose other end we are. For a laptop: the kernel's own sockets reach the
 * appliance through it. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "vx_drivers.h"

static int prepare(struct vx_port *port, struct vx_error *error)
{
    if (port->config.target[0] == '\0' || strlen(port->config.target) >= IFNAMSIZ)
        return vx_error_set(error, -EINVAL, "ports[%u].target is \"%s\", expected a name of 1 to %d bytes for the new interface", port->index + 1,
                            port->config.target, IFNAMSIZ - 1);
    if (if_nametoindex(port->config.target) != 0)
        return vx_error_set(error, -EEXIST, "ports[%u].target: there is an interface %s already, expected a name for a new one", port->index + 1, port->config.target);
    (void)snprintf(port->device, sizeof(port->device), "net_tap%u", port->index);
    (void)snprintf(port->argument, sizeof(port->argument), "--vdev=%s,iface=%s", port->device, port->config.target);
    return 0;
}

const struct vx_port_driver vx_driver_tap = { .kind = "tap", .sentence = "a laptop: an interface of the kernel's leads to us", .prepare = prepare };
