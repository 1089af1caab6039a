/* One worker process in one seat: started, given its program, watched, ended. Whoever starts it (the control thread,
 * a gate's thread, a program) does all the rest, too. */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "formula_private.h"

enum {
    WORKER_FD = 3,          /* the number under which the worker inherits the memory */
    BATCH_WALL_MS_MAX = 1000, /* a worker that gets no CPU is not stuck, but one that has not moved for so long is no use */
    STOP_MS_MAX = 1000,
    WAIT_STEP_US = 100,
    DEADLINE_MS = 5,        /* 64 jobs take microseconds, interpreted ones tens of them */
    MEMORY_MIB = 16,        /* five formulas take 2 */
    LOAD_MS = 2000,
};
#define NS_PER_MS 1000000ull

uint64_t formula_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void formula_sleep_us(long us)
{
    struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
    (void)nanosleep(&time, NULL);
}

/* An installation is found from where the program that asks lies (PREFIX/bin or PREFIX/sbin), so that it may be moved as a whole. */
static bool beside_us(const char *between, const char *name, int mode, char path[VX_PATH_BYTES])
{
    char own[VX_PATH_BYTES];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[length > 0 ? length : 0] = '\0';
    char *end = strrchr(own, '/');
    if (end != NULL)
        *end = '\0';
    return snprintf(path, VX_PATH_BYTES, "%s%s%s", own, between, name) < VX_PATH_BYTES && access(path, mode) == 0;
}

bool vx_formula_worker_find(char path[VX_PATH_BYTES])
{
    static const char name[] = "/veltrix-formula-worker";
    return beside_us("/../" VELTRIX_LIBEXEC, name, X_OK, path) || beside_us("/../veltrix-formula-worker", name, X_OK, path);
}

bool vx_formula_data_find(const char *name, char path[VX_PATH_BYTES])
{
    return beside_us("/../" VELTRIX_DATA "/", name, R_OK, path);
}

int formula_launch_set(struct formula_launch *launch, const char *worker_path, const char *runtime_folder, struct vx_error *error)
{
    const struct {
        char *to;
        const char *from;
    } paths[] = { { launch->worker_path, worker_path }, { launch->runtime_folder, runtime_folder } };
    for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (snprintf(paths[i].to, VX_PATH_BYTES, "%s", paths[i].from) >= VX_PATH_BYTES)
            return vx_error_set(error, -ENAMETOOLONG, "formulas: path %s is longer than %d bytes", paths[i].from, VX_PATH_BYTES - 1);
    launch->deadline_ms = launch->deadline_ms != 0 ? launch->deadline_ms : DEADLINE_MS;
    launch->memory_mib = launch->memory_mib != 0 ? launch->memory_mib : MEMORY_MIB;
    launch->load_ms = launch->load_ms != 0 ? launch->load_ms : LOAD_MS;
    return 0;
}

/* ---- start ---- */

/* Its own process group, so that a Ctrl-C meant for the daemon is not its end too; signals as in a new process
 * whatever the daemon blocks or ignores; the memory as WORKER_FD, everything else closed by the worker itself.
 * Returns 0 or a positive errno. */
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

int formula_process_start(struct formula_process *process, const struct formula_memory *memory, uint32_t seat, const struct formula_launch *launch,
                          struct vx_error *error)
{
    char numbers[6][16];
    const long values[] = { WORKER_FD, seat, launch->cpu, launch->idle_us, launch->memory_mib, getpid() };
    for (unsigned i = 0; i < 6; i++)
        (void)snprintf(numbers[i], sizeof(numbers[i]), "%ld", values[i]);
    char *argv[] = { (char *)launch->worker_path, "--fd", numbers[0], "--seat", numbers[1], "--cpu", numbers[2], "--idle-us", numbers[3], "--memory-mib",
                     numbers[4], "--parent", numbers[5], "--runtime", (char *)launch->runtime_folder, launch->trial ? "--trial" : NULL, NULL };
    struct formula_seat *shared = &memory->header->seats[seat];
    /* There is no worker now: nobody else writes these. */
    shared->text[0] = '\0';
    shared->trial = launch->trial;
    atomic_store_explicit(&shared->batch_began_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&shared->command, FORMULA_COMMAND_NONE, memory_order_relaxed);
    atomic_store_explicit(&shared->state, FORMULA_WORKER_STARTING, memory_order_release);
    *process = (struct formula_process){ .started_ns = formula_now_ns() };
    int rc = spawn_with(&process->pid, argv, memory->fd);
    if (rc == 0)
        return 0;
    process->pid = 0;
    return vx_error_set(error, -rc, "formula worker %s: %s", launch->worker_path, strerror(rc));
}

/* ---- its end ---- */

static bool reap(struct formula_process *process, int flags)
{
    pid_t reaped;
    do
        reaped = waitpid(process->pid, &process->exit_status, flags);
    while (reaped < 0 && errno == EINTR);
    if (reaped == 0)
        return false;
    process->pid = 0; /* reaped, or (ECHILD) somebody else's wait() has taken it */
    return true;
}

bool formula_process_reap(struct formula_process *process)
{
    return process->pid != 0 && reap(process, WNOHANG);
}

void formula_process_kill(struct formula_process *process)
{
    if (process->pid == 0)
        return;
    (void)kill(process->pid, SIGKILL);
    (void)reap(process, 0);
}

void formula_process_stop(struct formula_process *process)
{
    if (process->pid == 0)
        return;
    (void)kill(process->pid, SIGTERM);
    for (int ms = 0; ms < STOP_MS_MAX && !reap(process, WNOHANG); ms++)
        formula_sleep_us(1000);
    formula_process_kill(process);
}

