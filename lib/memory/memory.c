/* Arenas for shards, and the resident figure that reports show. Start-up and control threads. */
#include "vx_memory.h"

#include <errno.h>
#include <mimalloc.h>
#include <numaif.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum {
    ARENA_MIB_UNIT = 32,        /* MI_SEGMENT_SIZE of mimalloc 2.0: the smallest arena it takes */
    ARENA_ALIGN = 32 << 20,
    PAGE_BYTES = 4096,
    PAGES_AT_ONCE = 8192,
    EXTERNAL_PAGE_BYTES = 2 << 20, /* granularity of DPDK's book-keeping only */
    COLOURS = 64,
    COLOUR_BYTES = 8 * 4096 + 17 * 64, /* other sets of the TLB, and other sets of the caches */
};

struct vx_arenas {
    uint8_t *base;
    size_t arena_bytes;
    uint32_t count;
    mi_heap_t *heaps[VX_SHARDS_MAX];
    uint64_t live_bytes[VX_SHARDS_MAX], peak_bytes[VX_SHARDS_MAX]; /* of each, by its own thread */
};

static struct vx_arenas arenas_of_process; /* one appliance a process */

static struct vx_arenas *reserve(uint32_t count, size_t arena_bytes, int numa, struct vx_error *error)
{
    struct vx_arenas *arenas = &arenas_of_process;
    size_t bytes = (size_t)count * arena_bytes;
    uint8_t *raw = mmap(NULL, bytes + ARENA_ALIGN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) {
        (void)vx_error_set(error, -ENOMEM, "memory: cannot reserve %zu MiB of address space for %u shards", bytes >> 20, count);
        return NULL;
    }
    arenas->base = (uint8_t *)(((uintptr_t)raw + ARENA_ALIGN - 1) & ~(uintptr_t)(ARENA_ALIGN - 1));
    arenas->arena_bytes = arena_bytes;
    arenas->count = count;
    if (numa > 0) {
        unsigned long mask = 1ul << numa;
        (void)mbind(arenas->base, bytes, MPOL_PREFERRED, &mask, sizeof(mask) * 8, 0); /* a preference: kernels without NUMA refuse it */
    }
    return arenas;
}

int vx_arenas_create(uint32_t count, uint32_t mib, int numa, struct vx_arenas **arenas, struct vx_error *error)
{
    if (count == 0 || count > VX_SHARDS_MAX)
        return vx_error_set(error, -EINVAL, "memory: %u arenas, expected 1 to %d", count, VX_SHARDS_MAX);
    size_t arena_bytes = ((size_t)(mib + ARENA_MIB_UNIT - 1) / ARENA_MIB_UNIT * ARENA_MIB_UNIT) << 20;
    struct vx_arenas *made = reserve(count, arena_bytes, numa, error);
    if (made == NULL)
        return -ENOMEM;
    size_t bytes = (size_t)count * arena_bytes;
    if (rte_extmem_register(made->base, bytes, NULL, (unsigned)(bytes / EXTERNAL_PAGE_BYTES), EXTERNAL_PAGE_BYTES) != 0)
        return vx_error_set(error, -ENOMEM, "memory: DPDK refuses %zu MiB of external memory: %s", bytes >> 20, rte_strerror(rte_errno));
    *arenas = made;
    return 0;
}

void *vx_arena_heap(struct vx_arenas *arenas, uint32_t index)
{
    VX_ASSERT(index < arenas->count);
    if (arenas->heaps[index] == NULL) {
        mi_arena_id_t id;
        if (mi_manage_os_memory_ex(arenas->base + index * arenas->arena_bytes, arenas->arena_bytes, true, false, true, -1, true, &id))
            arenas->heaps[index] = mi_heap_new_in_arena(id);
    }
    return arenas->heaps[index];
}

static void account(struct vx_arenas *arenas, uint32_t index, size_t bytes)
{
    uint64_t live = arenas->live_bytes[index] + bytes;
    __atomic_store_n(&arenas->live_bytes[index], live, __ATOMIC_RELAXED);
    if (live > arenas->peak_bytes[index])
        __atomic_store_n(&arenas->peak_bytes[index], live, __ATOMIC_RELAXED);
}

void *vx_arena_allocate(void *heap, size_t bytes, size_t alignment)
{
    void *memory = mi_heap_zalloc_aligned(heap, bytes, alignment);
    for (uint32_t i = 0; memory != NULL && i < arenas_of_process.count; i++)
        if (arenas_of_process.heaps[i] == heap)
            account(&arenas_of_process, i, bytes);
    return memory;
}

/* Arenas begin 32 MiB apart, so what lies at the same place in 40 of them shares the sets of the caches and of the TLB,
 * which have 8 to 16 ways. Each table begins a colour later (cache colouring: Bonwick 1994, "The Slab Allocator", 4.1). The pages that are
 * passed over are never touched. */
void *vx_arena_table(struct vx_arenas *arenas, uint32_t index, size_t bytes, size_t alignment)
{
    size_t colour_bytes = index % COLOURS * COLOUR_BYTES;
    VX_ASSERT(alignment <= VX_CACHE_LINE_BYTES && COLOUR_BYTES % VX_CACHE_LINE_BYTES == 0);
    uint8_t *memory = mi_heap_malloc_aligned(vx_arena_heap(arenas, index), colour_bytes + bytes, VX_CACHE_LINE_BYTES);
    if (memory == NULL)
        return NULL;
    account(arenas, index, bytes);
    return memory + colour_bytes;
}

void vx_arena_figures(const struct vx_arenas *arenas, uint32_t index, struct vx_arena_figures *figures)
{
    static unsigned char pages[PAGES_AT_ONCE]; /* 1 in bit 0: resident, mincore(2) */
    VX_ASSERT(index < arenas->count);
    uint8_t *begin = arenas->base + index * arenas->arena_bytes;
    *figures = (struct vx_arena_figures){ .live_bytes = vx_counter_read(&arenas->live_bytes[index]), .peak_bytes = vx_counter_read(&arenas->peak_bytes[index]),
                                          .reserved_bytes = arenas->arena_bytes };
    for (size_t at = 0; at < arenas->arena_bytes; at += (size_t)PAGES_AT_ONCE * PAGE_BYTES) {
        size_t left = arenas->arena_bytes - at, bytes = left < (size_t)PAGES_AT_ONCE * PAGE_BYTES ? left : (size_t)PAGES_AT_ONCE * PAGE_BYTES;
        if (mincore(begin + at, bytes, pages) != 0)
            return;
        for (size_t page = 0; page < bytes / PAGE_BYTES; page++)
            figures->retained_bytes += (pages[page] & 1u) * PAGE_BYTES;
    }
}

uint64_t vx_memory_resident_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL)
        return 0;
    char line[128];
    uint64_t total = 0;
    unsigned long kib;
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "VmRSS: %lu", &kib) == 1 || sscanf(line, "HugetlbPages: %lu", &kib) == 1)
            total += (uint64_t)kib << 10;
    (void)fclose(file);
    return total;
}
