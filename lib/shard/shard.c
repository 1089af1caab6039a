/* A shard's birth, and its step: timers that are due, then events in order. An action is taken once by
 * its number, and ends in exactly one of the counters that add up to actions_in. */
#include <errno.h>
#include <string.h>

#include "shard_private.h"

static uint32_t jobs_of(const struct vx_shard_config *config)
{
    return config->players_max / 4 + 2 * (VX_MATCH_ROWS + GAIN_ROWS);
}

static uint32_t grants_of(const struct vx_shard_config *config)
{
    return config->players_max / 2 + 64;
}

static size_t rounded(size_t bytes)
{
    return (bytes + VX_CACHE_LINE_BYTES - 1) & ~(size_t)(VX_CACHE_LINE_BYTES - 1);
}

/* Players, hunts, jobs, grants, and the tick that looks at tickets again. */
static uint32_t timers_of(const struct vx_shard_config *config)
{
    return config->players_max + config->hunts_max + jobs_of(config) + grants_of(config) + 1;
}

static uint32_t parties_of(const struct vx_shard_config *config)
{
    return config->players_max / 2 + 1;
}

size_t vx_shard_bytes(const struct vx_shard_config *config)
{
    struct vx_match_mode rules[VX_MATCH_MODES_MAX];
    struct vx_match_config match = modes_match_config(config, rules);
    return rounded(sizeof(struct vx_shard)) + rounded(config->players_max * sizeof(struct player)) + rounded(config->players_max * sizeof(struct outbox)) +
           rounded(config->players_max * sizeof(struct profile)) + rounded(config->hunts_max * sizeof(struct hunt)) +
           rounded((size_t)config->hunts_max * modes_seats_max(config) * sizeof(struct seat)) + rounded(parties_of(config) * sizeof(struct party)) +
           rounded(directory_bytes(config->players_max)) + rounded(directory_bytes(parties_of(config))) + rounded(jobs_of(config) * sizeof(struct job)) +
           rounded(grants_of(config) * sizeof(struct grant)) + rounded(vx_match_bytes(&match)) + rounded(vx_wheel_bytes(timers_of(config), TIMER_SLOTS));
}

static int check_config(const struct vx_shard_config *config, struct vx_error *error)
{
    if (config->players_max == 0 || config->players_max > VX_PLAYERS_MAX || config->hunts_max == 0 || config->hunts_max > VX_PLAYERS_MAX)
        return vx_error_set(error, -EINVAL, "shard %u: players_max %u, hunts_max %u: expected 1 to %u", config->shard, config->players_max, config->hunts_max,
                            VX_PLAYERS_MAX);
    if (config->chests == 0 || config->chests > 8)
        return vx_error_set(error, -EINVAL, "shard %u: chests %u: expected 1 to 8", config->shard, config->chests);
    if (config->repeat_ms == 0 || config->idle_ms == 0 || config->job_ms_max == 0)
        return vx_error_set(error, -EINVAL, "shard %u: repeat_ms, idle_ms and job_ms_max must be at least 1", config->shard);
    return modes_check(config, error);
}

static void *carve(char **at, size_t bytes)
{
    void *piece = *at;
    *at += rounded(bytes);
    return piece;
}

static void lists_create(struct vx_shard *shard)
{
    const struct vx_shard_config *config = &shard->config;
    for (uint32_t i = 0; i < config->players_max; i++) {
        shard->players[i].hunt = NONE;
        shard->players[i].rating = VX_RATING_START;
    }
    for (uint32_t i = 0; i < shard->parties_max; i++)
        shard->parties[i].next_free = i + 1 < shard->parties_max ? i + 1 : NONE;
    for (uint32_t i = 0; i < config->hunts_max; i++)
        shard->hunts[i].next_free = i + 1 < config->hunts_max ? i + 1 : NONE;
    for (uint32_t i = 0; i < shard->jobs_max; i++)
        shard->jobs[i].next_free = i + 1 < shard->jobs_max ? i + 1 : NONE;
    for (uint32_t i = 0; i < GAIN_ROWS; i++)
        shard->gains[i] = 1;
    shard->hunt_free_last = config->hunts_max - 1;
    shard->job_free_last = shard->jobs_max - 1;
    shard->timer_hunts = config->players_max;
    shard->timer_jobs = shard->timer_hunts + config->hunts_max;
    shard->timer_grants = shard->timer_jobs + shard->jobs_max;
    shard->timer_match = shard->timer_grants + shard->grants_max;
    timer_set(shard, shard->timer_match, 0);
    jobs_tables(shard);
}

