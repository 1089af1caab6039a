/* Arguments against the table, and the table as `help` serves it. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control_private.h"

#define WHOLE_MAX 9007199254740992.0 /* 2^53: JSON readers elsewhere hold numbers as doubles */

static const struct vx_control_argument no_arguments[] = { { .name = NULL } };

const char *vx_control_code_name(enum vx_control_code code)
{
    static const char *const names[] = {
#define VX_CONTROL_CODE_NAME(name, text, exit) text,
        VX_CONTROL_CODES(VX_CONTROL_CODE_NAME)
#undef VX_CONTROL_CODE_NAME
    };
    return (unsigned)code < VX_CONTROL_CODE_COUNT ? names[code] : "failed";
}

int vx_control_code_exit(const char *name)
{
    static const struct {
        const char *name;
        int exit;
    } exits[] = {
#define VX_CONTROL_CODE_EXIT(name, text, exit) { text, exit },
        VX_CONTROL_CODES(VX_CONTROL_CODE_EXIT)
#undef VX_CONTROL_CODE_EXIT
    };
    for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
        if (strcmp(exits[i].name, name) == 0)
            return exits[i].exit;
    return 1;
}

/* For handlers. */

int64_t vx_control_whole(const struct vx_control_call *call, const char *name, int64_t otherwise)
{
    const json_t *value = json_object_get(call->arguments, name);
    return value != NULL ? (int64_t)json_number_value(value) : otherwise;
}

double vx_control_number(const struct vx_control_call *call, const char *name, double otherwise)
{
    const json_t *value = json_object_get(call->arguments, name);
    return value != NULL ? json_number_value(value) : otherwise;
}

const char *vx_control_text(const struct vx_control_call *call, const char *name, const char *otherwise)
{
    const json_t *value = json_object_get(call->arguments, name);
    return value != NULL ? json_string_value(value) : otherwise;
}

bool vx_control_flag(const struct vx_control_call *call, const char *name)
{
    return json_is_true(json_object_get(call->arguments, name));
}

bool vx_control_may_change(struct vx_control_call *call, const char *what, struct vx_error *error)
{
    call->changes = true;
    if (call->peer == NULL || call->peer->admin)
        return true;
    (void)vx_control_fail(call, error, VX_CONTROL_NOT_PERMITTED, "%s may look, but %s needs root or a name in control.admins", call->peer->name, what);
    return false;
}

json_t *vx_control_fail(struct vx_control_call *call, struct vx_error *error, enum vx_control_code code, const char *format, ...)
{
    va_list args;
    call->code = code;
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return NULL;
}

/* Checking. */

static const struct vx_control_argument *arguments_of(const struct vx_control_command *command)
{
    return command->arguments != NULL ? command->arguments : no_arguments;
}

static void expectation(const struct vx_control_argument *argument, char *text, size_t bytes)
{
    switch (argument->type) {
    case VX_ARGUMENT_WHOLE:
        (void)snprintf(text, bytes, "a whole number from %.0f to %.0f%s%s", argument->min, argument->max, argument->unit[0] != '\0' ? " " : "", argument->unit);
        break;
    case VX_ARGUMENT_NUMBER:
        (void)snprintf(text, bytes, "a number from %g to %g%s%s", argument->min, argument->max, argument->unit[0] != '\0' ? " " : "", argument->unit);
        break;
    case VX_ARGUMENT_WORD:
        (void)snprintf(text, bytes, "one of: %s", argument->choices);
        break;
    case VX_ARGUMENT_TEXT:
        (void)snprintf(text, bytes, "a text of %.0f to %.0f bytes", argument->min, argument->max);
        break;
    default:
        (void)snprintf(text, bytes, "true or false");
    }
}

static bool is_choice(const char *choices, const char *text)
{
    size_t bytes = strlen(text);
    for (const char *at = choices; bytes > 0 && (at = strstr(at, text)) != NULL; at += bytes)
        if ((at == choices || at[-1] == ' ') && (at[bytes] == ' ' || at[bytes] == '\0') && memchr(text, ' ', bytes) == NULL)
            return true;
    return false;
}

static bool type_fits(const struct vx_control_argument *argument, const json_t *value)
{
    switch (argument->type) {
    case VX_ARGUMENT_WHOLE:
        return json_is_number(value) && floor(json_number_value(value)) == json_number_value(value);
    case VX_ARGUMENT_NUMBER:
        return json_is_number(value);
    case VX_ARGUMENT_FLAG:
        return json_is_boolean(value);
    default:
        return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
    }
}

static bool range_fits(const struct vx_control_argument *argument, const json_t *value)
{
    double size = json_is_string(value) ? (double)json_string_length(value) : json_number_value(value);
    if (argument->type == VX_ARGUMENT_WORD)
        return is_choice(argument->choices, json_string_value(value));
    return argument->type == VX_ARGUMENT_FLAG || (size >= argument->min && size <= argument->max && size <= WHOLE_MAX);
}

