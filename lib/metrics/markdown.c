/* The documentation's table of metrics. Control thread. */
#include <stdio.h>
#include <string.h>

#include "metrics_private.h"

/* "a b" as `a`, `b`. */
static size_t labels_markdown(const char *labels, char *buffer, size_t bytes)
{
    char names[64];
    char *rest = NULL;
    size_t used = 0;
    (void)snprintf(names, sizeof(names), "%s", labels);
    buffer[0] = '\0';
    for (char *name = strtok_r(names, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest))
        used += (size_t)snprintf(buffer + used, bytes - used, "%s`%s`", used > 0 ? ", " : "", name);
    return used;
}

size_t vx_metrics_markdown(const struct vx_metric *const *tables, char *buffer, size_t bytes)
{
    char labels[128];
    size_t used = (size_t)snprintf(buffer, bytes, "| metric | kind | labels | group | what it is |\n| --- | --- | --- | --- | --- |\n");
    for (uint32_t i = 0; tables[i] != NULL; i++)
        for (const struct vx_metric *metric = tables[i]; metric->name != NULL && used < bytes; metric++) {
            (void)labels_markdown(metric->labels, labels, sizeof(labels));
            used += (size_t)snprintf(buffer + used, bytes - used, "| `%s` | %s | %s | %s | %s |\n", metric->name, metric_kind_name(metric->kind), labels, metric->group, metric->help);
        }
    return used;
}
