/* Lua's memory: a mimalloc heap in an arena of its own, with a limit below the arena's size. What a formula takes beyond it
 * is an error of the formula ("not enough memory"), not of the machine. Nothing else in the process allocates while serving. */
#include <mimalloc.h>
#include <sys/mman.h>

#include "worker.h"

enum { ARENA_BYTES_UNIT = 32 << 20 }; /* mimalloc 2.0's segment; arenas are made of them and aligned to them */

bool heap_create(struct worker_heap *heap, uint32_t mib)
{
    /* A segment more than twice the limit: pages of sizes that are not needed any more are not given to others at once. */
    size_t bytes = ((size_t)2 * mib * (1 << 20) + ARENA_BYTES_UNIT - 1) / ARENA_BYTES_UNIT * ARENA_BYTES_UNIT + ARENA_BYTES_UNIT;
    char *raw = mmap(NULL, bytes + ARENA_BYTES_UNIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    mi_arena_id_t arena;
    if (raw == MAP_FAILED)
        return false;
    char *base = (char *)(((uintptr_t)raw + ARENA_BYTES_UNIT - 1) & ~(uintptr_t)(ARENA_BYTES_UNIT - 1));
    if (!mi_manage_os_memory_ex(base, bytes, true, false, true, -1, true, &arena))
        return false;
    *heap = (struct worker_heap){ .heap = mi_heap_new_in_arena(arena), .limit = (uint64_t)mib << 20 };
    return heap->heap != NULL;
}

/* lua_Alloc. Shrinking and freeing never fail, as Lua assumes. */
void *heap_allocate(void *context, void *block, size_t old_bytes, size_t new_bytes)
{
    struct worker_heap *heap = context;
    if (new_bytes == 0) {
        heap->in_use -= old_bytes;
        mi_free(block);
        return NULL;
    }
    size_t more = new_bytes > old_bytes ? new_bytes - old_bytes : 0;
    if (heap->in_use + more > heap->limit)
        return NULL;
    void *moved = mi_heap_realloc(heap->heap, block, new_bytes);
    if (moved == NULL)
        return more > 0 ? NULL : block;
    heap->in_use += new_bytes - old_bytes;
    heap->allocated += more;
    if (heap->in_use > heap->in_use_max)
        heap->in_use_max = heap->in_use;
    return moved;
}
