/* io lcore, outwards: replies are gathered per session, and a packet leaves at the end of the pass when
 * something in it is urgent, else when its window ends. Data plane. */
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ring_elem.h>
#include <string.h>

#include "io_private.h"

static struct io_open *open_at(struct vx_io *io, uint32_t index)
{
    return &io->open[index & (IO_OPEN_MAX - 1)];
}

void io_transmit(struct vx_io *io, struct rte_mbuf *mbuf, uint64_t received_cycles, bool urgent)
{
    if (io->tx_head - io->tx_tail == IO_TX_MAX) {
        io->counters.replies_dropped++;
        rte_pktmbuf_free(mbuf);
        return;
    }
    io->tx[io->tx_head++ & (IO_TX_MAX - 1)] = (struct io_tx){ mbuf, received_cycles, urgent };
}

/* Seals an open packet and puts it on the way; its place in the FIFO stays until the tail passes. */
static void open_close(struct vx_io *io, struct io_open *open)
{
    uint8_t *frame = rte_pktmbuf_mtod(open->mbuf, uint8_t *);
    uint32_t bytes = vx_session_seal(io->sessions, open->session, frame, open->head_bytes, open->payload_bytes);
    open->mbuf->data_len = (uint16_t)bytes;
    open->mbuf->pkt_len = bytes;
    *vx_session_note(io->sessions, open->session) = 0;
    io_transmit(io, open->mbuf, open->received_cycles, open->urgent);
    open->mbuf = NULL;
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

static struct io_open *open_new(struct vx_io *io, const struct vx_reply *reply, uint64_t now)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(io->config.pool);
    if (VX_UNLIKELY(mbuf == NULL))
        return NULL;
    if (io->open_head - io->open_tail == IO_OPEN_MAX)
        open_expire(io, now, true);
    struct io_open *open = open_at(io, io->open_head);
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    open->mbuf = mbuf;
    open->session = reply->session;
    open->head_bytes = (uint16_t)vx_session_head(io->sessions, reply->session, frame);
    open->payload_bytes = sizeof(struct vx_wire_reply_header);
    open->deadline = now + io->config.window_cycles;
    open->received_cycles = 0;
    open->urgent = false;
    struct vx_wire_reply_header header = { VX_WIRE_MAGIC_SERVER, VX_WIRE_VERSION, 0, 0, reply->player };
    memcpy(frame + open->head_bytes, &header, sizeof(header));
    *vx_session_note(io->sessions, reply->session) = (io->open_head++ & (IO_OPEN_MAX - 1)) + 1;
    return open;
}

static void result_write(struct io_open *open, const struct vx_reply *reply)
{
    uint8_t *payload = rte_pktmbuf_mtod(open->mbuf, uint8_t *) + open->head_bytes;
    struct vx_wire_reply_header *header = (struct vx_wire_reply_header *)payload;
    header->count++;
    if (reply->type & VX_RESULT_LONG_BIT) {
        struct vx_wire_long *result = (struct vx_wire_long *)(payload + open->payload_bytes);
        *result = (struct vx_wire_long){ reply->type, reply->code, reply->arg16, reply->action_number, reply->result_number, reply->a, reply->b, reply->c };
    } else {
        struct vx_wire_short *result = (struct vx_wire_short *)(payload + open->payload_bytes);
        *result = (struct vx_wire_short){ reply->type, reply->code, reply->arg16, reply->action_number };
    }
    open->payload_bytes = (uint16_t)(open->payload_bytes + vx_result_bytes(reply->type));
}

bool io_answer(struct vx_io *io, const struct vx_reply *reply, uint64_t now)
{
    uint32_t note = *vx_session_note(io->sessions, reply->session);
    struct io_open *open = note != 0 ? &io->open[note - 1] : NULL;
    if (open != NULL && open->payload_bytes + vx_result_bytes(reply->type) > VX_WIRE_REPLY_BYTES_MAX) {
        open_close(io, open);
        open = NULL;
    }
    if (open == NULL)
        open = open_new(io, reply, now);
    if (VX_UNLIKELY(open == NULL))
        return false;
    VX_ASSERT(open->mbuf != NULL && open->session == reply->session);
    result_write(open, reply);
    if (reply->received_cycles != 0 && (open->received_cycles == 0 || reply->received_cycles < open->received_cycles))
        open->received_cycles = reply->received_cycles;
    if ((reply->flags & VX_REPLY_URGENT) && !open->urgent) {
        open->urgent = true;
        if (io->urgent_count < IO_OPEN_MAX)
            io->urgent[io->urgent_count++] = (uint32_t)(open - io->open);
    }
    return true;
}

static uint32_t drain(struct vx_io *io, struct rte_ring *ring, uint64_t now)
{
    struct vx_reply replies[VX_BURST_MAX];
    uint32_t total = 0, count;
    do {
        count = rte_ring_sc_dequeue_burst_elem(ring, replies, sizeof(replies[0]), VX_BURST_MAX, NULL);
        for (uint32_t i = 0; i < count; i++)
            vx_session_prefetch(io->sessions, replies[i].session);
        for (uint32_t i = 0; i < count; i++) {
            if (io_answer(io, &replies[i], now))
                io->counters.replies_out++;
            else
                io->counters.replies_dropped++;
        }
        total += count;
    } while (count == VX_BURST_MAX && total < 4 * VX_BURST_MAX);
    io->counters.replies_in += total;
    return total;
}

static void urgent_close(struct vx_io *io)
{
    for (uint32_t i = 0; i < io->urgent_count; i++) {
        struct io_open *open = &io->open[io->urgent[i]];
        if (open->mbuf != NULL && open->urgent)
            open_close(io, open);
    }
    io->urgent_count = 0;
}

static void residence_record(struct vx_io *io, const struct io_tx *tx, uint64_t now)
{
    if (tx->received_cycles != 0 && now > tx->received_cycles)
        vx_hist_add(&io->residence[tx->urgent], now - tx->received_cycles);
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
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        burst[i] = io->tx[(io->tx_tail + i) & (IO_TX_MAX - 1)].mbuf;
    for (uint32_t i = 0; i < count; i++)
        bytes += burst[i]->pkt_len;
    uint32_t sent = rte_eth_tx_burst(io->config.port, io->config.queue, burst, (uint16_t)count);
    for (uint32_t i = 0; i < sent; i++)
        residence_record(io, &io->tx[(io->tx_tail + i) & (IO_TX_MAX - 1)], now);
    for (uint32_t i = sent; i < count; i++)
        bytes -= burst[i]->pkt_len;
    io->tx_tail += sent;
    io->counters.packets_out += sent;
    io->counters.bytes_out += bytes;
    io->counters.tx_full += sent < count;
    return sent == VX_BURST_MAX ? sent : 0;
}

uint32_t vx_io_send(struct vx_io *io, uint64_t now)
{
    uint32_t work = 0;
    for (uint32_t i = 0; i < io->config.reply_rings; i++)
        work += drain(io, io->config.replies[i], now);
    urgent_close(io);
    open_expire(io, now, false);
    work += io->tx_head - io->tx_tail;
    while (transmit_burst(io) > 0) {
    }
    return work;
}
