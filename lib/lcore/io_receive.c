/* io lcore, inwards: rx burst, parse, open, decode into the shards' rings. Data plane: nothing here
 * allocates, logs or waits. Stages are loops of their own over the burst. */
#include <rte_ethdev.h>
#include <rte_prefetch.h>
#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>
#include <string.h>

#include "io_private.h"

static const struct vx_frame_filter *filter_for(const struct vx_io *io, const struct rte_mbuf *mbuf)
{
    const uint64_t good = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    return io->config.rx_checksums && (mbuf->ol_flags & good) == good ? &io->filter_checked : &io->config.filter;
}

static void parse_burst(struct vx_io *io, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct rte_mbuf *mbuf = io->mbufs[i];
        struct vx_packet *packet = &io->packets[i];
        if (i + 4 < count)
            rte_prefetch0(rte_pktmbuf_mtod(io->mbufs[i + 4], void *));
        packet->data = rte_pktmbuf_mtod(mbuf, uint8_t *);
        packet->bytes = mbuf->data_len;
        bytes += mbuf->pkt_len;
        packet->drop = mbuf->nb_segs > 1 ? VX_DROP_SEGMENTED
                                         : (uint8_t)vx_frame_parse(packet->data, packet->bytes, filter_for(io, mbuf), &packet->frame);
        if (packet->drop == VX_DROP_NONE && packet->frame.kind != VX_FRAME_UDP)
            packet->drop = VX_DROP_CONTROL_IGNORED;
    }
    io->counters.bytes_in += bytes;
}

/* ARP, echo and neighbour discovery: nobody else answers when the port is ours. */
static bool answer_control(struct vx_io *io, struct rte_mbuf *mbuf, struct vx_packet *packet)
{
    if (packet->drop != VX_DROP_CONTROL_IGNORED || !io->config.answers_control)
        return false;
    uint32_t capacity = (uint32_t)mbuf->data_len + rte_pktmbuf_tailroom(mbuf);
    uint32_t bytes = vx_frame_answer_control(packet->data, packet->bytes, capacity, &io->config.filter, &packet->frame);
    if (bytes == 0)
        return false;
    packet->drop = VX_DROP_CONTROL_ANSWERED;
    mbuf->data_len = (uint16_t)bytes;
    mbuf->pkt_len = bytes;
    (void)io_transmit(io, mbuf, 0, false); /* a full line drops it, and counts */
    return true;
}

static_assert(offsetof(struct vx_event, type) == 0 && offsetof(struct vx_event, arg16) == offsetof(struct vx_wire_action, arg16) &&
                  offsetof(struct vx_event, a) == offsetof(struct vx_wire_action, a) && offsetof(struct vx_event, c) == offsetof(struct vx_wire_action, c) &&
                  offsetof(struct vx_event, kind) == 16 && offsetof(struct vx_event, session) == 20 && offsetof(struct vx_event, player) == 24 &&
                  offsetof(struct vx_event, slot) == 28 && offsetof(struct vx_event, received_cycles) == 32 && offsetof(struct vx_event, seen) == 40,
              "event_fill puts events together in whole words");
/* What all events of a packet have in common, and the number of the next one, as event_fill stores it. */
struct event_words {
    uint64_t for_whom, place, received_cycles, numbers;
};

static inline struct event_words event_words(const struct vx_io *io, const struct vx_packet *packet, uint32_t shard, uint32_t slot, uint64_t now)
{
    return (struct event_words){ (uint64_t)packet->session << 32 | shard << 16 | io->config.index << 8 | VX_EVENT_ACTION,
                                 (uint64_t)slot << 32 | packet->header->player, now, (uint64_t)packet->header->number << 32 | packet->header->seen };
}

/* Word by word: put together first and copied whole, the copy's wide loads wait for the narrow stores. */
static inline void event_fill(struct vx_event *event, const struct vx_wire_action *action, const struct event_words *words, uint32_t index)
{
    const uint64_t numbers = words->numbers + ((uint64_t)index << 32); /* action numbers wrap */
    memcpy(event, action, sizeof(*action));
    memcpy(&event->kind, &words->for_whom, 8);
    memcpy(&event->player, &words->place, 8);
    memcpy(&event->received_cycles, &words->received_cycles, 8);
    memcpy(&event->seen, &numbers, 8);
}

static void shed(struct vx_io *io, const struct vx_packet *packet, uint32_t index, uint8_t class, uint64_t now)
{
    io->counters.actions_shed[class]++;
    if (!io_bucket_take(&io->busy, now, io->config.cycles_per_s, 1))
        return;
    struct vx_reply reply = { .type = VX_RESULT_ERROR, .code = VX_CODE_BUSY, .flags = VX_REPLY_URGENT, .session = packet->session,
                              .player = packet->header->player, .action_number = packet->header->number + index, .received_cycles = now };
    if (io_answer(io, &reply, now))
        io->counters.busy_answers++;
}

