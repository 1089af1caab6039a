/* Metrics of packets and of the polling lcores. Control thread; the counters have one writer each, the lcore. */
#include <stdio.h>
#include <string.h>

#include "metrics.h"
#include "rates.h"

/* A counter of each io lcore. */
static void io_counter(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    for (uint32_t i = 0; i < app->lcore_count; i++)
        if (app->lcores[i].io != NULL)
            vx_metric_value_of(out, (double)app_counter_at(vx_io_counters(app->lcores[i].io), metric->field), app->lcores[i].id);
}

/* The same, of all of them together. */
static uint64_t io_sum(const struct app *app, size_t field)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < app->lcore_count; i++)
        if (app->lcores[i].io != NULL)
            sum += app_counter_at(vx_io_counters(app->lcores[i].io), field);
    return sum;
}

static void drops(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    (void)metric;
    for (unsigned reason = VX_DROP_NONE + 1; reason < VX_DROP_COUNT; reason++)
        vx_metric_value(out, (double)io_sum(context, offsetof(struct vx_io_counters, drops) + reason * sizeof(uint64_t)), vx_drop_name((enum vx_drop)reason), NULL);
}

static void sheds(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    static const char *const classes[VX_SHED_CLASSES] = { "first", "middle", "last" };
    (void)metric;
    for (unsigned class = 0; class < VX_SHED_CLASSES; class++)
        vx_metric_value(out, (double)io_sum(context, offsetof(struct vx_io_counters, actions_shed) + class * sizeof(uint64_t)), classes[class], NULL);
}

static void residence(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    static struct vx_hist all; /* control thread, as all here */
    const struct app *app = context;
    (void)metric;
    for (int urgent = 1; urgent >= 0; urgent--) {
        memset(&all, 0, sizeof(all));
        for (uint32_t i = 0; i < app->lcore_count; i++)
            if (app->lcores[i].io != NULL)
                vx_hist_merge(&all, vx_io_residence(app->lcores[i].io, urgent != 0));
        vx_metric_hist(out, &all, app_seconds_per_cycle(app), urgent ? "urgent" : "windowed");
    }
}

static void port_counters(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    enum { COUNTERS_MAX = 256 };
    static struct vx_port_counter counters[COUNTERS_MAX];
    const struct app *app = context;
    char number[16];
    (void)metric;
    for (uint32_t port = 0; port < app->ports_started; port++) {
        (void)snprintf(number, sizeof(number), "%u", port + 1);
        for (uint32_t i = 0, count = vx_port_counters(&app->ports[port], counters, COUNTERS_MAX); i < count; i++)
            vx_metric_value(out, (double)counters[i].value, number, counters[i].name);
    }
}

enum lcore_figure { PASSES, PASSES_BUSY, BUSY_SECONDS, BUSY_RATIO, PAUSES_LOST };

static double lcore_figure(const struct app *app, uint32_t index, enum lcore_figure figure)
{
    const struct app_lcore *lcore = &app->lcores[index];
    switch (figure) {
    case PASSES:
        return (double)vx_counter_read(&lcore->passes);
    case PASSES_BUSY:
        return (double)vx_counter_read(&lcore->passes_busy);
    case BUSY_SECONDS:
        return (double)vx_counter_read(&lcore->busy_cycles) * app_seconds_per_cycle(app);
    case BUSY_RATIO:
        return app_rates_last()->lcores[index].busy;
    case PAUSES_LOST:
        return (double)vx_counter_read(&lcore->pauses->lost);
    }
    return 0;
}

static void lcore_figures(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    for (uint32_t i = 0; i < app->lcore_count; i++)
        vx_metric_value_of(out, lcore_figure(app, i, (enum lcore_figure)metric->field), app->lcores[i].id);
}

static void gaps(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    const struct app *app = context;
    char number[16];
    (void)metric;
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        (void)snprintf(number, sizeof(number), "%u", app->lcores[i].id);
        vx_metric_hist(out, app->lcores[i].gaps, app_seconds_per_cycle(app), number);
    }
}

static void stalls(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    (void)context, (void)metric;
    vx_metric_value(out, (double)app_watch_stalls(), NULL, NULL);
}

const struct vx_hist *app_gaps_all(const struct app *app)
{
    static struct vx_hist all;
    memset(&all, 0, sizeof(all));
    for (uint32_t i = 0; i < app->lcore_count; i++)
        vx_hist_merge(&all, app->lcores[i].gaps);
    return &all;
}

