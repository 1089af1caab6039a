/* Every list and counter by a full walk. Tests and the simulator call it. */
#include "match_private.h"

/* How many chunks a list has: fewer than twice what they would be if no two neighbours were nearly empty. */
static uint32_t check_list(const struct vx_match *match, const struct list *list)
{
    uint32_t count = 0, index = list->head - 1;
    do {
        const struct chunk *chunk = &match->chunks[index], *next = &match->chunks[chunk->next];
        VX_ASSERT(chunk->count > 0 && chunk->first + chunk->count <= CHUNK_NUMBERS && next->prev == index);
        VX_ASSERT(index == list->tail || chunk->count + next->count > CHUNK_MERGED_MAX);
        count++;
        index = chunk->next;
    } while (index + 1 != list->head);
    VX_ASSERT(match->chunks[list->tail].next + 1 == list->head);
    return count;
}

static uint32_t check_line(const struct vx_match *match, const struct line *line, uint32_t *chunks)
{
    uint32_t total = 0;
    for (uint32_t point = 0; point < POINTS; point++) {
        const struct list *list = &line->lists[point];
        VX_ASSERT(((line->points[point / BLOCK_POINTS] >> point % BLOCK_POINTS) & 1) == (list->head != 0));
        if (list->head == 0)
            continue;
        VX_ASSERT(line->blocks >> point / BLOCK_POINTS & 1);
        struct cursor cursor = cursor_first(match, list);
        do {
            uint32_t entry = cursor_number(&cursor);
            const struct ticket *ticket = &match->tickets[slot_of(match, entry)];
            const struct place *place = place_of(match, entry);
            VX_ASSERT((ticket->flags & TICKET_QUEUED) && ticket->rating == point && place->line == line - match->lines + 1 && &match->chunks[place->chunk] == cursor.chunk);
            total++;
        } while (cursor_next(match, list, &cursor));
        *chunks += check_list(match, list);
    }
    for (uint32_t block = 0; block < BLOCKS; block++)
        VX_ASSERT((line->blocks >> block & 1) == (line->points[block] != 0));
    VX_ASSERT(total == line->count);
    return total;
}

static void check_pools(const struct vx_match *match, uint32_t *chunks)
{
    uint32_t queued = 0;
    for (uint32_t i = 0; i < match->pools_max; i++) {
        const struct pool *pool = &match->pools[i];
        uint32_t tickets = 0;
        for (uint32_t class = 0; class < CLASSES && pool->used; class ++) {
            const struct line *line = pool->lines[class] != 0 ? &match->lines[pool->lines[class] - 1] : NULL;
            VX_ASSERT(line == NULL || (line->pool == i && line->class == class));
            tickets += line != NULL ? check_line(match, line, chunks) : 0;
        }
        VX_ASSERT(!pool->used || tickets == pool->tickets);
        queued += pool->used && pool->queued;
        VX_ASSERT(!pool->used || pool->queued || (pool->now.from > pool->now.to && !pool->flooded && pool->fresh_count == 0));
    }
    for (uint32_t name = match->queue_first; name != 0; name = match->pools[name - 1].next) {
        VX_ASSERT(match->pools[name - 1].queued && queued-- > 0);
        VX_ASSERT(match->pools[name - 1].next != 0 || match->queue_last == name);
    }
    VX_ASSERT(queued == 0);
}

void vx_match_check(const struct vx_match *match)
{
    uint32_t queued = 0, aged = 0, modes = 0, counted = 0, chunks = 0;
    check_pools(match, &chunks);
    for (uint32_t slot = 0; slot < match->tickets_max; slot++)
        if (match->tickets[slot].flags & TICKET_QUEUED) {
            queued++;
            modes += (uint32_t)__builtin_popcount(match->tickets[slot].modes);
        }
    for (uint32_t second = 0; second < AGE_SECONDS; second++)
        if (match->ages[second].head != 0) {
            struct cursor cursor = cursor_first(match, &match->ages[second]);
            do {
                const struct ticket *ticket = &match->tickets[cursor_number(&cursor)];
                VX_ASSERT((ticket->flags & TICKET_QUEUED) && ticket->since_ms / 1000 % AGE_SECONDS == second && &match->chunks[ticket->age] == cursor.chunk);
                aged++;
            } while (cursor_next(match, &match->ages[second], &cursor));
            chunks += check_list(match, &match->ages[second]);
        }
    for (uint32_t index = match->chunk_free; index != 0; index = match->chunks[index - 1].next)
        chunks++;
    VX_ASSERT(chunks == match->chunks_taken && match->chunks_taken <= match->chunks_max);
    for (uint32_t number = 0; number < match->mode_count; number++)
        counted += match->modes[number].waiting;
    VX_ASSERT(queued == match->waiting && aged == queued && modes == counted);
}
