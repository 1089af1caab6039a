/* port: one interface to whatever carries packets. A back end in drivers/ says how its devices are named to
 * EAL, what they need before and after they start, and what it counts; the start itself, the RSS, the watch
 * over link, resets and removal are here and the same for all.
 *
 *   vx_port_prepare ─▶ rte_eal_init ─▶ vx_port_start ─▶ [io lcores poll] ⇄ vx_port_watch ─▶ vx_port_stop
 *
 * Start-up and control threads only; what io lcores read of a port is `closed`. */
#ifndef VX_PORT_H
#define VX_PORT_H

#include "vx_base.h"

struct rte_eth_conf;
struct rte_eth_dev_info;
struct rte_mempool;
struct vx_prefix;
struct vx_rate;
struct vx_port;

enum {
    VX_PORT_ADDRESSES_MAX = 4,  /* of each family, as in the configuration */
    VX_PORT_COUNTERS_MAX = 512, /* ENA has about 40 and 12 a queue */
    VX_PORT_NOTES_MAX = 8,
    VX_PORT_ALARM_S = 60,       /* how long an alarm stands after its counter grew */
};

/* What the configuration says of one port, and what of the rest the back ends need. */
struct vx_port_config {
    char kind[16];
    char target[VX_PATH_BYTES];
    uint16_t queues, descriptors;
    uint16_t udp_port;            /* the game's, host order */
    uint16_t busy_poll;           /* af_xdp: packets the io lcore asks the kernel for when there are none */
    uint8_t spread;               /* enum vx_spread_mode */
    bool owned;
    uint8_t address4_count, address6_count;
    uint32_t address4[VX_PORT_ADDRESSES_MAX]; /* network order */
    uint8_t address6[VX_PORT_ADDRESSES_MAX][16];
};
enum vx_spread_mode { VX_SPREAD_AUTO, VX_SPREAD_ON, VX_SPREAD_OFF }; /* the order of ports.spread */

/* A figure of the port: the device's, the driver's or the XDP program's. */
struct vx_port_counter {
    char name[VX_NAME_BYTES];
    uint64_t value;
    bool alarm; /* must not grow: each packet counted here is a player's packet lost */
};

/* What a back end is. Functions may be NULL: then there is nothing to do. */
struct vx_port_driver {
    const char *kind;     /* as in ports.kind */
    const char *sentence; /* what it is for */
    /* Before EAL: fills port->device and port->argument, clears away what a dead process has left. */
    int (*prepare)(struct vx_port *port, struct vx_error *error);
    /* Between probing and rte_eth_dev_configure: within the device's limits. */
    int (*adjust)(struct vx_port *port, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf, struct vx_error *error);
    /* The device runs, nobody polls it yet. */
    int (*started)(struct vx_port *port, struct vx_error *error);
    /* Before the device is stopped. */
    void (*stopping)(struct vx_port *port);
    /* As often as the control thread comes by. */
    void (*poll)(struct vx_port *port);
    /* What the device's own statistics do not say; returns how many of `max` were written. */
    uint32_t (*counters)(const struct vx_port *port, struct vx_port_counter *counters, uint32_t max);
    /* Both or neither: the back end drops banned and over-rate sources itself, before an io lcore sees them. */
    int (*ban)(struct vx_port *port, const struct vx_prefix *prefix, bool banned, struct vx_error *error);
    int (*rate)(struct vx_port *port, const struct vx_rate *rate, struct vx_error *error);
};

struct vx_port_caps {
    bool rx_checksums;  /* the port verifies IPv4 and UDP checksums and flags them in mbufs */
    bool tx_checksums;  /* the port computes both, IPv4's and UDP's */
    bool rss_udp;       /* the card hashes UDP flows to queues */
    bool spread;        /* the io lcores have to spread flows among themselves */
    int numa;           /* socket, 0 when unknown */
    uint16_t inline_bytes; /* a frame up to this length goes out without a DMA read; 0: no such thing */
    uint16_t rx_descriptors, tx_descriptors; /* what the device made of the configured number */
    uint8_t mac[6];
    char driver_name[VX_NAME_BYTES]; /* DPDK's, like net_ena */
};
enum vx_port_state { VX_PORT_STARTING, VX_PORT_UP, VX_PORT_LINK_DOWN, VX_PORT_RESETTING, VX_PORT_GONE };

struct vx_port {
    const struct vx_port_driver *driver;
    struct vx_port_config config;
    uint32_t index;                     /* counted from 0, as in ports[] */
    char device[VX_NAME_BYTES];         /* DPDK's name for it */
    char argument[VX_PATH_BYTES * 2];   /* for EAL: --vdev=… or --allow=… */
    uint16_t id;                        /* DPDK's port number; io lcores read it at start only */
    struct vx_port_caps caps;
    struct rte_mempool *const *pools;   /* [queue] */
    void *private;                      /* the driver's own */
    char notes[VX_PORT_NOTES_MAX][240]; /* what the operator should know, found at start */
    uint32_t note_count;

    uint32_t state;                     /* enum vx_port_state; control: rw */
    uint32_t link_downs, resets, removals;
    uint32_t reset_asked, removal_seen; /* EAL's interrupt thread: w, control: rw; atomic */
    uint64_t watched_cycles;            /* when the counters were last looked at */
    uint64_t counted[VX_PORT_COUNTERS_MAX]; /* and what they said */
    struct {
        char name[VX_NAME_BYTES];       /* the latest counter that must not grow and did; "" for none yet */
        uint64_t growth;                /* within that second */
        uint64_t cycles;                /* when; TSC */
        uint64_t raised;                /* how often this went from silence to an alarm */
    } alarm;
    uint32_t closed VX_ALIGNED;         /* control: w, io lcores: r; atomic. 1: neither receive nor send */
};

/* 0 or -EINVAL when no driver of the list (it ends with NULL) has the kind, or the driver refuses. */
int vx_port_prepare(struct vx_port *port, const struct vx_port_driver *const *drivers, const struct vx_port_config *config, uint32_t index,
                    struct vx_error *error);
/* After rte_eal_init: configures and starts the device, queues and descriptors within its limits. pools: what each queue
 * receives into, near the lcore that polls it; borrowed, and read again after a reset. */
int vx_port_start(struct vx_port *port, struct rte_mempool *const *pools, struct vx_error *error);
void vx_port_stop(struct vx_port *port);
/* Adds a sentence to port->notes; what does not fit is dropped. */
void vx_port_note(struct vx_port *port, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *vx_port_state_name(const struct vx_port *port);

/* Every polling lcore has ended the pass that it was in. Waits. */
typedef void vx_port_quiesce(void *context);
/* To be called as often as the control thread comes by: notes link changes, raises alarms (once a second), and
 * takes the device through a reset, or a removal and return, while io lcores keep away from it. */
void vx_port_watch(struct vx_port *port, vx_port_quiesce *quiesce, void *context);
bool vx_port_alarm_stands(const struct vx_port *port);
/* All counters with their names; returns how many of `max` were written. */
uint32_t vx_port_counters(const struct vx_port *port, struct vx_port_counter *counters, uint32_t max);

#endif
