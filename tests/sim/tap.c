/* One pass of the appliance, and everything that crosses between its lcores: checked here against what went in
 * (no action lost, changed or doubled on its way to a shard; no result lost, changed or out of order on its way
 * to a player; every frame headed back to where that player's latest packet came from), shown to the model, and
 * passed on. */
#include <rte_mbuf.h>
#include <rte_ring_elem.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "sim_private.h"

struct expected_action {
    uint32_t player, number, seen;
    struct vx_wire_action action;
};
struct fifo { /* of expected_action: grows, never shrinks */
    struct expected_action *items;
    uint32_t head, count, capacity;
};
struct expected_reply {
    struct expected_reply *next;
    struct vx_reply reply;
    uint64_t since_us;
};
enum { WAYS_BEFORE = 3 }; /* a flood whose frames are corrupted changes its way several times before a packet leaves */
struct ways { /* from where a player's latest ways led */
    uint8_t latest[SIM_FRAME_BYTES], before[WAYS_BEFORE][SIM_FRAME_BYTES]; /* accepted frames; first byte 0xff: none */
    uint64_t until_us[WAYS_BEFORE]; /* when the way before was changed */
    uint32_t changes;
};
struct tap {
    struct frame **received[SIM_IOS_MAX]; /* frames in the device's queue, in order */
    uint32_t received_head[SIM_IOS_MAX], received_count[SIM_IOS_MAX];
    struct ways *ways[SIM_IOS_MAX]; /* by player */
    struct fifo actions[SIM_IOS_MAX][SIM_SHARDS_MAX];
    struct expected_reply **replies[SIM_IOS_MAX], **replies_last[SIM_IOS_MAX]; /* by player */
    struct expected_reply *free;
    uint32_t replies_waiting;
    uint64_t shed_skipped, busy_seen, accepted_actions; /* of this generation */
    struct rte_mbuf *hoard[8192]; /* NO_BUFFERS */
    uint32_t hoard_count;
};
enum { DEVICE_QUEUE = 1024, WAY_KEPT_US = 2000000 /* io lcores and devices that stand still keep packets */ };
static struct tap tap;

static void ways_forget(struct ways *ways)
{
    ways->latest[0] = 0xff;
    for (uint32_t i = 0; i < WAYS_BEFORE; i++)
        ways->before[i][0] = 0xff;
}

static void *zeroed(size_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);
    VX_ASSERT(memory != NULL);
    return memory;
}

void tap_open(struct sim *sim)
{
    for (uint32_t io = 0; io < sim->plan->ios; io++) {
        tap.received[io] = zeroed(DEVICE_QUEUE, sizeof(struct frame *));
        tap.ways[io] = zeroed(sim->plan->players, sizeof(struct ways));
        tap.replies[io] = zeroed(sim->plan->players, sizeof(struct expected_reply *));
        tap.replies_last[io] = zeroed(sim->plan->players, sizeof(struct expected_reply *));
    }
}

static void replies_forget(struct sim *sim)
{
    for (uint32_t io = 0; io < sim->plan->ios; io++)
        for (uint32_t player = 0; player < sim->plan->players; player++)
            for (struct expected_reply *reply; (reply = tap.replies[io][player]) != NULL;) {
                tap.replies[io][player] = reply->next;
                reply->next = tap.free;
                tap.free = reply;
            }
}

void tap_start(struct sim *sim)
{
    replies_forget(sim);
    tap.replies_waiting = tap.hoard_count = 0;
    tap.shed_skipped = tap.busy_seen = tap.accepted_actions = 0;
    for (uint32_t io = 0; io < sim->plan->ios; io++) {
        for (; tap.received_count[io] > 0; tap.received_count[io]--)
            network_free(sim, tap.received[io][tap.received_head[io]++ % DEVICE_QUEUE]);
        for (uint32_t player = 0; player < sim->plan->players; player++)
            ways_forget(&tap.ways[io][player]);
        for (uint32_t shard = 0; shard < SIM_SHARDS_MAX; shard++)
            tap.actions[io][shard].head = tap.actions[io][shard].count = 0;
    }
}

/* ---- inwards ---- */

static void fifo_put(struct fifo *fifo, const struct expected_action *action)
{
    if (fifo->count == fifo->capacity) {
        uint32_t capacity = fifo->capacity * 2 + 64;
        struct expected_action *items = zeroed(capacity, sizeof(items[0]));
        for (uint32_t i = 0; i < fifo->count; i++)
            items[i] = fifo->items[(fifo->head + i) % fifo->capacity];
        free(fifo->items);
        *fifo = (struct fifo){ items, 0, fifo->count, capacity };
    }
    fifo->items[(fifo->head + fifo->count++) % fifo->capacity] = *action;
}