#define OF_IO(group, name, field, help) { group, name, VX_METRIC_COUNTER, "lcore", help, io_counter, offsetof(struct vx_io_counters, field) }
#define OF_LCORE(name, kind, figure, help) { "lcores", name, kind, "lcore", help, lcore_figures, figure }
const struct vx_metric app_packet_metrics[] = {
    OF_IO("packets", "veltrix_packets_received_total", packets_in, "packets that an io lcore took from its queue"),
    OF_IO("packets", "veltrix_received_bytes_total", bytes_in, "their frames"),
    OF_IO("packets", "veltrix_packets_sent_total", packets_out, "packets that the device took from an io lcore"),
    OF_IO("packets", "veltrix_sent_bytes_total", bytes_out, "their frames"),
    OF_IO("packets", "veltrix_packets_sent_small_total", packets_out_96, "of the packets sent, frames of up to 96 bytes"),
    OF_IO("packets", "veltrix_packets_spread_total", packets_spread, "packets given to the io lcore that their flow belongs to"),
    OF_IO("packets", "veltrix_receive_bursts_total", bursts, "polls that found packets"),
    OF_IO("packets", "veltrix_transmit_full_total", tx_full, "bursts that the device took only a part of"),
    OF_IO("packets", "veltrix_transmit_paced_total", paced, "bursts put off by the send limit (transport.packets_per_s)"),
    { "packets", "veltrix_packets_dropped_total", VX_METRIC_COUNTER, "reason", "packets that went no further, by reason; sessions' own packets (handshakes, keep-alives) and answered ARP are among them", drops, 0 },
    { "packets", "veltrix_port_figure", VX_METRIC_GAUGE, "port counter", "each figure of the card, the driver and the XDP program, as the ports command names them", port_counters, 0 },
    OF_IO("actions", "veltrix_actions_received_total", actions_in, "actions in packets that were accepted"),
    OF_IO("actions", "veltrix_actions_queued_total", actions_queued, "actions handed to shards"),
    { "actions", "veltrix_actions_shed_total", VX_METRIC_COUNTER, "class", "actions shed because a shard's ring was full: MOVE and PING go first, ACCEPT, SUMMON and ACK last", sheds, 0 },
    OF_IO("actions", "veltrix_busy_answers_total", busy_answers, "BUSY sent for actions that were shed"),
    OF_IO("actions", "veltrix_results_taken_total", replies_in, "results taken from shards"),
    OF_IO("actions", "veltrix_results_sent_total", replies_out, "results that left in packets"),
    OF_IO("actions", "veltrix_results_dropped_total", replies_dropped, "results without a packet buffer or a place in the transmit queue, or late"),
    OF_IO("actions", "veltrix_results_late_total", replies_late, "results for sessions that had ended"),
    { "latency", "veltrix_residence_seconds", VX_METRIC_HISTOGRAM, "answer", "time in the box of a packet's answer, from the receive burst to the transmit burst: urgent, or windowed (may wait for transport.window_us)", residence, 0 },
    OF_LCORE("veltrix_lcore_passes_total", VX_METRIC_COUNTER, PASSES, "turns of the polling loop"),
    OF_LCORE("veltrix_lcore_passes_busy_total", VX_METRIC_COUNTER, PASSES_BUSY, "of these, turns that found work"),
    OF_LCORE("veltrix_lcore_busy_seconds_total", VX_METRIC_COUNTER, BUSY_SECONDS, "time in turns that found work: its rate is the busy share"),
    OF_LCORE("veltrix_lcore_busy_ratio", VX_METRIC_GAUGE, BUSY_RATIO, "busy share of the last second, 0 to 1"),
    OF_LCORE("veltrix_lcore_pauses_lost_total", VX_METRIC_COUNTER, PAUSES_LOST, "pauses over 100 us that found no room to be written down"),
    { "lcores", "veltrix_poll_gap_seconds", VX_METRIC_HISTOGRAM, "lcore", "the longest time between two polls in each millisecond; with idle.policy sleep its own sleep is in it", gaps, 0 },
    { "lcores", "veltrix_lcore_stalls_total", VX_METRIC_COUNTER, "", "lcores that polled nothing for watch.stall_ms", stalls, 0 },
    { .name = NULL },
};
