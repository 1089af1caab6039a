/* `formula push|check|gate FILE`: reads the file, sends its text, and tells how it goes until it has ended; the exit status says
 * how. `formula record KIND FILE`: players' jobs into a file. `formula diff`: two texts through diff(1). `formula try` is in files of
 * its own; the other `formula` commands are the server's alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "vx_formula.h"
#include "vx_gate.h"

enum { POLL_US = 100000 };

/* One request by words; 0 and a new reference to the result, or an exit status (said). */
static int ask(struct ctl *ctl, json_t *words, json_t **result)
{
    json_t *request = json_pack("{s:i,s:O}", "id", 1, "words", words), *reply = NULL;
    int rc = request == NULL ? ctl_complain(EXIT_USAGE, "formula", "not UTF-8") : ctl_ask(ctl, request, &reply);
    if (rc == 0 && !json_is_true(json_object_get(reply, "ok")))
        rc = ctl_print_reply(ctl, "formula", reply);
    if (rc == 0)
        *result = json_incref(json_object_get(reply, "result"));
    json_decref(reply);
    json_decref(request);
    return rc;
}

static const char *text_in(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static void tell_stage(const json_t *status, char told[64])
{
    const json_t *way = json_object_get(status, "under_way");
    char line[64];
    (void)snprintf(line, sizeof(line), "%s %s", text_in(way, "kind"), text_in(status, "stage"));
    if (strcmp(line, told) == 0)
        return;
    memcpy(told, line, sizeof(line));
    (void)fprintf(stderr, "%s\n", line);
}

static int tell_end(const struct ctl *ctl, const json_t *status, bool with_table)
{
    const json_t *last = json_object_get(status, "last"), *gate = json_object_get(status, "gate");
    bool good = json_is_true(json_object_get(last, "good"));
    char *table = with_table && gate != NULL && !ctl->json ? vx_gate_table(gate) : NULL;
    if (ctl->json) {
        (void)json_dumpf(status, stdout, JSON_COMPACT);
        (void)printf("\n");
        return good ? 0 : EXIT_FAILED;
    }
    if (table != NULL)
        (void)fputs(table, stdout);
    free(table);
    for (size_t i = 0; i < json_array_size(json_object_get(status, "canary")); i++) {
        const json_t *row = json_array_get(json_object_get(status, "canary"), i);
        (void)printf("canary: %-45s %12.4g  others %12.4g %-5s %s\n", text_in(row, "figure"), json_number_value(json_object_get(row, "canary")),
                     json_number_value(json_object_get(row, "others")), text_in(row, "unit"), text_in(row, "verdict"));
    }
    (void)printf("%s version %lld: %s: %s\n", text_in(last, "kind"), (long long)json_integer_value(json_object_get(last, "version")), text_in(last, "outcome"), text_in(last, "sentence"));
    return good ? 0 : EXIT_FAILED;
}

/* Asks again until it has ended, or waits to be confirmed. */
static int follow(struct ctl *ctl, bool with_table)
{
    json_t *words = json_pack("[s,s]", "formula", "status"), *status = NULL;
    char told[64] = "";
    int rc = 0;
    for (bool goes_on = true; goes_on && (rc = ask(ctl, words, &status)) == 0; json_decref(status)) {
        const char *stage = text_in(status, "stage");
        goes_on = strcmp(stage, "idle") != 0 && strcmp(stage, "confirm") != 0;
        if (strcmp(stage, "idle") == 0) {
            rc = tell_end(ctl, status, with_table);
            continue;
        }
        tell_stage(status, told);
        if (goes_on)
            (void)usleep(POLL_US);
        else
            (void)printf("live on all shards; `veltrixctl formula confirm` keeps it, else it is undone\n");
    }
    json_decref(words);
    return rc;
}

const char *ctl_formula_kind(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    for (uint32_t kind = 0; kind < VX_FORMULA_KINDS; kind++) {
        const char *known = vx_formula_abouts[kind].name;
        const char *rest = name + strlen(known), *end = strrchr(name, '.');
        if (strncmp(name, known, strlen(known)) == 0 && (*rest == '.' || *rest == '-') && strcmp(end, ".lua") == 0)
            return known;
    }
    return NULL;
}

/* People write "--for 60s". */
static json_t *word_of(const char *word)
{
    size_t digits = strspn(word, "0123456789");
    return digits > 0 && strcmp(word + digits, "s") == 0 ? json_stringn(word, digits) : json_string(word);
}

static int send_file(struct ctl *ctl, const char *const *words, size_t count)
{
    struct vx_formula_text text;
    struct vx_error error;
    const char *kind = ctl_formula_kind(words[2]);
    if (kind == NULL)
        return ctl_complain(EXIT_USAGE, words[2], CTL_FORMULA_NAMES);
    if (vx_formula_text_read(words[2], &text, &error) != 0)
        return ctl_complain(EXIT_USAGE, words[2], error.text);
    json_t *list = json_pack("[s,s,s]", words[0], words[1], kind), *result = NULL, *body = json_sprintf("text=%.*s", (int)text.bytes, text.text); /* by name: a comment begins like an option */
    int rc = body == NULL ? ctl_complain(EXIT_USAGE, words[2], "the file is not UTF-8 text") : 0;
    (void)json_array_append_new(list, body);
    for (size_t i = 3; i < count; i++)
        (void)json_array_append_new(list, word_of(words[i]));
    if (rc == 0)
        rc = ask(ctl, list, &result);
    json_decref(result);
    json_decref(list);
    free((char *)text.text);
    return rc == 0 ? follow(ctl, strcmp(words[1], "check") != 0) : rc;
}

/* ---- players' jobs into a file ---- */

/* The columns are the keys of the first job. */
static bool csv_write(FILE *to, const json_t *jobs)
{
    const char *name, *comma = "";
    json_t *value, *first = json_array_get(jobs, 0);
    json_object_foreach(first, name, value) {
        (void)fprintf(to, "%s%s", comma, name);
        comma = ",";
    }
    for (size_t i = 0; i < json_array_size(jobs); i++) {
        comma = "\n";
        json_object_foreach(first, name, value) {
            (void)fprintf(to, "%s%.17g", comma, json_number_value(json_object_get(json_array_get(jobs, i), name)));
            comma = ",";
        }
    }
    (void)fprintf(to, "\n");
    return ferror(to) == 0;
}

static int jobs_save(const char *path, const json_t *jobs)
{
    size_t bytes = strlen(path);
    FILE *to = fopen(path, "we");
    if (to == NULL)
        return ctl_complain(EXIT_FAILED, path, strerror(errno));
    bool as_json = bytes > 5 && strcmp(path + bytes - 5, ".json") == 0;
    bool good = as_json ? json_dumpf(jobs, to, JSON_INDENT(1)) == 0 : csv_write(to, jobs);
    good &= fclose(to) == 0;
    return good ? 0 : ctl_complain(EXIT_FAILED, path, "cannot be written");
}

static int record(struct ctl *ctl, const char *kind, const char *path)
{
    json_t *words = json_pack("[s,s,s]", "formula", "record", kind), *result = NULL, *jobs = NULL;
    int rc = ask(ctl, words, &result);
    json_decref(words);
    json_decref(result);
    rc = rc == 0 ? follow(ctl, false) : rc;
    if (rc != 0)
        return rc;
    words = json_pack("[s,s,s]", "formula", "jobs", kind);
    rc = ask(ctl, words, &jobs);
    rc = rc == 0 ? jobs_save(path, jobs) : rc;
    json_decref(words);
    json_decref(jobs);
    return rc;
}

/* ---- two texts ---- */

static int temporary(char path[32], const json_t *text)
{
    memcpy(path, "/tmp/veltrix-XXXXXX", sizeof("/tmp/veltrix-XXXXXX"));
    int fd = mkstemp(path);
    size_t bytes = json_string_length(text);
    bool written = fd >= 0 && write(fd, json_string_value(text), bytes) == (ssize_t)bytes;
    if (fd >= 0)
        (void)close(fd);
    return written ? 0 : -errno;
}

static int show_diff(struct ctl *ctl, const char *const *words, size_t count)
{
    json_t *list = json_array(), *result = NULL;
    char old_path[32] = "", new_path[32] = "", command[256];
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_string(words[i]));
    int rc = ask(ctl, list, &result);
    json_decref(list);
    if (rc != 0)
        return rc;
    const char *kind = text_in(result, "kind");
    long long old = json_integer_value(json_object_get(result, "old")), new = json_integer_value(json_object_get(result, "new"));
    if (temporary(old_path, json_object_get(result, "old_text")) != 0 || temporary(new_path, json_object_get(result, "new_text")) != 0) {
        rc = ctl_complain(EXIT_FAILED, "/tmp", strerror(errno));
    } else { /* kind is one of five words, the paths are ours */
        (void)snprintf(command, sizeof(command), "diff -u --label '%.15s version %lld' --label '%.15s version %lld' %s %s", kind, old, kind, new, old_path, new_path);
        (void)fflush(stdout);
        int status = system(command);
        rc = status == -1 || status >> 8 > 1 ? ctl_complain(EXIT_FAILED, "diff", "did not run; apt-get install diffutils") : 0;
    }
    (void)unlink(old_path);
    (void)unlink(new_path);
    json_decref(result);
    return rc;
}

