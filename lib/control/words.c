/* What a person types becomes named arguments: `shard drain 3`, `config apply --timeout 30`, `tune idle.sleep_us 50`,
 * `ban add address=10.0.0.0/8`. Types come from the table, so that "3" is a number only where one is expected. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_private.h"

enum { SUGGESTION_EDITS = 2, WORD_BYTES_MAX = 63 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's distance by two rows. */
unsigned words_distance(const char *a, const char *b, unsigned most)
{
    unsigned rows[2][WORD_BYTES_MAX + 1];
    size_t a_bytes = strlen(a), b_bytes = strlen(b);
    if (a_bytes > WORD_BYTES_MAX || b_bytes > WORD_BYTES_MAX)
        return most;
    for (size_t j = 0; j <= b_bytes; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_bytes; i++) {
        unsigned *row = rows[i & 1], *above = rows[(i - 1) & 1];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_bytes; j++)
            row[j] = least(row[j - 1] + 1, above[j] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
    }
    unsigned distance = rows[a_bytes & 1][b_bytes];
    return distance < most ? distance : most;
}

/* The command that was perhaps meant, or NULL. */
static const char *suggestion(const struct vx_control_command *const *tables, const char *word)
{
    const char *best = NULL;
    unsigned distance = SUGGESTION_EDITS + 1;
    for (; *tables != NULL; tables++)
        for (const struct vx_control_command *command = *tables; command->name != NULL; command++) {
            unsigned edits = words_distance(word, command->name, SUGGESTION_EDITS + 1);
            if (edits < distance && edits < strlen(word)) {
                distance = edits;
                best = command->name;
            }
        }
    return best;
}

/* "shard" alone: the second words that there are. */
static size_t second_words(const struct vx_control_command *const *tables, const char *first, char *list, size_t bytes)
{
    size_t used = 0, length = strlen(first);
    for (; *tables != NULL; tables++)
        for (const struct vx_control_command *command = *tables; command->name != NULL && used < bytes; command++)
            if (strncmp(command->name, first, length) == 0 && command->name[length] == ' ')
                used += (size_t)snprintf(list + used, bytes - used, "%s%s", used > 0 ? ", " : "", command->name + length + 1);
    return used;
}

static int refuse_command(const struct vx_control_command *const *tables, const char *const *words, size_t count, struct vx_error *error)
{
    char list[192], both[2 * WORD_BYTES_MAX + 2];
    if (second_words(tables, words[0], list, sizeof(list)) > 0 && count == 1)
        return vx_error_set(error, -EINVAL, "\"%.60s\" needs a second word, one of: %s", words[0], list);
    (void)snprintf(both, sizeof(both), "%.63s%s%.63s", words[0], count > 1 ? " " : "", count > 1 ? words[1] : "");
    const char *meant = suggestion(tables, both);
    if (meant == NULL)
        meant = suggestion(tables, words[0]);
    if (meant != NULL)
        return vx_error_set(error, -EINVAL, "there is no command \"%.63s\"; did you mean \"%s\"? help lists them all", both, meant);
    return vx_error_set(error, -EINVAL, "there is no command \"%.63s\"; help lists them all", both);
}

/* Two words name a command before one does. */
static const struct vx_control_command *find(const struct vx_control_command *const *tables, const char *const *words, size_t count, size_t *taken)
{
    char both[2 * WORD_BYTES_MAX + 2];
    const struct vx_control_command *command = NULL;
    *taken = 2;
    if (count > 1 && snprintf(both, sizeof(both), "%.63s %.63s", words[0], words[1]) > 0)
        command = vx_control_find(tables, both);
    if (command != NULL)
        return command;
    *taken = 1;
    return vx_control_find(tables, words[0]);
}

