/* formula: the worker's sandbox.c in a child process: what serving needs works, and everything else ends the process. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vx_test.h"
#include "worker.h"

enum { WENT_WELL = 40 };

/* Runs `act` inside the sandbox in a child; its status as waitpid() gives it. */
static int inside(int (*act)(void))
{
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        const struct worker_options options = { .memory_mib = 16, .trace_fd = -1 };
        if (!sandbox_enter(&options))
            _exit(1);
        _exit(act());
    }
    int status = 0;
    CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
    return status;
}

static int serving(void)
{
    struct timespec now, pause = { 0, 1000 };
    char *page = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || clock_gettime(CLOCK_MONOTONIC, &now) != 0 || nanosleep(&pause, NULL) != 0)
        return 1;
    page[0] = (char)0xc3; /* ret */
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0 || munmap(page, 1 << 20) != 0)
        return 2;
    return write(STDERR_FILENO, "", 0) == 0 ? WENT_WELL : 3;
}

static void serving_is_allowed(void)
{
    int status = inside(serving);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == WENT_WELL);
}

static int do_open(void)
{
    return open("/etc/passwd", O_RDONLY);
}
static int do_create(void)
{
    return open("/tmp/veltrix-escaped", O_WRONLY | O_CREAT, 0600);
}
static int do_socket(void)
{
    return socket(AF_INET, SOCK_DGRAM, 0);
}
static int do_unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}
static int do_exec(void)
{
    char *argv[] = { (char *)"/bin/true", NULL };
    return execv(argv[0], argv);
}
static int do_fork(void)
{
    return fork() < 0;
}
static int do_kill(void)
{
    return kill(getpid() == 1 ? 2 : 1, 0);
}
static int do_ptrace(void)
{
    return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}
static int do_read(void)
{
    char byte;
    return (int)read(STDIN_FILENO, &byte, 1);
}
static int do_write_elsewhere(void)
{
    return (int)write(STDOUT_FILENO, "x", 1);
}
static int do_map_file(void)
{
    return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0) == MAP_FAILED;
}
static int do_unlink(void)
{
    return unlink("/tmp/veltrix-nothing");
}
static int do_setuid(void)
{
    return setuid(getuid());
}

static void everything_else_ends_the_process(void)
{
    static const struct {
        const char *what;
        int (*act)(void);
    } forbidden[] = {
        { "open", do_open },     { "create", do_create }, { "socket", do_socket }, { "unix socket", do_unix_socket },         { "exec", do_exec },
        { "fork", do_fork },     { "kill", do_kill },     { "ptrace", do_ptrace }, { "write elsewhere", do_write_elsewhere }, { "read", do_read },
        { "map a file", do_map_file }, { "unlink", do_unlink }, { "setuid", do_setuid },
    };
    for (unsigned i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        int status = inside(forbidden[i].act);
        bool ended = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
        CU_ASSERT(ended);
        if (!ended)
            (void)fprintf(stderr, "\n    %s: status %#x\n", forbidden[i].what, (unsigned)status);
    }
}

static int take_memory(void)
{
    for (size_t mib = 0; mib < 1024; mib += 16)
        if (mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
            return mib < 256 ? WENT_WELL : 1;
    return 2;
}

static void memory_is_bounded(void)
{
    int status = inside(take_memory);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == WENT_WELL);
}

static int abort_now(void)
{
    abort();
}

/* An assertion that fails says so by its signal, not by the filter's. */
static void abort_is_an_abort(void)
{
    int status = inside(abort_now);
    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "serving is allowed", serving_is_allowed },
        { "everything else ends the process", everything_else_ends_the_process },
        { "memory is bounded", memory_is_bounded },
        { "abort is an abort", abort_is_an_abort },
    };
    return vx_test_main("formula_sandbox", tests, sizeof(tests) / sizeof(tests[0]));
}
