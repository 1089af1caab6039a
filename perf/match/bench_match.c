/* How fast lib/match is: tickets and players matched a second by one core while a fixed number waits, and the
 * longest step.
 *
 *   vx_bench_match [--rounds N] [--cpus A,B] [--most TICKETS] [--strict]
 *
 * Rates: tickets wait, as many as said; then as many are added as have left, and stepped, until a million or two
 * have been matched. Adding is counted, making the tickets up is not. Slots are taken in random order, as players'
 * are. Each figure is the median of the rounds.
 *
 * Longest step: 3,000 steps at 10,000 waiting, 64 newcomers in each, under several kinds of distress. The same
 * steps are run several times and each step's shortest time counts, because what differs between identical runs
 * is the machine's doing (it takes 12 to 100 us for itself 250 times a second), not the matchmaker's. Beside each step
 * a twin that does nothing but count runs for as long as the median step: what the twin loses at its 99.9th percentile is the machine's.
 *
 * With --strict ends with 1 when a ticket at 1,000,000 costs more than twice what it costs at 10,000 (1v1, 5v5), when a rate is below
 * what is wanted, or when a step was longer than 50 us or used more looks than vx_match.h says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "vx_match.h"

enum { MADE = 1 << 16,
       FOUND = 16,
       EXPECTED = 16,
       STEPS = 3000,
       STEPS_WAITING = 10000,
       STEP_LOOKS = 256,
       NEWCOMERS = 64,
       REPEATS = 7,
       STEP_US_MAX = 50,
       ROUNDS_MAX = 99 };
enum shape { DUEL,
             TEAMS,
             FREE_FOR_ALL };

static struct vx_rng rng;
static struct vx_ticket *made;
static uint16_t made_roles[MADE][VX_MATCH_PARTY_MAX];

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- what waits ---- */
/* Ratings as in a large population of Elo: normal, 1500 and 350. */
static uint16_t rating_made(void)
{
    double sum = 0;
    for (uint32_t i = 0; i < 12; i++)
        sum += (double)(vx_rng_next(&rng) >> 11) * 0x1p-53;
    double rating = 1500 + 350 * (sum - 6);
    return (uint16_t)(rating < 0 ? 0 : rating > VX_MATCH_RATING_MAX ? VX_MATCH_RATING_MAX
                                                                    : rating);
}

static struct vx_match_mode mode_of(enum shape shape)
{
    struct vx_match_mode mode = { .name = "bench", .teams_min = 2, .teams_max = 2, .teams_multiple = 1, .size_min = 1, .size_max = 1, .size_multiple = 1, .step_ms = 1000, .late_ms = 60000, .equal_ms = { VX_MATCH_ALWAYS }, .common = { true } };
    if (shape == TEAMS) {
        mode.size_min = mode.size_max = 5;
        mode.role_count = 2;
        mode.roles[0] = (struct vx_match_role){ 1, 1 };
        mode.roles[1] = (struct vx_match_role){ 2, 1 };
    }
    if (shape == FREE_FOR_ALL)
        mode.teams_min = mode.teams_max = 64;
    for (uint32_t row = 0; row < VX_MATCH_ROWS; row++) {
        mode.window.at[row] = 400;
        mode.means.at[row] = shape == FREE_FOR_ALL ? UINT16_MAX : 100;
    }
    return mode;
}

/* Seven in ten alone, the others in parties of two to five; a fifth of the players takes each of two roles, a tenth
 * both, and parties of four and five bring what their team needs. */
static void tickets_make(enum shape shape)
{
    made = made != NULL ? made : calloc(MADE, sizeof(*made));
    VX_ASSERT(made != NULL);
    for (uint32_t i = 0; i < MADE; i++) {
        uint32_t r = vx_rng_below(&rng, 100), size = shape != TEAMS || r < 70 ? 1 : r < 85 ? 2
                                                                                : r < 93   ? 3
                                                                                : r < 97   ? 4
                                                                                           : 5;
        made[i] = (struct vx_ticket){ .modes = 1, .rating = rating_made(), .size = (uint8_t)size, .attributes = { 1 }, .sets = { 7, 1 } };
        for (uint32_t p = 0; p < size; p++) {
            uint32_t take = vx_rng_below(&rng, 10);
            made_roles[i][p] = (uint16_t)(take < 2 ? 1 : take < 4 ? 2
                                                     : take < 5   ? 3
                                                                  : 4);
        }
        if (size > 3) {
            made_roles[i][0] = 1;
            made_roles[i][1] = 2;
        }
    }
}

