/* veltrix-load: plays whole games against veltrixd over any DPDK port, checks every answer, and
 * measures. Exit status 0 only when every action was answered, none wrongly, and no chest was
 * awarded twice; over netcode, when besides everybody got in and stayed. Start-up is the list in main(), undone in reverse. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "netcode.h"

static volatile sig_atomic_t stop_requested;

static void stop_request(int signal_number)
{
    (void)signal_number;
    stop_requested = 1;
}

bool load_stop_requested(void)
{
    return stop_requested != 0;
}

static bool run_was_clean(const struct load_stats *stats)
{
    return load_actions_unaccounted(stats) == 0 && stats->answers_wrong == 0 && stats->chests_doubled == 0;
}

/* Everybody got in and stayed, and nobody who had proved nothing was sent more than came from there. */
static bool sessions_were_clean(const struct load *load)
{
    const struct load_stats *stats = &load->stats;
    return load->netcode == NULL ||
           (stats->sessions_connected == load->options.players && stats->sessions_over == 0 && stats->unproved_bytes_received <= stats->unproved_bytes_sent);
}

static int load_run(struct load *load)
{
    const struct load_options *options = &load->options;
    if (options->receipts_path != NULL && (load->receipts_file = fopen(options->receipts_path, "w")) == NULL) {
        perror(options->receipts_path);
        return EXIT_FAILURE;
    }
    int rc = options->bounce ? load_bounce_run(load) : load_games_run(load);
    if (rc < 0)
        fprintf(stderr, "veltrix-load: %s for %u players\n", strerror(-rc), options->players);
    else if ((rc = load_report_final(load)) < 0)
        fprintf(stderr, "veltrix-load: %s: %s\n", options->json_path, strerror(-rc));
    if (load->receipts_file != NULL && fclose(load->receipts_file) != 0) {
        perror(options->receipts_path);
        rc = -1;
    }
    return rc == 0 && run_was_clean(&load->stats) && sessions_were_clean(load) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void load_free(struct load *load)
{
    load_set_free(&load->chests);
    load_set_free(&load->receipts);
    load_set_free(&load->matches);
    free(load->resend.items);
    free(load->ack.items);
    load_netcode_free(load);
    free(load->players);
    free(load->order);
}

int main(int argc, char **argv)
{
    static struct load load; /* histograms are too large for a stack */
    struct vx_error error = { { 0 } };
    int rc = load_options_parse(argc, argv, &load.options, &error);
    if (rc == 1) {
        load_options_usage(stdout);
        return EXIT_SUCCESS;
    }
    if (rc == 0)
        rc = load_device_open(&load, argv[0], &error);
    load.rng.state = load.options.seed;
    if (rc == 0 && load.options.is_netcode)
        rc = load_netcode_create(&load, &error);
    if (rc < 0) {
        fprintf(stderr, "veltrix-load: %s\n", error.text);
        return EXIT_FAILURE;
    }
    signal(SIGINT, stop_request);
    signal(SIGTERM, stop_request);
    int status = load_run(&load);
    load_free(&load);
    load_device_close(&load);
    return status;
}