static void way_note(struct sim *sim, struct ways *ways, const uint8_t *frame)
{
    if (ways->latest[0] == 0xff || frame_ways_differ(ways->latest, frame)) {
        uint32_t place = ways->changes++ % WAYS_BEFORE;
        memcpy(ways->before[place], ways->latest, SIM_FRAME_BYTES);
        ways->until_us[place] = sim->now_us;
    }
    memcpy(ways->latest, frame, SIM_FRAME_BYTES);
}

/* docs/protocol.md, "Client to server". */
static void frame_accepted(struct sim *sim, uint32_t io, const struct frame *frame)
{
    const uint8_t *payload;
    uint32_t bytes = frame_payload(frame->data, frame->bytes, &payload);
    struct expected_action expected;
    memcpy(&expected.player, payload + 4, 4);
    memcpy(&expected.number, payload + 8, 4);
    memcpy(&expected.seen, payload + 12, 4);
    if (bytes != 16 + 16u * payload[2] || payload[0] != 'V' || payload[1] != 1 || expected.player >= sim->plan->players)
        sim_violation("a payload of %u bytes that is not the protocol's was taken", bytes);
    way_note(sim, &tap.ways[io][expected.player], frame->data);
    for (uint32_t i = 0; i < payload[2]; i++) {
        memcpy(&expected.action, payload + 16 + 16 * i, 16);
        fifo_put(&tap.actions[io][expected.player % sim->plan->shards], &expected);
        expected.number++;
        tap.accepted_actions++;
    }
}

/* One burst; the device's queue and ours hold the same frames in the same order. */
static uint32_t receive_burst(struct sim *sim, uint32_t io)
{
    const struct vx_io_counters *counters = vx_io_counters(sim->appliance.io[io]);
    uint64_t accepted = counters->drops[VX_DROP_NONE], packets = counters->packets_in;
    uint32_t count = vx_io_receive(sim->appliance.io[io], sim->now_us * SIM_CYCLES_PER_US);
    accepted = counters->drops[VX_DROP_NONE] - accepted;
    if (counters->packets_in - packets != count || count > tap.received_count[io])
        sim_violation("io lcore %u says %u packets, the device held %u", io, count, tap.received_count[io]);
    bool has_spoilt = false;
    for (uint32_t i = 0; i < count; i++) {
        struct frame *frame = tap.received[io][tap.received_head[io]++ % DEVICE_QUEUE];
        tap.received_count[io]--;
        has_spoilt = has_spoilt || frame->is_spoilt;
        if (!frame->is_spoilt || accepted > 0) /* a spoilt frame comes alone: see deliver() */
            frame_accepted(sim, io, frame);
        network_free(sim, frame);
    }
    if (!has_spoilt && accepted != count)
        sim_violation("io lcore %u refused %lu of %u good packets", io, count - accepted, count);
    sim->report->packets_in += count;
    return count;
}

static void receive_all(struct sim *sim, uint32_t io)
{
    while (receive_burst(sim, io) > 0) {
    }
}

static void deliver(struct sim *sim, struct frame *frame)
{
    struct appliance *appliance = &sim->appliance;
    uint32_t io = frame->io;
    bool is_still = sim->force[SIM_IO_STALL] > 0;
    if (frame->is_spoilt && !is_still)
        receive_all(sim, io);
    struct rte_mbuf *mbuf = tap.received_count[io] < DEVICE_QUEUE && !(frame->is_spoilt && is_still) ? rte_pktmbuf_alloc(appliance->rx_pool) : NULL;
    if (mbuf == NULL || rte_ring_enqueue(appliance->rx[io], mbuf) != 0) { /* as a device drops what it has no room for */
        rte_pktmbuf_free(mbuf);
        network_free(sim, frame);
        return;
    }
    memcpy(rte_pktmbuf_mtod(mbuf, void *), frame->data, frame->bytes);
    mbuf->data_len = frame->bytes;
    mbuf->pkt_len = frame->bytes;
    bool is_spoilt = frame->is_spoilt;
    tap.received[io][(tap.received_head[io] + tap.received_count[io]++) % DEVICE_QUEUE] = frame;
    if (is_spoilt)
        receive_all(sim, io);
}

