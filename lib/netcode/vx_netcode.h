/* netcode: the bytes of netcode 1.02 (mas-bandwidth/netcode, STANDARD.md, with the corrections of its
 * IMPLEMENTERS.md) and the seals around them. Pure: bytes in, fields or a drop reason out; no NIC, no
 * clock, no sessions, no randomness: times, keys and nonces are the caller's. docs/protocol.md says the
 * same for people. Every integer on the wire is little-endian.
 *
 * A server reads a burst in stages, each a small loop over an array:
 *
 *   vx_netcode_parse          what the clear bytes say: type, sequence, where the sealed data lies
 *   (the caller's look-up)    which session, so which key
 *   vx_netcode_replay_seen    for types that vx_netcode_is_replayable()
 *   vx_netcode_job            one description a packet
 *   vx_aead_open              all of them at once, each under its own key
 *   vx_netcode_replay_mark    only now, because only now the sequence number is authentic
 *   vx_netcode_length_check   last, as the standard's corrected order says
 *
 * vx_netcode_read() does all of it for one packet: for clients, tests and tools.
 *
 * Threads: everything works on what it is given; one thread at a time an argument. */
#ifndef VX_NETCODE_H
#define VX_NETCODE_H

#include <string.h>

#include "vx_base.h"

enum {
    VX_NETCODE_VERSION_BYTES = 13, /* "NETCODE 1.02" and its NUL */
    VX_NETCODE_KEY_BYTES = 32,
    VX_NETCODE_TAG_BYTES = 16, /* Poly1305; the standard calls it HMAC */
    VX_NETCODE_TOKEN_BYTES = 2048,
    VX_NETCODE_TOKEN_NONCE_BYTES = 24,
    VX_NETCODE_PRIVATE_BYTES = 1024, /* sealed: 1008 and the tag */
    VX_NETCODE_CHALLENGE_BYTES = 300, /* sealed: 284 and the tag */
    VX_NETCODE_USER_BYTES = 256,
    VX_NETCODE_SERVERS_MAX = 32,
    VX_NETCODE_KEYS_MAX = 2, /* private keys accepted at once, so that keys can be rotated */
    VX_NETCODE_PAYLOAD_BYTES_MAX = 1200,
    VX_NETCODE_HEADER_BYTES_MAX = 9,    /* prefix and 8 bytes of sequence number */
    VX_NETCODE_REQUEST_BYTES = 1078,    /* the largest packet of a handshake: every answer is smaller */
    VX_NETCODE_STEP_BYTES = 8 + VX_NETCODE_CHALLENGE_BYTES, /* data of a challenge and of a response */
    VX_NETCODE_KEEP_ALIVE_BYTES = 8,
    VX_NETCODE_PACKET_BYTES_MIN = 18,
    VX_NETCODE_PACKET_BYTES_MAX = VX_NETCODE_HEADER_BYTES_MAX + VX_NETCODE_PAYLOAD_BYTES_MAX + VX_NETCODE_TAG_BYTES,
    VX_NETCODE_AAD_BYTES = VX_NETCODE_VERSION_BYTES + 8 + 1,
};
/* A server numbers what it sends before a session exists from here on, and sessions from 0: the two must
 * never meet, because the same key seals both (IMPLEMENTERS.md, 3). */
#define VX_NETCODE_SEQUENCE_GLOBAL (1ull << 63)

/* Makes libsodium choose its implementations for this CPU. Once, at start, before anything below; again is harmless. */
int vx_netcode_start(void);

/* Why a token or its user data was refused, for logs and tools; the drop reason is the coarser counter. */
#define VX_NETCODE_FAULTS(X)                                                                       \
    X(NONE, "nothing is wrong")                                                                    \
    X(TOKEN_LENGTH, "a connect token has 2048 bytes")                                              \
    X(TOKEN_VERSION, "the version is not \"NETCODE 1.02\"")                                        \
    X(TOKEN_TIMES, "the token expires before it was created")                                      \
    X(SERVER_COUNT, "a token names 1 to 32 servers")                                               \
    X(ADDRESS_TYPE, "a server's address is neither IPv4 (1) nor IPv6 (2)")                         \
    X(USER_MAGIC, "user data does not begin with \"VX\"")                                          \
    X(USER_VERSION, "user data is of a version that is not known here")                            \
    X(USER_SHARD, "the shard is neither below 256 nor 65535, which leaves the choice to the server") \
    X(USER_PARTY_SIZE, "a party has 1 to 16 players, and more than one only with a party id")      \
    X(USER_RATING, "the rating is not a number from -100000 to 100000")                            \
    X(USER_DEVIATION, "the deviation is not a number from 0 to 10000")                             \
    X(USER_PERMISSIONS, "a permission that this version does not know")                            \
    X(USER_LATENCIES, "more than 8 latencies, a latency above 10000 ms, or a region that is 0 or named twice") \
    X(USER_RESERVED, "a byte that has to be 0 is not")
