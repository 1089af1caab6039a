/* veltrix-load, netcode: frames of sessions, sealed and opened in bursts. The stages of a burst are loops of their own,
 * as on the server's side. UDP's checksum is left out, as IPv4 allows: every byte that matters is sealed. */
#include <string.h>

#include <arpa/inet.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "netcode.h"

struct rte_mbuf *load_session_frame(struct load *load, uint32_t source, uint32_t bytes)
{
    return load_frame_new(load, htonl(ntohl(load->options.client_ip) + source), source, bytes);
}

uint8_t *load_sealed_begin(struct load *load, uint32_t id, uint8_t type, uint32_t bytes, struct rte_mbuf **mbuf)
{
    struct load_netcode *netcode = load->netcode;
    struct load_session *session = &netcode->sessions[id];
    uint32_t header_bytes = vx_netcode_header_bytes(session->sequence);
    *mbuf = load_session_frame(load, id, header_bytes + bytes + VX_NETCODE_TAG_BYTES);
    if (*mbuf == NULL)
        return NULL;
    uint8_t *packet = rte_pktmbuf_mtod_offset(*mbuf, uint8_t *, LOAD_FRAME_HEAD_BYTES);
    (void)vx_netcode_header_write(packet, type, session->sequence);
    vx_netcode_job(&netcode->jobs[netcode->job_count], &netcode->aads, session->client_key, packet[0], session->sequence, packet + header_bytes, bytes);
    session->sequence++;
    return packet + header_bytes;
}

void load_sealed_end(struct load *load, struct rte_mbuf *mbuf)
{
    load->netcode->job_mbufs[load->netcode->job_count++] = mbuf;
    load->stats.packets_players++;
    load_tx_add(load, mbuf);
}

bool load_sealed_send(struct load *load, uint32_t id, uint8_t type, const void *data, uint32_t bytes)
{
    struct rte_mbuf *mbuf;
    uint8_t *text = load_sealed_begin(load, id, type, bytes, &mbuf);
    if (text == NULL)
        return false;
    if (bytes > 0)
        memcpy(text, data, bytes);
    load_sealed_end(load, mbuf);
    return true;
}

bool load_request_send(struct load *load, uint32_t source, const union load_ticket *ticket)
{
    struct vx_netcode_token *token = &load->netcode->token;
    struct rte_mbuf *mbuf = load_session_frame(load, source, VX_NETCODE_REQUEST_BYTES);
    if (mbuf == NULL)
        return false;
    memcpy(token->nonce, ticket->nonce, sizeof(token->nonce));
    memcpy(token->sealed, ticket->sealed, sizeof(token->sealed));
    vx_netcode_request_write(token, rte_pktmbuf_mtod_offset(mbuf, uint8_t *, LOAD_FRAME_HEAD_BYTES));
    load->stats.unproved_bytes_sent += VX_NETCODE_REQUEST_BYTES;
    load_tx_add(load, mbuf);
    return true;
}

void load_netcode_seal(struct load *load)
{
    struct load_netcode *netcode = load->netcode;
    vx_aead_seal(netcode->aead, netcode->jobs, netcode->job_count);
    if (netcode->flood != NULL)
        for (uint32_t i = 0; i < netcode->job_count; i++)
            load_flood_record(netcode->flood, netcode->job_mbufs[i]);
    netcode->job_count = 0;
}

/* ---- the way in ---- */

struct received {
    uint32_t id;
    uint8_t *data;
    struct vx_netcode_packet packet;
};

/* A packet for one of our sessions that could be authentic. */
static bool received_parse(struct load *load, struct rte_mbuf *mbuf, struct received *received)
{
    uint32_t bytes, address;
    uint16_t port;
    uint8_t *payload = load_payload_find(load, mbuf, &bytes, &address, &port);
    received->id = ntohl(address) - ntohl(load->options.client_ip);
    if (payload == NULL || port != load_source_port(received->id)) {
        load->stats.packets_foreign++;
        return false;
    }
    load->stats.packets_received++;
    if (received->id >= load->options.players) { /* an address of the flood's, which proves nothing */
        load->stats.unproved_bytes_received += bytes;
        return false;
    }
    const struct load_session *session = &load->netcode->sessions[received->id];
    if (session->state < LOAD_SESSION_RESPONDING)
        load->stats.unproved_bytes_received += bytes;
    received->data = payload;
    if (vx_netcode_parse(payload, bytes, VX_NETCODE_TAKEN_BY_CLIENT, &received->packet) == VX_DROP_NONE &&
        !(vx_netcode_is_replayable(received->packet.type) && vx_netcode_replay_seen(&session->replay, received->packet.sequence)))
        return true;
    load->stats.packets_forged++;
    return false;
}

static void received_take(struct load *load, const struct received *received, bool authentic, uint64_t now_ns)
{
    struct vx_netcode_replay *replay = &load->netcode->sessions[received->id].replay;
    const struct vx_netcode_packet *packet = &received->packet;
    bool watched = vx_netcode_is_replayable(packet->type);
    /* Looked at again: the same packet may be twice in a burst. */
    if (!authentic || (watched && vx_netcode_replay_seen(replay, packet->sequence)) || vx_netcode_length_check(packet) != VX_DROP_NONE) {
        load->stats.packets_forged++;
        return;
    }
    if (watched)
        vx_netcode_replay_mark(replay, packet->sequence);
    load_netcode_take(load, received->id, packet, received->data + packet->offset, now_ns);
}

void load_netcode_receive(struct load *load, struct rte_mbuf **mbufs, uint32_t count, uint64_t now_ns)
{
    struct load_netcode *netcode = load->netcode;
    struct received received[VX_BURST_MAX];
    struct vx_aead_job jobs[VX_BURST_MAX];
    uint32_t good = 0;
    for (uint32_t i = 0; i < count; i++)
        good += received_parse(load, mbufs[i], &received[good]);
    for (uint32_t i = 0; i < good; i++) {
        const struct vx_netcode_packet *packet = &received[i].packet;
        vx_netcode_job(&jobs[i], &netcode->aads, netcode->sessions[received[i].id].server_key, packet->prefix, packet->sequence, received[i].data + packet->offset, packet->bytes);
    }
    (void)vx_aead_open(netcode->aead, jobs, good);
    for (uint32_t i = 0; i < good; i++)
        received_take(load, &received[i], jobs[i].ok, now_ns);
}
