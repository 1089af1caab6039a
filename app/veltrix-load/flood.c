/* veltrix-load, flood: in every other second, `--flood` packets that nobody should have to suffer from for each packet of
 * the players. In turn: connection requests (forged, or with good tokens but from addresses that never answer), garbage
 * from players' addresses, and players' own packets once more. What comes back to the addresses that never answer is
 * held against what was sent from them. */
#include <stdlib.h>
#include <string.h>

#include <rte_memcpy.h>

#include "netcode.h"

enum {
    FLOOD_SENDS_MAX = 48, /* a pass */
    FLOOD_ROOM_MIN = 16,  /* of load->tx, left to the players */
    RECORDED = 1024,
    RECORDED_BYTES_MAX = 190,
    TICKETS = 256, /* good tokens, one for each address that never answers; and forged ones */
    FORGED_SOURCES = 1 << 16,
    GARBAGE_BYTES_MAX = 256,
};
struct load_flood {
    struct {
        uint16_t bytes;
        uint8_t frame[RECORDED_BYTES_MAX];
    } recorded[RECORDED];
    uint32_t recorded_count; /* free-running */
    union load_ticket good[TICKETS], forged[TICKETS];
    uint64_t players_seen; /* load->stats.packets_players up to which the flood has been reckoned */
    double owed;
};

static void draw(struct vx_rng *rng, uint8_t *out, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i += 8) {
        uint64_t word = vx_rng_next(rng);
        memcpy(out + i, &word, RTE_MIN(8u, bytes - i));
    }
}

int load_flood_create(struct load *load)
{
    struct load_flood *flood = load->netcode->flood = calloc(1, sizeof(*flood));
    if (flood == NULL)
        return -1;
    for (uint32_t i = 0; i < TICKETS; i++) {
        struct load_session unused;
        load_ticket_issue(load, load->options.client_first + load->options.players + i, &unused, &flood->good[i]);
        draw(&load->rng, flood->forged[i].nonce, sizeof(flood->forged[i].nonce));
        draw(&load->rng, flood->forged[i].sealed, sizeof(flood->forged[i].sealed));
    }
    return 0;
}

void load_flood_record(struct load_flood *flood, const struct rte_mbuf *mbuf)
{
    uint32_t place = flood->recorded_count % RECORDED;
    if (mbuf->data_len > RECORDED_BYTES_MAX)
        return;
    flood->recorded[place].bytes = mbuf->data_len;
    rte_memcpy(flood->recorded[place].frame, rte_pktmbuf_mtod(mbuf, const void *), mbuf->data_len);
    flood->recorded_count++;
}

static bool request(struct load *load)
{
    struct load_flood *flood = load->netcode->flood;
    uint32_t which = vx_rng_below(&load->rng, TICKETS);
    if (vx_rng_below(&load->rng, 2) == 0)
        return load_request_send(load, load->options.players + which, &flood->good[which]);
    return load_request_send(load, load->options.players + TICKETS + vx_rng_below(&load->rng, FORGED_SOURCES), &flood->forged[which]);
}

/* Half of it looks like a payload until its tag is computed: the dearest garbage there is. */
static bool garbage(struct load *load)
{
    uint32_t id = vx_rng_below(&load->rng, load->netcode->arrived), bytes = 1 + vx_rng_below(&load->rng, GARBAGE_BYTES_MAX);
    struct rte_mbuf *mbuf = load_session_frame(load, id, bytes);
    if (mbuf == NULL)
        return false;
    uint8_t *payload = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, LOAD_FRAME_HEAD_BYTES);
    draw(&load->rng, payload, bytes);
    if (payload[bytes - 1] & 1)
        payload[0] = 1 << 4 | VX_NETCODE_PAYLOAD;
    load_tx_add(load, mbuf);
    return true;
}

static bool replay(struct load *load)
{
    const struct load_flood *flood = load->netcode->flood;
    uint32_t kept = RTE_MIN(flood->recorded_count, (uint32_t)RECORDED);
    struct rte_mbuf *mbuf = kept == 0 ? NULL : rte_pktmbuf_alloc(load->pool);
    if (mbuf == NULL)
        return false;
    uint32_t which = vx_rng_below(&load->rng, kept);
    rte_memcpy(rte_pktmbuf_append(mbuf, flood->recorded[which].bytes), flood->recorded[which].frame, flood->recorded[which].bytes);
    load_tx_add(load, mbuf);
    return true;
}

void load_flood_step(struct load *load, uint64_t elapsed_ns)
{
    static bool (*const kinds[])(struct load *) = { request, garbage, replay };
    struct load_flood *flood = load->netcode->flood;
    load->disturbed = elapsed_ns / (1000 * LOAD_MS) % 2 == 1;
    uint64_t players = load->stats.packets_players - flood->players_seen;
    flood->players_seen = load->stats.packets_players;
    if (!load->disturbed) {
        flood->owed = 0;
        return;
    }
    load->stats.packets_disturbed += players;
    flood->owed += load->options.flood * (double)players;
    for (uint32_t sent = 0; flood->owed >= 1 && sent < FLOOD_SENDS_MAX; sent++, flood->owed -= 1) {
        if (load_tx_room(load) <= FLOOD_ROOM_MIN)
            load_tx_flush(load);
        if (load_tx_room(load) <= FLOOD_ROOM_MIN)
            break;
        load->stats.packets_flood += kinds[load->stats.packets_flood % RTE_DIM(kinds)](load);
    }
}
