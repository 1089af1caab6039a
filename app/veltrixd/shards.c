/* Shards, their queues, one player, one match: what operators see of the games, and drain, pause, resume. What lies
 * inside a shard is asked of the lcore that steps it, which answers between two steps. */
#include <errno.h>
#include <string.h>

#include "operate.h"

enum { ASK_TIMEOUT_US = 100000 };

struct vx_shard_lcore *app_lane_of(const struct app *app, uint32_t shard, const struct vx_shard **of)
{
    uint32_t lane = shard % app->shard_lcore_count, index = 0;
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        if (app->lcores[i].shards == NULL || index++ != lane)
            continue;
        if (of != NULL)
            *of = vx_shard_lcore_shard(app->lcores[i].shards, shard / app->shard_lcore_count);
        return app->lcores[i].shards;
    }
    VX_ASSERT(false); /* every lane has its lcore since the start */
    return NULL;
}

static const char *mode_of(const struct vx_shard_counters *counters)
{
    return vx_counter_read(&counters->draining) ? "draining" : vx_counter_read(&counters->paused) ? "paused" : "open";
}

static const struct vx_shard_counters *counters_of(const struct app *app, uint32_t shard)
{
    const struct vx_shard *of = NULL;
    (void)app_lane_of(app, shard, &of);
    return vx_shard_counters(of);
}

static json_int_t ring_fill_permille(const struct app *app, uint32_t shard)
{
    uint32_t most = 0;
    for (uint32_t io = 0; io < app->io_count; io++) {
        const struct rte_ring *ring = app->actions[io][shard];
        uint32_t permille = rte_ring_count(ring) * 1000 / rte_ring_get_capacity(ring);
        most = permille > most ? permille : most;
    }
    return most;
}

static json_t *on_shards(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    json_t *rows = json_array();
    (void)call;
    (void)error;
    for (uint32_t shard = 0; shard < app->config.shards.count; shard++) {
        const struct vx_shard_counters *c = counters_of(app, shard);
        (void)json_array_append_new(rows, json_pack("{s:I,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f}", "shard", (json_int_t)shard, "mode", mode_of(c), "online",
                                                    (json_int_t)vx_counter_read(&c->players_online), "searching", (json_int_t)vx_counter_read(&c->players_searching),
                                                    "hunts", (json_int_t)vx_counter_read(&c->hunts_live), "jobs", (json_int_t)vx_counter_read(&c->jobs_pending), "grants",
                                                    (json_int_t)vx_counter_read(&c->grants_pending), "actions", (json_int_t)vx_counter_read(&c->actions_in), "refused",
                                                    (json_int_t)vx_counter_read(&c->actions_refused), "busy", (json_int_t)vx_counter_read(&c->actions_busy),
                                                    "ring_percent", (double)ring_fill_permille(app, shard) / 10));
    }
    return rows;
}

static double mean(uint64_t sum, const uint64_t *slots, uint32_t count)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += vx_counter_read(&slots[i]);
    return total > 0 ? (double)sum / (double)total : 0;
}

static json_t *on_queues(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    json_t *rows = json_array();
    (void)call;
    (void)error;
    for (uint32_t shard = 0; shard < app->config.shards.count; shard++) {
        const struct vx_shard *of = NULL;
        (void)app_lane_of(app, shard, &of);
        const struct vx_shard_counters *c = vx_shard_counters(of);
        const struct vx_shard_quality *quality = vx_shard_quality(of);
        (void)json_array_append_new(rows, json_pack("{s:I,s:s,s:I,s:f,s:I,s:I,s:I,s:I,s:f,s:f}", "shard", (json_int_t)shard, "mode", mode_of(c), "waiting",
                                                    (json_int_t)vx_counter_read(&c->players_searching), "oldest_s", (double)vx_counter_read(&c->ticket_oldest_ms) / 1000,
                                                    "tickets", (json_int_t)vx_counter_read(&c->tickets_in), "matched", (json_int_t)vx_counter_read(&c->tickets_matched),
                                                    "timed_out", (json_int_t)vx_counter_read(&c->tickets_timed_out), "cancelled",
                                                    (json_int_t)vx_counter_read(&c->tickets_cancelled), "mean_wait_s",
                                                    mean(vx_counter_read(&quality->wait_ms_sum), quality->wait_ms, VX_SHARD_WAIT_SLOTS) / 1000, "mean_distance",
                                                    mean(vx_counter_read(&quality->distance_sum), quality->distance, VX_SHARD_DISTANCE_SLOTS)));
    }
    return rows;
}

