/* veltrix-load, games: an open loop. Turns arrive by one Poisson process whatever the server does,
 * and latency counts from the arrival, so that a slow server cannot slow down its own measurement. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_ethdev.h>

#include "netcode.h"

enum {
    GAMES_TURNS_MAX = 32, /* a pass: answers are looked at in between */
    GAMES_SLEEP_NS_MAX = 20000,
    GAMES_DRAIN_MS_MIN = 500,
    GAMES_DRAIN_MS_MAX = 15000, /* grants come after SUMMON's answer, when the ledger has committed them */
    GAMES_DRAIN_ACK_MS_MAX = 14000, /* acknowledgements later than this could not be answered in time */
};

uint32_t *load_order_create(uint32_t players, uint32_t first, struct vx_rng *rng)
{
    uint32_t *order = malloc(players * sizeof(*order));
    if (order == NULL)
        return NULL;
    for (uint32_t i = 0; i < players; i++) {
        uint32_t base = i < first ? 0 : first, j = base + vx_rng_below(rng, i - base + 1); /* Fisher and Yates, inside out */
        order[i] = order[j];
        order[j] = i;
    }
    return order;
}

static void plain_receive(struct load *load, struct rte_mbuf **mbufs, uint32_t count, uint64_t now_ns)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bytes, ip;
        uint16_t port;
        const uint8_t *payload = load_payload_find(load, mbufs[i], &bytes, &ip, &port);
        if (payload == NULL || ip != load->options.client_ip) {
            load->stats.packets_foreign++;
            continue;
        }
        load->stats.packets_received++;
        load_answers_take(load, (uint32_t)LOAD_PLAYER_SAID, payload, bytes, now_ns);
    }
}

static uint32_t answers_receive(struct load *load)
{
    struct rte_mbuf *mbufs[VX_BURST_MAX];
    uint32_t count = rte_eth_rx_burst(load->port, 0, mbufs, VX_BURST_MAX);
    uint64_t now_ns = load_now_ns(load);
    if (load->netcode != NULL)
        load_netcode_receive(load, mbufs, count, now_ns);
    else
        plain_receive(load, mbufs, count, now_ns);
    rte_pktmbuf_free_bulk(mbufs, count);
    return count;
}

struct arrivals {
    double next_ns;
    uint32_t place; /* in load->order */
};

static uint32_t arrivals_play(struct load *load, struct arrivals *arrivals, uint64_t now_ns)
{
    uint32_t turns = 0;
    while (turns < GAMES_TURNS_MAX && arrivals->next_ns <= (double)now_ns && load_tx_room(load) > 0) {
        uint32_t player = load->order[arrivals->place];
        arrivals->place = arrivals->place + 1 < load->playing ? arrivals->place + 1 : 0;
        uint32_t actions = load_turn_play(load, player, (uint64_t)arrivals->next_ns, now_ns);
        /* A gap in proportion to the turn's actions keeps the rate of actions, not of packets; a
         * skipped turn counts as a usual one of two. */
        arrivals->next_ns += vx_rng_exponential(&load->rng) * (actions ? actions : 2) * 1e9 / load->options.rate;
        turns++;
    }
    return turns;
}

/* The core is shared: leave it when nothing is due. */
static void idle(const struct load *load, double next_ns, uint64_t now_ns)
{
    double until_ns = next_ns - (double)now_ns;
    if (load->tx_count > 0 || until_ns < 1000)
        return;
    struct timespec pause = { 0, until_ns < GAMES_SLEEP_NS_MAX ? (long)until_ns : GAMES_SLEEP_NS_MAX };
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL); /* woken early is as good */
}

/* What netcode adds to a pass. */
static uint32_t sessions_step(struct load *load, uint64_t now_ns, uint64_t elapsed_ns)
{
    if (load->netcode == NULL)
        return 0;
    uint32_t work = load_netcode_step(load, now_ns);
    if (load->options.storm > 0)
        load_storm_step(load, now_ns, elapsed_ns);
    if (load->options.flood > 0)
        load_flood_step(load, elapsed_ns);
    return work;
}

