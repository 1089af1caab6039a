/* A matchmaker with one mode (or a few), tickets by short calls, and time that the test moves. */
#ifndef STAGE_H
#define STAGE_H

#include "checker.h"

enum { STAGE_SLOTS = 4096,
       STAGE_FOUND = 64 };
struct stage {
    struct vx_match *match;
    struct vx_match_mode modes[VX_MATCH_MODES_MAX];
    uint32_t mode_count, now_ms;
    struct checker checker;
    struct vx_match_found found[STAGE_FOUND];
    void *memory;
};
/* teams × size, window 100 points for ever, nothing else demanded. */
struct vx_match_mode stage_mode(uint32_t teams, uint32_t size);
void stage_open(struct stage *stage, const struct vx_match_mode *modes, uint32_t mode_count);
void stage_close(struct stage *stage);
/* A single player of mode 0 in this slot, as it can be changed before stage_add(). */
struct vx_ticket stage_ticket(struct stage *stage, uint32_t slot, uint32_t rating);
struct vx_match_person *stage_person(struct stage *stage, uint32_t slot);
enum vx_match_refusal stage_add(struct stage *stage, const struct vx_ticket *ticket);
void stage_single(struct stage *stage, uint32_t slot, uint32_t rating);
void stage_party(struct stage *stage, uint32_t slot, uint32_t rating, uint32_t size);
/* Steps until nothing is left to do; the matches are in stage->found, judged. Returns how many. */
uint32_t stage_settle(struct stage *stage);
/* Time passes, then the same. */
uint32_t stage_wait(struct stage *stage, uint32_t ms);

#endif
