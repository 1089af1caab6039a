/* A line becomes a call and its result a reply. Lines that begin with a letter were typed by a person: their reply
 * is text and ends with a blank line; every other line is JSON, and so is its reply. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control_private.h"

/* The service's tables with the built-in one before them. */
enum { TABLES_MAX = 32, HISTORY_LAST = 20 };
struct call_context {
    const struct vx_control_command *tables[TABLES_MAX + 2];
    const struct service *service;
};

static const struct vx_control_argument help_arguments[] = {
    { "command", VX_ARGUMENT_TEXT, VX_ARGUMENT_OPTIONAL, 0, 63, NULL, "", "only commands that begin so" },
    { .name = NULL },
};
static const struct vx_control_argument history_arguments[] = {
    { "last", VX_ARGUMENT_WHOLE, VX_ARGUMENT_OPTIONAL, 1, 256, NULL, "", "how many (20)" },
    { .name = NULL },
};

static json_t *on_help(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct call_context *with = context;
    (void)error;
    return vx_control_help(with->tables, vx_control_text(call, "command", ""));
}

static json_t *on_history(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct call_context *with = context;
    (void)error;
    return history_last(with->service->history, (size_t)vx_control_whole(call, "last", HISTORY_LAST));
}

/* Their handlers get the call_context, the others what the server was made with. */
static const struct vx_control_command builtin[] = {
    { "help", VX_CONTROL_LOOK, "lists the commands and what they take", "", help_arguments, on_help },
    { "history", VX_CONTROL_LOOK, "lists the last changes: who, what, from what to what", "", history_arguments, on_history },
    { .name = NULL },
};

static bool is_builtin(const struct vx_control_command *command)
{
    return command >= builtin && command < builtin + sizeof(builtin) / sizeof(builtin[0]);
}

static void context_make(struct call_context *context, const struct service *service)
{
    uint32_t count = 0;
    context->service = service;
    context->tables[count++] = builtin;
    for (const struct vx_control_command *const *table = service->tables; *table != NULL; table++) {
        VX_ASSERT(count <= TABLES_MAX);
        context->tables[count++] = *table;
    }
    context->tables[count] = NULL;
}

/* Replies. */

