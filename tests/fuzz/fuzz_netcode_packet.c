/* Packets as they arrive, before anything is authentic; and, to get past the tag, packets that are: input whose first byte
 * is odd is sealed as a body of type and sequence number from its next 9 bytes. Both libraries must judge alike, and what
 * is taken must be what was written. */
#include <stdlib.h>

#include "fuzz_netcode.h"

enum { PACKET_BYTES_MAX = 2048, HEAD_BYTES = 10 };

static struct vx_aead *burst(void)
{
    static struct vx_aead *aead;
    if (aead == NULL) {
        void *memory = aligned_alloc(VX_CACHE_LINE_BYTES, vx_aead_bytes());
        VX_ASSERT(memory != NULL);
        aead = vx_aead_create(memory);
    }
    return aead;
}

/* The path of a server's burst, for one packet. */
static enum vx_drop read_by_burst(uint8_t *data, uint32_t bytes, uint32_t taken, struct vx_netcode_packet *packet)
{
    struct vx_aead_job job;
    enum vx_drop drop = vx_netcode_parse(data, bytes, taken, packet);
    if (drop != VX_DROP_NONE || packet->type == VX_NETCODE_REQUEST)
        return drop;
    vx_netcode_job(&job, fuzz_aads(), fuzz_key(), packet->prefix, packet->sequence, data + packet->offset, packet->bytes);
    if (vx_aead_open(burst(), &job, 1) != 1)
        return VX_DROP_NETCODE_FORGED;
    return vx_netcode_length_check(packet);
}

static void read_both(const uint8_t *data, uint32_t bytes, uint32_t taken)
{
    uint8_t one[PACKET_BYTES_MAX], two[PACKET_BYTES_MAX], *exact = malloc(bytes > 0 ? bytes : 1); /* the sanitizer watches its end */
    struct vx_netcode_packet packet, twin;
    struct vx_netcode_request request;
    VX_ASSERT(exact != NULL);
    memcpy(exact, data, bytes);
    memcpy(one, data, bytes);
    memcpy(two, data, bytes);
    enum vx_drop drop = vx_netcode_read(exact, bytes, taken, fuzz_aads(), fuzz_key(), NULL, &packet);
    VX_ASSERT(read_by_burst(two, bytes, taken, &twin) == drop);
    if (drop == VX_DROP_NONE && packet.type == VX_NETCODE_REQUEST) {
        drop = vx_netcode_request_check(one, FUZZ_PROTOCOL_ID, FUZZ_NOW_S, &request);
        VX_ASSERT(drop != VX_DROP_NONE || (request.expire_s > FUZZ_NOW_S && request.sealed + VX_NETCODE_PRIVATE_BYTES == one + bytes));
    } else if (drop == VX_DROP_NONE) {
        VX_ASSERT(taken >> packet.type & 1 && (uint32_t)packet.offset + packet.bytes + VX_NETCODE_TAG_BYTES == bytes);
        VX_ASSERT(packet.type == twin.type && packet.sequence == twin.sequence && packet.offset == twin.offset && packet.bytes == twin.bytes);
        VX_ASSERT(memcmp(exact + packet.offset, two + packet.offset, packet.bytes) == 0);
    }
    free(exact);
}

/* Authentic packets: what comes out is what went in, or the length was wrong. */
static void round_trip(const uint8_t *data, uint32_t bytes)
{
    uint8_t packet_bytes[PACKET_BYTES_MAX + VX_NETCODE_HEADER_BYTES_MAX + VX_NETCODE_TAG_BYTES], type = data[1] % 6 + 1;
    const uint8_t *body = data + HEAD_BYTES;
    uint32_t body_bytes = bytes - HEAD_BYTES;
    uint64_t sequence;
    struct vx_netcode_packet packet;
    memcpy(&sequence, data + 2, sizeof(sequence));
    uint32_t length = vx_netcode_write(packet_bytes, type, sequence, body, body_bytes, fuzz_aads(), fuzz_key());
    VX_ASSERT(length == vx_netcode_header_bytes(sequence) + body_bytes + VX_NETCODE_TAG_BYTES);
    enum vx_drop drop = vx_netcode_read(packet_bytes, length, UINT32_MAX, fuzz_aads(), fuzz_key(), NULL, &packet);
    VX_ASSERT(drop == VX_DROP_NONE || drop == VX_DROP_NETCODE_BAD_LENGTH || (drop == VX_DROP_NETCODE_SHORT && length < VX_NETCODE_PACKET_BYTES_MIN));
    if (drop == VX_DROP_NONE)
        VX_ASSERT(packet.type == type && packet.sequence == sequence && packet.bytes == body_bytes && memcmp(packet_bytes + packet.offset, body, body_bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    (void)fuzz_aads();
    if (bytes > PACKET_BYTES_MAX || bytes < 1)
        return 0;
    if (data[0] % 2 == 1 && bytes >= HEAD_BYTES)
        round_trip(data, (uint32_t)bytes);
    read_both(data + 1, (uint32_t)bytes - 1, VX_NETCODE_TAKEN_BY_SERVER);
    read_both(data + 1, (uint32_t)bytes - 1, VX_NETCODE_TAKEN_BY_CLIENT);
    return 0;
}
