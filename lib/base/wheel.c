/* A hashed wheel (Varghese and Lauck 1987, scheme 6) over intrusive lists of indices. What is due later than
 * one round goes back to its slot when it is met. Slot heads and the list of what is due lie behind the timers. */
#include "vx_base.h"

static uint32_t due_list(const struct vx_wheel *wheel)
{
    return wheel->count + wheel->slots;
}

size_t vx_wheel_bytes(uint32_t count, uint32_t slots)
{
    return ((size_t)count + slots + 1) * sizeof(struct vx_wheel_timer);
}

void vx_wheel_create(struct vx_wheel *wheel, void *memory, uint32_t count, uint32_t slots, uint32_t tick_bits, uint32_t now_ms)
{
    VX_ASSERT(slots > 0 && (slots & (slots - 1)) == 0 && count < UINT32_MAX - slots - 1);
    *wheel = (struct vx_wheel){ .timers = memory, .count = count, .slots = slots, .tick_bits = tick_bits, .done_ms = now_ms >> tick_bits << tick_bits };
    for (uint32_t i = 0; i <= due_list(wheel); i++)
        wheel->timers[i] = (struct vx_wheel_timer){ i, i, 0 };
}

void vx_wheel_clear(struct vx_wheel *wheel, uint32_t index)
{
    struct vx_wheel_timer *timer = &wheel->timers[index];
    wheel->timers[timer->prev].next = timer->next;
    wheel->timers[timer->next].prev = timer->prev;
    timer->next = timer->prev = index;
}

static void append(struct vx_wheel *wheel, uint32_t head, uint32_t index)
{
    struct vx_wheel_timer *timers = wheel->timers;
    timers[index].next = head;
    timers[index].prev = timers[head].prev;
    timers[timers[head].prev].next = index;
    timers[head].prev = index;
}

static uint32_t slot_of(const struct vx_wheel *wheel, uint32_t ms)
{
    return wheel->count + (ms >> wheel->tick_bits & (wheel->slots - 1));
}

void vx_wheel_set(struct vx_wheel *wheel, uint32_t index, uint32_t due_ms)
{
    VX_ASSERT(index < wheel->count);
    if (vx_wheel_is_set(wheel, index))
        vx_wheel_clear(wheel, index);
    if ((int32_t)(due_ms - wheel->done_ms) < 0)
        due_ms = wheel->done_ms;
    wheel->timers[index].due_ms = due_ms;
    append(wheel, slot_of(wheel, due_ms), index);
}

void vx_wheel_sooner(struct vx_wheel *wheel, uint32_t index, uint32_t due_ms)
{
    if (!vx_wheel_is_set(wheel, index) || (int32_t)(due_ms - wheel->timers[index].due_ms) < 0)
        vx_wheel_set(wheel, index, due_ms);
}

/* The slot's whole list moves in one piece, whatever its length: who takes one timer pays for one. */
static void tick(struct vx_wheel *wheel)
{
    struct vx_wheel_timer *slot = &wheel->timers[slot_of(wheel, wheel->done_ms)], *due = &wheel->timers[due_list(wheel)];
    uint32_t head = (uint32_t)(slot - wheel->timers);
    if (slot->next != head) { /* the due list is empty: its head takes the slot head's place */
        wheel->due = true;
        *due = *slot;
        wheel->timers[due->next].prev = wheel->timers[due->prev].next = due_list(wheel);
        slot->next = slot->prev = head;
    }
    wheel->done_ms += 1u << wheel->tick_bits;
}

/* After a leap of many rounds one round finds all that is due: a process that slept for days must not spend a second on it. */
static void leap(struct vx_wheel *wheel, uint32_t now_ms)
{
    uint32_t round_ms = wheel->slots << wheel->tick_bits, behind_ms = now_ms - wheel->done_ms;
    if (VX_UNLIKELY(behind_ms >= 2 * round_ms))
        wheel->done_ms += (behind_ms / round_ms - 1) * round_ms;
}

uint32_t vx_wheel_take_due(struct vx_wheel *wheel, uint32_t now_ms)
{
    const uint32_t due = due_list(wheel);
    for (;;) {
        uint32_t index = wheel->timers[due].next;
        if (index != due) {
            vx_wheel_clear(wheel, index);
            if ((int32_t)(wheel->timers[index].due_ms - wheel->done_ms) < 0)
                return index;
            append(wheel, slot_of(wheel, wheel->timers[index].due_ms), index); /* a later round's */
            continue;
        }
        wheel->due = false;
        if ((int32_t)(now_ms - (wheel->done_ms + (1u << wheel->tick_bits))) < 0)
            return VX_WHEEL_NONE;
        leap(wheel, now_ms);
        tick(wheel);
    }
}
