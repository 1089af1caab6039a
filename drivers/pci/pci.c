/* pci: a card that the kernel has given up to vfio-pci, uio_pci_generic or igb_uio (or shares, as Mellanox's
 * do). Which card it is, DPDK says after probing; what is particular about one is a row of `cards`. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_ethdev.h>

#include "ena.h"
#include "vx_drivers.h"

struct card {
    const char *driver_name; /* DPDK's */
    uint16_t inline_bytes;
    void (*started)(struct vx_port *port);
    void (*poll)(struct vx_port *port);
};
static const struct card cards[] = {
    { "net_ena", ENA_INLINE_BYTES, ena_started, ena_poll },
};

static const struct card *card_of(const struct vx_port *port)
{
    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++)
        if (strcmp(cards[i].driver_name, port->caps.driver_name) == 0)
            return &cards[i];
    return NULL;
}

/* The name of the kernel's driver that has the card, "" for none. */
static void kernel_driver(const char *address, char name[VX_NAME_BYTES])
{
    char path[VX_PATH_BYTES * 2], link[VX_PATH_BYTES];
    (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", address);
    ssize_t bytes = readlink(path, link, sizeof(link) - 1);
    link[bytes > 0 ? bytes : 0] = '\0';
    (void)snprintf(name, VX_NAME_BYTES, "%s", bytes > 0 ? basename(link) : "");
}

static bool leaves_it_to_us(const char *driver)
{
    static const char *const userspace[] = { "vfio-pci", "uio_pci_generic", "igb_uio", "mlx4_core", "mlx5_core", "mana" };
    for (size_t i = 0; i < sizeof(userspace) / sizeof(userspace[0]); i++)
        if (strcmp(userspace[i], driver) == 0)
            return true;
    return false;
}

static int prepare(struct vx_port *port, struct vx_error *error)
{
    const char *address = port->config.target;
    char path[VX_PATH_BYTES * 2], driver[VX_NAME_BYTES];
    unsigned domain, bus, slot, function;
    int bytes = 0;
    if (sscanf(address, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &bytes) != 4 || address[bytes] != '\0')
        return vx_error_set(error, -EINVAL, "ports[%u].target is \"%s\", expected a PCI address like 0000:00:06.0", port->index + 1, address);
    (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", address);
    if (access(path, F_OK) != 0)
        return vx_error_set(error, -ENODEV, "ports[%u].target: there is no PCI device %s", port->index + 1, address);
    kernel_driver(address, driver);
    if (!leaves_it_to_us(driver))
        return vx_error_set(error, -EBUSY, "ports[%u].target: %s is bound to %s, expected vfio-pci; dpdk-devbind.py -b vfio-pci %s", port->index + 1, address,
                            driver[0] != '\0' ? driver : "no driver", address);
    (void)snprintf(port->device, sizeof(port->device), "%s", address);
    (void)snprintf(port->argument, sizeof(port->argument), "--allow=%s", address);
    return 0;
}

static int adjust(struct vx_port *port, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf, struct vx_error *error)
{
    const struct card *card = card_of(port);
    (void)info;
    (void)conf;
    (void)error;
    port->caps.inline_bytes = card != NULL ? card->inline_bytes : 0;
    if (port->config.spread == VX_SPREAD_AUTO && port->config.queues > 1 && !port->caps.rss_udp) {
        port->caps.spread = true;
        vx_port_note(port, "%s cannot hash UDP to its queues: the io lcores spread flows among themselves", port->caps.driver_name);
    }
    return 0;
}

/* The bus has seen it go; drivers that notice by themselves raise ethdev's RMV event. */
static void on_bus_event(const char *device, enum rte_dev_event_type type, void *context)
{
    struct vx_port *port = context;
    (void)device;
    if (type == RTE_DEV_EVENT_REMOVE)
        __atomic_store_n(&port->removal_seen, 1, __ATOMIC_RELEASE); /* acquired by vx_port_watch */
}

static int started(struct vx_port *port, struct vx_error *error)
{
    const struct card *card = card_of(port);
    (void)error;
    if (card != NULL)
        card->started(port);
    /* Without these a card that is pulled is only noticed by its silence. */
    if (rte_dev_hotplug_handle_enable() != 0 || rte_dev_event_monitor_start() != 0 || rte_dev_event_callback_register(port->device, on_bus_event, port) != 0)
        vx_port_note(port, "EAL cannot watch the PCI bus: a removed card will not be noticed");
    return 0;
}

static void stopping(struct vx_port *port)
{
    (void)rte_dev_event_callback_unregister(port->device, on_bus_event, port);
    (void)rte_dev_event_monitor_stop();
}

static void poll_card(struct vx_port *port)
{
    const struct card *card = card_of(port);
    if (card != NULL)
        card->poll(port);
}

const struct vx_port_driver vx_driver_pci = {
    .kind = "pci", .sentence = "a NIC of our own: ENA on bare metal, and any other that DPDK drives",
    .prepare = prepare, .adjust = adjust, .started = started, .stopping = stopping, .poll = poll_card,
};
