/* pcap: frames out of a file, answers into another, as fast as they are taken. For offline runs: the same
 * capture, the same counters. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vx_drivers.h"

static int prepare(struct vx_port *port, struct vx_error *error)
{
    const char *target = port->config.target, *comma = strchr(target, ',');
    char in[VX_PATH_BYTES];
    int in_bytes = comma != NULL ? (int)(comma - target) : (int)strlen(target);
    (void)snprintf(in, sizeof(in), "%.*s", in_bytes, target);
    if (port->config.queues != 1)
        return vx_error_set(error, -EINVAL, "ports[%u].queues is %u, expected 1: a file has one", port->index + 1, port->config.queues);
    if (access(in, R_OK) != 0)
        return vx_error_set(error, -ENOENT, "ports[%u].target: %s: %s, expected IN.pcap or IN.pcap,OUT.pcap", port->index + 1, in, strerror(errno));
    (void)snprintf(port->device, sizeof(port->device), "net_pcap%u", port->index);
    (void)snprintf(port->argument, sizeof(port->argument), "--vdev=%s,rx_pcap=%s,tx_pcap=%s", port->device, in, comma != NULL ? comma + 1 : "/dev/null");
    return 0;
}

const struct vx_port_driver vx_driver_pcap = { .kind = "pcap", .sentence = "offline runs: a capture in, a capture out", .prepare = prepare };