enum vx_netcode_fault {
#define VX_NETCODE_FAULT_ENUM(name, sentence) VX_NETCODE_FAULT_##name,
    VX_NETCODE_FAULTS(VX_NETCODE_FAULT_ENUM)
#undef VX_NETCODE_FAULT_ENUM
        VX_NETCODE_FAULT_COUNT
};
/* The fault as a fact, for people. Static text. */
const char *vx_netcode_fault_sentence(enum vx_netcode_fault fault);

/* ---- seals: ChaCha20-Poly1305 of RFC 8439, a burst of messages under as many keys ---- */

struct vx_aead_job {
    const uint8_t *key; /* VX_NETCODE_KEY_BYTES */
    const uint8_t *aad; /* associated data, aad_bytes */
    uint8_t *data;      /* in place: `bytes` of text, then room for (seal) or the bytes of (open) the tag */
    uint32_t bytes;     /* of text, without the tag; may be 0 */
    uint8_t nonce[12];
    uint16_t aad_bytes;
    bool ok; /* out, by open: the tag fits. When it does not, the text is lost and must not be used. */
};

/* One lcore's own. Bursts go to intel-ipsec-mb's multi-buffer calls where this CPU has what they need, else
 * to libsodium; which is faster is measured by perf/micro (vx_bench_aead). */
struct vx_aead;
enum { VX_AEAD_BURST_MAX = 64 };
size_t vx_aead_bytes(void);
/* memory: vx_aead_bytes() bytes, cache-aligned, borrowed. */
struct vx_aead *vx_aead_create(void *memory);
const char *vx_aead_library(const struct vx_aead *aead);
/* Writes each job's tag after its text. count may be anything; keys are prefetched. */
void vx_aead_seal(struct vx_aead *aead, struct vx_aead_job *jobs, uint32_t count);
/* Sets each job's ok; returns how many are. */
uint32_t vx_aead_open(struct vx_aead *aead, struct vx_aead_job *jobs, uint32_t count);
/* The same by libsodium alone, without a context: for clients and tools, which have one packet at a time. */
void vx_aead_seal_scalar(struct vx_aead_job *jobs, uint32_t count);
uint32_t vx_aead_open_scalar(struct vx_aead_job *jobs, uint32_t count);
/* XChaCha20-Poly1305, for private token data: a nonce long enough to be drawn at random. in and out may be the same
 * for seal; out of open has `bytes` without the tag, and is all zero when it returns false. */
void vx_xaead_seal(const uint8_t *in, uint32_t bytes, const uint8_t *aad, uint32_t aad_bytes, const uint8_t nonce[24], const uint8_t *key, uint8_t *out);
bool vx_xaead_open(const uint8_t *in, uint32_t bytes, const uint8_t *aad, uint32_t aad_bytes, const uint8_t nonce[24], const uint8_t *key, uint8_t *out);
/* Clears keys in a way that the compiler may not leave out. */
void vx_netcode_wipe(void *memory, size_t bytes);

/* Four zero bytes, then the sequence number little-endian (IMPLEMENTERS.md, 2). */
static inline void vx_netcode_nonce(uint8_t nonce[12], uint64_t sequence)
{
    memset(nonce, 0, 4);
    memcpy(nonce + 4, &sequence, 8);
}

/* ---- addresses ---- */

enum vx_netcode_address_type { VX_NETCODE_ADDRESS_NONE = 0, VX_NETCODE_ADDRESS_4 = 1, VX_NETCODE_ADDRESS_6 = 2 };
struct vx_netcode_address {
    uint8_t type;      /* enum vx_netcode_address_type */
    uint8_t bytes[16]; /* as in an IP header: network order; 4 or 16 of them, the rest 0 */
    uint16_t port;     /* host order */
};
/* "a.b.c.d:port" or "[v6]:port". Returns 0, or -EINVAL with a sentence. */
int vx_netcode_address_read(const char *text, struct vx_netcode_address *address, struct vx_error *error);
enum { VX_NETCODE_ADDRESS_TEXT_BYTES = 64 };
/* The text that vx_netcode_address_read() reads; and whether two addresses are the same, port included. */
void vx_netcode_address_write(const struct vx_netcode_address *address, char text[VX_NETCODE_ADDRESS_TEXT_BYTES]);
bool vx_netcode_address_same(const struct vx_netcode_address *left, const struct vx_netcode_address *right);

