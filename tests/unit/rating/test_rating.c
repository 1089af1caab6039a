/* rating: every published value, in every printed digit, and the rules around them. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openskill_values.h"
#include "rating_private.h"
#include "vx_test.h"

/* True when the value, rounded as text was, prints the same. Digits after the point as in text, which drops zeros. */
static bool prints(double value, const char *text, double *off)
{
    const char *point = strchr(text, '.');
    int decimals = point != NULL ? (int)strlen(point + 1) : 0;
    double published_value = strtod(text, NULL);
    char ours[64], theirs[64];
    (void)snprintf(ours, sizeof(ours), "%.*f", decimals, value);
    (void)snprintf(theirs, sizeof(theirs), "%.*f", decimals, published_value);
    *off = fmax(*off, fabs(value - published_value));
    return strcmp(ours, theirs) == 0;
}

static struct vx_rating_rules openskill_rules(enum vx_rating_system system, double drift)
{
    return (struct vx_rating_rules){ .system = system, .start_mean = 25, .start_deviation = 25.0 / 3, .start_volatility = 0.06, .floor = -1000, .ceiling = 1000,
                                     .deviation_min = 1e-9, .deviation_max = 100, .change = 0.5, .scale = 173.7178, .beta = 25.0 / 6, .drift = drift < 0 ? 0 : drift,
                                     .kappa = 1e-4 };
}

static uint32_t seats_lay(struct vx_rating_team *teams, const uint32_t *sizes, const uint32_t *ranks)
{
    uint32_t count = 0, first = 0;
    for (; count < 6 && sizes[count] != 0; count++) {
        teams[count] = (struct vx_rating_team){ first, sizes[count], ranks[count] };
        first += sizes[count];
    }
    return count;
}

static void published_games(void)
{
    double off = 0;
    for (size_t i = 0; i < sizeof(published) / sizeof(published[0]); i++) {
        const struct published *game = &published[i];
        struct vx_rating_rules rules = openskill_rules(game->system, game->drift);
        struct vx_rating_team teams[6];
        struct vx_rating_seat seats[PLAYERS_MAX];
        uint32_t count = seats_lay(teams, game->sizes, game->ranks), players = teams[count - 1].first + teams[count - 1].count;
        rules.limit_deviation = game->limit;
        for (uint32_t p = 0; p < players; p++)
            seats[p] = (struct vx_rating_seat){ { game->before[p][0], game->before[p][1], 0.06, 0 }, 1, game->contribution[p] };
        vx_rating_game(&rules, seats, teams, count);
        for (uint32_t p = 0; p < players; p++) {
            if (game->after[p][0] == NULL)
                continue;
            bool same = prints(seats[p].rating.mean, game->after[p][0], &off) && prints(seats[p].rating.deviation, game->after[p][1], &off);
            if (!same)
                fprintf(stderr, "%s, player %u: %.17g %.17g, published %s %s\n", game->name, p, seats[p].rating.mean, seats[p].rating.deviation, game->after[p][0], game->after[p][1]);
            CU_ASSERT(same);
        }
    }
    printf("(%zu games, largest difference %.2g) ", sizeof(published) / sizeof(published[0]), off);
}

/* Plays the players named by `who` (UINT32_MAX ends) with these ranks. */
static void series_game(const struct vx_rating_rules *rules, struct vx_rating *ratings, const uint32_t *who, const uint32_t *ranks)
{
    struct vx_rating_team teams[5];
    struct vx_rating_seat seats[5];
    uint32_t count = 0;
    for (; count < 5 && who[count] != UINT32_MAX; count++) {
        teams[count] = (struct vx_rating_team){ count, 1, ranks[count] };
        seats[count] = (struct vx_rating_seat){ ratings[who[count]], 1, 0 };
    }
    vx_rating_game(rules, seats, teams, count);
    for (uint32_t i = 0; i < count; i++)
        ratings[who[i]] = seats[i].rating;
}

