/* memif: packets through shared memory to one other process (net_memif, libmemif, VPP). We are the server: the
 * socket is ours, and the peer says how many rings there are. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vx_drivers.h"

enum { SOCKET_MODE = 0660 };

static int prepare(struct vx_port *port, struct vx_error *error)
{
    (void)error;
    (void)snprintf(port->device, sizeof(port->device), "net_memif%u", port->index);
    (void)snprintf(port->argument, sizeof(port->argument), "--vdev=%s,role=server,socket=%s,socket-abstract=no,bsize=2048,rsize=10", port->device, port->config.target);
    (void)unlink(port->config.target); /* a dead daemon's socket; a living one holds it open and keeps its peer */
    return 0;
}

static int started(struct vx_port *port, struct vx_error *error)
{
    if (chmod(port->config.target, SOCKET_MODE) != 0)
        return vx_error_set(error, -1, "ports[%u]: cannot set the mode of %s to %o", port->index + 1, port->config.target, SOCKET_MODE);
    return 0;
}

const struct vx_port_driver vx_driver_memif = {
    .kind = "memif", .sentence = "two processes on one machine: tests, figures, a VPP beside us", .prepare = prepare, .started = started,
};
