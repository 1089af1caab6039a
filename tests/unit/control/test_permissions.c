/* Who may look, who may change, and what the history keeps of it. */
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

#include "control_test.h"

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
        (void)send(fd, request, strlen(request), MSG_NOSIGNAL); /* who is refused may have been so already */
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

/* A client of our own makes changes; what the history says of them now, in its file, and after a restart. */
static void history(void)
{
    char path[96], *text, line[4096] = "";
    struct vx_control *control = NULL;
    struct vx_error error = { "" };
    (void)snprintf(path, sizeof(path), "%s/history.jsonl", folder);
    struct vx_control_config config = { socket_path, MODE, "", "", path };
    CU_ASSERT_EQUAL_FATAL(vx_control_create(&config, tables, &context, &control, &error), 0);
    int fd = client();
    say(fd, "change 7\n");
    text = hear(control, fd);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "admin  yes"));
    free(text);
    say(fd, "change 13\n");
    expect(control, fd, "error: failed: value is 13: no luck\n\n");
    say(fd, "echo\n"); /* who only looks is not in it */
    expect(control, fd, "no value\n\n");
    (void)close(fd);
    vx_control_destroy(control);
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(fgets(line, sizeof(line), file));
    json_t *entry = json_loads(line, 0, NULL);
    const char *user = NULL, *command = NULL, *time = NULL;
    json_int_t pid = 0, given = 0, old = 0, new = 0;
    int ok = 0;
    CU_ASSERT_EQUAL(json_unpack(entry, "{s:s,s:s,s:s,s:I,s:{s:I},s:I,s:I,s:b}", "time", &time, "user", &user, "command", &command, "pid", &pid, "arguments",
                                "value", &given, "old", &old, "new", &new, "ok", &ok),
                    0);
    CU_ASSERT(strlen(time) == 24 && pid == getpid() && given == 7 && old == 0 && new == 7 && ok);
    CU_ASSERT_STRING_EQUAL(command, "change");
    json_decref(entry);
    CU_ASSERT_PTR_NOT_NULL(fgets(line, sizeof(line), file));
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"ok\":false,\"error\":\"value is 13: no luck\""));
    CU_ASSERT_PTR_NULL(fgets(line, sizeof(line), file));
    (void)fclose(file);

    CU_ASSERT_EQUAL_FATAL(vx_control_create(&config, tables, &context, &control, &error), 0);
    fd = client();
    say(fd, "{\"command\":\"history\",\"last\":1}\n");
    text = hear(control, fd);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "no luck"));
    CU_ASSERT_PTR_NULL(strstr(text, "\"new\":7"));
    free(text);
    (void)close(fd);
    vx_control_destroy(control);
    (void)unlink(path);
    config.history = "/nonexistent/history";
    CU_ASSERT_EQUAL(vx_control_create(&config, tables, &context, &control, &error), -ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "control.history: cannot write /nonexistent/history"));
}

/* A file that is full is set aside, and a torn last line does no harm. */
static void history_file_is_bounded(void)
{
    enum { FULL = 1 << 20 };
    char path[96], old[100];
    struct stat status;
    struct vx_control *control = NULL;
    struct vx_error error = { "" };
    (void)snprintf(path, sizeof(path), "%s/history.jsonl", folder);
    (void)snprintf(old, sizeof(old), "%s.1", path);
    int file = open(path, O_CREAT | O_WRONLY, 0640);
    CU_ASSERT_EQUAL(ftruncate(file, FULL - 10), 0); /* zeros: nothing that an entry could be read from */
    (void)close(file);
    struct vx_control_config config = { socket_path, MODE, "", "", path };
    CU_ASSERT_EQUAL_FATAL(vx_control_create(&config, tables, &context, &control, &error), 0);
    int fd = client();
    say(fd, "change 1\nchange 2\n");
    free(hear(control, fd));
    CU_ASSERT_EQUAL(stat(old, &status), 0);
    CU_ASSERT_EQUAL(status.st_size, FULL - 10);
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT(status.st_size > 200 && status.st_size < 1000);
    (void)close(fd);
    vx_control_destroy(control);
    (void)unlink(path);
    (void)unlink(old);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "who may look and who may change", permissions },
        { "the history of changes", history },
        { "the history's file is bounded", history_file_is_bounded },
    };
    return stage_main("permissions", tests, sizeof(tests) / sizeof(tests[0]));
}