static bool is_expected(const struct expected_action *expected, const struct vx_event *event)
{
    const struct vx_wire_action *action = &expected->action;
    return event->player == expected->player && event->number == expected->number && event->seen == expected->seen && event->type == action->type &&
           event->arg8 == action->arg8 && event->arg16 == action->arg16 && event->a == action->a && event->b == action->b && event->c == action->c;
}

/* Actions reach their shard in the order in which they came; those that are passed over have been shed. */
static void event_check(struct sim *sim, uint32_t io, uint32_t shard, const struct vx_event *event)
{
    struct fifo *fifo = &tap.actions[io][shard];
    for (;;) {
        if (fifo->count == 0)
            sim_violation("shard %u is given an action that nobody sent: player %u, number %u, type %u", shard, event->player, event->number, event->type);
        const struct expected_action *expected = &fifo->items[fifo->head % fifo->capacity];
        bool found = is_expected(expected, event);
        fifo->head = (fifo->head + 1) % fifo->capacity;
        fifo->count--;
        if (found)
            break;
        tap.shed_skipped++;
    }
    if (event->kind != VX_EVENT_ACTION || event->io != io || event->slot != event->player / sim->plan->shards)
        sim_violation("an event's io %u, slot %u or kind is wrong for player %u", event->io, event->slot, event->player);
}

static uint32_t feed(struct sim *sim)
{
    struct vx_event events[APPLIANCE_FEED_MAX];
    uint32_t total = 0;
    for (uint32_t shard = 0; shard < sim->plan->shards; shard++)
        for (uint32_t io = 0; io < sim->plan->ios; io++) {
            uint32_t count = rte_ring_sc_dequeue_burst_elem(sim->appliance.actions_io[io][shard], events, sizeof(events[0]), APPLIANCE_FEED_MAX, NULL);
            if (count == 0)
                continue;
            for (uint32_t i = 0; i < count; i++) {
                event_check(sim, io, shard, &events[i]);
                model_feed(sim->model, shard, &events[i]);
            }
            VX_ASSERT(rte_ring_sp_enqueue_bulk_elem(sim->appliance.actions_shard[io][shard], events, sizeof(events[0]), count, NULL) == count);
            total += count;
        }
    sim->report->actions += total;
    return total;
}

/* ---- outwards ---- */

static void reply_expect(struct sim *sim, uint32_t io, const struct vx_reply *reply)
{
    struct expected_reply *expected = tap.free;
    if (expected != NULL)
        tap.free = expected->next;
    else
        expected = zeroed(1, sizeof(*expected));
    *expected = (struct expected_reply){ NULL, *reply, sim->now_us };
    if (tap.replies[io][reply->player] == NULL)
        tap.replies[io][reply->player] = expected;
    else
        tap.replies_last[io][reply->player]->next = expected;
    tap.replies_last[io][reply->player] = expected;
    tap.replies_waiting++;
}

static void reply_pass_on(struct sim *sim, uint32_t lane, const struct vx_reply *reply)
{
    if (reply->player >= sim->plan->players || reply->io >= sim->plan->ios)
        sim_violation("a reply to player %u by io lcore %u: there is none", reply->player, reply->io);
    sim_digest(sim, reply, offsetof(struct vx_reply, received_cycles));
    model_reply(sim->model, reply);
    if (rte_ring_sp_enqueue_bulk_elem(sim->appliance.replies_io[reply->io][lane], reply, sizeof(*reply), 1, NULL) == 1)
        reply_expect(sim, reply->io, reply);
    sim->report->replies++; /* what an io lcore that stands still has no room for is lost, as it is to a shard lcore */
}

static void replies_pass_on(struct sim *sim, uint32_t lane)
{
    struct vx_reply replies[VX_BURST_MAX];
    uint32_t count;
    while ((count = rte_ring_sc_dequeue_burst_elem(sim->appliance.replies_shard[lane], replies, sizeof(replies[0]), VX_BURST_MAX, NULL)) > 0)
        for (uint32_t i = 0; i < count; i++)
            reply_pass_on(sim, lane, &replies[i]);
    if (vx_shard_lcore_counters(sim->appliance.lanes[lane])->replies_dropped > 0)
        model_blind(sim->model);
}

static bool is_same(const struct vx_reply *reply, const uint8_t *result)
{
    struct vx_wire_long wire = { reply->type, reply->code, reply->arg16, reply->action_number, reply->result_number, reply->a, reply->b, reply->c };
    return memcmp(&wire, result, reply->type & VX_RESULT_LONG_BIT ? 24 : 8) == 0;
}

