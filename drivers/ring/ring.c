/* ring: a port made of DPDK rings that leads to itself: what is sent is received. The server's answers do not
 * begin with the client's magic, so each is dropped as bad_magic: a test of the port's two ends, and what a
 * program that has veltrixd's lcores inside builds on. */
#include <stdio.h>

#include "vx_drivers.h"

static int prepare(struct vx_port *port, struct vx_error *error)
{
    (void)error;
    (void)snprintf(port->device, sizeof(port->device), "net_ring%u", port->index);
    (void)snprintf(port->argument, sizeof(port->argument), "--vdev=%s", port->device);
    return 0;
}

const struct vx_port_driver vx_driver_ring = { .kind = "ring", .sentence = "inside one process: benchmarks and tests", .prepare = prepare };
