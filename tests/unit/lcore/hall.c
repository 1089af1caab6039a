#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "hall.h"
#include "vx_memory.h"

static struct vx_arenas *arenas;
static unsigned halls; /* names must differ */

bool hall_eal(void)
{
    char prefix[64];
    (void)snprintf(prefix, sizeof(prefix), "--file-prefix=veltrix-test-%d", (int)getpid());
    char *eal[] = { "test", "--no-huge", "--no-pci", "--no-shconf", "-m", "384", "--log-level=4", "--no-telemetry", prefix };
    struct vx_error error;
    return rte_eal_init(sizeof(eal) / sizeof(eal[0]), eal) >= 0 && vx_netcode_start() == 0 && vx_arenas_create(HALL_SHARDS, 32, -1, &arenas, &error) == 0;
}

static struct rte_ring *ring(const char *name, unsigned number, unsigned element_bytes, unsigned count)
{
    char text[RTE_RING_NAMESIZE];
    (void)snprintf(text, sizeof(text), "%s%u_%u", name, number, halls);
    struct rte_ring *made = rte_ring_create_elem(text, element_bytes, count, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    return made;
}

static void device_make(struct hall *hall)
{
    char name[32];
    struct rte_eth_conf conf = { 0 };
    (void)snprintf(name, sizeof(name), "hall%u", halls);
    int port = rte_eth_from_rings(name, hall->rx, HALL_IOS, hall->tx, HALL_IOS, 0);
    CU_ASSERT_FATAL(port >= 0);
    hall->port = (uint16_t)port;
    CU_ASSERT_EQUAL_FATAL(rte_eth_dev_configure(hall->port, HALL_IOS, HALL_IOS, &conf), 0);
    for (uint16_t queue = 0; queue < HALL_IOS; queue++) {
        CU_ASSERT_EQUAL_FATAL(rte_eth_rx_queue_setup(hall->port, queue, 512, 0, NULL, hall->pool), 0);
        CU_ASSERT_EQUAL_FATAL(rte_eth_tx_queue_setup(hall->port, queue, 512, 0, NULL), 0);
    }
    CU_ASSERT_EQUAL_FATAL(rte_eth_dev_start(hall->port), 0);
}

static void io_make(struct hall *hall, uint32_t index, const struct hall_options *options, uint32_t players)
{
    struct vx_error error;
    struct vx_session_netcode_config netcode = {
        .places = 2 * players, .players = players, .lcore = index, .protocol_id = hall->backend.protocol_id, .keys.count = 1, .address_count = 2,
        .keepalive_ms = 1000, .handshakes_per_s = options->handshakes_per_s, .seed = 5 + index, .challenge_key = { 9, (uint8_t)index },
        .now_ms = (uint32_t)(hall->now / 1000000),
    };
    memcpy(netcode.keys.keys[0], hall->backend.key, sizeof(hall->backend.key));
    memcpy(netcode.addresses, hall->backend.servers, sizeof(hall->backend.servers));
    struct vx_io_config config = {
        .port = hall->port, .queue = (uint16_t)index, .index = index, .pool = hall->pool, .filter = { .port = 40000 }, .players = players, .shards = HALL_SHARDS,
        .window_cycles = HALL_WINDOW, .cycles_per_s = 1000000000, .busy_per_s = 1000, .actions = hall->actions[index], .replies = &hall->replies[index],
        .reply_rings = 1, .numa = SOCKET_ID_ANY, .netcode = &netcode, .unix_s = &hall->unix_s, .asks = hall->asks[index], .verdicts = hall->verdicts[index],
        .admission = index == 0 ? hall->admission : NULL, .admission_asks = hall->asks, .admission_verdicts = hall->verdicts, .admission_lcores = HALL_IOS,
    };
    if (vx_io_create(&config, &hall->ios[index], &error) != 0)
        CU_FAIL_FATAL(error.text);
}

static void lane_make(struct hall *hall, uint32_t players)
{
    struct vx_error error;
    struct vx_shard_lcore_config config = {
        .shard_step = 1, .shard_count = HALL_SHARDS, .io_count = HALL_IOS, .actions = hall->actions_by_io, .replies = hall->replies, .arenas = arenas,
        .numa = SOCKET_ID_ANY,
        .shard = { .epoch = 9, .players_max = (players + HALL_SHARDS - 1) / HALL_SHARDS, .hunts_max = 64, .seed = 1, .proposal_ms = 10000, .search_ms_max = 600000,
                   .hunt_ms = 600000, .idle_ms = 30000, .repeat_ms = 500, .repeats_max = 8, .job_ms_max = 2000, .speed_cm_s = 1000000, .chest_range_cm = 300,
                   .strike_range_cm = 1000, .chests = 8, .grace_ms = 20000 },
    };
    if (vx_shard_lcore_create(&config, &hall->lane, &error) != 0)
        CU_FAIL_FATAL(error.text);
}

struct hall *hall_open(const struct hall_options *options)
{
    struct hall *hall = calloc(1, sizeof(*hall));
    const uint32_t players = options->players != 0 ? options->players : HALL_PLACES;
    char name[32];
    CU_ASSERT_PTR_NOT_NULL_FATAL(hall);
    halls++;
    hall->now = 5000000000;
    hall->unix_s = HALL_NOW_S;
    netcode_backend_make(&hall->backend, HALL_NOW_S);
    (void)snprintf(name, sizeof(name), "pool%u", halls);
    hall->pool = rte_pktmbuf_pool_create(name, HALL_MBUFS, 0, 0, RTE_PKTMBUF_HEADROOM + 2048, SOCKET_ID_ANY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(hall->pool);
    const struct vx_admission_config admission = { .players = players, .shards = HALL_SHARDS, .tokens = 4096, .grace_ms = 20000, .seed = 4 };
    hall->admission = vx_admission_create(rte_zmalloc(NULL, vx_admission_bytes(&admission), 64), &admission, (uint32_t)(hall->now / 1000000));
    for (uint32_t io = 0; io < HALL_IOS; io++) {
        hall->rx[io] = ring("rx", io, sizeof(void *), 4096);
        hall->tx[io] = ring("tx", io, sizeof(void *), 4096);
        hall->asks[io] = ring("asks", io, sizeof(struct vx_admission_ask), 1024);
        hall->verdicts[io] = ring("verdicts", io, sizeof(struct vx_admission_verdict), 1024);
        hall->replies[io] = ring("replies", io, sizeof(struct vx_reply), 8192);
        hall->actions_by_io[io] = hall->actions[io];
        for (uint32_t shard = 0; shard < HALL_SHARDS; shard++)
            hall->actions[io][shard] = ring("actions", io * HALL_SHARDS + shard, sizeof(struct vx_event), options->action_ring != 0 ? options->action_ring : 256);
    }
    device_make(hall);
    lane_make(hall, players);
    for (uint32_t io = 0; io < HALL_IOS; io++)
        io_make(hall, io, options, players);
    return hall;
}

static void books_check(const struct hall *hall)
{
    uint64_t connected = 0, out = 0, in = 0;
    for (uint32_t io = 0; io < HALL_IOS; io++) {
        const struct vx_io_counters *c = vx_io_counters(hall->ios[io]);
        uint64_t drops = 0;
        for (uint32_t i = 0; i < VX_DROP_COUNT; i++)
            drops += c->drops[i];
        CU_ASSERT_EQUAL(c->packets_in, drops);
        CU_ASSERT_EQUAL(c->replies_in, c->replies_out + c->replies_dropped);
        connected += vx_io_sessions(hall->ios[io])->connected;
        in += vx_io_sessions(hall->ios[io])->unproved_bytes_in;
        out += vx_io_sessions(hall->ios[io])->unproved_bytes_out;
        vx_io_check(hall->ios[io]);
    }
    CU_ASSERT(out <= in);
    CU_ASSERT_EQUAL(connected, vx_admission_counters(hall->admission)->clients);
    vx_admission_check(hall->admission);
    for (uint32_t shard = 0; shard < HALL_SHARDS; shard++)
        vx_shard_check(vx_shard_lcore_shard(hall->lane, shard));
}

void hall_close(struct hall *hall)
{
    for (uint32_t i = 0; i < 8; i++) {
        hall->now += HALL_WINDOW;
        hall_pass(hall);
    }
    CU_ASSERT_EQUAL(hall->bad_packets, 0);
    CU_ASSERT_EQUAL(rte_mempool_avail_count(hall->pool), HALL_MBUFS);
    books_check(hall);
    CU_ASSERT_EQUAL(rte_eth_dev_stop(hall->port), 0);
    CU_ASSERT_EQUAL(rte_eth_dev_close(hall->port), 0);
    for (uint32_t io = 0; io < HALL_IOS; io++) {
        rte_ring_free(hall->rx[io]);
        rte_ring_free(hall->tx[io]);
        rte_ring_free(hall->asks[io]);
        rte_ring_free(hall->verdicts[io]);
        rte_ring_free(hall->replies[io]);
        for (uint32_t shard = 0; shard < HALL_SHARDS; shard++)
            rte_ring_free(hall->actions[io][shard]);
        rte_free(hall->ios[io]);
    }
    rte_free(hall->lane);
    rte_free(hall->admission);
    rte_mempool_free(hall->pool);
    free(hall);
}

struct netcode_player *hall_client(struct hall *hall, uint32_t number, uint64_t client_id)
{
    hall->backend.expire_s = hall->unix_s + 30;
    hall->numbers[number] = hall->seen[number] = 0;
    netcode_player_make(&hall->clients[number], &hall->backend, client_id, number, false, NULL);
    return &hall->clients[number];
}

bool hall_put(struct hall *hall, uint32_t queue, const struct netcode_player *client, const uint8_t *payload, uint32_t bytes)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(hall->pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mbuf);
    mbuf->data_len = (uint16_t)netcode_player_frame(client, payload, bytes, rte_pktmbuf_mtod(mbuf, uint8_t *));
    mbuf->pkt_len = mbuf->data_len;
    if (rte_ring_enqueue(hall->rx[queue], mbuf) == 0)
        return true;
    rte_pktmbuf_free(mbuf);
    return false;
}

bool hall_put_next(struct hall *hall, uint32_t queue, uint32_t number)
{
    uint8_t payload[NETCODE_PLAYER_FRAME_BYTES_MAX];
    uint32_t bytes = netcode_player_next(&hall->clients[number], &hall->backend, payload);
    return hall_put(hall, queue, &hall->clients[number], payload, bytes);
}

bool hall_put_action(struct hall *hall, uint32_t queue, uint32_t number, uint8_t type)
{
    const struct vx_wire_header header = { VX_WIRE_MAGIC_CLIENT, VX_WIRE_VERSION, 1, 0, 0, ++hall->numbers[number], hall->seen[number] };
    const struct vx_wire_action action = { .type = type };
    uint8_t text[sizeof(header) + sizeof(action)], payload[128];
    memcpy(text, &header, sizeof(header));
    memcpy(text + sizeof(header), &action, sizeof(action));
    uint32_t bytes = netcode_player_packet(&hall->clients[number], &hall->backend, VX_NETCODE_PAYLOAD, text, sizeof(text), payload);
    return hall_put(hall, queue, &hall->clients[number], payload, bytes);
}

bool hall_put_disconnect(struct hall *hall, uint32_t queue, uint32_t number)
{
    uint8_t payload[64];
    uint32_t bytes = netcode_player_packet(&hall->clients[number], &hall->backend, VX_NETCODE_DISCONNECT, NULL, 0, payload);
    return hall_put(hall, queue, &hall->clients[number], payload, bytes);
}

/* ---- what comes back ---- */

static bool results_read(struct hall *hall, uint32_t number)
{
    const struct netcode_player *client = &hall->clients[number];
    struct vx_wire_reply_header header;
    uint32_t at = sizeof(header), count = 0;
    memcpy(&header, client->payload, sizeof(header));
    while (at + sizeof(struct vx_wire_short) <= client->payload_bytes && hall->count < HALL_ANSWERS) {
        struct hall_answer *answer = &hall->answers[hall->count++];
        *answer = (struct hall_answer){ .client = number };
        memcpy(&answer->result, client->payload + at, vx_result_bytes(client->payload[at]));
        if (answer->result.type & VX_RESULT_LONG_BIT && answer->result.result_number == hall->seen[number] + 1)
            hall->seen[number]++;
        at += vx_result_bytes(client->payload[at]);
        count++;
    }
    return header.magic == VX_WIRE_MAGIC_SERVER && header.count == count && at == client->payload_bytes;
}

/* The frame's address says whose it is: 10.x.y.z is client xyz - 2, on port 20000 + that. */
static bool frame_take(struct hall *hall, const uint8_t *frame, uint32_t bytes)
{
    uint32_t number = ((uint32_t)frame[31] << 16 | (uint32_t)frame[32] << 8 | frame[33]) - 2;
    if (number >= HALL_CLIENTS)
        return false;
    struct netcode_player *client = &hall->clients[number];
    struct vx_frame_filter filter = { .port = client->address.port };
    struct vx_frame seen;
    uint32_t payloads = client->payloads;
    if (vx_frame_parse(frame, bytes, &filter, &seen) != VX_DROP_NONE || memcmp(frame, client->mac, 6) != 0)
        return false;
    if (netcode_player_take(client, &hall->backend, frame + seen.payload_offset, seen.payload_bytes) != VX_DROP_NONE)
        return false;
    return client->payloads == payloads || results_read(hall, number);
}

void hall_pass(struct hall *hall)
{
    void *mbuf;
    for (uint32_t io = 0; io < HALL_IOS; io++)
        while (vx_io_receive(hall->ios[io], hall->now) > 0) {
        }
    (void)vx_shard_lcore_step(hall->lane, hall->now / 1000);
    for (uint32_t io = 0; io < HALL_IOS; io++)
        (void)vx_io_send(hall->ios[io], hall->now);
    for (uint32_t io = 0; io < HALL_IOS; io++)
        while (rte_ring_dequeue(hall->tx[io], &mbuf) == 0) {
            hall->packets++;
            hall->bad_packets += !frame_take(hall, rte_pktmbuf_mtod((struct rte_mbuf *)mbuf, uint8_t *), ((struct rte_mbuf *)mbuf)->data_len);
            rte_pktmbuf_free(mbuf);
        }
}

void hall_wait(struct hall *hall, uint32_t ms)
{
    for (uint32_t passed = 0; passed < ms; passed += 10) {
        hall->now += 10000000;
        hall->unix_s = HALL_NOW_S + (hall->now - 5000000000) / 1000000000;
        hall_pass(hall);
    }
}

bool hall_connect(struct hall *hall, uint32_t queue, uint32_t number)
{
    for (uint32_t i = 0; i < 6 && hall->clients[number].state < NETCODE_PLAYER_CONNECTED; i++) {
        (void)hall_put_next(hall, queue, number);
        hall_pass(hall);
        hall_pass(hall); /* the other lcore's question takes the next pass */
    }
    return hall->clients[number].state == NETCODE_PLAYER_CONNECTED;
}

const struct vx_wire_long *hall_answer(const struct hall *hall, uint32_t client, uint8_t type)
{
    for (uint32_t i = hall->count; i > 0; i--)
        if (hall->answers[i - 1].client == client && hall->answers[i - 1].result.type == type)
            return &hall->answers[i - 1].result;
    return NULL;
}

uint64_t hall_drops(const struct hall *hall, enum vx_drop drop)
{
    return vx_io_counters(hall->ios[0])->drops[drop] + vx_io_counters(hall->ios[1])->drops[drop];
}

const struct vx_shard_counters *hall_shard(const struct hall *hall, uint32_t shard)
{
    return vx_shard_counters(vx_shard_lcore_shard(hall->lane, shard));
}

uint64_t hall_online(const struct hall *hall)
{
    return hall_shard(hall, 0)->players_online + hall_shard(hall, 1)->players_online;
}