static void reply_done(struct expected_reply **first)
{
    struct expected_reply *done = *first;
    *first = done->next;
    done->next = tap.free;
    tap.free = done;
    tap.replies_waiting--;
}

/* A result in a packet is the next one that a shard gave for the player (where results were dropped and counted: a
 * later one), or a BUSY of the io lcore's own. */
static void result_check(struct sim *sim, uint32_t io, uint32_t player, const uint8_t *result)
{
    struct expected_reply **first = &tap.replies[io][player];
    const struct expected_reply *found = *first;
    if (vx_io_counters(sim->appliance.io[io])->replies_dropped > 0)
        while (found != NULL && !is_same(&found->reply, result))
            found = found->next;
    if (found != NULL && is_same(&found->reply, result)) {
        while (*first != found)
            reply_done(first);
        reply_done(first);
    } else if (result[0] == VX_RESULT_ERROR && result[1] == VX_CODE_BUSY) {
        tap.busy_seen++;
    } else {
        sim_violation("player %u is sent a result of type 0x%x, code %u, that no shard gave it next", player, result[0], result[1]);
    }
}

/* A packet that waits for its window keeps the way that it was begun with. */
static bool way_was(const struct sim *sim, const struct ways *ways, const uint8_t *data, uint32_t bytes)
{
    for (uint32_t i = 0; i < WAYS_BEFORE; i++)
        if (ways->before[i][0] != 0xff && sim->now_us <= ways->until_us[i] + sim->plan->window_us + WAY_KEPT_US && frame_check_answer(ways->before[i], data, bytes) == NULL)
            return true;
    return false;
}

static void way_check(struct sim *sim, uint32_t io, uint32_t player, const uint8_t *data, uint32_t bytes)
{
    const struct ways *ways = &tap.ways[io][player];
    if (ways->latest[0] == 0xff)
        sim_violation("io lcore %u answers player %u, who never sent it anything", io, player);
    const char *wrong = frame_check_answer(ways->latest, data, bytes);
    if (wrong != NULL && !way_was(sim, ways, data, bytes))
        sim_violation("a packet to player %u: %s is not as the way of its latest packet asks", player, wrong);
}

static void packet_check(struct sim *sim, uint32_t io, const uint8_t *data, uint32_t bytes)
{
    const uint8_t *payload;
    uint32_t payload_bytes = frame_payload(data, bytes, &payload), at = 8, player;
    memcpy(&player, payload + 4, 4);
    if (payload_bytes < 16 || payload_bytes > 512 || payload[0] != 'v' || payload[1] != 1 || payload[2] == 0 || payload[3] != 0 || player >= sim->plan->players)
        sim_violation("a packet of %u payload bytes is not as the protocol says", payload_bytes);
    way_check(sim, io, player, data, bytes);
    for (uint32_t i = 0; i < payload[2]; i++) {
        uint32_t result_bytes = payload[at] & 0x40 ? 24 : 8;
        if (at + result_bytes > payload_bytes)
            sim_violation("a packet ends within its result %u of %u", i + 1, payload[2]);
        result_check(sim, io, player, payload + at);
        at += result_bytes;
    }
    if (at != payload_bytes)
        sim_violation("a packet has %u bytes after its %u results", payload_bytes - at, payload[2]);
}

static uint32_t collect(struct sim *sim, uint32_t io)
{
    struct rte_mbuf *mbuf;
    uint32_t count = 0;
    for (; rte_ring_dequeue(sim->appliance.tx[io], (void **)&mbuf) == 0; count++) {
        const uint8_t *data = rte_pktmbuf_mtod(mbuf, uint8_t *);
        packet_check(sim, io, data, mbuf->data_len);
        sim_digest(sim, data, mbuf->data_len);
        struct frame *frame = network_frame(sim);
        frame->to_appliance = false;
        frame->bytes = mbuf->data_len;
        memcpy(frame->data, data, mbuf->data_len);
        frame->player = frame_way(data).player % sim->plan->players;
        network_send(sim, frame);
        rte_pktmbuf_free(mbuf);
    }
    sim->report->packets_out += count;
    return count;
}

static void buffers_hoard(struct sim *sim)
{
    struct rte_mempool *pool = sim->appliance.pool;
    if (sim->force[SIM_NO_BUFFERS] > 0) {
        while (tap.hoard_count < 8192 && (tap.hoard[tap.hoard_count] = rte_pktmbuf_alloc(pool)) != NULL)
            tap.hoard_count++;
        sim->report->faults[SIM_NO_BUFFERS]++;
    } else {
        while (tap.hoard_count > 0)
            rte_pktmbuf_free(tap.hoard[--tap.hoard_count]);
    }
}

