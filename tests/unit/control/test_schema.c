/* Words and arguments against a table, `help`, and results for people: no socket here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vx_control.h"
#include "vx_test.h"

static const struct vx_control_argument drain_arguments[] = {
    { "shard", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NEEDED, 0, 39, NULL, "", "which shard" },
    { "wait", VX_ARGUMENT_NUMBER, VX_ARGUMENT_OPTIONAL, 0.5, 60, NULL, "s", "how long to wait" },
    { "force", VX_ARGUMENT_FLAG, VX_ARGUMENT_NAMED, 0, 0, NULL, "", "do not ask" },
    { .name = NULL },
};
static const struct vx_control_argument level_arguments[] = {
    { "level", VX_ARGUMENT_WORD, VX_ARGUMENT_NEEDED, 0, 0, "debug info warning", "", "least level" },
    { "reason", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 1, 8, NULL, "", "why" },
    { .name = NULL },
};
static const struct vx_control_command shard_commands[] = {
    { "shard drain", VX_CONTROL_ADMIN, "drains a shard", "no new games", drain_arguments, NULL },
    { "shard pause", VX_CONTROL_ADMIN, "pauses a shard", "no matches", drain_arguments, NULL },
    { "status", VX_CONTROL_LOOK, "what there is", "", NULL, NULL },
    { .name = NULL },
};
static const struct vx_control_command log_commands[] = { { "log level", VX_CONTROL_ADMIN, "sets the level", "from now on", level_arguments, NULL }, { .name = NULL } };
static const struct vx_control_command *const tables[] = { shard_commands, log_commands, NULL };

/* What the words of a line (between single spaces) become: compact JSON, or the code and sentence. */
static const char *read_words(const char *line)
{
    static char text[512];
    char copy[512], *rest = NULL;
    const char *words[16];
    size_t count = 0;
    strcpy(copy, line);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    const struct vx_control_command *command = NULL;
    json_t *arguments = NULL;
    enum vx_control_code code;
    struct vx_error error = { "" };
    if (vx_control_words(tables, words, count, &command, &arguments, &code, &error) != 0) {
        (void)snprintf(text, sizeof(text), "%s: %s", vx_control_code_name(code), error.text);
        return text;
    }
    char *dumped = json_dumps(arguments, JSON_COMPACT);
    (void)snprintf(text, sizeof(text), "%s %s", command->name, dumped);
    free(dumped);
    json_decref(arguments);
    return text;
}

static void words_become_arguments(void)
{
    static const char *const lines[][2] = {
        { "status", "status {}" },
        { "shard drain 3", "shard drain {\"shard\":3}" },
        { "shard drain 3 2.5 --force", "shard drain {\"shard\":3,\"wait\":2.5,\"force\":true}" },
        { "shard drain --wait 2 3", "shard drain {\"wait\":2,\"shard\":3}" },
        { "shard drain --shard=3 force=false", "shard drain {\"shard\":3,\"force\":false}" },
        { "log level info --reason night", "log level {\"level\":\"info\",\"reason\":\"night\"}" },
        { "log level reason=a=b debug", "log level {\"reason\":\"a=b\",\"level\":\"debug\"}" },
        { "", "unknown_command: no command; help lists them all" },
        { "shard", "unknown_command: \"shard\" needs a second word, one of: drain, pause" },
        { "shard drian 3", "unknown_command: there is no command \"shard drian\"; did you mean \"shard drain\"? help lists them all" },
        { "stauts", "unknown_command: there is no command \"stauts\"; did you mean \"status\"? help lists them all" },
        { "elephant", "unknown_command: there is no command \"elephant\"; help lists them all" },
        { "shard drain", "bad_argument: shard drain needs shard, a whole number from 0 to 39 (which shard)" },
        { "shard drain x", "bad_argument: shard is \"x\", expected a whole number from 0 to 39" },
        { "shard drain 3.5", "bad_argument: shard is 3.5, expected a whole number from 0 to 39" },
        { "shard drain 40", "out_of_range: shard is 40, expected a whole number from 0 to 39" },
        { "shard drain -1", "out_of_range: shard is -1, expected a whole number from 0 to 39" },
        { "shard drain 3 0.4", "out_of_range: wait is 0.40000000000000002, expected a number from 0.5 to 60 s" },
        { "shard drain 3 nan", "bad_argument: wait is \"nan\", expected a number from 0.5 to 60 s" },
        { "shard drain 3 2 1", "bad_argument: shard drain takes no \"1\"; help \"shard drain\" shows what it takes" },
        { "shard drain 3 shard=4", "bad_argument: shard is given twice" },
        { "shard drain 3 --fast", "bad_argument: shard drain takes no --fast; help \"shard drain\" shows what it takes" },
        { "shard drain 3 --wait", "bad_argument: --wait needs a value" },
        { "log level loud", "bad_argument: level is \"loud\", expected one of: debug info warning" },
        { "log level inf", "bad_argument: level is \"inf\", expected one of: debug info warning" },
        { "log level info reason=", "out_of_range: reason is \"\", expected a text of 1 to 8 bytes" },
        { "log level info --reason ninebytes", "out_of_range: reason is \"ninebytes\", expected a text of 1 to 8 bytes" },
        { "log level \xff", "bad_argument: level: not UTF-8" },
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *got = read_words(lines[i][0]);
        if (strcmp(got, lines[i][1]) != 0)
            (void)printf("\n\"%s\": got      %s\n     expected %s\n", lines[i][0], got, lines[i][1]);
        CU_ASSERT_STRING_EQUAL(got, lines[i][1]);
    }
}

