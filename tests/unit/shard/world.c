#include <stdlib.h>
#include <string.h>

#include "world.h"

static void *allocate(void *context, size_t bytes, size_t alignment)
{
    (void)context;
    void *memory = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    return memory == NULL ? NULL : memset(memory, 0, bytes);
}

void world_open(struct world *world, uint64_t seed, uint32_t chest_range_cm)
{
    static struct vx_shard_mode duel = { .name = "duel" };
    vx_mode_default(&duel.mode);
    duel.mode.rating = VX_MODE_ELO;
    world_open_modes(world, seed, chest_range_cm, &duel, 1);
}

void world_open_modes(struct world *world, uint64_t seed, uint32_t chest_range_cm, const struct vx_shard_mode *modes, uint32_t mode_count)
{
    struct vx_error error;
    const struct vx_shard_config config = { .epoch = 7, .players_max = WORLD_PLAYERS, .hunts_max = WORLD_PLAYERS / 2 + 1, .seed = seed, .proposal_ms = 5000,
                                            .search_ms_max = 60000, .hunt_ms = 120000, .idle_ms = 30000, .grace_ms = 20000, .repeat_ms = 200, .repeats_max = 8, .job_ms_max = 500,
                                            .speed_cm_s = 1000, .chest_range_cm = chest_range_cm, .strike_range_cm = 3000, .chests = WORLD_CHESTS,
                                            .cooldown_ms = 5000, .mode_count = mode_count, .modes = modes, .allocate = allocate };
    memset(world, 0, sizeof(*world));
    world->digest = 14695981039346656037u;
    VX_ASSERT(vx_shard_create(&config, &world->shard, &error) == 0);
}

void world_close(struct world *world)
{
    vx_shard_check(world->shard);
    world->shard = NULL; /* its memory goes with the process, as in the appliance */
}

void world_forget(struct world *world)
{
    world->log_count = 0;
}

static uint32_t session_of(const struct world *world, uint32_t player)
{
    return player | world->connections[player] << 16;
}

static void digest_add(struct world *world, const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) /* FNV-1a */
        world->digest = (world->digest ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
}

static void reply_take(struct world *world, const struct vx_reply *reply)
{
    if (world->log_count < WORLD_LOG)
        world->log[world->log_count++] = *reply;
    uint32_t player = reply->session & 0xffff; /* an old connection's would be another session */
    if (!world->deaf && reply->session == session_of(world, player) && reply->result_number == world->seen[player] + 1)
        world->seen[player]++;
    if (world->watch != NULL)
        world->watch(world, reply);
}

static void out_take(struct world *world, const struct vx_shard_out *out)
{
    digest_add(world, out->replies, out->reply_count * sizeof(out->replies[0]));
    digest_add(world, out->jobs, out->job_count * sizeof(out->jobs[0]));
    digest_add(world, out->grants, out->grant_count * sizeof(out->grants[0]));
    for (uint32_t i = 0; i < out->reply_count; i++)
        reply_take(world, &out->replies[i]);
    for (uint32_t i = 0; i < out->job_count && world->job_count < WORLD_QUEUE; i++)
        world->jobs[world->job_count++] = out->jobs[i];
    for (uint32_t i = 0; i < out->grant_count && world->grant_count < WORLD_QUEUE; i++)
        world->grants[world->grant_count++] = out->grants[i];
}

void world_step(struct world *world, const struct vx_event *events, uint32_t count)
{
    static struct vx_reply replies[WORLD_OUT];
    static struct vx_job jobs[WORLD_OUT];
    static struct vx_grant grants[WORLD_OUT];
    uint32_t taken = 0;
    do {
        struct vx_shard_out out = { .replies = replies, .jobs = jobs, .grants = grants, .reply_max = WORLD_OUT, .job_max = WORLD_OUT, .grant_max = WORLD_OUT };
        taken += vx_shard_step(world->shard, world->now_us, events + taken, count - taken, &out);
        out_take(world, &out);
    } while (taken < count);
}

struct vx_event world_action(struct world *world, uint32_t player, uint8_t type)
{
    return (struct vx_event){ .kind = VX_EVENT_ACTION, .type = type, .session = session_of(world, player), .player = player, .slot = player,
                              .number = ++world->numbers[player], .seen = world->seen[player] };
}

void world_join(struct world *world, uint32_t player, uint32_t id, enum vx_join how, uint32_t rating)
{
    world->connections[player] = ++world->connection;
    world->numbers[player] = world->seen[player] = 0;
    struct vx_event event = { .kind = VX_EVENT_JOIN, .arg8 = (uint8_t)how, .session = session_of(world, player), .player = id, .slot = player,
                              .number = world->connection, .a = rating };
    world_step(world, &event, 1);
}

void world_part(struct world *world, uint32_t player, enum vx_part how)
{
    struct vx_event event = { .kind = VX_EVENT_PART, .arg8 = (uint8_t)how, .session = session_of(world, player), .slot = player };
    world_step(world, &event, 1);
}

const struct vx_reply *world_act(struct world *world, uint32_t player, uint8_t type, uint16_t arg16, uint32_t a, uint32_t b, uint32_t c)
{
    struct vx_event event = world_action(world, player, type);
    event.arg16 = arg16;
    event.a = a;
    event.b = b;
    event.c = c;
    uint32_t first = world->log_count;
    world_step(world, &event, 1);
    for (uint32_t i = first; i < world->log_count; i++)
        if (world->log[i].player == player && world->log[i].action_number == event.number)
            return &world->log[i];
    return NULL;
}

struct vx_event world_job_done(const struct vx_job *job)
{
    static const float answers[VX_FORMULA_KINDS][2] = { [VX_FORMULA_BATTLE] = { 30, 0 }, [VX_FORMULA_LOOT] = { 77, 2 }, [VX_FORMULA_PAIRING] = { 500, 0 },
                                                        [VX_FORMULA_RATING] = { 2, 0 }, [VX_FORMULA_SCORE] = { 0, 0 } };
    return (struct vx_event){ .kind = VX_EVENT_JOB_DONE, .number = job->id, .c = 1, .out = { answers[job->formula][0], answers[job->formula][1] } };
}

void world_wait(struct world *world, uint32_t ms, bool formulas, bool ledger)
{
    for (uint32_t passed_ms = 0; passed_ms < ms; passed_ms += 10) {
        world->now_us += 10000;
        world_step(world, NULL, 0);
        while (formulas && world->job_count > 0) {
            struct vx_event event = world_job_done(&world->jobs[--world->job_count]);
            world_step(world, &event, 1);
        }
        while (ledger && world->grant_count > 0) {
            struct vx_event event = { .kind = VX_EVENT_GRANT_DONE, .number = world->grants[--world->grant_count].chest };
            world_step(world, &event, 1);
        }
    }
}

const struct vx_reply *world_last(const struct world *world, uint32_t player, uint8_t type)
{
    for (uint32_t i = world->log_count; i > 0; i--)
        if (world->log[i - 1].player == player && world->log[i - 1].type == type)
            return &world->log[i - 1];
    return NULL;
}