static bool replies_left(const struct sim *sim, uint32_t io)
{
    uint32_t left = 0;
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++)
        left += rte_ring_count(sim->appliance.replies_io[io][lane]);
    return left > 0;
}

static void send_all(struct sim *sim, uint32_t io)
{
    uint32_t collected = 0;
    do {
        (void)vx_io_send(sim->appliance.io[io], sim->now_us * SIM_CYCLES_PER_US);
        collected = sim->force[SIM_DEVICE_FULL] > 0 ? 0 : collect(sim, io);
    } while (collected >= sim->plan->device_ring || replies_left(sim, io));
}

/* Everything that went in is on its way, shed and counted, or counted as dropped: invariant 6 at the io lcores. */
void tap_balance(struct sim *sim, bool at_rest)
{
    uint64_t shed = 0, queued = 0, in = 0, busy = 0, dropped = 0, waiting = 0;
    for (uint32_t io = 0; io < sim->plan->ios; io++) {
        const struct vx_io_counters *counters = vx_io_counters(sim->appliance.io[io]);
        for (uint32_t class = 0; class < VX_SHED_CLASSES; class++)
            shed += counters->actions_shed[class];
        queued += counters->actions_queued;
        in += counters->actions_in;
        busy += counters->busy_answers;
        dropped += counters->replies_dropped;
        for (uint32_t shard = 0; shard < sim->plan->shards; shard++)
            waiting += tap.actions[io][shard].count - rte_ring_count(sim->appliance.actions_io[io][shard]);
    }
    if (in != queued + shed || in != tap.accepted_actions)
        sim_violation("%lu actions came, the io lcores count %lu = %lu queued + %lu shed", tap.accepted_actions, in, queued, shed);
    if (tap.shed_skipped + waiting != shed)
        sim_violation("%lu actions did not reach their shard, %lu are counted as shed", tap.shed_skipped + waiting, shed);
    if (tap.busy_seen > busy || (at_rest && dropped == 0 && tap.busy_seen != busy))
        sim_violation("%lu BUSY were sent by io lcores that count %lu", tap.busy_seen, busy);
    if (at_rest && dropped == 0 && tap.replies_waiting > 0)
        sim_violation("%u replies were given to the io lcores and never left", tap.replies_waiting);
}

static void shards_step(struct sim *sim)
{
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++)
        (void)vx_shard_lcore_step(sim->appliance.lanes[lane], sim->shard_us);
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++)
        replies_pass_on(sim, lane);
}

/* Timers stop where outputs are full; before a command all that are due fire. This one changes nothing. */
static void time_pass(struct sim *sim)
{
    const struct vx_event event = { .kind = VX_EVENT_TUNE, .shard = VX_LCORE_EVERY_SHARD, .number = VX_SHARD_repeat_ms, .a = sim->plan->repeat_ms };
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++)
        (void)vx_shard_lcore_tell(sim->appliance.lanes[lane], &event);
    shards_step(sim);
    model_time_passed(sim->model);
}

void appliance_pass(struct sim *sim)
{
    const struct sim_plan *plan = sim->plan;
    bool io_still = sim->force[SIM_IO_STALL] > 0, shard_still = sim->force[SIM_SHARD_STALL] > 0;
    for (struct frame *frame; (frame = network_take(sim)) != NULL;) {
        if (frame->to_appliance) {
            deliver(sim, frame);
            continue;
        }
        players_hear(sim, frame);
        network_free(sim, frame);
    }
    for (uint32_t io = 0; io < plan->ios && !io_still; io++)
        receive_all(sim, io);
    if (!shard_still) {
        if (model_time_passes(sim->model))
            time_pass(sim);
        (void)feed(sim);
        shards_step(sim);
        model_pass_done(sim->model, sim->shard_us);
    }
    worker_work(sim);
    ledger_work(sim);
    buffers_hoard(sim);
    for (uint32_t io = 0; io < plan->ios && !io_still; io++)
        send_all(sim, io);
    sim->report->faults[SIM_IO_STALL] += io_still;
    sim->report->faults[SIM_SHARD_STALL] += shard_still;
    sim->report->faults[SIM_DEVICE_FULL] += sim->force[SIM_DEVICE_FULL] > 0;
}