static void exits_of_codes(void)
{
    CU_ASSERT_EQUAL(vx_control_code_exit("not_permitted"), 4);
    CU_ASSERT_EQUAL(vx_control_code_exit("timed_out"), 5);
    CU_ASSERT_EQUAL(vx_control_code_exit("out_of_range"), 2);
    CU_ASSERT_EQUAL(vx_control_code_exit("something new"), 1);
    CU_ASSERT_STRING_EQUAL(vx_control_code_name(VX_CONTROL_NOT_FOUND), "not_found");
}

static void help_is_the_table(void)
{
    json_t *help = vx_control_help(tables, "log");
    char *text = json_dumps(help, JSON_COMPACT);
    CU_ASSERT_STRING_EQUAL(text, "{\"commands\":[{\"name\":\"log level\",\"who\":\"admin\",\"summary\":\"sets the level\",\"effect\":\"from now on\",\"arguments\":["
                                 "{\"name\":\"level\",\"type\":\"word\",\"place\":\"needed\",\"choices\":\"debug info warning\",\"unit\":\"\",\"summary\":\"least level\"},"
                                 "{\"name\":\"reason\",\"type\":\"text\",\"place\":\"named\",\"min\":1,\"max\":8,\"unit\":\"\",\"summary\":\"why\"}]}]}");
    free(text);
    text = vx_control_render(help);
    CU_ASSERT_STRING_EQUAL(text, "log level <level> [--reason <text>]\n    sets the level (admins)\n    effect: from now on\n"
                                 "      level: least level; one of: debug info warning\n      reason: why\n");
    free(text);
    json_decref(help);
    help = vx_control_help(tables, "");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(help, "commands")), 4);
    json_decref(help);
}

static void results_for_people(void)
{
    static const char *const results[][2] = {
        { "\"some words\"", "some words\n" },
        { "null", "-\n" },
        { "1.5", "1.5\n" },
        { "[1,\"b\",true]", "1, b, yes\n" },
        { "[]", "\n" },
        { "{\"a\":[1,\"b\"],\"long\":true,\"in\":[{\"c\":null}]}", "a     1, b\nlong  yes\nin\n  c\n  -\n" },
        { "[{\"shard\":7,\"state\":\"open\",\"players\":12},{\"shard\":10,\"state\":\"draining\",\"players\":3}]",
          "shard  state     players\n    7  open           12\n   10  draining        3\n" },
        { "[{\"lcore\":1,\"roles\":[\"io\",\"shard\"]},{\"lcore\":2}]", "lcore  roles\n    1  io,shard\n    2  -\n" },
        { "[{\"a\":{\"b\":[{\"c\":1}]}}]", "0\n  a\n    b\n      c\n      1\n" },
    };
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        json_t *result = json_loads(results[i][0], JSON_DECODE_ANY, NULL);
        char *text = vx_control_render(result);
        if (strcmp(text, results[i][1]) != 0)
            (void)printf("\n%s: got\n%sexpected\n%s", results[i][0], text, results[i][1]);
        CU_ASSERT_STRING_EQUAL(text, results[i][1]);
        free(text);
        json_decref(result);
    }
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "words become arguments", words_become_arguments },
        { "exit statuses of codes", exits_of_codes },
        { "help is the table", help_is_the_table },
        { "results for people", results_for_people },
    };
    return vx_test_main("schema", tests, sizeof(tests) / sizeof(tests[0]));
}