static void games_play(struct load *load)
{
    struct arrivals arrivals = { .next_ns = (double)load_now_ns(load) };
    uint64_t start_ns = load_now_ns(load), now_ns = start_ns, second_ns = start_ns + 1000 * LOAD_MS;
    uint64_t end_ns = start_ns + (uint64_t)(load->options.seconds * 1e9);
    while (now_ns < end_ns && !load_stop_requested()) {
        uint32_t work = answers_receive(load);
        now_ns = load_now_ns(load);
        load_turns_resend(load, now_ns);
        load_acks_send(load, now_ns);
        work += arrivals_play(load, &arrivals, now_ns);
        work += sessions_step(load, now_ns, now_ns - start_ns);
        load_tx_flush(load);
        if (now_ns >= second_ns) {
            load_report_second(load, (double)(now_ns - start_ns) * 1e-9);
            second_ns += 1000 * LOAD_MS;
        }
        if (work == 0)
            idle(load, arrivals.next_ns, now_ns);
    }
    load->stats.seconds = (double)(now_ns - start_ns) * 1e-9;
    load->disturbed = false;
}

/* Netcode's players connect first, but for those who come as a storm. */
static void sessions_connect(struct load *load)
{
    uint64_t start_ns = load_now_ns(load), now_ns = start_ns;
    load_netcode_invite(load, load->playing, start_ns);
    while (!load_netcode_settled(load) && !load_stop_requested()) {
        uint32_t work = answers_receive(load);
        now_ns = load_now_ns(load);
        work += load_netcode_step(load, now_ns);
        load_tx_flush(load);
        if (work == 0)
            idle(load, 1e18, now_ns);
    }
    load->stats.connect_seconds = (double)(now_ns - start_ns) * 1e-9;
}

/* Everything that was asked is answered, and every chest has had its grant: none has come for a while. */
static bool games_done(const struct load *load, uint64_t now_ns, uint64_t granted_ns)
{
    const struct load_stats *stats = &load->stats;
    return load_actions_unaccounted(stats) == stats->actions_given_up && load->ack.head == load->ack.tail && stats->grants >= stats->chests &&
           now_ns - granted_ns >= GAMES_DRAIN_MS_MIN * LOAD_MS;
}

static void games_drain(struct load *load)
{
    uint64_t start_ns = load_now_ns(load), granted_ns = start_ns, elapsed_ns = 0;
    while (elapsed_ns < GAMES_DRAIN_MS_MAX * LOAD_MS) {
        uint64_t grants = load->stats.grants;
        uint32_t work = answers_receive(load);
        uint64_t now_ns = load_now_ns(load);
        granted_ns = load->stats.grants > grants ? now_ns : granted_ns;
        elapsed_ns = now_ns - start_ns;
        load_turns_resend(load, now_ns);
        if (elapsed_ns < GAMES_DRAIN_ACK_MS_MAX * LOAD_MS)
            load_acks_send(load, now_ns);
        if (load->netcode != NULL)
            work += load_netcode_step(load, now_ns);
        load_tx_flush(load);
        if (games_done(load, now_ns, granted_ns))
            return;
        if (work == 0)
            idle(load, 1e18, now_ns);
    }
}

/* The counters say what is outstanding, and so do the players: they must agree. */
static void games_check(const struct load *load)
{
    uint64_t open = 0;
    for (uint32_t i = 0; i < load->options.players; i++)
        for (uint32_t j = 0; j < LOAD_TURNS_OUTSTANDING_MAX; j++)
            open += (uint64_t)__builtin_popcount(load->players[i].turns[j].open);
    VX_ASSERT(load_actions_unaccounted(&load->stats) == open + load->stats.actions_given_up);
}

int load_games_run(struct load *load)
{
    uint32_t players = load->options.players;
    load->playing = players - load->options.storm;
    load->order = load_order_create(players, load->playing, &load->rng);
    load->players = aligned_alloc(VX_CACHE_LINE_BYTES, players * sizeof(*load->players));
    if (load->order == NULL || load->players == NULL)
        return -ENOMEM;
    memset(load->players, 0, players * sizeof(*load->players));
    for (uint32_t i = 0; i < players; i++)
        load->players[i].number = 1;
    /* A turn leaves its timer behind when it is answered early, hence the rate's share. */
    load_timers_create(&load->resend, (uint64_t)(load->options.rate * 2 * LOAD_RESEND_MS / 1000) + (uint64_t)players * LOAD_TURNS_OUTSTANDING_MAX);
    load_timers_create(&load->ack, players);
    if (prctl(PR_SET_TIMERSLACK, 1000) != 0) /* else a sleep of 20 us takes 70 */
        fprintf(stderr, "veltrix-load: timer slack unchanged, latencies will show it\n");
    if (load->netcode != NULL)
        sessions_connect(load);
    games_play(load);
    games_drain(load);
    games_check(load);
    if (load->netcode != NULL)
        load_netcode_leave(load);
    return 0;
}
