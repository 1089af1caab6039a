/* vx_bench_parse: from a frame to checked actions, cycles a packet. The frames lie in as many buffers as a memif
 * ring has, so that they come from the second-level cache as a packet that has just been copied in does. */
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_net.h>

#include "bench.h"
#include "frame_build.h"

enum { BUFFERS = 1024, BUFFER_BYTES = 2048 + RTE_PKTMBUF_HEADROOM, ROUND = 64 * BUFFERS, PLAYERS = 120000, ACTIONS = 2 };
enum kind { IP4, IP4_OFFLOADED, IP6, WRONG_PORT, BAD_PLAYER, BAD_CHECKSUM, KINDS };

static struct traffic {
    uint8_t *data;
    uint32_t bytes;
    struct vx_frame_filter filter;
    struct rte_mbuf *mbufs;
} traffic[KINDS];
static uint64_t sink;

static void traffic_make(enum kind kind)
{
    struct traffic *made = &traffic[kind];
    struct vx_rng rng = { 1 };
    static struct build build;
    made->data = bench_memory((size_t)BUFFERS * BUFFER_BYTES);
    made->mbufs = bench_memory(BUFFERS * sizeof(struct rte_mbuf));
    made->filter = build_filter();
    made->filter.port = kind == WRONG_PORT ? BUILD_PORT + 1 : BUILD_PORT;
    made->filter.ip_checksum_checked = made->filter.udp_checksum_checked = kind == IP4_OFFLOADED;
    for (uint32_t i = 0; i < BUFFERS; i++) {
        build_game(&build, kind == IP6 ? 6 : 4, 0, 0, vx_rng_below(&rng, PLAYERS) + (kind == BAD_PLAYER ? PLAYERS : 0), ACTIONS);
        build.data[build.bytes - 1] ^= kind == BAD_CHECKSUM;
        uint8_t *data = made->data + (size_t)i * BUFFER_BYTES + RTE_PKTMBUF_HEADROOM;
        memcpy(data, build.data, build.bytes);
        made->bytes = build.bytes;
        made->mbufs[i] = (struct rte_mbuf){ .buf_addr = data - RTE_PKTMBUF_HEADROOM, .data_off = RTE_PKTMBUF_HEADROOM, .data_len = (uint16_t)build.bytes,
                                            .pkt_len = build.bytes, .nb_segs = 1 };
    }
}

static uint8_t *frame_at(const struct traffic *from, uint32_t i)
{
    return from->data + (size_t)(i % BUFFERS) * BUFFER_BYTES + RTE_PKTMBUF_HEADROOM;
}

/* Parse and check, prefetching four ahead as lib/lcore does. */
static double parse(uint32_t kind)
{
    const struct traffic *from = &traffic[kind];
    uint64_t accepted = 0, began = __rdtsc();
    for (uint32_t i = 0; i < ROUND; i++) {
        struct vx_frame frame;
        const struct vx_wire_header *header;
        const uint8_t *data = frame_at(from, i);
        __builtin_prefetch(frame_at(from, i + 4));
        if (vx_frame_parse(data, from->bytes, &from->filter, &frame) == VX_DROP_NONE &&
            vx_wire_check(data + frame.payload_offset, frame.payload_bytes, PLAYERS, &header) == VX_DROP_NONE)
            accepted += header->count;
    }
    uint64_t cycles = __rdtsc() - began;
    VX_ASSERT(accepted == (kind <= IP6 ? ACTIONS * ROUND : 0));
    sink += accepted;
    return (double)cycles / ROUND;
}

/* The same work by DPDK's own helpers, without a look at the payload: the layers found, both checksums verified. */
static double reference(uint32_t kind)
{
    const struct traffic *from = &traffic[kind];
    uint64_t good = 0, began = __rdtsc();
    for (uint32_t i = 0; i < ROUND; i++) {
        struct rte_net_hdr_lens lens;
        const struct rte_mbuf *mbuf = &from->mbufs[i % BUFFERS];
        __builtin_prefetch(frame_at(from, i + 4));
        uint32_t type = rte_net_get_ptype(mbuf, &lens, RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK);
        const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, const struct rte_ipv4_hdr *, lens.l2_len);
        good += (type & RTE_PTYPE_L4_UDP) != 0 && rte_ipv4_cksum(ip) == 0 && rte_ipv4_udptcp_cksum_verify(ip, (const uint8_t *)ip + lens.l3_len) == 0;
    }
    uint64_t cycles = __rdtsc() - began;
    VX_ASSERT(good == ROUND);
    sink += good;
    return (double)cycles / ROUND;
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "parse_reference_cycles", "reference: rte_net_get_ptype, rte_ipv4_cksum, rte_ipv4_udptcp_cksum_verify", reference, IP4 },
        { "parse_ip4_cycles", "IPv4, both checksums in software, two actions checked", parse, IP4 },
        { "parse_ip4_offloaded_cycles", "the same when the port has verified the checksums", parse, IP4_OFFLOADED },
        { "parse_ip6_cycles", "IPv6", parse, IP6 },
        { "parse_wrong_port_cycles", "refused before its checksum: not the game's port", parse, WRONG_PORT },
        { "parse_bad_checksum_cycles", "refused by its UDP checksum", parse, BAD_CHECKSUM },
        { "parse_bad_player_cycles", "refused by the payload's check: no such player", parse, BAD_PLAYER },
    };
    struct bench_options options;
    if (!bench_options_read(argc, argv, &options))
        return 2;
    for (uint32_t kind = 0; kind < KINDS; kind++)
        traffic_make((enum kind)kind);
    return bench_run(&options, cases, sizeof(cases) / sizeof(cases[0]));
}
