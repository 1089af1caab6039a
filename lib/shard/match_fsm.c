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

uint32_t match_open(struct vx_shard *shard, const struct vx_match_found *found)
{
    uint32_t index = shard->hunt_free;
    if (index == NONE)
        return NONE;
    struct hunt *hunt = &shard->hunts[index];
    shard->hunt_free = hunt->next_free;
    uint32_t generation = hunt->generation + 1;
    *hunt = (struct hunt){ .match = generation * shard->config.hunts_max + index, .generation = generation, .seed = (uint32_t)vx_rng_next(&shard->rng),
                           .mode = (uint8_t)found->mode, .region = found->region, .teams = found->teams, .size = found->size,
                           .seats = (uint8_t)(found->teams * found->size), .points = found->spread };
    VX_ASSERT(hunt->seats <= shard->seats_max);
    shard->counters.hunts_live++;
    uint8_t next[VX_MATCH_PLAYERS_MAX] = { 0 };
    for (uint32_t i = 0; i < found->tickets; i++) {
        uint32_t members[VX_MATCH_PARTY_MAX], count = vx_match_members(shard->match, found->ticket[i], members), team = found->team[i];
        uint32_t first = team * hunt->size + next[team];
        for (uint32_t m = 0; m < count; m++) /* invariant 5: on one team, one after another */
            seat_take(shard, index, team * hunt->size + next[team]++, members[m], first);
    }
    VX_ASSERT(hunt->present == hunt->seats);
    quality_of_match(shard, hunt->points);
    match_event(shard, index, shard->modes[hunt->mode].auto_accept ? MATCH_START : MATCH_PROPOSE, 0);
    return index;
}

static void to_all(struct vx_shard *shard, uint32_t index, uint32_t event)
{
    const struct seat *seats = seats_of(shard, index);
    for (uint32_t i = 0; i < shard->hunts[index].seats; i++)
        if ((seats[i].flags & SEAT_LEFT) == 0)
            VX_ASSERT(player_event(shard, seats[i].slot, event, NULL) == VX_CODE_OK);
}

static void propose(struct vx_shard *shard, uint32_t index, uint32_t seat)
{
    (void)seat;
    shard->hunts[index].proposed_ms = shard->now_ms;
    shard->counters.matches_proposed++;
    timer_set(shard, timer_of(shard, index), shard->now_ms + shard->config.proposal_ms);
    to_all(shard, index, EVENT_PROPOSE);
}

static void accept(struct vx_shard *shard, uint32_t index, uint32_t seat)
{
    struct hunt *hunt = &shard->hunts[index];
    uint8_t *flags = &seats_of(shard, index)[seat].flags;
    hunt->accepted = (uint8_t)(hunt->accepted + !(*flags & SEAT_ACCEPTED));
    *flags |= SEAT_ACCEPTED;
    if (hunt->accepted == hunt->seats)
        match_event(shard, index, MATCH_START, seat);
}

static void start(struct vx_shard *shard, uint32_t index, uint32_t seat)
{
    (void)seat;
    shard->hunts[index].started_ms = shard->now_ms;
    shard->counters.matches_started++;
    timer_set(shard, timer_of(shard, index), shard->now_ms + shard->config.hunt_ms);
    for (uint32_t i = 0; i < shard->hunts[index].seats; i++)
        seats_of(shard, index)[i].joined_ms = shard->now_ms;
    to_all(shard, index, EVENT_START);
}

/* Why a seat's player does not search on: it declined or kept silent, or has left so many results unacknowledged that the next
 * proposal, start and end would find no room. OK: it may. */
static enum vx_code fault_of(const struct vx_shard *shard, const struct seat *seat, bool timeout)
{
    if (seat->flags & (SEAT_DECLINED | SEAT_LEFT))
        return VX_CODE_CANCELLED;
    if (timeout && !(seat->flags & SEAT_ACCEPTED))
        return VX_CODE_TIMED_OUT;
    return shard->players[seat->slot].results > RESULTS_FOR_SEARCH ? VX_CODE_BUSY : VX_CODE_OK;
}

