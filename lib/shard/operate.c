/* What operators change while the shard runs, as events like any other: a recording that holds them replays to the
 * same outputs. And what the shard remembers for them: the last actions of each player, waits and distances. */
#include "shard_private.h"

static void tune(struct vx_shard_config *config, enum vx_shard_setting setting, uint32_t value)
{
    static const size_t offsets[VX_SHARD_SETTING_COUNT] = {
#define SETTING_OFFSET(name) offsetof(struct vx_shard_config, name),
        VX_SHARD_SETTINGS(SETTING_OFFSET)
#undef SETTING_OFFSET
    };
#define SETTING_SIZE(name) static_assert(sizeof(config->name) == sizeof(uint32_t), "settings that can be tuned are all of one size");
    VX_SHARD_SETTINGS(SETTING_SIZE)
#undef SETTING_SIZE
    VX_ASSERT(setting < VX_SHARD_SETTING_COUNT);
    *(uint32_t *)((char *)config + offsets[setting]) = value;
}

void operate(struct vx_shard *shard, const struct vx_event *event)
{
    switch (event->kind) {
    case VX_EVENT_DRAIN:
        shard->counters.draining = 1;
        break;
    case VX_EVENT_PAUSE:
        shard->counters.paused = 1;
        break;
    case VX_EVENT_RESUME:
        shard->counters.draining = shard->counters.paused = 0;
        break;
    case VX_EVENT_FORMULAS:
        jobs_tables(shard);
        break;
    case VX_EVENT_MODE:
        modes_change(shard, event);
        break;
    default:
        VX_ASSERT(event->kind == VX_EVENT_TUNE);
        tune(&shard->config, event->number, event->a);
    }
}

bool matches_open(const struct vx_shard *shard)
{
    return modes_ready(shard) && !shard->counters.draining && !shard->counters.paused && shard->hunt_free != NONE;
}

void trail_add(struct vx_shard *shard, const struct vx_event *event, enum vx_code code)
{
    if (event->type == VX_ACTION_MOVE || event->type == VX_ACTION_PING || event->type == VX_ACTION_ACK)
        return; /* most of all actions, and none of them changes what a player waits for */
    struct outbox *outbox = &shard->outboxes[event->slot];
    outbox->trail[outbox->trail_next++ % VX_TRAIL_MAX] = (struct trail_step){ shard->now_ms, event->number, event->type, (uint8_t)code };
}

static uint32_t slot_for(const uint32_t *bounds, uint32_t count, uint32_t value)
{
    uint32_t slot = 0;
    while (slot < count && value > bounds[slot])
        slot++;
    return slot;
}

void quality_of_wait(struct vx_shard *shard, uint32_t waited_ms)
{
    static const uint32_t bounds[] = VX_SHARD_WAIT_BOUNDS_MS;
    static_assert(sizeof(bounds) / sizeof(bounds[0]) + 1 == VX_SHARD_WAIT_SLOTS, "bounds and slots");
    shard->quality.wait_ms[slot_for(bounds, VX_SHARD_WAIT_SLOTS - 1, waited_ms)]++;
    shard->quality.wait_ms_sum += waited_ms;
}

void quality_of_match(struct vx_shard *shard, uint32_t points)
{
    static const uint32_t bounds[] = VX_SHARD_DISTANCE_BOUNDS;
    static_assert(sizeof(bounds) / sizeof(bounds[0]) + 1 == VX_SHARD_DISTANCE_SLOTS, "bounds and slots");
    shard->quality.distance[slot_for(bounds, VX_SHARD_DISTANCE_SLOTS - 1, points)]++;
    shard->quality.distance_sum += points;
}

const struct vx_shard_quality *vx_shard_quality(const struct vx_shard *shard)
{
    return &shard->quality;
}
