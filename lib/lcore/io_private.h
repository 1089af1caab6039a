/* The io lcore's private state, shared by io.c (create), io_receive.c and io_send.c. */
#ifndef VX_LCORE_IO_PRIVATE_H
#define VX_LCORE_IO_PRIVATE_H

#include "vx_lcore.h"

enum {
    IO_INLINE_BYTES = 96, /* header room of a 128-byte LLQ entry */
    IO_RECIPROCAL_BITS = 40, /* player / shards is player * (2^40 / shards + 1) >> 40, exact while their product is below 2^40 */
    IO_OPEN_MAX = 8192,   /* reply packets waiting for their window, a power of two */
    IO_TX_MAX = 1024,     /* packets sealed and not yet taken by the device, a power of two */
    IO_HEAD_BYTES = 96,   /* most that Ethernet, VLANs, IPv6, UDP and a netcode header take */
    IO_ASKED_MAX = 512,   /* handshakes that admission is being asked about, a power of two */
    IO_NOTICES_MAX = 1024, /* JOIN and PART that a full ring keeps waiting, a power of two */
    IO_ASKS_FOR_ENDS = 256, /* of the ask ring: left free by handshakes, so that sessions can end */
};

/* A reply packet under construction. */
struct io_packet {
    uint32_t session;
    uint32_t player;
    uint16_t head_bytes, payload_bytes;
    uint8_t count;            /* results */
    bool urgent;
    uint64_t received_cycles; /* of the oldest action answered inside, 0 when none */
};
/* One that waits for its window, in the FIFO. A session's note is 1 + its index here. */
struct io_open {
    struct rte_mbuf *mbuf; /* NULL: left before its window ended */
    struct io_packet packet;
    uint64_t deadline;     /* TSC */
};
struct io_tx {
    struct rte_mbuf *mbuf;
    uint64_t received_cycles;
    bool urgent;
};
/* Packets that are closed and not yet sealed: sealing works on bursts. */
struct io_closing {
    struct vx_sealing sealings[VX_BURST_MAX];
    struct rte_mbuf *mbufs[VX_BURST_MAX];
    uint32_t count;
};
/* A handshake's buffer, which rests here until admission's verdict. */
struct io_asked {
    struct rte_mbuf *mbuf;
    struct vx_packet packet;
};
struct io_netcode {
    uint64_t ms_per_cycle_64;  /* milliseconds = cycles * this >> 64 */
    uint32_t asked_head, asked_tail, notice_head, notice_tail;
    uint32_t waiting_count;
    struct io_asked waiting[VX_BURST_MAX]; /* of this burst, not yet looked at */
    struct io_asked asked[IO_ASKED_MAX];
    struct vx_event notices[IO_NOTICES_MAX];
    uint32_t goodbye_cursor;
    bool goodbye, goodbye_done; /* io: rw; done: control: ro */
    bool goodbye_wanted VX_ALIGNED; /* control: rw, io: ro */
};
struct io_bucket { /* tokens grow with time, up to a tenth of a second's worth */
    uint64_t per_s, level, level_max; /* in cycles * tokens: no division on the way */
    uint64_t updated;
};

struct vx_io {
    struct vx_io_config config;
    struct vx_frame_filter filter_checked; /* where the NIC has verified */
    struct vx_session_table *sessions;
    uint64_t shards_reciprocal;
    struct io_netcode *netcode; /* NULL: plain transport */
    struct vx_session_time time;
    struct io_bucket allowance, busy;
    uint32_t open_head, open_tail; /* open[] is a FIFO: equal windows end in order */
    uint32_t tx_head, tx_tail;
    uint32_t urgent_count;
    uint32_t urgent[IO_OPEN_MAX];
    struct io_open open[IO_OPEN_MAX];
    struct io_tx tx[IO_TX_MAX];
    struct io_closing closing;
    struct vx_packet packets[VX_BURST_MAX];
    struct rte_mbuf *mbufs[VX_BURST_MAX];
    struct vx_io_counters counters VX_ALIGNED;
    struct vx_hist residence[2] VX_ALIGNED;
    uint32_t wanted_taken;  /* io: the version that is in force */
    struct {                /* control: rw, io: ro. Values that do not belong together, so a mix of two changes does no harm */
        uint64_t window_cycles, packets_per_s, busy_per_s;
        uint32_t version;
    } wanted VX_ALIGNED;
};

/* Puts the control thread's values in force. */
void io_wanted_take(struct vx_io *io);

/* Takes `tokens` from the bucket when there are as many. */
bool io_bucket_take(struct io_bucket *bucket, uint64_t now, uint64_t cycles_per_s, uint64_t tokens);
/* Exchanges packets of io->mbufs with the other io lcores of the port, so that each has its own flows; returns how many
 * there are now, at most VX_BURST_MAX. */
uint32_t io_spread(struct vx_io *io, uint32_t count);
/* Adds one result to the session's open packet; false when there was no room for it. */
bool io_answer(struct vx_io *io, const struct vx_reply *reply, uint64_t now);
/* Lets an open packet go, unsent. */
void io_open_drop(struct vx_io *io, uint32_t index);
/* Seals what is closed and puts it on the way out. */
void io_closing_seal(struct vx_io *io);
/* A keep-alive, a disconnect for a session, to be sealed with the others. */
void io_keep_alive(struct vx_io *io, uint32_t session);
void io_disconnect(struct vx_io *io, uint32_t session);
/* io_netcode.c. clock: once a pass, before anything that reads io->time. ask: what waits of this burst; buffers that are done
 * with go to io->mbufs[done …]; returns the new `done`. step: the rest of a pass. */
void io_netcode_clock(struct vx_io *io, uint64_t now);
uint32_t io_netcode_ask(struct vx_io *io, uint32_t done, bool under_load);
uint32_t io_netcode_step(struct vx_io *io);
/* Puts a frame in line for the device; false, the frame freed and counted as dropped, when the line is full. */
bool io_transmit(struct vx_io *io, struct rte_mbuf *mbuf, uint64_t received_cycles, bool urgent);

#endif
