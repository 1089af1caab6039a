/* User data, version 1: who the player is, in 256 bytes that only the backend can have sealed. Still every value is
 * checked: a backend's mistake must not become a shard's. Layout: docs/protocol.md. */
#include <math.h>

#include "netcode_private.h"

enum { MAGIC = 'V' | 'X' << 8, LATENCIES_OFFSET = 32, TRAITS_OFFSET = 64, RESERVED_OFFSET = 72 };

struct user_wire {
    uint16_t magic;
    uint8_t version;
    uint8_t latency_count;
    uint16_t shard;
    uint16_t region;
    uint32_t display;
    uint32_t party;
    uint8_t party_size;
    uint8_t reserved;
    uint16_t roles;
    float rating, deviation;
    uint32_t permissions;
    struct {
        uint16_t region, ms;
    } latencies[VX_USER_LATENCIES_MAX];
    uint8_t attributes[VX_USER_ATTRIBUTES];
    uint16_t sets[VX_USER_SETS];
    uint8_t reserved2[VX_NETCODE_USER_BYTES - RESERVED_OFFSET];
} __attribute__((packed));
static_assert(sizeof(struct user_wire) == VX_NETCODE_USER_BYTES && offsetof(struct user_wire, latencies) == LATENCIES_OFFSET &&
                  offsetof(struct user_wire, attributes) == TRAITS_OFFSET, "docs/protocol.md");
static_assert(sizeof(((struct vx_user *)0)->latencies) == sizeof(((struct user_wire *)0)->latencies), "copied as one");

void vx_user_write(const struct vx_user *user, uint8_t out[VX_NETCODE_USER_BYTES])
{
    struct user_wire wire = { .magic = MAGIC, .version = VX_USER_VERSION, .latency_count = user->latency_count, .shard = user->shard, .region = user->region,
                              .display = user->display, .party = user->party, .party_size = user->party_size, .roles = user->roles,
                              .rating = user->rating, .deviation = user->deviation, .permissions = user->permissions };
    VX_ASSERT(user->latency_count <= VX_USER_LATENCIES_MAX);
    memcpy(wire.latencies, user->latencies, user->latency_count * sizeof(wire.latencies[0]));
    memcpy(wire.attributes, user->attributes, sizeof(wire.attributes));
    memcpy(wire.sets, user->sets, sizeof(wire.sets));
    memcpy(out, &wire, sizeof(wire));
}

/* Entries beyond the count have to be 0, like everything that is reserved. */
static enum vx_netcode_fault latencies_check(const struct user_wire *wire)
{
    if (wire->latency_count > VX_USER_LATENCIES_MAX)
        return VX_NETCODE_FAULT_USER_LATENCIES;
    for (uint32_t i = 0; i < VX_USER_LATENCIES_MAX; i++) {
        uint16_t region = wire->latencies[i].region, ms = wire->latencies[i].ms;
        if (i >= wire->latency_count) {
            if (region != 0 || ms != 0)
                return VX_NETCODE_FAULT_USER_RESERVED;
            continue;
        }
        if (region == 0 || ms > VX_USER_LATENCY_MS_MAX)
            return VX_NETCODE_FAULT_USER_LATENCIES;
        for (uint32_t j = 0; j < i; j++)
            if (wire->latencies[j].region == region)
                return VX_NETCODE_FAULT_USER_LATENCIES;
    }
    return VX_NETCODE_FAULT_NONE;
}

/* Comparisons that a NaN fails are written so that failing them refuses. */
static enum vx_netcode_fault wire_check(const struct user_wire *wire)
{
    if (wire->magic != MAGIC)
        return VX_NETCODE_FAULT_USER_MAGIC;
    if (wire->version != VX_USER_VERSION)
        return VX_NETCODE_FAULT_USER_VERSION;
    if (wire->shard >= VX_SHARDS_MAX && wire->shard != VX_USER_SHARD_ANY)
        return VX_NETCODE_FAULT_USER_SHARD;
    if (wire->party_size < 1 || wire->party_size > VX_USER_PARTY_MAX || (wire->party_size > 1 && wire->party == 0))
        return VX_NETCODE_FAULT_USER_PARTY_SIZE;
    if (!(fabsf(wire->rating) <= VX_USER_RATING_MAX))
        return VX_NETCODE_FAULT_USER_RATING;
    if (!(wire->deviation >= 0 && wire->deviation <= VX_USER_DEVIATION_MAX))
        return VX_NETCODE_FAULT_USER_DEVIATION;
    if (wire->permissions & ~(uint32_t)VX_USER_MAY_ALL)
        return VX_NETCODE_FAULT_USER_PERMISSIONS;
    uint8_t any = wire->reserved;
    for (uint32_t i = 0; i < sizeof(wire->reserved2); i++)
        any |= wire->reserved2[i];
    return any != 0 ? VX_NETCODE_FAULT_USER_RESERVED : latencies_check(wire);
}

enum vx_netcode_fault vx_user_read(const uint8_t in[VX_NETCODE_USER_BYTES], struct vx_user *user)
{
    struct user_wire wire;
    memcpy(&wire, in, sizeof(wire));
    enum vx_netcode_fault fault = wire_check(&wire);
    if (fault != VX_NETCODE_FAULT_NONE)
        return fault;
    *user = (struct vx_user){ .shard = wire.shard, .region = wire.region, .display = wire.display, .party = wire.party, .party_size = wire.party_size,
                              .latency_count = wire.latency_count, .roles = wire.roles, .rating = wire.rating, .deviation = wire.deviation,
                              .permissions = wire.permissions };
    memcpy(user->latencies, wire.latencies, sizeof(user->latencies));
    memcpy(user->attributes, wire.attributes, sizeof(user->attributes));
    memcpy(user->sets, wire.sets, sizeof(user->sets));
    return VX_NETCODE_FAULT_NONE;
}
