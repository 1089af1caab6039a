/* A hashed wheel (Varghese and Lauck 1987, scheme 6) over intrusive lists of indices: setting and
 * clearing cost two cache lines, and firing follows the time passed in, so it repeats exactly. */
#include "shard_private.h"

static uint32_t due_list(const struct vx_shard *shard)
{
    return shard->timer_heads + TIMER_SLOTS;
}

uint32_t timers_count(const struct vx_shard *shard)
{
    return shard->timer_heads + TIMER_SLOTS + 1;
}

void timers_create(struct vx_shard *shard)
{
    for (uint32_t i = 0; i < timers_count(shard); i++)
        shard->timers[i] = (struct timer){ i, i, 0 };
}

bool timer_is_set(const struct vx_shard *shard, uint32_t index)
{
    return shard->timers[index].next != index;
}

void timer_clear(struct vx_shard *shard, uint32_t index)
{
    struct timer *timer = &shard->timers[index];
    shard->timers[timer->prev].next = timer->next;
    shard->timers[timer->next].prev = timer->prev;
    timer->next = timer->prev = index;
}

static void append(struct vx_shard *shard, uint32_t head, uint32_t index)
{
    struct timer *timers = shard->timers;
    timers[index].next = head;
    timers[index].prev = timers[head].prev;
    timers[timers[head].prev].next = index;
    timers[head].prev = index;
}

void timer_set(struct vx_shard *shard, uint32_t index, uint32_t due_ms)
{
    if (timer_is_set(shard, index))
        timer_clear(shard, index);
    if ((int32_t)(due_ms - shard->wheel_ms) < 0)
        due_ms = shard->wheel_ms;
    shard->timers[index].due_ms = due_ms;
    append(shard, shard->timer_heads + due_ms / TIMER_TICK_MS % TIMER_SLOTS, index);
}

void timer_sooner(struct vx_shard *shard, uint32_t index, uint32_t due_ms)
{
    if (!timer_is_set(shard, index) || (int32_t)(due_ms - shard->timers[index].due_ms) < 0)
        timer_set(shard, index, due_ms);
}

static void tick(struct vx_shard *shard)
{
    uint32_t head = shard->timer_heads + shard->wheel_ms / TIMER_TICK_MS % TIMER_SLOTS;
    uint32_t tick_end_ms = shard->wheel_ms + TIMER_TICK_MS;
    for (uint32_t index = shard->timers[head].next, next; index != head; index = next) {
        next = shard->timers[index].next;
        if ((int32_t)(shard->timers[index].due_ms - tick_end_ms) < 0) {
            timer_clear(shard, index);
            append(shard, due_list(shard), index);
        }
    }
    shard->wheel_ms = tick_end_ms;
}

uint32_t timer_take(struct vx_shard *shard)
{
    while (shard->timers[due_list(shard)].next == due_list(shard)) {
        if ((int32_t)(shard->now_ms - (shard->wheel_ms + TIMER_TICK_MS)) < 0)
            return NONE;
        tick(shard);
    }
    uint32_t index = shard->timers[due_list(shard)].next;
    timer_clear(shard, index);
    return index;
}
