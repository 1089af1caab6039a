/* What all runs together have exercised: rows of the state tables, faults, answers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runner.h"

static struct sim_report total;
static uint64_t runs;

void summary_add(const struct sim_report *report)
{
    runs++;
    total.steps += report->steps;
    total.packets_in += report->packets_in;
    total.packets_out += report->packets_out;
    total.actions += report->actions;
    total.replies += report->replies;
    total.matches += report->matches;
    total.receipts += report->receipts;
    total.ambiguous += report->ambiguous;
    total.player_hours += report->player_hours;
    for (uint32_t i = 0; i < SIM_FAULT_KINDS; i++)
        total.faults[i] += report->faults[i];
    for (uint32_t i = 0; i < SIM_ROWS_MAX; i++)
        total.rows[i] += report->rows[i];
    for (uint32_t action = 0; action < VX_ACTION_COUNT; action++)
        for (uint32_t code = 0; code < VX_CODE_COUNT + 2; code++)
            total.answers[action][code] += report->answers[action][code];
}

void summary_progress(uint64_t seed, double seconds)
{
    (void)printf("%4.0f s: seed %lu, %lu runs clean, %.0f player-hours (%.0f a minute), %lu matches, %lu receipts\n", seconds, seed, runs, total.player_hours,
                 total.player_hours * 60 / seconds, total.matches, total.receipts);
    (void)fflush(stdout);
}

/* The rows of the tables as the program prints them: `| state | event | action | next |`. */
static uint32_t rows_print(bool quiet)
{
    static char tables[1 << 16];
    uint32_t row = 0, missed = 0;
    VX_ASSERT(vx_shard_tables_markdown(tables, sizeof(tables)) < sizeof(tables));
    for (char *line = strtok(tables, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        bool is_head = strstr(line, " state | event ") != NULL || strncmp(line, "| ---", 5) == 0;
        if (is_head)
            continue;
        VX_ASSERT(row < SIM_ROWS_MAX);
        missed += total.rows[row] == 0;
        if (!quiet || total.rows[row] == 0)
            (void)printf("%12lu  %s%s\n", total.rows[row], line, total.rows[row] == 0 ? "   NOT REACHED" : "");
        row++;
    }
    (void)printf("state tables: %u of %u rows taken\n", row - missed, row);
    return missed;
}

static void faults_print(void)
{
    static const char *const sentences[] = {
#define SENTENCE(name, text) text,
        SIM_FAULTS(SENTENCE)
#undef SENTENCE
    };
    for (uint32_t i = 0; i < SIM_FAULT_KINDS; i++)
        (void)printf("%12lu  %-18s %s\n", total.faults[i], sim_fault_name((enum sim_fault_kind)i), sentences[i]);
}

static void answers_print(void)
{
    for (uint32_t action = 1; action < VX_ACTION_COUNT; action++) {
        (void)printf("  %-8s", vx_action_name((uint8_t)action));
        for (uint32_t code = 0; code < VX_CODE_COUNT; code++)
            if (total.answers[action][code] > 0)
                (void)printf(" %s %lu,", vx_code_name((uint8_t)code), total.answers[action][code]);
        if (total.answers[action][VX_CODE_COUNT + 1] > 0)
            (void)printf(" landed %lu,", total.answers[action][VX_CODE_COUNT + 1]);
        (void)printf(" repeated %lu\n", total.answers[action][VX_CODE_COUNT]);
    }
}

int summary_print(uint64_t first, uint64_t last, double seconds, bool all_rows, bool quiet)
{
    if (!quiet) {
        (void)printf("\nfaults, how often they struck:\n");
        faults_print();
        (void)printf("\nanswers, as the model saw them:\n");
        answers_print();
        (void)printf("\n");
    }
    uint32_t missed = rows_print(quiet);
    (void)printf("seeds %lu to %lu: %lu runs clean, %.1f player-hours in %.1f s (%.0f a minute), %lu steps, %lu packets in, %lu out, %lu actions, %lu matches, %lu receipts\n",
                 first, last, runs, total.player_hours, seconds, total.player_hours * 60 / seconds, total.steps, total.packets_in, total.packets_out, total.actions,
                 total.matches, total.receipts);
    return all_rows && missed > 0 ? 1 : 0;
}

int summary_json(const char *path, uint64_t first, uint64_t last, double seconds)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        (void)fprintf(stderr, "vx_sim: %s: %s\n", path, strerror(errno));
        return 2;
    }
    (void)fprintf(file, "{\"seed_first\": %lu, \"seed_last\": %lu, \"runs_clean\": %lu, \"player_hours\": %.2f, \"seconds\": %.2f, \"player_hours_per_minute\": %.1f,\n"
                        " \"steps\": %lu, \"actions\": %lu, \"matches\": %lu, \"receipts\": %lu, \"faults\": {",
                  first, last, runs, total.player_hours, seconds, total.player_hours * 60 / seconds, total.steps, total.actions, total.matches, total.receipts);
    for (uint32_t i = 0; i < SIM_FAULT_KINDS; i++)
        (void)fprintf(file, "%s\"%s\": %lu", i == 0 ? "" : ", ", sim_fault_name((enum sim_fault_kind)i), total.faults[i]);
    (void)fprintf(file, "}}\n");
    return fclose(file) == 0 ? 0 : 2;
}
