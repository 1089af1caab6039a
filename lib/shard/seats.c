/* Who sits where in a match: teams are runs of seats, teams × size of them. */
#include "shard_private.h"

/* As its last game left it, and less certain with every period since. */
static struct vx_rating rating_of(const struct vx_shard *shard, uint32_t slot, uint32_t mode)
{
    const struct profile *profile = &shard->profiles[slot];
    const uint32_t period_s = shard->modes[mode].period_s;
    struct vx_rating_rules rules;
    vx_rating_rules_default(VX_RATING_GLICKO2, &rules);
    struct vx_rating rating = vx_rating_new(&rules);
    rating.mean = (double)shard->players[slot].rating;
    rating.games = profile->games;
    if (profile->deviation <= 0)
        return rating;
    rating.deviation = (double)profile->deviation;
    rating.volatility = (double)profile->volatility;
    if (period_s != 0)
        vx_rating_idle(&rules, &rating, (double)(shard->now_ms - profile->played_ms) / 1000 / period_s);
    return rating;
}

void seat_take(struct vx_shard *shard, uint32_t index, uint32_t seat, uint32_t slot, uint32_t ticket_seat)
{
    struct player *player = &shard->players[slot];
    const struct vx_rating rating = rating_of(shard, slot, shard->hunts[index].mode);
    seats_of(shard, index)[seat] = (struct seat){ .slot = slot, .mean = player->rating, .deviation = (float)rating.deviation, .volatility = (float)rating.volatility,
                                                  .joined_ms = shard->now_ms, .games = (uint16_t)rating.games, .occupant = player->occupant, .health = HEALTH,
                                                  .ticket = (uint8_t)ticket_seat };
    player->hunt = index;
    player->seat = (uint8_t)seat;
    shard->hunts[index].present++;
}

float seats_opponents_mean(const struct vx_shard *shard, uint32_t index, uint32_t seat)
{
    const struct hunt *hunt = &shard->hunts[index];
    const struct seat *seats = seats_of(shard, index);
    float sum = 0;
    for (uint32_t i = 0; i < hunt->seats; i++)
        if (team_of(hunt, i) != team_of(hunt, seat))
            sum += seats[i].mean;
    return sum / (float)(hunt->seats - hunt->size);
}

uint32_t seats_standing(const struct vx_shard *shard, uint32_t index)
{
    const struct hunt *hunt = &shard->hunts[index];
    const struct seat *seats = seats_of(shard, index);
    uint32_t standing = 0;
    for (uint32_t team = 0; team < hunt->teams; team++) {
        bool stands = false;
        for (uint32_t i = team * hunt->size; i < (team + 1u) * hunt->size; i++)
            stands = stands || (seats[i].flags & (SEAT_LEFT | SEAT_DEAD)) == 0;
        standing += stands;
    }
    return standing;
}

uint32_t seats_nearest(const struct vx_shard *shard, uint32_t slot)
{
    const struct player *player = &shard->players[slot];
    const struct hunt *hunt = &shard->hunts[player->hunt];
    const struct seat *seats = seats_of(shard, player->hunt);
    uint32_t nearest = NONE;
    uint64_t nearest_square = UINT64_MAX;
    for (uint32_t i = 0; i < hunt->seats; i++) {
        if (team_of(hunt, i) == team_of(hunt, player->seat) || (seats[i].flags & (SEAT_LEFT | SEAT_DEAD)) != 0)
            continue;
        uint64_t square = distance_square(player->position_cm, shard->players[seats[i].slot].position_cm);
        if (square < nearest_square) {
            nearest = i;
            nearest_square = square;
        }
    }
    return nearest;
}

void seats_notice(struct vx_shard *shard, uint32_t index, uint32_t except, struct vx_reply reply)
{
    const struct seat *seats = seats_of(shard, index);
    for (uint32_t i = 0; i < shard->hunts[index].seats; i++)
        if (i != except && (seats[i].flags & SEAT_LEFT) == 0)
            notice(shard, seats[i].slot, reply);
}

enum vx_code seat_status(struct vx_shard *shard, uint32_t slot, const struct vx_event *action)
{
    const struct player *player = &shard->players[slot];
    const struct hunt *hunt = &shard->hunts[player->hunt];
    uint32_t seat = action->a == VX_SEAT_OWN ? player->seat : action->a;
    if (seat >= hunt->seats)
        return VX_CODE_BAD_ARGUMENT;
    const struct seat *asked = &seats_of(shard, player->hunt)[seat];
    answer_long(shard, action, (struct vx_reply){ .type = VX_RESULT_SEAT, .arg16 = (uint16_t)(seat | team_of(hunt, seat) << 8), .a = hunt->match, .c = (uint32_t)asked->mean,
                                                  .b = asked->flags & SEAT_LEFT ? UINT32_MAX : shard->players[asked->slot].id });
    return VX_CODE_OK;
}
