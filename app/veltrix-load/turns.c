/* veltrix-load: what players send. A turn is one packet of 1 to 4 actions that follows from the
 * player's phase; it waits in one of the player's four slots until every action has its answer, and
 * is sent again under the same numbers meanwhile. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_udp.h>

#include "netcode.h"

void load_phase_set(struct load_player *player, enum load_phase phase, uint64_t now_ns)
{
    player->phase = (uint8_t)phase;
    player->phase_ns = now_ns;
}

static struct load_turn *turn_free(struct load_player *player)
{
    for (uint32_t i = 0; i < LOAD_TURNS_OUTSTANDING_MAX; i++)
        if (player->turns[i].open == 0)
            return &player->turns[i];
    return NULL;
}

static void turn_add(struct load_turn *turn, enum vx_action action)
{
    turn->types[turn->count++] = (uint8_t)action;
}

static struct vx_wire_action action_of(const struct load_player *player, const struct load_turn *turn, uint32_t index)
{
    struct vx_wire_action action = { .type = turn->types[index] };
    switch (action.type) {
    case VX_ACTION_ACCEPT:
        action.a = turn->match;
        break;
    case VX_ACTION_MOVE:
        action.a = (uint32_t)(int32_t)turn->x_cm;
        action.b = (uint32_t)(int32_t)turn->y_cm;
        break;
    case VX_ACTION_SUMMON:
        action.a = turn->match;
        action.arg16 = turn->chest;
        break;
    case VX_ACTION_STRIKE:
        action.a = turn->match;
        action.arg8 = (uint8_t)(turn->number & 3);
        break;
    case VX_ACTION_ACK:
        action.a = player->seen;
        break;
    default:
        break;
    }
    return action;
}

static void turn_write(const struct load *load, uint32_t id, const struct load_turn *turn, uint8_t *payload)
{
    const struct load_player *player = &load->players[id];
    struct vx_wire_header *header = (struct vx_wire_header *)payload;
    struct vx_wire_action *actions = (struct vx_wire_action *)(header + 1);
    *header = (struct vx_wire_header){ VX_WIRE_MAGIC_CLIENT, VX_WIRE_VERSION, turn->count, 0, load->netcode != NULL ? 0 : id, turn->number, player->seen };
    for (uint32_t i = 0; i < turn->count; i++)
        actions[i] = action_of(player, turn, i);
}

static struct rte_mbuf *turn_frame(struct load *load, uint32_t id, const struct load_turn *turn, uint32_t bytes)
{
    struct rte_mbuf *mbuf = load_frame_new(load, load->options.client_ip, id, bytes);
    if (mbuf == NULL)
        return NULL;
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    turn_write(load, id, turn, frame + LOAD_FRAME_HEAD_BYTES);
    struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + RTE_ETHER_HDR_LEN);
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
    udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
    return mbuf;
}

/* Queues the turn's packet; a pool without buffers is a lost packet, which the resend makes good. */
static void turn_transmit(struct load *load, uint32_t id, const struct load_turn *turn, uint64_t now_ns)
{
    uint32_t bytes = sizeof(struct vx_wire_header) + turn->count * (uint32_t)sizeof(struct vx_wire_action);
    struct rte_mbuf *mbuf;
    if (load->netcode != NULL) {
        uint8_t *payload = load_netcode_payload(load, id, bytes, now_ns, &mbuf);
        if (payload == NULL)
            return;
        turn_write(load, id, turn, payload);
        load_sealed_end(load, mbuf);
    } else {
        mbuf = turn_frame(load, id, turn, bytes);
        if (mbuf == NULL)
            return;
        load_tx_add(load, mbuf);
    }
    load->players[id].told = load->players[id].seen;
}

/* Numbers the chosen turn, starts its timer and sends it. False, with nothing changed, when there
 * is no room for the timer. */
