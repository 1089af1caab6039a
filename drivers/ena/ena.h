/* ena: what is particular about Amazon's cards. Called by drivers/pci when DPDK's driver is net_ena. */
#ifndef VX_ENA_H
#define VX_ENA_H

#include "vx_port.h"

enum {
    ENA_INLINE_BYTES = 96, /* LLQ pushes this much of a frame with its descriptor (128-byte entries) */
    ENA_LLQ_BAR = 2,       /* the memory BAR that LLQ writes to */
};
enum ena_mapping { ENA_MAPPING_UNKNOWN, ENA_MAPPING_COMBINES, ENA_MAPPING_UNCACHED };

/* Notes how the LLQ's memory is mapped, and what to do when it is wrong. */
void ena_started(struct vx_port *port);
/* The PMD's watchdog lives in timers that the application must run: it finds missed completions and a dead
 * device, and asks for the reset. */
void ena_poll(struct vx_port *port);
/* How BAR 2 of the card at the PCI address is mapped, as the kernel says; roots for tests, "" for the real. */
enum ena_mapping ena_llq_mapping(const char *root, const char *address);

#endif
