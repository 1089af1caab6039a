/* io lcore, the netcode transport: handshakes on their way to admission and back, sessions that begin and end, and what
 * time brings. Data plane. Players' packets do not come here; of each pass only a bounded part does.
 *
 *   waiting ─▶ ask ─▶ ask ring ─▶ admission (on one io lcore) ─▶ verdict ring ─▶ answer in the same buffer
 *                └── asked[]: the buffers, in the order of the questions ────────┘        │
 *   notices[]: JOIN and PART on their way to the shards' rings, in order ◀────────────────┴── sessions that ended */
#include <rte_mbuf.h>
#include <rte_ring_elem.h>

#include "io_private.h"

enum { ASKS_UNDER_LOAD = 8, GOODBYES = 3, GOODBYE_SESSIONS = 16 };

static struct io_asked *asked_at(struct io_netcode *netcode, uint32_t index)
{
    return &netcode->asked[index & (IO_ASKED_MAX - 1)];
}

void io_netcode_clock(struct vx_io *io, uint64_t now)
{
    io->time.now_ms = (uint32_t)(((__uint128_t)now * io->netcode->ms_per_cycle_64) >> 64);
    io->time.now_s = __atomic_load_n(io->config.unix_s, __ATOMIC_RELAXED);
}

/* ---- questions ---- */

static bool ask_send(struct vx_io *io, const struct vx_admission_ask *ask)
{
    return rte_ring_sp_enqueue_burst_elem(io->config.asks, ask, sizeof(*ask), 1, NULL) == 1;
}

/* True when the buffer stays here until the verdict. */
static bool ask_one(struct vx_io *io, struct rte_mbuf *mbuf, struct vx_packet *packet)
{
    struct io_netcode *netcode = io->netcode;
    struct vx_admission_ask ask;
    if (netcode->goodbye || netcode->asked_head - netcode->asked_tail == IO_ASKED_MAX || rte_ring_free_count(io->config.asks) <= IO_ASKS_FOR_ENDS) {
        packet->drop = VX_DROP_NETCODE_LOAD;
        return false;
    }
    if (!vx_session_ask(io->sessions, packet, &io->time, &ask))
        return false;
    VX_ASSERT(ask_send(io, &ask));
    *asked_at(netcode, netcode->asked_head++) = (struct io_asked){ mbuf, *packet };
    return true;
}

/* Who answers its challenge goes before who begins; beyond the allowance clients ask again by themselves. */
uint32_t io_netcode_ask(struct vx_io *io, uint32_t done, bool under_load)
{
    struct io_netcode *netcode = io->netcode;
    uint32_t left = under_load ? ASKS_UNDER_LOAD : VX_BURST_MAX;
    for (uint32_t turn = 0; turn < 2; turn++)
        for (uint32_t i = 0; i < netcode->waiting_count; i++) {
            struct io_asked *waiting = &netcode->waiting[i];
            bool is_request = waiting->packet.data[waiting->packet.frame.payload_offset] == VX_NETCODE_REQUEST;
            if (is_request != (turn == 1))
                continue;
            bool kept = left > 0 && ask_one(io, waiting->mbuf, &waiting->packet);
            if (left == 0)
                waiting->packet.drop = VX_DROP_NETCODE_LOAD;
            left -= left > 0;
            io->counters.drops[waiting->packet.drop]++;
            if (!kept)
                io->mbufs[done++] = waiting->mbuf; /* its place there is free by now: waiting ones were left out */
        }
    netcode->waiting_count = 0;
    return done;
}

/* ---- admission, on the lcore that owns it ---- */

static void admission_step(struct vx_io *io)
{
    const struct vx_io_config *config = &io->config;
    struct vx_admission_ask asks[VX_BURST_MAX];
    struct vx_admission_verdict verdicts[VX_BURST_MAX];
    for (uint32_t lcore = 0; lcore < config->admission_lcores; lcore++) {
        uint32_t room = rte_ring_free_count(config->admission_verdicts[lcore]);
        uint32_t count = rte_ring_sc_dequeue_burst_elem(config->admission_asks[lcore], asks, sizeof(asks[0]), room < VX_BURST_MAX ? room : VX_BURST_MAX, NULL);
        uint32_t given = vx_admission_step(config->admission, io->time.now_ms, io->time.now_s, asks, count, verdicts);
        if (given > 0)
            VX_ASSERT(rte_ring_sp_enqueue_burst_elem(config->admission_verdicts[lcore], verdicts, sizeof(verdicts[0]), given, NULL) == given);
    }
}

