/* The judgement: each figure from each side's counts, then held against the other's. */
#include "vx_canary.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum how { A, R, U };
static const struct {
    const char *text, *unit;
    enum how how;
    size_t by, events; /* places in struct vx_canary_limits */
} figures[VX_CANARY_FIGURE_COUNT] = {
#define ROW(name, text, unit, how, by, events) { text, unit, how, offsetof(struct vx_canary_limits, by), offsetof(struct vx_canary_limits, events) },
    VX_CANARY_FIGURES(ROW)
#undef ROW
};
/* A batch this fast is fast, whatever the others' is. */
static const double batch_us_floor = 20;

const char *vx_canary_figure_name(enum vx_canary_figure figure)
{
    return figures[figure].text;
}

const char *vx_canary_figure_unit(enum vx_canary_figure figure)
{
    return figures[figure].unit;
}

static double limit(const struct vx_canary_limits *limits, size_t place)
{
    double value;
    memcpy(&value, (const char *)limits + place, sizeof(value));
    return value;
}

static double part(double of, double all)
{
    return all > 0 ? of / all : 0;
}

static double figure_of(const struct vx_canary_side *side, enum vx_canary_figure figure, uint64_t *events)
{
    const uint32_t band = figure >= VX_CANARY_FAVOURITES_LOW ? (uint32_t)figure - VX_CANARY_FAVOURITES_LOW : 0;
    switch (figure) {
    case VX_CANARY_BATCH_US_P50:
        *events = side->batches;
        return side->batch_us_p50;
    case VX_CANARY_TIMED_OUT:
        *events = side->jobs_answered + side->jobs_timed_out;
        return part((double)side->jobs_timed_out, (double)*events);
    case VX_CANARY_HUNT_S:
        *events = side->hunts_ended;
        return part((double)side->hunt_ms / 1000, (double)side->hunts_ended);
    case VX_CANARY_LOOT_PER_HOUR:
        *events = side->hunts_ended;
        return part((double)side->loot_amount * 3600e3, (double)side->hunt_ms);
    default:
        *events = side->favourites[band];
        return part((double)side->favourite_halves[band] / 2, (double)side->favourites[band]);
    }
}

static bool breaches(enum vx_canary_figure figure, double by, const struct vx_canary_row *row)
{
    switch (figures[figure].how) {
    case A:
        return fabs(row->canary - row->others) > by && (figure != VX_CANARY_TIMED_OUT || row->canary > row->others);
    case R:
        return fabs(row->canary - row->others) > by * row->others;
    default:
        return row->canary > batch_us_floor && row->canary > by * row->others;
    }
}

void vx_canary_judge(const struct vx_canary_limits *limits, const struct vx_canary_side *canary, const struct vx_canary_side *others, struct vx_canary_verdict *verdict)
{
    *verdict = (struct vx_canary_verdict){ 0 };
    for (uint32_t i = 0; i < VX_CANARY_FIGURE_COUNT; i++) {
        struct vx_canary_row *row = &verdict->rows[i];
        row->canary = figure_of(canary, i, &row->events_canary);
        row->others = figure_of(others, i, &row->events_others);
        const double events = limit(limits, figures[i].events);
        row->judged = (double)row->events_canary >= events && (double)row->events_others >= events && events > 0;
        row->breached = row->judged && breaches(i, limit(limits, figures[i].by), row);
        verdict->judged += row->judged;
        if (row->breached && !verdict->breached)
            (void)snprintf(verdict->sentence, sizeof(verdict->sentence), "%s is %.4g %s on the canary's shards and %.4g %s on the others", figures[i].text, row->canary, figures[i].unit,
                           row->others, figures[i].unit);
        verdict->breached |= row->breached;
    }
}
