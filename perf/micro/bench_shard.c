/* vx_bench_shard: vx_shard_step() alone, cycles an event. Players, formulas and ledger are played outside of what
 * is timed. With one shard everything is near; with forty in turn its 120,000 players come from further away, and are
 * prefetched a few shards ahead as lib/lcore does. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "game_player.h"
#include "vx_shard.h"

enum {
    SHARDS = 40,
    PLAYERS = 3000,        /* of a shard */
    EVENTS = 64,           /* of a shard and pass */
    PASS_US = 6400,        /* 10,000 events a second and shard */
    ROUND = 1 << 17,       /* events of a round */
    OUT = 1024,
    ANSWERS = 4096,
    WARM_UP_PASSES = 6000, /* until players are in every phase of a game */
    SHARDS_AHEAD = 4,
};

struct side { /* a shard and what is around it */
    struct vx_shard *shard;
    struct game_player *players;
    struct vx_rng rng;
    uint32_t count;
    struct vx_event events[EVENTS];
    uint32_t answer_count;
    struct vx_event answers[ANSWERS]; /* of formulas and ledger, for the next pass */
};
struct bed {
    uint32_t shards;
    uint64_t now_us;
    struct side *sides;
    uint64_t cycles, events;
};
static struct bed bounce_beds[2], games_beds[2]; /* one shard; forty */
static struct vx_reply replies[OUT];
static struct vx_job jobs[OUT];
static struct vx_grant grants[OUT];
static struct line {
    uint32_t number, words[15];
} VX_ALIGNED *lines;
static uint64_t sink;

static void *allocate(void *context, size_t bytes, size_t alignment)
{
    (void)context, (void)alignment;
    return bench_memory(bytes);
}

static void bed_make(struct bed *bed, uint32_t shards)
{
    struct vx_error error;
    bed->shards = shards;
    bed->now_us = 1000000;
    bed->sides = bench_memory(shards * sizeof(struct side));
    for (uint32_t i = 0; i < shards; i++) {
        struct side *side = &bed->sides[i];
        const struct vx_shard_config config = { .shard = i, .epoch = 1, .players_max = PLAYERS, .hunts_max = PLAYERS / 2 + 1, .seed = vx_mix64(i), .proposal_ms = 10000,
                                                .search_ms_max = 120000, .hunt_ms = 180000, .idle_ms = 30000, .repeat_ms = 750, .repeats_max = 8, .job_ms_max = 1000,
                                                .speed_cm_s = 1200, .chest_range_cm = 300, .strike_range_cm = 1000, .chests = 8, .allocate = allocate };
        side->rng.state = 1000 + i;
        side->players = bench_memory(PLAYERS * sizeof(struct game_player));
        if (vx_shard_create(&config, &side->shard, &error) != 0)
            abort();
    }
}

static void event_put(struct side *side, uint32_t player, uint32_t number, const struct vx_wire_action *action)
{
    side->events[side->count++] = (struct vx_event){ .kind = VX_EVENT_ACTION, .type = action->type, .arg8 = action->arg8, .arg16 = action->arg16, .session = player,
                                                     .player = player, .slot = player, .number = number, .seen = side->players[player].seen, .a = action->a,
                                                     .b = action->b, .c = action->c, .received_cycles = 1 };
}

static void bounce_choose(struct side *side)
{
    for (side->count = 0; side->count < EVENTS;) {
        uint32_t player = vx_rng_below(&side->rng, PLAYERS);
        struct game_player *one = &side->players[player];
        event_put(side, player, ++one->number, &(struct vx_wire_action){ .type = VX_ACTION_MOVE, .a = vx_rng_below(&side->rng, 100), .b = vx_rng_below(&side->rng, 100) });
        event_put(side, player, ++one->number, &(struct vx_wire_action){ .type = VX_ACTION_PING });
    }
}

static void games_choose(struct side *side)
{
    for (side->count = 0; side->count + GAME_ACTIONS_MAX <= EVENTS;) {
        struct vx_wire_action actions[GAME_ACTIONS_MAX];
        uint32_t player = vx_rng_below(&side->rng, PLAYERS);
        uint32_t count = game_player_act(&side->players[player], &side->rng, actions);
        for (uint32_t i = 0; i < count; i++)
            event_put(side, player, side->players[player].number - count + 1 + i, &actions[i]);
    }
}

/* Formulas and ledger answer in the next pass. */
static void outputs_take(struct side *side, const struct vx_shard_out *out)
{
    static const float values[VX_FORMULA_KINDS][2] = { [VX_FORMULA_BATTLE] = { 12, 0 }, [VX_FORMULA_LOOT] = { 77, 2 }, [VX_FORMULA_PAIRING] = { 400, 0 } };
    for (uint32_t i = 0; i < out->reply_count; i++) {
        const struct vx_reply *reply = &out->replies[i];
        game_player_told(&side->players[reply->player], &(struct vx_wire_long){ reply->type, reply->code, reply->arg16, reply->action_number, reply->result_number,
                                                                               reply->a, reply->b, reply->c });
    }
    VX_ASSERT(side->answer_count + out->job_count + out->grant_count <= ANSWERS);
    for (uint32_t i = 0; i < out->job_count; i++)
        side->answers[side->answer_count++] = (struct vx_event){ .kind = VX_EVENT_JOB_DONE, .number = out->jobs[i].id, .c = 1,
                                                                 .out = { values[out->jobs[i].formula][0], values[out->jobs[i].formula][1] } };
    for (uint32_t i = 0; i < out->grant_count; i++)
        side->answers[side->answer_count++] = (struct vx_event){ .kind = VX_EVENT_GRANT_DONE, .number = out->grants[i].chest };
}

