/* What a worker may not do. Its program is text from outside: should it ever get out of Lua, it finds a process that
 * can open, connect to, start and signal nothing, and that the kernel ends when it tries. */
#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "worker.h"

enum {
    DATA_MIB_BESIDE_HEAP = 64, /* machine code, libc, the stack of the process */
    PROBE_BYTES = 4096,
};

/* systemd's MemoryDenyWriteExecute=, PR_SET_MDWE and SELinux's execmem all refuse this; LuaJIT would silently go on with its
 * interpreter, a hundred times slower. */
bool sandbox_can_compile(void)
{
    void *page = mmap(NULL, PROBE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return false;
    bool can = mprotect(page, PROBE_BYTES, PROT_READ | PROT_EXEC) == 0;
    (void)munmap(page, PROBE_BYTES);
    return can;
}

static void limits_set(const struct worker_options *options)
{
    rlim_t data = (rlim_t)(3 * options->memory_mib + 64 + DATA_MIB_BESIDE_HEAP) << 20; /* heap.c's arena is twice the limit and up to two segments */
    const struct {
        __rlimit_resource_t what;
        rlim_t most;
    } limits[] = { { RLIMIT_DATA, data }, { RLIMIT_NOFILE, 0 }, { RLIMIT_CORE, 0 } };
    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct rlimit limit = { limits[i].most, limits[i].most };
        (void)setrlimit(limits[i].what, &limit); /* what it cannot set the filter below forbids anyway */
    }
}

/* Serving needs the clock, sleeping, the futex and memory; ending needs the last line. Writing goes to standard error (and to the
 * compiler's log, when there is one) and nowhere else; signals to itself, for abort(). */
static int filter_fill(scmp_filter_ctx filter, const struct worker_options *options)
{
    static const int free_calls[] = { SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(futex), SCMP_SYS(munmap),
                                      SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(getcpu), SCMP_SYS(sched_yield), SCMP_SYS(restart_syscall),
                                      SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group) };
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < sizeof(free_calls) / sizeof(free_calls[0]); i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, free_calls[i], 0);
    if (rc == 0) /* memory, but no file in it */
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO));
    if (rc == 0 && options->trace_fd >= 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)options->trace_fd));
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    return rc;
}

bool sandbox_enter(const struct worker_options *options)
{
    limits_set(options);
    (void)prctl(PR_SET_DUMPABLE, 0);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL)
        return false;
    int rc = filter_fill(filter, options);
    if (rc == 0)
        rc = seccomp_load(filter); /* sets no_new_privs first */
    seccomp_release(filter);
    errno = -rc;
    return rc == 0;
}
