/* veltrix-formula-worker: started by the daemon (lib/formula/supervisor.c), never by hand. Maps the
 * memory it inherits, loads the formulas, says READY or why not, then answers batches until it is
 * told to stop or its parent is gone. */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker.h"

enum {
    NICE = 5,               /* below the control thread, with which it may share a core */
    TIMER_SLACK_NS = 1000,  /* the default of 50 us would double a sleep of idle_us */
    DATA_BYTES_MAX = 128 << 20, /* formulas keep nothing: the heap is under 1 MB */
};

static volatile sig_atomic_t stop;

static void on_sigterm(int number)
{
    (void)number;
    stop = 1;
}

static int usage(const char *program)
{
    (void)fprintf(stderr, "usage: %s --fd N --formulas FOLDER --runtime FOLDER --cpu N|-1 --idle-us N --parent PID [--trace FILE]\n"
                          "Started by veltrixd. --trace writes down what the JIT compiler does.\n", program);
    return 2;
}

static bool options_read(int argc, char **argv, struct worker_options *options)
{
    static const struct option names[] = {
        { "fd", required_argument, NULL, 'f' }, { "formulas", required_argument, NULL, 'o' },
        { "runtime", required_argument, NULL, 'r' }, { "cpu", required_argument, NULL, 'c' },
        { "idle-us", required_argument, NULL, 'i' }, { "parent", required_argument, NULL, 'p' },
        { "trace", required_argument, NULL, 't' }, { NULL, 0, NULL, 0 },
    };
    *options = (struct worker_options){ .fd = -1, .cpu = -1, .parent = -1 };
    int name;
    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (name) {
        case 'f': options->fd = atoi(optarg); break;
        case 'o': options->formula_folder = optarg; break;
        case 'r': options->runtime_folder = optarg; break;
        case 'c': options->cpu = atoi(optarg); break;
        case 'i': options->idle_us = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'p': options->parent = atoi(optarg); break;
        case 't': options->trace_path = optarg; break;
        default: return false;
        }
    }
    return options->fd > 2 && options->parent > 0 && options->formula_folder != NULL && options->runtime_folder != NULL;
}

/* What the kernel needs to know of us. Where it refuses (a core that is not there, a container's
 * rules), formulas still work, only slower: said on stderr and no more. */
static void process_set(const struct worker_options *options)
{
    (void)prctl(PR_SET_NAME, "vx-formula");
    (void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    (void)setpriority(PRIO_PROCESS, 0, NICE);
#ifndef __SANITIZE_ADDRESS__
    struct rlimit limit = { DATA_BYTES_MAX, DATA_BYTES_MAX };
    (void)setrlimit(RLIMIT_DATA, &limit);
#endif
    if (options->cpu >= 0) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET((unsigned)options->cpu, &cpus);
        if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
            (void)fprintf(stderr, "veltrix-formula-worker: cannot run on cpu %d: %s\n", options->cpu, strerror(errno));
    }
    struct sigaction action = { .sa_handler = on_sigterm };
    (void)sigaction(SIGTERM, &action, NULL);
}

/* The daemon's sockets and devices are none of a formula's business. */
static void close_others(unsigned fd)
{
    if (fd > 3)
        (void)close_range(3, fd - 1, 0);
    (void)close_range(fd + 1, ~0u, 0);
}

static bool memory_map(struct worker *worker)
{
    struct stat file;
    if (fstat(worker->options.fd, &file) != 0 || file.st_size < FORMULA_HEADER_BYTES)
        return false;
    size_t bytes = (size_t)file.st_size;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, worker->options.fd, 0);
    if (memory == MAP_FAILED)
        return false;
    (void)close(worker->options.fd);
    const struct formula_header *header = worker->header = memory;
    worker->batches = (struct formula_batch *)((char *)memory + FORMULA_HEADER_BYTES);
    return header->magic == FORMULA_MAGIC && header->layout_version == FORMULA_LAYOUT_VERSION &&
           header->header_bytes == FORMULA_HEADER_BYTES && header->batch_bytes == sizeof(struct formula_batch) &&
           header->lanes <= VX_SHARD_LCORES_MAX && bytes == formula_shared_bytes(header->lanes);
}

static void state_set(struct worker *worker, uint32_t state)
{
    /* release: text before state; pairs with the acquire in the supervisor's worker_state(). */
    atomic_store_explicit(&worker->header->worker_state, state, memory_order_release);
}

int main(int argc, char **argv)
{
    static struct worker worker;
    if (!options_read(argc, argv, &worker.options))
        return usage(argv[0]);
    /* First the signal, then the look: a parent that ends in between is seen either way. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != worker.options.parent)
        return 1;
    close_others((unsigned)worker.options.fd);
    process_set(&worker.options);
    if (!memory_map(&worker)) {
        (void)fprintf(stderr, "veltrix-formula-worker: fd %d is not formula memory of this build\n", worker.options.fd);
        return 1;
    }
    if (!runtime_load(&worker)) {
        state_set(&worker, FORMULA_WORKER_FAILED);
        return 1;
    }
    state_set(&worker, FORMULA_WORKER_READY);
    serve(&worker, &stop);
    return 0;
}
