#include "stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vx_match_mode stage_mode(uint32_t teams, uint32_t size)
{
    struct vx_match_mode mode = { .name = "test", .teams_min = (uint8_t)teams, .teams_max = (uint8_t)teams, .teams_multiple = 1, .size_min = (uint8_t)size, .size_max = (uint8_t)size, .size_multiple = 1, .step_ms = 1000, .late_ms = 600000 };
    for (uint32_t row = 0; row < VX_MATCH_ROWS; row++) {
        mode.window.at[row] = 100;
        mode.means.at[row] = UINT16_MAX;
    }
    return mode;
}

void stage_open(struct stage *stage, const struct vx_match_mode *modes, uint32_t mode_count)
{
    struct vx_error error;
    memset(stage, 0, sizeof(*stage));
    memcpy(stage->modes, modes, mode_count * sizeof(*modes));
    stage->mode_count = mode_count;
    stage->now_ms = 100000;
    for (uint32_t i = 0; i < mode_count; i++)
        VX_ASSERT(vx_match_mode_check(&modes[i], &error) == 0);
    const struct vx_match_config config = { .tickets_max = STAGE_SLOTS, .mode_count = mode_count, .modes = modes, .entries = 8, .pools_max = 16 };
    size_t bytes = (vx_match_bytes(&config) + 63) / 64 * 64;
    stage->memory = aligned_alloc(64, bytes);
    VX_ASSERT(stage->memory != NULL);
    stage->match = vx_match_create(memset(stage->memory, 0, bytes), &config);
    checker_open(&stage->checker, STAGE_SLOTS, stage->modes, mode_count);
}

void stage_close(struct stage *stage)
{
    vx_match_check(stage->match);
    checker_close(&stage->checker);
    free(stage->memory);
}

struct vx_match_person *stage_person(struct stage *stage, uint32_t slot)
{
    struct vx_match_person *person = vx_match_person(stage->match, slot);
    person->id = slot;
    person->rating = 1500;
    return person;
}

struct vx_ticket stage_ticket(struct stage *stage, uint32_t slot, uint32_t rating)
{
    struct vx_ticket ticket = { .since_ms = stage->now_ms, .modes = 1, .rating = (uint16_t)rating, .size = 1, .sets = { 1, 1 } };
    ticket.members[0] = slot;
    (void)stage_person(stage, slot);
    return ticket;
}

enum vx_match_refusal stage_add(struct stage *stage, const struct vx_ticket *ticket)
{
    for (uint32_t i = 0; i < ticket->size && i < VX_MATCH_PARTY_MAX; i++)
        if (ticket->members[i] < STAGE_SLOTS)
            stage_person(stage, ticket->members[i]);
    enum vx_match_refusal refusal = vx_match_add(stage->match, ticket, stage->now_ms);
    if (refusal == VX_MATCH_TAKEN)
        checker_added(&stage->checker, stage->match, ticket);
    return refusal;
}

void stage_single(struct stage *stage, uint32_t slot, uint32_t rating)
{
    struct vx_ticket ticket = stage_ticket(stage, slot, rating);
    VX_ASSERT(stage_add(stage, &ticket) == VX_MATCH_TAKEN);
}

void stage_party(struct stage *stage, uint32_t slot, uint32_t rating, uint32_t size)
{
    struct vx_ticket ticket = stage_ticket(stage, slot, rating);
    ticket.size = (uint8_t)size;
    for (uint32_t i = 0; i < size; i++)
        ticket.members[i] = slot + i;
    VX_ASSERT(stage_add(stage, &ticket) == VX_MATCH_TAKEN);
}

uint32_t stage_settle(struct stage *stage)
{
    uint32_t count = 0;
    for (uint32_t quiet = 0; quiet < 4 && count < STAGE_FOUND;) {
        uint32_t more = vx_match_step(stage->match, stage->now_ms, 256, &stage->found[count], STAGE_FOUND - count);
        for (uint32_t i = count; i < count + more; i++) {
            const char *broken = checker_found(&stage->checker, &stage->found[i], stage->now_ms);
            if (broken != NULL)
                fprintf(stderr, "a match breaks a rule: %s\n", broken);
            VX_ASSERT(broken == NULL);
        }
        count += more;
        quiet = more == 0 && vx_match_idle(stage->match) ? quiet + 1 : 0;
    }
    return count;
}

uint32_t stage_wait(struct stage *stage, uint32_t ms)
{
    stage->now_ms += ms;
    return stage_settle(stage);
}
