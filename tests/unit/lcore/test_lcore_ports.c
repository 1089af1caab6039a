/* What differs with the port: io lcores that spread flows among themselves because the card cannot, checksums that the
 * card is asked for, frames that go out inline. Two io lcores on a device of two queues, and no shard: events stay in the rings. */
#include <arpa/inet.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>
#include <rte_udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lcore_test.h"

enum { LCORES = 2, RING = 8192, SPREAD = 64, BURST = 32 };

static struct duo {
    struct stage frames; /* its pool and numbers alone, for making frames */
    uint16_t port;
    struct rte_ring *rx[LCORES], *tx[LCORES], *actions[LCORES][1], *replies[LCORES], *spread[LCORES];
    struct vx_io *io[LCORES];
} *duo;
static unsigned duos;

static struct rte_ring *ring(const char *name, unsigned number, unsigned element_bytes, unsigned count, unsigned flags)
{
    char text[RTE_RING_NAMESIZE];
    (void)snprintf(text, sizeof(text), "duo_%s%u_%u", name, number, duos);
    struct rte_ring *made = rte_ring_create_elem(text, element_bytes, count, SOCKET_ID_ANY, RING_F_EXACT_SZ | flags);
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    return made;
}

static void device_make(void)
{
    struct rte_eth_conf conf = { 0 };
    char name[32];
    (void)snprintf(name, sizeof(name), "duo%u", duos);
    int port = rte_eth_from_rings(name, duo->rx, LCORES, duo->tx, LCORES, 0);
    CU_ASSERT_FATAL(port >= 0);
    duo->port = (uint16_t)port;
    CU_ASSERT_EQUAL_FATAL(rte_eth_dev_configure(duo->port, LCORES, LCORES, &conf), 0);
    for (uint16_t queue = 0; queue < LCORES; queue++) {
        CU_ASSERT_EQUAL_FATAL(rte_eth_rx_queue_setup(duo->port, queue, 512, 0, NULL, duo->frames.pool), 0);
        CU_ASSERT_EQUAL_FATAL(rte_eth_tx_queue_setup(duo->port, queue, 512, 0, NULL), 0);
    }
    CU_ASSERT_EQUAL_FATAL(rte_eth_dev_start(duo->port), 0);
}

