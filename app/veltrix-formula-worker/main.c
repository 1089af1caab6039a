/* veltrix-formula-worker: started by lib/formula/process.c, never by hand. Maps the memory it inherits, reads its runtime, gives up
 * everything it will not need, and waits in its seat for a program; loads it, says READY or why not, then answers
 * batches until it is told to stop or its parent is gone. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker.h"

enum {
    NICE = 5,               /* below the control thread, with which it may share a core … */
    NICE_TRIAL = 19,        /* … and trials below everything */
    TIMER_SLACK_NS = 1000,  /* the default of 50 us would double a sleep of idle_us */
};

static struct worker worker;

static void on_sigterm(int number)
{
    (void)number;
    worker.stop = 1;
}

static int usage(const char *program)
{
    (void)fprintf(stderr, "usage: %s --fd N --seat N --runtime FOLDER --cpu N|-1 --idle-us N --memory-mib N --parent PID [--trial] [--trace FILE]\n"
                          "Started by veltrixd and veltrix-formula. --trace writes down what the JIT compiler does.\n", program);
    return 2;
}

static bool options_read(int argc, char **argv, struct worker_options *options)
{
    static const struct option names[] = {
        { "fd", required_argument, NULL, 'f' },      { "seat", required_argument, NULL, 's' },       { "runtime", required_argument, NULL, 'r' },
        { "cpu", required_argument, NULL, 'c' },     { "idle-us", required_argument, NULL, 'i' },    { "memory-mib", required_argument, NULL, 'm' },
        { "parent", required_argument, NULL, 'p' },  { "trace", required_argument, NULL, 't' },      { "trial", no_argument, NULL, 'T' },
        { NULL, 0, NULL, 0 },
    };
    *options = (struct worker_options){ .fd = -1, .cpu = -1, .parent = -1, .trace_fd = -1 };
    int name;
    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (name) {
        case 'f': options->fd = atoi(optarg); break;
        case 's': options->seat = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'r': options->runtime_folder = optarg; break;
        case 'c': options->cpu = atoi(optarg); break;
        case 'i': options->idle_us = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'm': options->memory_mib = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'p': options->parent = atoi(optarg); break;
        case 't': options->trace_fd = open(optarg, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644); break;
        case 'T': options->trial = true; break;
        default: return false;
        }
    }
    return options->fd > 2 && options->seat < FORMULA_SEATS && options->parent > 0 && options->runtime_folder != NULL && options->memory_mib >= 1 &&
           options->memory_mib <= 4096;
}

/* What the kernel needs to know of us. Where it refuses (a core that is not there, a container's
 * rules), formulas still work, only slower: said on stderr and no more. */
static void process_set(const struct worker_options *options)
{
    (void)prctl(PR_SET_NAME, options->trial ? "vx-trial" : "vx-formula");
    (void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    (void)setpriority(PRIO_PROCESS, 0, options->trial ? NICE_TRIAL : NICE);
    if (options->cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(options->cpu, &set);
        if (sched_setaffinity(0, sizeof(set), &set) != 0)
            (void)fprintf(stderr, "veltrix-formula-worker: cpu %d: %s\n", options->cpu, strerror(errno));
    }
    struct sigaction action = { .sa_handler = on_sigterm };
    (void)sigaction(SIGTERM, &action, NULL);
}

/* The daemon's sockets and devices are none of a formula's business. */
static void close_others(const struct worker_options *options)
{
    for (unsigned first = 3; first != 0;) {
        unsigned next = ~0u;
        const int kept[] = { options->fd, options->trace_fd };
        for (unsigned i = 0; i < 2; i++)
            if (kept[i] >= (int)first && (unsigned)kept[i] < next)
                next = (unsigned)kept[i];
        if (next > first)
            (void)close_range(first, next == ~0u ? next : next - 1, 0);
        first = next == ~0u ? 0 : next + 1;
    }
}

static bool memory_map(void)
{
    struct stat file;
    if (fstat(worker.options.fd, &file) != 0 || file.st_size < FORMULA_HEADER_BYTES)
        return false;
    size_t bytes = (size_t)file.st_size;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, worker.options.fd, 0);
    if (memory == MAP_FAILED)
        return false;
    (void)close(worker.options.fd);
    struct formula_header *header = worker.header = memory;
    worker.seat = &header->seats[worker.options.seat];
    worker.batches = formula_batches(header);
    return header->magic == FORMULA_MAGIC && header->layout_version == FORMULA_LAYOUT_VERSION && header->seat_bytes == sizeof(struct formula_seat) &&
           header->batch_bytes == sizeof(struct formula_batch) && header->lanes <= VX_SHARD_LCORES_MAX && bytes == formula_shared_bytes(header->lanes);
}

static void state_set(uint32_t state)
{
    /* release: text before state, declarations before READY; pairs with the acquire in formula_process_state(). */
    atomic_store_explicit(&worker.seat->state, state, memory_order_release);
}

static bool fail(const char *text)
{
    (void)snprintf(worker.seat->text, sizeof(worker.seat->text), "%s", text);
    return false;
}

static bool prepare(void)
{
    if (!sandbox_can_compile())
        return fail("the system forbids making code of written memory (systemd's MemoryDenyWriteExecute=, PR_SET_MDWE or SELinux's execmem), "
                    "and without its compiler LuaJIT costs a hundred times as much");
    if (!heap_create(&worker.heap, worker.options.memory_mib))
        return fail("no memory for the Lua heap");
    if (!runtime_start(&worker))
        return false;
#ifndef __SANITIZE_ADDRESS__ /* which opens, maps and asks a lot at its end */
    if (!sandbox_enter(&worker.options))
        return fail("the kernel refuses the system call filter (CONFIG_SECCOMP_FILTER)");
#endif
    return true;
}

/* Waits for the order to load; false when the order is to stop. */
static bool load_wait(void)
{
    _Atomic uint32_t *command = &worker.seat->command;
    /* acquire: pairs with the release in formula_process_command(): texts before the command. */
    while (!worker.stop && atomic_load_explicit(command, memory_order_acquire) != FORMULA_COMMAND_LOAD)
        (void)syscall(SYS_futex, command, FUTEX_WAIT, FORMULA_COMMAND_NONE, NULL, NULL, 0);
    atomic_store_explicit(command, FORMULA_COMMAND_NONE, memory_order_relaxed);
    return !worker.stop;
}

int main(int argc, char **argv)
{
    if (!options_read(argc, argv, &worker.options))
        return usage(argv[0]);
    /* First the signal, then the look: a parent that ends in between is seen either way. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != worker.options.parent)
        return 1;
    close_others(&worker.options);
    process_set(&worker.options);
    if (!memory_map()) {
        (void)fprintf(stderr, "veltrix-formula-worker: fd %d is not formula memory of this build\n", worker.options.fd);
        return 1;
    }
    if (!prepare()) {
        state_set(FORMULA_WORKER_FAILED);
        return 1;
    }
    state_set(FORMULA_WORKER_SPARE);
    if (!load_wait())
        return 0;
    if (!runtime_load(&worker)) {
        state_set(FORMULA_WORKER_FAILED);
        _exit(1);
    }
    state_set(FORMULA_WORKER_READY);
    serve(&worker);
    _exit(0); /* nothing to write, and closing what is open is not allowed any more */
}
