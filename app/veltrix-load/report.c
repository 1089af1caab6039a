/* veltrix-load: what it tells people each second and at the end, and what it tells programs. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "load.h"

static double quantile_us(const struct vx_hist *hist, double quantile)
{
    return (double)vx_hist_quantile(hist, quantile) * 1e-3;
}

/* Given up actions included: they have had no answer either. */
uint64_t load_actions_unaccounted(const struct load_stats *stats)
{
    return stats->actions_sent - stats->actions_answered - stats->actions_refused - stats->actions_busy;
}

void load_report_second(struct load *load, double seconds)
{
    static struct {
        uint64_t answered, matches, busy, received;
    } last;
    struct load_stats *stats = &load->stats;
    const struct vx_hist *hist = &stats->latency_second_ns;
    uint64_t answered = stats->actions_answered + stats->actions_refused;
    if (!load->options.quiet && load->options.bounce)
        printf("%.0f s: %" PRIu64 " packets/s returned\n", seconds, stats->packets_received - last.received);
    else if (!load->options.quiet)
        printf("%.0f s: %u players, %" PRIu64 " actions/s, %" PRIu64 " matches/s, p50 %.1f p99 %.1f p99.9 %.1f us, busy %" PRIu64 "\n",
               seconds, load->options.players, answered - last.answered, stats->matches - last.matches,
               quantile_us(hist, 0.5), quantile_us(hist, 0.99), quantile_us(hist, 0.999), stats->actions_busy - last.busy);
    fflush(stdout);
    last.answered = answered;
    last.matches = stats->matches;
    last.busy = stats->actions_busy;
    last.received = stats->packets_received;
    memset(&stats->latency_second_ns, 0, sizeof(stats->latency_second_ns));
}

/* Every figure once: the text and the JSON are the same rows. */
struct figure {
    const char *name;
    double value;
    int decimals;
};
enum { FIGURES_MAX = 64 };
#define FIGURE(name, value, decimals) figures[count++] = (struct figure){ name, (double)(value), decimals }

static uint32_t netcode_figures(const struct load *load, struct figure *figures, uint32_t count)
{
    const struct load_stats *s = &load->stats;
    FIGURE("sessions_connected", s->sessions_connected, 0);
    FIGURE("sessions_denied", s->sessions_denied, 0);
    FIGURE("sessions_failed", s->sessions_failed, 0);
    FIGURE("sessions_lost", s->sessions_lost, 0);
    FIGURE("connect_seconds", s->connect_seconds, 3);
    FIGURE("connect_ms_p50", vx_hist_quantile(&s->connect_ms, 0.5), 0);
    FIGURE("connect_ms_p99", vx_hist_quantile(&s->connect_ms, 0.99), 0);
    FIGURE("connect_ms_max", s->connect_ms.max, 0);
    FIGURE("storm_seconds", s->storm_seconds, 3);
    FIGURE("requests_sent", s->requests_sent, 0);
    FIGURE("keep_alives_sent", s->keep_alives_sent, 0);
    FIGURE("keep_alives_received", s->keep_alives_received, 0);
    FIGURE("packets_forged", s->packets_forged, 0);
    FIGURE("packets_players", s->packets_players, 0);
    FIGURE("packets_disturbed", s->packets_disturbed, 0);
    FIGURE("packets_flood", s->packets_flood, 0);
    FIGURE("unproved_bytes_sent", s->unproved_bytes_sent, 0);
    FIGURE("unproved_bytes_received", s->unproved_bytes_received, 0);
    FIGURE("latency_us_p50_quiet", quantile_us(&s->latency_quiet_ns, 0.5), 1);
    FIGURE("latency_us_p99_quiet", quantile_us(&s->latency_quiet_ns, 0.99), 1);
    FIGURE("latency_us_p50_disturbed", quantile_us(&s->latency_disturbed_ns, 0.5), 1);
    FIGURE("latency_us_p99_disturbed", quantile_us(&s->latency_disturbed_ns, 0.99), 1);
    return count;
}

static uint32_t figures_of(const struct load *load, struct figure figures[FIGURES_MAX])
{
    const struct load_stats *s = &load->stats;
    uint32_t count = 0;
    FIGURE("players", load->options.players, 0);
    FIGURE("seconds", s->seconds, 3);
    FIGURE("actions_sent", s->actions_sent, 0);
    FIGURE("actions_answered", s->actions_answered, 0);
    FIGURE("actions_refused", s->actions_refused, 0);
    FIGURE("actions_busy", s->actions_busy, 0);
    FIGURE("actions_unaccounted", load_actions_unaccounted(s), 0);
    FIGURE("actions_given_up", s->actions_given_up, 0);
    FIGURE("answers_wrong", s->answers_wrong, 0);
    FIGURE("answers_repeated", s->answers_repeated, 0);
    FIGURE("results_early", s->results_early, 0);
    FIGURE("results_repeated", s->results_repeated, 0);
    FIGURE("chests", s->chests, 0);
    FIGURE("chests_doubled", s->chests_doubled, 0);
    FIGURE("matches", s->matches, 0);
    FIGURE("grants", s->grants, 0);
    FIGURE("turns_skipped", s->turns_skipped, 0);
    FIGURE("packets_sent", s->packets_sent, 0);
    FIGURE("packets_resent", s->packets_resent, 0);
    FIGURE("packets_received", s->packets_received, 0);
    FIGURE("packets_foreign", s->packets_foreign, 0);
    FIGURE("packets_lost", s->packets_lost, 0);
    FIGURE("packets_per_s", s->seconds > 0 ? (double)s->packets_received / s->seconds : 0, 0);
    FIGURE("actions_per_s", s->seconds > 0 ? (double)(s->actions_sent - load_actions_unaccounted(s)) / s->seconds : 0, 0);
    FIGURE("actions_per_packet", s->packets_sent ? (double)(s->actions_sent - load_actions_unaccounted(s)) / (double)(s->packets_sent + s->packets_received) : 0, 3); /* in + out */
    FIGURE("latency_us_p50", quantile_us(&s->latency_ns, 0.5), 1);
    FIGURE("latency_us_p99", quantile_us(&s->latency_ns, 0.99), 1);
    FIGURE("latency_us_p999", quantile_us(&s->latency_ns, 0.999), 1);
    FIGURE("latency_us_max", (double)s->latency_ns.max * 1e-3, 1);
    if (load->netcode != NULL)
        count = netcode_figures(load, figures, count);
#undef FIGURE
    VX_ASSERT(count <= FIGURES_MAX);
    return count;
}

static int json_write(const char *path, const struct figure *figures, uint32_t count)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return -errno;
    for (uint32_t i = 0; i < count; i++)
        fprintf(file, "%s\"%s\": %.*f", i == 0 ? "{ " : ", ", figures[i].name, figures[i].decimals, figures[i].value);
    fprintf(file, " }\n");
    return fclose(file) == 0 ? 0 : -errno;
}

int load_report_final(const struct load *load)
{
    struct figure figures[FIGURES_MAX];
    uint32_t count = figures_of(load, figures);
    for (uint32_t i = 0; i < count; i++)
        printf("%-24s %.*f\n", figures[i].name, figures[i].decimals, figures[i].value);
    return load->options.json_path == NULL ? 0 : json_write(load->options.json_path, figures, count);
}
