/* From rows to samples: what readers call, and the walk over the tables. Control thread. */
#include <stdio.h>
#include <string.h>

#include "metrics_private.h"

/* Dense where players notice: between 50 us and 10 ms. 24 bounds and +Inf. */
static const double time_bounds_s[] = { 5e-6, 10e-6, 20e-6, 30e-6, 50e-6, 75e-6, 100e-6, 150e-6, 200e-6, 300e-6, 500e-6, 750e-6, 1e-3, 1.5e-3, 2e-3, 3e-3, 5e-3, 7.5e-3,
                                        10e-3, 20e-3, 50e-3, 100e-3, 0.5, 1 };
enum { TIME_BOUNDS = sizeof(time_bounds_s) / sizeof(time_bounds_s[0]), NUMBER_BYTES = 32 };
static_assert(TIME_BOUNDS + 1 <= VX_METRIC_BUCKETS_MAX, "buckets");

const char *metric_kind_name(enum vx_metric_kind kind)
{
    static const char *const names[] = { "counter", "gauge", "histogram", "summary" };
    VX_ASSERT((unsigned)kind < sizeof(names) / sizeof(names[0]));
    return names[kind];
}

/* The row's own labels, then one more (NULL: none). */
static void put(const struct vx_metric_out *out, const char *suffix, const char *a, const char *b, const char *more, const char *more_value, double value)
{
    struct vx_metric_sample sample = { .metric = out->metric, .suffix = suffix, .value = value };
    const char *values[VX_METRIC_LABELS_MAX] = { a, b };
    for (uint32_t i = 0; i < out->name_count; i++) {
        VX_ASSERT(values[i] != NULL);
        sample.labels[sample.label_count].name = out->name[i];
        sample.labels[sample.label_count++].value = values[i];
    }
    if (more != NULL) {
        sample.labels[sample.label_count].name = more;
        sample.labels[sample.label_count++].value = more_value;
    }
    out->sink(out->into, &sample);
}

void vx_metric_value(struct vx_metric_out *out, double value, const char *a, const char *b)
{
    VX_ASSERT(out->metric->kind == VX_METRIC_COUNTER || out->metric->kind == VX_METRIC_GAUGE);
    put(out, "", a, b, NULL, NULL, value);
}

void vx_metric_value_of(struct vx_metric_out *out, double value, uint32_t number)
{
    char text[NUMBER_BYTES];
    (void)snprintf(text, sizeof(text), "%u", number);
    vx_metric_value(out, value, text, NULL);
}

void vx_metric_buckets(struct vx_metric_out *out, const double *bounds, uint32_t bounds_count, const uint64_t *slots, double sum, const char *a)
{
    char bound[NUMBER_BYTES];
    uint64_t seen = 0;
    VX_ASSERT(out->metric->kind == VX_METRIC_HISTOGRAM && bounds_count + 1 <= VX_METRIC_BUCKETS_MAX);
    for (uint32_t i = 0; i < bounds_count; i++) {
        seen += slots[i];
        (void)snprintf(bound, sizeof(bound), "%.9g", bounds[i]);
        put(out, "_bucket", a, NULL, "le", bound, (double)seen);
    }
    seen += slots[bounds_count];
    put(out, "_bucket", a, NULL, "le", "+Inf", (double)seen);
    put(out, "_sum", a, NULL, NULL, NULL, sum);
    put(out, "_count", a, NULL, NULL, NULL, (double)seen);
}

/* The middle of the values that share a slot: the reverse of vx_hist_slot(). */
static double middle(uint32_t slot)
{
    uint32_t octave = slot >> VX_HIST_STEP_BITS;
    uint64_t step = slot & ((1u << VX_HIST_STEP_BITS) - 1);
    if (octave == 0)
        return (double)step;
    uint64_t width = 1ull << (octave - 1);
    return (double)(((1u << VX_HIST_STEP_BITS) + step) << (octave - 1)) + (double)(width - 1) / 2;
}

void vx_metric_hist(struct vx_metric_out *out, const struct vx_hist *hist, double seconds_per_unit, const char *a)
{
    uint64_t slots[TIME_BOUNDS + 1] = { 0 };
    double sum = 0;
    uint32_t bound = 0;
    for (uint32_t slot = 0; slot < VX_HIST_SLOTS; slot++) {
        uint64_t count = vx_counter_read(&hist->slots[slot]);
        double seconds = middle(slot) * seconds_per_unit;
        while (bound < TIME_BOUNDS && seconds > time_bounds_s[bound])
            bound++;
        slots[bound] += count;
        sum += (double)count * seconds;
    }
    vx_metric_buckets(out, time_bounds_s, TIME_BOUNDS, slots, sum, a);
}

void vx_metric_summary(struct vx_metric_out *out, const struct vx_metric_quantile *quantiles, uint32_t quantile_count, double sum, uint64_t count, const char *a)
{
    char text[NUMBER_BYTES];
    VX_ASSERT(out->metric->kind == VX_METRIC_SUMMARY);
    for (uint32_t i = 0; i < quantile_count; i++) {
        (void)snprintf(text, sizeof(text), "%g", quantiles[i].quantile);
        put(out, "", a, NULL, "quantile", text, quantiles[i].value);
    }
    put(out, "_sum", a, NULL, NULL, NULL, sum);
    put(out, "_count", a, NULL, NULL, NULL, (double)count);
}

double vx_hist_sum(const struct vx_hist *hist)
{
    double sum = 0;
    for (uint32_t slot = 0; slot < VX_HIST_SLOTS; slot++)
        sum += (double)vx_counter_read(&hist->slots[slot]) * middle(slot);
    return sum;
}

void vx_hist_from(const struct vx_hist *hist, uint64_t least, struct vx_hist *into)
{
    memset(into, 0, sizeof(*into));
    for (uint32_t slot = vx_hist_slot(least); slot < VX_HIST_SLOTS; slot++) {
        into->slots[slot] = vx_counter_read(&hist->slots[slot]);
        into->count += into->slots[slot];
    }
    into->max = into->count > 0 ? vx_counter_read(&hist->max) : 0;
}

static void names_cut(struct vx_metric_out *out)
{
    char *rest = NULL;
    VX_ASSERT(strlen(out->metric->labels) < sizeof(out->names));
    (void)strcpy(out->names, out->metric->labels);
    for (char *name = strtok_r(out->names, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
        VX_ASSERT(out->name_count < VX_METRIC_LABELS_MAX);
        out->name[out->name_count++] = name;
    }
}

static bool is_wanted(const struct vx_metric *metric, const char *group, const char *name)
{
    return (group == NULL || strcmp(metric->group, group) == 0) && (name == NULL || strcmp(metric->name, name) == 0);
}

void vx_metrics_gather(const struct vx_metrics_source *source, const char *group, const char *name, vx_metric_sink *sink, void *into)
{
    for (uint32_t i = 0; source->tables[i] != NULL; i++)
        for (const struct vx_metric *metric = source->tables[i]; metric->name != NULL; metric++) {
            struct vx_metric_out out = { .metric = metric, .sink = sink, .into = into };
            if (!is_wanted(metric, group, name))
                continue;
            names_cut(&out);
            metric->read(source->context, metric, &out);
        }
}
