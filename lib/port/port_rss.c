/* Which queue, and so which io lcore, a flow goes to. A session lives on one io lcore, so a flow must keep its
 * queue, over restarts too: the key is a constant. */
#include <string.h>

#include "port_private.h"

enum {
    KEY_BYTES_MAX = 64,
    TABLE_MAX = 512,
    /* Of every QUEUE_0_OF rows that would be queue 0's by turns, one goes to another queue: whatever is neither TCP
     * nor UDP (ARP, ICMP) and all that the card cannot hash lands on queue 0 as well. */
    QUEUE_0_OF = 4,
};

void port_rss_request(struct vx_port *port, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
    /* The two bytes of the symmetric Toeplitz key (Woo and Park, 2012): both directions of a flow hash alike,
     * which makes captures of several queues easy to read. Cards take 40 or 52 bytes of it. */
    static uint8_t key[KEY_BYTES_MAX];
    const uint64_t udp = RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
    const uint64_t types = info->flow_type_rss_offloads & udp;
    port->caps.rss_udp = types == udp;
    port->caps.spread = port->config.spread == VX_SPREAD_ON;
    if (port->config.queues < 2 || types == 0)
        return;
    for (uint32_t i = 0; i < KEY_BYTES_MAX; i++)
        key[i] = i % 2 == 0 ? 0x6d : 0x5a;
    conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf->rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH; /* ENA wants it for its table */
    conf->rx_adv_conf.rss_conf.rss_hf = types;
    if (info->hash_key_size > 0 && info->hash_key_size <= KEY_BYTES_MAX) {
        conf->rx_adv_conf.rss_conf.rss_key = key;
        conf->rx_adv_conf.rss_conf.rss_key_len = info->hash_key_size;
    }
}

/* By turns, but some of queue 0's turns go to the others, by turns too. */
static uint16_t table_queue(uint32_t row, uint16_t queues)
{
    uint32_t turn = row / queues;
    if (row % queues != 0 || queues < 2 || turn % QUEUE_0_OF != 0)
        return (uint16_t)(row % queues);
    return (uint16_t)(1 + turn / QUEUE_0_OF % (queues - 1u));
}

void port_rss_indirection(struct vx_port *port, const struct rte_eth_dev_info *info)
{
    struct rte_eth_rss_reta_entry64 table[TABLE_MAX / RTE_ETH_RETA_GROUP_SIZE] = { 0 };
    if (port->config.queues < 2 || !port->caps.rss_udp || info->reta_size == 0 || info->reta_size > TABLE_MAX)
        return;
    for (uint32_t row = 0; row < info->reta_size; row++) {
        table[row / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ull << row % RTE_ETH_RETA_GROUP_SIZE;
        table[row / RTE_ETH_RETA_GROUP_SIZE].reta[row % RTE_ETH_RETA_GROUP_SIZE] = table_queue(row, port->config.queues);
    }
    int rc = rte_eth_dev_rss_reta_update(port->id, table, info->reta_size);
    if (rc != 0)
        vx_port_note(port, "the card keeps its own indirection table (%d): queue 0 has a full share of the players", rc);
}
