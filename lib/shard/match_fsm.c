/* The match's table: state × event → action, next state. Events come from the shard itself, so a cell
 * without an action is a bug and asserted; what players send is checked against their own table. */
#include "shard_private.h"

static uint32_t timer_of(const struct vx_shard *shard, uint32_t index)
{
    return shard->timer_hunts + index;
}

/* Last in, last out: a generation lasts as long as possible. */
static void hunt_free(struct vx_shard *shard, uint32_t index)
{
    timer_clear(shard, timer_of(shard, index));
    shard->hunts[index].next_free = NONE;
    if (shard->hunt_free == NONE)
        shard->hunt_free = index;
    else
        shard->hunts[shard->hunt_free_last].next_free = index;
    shard->hunt_free_last = index;
    shard->counters.hunts_live--;
}

uint32_t match_open(struct vx_shard *shard, uint32_t slot_a, uint32_t slot_b)
{
    uint32_t index = shard->hunt_free;
    if (index == NONE)
        return NONE;
    struct hunt *hunt = &shard->hunts[index];
    shard->hunt_free = hunt->next_free;
    uint32_t generation = hunt->generation + 1;
    *hunt = (struct hunt){ .match = generation * shard->config.hunts_max + index, .generation = generation, .players = { slot_a, slot_b },
                           .seed = (uint32_t)vx_rng_next(&shard->rng), .health = { HEALTH, HEALTH } };
    shard->counters.hunts_live++;
    for (uint32_t side = 0; side < 2; side++) {
        shard->players[hunt->players[side]].hunt = index;
        shard->players[hunt->players[side]].side = (uint8_t)side;
        hunt->occupants[side] = shard->players[hunt->players[side]].occupant;
        hunt->ratings[side] = shard->players[hunt->players[side]].rating;
    }
    quality_of_match(shard, hunt->ratings[0], hunt->ratings[1]);
    match_event(shard, index, MATCH_PROPOSE, 0);
    return index;
}

static void propose(struct vx_shard *shard, uint32_t index, uint32_t side)
{
    struct hunt *hunt = &shard->hunts[index];
    (void)side;
    hunt->proposed_ms = shard->now_ms;
    shard->counters.matches_proposed++;
    timer_set(shard, timer_of(shard, index), shard->now_ms + shard->config.proposal_ms);
    for (uint32_t i = 0; i < 2; i++)
        VX_ASSERT(player_event(shard, hunt->players[i], EVENT_PROPOSE, NULL) == VX_CODE_OK);
}

static void accept(struct vx_shard *shard, uint32_t index, uint32_t side)
{
    struct hunt *hunt = &shard->hunts[index];
    hunt->accepted |= (uint8_t)(1u << side);
    if (hunt->accepted == 3)
        match_event(shard, index, MATCH_START, side);
}

static void start(struct vx_shard *shard, uint32_t index, uint32_t side)
{
    struct hunt *hunt = &shard->hunts[index];
    (void)side;
    hunt->started_ms = shard->now_ms;
    shard->counters.matches_started++;
    timer_set(shard, timer_of(shard, index), shard->now_ms + shard->config.hunt_ms);
    for (uint32_t i = 0; i < 2; i++)
        VX_ASSERT(player_event(shard, hunt->players[i], EVENT_START, NULL) == VX_CODE_OK);
}

/* Who declined or kept silent goes to the lobby; the other searches on with the time it has waited, unless it has left so many
 * results unacknowledged that the next proposal, start and end would find no room. */
static void fall_apart(struct vx_shard *shard, uint32_t index, uint32_t side)
{
    struct hunt *hunt = &shard->hunts[index];
    (void)side;
    bool timeout = hunt->declined == 0 && hunt->left == 0;
    shard->counters.matches_declined++;
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t bit = (uint8_t)(1u << i);
        bool at_fault = (hunt->declined & bit) || (timeout && !(hunt->accepted & bit));
        bool crowded = shard->players[hunt->players[i]].results > RESULTS_FOR_SEARCH;
        if (!(hunt->left & bit))
            VX_ASSERT(player_event(shard, hunt->players[i], at_fault || crowded ? EVENT_SEARCH_END : EVENT_BROKEN, NULL) == VX_CODE_OK);
    }
    hunt_free(shard, index);
}

static void finish(struct vx_shard *shard, uint32_t index, uint32_t side)
{
    struct hunt *hunt = &shard->hunts[index];
    (void)side;
    timer_clear(shard, timer_of(shard, index));
    for (uint32_t i = 0; i < 2; i++)
        if (!(hunt->left & (1u << i)))
            VX_ASSERT(player_event(shard, hunt->players[i], EVENT_SETTLE, NULL) == VX_CODE_OK);
    if (hunt->pending == 0)
        match_event(shard, index, MATCH_DONE, 0);
}

/* 1, ½ or 0 for side 0: who stayed beats who left, the living beat the dead, then chests count. */
static double score(const struct hunt *hunt)
{
    if (hunt->left != 0)
        return hunt->left == 3 ? 0.5 : hunt->left == 2;
    if (hunt->dead != 0)
        return hunt->dead == 3 ? 0.5 : hunt->dead == 2;
    return hunt->chests[0] == hunt->chests[1] ? 0.5 : hunt->chests[0] > hunt->chests[1];
}

