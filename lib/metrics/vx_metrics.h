/* metrics: what the appliance has counted, for programs that watch it. One table of rows says each metric's
 * name, kind, labels and sentence and how it is read; Prometheus' text format, the documentation's table and other
 * forms (the application's DPDK telemetry) come from it. An HTTP server hands the text and a status page out.
 *
 *   row.read(context) ─▶ vx_metric_value(), vx_metric_hist(), … ─▶ samples ─▶ sink: text, telemetry
 *
 * Readers look at counters that have one writer; nothing here makes a writer wait. All on one thread, the control
 * thread: the server opens its port at start and does all its work inside vx_metrics_poll(), which never blocks. What
 * clients can cost is bounded: connections, their memory, their time. */
#ifndef VX_METRICS_H
#define VX_METRICS_H

#include "vx_base.h"

enum vx_metric_kind { VX_METRIC_COUNTER, VX_METRIC_GAUGE, VX_METRIC_HISTOGRAM, VX_METRIC_SUMMARY };
enum { VX_METRIC_LABELS_MAX = 2, VX_METRIC_BUCKETS_MAX = 25 /* with +Inf: each is a time series in every server that scrapes */ };

struct vx_metric_out;
struct vx_metric;
/* Reads what the row counts, and says its values by the functions below. context: the source's. */
typedef void vx_metric_read(void *context, const struct vx_metric *metric, struct vx_metric_out *out);
struct vx_metric {
    const char *group;  /* its section: one word */
    const char *name;   /* by Prometheus' conventions: base units, counters end in _total; NULL ends a table */
    enum vx_metric_kind kind;
    const char *labels; /* names between spaces, at most VX_METRIC_LABELS_MAX; "" for none */
    const char *help;
    vx_metric_read *read;
    size_t field;       /* the reader's own: which counter */
};

/* ---- for readers: the values of the row, each with its labels' values in the row's order (NULL where it has fewer) ---- */

void vx_metric_value(struct vx_metric_out *out, double value, const char *a, const char *b);
/* Label values that are numbers: lcore, shard. */
void vx_metric_value_of(struct vx_metric_out *out, double value, uint32_t number);
/* A histogram with bounds of its own: slots[i] counts values up to bounds[i], slots[bounds_count] the rest. VX_ASSERTs
 * that there are at most VX_METRIC_BUCKETS_MAX slots. */
void vx_metric_buckets(struct vx_metric_out *out, const double *bounds, uint32_t bounds_count, const uint64_t *slots, double sum, const char *a);
/* A histogram of times, from 5 us to 1 s; seconds_per_unit: of what hist counts. The sum is made of the middles of its slots,
 * so it has their error (at most 1/128). */
void vx_metric_hist(struct vx_metric_out *out, const struct vx_hist *hist, double seconds_per_unit, const char *a);
struct vx_metric_quantile {
    double quantile, value;
};
/* A summary: its quantiles (quantile_count of them, may be 0), sum and count. */
void vx_metric_summary(struct vx_metric_out *out, const struct vx_metric_quantile *quantiles, uint32_t quantile_count, double sum, uint64_t count, const char *a);
/* For readers that make one histogram of another: the sum of its values (by the middles of its slots), and what lies from `least` on. */
double vx_hist_sum(const struct vx_hist *hist);
void vx_hist_from(const struct vx_hist *hist, uint64_t least, struct vx_hist *into);

/* ---- for those who show ---- */

struct vx_metric_sample {
    const struct vx_metric *metric;
    const char *suffix; /* "", "_bucket", "_sum", "_count" */
    uint32_t label_count;
    struct {
        const char *name, *value;
    } labels[VX_METRIC_LABELS_MAX + 1]; /* with le or quantile */
    double value;
};
/* Takes one sample; its texts are the sink's only during the call. */
typedef void vx_metric_sink(void *into, const struct vx_metric_sample *sample);
struct vx_metrics_source {
    const struct vx_metric *const *tables; /* ends with NULL; each table with a row whose name is NULL */
    void *context;                         /* the readers' */
};
/* Reads the rows of the group and of the name (NULL: any), in order, and gives each sample to the sink. */
void vx_metrics_gather(const struct vx_metrics_source *source, const char *group, const char *name, vx_metric_sink *sink, void *into);
/* All of it in Prometheus' text format 0.0.4; the caller frees. NULL: no memory. */
char *vx_metrics_text(const struct vx_metrics_source *source, size_t *bytes);
/* The rows as a Markdown table; returns its length. */
size_t vx_metrics_markdown(const struct vx_metric *const *tables, char *buffer, size_t bytes);

/* ---- HTTP ---- */

struct vx_metrics_config {
    const char *address; /* IPv4 or IPv6 */
    uint16_t port;
    struct vx_metrics_source source;
    char *(*status)(void *context); /* JSON for the status page; the server frees. NULL: no memory */
};
struct vx_metrics_server;
/* Takes the port: GET / (the status page), /status.json, /metrics. config is copied. 0, -EINVAL for an address that is
 * none, -EADDRINUSE … with the sentence. */
int vx_metrics_open(const struct vx_metrics_config *config, struct vx_metrics_server **server, struct vx_error *error);
/* Serves whoever is ready, without waiting. */
void vx_metrics_poll(struct vx_metrics_server *server);
void vx_metrics_close(struct vx_metrics_server *server);

#endif
