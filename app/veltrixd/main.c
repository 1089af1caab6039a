/* veltrixd: arguments, start-up in order, the control thread's loop, stop in reverse order.
 * Exit: 0 stopped cleanly and every account balances, 1 could not start, 2 usage, 3 accounts do not balance. */
#include <errno.h>
#include <getopt.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "metrics.h"
#include "rates.h"
#include "vx_log.h"

enum { CONTROL_POLL_MS = 5, DRAIN_MS_MIN = 20, DRAIN_MS_MAX = 3000, GOODBYE_MS_MAX = 2000 };

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

static int usage(FILE *to)
{
    (void)fprintf(to, "usage: veltrixd --config FILE [--no-huge]   run the appliance\n"
                      "       veltrixd --check FILE                 check a configuration and do nothing else\n"
                      "       veltrixd --commands                   print the control socket's commands as JSON\n"
                      "       veltrixd --print settings|drops|states|metrics  print a table of the documentation\n");
    return to == stdout ? 0 : 2;
}

static int print_commands(void)
{
    json_t *help = vx_control_help(app_commands, "");
    int rc = json_dumpf(help, stdout, JSON_INDENT(1));
    json_decref(help);
    return printf("\n") < 0 || rc != 0;
}

static int wait_ready(struct app *app, struct vx_error *error)
{
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        int state;
        while ((state = __atomic_load_n(&app->lcores[i].state, __ATOMIC_ACQUIRE)) == 0)
            (void)usleep(1000);
        if (state < 0)
            return vx_error_set(error, -ENOMEM, "lcore %u: %s", app->lcores[i].id, app->lcores[i].error.text);
    }
    return 0;
}

static int start(struct app *app, const char *program, struct vx_error *error)
{
    int rc = app_control_start(app, error);
    if (rc == 0)
        rc = app_metrics_start(app, error);
    app_telemetry_prepare();
    if (rc == 0)
        rc = app_eal_init(app, program, error);
    if (rc == 0)
        rc = app_telemetry_start(error);
    if (rc == 0)
        rc = app_setup(app, error);
    for (uint32_t i = 0; rc == 0 && i < app->lcore_count; i++)
        rc = rte_eal_remote_launch(app_lcore_main, &app->lcores[i], app->lcores[i].id);
    if (rc == 0)
        rc = wait_ready(app, error);
    return rc;
}

static uint64_t pending(const struct app *app)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < app->lcore_count; i++)
        if (app->lcores[i].shards != NULL)
            total += vx_shard_lcore_pending(app->lcores[i].shards);
    return total;
}

/* One turn of the control thread. */
static void turn(struct app *app)
{
    app_watch_turn(app);
    app_rates_tick(app);
    app_trace_turn(app);
    app_capture_turn(app);
    vx_control_poll(app->control, CONTROL_POLL_MS);
    app_metrics_turn(app);
    app_telemetry_turn(app);
    vx_formula_supervise(app->formula);
    app_formula_turn(app);
}

static void drain(struct app *app)
{
    (void)sd_notify(0, "STOPPING=1");
    app_drain_shards(app);
    uint64_t began = rte_rdtsc(), ms;
    while ((ms = (rte_rdtsc() - began) * 1000 / app->cycles_per_s) < DRAIN_MS_MAX && (ms < DRAIN_MS_MIN || pending(app) > 0)) {
        app_watch_turn(app);
        vx_control_poll(app->control, CONTROL_POLL_MS);
        vx_formula_supervise(app->formula);
    }
    app_netcode_goodbye(app);
    for (began = rte_rdtsc(); rte_rdtsc() - began < app->cycles_per_s / 1000 * GOODBYE_MS_MAX && !app_netcode_goodbye_done(app);)
        vx_control_poll(app->control, CONTROL_POLL_MS);
    vx_log(VX_LOG_NOTICE, "stop", NULL, "drained in %lu ms, %lu events, jobs and grants left", ms, pending(app));
}

static int serve(struct app *app, struct vx_error *error)
{
    __atomic_store_n(&app->go, 1, __ATOMIC_RELEASE); /* acquired by app_lcore_main */
    int rc = app_watch_start(app, error);
    if (rc != 0)
        return rc;
    (void)printf("veltrixd: ready, %u shards on %u lcores, %u io lcores, epoch %u%s\n", app->config.shards.count, app->shard_lcore_count, app->io_count,
                 app->epoch, app->no_huge ? ", no hugepages" : "");
    (void)fflush(stdout);
    (void)sd_notify(0, "READY=1");
    while (!stop_asked && !app_shutdown_due(app)) {
        turn(app);
        app_config_tick(app);
        app_ports_watch(app);
        app_netcode_watch(app);
    }
    drain(app);
    app_capture_stop(app);
    app_watch_stop(app);
    return 0;
}

static int run(struct app *app, const char *program)
{
    struct vx_error error = { "" };
    struct sigaction action = { .sa_handler = on_signal };
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    vx_log_open("veltrixd");
    vx_log_level_set((enum vx_log_level)app->config.log_level);
    app_crash_reports();
    int rc = start(app, program, &error);
    if (rc == 0)
        rc = serve(app, &error);
    if (rc != 0)
        vx_log(VX_LOG_ERROR, "start", NULL, "%s", error.text);
    __atomic_store_n(&app->stop, 1, __ATOMIC_RELAXED);
    if (app->cycles_per_s != 0) /* EAL has started */
        rte_eal_mp_wait_lcore();
    bool balanced = rc != 0 || app_accounts_balance(app, true);
    app_metrics_stop(app);
    if (app->control != NULL)
        vx_control_destroy(app->control);
    app_teardown(app);
    return rc != 0 ? 1 : balanced ? 0 : 3;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' }, { "check", required_argument, NULL, 'k' }, { "no-huge", no_argument, NULL, 'n' },
        { "help", no_argument, NULL, 'h' },         { "commands", no_argument, NULL, 'l' },   { "print", required_argument, NULL, 'p' },
        { NULL, 0, NULL, 0 },
    };
    static struct app app;
    struct vx_error error;
    bool check = false;
    for (int option; (option = getopt_long(argc, argv, "c:k:nh", options, NULL)) != -1;) {
        switch (option) {
        case 'k':
            check = true; /* fall through */
        case 'c':
            app.config_path = optarg;
            break;
        case 'n':
            app.no_huge = true;
            break;
        case 'h':
            return usage(stdout);
        case 'l':
            return print_commands();
        case 'p':
            return app_print_table(optarg) ? 0 : usage(stderr);
        default:
            return usage(stderr);
        }
    }
    if (app.config_path == NULL || optind != argc)
        return usage(stderr);
#ifdef __x86_64__
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("fma")) {
        (void)fprintf(stderr, "veltrixd: this CPU has no AVX2, BMI2 and FMA (x86-64-v3), for which it is built; change -march in meson.build and build again\n");
        return 1;
    }
#endif
    if (vx_config_load(app.config_path, &app.config, &error) != 0) {
        (void)fprintf(stderr, "veltrixd: %s\n", error.text);
        return 1;
    }
    if (app_netcode_check(&app.config, &error) != 0) {
        (void)fprintf(stderr, "veltrixd: %s: %s\n", app.config_path, error.text);
        return 1;
    }
    app.saved = app.config;
    if (check) {
        (void)printf("%s: good\n", app.config_path);
        return 0;
    }
    return run(&app, argv[0]);
}
