/* drivers: the back ends behind lib/port, one folder each. */
#ifndef VX_DRIVERS_H
#define VX_DRIVERS_H

#include "vx_port.h"

extern const struct vx_port_driver vx_driver_memif, vx_driver_af_xdp, vx_driver_tap, vx_driver_pcap, vx_driver_ring, vx_driver_af_packet, vx_driver_pci;

/* All of them, NULL at the end. */
extern const struct vx_port_driver *const vx_drivers[];

#endif
