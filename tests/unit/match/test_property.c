/* A million random tickets against all rules at once: sixteen modes of every kind, parties, cancellations,
 * tickets that come back, modes that change meanwhile. Every match is judged by checker.c, no ticket is in two,
 * each ticket ends, and the same seed gives the same matches. `test_match_property TICKETS` plays fewer or more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checker.h"
#include "vx_test.h"

enum { SLOTS = 6000,
       MODES = 16,
       FOUND = 16 };
static uint32_t tickets_wanted = 1000000;

static struct vx_match_mode modes[MODES];
static struct checker checker;
static struct vx_match *match;
static struct vx_rng rng;
static uint32_t now_ms, broken_count;
static uint8_t taken[SLOTS]; /* a member of a waiting ticket */
static struct tally {
    uint64_t added, refused, matched, cancelled, expired, matches, in_mode[MODES], smaller, given_up, digest;
    uint32_t widest;
} tally;

static bool chance(uint32_t percent)
{
    return vx_rng_below(&rng, 100) < percent;
}

static void mode_random(struct vx_match_mode *mode, uint32_t number)
{
    static const uint8_t shapes[MODES][6] = { { 2, 2, 1, 1, 1, 1 }, { 2, 2, 1, 5, 5, 1 }, { 2, 2, 1, 3, 5, 1 }, { 8, 64, 4, 1, 1, 1 }, { 3, 3, 1, 3, 3, 1 }, { 2, 2, 1, 2, 2, 1 }, { 2, 2, 1, 4, 4, 1 }, { 2, 2, 1, 1, 1, 1 }, { 4, 4, 1, 2, 2, 1 }, { 2, 4, 2, 2, 2, 1 }, { 4, 16, 1, 1, 1, 1 }, { 2, 2, 1, 8, 8, 1 }, { 2, 2, 1, 1, 1, 1 }, { 2, 2, 1, 2, 6, 2 }, { 5, 5, 1, 2, 2, 1 }, { 2, 2, 1, 1, 1, 1 } };
    const uint8_t *s = shapes[number];
    uint32_t window = 50 + vx_rng_below(&rng, 500), grows = vx_rng_below(&rng, 100), means = chance(30) ? UINT16_MAX : 20 + vx_rng_below(&rng, 150);
    *mode = (struct vx_match_mode){ .teams_min = s[0], .teams_max = s[1], .teams_multiple = s[2], .size_min = s[3], .size_max = s[4], .size_multiple = s[5], .step_ms = 200 + vx_rng_below(&rng, 2000), .full_ms = vx_rng_below(&rng, 8000), .late_ms = vx_rng_below(&rng, 10000) };
    (void)snprintf(mode->name, sizeof(mode->name), "mode%u", number);
    for (uint32_t row = 0; row < VX_MATCH_ROWS; row++) {
        mode->window.at[row] = (uint16_t)(window + grows * row < VX_MATCH_RATING_MAX ? window + grows * row : VX_MATCH_RATING_MAX);
        mode->means.at[row] = (uint16_t)(means == UINT16_MAX ? means : means + row * 5);
        mode->latency_more.at[row] = (uint16_t)(row * vx_rng_below(&rng, 2) + (row > 0 ? mode->latency_more.at[row - 1] : 0));
    }
    for (uint32_t left = mode->size_min, role = 0; role < VX_MATCH_ROLES_MAX && left > 0 && chance(50); role++) {
        uint32_t count = 1 + vx_rng_below(&rng, left > 2 ? 2 : 1);
        mode->roles[mode->role_count++] = (struct vx_match_role){ (uint16_t)(1u << (role * 2)), (uint8_t)count };
        left -= count;
    }
    mode->region_count = (uint8_t)(chance(50) ? 0 : 1 + vx_rng_below(&rng, 4));
    for (uint32_t region = 0; region < VX_MATCH_REGIONS; region++)
        mode->latency_ms[region] = (uint16_t)(60 + vx_rng_below(&rng, 60));
    for (uint32_t i = 0; i < VX_MATCH_ATTRIBUTES; i++)
        mode->equal_ms[i] = chance(25) ? VX_MATCH_ALWAYS : 0;
    if (chance(50))
        mode->equal_ms[vx_rng_below(&rng, VX_MATCH_ATTRIBUTES)] = 1 + vx_rng_below(&rng, 9000);
    for (uint32_t i = 0; i < VX_MATCH_SETS; i++)
        mode->common[i] = chance(30);
    mode->rematch_ms = chance(40) ? 0 : chance(50) ? VX_MATCH_ALWAYS
                                                   : vx_rng_below(&rng, 10000);
    struct vx_error error;
    VX_ASSERT(vx_match_mode_check(mode, &error) == 0);
}

