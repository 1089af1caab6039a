/* A hunt's end: who came where, and what that says of their ratings. Who has left is rated with the others, by what its going
 * adds or takes, for it may play elsewhere by now. */
#include <math.h>
#include <string.h>

#include "shard_private.h"

static const float share_least = 0.05f;

struct side {
    uint32_t chests, health;
    bool present;
};

static struct side side_of(const struct hunt *hunt, const struct seat *seats, uint32_t team)
{
    struct side side = { 0 };
    for (uint32_t i = team * hunt->size; i < (team + 1u) * hunt->size; i++) {
        side.chests += seats[i].chests;
        if (seats[i].flags & SEAT_LEFT)
            continue;
        side.present = true;
        side.health = seats[i].health > side.health ? seats[i].health : side.health;
    }
    return side;
}

/* Higher is better: who stayed before who left, the living before the dead (who have no health), then chests count. */
static uint32_t standing_of(const struct side *side)
{
    return !side->present ? 0 : side->health == 0 ? 1 : 2 + side->chests;
}

void hunt_score(struct vx_shard *shard, uint32_t index)
{
    struct hunt *hunt = &shard->hunts[index];
    if (hunt->teams != 2 || hunt->abandoned || !shard->modes[hunt->mode].score_formula)
        return;
    struct job *job = job_new(shard, VX_FORMULA_SCORE);
    if (job == NULL)
        return; /* the rules say it */
    const struct side own = side_of(hunt, seats_of(shard, index), 0), other = side_of(hunt, seats_of(shard, index), 1);
    job->hunt = index;
    job->job.in[0] = (float)own.chests;
    job->job.in[1] = (float)other.chests;
    job->job.in[2] = (float)own.health;
    job->job.in[3] = (float)other.health;
    job->job.in[4] = (float)(!own.present + 2 * !other.present);
    job->job.in[5] = (float)(shard->now_ms - hunt->started_ms) / 1000;
    hunt->pending++;
    job_send(shard, job);
}

void hunt_scored(struct vx_shard *shard, const struct job *job, const struct vx_event *done)
{
    struct hunt *hunt = &shard->hunts[job->hunt];
    if (done != NULL && done->out[0] >= 0 && done->out[0] <= 1) { /* else it is not in time, or no answer */
        hunt->score = done->out[0];
        hunt->scored = true;
    }
    match_pending_done(shard, job->hunt);
}

struct outcome {
    struct vx_rating_team teams[VX_MATCH_PLAYERS_MAX];
    struct vx_rating_seat seats[VX_MATCH_PLAYERS_MAX];
};

/* What a formula says of two teams weighs more than the rules. */
static uint32_t rank_by_score(float score, uint32_t team)
{
    static const float even = 0.001f;
    const float own = team == 0 ? score : 1 - score;
    return own < 0.5f - even ? 2 : 1;
}

static void places(const struct hunt *hunt, const struct seat *seats, struct vx_rating_team *teams)
{
    uint32_t standing[VX_MATCH_PLAYERS_MAX];
    for (uint32_t team = 0; team < hunt->teams; team++) {
        const struct side side = side_of(hunt, seats, team);
        standing[team] = standing_of(&side);
    }
    for (uint32_t team = 0; team < hunt->teams; team++) {
        uint32_t better = 0;
        for (uint32_t other = 0; other < hunt->teams; other++)
            better += standing[other] > standing[team];
        teams[team] = (struct vx_rating_team){ team * hunt->size, hunt->size, hunt->scored ? rank_by_score(hunt->score, team) : better + 1 };
    }
}

static void rules_of(const struct vx_mode *mode, struct vx_rating_rules *rules)
{
    static const uint8_t systems[] = { [VX_MODE_GLICKO2] = VX_RATING_GLICKO2, [VX_MODE_PLACKETT_LUCE] = VX_RATING_PLACKETT_LUCE,
                                       [VX_MODE_BRADLEY_TERRY_FULL] = VX_RATING_BRADLEY_TERRY_FULL, [VX_MODE_BRADLEY_TERRY_PART] = VX_RATING_BRADLEY_TERRY_PART,
                                       [VX_MODE_ELO] = VX_RATING_ELO, [VX_MODE_UNRATED] = VX_RATING_ELO };
    vx_rating_rules_default(systems[mode->rating], rules);
    rules->placement_games = mode->placement_games;
    if (mode->rating == VX_MODE_UNRATED)
        rules->gain = 0;
}

