#include "checker.h"

#include <stdlib.h>
#include <string.h>

void checker_open(struct checker *checker, uint32_t slots, const struct vx_match_mode *modes, uint32_t mode_count)
{
    *checker = (struct checker){ .slots = slots, .mode_count = mode_count, .modes = modes };
    checker->tickets = calloc(slots, sizeof(*checker->tickets));
    VX_ASSERT(checker->tickets != NULL);
}

void checker_close(struct checker *checker)
{
    free(checker->tickets);
}

void checker_added(struct checker *checker, struct vx_match *match, const struct vx_ticket *ticket)
{
    struct checked *checked = &checker->tickets[ticket->members[0]];
    checked->waiting = true;
    checked->ticket = *ticket;
    for (uint32_t i = 0; i < ticket->size; i++)
        checked->persons[i] = *vx_match_person(match, ticket->members[i]);
}

void checker_removed(struct checker *checker, uint32_t slot)
{
    checker->tickets[slot].waiting = false;
}

static uint32_t at(const struct vx_match_mode *mode, const struct vx_match_curve *curve, uint32_t waited_ms)
{
    uint32_t row = waited_ms / mode->step_ms;
    return curve->at[row < VX_MATCH_ROWS ? row : VX_MATCH_ROWS - 1];
}

/* ---- each rule by itself ---- */
static const char *shape(const struct checker *checker, const struct vx_match_mode *mode, const struct vx_match_found *found, uint32_t now_ms)
{
    uint32_t players[VX_MATCH_PLAYERS_MAX] = { 0 };
    bool full_waited = false;
    if (found->teams < mode->teams_min || found->teams > mode->teams_max || (found->teams - mode->teams_min) % mode->teams_multiple != 0)
        return "number of teams";
    if (found->size < mode->size_min || found->size > mode->size_max || (found->size - mode->size_min) % mode->size_multiple != 0)
        return "size of teams";
    for (uint32_t i = 0; i < found->tickets; i++) {
        const struct checked *checked = &checker->tickets[found->ticket[i]];
        if (found->team[i] >= found->teams)
            return "a team that is not there";
        players[found->team[i]] += checked->ticket.size;
        full_waited |= now_ms - checked->ticket.since_ms >= mode->full_ms;
    }
    for (uint32_t i = 0; i < found->teams; i++)
        if (players[i] != found->size)
            return "a team that is not full";
    if (found->teams * found->size < mode->teams_max * mode->size_max && !full_waited)
        return "a smaller match before its time";
    return NULL;
}

/* Gives the demanded roles to players one by one, going back where it gets stuck. */
static bool roles_given(const struct vx_match_mode *mode, const uint16_t *roles, uint32_t players, uint32_t used, uint32_t role, uint32_t given)
{
    if (role == mode->role_count)
        return true;
    if (given == mode->roles[role].count)
        return roles_given(mode, roles, players, used, role + 1, 0);
    for (uint32_t i = 0; i < players; i++)
        if ((used & (1u << i)) == 0 && (roles[i] & mode->roles[role].role) && roles_given(mode, roles, players, used | (1u << i), role, given + 1))
            return true;
    return false;
}

static const char *roles(const struct checker *checker, const struct vx_match_mode *mode, const struct vx_match_found *found)
{
    for (uint32_t team = 0; team < found->teams && mode->role_count > 0; team++) {
        uint16_t masks[VX_MATCH_PLAYERS_MAX];
        uint32_t players = 0;
        for (uint32_t i = 0; i < found->tickets; i++)
            for (uint32_t member = 0; found->team[i] == team && member < checker->tickets[found->ticket[i]].ticket.size; member++)
                masks[players++] = checker->tickets[found->ticket[i]].persons[member].roles;
        if (!roles_given(mode, masks, players, 0, 0, 0))
            return "roles of a team";
    }
    return NULL;
}

static const char *ratings(const struct checker *checker, const struct vx_match_mode *mode, const struct vx_match_found *found, uint32_t now_ms)
{
    uint32_t low = UINT32_MAX, high = 0;
    double sums[VX_MATCH_PLAYERS_MAX] = { 0 }, least = 1e9, most = 0;
    for (uint32_t i = 0; i < found->tickets; i++) {
        const struct vx_ticket *ticket = &checker->tickets[found->ticket[i]].ticket;
        low = ticket->rating < low ? ticket->rating : low;
        high = ticket->rating > high ? ticket->rating : high;
        sums[found->team[i]] += (double)ticket->rating * ticket->size / found->size;
    }
    for (uint32_t i = 0; i < found->teams; i++) {
        least = sums[i] < least ? sums[i] : least;
        most = sums[i] > most ? sums[i] : most;
    }
    if (found->spread != high - low || found->means != (uint32_t)(most - least + 1e-6))
        return "what the match says of its ratings";
    for (uint32_t i = 0; i < found->tickets; i++) {
        uint32_t waited_ms = now_ms - checker->tickets[found->ticket[i]].ticket.since_ms;
        if (high - low > at(mode, &mode->window, waited_ms))
            return "distance of ratings";
        if (at(mode, &mode->means, waited_ms) != UINT16_MAX && most - least > at(mode, &mode->means, waited_ms) + 1e-6)
            return "distance of the teams' means";
    }
    return NULL;
}

