/* Ports: EAL arguments by kind, and device start with what the device offers. */
#include "vx_port.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

int vx_port_eal_argument(const char *kind, const char *target, uint32_t index, uint16_t queues, char argument[VX_PATH_BYTES * 2],
                         char device[VX_NAME_BYTES], struct vx_error *error)
{
    static const struct {
        const char *kind, *driver, *options; /* options: %s target, %u queues */
    } kinds[] = {
        { "memif", "net_memif", ",role=server,socket=%s,socket-abstract=no,bsize=2048,rsize=10" },
        { "af_xdp", "net_af_xdp", ",iface=%s,start_queue=0,queue_count=%u" },
        { "af_packet", "net_af_packet", ",iface=%s,qpairs=%u" },
        { "tap", "net_tap", ",iface=%s" },
        { "pcap", "net_pcap", ",%s" },
        { "ring", "net_ring", "" },
    };
    if (strcmp(kind, "pci") == 0) {
        (void)snprintf(argument, VX_PATH_BYTES * 2, "--allow=%s", target);
        (void)snprintf(device, VX_NAME_BYTES, "%s", target);
        return 0;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kind, kinds[i].kind) != 0)
            continue;
        (void)snprintf(device, VX_NAME_BYTES, "%s%u", kinds[i].driver, index);
        int used = snprintf(argument, VX_PATH_BYTES * 2, "--vdev=%s", device);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* from the table above */
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        (void)snprintf(argument + used, (size_t)(VX_PATH_BYTES * 2 - used), kinds[i].options, target, queues);
#pragma GCC diagnostic pop
        return 0;
    }
    return vx_error_set(error, -EINVAL, "ports[%u].kind is '%s', expected memif, af_xdp, af_packet, tap, pcap, ring or pci", index + 1, kind);
}

static int queues_start(uint16_t port, uint16_t queues, uint16_t descriptors, struct rte_mempool *pool)
{
    uint16_t rx = descriptors, tx = descriptors;
    int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx, &tx);
    for (uint16_t queue = 0; rc == 0 && queue < queues; queue++) {
        rc = rte_eth_rx_queue_setup(port, queue, rx, (unsigned)SOCKET_ID_ANY, NULL, pool);
        if (rc == 0)
            rc = rte_eth_tx_queue_setup(port, queue, tx, (unsigned)SOCKET_ID_ANY, NULL);
    }
    return rc == 0 ? rte_eth_dev_start(port) : rc;
}

int vx_port_start(const char *device, uint16_t queues, uint16_t descriptors, struct rte_mempool *pool, uint16_t *port, struct vx_port_caps *caps,
                  struct vx_error *error)
{
    struct rte_eth_dev_info info;
    if (rte_eth_dev_get_port_by_name(device, port) != 0 || rte_eth_dev_info_get(*port, &info) != 0)
        return vx_error_set(error, -ENODEV, "port %s: no such device; is its driver loaded and the interface there?", device);
    if (queues > info.max_rx_queues || queues > info.max_tx_queues)
        return vx_error_set(error, -EINVAL, "port %s: %u queues asked, the device has %u in and %u out", device, queues, info.max_rx_queues,
                            info.max_tx_queues);
    const uint64_t checksums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    caps->rx_checksums = (info.rx_offload_capa & checksums) == checksums;
    struct rte_eth_conf conf = { 0 };
    conf.rxmode.offloads = caps->rx_checksums ? checksums : 0;
    const uint64_t hash = RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
    if (queues > 1 && (info.flow_type_rss_offloads & hash) != 0) { /* a flow keeps its queue */
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & hash;
    }
    int rc = rte_eth_dev_configure(*port, queues, queues, &conf);
    if (rc == 0)
        rc = queues_start(*port, queues, descriptors, pool);
    if (rc != 0)
        return vx_error_set(error, rc, "port %s: cannot start with %u queues of %u descriptors: %s", device, queues, descriptors, rte_strerror(-rc));
    (void)rte_eth_promiscuous_enable(*port); /* virtual devices have none */
    struct rte_ether_addr mac;
    rc = rte_eth_macaddr_get(*port, &mac);
    if (rc != 0)
        return vx_error_set(error, rc, "port %s: no MAC address: %s", device, rte_strerror(-rc));
    memcpy(caps->mac, mac.addr_bytes, sizeof(caps->mac));
    int numa = rte_eth_dev_socket_id(*port);
    caps->numa = numa > 0 ? numa : 0;
    return 0;
}

void vx_port_stop(uint16_t port)
{
    if (rte_eth_dev_stop(port) == 0)
        (void)rte_eth_dev_close(port);
}