/* drain, pause, resume: one shard or all. */
static json_t *tell(struct app *app, struct vx_control_call *call, uint8_t kind, struct vx_error *error)
{
    bool all = vx_control_flag(call, "all");
    int64_t number = vx_control_whole(call, "shard", -1);
    if (all == (number >= 0))
        return vx_control_fail(call, error, VX_CONTROL_BAD_ARGUMENT, "expected a shard's number, or --all");
    if (number >= (int64_t)app->config.shards.count)
        return vx_control_fail(call, error, VX_CONTROL_OUT_OF_RANGE, "shard is %ld, expected a whole number from 0 to %u", (long)number, app->config.shards.count - 1);
    json_t *old = json_array();
    for (uint32_t shard = all ? 0 : (uint32_t)number; shard < (all ? app->config.shards.count : (uint32_t)number + 1); shard++)
        (void)json_array_append_new(old, json_string(mode_of(counters_of(app, shard))));
    call->old = old;
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        struct vx_event event = { .kind = kind, .shard = all ? VX_LCORE_EVERY_SHARD : (uint16_t)number };
        bool own = app->lcores[i].shards != NULL && (all || app->lcores[i].shards == app_lane_of(app, (uint32_t)number, NULL));
        if (own && !vx_shard_lcore_tell(app->lcores[i].shards, &event))
            return vx_control_fail(call, error, VX_CONTROL_BUSY, "lcore %u stands still and takes no commands", app->lcores[i].id);
    }
    const char *now = kind == VX_EVENT_DRAIN ? "draining" : kind == VX_EVENT_PAUSE ? "paused" : "open";
    call->new = json_string(now);
    return all ? json_pack("{s:s,s:s}", "shards", "all", "mode", now) : json_pack("{s:I,s:s}", "shard", (json_int_t)number, "mode", now);
}

static json_t *on_drain(void *context, struct vx_control_call *call, struct vx_error *error)
{
    return tell(context, call, VX_EVENT_DRAIN, error);
}

static json_t *on_pause(void *context, struct vx_control_call *call, struct vx_error *error)
{
    return tell(context, call, VX_EVENT_PAUSE, error);
}

static json_t *on_resume(void *context, struct vx_control_call *call, struct vx_error *error)
{
    return tell(context, call, VX_EVENT_RESUME, error);
}

/* One player. */

static json_t *trail_json(const struct vx_player_view *view)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; i < view->trail_count; i++) {
        const struct vx_trail_step *step = &view->trail[i];
        (void)json_array_append_new(rows, json_pack("{s:f,s:s,s:I,s:s}", "s_ago", step->ms_ago / 1000.0, "action", vx_action_name(step->type), "number",
                                                    (json_int_t)step->number, "code", vx_code_name(step->code)));
    }
    return rows;
}

static json_t *player_json(uint32_t shard, const struct vx_player_view *view)
{
    static const char *const links[] = { "plain", "connected", "connection lost" };
    json_t *object = json_pack("{s:I,s:I,s:I,s:s,s:s,s:I,s:I,s:f,s:f,s:[i,i,i],s:I,s:I,s:I,s:I,s:s}", "player", (json_int_t)view->player, "shard", (json_int_t)shard,
                               "slot", (json_int_t)view->slot, "state", vx_player_state_name(view->state), "link", view->link < 3 ? links[view->link] : "?", "session",
                               (json_int_t)view->session, "io", (json_int_t)view->io, "rating", (double)view->rating, "silent_s", view->silent_ms / 1000.0, "position_cm",
                               view->position_cm[0], view->position_cm[1], view->position_cm[2], "action_number", (json_int_t)view->number, "results_given",
                               (json_int_t)view->issued, "results_acknowledged", (json_int_t)view->acked, "results_pending", (json_int_t)view->results_pending, "why",
                               vx_wait_reason((enum vx_wait_reason)view->reason));
    if (view->match != 0)
        (void)json_object_set_new(object, "match", json_integer((json_int_t)view->match));
    if (view->party != 0)
        (void)json_object_set_new(object, "party", json_pack("{s:I,s:I}", "id", (json_int_t)view->party, "players", (json_int_t)view->party_players));
    if (strcmp(vx_player_state_name(view->state), "searching") == 0) {
        (void)json_object_set_new(object, "search", json_pack("{s:f,s:I,s:I}", "waited_s", view->waited_ms / 1000.0, "window", (json_int_t)view->window, "waiting", (json_int_t)view->waiting));
        if (view->nearest_player != VX_VIEW_NONE)
            (void)json_object_set_new(object, "nearest", json_pack("{s:I,s:I,s:I}", "player", (json_int_t)view->nearest_player, "distance", (json_int_t)view->nearest_distance,
                                                                   "window", (json_int_t)view->nearest_window));
    }
    (void)json_object_set_new(object, "last_actions", trail_json(view));
    return object;
}

static json_t *stands_still(struct vx_control_call *call, uint32_t shard, struct vx_error *error)
{
    return vx_control_fail(call, error, VX_CONTROL_TIMED_OUT, "the lcore of shard %u has not answered within %d ms: it stands still", shard, ASK_TIMEOUT_US / 1000);
}

