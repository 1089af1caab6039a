/* What must be true of worlds in which modes of teams, of many, without questions, with backfill and with parties are played. Looser than
 * the model of duels: it keeps no set of states, but judges each answer by what the protocol admits for its action, the making
 * of matches by who was asked and who accepted, receipts by the ledger, and, between passes, who sits where by what an
 * operator sees: one match a player, a party whole and on one team, no points for who is away. */
#include <stdlib.h>
#include <string.h>

#include "model_private.h"

enum { RATING_LEAST = 100, RATING_MOST = 4000, LOOK_MS = 1000, FRESH_MAX = 8192, DECLINES_FREE = 1, DECLINES_DOUBLED_MAX = 7 };
struct t_match {
    struct t_match *next; /* of the same hash */
    uint32_t shard, id, proposed, accepted;
    uint32_t players[VX_MATCH_PLAYERS_MAX]; /* who was asked */
    uint64_t accepted_bits;
    bool has_started;
    uint8_t claimed;
};
struct t_player {
    float rating; /* when it was looked at last, and then: */
    uint32_t number, silent_ms;
    bool was_offline;
    uint32_t proposals, proposal_ms;
};
static struct {
    struct t_match *matches[M_HASH];
    struct t_match *fresh[FRESH_MAX]; /* proposed or started in this pass */
    uint32_t fresh_count;
    struct t_player *players;
    uint32_t looked_ms;
} teams;

#define CODE(name) (1u << VX_CODE_##name)
static const uint32_t anywhere = CODE(BUSY) | CODE(WRONG_STATE) | CODE(BAD_ARGUMENT) | CODE(STALE);
static const struct {
    uint8_t results[3];
    uint32_t errors; /* bit a code, beside those of anywhere */
} answers[VX_ACTION_COUNT] = {
    [VX_ACTION_FIND] = { { VX_RESULT_QUEUE_STATUS }, CODE(DRAINING) | CODE(NO_MODE) | CODE(NOT_LEADER) | CODE(PARTY_APART) | CODE(PARTY_FULL) | CODE(COOLING_DOWN) },
    [VX_ACTION_CANCEL] = { { VX_RESULT_OK }, 0 },
    [VX_ACTION_ACCEPT] = { { VX_RESULT_OK }, CODE(NOT_YOURS) },
    [VX_ACTION_DECLINE] = { { VX_RESULT_OK }, CODE(NOT_YOURS) },
    [VX_ACTION_MOVE] = { { VX_RESULT_OK }, CODE(TOO_FAST) },
    [VX_ACTION_SUMMON] = { { VX_RESULT_CHEST }, CODE(NOT_YOURS) | CODE(TOO_FAR) },
    [VX_ACTION_STRIKE] = { { VX_RESULT_STRIKE_RESULT }, CODE(NOT_YOURS) | CODE(TOO_FAR) | CODE(FORMULA) },
    [VX_ACTION_LEAVE] = { { VX_RESULT_OK }, 0 },
    [VX_ACTION_ACK] = { { VX_RESULT_OK }, 0 },
    [VX_ACTION_PING] = { { VX_RESULT_PONG }, 0 },
    [VX_ACTION_INVITE] = { { VX_RESULT_PARTY }, CODE(NOT_HERE) | CODE(NOT_LEADER) | CODE(PARTY_FULL) },
    [VX_ACTION_JOIN] = { { VX_RESULT_PARTY }, CODE(NOT_HERE) | CODE(NOT_YOURS) | CODE(PARTY_FULL) },
    [VX_ACTION_LEAVE_PARTY] = { { VX_RESULT_PARTY }, 0 },
    [VX_ACTION_STATUS] = { { VX_RESULT_PLACE, VX_RESULT_SEAT, VX_RESULT_PARTY }, 0 },
    [VX_ACTION_BLOCK] = { { VX_RESULT_OK }, 0 },
};

static struct t_match *match_at(uint32_t shard, uint32_t id)
{
    struct t_match **place = &teams.matches[vx_mix64((uint64_t)shard << 32 | id) % M_HASH];
    for (struct t_match *match = *place; match != NULL; match = match->next)
        if (match->shard == shard && match->id == id)
            return match;
    struct t_match *match = calloc(1, sizeof(*match));
    VX_ASSERT(match != NULL);
    *match = (struct t_match){ .next = *place, .shard = shard, .id = id };
    return *place = match;
}

static void fresh(struct t_match *match)
{
    VX_ASSERT(teams.fresh_count < FRESH_MAX);
    teams.fresh[teams.fresh_count++] = match;
}

static uint32_t place_of(const struct t_match *match, uint32_t player)
{
    uint32_t i = 0;
    while (i < match->proposed && match->players[i] != player)
        i++;
    return i;
}

