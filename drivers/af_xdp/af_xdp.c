/* af_xdp: a NIC shared with the kernel. Our XDP program gives the game's packets to AF_XDP sockets (DPDK's
 * net_af_xdp) and leaves everything else alone; bans and rates are applied in it. Needs root: programs and maps
 * are found by their numbers. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vx_drivers.h"
#include "xdp.h"

static int ethtool(const char *interface, void *command)
{
    struct ifreq request = { .ifr_data = command };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
    int rc = ioctl(fd, SIOCETHTOOL, &request) == 0 ? 0 : -errno;
    (void)close(fd);
    return rc;
}

/* The card spreads flows over all its queues. Those of a queue without a socket are counted and lost. net_af_xdp takes only as many as
 * there are combined queues, and one where there are none (veth has queues, but counts them as receiving and sending ones). */
static int queues_compare(struct vx_port *port, struct vx_error *error)
{
    struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
    bool known = ethtool(port->config.target, &channels) == 0;
    uint32_t queues = channels.combined_count + channels.rx_count, most = known && channels.max_combined != 0 ? channels.combined_count : 1;
    if (port->config.queues > most)
        return vx_error_set(error, -EINVAL, "ports[%u].queues is %u, expected at most %u: %s has so many combined queues; ethtool -L %s combined N", port->index + 1,
                            port->config.queues, most, port->config.target, port->config.target);
    if (queues > port->config.queues)
        vx_port_note(port, "%s receives on %u queues and ports.queues is %u: players whose flow is hashed beyond are lost (xdp_no_socket); ethtool -L or -X",
                     port->config.target, queues, port->config.queues);
    return 0;
}

/* A tag that the card has taken out of the frame is not seen by XDP: the answer would leave without it. */
static void tags_look(struct vx_port *port)
{
    struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
    if (ethtool(port->config.target, &flags) == 0 && (flags.data & ETH_FLAG_RXVLAN) != 0)
        vx_port_note(port, "%s strips VLAN tags before XDP sees them; for players on a VLAN: ethtool -K %s rxvlan off", port->config.target, port->config.target);
}

static int prepare(struct vx_port *port, struct vx_error *error)
{
    const char *interface = port->config.target;
    struct xdp_state *state = malloc(sizeof(*state));
    bool stale;
    if (state == NULL)
        return vx_error_set(error, -ENOMEM, "ports[%u]: no memory", port->index + 1);
    *state = (struct xdp_state){ .object = -1, .link = -1, .interface = if_nametoindex(interface) };
    for (unsigned i = 0; i < XDP_MAPS; i++)
        state->maps[i] = -1;
    port->private = state;
    if (state->interface == 0)
        return vx_error_set(error, -ENODEV, "ports[%u].target: there is no interface \"%s\"", port->index + 1, interface);
    int rc = queues_compare(port, error);
    if (rc != 0)
        return rc;
    rc = xdp_clear_stale(state->interface, interface, &stale, error);
    if (rc != 0)
        return rc;
    if (stale)
        vx_port_note(port, "a stale XDP program was found on %s and taken away", interface);
    tags_look(port);
    state->object = xdp_object_open();
    if (state->object < 0)
        return vx_error_set(error, -errno, "ports[%u]: no memory file for the XDP program: %s", port->index + 1, strerror(errno));
    (void)snprintf(port->device, sizeof(port->device), "net_af_xdp%u", port->index);
    (void)snprintf(port->argument, sizeof(port->argument), "--vdev=%s,iface=%s,start_queue=0,queue_count=%u,busy_budget=%u,xdp_prog=/proc/self/fd/%d", port->device,
                   interface, port->config.queues, port->config.busy_poll, state->object);
    return 0;
}

static int started(struct vx_port *port, struct vx_error *error)
{
    struct xdp_state *state = port->private;
    int program = xdp_take_over(state, port->config.target, error);
    if (program < 0)
        return program;
    int rc = xdp_maps_open(state, program, error);
    (void)close(program); /* the link holds it */
    if (rc == 0)
        rc = xdp_settings_write(state, &port->config, error);
    vx_port_note(port, "XDP runs %s on %s", state->native ? "native, in the NIC's driver," : "generic, after the kernel has made a packet of each frame,",
                 port->config.target);
    return rc;
}

/* First the link, then (in net_af_xdp) the sockets: in between the game's packets go to the kernel. */
static void stopping(struct vx_port *port)
{
    struct xdp_state *state = port->private;
    if (state->link >= 0)
        (void)close(state->link);
    if (state->object >= 0)
        (void)close(state->object);
    xdp_maps_close(state);
    free(state);
    port->private = NULL;
}

static uint32_t counters(const struct vx_port *port, struct vx_port_counter *counters_out, uint32_t max)
{
    return xdp_counters(port->private, counters_out, max);
}

static int ban(struct vx_port *port, const struct vx_prefix *prefix, bool banned, struct vx_error *error)
{
    return xdp_ban(port->private, prefix, banned, error);
}

static int rate(struct vx_port *port, const struct vx_rate *value, struct vx_error *error)
{
    return xdp_rate(port->private, value, error);
}

const struct vx_port_driver vx_driver_af_xdp = {
    .kind = "af_xdp", .sentence = "a NIC shared with the kernel: only the game's packets come to us; veth",
    .prepare = prepare, .started = started, .stopping = stopping, .counters = counters, .ban = ban, .rate = rate,
};
