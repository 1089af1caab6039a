/* The control socket from outside: one thread, non-blocking client sockets, and polls in between. Then
 * veltrixctl itself (environment VELTRIXCTL) as a child, against a control in this process. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vx_control.h"
#include "vx_test.h"

enum { LINE_MAX_BYTES = 64 << 10, BIG_BYTES = 1 << 20, CLIENTS = 64, MODE = 0640 };

static char folder[] = "/tmp/vx_control_XXXXXX";
static char socket_path[64];
static int context;

static json_t *on_echo(void *given, struct vx_control_call *call, struct vx_error *error)
{
    (void)error;
    CU_ASSERT_PTR_EQUAL(given, &context);
    json_t *value = json_object_get(call->arguments, "value");
    return value != NULL ? json_incref(value) : json_string("no value");
}

static json_t *on_fail(void *given, struct vx_control_call *call, struct vx_error *error)
{
    (void)given;
    /* A sentence that is cut within a character must still get out. */
    if (json_object_get(call->arguments, "cut") != NULL)
        (void)vx_error_set(error, -EINVAL, "broken \xc3");
    else
        (void)vx_error_set(error, -EINVAL, "shards.count: 7, expected a multiple of 8");
    return NULL;
}

static json_t *on_big(void *given, struct vx_control_call *call, struct vx_error *error)
{
    (void)given;
    (void)error;
    json_int_t times = json_integer_value(json_object_get(call->arguments, "times"));
    size_t bytes = BIG_BYTES * (size_t)(times > 0 ? times : 1);
    char *text = malloc(bytes);
    memset(text, 'x', bytes);
    json_t *string = json_stringn(text, bytes);
    free(text);
    return string;
}

static json_t *on_status(void *given, struct vx_control_call *call, struct vx_error *error)
{
    (void)given;
    (void)call;
    (void)error;
    return json_loads("{\"epoch\":3,\"players\":120000,\"shards\":2,\"resident_bytes\":104857600,\"accounts_balance\":true,"
                      "\"lcores\":[{\"lcore\":1,\"cpu\":4,\"roles\":[\"io\",\"shard\"],\"passes\":200,\"passes_busy\":50,\"gaps\":{\"us_p999\":7.0},"
                      "\"io\":{\"packets_in\":123,\"packets_out\":45,\"tx_full\":0,\"packets\":{\"none\":100,\"bad_magic\":23,\"short_ip\":0},\"actions_shed\":[0,2]}}],"
                      "\"totals\":{\"players_online\":77,\"actions_in\":9},\"formulas\":{\"worker_pid\":99,\"battle\":{\"jobs\":5,\"ns_per_job\":350.4}},"
                      "\"ledger\":{\"grants_committed\":12},\"shard_list\":[{\"shard\":0,\"online\":30,\"actions_in\":1},{\"shard\":1,\"online\":47,\"actions_in\":8}]}",
                      0, NULL);
}

static json_t *on_change(void *given, struct vx_control_call *call, struct vx_error *error)
{
    (void)given;
    (void)error;
    return json_pack("{s:s,s:b}", "by", call->peer->name, "admin", call->peer->admin);
}

static const struct vx_control_argument echo_arguments[] = { { "value", VX_ARGUMENT_WHOLE, VX_ARGUMENT_OPTIONAL, 0, 100, NULL, "", "given back" }, { .name = NULL } };
static const struct vx_control_argument fail_arguments[] = { { "cut", VX_ARGUMENT_FLAG, VX_ARGUMENT_NAMED, 0, 0, NULL, "", "end within a character" }, { .name = NULL } };
static const struct vx_control_argument big_arguments[] = { { "times", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, 64, NULL, "MiB", "how much" }, { .name = NULL } };
static const struct vx_control_command commands[] = {
    { "echo", VX_CONTROL_LOOK, "gives back the value", "", echo_arguments, on_echo },
    { "fail", VX_CONTROL_LOOK, "always fails", "", fail_arguments, on_fail },
    { "big", VX_CONTROL_LOOK, "a result of some MiB", "", big_arguments, on_big },
    { "status", VX_CONTROL_LOOK, "what there is", "", NULL, on_status },
    { "change", VX_CONTROL_ADMIN, "changes nothing", "none", NULL, on_change },
    { .name = NULL },
};
static const struct vx_control_command *const tables[] = { commands, NULL };

