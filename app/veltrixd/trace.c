/* `trace`: a live, filtered feed of actions and results. The lcores' rings give what the widest of the wishes needs; each
 * client gets what fits its own, at most so many lines a second, and hears how many it did not get. */
#include <errno.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <string.h>

#include "operate.h"
#include "vx_trace.h"

enum { FEEDS_MAX = 16, RECORDS_A_TURN = 1024, LINES_PER_S = 500, EVERY_DEFAULT = 64 };

struct feed {
    uint64_t client; /* 0: free */
    struct vx_trace_filter filter;
    uint8_t action;  /* only actions of this type and results that answer some; 0: any */
    uint64_t left;   /* lines still wanted */
    uint64_t sent, dropped, told; /* dropped: too many for the rate or for the client; told: how many of them it knows of */
    double tokens;
    uint64_t updated_cycles;
};
static struct feed feeds[FEEDS_MAX]; /* control thread */
static uint64_t lost_seen[VX_IO_LCORES_MAX + VX_SHARD_LCORES_MAX];

/* Widens a filter to what another one needs, too. */
static void widen(struct vx_trace_filter *filter, const struct vx_trace_filter *by)
{
    filter->player = filter->player == by->player ? by->player : VX_TRACE_ANY;
    filter->shard = filter->shard == by->shard ? by->shard : VX_TRACE_ANY;
    filter->every = filter->every < by->every ? filter->every : by->every;
    filter->refusals = filter->refusals && by->refusals;
}

static void filters_set(const struct app *app)
{
    struct vx_trace_filter all;
    bool any = false;
    for (uint32_t i = 0; i < FEEDS_MAX; i++) {
        if (feeds[i].client == 0)
            continue;
        if (any)
            widen(&all, &feeds[i].filter);
        else
            all = feeds[i].filter;
        any = true;
    }
    for (uint32_t i = 0; i < app->lcore_count; i++)
        if (app->lcores[i].trace != NULL)
            vx_trace_set(app->lcores[i].trace, any ? &all : NULL);
}

static void feed_end(const struct app *app, struct feed *feed)
{
    *feed = (struct feed){ .client = 0 };
    filters_set(app);
}

/* It has had all the lines that it wanted. */
static void feed_finish(const struct app *app, struct feed *feed)
{
    json_t *last = json_pack("{s:b,s:I,s:I}", "end", 1, "sent", (json_int_t)feed->sent, "not_shown", (json_int_t)feed->dropped);
    (void)vx_control_send(app->control, feed->client, last);
    json_decref(last);
    feed_end(app, feed);
}

static bool take_token(const struct app *app, struct feed *feed)
{
    uint64_t now = rte_rdtsc();
    feed->tokens += (double)(now - feed->updated_cycles) * LINES_PER_S / (double)app->cycles_per_s;
    feed->tokens = feed->tokens > LINES_PER_S ? LINES_PER_S : feed->tokens;
    feed->updated_cycles = now;
    if (feed->tokens < 1)
        return false;
    feed->tokens--;
    return true;
}

static json_t *record_json(const struct app *app, const struct vx_trace_record *record, uint64_t not_shown)
{
    double ms = (double)(record->cycles - app->started_cycles) * 1e3 / (double)app->cycles_per_s;
    json_t *object = json_pack("{s:f,s:I,s:I,s:s,s:I,s:I,s:I,s:I}", "ms", ms, "shard", (json_int_t)record->shard, "player", (json_int_t)record->player,
                               record->is_result ? "result" : "action", record->is_result ? vx_result_name(record->type) : vx_action_name(record->type), "number",
                               (json_int_t)record->number, "a", (json_int_t)record->a, "b", (json_int_t)record->b, "arg16", (json_int_t)record->arg16);
    if (record->is_result)
        (void)json_object_set_new(object, "code", json_string(vx_code_name(record->code)));
    if (not_shown > 0)
        (void)json_object_set_new(object, "not_shown", json_integer((json_int_t)not_shown));
    return object;
}

static void offer(const struct app *app, struct feed *feed, const struct vx_trace_record *record)
{
    if (!vx_trace_fits(&feed->filter, record) || (feed->action != 0 && !record->is_result && record->type != feed->action))
        return;
    if (!take_token(app, feed)) {
        feed->dropped++;
        return;
    }
    json_t *line = record_json(app, record, feed->dropped - feed->told);
    int rc = vx_control_send(app->control, feed->client, line);
    json_decref(line);
    if (rc == -EAGAIN) {
        feed->dropped++;
        return;
    }
    feed->told = feed->dropped;
    feed->sent++;
    if (rc == -ENOENT)
        feed_end(app, feed);
    else if (--feed->left == 0)
        feed_finish(app, feed);
}

