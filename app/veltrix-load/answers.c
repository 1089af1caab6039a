/* veltrix-load: what players receive. Each result is checked against the action that it answers,
 * closes that action once, and moves the player's phase. Reliable results count only in order. */
#include <string.h>

#include "load.h"

/* A result of either length, widened. */
struct result {
    struct vx_wire_long wire;
    bool is_long;
};

static bool answer_fits(uint8_t action, const struct vx_wire_long *wire)
{
    if (wire->type == VX_RESULT_ERROR)
        return wire->code != VX_CODE_OK;
    if (wire->type == VX_RESULT_REPEATED)
        return true;
    switch (action) {
    case VX_ACTION_FIND:
        return wire->type == VX_RESULT_QUEUE_STATUS;
    case VX_ACTION_CANCEL:
        return wire->type == VX_RESULT_OK || wire->type == VX_RESULT_QUEUE_STATUS;
    case VX_ACTION_SUMMON:
        return wire->type == VX_RESULT_CHEST;
    case VX_ACTION_STRIKE:
        return wire->type == VX_RESULT_STRIKE_RESULT;
    case VX_ACTION_PING:
        return wire->type == VX_RESULT_PONG;
    default:
        return wire->type == VX_RESULT_OK;
    }
}

static struct load_turn *turn_of_action(struct load_player *player, uint32_t number, uint32_t *index)
{
    for (uint32_t i = 0; i < LOAD_TURNS_OUTSTANDING_MAX; i++) {
        struct load_turn *turn = &player->turns[i];
        *index = number - turn->number;
        if (*index < turn->count && (turn->open >> *index & 1) != 0)
            return turn;
    }
    return NULL;
}

static void refusal_take(struct load_player *player, const struct load_turn *turn, uint8_t action, uint8_t code, uint64_t now_ns)
{
    if (action == VX_ACTION_FIND && player->phase == LOAD_SEARCHING && code != VX_CODE_WRONG_STATE)
        load_phase_set(player, LOAD_LOBBY, now_ns);
    if (action == VX_ACTION_ACCEPT && player->phase == LOAD_ACCEPTED && turn->match == player->match)
        load_phase_set(player, code == VX_CODE_BUSY ? LOAD_PROPOSED : LOAD_SEARCHING, now_ns);
    if (action == VX_ACTION_SUMMON && turn->match == player->match && code != VX_CODE_TAKEN)
        player->chests_closed &= ~(1u << turn->chest);
    if (action == VX_ACTION_MOVE && code == VX_CODE_TOO_FAST) {
        player->x_cm = player->confirmed_x_cm;
        player->y_cm = player->confirmed_y_cm;
        player->moved_ns = now_ns;
    }
}

static void answer_count(struct load *load, const struct load_turn *turn, const struct vx_wire_long *wire, uint64_t now_ns)
{
    uint64_t latency_ns = now_ns > turn->scheduled_ns ? now_ns - turn->scheduled_ns : 0;
    vx_hist_add(&load->stats.latency_ns, latency_ns);
    vx_hist_add(&load->stats.latency_second_ns, latency_ns);
    vx_hist_add(load->disturbed ? &load->stats.latency_disturbed_ns : &load->stats.latency_quiet_ns, latency_ns);
    if (wire->type != VX_RESULT_ERROR)
        load->stats.actions_answered++;
    else if (wire->code == VX_CODE_BUSY)
        load->stats.actions_busy++;
    else
        load->stats.actions_refused++;
}

/* Closes the action that the result answers. False when the answer is wrong. An action that has had
 * its answer may be answered again, because the packet was sent again or the result repeated. */
static bool action_close(struct load *load, struct load_player *player, const struct vx_wire_long *wire, uint64_t now_ns)
{
    uint32_t index;
    if ((int32_t)(wire->action_number - player->number) >= 0)
        return false;
    struct load_turn *turn = turn_of_action(player, wire->action_number, &index);
    if (turn == NULL) {
        load->stats.answers_repeated++;
        return true;
    }
    uint8_t action = turn->types[index];
    if (!answer_fits(action, wire))
        return false;
    turn->open &= (uint8_t) ~(1u << index);
    answer_count(load, turn, wire, now_ns);
    if (wire->type == VX_RESULT_ERROR)
        refusal_take(player, turn, action, wire->code, now_ns);
    if (wire->type == VX_RESULT_OK && action == VX_ACTION_MOVE) {
        player->confirmed_x_cm = turn->x_cm;
        player->confirmed_y_cm = turn->y_cm;
    }
    return true;
}

static uint64_t match_key(const struct load_player *player)
{
    /* With the seed, so that a restarted server may count its matches from the beginning. */
    return vx_mix64((uint64_t)player->match << 32 | player->hunt_seed);
}

static void hunt_start(struct load_player *player, const struct vx_wire_long *wire, uint64_t now_ns)
{
    load_phase_set(player, LOAD_HUNTING, now_ns);
    player->match = wire->a;
    player->hunt_seed = wire->b;
    player->chests = (uint8_t)RTE_MIN(wire->arg16, LOAD_CHESTS_MAX);
    player->chests_closed = 0;
    player->x_cm = player->y_cm = player->confirmed_x_cm = player->confirmed_y_cm = 0;
    player->moved_ns = now_ns;
}

static void hunt_end(struct load *load, struct load_player *player, const struct vx_wire_long *wire, uint64_t now_ns)
{
    uint32_t other;
    if (player->phase != LOAD_HUNTING || wire->a != player->match)
        return;
    load->stats.matches += load_set_add(&load->matches, match_key(player), 0, &other);
    player->has_played = true;
    load_phase_set(player, LOAD_LOBBY, now_ns);
}