/* jansson takes UTF-8 only, and a sentence cut to its size may end within a character. */
static json_t *sentence_json(struct vx_error *error)
{
    json_t *string = json_string(error->text);
    if (string != NULL)
        return string;
    for (char *c = error->text; *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    return json_string(error->text);
}

static json_t *error_json(const json_t *id, enum vx_control_code code, struct vx_error *error)
{
    return json_pack("{s:O?,s:b,s:{s:s,s:o}}", "id", id, "ok", 0, "error", "code", vx_control_code_name(code), "message", sentence_json(error));
}

static char *text_reply(json_t *reply)
{
    const json_t *error = json_object_get(reply, "error");
    if (error == NULL) {
        char *text = vx_control_render(json_object_get(reply, "result"));
        return text; /* its newline and the reply's own make the blank line */
    }
    const char *code = json_string_value(json_object_get(error, "code")), *message = json_string_value(json_object_get(error, "message"));
    size_t bytes = strlen(code) + strlen(message) + sizeof("error: : \n");
    char *text = malloc(bytes);
    if (text != NULL)
        (void)snprintf(text, bytes, "error: %s: %s\n", code, message);
    return text;
}

/* Takes the reference to reply. */
static char *reply_text(const json_t *id, json_t *reply, bool as_text)
{
    char *text = reply == NULL ? NULL : as_text ? text_reply(reply) : json_dumps(reply, JSON_COMPACT);
    json_decref(reply);
    if (text != NULL && strlen(text) < REPLY_BYTES_MAX)
        return text;
    struct vx_error error;
    if (text == NULL)
        (void)vx_error_set(&error, 0, "the result cannot be written as JSON");
    else
        (void)vx_error_set(&error, 0, "the result has %zu bytes, expected less than %d", strlen(text), REPLY_BYTES_MAX);
    free(text);
    reply = error_json(id, VX_CONTROL_FAILED, &error);
    text = reply == NULL ? NULL : as_text ? text_reply(reply) : json_dumps(reply, JSON_COMPACT);
    json_decref(reply);
    return text;
}

char *request_refuse(enum vx_control_code code, struct vx_error *error)
{
    return reply_text(NULL, error_json(NULL, code, error), false);
}

/* Calls. */

static json_t *call_command(struct call_context *with, const struct vx_control_command *command, struct vx_control_call *call, struct vx_error *error)
{
    json_t *result = NULL;
    if (command->who != VX_CONTROL_ADMIN || vx_control_may_change(call, command->name, error))
        result = command->handler(is_builtin(command) ? with : with->service->context, call, error);
    if (call->changes)
        history_note(with->service->history, command->name, call, result != NULL, error->text);
    json_decref(call->old);
    json_decref(call->new);
    return result;
}

/* "words" and "command" are two ways to say the same; arguments is a new reference. */
static int read_call(const struct call_context *with, const json_t *request, const struct vx_control_command **command, json_t **arguments, enum vx_control_code *code,
                     struct vx_error *error)
{
    const json_t *words = json_object_get(request, "words");
    const char *name = json_string_value(json_object_get(request, "command")), *list[WORDS_MAX];
    *code = VX_CONTROL_BAD_REQUEST;
    if (json_is_array(words) && json_array_size(words) <= WORDS_MAX && name == NULL) {
        for (size_t i = 0; i < json_array_size(words); i++)
            if ((list[i] = json_string_value(json_array_get(words, i))) == NULL)
                return vx_error_set(error, -EINVAL, "words[%zu]: expected a string", i);
        return vx_control_words(with->tables, list, json_array_size(words), command, arguments, code, error);
    }
    if (name == NULL)
        return vx_error_set(error, -EINVAL, "expected an object with \"command\": a string, or \"words\": a list of at most %d strings", WORDS_MAX);
    const char *const one[] = { name };
    *command = vx_control_find(with->tables, name);
    if (*command == NULL) /* for its sentence: words make a suggestion */
        return vx_control_words(with->tables, one, 1, command, arguments, code, error);
    json_t *given = json_copy((json_t *)request);
    (void)json_object_del(given, "id");
    (void)json_object_del(given, "command");
    if (vx_control_check(*command, given, code, error) != 0) {
        json_decref(given);
        return -EINVAL;
    }
    *arguments = given;
    return 0;
}

static char *serve_request(const struct service *service, const struct vx_control_peer *peer, uint64_t client, const json_t *request, bool as_text)
{
    struct vx_error error = { "the command gave no reason" };
    const struct vx_control_command *command = NULL;
    const json_t *id = json_object_get(request, "id");
    struct vx_control_call call = { .peer = peer, .client = client };
    struct call_context with;
    json_t *arguments = NULL, *result = NULL;
    context_make(&with, service);
    if (read_call(&with, request, &command, &arguments, &call.code, &error) == 0) {
        call.arguments = arguments;
        call.code = VX_CONTROL_FAILED;
        result = call_command(&with, command, &call, &error);
    }
    json_decref(arguments);
    if (result == NULL)
        return reply_text(id, error_json(id, call.code, &error), as_text);
    return reply_text(id, json_pack("{s:O?,s:b,s:o}", "id", id, "ok", 1, "result", result), as_text);
}

/* Lines. */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a typed line; a quoted one may hold blanks. Returns its JSON or NULL when there is none (or it is
 * not UTF-8, which `bad` tells). */
static json_t *next_word(const char **at, const char *end, bool *bad)
{
    while (*at < end && is_blank(**at))
        (*at)++;
    if (*at == end)
        return NULL;
    const char *begin = *at;
    bool quoted = *begin == '"';
    begin += quoted;
    const char *stop = begin;
    while (stop < end && (quoted ? *stop != '"' : !is_blank(*stop)))
        stop++;
    *at = stop + (quoted && stop < end);
    json_t *word = json_stringn(begin, (size_t)(stop - begin));
    *bad = word == NULL;
    return word;
}

static json_t *typed_request(const char *line, size_t bytes)
{
    const char *at = line, *end = line + bytes;
    json_t *words = json_array(), *word;
    bool bad = false;
    while ((word = next_word(&at, end, &bad)) != NULL)
        (void)json_array_append_new(words, word);
    if (!bad)
        return json_pack("{s:o}", "words", words);
    json_decref(words);
    return NULL;
}

bool request_is_typed(const char *line, size_t bytes)
{
    while (bytes > 0 && is_blank(*line)) {
        line++;
        bytes--;
    }
    return bytes > 0 && ((line[0] >= 'a' && line[0] <= 'z') || (line[0] >= 'A' && line[0] <= 'Z'));
}

char *request_event(const json_t *event, bool typed)
{
    if (typed)
        return vx_control_render_line(event);
    json_t *line = json_pack("{s:O}", "event", event);
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL, *grown = text != NULL ? realloc(text, strlen(text) + 2) : NULL;
    json_decref(line);
    if (grown == NULL)
        free(text);
    return grown != NULL ? strcat(grown, "\n") : NULL;
}

char *request_serve(const struct service *service, const struct vx_control_peer *peer, uint64_t client, const char *line, size_t bytes)
{
    while (bytes > 0 && is_blank(line[bytes - 1]))
        bytes--;
    while (bytes > 0 && is_blank(*line)) {
        line++;
        bytes--;
    }
    if (bytes == 0)
        return NULL;
    bool typed = request_is_typed(line, bytes);
    json_error_t reason = { .text = "not UTF-8" };
    json_t *request = typed ? typed_request(line, bytes) : json_loadb(line, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &reason);
    if (request == NULL) {
        struct vx_error error;
        (void)vx_error_set(&error, 0, "column %d: %s", reason.column, reason.text);
        return reply_text(NULL, error_json(NULL, VX_CONTROL_BAD_JSON, &error), typed);
    }
    char *text = serve_request(service, peer, client, request, typed);
    json_decref(request);
    return text;
}
