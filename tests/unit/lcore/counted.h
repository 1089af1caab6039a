/* Counts what a stretch of code takes from or gives back to any allocator, and which system calls it makes. The
 * program's own malloc(), free(), mmap() and the rest stand before those of every library, DPDK's and mimalloc's
 * included, and pass the call on. System calls are seen by the kernel's dispatch to user space, where there is one. */
#ifndef COUNTED_H
#define COUNTED_H

#include "vx_base.h"

struct counted {
    uint64_t allocations; /* calls of the malloc, mimalloc and rte_malloc families, mappings */
    uint64_t frees;
    uint64_t system_calls;
    const char *first;    /* function that was called first, NULL when none was */
    long first_call;      /* number of the system call that was made first, -1 when none was */
};

/* Once, before the first stretch. False when system calls cannot be seen here (Linux before 5.11). */
bool counted_watch_system_calls(void);
/* A stretch of the calling thread: what is between begin and end is counted into *counted, which goes on counting. */
void counted_begin(struct counted *counted);
void counted_end(void);

#endif