static void duo_make(bool spread, bool tx_checksums)
{
    char name[32];
    duo = calloc(1, sizeof(*duo));
    CU_ASSERT_PTR_NOT_NULL_FATAL(duo);
    (void)snprintf(name, sizeof(name), "duo_pool%u", ++duos);
    duo->frames.pool = rte_pktmbuf_pool_create(name, STAGE_MBUFS, 0, 0, RTE_PKTMBUF_HEADROOM + 2048, SOCKET_ID_ANY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(duo->frames.pool);
    for (uint32_t i = 0; i < LCORES; i++) {
        duo->rx[i] = ring("rx", i, sizeof(void *), RING, RING_F_SP_ENQ | RING_F_SC_DEQ);
        duo->tx[i] = ring("tx", i, sizeof(void *), RING, RING_F_SP_ENQ | RING_F_SC_DEQ);
        duo->spread[i] = ring("spread", i, sizeof(void *), SPREAD, RING_F_SC_DEQ);
        duo->actions[i][0] = ring("actions", i, sizeof(struct vx_event), RING, RING_F_SP_ENQ | RING_F_SC_DEQ);
        duo->replies[i] = ring("replies", i, sizeof(struct vx_reply), RING, RING_F_SP_ENQ | RING_F_SC_DEQ);
    }
    device_make();
    for (uint32_t i = 0; i < LCORES; i++) {
        struct vx_io_config config = {
            .port = duo->port, .queue = (uint16_t)i, .index = i, .pool = duo->frames.pool, .filter = { .port = GAME_PORT }, .players = STAGE_PLAYERS, .shards = 1,
            .window_cycles = STAGE_WINDOW, .cycles_per_s = 1000000000, .actions = duo->actions[i], .replies = &duo->replies[i], .reply_rings = 1,
            .numa = SOCKET_ID_ANY, .tx_checksums = tx_checksums,
            .spread = duo->spread, .spread_count = spread ? LCORES : 0, .spread_index = i,
        };
        struct vx_error error;
        if (vx_io_create(&config, &duo->io[i], &error) != 0)
            CU_FAIL_FATAL(error.text);
    }
}

static void ring_drain(struct rte_ring *from)
{
    struct rte_mbuf *mbuf;
    while (rte_ring_sc_dequeue(from, (void **)&mbuf) == 0)
        rte_pktmbuf_free(mbuf);
}

static void duo_end(void)
{
    CU_ASSERT_EQUAL(rte_eth_dev_stop(duo->port), 0);
    CU_ASSERT_EQUAL(rte_eth_dev_close(duo->port), 0);
    for (uint32_t i = 0; i < LCORES; i++) {
        ring_drain(duo->tx[i]);
        ring_drain(duo->spread[i]);
        rte_ring_free(duo->rx[i]);
        rte_ring_free(duo->tx[i]);
        rte_ring_free(duo->spread[i]);
        rte_ring_free(duo->actions[i][0]);
        rte_ring_free(duo->replies[i]);
        rte_free(duo->io[i]);
    }
    CU_ASSERT_EQUAL(rte_mempool_avail_count(duo->frames.pool), STAGE_MBUFS); /* no mbuf is lost */
    rte_mempool_free(duo->frames.pool);
    free(duo);
}

static void put(uint32_t queue, uint32_t player, enum frame_way way)
{
    struct vx_wire_action ping = action(VX_ACTION_PING);
    CU_ASSERT_EQUAL_FATAL(rte_ring_sp_enqueue(duo->rx[queue], stage_frame(&duo->frames, player, way, &ping, 1)), 0);
}

static void receive_all(void)
{
    for (uint32_t idle = 0; idle < 2;) {
        uint32_t work = vx_io_receive(duo->io[0], 5000000000) + vx_io_receive(duo->io[1], 5000000000);
        idle = work == 0 && rte_ring_empty(duo->rx[0]) && rte_ring_empty(duo->rx[1]) ? idle + 1 : 0;
    }
}

static uint64_t drops_sum(const struct vx_io_counters *counters)
{
    uint64_t sum = 0;
    for (unsigned reason = 0; reason < VX_DROP_COUNT; reason++)
        sum += counters->drops[reason];
    return sum;
}

/* Everything comes in on queue 0, and each player's packets, whatever their way, end up at one io lcore. */
static void test_spread(void)
{
    static uint8_t seen[STAGE_PLAYERS];
    struct vx_event event;
    uint32_t events[LCORES] = { 0 };
    const uint32_t players = 1000, rounds = 5;
    duo_make(true, false);
    memset(seen, 0, sizeof(seen));
    for (uint32_t round = 0; round < rounds; round++)
        for (uint32_t player = 0; player < players; player++) {
            put(round == 4 ? 1 : 0, player, (enum frame_way)(player % WAYS)); /* once by the other queue */
            if (player % BURST == BURST - 1)
                receive_all();
        }
    receive_all();
    for (uint32_t i = 0; i < LCORES; i++) {
        const struct vx_io_counters *counters = vx_io_counters(duo->io[i]);
        while (rte_ring_sc_dequeue_elem(duo->actions[i][0], &event, sizeof(event)) == 0) {
            CU_ASSERT_EQUAL(event.io, i);
            seen[event.player] |= (uint8_t)(1u << i);
            events[i]++;
        }
        CU_ASSERT_EQUAL(counters->packets_in, events[i]);
        CU_ASSERT_EQUAL(counters->packets_in, drops_sum(counters));
        CU_ASSERT(counters->packets_spread > 0);
    }
    CU_ASSERT_EQUAL(events[0] + events[1], players * rounds);
    CU_ASSERT(events[0] > players * rounds * 2 / 5 && events[1] > players * rounds * 2 / 5); /* about half each */
    for (uint32_t player = 0; player < players; player++)
        CU_ASSERT(seen[player] == 1 || seen[player] == 2);
    duo_end();
}

/* The other io lcore does not come: what its ring does not hold is lost here, and counted once. */
static void test_spread_full(void)
{
    duo_make(true, false);
    for (uint32_t player = 0; player < 1000; player++)
        put(0, player, WAY_IP4);
    while (!rte_ring_empty(duo->rx[0]))
        (void)vx_io_receive(duo->io[0], 5000000000);
    const struct vx_io_counters *counters = vx_io_counters(duo->io[0]);
    CU_ASSERT_EQUAL(counters->packets_spread, SPREAD);
    CU_ASSERT(counters->drops[VX_DROP_SPREAD_FULL] > 300);
    CU_ASSERT_EQUAL(counters->packets_in, drops_sum(counters));
    CU_ASSERT_EQUAL(counters->packets_in + counters->packets_spread, 1000);
    (void)vx_io_receive(duo->io[1], 5000000000);
    CU_ASSERT_EQUAL(vx_io_counters(duo->io[1])->packets_in, SPREAD);
    duo_end();
}

/* Fragments, ARP and cut frames stay where they came: they have no flow. */
static void test_spread_strangers(void)
{
    duo_make(true, false);
    for (uint32_t player = 0; player < 60; player++) {
        struct vx_wire_action ping = action(VX_ACTION_PING);
        struct rte_mbuf *mbuf = stage_frame(&duo->frames, player, WAY_IP4, &ping, 1);
        uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
        switch (player % 4) {
        case 0: frame[14 + 6] = 0x20; break; /* more fragments */
        case 1: frame[14 + 9] = IPPROTO_ICMP; break;
        case 2: frame[13] = 0x06; break; /* ARP */
        default: mbuf->data_len = mbuf->pkt_len = 14 + 20 + 3; break; /* ports cut off */
        }
        CU_ASSERT_EQUAL_FATAL(rte_ring_sp_enqueue(duo->rx[0], mbuf), 0);
    }
    receive_all();
    CU_ASSERT_EQUAL(vx_io_counters(duo->io[0])->packets_in, 60);
    CU_ASSERT_EQUAL(vx_io_counters(duo->io[0])->packets_spread, 0);
    CU_ASSERT_EQUAL(vx_io_counters(duo->io[0])->drops[VX_DROP_NONE], 0);
    CU_ASSERT_EQUAL(vx_io_counters(duo->io[1])->packets_in, 0);
    duo_end();
}

static void answer(uint32_t player, uint32_t results)
{
    for (uint32_t i = 0; i < results; i++) {
        struct vx_reply reply = { .type = VX_RESULT_PONG, .flags = VX_REPLY_URGENT, .session = player, .player = player, .action_number = i + 1 };
        CU_ASSERT_EQUAL_FATAL(rte_ring_sp_enqueue_elem(duo->replies[0], &reply, sizeof(reply)), 0);
    }
}

/* What a card would make of it: the UDP checksum completed over header and payload, IPv4's from nothing. */
static void complete_as_a_card(struct rte_mbuf *mbuf)
{
    uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, mbuf->l2_len);
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + mbuf->l3_len);
    uint16_t sum = rte_raw_cksum(udp, mbuf->data_len - mbuf->l2_len - mbuf->l3_len);
    udp->dgram_cksum = sum == 0xffff ? 0xffff : (uint16_t)~sum;
    if (mbuf->ol_flags & RTE_MBUF_F_TX_IP_CKSUM)
        ((struct rte_ipv4_hdr *)ip)->hdr_checksum = rte_ipv4_cksum((struct rte_ipv4_hdr *)ip);
}

