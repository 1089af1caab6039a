/* admission: who gets in, decided in one place for all io lcores: which connect tokens were used, which clients are
 * connected, which player's place is whose. A pure state machine: time and questions in, verdicts out, in order; no clock,
 * no NIC, no allocation. One lcore owns it; the others ask over rings.
 *
 *   io lcore                                   admission
 *   request, token opened ── ASK_REQUEST ────▶ token pending for its address?   ─▶ challenge it | deny it | say nothing
 *   response, challenge opened ─ ASK_RESPONSE ▶ client not connected, a place?  ─▶ player, connection number | …
 *   session ended ────────── ASK_GONE ───────▶ place kept for grace_ms, or free (no verdict)
 *
 * Rules (STANDARD.md of netcode, "Connect Token History"): a token is pending for the address that showed it first, and
 * consumed when its client is connected; then it admits nothing until it expires. A full history refuses new tokens,
 * because evicting one would let it be used again. One connection per client id. */
#ifndef VX_ADMISSION_H
#define VX_ADMISSION_H

#include "vx_base.h"

enum { VX_ADMISSION_TAG_BYTES = 16, VX_ADMISSION_FROM_BYTES = 20, VX_ADMISSION_SHARD_ANY = UINT16_MAX, VX_ADMISSION_TOKENS_MAX = 1 << 22 };

enum vx_ask { VX_ASK_REQUEST = 1, VX_ASK_RESPONSE, VX_ASK_GONE };
enum vx_gone { VX_GONE_LOST, VX_GONE_CLOSED }; /* timed out: the place is kept for grace_ms; left on purpose: it is free */
struct vx_admission_ask {
    uint8_t kind;   /* enum vx_ask */
    uint8_t how;    /* GONE: enum vx_gone */
    uint16_t shard; /* REQUEST, RESPONSE: where the token sends the client, or VX_ADMISSION_SHARD_ANY */
    uint32_t token; /* RESPONSE: the name that the request's verdict gave the token */
    uint64_t client_id; /* REQUEST, RESPONSE */
    union {
        struct { /* REQUEST */
            uint64_t expire_s;                     /* Unix time */
            uint8_t tag[VX_ADMISSION_TAG_BYTES];   /* what a token is known by */
            uint8_t from[VX_ADMISSION_FROM_BYTES]; /* address and port, compared as they are */
        };
        uint32_t player; /* GONE: each connection ends once */
    };
};
static_assert(sizeof(struct vx_admission_ask) == 64, "one question, one cache line");

enum vx_verdict { VX_VERDICT_ADMIT = 1, VX_VERDICT_DENY, VX_VERDICT_IGNORE };
struct vx_admission_verdict {
    uint8_t verdict;     /* enum vx_verdict */
    bool resumes;        /* RESPONSE admitted: the client has had this place before, and kept it */
    uint16_t reserved;
    uint32_t token;      /* REQUEST admitted */
    uint32_t player;     /* RESPONSE admitted: below players; its shard is player % shards, its slot player / shards */
    uint32_t connection; /* RESPONSE admitted: grows with every connection of the appliance, from 1 */
};
static_assert(sizeof(struct vx_admission_verdict) == 16, "verdict ring element");

struct vx_admission_config {
    uint32_t players, shards; /* places; player p is in shard p % shards */
    uint32_t tokens;          /* unexpired tokens remembered, at most VX_ADMISSION_TOKENS_MAX */
    uint32_t grace_ms;
    uint64_t seed;            /* secret: spreads clients and tokens over buckets */
};

/* One writer (the owning lcore). requests = Σ of what became of them, and responses likewise. */
#define VX_ADMISSION_COUNTERS(X)                                                                   \
    X(requests, "connection requests whose token is good")                                         \
    X(responses, "challenge responses that are good")                                              \
    X(challenged, "requests answered with a challenge")                                            \
    X(connected, "clients connected")                                                              \
    X(resumed, "of these, back within their grace time")                                           \
    X(denied_full, "denied: no place")                                                             \
    X(denied_shard, "denied: the token names a shard that is not here")                            \
    X(ignored_client_connected, "ignored: a second client with the same id")                       \
    X(ignored_token_other_address, "ignored: token pending for another address")                   \
    X(ignored_token_consumed, "ignored: token that has connected a client before")                 \
    X(ignored_history_full, "ignored: too many unexpired tokens to remember one more")             \
    X(gone_lost, "connections that timed out")                                                     \
    X(gone_closed, "connections that the client closed")                                           \
    X(grace_ended, "clients that did not come back in time")
struct vx_admission_counters {
#define VX_ADMISSION_COUNTER_FIELD(name, sentence) uint64_t name;
    VX_ADMISSION_COUNTERS(VX_ADMISSION_COUNTER_FIELD)
#undef VX_ADMISSION_COUNTER_FIELD
    uint64_t clients, clients_in_grace, tokens; /* gauges */
};

struct vx_admission;
size_t vx_admission_bytes(const struct vx_admission_config *config);
/* memory: vx_admission_bytes() bytes, cache-aligned, zeroed, borrowed. now_ms: any clock that does not go back. */
struct vx_admission *vx_admission_create(void *memory, const struct vx_admission_config *config, uint32_t now_ms);
/* Ends what is due, then answers the questions in order: one verdict for each REQUEST and RESPONSE, none for GONE.
 * verdicts: room for count. now_s: Unix time. Returns the number of verdicts. */
uint32_t vx_admission_step(struct vx_admission *admission, uint32_t now_ms, uint64_t now_s, const struct vx_admission_ask *asks, uint32_t count,
                           struct vx_admission_verdict *verdicts);
const struct vx_admission_counters *vx_admission_counters(const struct vx_admission *admission);
/* Every invariant that can be seen from inside, by a full walk; for tests and the simulator. */
void vx_admission_check(const struct vx_admission *admission);

/* ---- how many handshakes are even looked at ----
 * One io lcore's allowance, taken before a token is opened, which costs as much as serving several players: per second, and
 * per second and source network (/24, /56). Networks share buckets by a secret hash: memory is fixed whoever asks. */
struct vx_handshake_budget;
enum vx_budget { VX_BUDGET_TAKEN, VX_BUDGET_RATE, VX_BUDGET_NETWORK };
/* What vx_handshake_budget_create() needs. */
size_t vx_handshake_budget_bytes(void);
/* 0 for a limit: none. memory: zeroed, cache-aligned, borrowed. */
struct vx_handshake_budget *vx_handshake_budget_create(void *memory, uint32_t per_s, uint32_t network_per_s, uint64_t seed);
/* address: 4 or 16 bytes in network order. VX_BUDGET_TAKEN, or which limit is reached (nothing is taken then). */
enum vx_budget vx_handshake_budget_take(struct vx_handshake_budget *budget, uint32_t now_ms, const uint8_t *address, bool is_ip6);

#endif
