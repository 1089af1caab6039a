/* io lcore, outwards: replies are gathered per session, and a packet leaves at the end of the pass when
 * something in it is urgent, else when its window ends. Data plane. */
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_ring_peek_zc.h>
#include <string.h>

#include "io_private.h"

enum { REPLIES_PASS_MAX = 4 * VX_BURST_MAX }; /* of one ring in a pass: receiving must not wait longer */

static struct io_open *open_at(struct vx_io *io, uint32_t index)
{
    return &io->open[index & (IO_OPEN_MAX - 1)];
}

bool io_transmit(struct vx_io *io, struct rte_mbuf *mbuf, uint64_t received_cycles, bool urgent)
{
    if (io->tx_head - io->tx_tail == IO_TX_MAX) {
        io->counters.replies_dropped++;
        rte_pktmbuf_free(mbuf);
        return false;
    }
    io->tx[io->tx_head++ & (IO_TX_MAX - 1)] = (struct io_tx){ mbuf, received_cycles, urgent };
    return true;
}

/* Eight bytes in one store, as the checksum will load them. */
static void put64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof(value));
}

/* The card is told what to compute, and where the headers are. */
static void checksums_ask(struct rte_mbuf *mbuf, const struct vx_sealing *sealing)
{
    mbuf->tx_offload = 0;
    mbuf->l2_len = sealing->l2_bytes;
    mbuf->l3_len = sealing->l3_bytes;
    mbuf->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM | (sealing->l3_bytes == sizeof(struct rte_ipv4_hdr) ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM : RTE_MBUF_F_TX_IPV6);
}

void io_closing_seal(struct vx_io *io)
{
    struct io_closing *closing = &io->closing;
    vx_session_seal(io->sessions, closing->sealings, closing->count);
    for (uint32_t i = 0; i < closing->count; i++) {
        struct rte_mbuf *mbuf = closing->mbufs[i];
        mbuf->data_len = (uint16_t)closing->sealings[i].bytes;
        mbuf->pkt_len = closing->sealings[i].bytes;
        if (io->config.tx_checksums)
            checksums_ask(mbuf, &closing->sealings[i]);
    }
    closing->count = 0;
}

/* Puts a packet in line for the device, and among those that are to be sealed before the line moves. NULL, the packet
 * freed and counted, when the line is full. */
static VX_INLINE struct vx_sealing *closing_add(struct vx_io *io, struct rte_mbuf *mbuf, uint64_t received_cycles, bool urgent)
{
    struct io_closing *closing = &io->closing;
    if (VX_UNLIKELY(!io_transmit(io, mbuf, received_cycles, urgent)))
        return NULL;
    if (closing->count == VX_BURST_MAX)
        io_closing_seal(io);
    closing->mbufs[closing->count] = mbuf;
    return &closing->sealings[closing->count++];
}

/* A place for a packet of the transport's own; NULL when there is no buffer or no room in the line. */
static struct vx_sealing *closing_new(struct vx_io *io, struct rte_mbuf **mbuf)
{
    *mbuf = rte_pktmbuf_alloc(io->config.pool);
    if (*mbuf != NULL)
        return closing_add(io, *mbuf, 0, false);
    io->counters.replies_dropped++;
    return NULL;
}

void io_keep_alive(struct vx_io *io, uint32_t session)
{
    struct rte_mbuf *mbuf;
    struct vx_sealing *sealing = closing_new(io, &mbuf);
    if (sealing != NULL) /* else the next interval brings another */
        vx_session_keep_alive(io->sessions, session, rte_pktmbuf_mtod(mbuf, uint8_t *), &io->time, sealing);
}

void io_disconnect(struct vx_io *io, uint32_t session)
{
    struct rte_mbuf *mbuf;
    struct vx_sealing *sealing = closing_new(io, &mbuf);
    if (sealing != NULL)
        vx_session_disconnect(io->sessions, session, rte_pktmbuf_mtod(mbuf, uint8_t *), sealing);
}

void io_open_drop(struct vx_io *io, uint32_t index)
{
    struct io_open *open = &io->open[index];
    io->counters.replies_late += open->packet.count;
    *vx_session_note(io->sessions, open->packet.session) = 0;
    rte_pktmbuf_free(open->mbuf);
    open->mbuf = NULL;
}

