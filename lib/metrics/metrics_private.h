/* What the files of the room share: where a reader's values go. */
#ifndef VX_METRICS_PRIVATE_H
#define VX_METRICS_PRIVATE_H

#include "vx_metrics.h"

struct vx_metric_out {
    const struct vx_metric *metric;
    char names[64]; /* the row's labels, cut apart */
    const char *name[VX_METRIC_LABELS_MAX];
    uint32_t name_count;
    vx_metric_sink *sink;
    void *into;
};
/* The kind's word in TYPE lines. */
const char *metric_kind_name(enum vx_metric_kind kind);

#endif
