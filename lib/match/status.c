/* What a waiting ticket is told: measured, not invented. */
#include "match_private.h"

enum { OLDEST_LOOKS = 64,
       NEAREST_LOOKS = 512 };

void wait_measured(struct mode *mode, uint32_t rating, uint32_t waited_ms)
{
    struct waits *waits = &mode->waits[rating / BAND_POINTS];
    waits->ms[waits->next] = waited_ms;
    waits->next = (uint8_t)(waits->next + 1 < WAITS ? waits->next + 1 : 0);
    waits->count = (uint8_t)(waits->count < WAITS ? waits->count + 1 : WAITS);
}

static uint32_t median(const struct waits *waits)
{
    uint32_t sorted[WAITS];
    for (uint32_t i = 0; i < waits->count; i++) {
        uint32_t at = i;
        for (; at > 0 && sorted[at - 1] > waits->ms[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = waits->ms[i];
    }
    return waits->count > 0 ? sorted[waits->count / 2] : VX_MATCH_NONE;
}

/* Those of every second before its own, as far back as seconds are kept. */
static uint32_t position_of(const struct mode *mode, const struct ticket *ticket, uint32_t now_ms)
{
    uint32_t older = 0, own = ticket->since_ms / 1000, now = now_ms / 1000, oldest = now - (AGE_SECONDS - 1);
    for (uint32_t second = oldest; (int32_t)(second - own) < 0; second++)
        older += mode->seconds[second % AGE_SECONDS];
    return older;
}

void vx_match_status(const struct vx_match *match, uint32_t slot, uint32_t now_ms, struct vx_match_status *status)
{
    VX_ASSERT(vx_match_has(match, slot));
    const struct ticket *ticket = &match->tickets[slot];
    const struct mode *mode = &match->modes[__builtin_ctz(ticket->modes)];
    *status = (struct vx_match_status){ .waiting = mode->waiting, .position = position_of(mode, ticket, now_ms), .window = window_of(mode, ticket, now_ms), .waited_ms = waited_of(ticket, now_ms), .estimate_ms = median(&mode->waits[ticket->rating / BAND_POINTS]) };
}

uint32_t vx_match_looks(const struct vx_match *match)
{
    return match->looks;
}

uint32_t vx_match_waiting(const struct vx_match *match)
{
    return match->waiting;
}

uint32_t vx_match_since_ms(const struct vx_match *match, uint32_t slot)
{
    return match->tickets[slot].since_ms;
}

uint32_t vx_match_oldest_ms(const struct vx_match *match, uint32_t now_ms)
{
    uint32_t now = now_ms / 1000, oldest_ms = 0;
    const struct list *list = NULL;
    for (uint32_t back = AGE_SECONDS; back-- > 0 && (list == NULL || list->head == 0);)
        list = &match->ages[(now - back) % AGE_SECONDS];
    if (list == NULL || list->head == 0)
        return 0;
    struct cursor cursor = cursor_first(match, list);
    uint32_t looked = 0;
    do { /* of one second's tickets */
        uint32_t waited_ms = waited_of(&match->tickets[cursor_number(&cursor)], now_ms);
        oldest_ms = waited_ms > oldest_ms ? waited_ms : oldest_ms;
    } while (++looked < OLDEST_LOOKS && cursor_next(match, list, &cursor));
    return oldest_ms;
}

uint32_t vx_match_nearest(const struct vx_match *match, uint32_t slot, uint32_t *distance)
{
    const struct ticket *ticket = &match->tickets[slot];
    uint32_t nearest = VX_MATCH_NONE;
    *distance = UINT32_MAX;
    for (uint32_t down = 0; down < 2 && ticket->place.line != 0; down++) {
        struct walk walk;
        uint32_t class, other;
        walk_start(&walk, match, &match->pools[match->lines[ticket->place.line - 1].pool], ticket->rating, down != 0);
        for (uint32_t looked = 0; looked < NEAREST_LOOKS && (other = walk_next(&walk, &class)) != VX_MATCH_NONE; looked++) {
            uint32_t apart = (uint32_t)(down != 0 ? ticket->rating - match->tickets[other].rating : match->tickets[other].rating - ticket->rating);
            if (other == slot)
                continue;
            if (apart < *distance) {
                nearest = other;
                *distance = apart;
            }
            break;
        }
    }
    return nearest;
}
