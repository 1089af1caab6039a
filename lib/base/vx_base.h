/* base: what every room needs and libc alone can give: limits, the error sentence, assertions,
 * the list of drop reasons, deterministic random numbers, a log-linear histogram and a timer wheel.
 * Knows no DPDK, no clock, no files. Any thread may call anything here on its own data. */
#ifndef VX_BASE_H
#define VX_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vx_drop.h"

enum {
    VX_CACHE_LINE_BYTES = 64,
    VX_BURST_MAX = 64,           /* packets an io lcore takes from its queue at once */
    VX_SHARDS_MAX = 256,
    VX_IO_LCORES_MAX = 16,
    VX_SHARD_LCORES_MAX = 32,
    VX_PLAYERS_MAX = 1 << 21,    /* plain-transport player ids are below this */
    VX_NAME_BYTES = 64,
    VX_PATH_BYTES = 256,
};

#define VX_ALIGNED __attribute__((aligned(VX_CACHE_LINE_BYTES)))
/* For leaves of the packet path that every packet goes through: the compiler, which does not know that, leaves calls there
 * that cost a twelfth of a packet (found by comparing with a build that was given a profile). */
#define VX_INLINE inline __attribute__((always_inline))
#define VX_LIKELY(x) __builtin_expect(!!(x), 1)
#define VX_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* A sentence for people: names the key, the value and what was expected. */
struct vx_error {
    char text[384];
};

/* Writes the sentence into error (may be NULL) and returns code, so that a failing function can
 * `return vx_error_set(error, -EINVAL, "...")`. */
