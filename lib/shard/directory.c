/* Where somebody is, by a number that others know it by. rte_hash would bring DPDK into a pure room; this is one probe. */
#include "shard_private.h"

static uint32_t places_of(uint32_t entries_max)
{
    uint32_t places = 4;
    while (places < 2 * entries_max)
        places *= 2;
    return places;
}

size_t directory_bytes(uint32_t entries_max)
{
    return places_of(entries_max) * sizeof(struct directory_place);
}

void directory_create(struct directory *directory, void *memory, uint32_t entries_max)
{
    *directory = (struct directory){ memory, places_of(entries_max) - 1 };
}

static uint32_t home_of(const struct directory *directory, uint32_t key)
{
    return (uint32_t)vx_mix64(key) & directory->mask;
}

void directory_put(struct directory *directory, uint32_t key, uint32_t value)
{
    uint32_t at = home_of(directory, key);
    while (directory->places[at].value != 0)
        at = (at + 1) & directory->mask;
    directory->places[at] = (struct directory_place){ key, value + 1 };
}

uint32_t directory_find(const struct directory *directory, uint32_t key)
{
    uint32_t at = home_of(directory, key);
    while (directory->places[at].value != 0 && directory->places[at].key != key)
        at = (at + 1) & directory->mask;
    return directory->places[at].value - 1; /* NONE for an empty place */
}

/* What stands behind a gap and could not be found across it moves into it (Knuth, The Art of Computer Programming 3, 6.4, R). */
void directory_remove(struct directory *directory, uint32_t key, uint32_t value)
{
    struct directory_place *places = directory->places;
    uint32_t gap = home_of(directory, key);
    while (places[gap].value != 0 && (places[gap].key != key || places[gap].value != value + 1))
        gap = (gap + 1) & directory->mask;
    if (places[gap].value == 0)
        return;
    for (uint32_t at = (gap + 1) & directory->mask; places[at].value != 0; at = (at + 1) & directory->mask)
        if (((at - home_of(directory, places[at].key)) & directory->mask) >= ((at - gap) & directory->mask)) {
            places[gap] = places[at];
            gap = at;
        }
    places[gap].value = 0;
}