/* ---- a matchmaker that is kept full ---- */
struct hall {
    struct vx_match *match;
    uint32_t *free, free_first, free_count, slots; /* slots in random order, going round */
    uint32_t waiting, next, now_ms;
    uint64_t tickets, players;
};

static void hall_open(struct hall *hall, const struct vx_match_mode *mode, uint32_t tickets, void *memory)
{
    const struct vx_match_config config = { .tickets_max = 2 * tickets + 8192, .mode_count = 1, .modes = mode, .entries = 1, .pools_max = 8 };
    memset(memory, 0, vx_match_bytes(&config));
    *hall = (struct hall){ .match = vx_match_create(memory, &config), .slots = config.tickets_max, .free_count = config.tickets_max, .now_ms = 1000 };
    hall->free = malloc(hall->slots * sizeof(*hall->free));
    VX_ASSERT(hall->free != NULL);
    for (uint32_t i = 0; i < hall->slots; i++)
        hall->free[i] = i;
    for (uint32_t i = hall->slots - 1; i > 0; i--) {
        uint32_t j = vx_rng_below(&rng, i + 1), keep = hall->free[i];
        hall->free[i] = hall->free[j];
        hall->free[j] = keep;
    }
}

static void hall_close(struct hall *hall)
{
    free(hall->free);
}

static bool hall_add(struct hall *hall)
{
    uint32_t which = hall->next++ % MADE;
    struct vx_ticket *ticket = &made[which];
    if (hall->free_count < VX_MATCH_PARTY_MAX)
        return false;
    for (uint32_t i = 0; i < ticket->size; i++) { /* a shard sees a batch of events at once */
        uint32_t at = hall->free_first + EXPECTED + i;
        vx_match_expect(hall->match, hall->free[at < hall->slots ? at : at - hall->slots]);
    }
    for (uint32_t i = 0; i < ticket->size; i++) {
        uint32_t slot = hall->free[hall->free_first];
        hall->free_first = hall->free_first + 1 < hall->slots ? hall->free_first + 1 : 0;
        hall->free_count--;
        ticket->members[i] = slot;
        struct vx_match_person *person = vx_match_person(hall->match, slot);
        person->id = slot;
        person->roles = made_roles[which][i];
    }
    ticket->since_ms = hall->now_ms;
    VX_ASSERT(vx_match_add(hall->match, ticket, hall->now_ms) == VX_MATCH_TAKEN);
    hall->waiting++;
    return true;
}

static void hall_take(struct hall *hall, const struct vx_match_found *found, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < found[i].tickets; j++) {
            hall->waiting--;
            hall->tickets++;
            uint32_t members[VX_MATCH_PARTY_MAX], size = vx_match_members(hall->match, found[i].ticket[j], members);
            for (uint32_t m = 0; m < size; m++) {
                uint32_t at = hall->free_first + hall->free_count++;
                hall->free[at < hall->slots ? at : at - hall->slots] = members[m];
                hall->players++;
            }
        }
}

/* ---- rates ---- */
struct rate {
    double tickets_per_s, players_per_s;
};