static int check_value(const struct vx_control_argument *argument, const json_t *value, enum vx_control_code *code, struct vx_error *error)
{
    bool type = type_fits(argument, value);
    if (type && range_fits(argument, value))
        return 0;
    char expected[192], *shown = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    expectation(argument, expected, sizeof(expected));
    *code = type && argument->type != VX_ARGUMENT_WORD ? VX_CONTROL_OUT_OF_RANGE : VX_CONTROL_BAD_ARGUMENT;
    (void)vx_error_set(error, 0, "%s is %.60s, expected %s", argument->name, shown != NULL ? shown : "too long", expected);
    free(shown);
    return -EINVAL;
}

static int refuse_name(const struct vx_control_command *command, const char *name, enum vx_control_code *code, struct vx_error *error)
{
    char list[192] = "";
    size_t used = 0;
    for (const struct vx_control_argument *argument = arguments_of(command); argument->name != NULL && used < sizeof(list); argument++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used > 0 ? ", " : "", argument->name);
    *code = VX_CONTROL_BAD_ARGUMENT;
    return vx_error_set(error, -EINVAL, "%s takes no \"%.60s\", expected %s", command->name, name, used > 0 ? list : "no arguments");
}

int vx_control_check(const struct vx_control_command *command, const json_t *arguments, enum vx_control_code *code, struct vx_error *error)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)arguments, name, value) {
        const struct vx_control_argument *argument = arguments_of(command);
        while (argument->name != NULL && strcmp(argument->name, name) != 0)
            argument++;
        if (argument->name == NULL)
            return refuse_name(command, name, code, error);
        if (check_value(argument, value, code, error) != 0)
            return -EINVAL;
    }
    for (const struct vx_control_argument *argument = arguments_of(command); argument->name != NULL; argument++) {
        char expected[192];
        if (argument->place != VX_ARGUMENT_NEEDED || json_object_get(arguments, argument->name) != NULL)
            continue;
        expectation(argument, expected, sizeof(expected));
        *code = VX_CONTROL_BAD_ARGUMENT;
        return vx_error_set(error, -EINVAL, "%s needs %s, %s (%s)", command->name, argument->name, expected, argument->summary);
    }
    return 0;
}

const struct vx_control_command *vx_control_find(const struct vx_control_command *const *tables, const char *name)
{
    for (; *tables != NULL; tables++)
        for (const struct vx_control_command *command = *tables; command->name != NULL; command++)
            if (strcmp(command->name, name) == 0)
                return command;
    return NULL;
}

/* `help`. */

static json_t *argument_json(const struct vx_control_argument *argument)
{
    static const char *const types[] = { "whole", "number", "word", "text", "flag" };
    static const char *const places[] = { "needed", "optional", "named" };
    json_t *object = json_pack("{s:s,s:s,s:s}", "name", argument->name, "type", types[argument->type], "place", places[argument->place]);
    bool whole = argument->type == VX_ARGUMENT_WHOLE || argument->type == VX_ARGUMENT_TEXT;
    if (argument->type != VX_ARGUMENT_WORD && argument->type != VX_ARGUMENT_FLAG) {
        (void)json_object_set_new(object, "min", whole ? json_integer((json_int_t)argument->min) : json_real(argument->min));
        (void)json_object_set_new(object, "max", whole ? json_integer((json_int_t)argument->max) : json_real(argument->max));
    }
    if (argument->choices != NULL)
        (void)json_object_set_new(object, "choices", json_string(argument->choices));
    (void)json_object_set_new(object, "unit", json_string(argument->unit != NULL ? argument->unit : ""));
    (void)json_object_set_new(object, "summary", json_string(argument->summary));
    return object;
}

static json_t *command_json(const struct vx_control_command *command)
{
    static const char *const who[] = { [VX_CONTROL_LOOK] = "look", [VX_CONTROL_ADMIN] = "admin", [VX_CONTROL_MIXED] = "look; admin to change" };
    json_t *arguments = json_array();
    for (const struct vx_control_argument *argument = arguments_of(command); argument->name != NULL; argument++)
        (void)json_array_append_new(arguments, argument_json(argument));
    return json_pack("{s:s,s:s,s:s,s:s,s:o}", "name", command->name, "who", who[command->who], "summary", command->summary,
                     "effect", command->effect, "arguments", arguments);
}

json_t *vx_control_help(const struct vx_control_command *const *tables, const char *prefix)
{
    json_t *commands = json_array();
    for (; *tables != NULL; tables++)
        for (const struct vx_control_command *command = *tables; command->name != NULL; command++)
            if (strncmp(command->name, prefix, strlen(prefix)) == 0)
                (void)json_array_append_new(commands, command_json(command));
    return json_pack("{s:o}", "commands", commands);
}