static const struct vx_shard *shard_of(const struct model *model, uint32_t shard)
{
    return vx_shard_lcore_shard(model->sim->appliance.lanes[shard % model->plan->lanes], shard / model->plan->lanes);
}

void teams_start(struct model *model)
{
    for (uint32_t i = 0; i < M_HASH; i++)
        for (struct t_match *match; (match = teams.matches[i]) != NULL; free(match))
            teams.matches[i] = match->next;
    free(teams.players);
    teams.players = calloc(model->plan->players, sizeof(teams.players[0]));
    VX_ASSERT(teams.players != NULL);
    teams.fresh_count = 0;
    teams.looked_ms = 0;
}

/* ---- what is told ---- */

static void proposed(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    struct t_match *match = match_at(reply->shard, reply->a);
    struct t_player *own = &teams.players[reply->player];
    if (place_of(match, reply->player) < match->proposed)
        return; /* again */
    if (match->proposed == VX_MATCH_PLAYERS_MAX)
        m_wrong(model, player, "match %u is proposed to more players than a match can have", match->id);
    match->players[match->proposed++] = reply->player;
    own->proposals++;
    own->proposal_ms = model->now_ms;
    fresh(match);
}

static void started(struct model *model, struct t_match *match)
{
    if (!match->has_started)
        fresh(match);
    model->sim->report->matches += !match->has_started;
    match->has_started = true;
}

static void ended(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    const uint32_t fits = CODE(OK) | CODE(LOST) | CODE(DRAWN) | CODE(ABANDONED);
    if ((fits >> reply->code & 1) == 0 || reply->arg16 == 0 || ((reply->code == VX_CODE_OK || reply->code == VX_CODE_DRAWN) && reply->arg16 != 1))
        m_wrong(model, player, "match %u ends with place %u and code %u", reply->a, reply->arg16, reply->code);
    if (reply->b < RATING_LEAST || reply->b > RATING_MOST || reply->c < RATING_LEAST || reply->c > RATING_MOST)
        m_wrong(model, player, "match %u ends with ratings %u and %u", reply->a, reply->b, reply->c);
    if (reply->code == VX_CODE_ABANDONED && reply->c < reply->b)
        m_wrong(model, player, "match %u is abandoned and costs who stayed %u points", reply->a, reply->b - reply->c);
}

/* Invariant 3. */
static void loot(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    uint64_t receipt = (uint64_t)reply->b << 32 | reply->a;
    const struct vx_grant *row = ledger_row(model->sim, (uint32_t)(receipt >> 52), (uint32_t)(receipt >> 32) & 0xfffff, reply->a);
    if (row == NULL || row->player != reply->player || row->item != reply->arg16 || row->amount != reply->c)
        m_wrong(model, player, "receipt %lx is told and is not in the ledger, or not so", receipt);
}

static void notice(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    switch (reply->type) {
    case VX_RESULT_PROPOSAL:
        proposed(model, player, reply);
        break;
    case VX_RESULT_HUNT_STARTED:
        started(model, match_at(reply->shard, reply->a));
        break;
    case VX_RESULT_HUNT_ENDED:
        ended(model, player, reply);
        break;
    case VX_RESULT_LOOT_GRANTED:
        loot(model, player, reply);
        break;
    case VX_RESULT_QUEUE_STATUS:
    case VX_RESULT_CHEST:
    case VX_RESULT_STRIKE_RESULT:
    case VX_RESULT_INVITED:
    case VX_RESULT_PARTY:
        break;
    default:
        m_wrong(model, player, "a notice of type 0x%x, code %u", reply->type, reply->code);
    }
}

/* ---- answers ---- */

/* Two declined or missed proposals at least, and the latest of them not longer ago than the longest cool-down they can bring. */
static void cooled(struct model *model, struct m_player *player)
{
    const struct t_player *own = &teams.players[m_id(model, player)];
    uint32_t declines = own->proposals < DECLINES_DOUBLED_MAX ? own->proposals : DECLINES_DOUBLED_MAX;
    if (declines <= DECLINES_FREE)
        m_wrong(model, player, "has to cool down after %u proposals", declines);
    uint32_t until_ms = own->proposal_ms + model->plan->proposal_ms + (model->plan->cooldown_ms << (declines - DECLINES_FREE - 1));
    if (m_is_overdue(model, until_ms))
        m_wrong(model, player, "has to cool down %u ms after the longest time it may", model->now_ms - until_ms);
}

