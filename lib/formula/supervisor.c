/* The control thread's side of formulas: takes the shared memory, starts the worker, and sees to it
 * that there is one. LuaJIT cannot interrupt a compiled loop, so a formula that does not end is ended
 * together with its process; the batch stays SUBMITTED and the next worker evaluates it, or gives it up
 * when it is the second one that ended there. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "formula_private.h"

enum {
    WORKER_FD = 3,           /* the number under which the worker inherits the memory */
    LOAD_MS_MAX = 5000,
    BATCH_MS_MAX = 1000,     /* 64 jobs take microseconds; a starved control core may take tens of ms */
    RESTART_MS_MIN = 100,    /* a formula that kills every worker must not eat the control core */
    STOP_MS_MAX = 1000,
    NS_PER_MS = 1000000,
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_ms(long ms)
{
    struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS };
    (void)nanosleep(&time, NULL);
}

/* ---- memory ---- */

/* Sealed against shrinking: a worker that truncated the file would kill the daemon with SIGBUS. */
static int memory_map(struct vx_formula *formula, struct vx_error *error)
{
    formula->bytes = formula_shared_bytes(formula->lanes_count);
    formula->fd = memfd_create("vx-formula", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (formula->fd < 0)
        return vx_error_set(error, -errno, "formula memory: memfd_create: %s", strerror(errno));
    if (ftruncate(formula->fd, (off_t)formula->bytes) != 0 ||
        fcntl(formula->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return vx_error_set(error, -errno, "formula memory of %zu bytes: %s", formula->bytes, strerror(errno));
    void *memory = mmap(NULL, formula->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, formula->fd, 0);
    if (memory == MAP_FAILED)
        return vx_error_set(error, -errno, "formula memory of %zu bytes: mmap: %s", formula->bytes, strerror(errno));
    formula->header = memory;
    formula->header->magic = FORMULA_MAGIC;
    formula->header->layout_version = FORMULA_LAYOUT_VERSION;
    formula->header->header_bytes = FORMULA_HEADER_BYTES;
    formula->header->batch_bytes = sizeof(struct formula_batch);
    formula->header->lanes = formula->lanes_count;
    return 0;
}

static void lanes_set(struct vx_formula *formula)
{
    struct formula_batch *batches = (struct formula_batch *)((char *)formula->header + FORMULA_HEADER_BYTES);
    for (uint32_t lane = 0; lane < formula->lanes_count; lane++)
        for (uint32_t kind = 0; kind < VX_FORMULA_KINDS; kind++)
            formula->lanes[lane].kinds[kind].batches = batches + formula_batch_number(lane, kind, 0);
}

static void release(struct vx_formula *formula)
{
    if (formula->header != NULL)
        (void)munmap(formula->header, formula->bytes);
    if (formula->fd >= 0)
        (void)close(formula->fd);
    free(formula);
}

/* ---- the worker process ---- */

/* Its own process group, so that a Ctrl-C meant for the daemon is not its end too; signals as in a
 * new process whatever the daemon blocks or ignores; the memory as WORKER_FD, everything else closed
 * by the worker itself. Returns 0 or a positive errno. */
static int spawn_with(pid_t *pid, char *const argv[], int fd)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return rc;
    }
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    /* dup2 onto another or the same number: either way without close-on-exec. */
    rc = posix_spawn_file_actions_adddup2(&actions, fd, WORKER_FD);
    if (rc == 0)
        rc = posix_spawn(pid, argv[0], &actions, &attributes, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return rc;
}

static int spawn(struct vx_formula *formula)
{
    char fd[16], cpu[16], idle_us[16], parent[16];
    (void)snprintf(fd, sizeof(fd), "%d", WORKER_FD);
    (void)snprintf(cpu, sizeof(cpu), "%d", formula->cpu);
    (void)snprintf(idle_us, sizeof(idle_us), "%u", formula->idle_us);
    (void)snprintf(parent, sizeof(parent), "%d", (int)getpid());
    char *argv[] = { formula->worker_path, "--fd", fd, "--formulas", formula->formula_folder, "--runtime",
                     formula->runtime_folder, "--cpu", cpu, "--idle-us", idle_us, "--parent", parent, NULL };
    /* There is no worker now: nobody else writes these. */
    formula->header->text[0] = '\0';
    atomic_store_explicit(&formula->header->batch_began_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&formula->header->worker_state, FORMULA_WORKER_LOADING, memory_order_release);
    formula->started_ns = now_ns();
    int rc = spawn_with(&formula->pid, argv, formula->fd);
    if (rc != 0) {
        formula->pid = 0;
        return -rc;
    }
    formula->worker_starts++;
    return 0;
}

/* True when the worker has ended; it is reaped then. */
static bool reap(struct vx_formula *formula, int flags)
{
    pid_t reaped;
    do
        reaped = waitpid(formula->pid, &formula->exit_status, flags);
    while (reaped < 0 && errno == EINTR);
    if (reaped == 0)
        return false;
    formula->pid = 0; /* reaped, or (ECHILD) somebody else's wait() has taken it */
    return true;
}

static void kill_and_reap(struct vx_formula *formula)
{
    (void)kill(formula->pid, SIGKILL);
    (void)reap(formula, 0);
}

static uint32_t worker_state(const struct vx_formula *formula)
{
    /* acquire: pairs with the release in the worker's state_set(): text before FAILED. */
    return atomic_load_explicit(&formula->header->worker_state, memory_order_acquire);
}

/* The worker is reaped: its last words, or how it ended when it had none. */
static int start_failed(const struct vx_formula *formula, struct vx_error *error)
{
    int bytes = (int)strnlen(formula->header->text, FORMULA_TEXT_BYTES);
    if (worker_state(formula) == FORMULA_WORKER_FAILED)
        return vx_error_set(error, -EINVAL, "formula worker: %.*s", bytes, formula->header->text);
    if (WIFSIGNALED(formula->exit_status))
        return vx_error_set(error, -ECHILD, "formula worker was ended by signal %d while %.*s", WTERMSIG(formula->exit_status), bytes, formula->header->text);
    return vx_error_set(error, -ECHILD, "formula worker %s ended with status %d before it was ready", formula->worker_path, WEXITSTATUS(formula->exit_status));
}

static int wait_until_ready(struct vx_formula *formula, struct vx_error *error)
{
    while (now_ns() - formula->started_ns < (uint64_t)LOAD_MS_MAX * NS_PER_MS) {
        uint32_t state = worker_state(formula);
        if (state == FORMULA_WORKER_READY)
            return 0;
        if (state == FORMULA_WORKER_FAILED)
            kill_and_reap(formula);
        if (formula->pid == 0 || reap(formula, WNOHANG))
            return start_failed(formula, error);
        sleep_ms(1);
    }
    kill_and_reap(formula);
    return vx_error_set(error, -ETIMEDOUT, "formula worker was not ready after %d ms while %.*s", LOAD_MS_MAX,
                        (int)strnlen(formula->header->text, FORMULA_TEXT_BYTES), formula->header->text);
}

/* ---- the door ---- */

static int config_copy(struct vx_formula *formula, const struct vx_formula_config *config, struct vx_error *error)
{
    const struct {
        char *to;
        const char *from;
    } paths[] = { { formula->worker_path, config->worker_path },
                  { formula->formula_folder, config->formula_folder },
                  { formula->runtime_folder, config->runtime_folder } };
    for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (snprintf(paths[i].to, VX_PATH_BYTES, "%s", paths[i].from) >= VX_PATH_BYTES)
            return vx_error_set(error, -ENAMETOOLONG, "formulas: path %s is longer than %d bytes", paths[i].from, VX_PATH_BYTES - 1);
    formula->cpu = config->cpu;
    formula->idle_us = config->idle_us;
    formula->lanes_count = config->lanes;
    return 0;
}

static int open_all(struct vx_formula *formula, const struct vx_formula_config *config, struct vx_error *error)
{
    int rc = config_copy(formula, config, error);
    if (rc != 0)
        return rc;
    rc = memory_map(formula, error);
    if (rc != 0)
        return rc;
    lanes_set(formula);
    rc = spawn(formula);
    if (rc != 0)
        return vx_error_set(error, rc, "formula worker %s: %s", formula->worker_path, strerror(-rc));
    return wait_until_ready(formula, error);
}

int vx_formula_start(const struct vx_formula_config *config, struct vx_formula **formula, struct vx_error *error)
{
    if (config->lanes == 0 || config->lanes > VX_SHARD_LCORES_MAX)
        return vx_error_set(error, -EINVAL, "formulas: %u lanes, expected 1 to %d", config->lanes, VX_SHARD_LCORES_MAX);
    size_t bytes = sizeof(struct vx_formula) + config->lanes * sizeof(struct formula_lane);
    struct vx_formula *made = aligned_alloc(VX_CACHE_LINE_BYTES, bytes);
    if (made == NULL)
        return vx_error_set(error, -ENOMEM, "formulas: no memory for %u lanes", config->lanes);
    memset(made, 0, bytes);
    made->fd = -1;
    int rc = open_all(made, config, error);
    if (rc != 0) {
        release(made);
        return rc;
    }
    *formula = made;
    return 0;
}

static bool is_stuck(const struct vx_formula *formula)
{
    uint64_t now = now_ns();
    if (worker_state(formula) == FORMULA_WORKER_LOADING)
        return now - formula->started_ns > (uint64_t)LOAD_MS_MAX * NS_PER_MS;
    /* The worker may have begun a batch after `now` was read: signed. */
    uint64_t began = atomic_load_explicit(&formula->header->batch_began_ns, memory_order_relaxed);
    return began != 0 && (int64_t)(now - began) > (int64_t)BATCH_MS_MAX * NS_PER_MS;
}

void vx_formula_supervise(struct vx_formula *formula)
{
    if (formula->pid != 0 && reap(formula, WNOHANG))
        formula->worker_deaths++;
    if (formula->pid != 0 && is_stuck(formula))
        (void)kill(formula->pid, SIGKILL); /* the next call reaps it */
    if (formula->pid == 0 && now_ns() - formula->started_ns >= (uint64_t)RESTART_MS_MIN * NS_PER_MS)
        (void)spawn(formula); /* what fails now is tried again after RESTART_MS_MIN */
}

void vx_formula_counters(const struct vx_formula *formula, struct vx_formula_counters *counters)
{
    *counters = (struct vx_formula_counters){
        .worker_starts = formula->worker_starts,
        .worker_deaths = formula->worker_deaths,
        .worker_pid = formula->pid,
    };
    for (unsigned i = 0; i < VX_FORMULA_KINDS; i++) {
        counters->jobs[i] = vx_counter_read(&formula->header->jobs[i]);
        counters->batches[i] = vx_counter_read(&formula->header->batches[i]);
        counters->busy_ns[i] = vx_counter_read(&formula->header->busy_ns[i]);
        counters->failures[i] = vx_counter_read(&formula->header->failures[i]);
        counters->given_up[i] = vx_counter_read(&formula->header->given_up[i]);
    }
}

void vx_formula_stop(struct vx_formula *formula)
{
    if (formula->pid != 0) {
        (void)kill(formula->pid, SIGTERM);
        for (int ms = 0; ms < STOP_MS_MAX && !reap(formula, WNOHANG); ms++)
            sleep_ms(1);
        if (formula->pid != 0)
            kill_and_reap(formula);
    }
    release(formula);
}