/* Numbers and flags are read; what cannot be stays text, and the check says what was expected. */
static json_t *value_of(const struct vx_control_argument *argument, const char *text)
{
    char *end = NULL;
    if (argument->type == VX_ARGUMENT_FLAG && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
        return json_boolean(text[0] == 't');
    if (argument->type == VX_ARGUMENT_WHOLE || argument->type == VX_ARGUMENT_NUMBER) {
        errno = 0;
        long long whole = strtoll(text, &end, 10);
        if (end != text && *end == '\0' && errno == 0)
            return json_integer(whole);
        double number = strtod(text, &end);
        json_t *real = end != text && *end == '\0' ? json_real(number) : NULL; /* NULL for infinities, too */
        if (real != NULL)
            return real;
    }
    return json_string(text);
}

static const struct vx_control_argument *argument_named(const struct vx_control_command *command, const char *name, size_t bytes)
{
    for (const struct vx_control_argument *argument = command->arguments; argument != NULL && argument->name != NULL; argument++)
        if (strlen(argument->name) == bytes && strncmp(argument->name, name, bytes) == 0)
            return argument;
    return NULL;
}

static int put(json_t *arguments, const struct vx_control_argument *argument, json_t *value, struct vx_error *error)
{
    if (value == NULL)
        return vx_error_set(error, -EINVAL, "%s: not UTF-8", argument->name);
    if (json_object_get(arguments, argument->name) != NULL) {
        json_decref(value);
        return vx_error_set(error, -EINVAL, "%s is given twice", argument->name);
    }
    return json_object_set_new(arguments, argument->name, value);
}

/* The next argument that goes by position and is not there yet. */
static const struct vx_control_argument *argument_next(const struct vx_control_command *command, const json_t *arguments)
{
    for (const struct vx_control_argument *argument = command->arguments; argument != NULL && argument->name != NULL; argument++)
        if (argument->place != VX_ARGUMENT_NAMED && json_object_get(arguments, argument->name) == NULL)
            return argument;
    return NULL;
}

/* Takes words[at] and, for `--name value`, the next. Returns how many were taken, or -EINVAL. */
static int take(const struct vx_control_command *command, const char *const *words, size_t count, size_t at, json_t *arguments, struct vx_error *error)
{
    const char *word = words[at];
    bool dashes = strncmp(word, "--", 2) == 0 && word[2] != '\0';
    const char *name = dashes ? word + 2 : word, *equals = strchr(name, '=');
    size_t bytes = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct vx_control_argument *argument = dashes || equals != NULL ? argument_named(command, name, bytes) : NULL;
    if (argument == NULL && dashes)
        return vx_error_set(error, -EINVAL, "%s takes no --%.*s; help \"%s\" shows what it takes", command->name, (int)(bytes < 40 ? bytes : 40), name, command->name);
    if (argument != NULL && equals != NULL)
        return put(arguments, argument, value_of(argument, equals + 1), error) == 0 ? 1 : -EINVAL;
    if (argument != NULL && argument->type == VX_ARGUMENT_FLAG)
        return put(arguments, argument, json_true(), error) == 0 ? 1 : -EINVAL;
    if (argument != NULL && at + 1 >= count)
        return vx_error_set(error, -EINVAL, "--%s needs a value", argument->name);
    if (argument != NULL)
        return put(arguments, argument, value_of(argument, words[at + 1]), error) == 0 ? 2 : -EINVAL;
    argument = argument_next(command, arguments);
    if (argument == NULL)
        return vx_error_set(error, -EINVAL, "%s takes no \"%.60s\"; help \"%s\" shows what it takes", command->name, word, command->name);
    return put(arguments, argument, value_of(argument, word), error) == 0 ? 1 : -EINVAL;
}

int vx_control_words(const struct vx_control_command *const *tables, const char *const *words, size_t count, const struct vx_control_command **command,
                     json_t **arguments, enum vx_control_code *code, struct vx_error *error)
{
    size_t at = 0;
    *code = VX_CONTROL_UNKNOWN_COMMAND;
    if (count == 0)
        return vx_error_set(error, -EINVAL, "no command; help lists them all");
    *command = find(tables, words, count, &at);
    if (*command == NULL)
        return refuse_command(tables, words, count, error);
    *code = VX_CONTROL_BAD_ARGUMENT;
    json_t *made = json_object();
    while (at < count) {
        int taken = take(*command, words, count, at, made, error);
        if (taken < 0) {
            json_decref(made);
            return -EINVAL;
        }
        at += (size_t)taken;
    }
    if (vx_control_check(*command, made, code, error) != 0) {
        json_decref(made);
        return -EINVAL;
    }
    *arguments = made;
    return 0;
}