/* A finished packet: its header, its place in line, what sealing has to know. */
static VX_INLINE void packet_close(struct vx_io *io, struct rte_mbuf *mbuf, const struct io_packet *packet)
{
    if (VX_UNLIKELY(vx_session_is_unconfirmed(io->sessions, packet->session)))
        io_keep_alive(io, packet->session); /* its client passes over payloads until it has had one */
    struct vx_sealing *sealing = closing_add(io, mbuf, packet->received_cycles, packet->urgent);
    if (VX_UNLIKELY(sealing == NULL))
        return;
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    put64(frame + packet->head_bytes, (uint64_t)packet->player << 32 | (uint32_t)packet->count << 16 | VX_WIRE_VERSION << 8 | VX_WIRE_MAGIC_SERVER);
    sealing->frame = frame;
    sealing->session = packet->session;
    sealing->head_bytes = packet->head_bytes;
    sealing->payload_bytes = packet->payload_bytes;
}

/* Closes an open packet; its place in the FIFO stays until the tail passes. */
static void open_close(struct vx_io *io, struct io_open *open)
{
    struct rte_mbuf *mbuf = open->mbuf;
    *vx_session_note(io->sessions, open->packet.session) = 0;
    open->mbuf = NULL;
    packet_close(io, mbuf, &open->packet);
}

/* Lets go of what is at the FIFO's end: left already, due, or (forced) simply the oldest. */
static void open_expire(struct vx_io *io, uint64_t now, bool force)
{
    while (io->open_tail != io->open_head) {
        struct io_open *open = open_at(io, io->open_tail);
        if (open->mbuf != NULL) {
            if (!force && open->deadline > now)
                return;
            open_close(io, open);
        }
        force = false;
        io->open_tail++;
    }
}

/* Of rte_pktmbuf_reset only what a frame in one piece needs: what lies in the pool has one segment and no next. */
static VX_INLINE struct rte_mbuf *mbuf_new(struct vx_io *io)
{
    struct rte_mbuf *mbuf = rte_mbuf_raw_alloc(io->config.pool);
    if (VX_UNLIKELY(mbuf == NULL))
        return NULL;
    mbuf->data_off = RTE_PKTMBUF_HEADROOM;
    mbuf->ol_flags = 0;
    return mbuf;
}

/* A packet for the reply's session, without results. */
static VX_INLINE struct rte_mbuf *packet_begin(struct vx_io *io, const struct vx_reply *reply, struct io_packet *packet)
{
    struct rte_mbuf *mbuf = mbuf_new(io);
    if (VX_UNLIKELY(mbuf == NULL))
        return NULL;
    packet->session = reply->session;
    packet->player = reply->player;
    packet->head_bytes = (uint16_t)vx_session_head(io->sessions, reply->session, rte_pktmbuf_mtod(mbuf, uint8_t *));
    packet->payload_bytes = sizeof(struct vx_wire_reply_header);
    packet->count = 0;
    packet->urgent = false;
    packet->received_cycles = 0;
    return mbuf;
}

static_assert(offsetof(struct vx_reply, type) == 0 && offsetof(struct vx_reply, arg16) == offsetof(struct vx_wire_long, arg16) &&
                  offsetof(struct vx_reply, action_number) == offsetof(struct vx_wire_long, action_number) &&
                  offsetof(struct vx_reply, result_number) == sizeof(struct vx_wire_short) && offsetof(struct vx_reply, c) == offsetof(struct vx_wire_long, c),
              "a reply begins as its result lies on the wire");
/* Writes one result to `at`; returns its length. */
static VX_INLINE uint32_t result_write(uint8_t *at, const struct vx_reply *reply)
{
    memcpy(at, reply, sizeof(struct vx_wire_short));
    if ((reply->type & VX_RESULT_LONG_BIT) == 0)
        return sizeof(struct vx_wire_short);
    memcpy(at + sizeof(struct vx_wire_short), &reply->result_number, sizeof(struct vx_wire_long) - sizeof(struct vx_wire_short));
    return sizeof(struct vx_wire_long);
}

/* Of two times the earlier; 0 is none, and so is later than any. */
static inline uint64_t earlier(uint64_t a, uint64_t b)
{
    return a - 1 < b - 1 ? a : b;
}

