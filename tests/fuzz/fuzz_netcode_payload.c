/* What an authenticated client says: the payload of a packet that opened, through the action protocol's check. A player
 * with a good token may still send anything. */
#include <stdlib.h>

#include "fuzz_netcode.h"
#include "vx_wire.h"

enum { PLAYERS = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static uint64_t sequence;
    struct vx_netcode_packet packet;
    const struct vx_wire_header *header;
    if (bytes < 1 || bytes > VX_NETCODE_PAYLOAD_BYTES_MAX)
        return 0;
    uint8_t *wire = malloc(VX_NETCODE_HEADER_BYTES_MAX + bytes + VX_NETCODE_TAG_BYTES);
    VX_ASSERT(wire != NULL);
    uint32_t length = vx_netcode_write(wire, VX_NETCODE_PAYLOAD, ++sequence, data, (uint32_t)bytes, fuzz_aads(), fuzz_key());
    VX_ASSERT(vx_netcode_read(wire, length, VX_NETCODE_TAKEN_BY_SERVER, fuzz_aads(), fuzz_key(), NULL, &packet) == VX_DROP_NONE && packet.bytes == bytes);
    uint8_t *payload = malloc(bytes); /* the sanitizer watches its end */
    VX_ASSERT(payload != NULL);
    memcpy(payload, wire + packet.offset, bytes);
    if (vx_wire_check(payload, packet.bytes, PLAYERS, &header) == VX_DROP_NONE) {
        const struct vx_wire_action *actions = (const struct vx_wire_action *)(header + 1);
        VX_ASSERT(header->player < PLAYERS && header->count >= 1 && header->count <= VX_WIRE_ACTIONS_MAX);
        VX_ASSERT(sizeof(*header) + header->count * sizeof(*actions) == bytes);
        for (uint32_t i = 0; i < header->count; i++)
            VX_ASSERT(actions[i].type > VX_ACTION_NONE && actions[i].type < VX_ACTION_COUNT);
    }
    free(payload);
    free(wire);
    return 0;
}
