/* Commands that need no daemon, or that are more than a question: each file of them has a table, and this is the list. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formula_try.h"
#include "token.h"

const struct vx_control_command *const ctl_local_commands[] = {
    token_commands,
    ctl_top_commands,
    plan_commands,
    formula_try_commands,
    NULL,
};

/* A first word of our commands: alone it is answered by what may follow it. But for `formula`, of which the server has most. */
static bool begins_ours(const char *word)
{
    size_t bytes = strlen(word);
    if (strcmp(word, "formula") == 0)
        return false;
    for (const struct vx_control_command *const *table = ctl_local_commands; *table != NULL; table++)
        for (const struct vx_control_command *command = *table; command->name != NULL; command++)
            if (strncmp(command->name, word, bytes) == 0 && command->name[bytes] == ' ')
                return true;
    return false;
}

static bool is_local(const char *const *words, size_t count)
{
    char both[128];
    (void)snprintf(both, sizeof(both), "%.60s %.60s", words[0], count > 1 ? words[1] : "");
    return vx_control_find(ctl_local_commands, words[0]) != NULL || vx_control_find(ctl_local_commands, both) != NULL || begins_ours(words[0]);
}

static bool asks_help(const char *const *words, size_t count)
{
    return count == 2 && strcmp(words[0], "help") == 0 && (begins_ours(words[1]) || vx_control_find(ctl_local_commands, words[1]) != NULL);
}

bool ctl_local(struct ctl *ctl, const char *const *words, size_t count, int *exit_status)
{
    const struct vx_control_command *command = NULL;
    struct vx_error error = { "the command gave no reason" };
    struct vx_control_call call = { .code = VX_CONTROL_FAILED };
    json_t *arguments = NULL, *result = NULL;
    if (count == 0 || !(is_local(words, count) || asks_help(words, count)))
        return false;
    if (asks_help(words, count)) {
        result = vx_control_help(ctl_local_commands, words[1]);
    } else if (vx_control_words(ctl_local_commands, words, count, &command, &arguments, &call.code, &error) == 0) {
        call.arguments = arguments;
        call.code = VX_CONTROL_FAILED;
        result = command->handler(ctl, &call, &error);
    }
    json_t *reply = result != NULL ? json_pack("{s:b,s:o}", "ok", 1, "result", result)
                                   : json_pack("{s:b,s:{s:s,s:s}}", "ok", 0, "error", "code", vx_control_code_name(call.code), "message", error.text);
    *exit_status = json_is_null(result) ? 0 : ctl_print_reply(ctl, words[0], reply); /* null: it has shown what it had to */
    json_decref(reply);
    json_decref(arguments);
    return true;
}
