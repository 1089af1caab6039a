/* The last words of a process that ends by a fault: signal, thread and stack on stderr, which the journal keeps; then
 * the fault takes its course, for a core file and the service manager. */
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "watch.h"

enum { FRAMES_MAX = 48 };

static void on_fault(int number)
{
    static void *frames[FRAMES_MAX];
    char line[96];
    int bytes = snprintf(line, sizeof(line), "veltrixd: signal %d (%s) in thread %d\n", number, sigabbrev_np(number), (int)gettid());
    int count = backtrace(frames, FRAMES_MAX);
    if (write(STDERR_FILENO, line, (size_t)bytes) == bytes)
        backtrace_symbols_fd(frames, count, STDERR_FILENO);
    (void)raise(number); /* SA_RESETHAND has put the default back */
}

void app_crash_reports(void)
{
    static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
    struct sigaction action = { .sa_handler = on_fault, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER) };
    void *frame;
    (void)backtrace(&frame, 1); /* its first call loads a library, which a handler must not */
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sigaction(numbers[i], &action, NULL);
}
