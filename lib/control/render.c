/* Results for people. A list of objects becomes a table, an object `key  value` lines, `help` usage lines; what is
 * deeper is indented. No command needs code of its own here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_private.h"

enum { INDENT = 2, COLUMNS_MAX = 32, CELL_BYTES = 256 };

static bool is_nested(const json_t *value)
{
    return json_is_object(value) || json_is_array(value);
}

static const char *scalar(const json_t *value, char cell[CELL_BYTES])
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        (void)snprintf(cell, CELL_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        (void)snprintf(cell, CELL_BYTES, "%.6g", json_real_value(value));
    else
        (void)snprintf(cell, CELL_BYTES, "%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
    return cell;
}

static bool is_list_of_scalars(const json_t *value)
{
    size_t i;
    json_t *item;
    json_array_foreach(value, i, item)
        if (is_nested(item))
            return false;
    return json_is_array(value);
}

static void write_scalars(FILE *to, const json_t *array)
{
    char cell[CELL_BYTES];
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
        (void)fprintf(to, "%s%s", i > 0 ? ", " : "", scalar(item, cell));
    (void)fputc('\n', to);
}

static const char *cell_text(const json_t *value, char cell[CELL_BYTES])
{
    if (!is_list_of_scalars(value))
        return scalar(value, cell);
    size_t used = 0, i;
    json_t *item;
    char one[CELL_BYTES];
    cell[0] = '\0';
    json_array_foreach(value, i, item)
        if (used < CELL_BYTES)
            used += (size_t)snprintf(cell + used, CELL_BYTES - used, "%s%s", i > 0 ? "," : "", scalar(item, one));
    return cell;
}

/* A table's columns: what is flat in its first row and in every other row that has it. */
struct column {
    const char *key;
    int width;
    bool is_number;
};

static uint32_t columns_of(const json_t *rows, struct column columns[COLUMNS_MAX])
{
    uint32_t count = 0;
    const char *key;
    json_t *value, *row;
    size_t i;
    json_object_foreach(json_array_get(rows, 0), key, value)
        if (count < COLUMNS_MAX && (!is_nested(value) || is_list_of_scalars(value)))
            columns[count++] = (struct column){ key, (int)strlen(key), json_is_number(value) };
    for (uint32_t c = 0; c < count; c++)
        json_array_foreach(rows, i, row) {
            char cell[CELL_BYTES];
            int width = (int)strlen(cell_text(json_object_get(row, columns[c].key), cell));
            columns[c].width = width > columns[c].width ? width : columns[c].width;
        }
    return count;
}

static void write_cell(FILE *to, const struct column *column, const char *text, bool last)
{
    if (last && !column->is_number)
        (void)fprintf(to, "%s\n", text);
    else
        (void)fprintf(to, column->is_number ? "%*s%s" : "%-*s%s", column->width, text, last ? "\n" : "  ");
}

static bool is_table(const json_t *array)
{
    size_t i;
    json_t *row, *value;
    const char *key;
    json_array_foreach(array, i, row) {
        if (!json_is_object(row))
            return false;
        json_object_foreach(row, key, value)
            if (is_nested(value) && !is_list_of_scalars(value))
                return false;
    }
    return json_array_size(array) > 0;
}

static void write_table(FILE *to, const json_t *rows, int depth)
{
    struct column columns[COLUMNS_MAX];
    uint32_t count = columns_of(rows, columns);
    size_t i;
    json_t *row;
    (void)fprintf(to, "%*s", depth * INDENT, "");
    for (uint32_t c = 0; c < count; c++)
        write_cell(to, &columns[c], columns[c].key, c + 1 == count);
    json_array_foreach(rows, i, row) {
        (void)fprintf(to, "%*s", depth * INDENT, "");
        for (uint32_t c = 0; c < count; c++) {
            char cell[CELL_BYTES];
            write_cell(to, &columns[c], cell_text(json_object_get(row, columns[c].key), cell), c + 1 == count);
        }
    }
}

static void write_value(FILE *to, const json_t *value, int depth);

static void write_object(FILE *to, const json_t *object, int depth)
{
    const char *key;
    json_t *value;
    int width = 0;
    json_object_foreach((json_t *)object, key, value)
        if ((int)strlen(key) > width && !is_nested(value))
            width = (int)strlen(key);
    json_object_foreach((json_t *)object, key, value) {
        (void)fprintf(to, "%*s", depth * INDENT, "");
        if (is_nested(value) && !is_list_of_scalars(value)) {
            (void)fprintf(to, "%s\n", key);
            write_value(to, value, depth + 1);
        } else {
            (void)fprintf(to, "%-*s  ", width, key);
            write_value(to, value, 0);
        }
    }
}

