/* The list. Start-up walks it; there are no constructors. */
#include "vx_drivers.h"

const struct vx_port_driver *const vx_drivers[] = {
    &vx_driver_memif, &vx_driver_af_xdp, &vx_driver_tap, &vx_driver_pcap, &vx_driver_ring, &vx_driver_af_packet, &vx_driver_pci, NULL,
};