int vx_error_set(struct vx_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Always on, in production too. For what must hold; never for input. */
#define VX_ASSERT(condition)                                                                       \
    do {                                                                                           \
        if (VX_UNLIKELY(!(condition)))                                                             \
            vx_assert_failed(#condition, __FILE__, __LINE__);                                      \
    } while (0)
/* Only where measured too dear for production: tests and simulator define VX_SLOW_ASSERTS. */
#ifdef VX_SLOW_ASSERTS
#define VX_ASSERT_SLOW(condition) VX_ASSERT(condition)
#else
#define VX_ASSERT_SLOW(condition) ((void)0)
#endif
/* What VX_ASSERT calls: says on stderr what did not hold and where, and aborts. Any thread. */
_Noreturn void vx_assert_failed(const char *condition, const char *file, int line);

/* The counter's name and the reason's sentence; "?" beyond the list. Static text. */
const char *vx_drop_name(enum vx_drop reason);
const char *vx_drop_sentence(enum vx_drop reason);

/* splitmix64 (Steele, Lea, Flood 2014): one step, also used as a mixing function. */
static inline uint64_t vx_mix64(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* A seeded stream of random numbers: the state is a counter run through vx_mix64. */
struct vx_rng {
    uint64_t state;
};
/* The next 64 random bits. */
static inline uint64_t vx_rng_next(struct vx_rng *rng)
{
    uint64_t value = vx_mix64(rng->state);
    rng->state += 0x9e3779b97f4a7c15u;
    return value;
}
/* Uniform in [0, bound), bound > 0 (Lemire's multiply-shift; the bias is under 2^-32). */
static inline uint32_t vx_rng_below(struct vx_rng *rng, uint32_t bound)
{
    return (uint32_t)(((vx_rng_next(rng) >> 32) * bound) >> 32);
}
/* Exponential with mean 1, for Poisson arrivals. */
double vx_rng_exponential(struct vx_rng *rng);

/* Log-linear histogram: 64 linear steps in each power of two, relative error at most 1/128.
 * Fixed memory, one writer, readers may be late, mergeable by addition. */
enum { VX_HIST_STEP_BITS = 6, VX_HIST_OCTAVES = 36, VX_HIST_SLOTS = VX_HIST_OCTAVES << VX_HIST_STEP_BITS };
struct vx_hist {
    uint64_t count;
    uint64_t max;
    uint64_t slots[VX_HIST_SLOTS];
};
/* Where a value is counted: below VX_HIST_SLOTS; what is too large lies in the last. */
static inline uint32_t vx_hist_slot(uint64_t value)
{
    if (value < (1u << VX_HIST_STEP_BITS))
        return (uint32_t)value;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - VX_HIST_STEP_BITS;
    uint32_t slot = ((shift + 1) << VX_HIST_STEP_BITS) + (uint32_t)((value >> shift) & ((1u << VX_HIST_STEP_BITS) - 1));
    return slot < VX_HIST_SLOTS ? slot : VX_HIST_SLOTS - 1;
}
/* Counts a value `times` times. */
static inline void vx_hist_add_times(struct vx_hist *hist, uint64_t value, uint64_t times)
{
    hist->count += times;
    if (value > hist->max)
        hist->max = value;
    hist->slots[vx_hist_slot(value)] += times;
}
static inline void vx_hist_add(struct vx_hist *hist, uint64_t value)
{
    vx_hist_add_times(hist, value, 1);
}
/* The value below which `quantile` (0 to 1) of the entries lie; 0 when empty. */
uint64_t vx_hist_quantile(const struct vx_hist *hist, double quantile);
/* Adds what `from` has counted; `from` may be growing meanwhile. */
void vx_hist_merge(struct vx_hist *into, const struct vx_hist *from);

/* Timers, numbered 0 to count - 1, in a hashed wheel: setting and clearing touch two or three of them, nothing ever
 * scans them all. Time is the caller's, in milliseconds that may wrap, and fires in order of ticks, so it repeats exactly. */
enum { VX_WHEEL_NONE = UINT32_MAX };
struct vx_wheel_timer {
    uint32_t next, prev; /* next is its own number: not set */
    uint32_t due_ms;
};
struct vx_wheel {
    struct vx_wheel_timer *timers;
    uint32_t count, slots, tick_bits;
    uint32_t done_ms; /* ticks before this are done */
    bool due;         /* false: the list of what is due is empty */
};
/* slots: a power of two; a tick lasts 2^tick_bits ms. A due time beyond slots ticks is looked at once a round. */
size_t vx_wheel_bytes(uint32_t count, uint32_t slots);
/* memory: vx_wheel_bytes() bytes, 4-byte aligned, borrowed. */
void vx_wheel_create(struct vx_wheel *wheel, void *memory, uint32_t count, uint32_t slots, uint32_t tick_bits, uint32_t now_ms);
/* Sets a timer (again), and clears one; both may be done whatever its state. A time that has passed is due at once. */
void vx_wheel_set(struct vx_wheel *wheel, uint32_t index, uint32_t due_ms);
void vx_wheel_sooner(struct vx_wheel *wheel, uint32_t index, uint32_t due_ms); /* only when it is not set to be earlier */
void vx_wheel_clear(struct vx_wheel *wheel, uint32_t index);
static inline bool vx_wheel_is_set(const struct vx_wheel *wheel, uint32_t index)
{
    return wheel->timers[index].next != index;
}
/* False, as nearly always, when vx_wheel_take_due has nothing to do; touches no line but the wheel's own. */
static inline bool vx_wheel_is_due(const struct vx_wheel *wheel, uint32_t now_ms)
{
    return wheel->due || (int32_t)(now_ms - (wheel->done_ms + (1u << wheel->tick_bits))) >= 0;
}
/* A timer that is due, cleared; VX_WHEEL_NONE when there is none. */
uint32_t vx_wheel_take_due(struct vx_wheel *wheel, uint32_t now_ms);
static inline uint32_t vx_wheel_take(struct vx_wheel *wheel, uint32_t now_ms)
{
    return VX_LIKELY(!vx_wheel_is_due(wheel, now_ms)) ? VX_WHEEL_NONE : vx_wheel_take_due(wheel, now_ms);
}

/* Single-writer counters that other threads read: relaxed is enough, no line is shared by writers. */
static inline uint64_t vx_counter_read(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
