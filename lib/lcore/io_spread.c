/* Spreading by software, where the card's RSS cannot look at UDP (some ENA generations, e1000): every io lcore polls its
 * own queue, keeps the flows that are its own by a hash of addresses and ports, and gives the others to theirs through a
 * ring. A session lives on one io lcore, so it is the flow that decides, and never the queue. Data plane. */
#include <rte_ethdev.h>
#include <rte_ring.h>

#include "io_private.h"

enum { TYPE_IP4 = 0x0800, TYPE_IP6 = 0x86dd, PROTOCOL_UDP = 17, IP4_BYTES = 20, IP6_BYTES = 40, PORTS_BYTES = 4 };

static inline uint64_t word_at(const uint8_t *at)
{
    uint64_t word;
    __builtin_memcpy(&word, at, sizeof(word));
    return word;
}

/* The packet's io lcore among those of the port. What is not a whole UDP packet stays where it came: whoever has it can
 * answer or count it. */
static inline uint32_t owner_of(const struct vx_io *io, const struct rte_mbuf *mbuf)
{
    const uint8_t *data = rte_pktmbuf_mtod(mbuf, const uint8_t *), *end = data + mbuf->data_len;
    uint16_t type = 0;
    uint32_t ports;
    uint64_t addresses;
    const uint8_t *ip = vx_network_header(data, end, &type), *udp;
    if (ip != NULL && type == TYPE_IP4 && ip + IP4_BYTES <= end && ip[9] == PROTOCOL_UDP && (ip[6] & 0x3f) == 0 && ip[7] == 0) {
        udp = ip + (ip[0] & 15) * 4;
        addresses = word_at(ip + 12);
    } else if (ip != NULL && type == TYPE_IP6 && ip + IP6_BYTES <= end && ip[6] == PROTOCOL_UDP) {
        udp = ip + IP6_BYTES;
        addresses = vx_mix64(word_at(ip + 8) ^ vx_mix64(word_at(ip + 16))) ^ vx_mix64(word_at(ip + 24) ^ vx_mix64(word_at(ip + 32)));
    } else {
        return io->config.spread_index;
    }
    if (udp + PORTS_BYTES > end)
        return io->config.spread_index;
    __builtin_memcpy(&ports, udp, sizeof(ports));
    return (uint32_t)(((vx_mix64(addresses ^ (uint64_t)ports << 16) >> 32) * io->config.spread_count) >> 32);
}

/* Gives a burst to the lcore; what its ring does not take is lost, and counted as having come in here. */
static void give(struct vx_io *io, uint32_t owner, struct rte_mbuf **mbufs, uint32_t count)
{
    uint32_t given = rte_ring_mp_enqueue_burst(io->config.spread[owner], (void *const *)mbufs, count, NULL);
    io->counters.packets_spread += given;
    if (VX_LIKELY(given == count))
        return;
    io->counters.packets_in += count - given;
    io->counters.drops[VX_DROP_SPREAD_FULL] += count - given;
    rte_pktmbuf_free_bulk(mbufs + given, count - given);
}

uint32_t io_spread(struct vx_io *io, uint32_t count)
{
    struct rte_mbuf *others[VX_IO_LCORES_MAX][VX_BURST_MAX];
    uint32_t counts[VX_IO_LCORES_MAX] = { 0 }, own = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i + 4 < count)
            rte_prefetch0(rte_pktmbuf_mtod(io->mbufs[i + 4], void *));
        uint32_t owner = owner_of(io, io->mbufs[i]);
        if (owner == io->config.spread_index)
            io->mbufs[own++] = io->mbufs[i];
        else
            others[owner][counts[owner]++] = io->mbufs[i];
    }
    for (uint32_t owner = 0; owner < io->config.spread_count; owner++)
        if (counts[owner] > 0)
            give(io, owner, others[owner], counts[owner]);
    if (own < VX_BURST_MAX)
        own += rte_ring_sc_dequeue_burst(io->config.spread[io->config.spread_index], (void **)&io->mbufs[own], VX_BURST_MAX - own, NULL);
    return own;
}
