/* The io lcore's private state, shared by io.c (create), io_receive.c and io_send.c. */
#ifndef VX_LCORE_IO_PRIVATE_H
#define VX_LCORE_IO_PRIVATE_H

#include "vx_lcore.h"

enum {
    IO_INLINE_BYTES = 96, /* header room of a 128-byte LLQ entry */
    IO_OPEN_MAX = 8192,   /* reply packets waiting for their window, a power of two */
    IO_TX_MAX = 1024,     /* packets sealed and not yet taken by the device, a power of two */
    IO_HEAD_BYTES = 96,   /* most that Ethernet, VLANs, IPv6 and UDP take */
};

/* A reply packet under construction. A session's note is 1 + its index here. */
struct io_open {
    struct rte_mbuf *mbuf; /* NULL: left before its window ended */
    uint32_t session;
    uint32_t player;
    uint16_t head_bytes, payload_bytes;
    uint8_t count;            /* results */
    uint64_t deadline;        /* TSC */
    uint64_t received_cycles; /* of the oldest action answered inside, 0 when none */
    bool urgent;
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
struct io_bucket { /* tokens grow with time, up to a tenth of a second's worth */
    uint64_t per_s, level, level_max; /* in cycles * tokens: no division on the way */
    uint64_t updated;
};

struct vx_io {
    struct vx_io_config config;
    struct vx_frame_filter filter_checked; /* where the NIC has verified */
    struct vx_session_table *sessions;
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
/* Puts a frame in line for the device; false, the frame freed and counted as dropped, when the line is full. */
bool io_transmit(struct vx_io *io, struct rte_mbuf *mbuf, uint64_t received_cycles, bool urgent);

#endif
