/* af_packet: a packet socket on an interface that stays the kernel's; it sees copies, so the kernel answers as
 * well where the address is its own. For laptops: no hugepages, no driver, any kernel. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>

#include "vx_drivers.h"

enum {
    FRAME_BYTES = 2048, /* one packet of ours */
    BLOCK_BYTES = 1 << 16,
    FRAMES_MAX = 4096, /* the kernel holds queues * frames * FRAME_BYTES twice, pinned */
};

static int prepare(struct vx_port *port, struct vx_error *error)
{
    uint32_t frames = port->config.descriptors < FRAMES_MAX ? port->config.descriptors : FRAMES_MAX;
    if (if_nametoindex(port->config.target) == 0)
        return vx_error_set(error, -ENODEV, "ports[%u].target: there is no interface \"%s\"", port->index + 1, port->config.target);
    (void)snprintf(port->device, sizeof(port->device), "net_af_packet%u", port->index);
    (void)snprintf(port->argument, sizeof(port->argument), "--vdev=%s,iface=%s,qpairs=%u,blocksz=%d,framesz=%d,framecnt=%u,qdisc_bypass=1", port->device,
                   port->config.target, port->config.queues, BLOCK_BYTES, FRAME_BYTES, frames);
    return 0;
}

const struct vx_port_driver vx_driver_af_packet = { .kind = "af_packet", .sentence = "a laptop: any interface, no hugepages, slow", .prepare = prepare };