/* ---- connect tokens ---- */

/* What the backend tells the server, sealed; and, but for client_id and user, the client too, in the clear. */
struct vx_netcode_private {
    uint64_t client_id;
    int32_t timeout_s; /* negative: none, for development only */
    uint32_t server_count;
    struct vx_netcode_address servers[VX_NETCODE_SERVERS_MAX];
    uint8_t client_key[VX_NETCODE_KEY_BYTES]; /* seals what the client sends */
    uint8_t server_key[VX_NETCODE_KEY_BYTES]; /* seals what the server sends */
    uint8_t user[VX_NETCODE_USER_BYTES];
};
struct vx_netcode_token {
    uint64_t protocol_id;
    uint64_t create_s, expire_s; /* Unix time */
    uint8_t nonce[VX_NETCODE_TOKEN_NONCE_BYTES];
    uint8_t sealed[VX_NETCODE_PRIVATE_BYTES];
    int32_t timeout_s;
    uint32_t server_count;
    struct vx_netcode_address servers[VX_NETCODE_SERVERS_MAX];
    uint8_t client_key[VX_NETCODE_KEY_BYTES];
    uint8_t server_key[VX_NETCODE_KEY_BYTES];
};
/* Private keys, the newest first; each is tried, and each costs a forger's token about 1 us. */
struct vx_netcode_keys {
    uint32_t count; /* 1 to VX_NETCODE_KEYS_MAX */
    uint8_t keys[VX_NETCODE_KEYS_MAX][VX_NETCODE_KEY_BYTES];
};

/* The bytes before they are sealed, and back. Reading refuses server addresses that the standard does not allow; *private is not to be used then. */
void vx_netcode_private_write(const struct vx_netcode_private *private, uint8_t out[VX_NETCODE_PRIVATE_BYTES]);
enum vx_netcode_fault vx_netcode_private_read(const uint8_t in[VX_NETCODE_PRIVATE_BYTES], struct vx_netcode_private *private);
/* Seals in place: the last 16 bytes of data become the tag. nonce: random, never used before under this key. */
void vx_netcode_private_seal(uint8_t data[VX_NETCODE_PRIVATE_BYTES], uint64_t protocol_id, uint64_t expire_s,
                             const uint8_t nonce[VX_NETCODE_TOKEN_NONCE_BYTES], const uint8_t key[VX_NETCODE_KEY_BYTES]);
/* Opens into `out`, whose last 16 bytes become 0. Returns which key fitted, or -1. */
int vx_netcode_private_open(const uint8_t in[VX_NETCODE_PRIVATE_BYTES], uint64_t protocol_id, uint64_t expire_s,
                            const uint8_t nonce[VX_NETCODE_TOKEN_NONCE_BYTES], const struct vx_netcode_keys *keys, uint8_t out[VX_NETCODE_PRIVATE_BYTES]);

/* The token's bytes, and back. Reading refuses other lengths and fields that contradict; *token is not to be used then. */
void vx_netcode_token_write(const struct vx_netcode_token *token, uint8_t out[VX_NETCODE_TOKEN_BYTES]);
enum vx_netcode_fault vx_netcode_token_read(const uint8_t *in, size_t bytes, struct vx_netcode_token *token);
/* A whole connect token: `private` is sealed under `key`, its servers, keys and time-out are repeated in the clear. The
 * caller draws nonce, client_key and server_key at random for every token. */
void vx_netcode_token_issue(const struct vx_netcode_private *private, uint64_t protocol_id, uint64_t create_s, uint64_t expire_s,
                            const uint8_t nonce[VX_NETCODE_TOKEN_NONCE_BYTES], const uint8_t key[VX_NETCODE_KEY_BYTES], uint8_t out[VX_NETCODE_TOKEN_BYTES]);

/* ---- challenge tokens ---- */

struct vx_netcode_challenge {
    uint64_t client_id;
    uint8_t user[VX_NETCODE_USER_BYTES];
};
/* key: drawn at start, the server's own; sequence: from 0, never twice under that key. */
void vx_netcode_challenge_seal(const struct vx_netcode_challenge *challenge, uint64_t sequence, const uint8_t key[VX_NETCODE_KEY_BYTES],
                               uint8_t out[VX_NETCODE_CHALLENGE_BYTES]);
/* False when it is not one of ours. */
bool vx_netcode_challenge_open(const uint8_t in[VX_NETCODE_CHALLENGE_BYTES], uint64_t sequence, const uint8_t key[VX_NETCODE_KEY_BYTES],
                               struct vx_netcode_challenge *challenge);

/* ---- packets ---- */

