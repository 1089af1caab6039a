/* Connect tokens, as a client reads them; the private data in them, as a server reads it once it has opened; user data;
 * and challenges. The first byte says which. What is read and written again is what was read. */
#include <math.h>
#include <stdlib.h>

#include "fuzz_netcode.h"

enum { ADDRESS_BYTES_MAX = 19 };

/* Where the last field ends: what lies behind is padding, and not kept. */
static uint32_t fields_end(const struct vx_netcode_address *servers, uint32_t count, uint32_t before, uint32_t after)
{
    VX_ASSERT(count >= 1 && count <= VX_NETCODE_SERVERS_MAX);
    for (uint32_t i = 0; i < count; i++)
        before += servers[i].type == VX_NETCODE_ADDRESS_4 ? 7 : ADDRESS_BYTES_MAX;
    return before + after;
}

static void token_try(const uint8_t *data, size_t bytes)
{
    struct vx_netcode_token token;
    uint8_t again[VX_NETCODE_TOKEN_BYTES], request[VX_NETCODE_REQUEST_BYTES], text[VX_NETCODE_PRIVATE_BYTES];
    struct vx_netcode_keys keys = { .count = 1 };
    if (vx_netcode_token_read(data, bytes, &token) != VX_NETCODE_FAULT_NONE)
        return;
    VX_ASSERT(bytes == VX_NETCODE_TOKEN_BYTES && token.create_s <= token.expire_s);
    vx_netcode_token_write(&token, again);
    VX_ASSERT(memcmp(again, data, fields_end(token.servers, token.server_count, 1093, 64)) == 0);
    vx_netcode_request_write(&token, request);
    memcpy(keys.keys[0], fuzz_key(), VX_NETCODE_KEY_BYTES);
    (void)vx_netcode_private_open(token.sealed, token.protocol_id, token.expire_s, token.nonce, &keys, text);
    for (uint32_t i = 0; i < token.server_count; i++) {
        char name[VX_NETCODE_ADDRESS_TEXT_BYTES];
        struct vx_netcode_address read;
        vx_netcode_address_write(&token.servers[i], name);
        VX_ASSERT(vx_netcode_address_read(name, &read, NULL) == (token.servers[i].port > 0 ? 0 : -22));
        VX_ASSERT(token.servers[i].port == 0 || vx_netcode_address_same(&read, &token.servers[i]));
    }
}

/* Through the seal, so that what the fuzzer writes is what the server finds. */
static void private_try(const uint8_t *data, size_t bytes)
{
    struct vx_netcode_private private;
    struct vx_netcode_keys keys = { .count = 2 };
    uint8_t text[VX_NETCODE_PRIVATE_BYTES] = { 0 }, sealed[VX_NETCODE_PRIVATE_BYTES], again[VX_NETCODE_PRIVATE_BYTES], nonce[VX_NETCODE_TOKEN_NONCE_BYTES] = { 7 };
    memcpy(text, data, bytes < 1008 ? bytes : 1008);
    memcpy(sealed, text, sizeof(sealed));
    memcpy(keys.keys[1], fuzz_key(), VX_NETCODE_KEY_BYTES);
    vx_netcode_private_seal(sealed, FUZZ_PROTOCOL_ID, FUZZ_NOW_S, nonce, fuzz_key());
    VX_ASSERT(vx_netcode_private_open(sealed, FUZZ_PROTOCOL_ID, FUZZ_NOW_S, nonce, &keys, again) == 1);
    VX_ASSERT(memcmp(again, text, sizeof(text)) == 0);
    if (vx_netcode_private_read(again, &private) != VX_NETCODE_FAULT_NONE)
        return;
    vx_netcode_private_write(&private, again);
    VX_ASSERT(memcmp(again, text, fields_end(private.servers, private.server_count, 16, 64 + VX_NETCODE_USER_BYTES)) == 0);
}

static void user_try(const uint8_t *data, size_t bytes)
{
    struct vx_user user;
    uint8_t text[VX_NETCODE_USER_BYTES] = { 0 }, again[VX_NETCODE_USER_BYTES];
    memcpy(text, data, bytes < sizeof(text) ? bytes : sizeof(text));
    if (vx_user_read(text, &user) != VX_NETCODE_FAULT_NONE)
        return;
    VX_ASSERT(isfinite(user.rating) && isfinite(user.deviation) && user.deviation >= 0 && user.party_size >= 1 && user.party_size <= VX_USER_PARTY_MAX);
    VX_ASSERT(user.latency_count <= VX_USER_LATENCIES_MAX && (user.shard < VX_SHARDS_MAX || user.shard == VX_USER_SHARD_ANY));
    vx_user_write(&user, again);
    VX_ASSERT(memcmp(again, text, sizeof(text)) == 0);
}

static void challenge_try(const uint8_t *data, size_t bytes)
{
    struct vx_netcode_challenge challenge = { .client_id = bytes }, read;
    uint8_t sealed[VX_NETCODE_CHALLENGE_BYTES] = { 0 };
    memcpy(sealed, data, bytes < sizeof(sealed) ? bytes : sizeof(sealed));
    (void)vx_netcode_challenge_open(sealed, bytes, fuzz_key(), &read);
    memcpy(challenge.user, data, bytes < sizeof(challenge.user) ? bytes : sizeof(challenge.user));
    vx_netcode_challenge_seal(&challenge, bytes, fuzz_key(), sealed);
    VX_ASSERT(vx_netcode_challenge_open(sealed, bytes, fuzz_key(), &read) && read.client_id == bytes && memcmp(read.user, challenge.user, sizeof(read.user)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static void (*const tries[])(const uint8_t *data, size_t bytes) = { token_try, private_try, user_try, challenge_try };
    (void)fuzz_aads();
    if (bytes >= 1)
        tries[data[0] % 4](data + 1, bytes - 1);
    return 0;
}
