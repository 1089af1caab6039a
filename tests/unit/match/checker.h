/* An independent judge of matches: it knows what tickets said when they were added and what the modes demand,
 * and shares no code with lib/match but its door. */
#ifndef CHECKER_H
#define CHECKER_H

#include "vx_match.h"

struct checker {
    uint32_t slots, mode_count;
    const struct vx_match_mode *modes;
    struct checked {
        bool waiting;
        struct vx_ticket ticket;
        struct vx_match_person persons[VX_MATCH_PARTY_MAX]; /* of the members, in their order */
    } * tickets;                                            /* by name */
};
void checker_open(struct checker *checker, uint32_t slots, const struct vx_match_mode *modes, uint32_t mode_count);
void checker_close(struct checker *checker);
void checker_added(struct checker *checker, struct vx_match *match, const struct vx_ticket *ticket);
void checker_removed(struct checker *checker, uint32_t slot);
/* NULL when the match keeps every rule, else the rule that it breaks. Its tickets do not wait any more. */
const char *checker_found(struct checker *checker, const struct vx_match_found *found, uint32_t now_ms);
/* NULL, or the rule that keeps these tickets, one for each team of one or more players, from being a match now. Changes nothing. */
const char *checker_judge(const struct checker *checker, const struct vx_match_found *found, uint32_t now_ms);

#endif
