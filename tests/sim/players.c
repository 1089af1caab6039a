/* Players as clients: what each sends and hears, with the habits that its seed gave it. A client keeps the
 * protocol, but for cheats: it numbers its actions, sends a packet again when no answer comes, takes results in order. */
#include <stdlib.h>
#include <string.h>

#include "sim_private.h"

enum { RESEND_US = 600000, RESENDS = 4 };

static bool has(const struct player_sim *player, enum habit habit)
{
    return (player->habits & habit) != 0;
}

static bool chance(struct player_sim *player, uint32_t one_in)
{
    return vx_rng_below(&player->rng, one_in) == 0;
}

/* Some clients count from 1, some from anywhere, some pass 2^32. No action has number 0: that marks a notice. */
static uint32_t number_first(struct player_sim *player)
{
    uint32_t kind = vx_rng_below(&player->rng, 4);
    return kind == 0 ? UINT32_MAX - vx_rng_below(&player->rng, 400) : kind == 1 ? 1 + vx_rng_below(&player->rng, 1u << 31) : 1;
}

void players_open(struct sim *sim)
{
    const struct sim_plan *plan = sim->plan;
    const uint32_t shares[] = { plan->per_1000_decliners, plan->per_1000_deaf, plan->per_1000_vanishers, plan->per_1000_cheats, plan->per_1000_leavers, plan->per_1000_idlers };
    sim->players = calloc(plan->players, sizeof(sim->players[0]));
    VX_ASSERT(sim->players != NULL);
    for (uint32_t i = 0; i < plan->players; i++) {
        struct player_sim *player = &sim->players[i];
        player->rng.state = vx_mix64(plan->seed ^ vx_mix64(i));
        player->address = 1 + vx_rng_below(&player->rng, 250);
        player->number = number_first(player);
        player->due_us = sim->now_us + vx_rng_below(&player->rng, 3000000);
        for (uint32_t habit = 0; habit < sizeof(shares) / sizeof(shares[0]); habit++)
            if (vx_rng_below(&player->rng, 1000) < shares[habit])
                player->habits |= 1u << habit;
    }
}

static void payload_send(struct sim *sim, uint32_t id)
{
    const struct player_sim *player = &sim->players[id];
    struct frame *frame = network_frame(sim);
    const struct way way = { id, player->address };
    frame_write(frame, &way, player->last, player->last_bytes);
    frame->to_appliance = true;
    frame->io = (uint8_t)(vx_mix64(id * 251 + player->address) % sim->plan->ios); /* as RSS: one flow, one queue */
    network_send(sim, frame);
}

static void actions_send(struct sim *sim, uint32_t id, const struct vx_wire_action *actions, uint32_t count)
{
    struct player_sim *player = &sim->players[id];
    if (player->number + count < player->number || player->number == 0)
        player->number = 1; /* would cross 0 */
    uint32_t seen = has(player, HABIT_DEAF) ? 0 : player->seen;
    if (has(player, HABIT_CHEAT) && chance(player, 20))
        seen = vx_rng_below(&player->rng, 40);
    const uint8_t head[4] = { 'V', 1, (uint8_t)count, 0 };
    memcpy(player->last, head, 4);
    memcpy(player->last + 4, &id, 4);
    memcpy(player->last + 8, &player->number, 4);
    memcpy(player->last + 12, &seen, 4);
    memcpy(player->last + 16, actions, count * 16);
    player->last_bytes = 16 + count * 16;
    player->number += count;
    payload_send(sim, id);
}

/* Away, perhaps for longer than the appliance waits; back from elsewhere, perhaps as a client that knows nothing. */
static void vanish(struct sim *sim, struct player_sim *player)
{
    uint32_t away_ms = chance(player, 2) ? vx_rng_below(&player->rng, 3000) : vx_rng_below(&player->rng, 3 * sim->plan->idle_ms);
    player->due_us = sim->now_us + away_ms * 1000ull;
    if (chance(player, 2))
        player->address = 1 + player->address % 250;
    if (chance(player, 3)) {
        player->number = number_first(player);
        player->seen = 0;
        player->phase = PHASE_LOBBY;
    }
    player->waits_us = 0;
}

uint32_t players_actions(const struct sim_plan *plan)
{
    return plan->teams != 0 ? VX_ACTION_BLOCK : VX_ACTION_PING;
}

static void flood(struct sim *sim, uint32_t id)
{
    struct player_sim *player = &sim->players[id];
    struct vx_wire_action actions[16];
    sim->report->faults[SIM_FLOOD]++;
    for (uint32_t packets = 1 + vx_rng_below(&player->rng, 6); packets > 0; packets--) {
        for (uint32_t i = 0; i < 16; i++)
            actions[i] = (struct vx_wire_action){ .type = (uint8_t)(1 + vx_rng_below(&player->rng, players_actions(sim->plan))), .a = player->match };
        actions_send(sim, id, actions, 16);
    }
}

