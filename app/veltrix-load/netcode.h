/* veltrix-load, the netcode transport: one session a player, each at an address of its own (--client-ip counted up).
 * netcode.c issues tokens and speaks the client's side of the handshake; netcode_packets.c seals and opens in bursts;
 * flood.c sends what nobody should have to suffer from. Bytes are lib/netcode's. */
#ifndef VELTRIX_LOAD_NETCODE_H
#define VELTRIX_LOAD_NETCODE_H

#include "load.h"
#include "vx_netcode.h"

enum { LOAD_SEND_MS = 100,  /* the standard's ten requests, responses, keep-alives a second */
       LOAD_WALK_MS = 20,   /* in which every session is looked at once */
       LOAD_GOODBYES = 10 };

enum load_session_state { LOAD_SESSION_REQUESTING,
                          LOAD_SESSION_RESPONDING,
                          LOAD_SESSION_CONNECTED,
                          LOAD_SESSION_OVER };
struct load_session {
    uint8_t client_key[VX_NETCODE_KEY_BYTES], server_key[VX_NETCODE_KEY_BYTES];
    struct vx_netcode_replay replay;
    uint64_t sequence;    /* of the next packet that we seal */
    uint32_t heard_ms;    /* something authentic; before that, the arrival */
    uint32_t arrived_ms;
    uint8_t state;        /* enum load_session_state */
} VX_ALIGNED;
static_assert(sizeof(struct load_session) == 128, "two cache lines");

/* What a request carries, and once it is answered, what the response does. */
union load_ticket {
    struct {
        uint8_t nonce[VX_NETCODE_TOKEN_NONCE_BYTES], sealed[VX_NETCODE_PRIVATE_BYTES];
    };
    uint8_t step[VX_NETCODE_STEP_BYTES];
};

struct load_netcode {
    struct load_session *sessions;
    union load_ticket *tickets;
    uint32_t *sent_ms; /* when each session last sent: apart, because the walk reads nothing else of most */
    struct vx_netcode_aads aads;
    struct vx_netcode_token token; /* of all, but for nonce and sealed part */
    uint8_t key[VX_NETCODE_KEY_BYTES];
    struct vx_aead *aead;
    struct vx_aead_job jobs[LOAD_TX_MAX]; /* of packets in load->tx that are not sealed yet, */
    struct rte_mbuf *job_mbufs[LOAD_TX_MAX]; /* and their frames */
    uint32_t job_count;
    uint32_t arrived;    /* sessions 0 to arrived - 1 have begun */
    uint32_t invited;    /* so many may begin, `arrive` of them a second */
    uint32_t walk_place;
    double walk_owed, arrivals_owed;
    uint64_t walked_ns;
    uint64_t invited_ns; /* when the latest were invited, */
    uint64_t connected_ns; /* and when one was last connected */
    struct load_flood *flood;
};

/* netcode.c. 0 or a negative errno with a sentence. */
int load_netcode_create(struct load *load, struct vx_error *error);
void load_netcode_free(struct load *load);
/* The first `count` sessions may begin from now on. */
void load_netcode_invite(struct load *load, uint32_t count, uint64_t now_ns);
/* What time brings: arrivals, requests, responses, keep-alives, silence that has lasted too long. Returns packets queued. */
uint32_t load_netcode_step(struct load *load, uint64_t now_ns);
/* Every session that was invited is connected or will never be. */
bool load_netcode_settled(const struct load *load);
/* After a third of the run the last `options.storm` players arrive at once; when all are connected, they play. */
void load_storm_step(struct load *load, uint64_t now_ns, uint64_t elapsed_ns);
/* Plain transport: true. */
bool load_netcode_may_play(const struct load *load, uint32_t id);
/* Room for the session's next payload; NULL when it is over or there is no buffer. load_sealed_end() queues it. */
uint8_t *load_netcode_payload(struct load *load, uint32_t id, uint32_t bytes, uint64_t now_ns, struct rte_mbuf **mbuf);
/* A packet of the server's that has been opened: text is its data. */
void load_netcode_take(struct load *load, uint32_t id, const struct vx_netcode_packet *packet, const uint8_t *text, uint64_t now_ns);
/* Queues goodbyes, ten to a session, and waits until they have left. */
void load_netcode_leave(struct load *load);

/* netcode_packets.c */
/* A frame from the source'th address with room for `bytes` of UDP payload; NULL without a buffer. */
struct rte_mbuf *load_session_frame(struct load *load, uint32_t source, uint32_t bytes);
/* Room for a sealed packet of the session in a new buffer: returns where its data goes, NULL without a buffer. */
uint8_t *load_sealed_begin(struct load *load, uint32_t id, uint8_t type, uint32_t bytes, struct rte_mbuf **mbuf);
/* Queues it. It is sealed with the rest of its burst. */
void load_sealed_end(struct load *load, struct rte_mbuf *mbuf);
bool load_sealed_send(struct load *load, uint32_t id, uint8_t type, const void *data, uint32_t bytes);
bool load_request_send(struct load *load, uint32_t source, const union load_ticket *ticket);
/* Seals what waits in load->tx; before it is sent. */
void load_netcode_seal(struct load *load);
/* Opens a received burst and takes what is authentic. */
void load_netcode_receive(struct load *load, struct rte_mbuf **mbufs, uint32_t count, uint64_t now_ns);

/* flood.c: beside the players' packets, `options.flood` times as many of others, in every other second. */
int load_flood_create(struct load *load);
void load_flood_step(struct load *load, uint64_t elapsed_ns);
/* Keeps a packet that has been sealed, to send it again. */
void load_flood_record(struct load_flood *flood, const struct rte_mbuf *mbuf);

/* A ticket of its own for a client id: new keys, new nonce. */
void load_ticket_issue(struct load *load, uint64_t client_id, struct load_session *session, union load_ticket *ticket);

#endif
