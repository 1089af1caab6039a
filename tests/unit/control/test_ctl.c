/* veltrixctl itself (environment VELTRIXCTL) as a child, against a control in this process. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control_test.h"

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
    CU_ASSERT_EQUAL(RUN(NULL, "status", "--watch=0"), 2);
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
        { "veltrixctl: exit codes", ctl_exit_codes },
        { "veltrixctl: output", ctl_output },
    };
    return stage_main("veltrixctl", tests, sizeof(tests) / sizeof(tests[0]));
}