static struct rate rate_once(enum shape shape, uint32_t waiting, void *memory)
{
    const struct vx_match_mode mode = mode_of(shape);
    struct vx_match_found found[FOUND];
    struct hall hall;
    hall_open(&hall, &mode, waiting, memory);
    while (hall.waiting < waiting)
        VX_ASSERT(hall_add(&hall));
    uint64_t wanted = waiting > 500000 ? 2000000 : 1000000, steps = 0;
    double began = seconds();
    while (hall.tickets < wanted) {
        while (hall.waiting < waiting && hall_add(&hall))
            continue;
        uint32_t count = vx_match_step(hall.match, hall.now_ms, 2 * VX_MATCH_LOOKS_PIECE, found, FOUND);
        hall_take(&hall, found, count);
        hall.now_ms += ++steps % 64 == 0;
        waiting += count == 0 && vx_match_idle(hall.match); /* nothing fits: somebody more is needed */
    }
    double took = seconds() - began;
    vx_match_check(hall.match);
    hall_close(&hall);
    return (struct rate){ (double)hall.tickets / took, (double)hall.players / took };
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool verdict(const char *what, double value, double wanted, bool most)
{
    bool good = most ? value <= wanted : value >= wanted;
    printf("%-62s %12.2f, wanted at %s %.0f%s\n", what, value, most ? "most" : "least", wanted, good ? "" : ": MISSED");
    return good;
}

static bool rates(const struct bench_options *options, uint32_t most, void *memory)
{
    static const char *const names[] = { "1v1", "5v5, roles, parties", "free-for-all of 64" };
    printf("%-20s %8s %12s %12s %13s\n", "shape", "waiting", "tickets/s", "players/s", "ns a ticket");
    double ticket_ns[FREE_FOR_ALL + 1][4] = { { 0 } }, players_per_s = 0;
    for (enum shape shape = DUEL; shape <= FREE_FOR_ALL; shape++) {
        tickets_make(shape);
        uint32_t column = 0;
        for (uint32_t waiting = 1000; waiting <= most; waiting *= 10) {
            double tickets[ROUNDS_MAX], players[ROUNDS_MAX];
            for (uint32_t round = 0; round < options->rounds; round++) {
                struct rate rate = rate_once(shape, waiting, memory);
                tickets[round] = rate.tickets_per_s;
                players[round] = rate.players_per_s;
            }
            qsort(tickets, options->rounds, sizeof(double), ascending);
            qsort(players, options->rounds, sizeof(double), ascending);
            double ticket = tickets[options->rounds / 2], player = players[options->rounds / 2];
            printf("%-20s %8u %12.0f %12.0f %13.0f\n", names[shape], waiting, ticket, player, 1e9 / ticket);
            ticket_ns[shape][column < 3 ? column++ : 3] = 1e9 / ticket;
            players_per_s = shape == TEAMS && waiting == 100000 ? player : players_per_s;
            fflush(stdout);
        }
    }
    if (most < 1000000)
        return true;
    bool good = verdict("1v1: time a ticket, 1,000,000 waiting against 10,000", ticket_ns[DUEL][3] / ticket_ns[DUEL][1], 2, true);
    good &= verdict("5v5: time a ticket, 1,000,000 waiting against 10,000", ticket_ns[TEAMS][3] / ticket_ns[TEAMS][1], 2, true);
    good &= verdict("1v1, 100,000 waiting: tickets a second", 1e9 / ticket_ns[DUEL][2], 2000000, false);
    return verdict("5v5, 100,000 waiting: players a second", players_per_s, 500000, false) && good;
}

/* ---- the longest step ---- */
enum distress { ORDINARY,
                NOBODY_FITS,
                NO_HEALERS,
                EVERYBODY_LATE,
                MODE_CHANGES };
static const struct {
    const char *name;
    enum shape shape;
    enum distress distress;
} distresses[] = {
    { "1v1, 64 newcomers a step", DUEL, ORDINARY },
    { "1v1, few fit anybody", DUEL, NOBODY_FITS },
    { "5v5, 64 newcomers a step", TEAMS, ORDINARY },
    { "5v5, no healers", TEAMS, NO_HEALERS },
    { "5v5, everybody late", TEAMS, EVERYBODY_LATE },
    { "5v5, the mode changes every 100 steps", TEAMS, MODE_CHANGES },
    { "free-for-all of 64, few fit anybody", FREE_FOR_ALL, NOBODY_FITS },
};

static void distress_tickets(enum shape shape, enum distress distress)
{
    rng.state = 11;
    tickets_make(shape);
    for (uint32_t i = 0; i < MADE; i++) {
        if (distress == NOBODY_FITS)
            made[i].sets[0] = (uint16_t)(1u << vx_rng_below(&rng, 16)); /* one in sixteen does */
        if (distress == NO_HEALERS && made[i].size > 3)
            made[i].size = 1;
        for (uint32_t p = 0; p < made[i].size && distress == NO_HEALERS; p++)
            made_roles[i][p] &= (uint16_t)~2u;
    }
}

static void step_once(struct hall *hall, const struct vx_match_mode *mode, enum distress distress, uint32_t step)
{
    struct vx_match_found found[FOUND];
    for (uint32_t i = 0; i < NEWCOMERS && hall->waiting < STEPS_WAITING + NEWCOMERS; i++)
        (void)hall_add(hall);
    if (distress == MODE_CHANGES && step % 100 == 99)
        vx_match_mode_set(hall->match, 0, mode);
    hall_take(hall, found, vx_match_step(hall->match, hall->now_ms, STEP_LOOKS, found, FOUND));
}

/* As long as a median step, doing nothing that another could lengthen. */
static uint64_t twin(uint64_t rounds)
{
    uint64_t began = __rdtsc();
    for (uint64_t i = 0; i < rounds; i++)
        __asm__ volatile("" : "+r"(i));
    return __rdtsc() - began;
}

static uint32_t run_steps(enum shape shape, enum distress distress, void *memory, uint64_t *cycles, uint64_t twin_rounds, struct vx_hist *twins, struct vx_hist *all)
{
    uint32_t looks = 0;
    struct vx_match_mode mode = mode_of(shape);
    struct hall hall;
    mode.late_ms = distress == EVERYBODY_LATE ? 0 : 60000;
    rng.state = 12;
    hall_open(&hall, &mode, STEPS_WAITING, memory);
    while (hall.waiting < STEPS_WAITING)
        VX_ASSERT(hall_add(&hall));
    for (uint32_t step = 0; step < STEPS; step++) {
        hall.now_ms += 1 + step % 2;
        uint64_t began = __rdtsc();
        step_once(&hall, &mode, distress, step);
        uint64_t took = __rdtsc() - began;
        cycles[step] = took < cycles[step] ? took : cycles[step];
        looks = vx_match_looks(hall.match) > looks ? vx_match_looks(hall.match) : looks;
        vx_hist_add(all, took);
        vx_hist_add(twins, twin(twin_rounds));
    }
    hall_close(&hall);
    return looks;
}

static uint64_t median_of(const uint64_t *cycles)
{
    static struct vx_hist hist;
    memset(&hist, 0, sizeof(hist));
    for (uint32_t step = 0; step < STEPS; step++)
        vx_hist_add(&hist, cycles[step]);
    return vx_hist_quantile(&hist, 0.5);
}

static bool longest_steps(void *memory)
{
    static uint64_t cycles[STEPS];
    static struct vx_hist twins, all;
    double began = seconds(), longest_us = 0;
    uint64_t tsc = __rdtsc();
    uint32_t looks_most = 0;
    while (seconds() - began < 0.05)
        continue;
    double us = (seconds() - began) * 1e6 / (double)(__rdtsc() - tsc);
    uint64_t rounds_a_cycle_100 = 100 * 1000000 / (twin(1000000) + 1);
    printf("\n%-40s %9s %9s %9s %9s %9s %7s\n", "10,000 waiting, step of 256 looks", "median us", "longest", "p99.9", "twin p50", "p99.9", "looks");
    for (size_t i = 0; i < sizeof(distresses) / sizeof(distresses[0]); i++) {
        uint64_t longest = 0, rounds = 1000;
        uint32_t looks = 0;
        distress_tickets(distresses[i].shape, distresses[i].distress);
        memset(cycles, 0xff, sizeof(cycles));
        memset(&twins, 0, sizeof(twins));
        memset(&all, 0, sizeof(all));
        for (uint32_t repeat = 0; repeat < REPEATS; repeat++) {
            uint32_t used = run_steps(distresses[i].shape, distresses[i].distress, memory, cycles, rounds, &twins, &all);
            looks = used > looks ? used : looks;
            if (repeat == 0) { /* now the twin's length is known */
                rounds = median_of(cycles) * rounds_a_cycle_100 / 100;
                memset(&twins, 0, sizeof(twins));
                memset(&all, 0, sizeof(all));
            }
        }
        for (uint32_t step = 0; step < STEPS; step++)
            longest = cycles[step] > longest ? cycles[step] : longest;
        printf("%-40s %9.1f %9.1f %9.1f %9.1f %9.1f %7u\n", distresses[i].name, (double)median_of(cycles) * us, (double)longest * us, (double)vx_hist_quantile(&all, 0.999) * us,
               (double)vx_hist_quantile(&twins, 0.5) * us, (double)vx_hist_quantile(&twins, 0.999) * us, looks);
        fflush(stdout);
        longest_us = (double)longest * us > longest_us ? (double)longest * us : longest_us;
        looks_most = looks > looks_most ? looks : looks_most;
    }
    bool good = verdict("longest step, us", longest_us, STEP_US_MAX, true);
    return verdict("most looks in a step", looks_most, STEP_LOOKS + VX_MATCH_LOOKS_OVER, true) && good;
}

int main(int argc, char **argv)
{
    struct bench_options options;
    uint32_t most = 1000000;
    const bool strict = argc >= 2 && strcmp(argv[argc - 1], "--strict") == 0; /* a missed figure is a failure; a busy machine misses some */
    argc -= strict;
    if (argc >= 3 && strcmp(argv[argc - 2], "--most") == 0) {
        most = (uint32_t)strtoul(argv[argc - 1], NULL, 0);
        argc -= 2;
    }
    if (!bench_options_read(argc, argv, &options) || options.rounds > ROUNDS_MAX || most < 1000)
        return 2;
    const struct vx_match_mode mode = mode_of(TEAMS);
    const struct vx_match_config largest = { .tickets_max = 2 * most + 8192, .mode_count = 1, .modes = &mode, .entries = 1, .pools_max = 8 };
    void *memory = bench_memory(vx_match_bytes(&largest));
    bool good = rates(&options, most, memory);
    good = longest_steps(memory) && good;
    return good || !strict ? 0 : 1;
}
