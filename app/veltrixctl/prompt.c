/* The interactive prompt: history and completion by libedit, from the table that the server gives. Without a terminal,
 * lines are commands all the same, and the first that fails ends it. */
#include <editline/readline.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

enum { LINE_BYTES = CTL_LINE_BYTES, HISTORY_LINES = 1000 };

/* For the completion functions, which libedit calls without a context. */
static struct {
    json_t *commands; /* of help, and our own */
    json_t *keys;     /* of tune */
    char line[LINE_BYTES];
    size_t line_end;  /* where the word to complete begins */
} prompt;

static json_t *ask(struct ctl *ctl, const char *command)
{
    json_t *request = json_pack("{s:i,s:s}", "id", 1, "command", command), *reply = NULL, *result = NULL;
    if (ctl_ask(ctl, request, &reply) == 0)
        result = json_incref(json_object_get(reply, "result"));
    json_decref(reply);
    json_decref(request);
    return result;
}

/* The server's table, again after each connection: another veltrixd may be there now. */
static void learn(struct ctl *ctl)
{
    json_t *help = ask(ctl, "help"), *tune = ask(ctl, "tune"), *own = vx_control_help(ctl_local_commands, ""), *row;
    size_t i;
    json_decref(prompt.commands);
    json_decref(prompt.keys);
    prompt.commands = json_array();
    prompt.keys = json_array();
    (void)json_array_extend(prompt.commands, json_object_get(help, "commands"));
    (void)json_array_extend(prompt.commands, json_object_get(own, "commands"));
    json_array_foreach(tune, i, row)
        (void)json_array_append(prompt.keys, json_object_get(row, "key"));
    json_decref(help);
    json_decref(tune);
    json_decref(own);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* ---- completion ---- */

/* The command that the words before name, or NULL. */
static const json_t *command_of(const char *const *words, size_t count)
{
    char both[128];
    size_t i;
    json_t *command;
    const json_t *found = NULL;
    if (count == 0)
        return NULL;
    (void)snprintf(both, sizeof(both), "%.60s %.60s", words[0], count > 1 ? words[1] : "");
    json_array_foreach(prompt.commands, i, command) {
        if (strcmp(text_of(command, "name"), both) == 0)
            return command;
        if (strcmp(text_of(command, "name"), words[0]) == 0)
            found = command;
    }
    return found;
}

static void add(json_t *list, const char *text, size_t bytes, const char *begin)
{
    size_t i;
    json_t *had;
    if (strncmp(text, begin, strlen(begin)) != 0 || bytes < strlen(begin))
        return;
    json_array_foreach(list, i, had)
        if (strlen(json_string_value(had)) == bytes && strncmp(json_string_value(had), text, bytes) == 0)
            return;
    (void)json_array_append_new(list, json_stringn(text, bytes));
}

static void add_words(json_t *list, const char *choices, const char *begin)
{
    while (*choices != '\0') {
        size_t span = strcspn(choices, " ");
        add(list, choices, span, begin);
        choices += span + (choices[span] == ' ');
    }
}

/* First words, or second words behind a first. */
static void add_names(json_t *list, const char *first, const char *begin)
{
    size_t i, length = first != NULL ? strlen(first) : 0;
    json_t *command;
    json_array_foreach(prompt.commands, i, command) {
        const char *name = text_of(command, "name");
        if (first == NULL)
            add(list, name, strcspn(name, " "), begin);
        else if (strncmp(name, first, length) == 0 && name[length] == ' ')
            add(list, name + length + 1, strlen(name + length + 1), begin);
    }
}

static void add_arguments(json_t *list, const json_t *command, const char *begin)
{
    size_t i;
    json_t *argument, *key;
    char option[80];
    json_array_foreach(json_object_get(command, "arguments"), i, argument) {
        const char *name = text_of(argument, "name");
        (void)snprintf(option, sizeof(option), "--%s", name);
        add(list, option, strlen(option), begin);
        if (strcmp(text_of(argument, "place"), "named") != 0)
            add_words(list, text_of(argument, "choices"), begin);
        if (strcmp(name, "key") == 0)
            json_array_foreach(prompt.keys, i, key)
                add(list, json_string_value(key), json_string_length(key), begin);
    }
}

json_t *ctl_complete(const char *before, const char *begin)
{
    char line[LINE_BYTES];
    const char *words[CTL_WORDS_MAX];
    json_t *list = json_array();
    (void)snprintf(line, sizeof(line), "%s", before);
    size_t count = ctl_split(line, words, CTL_WORDS_MAX);
    const json_t *command = command_of(words, count);
    if (count == 0)
        add_names(list, NULL, begin);
    if (count == 1)
        add_names(list, words[0], begin);
    if (command != NULL)
        add_arguments(list, command, begin);
    return list;
}

static char *next_match(const char *text, int state)
{
    static json_t *list;
    static size_t at;
    if (state == 0) {
        char before[LINE_BYTES];
        json_decref(list);
        (void)snprintf(before, sizeof(before), "%.*s", (int)prompt.line_end, prompt.line);
        list = ctl_complete(before, text);
        at = 0;
    }
    const char *match = json_string_value(json_array_get(list, at++));
    return match != NULL ? strdup(match) : NULL;
}

static char **complete(const char *text, int start, int end)
{
    (void)end;
    (void)snprintf(prompt.line, sizeof(prompt.line), "%s", rl_line_buffer);
    prompt.line_end = (size_t)start;
    rl_attempted_completion_over = 1; /* never file names */
    return rl_completion_matches(text, next_match);
}

/* ---- the loop ---- */

static int one_line(struct ctl *ctl, char *line)
{
    const char *words[CTL_WORDS_MAX];
    size_t count = ctl_split(line, words, CTL_WORDS_MAX);
    return count == 0 || words[0][0] == '#' ? 0 : ctl_run(ctl, words, count);
}

static bool is_end(const char *line)
{
    line += strspn(line, " \t");
    return strncmp(line, "quit", 4) == 0 || strncmp(line, "exit", 4) == 0;
}

static int from_file(struct ctl *ctl)
{
    char line[LINE_BYTES];
    int rc = 0;
    while (rc == 0 && fgets(line, sizeof(line), stdin) != NULL && !is_end(line))
        rc = one_line(ctl, line);
    return rc;
}

static void history_path(char path[VX_PATH_BYTES])
{
    const char *home = getenv("HOME");
    (void)snprintf(path, VX_PATH_BYTES, "%.200s/.veltrixctl_history", home != NULL ? home : "/tmp");
}

int ctl_prompt(struct ctl *ctl)
{
    char path[VX_PATH_BYTES], *line;
    if (!isatty(STDIN_FILENO))
        return from_file(ctl);
    learn(ctl);
    history_path(path);
    (void)rl_initialize();
    rl_attempted_completion_function = complete;
    rl_completer_word_break_characters = " \t\"";
    using_history();
    stifle_history(HISTORY_LINES);
    (void)read_history(path);
    (void)printf("veltrixctl at %s; help lists the commands, tab completes, quit ends\n", ctl->socket);
    while ((line = readline("veltrix> ")) != NULL && !is_end(line)) {
        bool was_connected = ctl->fd >= 0;
        if (line[0] != '\0')
            (void)add_history(line);
        (void)one_line(ctl, line);
        if (!was_connected && ctl->fd >= 0)
            learn(ctl);
        free(line);
    }
    free(line);
    (void)write_history(path);
    return 0;
}