void formula_process_end(const struct formula_process *process, uint32_t deadline_ms, char *what, size_t bytes)
{
    if (process->killed_stuck)
        (void)snprintf(what, bytes, "did not end within %u ms", deadline_ms);
    else if (WIFSIGNALED(process->exit_status))
        (void)snprintf(what, bytes, "was ended by signal %d", WTERMSIG(process->exit_status));
    else if (WEXITSTATUS(process->exit_status) == FORMULA_EXIT_MEMORY)
        (void)snprintf(what, bytes, "exhausted its memory");
    else if (WEXITSTATUS(process->exit_status) == FORMULA_EXIT_STACK)
        (void)snprintf(what, bytes, "overflowed its stack");
    else
        (void)snprintf(what, bytes, "ended with status %d", WEXITSTATUS(process->exit_status));
}

/* ---- its state ---- */

uint32_t formula_process_state(const struct formula_memory *memory, uint32_t seat)
{
    /* acquire: pairs with the release in the worker's state_set(): text before FAILED, declarations before READY. */
    return atomic_load_explicit(&memory->header->seats[seat].state, memory_order_acquire);
}

const char *formula_process_words(const struct formula_memory *memory, uint32_t seat, char words[FORMULA_TEXT_BYTES])
{
    memcpy(words, memory->header->seats[seat].text, FORMULA_TEXT_BYTES);
    words[FORMULA_TEXT_BYTES - 1] = '\0';
    return words[0] != '\0' ? words : "starting";
}

/* The worker is reaped: its last words, or how it ended when it had none. */
static int why_failed(const struct formula_process *process, const struct formula_memory *memory, uint32_t seat, struct vx_error *error)
{
    char words[FORMULA_TEXT_BYTES], what[64];
    if (formula_process_state(memory, seat) == FORMULA_WORKER_FAILED)
        return vx_error_set(error, -EINVAL, "%s", formula_process_words(memory, seat, words));
    formula_process_end(process, 0, what, sizeof(what));
    return vx_error_set(error, -ECHILD, "the formula worker %s while %s", what, formula_process_words(memory, seat, words));
}

int formula_process_wait(struct formula_process *process, const struct formula_memory *memory, uint32_t seat, uint32_t state, uint32_t ms, struct vx_error *error)
{
    uint64_t began_ns = formula_now_ns();
    while (formula_now_ns() - began_ns < ms * NS_PER_MS) {
        uint32_t now = formula_process_state(memory, seat);
        if (now == state)
            return 0;
        if (now == FORMULA_WORKER_FAILED)
            formula_process_kill(process);
        if (process->pid == 0 || formula_process_reap(process))
            return why_failed(process, memory, seat, error);
        formula_sleep_us(WAIT_STEP_US);
    }
    formula_process_kill(process);
    char words[FORMULA_TEXT_BYTES];
    return vx_error_set(error, -ETIMEDOUT, "the formula worker was not ready after %u ms while %s", ms, formula_process_words(memory, seat, words));
}

/* ---- its orders ---- */

void formula_process_command(const struct formula_memory *memory, uint32_t seat, uint32_t command)
{
    _Atomic uint32_t *word = &memory->header->seats[seat].command;
    /* release: texts before the command; pairs with the acquire in the worker's command_take(). */
    atomic_store_explicit(word, command, memory_order_release);
    (void)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void formula_process_load(const struct formula_memory *memory, uint32_t seat, const struct vx_formula_program *program)
{
    struct formula_seat *shared = &memory->header->seats[seat];
    for (unsigned kind = 0; kind < VX_FORMULA_KINDS; kind++) {
        const struct vx_formula_text *from = &program->texts[kind];
        struct formula_program_text *to = &shared->programs[kind];
        VX_ASSERT(from->bytes <= VX_FORMULA_TEXT_BYTES_MAX);
        to->bytes = from->text != NULL ? from->bytes : 0;
        (void)snprintf(to->name, sizeof(to->name), "%s", from->text != NULL ? from->name : "");
        if (to->bytes > 0)
            memcpy(to->text, from->text, to->bytes);
    }
    atomic_store_explicit(&shared->state, FORMULA_WORKER_LOADING, memory_order_relaxed);
    formula_process_command(memory, seat, FORMULA_COMMAND_LOAD);
}

/* ---- its batch ---- */

/* Of the whole process, in user and kernel; 0 when it cannot be read: it is about to end. */
static uint64_t cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0)
        return 0;
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

bool formula_process_stuck(struct formula_process *process, const struct formula_memory *memory, uint32_t seat, uint32_t deadline_ms)
{
    uint64_t began_ns = atomic_load_explicit(&memory->header->seats[seat].batch_began_ns, memory_order_relaxed);
    if (began_ns == 0)
        return false;
    if (process->watched_began_ns != began_ns) { /* seen for the first time: its CPU time counts from here */
        process->watched_began_ns = began_ns;
        process->watched_cpu_ns = cpu_ns(process->pid);
        return false;
    }
    /* Signed: the worker may have begun a batch after the clock was read, and its CPU clock ends with it. */
    process->killed_stuck = (int64_t)(cpu_ns(process->pid) - process->watched_cpu_ns) > (int64_t)(deadline_ms * NS_PER_MS) ||
                            (int64_t)(formula_now_ns() - began_ns) > (int64_t)(BATCH_WALL_MS_MAX * NS_PER_MS);
    return process->killed_stuck;
}
