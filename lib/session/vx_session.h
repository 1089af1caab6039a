/* session: who a packet is from, and how to answer. The seam for transports, which are told apart once a burst:
 *
 *   plain    the player id is believed and indexes the table; the way back is taken from the latest packet
 *   netcode  netcode 1.02: sessions are found by address, packets are sealed; see below
 *
 * One private table per io lcore: no locks, no sharing. Data plane, but for creation. */
#ifndef VX_SESSION_H
#define VX_SESSION_H

#include "vx_admission.h"
#include "vx_base.h"
#include "vx_netcode.h"
#include "vx_wire.h"

/* A packet of a burst on its way in. */
struct vx_packet {
    uint8_t *data;      /* first byte of the frame */
    uint32_t bytes;
    struct vx_frame frame;
    uint32_t session;   /* out */
    uint32_t player;    /* out: whose place in the shards it is: shard player % shards, slot player / shards */
    const struct vx_wire_header *header; /* out: authenticated payload */
    uint8_t drop;       /* enum vx_drop; packets with a reason are passed over */
};
struct vx_session_time {
    uint32_t now_ms; /* any clock that does not go back; it wraps */
    uint64_t now_s;  /* Unix time, which connect tokens are dated by; plain transport: not read */
};
struct vx_session_table;

/* memory: vx_session_table_bytes(players) bytes, cache-aligned, zeroed, borrowed. */
size_t vx_session_table_bytes(uint32_t players);
struct vx_session_table *vx_session_table_create(void *memory, uint32_t players);
/* Start-up. The port computes checksums: IPv4's is left zero, UDP's is what the pseudo header sums up to, as cards want it. */
void vx_session_checksums_by_port(struct vx_session_table *table);
/* Opens a burst: checks payloads, finds sessions (prefetching), records the way back. */
void vx_session_open(struct vx_session_table *table, struct vx_packet *packets, uint32_t count, const struct vx_session_time *time);
/* Writes what goes before the payload for the way back to the session into frame (capacity at least 96 bytes, all of
 * which may be written); returns its length. What it begins has to be sealed: a sequence number may be spent on it. */
uint32_t vx_session_head(struct vx_session_table *table, uint32_t session, uint8_t *frame);
/* A packet on its way out: vx_session_head has written its head, the payload follows it, and room for a tag of 16 bytes. */
struct vx_sealing {
    uint8_t *frame;
    uint32_t session;
    uint16_t head_bytes, payload_bytes;
    uint32_t bytes; /* out: the frame's length */
    uint8_t l2_bytes, l3_bytes; /* out: of Ethernet with its tags; of IP */
};
/* Completes a burst of at most VX_BURST_MAX: encryption, lengths and checksums. */
void vx_session_seal(struct vx_session_table *table, struct vx_sealing *sealings, uint32_t count);
void vx_session_prefetch(const struct vx_session_table *table, uint32_t session);
/* Room for the io lcore's own note per session (its open reply packet); 0 when none. */
uint32_t *vx_session_note(struct vx_session_table *table, uint32_t session);

/* ---- netcode 1.02, server side ----
 *
 *             request ──▶ open: cheap checks ─▶ ask: budget, token ─▶ admission ─▶ verdict: challenge, a pending place
 *            response ──▶ open: authenticate ─▶ ask: challenge token ▶ admission ─▶ verdict: keep-alive, connected
 *   keep-alive, payload ▶ open: authenticate, mark; done, or decode
 *          disconnect ──▶ open: authenticate ─▶ due: closed ─▶ end
 *
 * What is kept before the challenge is answered is the keys of a token that its backend has sealed, for as long as
 * the token's time-out: the standard's encryption mapping, without which the response could not be opened. A token makes
 * one such place at a time, and only its address's. Names of sessions carry the generation of their place: what is late
 * for a session that has ended misses whoever has its place next. */
