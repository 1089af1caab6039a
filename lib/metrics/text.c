/* Prometheus' text format 0.0.4: HELP and TYPE before the first sample of a metric, a line each; a metric without
 * samples is left out. Control thread. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "metrics_private.h"

struct text {
    FILE *file;
    const struct vx_metric *last;
};

/* Label values may hold anything; backslash, quote and newline are escaped. */
static void put_escaped(FILE *file, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            (void)fputc('\\', file);
        (void)fputs(*value == '\n' ? "\\n" : (const char[]){ *value, '\0' }, file);
    }
}

/* Counts stand as whole numbers; a double keeps them exact up to 2^53. */
static void put_number(FILE *file, double value)
{
    if (isnan(value) || isinf(value))
        (void)fputs(isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf", file);
    else
        (void)fprintf(file, value == floor(value) && fabs(value) < 1e16 ? "%.0f" : "%.15g", value);
}

static void text_sample(void *into, const struct vx_metric_sample *sample)
{
    struct text *text = into;
    const struct vx_metric *metric = sample->metric;
    if (metric != text->last)
        (void)fprintf(text->file, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name, metric_kind_name(metric->kind));
    text->last = metric;
    (void)fprintf(text->file, "%s%s", metric->name, sample->suffix);
    for (uint32_t i = 0; i < sample->label_count; i++) {
        (void)fprintf(text->file, "%s%s=\"", i == 0 ? "{" : ",", sample->labels[i].name);
        put_escaped(text->file, sample->labels[i].value);
        (void)fputc('"', text->file);
    }
    (void)fputs(sample->label_count > 0 ? "} " : " ", text->file);
    put_number(text->file, sample->value);
    (void)fputc('\n', text->file);
}

char *vx_metrics_text(const struct vx_metrics_source *source, size_t *bytes)
{
    char *buffer = NULL;
    struct text text = { .file = open_memstream(&buffer, bytes) };
    if (text.file == NULL)
        return NULL;
    vx_metrics_gather(source, NULL, NULL, text_sample, &text);
    bool failed = ferror(text.file) != 0;
    if (fclose(text.file) == 0 && !failed)
        return buffer;
    free(buffer);
    return NULL;
}
