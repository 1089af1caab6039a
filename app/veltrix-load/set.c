/* veltrix-load: the two containers. The set proves that nothing was granted twice; it may grow, as
 * this is a client and not the appliance. */
#include <stdlib.h>

#include "load.h"

static uint64_t set_place(const struct load_set *set, uint64_t key)
{
    uint64_t place = vx_mix64(key) & (set->capacity - 1);
    while (set->keys[place] != 0 && set->keys[place] != key)
        place = (place + 1) & (set->capacity - 1);
    return place;
}

static void set_grow(struct load_set *set)
{
    struct load_set larger = { .capacity = set->capacity ? set->capacity * 2 : 4096 };
    larger.keys = calloc(larger.capacity, sizeof(*larger.keys));
    larger.values = calloc(larger.capacity, sizeof(*larger.values));
    VX_ASSERT(larger.keys != NULL && larger.values != NULL);
    for (uint64_t i = 0; i < set->capacity; i++) {
        if (set->keys[i] == 0)
            continue;
        uint64_t place = set_place(&larger, set->keys[i]);
        larger.keys[place] = set->keys[i];
        larger.values[place] = set->values[i];
    }
    larger.count = set->count;
    load_set_free(set);
    *set = larger;
}

bool load_set_add(struct load_set *set, uint64_t key, uint32_t value, uint32_t *present)
{
    key = key == 0 ? UINT64_MAX : key;
    if (set->count * 2 >= set->capacity)
        set_grow(set);
    uint64_t place = set_place(set, key);
    if (set->keys[place] == key) {
        *present = set->values[place];
        return false;
    }
    set->keys[place] = key;
    set->values[place] = value;
    set->count++;
    return true;
}

void load_set_free(struct load_set *set)
{
    free(set->keys);
    free(set->values);
    *set = (struct load_set){ 0 };
}

void load_timers_create(struct load_timers *timers, uint64_t items)
{
    uint32_t capacity = 1024;
    while (capacity < items && capacity < 1u << 30)
        capacity *= 2;
    timers->items = calloc(capacity, sizeof(*timers->items));
    VX_ASSERT(timers->items != NULL);
    timers->mask = capacity - 1;
}

bool load_timers_push(struct load_timers *timers, struct load_timer timer)
{
    if (timers->tail - timers->head > timers->mask)
        return false;
    timers->items[timers->tail++ & timers->mask] = timer;
    return true;
}

const struct load_timer *load_timers_due(const struct load_timers *timers, uint64_t now_ns)
{
    const struct load_timer *timer = &timers->items[timers->head & timers->mask];
    return timers->head != timers->tail && timer->due_ns <= now_ns ? timer : NULL;
}
