/* session: who a packet is from, and how to answer. The seam for transports: plain here, netcode later.
 * One private table per io lcore: no locks, no sharing. Plain transport: the player id indexes the
 * table directly; the way back is taken from the latest packet. */
#ifndef VX_SESSION_H
#define VX_SESSION_H

#include "vx_base.h"
#include "vx_wire.h"

/* A packet of a burst on its way in. */
struct vx_packet {
    uint8_t *data;      /* first byte of the frame */
    uint32_t bytes;
    struct vx_frame frame;
    uint32_t session;   /* out */
    const struct vx_wire_header *header; /* out: authenticated payload */
    uint8_t drop;       /* enum vx_drop; packets with a reason are passed over */
};
struct vx_session_table;

/* memory: vx_session_table_bytes(players) bytes, cache-aligned, zeroed, borrowed. */
size_t vx_session_table_bytes(uint32_t players);
struct vx_session_table *vx_session_table_create(void *memory, uint32_t players);
/* Opens a burst: checks payloads, finds sessions (prefetching), records the way back. */
void vx_session_open(struct vx_session_table *table, struct vx_packet *packets, uint32_t count);
/* Writes Ethernet, VLAN, IP and UDP headers for the way back to the session into frame (capacity at
 * least 96 bytes, all of which may be written); returns their length, where the payload begins. */
uint32_t vx_session_head(const struct vx_session_table *table, uint32_t session, uint8_t *frame);
/* A packet on its way out: vx_session_head has written its head, the payload follows it. */
struct vx_sealing {
    uint8_t *frame;
    uint32_t session;
    uint16_t head_bytes, payload_bytes;
    uint32_t bytes; /* out: the frame's length */
};
/* Completes a burst: lengths and checksums, in software (a later transport encrypts here, and bursts are what makes
 * that cheap). */
void vx_session_seal(const struct vx_session_table *table, struct vx_sealing *sealings, uint32_t count);
void vx_session_prefetch(const struct vx_session_table *table, uint32_t session);
/* Room for the io lcore's own note per session (its open reply packet); 0 when none. */
uint32_t *vx_session_note(struct vx_session_table *table, uint32_t session);

#endif