/* NAME=VALUE words, however many, become the one argument `inputs`. */
static int try_inputs(struct ctl *ctl, const char *const *words, size_t count)
{
    char inputs[CTL_LINE_BYTES] = "inputs=";
    const char *kept[CTL_WORDS_MAX + 1];
    size_t kept_count = 0, used = strlen(inputs), begun = used;
    int rc = 0;
    for (size_t i = 0; i < count && i < CTL_WORDS_MAX; i++) {
        if (i < 3 || words[i][0] == '-' || strchr(words[i], '=') == NULL)
            kept[kept_count++] = words[i];
        else if (used < sizeof(inputs))
            used += (size_t)snprintf(inputs + used, sizeof(inputs) - used, "%s%s", used > begun ? " " : "", words[i]);
    }
    if (used >= sizeof(inputs))
        return ctl_complain(EXIT_USAGE, "formula try", "the inputs are too long");
    if (used > begun)
        kept[kept_count++] = inputs;
    (void)ctl_local(ctl, kept, kept_count, &rc);
    return rc;
}

bool ctl_formula(struct ctl *ctl, const char *const *words, size_t count, int *exit_status)
{
    if (count < 3 || strcmp(words[0], "formula") != 0)
        return false;
    bool takes_file = strcmp(words[1], "push") == 0 || strcmp(words[1], "check") == 0 || strcmp(words[1], "gate") == 0;
    if (takes_file && (strchr(words[2], '.') != NULL || access(words[2], R_OK) == 0)) {
        *exit_status = send_file(ctl, words, count);
        return true;
    }
    if (strcmp(words[1], "try") == 0) {
        *exit_status = try_inputs(ctl, words, count);
        return true;
    }
    if (strcmp(words[1], "record") == 0 && count == 4) {
        *exit_status = record(ctl, words[2], words[3]);
        return true;
    }
    if (strcmp(words[1], "diff") == 0 && !ctl->json) {
        *exit_status = show_diff(ctl, words, count);
        return true;
    }
    return false;
}