static void answer_check(struct model *model, struct m_player *player, const struct m_fed *fed, const struct vx_reply *reply)
{
    const struct vx_event *action = &fed->event;
    bool fits = reply->type == VX_RESULT_REPEATED;
    if (action->type >= VX_ACTION_COUNT || action->type == VX_ACTION_NONE) {
        fits = fits || reply->type == VX_RESULT_ERROR;
    } else {
        for (uint32_t i = 0; i < 3; i++)
            fits = fits || (answers[action->type].results[i] != 0 && answers[action->type].results[i] == reply->type);
        fits = fits || (reply->type == VX_RESULT_ERROR && ((anywhere | answers[action->type].errors) >> reply->code & 1));
        model->sim->report->answers[action->type][reply->type == VX_RESULT_REPEATED ? (uint32_t)VX_CODE_COUNT : reply->code]++;
    }
    if (!fits)
        m_wrong(model, player, "action number %u of type %u is answered with type 0x%x, code %u", action->number, action->type, reply->type, reply->code);
}

static void accepted(struct model *model, struct m_player *player, const struct m_fed *fed)
{
    struct t_match *match = match_at(fed->event.player % model->plan->shards, fed->event.a);
    uint32_t place = place_of(match, fed->event.player);
    if (place == match->proposed)
        m_wrong(model, player, "accepts match %u, which nobody has proposed to it", match->id);
    match->accepted += (match->accepted_bits >> place & 1) == 0;
    match->accepted_bits |= 1ull << place;
}

static void chest_claimed(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    struct t_match *match = match_at(reply->shard, reply->a);
    if (reply->code != VX_CODE_OK)
        return;
    if (reply->arg16 >= model->plan->chests || (match->claimed >> reply->arg16 & 1))
        m_wrong(model, player, "chest %u of match %u is opened, and was before or is none", reply->arg16, reply->a);
    match->claimed |= (uint8_t)(1u << reply->arg16);
}

static void answer(struct model *model, struct m_player *player, struct m_fed *fed, const struct vx_reply *reply)
{
    fed->fate = FATE_ANSWERED;
    answer_check(model, player, fed, reply);
    if (reply->type == VX_RESULT_OK && fed->event.type == VX_ACTION_ACCEPT)
        accepted(model, player, fed);
    if (reply->type == VX_RESULT_CHEST)
        chest_claimed(model, player, reply);
    if (reply->type == VX_RESULT_ERROR && reply->code == VX_CODE_COOLING_DOWN)
        cooled(model, player);
    if (reply->type == VX_RESULT_SEAT && fed->event.a == VX_SEAT_OWN && reply->b != reply->player)
        m_wrong(model, player, "sits where player %u sits", reply->b);
    if (fed->event.type == VX_ACTION_LEAVE_PARTY && reply->type == VX_RESULT_PARTY && reply->a != 0)
        m_wrong(model, player, "has left its party and is in party %u", reply->a);
}

/* The same strike twice in a pass: the first is taken on, the second is the REPEATED one. */
static struct m_fed *fed_find(const struct m_player *player, const struct vx_reply *reply)
{
    struct m_fed *found = NULL;
    for (struct m_fed *fed = player->fed; fed != NULL; fed = fed->next)
        if (fed->fate == FATE_OPEN && fed->event.number == reply->action_number &&
            (found == NULL || (fed->event.type == VX_ACTION_STRIKE && reply->type == VX_RESULT_REPEATED)))
            found = fed;
    return found;
}

/* A strike that was taken on in an earlier pass. */
static bool strike_answered(struct m_player *player, const struct m_fed *fed, const struct vx_reply *reply)
{
    bool is_late = reply->type == VX_RESULT_STRIKE_RESULT || (reply->type == VX_RESULT_ERROR && reply->code == VX_CODE_FORMULA);
    bool may_be = is_late || (reply->type == VX_RESULT_ERROR && reply->code == VX_CODE_WRONG_STATE && (fed == NULL || fed->event.type == VX_ACTION_STRIKE));
    for (struct m_strike **at = &player->strikes; may_be && *at != NULL; at = &(*at)->next) {
        struct m_strike *strike = *at;
        if (strike->number != reply->action_number)
            continue;
        *at = strike->next;
        free(strike);
        return true;
    }
    return false;
}

void teams_reply(struct model *model, struct m_player *player, const struct vx_reply *reply)
{
    struct m_fed *fed = fed_find(player, reply);
    if (strike_answered(player, fed, reply))
        return;
    if (fed != NULL)
        answer(model, player, fed, reply);
    else if (reply->action_number == 0)
        notice(model, player, reply);
    else
        m_wrong(model, player, "answer of type 0x%x, code %u to action number %u, which does not wait for one", reply->type, reply->code, reply->action_number);
}

/* ---- what was made in a pass ---- */