int vx_shard_create(const struct vx_shard_config *config, struct vx_shard **created, struct vx_error *error)
{
    int rc = check_config(config, error);
    if (rc != 0)
        return rc;
    size_t bytes = vx_shard_bytes(config);
    char *at = config->allocate(config->allocate_context, bytes, VX_CACHE_LINE_BYTES);
    if (at == NULL)
        return vx_error_set(error, -ENOMEM, "shard %u: its arena has no room for %zu KiB", config->shard, bytes >> 10);
    memset(at, 0, bytes);
    struct vx_shard *shard = carve(&at, sizeof(*shard));
    shard->config = *config;
    shard->rng.state = config->seed;
    shard->jobs_max = jobs_of(config);
    shard->grants_max = grants_of(config);
    shard->parties_max = parties_of(config);
    shard->seats_max = modes_seats_max(config);
    shard->replies_max = shard->seats_max + VX_STEP_OTHER_REPLIES;
    modes_create(shard);
    shard->players = carve(&at, config->players_max * sizeof(struct player));
    shard->outboxes = carve(&at, config->players_max * sizeof(struct outbox));
    shard->profiles = carve(&at, config->players_max * sizeof(struct profile));
    shard->hunts = carve(&at, config->hunts_max * sizeof(struct hunt));
    shard->seats = carve(&at, (size_t)config->hunts_max * shard->seats_max * sizeof(struct seat));
    shard->parties = carve(&at, shard->parties_max * sizeof(struct party));
    directory_create(&shard->players_by_id, carve(&at, directory_bytes(config->players_max)), config->players_max);
    directory_create(&shard->parties_by_token, carve(&at, directory_bytes(shard->parties_max)), shard->parties_max);
    shard->jobs = carve(&at, shard->jobs_max * sizeof(struct job));
    shard->grants = carve(&at, shard->grants_max * sizeof(struct grant));
    struct vx_match_mode rules[VX_MATCH_MODES_MAX];
    struct vx_match_config match = modes_match_config(config, rules);
    shard->match = vx_match_create(carve(&at, vx_match_bytes(&match)), &match);
    vx_wheel_create(&shard->wheel, carve(&at, vx_wheel_bytes(timers_of(config), TIMER_SLOTS)), timers_of(config), TIMER_SLOTS, TIMER_TICK_BITS, 0);
    lists_create(shard);
    *created = shard;
    return 0;
}

/* The window of action numbers: which of the last 64 were taken. */
enum taking { TAKEN_NEW, TAKEN_BEFORE, TAKEN_TOO_OLD };
static enum taking number_take(struct player *player, uint32_t number, uint32_t now_ms)
{
    uint32_t behind = player->number - number;
    bool starts_anew = !player->known || (player->state == PLAYER_OFFLINE && ((behind >= 64 && behind < 1u << 31) || now_ms - player->last_ms >= RETURN_MS));
    if (starts_anew) {
        player->known = 1;
        player->number = number;
        player->taken = 1;
        return TAKEN_NEW;
    }
    if ((int32_t)behind < 0) {
        uint32_t ahead = number - player->number;
        player->taken = ahead < 64 ? player->taken << ahead | 1 : 1;
        player->number = number;
        return TAKEN_NEW;
    }
    if (behind >= 64)
        return TAKEN_TOO_OLD;
    if (player->taken & (1ull << behind))
        return TAKEN_BEFORE;
    player->taken |= 1ull << behind;
    return TAKEN_NEW;
}