#define VX_NETCODE_PACKETS(X)                                                                      \
    X(REQUEST, 0) X(DENIED, 1) X(CHALLENGE, 2) X(RESPONSE, 3) X(KEEP_ALIVE, 4) X(PAYLOAD, 5) X(DISCONNECT, 6)
enum vx_netcode_type {
#define VX_NETCODE_TYPE_ENUM(name, number) VX_NETCODE_##name = number,
    VX_NETCODE_PACKETS(VX_NETCODE_TYPE_ENUM)
#undef VX_NETCODE_TYPE_ENUM
        VX_NETCODE_TYPE_COUNT
};
const char *vx_netcode_type_name(uint8_t type); /* "?" when unknown */
/* Which types a side takes: what is only sent by a server is refused by one, so nothing can be reflected. */
enum {
    VX_NETCODE_TAKEN_BY_SERVER = 1 << VX_NETCODE_REQUEST | 1 << VX_NETCODE_RESPONSE | 1 << VX_NETCODE_KEEP_ALIVE | 1 << VX_NETCODE_PAYLOAD | 1 << VX_NETCODE_DISCONNECT,
    VX_NETCODE_TAKEN_BY_CLIENT = 1 << VX_NETCODE_DENIED | 1 << VX_NETCODE_CHALLENGE | 1 << VX_NETCODE_KEEP_ALIVE | 1 << VX_NETCODE_PAYLOAD | 1 << VX_NETCODE_DISCONNECT,
};
static inline bool vx_netcode_is_replayable(uint8_t type)
{
    return type >= VX_NETCODE_KEEP_ALIVE;
}

/* What a packet's clear bytes say. Nothing of it is authentic yet. */
struct vx_netcode_packet {
    uint64_t sequence; /* 0 for a request */
    uint8_t type;      /* enum vx_netcode_type */
    uint8_t prefix;    /* first byte: the row of associated data */
    uint8_t offset;    /* of the sealed data: 2 to 9; 1 for a request */
    uint16_t bytes;    /* of data, without its tag */
};
/* `taken`: a bit per type, VX_NETCODE_TAKEN_BY_*. The standard's steps up to the sequence number, and a length
 * that no type has; a request's length is exact. */
enum vx_drop vx_netcode_parse(const uint8_t *data, uint32_t bytes, uint32_t taken, struct vx_netcode_packet *packet);
/* Whether the length of opened data fits its type. */
enum vx_drop vx_netcode_length_check(const struct vx_netcode_packet *packet);

/* A connection request's fields, pointing into the packet. */
struct vx_netcode_request {
    uint64_t expire_s;
    const uint8_t *nonce;
    const uint8_t *sealed; /* VX_NETCODE_PRIVATE_BYTES; the last 16 are its tag, by which a token is known */
};
/* Version, protocol id, expiry: all that costs nothing. data: a packet that vx_netcode_parse took for a request. */
enum vx_drop vx_netcode_request_check(const uint8_t data[VX_NETCODE_REQUEST_BYTES], uint64_t protocol_id, uint64_t now_s, struct vx_netcode_request *request);
/* The request that a client sends with its token. */
void vx_netcode_request_write(const struct vx_netcode_token *token, uint8_t out[VX_NETCODE_REQUEST_BYTES]);

/* How many bytes prefix and sequence number take: 2 to 9. */
static inline uint32_t vx_netcode_header_bytes(uint64_t sequence)
{
    return 1 + (64 + 7 - (uint32_t)__builtin_clzll(sequence | 1)) / 8;
}
/* Writes prefix and sequence number; returns vx_netcode_header_bytes(sequence). The prefix is out[0]. */
uint32_t vx_netcode_header_write(uint8_t *out, uint8_t type, uint64_t sequence);

/* Associated data by prefix byte, made once a protocol id, so that a burst's jobs only point at it. */
struct vx_netcode_aads {
    uint8_t rows[9 << 4][32]; /* VX_NETCODE_AAD_BYTES of each; prefixes are below 0x90 */
};
/* Fills every row for the protocol id. Start-up. */
void vx_netcode_aads_make(struct vx_netcode_aads *aads, uint64_t protocol_id);

/* Describes how to seal or open a packet: `data` is its sealed part, `bytes` without the tag. */
static inline void vx_netcode_job(struct vx_aead_job *job, const struct vx_netcode_aads *aads, const uint8_t *key, uint8_t prefix, uint64_t sequence, uint8_t *data,
                                  uint32_t bytes)
{
    job->key = key;
    job->aad = aads->rows[prefix];
    job->aad_bytes = VX_NETCODE_AAD_BYTES;
    job->data = data;
    job->bytes = bytes;
    vx_netcode_nonce(job->nonce, sequence);
}

