/* memory: one bounded, exclusive mimalloc arena per shard over memory that DPDK knows. Address space is
 * reserved in mimalloc's unit (32 MiB an arena); pages are taken as the shard's tables touch them, at
 * start. A full arena says ENOMEM; it never falls through to the process heap. */
#ifndef VX_MEMORY_H
#define VX_MEMORY_H

#include "vx_base.h"

struct vx_arenas;
/* Start-up, after rte_eal_init: address space for count arenas of mib each (rounded up to 32) near numa
 * (-1: anywhere), registered with DPDK as external memory. */
int vx_arenas_create(uint32_t count, uint32_t mib, int numa, struct vx_arenas **arenas, struct vx_error *error);
/* The heap of arena `index`, made on first use. Belongs to the calling thread from then on. NULL: no room. */
void *vx_arena_heap(struct vx_arenas *arenas, uint32_t index);
/* From a heap of vx_arena_heap, on its thread; NULL when the arena is full. Zeroed. */
void *vx_arena_allocate(void *heap, size_t bytes, size_t alignment);
/* For the one big table that an arena is there for, not zeroed: begins at other cache and TLB sets in each arena, which saves
 * a tenth to a fifth of a packet (perf/micro/bench_pass). alignment at most 64. Not to be freed. */
void *vx_arena_table(struct vx_arenas *arenas, uint32_t index, size_t bytes, size_t alignment);
/* Bytes handed out, the most there ever were, resident, and of address space. */
struct vx_arena_figures {
    uint64_t live_bytes, peak_bytes, retained_bytes, reserved_bytes;
};
/* What arena `index` holds now. Control thread. */
void vx_arena_figures(const struct vx_arenas *arenas, uint32_t index, struct vx_arena_figures *figures);
/* VmRSS and hugetlb pages of this process, in bytes; 0 when /proc cannot be read. Any thread. */
uint64_t vx_memory_resident_bytes(void);

#endif