/* A nearly full ring takes class 1 until an eighth is left, class 2 until the end. */
static void decode_under_pressure(struct vx_io *io, const struct vx_packet *packet, struct rte_ring *ring, uint32_t shard, uint32_t slot, uint64_t now)
{
    const struct vx_wire_action *actions = (const struct vx_wire_action *)(packet->header + 1);
    const struct event_words words = event_words(io, packet, shard, slot, now);
    const uint32_t size = rte_ring_get_capacity(ring);
    const uint32_t spare_for_class[VX_SHED_CLASSES] = { size / 4, size / 8, 0 };
    for (uint32_t i = 0; i < packet->header->count; i++) {
        uint8_t class = vx_action_shed_class(actions[i].type);
        struct rte_ring_zc_data zone;
        if (rte_ring_free_count(ring) <= spare_for_class[class] || rte_ring_enqueue_zc_bulk_elem_start(ring, sizeof(struct vx_event), 1, &zone, NULL) == 0) {
            shed(io, packet, i, class, now);
            continue;
        }
        event_fill(zone.ptr1, &actions[i], &words, i);
        rte_ring_enqueue_zc_elem_finish(ring, 1);
        io->counters.actions_queued++;
    }
}

static VX_INLINE void decode(struct vx_io *io, const struct vx_packet *packet, uint64_t now)
{
    const uint32_t count = packet->header->count;
    const uint32_t slot = (uint32_t)(packet->player * io->shards_reciprocal >> IO_RECIPROCAL_BITS);
    const uint32_t shard = packet->player - slot * io->config.shards;
    struct rte_ring *ring = io->config.actions[shard];
    struct rte_ring_zc_data zone = { 0 };
    uint32_t left = 0;
    io->counters.actions_in += count;
    if (VX_UNLIKELY(rte_ring_free_count(ring) < rte_ring_get_capacity(ring) / 4 + count)) {
        decode_under_pressure(io, packet, ring, shard, slot, now);
        return;
    }
    VX_ASSERT(rte_ring_enqueue_zc_bulk_elem_start(ring, sizeof(struct vx_event), count, &zone, &left) == count);
    const struct vx_wire_action *actions = (const struct vx_wire_action *)(packet->header + 1);
    const struct event_words words = event_words(io, packet, shard, slot, now);
    struct vx_event *event = zone.ptr1;
    for (uint32_t i = 0; i < count; i++) {
        if (i == zone.n1)
            event = zone.ptr2;
        event_fill(event++, &actions[i], &words, i);
    }
    rte_ring_enqueue_zc_elem_finish(ring, count);
    io->counters.actions_queued += count;
}

/* Whole, unshared buffers of the pool go straight back to it; whatever else a driver may hand us takes the long way. */
static void mbufs_free(const struct vx_io *io, struct rte_mbuf **mbufs, uint32_t count)
{
    uint32_t simple = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct rte_mbuf *mbuf = mbufs[i];
        if (VX_LIKELY(mbuf->pool == io->config.pool && mbuf->nb_segs == 1 && rte_mbuf_refcnt_read(mbuf) == 1 && RTE_MBUF_DIRECT(mbuf)))
            mbufs[simple++] = mbuf;
        else
            rte_pktmbuf_free(mbuf);
    }
    rte_mempool_put_bulk(io->config.pool, (void *const *)mbufs, simple);
}

uint32_t vx_io_receive(struct vx_io *io, uint64_t now)
{
    uint32_t taken = rte_eth_rx_burst(io->config.port, io->config.queue, io->mbufs, VX_BURST_MAX);
    if (VX_UNLIKELY(io->config.spread_count > 0))
        taken = io_spread(io, taken);
    uint32_t count = taken;
    if (io->netcode != NULL)
        io_netcode_clock(io, now);
    if (taken == 0)
        return 0;
    for (uint32_t i = 0; i < count && i < 4; i++)
        rte_prefetch0(rte_pktmbuf_mtod(io->mbufs[i], void *));
    io->counters.packets_in += taken;
    io->counters.bursts++;
    if (io->config.rules != NULL)
        count = vx_rules_filter(io->config.rules, io->mbufs, count, now, io->counters.drops);
    parse_burst(io, count);
    vx_session_open(io->sessions, io->packets, count, &io->time);
    uint32_t done = 0, good = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct vx_packet *packet = &io->packets[i];
        struct rte_mbuf *mbuf = io->mbufs[i];
        if (VX_LIKELY(packet->drop == VX_DROP_NONE)) {
            decode(io, packet, now);
            io->mbufs[done++] = mbuf;
            good++;
            continue;
        }
        if (packet->drop == VX_DROP_NETCODE_HANDSHAKE) {
            io->netcode->waiting[io->netcode->waiting_count++] = (struct io_asked){ mbuf, *packet };
            continue; /* players first */
        } else if (answer_control(io, mbuf, packet)) {
            mbuf = NULL;
        }
        io->counters.drops[packet->drop]++;
        if (mbuf != NULL)
            io->mbufs[done++] = mbuf;
    }
    io->counters.drops[VX_DROP_NONE] += good;
    if (io->netcode != NULL)
        done = io_netcode_ask(io, done, taken == VX_BURST_MAX);
    mbufs_free(io, io->mbufs, done);
    return taken;
}
