/* The command line: options, then one command for veltrixd or one of our own. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

enum { TIMEOUT_S_MAX = 86400 };
static const char default_socket[] = "/run/veltrix/control.sock"; /* as control.socket in config_schema.c */
static const double default_timeout_s = 5;

static void print_help(void)
{
    (void)printf("usage: veltrixctl [--socket PATH] [--json] [--timeout S] COMMAND [ARGUMENT ...]\n"
                 "\n"
                 "Sends one command to a running veltrixd and prints the answer. The command `help`\n"
                 "lists what there is and what it takes. Arguments go by their order, or as NAME=VALUE\n"
                 "or --NAME VALUE.\n"
                 "\n"
                 "  --socket PATH  where veltrixd listens (%s)\n"
                 "  --json         print the result as one line of JSON\n"
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

static int ask_server(struct ctl *ctl, char *const *words)
{
    json_t *list = json_array(), *reply = NULL;
    for (char *const *word = words; *word != NULL; word++)
        if (json_array_append_new(list, json_string(*word)) != 0) {
            json_decref(list);
            return usage(*word, "not UTF-8");
        }
    json_t *request = json_pack("{s:i,s:o}", "id", 1, "words", list);
    int rc = ctl_ask(ctl, request, &reply);
    if (rc == 0)
        rc = ctl_print_reply(ctl, words[0], reply);
    json_decref(reply);
    json_decref(request);
    return rc;
}

static int run(struct ctl *ctl, char *const *words, int count)
{
    int rc;
    if (count == 0)
        return usage("COMMAND", "missing");
    if (!ctl_local(ctl, (const char *const *)words, (size_t)count, &rc))
        rc = ask_server(ctl, words);
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