static json_t *on_player(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    uint32_t player = (uint32_t)vx_control_whole(call, "player", 0), slot = VX_VIEW_NONE, shard = 0;
    union vx_lcore_answer answer;
    for (; shard < app->config.shards.count && slot == VX_VIEW_NONE; shard++) {
        const struct vx_shard *of = NULL;
        (void)app_lane_of(app, shard, &of);
        slot = vx_shard_slot_of(of, player);
    }
    if (slot == VX_VIEW_NONE)
        return vx_control_fail(call, error, VX_CONTROL_NOT_FOUND, "player %u has not been here since the start", player);
    shard--;
    if (vx_shard_lcore_ask(app_lane_of(app, shard, NULL), shard, VX_ASK_PLAYER, slot, &answer, ASK_TIMEOUT_US) != 0)
        return stands_still(call, shard, error);
    return player_json(shard, &answer.player);
}

/* One match. Numbers are given by each shard for itself, so there may be several. */

static json_t *match_json(uint32_t shard, const struct vx_match_view *view)
{
    json_t *seats = json_array();
    for (uint32_t i = 0; i < view->seat_count; i++) {
        const struct vx_seat_view *seat = &view->seats[i];
        (void)json_array_append_new(seats, json_pack("{s:i,s:I,s:I,s:b,s:b,s:b,s:i,s:i,s:i}", "team", seat->team, "player", (json_int_t)seat->player, "rating", (json_int_t)seat->rating,
                                                     "accepted", seat->accepted, "left", seat->left, "dead", seat->dead, "health", seat->health, "chests", seat->chests,
                                                     "streak", seat->streak));
    }
    return json_pack("{s:I,s:I,s:s,s:s,s:f,s:I,s:i,s:I,s:o}", "match", (json_int_t)view->match, "shard", (json_int_t)shard, "mode", view->mode, "state",
                     vx_match_state_name(view->state), "age_s", view->age_ms / 1000.0, "seed", (json_int_t)view->seed, "chests_claimed", __builtin_popcount(view->claimed), "pending",
                     (json_int_t)view->pending, "seats", seats);
}

static json_t *on_match(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    uint32_t match = (uint32_t)vx_control_whole(call, "match", 0);
    json_t *found = json_array();
    for (uint32_t shard = 0; shard < app->config.shards.count; shard++) {
        const struct vx_shard *of = NULL;
        union vx_lcore_answer answer;
        struct vx_shard_lcore *lane = app_lane_of(app, shard, &of);
        if (!vx_shard_may_hold_match(of, match))
            continue;
        int rc = vx_shard_lcore_ask(lane, shard, VX_ASK_MATCH, match, &answer, ASK_TIMEOUT_US);
        if (rc == -ETIMEDOUT) {
            json_decref(found);
            return stands_still(call, shard, error);
        }
        if (rc == 0)
            (void)json_array_append_new(found, match_json(shard, &answer.match));
    }
    if (json_array_size(found) > 0)
        return found;
    json_decref(found);
    return vx_control_fail(call, error, VX_CONTROL_NOT_FOUND, "no shard has a match %u now", match);
}

static const struct vx_control_argument tell_arguments[] = {
    { "shard", VX_ARGUMENT_WHOLE, VX_ARGUMENT_OPTIONAL, 0, VX_SHARDS_MAX - 1, NULL, "", "which shard" },
    { "all", VX_ARGUMENT_FLAG, VX_ARGUMENT_NAMED, 0, 0, NULL, "", "every shard" },
    { .name = NULL },
};
static const struct vx_control_argument player_arguments[] = {
    { "player", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NEEDED, 0, UINT32_MAX, NULL, "", "the player's id" },
    { .name = NULL },
};
static const struct vx_control_argument match_arguments[] = {
    { "match", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NEEDED, 1, UINT32_MAX, NULL, "", "the match's number, as players and `player` have it" },
    { .name = NULL },
};
const struct vx_control_command app_shard_commands[] = {
    { "shards", VX_CONTROL_LOOK, "each shard: players, hunts, jobs and grants under way, how full its rings are", "", NULL, on_shards },
    { "queues", VX_CONTROL_LOOK, "each shard's queue: tickets, how long they wait, how far apart the matched are", "", NULL, on_queues },
    { "player", VX_CONTROL_LOOK, "one player: state, last actions, and why it waits", "", player_arguments, on_player },
    { "match", VX_CONTROL_LOOK, "one match: state, sides, chests, what is under way", "", match_arguments, on_match },
    { "shard drain", VX_CONTROL_ADMIN, "no new games: FIND is refused, hunts go on to their end", "at the shard's next pass", tell_arguments, on_drain },
    { "shard pause", VX_CONTROL_ADMIN, "no new matches: tickets are taken and wait, hunts go on", "at the shard's next pass", tell_arguments, on_pause },
    { "shard resume", VX_CONTROL_ADMIN, "undoes drain and pause", "at the shard's next pass", tell_arguments, on_resume },
    { .name = NULL },
};
