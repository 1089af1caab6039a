/* Connect tokens, as the backend writes them and as client and server read them; and challenge tokens. Layouts:
 * STANDARD.md, "Connect Token" and "Challenge Token". The io lcore reads private data during a handshake. */
#include "netcode_private.h"

enum {
    PRIVATE_TEXT_BYTES = VX_NETCODE_PRIVATE_BYTES - VX_NETCODE_TAG_BYTES,
    CHALLENGE_TEXT_BYTES = VX_NETCODE_CHALLENGE_BYTES - VX_NETCODE_TAG_BYTES,
    PRIVATE_AAD_BYTES = VX_NETCODE_VERSION_BYTES + 8 + 8,
    ADDRESSES_BYTES_MAX = VX_NETCODE_SERVERS_MAX * 19, /* type, 16, port */
};
static_assert(8 + 4 + 4 + ADDRESSES_BYTES_MAX + 2 * VX_NETCODE_KEY_BYTES + VX_NETCODE_USER_BYTES <= PRIVATE_TEXT_BYTES, "the largest private data fits");
static_assert(13 + 3 * 8 + 24 + 1024 + 8 + ADDRESSES_BYTES_MAX + 64 <= VX_NETCODE_TOKEN_BYTES, "the largest token fits");

const uint8_t netcode_version[VX_NETCODE_VERSION_BYTES] = "NETCODE 1.02";

static const char *const fault_sentences[] = {
#define SENTENCE(name, sentence) sentence,
    VX_NETCODE_FAULTS(SENTENCE)
#undef SENTENCE
};

const char *vx_netcode_fault_sentence(enum vx_netcode_fault fault)
{
    return (unsigned)fault < VX_NETCODE_FAULT_COUNT ? fault_sentences[fault] : "?";
}

/* An IPv6 address is eight 16-bit words on the wire, each little-endian like everything else: the bytes of an
 * IP header, swapped in pairs. */
static void words_swap(uint8_t *out, const uint8_t *in)
{
    for (uint32_t i = 0; i < 16; i += 2) {
        uint8_t high = in[i];
        out[i] = in[i + 1];
        out[i + 1] = high;
    }
}

static void addresses_put(uint8_t **at, const struct vx_netcode_address *servers, uint32_t count)
{
    VX_ASSERT(count >= 1 && count <= VX_NETCODE_SERVERS_MAX);
    netcode_put(at, &count, 4);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t words[16];
        VX_ASSERT(servers[i].type == VX_NETCODE_ADDRESS_4 || servers[i].type == VX_NETCODE_ADDRESS_6);
        netcode_put(at, &servers[i].type, 1);
        words_swap(words, servers[i].bytes);
        if (servers[i].type == VX_NETCODE_ADDRESS_4)
            netcode_put(at, servers[i].bytes, 4);
        else
            netcode_put(at, words, 16);
        netcode_put(at, &servers[i].port, 2);
    }
}

static enum vx_netcode_fault addresses_get(const uint8_t **at, struct vx_netcode_address *servers, uint32_t *count)
{
    netcode_get(at, count, 4);
    if (*count < 1 || *count > VX_NETCODE_SERVERS_MAX)
        return VX_NETCODE_FAULT_SERVER_COUNT;
    for (uint32_t i = 0; i < *count; i++) {
        uint8_t words[16];
        memset(&servers[i], 0, sizeof(servers[i]));
        netcode_get(at, &servers[i].type, 1);
        if (servers[i].type == VX_NETCODE_ADDRESS_4) {
            netcode_get(at, servers[i].bytes, 4);
        } else if (servers[i].type == VX_NETCODE_ADDRESS_6) {
            netcode_get(at, words, 16);
            words_swap(servers[i].bytes, words);
        } else {
            return VX_NETCODE_FAULT_ADDRESS_TYPE;
        }
        netcode_get(at, &servers[i].port, 2);
    }
    return VX_NETCODE_FAULT_NONE;
}