static struct vx_control *start(void)
{
    struct vx_control *control = NULL;
    struct vx_error error = { "" };
    struct vx_control_config config = { socket_path, MODE, "", "", "" };
    CU_ASSERT_EQUAL_FATAL(vx_control_create(&config, tables, &context, &control, &error), 0);
    return control;
}

static int client(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strcpy(address.sun_path, socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void polls(struct vx_control *control, int count)
{
    while (count-- > 0)
        vx_control_poll(control, 0);
}

static void say(int fd, const char *text)
{
    CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What has come within a few polls; the caller frees. */
static char *hear(struct vx_control *control, int fd)
{
    size_t bytes = 0, capacity = 2 * BIG_BYTES;
    char *text = malloc(capacity + 1);
    for (int quiet = 0; quiet < 4 && bytes < capacity;) {
        vx_control_poll(control, 0);
        ssize_t got = recv(fd, text + bytes, capacity - bytes, 0);
        quiet = got > 0 ? 0 : quiet + 1;
        bytes += got > 0 ? (size_t)got : 0;
    }
    text[bytes] = '\0';
    return text;
}

static void expect(struct vx_control *control, int fd, const char *expected)
{
    char *text = hear(control, fd);
    if (strcmp(text, expected) != 0)
        (void)printf("\n  got      %.300s\n  expected %.300s\n", text, expected);
    CU_ASSERT_STRING_EQUAL(text, expected);
    free(text);
}

/* One reply with this error code, the sentence containing words. */
static void expect_error(struct vx_control *control, int fd, const char *code, const char *words)
{
    char *text = hear(control, fd);
    json_t *reply = json_loads(text, 0, NULL), *error = json_object_get(reply, "error");
    CU_ASSERT_TRUE(json_is_false(json_object_get(reply, "ok")));
    const char *got = json_string_value(json_object_get(error, "code")), *message = json_string_value(json_object_get(error, "message"));
    CU_ASSERT_STRING_EQUAL(got ? got : "", code);
    CU_ASSERT_PTR_NOT_NULL(strstr(message ? message : "", words));
    json_decref(reply);
    free(text);
}

static bool is_closed(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) == 0 || (errno != EAGAIN);
}

static void ids_of_any_type(void)
{
    static const char *const ids[] = { "1", "\"a\\n\xc3\xa9\"", "null", "true", "1.5", "[1,{\"x\":2}]", "{\"deep\":[]}", "9223372036854775807" };
    struct vx_control *control = start();
    int fd = client();
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        char request[128], expected[128];
        (void)snprintf(request, sizeof(request), "{\"id\":%s,\"command\":\"echo\",\"value\":%zu}\n", ids[i], i);
        (void)snprintf(expected, sizeof(expected), "{\"id\":%s,\"ok\":true,\"result\":%zu}\n", ids[i], i);
        if (i == 1)
            (void)snprintf(expected, sizeof(expected), "{\"id\":\"a\\n\xc3\xa9\",\"ok\":true,\"result\":%zu}\n", i);
        say(fd, request);
        expect(control, fd, expected);
    }
    say(fd, "{\"command\":\"echo\"}\n");
    expect(control, fd, "{\"id\":null,\"ok\":true,\"result\":\"no value\"}\n");
    (void)close(fd);
    vx_control_destroy(control);
}

static void partial_and_several_lines(void)
{
    struct vx_control *control = start();
    int fd = client();
    const char *text = "{\"id\":1,\"command\":\"echo\",\"value\":2}\n";
    for (const char *c = text; *c != '\0'; c++) {
        char one[2] = { *c, '\0' };
        if (c[1] == '\0')
            expect(control, fd, ""); /* nothing before the newline */
        say(fd, one);
        polls(control, 1);
    }
    expect(control, fd, "{\"id\":1,\"ok\":true,\"result\":2}\n");
    say(fd, "{\"id\":1,\"command\":\"echo\",\"value\":1}\n\n \r\n{\"id\":2,\"command\":\"echo\",\"value\":2}\r\n{\"id\":3,\"comm");
    expect(control, fd, "{\"id\":1,\"ok\":true,\"result\":1}\n{\"id\":2,\"ok\":true,\"result\":2}\n");
    say(fd, "and\":\"echo\",\"value\":3}\n");
    expect(control, fd, "{\"id\":3,\"ok\":true,\"result\":3}\n");
    (void)close(fd);
    vx_control_destroy(control);
}

/* More requests in one write than a turn serves; each is answered once and in order, without new input. */
static void many_in_one_write(void)
{
    enum { COUNT = 100 };
    char request[COUNT * 64] = "", expected[COUNT * 64] = "";
    struct vx_control *control = start();
    int fd = client();
    for (int i = 0; i < COUNT; i++) {
        (void)sprintf(request + strlen(request), "{\"id\":%d,\"command\":\"echo\",\"value\":0}\n", i);
        (void)sprintf(expected + strlen(expected), "{\"id\":%d,\"ok\":true,\"result\":0}\n", i);
    }
    say(fd, request);
    CU_ASSERT_EQUAL(shutdown(fd, SHUT_WR), 0);
    expect(control, fd, expected);
    CU_ASSERT_TRUE(is_closed(fd));
    (void)close(fd);
    vx_control_destroy(control);
}

static void plain_lines(void)
{
    struct vx_control *control = start();
    int fd = client();
    say(fd, "  echo \r\n");
    expect(control, fd, "no value\n\n");
    say(fd, "echo 7\n");
    expect(control, fd, "7\n\n");
    say(fd, "fail --cut\n");
    expect(control, fd, "error: failed: broken ?\n\n");
    say(fd, "nonsense\n");
    expect(control, fd, "error: unknown_command: there is no command \"nonsense\"; help lists them all\n\n");
    say(fd, "echo"); /* the last line lacks its newline: printf echo | socat */
    CU_ASSERT_EQUAL(shutdown(fd, SHUT_WR), 0);
    expect(control, fd, "no value\n\n");
    CU_ASSERT_TRUE(is_closed(fd));
    (void)close(fd);
    vx_control_destroy(control);
}

static void bad_requests(void)
{
    static const char *const lines[][3] = {
        { "{\"id\":1,\"command\"\n", "bad_json", "column" }, { "\xff\xfe\n", "bad_json", "" },
        { "{\"id\":1,\"id\":2,\"command\":\"echo\"}\n", "bad_json", "duplicate" }, { "{} {}\n", "bad_json", "" },
        { "[1]\n", "bad_request", "object" }, { "5\n", "bad_request", "object" }, { "{\"id\":1}\n", "bad_request", "command" },
        { "{\"command\":5}\n", "bad_request", "string" }, { "{\"command\":\"\"}\n", "unknown_command", "help" },
        { "{\"words\":[1]}\n", "bad_request", "words[0]" }, { "{\"words\":[]}\n", "unknown_command", "no command" },
        { "{\"command\":\"ehco\"}\n", "unknown_command", "did you mean \"echo\"" },
        { "{\"command\":\"echo\",\"valeu\":1}\n", "bad_argument", "echo takes no \"valeu\", expected value" },
        { "{\"command\":\"status\",\"x\":1}\n", "bad_argument", "expected no arguments" },
        { "{\"command\":\"echo\",\"value\":\"7\"}\n", "bad_argument", "value is \"7\", expected a whole number from 0 to 100" },
        { "{\"command\":\"echo\",\"value\":101}\n", "out_of_range", "value is 101, expected a whole number from 0 to 100" },
        { "{\"command\":\"fail\"}\n", "failed", "shards.count: 7, expected a multiple of 8" }, { "{\"command\":\"fail\",\"cut\":true}\n", "failed", "broken ?" },
        { "{\"command\":\"big\",\"times\":8}\n", "failed", "bytes" },
    };
    struct vx_control *control = start();
    int fd = client();
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        say(fd, lines[i][0]);
        expect_error(control, fd, lines[i][1], lines[i][2]);
    }
    say(fd, "{\"id\":[7],\"command\":\"fail\"}\n");
    expect(control, fd, "{\"id\":[7],\"ok\":false,\"error\":{\"code\":\"failed\",\"message\":\"shards.count: 7, expected a multiple of 8\"}}\n");
    (void)close(fd);
    vx_control_destroy(control);
}