/* Who is at fault goes to the lobby, and with it its party; the others search on with the time they have waited. */
static void fall_apart(struct vx_shard *shard, uint32_t index, uint32_t by)
{
    const struct hunt *hunt = &shard->hunts[index];
    const struct seat *seats = seats_of(shard, index);
    const bool timeout = by == NONE;
    uint64_t broken = 0; /* tickets, by their first seat */
    shard->counters.matches_declined++;
    for (uint32_t i = 0; i < hunt->seats; i++)
        if (fault_of(shard, &seats[i], timeout) != VX_CODE_OK)
            broken |= 1ull << seats[i].ticket;
    for (uint32_t i = 0; i < hunt->seats; i++) {
        const enum vx_code fault = fault_of(shard, &seats[i], timeout);
        if (seats[i].ticket == i && (broken >> i & 1) == 0 && !ticket_again(shard, seats[i].slot))
            broken |= 1ull << i; /* its mode has changed and has no place for it any more */
        const bool whole = (broken >> seats[i].ticket & 1) == 0;
        if (seats[i].flags & SEAT_LEFT)
            continue;
        if (fault == VX_CODE_TIMED_OUT)
            decline_count(shard, seats[i].slot);
        shard->ending = fault != VX_CODE_OK ? fault : VX_CODE_CANCELLED; /* its party has broken up the ticket */
        VX_ASSERT(player_event(shard, seats[i].slot, whole ? EVENT_BROKEN : EVENT_SEARCH_END, NULL) == VX_CODE_OK);
    }
    hunt_free(shard, index);
}

static void member_left(struct vx_shard *shard, uint32_t index, uint32_t seat)
{
    struct hunt *hunt = &shard->hunts[index];
    (void)seat;
    hunt->abandoned = hunt->present < shard->modes[hunt->mode].players_min;
    if (hunt->abandoned || seats_standing(shard, index) < 2)
        match_event(shard, index, MATCH_FINISHED, seat);
}

static void finish(struct vx_shard *shard, uint32_t index, uint32_t seat)
{
    (void)seat;
    timer_clear(shard, timer_of(shard, index));
    to_all(shard, index, EVENT_SETTLE);
    hunt_score(shard, index);
    if (shard->hunts[index].pending == 0)
        match_event(shard, index, MATCH_DONE, 0);
}

static void settle(struct vx_shard *shard, uint32_t index, uint32_t seat)
{
    (void)seat;
    hunt_settle(shard, index);
    hunt_free(shard, index);
}

static void member_joined(struct vx_shard *shard, uint32_t index, uint32_t seat)
{
    shard->counters.backfilled++;
    VX_ASSERT(player_event(shard, seats_of(shard, index)[seat].slot, EVENT_START, NULL) == VX_CODE_OK);
}

static void nothing(struct vx_shard *shard, uint32_t index, uint32_t seat)
{
    (void)shard, (void)index, (void)seat;
}

struct cell {
    void (*act)(struct vx_shard *shard, uint32_t hunt, uint32_t seat);
    const char *name;
    uint8_t next;
};
#define CELL(action, state) { action, #action, state }
static const struct cell table[MATCH_STATES][MATCH_EVENTS] = {
    [MATCH_FORMING] = { [MATCH_PROPOSE] = CELL(propose, MATCH_PROPOSED), [MATCH_START] = CELL(start, MATCH_HUNTING) },
    [MATCH_PROPOSED] = { [MATCH_ACCEPT] = CELL(accept, MATCH_PROPOSED),
                         [MATCH_START] = CELL(start, MATCH_HUNTING),
                         [MATCH_BREAK] = CELL(fall_apart, MATCH_FORMING),
                         [MATCH_TIMEOUT] = CELL(fall_apart, MATCH_FORMING),
                         [MATCH_LEFT] = CELL(fall_apart, MATCH_FORMING) },
    [MATCH_HUNTING] = { [MATCH_TIMEOUT] = CELL(finish, MATCH_SETTLING),
                        [MATCH_LEFT] = CELL(member_left, MATCH_HUNTING),
                        [MATCH_JOINED] = CELL(member_joined, MATCH_HUNTING),
                        [MATCH_FINISHED] = CELL(finish, MATCH_SETTLING) },
    [MATCH_SETTLING] = { [MATCH_LEFT] = CELL(nothing, MATCH_SETTLING), [MATCH_DONE] = CELL(settle, MATCH_FORMING) },
};

void match_event(struct vx_shard *shard, uint32_t index, enum match_event event, uint32_t seat)
{
    VX_ASSERT(index < shard->config.hunts_max);
    struct hunt *hunt = &shard->hunts[index];
    const struct cell *cell = &table[hunt->state][event];
    VX_ASSERT(cell->act != NULL);
    if (event == MATCH_LEFT) {
        seats_of(shard, index)[seat].flags |= SEAT_LEFT;
        hunt->present--;
    }
    ROW_TAKEN(shard->match_rows[hunt->state][event]);
    hunt->state = cell->next; /* before the action, which may raise the next event */
    cell->act(shard, index, seat);
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
