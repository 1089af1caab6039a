/* Defined in the program itself, these go before the shared libraries' own. */
#include <errno.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_timer.h>
#include <stdio.h>
#include <string.h>

#include "fake_device.h"

struct fake fake;
const char *const fake_xstat_names[FAKE_XSTATS] = { "rx_good_packets", "pps_allowance_exceeded", "bw_in_allowance_exceeded", "rx_missed_errors", "tx_errors" };

void fake_reset(void)
{
    fake = (struct fake){ .present = true, .link_up = true, .id = 3 };
    fake.info.driver_name = "net_ena";
    fake.info.max_rx_queues = fake.info.max_tx_queues = 8;
    fake.info.rx_desc_lim.nb_max = 512;
    fake.info.flow_type_rss_offloads = RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_NONFRAG_IPV4_TCP;
    fake.info.hash_key_size = 40;
    fake.info.reta_size = FAKE_TABLE;
    fake.info.rx_offload_capa = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_RSS_HASH | RTE_ETH_RX_OFFLOAD_SCATTER;
    fake.info.tx_offload_capa = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO;
}

void fake_called(const char *name)
{
    size_t used = strlen(fake.calls);
    (void)snprintf(fake.calls + used, sizeof(fake.calls) - used, "%s%s", used > 0 ? " " : "", name);
}

int rte_eth_dev_get_port_by_name(const char *name, uint16_t *id)
{
    (void)name;
    *id = fake.id;
    return fake.present ? 0 : -ENODEV;
}
int rte_eth_dev_info_get(uint16_t id, struct rte_eth_dev_info *info)
{
    (void)id;
    *info = fake.info;
    return 0;
}
int rte_eth_dev_configure(uint16_t id, uint16_t rx, uint16_t tx, const struct rte_eth_conf *conf)
{
    (void)id;
    (void)rx;
    (void)tx;
    fake_called("configure");
    fake.conf = *conf;
    if (conf->rx_adv_conf.rss_conf.rss_key != NULL)
        memcpy(fake.key, conf->rx_adv_conf.rss_conf.rss_key, conf->rx_adv_conf.rss_conf.rss_key_len);
    return fake.configure_fails;
}
int rte_eth_dev_adjust_nb_rx_tx_desc(uint16_t id, uint16_t *rx, uint16_t *tx)
{
    (void)id;
    (void)tx;
    *rx = *rx > fake.info.rx_desc_lim.nb_max ? fake.info.rx_desc_lim.nb_max : *rx;
    return 0;
}
int rte_eth_rx_queue_setup(uint16_t id, uint16_t queue, uint16_t descriptors, unsigned socket, const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
    (void)id;
    (void)queue;
    (void)descriptors;
    (void)socket;
    (void)conf;
    (void)pool;
    return 0;
}
int rte_eth_tx_queue_setup(uint16_t id, uint16_t queue, uint16_t descriptors, unsigned socket, const struct rte_eth_txconf *conf)
{
    (void)id;
    (void)queue;
    (void)descriptors;
    (void)socket;
    (void)conf;
    return 0;
}
int rte_eth_dev_start(uint16_t id)
{
    (void)id;
    fake_called("start");
    return 0;
}
int rte_eth_dev_stop(uint16_t id)
{
    (void)id;
    fake_called("stop");
    return 0;
}
int rte_eth_dev_close(uint16_t id)
{
    (void)id;
    fake_called("close");
    return 0;
}
int rte_eth_dev_reset(uint16_t id)
{
    (void)id;
    fake_called("reset");
    return fake.reset_answer;
}
int rte_eth_promiscuous_enable(uint16_t id)
{
    (void)id;
    return 0;
}
int rte_eth_macaddr_get(uint16_t id, struct rte_ether_addr *mac)
{
    (void)id;
    *mac = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, 9 } };
    return 0;
}
int rte_eth_dev_socket_id(uint16_t id)
{
    (void)id;
    return 1;
}
int rte_eth_dev_rss_reta_update(uint16_t id, struct rte_eth_rss_reta_entry64 *table, uint16_t rows)
{
    (void)id;
    for (uint16_t row = 0; row < rows && row < FAKE_TABLE; row++)
        if (table[row / 64].mask & 1ull << row % 64)
            fake.table[row] = table[row / 64].reta[row % 64];
    return fake.table_answer;
}
int rte_eth_link_get_nowait(uint16_t id, struct rte_eth_link *link)
{
    (void)id;
    *link = (struct rte_eth_link){ .link_status = fake.link_up ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN };
    return 0;
}
int rte_eth_xstats_get_names(uint16_t id, struct rte_eth_xstat_name *names, unsigned count)
{
    (void)id;
    for (unsigned i = 0; i < FAKE_XSTATS && i < count; i++)
        (void)snprintf(names[i].name, sizeof(names[i].name), "%s", fake_xstat_names[i]);
    return FAKE_XSTATS;
}
int rte_eth_xstats_get(uint16_t id, struct rte_eth_xstat *values, unsigned count)
{
    (void)id;
    for (unsigned i = 0; i < FAKE_XSTATS && i < count; i++)
        values[i] = (struct rte_eth_xstat){ i, fake.xstats[i] };
    return FAKE_XSTATS;
}
int rte_eth_dev_callback_register(uint16_t id, enum rte_eth_event_type event, rte_eth_dev_cb_fn call, void *context)
{
    (void)id;
    (void)event;
    fake.on_event = call;
    fake.event_context = context;
    return 0;
}
int rte_eth_dev_callback_unregister(uint16_t id, enum rte_eth_event_type event, rte_eth_dev_cb_fn call, void *context)
{
    (void)id;
    (void)event;
    (void)call;
    (void)context;
    fake.on_event = NULL;
    return 0;
}
int rte_dev_probe(const char *arguments)
{
    (void)arguments;
    fake.probes++;
    return fake.present ? 0 : -ENODEV;
}
int rte_dev_remove(struct rte_device *device)
{
    (void)device;
    fake_called("remove");
    return 0;
}
int rte_dev_hotplug_handle_enable(void)
{
    return 0;
}
int rte_dev_event_monitor_start(void)
{
    return 0;
}
int rte_dev_event_monitor_stop(void)
{
    return 0;
}
int rte_dev_event_callback_register(const char *device, rte_dev_event_cb_fn call, void *context)
{
    (void)device;
    fake.on_bus_event = call;
    fake.bus_context = context;
    return 0;
}
int rte_dev_event_callback_unregister(const char *device, rte_dev_event_cb_fn call, void *context)
{
    (void)device;
    (void)call;
    (void)context;
    fake.on_bus_event = NULL;
    return 0;
}
uint64_t rte_get_tsc_hz(void)
{
    return 1000000000; /* EAL, which measures it, does not run here */
}
int rte_timer_manage(void)
{
    fake.timers_run++;
    return 0;
}
