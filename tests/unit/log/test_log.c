/* The log as it arrives: stderr is a pipe here, and where no journald listens this program is journald. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <stdlib.h>

#include "vx_log.h"
#include "vx_test.h"

static int saved, pipe_ends[2];

static void capture(void)
{
    (void)fflush(stderr);
    saved = dup(STDERR_FILENO);
    CU_ASSERT_EQUAL_FATAL(pipe2(pipe_ends, O_NONBLOCK), 0);
    (void)dup2(pipe_ends[1], STDERR_FILENO);
}

static const char *captured(void)
{
    static char text[16384];
    (void)fflush(stderr);
    ssize_t got = read(pipe_ends[0], text, sizeof(text) - 1);
    text[got > 0 ? got : 0] = '\0';
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
    return text;
}

static unsigned lines_of(const char *text)
{
    unsigned lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void fields_and_levels(void)
{
    capture();
    vx_log_open("test");
    vx_log(VX_LOG_WARNING, "lcore", (struct vx_log_field[]){ { "LCORE", "1" }, { "GAP_US", "120" }, { NULL, NULL } }, "lcore %d stood still", 1);
    vx_log(VX_LOG_DEBUG, "lcore", NULL, "not at this level");
    vx_log_level_set(VX_LOG_DEBUG);
    vx_log(VX_LOG_DEBUG, "lcore", NULL, "now it is");
    vx_log_level_set(VX_LOG_ERROR);
    vx_log(VX_LOG_WARNING, "lcore", NULL, "and now this is not");
    CU_ASSERT_STRING_EQUAL(captured(), "<4>test: lcore: lcore 1 stood still LCORE=1 GAP_US=120\n<7>test: lcore: now it is\n");
    CU_ASSERT_EQUAL(vx_log_level(), VX_LOG_ERROR);
    vx_log_level_set(VX_LOG_INFO);
}

static void floods_are_held_back(void)
{
    capture();
    vx_log_open("test");
    for (int i = 0; i < 1000; i++)
        vx_log(VX_LOG_INFO, "flood", NULL, "line %d", i);
    vx_log(VX_LOG_INFO, "other", NULL, "another topic has a bucket of its own");
    vx_log(VX_LOG_ERROR, "flood", NULL, "errors pass");
    (void)usleep(250000); /* two more lines' worth */
    vx_log(VX_LOG_INFO, "flood", NULL, "after a pause");
    const char *text = captured();
    CU_ASSERT(lines_of(text) >= VX_LOG_BURST + 3 && lines_of(text) <= VX_LOG_BURST + 5);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "another topic"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "errors pass (9"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "after a pause"));
    CU_ASSERT(vx_log_suppressed() >= 1000 - VX_LOG_BURST - 2);
}

/* A datagram socket where journald has its own; -1 where a real one listens or we may not. */
static int be_journald(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket" };
    (void)mkdir("/run/systemd", 0755);
    (void)mkdir("/run/systemd/journal", 0755);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static void fields_for_journald(void)
{
    char stream[64], got[1024] = "";
    struct stat status;
    int fd = be_journald();
    capture();
    CU_ASSERT_EQUAL(fstat(STDERR_FILENO, &status), 0);
    (void)snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)status.st_dev, (unsigned long)status.st_ino);
    (void)setenv("JOURNAL_STREAM", stream, 1);
    vx_log_open("test");
    vx_log(VX_LOG_NOTICE, "journal", (struct vx_log_field[]){ { "A", "b" }, { NULL, NULL } }, "where to");
    CU_ASSERT_STRING_EQUAL(captured(), "");
    (void)unsetenv("JOURNAL_STREAM");
    if (fd < 0)
        return; /* the real one has it */
    ssize_t bytes = recv(fd, got, sizeof(got) - 1, 0);
    CU_ASSERT(bytes > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(got, "MESSAGE=where to\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(got, "PRIORITY=5\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(got, "VELTRIX_TOPIC=journal\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(got, "VELTRIX_A=b\n"));
    (void)close(fd);
    (void)unlink("/run/systemd/journal/socket");
}

/* A pipe that blocks and that nobody reads, as a supervisor's that has hung: the log goes on, and says so when it is read again. */
static void a_pipe_that_nobody_reads(void)
{
    static char text[1 << 20];
    enum { LINES = 5000 }; /* 64 KiB are full after about 1000 */
    uint64_t before = vx_log_lost();
    (void)fflush(stderr);
    saved = dup(STDERR_FILENO);
    CU_ASSERT_EQUAL_FATAL(pipe(pipe_ends), 0);
    (void)dup2(pipe_ends[1], STDERR_FILENO);
    vx_log_open("test");
    CU_ASSERT_EQUAL(fcntl(pipe_ends[1], F_GETFL) & O_NONBLOCK, 0); /* whoever shares it does not feel it */
    (void)alarm(20); /* a log that waits ends the test */
    for (int i = 0; i < LINES; i++)
        vx_log(VX_LOG_ERROR, "pipe", NULL, "line %d of a thread that must not wait", i);
    (void)alarm(0);
    uint64_t lost = vx_log_lost() - before;
    ssize_t got = read(pipe_ends[0], text, sizeof(text) - 1);
    CU_ASSERT_FATAL(got > 0);
    text[got] = '\0';
    CU_ASSERT(lost > 0 && lines_of(text) + lost == LINES);
    CU_ASSERT_EQUAL(text[got - 1], '\n'); /* whole lines */
    vx_log(VX_LOG_ERROR, "pipe", NULL, "read again");
    got = read(pipe_ends[0], text, sizeof(text) - 1);
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
    text[got > 0 ? got : 0] = '\0';
    char says[64];
    (void)snprintf(says, sizeof(says), "read again (%lu lines before this were not read)\n", lost);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, says));
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "fields and levels", fields_and_levels },
        { "floods are held back", floods_are_held_back },
        { "fields for journald", fields_for_journald },
        { "a pipe that nobody reads", a_pipe_that_nobody_reads },
    };
    return vx_test_main("log", tests, sizeof(tests) / sizeof(tests[0]));
}
