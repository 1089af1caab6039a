/* Formulas in the daemon: where their program, runtime and texts are, and what the configuration says of them. */
#include <stdio.h>
#include <unistd.h>

#include "app.h"

/* The worker lies beside this program; in a build tree each program has its folder. The runtime lies beside the formulas. */
static void paths_find(const struct app *app, char worker[VX_PATH_BYTES], char runtime[VX_PATH_BYTES])
{
    (void)snprintf(worker, VX_PATH_BYTES, "%s/veltrix-formula-worker", app->install_folder);
    if (access(worker, X_OK) != 0)
        (void)snprintf(worker, VX_PATH_BYTES, "%s/../veltrix-formula-worker/veltrix-formula-worker", app->install_folder);
    (void)snprintf(runtime, VX_PATH_BYTES, "%s/../runtime", app->config.formulas.folder);
}

int app_formula_start(struct app *app, struct vx_error *error)
{
    char worker[VX_PATH_BYTES], runtime[VX_PATH_BYTES];
    paths_find(app, worker, runtime);
    struct vx_formula_config config = { .worker_path = worker, .runtime_folder = runtime, .lanes = app->shard_lcore_count, .cpu = app->control_cpu,
                                        .idle_us = app->config.formulas.idle_us, .deadline_ms = app->config.formulas.deadline_ms,
                                        .memory_mib = app->config.formulas.memory_mib };
    int rc = vx_formula_program_read(app->config.formulas.folder, &config.program, error);
    if (rc != 0)
        return rc;
    rc = vx_formula_start(&config, &app->formula, error);
    vx_formula_program_free(&config.program);
    return rc;
}