static void chest_take(struct load *load, uint32_t id, const struct vx_wire_long *wire)
{
    struct load_player *player = &load->players[id];
    uint32_t owner;
    if (wire->a != player->match || wire->arg16 >= LOAD_CHESTS_MAX)
        return;
    player->chests_closed |= 1u << wire->arg16;
    if (wire->code != VX_CODE_OK)
        return;
    if (load_set_add(&load->chests, match_key(player) + wire->arg16, id, &owner))
        load->stats.chests++;
    else if (owner != id)
        load->stats.chests_doubled++;
}

static void grant_take(struct load *load, uint32_t id, const struct vx_wire_long *wire)
{
    uint64_t receipt = (uint64_t)wire->b << 32 | wire->a;
    uint32_t owner;
    if (!load_set_add(&load->receipts, receipt, id, &owner))
        load->stats.chests_doubled++;
    load->stats.grants++;
    if (load->receipts_file != NULL)
        fprintf(load->receipts_file, "%llu\n", (unsigned long long)receipt);
}

static void queue_take(struct load_player *player, const struct vx_wire_long *wire, uint64_t now_ns)
{
    bool ended = wire->code == VX_CODE_TIMED_OUT || wire->code == VX_CODE_CANCELLED;
    if (player->phase == LOAD_HUNTING)
        return;
    if (ended)
        load_phase_set(player, LOAD_LOBBY, now_ns);
    else if (player->phase == LOAD_LOBBY || wire->action_number == 0)
        load_phase_set(player, LOAD_SEARCHING, now_ns);
}

static void phase_take(struct load *load, uint32_t id, const struct vx_wire_long *wire, uint64_t now_ns)
{
    struct load_player *player = &load->players[id];
    switch (wire->type) {
    case VX_RESULT_QUEUE_STATUS:
        queue_take(player, wire, now_ns);
        break;
    case VX_RESULT_PROPOSAL:
        player->match = wire->a;
        load_phase_set(player, LOAD_PROPOSED, now_ns);
        break;
    case VX_RESULT_HUNT_STARTED:
        hunt_start(player, wire, now_ns);
        break;
    case VX_RESULT_CHEST:
        chest_take(load, id, wire);
        break;
    case VX_RESULT_LOOT_GRANTED:
        grant_take(load, id, wire);
        break;
    case VX_RESULT_HUNT_ENDED:
        hunt_end(load, player, wire, now_ns);
        break;
    default:
        break;
    }
}

static void ack_later(struct load *load, uint32_t id, uint64_t now_ns)
{
    struct load_player *player = &load->players[id];
    if (!player->ack_queued)
        player->ack_queued = load_timers_push(&load->ack, (struct load_timer){ now_ns + LOAD_ACK_MS * LOAD_MS, id, 0 });
}

/* True when the result is the next in order, or not numbered at all. */
static bool result_in_order(struct load *load, uint32_t id, const struct vx_wire_long *wire, uint64_t now_ns)
{
    struct load_player *player = &load->players[id];
    if (wire->result_number == 0)
        return true;
    int32_t ahead = (int32_t)(wire->result_number - player->seen);
    if (ahead == 1) {
        player->seen++;
        ack_later(load, id, now_ns);
        return true;
    }
    if (ahead > 1) {
        load->stats.results_early++;
        return false;
    }
    load->stats.results_repeated++;
    player->told = player->seen - 1; /* our acknowledgement was lost: say it again */
    ack_later(load, id, now_ns);
    return false;
}

static bool result_take(struct load *load, uint32_t id, const struct result *result, uint64_t now_ns)
{
    const struct vx_wire_long *wire = &result->wire;
    if (wire->code >= VX_CODE_COUNT || (!result->is_long && wire->action_number == 0))
        return false;
    if (wire->type == VX_RESULT_LOOT_GRANTED && wire->result_number == 0)
        return false;
    if (!result_in_order(load, id, wire, now_ns))
        return true;
    if (wire->action_number != 0 && !action_close(load, &load->players[id], wire, now_ns))
        return false;
    phase_take(load, id, wire, now_ns);
    return true;
}

static bool type_is_known(uint8_t type)
{
    switch (type) {
#define TYPE_CASE(name, number) case VX_RESULT_##name:
        VX_RESULTS(TYPE_CASE)
#undef TYPE_CASE
        return true;
    default:
        return false;
    }
}

void load_answers_take(struct load *load, uint32_t id, const uint8_t *payload, uint32_t bytes, uint64_t now_ns)
{
    const struct vx_wire_reply_header *header = (const struct vx_wire_reply_header *)payload;
    if (bytes < sizeof(*header) || header->magic != VX_WIRE_MAGIC_SERVER || header->version != VX_WIRE_VERSION ||
        (id == (uint32_t)LOAD_PLAYER_SAID && header->player >= load->options.players)) {
        load->stats.answers_wrong++;
        return;
    }
    if (id == (uint32_t)LOAD_PLAYER_SAID)
        id = header->player;
    uint32_t offset = sizeof(*header);
    for (uint32_t i = 0; i < header->count; i++) {
        struct result result = { 0 };
        uint32_t result_bytes = offset < bytes ? vx_result_bytes(payload[offset]) : 1;
        if (offset + result_bytes > bytes || !type_is_known(payload[offset])) {
            load->stats.answers_wrong++;
            return;
        }
        memcpy(&result.wire, payload + offset, result_bytes);
        result.is_long = result_bytes == sizeof(result.wire);
        if (!result_take(load, id, &result, now_ns))
            load->stats.answers_wrong++;
        offset += result_bytes;
    }
}