static bool turn_send(struct load *load, uint32_t id, struct load_turn *turn, uint64_t now_ns)
{
    struct load_player *player = &load->players[id];
    struct load_timer timer = { now_ns + LOAD_RESEND_MS * LOAD_MS, id, player->number };
    if (!load_timers_push(&load->resend, timer))
        return false;
    turn->number = player->number;
    turn->open = (uint8_t)((1u << turn->count) - 1);
    player->number += turn->count;
    load->stats.actions_sent += turn->count;
    load->stats.turns_sent++;
    turn_transmit(load, id, turn, now_ns);
    return true;
}

static int32_t chest_nearest(const struct load_player *player, int32_t nearest_cm[3])
{
    int32_t nearest = -1;
    int64_t nearest_square = INT64_MAX;
    for (uint32_t i = 0; i < player->chests; i++) {
        int32_t at_cm[3];
        if (player->chests_closed & (1u << i))
            continue;
        vx_chest_position(player->hunt_seed, i, at_cm);
        int64_t dx = at_cm[0] - player->x_cm, dy = at_cm[1] - player->y_cm, square = dx * dx + dy * dy;
        if (square < nearest_square) {
            nearest_square = square;
            nearest = (int32_t)i;
            memcpy(nearest_cm, at_cm, sizeof(at_cm));
        }
    }
    return nearest;
}

/* Steps towards a chest as far as the time since the last MOVE allows. Returns what is left, in cm. */
static double step_towards(struct load_player *player, const int32_t to_cm[3], uint64_t now_ns)
{
    uint64_t elapsed_ns = RTE_MIN(now_ns - player->moved_ns, LOAD_STRIDE_MS_MAX * LOAD_MS);
    double stride_cm = LOAD_SPEED_CM_S * (double)elapsed_ns * 1e-9;
    double dx = to_cm[0] - player->x_cm, dy = to_cm[1] - player->y_cm, distance_cm = sqrt(dx * dx + dy * dy);
    double part = distance_cm <= stride_cm ? 1 : stride_cm / distance_cm;
    player->x_cm = (int16_t)(player->x_cm + dx * part); /* truncation only shortens the step */
    player->y_cm = (int16_t)(player->y_cm + dy * part);
    player->moved_ns = now_ns;
    return distance_cm * (1 - part);
}

/* The packet's first MOVE takes the whole step and the others repeat it: between actions of one
 * packet no time passes for the server, so a further step would be too fast. */
static void hunt_choose(struct load *load, struct load_player *player, struct load_turn *turn, uint64_t now_ns)
{
    int32_t to_cm[3];
    int32_t chest = chest_nearest(player, to_cm);
    if (chest < 0) {
        turn_add(turn, vx_rng_below(&load->rng, 2) ? VX_ACTION_STRIKE : VX_ACTION_PING);
        return;
    }
    double left_cm = step_towards(player, to_cm, now_ns);
    for (uint32_t i = 0; i < 3; i++)
        turn_add(turn, VX_ACTION_MOVE);
    if (left_cm <= LOAD_SUMMON_RANGE_CM) {
        turn->chest = (uint8_t)chest;
        player->chests_closed |= 1u << chest; /* opened again when the server refuses */
        turn_add(turn, VX_ACTION_SUMMON);
    } else if (vx_rng_below(&load->rng, 4) == 0) {
        turn_add(turn, VX_ACTION_STRIKE);
    }
}

static void lobby_choose(struct load *load, struct load_player *player, struct load_turn *turn, uint64_t now_ns)
{
    bool leaves = player->has_played && vx_rng_below(&load->rng, 8) == 0;
    player->has_played = false;
    if (leaves) {
        turn_add(turn, VX_ACTION_LEAVE);
        return;
    }
    turn_add(turn, VX_ACTION_FIND);
    turn_add(turn, VX_ACTION_PING);
    load_phase_set(player, LOAD_SEARCHING, now_ns); /* back to the lobby when FIND is refused */
}

