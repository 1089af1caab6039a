/* What lib/match makes of generated populations, as JSON for perf/match-quality.
 *
 *   vx_match_quality snapshot POPULATION TICKETS SEED   everybody who waits at one moment, the pairs that the rules
 *                                                       admit then, and those that were matched
 *   vx_match_quality replay SECONDS SEED                a day squeezed into so many seconds of the matchmaker's clock:
 *                                                       5v5 with roles, parties and three regions
 *
 * Every match is judged by the tests' checker, which shares no code with the matchmaker. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checker.h"
#include "vx_match.h"
#include "vx_rating.h"

enum { SLOTS = 1 << 14,
       FOUND = 64,
       LOOKS = 512,
       ROWS_MS = 1000,
       BANDS = 8 };

static struct vx_rng rng;
static struct checker checker;
static struct vx_match *match;
static struct vx_match_mode mode;
static uint32_t now_ms = 1000000, broken;

static double uniform(void)
{
    return ((double)(vx_rng_next(&rng) >> 11) + 0.5) * 0x1p-53;
}

static double normal(double mean, double deviation)
{
    return mean + deviation * sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

static uint16_t points(double rating)
{
    return (uint16_t)(rating < VX_RATING_MIN ? VX_RATING_MIN : rating > VX_RATING_MAX ? VX_RATING_MAX
                                                                                      : rating);
}

/* Elo's own assumption; newcomers in masses below a long tail (as game ladders publish them); two leagues;
 * three regions, some players between two; choosy players: platforms, languages, blocks, rematches. */
static const char *const populations[] = { "normal", "skewed", "leagues", "regions", "choosy" };
enum { NORMAL,
       SKEWED,
       LEAGUES,
       REGIONS,
       CHOOSY,
       POPULATIONS };

static uint16_t rating_of(uint32_t population)
{
    if (population == SKEWED)
        return points(900 - 320 * (log(uniform()) + log(uniform())));
    if (population == LEAGUES)
        return points(uniform() < 0.7 ? normal(1200, 180) : normal(2100, 220));
    return points(normal(1500, 350));
}

/* The shipped pairing formula: 50 points at once, any opponent after twenty seconds. */
static void mode_make(bool teams)
{
    mode = (struct vx_match_mode){ .name = "quality", .teams_min = 2, .teams_max = 2, .teams_multiple = 1, .size_min = 1, .size_max = 1, .size_multiple = 1, .step_ms = ROWS_MS, .late_ms = 15000 };
    for (uint32_t row = 0; row < VX_MATCH_ROWS; row++) {
        double part = (row < 20 ? row : 20) * 0.05;
        mode.window.at[row] = (uint16_t)(teams ? 150 + 1000 * part : 50 + 1950 * part * part);
        mode.means.at[row] = teams ? (uint16_t)(30 + 4 * row) : UINT16_MAX;
        mode.latency_more.at[row] = (uint16_t)(2 * row);
    }
    if (teams) {
        mode.size_min = mode.size_max = 5;
        mode.role_count = 2;
        mode.roles[0] = (struct vx_match_role){ 1, 1 };
        mode.roles[1] = (struct vx_match_role){ 2, 1 };
    }
}

static void mode_population(uint32_t population)
{
    if (population == REGIONS) {
        mode.region_count = 3;
        for (uint32_t i = 0; i < 3; i++)
            mode.latency_ms[i] = 80;
    }
    if (population == CHOOSY) {
        mode.equal_ms[0] = 10000;
        mode.common[0] = true;
        mode.rematch_ms = 15000;
    }
}

static void latencies(struct vx_ticket *ticket)
{
    uint32_t home = vx_rng_below(&rng, 10) < 6 ? 0 : 1 + vx_rng_below(&rng, 2);
    for (uint32_t i = 0; i < 3; i++)
        ticket->latency_ms[i] = (uint16_t)(i == home ? 15 + vx_rng_below(&rng, 40) : 70 + vx_rng_below(&rng, 110));
}

