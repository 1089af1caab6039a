/* The parts of base that are too large to be inline; start-up and control threads, and reports. */
#include "vx_base.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int vx_error_set(struct vx_error *error, int code, const char *format, ...)
{
    if (error != NULL) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
    }
    return code;
}

_Noreturn void vx_assert_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "veltrix: assertion failed at %s:%d: %s\n", file, line, condition);
    abort();
}

const char *vx_drop_name(enum vx_drop reason)
{
    static const char *const names[] = {
#define VX_DROP_NAME(name, text, sentence) text,
        VX_DROP_REASONS(VX_DROP_NAME)
#undef VX_DROP_NAME
    };
    return (unsigned)reason < VX_DROP_COUNT ? names[reason] : "?";
}

const char *vx_drop_sentence(enum vx_drop reason)
{
    static const char *const sentences[] = {
#define VX_DROP_SENTENCE(name, text, sentence) sentence,
        VX_DROP_REASONS(VX_DROP_SENTENCE)
#undef VX_DROP_SENTENCE
    };
    return (unsigned)reason < VX_DROP_COUNT ? sentences[reason] : "?";
}

double vx_rng_exponential(struct vx_rng *rng)
{
    /* 53 random bits, moved off zero so that the logarithm is finite. */
    double uniform = ((double)(vx_rng_next(rng) >> 11) + 0.5) * 0x1p-53;
    return -log(uniform);
}

/* The middle of the range of values that share a slot. */
static uint64_t slot_middle(uint32_t slot)
{
    uint32_t octave = slot >> VX_HIST_STEP_BITS;
    uint64_t step = slot & ((1u << VX_HIST_STEP_BITS) - 1);
    if (octave == 0)
        return step;
    uint32_t shift = octave - 1;
    uint64_t low = ((1u << VX_HIST_STEP_BITS) + step) << shift;
    return low + ((1ull << shift) >> 1);
}

uint64_t vx_hist_quantile(const struct vx_hist *hist, double quantile)
{
    if (hist->count == 0)
        return 0;
    uint64_t rank = (uint64_t)ceil(quantile * (double)hist->count);
    uint64_t seen = 0;
    for (uint32_t slot = 0; slot < VX_HIST_SLOTS; slot++) {
        seen += hist->slots[slot];
        if (seen >= rank && seen > 0) {
            uint64_t middle = slot_middle(slot);
            return middle < hist->max ? middle : hist->max;
        }
    }
    return hist->max;
}

void vx_hist_merge(struct vx_hist *into, const struct vx_hist *from)
{
    into->count += from->count;
    if (from->max > into->max)
        into->max = from->max;
    for (uint32_t slot = 0; slot < VX_HIST_SLOTS; slot++)
        into->slots[slot] += from->slots[slot];
}