static void published_series(void)
{
    static const uint32_t who[3][5] = { { 0, 1, 2, 3, 4 }, { 4, 2, 1, UINT32_MAX }, { 3, 1, 2, 0, UINT32_MAX } };
    static const uint32_t ranks[3][5] = { { 1, 2, 2, 3, 3 }, { 1, 2, 2 }, { 1, 1, 2, 2 } };
    for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++) {
        struct vx_rating_rules rules = openskill_rules(series[i].system, NONE);
        struct vx_rating ratings[5];
        double off = 0;
        for (uint32_t p = 0; p < 5; p++)
            ratings[p] = vx_rating_new(&rules);
        for (uint32_t game = 0; game < 3; game++)
            series_game(&rules, ratings, who[game], ranks[game]);
        for (uint32_t p = 0; p < 5; p++) {
            bool same = prints(ratings[p].mean, series[i].after[p][0], &off) && prints(ratings[p].deviation, series[i].after[p][1], &off);
            if (!same)
                fprintf(stderr, "series %zu, player %u: %.12g %.12g, published %s %s\n", i, p, ratings[p].mean, ratings[p].deviation, series[i].after[p][0], series[i].after[p][1]);
            CU_ASSERT(same);
        }
    }
}

static double rounded(double value, int decimals)
{
    double unit = pow(10, decimals);
    return round(value * unit) / unit;
}

/* The paper's example: 1500, 200, 0.06 against 1400/30 (won), 1550/100 and 1700/300 (lost), tau 0.5. */
static const double paper_opponents[3][3] = { { 1400, 30, 1 }, { 1550, 100, 0 }, { 1700, 300, 0 } };

