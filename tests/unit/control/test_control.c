/* The control socket from outside: one thread, non-blocking client sockets, and polls in between. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_test.h"

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

int main(void)
{
    static const struct vx_test tests[] = {
        { "an id of any type is echoed", ids_of_any_type },
        { "partial lines, and several in one write", partial_and_several_lines },
        { "more requests than a turn", many_in_one_write },
        { "plain-text lines", plain_lines },
        { "bad requests and their codes", bad_requests },
        { "lines of the longest length and longer", line_lengths },
        { "a slow reader is closed, a late one is not", slow_readers },
        { "too many clients", too_many_clients },
        { "stale, living and foreign files", socket_files },
    };
    return stage_main("control", tests, sizeof(tests) / sizeof(tests[0]));
}
