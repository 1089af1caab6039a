/* admission's insides: tokens.c remembers tokens, places.c who has which player's place, admission.c decides. */
#ifndef VX_ADMISSION_PRIVATE_H
#define VX_ADMISSION_PRIVATE_H

#include "vx_admission.h"

enum { NONE = UINT32_MAX, WHEEL_SLOTS = 1024, GRACE_TICK_BITS = 4, TOKEN_TICK_BITS = 6 };

enum token_state { TOKEN_FREE, TOKEN_PENDING, TOKEN_CONSUMED };
struct token {
    uint8_t tag[VX_ADMISSION_TAG_BYTES];
    uint8_t from[VX_ADMISSION_FROM_BYTES];
    uint32_t expire_s; /* Unix time; UINT32_MAX: never */
    uint32_t next;     /* in its bucket, or free */
    uint16_t generation;
    uint8_t state;     /* enum token_state */
    uint8_t reserved;
};
static_assert(sizeof(struct token) == 48, "a token remembered");

enum place_state { PLACE_FREE, PLACE_CONNECTED, PLACE_GRACE };
struct place {
    uint64_t client_id;
    uint32_t next; /* in its bucket, or free */
    uint32_t state; /* enum place_state */
};
static_assert(sizeof(struct place) == 16, "a player's place");

struct queue { /* first in, first out: a place rests as long as possible before it is somebody else's */
    uint32_t first, last;
};
struct vx_admission {
    struct vx_admission_config config;
    struct vx_admission_counters counters VX_ALIGNED;
    uint32_t connection; /* given so far */
    uint32_t token_free, token_mask, place_mask;
    struct queue places_free[VX_SHARDS_MAX];
    struct vx_wheel token_wheel, place_wheel;
    struct token *tokens;
    uint32_t *token_buckets;
    struct place *places;
    uint32_t *place_buckets;
};

/* tokens.c */
size_t tokens_bytes(const struct vx_admission_config *config);
void tokens_create(struct vx_admission *admission, char *memory, uint32_t now_ms);
void tokens_expire(struct vx_admission *admission, uint32_t now_ms, uint64_t now_s);
enum token_answer { TOKEN_ADMITS, TOKEN_OTHER_ADDRESS, TOKEN_USED, TOKEN_NO_ROOM };
/* *name: what the response is to name the token by. */
enum token_answer token_show(struct vx_admission *admission, uint32_t now_ms, uint64_t now_s, const struct vx_admission_ask *ask, uint32_t *name);
/* True when it admits a client, and never again. A token that has expired meanwhile needs no memory: it is refused by its date. */
bool token_consume(struct vx_admission *admission, uint32_t name);

/* places.c */
size_t places_bytes(const struct vx_admission_config *config);
void places_create(struct vx_admission *admission, char *memory, uint32_t now_ms);
void places_expire(struct vx_admission *admission, uint32_t now_ms);
uint32_t place_find(const struct vx_admission *admission, uint64_t client_id);      /* NONE: neither connected nor in grace */
uint32_t place_first_free(const struct vx_admission *admission, uint16_t shard, uint64_t client_id); /* NONE: full */
void place_connect(struct vx_admission *admission, uint32_t player, uint64_t client_id); /* a free place, or the client's own in grace */
void place_leave(struct vx_admission *admission, uint32_t player, enum vx_gone how, uint32_t now_ms);

#endif
