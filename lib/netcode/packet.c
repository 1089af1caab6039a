/* Packets: what the clear bytes say, in the order of the standard's "Reading Encrypted Packets", and the replay
 * window. Data plane: no branch of it depends on a secret. */
#include "netcode_private.h"

enum { REQUEST_EXPIRE_OFFSET = 1 + VX_NETCODE_VERSION_BYTES + 8, REQUEST_NONCE_OFFSET = REQUEST_EXPIRE_OFFSET + 8 };
static_assert(REQUEST_NONCE_OFFSET + VX_NETCODE_TOKEN_NONCE_BYTES + VX_NETCODE_PRIVATE_BYTES == VX_NETCODE_REQUEST_BYTES, "STANDARD.md");
static_assert(VX_NETCODE_HEADER_BYTES_MAX + VX_NETCODE_STEP_BYTES + VX_NETCODE_TAG_BYTES < VX_NETCODE_REQUEST_BYTES, "no answer is larger than what asks for it");

const char *vx_netcode_type_name(uint8_t type)
{
    static const char *const names[] = {
#define NAME(name, number) [number] = #name,
        VX_NETCODE_PACKETS(NAME)
#undef NAME
    };
    return type < VX_NETCODE_TYPE_COUNT ? names[type] : "?";
}

static enum vx_drop request_parse(uint32_t bytes, uint32_t taken, struct vx_netcode_packet *packet)
{
    if (!(taken & 1 << VX_NETCODE_REQUEST))
        return VX_DROP_NETCODE_NOT_TAKEN;
    if (bytes != VX_NETCODE_REQUEST_BYTES)
        return VX_DROP_NETCODE_BAD_LENGTH;
    *packet = (struct vx_netcode_packet){ .type = VX_NETCODE_REQUEST, .offset = 1, .bytes = VX_NETCODE_REQUEST_BYTES - 1 };
    return VX_DROP_NONE;
}

enum vx_drop vx_netcode_parse(const uint8_t *data, uint32_t bytes, uint32_t taken, struct vx_netcode_packet *packet)
{
    if (bytes < 1)
        return VX_DROP_NETCODE_SHORT;
    uint8_t prefix = data[0], type = prefix & 0xf, sequence_bytes = prefix >> 4;
    if (prefix == 0)
        return request_parse(bytes, taken, packet);
    if (bytes < VX_NETCODE_PACKET_BYTES_MIN)
        return VX_DROP_NETCODE_SHORT;
    if (type == VX_NETCODE_REQUEST || type >= VX_NETCODE_TYPE_COUNT)
        return VX_DROP_NETCODE_BAD_TYPE; /* a request has no sequence number, so no other prefix than 0 */
    if (!(taken & 1u << type))
        return VX_DROP_NETCODE_NOT_TAKEN;
    if (sequence_bytes < 1 || sequence_bytes > 8)
        return VX_DROP_NETCODE_BAD_PREFIX;
    if (bytes < 1u + sequence_bytes + VX_NETCODE_TAG_BYTES)
        return VX_DROP_NETCODE_SHORT;
    if (bytes > 1u + sequence_bytes + VX_NETCODE_PAYLOAD_BYTES_MAX + VX_NETCODE_TAG_BYTES)
        return VX_DROP_NETCODE_BAD_LENGTH;
    uint64_t sequence = 0;
    memcpy(&sequence, data + 1, sequence_bytes);
    *packet = (struct vx_netcode_packet){ .sequence = sequence, .type = type, .prefix = prefix, .offset = (uint8_t)(1 + sequence_bytes),
                                          .bytes = (uint16_t)(bytes - 1 - sequence_bytes - VX_NETCODE_TAG_BYTES) };
    return VX_DROP_NONE;
}

enum vx_drop vx_netcode_length_check(const struct vx_netcode_packet *packet)
{
    static const struct {
        uint16_t min, max;
    } lengths[VX_NETCODE_TYPE_COUNT] = {
        [VX_NETCODE_REQUEST] = { VX_NETCODE_REQUEST_BYTES - 1, VX_NETCODE_REQUEST_BYTES - 1 },
        [VX_NETCODE_CHALLENGE] = { VX_NETCODE_STEP_BYTES, VX_NETCODE_STEP_BYTES },
        [VX_NETCODE_RESPONSE] = { VX_NETCODE_STEP_BYTES, VX_NETCODE_STEP_BYTES },
        [VX_NETCODE_KEEP_ALIVE] = { VX_NETCODE_KEEP_ALIVE_BYTES, VX_NETCODE_KEEP_ALIVE_BYTES },
        [VX_NETCODE_PAYLOAD] = { 1, VX_NETCODE_PAYLOAD_BYTES_MAX },
    };
    return packet->bytes >= lengths[packet->type].min && packet->bytes <= lengths[packet->type].max ? VX_DROP_NONE : VX_DROP_NETCODE_BAD_LENGTH;
}

