/* A card that is not there: the calls of ethdev and EAL that lib/port and drivers/pci make, answered by the test. It looks
 * like an ENA, and does what the test says: loses its link, asks for a reset, goes and comes back. */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include <rte_ethdev.h>

#include "vx_drivers.h"
#include "vx_test.h"

enum { FAKE_XSTATS = 5, FAKE_TABLE = 128, FAKE_CALLS_BYTES = 512 };
struct fake {
    struct rte_eth_dev_info info;
    uint16_t id;
    bool present, link_up;
    int configure_fails, reset_answer, table_answer; /* what these calls return */
    /* What was asked of it. */
    struct rte_eth_conf conf;
    uint8_t key[64];
    uint16_t table[FAKE_TABLE];
    uint32_t timers_run, probes;
    uint64_t xstats[FAKE_XSTATS];
    char calls[FAKE_CALLS_BYTES]; /* names of the calls that change it, in order */
    rte_eth_dev_cb_fn on_event;
    void *event_context;
    rte_dev_event_cb_fn on_bus_event;
    void *bus_context;
};
extern struct fake fake;
extern const char *const fake_xstat_names[FAKE_XSTATS];

/* A card with 8 queues that can do all, present, its link up. */
void fake_reset(void);
void fake_called(const char *name);

#endif