/* ---- sessions that begin and end: the shards are told in order ---- */

static uint32_t notices_room(const struct io_netcode *netcode)
{
    return IO_NOTICES_MAX - (netcode->notice_head - netcode->notice_tail);
}

static struct vx_event *notice_new(struct io_netcode *netcode)
{
    VX_ASSERT(notices_room(netcode) > 0);
    return &netcode->notices[netcode->notice_head++ & (IO_NOTICES_MAX - 1)];
}

static void notices_flush(struct vx_io *io)
{
    struct io_netcode *netcode = io->netcode;
    for (; netcode->notice_tail != netcode->notice_head; netcode->notice_tail++) {
        const struct vx_event *event = &netcode->notices[netcode->notice_tail & (IO_NOTICES_MAX - 1)];
        if (rte_ring_sp_enqueue_burst_elem(io->config.actions[event->shard], event, sizeof(*event), 1, NULL) == 0)
            return; /* that shard stands still: players wait, nobody is forgotten */
        if (event->kind == VX_EVENT_JOIN)
            vx_session_told(io->sessions, event->session);
        io->counters.notices_queued++;
    }
}

static uint32_t whole(float value)
{
    return value > 0 ? (uint32_t)(value + 0.5f) : 0;
}

/* Regions that modes can name; what else is told of is not played in. */
static void profile_write(const struct vx_user *user, struct vx_event *event)
{
    struct vx_join_profile profile = { 0 };
    struct vx_join_traits traits;
    for (uint32_t i = 0; i < user->latency_count; i++)
        if (user->latencies[i].region <= VX_MATCH_REGIONS)
            profile.latency_ms[user->latencies[i].region - 1] = user->latencies[i].ms > 0 ? user->latencies[i].ms : 1; /* 0: not known */
    memcpy(traits.attributes, user->attributes, sizeof(traits.attributes));
    memcpy(traits.sets, user->sets, sizeof(traits.sets));
    memcpy(event->out, &profile, sizeof(profile));
    memcpy(&event->received_cycles, &traits, sizeof(traits));
}

static void join(struct vx_io *io, const struct vx_session_joined *joined)
{
    const uint32_t shards = io->config.shards;
    struct vx_event *event = notice_new(io->netcode);
    *event = (struct vx_event){
        .kind = VX_EVENT_JOIN, .arg8 = joined->resumes ? VX_JOIN_RESUME : VX_JOIN_NEW, .io = (uint8_t)io->config.index, .arg16 = joined->user.roles,
        .shard = (uint16_t)(joined->player % shards), .slot = joined->player / shards, .session = joined->session, .player = joined->user.display,
        .number = joined->connection, .a = whole(joined->user.rating), .b = whole(joined->user.deviation), .c = joined->user.party,
        .seen = joined->user.party_size,
    };
    profile_write(&joined->user, event);
}

static void part(struct vx_io *io, const struct vx_session_due *due)
{
    const uint32_t shards = io->config.shards;
    *notice_new(io->netcode) = (struct vx_event){
        .kind = VX_EVENT_PART, .arg8 = due->kind == VX_DUE_CLOSED ? VX_PART_CLOSED : VX_PART_LOST, .io = (uint8_t)io->config.index,
        .shard = (uint16_t)(due->player % shards), .slot = due->player / shards, .session = due->session,
    };
}

/* ---- verdicts ---- */

static void verdict_take(struct vx_io *io, const struct vx_admission_verdict *verdict)
{
    struct io_netcode *netcode = io->netcode;
    struct io_asked *asked = asked_at(netcode, netcode->asked_tail++);
    struct vx_session_joined joined;
    bool connected;
    uint32_t bytes = vx_session_verdict(io->sessions, &asked->packet, verdict, &io->time, &joined, &connected);
    if (connected)
        join(io, &joined);
    if (bytes == 0) {
        rte_pktmbuf_free(asked->mbuf);
        return;
    }
    asked->mbuf->data_len = (uint16_t)bytes;
    asked->mbuf->pkt_len = bytes;
    (void)io_transmit(io, asked->mbuf, 0, false); /* counted when there is no room: the client asks again */
}

