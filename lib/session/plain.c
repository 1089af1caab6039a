/* Plain transport: the player id is believed, and indexes the table. An entry is the way back, kept in
 * the order in which a frame needs it: one cache line. */
#include "session_private.h"

static_assert(TAGS_BYTES_MAX + IP4_BYTES < IP6_BYTES, "a head's length tells its IP version");

size_t vx_session_table_bytes(uint32_t players)
{
    return sizeof(struct vx_session_table) + players * sizeof(struct entry);
}

struct vx_session_table *vx_session_table_create(void *memory, uint32_t players)
{
    struct vx_session_table *table = memory;
    table->count = players;
    return table;
}

void plain_open(struct vx_session_table *table, struct vx_packet *packets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct vx_packet *packet = &packets[i];
        if (packet->drop != VX_DROP_NONE)
            continue;
        packet->drop = (uint8_t)vx_wire_check(packet->data + packet->frame.payload_offset, packet->frame.payload_bytes, table->count, &packet->header);
        if (packet->drop != VX_DROP_NONE)
            continue;
        packet->session = packet->player = packet->header->player;
        __builtin_prefetch(&table->entries[packet->session], 1);
    }
    for (uint32_t i = 0; i < count; i++)
        if (packets[i].drop == VX_DROP_NONE) /* the line will be written for the reply's note anyway */
            way_read(&packets[i], &table->entries[packets[i].session].way);
}

/* Read from the head, not from the way: a later packet of this player may have changed that since. */
void plain_seal(const struct vx_session_table *table, struct vx_sealing *sealings, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct vx_sealing *sealing = &sealings[i];
        const uint32_t ip_bytes = sealing->head_bytes < ETHERNET_BYTES + IP6_BYTES + UDP_BYTES ? IP4_BYTES : IP6_BYTES;
        uint8_t *udp = sealing->frame + sealing->head_bytes - UDP_BYTES;
        sealing->bytes = sealing->head_bytes + sealing->payload_bytes;
        sealing_finish(table, sealing, udp, ip_bytes);
    }
}
