/* The history of connect tokens. An entry lives until its token expires, and not a moment less: while it lives, the keys
 * inside the token cannot begin a second session, whose sequence numbers would meet the first one's. */
#include <string.h>

#include "admission_private.h"

enum { NAME_INDEX_BITS = 22, AHEAD_S_MAX = 1000000 /* the wheel's time is 32 bits of milliseconds */ };
static_assert(VX_ADMISSION_TOKENS_MAX == 1 << NAME_INDEX_BITS, "an index fits a name");

static uint32_t buckets_of(uint32_t count)
{
    uint32_t buckets = 1;
    while (buckets < count)
        buckets *= 2;
    return buckets;
}

size_t tokens_bytes(const struct vx_admission_config *config)
{
    return config->tokens * sizeof(struct token) + buckets_of(config->tokens) * sizeof(uint32_t) + vx_wheel_bytes(config->tokens, WHEEL_SLOTS);
}

void tokens_create(struct vx_admission *admission, char *memory, uint32_t now_ms)
{
    const uint32_t count = admission->config.tokens, buckets = buckets_of(count);
    admission->tokens = (struct token *)memory;
    admission->token_buckets = (uint32_t *)(admission->tokens + count);
    admission->token_mask = buckets - 1;
    for (uint32_t i = 0; i < count; i++)
        admission->tokens[i].next = i + 1 < count ? i + 1 : NONE;
    for (uint32_t i = 0; i < buckets; i++)
        admission->token_buckets[i] = NONE;
    vx_wheel_create(&admission->token_wheel, admission->token_buckets + buckets, count, WHEEL_SLOTS, TOKEN_TICK_BITS, now_ms);
}

static uint32_t *bucket_of(struct vx_admission *admission, const uint8_t tag[VX_ADMISSION_TAG_BYTES])
{
    uint64_t word;
    memcpy(&word, tag, sizeof(word));
    return &admission->token_buckets[vx_mix64(word ^ admission->config.seed) & admission->token_mask];
}

static uint32_t name_of(const struct vx_admission *admission, uint32_t index)
{
    return index | (uint32_t)admission->tokens[index].generation << NAME_INDEX_BITS;
}

/* A second may have passed before the wheel looks: then a little late, never early. */
static void expiry_set(struct vx_admission *admission, uint32_t index, uint32_t now_ms, uint64_t now_s)
{
    uint64_t left_s = admission->tokens[index].expire_s - now_s;
    vx_wheel_set(&admission->token_wheel, index, now_ms + 1000 * (uint32_t)(left_s < AHEAD_S_MAX ? left_s : AHEAD_S_MAX));
}

static void token_forget(struct vx_admission *admission, uint32_t index)
{
    struct token *token = &admission->tokens[index];
    uint32_t *at = bucket_of(admission, token->tag);
    while (*at != index)
        at = &admission->tokens[*at].next;
    *at = token->next;
    token->state = TOKEN_FREE;
    token->generation++;
    token->next = admission->token_free;
    admission->token_free = index;
    admission->counters.tokens--;
}

void tokens_expire(struct vx_admission *admission, uint32_t now_ms, uint64_t now_s)
{
    for (uint32_t index; (index = vx_wheel_take(&admission->token_wheel, now_ms)) != VX_WHEEL_NONE;) {
        if (admission->tokens[index].expire_s <= now_s)
            token_forget(admission, index);
        else
            expiry_set(admission, index, now_ms, now_s);
    }
}

static uint32_t token_remember(struct vx_admission *admission, uint32_t now_ms, uint64_t now_s, const struct vx_admission_ask *ask)
{
    uint32_t index = admission->token_free;
    if (index == NONE)
        return NONE;
    struct token *token = &admission->tokens[index];
    uint32_t *bucket = bucket_of(admission, ask->tag);
    admission->token_free = token->next;
    memcpy(token->tag, ask->tag, sizeof(token->tag));
    memcpy(token->from, ask->from, sizeof(token->from));
    token->expire_s = ask->expire_s < UINT32_MAX ? (uint32_t)ask->expire_s : UINT32_MAX;
    token->state = TOKEN_PENDING;
    token->next = *bucket;
    *bucket = index;
    admission->counters.tokens++;
    expiry_set(admission, index, now_ms, now_s);
    return index;
}

enum token_answer token_show(struct vx_admission *admission, uint32_t now_ms, uint64_t now_s, const struct vx_admission_ask *ask, uint32_t *name)
{
    uint32_t index = *bucket_of(admission, ask->tag);
    while (index != NONE && memcmp(admission->tokens[index].tag, ask->tag, VX_ADMISSION_TAG_BYTES) != 0)
        index = admission->tokens[index].next;
    if (index == NONE)
        index = token_remember(admission, now_ms, now_s, ask);
    if (index == NONE)
        return TOKEN_NO_ROOM;
    const struct token *token = &admission->tokens[index];
    if (token->state == TOKEN_CONSUMED)
        return TOKEN_USED;
    if (memcmp(token->from, ask->from, VX_ADMISSION_FROM_BYTES) != 0)
        return TOKEN_OTHER_ADDRESS;
    *name = name_of(admission, index);
    return TOKEN_ADMITS;
}

bool token_consume(struct vx_admission *admission, uint32_t name)
{
    uint32_t index = name & (VX_ADMISSION_TOKENS_MAX - 1);
    VX_ASSERT(index < admission->config.tokens);
    struct token *token = &admission->tokens[index];
    if (token->state == TOKEN_FREE || name_of(admission, index) != name)
        return true;
    bool admits = token->state == TOKEN_PENDING;
    token->state = TOKEN_CONSUMED;
    return admits;
}