static void choose(struct vx_ticket *ticket, struct vx_match_person *person, uint32_t tickets)
{
    static const uint16_t platforms[] = { 1, 2, 3, 3, 3, 7, 4, 6 };
    ticket->sets[0] = platforms[vx_rng_below(&rng, 8)];
    ticket->attributes[0] = (uint8_t)(vx_rng_below(&rng, 10) < 7 ? 0 : 1 + vx_rng_below(&rng, 2));
    person->blocked_count = (uint8_t)(vx_rng_below(&rng, 4) == 0 ? 4 : 0);
    for (uint32_t i = 0; i < person->blocked_count; i++)
        person->blocked[i] = vx_rng_below(&rng, tickets);
    person->met_count = 2;
    for (uint32_t i = 0; i < person->met_count; i++)
        person->met[i] = vx_rng_below(&rng, tickets);
}

static void hall_open(void)
{
    const struct vx_match_config config = { .tickets_max = SLOTS, .mode_count = 1, .modes = &mode, .entries = 8, .pools_max = 32 };
    struct vx_error error;
    VX_ASSERT(vx_match_mode_check(&mode, &error) == 0);
    size_t bytes = (vx_match_bytes(&config) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    VX_ASSERT(memory != NULL);
    match = vx_match_create(memset(memory, 0, bytes), &config);
    checker_open(&checker, SLOTS, &mode, 1);
}

static void judged(const struct vx_match_found *found)
{
    const char *why = checker_found(&checker, found, now_ms);
    if (why != NULL)
        fprintf(stderr, "vx_match_quality: a match breaks a rule: %s\n", why);
    broken += why != NULL;
}

/* ---- snapshot ---- */
static void snapshot_fill(uint32_t population, uint32_t tickets)
{
    for (uint32_t slot = 0; slot < tickets; slot++) {
        struct vx_ticket ticket = { .since_ms = now_ms - vx_rng_below(&rng, 25000), .modes = 1, .rating = rating_of(population), .size = 1, .sets = { 1, 1 }, .members = { slot } };
        struct vx_match_person *person = vx_match_person(match, slot);
        *person = (struct vx_match_person){ .id = slot, .next = VX_MATCH_NONE, .rating = ticket.rating };
        if (population == REGIONS)
            latencies(&ticket);
        if (population == CHOOSY)
            choose(&ticket, person, tickets);
        VX_ASSERT(vx_match_add(match, &ticket, now_ms) == VX_MATCH_TAKEN);
        checker_added(&checker, match, &ticket);
    }
}

/* Two tickets may be matched when some region (or none is asked for) lets them. */
static bool admitted(uint32_t a, uint32_t b, uint32_t distance)
{
    struct vx_match_found found = { .teams = 2, .size = 1, .tickets = 2, .spread = (uint16_t)distance, .means = (uint16_t)distance, .ticket = { a, b }, .team = { 0, 1 } };
    for (uint32_t region = 0; region < (mode.region_count > 0 ? mode.region_count : 1u); region++) {
        found.region = (uint8_t)(mode.region_count > 0 ? region : UINT8_MAX);
        if (checker_judge(&checker, &found, now_ms) == NULL)
            return true;
    }
    return false;
}

static void snapshot(uint32_t population, uint32_t tickets)
{
    struct vx_match_found found[FOUND];
    mode_make(false);
    mode_population(population);
    hall_open();
    snapshot_fill(population, tickets);
    printf("{\"edges\": [");
    const char *comma = "";
    for (uint32_t a = 0; a < tickets; a++)
        for (uint32_t b = a + 1; b < tickets; b++) {
            uint32_t distance = (uint32_t)abs(checker.tickets[a].ticket.rating - checker.tickets[b].ticket.rating);
            if (!admitted(a, b, distance))
                continue;
            printf("%s[%u,%u,%u]", comma, a, b, distance);
            comma = ",";
        }
    printf("], \"pairs\": [");
    comma = "";
    for (uint32_t idle = 0; idle < 2;) { /* at one moment: nothing widens meanwhile */
        uint32_t count = vx_match_step(match, now_ms, LOOKS, found, FOUND);
        for (uint32_t i = 0; i < count; i++) {
            judged(&found[i]);
            printf("%s[%u,%u,%u]", comma, found[i].ticket[0], found[i].ticket[1], found[i].spread);
            comma = ",";
        }
        idle = count == 0 && vx_match_idle(match) ? idle + 1 : 0;
    }
    printf("], \"broken\": %u}\n", broken);
}

/* ---- replay ---- */
struct tally {
    struct vx_hist wait_ms, spread, means, favourite, latency_ms;
    uint64_t matches, players, expired;
    double band_wait_ms[BANDS], band_gain[BANDS];
    uint64_t band[BANDS];
    double size_wait_ms[VX_MATCH_PARTY_MAX + 1], size_win[VX_MATCH_PARTY_MAX + 1];
    uint64_t size[VX_MATCH_PARTY_MAX + 1];
};
static struct tally tally;
static struct vx_rating_rules rules;
static bool taken[SLOTS];

static void arrive(void)
{
    static const uint8_t sizes[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 5 };
    struct vx_ticket ticket = { .since_ms = now_ms, .modes = 1, .size = sizes[vx_rng_below(&rng, sizeof(sizes))], .sets = { 1, 1 } };
    uint16_t ratings[VX_MATCH_PARTY_MAX], middle = rating_of(NORMAL);
    for (uint32_t i = 0; i < ticket.size; i++) {
        uint32_t slot;
        do
            slot = vx_rng_below(&rng, SLOTS);
        while (taken[slot]);
        taken[slot] = true;
        ticket.members[i] = slot;
        ratings[i] = points(normal(middle, ticket.size > 1 ? 120 : 0));
        uint32_t take = vx_rng_below(&rng, 10);
        *vx_match_person(match, slot) = (struct vx_match_person){ .id = slot, .rating = ratings[i], .roles = (uint16_t)(ticket.size == 5 && i < 2 ? 1u << i : take < 2 ? 1
                                                                                                                                                          : take < 4   ? 2
                                                                                                                                                          : take < 5   ? 3
                                                                                                                                                                       : 4) };
    }
    ticket.rating = vx_match_party_rating(VX_MATCH_BETWEEN, 5, ratings, ticket.size);
    latencies(&ticket);
    if (vx_match_add(match, &ticket, now_ms) == VX_MATCH_TAKEN) {
        checker_added(&checker, match, &ticket);
        return;
    }
    for (uint32_t i = 0; i < ticket.size; i++)
        taken[ticket.members[i]] = false;
}

static double favourite_of(const struct vx_match_found *found, double *first)
{
    struct vx_rating_seat seats[VX_RATING_SEATS_MAX];
    struct vx_rating_team teams[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
    uint32_t count = 0;
    for (uint32_t team = 0; team < 2; team++) {
        teams[team].first = count;
        for (uint32_t i = 0; i < found->tickets; i++)
            for (uint32_t m = 0; found->team[i] == team && m < checker.tickets[found->ticket[i]].ticket.size; m++)
                seats[count++] = (struct vx_rating_seat){ { checker.tickets[found->ticket[i]].persons[m].rating, 60, 0.06, 99 }, 1, 0 };
        teams[team].count = count - teams[team].first;
    }
    *first = vx_rating_chance(&rules, seats, teams);
    return *first > 0.5 ? *first : 1 - *first;
}

static void tally_ticket(const struct vx_match_found *found, uint32_t i, double first)
{
    const struct checked *checked = &checker.tickets[found->ticket[i]];
    uint32_t waited_ms = now_ms - checked->ticket.since_ms, band = checked->ticket.rating / (4096 / BANDS), size = checked->ticket.size;
    double chance = found->team[i] == 0 ? first : 1 - first;
    vx_hist_add(&tally.wait_ms, waited_ms);
    vx_hist_add(&tally.latency_ms, checked->ticket.latency_ms[found->region]);
    tally.band[band]++;
    tally.band_wait_ms[band] += waited_ms;
    tally.band_gain[band] += chance;
    tally.size[size]++;
    tally.size_wait_ms[size] += waited_ms;
    tally.size_win[size] += chance;
    tally.players += size;
    for (uint32_t m = 0; m < size; m++)
        taken[checked->ticket.members[m]] = false;
}

static void tally_match(const struct vx_match_found *found)
{
    double first, favourite = favourite_of(found, &first);
    judged(found);
    tally.matches++;
    vx_hist_add(&tally.spread, found->spread);
    vx_hist_add(&tally.means, found->means);
    vx_hist_add(&tally.favourite, (uint64_t)(favourite * 1000));
    for (uint32_t i = 0; i < found->tickets; i++)
        tally_ticket(found, i, first);
}

static void hist_print(const char *name, const struct vx_hist *hist)
{
    printf("\"%s\": {\"p10\": %lu, \"p50\": %lu, \"p90\": %lu, \"p99\": %lu, \"max\": %lu, \"cdf\": [", name, vx_hist_quantile(hist, 0.1), vx_hist_quantile(hist, 0.5),
           vx_hist_quantile(hist, 0.9), vx_hist_quantile(hist, 0.99), hist->max);
    for (uint32_t i = 0; i <= 50; i++)
        printf("%s%lu", i > 0 ? "," : "", vx_hist_quantile(hist, i == 0 ? 0.001 : i / 50.0));
    printf("]}, ");
}

static void expire(void)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        if (vx_match_has(match, slot) && now_ms - vx_match_since_ms(match, slot) > 120000) {
            vx_match_remove(match, slot);
            checker_removed(&checker, slot);
            tally.expired++;
            for (uint32_t m = 0; m < checker.tickets[slot].ticket.size; m++)
                taken[checker.tickets[slot].ticket.members[m]] = false;
        }
}

static void replay(uint32_t seconds)
{
    struct vx_match_found found[FOUND];
    double due_ms = 0;
    mode_make(true);
    mode_population(REGIONS);
    hall_open();
    vx_rating_rules_default(VX_RATING_GLICKO2, &rules);
    for (uint32_t ms = 0; ms < seconds * 1000; ms += 10, now_ms += 10) {
        /* a quiet night and a busy evening: 4 to 60 tickets a second */
        double rate = 32 - 28 * cos(2 * M_PI * ms / (seconds * 1000.0));
        for (due_ms += 10; due_ms > 0; due_ms -= vx_rng_exponential(&rng) * 1000 / rate)
            arrive();
        uint32_t count = vx_match_step(match, now_ms, LOOKS, found, FOUND);
        for (uint32_t i = 0; i < count; i++)
            tally_match(&found[i]);
        if (ms % 1000 == 0)
            expire();
    }
    printf("{");
    hist_print("wait_ms", &tally.wait_ms);
    hist_print("spread", &tally.spread);
    hist_print("means", &tally.means);
    hist_print("favourite_permille", &tally.favourite);
    hist_print("latency_ms", &tally.latency_ms);
    printf("\"bands\": [");
    for (uint32_t i = 0; i < BANDS; i++)
        printf("%s[%u,%lu,%.0f,%.4f]", i > 0 ? "," : "", i * (4096 / BANDS), tally.band[i], tally.band[i] ? tally.band_wait_ms[i] / (double)tally.band[i] : 0, tally.band[i] ? tally.band_gain[i] / (double)tally.band[i] : 0);
    printf("], \"sizes\": [");
    for (uint32_t i = 1; i <= 5; i++)
        printf("%s[%u,%lu,%.0f,%.4f]", i > 1 ? "," : "", i, tally.size[i], tally.size[i] ? tally.size_wait_ms[i] / (double)tally.size[i] : 0, tally.size[i] ? tally.size_win[i] / (double)tally.size[i] : 0);
    printf("], \"matches\": %lu, \"players\": %lu, \"expired\": %lu, \"broken\": %u}\n", tally.matches, tally.players, tally.expired, broken);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "snapshot") == 0) {
        rng.state = strtoull(argv[4], NULL, 0);
        for (uint32_t i = 0; i < POPULATIONS; i++)
            if (strcmp(argv[2], populations[i]) == 0) {
                uint32_t tickets = (uint32_t)strtoul(argv[3], NULL, 0);
                if (tickets < 2 || tickets > SLOTS)
                    break;
                snapshot(i, tickets);
                return broken != 0;
            }
    }
    if (argc == 4 && strcmp(argv[1], "replay") == 0 && strtoul(argv[2], NULL, 0) > 0) {
        rng.state = strtoull(argv[3], NULL, 0);
        replay((uint32_t)strtoul(argv[2], NULL, 0));
        return broken != 0;
    }
    fprintf(stderr, "usage: vx_match_quality snapshot normal|skewed|leagues|regions|choosy TICKETS SEED\n       vx_match_quality replay SECONDS SEED\n");
    return 2;
}
