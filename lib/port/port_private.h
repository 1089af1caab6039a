/* port, inside: the steps of a start, which a restart after a reset takes again.
 *
 *   port.c        prepare, configure, start, stop     port_rss.c  which queue a flow goes to
 *   port_watch.c  link, alarms, reset, removal        port_counters.c  statistics by name */
#ifndef VX_PORT_PRIVATE_H
#define VX_PORT_PRIVATE_H

#include <rte_ethdev.h>

#include "vx_port.h"

/* Configures the device, sets up its queues and starts it. 0 or a negative errno. */
int port_configure(struct vx_port *port, struct vx_error *error);
/* Asks for RSS over UDP with a key that never changes; sets port->caps.rss_udp. */
void port_rss_request(struct vx_port *port, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf);
/* After the start: the indirection table, with less for queue 0. */
void port_rss_indirection(struct vx_port *port, const struct rte_eth_dev_info *info);
/* Remembers what the counters say; raises an alarm for what must not grow and did. */
void port_counters_look(struct vx_port *port, bool raises_alarms);
/* EAL's interrupt thread will note resets and removals in the port. */
void port_events_register(struct vx_port *port);
void port_events_unregister(struct vx_port *port);

#endif
