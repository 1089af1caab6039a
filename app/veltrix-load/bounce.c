/* veltrix-load, bounce: a closed window of the cheapest packets, to find what a path carries. Frames
 * are formatted beforehand in the order of their visits, so that a packet costs one sequential copy;
 * only the action number changes, and without UDP checksum nothing else must. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_memcpy.h>

#include "load.h"

enum {
    BOUNCE_COPY_BYTES = 32, /* frames are copied in pieces of this */
    BOUNCE_BURST = 32,
    BOUNCE_PACE_MIN = 4,
    BOUNCE_LOSS_MS = 50, /* silence after which what is outstanding is lost */
    BOUNCE_DRAIN_MS = 200,
};

struct bounce {
    struct load *load;
    uint8_t *frames;
    uint32_t actions;                               /* of a packet: MOVE, then PINGs */
    uint32_t frame_bytes, copy_bytes, stride_bytes; /* of one; what is copied of it; from one to the next */
    uint32_t place;
    uint64_t written_off; /* actions; may come back later */
    uint64_t heard_ns, began_ns;
};

static uint8_t *frame_at(const struct bounce *bounce, uint32_t place)
{
    return bounce->frames + (size_t)place * bounce->stride_bytes;
}

static struct vx_wire_header *header_at(const struct bounce *bounce, uint32_t place)
{
    return (struct vx_wire_header *)(frame_at(bounce, place) + LOAD_FRAME_HEAD_BYTES);
}

static void sizes_set(struct bounce *bounce)
{
    bounce->actions = bounce->load->options.actions;
    bounce->frame_bytes = LOAD_FRAME_HEAD_BYTES + (uint32_t)(sizeof(struct vx_wire_header) + bounce->actions * sizeof(struct vx_wire_action));
    bounce->copy_bytes = RTE_ALIGN_CEIL(bounce->frame_bytes, BOUNCE_COPY_BYTES);
    bounce->stride_bytes = RTE_ALIGN_CEIL(bounce->frame_bytes, VX_CACHE_LINE_BYTES);
}

static int frames_create(struct bounce *bounce)
{
    struct load *load = bounce->load;
    uint32_t players = load->options.players;
    load->order = load_order_create(players, players, &load->rng);
    sizes_set(bounce);
    bounce->frames = aligned_alloc(VX_CACHE_LINE_BYTES, (size_t)players * bounce->stride_bytes);
    if (load->order == NULL || bounce->frames == NULL)
        return -ENOMEM;
    memset(bounce->frames, 0, (size_t)players * bounce->stride_bytes);
    for (uint32_t i = 0; i < players; i++) {
        struct vx_wire_header *header = header_at(bounce, i);
        struct vx_wire_action *actions = (struct vx_wire_action *)(header + 1);
        load_frame_head(&load->options, load->options.client_ip, load_source_port(load->order[i]), bounce->frame_bytes - LOAD_FRAME_HEAD_BYTES, frame_at(bounce, i));
        *header = (struct vx_wire_header){ VX_WIRE_MAGIC_CLIENT, VX_WIRE_VERSION, (uint8_t)bounce->actions, 0, load->order[i], 1, 0 };
        actions[0].type = VX_ACTION_MOVE;
        for (uint32_t action = 1; action < bounce->actions; action++)
            actions[action].type = VX_ACTION_PING;
    }
    return 0;
}

static uint64_t actions_outstanding(const struct bounce *bounce)
{
    return bounce->load->stats.actions_sent - bounce->load->stats.actions_answered - bounce->written_off;
}

/* Both our own header, swapped back by testpmd, and the server's have their count at byte 2: what
 * comes back is counted in actions, because the server may answer two packets in one. */
static uint32_t frames_receive(struct bounce *bounce)
{
    struct load *load = bounce->load;
    struct rte_mbuf *mbufs[VX_BURST_MAX];
    uint32_t count = rte_eth_rx_burst(load->port, 0, mbufs, VX_BURST_MAX);
    uint64_t actions = 0, wrong = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *payload = rte_pktmbuf_mtod_offset(mbufs[i], const uint8_t *, LOAD_FRAME_HEAD_BYTES);
        bool is_ours = mbufs[i]->data_len >= LOAD_FRAME_HEAD_BYTES + sizeof(struct vx_wire_reply_header) &&
                       (payload[0] == VX_WIRE_MAGIC_SERVER || payload[0] == VX_WIRE_MAGIC_CLIENT) && payload[1] == VX_WIRE_VERSION;
        actions += is_ours ? payload[2] : 0;
        wrong += !is_ours;
    }
    rte_pktmbuf_free_bulk(mbufs, count);
    load->stats.packets_received += count - wrong;
    load->stats.packets_foreign += wrong;
    uint64_t outstanding = actions_outstanding(bounce);
    if (VX_UNLIKELY(actions > outstanding)) {
        uint64_t late = RTE_MIN(actions - outstanding, bounce->written_off);
        bounce->written_off -= late;
        load->stats.answers_wrong += actions - outstanding - late; /* more than was ever sent */
        actions = outstanding + late;
    }
    load->stats.actions_answered += actions;
    return count;
}