static bool floods(const struct sim *sim, uint32_t id)
{
    return sim->force[SIM_FLOOD] > 0 && vx_mix64(id * 991 + sim->plan->seed) % 1000 < (sim->force[SIM_FLOOD] + 9) / 10;
}

static void think(struct sim *sim, struct player_sim *player)
{
    uint64_t pause_us = sim->plan->think_ms * (500ull + vx_rng_below(&player->rng, 1000));
    if (has(player, HABIT_IDLER))
        pause_us *= 5 + vx_rng_below(&player->rng, 25);
    player->due_us = sim->now_us + pause_us;
}

static void player_act(struct sim *sim, uint32_t id)
{
    struct player_sim *player = &sim->players[id];
    struct vx_wire_action actions[16];
    if (floods(sim, id)) {
        flood(sim, id);
        player->due_us = sim->now_us + 20000;
        return;
    }
    think(sim, player);
    if (player->waits_us != 0 && player->resends < RESENDS && sim->now_us < player->waits_us + RESEND_US * (1 + player->resends)) {
        player->due_us = player->waits_us + RESEND_US * (1 + player->resends);
        return;
    }
    if (player->waits_us != 0 && player->resends < RESENDS) {
        player->resends++;
        payload_send(sim, id);
        return;
    }
    if (has(player, HABIT_VANISHER) && chance(player, 40)) {
        vanish(sim, player);
        return;
    }
    uint32_t count = player_turn(sim, id, actions);
    if (count == 0)
        return;
    player->waits_number = player->number + count - 1;
    player->waits_us = sim->now_us;
    player->resends = 0;
    actions_send(sim, id, actions, count);
    if (player->waits_number >= player->number)
        player->waits_number = player->number - 1;
}

void players_act(struct sim *sim)
{
    if (sim->healing)
        return; /* all fall silent */
    for (uint32_t i = 0; i < sim->plan->players; i++)
        if (sim->players[i].due_us <= sim->now_us)
            player_act(sim, i);
}

/* ---- what it hears ---- */

struct result {
    uint8_t type, code;
    uint16_t arg16;
    uint32_t action_number, result_number, a, b, c;
} __attribute__((packed));

static void phase_set(struct sim *sim, struct player_sim *player, enum phase phase)
{
    player->phase = (uint8_t)phase;
    player->phase_us = sim->now_us;
}

static void hunt_begins(struct sim *sim, struct player_sim *player, const struct result *result)
{
    player->match = result->a;
    player->hunt_seed = result->b;
    player->chests = result->arg16;
    player->opened = 0;
    player->at_cm[0] = player->at_cm[1] = 0;
    player->moved_us = sim->now_us;
    phase_set(sim, player, PHASE_HUNTING);
}

static void result_take(struct sim *sim, struct player_sim *player, const struct result *result)
{
    switch (result->type) {
    case VX_RESULT_QUEUE_STATUS:
        phase_set(sim, player, result->code == VX_CODE_OK || result->code == VX_CODE_DECLINED ? PHASE_SEARCHING : PHASE_LOBBY);
        break;
    case VX_RESULT_PROPOSAL:
        player->match = result->a;
        phase_set(sim, player, PHASE_PROPOSED);
        break;
    case VX_RESULT_HUNT_STARTED:
        hunt_begins(sim, player, result);
        break;
    case VX_RESULT_CHEST:
        if (result->a == player->match)
            player->opened |= 1u << (result->arg16 & 31);
        break;
    case VX_RESULT_INVITED:
        player->invited = result->a;
        break;
    case VX_RESULT_HUNT_ENDED:
        phase_set(sim, player, PHASE_LOBBY);
        break;
    default:
        break;
    }
}

static void result_hear(struct sim *sim, struct player_sim *player, const struct result *result)
{
    if (result->action_number != 0 && result->action_number == player->waits_number)
        player->waits_us = 0;
    if ((result->type & VX_RESULT_LONG_BIT) && result->result_number != 0) {
        if (result->result_number != player->seen + 1)
            return; /* had before, or one is missing */
        player->seen++;
    }
    result_take(sim, player, result);
}

void players_hear(struct sim *sim, const struct frame *frame)
{
    const uint8_t *payload;
    struct way way = frame_way(frame->data);
    if (frame->is_spoilt || way.player >= sim->plan->players || way.address != sim->players[way.player].address)
        return; /* nobody is there any more; a spoilt frame does not pass its checksum */
    uint32_t bytes = frame_payload(frame->data, frame->bytes, &payload), at = 8, player;
    memcpy(&player, payload + 4, 4);
    if (player != way.player)
        return;
    for (uint32_t i = 0; i < payload[2] && at < bytes; i++) {
        struct result result = { 0 };
        uint32_t result_bytes = payload[at] & VX_RESULT_LONG_BIT ? 24 : 8;
        memcpy(&result, payload + at, result_bytes);
        result_hear(sim, &sim->players[player], &result);
        at += result_bytes;
    }
}