static enum vx_code acknowledge(struct vx_shard *shard, const struct vx_event *event)
{
    if (event->a > shard->outboxes[event->slot].issued)
        return VX_CODE_BAD_ARGUMENT;
    if (event->a > shard->players[event->slot].acked)
        results_acknowledge(shard, event->slot, event->a);
    answer(shard, event, VX_RESULT_OK, VX_CODE_OK);
    return VX_CODE_OK;
}

static enum vx_code action_do(struct vx_shard *shard, const struct vx_event *event)
{
    switch (event->type) {
    case VX_ACTION_MOVE:
        return hunt_move(shard, event->slot, event);
    case VX_ACTION_PING:
        answer(shard, event, VX_RESULT_PONG, VX_CODE_OK);
        return VX_CODE_OK;
    case VX_ACTION_ACK:
        return acknowledge(shard, event);
    case VX_ACTION_BLOCK:
        return player_block(shard, event->slot, event);
    default:
        return player_event(shard, event->slot, event->type, event);
    }
}

static void action_count(struct vx_shard *shard, const struct vx_event *event, enum vx_code code)
{
    struct vx_shard_counters *counters = &shard->counters;
    if (code == VX_CODE_OK) {
        *(event->type == VX_ACTION_STRIKE ? &counters->actions_pending : &counters->actions_answered) += 1;
        return;
    }
    *(code == VX_CODE_BUSY ? &counters->actions_busy : &counters->actions_refused) += 1;
    answer(shard, event, VX_RESULT_ERROR, code);
}

static void action_in(struct vx_shard *shard, const struct vx_event *event)
{
    VX_ASSERT(event->slot < shard->config.players_max && event->type != VX_ACTION_NONE && event->type < VX_ACTION_COUNT);
    struct player *player = &shard->players[event->slot];
    shard->counters.actions_in++;
    if (VX_UNLIKELY(player->link != LINK_PLAIN && (player->link == LINK_AWAY || player->session != event->session || player->io != event->io))) {
        shard->counters.actions_dropped_gone++; /* from a connection that has ended: nobody waits for the answer */
        return;
    }
    if (player->link == LINK_PLAIN) {
        if (VX_UNLIKELY(player->known == 0))
            player_name(shard, event->slot, event->player);
        player->session = event->session;
        player->io = event->io;
    }
    enum taking taking = number_take(player, event->number, shard->now_ms);
    player->last_ms = shard->now_ms;
    if (event->seen > player->acked)
        results_acknowledge(shard, event->slot, event->seen);
    if (VX_UNLIKELY(taking == TAKEN_BEFORE)) {
        shard->counters.actions_repeated++;
        answer(shard, event, VX_RESULT_REPEATED, VX_CODE_OK);
        return;
    }
    if (VX_UNLIKELY(taking == TAKEN_TOO_OLD)) {
        action_count(shard, event, VX_CODE_STALE);
        return;
    }
    if (VX_UNLIKELY(player->state == PLAYER_OFFLINE && event->type != VX_ACTION_LEAVE)) {
        if (player->link == LINK_PLAIN)
            results_enter(shard, event->slot, event->seen);
        player_enter(shard, event->slot);
    }
    enum vx_code code = action_do(shard, event);
    trail_add(shard, event, code);
    action_count(shard, event, code);
    if (event->type == VX_ACTION_FIND && code == VX_CODE_OK)
        matches_make(shard, MATCH_LOOKS);
}

/* Whether the outputs of `count` events certainly fit. */
static bool fits(const struct vx_shard *shard, uint64_t count)
{
    const struct vx_shard_out *out = shard->out;
    return out->reply_count + count * shard->replies_max <= out->reply_max && out->job_count + count * VX_STEP_JOBS_MAX <= out->job_max &&
           out->grant_count + count * VX_STEP_GRANTS_MAX <= out->grant_max;
}