static const char *places(const struct checker *checker, const struct vx_match_mode *mode, const struct vx_match_found *found, uint32_t now_ms)
{
    if ((mode->region_count == 0) != (found->region == UINT8_MAX) || (mode->region_count > 0 && found->region >= mode->region_count))
        return "region";
    for (uint32_t i = 0; i < found->tickets && mode->region_count > 0; i++) {
        const struct vx_ticket *ticket = &checker->tickets[found->ticket[i]].ticket;
        if (ticket->latency_ms[found->region] > mode->latency_ms[found->region] + at(mode, &mode->latency_more, now_ms - ticket->since_ms))
            return "latency";
    }
    return NULL;
}

static const char *attributes(const struct checker *checker, const struct vx_match_mode *mode, const struct vx_match_found *found, uint32_t now_ms)
{
    uint32_t sets[VX_MATCH_SETS] = { UINT32_MAX, UINT32_MAX };
    for (uint32_t i = 0; i < found->tickets; i++) {
        const struct vx_ticket *ticket = &checker->tickets[found->ticket[i]].ticket, *first = &checker->tickets[found->ticket[0]].ticket;
        for (uint32_t a = 0; a < VX_MATCH_ATTRIBUTES; a++) {
            bool given_up = mode->equal_ms[a] != VX_MATCH_ALWAYS;
            for (uint32_t j = 0; j < found->tickets; j++)
                given_up &= now_ms - checker->tickets[found->ticket[j]].ticket.since_ms >= mode->equal_ms[a];
            if (mode->equal_ms[a] != 0 && ticket->attributes[a] != first->attributes[a] && !given_up)
                return "an attribute that must be equal";
        }
        for (uint32_t s = 0; s < VX_MATCH_SETS; s++)
            sets[s] &= ticket->sets[s];
    }
    for (uint32_t s = 0; s < VX_MATCH_SETS; s++)
        if (mode->common[s] && sets[s] == 0)
            return "sets without a common element";
    return NULL;
}

static bool names(const uint32_t *list, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i] == id)
            return true;
    return false;
}

static const char *acquaintance(const struct vx_match_mode *mode, const struct checked *a, const struct checked *b, uint32_t now_ms)
{
    bool again = mode->rematch_ms == 0 || (mode->rematch_ms != VX_MATCH_ALWAYS && now_ms - a->ticket.since_ms >= mode->rematch_ms && now_ms - b->ticket.since_ms >= mode->rematch_ms);
    for (uint32_t i = 0; i < a->ticket.size; i++)
        for (uint32_t j = 0; j < b->ticket.size; j++) {
            const struct vx_match_person *one = &a->persons[i], *other = &b->persons[j];
            if (names(one->blocked, one->blocked_count, other->id) || names(other->blocked, other->blocked_count, one->id))
                return "somebody who is blocked";
            if (!again && (names(one->met, one->met_count, other->id) || names(other->met, other->met_count, one->id)))
                return "a rematch before its time";
        }
    return NULL;
}

const char *checker_judge(const struct checker *checker, const struct vx_match_found *found, uint32_t now_ms)
{
    if (found->mode >= checker->mode_count)
        return "a mode that is not there";
    const struct vx_match_mode *mode = &checker->modes[found->mode];
    for (uint32_t i = 0; i < found->tickets; i++) {
        uint32_t slot = found->ticket[i];
        if (slot >= checker->slots || !checker->tickets[slot].waiting)
            return "a ticket that does not wait";
        if ((checker->tickets[slot].ticket.modes & (1u << found->mode)) == 0)
            return "a ticket that did not ask for the mode";
        for (uint32_t j = 0; j < i; j++)
            if (found->ticket[j] == slot)
                return "a ticket twice";
    }
    const char *broken = shape(checker, mode, found, now_ms);
    broken = broken != NULL ? broken : roles(checker, mode, found);
    broken = broken != NULL ? broken : ratings(checker, mode, found, now_ms);
    broken = broken != NULL ? broken : places(checker, mode, found, now_ms);
    broken = broken != NULL ? broken : attributes(checker, mode, found, now_ms);
    for (uint32_t i = 0; i < found->tickets && broken == NULL; i++)
        for (uint32_t j = 0; j < i && broken == NULL; j++)
            broken = acquaintance(mode, &checker->tickets[found->ticket[i]], &checker->tickets[found->ticket[j]], now_ms);
    return broken;
}

const char *checker_found(struct checker *checker, const struct vx_match_found *found, uint32_t now_ms)
{
    const char *broken = checker_judge(checker, found, now_ms);
    for (uint32_t i = 0; i < found->tickets && broken == NULL; i++)
        checker_removed(checker, found->ticket[i]);
    return broken;
}
