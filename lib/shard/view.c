/* What operators see of one player or match: copies, made by the shard's own thread between two steps. */
#include <string.h>

#include "shard_private.h"

const char *vx_wait_reason(enum vx_wait_reason reason)
{
    static const char *const sentences[] = {
#define VX_WAIT_REASON_SENTENCE(name, sentence) sentence,
        VX_WAIT_REASONS(VX_WAIT_REASON_SENTENCE)
#undef VX_WAIT_REASON_SENTENCE
    };
    return (unsigned)reason < VX_WAIT_REASON_COUNT ? sentences[reason] : "?";
}

static void trail_view(const struct vx_shard *shard, const struct outbox *outbox, struct vx_player_view *view)
{
    view->trail_count = (uint8_t)(outbox->trail_next < VX_TRAIL_MAX ? outbox->trail_next : VX_TRAIL_MAX);
    for (uint32_t i = 0; i < view->trail_count; i++) {
        const struct trail_step *step = &outbox->trail[(outbox->trail_next - 1 - i) % VX_TRAIL_MAX];
        view->trail[i] = (struct vx_trail_step){ shard->now_ms - step->ms, step->number, step->type, step->code };
    }
}

static enum vx_wait_reason why_searching(const struct vx_shard *shard, const struct vx_player_view *view)
{
    if (!modes_ready(shard))
        return VX_WAIT_WINDOWS;
    if (shard->counters.draining)
        return VX_WAIT_DRAINING;
    if (shard->counters.paused)
        return VX_WAIT_PAUSED;
    if (shard->hunt_free == NONE)
        return VX_WAIT_HUNTS;
    if (view->nearest_player == VX_VIEW_NONE)
        return VX_WAIT_ALONE;
    return view->nearest_distance <= view->window && view->nearest_distance <= view->nearest_window ? VX_WAIT_NEXT_LOOK : VX_WAIT_DISTANCE;
}

static void search_view(const struct vx_shard *shard, uint32_t slot, struct vx_player_view *view)
{
    uint32_t distance, nearest = vx_match_nearest(shard->match, shard->players[slot].ticket, &distance);
    view->waited_ms = ticket_waited_ms(shard, slot);
    view->window = ticket_status(shard, slot).window;
    if (nearest != VX_MATCH_NONE) {
        view->nearest_player = shard->players[nearest].id;
        view->nearest_distance = distance;
        view->nearest_window = ticket_status(shard, nearest).window;
    }
    view->reason = (uint8_t)why_searching(shard, view);
}

void vx_shard_view_player(const struct vx_shard *shard, uint32_t slot, struct vx_player_view *view)
{
    VX_ASSERT(slot < shard->config.players_max);
    const struct player *player = &shard->players[slot];
    const struct outbox *outbox = &shard->outboxes[slot];
    *view = (struct vx_player_view){
        .slot = slot, .player = player->id, .session = player->session, .io = player->io, .state = player->state, .link = player->link,
        .results_pending = player->results, .known = player->known || player->link != LINK_PLAIN, .number = player->number, .issued = outbox->issued, .acked = player->acked,
        .silent_ms = shard->now_ms - player->last_ms, .rating = player->rating, .waiting = vx_match_waiting(shard->match), .nearest_player = VX_VIEW_NONE,
        .position_cm = { player->position_cm[0], player->position_cm[1], player->position_cm[2] },
    };
    trail_view(shard, outbox, view);
    if (player->state == PLAYER_SEARCHING)
        search_view(shard, slot, view);
    const struct party *party = party_of(shard, slot);
    if (party != NULL) {
        view->party = party->id;
        view->party_players = party->count;
    }
    if (player->hunt == NONE)
        return;
    const struct hunt *hunt = &shard->hunts[player->hunt];
    view->match = hunt->match;
    if (player->state == PLAYER_PROPOSED)
        view->reason = seat_of(shard, slot)->flags & SEAT_ACCEPTED ? VX_WAIT_OTHER_ACCEPT : VX_WAIT_OWN_ACCEPT;
    else if (player->state == PLAYER_SETTLING)
        view->reason = VX_WAIT_SETTLING;
}

bool vx_shard_view_match(const struct vx_shard *shard, uint32_t match, struct vx_match_view *view)
{
    const struct hunt *hunt = &shard->hunts[match % shard->config.hunts_max];
    if (hunt->state == MATCH_FORMING || hunt->match != match)
        return false;
    const struct seat *seats = seats_of(shard, match % shard->config.hunts_max);
    *view = (struct vx_match_view){ .match = match, .seed = hunt->seed, .state = hunt->state, .pending = hunt->pending, .claimed = hunt->claimed,
                                    .teams = hunt->teams, .size = hunt->size, .seat_count = hunt->seats,
                                    .age_ms = shard->now_ms - (hunt->state == MATCH_PROPOSED ? hunt->proposed_ms : hunt->started_ms) };
    memcpy(view->mode, vx_match_mode(shard->match, hunt->mode)->name, sizeof(view->mode));
    for (uint32_t i = 0; i < hunt->seats; i++) {
        const uint8_t flags = seats[i].flags;
        view->seats[i] = (struct vx_seat_view){ .player = shard->players[seats[i].slot].id, .rating = (uint32_t)seats[i].mean, .accepted = flags & SEAT_ACCEPTED,
                                                .left = flags & SEAT_LEFT, .dead = flags & SEAT_DEAD, .team = (uint8_t)team_of(hunt, i),
                                                .chests = seats[i].chests, .health = seats[i].health, .streak = seats[i].streak };
    }
    return true;
}

uint32_t vx_shard_slot_of(const struct vx_shard *shard, uint32_t player)
{
    for (uint32_t slot = 0; slot < shard->config.players_max; slot++)
        if (__atomic_load_n(&shard->players[slot].id, __ATOMIC_RELAXED) == player &&
            (__atomic_load_n(&shard->players[slot].known, __ATOMIC_RELAXED) != 0 || __atomic_load_n(&shard->players[slot].link, __ATOMIC_RELAXED) != LINK_PLAIN))
            return slot;
    return VX_VIEW_NONE;
}

bool vx_shard_may_hold_match(const struct vx_shard *shard, uint32_t match)
{
    const struct hunt *hunt = &shard->hunts[match % shard->config.hunts_max];
    return __atomic_load_n(&hunt->match, __ATOMIC_RELAXED) == match && __atomic_load_n(&hunt->state, __ATOMIC_RELAXED) != MATCH_FORMING;
}