void app_trace_turn(const struct app *app)
{
    static struct vx_trace_record records[RECORDS_A_TURN];
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        uint64_t lost = 0;
        if (app->lcores[i].trace == NULL)
            continue;
        uint32_t count = vx_trace_take(app->lcores[i].trace, records, RECORDS_A_TURN, &lost);
        for (uint32_t f = 0; f < FEEDS_MAX; f++) {
            if (feeds[f].client != 0)
                feeds[f].dropped += lost - lost_seen[i];
            for (uint32_t r = 0; r < count && feeds[f].client != 0; r++)
                offer(app, &feeds[f], &records[r]);
        }
        lost_seen[i] = lost;
    }
    for (uint32_t f = 0; f < FEEDS_MAX; f++)
        if (feeds[f].client != 0 && !vx_control_connected(app->control, feeds[f].client))
            feed_end(app, &feeds[f]);
}

static uint8_t action_of(const char *name)
{
    for (uint8_t type = 1; name != NULL && type < VX_ACTION_COUNT; type++)
        if (strcmp(vx_action_name(type), name) == 0)
            return type;
    return 0;
}

static uint32_t power_of_two(int64_t wanted)
{
    uint32_t every = 1;
    while (every < wanted)
        every *= 2;
    return every;
}

static struct feed *feed_of(uint64_t client)
{
    struct feed *found = NULL;
    for (uint32_t i = 0; i < FEEDS_MAX; i++)
        if (feeds[i].client == client || (feeds[i].client == 0 && found == NULL))
            found = &feeds[i];
    return found;
}

static json_t *on_trace(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    int64_t player = vx_control_whole(call, "player", -1), shard = vx_control_whole(call, "shard", -1);
    struct feed *feed = feed_of(call->client);
    if (shard >= (int64_t)app->config.shards.count)
        return vx_control_fail(call, error, VX_CONTROL_OUT_OF_RANGE, "shard is %ld, expected a whole number from 0 to %u", (long)shard, app->config.shards.count - 1);
    if (feed == NULL)
        return vx_control_fail(call, error, VX_CONTROL_BUSY, "%d feeds run already, no more are begun", FEEDS_MAX);
    *feed = (struct feed){
        .client = call->client, .left = (uint64_t)vx_control_whole(call, "count", 0), .action = action_of(vx_control_text(call, "action", NULL)), .tokens = LINES_PER_S,
        .updated_cycles = rte_rdtsc(),
        .filter = { player >= 0 ? (uint32_t)player : VX_TRACE_ANY, shard >= 0 ? (uint32_t)shard : VX_TRACE_ANY,
                    power_of_two(vx_control_whole(call, "every", player >= 0 ? 1 : EVERY_DEFAULT)), vx_control_flag(call, "refusals") },
    };
    filters_set(app);
    return json_pack("{s:b,s:I,s:I}", "stream", 1, "every", (json_int_t)feed->filter.every, "lines_per_s_max", (json_int_t)LINES_PER_S);
}

static json_t *on_trace_stop(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct feed *feed = feed_of(call->client);
    (void)error;
    if (feed == NULL || feed->client != call->client)
        return json_pack("{s:I,s:I}", "sent", (json_int_t)0, "not_shown", (json_int_t)0);
    json_t *result = json_pack("{s:I,s:I}", "sent", (json_int_t)feed->sent, "not_shown", (json_int_t)feed->dropped);
    feed_end(context, feed);
    return result;
}

#define ACTION_WORD(name, number, shed) #name " "
static const struct vx_control_argument trace_arguments[] = {
    { "player", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 0, UINT32_MAX - 1, NULL, "", "only this player" },
    { "shard", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 0, VX_SHARDS_MAX - 1, NULL, "", "only this shard" },
    { "action", VX_ARGUMENT_WORD, VX_ARGUMENT_NAMED, 0, 0, VX_ACTIONS(ACTION_WORD), "", "of the actions only these" },
    { "refusals", VX_ARGUMENT_FLAG, VX_ARGUMENT_NAMED, 0, 0, NULL, "", "only results with a code other than OK" },
    { "every", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, 65536, NULL, "players", "one player of so many, rounded up to a power of two (64; 1 with --player)" },
    { "count", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, 1000000000, NULL, "lines", "end after so many" },
    { .name = NULL },
};
const struct vx_control_command app_trace_commands[] = {
    { "trace", VX_CONTROL_LOOK, "a live feed of actions and results, sampled; what is too much for it is dropped and counted, players do not feel it", "", trace_arguments, on_trace },
    { "trace stop", VX_CONTROL_LOOK, "ends this connection's feed", "", NULL, on_trace_stop },
    { .name = NULL },
};
