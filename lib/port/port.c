/* A port's life: named to EAL by its driver, configured within the device's limits, started, stopped. */
#include <errno.h>
#include <rte_errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "port_private.h"

int vx_port_prepare(struct vx_port *port, const struct vx_port_driver *const *drivers, const struct vx_port_config *config, uint32_t index,
                    struct vx_error *error)
{
    *port = (struct vx_port){ .config = *config, .index = index };
    for (; *drivers != NULL; drivers++)
        if (strcmp((*drivers)->kind, config->kind) == 0)
            port->driver = *drivers;
    if (port->driver == NULL)
        return vx_error_set(error, -EINVAL, "ports[%u].kind is '%s', and this veltrixd has no such driver", index + 1, config->kind);
    return port->driver->prepare(port, error);
}

void vx_port_note(struct vx_port *port, const char *format, ...)
{
    va_list args;
    if (port->note_count == VX_PORT_NOTES_MAX)
        return;
    va_start(args, format);
    (void)vsnprintf(port->notes[port->note_count++], sizeof(port->notes[0]), format, args);
    va_end(args);
}

static void checksums_request(struct vx_port *port, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
    const uint64_t rx = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    const uint64_t tx = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
    port->caps.rx_checksums = (info->rx_offload_capa & rx) == rx;
    port->caps.tx_checksums = (info->tx_offload_capa & tx) == tx;
    if (port->caps.rx_checksums)
        conf->rxmode.offloads |= rx;
    if (port->caps.tx_checksums)
        conf->txmode.offloads |= tx;
}

static int queues_start(struct vx_port *port)
{
    struct vx_port_caps *caps = &port->caps;
    caps->rx_descriptors = caps->tx_descriptors = port->config.descriptors;
    int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &caps->rx_descriptors, &caps->tx_descriptors);
    for (uint16_t queue = 0; rc == 0 && queue < port->config.queues; queue++) {
        rc = rte_eth_rx_queue_setup(port->id, queue, caps->rx_descriptors, (unsigned)SOCKET_ID_ANY, NULL, port->pools[queue]);
        if (rc == 0)
            rc = rte_eth_tx_queue_setup(port->id, queue, caps->tx_descriptors, (unsigned)SOCKET_ID_ANY, NULL);
    }
    return rc == 0 ? rte_eth_dev_start(port->id) : rc;
}

/* A queue without an io lcore would swallow its share of the players, so fewer queues than asked is an error. */
static int limits_check(const struct vx_port *port, const struct rte_eth_dev_info *info, struct vx_error *error)
{
    uint16_t queues = port->config.queues;
    if (queues <= info->max_rx_queues && queues <= info->max_tx_queues)
        return 0;
    return vx_error_set(error, -EINVAL, "ports[%u].queues is %u, but %s (%s) has %u in and %u out", port->index + 1, queues, port->device,
                        port->caps.driver_name, info->max_rx_queues, info->max_tx_queues);
}

int port_configure(struct vx_port *port, struct vx_error *error)
{
    struct rte_eth_dev_info info;
    struct rte_eth_conf conf = { 0 };
    if (rte_eth_dev_get_port_by_name(port->device, &port->id) != 0 || rte_eth_dev_info_get(port->id, &info) != 0)
        return vx_error_set(error, -ENODEV, "ports[%u] (%s %s): DPDK found no such device; is the interface there, and its driver bound?", port->index + 1,
                            port->config.kind, port->config.target);
    (void)snprintf(port->caps.driver_name, sizeof(port->caps.driver_name), "%s", info.driver_name);
    int rc = limits_check(port, &info, error);
    if (rc != 0)
        return rc;
    checksums_request(port, &info, &conf);
    port_rss_request(port, &info, &conf);
    if (port->driver->adjust != NULL && (rc = port->driver->adjust(port, &info, &conf, error)) != 0)
        return rc;
    rc = rte_eth_dev_configure(port->id, port->config.queues, port->config.queues, &conf);
    if (rc == 0)
        rc = queues_start(port);
    if (rc != 0)
        return vx_error_set(error, rc, "ports[%u] (%s %s): cannot start with %u queues of %u descriptors: %s", port->index + 1, port->config.kind,
                            port->config.target, port->config.queues, port->config.descriptors, rte_strerror(-rc));
    port_rss_indirection(port, &info);
    (void)rte_eth_promiscuous_enable(port->id); /* virtual devices have none */
    return 0;
}

static int identity_read(struct vx_port *port, struct vx_error *error)
{
    struct rte_ether_addr mac;
    int rc = rte_eth_macaddr_get(port->id, &mac), numa = rte_eth_dev_socket_id(port->id);
    if (rc != 0)
        return vx_error_set(error, rc, "ports[%u] (%s): no MAC address: %s", port->index + 1, port->device, rte_strerror(-rc));
    memcpy(port->caps.mac, mac.addr_bytes, sizeof(port->caps.mac));
    port->caps.numa = numa > 0 ? numa : 0;
    return 0;
}

int vx_port_start(struct vx_port *port, struct rte_mempool *const *pools, struct vx_error *error)
{
    port->pools = pools;
    int rc = port_configure(port, error);
    if (rc == 0)
        rc = identity_read(port, error);
    if (rc == 0 && port->driver->started != NULL)
        rc = port->driver->started(port, error);
    if (rc != 0)
        return rc;
    port_events_register(port);
    port->state = VX_PORT_UP;
    port_counters_look(port, false); /* what was counted before our time is no alarm of ours */
    return 0;
}

void vx_port_stop(struct vx_port *port)
{
    if (port->state == VX_PORT_GONE)
        return;
    port_events_unregister(port);
    if (port->driver->stopping != NULL)
        port->driver->stopping(port);
    if (rte_eth_dev_stop(port->id) == 0)
        (void)rte_eth_dev_close(port->id);
}
