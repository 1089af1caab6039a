/* memory: arenas are bounded, apart from each other, and take pages only when touched. */
#include <rte_eal.h>
#include <string.h>

#include "vx_memory.h"
#include "vx_test.h"

enum { COLOURED = 16 };
static struct vx_arenas *arenas;

static void an_arena_is_bounded(void)
{
    void *heap = vx_arena_heap(arenas, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(heap);
    size_t taken = 0;
    while (taken < (256u << 20) && vx_arena_allocate(heap, 1 << 20, 64) != NULL)
        taken += 1 << 20;
    CU_ASSERT(taken >= 16u << 20);
    CU_ASSERT(taken <= 32u << 20);
}

static void a_full_arena_leaves_its_neighbour_alone(void)
{
    uint8_t *memory = vx_arena_allocate(vx_arena_heap(arenas, 1), 1000, 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
    CU_ASSERT_EQUAL((uintptr_t)memory % 64, 0);
    CU_ASSERT(memory[0] == 0 && memory[999] == 0);
}

static void reservation_is_not_residence(void)
{
    uint64_t before = vx_memory_resident_bytes();
    CU_ASSERT(before > 0);
    memset(vx_arena_allocate(vx_arena_heap(arenas, 2), 1 << 20, 64), 1, 1 << 20);
    CU_ASSERT(vx_memory_resident_bytes() - before < 8u << 20);
}

/* Two tables in different arenas do not begin at the same set of a cache, nor of a TLB; what lies before one costs nothing. */
static void tables_are_coloured(void)
{
    const size_t bytes = 1 << 20;
    uint64_t before = vx_memory_resident_bytes();
    uintptr_t tables[COLOURED];
    for (uint32_t i = 0; i < COLOURED; i++) {
        uint8_t *table = vx_arena_table(arenas, 3 + i, bytes, 64);
        CU_ASSERT_PTR_NOT_NULL_FATAL(table);
        CU_ASSERT_EQUAL((uintptr_t)table % 64, 0);
        table[0] = table[bytes - 1] = 1;
        tables[i] = (uintptr_t)table;
        for (uint32_t j = 0; j < i; j++)
            CU_ASSERT(tables[i] / 64 % 64 != tables[j] / 64 % 64 && tables[i] / 4096 % 256 != tables[j] / 4096 % 256);
    }
    CU_ASSERT(vx_memory_resident_bytes() - before < (uint64_t)COLOURED << 20);
}

static void too_many_arenas_are_refused(void)
{
    struct vx_arenas *none;
    struct vx_error error;
    CU_ASSERT(vx_arenas_create(0, 32, -1, &none, &error) < 0);
    CU_ASSERT(vx_arenas_create(VX_SHARDS_MAX + 1, 32, -1, &none, &error) < 0);
}

int main(void)
{
    char *eal[] = { "test", "--no-huge", "--no-pci", "--no-shconf", "-m", "64", "--log-level=lib.eal:4", "--no-telemetry" };
    struct vx_error error;
    if (rte_eal_init(sizeof(eal) / sizeof(eal[0]), eal) < 0 || vx_arenas_create(3 + COLOURED, 32, -1, &arenas, &error) != 0)
        return 2;
    static const struct vx_test tests[] = {
        { "an arena is bounded", an_arena_is_bounded },
        { "a full arena leaves its neighbour alone", a_full_arena_leaves_its_neighbour_alone },
        { "reservation is not residence", reservation_is_not_residence },
        { "tables are coloured", tables_are_coloured },
        { "too many arenas are refused", too_many_arenas_are_refused },
    };
    return vx_test_main("memory", tests, sizeof(tests) / sizeof(tests[0]));
}