void vx_netcode_private_write(const struct vx_netcode_private *private, uint8_t out[VX_NETCODE_PRIVATE_BYTES])
{
    uint8_t *at = out;
    memset(out, 0, VX_NETCODE_PRIVATE_BYTES);
    netcode_put(&at, &private->client_id, 8);
    netcode_put(&at, &private->timeout_s, 4);
    addresses_put(&at, private->servers, private->server_count);
    netcode_put(&at, private->client_key, VX_NETCODE_KEY_BYTES);
    netcode_put(&at, private->server_key, VX_NETCODE_KEY_BYTES);
    netcode_put(&at, private->user, VX_NETCODE_USER_BYTES);
}

enum vx_netcode_fault vx_netcode_private_read(const uint8_t in[VX_NETCODE_PRIVATE_BYTES], struct vx_netcode_private *private)
{
    const uint8_t *at = in;
    netcode_get(&at, &private->client_id, 8);
    netcode_get(&at, &private->timeout_s, 4);
    enum vx_netcode_fault fault = addresses_get(&at, private->servers, &private->server_count);
    if (fault != VX_NETCODE_FAULT_NONE)
        return fault;
    netcode_get(&at, private->client_key, VX_NETCODE_KEY_BYTES);
    netcode_get(&at, private->server_key, VX_NETCODE_KEY_BYTES);
    netcode_get(&at, private->user, VX_NETCODE_USER_BYTES);
    return VX_NETCODE_FAULT_NONE;
}

static void private_aad(uint8_t aad[PRIVATE_AAD_BYTES], uint64_t protocol_id, uint64_t expire_s)
{
    uint8_t *at = aad;
    netcode_put(&at, netcode_version, VX_NETCODE_VERSION_BYTES);
    netcode_put(&at, &protocol_id, 8);
    netcode_put(&at, &expire_s, 8);
}

void vx_netcode_private_seal(uint8_t data[VX_NETCODE_PRIVATE_BYTES], uint64_t protocol_id, uint64_t expire_s,
                             const uint8_t nonce[VX_NETCODE_TOKEN_NONCE_BYTES], const uint8_t key[VX_NETCODE_KEY_BYTES])
{
    uint8_t aad[PRIVATE_AAD_BYTES];
    private_aad(aad, protocol_id, expire_s);
    vx_xaead_seal(data, PRIVATE_TEXT_BYTES, aad, sizeof(aad), nonce, key, data);
}

int vx_netcode_private_open(const uint8_t in[VX_NETCODE_PRIVATE_BYTES], uint64_t protocol_id, uint64_t expire_s,
                            const uint8_t nonce[VX_NETCODE_TOKEN_NONCE_BYTES], const struct vx_netcode_keys *keys, uint8_t out[VX_NETCODE_PRIVATE_BYTES])
{
    uint8_t aad[PRIVATE_AAD_BYTES];
    VX_ASSERT(keys->count >= 1 && keys->count <= VX_NETCODE_KEYS_MAX);
    private_aad(aad, protocol_id, expire_s);
    for (uint32_t i = 0; i < keys->count; i++)
        if (vx_xaead_open(in, PRIVATE_TEXT_BYTES, aad, sizeof(aad), nonce, keys->keys[i], out)) {
            memset(out + PRIVATE_TEXT_BYTES, 0, VX_NETCODE_TAG_BYTES);
            return (int)i;
        }
    return -1;
}

void vx_netcode_token_write(const struct vx_netcode_token *token, uint8_t out[VX_NETCODE_TOKEN_BYTES])
{
    uint8_t *at = out;
    memset(out, 0, VX_NETCODE_TOKEN_BYTES);
    netcode_put(&at, netcode_version, VX_NETCODE_VERSION_BYTES);
    netcode_put(&at, &token->protocol_id, 8);
    netcode_put(&at, &token->create_s, 8);
    netcode_put(&at, &token->expire_s, 8);
    netcode_put(&at, token->nonce, VX_NETCODE_TOKEN_NONCE_BYTES);
    netcode_put(&at, token->sealed, VX_NETCODE_PRIVATE_BYTES);
    netcode_put(&at, &token->timeout_s, 4);
    addresses_put(&at, token->servers, token->server_count);
    netcode_put(&at, token->client_key, VX_NETCODE_KEY_BYTES);
    netcode_put(&at, token->server_key, VX_NETCODE_KEY_BYTES);
}

