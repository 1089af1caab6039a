/* veltrixctl: one command to a running veltrixd over its control socket, and the answer as text for a
 * person or, with --json, as a line for a program. Knows the protocol (lib/control) and the shape of
 * `status` (app/veltrixd/status.c); any other answer is printed as it is, indented. A key that an older
 * or newer veltrixd leaves out counts as 0. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NO_CONNECTION = 3,
    EXIT_TIMED_OUT = 5,
    REPLY_BYTES_MAX = 16 << 20, /* twice what the server would buffer */
    REPLY_BYTES_STEP = 64 << 10,
    TIMEOUT_S_MAX = 86400,
    RETRY_MS = 10, /* the server's queue of connections is full */
    INDENT = 2,
};
static const char default_socket[] = "/run/veltrix/control.sock"; /* as control.socket in config_schema.c */
static const double default_timeout_s = 5;

struct options {
    const char *socket;
    bool json;
    int64_t deadline_ms;
    json_t *request;
};

/* The answer as text. */

static void print_value(const json_t *value, int depth);

static void print_scalar(const json_t *value)
{
    if (json_is_string(value))
        (void)printf("%s", json_string_value(value));
    else if (json_is_integer(value))
        (void)printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        (void)printf("%g", json_real_value(value));
    else
        (void)printf("%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
}

static bool is_nested(const json_t *value)
{
    return json_is_object(value) || json_is_array(value);
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

static void print_object(const json_t *object, int depth)
{
    const char *key;
    json_t *value;
    int width = 0;
    json_object_foreach((json_t *)object, key, value)
        if ((int)strlen(key) > width && !is_nested(value))
            width = (int)strlen(key);
    json_object_foreach((json_t *)object, key, value) {
        (void)printf("%*s", depth * INDENT, "");
        if (is_nested(value) && !is_list_of_scalars(value)) {
            (void)printf("%s\n", key);
            print_value(value, depth + 1);
        } else {
            (void)printf("%-*s  ", width, key);
            print_value(value, 0);
        }
    }
}

static void print_array(const json_t *array, int depth)
{
    size_t i;
    json_t *item;
    bool one_line = is_list_of_scalars(array);
    json_array_foreach(array, i, item) {
        if (one_line) {
            (void)printf("%s", i > 0 ? ", " : "");
            print_scalar(item);
        } else {
            (void)printf("%*s%zu\n", depth * INDENT, "", i);
            print_value(item, depth + 1);
        }
    }
    if (one_line)
        (void)printf("\n");
}

static void print_value(const json_t *value, int depth)
{
    if (json_is_object(value)) {
        print_object(value, depth);
    } else if (json_is_array(value)) {
        print_array(value, depth);
    } else {
        (void)printf("%*s", depth * INDENT, "");
        print_scalar(value);
        (void)printf("\n");
    }
}

/* `status` as a table. */

static json_int_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void print_server(const json_t *status)
{
    const json_t *totals = json_object_get(status, "totals");
    (void)printf("server    epoch %" JSON_INTEGER_FORMAT ", resident %.1f MiB, accounts %s\n", number(status, "epoch"),
                 (double)number(status, "resident_bytes") / (1 << 20), json_is_true(json_object_get(status, "accounts_balance")) ? "balance" : "DO NOT BALANCE");
    (void)printf("players   %" JSON_INTEGER_FORMAT " online of %" JSON_INTEGER_FORMAT ": %" JSON_INTEGER_FORMAT " searching, %" JSON_INTEGER_FORMAT " proposed, %" JSON_INTEGER_FORMAT
                 " hunting, %" JSON_INTEGER_FORMAT " settling; %" JSON_INTEGER_FORMAT " hunts\n\n",
                 number(totals, "players_online"), number(status, "players"), number(totals, "players_searching"), number(totals, "players_proposed"),
                 number(totals, "players_hunting"), number(totals, "players_settling"), number(totals, "hunts_live"));
}

static void print_lcore(const json_t *lcore)
{
    char roles[32] = "", gap[32];
    size_t i, used = 0;
    json_t *role;
    json_array_foreach(json_object_get(lcore, "roles"), i, role) {
        const char *name = json_string_value(role);
        if (name != NULL && strcmp(name, "-") != 0 && used < sizeof(roles))
            used += (size_t)snprintf(roles + used, sizeof(roles) - used, "%s%s", used > 0 ? "+" : "", name);
    }
    json_int_t passes = number(lcore, "passes");
    const json_t *io = json_object_get(lcore, "io");
    (void)snprintf(gap, sizeof(gap), "%.0f", json_number_value(json_object_get(json_object_get(lcore, "gaps"), "us_p999")));
    (void)printf("%5" JSON_INTEGER_FORMAT "  %3" JSON_INTEGER_FORMAT "  %-10s  %6.2f%%  %14" JSON_INTEGER_FORMAT "  %11s", number(lcore, "lcore"), number(lcore, "cpu"), roles,
                 passes > 0 ? 100.0 * (double)number(lcore, "passes_busy") / (double)passes : 0.0, passes, gap);
    if (io != NULL)
        (void)printf("  %14" JSON_INTEGER_FORMAT "  %14" JSON_INTEGER_FORMAT "\n", number(io, "packets_in"), number(io, "packets_out"));
    else
        (void)printf("  %14s  %14s\n", "-", "-");
}

static void print_drop(const json_t *lcore, bool *any, const char *name, json_int_t count)
{
    if (count == 0)
        return;
    if (!*any)
        (void)printf("drops     lcore %" JSON_INTEGER_FORMAT ":", number(lcore, "lcore"));
    (void)printf("%s %s %" JSON_INTEGER_FORMAT, *any ? "," : "", name, count);
    *any = true;
}

static void print_drops(const json_t *lcore)
{
    static const char *const losses[] = { "replies_dropped", "tx_full", "busy_answers" };
    json_t *io = json_object_get(lcore, "io"), *value;
    const char *name;
    size_t i;
    json_int_t shed = 0;
    bool any = false;
    json_object_foreach(json_object_get(io, "packets"), name, value)
        if (strcmp(name, "none") != 0) /* accepted */
            print_drop(lcore, &any, name, json_integer_value(value));
    json_array_foreach(json_object_get(io, "actions_shed"), i, value)
        shed += json_integer_value(value);
    print_drop(lcore, &any, "actions_shed", shed);
    for (i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
        print_drop(lcore, &any, losses[i], number(io, losses[i]));
    if (any)
        (void)printf("\n");
}

static void print_shards(const json_t *status)
{
    const json_t *totals = json_object_get(status, "totals"), *busiest = NULL;
    json_int_t online_min = 0, online_max = 0;
    size_t i;
    json_t *shard;
    json_array_foreach(json_object_get(status, "shard_list"), i, shard) {
        json_int_t online = number(shard, "online");
        online_min = i == 0 || online < online_min ? online : online_min;
        online_max = online > online_max ? online : online_max;
        if (busiest == NULL || number(shard, "actions_in") > number(busiest, "actions_in"))
            busiest = shard;
    }
    (void)printf("shards    %" JSON_INTEGER_FORMAT ": %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT " online each, busiest %" JSON_INTEGER_FORMAT "; matches %" JSON_INTEGER_FORMAT
                 " started, %" JSON_INTEGER_FORMAT " settled\n",
                 number(status, "shards"), online_min, online_max, number(busiest, "shard"), number(totals, "matches_started"), number(totals, "matches_settled"));
    (void)printf("actions   %" JSON_INTEGER_FORMAT " in: %" JSON_INTEGER_FORMAT " answered, %" JSON_INTEGER_FORMAT " refused, %" JSON_INTEGER_FORMAT " repeated, %" JSON_INTEGER_FORMAT
                 " busy, %" JSON_INTEGER_FORMAT " gone, %" JSON_INTEGER_FORMAT " pending\n",
                 number(totals, "actions_in"), number(totals, "actions_answered"), number(totals, "actions_refused"), number(totals, "actions_repeated"),
                 number(totals, "actions_busy"), number(totals, "actions_dropped_gone"), number(totals, "actions_pending"));
}

static void print_formulas(const json_t *formulas)
{
    const char *name;
    json_t *kind;
    (void)printf("formulas  worker pid %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT " starts, %" JSON_INTEGER_FORMAT " deaths", number(formulas, "worker_pid"),
                 number(formulas, "worker_starts"), number(formulas, "worker_deaths"));
    json_object_foreach((json_t *)formulas, name, kind)
        if (json_is_object(kind))
            (void)printf("; %s %" JSON_INTEGER_FORMAT " jobs, %.0f ns each", name, number(kind, "jobs"), json_number_value(json_object_get(kind, "ns_per_job")));
    (void)printf("\n");
}

static void print_status(const json_t *status)
{
    const json_t *lcores = json_object_get(status, "lcores"), *ledger = json_object_get(status, "ledger");
    size_t i;
    json_t *lcore;
    print_server(status);
    (void)printf("lcore  cpu  roles          busy          passes  gap us p999      packets in     packets out\n");
    json_array_foreach(lcores, i, lcore)
        print_lcore(lcore);
    (void)printf("\n");
    json_array_foreach(lcores, i, lcore)
        print_drops(lcore);
    print_shards(status);
    print_formulas(json_object_get(status, "formulas"));
    (void)printf("ledger    %" JSON_INTEGER_FORMAT " grants committed, %" JSON_INTEGER_FORMAT " repeated, %" JSON_INTEGER_FORMAT " commits, %" JSON_INTEGER_FORMAT
                 " failures, longest %" JSON_INTEGER_FORMAT " us\n",
                 number(ledger, "grants_committed"), number(ledger, "grants_repeated"), number(ledger, "commits"), number(ledger, "failures"), number(ledger, "commit_us_max"));
}

/* The conversation. */

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int complain(int code, const char *what, const char *detail)
{
    (void)fprintf(stderr, "veltrixctl: %s: %s\n", what, detail);
    return code;
}

static int timed_out(const struct options *options)
{
    return complain(EXIT_TIMED_OUT, options->socket, "timed out");
}

/* Waits for the socket until the deadline; false when it has passed. */
static bool wait_for(const struct options *options, int fd, short events)
{
    for (;;) {
        int64_t left_ms = options->deadline_ms - now_ms();
        struct pollfd item = { .fd = fd, .events = events };
        if (left_ms <= 0)
            return false;
        if (poll(&item, 1, (int)left_ms) > 0)
            return true;
    }
}

static int open_connection(const struct options *options, int *fd)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(options->socket) >= sizeof(address.sun_path))
        return complain(EXIT_NO_CONNECTION, options->socket, "longer than a socket's path can be");
    strcpy(address.sun_path, options->socket);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return complain(EXIT_NO_CONNECTION, options->socket, strerror(errno));
    while (connect(*fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno != EAGAIN && errno != EINTR)
            return complain(EXIT_NO_CONNECTION, options->socket, strerror(errno));
        if (now_ms() >= options->deadline_ms)
            return timed_out(options);
        (void)poll(NULL, 0, RETRY_MS);
    }
    return 0;
}

/* A server that has closed already (it has too many clients) may have said why: reading tells. */
static int send_line(const struct options *options, int fd, const char *line, size_t bytes)
{
    for (size_t sent = 0; sent < bytes;) {
        ssize_t step = send(fd, line + sent, bytes - sent, MSG_NOSIGNAL);
        if (step >= 0)
            sent += (size_t)step;
        else if (errno == EAGAIN && !wait_for(options, fd, POLLOUT))
            return timed_out(options);
        else if (errno != EAGAIN && errno != EINTR)
            return 0;
    }
    return 0;
}

/* Reads up to the newline, which is cut off. *line belongs to the caller, also on failure. */
static int receive_line(const struct options *options, int fd, char **line)
{
    size_t bytes = 0, capacity = 0;
    for (;;) {
        if (capacity - bytes < REPLY_BYTES_STEP) {
            capacity = capacity * 2 + 2 * REPLY_BYTES_STEP;
            char *grown = capacity <= 2 * REPLY_BYTES_MAX ? realloc(*line, capacity) : NULL;
            if (grown == NULL)
                return complain(EXIT_FAILED, options->socket, "the answer is too long");
            *line = grown;
        }
        if (!wait_for(options, fd, POLLIN))
            return timed_out(options);
        ssize_t step = recv(fd, *line + bytes, capacity - bytes - 1, 0);
        if (step < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (step <= 0)
            return complain(EXIT_FAILED, options->socket, step == 0 ? "closed without an answer" : strerror(errno));
        char *newline = memchr(*line + bytes, '\n', (size_t)step);
        bytes += (size_t)step;
        if (newline != NULL) {
            *newline = '\0';
            return 0;
        }
    }
}

static int print_reply(const struct options *options, const char *line)
{
    json_t *reply = json_loads(line, 0, NULL);
    const json_t *result = json_object_get(reply, "result"), *error = json_object_get(reply, "error");
    const char *command = json_string_value(json_object_get(options->request, "command"));
    int rc = 0;
    if (!json_is_true(json_object_get(reply, "ok")) || result == NULL) {
        const char *code = json_string_value(json_object_get(error, "code")), *message = json_string_value(json_object_get(error, "message"));
        rc = complain(EXIT_FAILED, code != NULL ? code : options->socket, message != NULL ? message : "the answer is not of this protocol");
    } else if (options->json) {
        (void)json_dumpf(result, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
        (void)printf("\n");
    } else if (strcmp(command, "status") == 0 && json_is_array(json_object_get(result, "lcores"))) {
        print_status(result);
    } else {
        print_value(result, 0);
    }
    json_decref(reply);
    if (fflush(stdout) != 0 || ferror(stdout))
        return complain(EXIT_FAILED, "standard output", strerror(errno));
    return rc;
}

static int converse(const struct options *options)
{
    int fd = -1;
    char *question = json_dumps(options->request, JSON_COMPACT), *answer = NULL;
    int rc = question != NULL ? open_connection(options, &fd) : complain(EXIT_FAILED, "request", "out of memory");
    if (rc == 0) {
        size_t bytes = strlen(question);
        question[bytes] = '\n'; /* over the NUL: send_line has the length */
        rc = send_line(options, fd, question, bytes + 1);
    }
    if (rc == 0)
        rc = receive_line(options, fd, &answer);
    if (rc == 0)
        rc = print_reply(options, answer);
    if (fd >= 0)
        (void)close(fd);
    free(question);
    free(answer);
    return rc;
}

/* The command line. */

static void print_help(void)
{
    (void)printf("usage: veltrixctl [--socket PATH] [--json] [--timeout S] COMMAND [key=value ...]\n"
                 "\n"
                 "Sends one command to a running veltrixd and prints the answer; the command `help`\n"
                 "lists what veltrixd knows. A value that reads as JSON is sent as such, anything\n"
                 "else as a string.\n"
                 "\n"
                 "  --socket PATH  where veltrixd listens (%s)\n"
                 "  --json         print the result as one line of JSON\n"
                 "  --timeout S    give up after S seconds (%g)\n"
                 "  --help         print this\n"
                 "  --version      print the version\n"
                 "\n"
                 "exit: 0 done, 1 failed, 2 wrong usage, 3 cannot connect, 5 timed out\n",
                 default_socket, default_timeout_s);
}

static int usage(const char *what, const char *detail)
{
    (void)complain(EXIT_USAGE, what, detail);
    (void)fprintf(stderr, "veltrixctl: --help shows the usage\n");
    return EXIT_USAGE;
}

static int read_timeout(const char *text, struct options *options)
{
    char *end;
    double s = strtod(text, &end);
    if (end == text || *end != '\0' || !(s > 0 && s <= TIMEOUT_S_MAX)) /* not a number fails this too */
        return usage(text, "expected a timeout in seconds, above 0 and at most 86400");
    options->deadline_ms = now_ms() + (int64_t)(s * 1000 + 0.5);
    return 0;
}

/* COMMAND and its key=value pairs become the request. */
static int read_request(char **words, json_t **request)
{
    if (words[0] == NULL)
        return usage("COMMAND", "missing");
    *request = json_pack("{s:i,s:s}", "id", 1, "command", words[0]);
    if (*request == NULL)
        return usage("COMMAND", "not UTF-8");
    for (char **word = words + 1; *word != NULL; word++) {
        char *equals = strchr(*word, '=');
        if (equals == NULL || equals == *word)
            return usage(*word, "expected key=value");
        *equals = '\0';
        if (json_object_get(*request, *word) != NULL)
            return usage(*word, "given already, or id or command, which are veltrixctl's own");
        json_t *value = json_loads(equals + 1, JSON_DECODE_ANY, NULL);
        if (json_object_set_new(*request, *word, value != NULL ? value : json_string(equals + 1)) != 0)
            return usage(*word, "not UTF-8");
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = { { "socket", required_argument, NULL, 's' }, { "json", no_argument, NULL, 'j' }, { "timeout", required_argument, NULL, 't' },
                                           { "help", no_argument, NULL, 'h' },         { "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 } };
    struct options options = { .socket = default_socket, .deadline_ms = now_ms() + (int64_t)(default_timeout_s * 1000) };
    int rc = 0;
    for (int option; rc == 0 && (option = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (option == 's')
            options.socket = optarg;
        else if (option == 'j')
            options.json = true;
        else if (option == 't')
            rc = read_timeout(optarg, &options);
        else if (option == 'h')
            return print_help(), 0;
        else if (option == 'V')
            return printf("veltrixctl " VELTRIX_VERSION "\n") < 0;
        else
            rc = EXIT_USAGE; /* getopt has said why */
    }
    if (rc == 0)
        rc = read_request(argv + optind, &options.request);
    if (rc == 0)
        rc = converse(&options);
    json_decref(options.request);
    return rc;
}