static void rate(const struct vx_shard *shard, uint32_t index, struct outcome *outcome)
{
    const struct hunt *hunt = &shard->hunts[index];
    const struct seat *seats = seats_of(shard, index);
    const float length_ms = (float)(shard->now_ms - hunt->started_ms);
    struct vx_rating_rules rules;
    rules_of(&shard->modes[hunt->mode], &rules);
    for (uint32_t i = 0; i < hunt->seats; i++) {
        float share = length_ms > 0 ? (float)(shard->now_ms - seats[i].joined_ms) / length_ms : 1;
        outcome->seats[i] = (struct vx_rating_seat){ { (double)seats[i].mean, (double)seats[i].deviation, (double)seats[i].volatility, seats[i].games },
                                                     (double)fminf(fmaxf(share, share_least), 1), 1 };
    }
    vx_rating_game(&rules, outcome->seats, outcome->teams, hunt->teams);
}

/* The seat's player is as its rating says now, if the slot is still its own. */
static void write_back(struct vx_shard *shard, const struct hunt *hunt, const struct seat *seat, const struct vx_rating *after)
{
    struct player *player = &shard->players[seat->slot];
    struct profile *profile = &shard->profiles[seat->slot];
    if (player->occupant != seat->occupant || shard->modes[hunt->mode].rating == VX_MODE_UNRATED)
        return;
    bool played_on = player->rating != seat->mean || profile->games != seat->games;
    float mean = played_on ? player->rating + ((float)after->mean - seat->mean) : (float)after->mean;
    player->rating = fminf(fmaxf(mean, VX_RATING_MIN), VX_RATING_MAX);
    profile->games = (uint16_t)(profile->games < UINT16_MAX ? profile->games + 1 : UINT16_MAX);
    profile->played_ms = shard->now_ms;
    if (!played_on) {
        profile->deviation = (float)after->deviation;
        profile->volatility = (float)after->volatility;
    }
}

static void multiply(const struct vx_shard *shard, const struct hunt *hunt, const struct seat *seat, struct vx_rating *after)
{
    if (shard->modes[hunt->mode].rating_formula) {
        after->mean = (double)seat->mean + (after->mean - (double)seat->mean) * (double)shard->gains[(uint32_t)seat->mean / GAIN_POINTS];
        after->mean = fmin(fmax(after->mean, VX_RATING_MIN), VX_RATING_MAX);
    }
}

/* Who went gains nothing; who stayed in a hunt that too many left loses nothing. */
static void be_fair(const struct hunt *hunt, const struct seat *seat, struct vx_rating *after)
{
    if (seat->flags & SEAT_LEFT)
        after->mean = fmin(after->mean, (double)seat->mean);
    else if (hunt->abandoned)
        after->mean = fmax(after->mean, (double)seat->mean);
}

/* What canaries of formulas are judged by. */
static void count(struct vx_shard *shard, uint32_t index, const struct vx_rating_team *teams)
{
    static const float middle_from = 1400, middle_to = 1700;
    const struct hunt *hunt = &shard->hunts[index];
    struct vx_shard_counters *counters = &shard->counters;
    uint64_t *const favourites[] = { &counters->favourites_low, &counters->favourites_middle, &counters->favourites_high };
    uint64_t *const halves[] = { &counters->favourites_low_halves, &counters->favourites_middle_halves, &counters->favourites_high_halves };
    counters->hunts_ended++;
    counters->hunt_ms += shard->now_ms - hunt->started_ms;
    *(hunt->abandoned || hunt->present < hunt->seats ? &counters->matches_abandoned : &counters->matches_settled) += 1;
    if (hunt->teams != 2)
        return;
    const float own[2] = { seats_opponents_mean(shard, index, hunt->size), seats_opponents_mean(shard, index, 0) };
    const float mean = (own[0] + own[1]) / 2;
    unsigned band = mean < middle_from ? 0 : mean <= middle_to ? 1 : 2, favourite = own[0] > own[1] ? 0 : 1;
    if (own[0] == own[1])
        return;
    *favourites[band] += 1;
    *halves[band] += teams[favourite].rank == teams[1 - favourite].rank ? 1 : teams[favourite].rank < teams[1 - favourite].rank ? 2 : 0;
}