static uint32_t verdicts_take(struct vx_io *io)
{
    struct io_netcode *netcode = io->netcode;
    struct vx_admission_verdict verdicts[VX_BURST_MAX];
    uint32_t room = notices_room(netcode) < VX_BURST_MAX ? notices_room(netcode) : VX_BURST_MAX;
    uint32_t count = rte_ring_sc_dequeue_burst_elem(io->config.verdicts, verdicts, sizeof(verdicts[0]), room, NULL);
    VX_ASSERT(count <= netcode->asked_head - netcode->asked_tail);
    for (uint32_t i = 0; i < count; i++)
        verdict_take(io, &verdicts[i]);
    return count;
}

/* ---- time ---- */

static void session_end(struct vx_io *io, const struct vx_session_due *due)
{
    struct vx_admission_ask ask = { .kind = VX_ASK_GONE, .how = due->kind == VX_DUE_CLOSED ? VX_GONE_CLOSED : VX_GONE_LOST, .player = due->player };
    uint32_t *note = vx_session_note(io->sessions, due->session);
    if (*note != 0)
        io_open_drop(io, *note - 1);
    part(io, due);
    VX_ASSERT(ask_send(io, &ask));
    vx_session_end(io->sessions, due->session);
    io->counters.sessions_ended++;
}

/* Only as much as can be told to shards and admission; the rest is due at the next pass, too. */
static uint32_t due_take(struct vx_io *io)
{
    struct vx_session_due due[VX_BURST_MAX];
    uint32_t room = notices_room(io->netcode), asks = rte_ring_free_count(io->config.asks);
    room = room < asks ? room : asks;
    uint32_t count = vx_session_due(io->sessions, &io->time, due, room < VX_BURST_MAX ? room : VX_BURST_MAX);
    if (count > 0)
        io_closing_seal(io); /* nothing of a session that ends now may wait for its key */
    for (uint32_t i = 0; i < count; i++)
        if (due[i].kind != VX_DUE_KEEP_ALIVE)
            session_end(io, &due[i]);
    for (uint32_t i = 0; i < count; i++)
        if (due[i].kind == VX_DUE_KEEP_ALIVE)
            io_keep_alive(io, due[i].session);
    return count;
}

/* ---- the end of all: every client is told, some times over because packets get lost ---- */

static void goodbye(struct vx_io *io)
{
    struct io_netcode *netcode = io->netcode;
    uint32_t session;
    for (uint32_t told = 0; told < GOODBYE_SESSIONS && io->tx_head - io->tx_tail < IO_TX_MAX / 2; told++) {
        if (!vx_session_each(io->sessions, &netcode->goodbye_cursor, &session)) {
            __atomic_store_n(&netcode->goodbye_done, true, __ATOMIC_RELEASE); /* acquired by vx_io_goodbye_done */
            return;
        }
        for (uint32_t i = 0; i < GOODBYES; i++)
            io_disconnect(io, session);
    }
}

uint32_t io_netcode_step(struct vx_io *io)
{
    struct io_netcode *netcode = io->netcode;
    uint32_t work = 0;
    if (io->config.admission != NULL)
        admission_step(io);
    work += verdicts_take(io);
    work += due_take(io);
    notices_flush(io);
    if (VX_UNLIKELY(netcode->goodbye != __atomic_load_n(&netcode->goodbye_wanted, __ATOMIC_ACQUIRE))) /* released by vx_io_goodbye */
        netcode->goodbye = true;
    if (VX_UNLIKELY(netcode->goodbye && !netcode->goodbye_done))
        goodbye(io);
    return work;
}

void vx_io_goodbye(struct vx_io *io)
{
    if (io->netcode != NULL)
        __atomic_store_n(&io->netcode->goodbye_wanted, true, __ATOMIC_RELEASE); /* acquired by io_netcode_step */
}

bool vx_io_goodbye_done(const struct vx_io *io)
{
    return io->netcode == NULL || __atomic_load_n(&io->netcode->goodbye_done, __ATOMIC_ACQUIRE); /* released by goodbye */
}
