/* The interposers. Outside of a stretch, and on other threads, they only pass on. */
#include "counted.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <mimalloc.h>
#include <rte_malloc.h>

enum { EARLY_BYTES = 65536 };
static _Thread_local struct counted *current;
static _Thread_local volatile char dispatch = SYSCALL_DISPATCH_FILTER_ALLOW;
static bool watches;

/* dlsym() itself allocates before it has found anything: from here, and for ever. */
static char early[EARLY_BYTES] __attribute__((aligned(16)));
static size_t early_used;

static bool is_early(const void *memory)
{
    return (const char *)memory >= early && (const char *)memory < early + EARLY_BYTES;
}

static void *early_take(size_t bytes)
{
    void *memory = early + early_used;
    early_used += (bytes + 15) & ~(size_t)15;
    if (early_used > EARLY_BYTES)
        abort();
    return memory;
}

static void note(uint64_t *counter, const char *name)
{
    (*counter)++;
    if (current->first == NULL)
        current->first = name;
}

static void note_allocation(const char *name)
{
    if (current != NULL)
        note(&current->allocations, name);
}

static void note_free(const char *name)
{
    if (current != NULL)
        note(&current->frees, name);
}

/* The next definition of a function: NULL while it is being looked for. */
#define NEXT(name)                                           \
    static __typeof__(&name) next;                           \
    static bool looking;                                     \
    if (next == NULL && !looking) {                          \
        looking = true;                                      \
        next = (__typeof__(&name))dlsym(RTLD_NEXT, #name);   \
        looking = false;                                     \
    }
/* result, name, declared arguments, passed arguments */
#define ALLOCATES(result, name, declared, passed) \
    result name declared                          \
    {                                             \
        NEXT(name)                                \
        note_allocation(#name);                   \
        return next passed;                       \
    }
#define FREES(result, name, declared, passed) \
    result name declared                      \
    {                                         \
        NEXT(name)                            \
        note_free(#name);                     \
        return next passed;                   \
    }

void *malloc(size_t bytes)
{
    NEXT(malloc)
    note_allocation("malloc");
    return next == NULL ? early_take(bytes) : next(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    NEXT(calloc)
    note_allocation("calloc");
    return next == NULL ? early_take(count * bytes) : next(count, bytes); /* never used before: zeroed */
}

void *realloc(void *memory, size_t bytes)
{
    NEXT(realloc)
    note_allocation("realloc");
    return next(memory, bytes);
}

void free(void *memory)
{
    NEXT(free)
    note_free("free");
    if (memory != NULL && !is_early(memory))
        next(memory);
}

ALLOCATES(void *, aligned_alloc, (size_t alignment, size_t bytes), (alignment, bytes))
ALLOCATES(void *, memalign, (size_t alignment, size_t bytes), (alignment, bytes))
ALLOCATES(int, posix_memalign, (void **memory, size_t alignment, size_t bytes), (memory, alignment, bytes))
ALLOCATES(void *, reallocarray, (void *memory, size_t count, size_t bytes), (memory, count, bytes))
ALLOCATES(void *, mmap64, (void *at, size_t bytes, int protection, int flags, int fd, off64_t offset), (at, bytes, protection, flags, fd, offset))
/* The same under the name that programs with a 32-bit off_t in mind use; the headers may have renamed it here. */
void *mmap_by_name(void *at, size_t bytes, int protection, int flags, int fd, off64_t offset) __asm__("mmap");
void *mmap_by_name(void *at, size_t bytes, int protection, int flags, int fd, off64_t offset)
{
    return mmap64(at, bytes, protection, flags, fd, offset);
}
ALLOCATES(int, brk, (void *at), (at))
ALLOCATES(void *, sbrk, (intptr_t bytes), (bytes))
FREES(int, munmap, (void *at, size_t bytes), (at, bytes))

ALLOCATES(void *, mi_malloc, (size_t bytes), (bytes))
ALLOCATES(void *, mi_zalloc, (size_t bytes), (bytes))
ALLOCATES(void *, mi_calloc, (size_t count, size_t bytes), (count, bytes))
ALLOCATES(void *, mi_realloc, (void *memory, size_t bytes), (memory, bytes))
ALLOCATES(void *, mi_malloc_aligned, (size_t bytes, size_t alignment), (bytes, alignment))
ALLOCATES(void *, mi_zalloc_aligned, (size_t bytes, size_t alignment), (bytes, alignment))
ALLOCATES(void *, mi_heap_malloc, (mi_heap_t *heap, size_t bytes), (heap, bytes))
ALLOCATES(void *, mi_heap_zalloc, (mi_heap_t *heap, size_t bytes), (heap, bytes))
ALLOCATES(void *, mi_heap_malloc_aligned, (mi_heap_t *heap, size_t bytes, size_t alignment), (heap, bytes, alignment))
ALLOCATES(void *, mi_heap_zalloc_aligned, (mi_heap_t *heap, size_t bytes, size_t alignment), (heap, bytes, alignment))
FREES(void, mi_free, (void *memory), (memory))

ALLOCATES(void *, rte_malloc, (const char *type, size_t bytes, unsigned align), (type, bytes, align))
ALLOCATES(void *, rte_zmalloc, (const char *type, size_t bytes, unsigned align), (type, bytes, align))
ALLOCATES(void *, rte_calloc, (const char *type, size_t count, size_t bytes, unsigned align), (type, count, bytes, align))
ALLOCATES(void *, rte_realloc, (void *memory, size_t bytes, unsigned align), (memory, bytes, align))
ALLOCATES(void *, rte_malloc_socket, (const char *type, size_t bytes, unsigned align, int socket), (type, bytes, align, socket))
ALLOCATES(void *, rte_zmalloc_socket, (const char *type, size_t bytes, unsigned align, int socket), (type, bytes, align, socket))
ALLOCATES(void *, rte_calloc_socket, (const char *type, size_t count, size_t bytes, unsigned align, int socket), (type, count, bytes, align, socket))
FREES(void, rte_free, (void *memory), (memory))

/* A system call inside a stretch: the first is noted, and from it to the stretch's end they pass uncounted, so that
 * this handler can make the call and return. */
static void on_system_call(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    dispatch = SYSCALL_DISPATCH_FILTER_ALLOW;
    if (current != NULL && current->system_calls++ == 0)
        current->first_call = info->si_syscall;
    long result = syscall(info->si_syscall, registers[REG_RDI], registers[REG_RSI], registers[REG_RDX], registers[REG_R10], registers[REG_R8], registers[REG_R9]);
    registers[REG_RAX] = result == -1 ? -errno : result;
}

bool counted_watch_system_calls(void)
{
    struct sigaction action = { .sa_sigaction = on_system_call, .sa_flags = SA_SIGINFO };
    watches = sigaction(SIGSYS, &action, NULL) == 0 && prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &dispatch) == 0;
    return watches;
}

void counted_begin(struct counted *counted)
{
    if (counted->system_calls == 0)
        counted->first_call = -1;
    current = counted;
    if (watches)
        dispatch = SYSCALL_DISPATCH_FILTER_BLOCK;
}

void counted_end(void)
{
    dispatch = SYSCALL_DISPATCH_FILTER_ALLOW;
    current = NULL;
}
