/* netcode's session table, shared by its files: three cache lines a session, each alone in its array,
 *
 *   entries[]  way back and note   writing a reply begins here, as on the plain transport
 *   hot[]      struct session      what an incoming packet needs besides the keys
 *   keys[]     both keys
 *
 * a timer of a wheel (12 bytes), and 12.8 bytes of hash. */
#ifndef VX_SESSION_NETCODE_H
#define VX_SESSION_NETCODE_H

#include "session_private.h"

enum {
    NONE = UINT32_MAX,
    WHEEL_SLOTS = 1024,
    WHEEL_TICK_BITS = 2,        /* 4 ms; a round of 4 s, every session is looked at once in a keep-alive interval */
    KEEPALIVE_UNCONFIRMED_MS = 100, /* the standard's 10 Hz, until the client knows that it is connected */
    ASKED_MS = 100,             /* how often a session that waits for admission is looked at */
    BUCKET_SLOTS = 8,
    BUCKET_LOAD = 5,            /* places per bucket: with two buckets to choose from, and neighbours that move, all find room */
    TIMEOUT_S_NEVER = UINT16_MAX,
    PENDING_MS_MAX = 60000,
    SEQUENCE_BITS = 48,         /* at a million packets a second for nine years */
};

enum session_state { SESSION_FREE, SESSION_PENDING, SESSION_ASKED, SESSION_CONNECTED, SESSION_CLOSING };
enum { FLAG_CONFIRMED = 1, FLAG_TOLD = 2 };
struct session {
    union {
        struct vx_netcode_replay replay; /* connected */
        uint64_t client_id;              /* pending: the challenge must be this token's */
    };
    uint32_t received_ms, sent_ms;
    uint32_t player; /* pending: admission's name for the token; free: the next free place */
    uint16_t generation;
    uint8_t state, flags;
    uint64_t sequence : SEQUENCE_BITS; /* of the next packet that leaves */
    uint64_t timeout_s : 16;
} VX_ALIGNED;
static_assert(sizeof(struct session) == VX_CACHE_LINE_BYTES, "a session's hot line");

struct session_keys {
    uint8_t client[VX_NETCODE_KEY_BYTES], server[VX_NETCODE_KEY_BYTES];
} VX_ALIGNED;
struct bucket { /* tag 0: empty */
    uint32_t tags[BUCKET_SLOTS], indices[BUCKET_SLOTS];
} VX_ALIGNED;
static_assert(sizeof(struct session_keys) == VX_CACHE_LINE_BYTES && sizeof(struct bucket) == VX_CACHE_LINE_BYTES, "one line each");

struct session_hash {
    uint32_t buckets[2];
    uint32_t tag;
};
/* A burst's stages write here what the next one reads. */
struct burst {
    struct vx_netcode_packet packets[VX_BURST_MAX];
    struct session_hash hashes[VX_BURST_MAX];
    struct way ways[VX_BURST_MAX];
    uint32_t indices[VX_BURST_MAX];
    struct vx_aead_job jobs[VX_BURST_MAX];
    uint8_t job_packets[VX_BURST_MAX];
};
struct netcode {
    struct vx_session_netcode_config config;
    struct vx_session_counters counters VX_ALIGNED;
    uint64_t sequence_global, sequence_challenge;
    uint32_t now_ms; /* of the latest call that was told */
    uint32_t bucket_count, free_first, free_last;
    struct session *hot;
    struct session_keys *keys;
    struct bucket *buckets;
    struct vx_wheel wheel;
    struct vx_aead *aead;
    struct vx_handshake_budget *budget;
    struct vx_netcode_aads aads;
    struct burst burst;
    uint8_t opened[VX_NETCODE_PRIVATE_BYTES]; /* of the token that is being looked at; wiped after it */
};

/* netcode_table.c */
struct session_hash session_hash_of(const struct netcode *netcode, const struct way *way);
uint32_t session_find(const struct vx_session_table *table, const struct way *way);
/* A pending session for the way's address; NONE: no room. */
uint32_t session_take(struct vx_session_table *table, const struct way *way, uint32_t now_ms);
/* Any state: out of the hash, keys wiped, free. */
void session_free(struct vx_session_table *table, uint32_t index);
uint32_t session_name(const struct netcode *netcode, uint32_t index);
void session_rearm(struct netcode *netcode, uint32_t index);

/* Address and port: what a session is found by. */
static inline bool way_same_client(const struct way *left, const struct way *right)
{
    return left->to_port == right->to_port && left->ip_version == right->ip_version &&
           memcmp(left->to_address, right->to_address, left->ip_version == 4 ? 4 : 16) == 0;
}
/* Ethernet and tags: how it is reached just now. Of `tags` only what the frame had counts. */
static inline bool way_same_link(const struct way *left, const struct way *right)
{
    return left->l2_bytes == right->l2_bytes && memcmp(left, right, 8) == 0 && memcmp((const uint8_t *)left + 6, (const uint8_t *)right + 6, 8) == 0 &&
           (left->l2_bytes == ETHERNET_BYTES || memcmp(left->tags, right->tags, left->l2_bytes - 12u) == 0);
}

#endif