static void glickman_in_full_precision(void)
{
    struct glicko2_game games[3];
    double mean = 0, deviation = 200 / 173.7178, volatility = 0.06;
    for (uint32_t i = 0; i < 3; i++)
        games[i] = (struct glicko2_game){ mean, (paper_opponents[i][0] - 1500) / 173.7178, paper_opponents[i][1] / 173.7178, paper_opponents[i][2], 1 };
    glicko2_update(0.5, &mean, &deviation, &volatility, games, 3);
    /* What everybody's programs give: the paper prints 1464.06 because it goes on with four digits (below). */
    CU_ASSERT_DOUBLE_EQUAL(mean * 173.7178 + 1500, 1464.0506705393013, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(deviation * 173.7178, 151.51652412385727, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(volatility, 0.059995984286488495, 1e-9);
    CU_ASSERT(floor(volatility * 1e5) == 5999); /* the paper cuts: 0.05999 */
}

/* Each step of the paper with the digits that it prints and goes on with. */
static void glickman_in_every_printed_digit(void)
{
    static const double printed_g[3] = { 0.9955, 0.9531, 0.7242 }, printed_expected[3] = { 0.639, 0.432, 0.303 };
    static const double printed_mean[3] = { -0.5756, 0.2878, 1.1513 }, printed_deviation[3] = { 0.1727, 0.5756, 1.7269 };
    double information = 0, gain = 0;
    CU_ASSERT(rounded(200 / 173.7178, 4) == 1.1513);
    for (uint32_t i = 0; i < 3; i++) {
        CU_ASSERT(rounded((paper_opponents[i][0] - 1500) / 173.7178, 4) == rounded(printed_mean[i], 4));
        CU_ASSERT(rounded(paper_opponents[i][1] / 173.7178, 4) == rounded(printed_deviation[i], 4));
        double g = rounded(glicko2_g(paper_opponents[i][1] / 173.7178), 4), expected = rounded(glicko2_expected(0, printed_mean[i], g), 3);
        CU_ASSERT(g == rounded(printed_g[i], 4) && expected == rounded(printed_expected[i], 3));
        information += g * g * expected * (1 - expected);
        gain += g * (paper_opponents[i][2] - expected);
    }
    double variance = rounded(1 / information, 4), summed = rounded(gain, 3), delta = rounded(variance * summed, 4);
    CU_ASSERT_DOUBLE_EQUAL(variance, 1.7785, 0.00051); /* 1.7790 from the printed factors: the paper's own last digit slips */
    CU_ASSERT(summed == -0.272 && fabs(delta - -0.4834) < 0.0006);
    double before = rounded(sqrt(1.1513 * 1.1513 + 0.05999 * 0.05999), 6), after = rounded(1 / sqrt(1 / (before * before) + 1 / 1.7785), 4);
    CU_ASSERT(before == 1.152862 && after == 0.8722);
    double mean = rounded(after * after * summed, 4);
    CU_ASSERT(mean == -0.2069);
    CU_ASSERT(rounded(173.7178 * mean + 1500, 2) == 1464.06 && rounded(173.7178 * after, 2) == 151.52);
}

static const enum vx_rating_system systems[] = { VX_RATING_GLICKO2, PL, BTF, BTP };

/* One game of single players in the game's own scale. */
static void play(const struct vx_rating_rules *rules, struct vx_rating_seat *seats, const uint32_t *ranks, uint32_t teams, uint32_t size)
{
    struct vx_rating_team lay[VX_RATING_TEAMS_MAX];
    for (uint32_t i = 0; i < teams; i++)
        lay[i] = (struct vx_rating_team){ i * size, size, ranks[i] };
    vx_rating_game(rules, seats, lay, teams);
}

static void duel_in_glicko_is_the_papers(void)
{
    struct vx_rating_rules rules;
    vx_rating_rules_default(VX_RATING_GLICKO2, &rules);
    rules.placement_games = 0;
    struct vx_rating_seat seats[2] = { { { 1500, 200, 0.06, 20 }, 1, 0 }, { { 1400, 30, 0.06, 20 }, 1, 0 } };
    play(&rules, seats, (uint32_t[]){ 1, 2 }, 2, 1);
    double mean = 0, deviation = 200 / 173.7178, volatility = 0.06;
    const struct glicko2_game game = { 0, -100 / 173.7178, 30 / 173.7178, 1, 1 };
    glicko2_update(0.5, &mean, &deviation, &volatility, &game, 1);
    CU_ASSERT_DOUBLE_EQUAL(seats[0].rating.mean, 1500 + mean * 173.7178, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(seats[0].rating.deviation, deviation * 173.7178, 1e-9);
}

static void every_system_in_teams(void)
{
    for (size_t s = 0; s < 4; s++) {
        struct vx_rating_rules rules;
        struct vx_rating_seat seats[15], drawn[10];
        vx_rating_rules_default(systems[s], &rules);
        for (uint32_t i = 0; i < 15; i++)
            seats[i] = (struct vx_rating_seat){ { 1500, i % 5 == 0 ? 300 : 100, 0.06, 20 }, 1, 0 };
        for (uint32_t i = 0; i < 10; i++)
            drawn[i] = (struct vx_rating_seat){ { i < 5 ? 1600 : 1400, 100, 0.06, 20 }, 1, 0 };
        play(&rules, seats, (uint32_t[]){ 2, 1, 3 }, 3, 5);
        CU_ASSERT(seats[5].rating.mean > seats[0].rating.mean && seats[0].rating.mean > seats[10].rating.mean);
        CU_ASSERT(seats[5].rating.mean - 1500 > 2 * (seats[6].rating.mean - 1500)); /* who is less known moves further */
        CU_ASSERT(seats[6].rating.mean == seats[9].rating.mean && seats[6].rating.games == 21);
        play(&rules, drawn, (uint32_t[]){ 1, 1 }, 2, 5);
        CU_ASSERT(drawn[0].rating.mean < 1600 && drawn[9].rating.mean > 1400); /* a draw is less than expected of the stronger */
    }
}

static void free_for_all_of_64(void)
{
    for (size_t s = 0; s < 4; s++) {
        struct vx_rating_rules rules;
        struct vx_rating_seat seats[64];
        uint32_t ranks[64];
        double total = 0;
        vx_rating_rules_default(systems[s], &rules);
        for (uint32_t i = 0; i < 64; i++) {
            seats[i] = (struct vx_rating_seat){ { 1500, 100, 0.06, 20 }, 1, 0 };
            ranks[i] = 64 - i;
        }
        play(&rules, seats, ranks, 64, 1);
        for (uint32_t i = 0; i < 64; i++)
            total += seats[i].rating.mean;
        CU_ASSERT(seats[63].rating.mean > seats[32].rating.mean && seats[32].rating.mean > seats[0].rating.mean);
        CU_ASSERT_DOUBLE_EQUAL(total, 64 * 1500, 1e-6); /* equals take from each other what they win */
    }
}

static void partial_play(void)
{
    for (size_t s = 0; s < 4; s++) {
        struct vx_rating_rules rules;
        vx_rating_rules_default(systems[s], &rules);
        struct vx_rating_seat seats[4];
        for (uint32_t i = 0; i < 4; i++)
            seats[i] = (struct vx_rating_seat){ { 1500, 100, 0.06, 20 }, i % 2 == 0 ? 1 : 0.25, 0 };
        play(&rules, seats, (uint32_t[]){ 1, 2 }, 2, 2);
        for (uint32_t team = 0; team < 4; team += 2) {
            double whole = fabs(seats[team].rating.mean - 1500), part = fabs(seats[team + 1].rating.mean - 1500);
            CU_ASSERT(part > 0.2 * whole && part < 0.3 * whole);
            CU_ASSERT(seats[team + 1].rating.deviation > seats[team].rating.deviation);
        }
    }
}

static void placement_floor_and_ceiling(void)
{
    for (size_t s = 0; s < 4; s++) {
        struct vx_rating_rules rules;
        vx_rating_rules_default(systems[s], &rules);
        struct vx_rating_seat seats[2] = { { vx_rating_new(&rules), 1, 0 }, { vx_rating_new(&rules), 1, 0 } };
        for (uint32_t game = 1; game < 200; game++) {
            play(&rules, seats, (uint32_t[]){ game % 2, 1 - game % 2 }, 2, 1);
            double least = game < rules.placement_games ? rules.placement_deviation : rules.deviation_min;
            CU_ASSERT(seats[0].rating.deviation >= least && seats[1].rating.deviation >= least && seats[0].rating.games == game);
            CU_ASSERT(vx_rating_valid(&rules, &seats[0].rating) && vx_rating_valid(&rules, &seats[1].rating));
        }
        CU_ASSERT(seats[0].rating.deviation < rules.placement_deviation);
        seats[0].rating.mean = seats[1].rating.mean = 1500;
        rules.ceiling = 1500.125;
        rules.floor = 1499.875;
        play(&rules, seats, (uint32_t[]){ 1, 2 }, 2, 1);
        CU_ASSERT(seats[0].rating.mean == rules.ceiling && seats[1].rating.mean == rules.floor);
    }
}

static void inactivity(void)
{
    for (size_t s = 0; s < 4; s++) {
        struct vx_rating_rules rules;
        vx_rating_rules_default(systems[s], &rules);
        struct vx_rating once = { 1500, 50, 0.06, 20 }, twice = once, ever = once;
        double growth = systems[s] == VX_RATING_GLICKO2 ? 0.06 * 173.7178 : rules.drift;
        vx_rating_idle(&rules, &once, 10);
        CU_ASSERT_DOUBLE_EQUAL(once.deviation, sqrt(2500 + 10 * growth * growth), 1e-9);
        vx_rating_idle(&rules, &twice, 4);
        vx_rating_idle(&rules, &twice, 6);
        CU_ASSERT_DOUBLE_EQUAL(once.deviation, twice.deviation, 1e-9);
        vx_rating_idle(&rules, &ever, 1e9);
        CU_ASSERT(ever.deviation == rules.deviation_max && ever.mean == 1500 && ever.games == 20);
    }
}

static void chances(void)
{
    for (size_t s = 0; s < 4; s++) {
        struct vx_rating_rules rules;
        vx_rating_rules_default(systems[s], &rules);
        const struct vx_rating_seat seats[2] = { { { 1700, 50, 0.06, 20 }, 1, 0 }, { { 1500, 50, 0.06, 20 }, 1, 0 } };
        const struct vx_rating_team ab[2] = { { 0, 1, 0 }, { 1, 1, 0 } }, ba[2] = { { 1, 1, 0 }, { 0, 1, 0 } }, aa[2] = { { 0, 1, 0 }, { 0, 1, 0 } };
        double chance = vx_rating_chance(&rules, seats, ab);
        CU_ASSERT(chance > 0.6 && chance < 0.9);
        CU_ASSERT_DOUBLE_EQUAL(chance + vx_rating_chance(&rules, seats, ba), 1, 1e-12);
        CU_ASSERT(vx_rating_chance(&rules, seats, aa) == 0.5);
    }
}

static void what_is_refused(void)
{
    struct vx_rating_rules good, rules;
    struct vx_error error;
    vx_rating_rules_default(VX_RATING_GLICKO2, &good);
    CU_ASSERT_EQUAL(vx_rating_rules_check(&good, &error), 0);
    const struct vx_rating bad[] = { { NAN, 100, 0.06, 0 }, { 1500, NAN, 0.06, 0 }, { 1500, 100, NAN, 0 }, { INFINITY, 100, 0.06, 0 }, { 99, 100, 0.06, 0 },
                                     { 4001, 100, 0.06, 0 }, { 1500, 0, 0.06, 0 }, { 1500, -5, 0.06, 0 }, { 1500, 351, 0.06, 0 }, { 1500, 100, 0, 0 }, { 1500, 100, 2, 0 } };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT(!vx_rating_valid(&good, &bad[i]));
    CU_ASSERT(vx_rating_valid(&good, &(struct vx_rating){ 1500, 350, 0.06, 0 }));
#define REFUSED(field, value, says)                                                                \
    rules = good;                                                                                  \
    rules.field = value;                                                                           \
    CU_ASSERT(vx_rating_rules_check(&rules, &error) == -EINVAL && strstr(error.text, says) != NULL)
    REFUSED(system, VX_RATING_SYSTEMS, "system");
    REFUSED(floor, 1600, "start_mean");
    REFUSED(ceiling, 1400, "start_mean");
    REFUSED(deviation_min, 0, "deviation_min");
    REFUSED(deviation_max, 100, "start_deviation");
    REFUSED(start_volatility, 0, "start_volatility");
    REFUSED(change, NAN, "change");
    REFUSED(scale, 0, "scale");
    REFUSED(beta, 0, "beta");
    REFUSED(drift, -1, "drift");
    REFUSED(kappa, 0, "kappa");
    REFUSED(placement_deviation, 400, "placement_deviation");
}

/* A thousand games of every system and shape: one number for all their bits, the same for gcc and clang. */
static void same_bits_everywhere(void)
{
    uint64_t digest = 14695981039346656037u;
    struct vx_rng rng = { 7 };
    for (uint32_t game = 0; game < 4000; game++) {
        struct vx_rating_rules rules;
        struct vx_rating_seat seats[64];
        uint32_t ranks[64], teams = 2 + vx_rng_below(&rng, 7), size = 1 + vx_rng_below(&rng, 8);
        vx_rating_rules_default(systems[game % 4], &rules);
        for (uint32_t i = 0; i < teams * size; i++)
            seats[i] = (struct vx_rating_seat){ { 500 + vx_rng_below(&rng, 3000), 30 + vx_rng_below(&rng, 320), 0.06, vx_rng_below(&rng, 30) },
                                                (1 + vx_rng_below(&rng, 8)) / 8.0, vx_rng_below(&rng, 4) };
        for (uint32_t i = 0; i < teams; i++)
            ranks[i] = vx_rng_below(&rng, teams);
        play(&rules, seats, ranks, teams, size);
        for (uint32_t i = 0; i < teams * size; i++) {
            uint64_t bits[3];
            memcpy(bits, &seats[i].rating, sizeof(bits));
            digest = vx_mix64(vx_mix64(vx_mix64(digest ^ bits[0]) ^ bits[1]) ^ bits[2]);
        }
    }
    CU_ASSERT_EQUAL(digest, 0x29f38828b0d28ede);
    printf("(%016lx) ", digest);
}

static void exp_and_log(void)
{
    struct vx_rng rng = { 1 };
    double worst = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        double x = ((double)(vx_rng_next(&rng) >> 11) * 0x1p-53 - 0.5) * 60, y = rating_exp(x);
        worst = fmax(worst, fabs(y / exp(x) - 1));
        worst = fmax(worst, fabs(rating_log(y) - log(y)) / fmax(1, fabs(x)));
    }
    CU_ASSERT(worst < 4e-16);
    CU_ASSERT(rating_exp(0) == 1 && rating_log(1) == 0 && isfinite(rating_exp(1e9)) && rating_exp(-1e9) > 0);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "OpenSkill's published games", published_games },
        { "the authors' series", published_series },
        { "Glickman's example in full precision", glickman_in_full_precision },
        { "Glickman's example in every printed digit", glickman_in_every_printed_digit },
        { "a duel is the paper's case", duel_in_glicko_is_the_papers },
        { "teams in every system", every_system_in_teams },
        { "free-for-all of 64", free_for_all_of_64 },
        { "partial play", partial_play },
        { "placement, floor and ceiling", placement_floor_and_ceiling },
        { "inactivity", inactivity },
        { "chances", chances },
        { "what is refused", what_is_refused },
        { "the same bits everywhere", same_bits_everywhere },
        { "exp and log", exp_and_log },
    };
    return vx_test_main("rating", tests, sizeof(tests) / sizeof(tests[0]));
}
