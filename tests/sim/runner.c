/* Runs and shrinks. The child writes its report into memory that the parent shares, and what it says on stderr
 * (an assertion's sentence, a sanitizer's) into a file that the parent reads when it died. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner.h"

enum { RUN_S_MAX = 120, SHRINK_RUNS_MAX = 120 };
static struct sim_report *shared, kept;
static int words = -1; /* the child's stderr */

void runner_open(void)
{
    char path[] = "/tmp/vx_sim_XXXXXX";
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    VX_ASSERT(shared != MAP_FAILED);
    words = mkstemp(path);
    VX_ASSERT(words >= 0);
    (void)unlink(path);
}

static void child(const struct sim_plan *plan)
{
    (void)dup2(words, STDERR_FILENO);
    (void)alarm(RUN_S_MAX); /* a hang ends by SIGALRM */
    sim_run(plan, shared);
    _exit(0);
}

/* The first lines of what a dead child said: the assertion or the sanitizer's first sentence. */
static void last_words(char *text, size_t bytes)
{
    char said[2048];
    ssize_t length = pread(words, said, sizeof(said) - 1, 0);
    said[length < 0 ? 0 : length] = '\0';
    char *from = strstr(said, "ERROR: "), *end;
    if (from == NULL)
        from = said;
    end = strstr(from, "\n    #8 ");
    if (end != NULL)
        *end = '\0';
    (void)snprintf(text, bytes, "%.700s", from);
}

struct sim_report *runner_run(const struct sim_plan *plan)
{
    int status = 0;
    memset(shared, 0, sizeof(*shared));
    VX_ASSERT(ftruncate(words, 0) == 0 && lseek(words, 0, SEEK_SET) == 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    VX_ASSERT(pid >= 0);
    if (pid == 0)
        child(plan);
    VX_ASSERT(waitpid(pid, &status, 0) == pid);
    if (shared->outcome == SIM_UNFINISHED) {
        char said[SIM_TEXT_BYTES - 64];
        last_words(said, sizeof(said));
        (void)snprintf(shared->text, sizeof(shared->text), "%s %d: %.640s", WIFSIGNALED(status) ? "ended by signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                       said);
        shared->outcome = SIM_VIOLATION;
    }
    return shared;
}

/* What a sentence says without its figures and without who said it. */
static void sort_of(const char *text, char *sort, uint32_t bytes)
{
    const char *from = strstr(text, "): ");
    uint32_t used = 0;
    for (from = from == NULL ? text : from + 3; *from != '\0' && used + 1 < bytes; from++)
        if (*from < '0' || *from > '9')
            sort[used++] = *from;
    sort[used] = '\0';
}

static bool is_same_sort(const char *a, const char *b)
{
    char sort_a[48], sort_b[48];
    sort_of(a, sort_a, sizeof(sort_a));
    sort_of(b, sort_b, sizeof(sort_b));
    return strcmp(sort_a, sort_b) == 0;
}

/* Tries a smaller plan; takes it when it fails in the same way. */
static bool try_smaller(struct sim_plan *plan, const struct sim_plan *smaller, uint32_t *runs)
{
    if (*runs == 0)
        return false;
    (*runs)--;
    const struct sim_report *report = runner_run(smaller);
    if (report->outcome == SIM_CLEAN || !is_same_sort(report->text, kept.text))
        return false;
    *plan = *smaller;
    kept = *report;
    if (kept.at_ms > 0 && kept.at_ms < plan->duration_ms)
        plan->duration_ms = (uint32_t)kept.at_ms + 1;
    (void)printf("  %u players, %u ms, %u faults: fails, too\n", plan->players, plan->duration_ms, plan->fault_count);
    (void)fflush(stdout);
    return true;
}

static bool shrink_faults(struct sim_plan *plan, uint32_t *runs)
{
    bool smaller = false;
    for (uint32_t i = plan->fault_count; i > 0; i--) {
        struct sim_plan without = *plan;
        without.fault_count--;
        memmove(&without.faults[i - 1], &without.faults[i], (plan->fault_count - i) * sizeof(without.faults[0]));
        smaller = try_smaller(plan, &without, runs) || smaller;
    }
    return smaller;
}

static bool shrink_players(struct sim_plan *plan, uint32_t *runs)
{
    bool smaller = false;
    for (uint32_t cut = plan->players / 2; cut > 0; cut /= 2)
        while (plan->players > cut) {
            struct sim_plan fewer = *plan;
            fewer.players -= cut;
            if (!try_smaller(plan, &fewer, runs))
                break;
            smaller = true;
        }
    return smaller;
}

/* Habits and the like, one after the other, to nothing or to the plainest value. */
static bool shrink_fields(struct sim_plan *plan, uint32_t *runs)
{
    static const struct {
        size_t offset;
        uint32_t plain;
    } fields[] = {
#define PLAIN(field, value) { offsetof(struct sim_plan, field), value }
        PLAIN(per_1000_decliners, 0), PLAIN(per_1000_deaf, 0), PLAIN(per_1000_vanishers, 0), PLAIN(per_1000_cheats, 0), PLAIN(per_1000_leavers, 0),
        PLAIN(per_1000_idlers, 0),    PLAIN(shards, 1),        PLAIN(lanes, 1),              PLAIN(ios, 1),             PLAIN(jitter_ms, 0),
        PLAIN(window_us, 0),          PLAIN(start_ms, 0),      PLAIN(device_ring, 1024),     PLAIN(latency_ms, 0),
    };
    bool smaller = false;
    for (uint32_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct sim_plan plainer = *plan;
        uint32_t *field = (uint32_t *)((char *)&plainer + fields[i].offset);
        if (*field == fields[i].plain)
            continue;
        *field = fields[i].plain;
        if (plainer.lanes > plainer.shards)
            plainer.lanes = plainer.shards;
        smaller = try_smaller(plan, &plainer, runs) || smaller;
    }
    return smaller;
}

struct sim_report *runner_shrink(struct sim_plan *plan, const struct sim_report *first)
{
    uint32_t runs = SHRINK_RUNS_MAX;
    kept = *first;
    if (kept.at_ms > 0 && kept.at_ms < plan->duration_ms)
        plan->duration_ms = (uint32_t)kept.at_ms + 1;
    bool smaller = true;
    while (smaller && runs > 0) {
        smaller = shrink_faults(plan, &runs);
        smaller = shrink_players(plan, &runs) || smaller;
        smaller = shrink_fields(plan, &runs) || smaller;
    }
    return &kept;
}