/* ---- replay protection ---- */

enum { VX_NETCODE_REPLAY_NUMBERS = 256 };
/* The bitmap of RFC 6479: a number's bit is its low bits, nothing is ever shifted. All zero: nothing received. */
struct vx_netcode_replay {
    uint64_t newest;
    uint64_t received[VX_NETCODE_REPLAY_NUMBERS / 64];
};
/* True for a number that was marked, or that lies 256 or more below the newest. No sum can overflow (IMPLEMENTERS.md, 1). */
static inline bool vx_netcode_replay_seen(const struct vx_netcode_replay *replay, uint64_t sequence)
{
    if (sequence > replay->newest)
        return false;
    if (replay->newest - sequence >= VX_NETCODE_REPLAY_NUMBERS)
        return true;
    return replay->received[sequence / 64 % 4] >> (sequence % 64) & 1;
}
/* Only for a sequence number that is authentic and was not seen. */
void vx_netcode_replay_mark(struct vx_netcode_replay *replay, uint64_t sequence);

/* ---- one packet at a time ---- */

/* Every step of the standard for one sealed packet, in its order; opens in place. replay may be NULL. */
enum vx_drop vx_netcode_read(uint8_t *data, uint32_t bytes, uint32_t taken, const struct vx_netcode_aads *aads, const uint8_t *key, struct vx_netcode_replay *replay,
                             struct vx_netcode_packet *packet);
/* Writes a sealed packet (not a request) into out, which has room for bytes + VX_NETCODE_HEADER_BYTES_MAX +
 * VX_NETCODE_TAG_BYTES; returns its length. */
uint32_t vx_netcode_write(uint8_t *out, uint8_t type, uint64_t sequence, const void *data, uint32_t bytes, const struct vx_netcode_aads *aads, const uint8_t *key);

/* ---- user data: who the player is, said by the backend ---- */

enum {
    VX_USER_VERSION = 1,
    VX_USER_SHARD_ANY = 65535, /* the server chooses */
    VX_USER_PARTY_MAX = 16,
    VX_USER_LATENCIES_MAX = 8,
    VX_USER_LATENCY_MS_MAX = 10000,
    VX_USER_RATING_MAX = 100000,
    VX_USER_DEVIATION_MAX = 10000,
};
#define VX_USER_PERMISSIONS(X)                                                                     \
    X(PLAY, 0, "play")       /* may look for matches */                                            \
    X(RANKED, 1, "ranked")   /* matches change the rating */                                       \
    X(OBSERVE, 2, "observe") /* may watch hunts of others */                                       \
    X(TEST, 3, "test")       /* gets what is tried out first: canary formulas */
enum vx_user_permission {
#define VX_USER_PERMISSION_ENUM(name, bit, text) VX_USER_MAY_##name = 1 << bit,
    VX_USER_PERMISSIONS(VX_USER_PERMISSION_ENUM)
#undef VX_USER_PERMISSION_ENUM
        VX_USER_MAY_ALL = 0
#define VX_USER_PERMISSION_OR(name, bit, text) | 1 << bit
        VX_USER_PERMISSIONS(VX_USER_PERMISSION_OR)
#undef VX_USER_PERMISSION_OR
};
enum { VX_USER_ATTRIBUTES = 4, VX_USER_SETS = 2 };
struct vx_user {
    uint16_t shard;   /* or VX_USER_SHARD_ANY */
    uint16_t region;  /* where the player wants to play; 0: nowhere in particular */
    uint32_t display; /* what other players see instead of the client id */
    uint32_t party;   /* 0: alone */
    uint8_t party_size;
    uint8_t latency_count;
    uint16_t roles;   /* bits, the game's own */
    float rating, deviation;
    uint32_t permissions; /* enum vx_user_permission */
    struct {
        uint16_t region; /* not 0, each once */
        uint16_t ms;
    } latencies[VX_USER_LATENCIES_MAX];
    uint8_t attributes[VX_USER_ATTRIBUTES]; /* the game's own: language, version, … */
    uint16_t sets[VX_USER_SETS];            /* bits, the game's own: platforms, …; 0: any */
};
/* The bytes that vx_user_read() reads, and checks. More latencies than there is room for are the caller's mistake and asserted. */
void vx_user_write(const struct vx_user *user, uint8_t out[VX_NETCODE_USER_BYTES]);
/* Reads what is well formed and in range; otherwise says what is wrong, and *user is not to be used. */
enum vx_netcode_fault vx_user_read(const uint8_t in[VX_NETCODE_USER_BYTES], struct vx_user *user);

#endif