static void write_array(FILE *to, const json_t *array, int depth)
{
    size_t i;
    json_t *item;
    if (is_table(array)) {
        write_table(to, array, depth);
        return;
    }
    json_array_foreach(array, i, item) {
        (void)fprintf(to, "%*s%zu\n", depth * INDENT, "", i);
        write_value(to, item, depth + 1);
    }
}

static void write_value(FILE *to, const json_t *value, int depth)
{
    char cell[CELL_BYTES];
    if (json_is_object(value))
        write_object(to, value, depth);
    else if (is_list_of_scalars(value))
        write_scalars(to, value);
    else if (json_is_array(value))
        write_array(to, value, depth);
    else
        (void)fprintf(to, "%*s%s\n", depth * INDENT, "", scalar(value, cell));
}

/* `help`: `shard drain SHARD` and under it what that does. */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static void write_usage(FILE *to, const json_t *command)
{
    size_t i;
    json_t *argument;
    (void)fprintf(to, "%s", text_of(command, "name"));
    json_array_foreach(json_object_get(command, "arguments"), i, argument) {
        const char *place = text_of(argument, "place"), *name = text_of(argument, "name");
        if (strcmp(place, "named") != 0)
            (void)fprintf(to, strcmp(place, "needed") == 0 ? " <%s>" : " [<%s>]", name);
        else if (strcmp(text_of(argument, "type"), "flag") == 0)
            (void)fprintf(to, " [--%s]", name);
        else
            (void)fprintf(to, " [--%s <%s>]", name, text_of(argument, "type"));
    }
    (void)fprintf(to, "\n    %s%s\n", text_of(command, "summary"), strcmp(text_of(command, "who"), "admin") == 0 ? " (admins)" : strcmp(text_of(command, "who"), "look") == 0 ? "" : " (to change: admins)");
}

static void write_argument(FILE *to, const json_t *argument)
{
    char low[CELL_BYTES], high[CELL_BYTES];
    const char *choices = text_of(argument, "choices"), *unit = text_of(argument, "unit");
    (void)fprintf(to, "      %s: %s", text_of(argument, "name"), text_of(argument, "summary"));
    if (choices[0] != '\0')
        (void)fprintf(to, "; one of: %s", choices);
    else if (json_object_get(argument, "min") != NULL && strcmp(text_of(argument, "type"), "text") != 0)
        (void)fprintf(to, "; %s to %s%s%s", scalar(json_object_get(argument, "min"), low), scalar(json_object_get(argument, "max"), high),
                      unit[0] != '\0' ? " " : "", unit);
    (void)fputc('\n', to);
}

/* One command in full, many in short. */
static void write_help(FILE *to, const json_t *commands)
{
    size_t i, j;
    json_t *command, *argument;
    json_array_foreach(commands, i, command) {
        write_usage(to, command);
        if (json_array_size(commands) > 4)
            continue;
        if (text_of(command, "effect")[0] != '\0')
            (void)fprintf(to, "    effect: %s\n", text_of(command, "effect"));
        json_array_foreach(json_object_get(command, "arguments"), j, argument)
            write_argument(to, argument);
    }
}

static bool is_help(const json_t *result)
{
    const json_t *first = json_array_get(json_object_get(result, "commands"), 0);
    return json_object_size(result) == 1 && json_object_get(first, "effect") != NULL && json_object_get(first, "arguments") != NULL;
}

char *vx_control_render_line(const json_t *object)
{
    char *text = NULL, cell[CELL_BYTES];
    size_t bytes = 0;
    const char *key;
    json_t *value;
    FILE *to = open_memstream(&text, &bytes);
    if (to == NULL)
        return NULL;
    bool first = true;
    json_object_foreach((json_t *)object, key, value) {
        (void)fprintf(to, "%s%s=%s", first ? "" : " ", key, cell_text(value, cell));
        first = false;
    }
    (void)fputc('\n', to);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

char *vx_control_render(const json_t *result)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    if (to == NULL)
        return NULL;
    if (is_help(result))
        write_help(to, json_object_get(result, "commands"));
    else
        write_value(to, result, 0);
    bool failed = ferror(to) != 0;
    if (fclose(to) == 0 && !failed)
        return text;
    free(text);
    return NULL;
}