/* The first place is won, unless others have it, too. */
static enum vx_code code_of(const struct hunt *hunt, const struct vx_rating_team *teams, uint32_t team)
{
    uint32_t sharing = 0;
    for (uint32_t other = 0; other < hunt->teams; other++)
        sharing += teams[other].rank == teams[team].rank;
    if (hunt->abandoned)
        return VX_CODE_ABANDONED;
    return teams[team].rank > 1 ? VX_CODE_LOST : sharing > 1 ? VX_CODE_DRAWN : VX_CODE_OK;
}

static void met(struct vx_shard *shard, const struct hunt *hunt, const struct seat *seats, uint32_t seat)
{
    struct vx_match_person *person = vx_match_person(shard->match, seats[seat].slot);
    for (uint32_t i = 0; i + hunt->size < hunt->seats && i < VX_MATCH_MET_MAX; i++) { /* opponents, from the next team on: of large matches, some */
        memmove(&person->met[1], &person->met[0], sizeof(person->met) - sizeof(person->met[0]));
        person->met[0] = shard->players[seats[((team_of(hunt, seat) + 1) * hunt->size + i) % hunt->seats].slot].id;
        person->met_count = (uint8_t)(person->met_count < VX_MATCH_MET_MAX ? person->met_count + 1 : VX_MATCH_MET_MAX);
    }
}

void hunt_settle(struct vx_shard *shard, uint32_t index)
{
    struct hunt *hunt = &shard->hunts[index];
    struct seat *seats = seats_of(shard, index);
    struct outcome outcome;
    places(hunt, seats, outcome.teams);
    rate(shard, index, &outcome);
    count(shard, index, outcome.teams);
    for (uint32_t i = 0; i < hunt->seats; i++) {
        struct vx_rating *after = &outcome.seats[i].rating;
        uint32_t team = team_of(hunt, i);
        multiply(shard, hunt, &seats[i], after);
        be_fair(hunt, &seats[i], after);
        write_back(shard, hunt, &seats[i], after);
        if (seats[i].flags & SEAT_LEFT)
            continue;
        if (shard->modes[hunt->mode].rematch_ms != 0)
            met(shard, hunt, seats, i);
        VX_ASSERT(player_event(shard, seats[i].slot, EVENT_SETTLED, NULL) == VX_CODE_OK);
        result_push(shard, seats[i].slot, (struct vx_reply){ .type = VX_RESULT_HUNT_ENDED, .code = (uint8_t)code_of(hunt, outcome.teams, team),
                                                             .arg16 = (uint16_t)outcome.teams[team].rank, .a = hunt->match, .b = (uint32_t)(seats[i].mean + 0.5f),
                                                             .c = (uint32_t)(after->mean + 0.5) });
    }
}

void hunt_settle_leaver(struct vx_shard *shard, uint32_t index, uint32_t seat)
{
    const struct hunt *hunt = &shard->hunts[index];
    struct seat *seats = seats_of(shard, index);
    struct outcome outcome;
    for (uint32_t team = 0; team < hunt->teams; team++)
        outcome.teams[team] = (struct vx_rating_team){ team * hunt->size, hunt->size, team == team_of(hunt, seat) ? 2 : 1 };
    rate(shard, index, &outcome);
    multiply(shard, hunt, &seats[seat], &outcome.seats[seat].rating);
    be_fair(hunt, &seats[seat], &outcome.seats[seat].rating);
    write_back(shard, hunt, &seats[seat], &outcome.seats[seat].rating);
}

/* What a client of the plain transport, or a token, says of the player; 0 keeps what is known. */
void rating_take(struct vx_shard *shard, uint32_t slot, uint32_t mean, uint32_t deviation)
{
    struct player *player = &shard->players[slot];
    struct profile *profile = &shard->profiles[slot];
    struct vx_rating_rules rules;
    vx_rating_rules_default(VX_RATING_GLICKO2, &rules);
    if (mean != 0)
        player->rating = (float)mean;
    if (deviation != 0) {
        profile->deviation = (float)fmin(fmax(deviation, rules.deviation_min), rules.deviation_max);
        profile->volatility = profile->volatility > 0 ? profile->volatility : (float)rules.start_volatility;
        profile->played_ms = shard->now_ms;
    }
}
