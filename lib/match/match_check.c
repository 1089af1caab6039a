/* Every list and counter by a full walk. Tests and the simulator call it. */
#include "match_private.h"

static uint32_t check_line(const struct vx_match *match, const struct line *line)
{
    uint32_t total = 0;
    for (uint32_t point = 0; point < POINTS; point++) {
        uint32_t head = line->heads[point];
        VX_ASSERT(((line->points[point / BLOCK_POINTS] >> point % BLOCK_POINTS) & 1) == (head != 0));
        if (head == 0)
            continue;
        VX_ASSERT(line->blocks >> point / BLOCK_POINTS & 1);
        uint32_t entry = head - 1;
        do {
            const struct ticket *ticket = &match->tickets[slot_of(match, entry)];
            uint32_t which = entry & ((1u << match->entry_bits) - 1);
            VX_ASSERT((ticket->flags & TICKET_QUEUED) && ticket->rating == point && ticket->lines[which] == line - match->lines + 1);
            VX_ASSERT(match->links[match->links[entry].next].prev == entry);
            total++;
            entry = match->links[entry].next;
        } while (entry != head - 1);
    }
    for (uint32_t block = 0; block < BLOCKS; block++)
        VX_ASSERT((line->blocks >> block & 1) == (line->points[block] != 0));
    VX_ASSERT(total == line->count);
    return total;
}

static void check_pools(const struct vx_match *match)
{
    uint32_t queued = 0;
    for (uint32_t i = 0; i < match->pools_max; i++) {
        const struct pool *pool = &match->pools[i];
        uint32_t tickets = 0;
        for (uint32_t class = 0; class < CLASSES && pool->used; class ++) {
            const struct line *line = pool->lines[class] != 0 ? &match->lines[pool->lines[class] - 1] : NULL;
            VX_ASSERT(line == NULL || (line->pool == i && line->class == class));
            tickets += line != NULL ? check_line(match, line) : 0;
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
    uint32_t queued = 0, aged = 0, modes = 0, counted = 0;
    check_pools(match);
    for (uint32_t slot = 0; slot < match->tickets_max; slot++)
        if (match->tickets[slot].flags & TICKET_QUEUED) {
            queued++;
            modes += (uint32_t)__builtin_popcount(match->tickets[slot].modes);
        }
    for (uint32_t second = 0; second < AGE_SECONDS; second++)
        for (uint32_t slot = match->age_heads[second]; slot != 0; slot = match->ages[slot - 1].next + 1 == match->age_heads[second] ? 0 : match->ages[slot - 1].next + 1) {
            VX_ASSERT((match->tickets[slot - 1].flags & TICKET_QUEUED) && match->tickets[slot - 1].since_ms / 1000 % AGE_SECONDS == second);
            aged++;
        }
    for (uint32_t number = 0; number < match->mode_count; number++)
        counted += match->modes[number].waiting;
    VX_ASSERT(queued == match->waiting && aged == queued && modes == counted);
}
