/* What both transports share: the way back, the note, and which of the two it is. */
#include "session_private.h"

void vx_session_open(struct vx_session_table *table, struct vx_packet *packets, uint32_t count, const struct vx_session_time *time)
{
    if (table->netcode == NULL)
        plain_open(table, packets, count);
    else
        netcode_open(table, packets, count, time);
}

uint32_t vx_session_head(struct vx_session_table *table, uint32_t session, uint8_t *frame)
{
    uint32_t bytes = way_head(&entry_of(table, session)->way, frame);
    return table->netcode == NULL ? bytes : bytes + netcode_head(table, session, frame + bytes);
}

void vx_session_seal(struct vx_session_table *table, struct vx_sealing *sealings, uint32_t count)
{
    if (table->netcode == NULL)
        plain_seal(table, sealings, count);
    else
        netcode_seal(table, sealings, count);
}

void vx_session_checksums_by_port(struct vx_session_table *table)
{
    table->checksums_by_port = true;
}

void vx_session_prefetch(const struct vx_session_table *table, uint32_t session)
{
    __builtin_prefetch(&table->entries[session & SESSION_INDEX_MASK], 1);
}

uint32_t *vx_session_note(struct vx_session_table *table, uint32_t session)
{
    return &entry_of(table, session)->note;
}
