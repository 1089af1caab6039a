/* match: the queue of tickets. 1v1 by rating: two tickets fit when their distance lies inside both
 * windows, and a window widens with the whole seconds waited (the pairing formula's table). Tickets
 * lie in rating buckets, each in order of arrival, so a search looks at few of them; the work of one
 * call is bounded. Pure and deterministic; owned by one shard. */
#ifndef VX_MATCH_H
#define VX_MATCH_H

#include "vx_base.h"

enum { VX_MATCH_WINDOWS = 32, VX_MATCH_NONE = UINT32_MAX };
struct vx_match;

size_t vx_match_bytes(uint32_t tickets_max);
/* memory: vx_match_bytes() bytes, 8-byte aligned, zeroed, borrowed. A ticket's name is its player's slot. */
struct vx_match *vx_match_create(void *memory, uint32_t tickets_max);
/* Window in rating points for tickets that have waited `second` whole seconds (the last row for ever). */
void vx_match_window_set(struct vx_match *match, uint32_t second, uint32_t window);
uint32_t vx_match_window(const struct vx_match *match, uint32_t slot, uint32_t now_ms);
uint32_t vx_match_waiting(const struct vx_match *match);
/* How long the oldest ticket has waited; 0 when empty. */
uint32_t vx_match_oldest_ms(const struct vx_match *match, uint32_t now_ms);
/* since_ms: from when the ticket's wait counts. The slot must not be queued. */
void vx_match_add(struct vx_match *match, uint32_t slot, uint32_t rating, uint32_t since_ms);
/* The slot must be queued. */
void vx_match_remove(struct vx_match *match, uint32_t slot);
bool vx_match_has(const struct vx_match *match, uint32_t slot);
uint32_t vx_match_since_ms(const struct vx_match *match, uint32_t slot);
/* Best partner for the queued slot, the nearest rating of at most 64 candidates; VX_MATCH_NONE when nobody fits. */
uint32_t vx_match_find(const struct vx_match *match, uint32_t slot, uint32_t now_ms);
/* The other ticket whose rating is nearest, windows or not, of at most 1024 looked at; VX_MATCH_NONE when alone.
 * For operators: it may look at many. */
uint32_t vx_match_nearest(const struct vx_match *match, uint32_t slot, uint32_t *distance);
/* The next ticket to look at again, going round in order of waiting; VX_MATCH_NONE when empty. */
uint32_t vx_match_next(struct vx_match *match);
/* Full walk: every list holds what it should. Tests. */
void vx_match_check(const struct vx_match *match);

#endif