enum vx_netcode_fault vx_netcode_token_read(const uint8_t *in, size_t bytes, struct vx_netcode_token *token)
{
    const uint8_t *at = in + VX_NETCODE_VERSION_BYTES;
    if (bytes != VX_NETCODE_TOKEN_BYTES)
        return VX_NETCODE_FAULT_TOKEN_LENGTH;
    if (memcmp(in, netcode_version, VX_NETCODE_VERSION_BYTES) != 0)
        return VX_NETCODE_FAULT_TOKEN_VERSION;
    netcode_get(&at, &token->protocol_id, 8);
    netcode_get(&at, &token->create_s, 8);
    netcode_get(&at, &token->expire_s, 8);
    if (token->create_s > token->expire_s)
        return VX_NETCODE_FAULT_TOKEN_TIMES;
    netcode_get(&at, token->nonce, VX_NETCODE_TOKEN_NONCE_BYTES);
    netcode_get(&at, token->sealed, VX_NETCODE_PRIVATE_BYTES);
    netcode_get(&at, &token->timeout_s, 4);
    enum vx_netcode_fault fault = addresses_get(&at, token->servers, &token->server_count);
    if (fault != VX_NETCODE_FAULT_NONE)
        return fault;
    netcode_get(&at, token->client_key, VX_NETCODE_KEY_BYTES);
    netcode_get(&at, token->server_key, VX_NETCODE_KEY_BYTES);
    return VX_NETCODE_FAULT_NONE;
}

void vx_netcode_token_issue(const struct vx_netcode_private *private, uint64_t protocol_id, uint64_t create_s, uint64_t expire_s,
                            const uint8_t nonce[VX_NETCODE_TOKEN_NONCE_BYTES], const uint8_t key[VX_NETCODE_KEY_BYTES], uint8_t out[VX_NETCODE_TOKEN_BYTES])
{
    struct vx_netcode_token token = { .protocol_id = protocol_id, .create_s = create_s, .expire_s = expire_s,
                                      .timeout_s = private->timeout_s, .server_count = private->server_count };
    VX_ASSERT(create_s <= expire_s);
    memcpy(token.nonce, nonce, sizeof(token.nonce));
    memcpy(token.servers, private->servers, sizeof(token.servers));
    memcpy(token.client_key, private->client_key, sizeof(token.client_key));
    memcpy(token.server_key, private->server_key, sizeof(token.server_key));
    vx_netcode_private_write(private, token.sealed);
    vx_netcode_private_seal(token.sealed, protocol_id, expire_s, nonce, key);
    vx_netcode_token_write(&token, out);
    vx_netcode_wipe(&token, sizeof(token));
}

void vx_netcode_challenge_seal(const struct vx_netcode_challenge *challenge, uint64_t sequence, const uint8_t key[VX_NETCODE_KEY_BYTES],
                               uint8_t out[VX_NETCODE_CHALLENGE_BYTES])
{
    struct vx_aead_job job = { .key = key, .data = out, .bytes = CHALLENGE_TEXT_BYTES };
    uint8_t *at = out;
    vx_netcode_nonce(job.nonce, sequence);
    memset(out, 0, VX_NETCODE_CHALLENGE_BYTES);
    netcode_put(&at, &challenge->client_id, 8);
    netcode_put(&at, challenge->user, VX_NETCODE_USER_BYTES);
    vx_aead_seal_scalar(&job, 1);
}

bool vx_netcode_challenge_open(const uint8_t in[VX_NETCODE_CHALLENGE_BYTES], uint64_t sequence, const uint8_t key[VX_NETCODE_KEY_BYTES],
                               struct vx_netcode_challenge *challenge)
{
    uint8_t text[VX_NETCODE_CHALLENGE_BYTES];
    struct vx_aead_job job = { .key = key, .data = text, .bytes = CHALLENGE_TEXT_BYTES };
    const uint8_t *at = text;
    memcpy(text, in, sizeof(text));
    vx_netcode_nonce(job.nonce, sequence);
    if (vx_aead_open_scalar(&job, 1) != 1)
        return false;
    netcode_get(&at, &challenge->client_id, 8);
    netcode_get(&at, challenge->user, VX_NETCODE_USER_BYTES);
    return true;
}