struct vx_session_netcode_config {
    uint32_t places;   /* sessions of this lcore, connected or pending; below 2^23 */
    uint32_t players;  /* of the appliance: what keep-alives tell clients as the number of their slots */
    uint32_t lcore;    /* this io lcore: keeps the sequence numbers apart that one token's key may seal */
    uint64_t protocol_id;
    struct vx_netcode_keys keys;
    struct vx_netcode_address addresses[16]; /* the server's, as tokens name it */
    uint32_t address_count;
    uint64_t expire_s_min; /* tokens that expire earlier may have been used before this start */
    uint32_t keepalive_ms; /* at most; never over a third of a session's time-out */
    uint32_t handshakes_per_s, handshakes_per_network_per_s; /* 0: no limit */
    uint64_t seed;         /* secret, random */
    uint8_t challenge_key[VX_NETCODE_KEY_BYTES]; /* random, of this lcore and this start alone */
    uint32_t now_ms;
};
/* One writer (the io lcore). */
struct vx_session_counters {
    uint64_t connected, pending;            /* gauges */
    uint64_t tokens_opened, challenges_sent, denials_sent, keep_alives_sent;
    uint64_t users_unsaid;                  /* tokens whose user data is not ours: players with defaults */
    uint64_t unproved_bytes_in, unproved_bytes_out; /* UDP payload of requests, of answers to them */
};
/* Bytes per place, and the table's whole: cache-aligned, zeroed memory, borrowed. */
size_t vx_session_netcode_bytes(uint32_t places);
struct vx_session_table *vx_session_netcode_create(void *memory, const struct vx_session_netcode_config *config);
/* NULL for the plain transport. */
const struct vx_session_counters *vx_session_counters(const struct vx_session_table *table);

/* For a packet that open has marked NETCODE_HANDSHAKE. True: `ask` is for admission, and the packet (the struct as it is
 * now, and its bytes) must be kept until the verdict. False: packet->drop says why not. */
bool vx_session_ask(struct vx_session_table *table, struct vx_packet *packet, const struct vx_session_time *time, struct vx_admission_ask *ask);
/* Takes back what vx_session_ask has begun, when the ask could not be sent: the client repeats itself. */
void vx_session_unask(struct vx_session_table *table, const struct vx_packet *packet);
struct vx_session_joined {
    uint32_t session, player, connection;
    bool resumes;
    struct vx_user user;
};
/* Admission's verdict on the packet's ask. Returns the length of the answer, which then lies in packet->data and is not
 * longer than what asked for it; 0: nothing is to be sent. *joined tells when a client was connected by it. */
uint32_t vx_session_verdict(struct vx_session_table *table, struct vx_packet *packet, const struct vx_admission_verdict *verdict,
                            const struct vx_session_time *time, struct vx_session_joined *joined, bool *connected);
/* The shard has been told of the session: its payloads are let through from now on. */
void vx_session_told(struct vx_session_table *table, uint32_t session);
/* False for a session that has ended: what is for it must be let go. */
bool vx_session_is(const struct vx_session_table *table, uint32_t session);
/* True until the client has shown that it knows of its connection: each payload is preceded by a keep-alive. */
bool vx_session_is_unconfirmed(const struct vx_session_table *table, uint32_t session);

enum vx_due_kind { VX_DUE_KEEP_ALIVE = 1, VX_DUE_LOST, VX_DUE_CLOSED };
struct vx_session_due {
    uint32_t session, player;
    uint8_t kind; /* enum vx_due_kind */
};
/* What time has brought, at most `max` of it: keep-alives to send; sessions to end, told again until they are. */
uint32_t vx_session_due(struct vx_session_table *table, const struct vx_session_time *time, struct vx_session_due *due, uint32_t max);
/* Forgets a connected session and wipes its keys. Nothing of it may be waiting to be sealed. */
void vx_session_end(struct vx_session_table *table, uint32_t session);
/* Head and text of a keep-alive, or of a disconnect, to be sealed. Returns head and payload bytes in *sealing. */
void vx_session_keep_alive(struct vx_session_table *table, uint32_t session, uint8_t *frame, const struct vx_session_time *time, struct vx_sealing *sealing);
void vx_session_disconnect(struct vx_session_table *table, uint32_t session, uint8_t *frame, struct vx_sealing *sealing);
/* The next connected session from *cursor on (0 at first), for those who tell all of them something; false at the end. */
bool vx_session_each(const struct vx_session_table *table, uint32_t *cursor, uint32_t *session);
/* Every invariant that can be seen from inside, by a full walk; for tests. */
void vx_session_check(const struct vx_session_table *table);

#endif
