/* port: one way to name and start whatever carries packets. Start-up only. */
#ifndef VX_PORT_H
#define VX_PORT_H

#include "vx_base.h"

struct rte_mempool;

struct vx_port_caps {
    bool rx_checksums; /* the port verifies IPv4 and UDP checksums and flags them in mbufs */
    int numa;          /* socket, 0 when unknown */
    uint8_t mac[6];
};
/* The EAL argument (`--vdev=…` or `-a …`) for a port of this kind (memif, af_xdp, tap, pcap, ring,
 * af_packet, pci) and target; device[] gets the name to look it up by. */
int vx_port_eal_argument(const char *kind, const char *target, uint32_t index, uint16_t queues, char argument[VX_PATH_BYTES * 2],
                         char device[VX_NAME_BYTES], struct vx_error *error);
/* Configures and starts the device after rte_eal_init: queues and descriptors within its limits. */
int vx_port_start(const char *device, uint16_t queues, uint16_t descriptors, struct rte_mempool *pool, uint16_t *port, struct vx_port_caps *caps,
                  struct vx_error *error);
void vx_port_stop(uint16_t port);

#endif
