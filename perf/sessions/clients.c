/* The clients: real tokens, real handshakes, real seals. What a client needs later is kept; its netcode_player, which is
 * 2.7 KB, only until it is connected. */
#include <arpa/inet.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "sessions.h"

enum { PASSES_MAX = 8 };

/* The frame's address says whose it is: 10.x.y.z is client xyz - 2. */
static uint32_t number_of(const uint8_t *frame)
{
    return ((uint32_t)frame[31] << 16 | (uint32_t)frame[32] << 8 | frame[33]) - 2;
}

static void put_next(struct stage *stage, struct netcode_player *players, uint32_t count)
{
    struct rte_mbuf *mbufs[BURST];
    uint8_t payload[NETCODE_PLAYER_FRAME_BYTES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bytes = netcode_player_next(&players[i], &stage->backend, payload);
        mbufs[i] = core_mbuf(&stage->core);
        mbufs[i]->data_len = (uint16_t)netcode_player_frame(&players[i], payload, bytes, rte_pktmbuf_mtod(mbufs[i], uint8_t *));
        mbufs[i]->pkt_len = mbufs[i]->data_len;
    }
    core_put(&stage->core, mbufs, count);
}

/* Passes until as many answers have come; each is given to its client. */
static void answers_wait(struct stage *stage, struct netcode_player *players, uint32_t first, uint32_t count, enum netcode_player_state wanted)
{
    uint32_t reached = 0;
    for (uint32_t pass = 0; pass < PASSES_MAX && reached < count; pass++) {
        struct rte_mbuf *mbufs[VX_BURST_MAX];
        core_pass(&stage->core);
        for (uint32_t taken; (taken = core_taken(&stage->core, mbufs)) > 0; rte_pktmbuf_free_bulk(mbufs, taken))
            for (uint32_t i = 0; i < taken; i++) {
                const uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], uint8_t *);
                uint32_t place = number_of(frame) - first;
                if (place >= count)
                    continue; /* a keep-alive to somebody who is connected */
                if (netcode_player_take(&players[place], &stage->backend, frame + HEAD_BYTES, mbufs[i]->data_len - (uint32_t)HEAD_BYTES) != VX_DROP_NONE)
                    core_fail("an answer that its client cannot read");
                reached += players[place].state == wanted;
            }
    }
    if (reached < count)
        core_fail("not every client was answered");
}

/* Ethernet, IPv4 and UDP headers as the client's frames have them, but for lengths. */
static void head_keep(const struct netcode_player *player, struct client *client)
{
    uint8_t frame[NETCODE_PLAYER_FRAME_BYTES_MAX], nothing = 0;
    (void)netcode_player_frame(player, &nothing, 1, frame);
    memcpy(client->head, frame, HEAD_BYTES);
}

void clients_connect(struct stage *stage, struct client *clients, uint32_t first, uint32_t count)
{
    static struct netcode_player players[BURST];
    for (uint32_t i = 0; i < count; i++)
        netcode_player_make(&players[i], &stage->backend, 1 + first + i, first + i, false, NULL);
    put_next(stage, players, count);
    answers_wait(stage, players, first, count, NETCODE_PLAYER_RESPONDING);
    put_next(stage, players, count);
    answers_wait(stage, players, first, count, NETCODE_PLAYER_CONNECTED);
    for (uint32_t i = 0; i < count; i++) {
        struct client *client = &clients[first + i];
        memcpy(client->client_key, players[i].client_key, sizeof(client->client_key));
        memcpy(client->server_key, players[i].server_key, sizeof(client->server_key));
        client->sequence = players[i].sequence;
        head_keep(&players[i], client);
    }
}

/* UDP without checksum, as IPv4 allows; the IPv4 header's is made anew. */
static void head_write(const struct client *client, uint32_t payload_bytes, uint8_t *frame)
{
    struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + RTE_ETHER_HDR_LEN);
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
    memcpy(frame, client->head, HEAD_BYTES);
    ip->total_length = htons((uint16_t)(sizeof(*ip) + sizeof(*udp) + payload_bytes));
    ip->hdr_checksum = 0;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    udp->dgram_len = htons((uint16_t)(sizeof(*udp) + payload_bytes));
    udp->dgram_cksum = 0;
}

static uint32_t text_write(struct client *client, uint8_t type, uint8_t *text)
{
    if (type == VX_NETCODE_KEEP_ALIVE) {
        memset(text, 0, KEEP_ALIVE_BYTES);
        return KEEP_ALIVE_BYTES;
    }
    if (type == VX_NETCODE_DISCONNECT)
        return 0;
    struct vx_wire_header *header = (struct vx_wire_header *)text;
    struct vx_wire_action *actions = (struct vx_wire_action *)(header + 1);
    *header = (struct vx_wire_header){ VX_WIRE_MAGIC_CLIENT, VX_WIRE_VERSION, ACTIONS, 0, 0, client->number + 1, 0 };
    actions[0] = (struct vx_wire_action){ .type = VX_ACTION_MOVE };
    actions[1] = (struct vx_wire_action){ .type = VX_ACTION_PING };
    client->number += ACTIONS;
    return ASK_BYTES;
}

void clients_put(struct stage *stage, struct vx_aead *aead, struct client *clients, const uint32_t *ids, uint32_t count, uint8_t type)
{
    struct rte_mbuf *mbufs[BURST];
    struct vx_aead_job jobs[BURST];
    for (uint32_t i = 0; i < count; i++) {
        struct client *client = &clients[ids[i]];
        mbufs[i] = core_mbuf(&stage->core);
        uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], uint8_t *), *packet = frame + HEAD_BYTES;
        uint32_t header_bytes = vx_netcode_header_write(packet, type, client->sequence), bytes = text_write(client, type, packet + header_bytes);
        vx_netcode_job(&jobs[i], &stage->backend.aads, client->client_key, packet[0], client->sequence++, packet + header_bytes, bytes);
        head_write(client, header_bytes + bytes + VX_NETCODE_TAG_BYTES, frame);
        mbufs[i]->data_len = (uint16_t)(HEAD_BYTES + header_bytes + bytes + VX_NETCODE_TAG_BYTES);
        mbufs[i]->pkt_len = mbufs[i]->data_len;
    }
    vx_aead_seal(aead, jobs, count);
    core_put(&stage->core, mbufs, count);
}