static void step(struct bed *bed, struct side *side, const struct vx_event *events, uint32_t count)
{
    uint32_t done = 0;
    do {
        struct vx_shard_out out = { .replies = replies, .jobs = jobs, .grants = grants, .reply_max = OUT, .job_max = OUT, .grant_max = OUT };
        uint64_t began = __rdtsc();
        done += vx_shard_step(side->shard, bed->now_us, events + done, count - done, &out);
        bed->cycles += __rdtsc() - began;
        outputs_take(side, &out);
    } while (done < count);
    bed->events += count;
}

static void prefetch(struct bed *bed, uint32_t shard)
{
    if (shard >= bed->shards)
        return;
    const struct side *side = &bed->sides[shard];
    uint64_t began = __rdtsc();
    for (uint32_t i = 0; i < side->count; i++)
        vx_shard_prefetch(side->shard, &side->events[i]);
    bed->cycles += __rdtsc() - began;
}

static void answers_give(struct bed *bed, struct side *side)
{
    static struct vx_event answers[ANSWERS];
    uint32_t count = side->answer_count;
    memcpy(answers, side->answers, count * sizeof(answers[0]));
    side->answer_count = 0;
    if (count > 0)
        step(bed, side, answers, count);
}

static void pass(struct bed *bed, void (*choose)(struct side *side))
{
    bed->now_us += PASS_US;
    for (uint32_t i = 0; i < bed->shards; i++)
        choose(&bed->sides[i]);
    for (uint32_t i = 0; i < SHARDS_AHEAD; i++)
        prefetch(bed, i);
    for (uint32_t i = 0; i < bed->shards; i++) {
        prefetch(bed, i + SHARDS_AHEAD);
        answers_give(bed, &bed->sides[i]);
        step(bed, &bed->sides[i], bed->sides[i].events, bed->sides[i].count);
    }
}

static double measure(struct bed *bed, void (*choose)(struct side *side))
{
    bed->cycles = bed->events = 0;
    while (bed->events < ROUND)
        pass(bed, choose);
    return (double)bed->cycles / (double)bed->events;
}

static double bounce(uint32_t forty)
{
    return measure(&bounce_beds[forty], bounce_choose);
}

static double games(uint32_t forty)
{
    return measure(&games_beds[forty], games_choose);
}

/* The least that any state machine does with an event: reads it, changes one line of its player's, writes a reply. */
static double reference(uint32_t forty)
{
    uint32_t shards = forty ? SHARDS : 1;
    struct bed *bed = &bounce_beds[forty];
    uint64_t cycles = 0, events = 0;
    while (events < ROUND) {
        for (uint32_t i = 0; i < shards; i++)
            bounce_choose(&bed->sides[i]);
        for (uint32_t i = 0; i < shards; i++) {
            const struct side *ahead = &bed->sides[(i + SHARDS_AHEAD) % shards], *side = &bed->sides[i];
            struct line *own = &lines[i * PLAYERS];
            uint64_t began = __rdtsc();
            for (uint32_t j = 0; j < EVENTS; j++)
                __builtin_prefetch(&lines[((i + SHARDS_AHEAD) % shards) * PLAYERS + ahead->events[j].slot], 1);
            for (uint32_t j = 0; j < EVENTS; j++) {
                const struct vx_event *event = &side->events[j];
                struct line *line = &own[event->slot];
                line->number = event->number;
                for (uint32_t word = 0; word < 3; word++)
                    line->words[word] += (&event->a)[word];
                replies[j] = (struct vx_reply){ .type = VX_RESULT_OK, .session = event->session, .player = event->player, .action_number = event->number,
                                                .received_cycles = event->received_cycles };
            }
            cycles += __rdtsc() - began;
            events += EVENTS;
        }
    }
    sink += replies[0].player + lines[0].words[0];
    return (double)cycles / (double)events;
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "step_reference_cycles", "reference: event read, one line of its player changed, reply written; 3,000 players", reference, 0 },
        { "step_bounce_cycles", "MOVE and PING, one shard of 3,000 players", bounce, 0 },
        { "step_games_cycles", "whole games, one shard of 3,000 players; answers of formulas and ledger are events, too", games, 0 },
        { "step_40_reference_cycles", "reference: the same, 40 x 3,000 players in turn", reference, 1 },
        { "step_40_bounce_cycles", "MOVE and PING, 40 shards of 3,000 players in turn", bounce, 1 },
        { "step_40_games_cycles", "whole games, 40 shards of 3,000 players in turn", games, 1 },
    };
    struct bench_options options;
    if (!bench_options_read(argc, argv, &options))
        return 2;
    lines = bench_memory((size_t)SHARDS * PLAYERS * sizeof(*lines));
    for (uint32_t forty = 0; forty < 2; forty++) {
        bed_make(&bounce_beds[forty], forty ? SHARDS : 1);
        bed_make(&games_beds[forty], forty ? SHARDS : 1);
        for (uint32_t i = 0; i < WARM_UP_PASSES; i++)
            pass(&games_beds[forty], games_choose);
    }
    for (uint32_t forty = 0; forty < 2; forty++)
        for (uint32_t i = 0; i < games_beds[forty].shards; i++) { /* it was games that were measured */
            vx_shard_check(games_beds[forty].sides[i].shard);
            VX_ASSERT(vx_shard_counters(games_beds[forty].sides[i].shard)->matches_settled > 0);
        }
    return bench_run(&options, cases, sizeof(cases) / sizeof(cases[0]));
}