/* Tickets that found nobody when they came: windows widen with time. */
static void match_tick(struct vx_shard *shard)
{
    for (uint32_t i = 0; i < MATCHES_IN_TICK && fits(shard, 1); i++)
        matches_make(shard, MATCH_LOOKS);
    if (fits(shard, 1))
        matches_fill(shard);
    shard->counters.ticket_oldest_ms = vx_match_oldest_ms(shard->match, shard->now_ms);
    jobs_tables_go_on(shard);
    timer_set(shard, shard->timer_match, shard->now_ms + MATCH_TICK_MS);
}

static void timer_fire(struct vx_shard *shard, uint32_t index)
{
    if (index < shard->timer_hunts)
        player_timer(shard, index);
    else if (index < shard->timer_jobs)
        match_event(shard, index - shard->timer_hunts, MATCH_TIMEOUT, NONE);
    else if (index < shard->timer_grants)
        job_timeout(shard, index - shard->timer_jobs);
    else if (index < shard->timer_match)
        grant_timer(shard, index - shard->timer_grants);
    else
        match_tick(shard);
}

static void event_in(struct vx_shard *shard, const struct vx_event *event)
{
    switch (event->kind) {
    case VX_EVENT_ACTION:
        action_in(shard, event);
        break;
    case VX_EVENT_JOB_DONE:
        job_done(shard, event);
        break;
    case VX_EVENT_GRANT_DONE:
        grant_done(shard, event);
        break;
    case VX_EVENT_JOIN:
        player_join(shard, event);
        break;
    case VX_EVENT_PART:
        player_part(shard, event);
        break;
    default:
        operate(shard, event);
    }
}

/* False: the outputs are full, and timers are still due. */
static bool timers_run(struct vx_shard *shard)
{
    while (VX_UNLIKELY(vx_wheel_is_due(&shard->wheel, shard->now_ms))) {
        if (!fits(shard, 1))
            return false;
        uint32_t timer = vx_wheel_take_due(&shard->wheel, shard->now_ms);
        if (timer != NONE)
            timer_fire(shard, timer);
    }
    return true;
}

static uint32_t events_in(struct vx_shard *shard, const struct vx_event *events, uint32_t count)
{
    const uint32_t sure = VX_LIKELY(fits(shard, count)) ? count : 0;
    uint32_t done = 0;
    for (; done < count && (done < sure || fits(shard, 1)); done++)
        event_in(shard, &events[done]);
    return done;
}

uint32_t vx_shard_step(struct vx_shard *shard, uint64_t now_us, const struct vx_event *events, uint32_t count, struct vx_shard_out *out)
{
    VX_ASSERT(now_us >= shard->now_us);
    shard->now_us = now_us;
    shard->now_ms = (uint32_t)(now_us / 1000);
    shard->out = out;
    uint32_t done = timers_run(shard) ? events_in(shard, events, count) : 0;
    const struct vx_shard_counters *c = &shard->counters;
    VX_ASSERT(c->actions_in == c->actions_answered + c->actions_refused + c->actions_repeated + c->actions_busy + c->actions_dropped_gone + c->actions_pending);
    shard->out = NULL;
    return done;
}

void vx_shard_prefetch(const struct vx_shard *shard, const struct vx_event *event)
{
    if (event->slot >= shard->config.players_max)
        return;
    __builtin_prefetch(&shard->players[event->slot]);
    if (event->type == VX_ACTION_FIND && event->kind == VX_EVENT_ACTION) { /* the rest of what a newcomer waits for is memory */
        __builtin_prefetch(&shard->profiles[event->slot], 1);
        vx_match_expect(shard->match, event->slot);
    }
}

const struct vx_shard_counters *vx_shard_counters(const struct vx_shard *shard)
{
    return &shard->counters;
}