static void person_random(uint32_t slot)
{
    struct vx_match_person *person = vx_match_person(match, slot);
    *person = (struct vx_match_person){ .id = slot, .roles = (uint16_t)(chance(50) ? 0x15 : 1u << vx_rng_below(&rng, 6)), .rating = (uint16_t)(1000 + vx_rng_below(&rng, 1000)) };
    person->blocked_count = (uint8_t)(chance(80) ? 0 : vx_rng_below(&rng, VX_MATCH_BLOCKED_MAX + 1));
    person->met_count = (uint8_t)(chance(70) ? 0 : vx_rng_below(&rng, VX_MATCH_MET_MAX + 1));
    for (uint32_t i = 0; i < person->blocked_count; i++)
        person->blocked[i] = vx_rng_below(&rng, SLOTS);
    for (uint32_t i = 0; i < person->met_count; i++)
        person->met[i] = vx_rng_below(&rng, SLOTS);
}

static bool ticket_random(struct vx_ticket *ticket)
{
    static const uint8_t sizes[] = { 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 5 };
    uint16_t ratings[VX_MATCH_PARTY_MAX];
    *ticket = (struct vx_ticket){ .since_ms = now_ms - (chance(10) ? vx_rng_below(&rng, now_ms < 5000 ? now_ms : 5000) : 0), .size = sizes[vx_rng_below(&rng, sizeof(sizes))], .first = chance(3) };
    for (uint32_t i = 0; i < ticket->size; i++) {
        uint32_t slot = vx_rng_below(&rng, SLOTS);
        if (taken[slot])
            return false;
        for (uint32_t j = 0; j < i; j++)
            if (ticket->members[j] == slot)
                return false;
        ticket->members[i] = slot;
        person_random(slot);
        ratings[i] = vx_match_person(match, slot)->rating;
    }
    ticket->rating = vx_match_party_rating((enum vx_match_aggregate)vx_rng_below(&rng, 3), 10, ratings, ticket->size);
    for (uint32_t tries = 1 + vx_rng_below(&rng, 3); tries > 0; tries--)
        ticket->modes |= (uint16_t)(1u << vx_rng_below(&rng, MODES));
    for (uint32_t i = 0; i < VX_MATCH_ATTRIBUTES; i++)
        ticket->attributes[i] = (uint8_t)vx_rng_below(&rng, 2);
    for (uint32_t i = 0; i < VX_MATCH_SETS; i++)
        ticket->sets[i] = (uint16_t)(1 + vx_rng_below(&rng, 15));
    for (uint32_t i = 0; i < VX_MATCH_REGIONS; i++)
        ticket->latency_ms[i] = (uint16_t)(chance(10) ? VX_MATCH_UNREACHABLE : 20 + vx_rng_below(&rng, 100));
    return true;
}

static void members_set(const struct vx_ticket *ticket, bool to)
{
    for (uint32_t i = 0; i < ticket->size; i++)
        taken[ticket->members[i]] = to;
}

static void ticket_in(void)
{
    struct vx_ticket ticket;
    if (!ticket_random(&ticket))
        return;
    if (vx_match_add(match, &ticket, now_ms) != VX_MATCH_TAKEN) {
        tally.refused++;
        return;
    }
    tally.added++;
    members_set(&ticket, true);
    checker_added(&checker, match, &ticket);
}

static void ticket_out(uint32_t slot)
{
    vx_match_remove(match, slot);
    checker_removed(&checker, slot);
    members_set(&checker.tickets[slot].ticket, false);
}

/* One that is cancelled, and those whose time is over. */
static void tickets_out(void)
{
    uint32_t slot = vx_rng_below(&rng, SLOTS);
    if (vx_match_has(match, slot) && chance(20)) {
        ticket_out(slot);
        tally.cancelled++;
    }
    for (uint32_t i = 0; i < 4; i++) {
        slot = vx_rng_below(&rng, SLOTS);
        if (vx_match_has(match, slot) && now_ms - vx_match_since_ms(match, slot) > 20000) {
            ticket_out(slot);
            tally.expired++;
        }
    }
}

