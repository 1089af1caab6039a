/* The schema as the reference page shows it. */
#include <stdio.h>
#include <string.h>

#include "config_private.h"

enum { CELL_BYTES = 192 };

/* The words of a row's choices as code, by commas. */
static void write_choices(const char *choices, char cell[CELL_BYTES])
{
    size_t used = 0;
    while (*choices != '\0') {
        int span = (int)strcspn(choices, " ");
        used += (size_t)snprintf(cell + used, CELL_BYTES - used, "%s`%.*s`", used > 0 ? ", " : "", span, choices);
        choices += span + (choices[span] == ' ');
    }
}

static void write_expected(const struct setting *row, char cell[CELL_BYTES])
{
    const unsigned long long min = row->min, max = row->max;
    char words[CELL_BYTES] = "";
    write_choices(row->choices, words);
    switch (row->type) {
    case SETTING_NUMBER: (void)snprintf(cell, CELL_BYTES, "%llu to %llu%s%s", min, max, row->unit[0] != '\0' ? " " : "", row->unit); break;
    case SETTING_POWER: (void)snprintf(cell, CELL_BYTES, "power of two, %llu to %llu %s", min, max, row->unit); break;
    case SETTING_BOOLEAN: (void)snprintf(cell, CELL_BYTES, "`true` or `false`"); break;
    case SETTING_STRING: (void)snprintf(cell, CELL_BYTES, "text of %llu to %llu bytes", min, max); break;
    case SETTING_MODE: (void)snprintf(cell, CELL_BYTES, "octal, in quotes"); break;
    case SETTING_ADDRESSES: (void)snprintf(cell, CELL_BYTES, "list of addresses in quotes"); break;
    case SETTING_NAMES: (void)snprintf(cell, CELL_BYTES, "list of at most %llu names in quotes", max); break;
    case SETTING_ROLES: (void)snprintf(cell, CELL_BYTES, "list out of %s", words); break;
    case SETTING_WORD:
    case SETTING_CHOICE: (void)snprintf(cell, CELL_BYTES, "one of %s", words); break;
    }
}

/* The choice with this index. */
static void write_choice(const char *choices, uint64_t index, char cell[CELL_BYTES])
{
    for (; index > 0; index--)
        choices += strcspn(choices, " ") + 1;
    (void)snprintf(cell, CELL_BYTES, "`%.*s`", (int)strcspn(choices, " "), choices);
}

static void write_default(const struct setting *row, char cell[CELL_BYTES])
{
    if (row->number == UINT64_MAX) {
        (void)snprintf(cell, CELL_BYTES, "must be given");
        return;
    }
    switch (row->type) {
    case SETTING_BOOLEAN: (void)snprintf(cell, CELL_BYTES, row->number != 0 ? "`true`" : "`false`"); break;
    case SETTING_MODE: (void)snprintf(cell, CELL_BYTES, "`\"%04llo\"`", (unsigned long long)row->number); break;
    case SETTING_CHOICE: write_choice(row->choices, row->number, cell); break;
    case SETTING_STRING: (void)snprintf(cell, CELL_BYTES, row->text[0] != '\0' ? "`\"%s\"`" : "empty%s", row->text); break;
    case SETTING_NAMES:
    case SETTING_ADDRESSES: (void)snprintf(cell, CELL_BYTES, "none"); break;
    default: (void)snprintf(cell, CELL_BYTES, "%llu", (unsigned long long)row->number);
    }
}

size_t vx_config_markdown(char *buffer, size_t bytes)
{
    size_t used = (size_t)snprintf(buffer, bytes, "| key | value | default | what it is |\n| --- | --- | --- | --- |\n");
    for (uint32_t i = 0; i < config_setting_count && used < bytes; i++) {
        const struct setting *row = &config_settings[i];
        char expected[CELL_BYTES], otherwise[CELL_BYTES];
        write_expected(row, expected);
        write_default(row, otherwise);
        used += (size_t)snprintf(buffer + used, bytes - used, "| `%s%s.%s` | %s | %s | %s |\n", row->section, config_section_is_list(row->section) ? "[]" : "", row->key,
                                 expected, otherwise, row->sentence);
    }
    return used < bytes ? used : bytes;
}