static VX_INLINE void packet_add(struct rte_mbuf *mbuf, struct io_packet *packet, const struct vx_reply *reply)
{
    uint8_t *at = rte_pktmbuf_mtod(mbuf, uint8_t *) + packet->head_bytes + packet->payload_bytes;
    packet->payload_bytes = (uint16_t)(packet->payload_bytes + result_write(at, reply));
    packet->count++;
    packet->urgent |= (reply->flags & VX_REPLY_URGENT) != 0;
    packet->received_cycles = earlier(packet->received_cycles, reply->received_cycles);
}

static bool packet_has_room(const struct io_packet *packet, uint8_t type)
{
    return packet->payload_bytes + vx_result_bytes(type) <= VX_WIRE_REPLY_BYTES_MAX;
}

static void urgent_note(struct vx_io *io, const struct io_open *open)
{
    if (io->urgent_count < IO_OPEN_MAX)
        io->urgent[io->urgent_count++] = (uint32_t)(open - io->open);
}

/* Gives the packet a place where it waits for its window, or for the end of the pass. */
static void open_keep(struct vx_io *io, struct rte_mbuf *mbuf, const struct io_packet *packet, uint64_t now)
{
    if (io->open_head - io->open_tail == IO_OPEN_MAX)
        open_expire(io, now, true);
    struct io_open *open = open_at(io, io->open_head);
    *open = (struct io_open){ .mbuf = mbuf, .packet = *packet, .deadline = now + io->config.window_cycles };
    *vx_session_note(io->sessions, packet->session) = (io->open_head++ & (IO_OPEN_MAX - 1)) + 1;
    if (packet->urgent)
        urgent_note(io, open);
}

/* Adds to the session's open packet; false when it was full and has been closed. */
static bool open_add(struct vx_io *io, struct io_open *open, const struct vx_reply *reply)
{
    VX_ASSERT(open->mbuf != NULL && open->packet.session == reply->session);
    if (!packet_has_room(&open->packet, reply->type)) {
        open_close(io, open);
        return false;
    }
    bool was_urgent = open->packet.urgent;
    packet_add(open->mbuf, &open->packet, reply);
    if (open->packet.urgent && !was_urgent)
        urgent_note(io, open);
    return true;
}

/* One packet for the first of the replies and those right behind it that go to the same session: what answers a player's
 * packet comes in a row. Returns how many it took; 0 when there is no buffer. */
static VX_INLINE uint32_t run_send(struct vx_io *io, const struct vx_reply *replies, uint32_t count, uint64_t now)
{
    struct io_packet packet;
    struct rte_mbuf *mbuf = packet_begin(io, replies, &packet);
    if (VX_UNLIKELY(mbuf == NULL))
        return 0;
    uint32_t taken = 0;
    do {
        packet_add(mbuf, &packet, &replies[taken++]);
    } while (taken < count && replies[taken].session == packet.session && packet_has_room(&packet, replies[taken].type));
    /* Answers leave without the books of an open packet. What comes alone is often joined by more in the same pass, as a
     * hunt's end by its loot. */
    if (packet.urgent && taken > 1)
        packet_close(io, mbuf, &packet);
    else
        open_keep(io, mbuf, &packet, now);
    return taken;
}

static VX_INLINE uint32_t reply_take(struct vx_io *io, const struct vx_reply *replies, uint32_t count, uint64_t now)
{
    if (VX_UNLIKELY(!vx_session_is(io->sessions, replies[0].session))) {
        io->counters.replies_late++;
        return 0;
    }
    uint32_t note = *vx_session_note(io->sessions, replies[0].session);
    if (note != 0 && open_add(io, &io->open[note - 1], replies))
        return 1;
    return run_send(io, replies, count, now);
}

bool io_answer(struct vx_io *io, const struct vx_reply *reply, uint64_t now)
{
    return reply_take(io, reply, 1, now) == 1;
}

static void replies_gather(struct vx_io *io, const struct vx_reply *replies, uint32_t count, uint64_t now)
{
    uint32_t out = 0;
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || replies[i].session != replies[i - 1].session)
            vx_session_prefetch(io->sessions, replies[i].session);
    for (uint32_t i = 0, taken; i < count; i += taken > 0 ? taken : 1) {
        taken = reply_take(io, &replies[i], count - i, now);
        out += taken;
    }
    io->counters.replies_in += count;
    io->counters.replies_out += out;
    io->counters.replies_dropped += count - out;
}

