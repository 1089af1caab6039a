/* How many handshakes an io lcore looks at: a bucket for all, and one for each source network, found by a secret hash. Two
 * networks that share a bucket share its allowance; who does not know the seed cannot choose whose. */
#include <string.h>

#include "vx_admission.h"

enum { NETWORKS = 4096, PRICE = 1000 /* levels are in thousandths, so that milliseconds need no division */ };

struct bucket {
    uint32_t level;
    uint32_t updated_ms;
};
struct vx_handshake_budget {
    uint32_t per_s, network_per_s;
    uint64_t seed;
    struct bucket all;
    struct bucket networks[NETWORKS];
};

size_t vx_handshake_budget_bytes(void)
{
    return sizeof(struct vx_handshake_budget);
}

/* A quarter of a second's worth may come at once, and never less than a handshake. */
static uint32_t level_max(uint32_t per_s)
{
    uint32_t level = per_s <= 4000000 ? per_s * (PRICE / 4) : 4000000u * (PRICE / 4);
    return level > PRICE ? level : PRICE;
}

struct vx_handshake_budget *vx_handshake_budget_create(void *memory, uint32_t per_s, uint32_t network_per_s, uint64_t seed)
{
    struct vx_handshake_budget *budget = memory;
    budget->per_s = per_s;
    budget->network_per_s = network_per_s;
    budget->seed = seed;
    budget->all.level = level_max(per_s);
    for (uint32_t i = 0; i < NETWORKS; i++)
        budget->networks[i].level = level_max(network_per_s);
    return budget;
}

static bool has_one(struct bucket *bucket, uint32_t now_ms, uint32_t per_s)
{
    if (per_s == 0)
        return true;
    uint64_t level = bucket->level + (uint64_t)(now_ms - bucket->updated_ms) * per_s;
    bucket->level = level < level_max(per_s) ? (uint32_t)level : level_max(per_s);
    bucket->updated_ms = now_ms;
    return bucket->level >= PRICE;
}

static void take_one(struct bucket *bucket, uint32_t per_s)
{
    if (per_s != 0)
        bucket->level -= PRICE;
}

static struct bucket *network_of(struct vx_handshake_budget *budget, const uint8_t *address, bool is_ip6)
{
    uint64_t prefix = 0;
    memcpy(&prefix, address, is_ip6 ? 7 : 3);
    return &budget->networks[vx_mix64((prefix | (uint64_t)is_ip6 << 63) ^ budget->seed) % NETWORKS];
}

enum vx_budget vx_handshake_budget_take(struct vx_handshake_budget *budget, uint32_t now_ms, const uint8_t *address, bool is_ip6)
{
    struct bucket *network = network_of(budget, address, is_ip6);
    if (!has_one(network, now_ms, budget->network_per_s))
        return VX_BUDGET_NETWORK;
    if (!has_one(&budget->all, now_ms, budget->per_s))
        return VX_BUDGET_RATE;
    take_one(network, budget->network_per_s);
    take_one(&budget->all, budget->per_s);
    return VX_BUDGET_TAKEN;
}