static void test_tx_checksums(void)
{
    struct rte_mbuf *mbuf = NULL;
    duo_make(false, true);
    for (uint32_t way = 0; way < WAYS; way++) {
        bool is_ip6 = way == WAY_IP6 || way == WAY_VLAN_IP6;
        put(0, way, (enum frame_way)way);
        receive_all();
        answer(way, way + 1);
        (void)vx_io_send(duo->io[0], 5000000000);
        CU_ASSERT_EQUAL_FATAL(rte_ring_sc_dequeue(duo->tx[0], (void **)&mbuf), 0);
        CU_ASSERT_EQUAL(mbuf->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK,
                        RTE_MBUF_F_TX_UDP_CKSUM | (is_ip6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM));
        CU_ASSERT_EQUAL(mbuf->l3_len, is_ip6 ? 40 : 20);
        uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, mbuf->l2_len);
        CU_ASSERT_EQUAL(ip[0], is_ip6 ? 0x60 : 0x45);
        if (!is_ip6)
            CU_ASSERT_EQUAL(((struct rte_ipv4_hdr *)ip)->hdr_checksum, 0);
        complete_as_a_card(mbuf);
        const void *udp = ip + mbuf->l3_len;
        CU_ASSERT_EQUAL(is_ip6 ? rte_ipv6_udptcp_cksum_verify((void *)ip, udp) : rte_ipv4_udptcp_cksum_verify((void *)ip, udp), 0);
        if (!is_ip6)
            CU_ASSERT_EQUAL(rte_ipv4_cksum((void *)ip), 0);
        rte_pktmbuf_free(mbuf);
    }
    duo_end();
}

static void test_inline_frames(void)
{
    duo_make(false, false);
    for (uint32_t player = 0; player < 4; player++) {
        put(0, player, WAY_IP4);
        receive_all();
        answer(player, player + 4); /* 82, 90, 98 and 106 bytes */
    }
    (void)vx_io_send(duo->io[0], 5000000000);
    CU_ASSERT_EQUAL(vx_io_counters(duo->io[0])->packets_out, 4);
    CU_ASSERT_EQUAL(vx_io_counters(duo->io[0])->packets_out_96, 2);
    duo_end();
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "spread: one queue's flows to two io lcores, each flow to one", test_spread },
        { "spread: a full ring", test_spread_full },
        { "spread: what has no flow stays", test_spread_strangers },
        { "checksums left to the card", test_tx_checksums },
        { "frames of up to 96 bytes are counted", test_inline_frames },
    };
    return stage_eal() ? vx_test_main("lcore_ports", tests, sizeof(tests) / sizeof(tests[0])) : 2;
}
