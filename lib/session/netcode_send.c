/* netcode, a burst out: sequence numbers are given when a packet is begun, so that its header has its place and its
 * length; packets leave nearly in order, well inside a client's replay window. */
#include "session_netcode.h"

static uint32_t head_of(struct netcode *netcode, uint32_t session, uint8_t type, uint8_t *at)
{
    struct session *hot = &netcode->hot[session & SESSION_INDEX_MASK];
    VX_ASSERT(hot->sequence + 1 < 1ull << SEQUENCE_BITS);
    hot->sent_ms = netcode->now_ms;
    return vx_netcode_header_write(at, type, hot->sequence++);
}

uint32_t netcode_head(struct vx_session_table *table, uint32_t session, uint8_t *at)
{
    return head_of(table->netcode, session, VX_NETCODE_PAYLOAD, at);
}

static void begin(struct vx_session_table *table, uint32_t session, uint8_t type, uint8_t *frame, struct vx_sealing *sealing)
{
    uint32_t bytes = way_head(&entry_of(table, session)->way, frame);
    bytes += head_of(table->netcode, session, type, frame + bytes);
    *sealing = (struct vx_sealing){ .frame = frame, .session = session, .head_bytes = (uint16_t)bytes };
}

void vx_session_keep_alive(struct vx_session_table *table, uint32_t session, uint8_t *frame, const struct vx_session_time *time, struct vx_sealing *sealing)
{
    struct netcode *netcode = table->netcode;
    netcode->now_ms = time->now_ms;
    begin(table, session, VX_NETCODE_KEEP_ALIVE, frame, sealing);
    const uint32_t says[2] = { netcode->hot[session & SESSION_INDEX_MASK].player, netcode->config.players };
    memcpy(frame + sealing->head_bytes, says, sizeof(says));
    sealing->payload_bytes = VX_NETCODE_KEEP_ALIVE_BYTES;
    netcode->counters.keep_alives_sent++;
}

void vx_session_disconnect(struct vx_session_table *table, uint32_t session, uint8_t *frame, struct vx_sealing *sealing)
{
    begin(table, session, VX_NETCODE_DISCONNECT, frame, sealing);
}

/* Where UDP begins is read from the frame: the way may have changed since the head was written. */
static uint8_t *udp_of(uint8_t *frame, uint32_t *ip_bytes)
{
    uint8_t *type = frame + 12;
    while ((type[0] == 0x81 && type[1] == 0x00) || (type[0] == 0x88 && type[1] == 0xa8))
        type += 4;
    *ip_bytes = type[0] == 0x08 ? IP4_BYTES : IP6_BYTES;
    return type + 2 + *ip_bytes;
}

void netcode_seal(struct vx_session_table *table, struct vx_sealing *sealings, uint32_t count)
{
    struct netcode *netcode = table->netcode;
    uint8_t *udps[VX_BURST_MAX];
    uint32_t ip_bytes[VX_BURST_MAX];
    VX_ASSERT(count <= VX_BURST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        VX_ASSERT(session_name(netcode, sealings[i].session & SESSION_INDEX_MASK) == sealings[i].session); /* its keys are not wiped */
        udps[i] = udp_of(sealings[i].frame, &ip_bytes[i]);
        const uint8_t *prefix = udps[i] + UDP_BYTES;
        uint64_t sequence = 0;
        memcpy(&sequence, prefix + 1, prefix[0] >> 4);
        vx_netcode_job(&netcode->burst.jobs[i], &netcode->aads, netcode->keys[sealings[i].session & SESSION_INDEX_MASK].server, prefix[0], sequence,
                       sealings[i].frame + sealings[i].head_bytes, sealings[i].payload_bytes);
    }
    vx_aead_seal(netcode->aead, netcode->burst.jobs, count);
    for (uint32_t i = 0; i < count; i++) {
        sealings[i].bytes = sealings[i].head_bytes + sealings[i].payload_bytes + VX_NETCODE_TAG_BYTES;
        sealing_finish(table, &sealings[i], udps[i], ip_bytes[i]);
    }
}