/* What canaries of formulas are judged by. */
static void settle_count(struct vx_shard *shard, const struct hunt *hunt, double score_0)
{
    static const float middle_from = 1400, middle_to = 1700;
    struct vx_shard_counters *counters = &shard->counters;
    uint64_t *const favourites[] = { &counters->favourites_low, &counters->favourites_middle, &counters->favourites_high };
    uint64_t *const halves[] = { &counters->favourites_low_halves, &counters->favourites_middle_halves, &counters->favourites_high_halves };
    float mean = (hunt->ratings[0] + hunt->ratings[1]) / 2;
    unsigned band = mean < middle_from ? 0 : mean <= middle_to ? 1 : 2;
    counters->hunts_ended++;
    counters->hunt_ms += shard->now_ms - hunt->started_ms;
    if (hunt->ratings[0] == hunt->ratings[1])
        return;
    *favourites[band] += 1;
    *halves[band] += (uint64_t)(2 * (hunt->ratings[0] > hunt->ratings[1] ? score_0 : 1 - score_0) + 0.5);
}

static void settle(struct vx_shard *shard, uint32_t index, uint32_t side)
{
    struct hunt *hunt = &shard->hunts[index];
    (void)side;
    double before[2], after[2], score_0 = score(hunt);
    for (uint32_t i = 0; i < 2; i++)
        before[i] = after[i] = (double)hunt->ratings[i];
    vx_rating_elo(&after[0], &after[1], score_0);
    settle_count(shard, hunt, score_0);
    *(hunt->left != 0 ? &shard->counters.matches_abandoned : &shard->counters.matches_settled) += 1;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t slot = hunt->players[i];
        double own = i == 0 ? score_0 : 1 - score_0;
        if (shard->players[slot].occupant == hunt->occupants[i])
            shard->players[slot].rating = (float)after[i];
        if (hunt->left & (1u << i))
            continue;
        uint8_t code = own > 0.75 ? VX_CODE_OK : own < 0.25 ? VX_CODE_LOST : VX_CODE_DRAWN;
        VX_ASSERT(player_event(shard, slot, EVENT_SETTLED, NULL) == VX_CODE_OK);
        result_push(shard, slot, (struct vx_reply){ .type = VX_RESULT_HUNT_ENDED, .code = code, .a = hunt->match, .b = (uint32_t)(before[i] + 0.5),
                                                    .c = (uint32_t)(after[i] + 0.5) });
    }
    hunt_free(shard, index);
}

static void nothing(struct vx_shard *shard, uint32_t index, uint32_t side)
{
    (void)shard, (void)index, (void)side;
}

struct cell {
    void (*act)(struct vx_shard *shard, uint32_t hunt, uint32_t side);
    const char *name;
    uint8_t next;
};
#define CELL(action, state) { action, #action, state }
static const struct cell table[MATCH_STATES][MATCH_EVENTS] = {
    [MATCH_FORMING] = { [MATCH_PROPOSE] = CELL(propose, MATCH_PROPOSED) },
    [MATCH_PROPOSED] = { [MATCH_ACCEPT] = CELL(accept, MATCH_PROPOSED),
                         [MATCH_START] = CELL(start, MATCH_HUNTING),
                         [MATCH_BREAK] = CELL(fall_apart, MATCH_FORMING),
                         [MATCH_TIMEOUT] = CELL(fall_apart, MATCH_FORMING),
                         [MATCH_LEFT] = CELL(fall_apart, MATCH_FORMING) },
    [MATCH_HUNTING] = { [MATCH_TIMEOUT] = CELL(finish, MATCH_SETTLING),
                        [MATCH_LEFT] = CELL(finish, MATCH_SETTLING),
                        [MATCH_FINISHED] = CELL(finish, MATCH_SETTLING) },
    [MATCH_SETTLING] = { [MATCH_LEFT] = CELL(nothing, MATCH_SETTLING), [MATCH_DONE] = CELL(settle, MATCH_FORMING) },
};

void match_event(struct vx_shard *shard, uint32_t index, enum match_event event, uint32_t side)
{
    VX_ASSERT(index < shard->config.hunts_max);
    struct hunt *hunt = &shard->hunts[index];
    const struct cell *cell = &table[hunt->state][event];
    VX_ASSERT(cell->act != NULL);
    if (event == MATCH_LEFT)
        hunt->left |= (uint8_t)(1u << side);
    ROW_TAKEN(shard->match_rows[hunt->state][event]);
    hunt->state = cell->next; /* before the action, which may raise the next event */
    cell->act(shard, index, side);
}

void match_pending_done(struct vx_shard *shard, uint32_t index)
{
    struct hunt *hunt = &shard->hunts[index];
    VX_ASSERT(hunt->pending > 0);
    if (--hunt->pending > 0)
        return;
    if (hunt->state == MATCH_SETTLING)
        match_event(shard, index, MATCH_DONE, 0);
    else if (hunt->state == MATCH_HUNTING && hunt->claimed == (1u << shard->config.chests) - 1)
        match_event(shard, index, MATCH_FINISHED, 0);
}

const char *match_cell(uint32_t state, uint32_t event, uint32_t *next)
{
    *next = table[state][event].next;
    return table[state][event].name;
}