static void turn_choose(struct load *load, struct load_player *player, struct load_turn *turn, uint64_t now_ns)
{
    if (player->phase != LOAD_LOBBY && player->phase != LOAD_HUNTING && now_ns - player->phase_ns > LOAD_STUCK_MS * LOAD_MS)
        load_phase_set(player, LOAD_LOBBY, now_ns);
    switch (player->phase) {
    case LOAD_LOBBY:
        lobby_choose(load, player, turn, now_ns);
        break;
    case LOAD_SEARCHING:
        turn_add(turn, vx_rng_below(&load->rng, 2) ? VX_ACTION_PING : VX_ACTION_MOVE);
        break;
    case LOAD_PROPOSED:
        turn_add(turn, VX_ACTION_ACCEPT);
        load_phase_set(player, LOAD_ACCEPTED, now_ns);
        break;
    case LOAD_HUNTING:
        hunt_choose(load, player, turn, now_ns);
        break;
    default:
        turn_add(turn, VX_ACTION_PING);
    }
    turn->match = player->match;
    turn->x_cm = player->x_cm;
    turn->y_cm = player->y_cm;
}

uint32_t load_turn_play(struct load *load, uint32_t id, uint64_t scheduled_ns, uint64_t now_ns)
{
    struct load_player *player = &load->players[id];
    struct load_turn *turn = turn_free(player);
    if (turn == NULL || !load_netcode_may_play(load, id) || load->resend.tail - load->resend.head > load->resend.mask) {
        load->stats.turns_skipped++;
        return 0;
    }
    *turn = (struct load_turn){ .scheduled_ns = scheduled_ns };
    turn_choose(load, player, turn, now_ns);
    VX_ASSERT(turn_send(load, id, turn, now_ns));
    return turn->count;
}

/* The player must not wait for what will never be answered. */
static void turn_give_up(struct load *load, struct load_player *player, struct load_turn *turn, uint64_t now_ns)
{
    load->stats.actions_given_up += (uint64_t)__builtin_popcount(turn->open);
    turn->open = 0;
    if (player->phase == LOAD_SEARCHING || player->phase == LOAD_ACCEPTED)
        load_phase_set(player, LOAD_LOBBY, now_ns);
}

static struct load_turn *turn_of_timer(struct load_player *player, uint32_t number)
{
    for (uint32_t i = 0; i < LOAD_TURNS_OUTSTANDING_MAX; i++)
        if (player->turns[i].open != 0 && player->turns[i].number == number)
            return &player->turns[i];
    return NULL;
}

void load_turns_resend(struct load *load, uint64_t now_ns)
{
    const struct load_timer *due;
    while (load_tx_room(load) > 0 && (due = load_timers_due(&load->resend, now_ns)) != NULL) {
        struct load_timer timer = *due;
        struct load_player *player = &load->players[timer.player];
        struct load_turn *turn = turn_of_timer(player, timer.number);
        load->resend.head++;
        if (turn == NULL)
            continue;
        if (turn->resends == LOAD_RESENDS_MAX) {
            turn_give_up(load, player, turn, now_ns);
            continue;
        }
        turn->resends++;
        timer.due_ns = now_ns + LOAD_RESEND_MS * LOAD_MS;
        VX_ASSERT(load_timers_push(&load->resend, timer));
        load->stats.packets_resent++;
        turn_transmit(load, timer.player, turn, now_ns);
    }
}

void load_acks_send(struct load *load, uint64_t now_ns)
{
    const struct load_timer *due;
    while (load_tx_room(load) > 0 && (due = load_timers_due(&load->ack, now_ns)) != NULL) {
        struct load_timer timer = *due;
        struct load_player *player = &load->players[timer.player];
        struct load_turn *turn = turn_free(player);
        load->ack.head++;
        player->ack_queued = false;
        if (player->told == player->seen)
            continue;
        if (turn != NULL) {
            *turn = (struct load_turn){ .scheduled_ns = now_ns };
            turn_add(turn, VX_ACTION_ACK);
            if (turn_send(load, timer.player, turn, now_ns))
                continue;
        }
        timer.due_ns = now_ns + LOAD_ACK_MS * LOAD_MS;
        player->ack_queued = load_timers_push(&load->ack, timer);
    }
}