static void line_lengths(void)
{
    struct vx_control *control = start();
    int fd = client();
    char *line = malloc(4 * LINE_MAX_BYTES + 1);
    memset(line, ' ', LINE_MAX_BYTES);
    memcpy(line, "echo", 4);
    strcpy(line + LINE_MAX_BYTES, "\n"); /* the longest that is allowed */
    say(fd, line);
    expect(control, fd, "no value\n\n");
    strcpy(line + LINE_MAX_BYTES, " \n");
    say(fd, line);
    expect_error(control, fd, "too_long", "65536");
    memset(line, 'a', 3 * LINE_MAX_BYTES); /* one answer only, however long, and the next line is served */
    line[3 * LINE_MAX_BYTES] = '\0';
    for (char *c = line; *c != '\0'; polls(control, 2)) {
        ssize_t sent = send(fd, c, strlen(c), MSG_NOSIGNAL);
        c += sent > 0 ? sent : 0;
    }
    expect_error(control, fd, "too_long", "65536");
    say(fd, "aa\necho\n");
    expect(control, fd, "no value\n\n");
    free(line);
    (void)close(fd);
    vx_control_destroy(control);
}

static void slow_readers(void)
{
    struct vx_control *control = start();
    int slow = client(), late = client(), other = client();
    for (int i = 0; i < 4; i++) /* 4 MiB wait in the buffer: late, but it reads */
        say(late, "big\n");
    for (int i = 0; i < 10; i++) /* 10 MiB: over the bound */
        say(slow, "big\n");
    polls(control, 30);
    CU_ASSERT_EQUAL(send(slow, "x", 1, MSG_NOSIGNAL), -1);
    CU_ASSERT_EQUAL(errno, EPIPE);
    say(other, "echo\n");
    expect(control, other, "no value\n\n");
    size_t bytes = 0;
    for (int i = 0; i < 3; i++) {
        char *text = hear(control, late);
        bytes += strlen(text);
        free(text);
    }
    CU_ASSERT_EQUAL(bytes, 4 * (BIG_BYTES + strlen("\n\n")));
    say(late, "big\n");
    polls(control, 2);
    (void)close(late); /* with half an answer on its way */
    polls(control, 4);
    int gone = client();
    say(gone, "echo\n");
    (void)close(gone); /* before its request is read: the answer meets a closed socket, and no SIGPIPE */
    polls(control, 4);
    (void)close(slow);
    (void)close(other);
    vx_control_destroy(control);
}