static bool is_asked(const struct model *model, const char *name)
{
    uint32_t count;
    const struct vx_shard_mode *modes = appliance_modes(model->plan, &count);
    for (uint32_t i = 0; i < count; i++)
        if (strncmp(modes[i].name, name, sizeof(modes[i].name)) == 0)
            return modes[i].mode.auto_accept == 0;
    sim_violation("a match of mode %s, which there is not", name);
}

static void made(const struct model *model, const struct t_match *match)
{
    struct vx_match_view view;
    if (match->has_started && match->accepted < match->proposed)
        sim_violation("match %u of shard %u has started; %u of %u have accepted", match->id, match->shard, match->accepted, match->proposed);
    if (!vx_shard_view_match(shard_of(model, match->shard), match->id, &view))
        return; /* over in the same pass */
    if (!is_asked(model, view.mode)) {
        if (match->proposed > 0)
            sim_violation("match %u of shard %u is proposed, and its mode does not ask", match->id, match->shard);
        return;
    }
    if (match->proposed != view.seat_count)
        sim_violation("match %u of shard %u has %u seats and is proposed to %u players", match->id, match->shard, view.seat_count, match->proposed);
    for (uint32_t i = 0; i < view.seat_count && !match->has_started; i++)
        if (place_of(match, view.seats[i].player) == match->proposed)
            sim_violation("match %u of shard %u has player %u, who was not asked", match->id, match->shard, view.seats[i].player);
}

void teams_pass_done(struct model *model)
{
    for (uint32_t i = 0; i < model->fed_count; i++) {
        struct m_fed *fed = &model->fed[i];
        struct m_player *player = m_player(model, fed->event.player);
        if (fed->fate != FATE_OPEN)
            continue;
        if (fed->event.type != VX_ACTION_STRIKE)
            m_wrong(model, player, "action number %u of type %u has no answer", fed->event.number, fed->event.type);
        struct m_strike *strike = calloc(1, sizeof(*strike));
        VX_ASSERT(strike != NULL);
        *strike = (struct m_strike){ .next = player->strikes, .number = fed->event.number };
        player->strikes = strike;
    }
    for (uint32_t i = 0; i < teams.fresh_count; i++)
        made(model, teams.fresh[i]);
    teams.fresh_count = 0;
}

/* ---- what an operator sees between passes ---- */

/* Who is away gains nothing, whatever comes of the hunts that it left. */
static void look_away(struct model *model, const struct vx_player_view *view)
{
    struct t_player *own = &teams.players[view->player];
    bool is_offline = strcmp(vx_player_state_name(view->state), "offline") == 0;
    bool was_away = is_offline && own->was_offline && view->number == own->number && view->silent_ms >= own->silent_ms;
    if (view->known && (view->rating < RATING_LEAST || view->rating > RATING_MOST))
        m_wrong(model, m_player(model, view->player), "has a rating of %g", (double)view->rating);
    if (was_away && view->rating > own->rating)
        m_wrong(model, m_player(model, view->player), "is away and gains: from %g to %g", (double)own->rating, (double)view->rating);
    *own = (struct t_player){ view->rating, view->number, view->silent_ms, is_offline, own->proposals, own->proposal_ms };
}

static void look_seat(struct model *model, const struct vx_shard *shard, const struct vx_player_view *view)
{
    struct vx_match_view match;
    uint32_t seats = 0, team = 0, of_party = 0;
    if (!vx_shard_view_match(shard, view->match, &match))
        m_wrong(model, m_player(model, view->player), "plays in match %u, which there is not", view->match);
    for (uint32_t i = 0; i < match.seat_count; i++)
        if (match.seats[i].player == view->player && !match.seats[i].left) {
            seats++;
            team = match.seats[i].team;
        }
    if (seats != 1)
        m_wrong(model, m_player(model, view->player), "has %u seats in match %u", seats, view->match);
    for (uint32_t i = 0; i < match.seat_count && view->party != 0; i++) {
        struct vx_player_view other;
        vx_shard_view_player(shard, match.seats[i].player / model->plan->shards, &other);
        of_party += !match.seats[i].left && match.seats[i].team == team && other.party == view->party;
    }
    if (view->party != 0 && of_party != view->party_players) /* invariant 5 */
        m_wrong(model, m_player(model, view->player), "is in party %u of %u players, of which %u are on its team", view->party, view->party_players, of_party);
}

void teams_look(struct model *model)
{
    if (model->now_ms - teams.looked_ms < LOOK_MS)
        return;
    teams.looked_ms = model->now_ms;
    for (uint32_t id = 0; id < model->plan->players; id++) {
        struct vx_player_view view;
        const struct vx_shard *shard = shard_of(model, id % model->plan->shards);
        vx_shard_view_player(shard, id / model->plan->shards, &view);
        view.player = id;
        look_away(model, &view);
        if (view.match != 0)
            look_seat(model, shard, &view);
    }
}
