/* The command line: options, then one command for veltrixd or one of our own. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

enum { TIMEOUT_S_MAX = 86400, WATCH_S = 2 };
static const char default_socket[] = "/run/veltrix/control.sock"; /* as control.socket in config_schema.c */
static const double default_timeout_s = 5;

static void print_help(void)
{
    (void)printf("usage: veltrixctl [--socket PATH] [--json] [--timeout S] [COMMAND [ARGUMENT ...] [--watch[=S]]]\n"
                 "\n"
                 "Sends one command to a running veltrixd and prints the answer. The command `help`\n"
                 "lists what there is and what it takes. Arguments go by their order, or as NAME=VALUE\n"
                 "or --NAME VALUE. Without a command: a prompt, or commands from standard input.\n"
                 "\n"
                 "  --socket PATH  where veltrixd listens (%s)\n"
                 "  --json         print the result as one line of JSON\n"
                 "  --watch[=S]    again every S seconds (2) until Ctrl-C\n"
                 "  --timeout S    give up after S seconds (%g)\n"
                 "  --help         print this\n"
                 "  --version      print the version\n"
                 "\n"
                 "exit: 0 done, 1 failed, 2 wrong usage, 3 cannot connect, 4 not permitted, 5 timed out\n",
                 default_socket, default_timeout_s);
}

static int usage(const char *what, const char *detail)
{
    (void)ctl_complain(EXIT_USAGE, what, detail);
    (void)fprintf(stderr, "veltrixctl: --help shows the usage\n");
    return EXIT_USAGE;
}

static int read_timeout(const char *text, struct ctl *ctl)
{
    char *end;
    ctl->timeout_s = strtod(text, &end);
    if (end == text || *end != '\0' || !(ctl->timeout_s > 0 && ctl->timeout_s <= TIMEOUT_S_MAX)) /* not a number fails this too */
        return usage(text, "expected a timeout in seconds, above 0 and at most 86400");
    return 0;
}

static int ask_server(struct ctl *ctl, const char *const *words, size_t count)
{
    json_t *list = json_array(), *reply = NULL;
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(list, json_string(words[i])) != 0) {
            json_decref(list);
            return usage(words[i], "not UTF-8");
        }
    json_t *request = json_pack("{s:i,s:o}", "id", 1, "words", list);
    int rc = ctl_ask(ctl, request, &reply);
    bool feed = rc == 0 && json_is_true(json_object_get(json_object_get(reply, "result"), "stream"));
    if (rc == 0 && feed)
        rc = ctl_feed(ctl);
    else if (rc == 0)
        rc = ctl_print_reply(ctl, words[0], reply);
    json_decref(reply);
    json_decref(request);
    return rc;
}

int ctl_run(struct ctl *ctl, const char *const *words, size_t count)
{
    int rc;
    return ctl_formula(ctl, words, count, &rc) || ctl_local(ctl, words, count, &rc) ? rc : ask_server(ctl, words, count);
}

/* --watch may stand among the command's own words, for it is of no command. Takes it out; false: its value is none. */
static bool take_watch(char **words, int *count, double *every_s)
{
    for (int i = 0; i < *count; i++) {
        bool alone = strcmp(words[i], "--watch") == 0;
        if (!alone && strncmp(words[i], "--watch=", 8) != 0)
            continue;
        char *end = NULL;
        *every_s = alone ? WATCH_S : strtod(words[i] + 8, &end);
        memmove(&words[i], &words[i + 1], (size_t)(*count - i) * sizeof(*words));
        (*count)--;
        return alone || (*end == '\0' && *every_s >= 0.1 && *every_s <= TIMEOUT_S_MAX);
    }
    return true;
}

static int run(struct ctl *ctl, char **words, int count)
{
    double every_s = 0;
    if (!take_watch(words, &count, &every_s))
        return usage("--watch", "expected seconds, from 0.1 to 86400");
    int rc = count == 0 ? ctl_prompt(ctl)
             : every_s > 0 ? ctl_watch(ctl, (const char *const *)words, (size_t)count, every_s)
                           : ctl_run(ctl, (const char *const *)words, (size_t)count);
    ctl_close(ctl);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = { { "socket", required_argument, NULL, 's' }, { "json", no_argument, NULL, 'j' }, { "timeout", required_argument, NULL, 't' },
                                           { "help", no_argument, NULL, 'h' },         { "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 } };
    struct ctl ctl = { .socket = default_socket, .timeout_s = default_timeout_s, .fd = -1 };
    int rc = 0;
    /* "+": what follows the command is the command's. */
    for (int option; rc == 0 && (option = getopt_long(argc, argv, "+", longs, NULL)) != -1;) {
        if (option == 's')
            ctl.socket = optarg;
        else if (option == 'j')
            ctl.json = true;
        else if (option == 't')
            rc = read_timeout(optarg, &ctl);
        else if (option == 'h')
            return print_help(), 0;
        else if (option == 'V')
            return printf("veltrixctl " VELTRIX_VERSION "\n") < 0;
        else
            rc = EXIT_USAGE; /* getopt has said why */
    }
    return rc != 0 ? rc : run(&ctl, argv + optind, argc - optind);
}