static void too_many_clients(void)
{
    struct vx_control *control = start();
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = client();
        polls(control, 1);
    }
    int extra = client();
    say(extra, "echo\n");
    expect_error(control, extra, "too_many_clients", "64");
    CU_ASSERT_TRUE(is_closed(extra));
    (void)close(fds[5]);
    polls(control, 2);
    fds[5] = client();
    for (int i = 0; i < CLIENTS; i++)
        say(fds[i], "echo\n");
    for (int i = 0; i < CLIENTS; i++)
        expect(control, fds[i], "no value\n\n");
    for (int i = 0; i < CLIENTS; i++)
        (void)close(fds[i]);
    (void)close(extra);
    polls(control, 2);
    vx_control_destroy(control);
}

static int create_fails(const char *path, const char *words)
{
    struct vx_control *control = NULL;
    struct vx_error error = { "" };
    struct vx_control_config config = { path, MODE, "", "", "" };
    int rc = vx_control_create(&config, tables, &context, &control, &error);
    CU_ASSERT_PTR_NULL(control);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, words));
    return rc;
}

static void socket_files(void)
{
    struct stat status;
    struct vx_control *control = start();
    CU_ASSERT_EQUAL(stat(socket_path, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, MODE);
    CU_ASSERT_EQUAL(create_fails(socket_path, "living"), -EADDRINUSE);
    int fd = client();
    say(fd, "echo\n"); /* the failed start has not hurt the living */
    expect(control, fd, "no value\n\n");
    (void)close(fd);
    vx_control_destroy(control);
    CU_ASSERT_EQUAL(stat(socket_path, &status), -1);

    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strcpy(address.sun_path, socket_path);
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(stale);
    control = start();
    CU_ASSERT_EQUAL(unlink(socket_path), 0); /* somebody puts a file of theirs in our place: it stays */
    int file = open(socket_path, O_CREAT | O_WRONLY, 0600);
    vx_control_destroy(control);
    CU_ASSERT_EQUAL(stat(socket_path, &status), 0);
    CU_ASSERT_EQUAL(create_fails(socket_path, "not a socket"), -EEXIST);
    CU_ASSERT_EQUAL(stat(socket_path, &status), 0);
    (void)close(file);
    (void)unlink(socket_path);

    char too_long[200] = "/tmp/";
    memset(too_long + 5, 'x', sizeof(too_long) - 6);
    CU_ASSERT_EQUAL(create_fails(too_long, "107"), -EINVAL);
    CU_ASSERT_EQUAL(create_fails("", "1 to 107"), -EINVAL);
    CU_ASSERT_EQUAL(create_fails("/nonexistent/folder/socket", "/nonexistent"), -ENOENT);
}

/* What a user (with this primary group, or none of ours) hears to one request, from a process of its own. */
static char *hear_as(struct vx_control *control, uid_t uid, gid_t gid, const char *request)
{
    static char text[512];
    int out[2], state;
    CU_ASSERT_EQUAL_FATAL(pipe2(out, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        strcpy(address.sun_path, socket_path);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
            _exit(1);
        (void)!write(fd, request, strlen(request));
        ssize_t got = read(fd, text, sizeof(text));
        _exit(got > 0 && write(out[1], text, (size_t)got) == got ? 0 : 1);
    }
    (void)close(out[1]);
    while (waitpid(child, &state, WNOHANG) == 0)
        vx_control_poll(control, 5);
    ssize_t got = read(out[0], text, sizeof(text) - 1);
    text[got > 0 ? got : 0] = '\0';
    (void)close(out[0]);
    return text;
}

static void permissions(void)
{
    enum { NOBODY = 65534, DAEMON = 1 };
    struct vx_control *control = NULL;
    struct vx_error error = { "" };
    struct vx_control_config config = { socket_path, 0666, "daemon", "bin 12345", "" };
    if (geteuid() != 0)
        return; /* only root can be somebody else */
    CU_ASSERT_EQUAL(chmod(folder, 0755), 0);
    CU_ASSERT_EQUAL_FATAL(vx_control_create(&config, tables, &context, &control, &error), 0);
    struct stat status;
    CU_ASSERT_EQUAL(stat(socket_path, &status), 0);
    CU_ASSERT_EQUAL(status.st_gid, DAEMON);
    CU_ASSERT_STRING_EQUAL(hear_as(control, 0, 0, "change\n"), "by     root\nadmin  yes\n\n");
    CU_ASSERT_STRING_EQUAL(hear_as(control, 12345, NOBODY, "change\n"), "by     12345\nadmin  yes\n\n");
    CU_ASSERT_STRING_EQUAL(hear_as(control, 2, NOBODY, "change\n"), "by     bin\nadmin  yes\n\n");
    CU_ASSERT_STRING_EQUAL(hear_as(control, NOBODY, DAEMON, "echo\n"), "no value\n\n");
    CU_ASSERT_STRING_EQUAL(hear_as(control, NOBODY, DAEMON, "change\n"),
                           "error: not_permitted: nobody may look, but change needs root or a name in control.admins\n\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(hear_as(control, NOBODY, NOBODY, "echo\n"), "not_permitted"));
    vx_control_destroy(control);
    control = NULL;
    config.admins = "no-such-user";
    CU_ASSERT_EQUAL(vx_control_create(&config, tables, &context, &control, &error), -EINVAL);
    CU_ASSERT_STRING_EQUAL(error.text, "control.admins: there is no user \"no-such-user\"");
    config.admins = "";
    config.group = "no-such-group";
    CU_ASSERT_EQUAL(vx_control_create(&config, tables, &context, &control, &error), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "groupadd"));
}

/* Runs veltrixctl with the words, its output into text; serves meanwhile unless control is NULL. */
static int run_ctl(struct vx_control *control, char *text, size_t text_bytes, const char *const *words)
{
    const char *args[16] = { getenv("VELTRIXCTL"), "--socket", socket_path };
    int out[2], state = 0, count = 3;
    while (*words != NULL)
        args[count++] = *words++;
    CU_ASSERT_EQUAL_FATAL(pipe2(out, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(out[1], STDOUT_FILENO);
        (void)dup2(out[1], STDERR_FILENO);
        (void)execv(args[0], (char *const *)args);
        _exit(127);
    }
    (void)close(out[1]);
    while (waitpid(child, &state, control != NULL ? WNOHANG : 0) == 0)
        vx_control_poll(control, 5);
    ssize_t got = read(out[0], text, text_bytes - 1);
    text[got > 0 ? got : 0] = '\0';
    (void)close(out[0]);
    return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

#define RUN(served, ...) run_ctl(served, text, sizeof(text), (const char *const[]){ __VA_ARGS__, NULL })

static void ctl_exit_codes(void)
{
    char text[8192];
    CU_ASSERT_EQUAL(RUN(NULL, "status"), 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "No such file"));
    struct vx_control *control = start();
    CU_ASSERT_EQUAL(RUN(control, "echo", "7"), 0);
    CU_ASSERT_STRING_EQUAL(text, "7\n");
    CU_ASSERT_EQUAL(RUN(control, "fail"), 1);
    CU_ASSERT_STRING_EQUAL(text, "veltrixctl: failed: shards.count: 7, expected a multiple of 8\n");
    CU_ASSERT_EQUAL(RUN(control, "echo", "101"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "out_of_range"));
    CU_ASSERT_EQUAL(RUN(control, "echo", "7", "8"), 2);
    CU_ASSERT_EQUAL(RUN(control, "nothing"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "unknown_command"));
    CU_ASSERT_EQUAL(RUN(NULL, "--json"), 2);
    CU_ASSERT_EQUAL(RUN(NULL, "--wrong", "status"), 2);
    CU_ASSERT_EQUAL(RUN(NULL, "--timeout", "0", "status"), 2);
    CU_ASSERT_EQUAL(RUN(NULL, "--timeout", "nan", "status"), 2);
    CU_ASSERT_EQUAL(RUN(NULL, "--timeout", "0.05", "status"), 5);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "timed out"));
    CU_ASSERT_EQUAL(RUN(NULL, "--help"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "/run/veltrix/control.sock"));
    CU_ASSERT_EQUAL(RUN(NULL, "--version"), 0);
    vx_control_destroy(control);
}

static void ctl_output(void)
{
    char text[8192];
    struct vx_control *control = start();
    CU_ASSERT_EQUAL(RUN(control, "--json", "echo", "--value", "5"), 0);
    CU_ASSERT_STRING_EQUAL(text, "5\n");
    CU_ASSERT_EQUAL(RUN(control, "--json", "echo"), 0);
    CU_ASSERT_STRING_EQUAL(text, "\"no value\"\n");
    CU_ASSERT_EQUAL(RUN(control, "help", "big"), 0);
    CU_ASSERT_STRING_EQUAL(text, "big [--times <whole>]\n    a result of some MiB\n      times: how much; 1 to 64 MiB\n");
    CU_ASSERT_EQUAL(RUN(control, "status"), 0);
    static const char *const words[] = { "epoch 3, resident 100.0 MiB, accounts balance", "77 online of 120000", "io+shard     25.00%", "lcore 1: bad_magic 23, actions_shed 2\n",
                                         "30 to 47 online each, busiest 1;", "battle 5 jobs, 350 ns each", "12 grants committed" };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(text, words[i]));
    vx_control_destroy(control);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "an id of any type is echoed", ids_of_any_type },
        { "partial lines, and several in one write", partial_and_several_lines },
        { "more requests than a turn", many_in_one_write },
        { "plain-text lines", plain_lines },
        { "bad requests and their codes", bad_requests },
        { "lines of the longest length and longer", line_lengths },
        { "who may look and who may change", permissions },
        { "a slow reader is closed, a late one is not", slow_readers },
        { "too many clients", too_many_clients },
        { "stale, living and foreign files", socket_files },
        { "veltrixctl: exit codes", ctl_exit_codes },
        { "veltrixctl: output", ctl_output },
    };
    unsigned count = sizeof(tests) / sizeof(tests[0]);
    if (mkdtemp(folder) == NULL)
        return 2;
    (void)snprintf(socket_path, sizeof(socket_path), "%s/control.sock", folder);
    int rc = vx_test_main("control", tests, getenv("VELTRIXCTL") != NULL ? count : count - 2);
    (void)rmdir(folder);
    return rc;
}
