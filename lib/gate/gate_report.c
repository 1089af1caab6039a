/* The report as JSON, and from that the table: veltrixd sends the first, veltrixctl and veltrix-formula print the second. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gate_private.h"

/* ---- JSON ---- */

static json_t *spread_json(const struct vx_gate_spread *spread)
{
    return json_pack("{s:f,s:f,s:f,s:f,s:f}", "mean", spread->mean, "least", spread->least, "p50", spread->p50, "p99", spread->p99, "most", spread->most);
}

static json_t *side_json(const struct vx_gate_report *report, const struct vx_gate_side *side)
{
    const struct vx_formula_about *about = &vx_formula_abouts[report->kind];
    json_t *outputs = json_object();
    for (unsigned output = 0; output < about->output_count; output++)
        (void)json_object_set_new(outputs, about->outputs[output].name, spread_json(&side->outputs[output]));
    return json_pack("{s:I,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:I,s:I,s:o}", "version", (json_int_t)side->version, "job_ns_p50", side->job_ns_p50, "job_ns_p99",
                     side->job_ns_p99, "job_ns_p999", side->job_ns_p999, "job_ns_max", side->job_ns_max, "batch_us_p999", side->batch_us_p999, "batch_us_max",
                     side->batch_us_max, "pause_us_max", side->pause_us_max, "bytes_per_job", side->bytes_per_job, "traces", (json_int_t)side->traces, "traces_given_up",
                     (json_int_t)side->aborts, "outputs", outputs);
}

static json_t *differences_json(const struct vx_gate_report *report)
{
    const struct vx_formula_about *about = &vx_formula_abouts[report->kind];
    json_t *object = json_object();
    for (unsigned output = 0; output < about->output_count; output++) {
        const struct vx_gate_difference *difference = &report->differences[output];
        (void)json_object_set_new(object, about->outputs[output].name,
                                  json_pack("{s:f,s:f,s:f,s:f,s:f}", "mean", difference->mean, "mean_size", difference->mean_size, "p99_size", difference->p99_size,
                                            "largest", difference->largest, "part", difference->part));
    }
    return object;
}

json_t *vx_gate_json(const struct vx_gate_report *report)
{
    bool measured = report->candidate.job_ns_p50 > 0;
    json_t *object = json_pack("{s:s,s:I,s:b,s:s,s:I,s:I,s:I,s:f}", "kind", vx_formula_abouts[report->kind].name, "version", (json_int_t)report->candidate.version,
                               "passed", report->reason == VX_GATE_NONE, "reason", vx_gate_reason_name(report->reason), "examples",
                               (json_int_t)report->declared.examples, "jobs_made", (json_int_t)report->jobs_made, "jobs_recorded", (json_int_t)report->jobs_recorded, "took_ms",
                               report->took_ms);
    json_t *sentence = json_string(report->sentence); /* NULL when the text, which may quote the file, is no UTF-8 */
    (void)json_object_set_new(object, "sentence", sentence != NULL ? sentence : json_string("(the sentence holds bytes that are no UTF-8)"));
    if (measured)
        (void)json_object_set_new(object, "candidate", side_json(report, &report->candidate));
    if (measured && report->live.version > 0) {
        (void)json_object_set_new(object, "live", side_json(report, &report->live));
        (void)json_object_set_new(object, "differences", differences_json(report));
    }
    return object;
}

/* ---- table ---- */

struct text {
    char *bytes;
    size_t used, capacity;
};

static void say(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *text, const char *format, ...)
{
    va_list args;
    if (text->used >= text->capacity)
        return;
    va_start(args, format);
    int wrote = vsnprintf(text->bytes + text->used, text->capacity - text->used, format, args);
    va_end(args);
    text->used += wrote > 0 ? (size_t)wrote : 0;
}

static double figure(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void row(struct text *text, const char *name, const json_t *live, const json_t *candidate, const char *key)
{
    say(text, "%-34s", name);
    if (live != NULL)
        say(text, " %12.4g", figure(live, key));
    say(text, " %12.4g\n", figure(candidate, key));
}

static void side_rows(struct text *text, const json_t *live, const json_t *candidate)
{
    static const char *const rows[][2] = { { "job ns, p50", "job_ns_p50" }, { "job ns, p99", "job_ns_p99" }, { "job ns, p99.9", "job_ns_p999" }, { "job ns, max", "job_ns_max" },
                                           { "batch of 64 us, p99.9", "batch_us_p999" }, { "batch of 64 us, max", "batch_us_max" },
                                           { "longest pause us", "pause_us_max" }, { "bytes a job", "bytes_per_job" }, { "traces", "traces" } };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        row(text, rows[i][0], live, candidate, rows[i][1]);
}

static void output_rows(struct text *text, const json_t *report, const json_t *live, const json_t *candidate)
{
    static const char *const keys[] = { "mean", "least", "p50", "p99", "most" };
    const char *output;
    json_t *spread;
    json_object_foreach(json_object_get(candidate, "outputs"), output, spread) {
        const json_t *other = json_object_get(json_object_get(live, "outputs"), output);
        for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            char name[64];
            (void)snprintf(name, sizeof(name), "%.40s, %s", output, keys[i]);
            row(text, name, other, spread, keys[i]);
        }
    }
    json_object_foreach(json_object_get(report, "differences"), output, spread)
        say(text, "%s differs for %.1f %% of the jobs: by %+.4g in the mean, %.4g at p99, %.4g at most\n", output, 100 * figure(spread, "part"), figure(spread, "mean"),
            figure(spread, "p99_size"), figure(spread, "largest"));
}

char *vx_gate_table(const json_t *report)
{
    enum { CAPACITY = 8 << 10 }; /* 40 lines */
    struct text text = { malloc(CAPACITY), 0, CAPACITY };
    const json_t *candidate = json_object_get(report, "candidate"), *live = json_object_get(report, "live");
    if (text.bytes == NULL)
        return NULL;
    text.bytes[0] = '\0';
    if (candidate != NULL) {
        say(&text, "%-34s", json_string_value(json_object_get(report, "kind")));
        if (live != NULL)
            say(&text, " live %7.0f", figure(live, "version"));
        say(&text, " this %7.0f\n", figure(candidate, "version"));
        side_rows(&text, live, candidate);
        output_rows(&text, report, live, candidate);
    }
    const char *sentence = json_string_value(json_object_get(report, "sentence"));
    say(&text, "%s: %s\n", json_is_true(json_object_get(report, "passed")) ? "accepted" : "REFUSED", sentence != NULL ? sentence : "");
    return text.bytes;
}
