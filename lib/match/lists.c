/* Lists in order of arrival: of the entries at a rating point, of the slots that wait since one second. They lie in
 * chunks of one cache line, thirteen numbers each. A search reads a chunk and asks the memory for all tickets in it
 * at once; with a list that leads from ticket to ticket it would wait for each, and at a million waiting, far beyond
 * the caches, that wait is most of the time (docs/matchmaking.md). Whoever leaves touches its own chunk, which other
 * leavers share, and no neighbour's ticket.
 *
 * Two chunks beside each other hold CHUNK_MERGED_MAX + 1 numbers at least, or they are joined: a list of n numbers has at most
 * 2 n / (CHUNK_MERGED_MAX + 1) + 1 chunks, whatever leaves in whatever order. */
#include <string.h>

#include "match_private.h"

static_assert(sizeof(struct chunk) == VX_CACHE_LINE_BYTES, "a chunk");

size_t lists_chunks(size_t lists, size_t numbers)
{
    size_t most = lists + 2 * numbers / (CHUNK_MERGED_MAX + 1) + 1;
    return most < numbers ? most : numbers;
}

static uint32_t *where_of(struct vx_match *match, enum list_of of, uint32_t number)
{
    return of == LIST_AGES ? &match->tickets[number].age : &place_of(match, number)->chunk;
}

static uint32_t chunk_new(struct vx_match *match)
{
    uint32_t index = match->chunk_free - 1;
    if (match->chunk_free != 0)
        match->chunk_free = match->chunks[index].next;
    else
        index = match->chunks_taken++;
    VX_ASSERT(index < match->chunks_max);
    match->chunks[index].first = match->chunks[index].count = 0;
    return index;
}

static void chunk_free(struct vx_match *match, struct list *list, uint32_t index)
{
    struct chunk *chunk = &match->chunks[index];
    if (chunk->next + 1 == list->head && chunk->prev == index)
        list->head = 0;
    else if (list->head == index + 1)
        list->head = chunk->next + 1;
    else if (list->tail == index)
        list->tail = chunk->prev;
    match->chunks[chunk->prev].next = chunk->next;
    match->chunks[chunk->next].prev = chunk->prev;
    chunk->next = match->chunk_free;
    match->chunk_free = index + 1;
}

/* A new chunk between the last and the first; the caller says which it is. */
static uint32_t chunk_insert(struct vx_match *match, struct list *list)
{
    uint32_t index = chunk_new(match), first = list->head - 1;
    struct chunk *chunks = match->chunks;
    if (list->head == 0) {
        chunks[index].next = chunks[index].prev = index;
        *list = (struct list){ index + 1, index };
        return index;
    }
    chunks[index].next = first;
    chunks[index].prev = list->tail;
    chunks[list->tail].next = index;
    chunks[first].prev = index;
    return index;
}

static void chunk_shift(struct chunk *chunk, uint32_t to)
{
    memmove(&chunk->numbers[to], &chunk->numbers[chunk->first], chunk->count * sizeof(chunk->numbers[0]));
    chunk->first = (uint8_t)to;
}

void list_append(struct vx_match *match, enum list_of of, struct list *list, uint32_t number)
{
    uint32_t index = list->head != 0 ? list->tail : chunk_insert(match, list);
    struct chunk *chunk = &match->chunks[index];
    if (chunk->first + chunk->count == CHUNK_NUMBERS) {
        if (chunk->count <= CHUNK_MERGED_MAX)
            chunk_shift(chunk, 0);
        else
            chunk = &match->chunks[index = list->tail = chunk_insert(match, list)];
    }
    chunk->numbers[chunk->first + chunk->count++] = number;
    *where_of(match, of, number) = index;
}

void list_prepend(struct vx_match *match, enum list_of of, struct list *list, uint32_t number)
{
    uint32_t index = list->head != 0 ? list->head - 1 : chunk_insert(match, list);
    struct chunk *chunk = &match->chunks[index];
    if (chunk->count == CHUNK_NUMBERS) {
        chunk = &match->chunks[index = chunk_insert(match, list)];
        list->head = index + 1;
    }
    if (chunk->first == 0)
        chunk_shift(chunk, CHUNK_NUMBERS - chunk->count);
    chunk->numbers[--chunk->first] = number;
    chunk->count++;
    *where_of(match, of, number) = index;
}

/* Takes the next chunk's numbers into this one when both hold few. */
static void chunk_merge(struct vx_match *match, enum list_of of, struct list *list, uint32_t index)
{
    struct chunk *chunk = &match->chunks[index], *next = &match->chunks[chunk->next];
    if (chunk->next + 1 == list->head || chunk->count + next->count > CHUNK_MERGED_MAX)
        return;
    chunk_shift(chunk, 0);
    for (uint32_t i = 0; i < next->count; i++) {
        uint32_t number = next->numbers[next->first + i];
        chunk->numbers[chunk->count++] = number;
        *where_of(match, of, number) = index;
    }
    chunk_free(match, list, chunk->next);
}

static uint32_t chunk_find(const struct chunk *chunk, uint32_t number)
{
    uint32_t at = chunk->first;
    while (at < CHUNK_NUMBERS - 1 && chunk->numbers[at] != number)
        at++;
    VX_ASSERT(chunk->numbers[at] == number);
    return at;
}

void list_remove(struct vx_match *match, enum list_of of, struct list *list, uint32_t number)
{
    uint32_t index = *where_of(match, of, number);
    struct chunk *chunk = &match->chunks[index];
    uint32_t at = chunk_find(chunk, number), end = chunk->first + --chunk->count;
    if (at == chunk->first)
        chunk->first++; /* the usual case: the oldest leaves first */
    else
        for (; at < end; at++)
            chunk->numbers[at] = chunk->numbers[at + 1];
    if (chunk->count > CHUNK_MERGED_MAX)
        return;
    uint32_t prev = chunk->prev;
    bool head = list->head == index + 1;
    if (chunk->count == 0)
        chunk_free(match, list, index);
    else
        chunk_merge(match, of, list, index);
    if (!head)
        chunk_merge(match, of, list, prev);
}

struct cursor cursor_at(const struct vx_match *match, uint32_t entry)
{
    const struct chunk *chunk = &match->chunks[place_of(match, entry)->chunk];
    return (struct cursor){ chunk, chunk_find(chunk, entry) };
}

uint32_t list_next(struct vx_match *match, enum list_of of, const struct list *list, uint32_t number)
{
    uint32_t index = *where_of(match, of, number);
    struct cursor cursor = { &match->chunks[index], chunk_find(&match->chunks[index], number) };
    return cursor_next(match, list, &cursor) ? cursor_number(&cursor) : VX_MATCH_NONE;
}