static void frames_send(struct bounce *bounce, uint32_t count)
{
    struct load *load = bounce->load;
    struct rte_mbuf *mbufs[BOUNCE_BURST];
    if (rte_pktmbuf_alloc_bulk(load->pool, mbufs, count) != 0)
        return;
    uint32_t place = bounce->place;
    for (uint32_t i = 0; i < count; i++) {
        rte_memcpy(rte_pktmbuf_mtod(mbufs[i], void *), frame_at(bounce, place), bounce->copy_bytes);
        mbufs[i]->data_len = (uint16_t)bounce->frame_bytes;
        mbufs[i]->pkt_len = bounce->frame_bytes;
        place = place + 1 < load->options.players ? place + 1 : 0;
    }
    uint32_t sent = rte_eth_tx_burst(load->port, 0, mbufs, (uint16_t)count);
    /* Numbers advance only for what has left. The burst's players may repeat when there are few. */
    for (uint32_t i = 0; i < sent; i++) {
        header_at(bounce, bounce->place)->number += bounce->actions;
        bounce->place = bounce->place + 1 < load->options.players ? bounce->place + 1 : 0;
    }
    rte_pktmbuf_free_bulk(mbufs + sent, count - sent);
    load->stats.packets_sent += sent;
    load->stats.turns_sent += sent;
    load->stats.actions_sent += (uint64_t)sent * bounce->actions;
}

/* Packets that the pace allows now; at least a few, because a device call for one costs as much. */
static uint32_t pace_room(const struct bounce *bounce)
{
    const struct load *load = bounce->load;
    if (load->options.pace <= 0)
        return BOUNCE_BURST;
    double due = load->options.pace * (double)(load_now_ns(load) - bounce->began_ns) * 1e-9 - (double)load->stats.packets_sent;
    return due < BOUNCE_PACE_MIN ? 0 : due < BOUNCE_BURST ? (uint32_t)due : BOUNCE_BURST;
}

static void bounce_step(struct bounce *bounce, bool sends)
{
    uint64_t window = (uint64_t)bounce->load->options.window * bounce->actions;
    uint32_t burst_max = RTE_MIN((uint32_t)BOUNCE_BURST, bounce->load->options.players);
    uint32_t received = frames_receive(bounce);
    uint64_t outstanding = actions_outstanding(bounce);
    burst_max = RTE_MIN(burst_max, pace_room(bounce));
    sends = sends && burst_max > 0;
    if (sends && outstanding + bounce->actions <= window)
        frames_send(bounce, (uint32_t)RTE_MIN((window - outstanding) / bounce->actions, (uint64_t)burst_max));
    uint64_t now_ns = load_now_ns(bounce->load);
    if (received > 0) {
        bounce->heard_ns = now_ns;
    } else if (sends && now_ns - bounce->heard_ns > BOUNCE_LOSS_MS * LOAD_MS) {
        bounce->written_off += outstanding;
        bounce->heard_ns = now_ns;
    }
}

int load_bounce_run(struct load *load)
{
    struct bounce bounce = { .load = load };
    if (frames_create(&bounce) != 0)
        return -ENOMEM;
    uint64_t start_ns = load_now_ns(load), now_ns = start_ns, second_ns = start_ns + 1000 * LOAD_MS;
    uint64_t end_ns = start_ns + (uint64_t)(load->options.seconds * 1e9);
    bounce.heard_ns = bounce.began_ns = start_ns;
    while (now_ns < end_ns && !load_stop_requested()) {
        bounce_step(&bounce, true);
        now_ns = load_now_ns(load);
        if (now_ns >= second_ns) {
            load_report_second(load, (double)(now_ns - start_ns) * 1e-9);
            second_ns += 1000 * LOAD_MS;
        }
    }
    load->stats.seconds = (double)(now_ns - start_ns) * 1e-9;
    uint64_t drain_ns = now_ns + BOUNCE_DRAIN_MS * LOAD_MS;
    while (load_now_ns(load) < drain_ns && load_actions_unaccounted(&load->stats) > 0)
        bounce_step(&bounce, false);
    load->stats.packets_lost = load_actions_unaccounted(&load->stats) / bounce.actions;
    free(bounce.frames);
    return 0;
}