enum vx_drop vx_netcode_request_check(const uint8_t data[VX_NETCODE_REQUEST_BYTES], uint64_t protocol_id, uint64_t now_s, struct vx_netcode_request *request)
{
    const uint8_t *at = data + 1 + VX_NETCODE_VERSION_BYTES;
    uint64_t theirs;
    if (memcmp(data + 1, netcode_version, VX_NETCODE_VERSION_BYTES) != 0)
        return VX_DROP_NETCODE_OTHER_VERSION;
    netcode_get(&at, &theirs, 8);
    if (theirs != protocol_id)
        return VX_DROP_NETCODE_OTHER_GAME;
    netcode_get(&at, &request->expire_s, 8);
    if (request->expire_s <= now_s)
        return VX_DROP_NETCODE_EXPIRED;
    request->nonce = at;
    request->sealed = at + VX_NETCODE_TOKEN_NONCE_BYTES;
    return VX_DROP_NONE;
}

void vx_netcode_request_write(const struct vx_netcode_token *token, uint8_t out[VX_NETCODE_REQUEST_BYTES])
{
    uint8_t *at = out;
    netcode_put(&at, "", 1);
    netcode_put(&at, netcode_version, VX_NETCODE_VERSION_BYTES);
    netcode_put(&at, &token->protocol_id, 8);
    netcode_put(&at, &token->expire_s, 8);
    netcode_put(&at, token->nonce, VX_NETCODE_TOKEN_NONCE_BYTES);
    netcode_put(&at, token->sealed, VX_NETCODE_PRIVATE_BYTES);
}

uint32_t vx_netcode_header_write(uint8_t *out, uint8_t type, uint64_t sequence)
{
    uint32_t bytes = vx_netcode_header_bytes(sequence);
    out[0] = (uint8_t)((bytes - 1) << 4 | type);
    memcpy(out + 1, &sequence, bytes - 1);
    return bytes;
}

void vx_netcode_aads_make(struct vx_netcode_aads *aads, uint64_t protocol_id)
{
    memset(aads, 0, sizeof(*aads));
    for (uint32_t prefix = 0; prefix < sizeof(aads->rows) / sizeof(aads->rows[0]); prefix++) {
        uint8_t *at = aads->rows[prefix], byte = (uint8_t)prefix;
        netcode_put(&at, netcode_version, VX_NETCODE_VERSION_BYTES);
        netcode_put(&at, &protocol_id, 8);
        netcode_put(&at, &byte, 1);
    }
}

/* Numbers that were passed over have not been received: their bits still speak of 256 numbers ago. */
static void skipped_clear(struct vx_netcode_replay *replay, uint64_t sequence)
{
    if (sequence - replay->newest >= VX_NETCODE_REPLAY_NUMBERS) {
        memset(replay->received, 0, sizeof(replay->received));
        return;
    }
    for (uint64_t passed = replay->newest + 1; passed < sequence; passed++)
        replay->received[passed / 64 % 4] &= ~(1ull << passed % 64);
}

void vx_netcode_replay_mark(struct vx_netcode_replay *replay, uint64_t sequence)
{
    if (sequence > replay->newest) {
        skipped_clear(replay, sequence);
        replay->newest = sequence;
    }
    replay->received[sequence / 64 % 4] |= 1ull << sequence % 64;
}

enum vx_drop vx_netcode_read(uint8_t *data, uint32_t bytes, uint32_t taken, const struct vx_netcode_aads *aads, const uint8_t *key, struct vx_netcode_replay *replay,
                             struct vx_netcode_packet *packet)
{
    struct vx_aead_job job;
    enum vx_drop drop = vx_netcode_parse(data, bytes, taken, packet);
    if (drop != VX_DROP_NONE || packet->type == VX_NETCODE_REQUEST)
        return drop;
    bool watched = replay != NULL && vx_netcode_is_replayable(packet->type);
    if (watched && vx_netcode_replay_seen(replay, packet->sequence))
        return VX_DROP_NETCODE_REPLAYED;
    vx_netcode_job(&job, aads, key, packet->prefix, packet->sequence, data + packet->offset, packet->bytes);
    if (vx_aead_open_scalar(&job, 1) != 1)
        return VX_DROP_NETCODE_FORGED;
    if (watched)
        vx_netcode_replay_mark(replay, packet->sequence);
    return vx_netcode_length_check(packet);
}

uint32_t vx_netcode_write(uint8_t *out, uint8_t type, uint64_t sequence, const void *data, uint32_t bytes, const struct vx_netcode_aads *aads, const uint8_t *key)
{
    struct vx_aead_job job;
    uint32_t header_bytes = vx_netcode_header_write(out, type, sequence);
    if (bytes > 0)
        memcpy(out + header_bytes, data, bytes);
    vx_netcode_job(&job, aads, key, out[0], sequence, out + header_bytes, bytes);
    vx_aead_seal_scalar(&job, 1);
    return header_bytes + bytes + VX_NETCODE_TAG_BYTES;
}