static void found_take(const struct vx_match_found *found)
{
    const char *broken = checker_found(&checker, found, now_ms);
    const struct vx_match_mode *mode = &modes[found->mode];
    if (broken != NULL && broken_count++ < 10)
        fprintf(stderr, "%s, a match of %u tickets, %u teams of %u: broken rule: %s\n", mode->name, found->tickets, found->teams, found->size, broken);
    tally.matches++;
    tally.in_mode[found->mode]++;
    tally.smaller += found->teams * found->size < mode->teams_max * mode->size_max;
    tally.widest = found->spread > tally.widest ? found->spread : tally.widest;
    for (uint32_t i = 0; i < found->tickets; i++) {
        tally.matched++;
        tally.digest = vx_mix64(tally.digest ^ found->ticket[i] ^ (uint64_t)found->team[i] << 32 ^ (uint64_t)found->mode << 40);
        members_set(&checker.tickets[found->ticket[i]].ticket, false);
    }
}

static void mode_change(void)
{
    uint32_t number = vx_rng_below(&rng, MODES);
    mode_random(&modes[number], number);
    vx_match_mode_set(match, number, &modes[number]);
    struct vx_match_found found[FOUND];
    for (uint32_t i = 0; i < SLOTS; i++) { /* until all have moved; what is found meanwhile is of the other modes */
        uint32_t count = vx_match_step(match, now_ms, 64, found, FOUND);
        for (uint32_t j = 0; j < count; j++)
            found_take(&found[j]);
    }
}

static uint64_t play(uint64_t seed, uint32_t wanted)
{
    struct vx_match_config config = { .tickets_max = SLOTS, .mode_count = MODES, .modes = modes, .entries = 8, .pools_max = 512 };
    rng.state = seed;
    memset(&tally, 0, sizeof(tally));
    memset(taken, 0, sizeof(taken));
    now_ms = 10000;
    for (uint32_t i = 0; i < MODES; i++)
        mode_random(&modes[i], i);
    size_t bytes = (vx_match_bytes(&config) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    VX_ASSERT(memory != NULL);
    match = vx_match_create(memset(memory, 0, bytes), &config);
    checker_open(&checker, SLOTS, modes, MODES);
    for (uint64_t turn = 0; tally.added < wanted; turn++) {
        struct vx_match_found found[FOUND];
        for (uint32_t i = vx_rng_below(&rng, 8); i > 0; i--)
            ticket_in();
        tickets_out();
        uint32_t count = vx_match_step(match, now_ms, 64 + vx_rng_below(&rng, 1000), found, 1 + vx_rng_below(&rng, FOUND));
        for (uint32_t i = 0; i < count; i++)
            found_take(&found[i]);
        now_ms += vx_rng_below(&rng, 20);
        if (turn % 50000 == 49999)
            mode_change();
        if (turn % 20000 == 0)
            vx_match_check(match);
    }
    vx_match_check(match);
    uint64_t digest = tally.digest;
    CU_ASSERT_EQUAL(tally.added, tally.matched + tally.cancelled + tally.expired + vx_match_waiting(match));
    checker_close(&checker);
    free(memory);
    return digest;
}

static void test_all_rules_at_once(void)
{
    (void)play(1, tickets_wanted);
    CU_ASSERT_EQUAL(broken_count, 0);
    printf("(%lu tickets, %lu matched in %lu matches, %lu of them smaller, widest %u points, %lu cancelled, %lu expired, %lu refused) ", tally.added, tally.matched, tally.matches,
           tally.smaller, tally.widest, tally.cancelled, tally.expired, tally.refused);
    for (uint32_t i = 0; i < MODES; i++)
        printf("%s%lu", i == 0 ? "by mode " : " ", tally.in_mode[i]);
    printf(" ");
    for (uint32_t i = 0; i < MODES; i++)
        CU_ASSERT(tally.in_mode[i] > tickets_wanted / 20000); /* the run does play all of them */
    CU_ASSERT(tally.smaller > 0 && tally.matched > tally.added / 2);
}

static void test_same_seed_same_matches(void)
{
    uint64_t first = play(5, tickets_wanted / 20), again = play(5, tickets_wanted / 20), other = play(6, tickets_wanted / 20);
    CU_ASSERT_EQUAL(first, again);
    CU_ASSERT_NOT_EQUAL(first, other);
    CU_ASSERT_EQUAL(broken_count, 0);
}

int main(int argc, char **argv)
{
    static const struct vx_test tests[] = { { "all rules at once", test_all_rules_at_once }, { "same seed, same matches", test_same_seed_same_matches } };
    tickets_wanted = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : tickets_wanted;
    return vx_test_main("match: property", tests, sizeof(tests) / sizeof(tests[0]));
}