/* Read where they lie in the ring: a reply is copied once, into its packet. */
static uint32_t drain(struct vx_io *io, struct rte_ring *ring, uint64_t now)
{
    struct rte_ring_zc_data zone;
    uint32_t total = 0, count;
    do {
        count = rte_ring_dequeue_zc_burst_elem_start(ring, sizeof(struct vx_reply), VX_BURST_MAX, &zone, NULL);
        if (count == 0)
            break;
        replies_gather(io, zone.ptr1, zone.n1, now);
        replies_gather(io, zone.ptr2, count - zone.n1, now);
        rte_ring_dequeue_zc_elem_finish(ring, count);
        total += count;
    } while (count == VX_BURST_MAX && total < REPLIES_PASS_MAX);
    return total;
}

static void urgent_close(struct vx_io *io)
{
    for (uint32_t i = 0; i < io->urgent_count; i++) {
        struct io_open *open = &io->open[io->urgent[i]];
        if (open->mbuf != NULL && open->packet.urgent)
            open_close(io, open);
    }
    io->urgent_count = 0;
}

static const struct io_tx *tx_at(const struct vx_io *io, uint32_t ahead)
{
    return &io->tx[(io->tx_tail + ahead) & (IO_TX_MAX - 1)];
}

/* Of the first `count` in line. What was received in one burst has one time, and mostly leaves in one. */
static void residence_record(struct vx_io *io, uint32_t count, uint64_t now)
{
    for (uint32_t i = 0, same; i < count; i += same) {
        const struct io_tx *tx = tx_at(io, i);
        for (same = 1; i + same < count && tx_at(io, i + same)->received_cycles == tx->received_cycles && tx_at(io, i + same)->urgent == tx->urgent;)
            same++;
        if (tx->received_cycles != 0 && now > tx->received_cycles)
            vx_hist_add_times(&io->residence[tx->urgent], now - tx->received_cycles, same);
    }
}

/* Hands the device one burst; what it does not take stays first in line. */
static uint32_t transmit_burst(struct vx_io *io)
{
    struct rte_mbuf *burst[VX_BURST_MAX];
    uint32_t count = io->tx_head - io->tx_tail;
    count = count < VX_BURST_MAX ? count : VX_BURST_MAX;
    uint64_t now = rte_rdtsc();
    if (count == 0)
        return 0;
    if (io->config.packets_per_s != 0 && !io_bucket_take(&io->allowance, now, io->config.cycles_per_s, count)) {
        io->counters.paced++;
        return 0;
    }
    uint64_t bytes = 0, small = 0;
    for (uint32_t i = 0; i < count; i++)
        burst[i] = tx_at(io, i)->mbuf;
    for (uint32_t i = 0; i < count; i++)
        bytes += burst[i]->pkt_len, small += burst[i]->pkt_len <= IO_INLINE_BYTES;
    uint32_t sent = rte_eth_tx_burst(io->config.port, io->config.queue, burst, (uint16_t)count);
    residence_record(io, sent, now);
    for (uint32_t i = sent; i < count; i++)
        bytes -= burst[i]->pkt_len, small -= burst[i]->pkt_len <= IO_INLINE_BYTES;
    io->tx_tail += sent;
    io->counters.packets_out += sent;
    io->counters.bytes_out += bytes;
    io->counters.packets_out_96 += small;
    io->counters.tx_full += sent < count;
    return sent == VX_BURST_MAX ? sent : 0;
}

uint32_t vx_io_send(struct vx_io *io, uint64_t now)
{
    uint32_t work = 0, version = __atomic_load_n(&io->wanted.version, __ATOMIC_ACQUIRE); /* released by vx_io_tune */
    if (VX_UNLIKELY(version != io->wanted_taken)) {
        io->wanted_taken = version;
        io_wanted_take(io);
    }
    if (io->netcode != NULL)
        work += io_netcode_step(io);
    for (uint32_t i = 0; i < io->config.reply_rings; i++)
        work += drain(io, io->config.replies[i], now);
    urgent_close(io);
    open_expire(io, now, false);
    io_closing_seal(io);
    work += io->tx_head - io->tx_tail;
    while (transmit_burst(io) > 0) {
    }
    return work;
}
