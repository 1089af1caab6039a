/* formula: versions change while jobs are on their way, and what a bad one costs: its worker, and nobody's answer. */
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "formula_private.h" /* a look at the worker's state */
#include "formula_test.h"

enum { ALL_MS = 20000, SHARDS = 251, BACK_MS_MAX = 50, TRIES_MAX = 5, LOAD_MS = 8 };
static const float bad_rating = 1234.5f;
#define IF_BAD "if attacker_rating == 1234.5 then "

static struct test_folder folder;
static struct vx_formula *formula;
static struct vx_error error;

static struct vx_formula_counters counters(void)
{
    struct vx_formula_counters counted;
    vx_formula_counters(formula, &counted);
    return counted;
}

static void start(void)
{
    if (formula_start(NULL, NULL, NULL, TEST_LANES, &formula, &error) != 0)
        CU_FAIL_FATAL(error.text);
}

/* The shipped formulas, with another battle, in a seat of its own. */
static uint32_t load_battle(const char *before, const char *body)
{
    struct vx_formula_program program;
    uint32_t seat = 0;
    folder_make(&folder);
    folder_write_battle(&folder, before, body);
    CU_ASSERT_EQUAL_FATAL(vx_formula_program_read(folder.path, &program, &error), 0);
    folder_remove(&folder);
    if (vx_formula_load(formula, &program, &seat, &error) != 0) {
        (void)fprintf(stderr, "\n    %s\n", error.text);
        CU_FAIL_FATAL("the formula loads");
    }
    vx_formula_program_free(&program);
    return seat;
}

/* `count` battles and loots; job `bad` (if there is one) is the one that the formulas here stumble over. */
static void mix(struct test_jobs *jobs, uint32_t count, uint32_t bad)
{
    struct vx_rng rng = { 17 };
    jobs_make(jobs, count, TEST_LANES);
    for (uint32_t i = 0; i < count; i++)
        jobs->jobs[i] = job_random(&rng, i == bad || i % 3 != 0 ? VX_FORMULA_BATTLE : VX_FORMULA_LOOT, i);
    if (bad < count)
        jobs->jobs[bad].in[0] = bad_rating;
}

/* Answers of version 7 are 6, 1; all others are the shipped formulas'. Returns how many are neither. */
static uint32_t neither(const struct test_jobs *jobs, uint32_t *of_seven)
{
    uint32_t other = 0;
    *of_seven = 0;
    for (uint32_t i = 0; i < jobs->count; i++) {
        const struct vx_event *answer = &jobs->answers[i];
        bool seven = answer->c == 7;
        *of_seven += seven;
        other += seven ? answer->out[0] != 6 || answer->out[1] != 1 : !answer_right(&jobs->jobs[i], answer);
    }
    return other;
}

/* ---- a formula that ends its worker ---- */

static uint64_t cpu_ms(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

struct took {
    uint32_t ms;
    bool undisturbed; /* this program, which only polls, has had its CPU all the time: so has the worker, on the other one */
};

/* what: how it ended; memory takes its time to fill, so that either limit may be met first. Returns how long it took until
 * every job was answered. */
static struct took fall_back(const char *before, const char *body, const char *what)
{
    struct test_jobs jobs;
    struct vx_formula_incident incident;
    uint32_t of_seven = 0;
    start();
    vx_formula_route(formula, load_battle(before, body), NULL);
    mix(&jobs, 2000, 1000);
    uint32_t began = ms_now();
    uint64_t began_cpu_ms = cpu_ms();
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    struct took took = { .ms = ms_now() - began };
    took.undisturbed = cpu_ms() - began_cpu_ms + LOAD_MS + took.ms / 8 >= took.ms; /* it sleeps while a program loads */
    CU_ASSERT(jobs.done == jobs.count && jobs.twice == 0);
    CU_ASSERT_EQUAL(neither(&jobs, &of_seven), 0);
    CU_ASSERT(of_seven > 0 && jobs.answers[1000].c == 1);
    CU_ASSERT_FATAL(vx_formula_incident(formula, &incident));
    CU_ASSERT(incident.kind == VX_FORMULA_BATTLE && incident.version == 7 && incident.was_live && incident.fell_back);
    bool either = strstr(before, "make()") != NULL || strstr(what, "memory") != NULL; /* takes time and memory: on a busy machine the other limit is met first */
    bool right = strcmp(incident.what, what) == 0 || (either && (strstr(incident.what, "did not end") != NULL || strstr(incident.what, "memory") != NULL));
    CU_ASSERT(right);
    if (!right)
        (void)fprintf(stderr, "\n    expected \"%s\", but it %s\n", what, incident.what);
    CU_ASSERT(!vx_formula_incident(formula, &incident));
    struct vx_formula_counters c = counters();
    CU_ASSERT(c.worker_deaths == 1 && c.quarantines == 1 && c.given_up[VX_FORMULA_BATTLE] == 0 && c.failures[VX_FORMULA_BATTLE] == 0);
    jobs_free(&jobs);
    mix(&jobs, 1000, 500); /* and the version before stays */
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    CU_ASSERT(neither(&jobs, &of_seven) == 0 && of_seven == 0);
    jobs_free(&jobs);
    vx_formula_stop(formula);
    return took;
}

/* Everything is right each time; the time is judged when the machine has none other to give it to. */
static void falls_back(const char *before, const char *body, const char *what)
{
    struct took took = { 0 };
    for (unsigned tries = 0; tries < TRIES_MAX && !took.undisturbed; tries++)
        took = fall_back(before, body, what);
    CU_ASSERT(took.ms < BACK_MS_MAX || !took.undisturbed);
    if (took.ms >= BACK_MS_MAX)
        (void)fprintf(stderr, "\n    %s: back after %u ms%s\n", what, took.ms, took.undisturbed ? "" : ", not judged: the machine is busy");
}

static void a_loop_without_end(void)
{
    falls_back("", IF_BAD "while true do end end return 6, 1", "did not end within 5 ms");
}

/* The same in the interpreter: what makes functions is not compiled. */
static void an_interpreted_loop_without_end(void)
{
    falls_back("local function make() return function() return 1 end end", IF_BAD "while true do make() end end return 6, 1", "did not end within 5 ms");
}

static void a_deep_recursion(void)
{
    falls_back("local function deep(x) return 1 + deep(x) end", IF_BAD "return deep(1), 1 end return 6, 1", "overflowed its stack");
}

static void a_tail_call_without_end(void)
{
    falls_back("local function on(x) return on(x + 1) end", IF_BAD "return on(1), 1 end return 6, 1", "did not end within 5 ms");
}

static void a_table_bomb(void)
{
    falls_back("", IF_BAD "local t = {}; for i = 1, 1e9 do t[i] = i end end return 6, 1", "exhausted its memory");
}

static void a_string_bomb(void)
{
    falls_back("", IF_BAD "local s = \"x\"; while true do s = s .. s end end return 6, 1", "exhausted its memory");
}

/* Until the live worker has been on one batch for some time. */
static bool wait_for_batch(void)
{
    const struct formula_seat *seat = &formula->memory.header->seats[formula->live];
    uint64_t began_ns = 0;
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t now_ns = atomic_load(&seat->batch_began_ns);
        if (now_ns != 0 && now_ns == began_ns)
            return true;
        began_ns = now_ns;
        (void)usleep(2000);
    }
    return false;
}

/* A crash in the middle of a batch, as a mistake of LuaJIT's would be. */
static void a_crash(void)
{
    struct test_jobs jobs;
    struct vx_formula_incident incident;
    uint32_t of_seven;
    start();
    vx_formula_route(formula, load_battle("", IF_BAD "while true do end end return 6, 1"), NULL);
    mix(&jobs, 64 * TEST_LANES, 0);
    pid_t pid = (pid_t)counters().worker_pid;
    for (uint32_t lane = 0; lane < TEST_LANES; lane++) { /* not jobs_pass(): its supervise would see the loop first */
        (void)vx_formula_flush(formula, lane);
        for (; jobs.lane_next[lane] < jobs.count; jobs.lane_next[lane] += TEST_LANES)
            CU_ASSERT_EQUAL(vx_formula_submit(formula, lane, &jobs.jobs[jobs.lane_next[lane]], 1), 1);
        (void)vx_formula_flush(formula, lane);
    }
    CU_ASSERT(wait_for_batch());
    CU_ASSERT_EQUAL(kill(pid, SIGSEGV), 0);
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    CU_ASSERT(jobs.twice == 0 && neither(&jobs, &of_seven) == 0);
    CU_ASSERT(vx_formula_incident(formula, &incident));
    CU_ASSERT_STRING_EQUAL(incident.what, "was ended by signal 11");
    CU_ASSERT(incident.fell_back);
    jobs_free(&jobs);
    vx_formula_stop(formula);
}

/* ---- a canary ---- */

static bool on_canary(uint32_t shard)
{
    return shard % 5 == 0;
}

static uint32_t canary_start(const char *body)
{
    bool shards[VX_SHARDS_MAX] = { false };
    for (uint32_t shard = 0; shard < VX_SHARDS_MAX; shard++)
        shards[shard] = on_canary(shard);
    uint32_t seat = load_battle("", body);
    vx_formula_route(formula, seat, shards);
    return seat;
}

static void a_canary_is_on_its_shards_only(void)
{
    struct test_jobs jobs;
    uint32_t wrong = 0, of_seven = 0;
    start();
    uint32_t seat = canary_start("return 6, 1");
    CU_ASSERT_NOT_EQUAL(seat, vx_formula_live_seat(formula));
    for (uint32_t lane = 0; lane < TEST_LANES; lane++)
        CU_ASSERT(vx_formula_flush(formula, lane) && !vx_formula_flush(formula, lane));
    mix(&jobs, 4000, UINT32_MAX);
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    for (uint32_t i = 0; i < jobs.count; i++)
        if (jobs.jobs[i].formula == VX_FORMULA_BATTLE)
            wrong += (jobs.answers[i].c == 7) != on_canary(jobs.jobs[i].shard);
    CU_ASSERT(wrong == 0 && neither(&jobs, &of_seven) == 0 && of_seven > 100);
    struct vx_formula_seat_counters counted;
    vx_formula_seat_counters(formula, seat, VX_FORMULA_BATTLE, &counted);
    CU_ASSERT(counted.jobs == of_seven && counted.batches > 0 && counted.busy_ns > 0 && counted.failures == 0);
    CU_ASSERT_EQUAL(vx_formula_batch_ns(formula, seat, VX_FORMULA_BATTLE)->count, counted.batches);
    CU_ASSERT_EQUAL(vx_formula_declared(formula, seat, VX_FORMULA_BATTLE)->version, 7);
    jobs_free(&jobs);
    vx_formula_stop(formula);
}

static void a_canary_that_hangs_hurts_no_other_shard(void)
{
    struct test_jobs jobs;
    struct vx_formula_incident incident;
    uint32_t of_seven, wrong = 0;
    start();
    pid_t live = (pid_t)counters().worker_pid;
    (void)canary_start(IF_BAD "while true do end end return 6, 1");
    mix(&jobs, 4000, 2008); /* on shard 0 */
    CU_ASSERT(on_canary(jobs.jobs[2008].shard));
    uint32_t began = ms_now();
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    CU_ASSERT(ms_now() - began < 10 * BACK_MS_MAX); /* how fast is measured above */
    CU_ASSERT(jobs.twice == 0 && neither(&jobs, &of_seven) == 0 && of_seven > 0 && jobs.answers[2008].c == 1);
    for (uint32_t i = 0; i < jobs.count; i++)
        wrong += jobs.answers[i].c == 7 && !on_canary(jobs.jobs[i].shard);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(counters().worker_pid, live);
    CU_ASSERT(vx_formula_incident(formula, &incident) && !incident.was_live && incident.fell_back && incident.version == 7);
    jobs_free(&jobs);
    vx_formula_stop(formula);
}

/* The canary hangs and the live worker is killed at the same time. */
static void both_end_at_once(void)
{
    struct test_jobs jobs;
    uint32_t of_seven;
    start();
    (void)canary_start(IF_BAD "while true do end end return 6, 1");
    mix(&jobs, 4000, 2008);
    for (unsigned i = 0; i < 30; i++)
        (void)jobs_pass(&jobs, formula);
    CU_ASSERT_EQUAL(kill((pid_t)counters().worker_pid, SIGKILL), 0);
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    CU_ASSERT(jobs.twice == 0 && jobs.done == jobs.count && neither(&jobs, &of_seven) == 0);
    CU_ASSERT_EQUAL(counters().worker_deaths, 2);
    jobs_free(&jobs);
    vx_formula_stop(formula);
}

/* ---- changes while jobs are on their way ---- */

/* For each shard, in the order in which its jobs were given, the version never goes back. */
static uint32_t goes_back(const struct test_jobs *jobs)
{
    uint32_t last[SHARDS] = { 0 }, back = 0;
    for (uint32_t i = 0; i < jobs->count; i++) {
        if (jobs->jobs[i].formula != VX_FORMULA_BATTLE)
            continue;
        back += jobs->answers[i].c < last[jobs->jobs[i].shard];
        last[jobs->jobs[i].shard] = jobs->answers[i].c;
    }
    return back;
}

/* Sixty versions, each other by its number only; every job is answered once, by the version that was its shard's. */
static void sixty_changes_lose_nothing(void)
{
    enum { CHANGES = 60, EACH = 500 };
    struct test_jobs jobs;
    struct vx_formula_program shipped, changed;
    CU_ASSERT_EQUAL_FATAL(vx_formula_program_read(shipped_formulas(), &shipped, &error), 0);
    start();
    mix(&jobs, CHANGES * EACH, UINT32_MAX);
    for (uint32_t change = 1; change <= CHANGES; change++) {
        char text[8192];
        uint32_t seat = 0;
        const char *at = strstr(shipped.texts[VX_FORMULA_BATTLE].text, "version = 1,");
        CU_ASSERT_PTR_NOT_NULL_FATAL(at);
        int bytes = snprintf(text, sizeof(text), "%.*sversion = %u,%s", (int)(at - shipped.texts[VX_FORMULA_BATTLE].text), shipped.texts[VX_FORMULA_BATTLE].text,
                             change + 1, at + strlen("version = 1,"));
        changed = shipped;
        changed.texts[VX_FORMULA_BATTLE] = (struct vx_formula_text){ "battle.lua", text, (uint32_t)bytes };
        while (jobs.lane_next[0] < change * EACH) /* some batches are out when the routes change, and filled on meanwhile */
            (void)jobs_pass(&jobs, formula);
        CU_ASSERT_EQUAL_FATAL(vx_formula_load(formula, &changed, &seat, &error), 0);
        vx_formula_route(formula, seat, NULL);
    }
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    CU_ASSERT(jobs.done == jobs.count && jobs.twice == 0);
    CU_ASSERT_EQUAL(jobs_wrong(&jobs, NULL), 0);
    CU_ASSERT_EQUAL(goes_back(&jobs), 0);
    struct vx_formula_counters c = counters();
    CU_ASSERT(c.worker_deaths == 0 && c.switches == CHANGES && c.failures[0] == 0);
    jobs_free(&jobs);
    vx_formula_program_free(&shipped);
    vx_formula_stop(formula);
}

static void a_program_that_does_not_load_changes_nothing(void)
{
    struct vx_formula_program program;
    struct test_jobs jobs;
    uint32_t seat, of_seven;
    start();
    folder_make(&folder);
    folder_write_battle(&folder, "", "return nothing, 0");
    CU_ASSERT_EQUAL_FATAL(vx_formula_program_read(folder.path, &program, &error), 0);
    folder_remove(&folder);
    CU_ASSERT_EQUAL(vx_formula_load(formula, &program, &seat, &error), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "battle.lua:8: there is no nothing here"));
    vx_formula_program_free(&program);
    mix(&jobs, 1000, UINT32_MAX);
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    CU_ASSERT(neither(&jobs, &of_seven) == 0 && of_seven == 0);
    jobs_free(&jobs);
    vx_formula_stop(formula);
}

/* Tables are asked again by shards for which a table formula has changed, and by no others. */
static void tables_change_with_their_formulas(void)
{
    struct vx_formula_program program;
    uint32_t seat, changed = 0;
    start();
    vx_formula_route(formula, load_battle("", "return 6, 1"), NULL); /* not a table */
    CU_ASSERT(vx_formula_flush(formula, 0) && !vx_formula_tables_changed(formula, 0, 0));
    folder_make(&folder);
    char *text = file_read(VX_LUA_FOLDER "/formulas/pairing.lua", NULL), *at = strstr(text, "0.05");
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    at[3] = '4';
    folder_write(&folder, "pairing.lua", text, strlen(text));
    free(text);
    CU_ASSERT_EQUAL_FATAL(vx_formula_program_read(folder.path, &program, &error), 0);
    folder_remove(&folder);
    CU_ASSERT_EQUAL_FATAL(vx_formula_load(formula, &program, &seat, &error), 0);
    vx_formula_program_free(&program);
    const bool shards[VX_SHARDS_MAX] = { [3] = true };
    vx_formula_route(formula, seat, shards);
    CU_ASSERT(vx_formula_flush(formula, 0));
    for (uint32_t shard = 0; shard < 10; shard++)
        changed += vx_formula_tables_changed(formula, 0, shard) << shard;
    CU_ASSERT_EQUAL(changed, 1u << 3);
    CU_ASSERT(!vx_formula_tables_changed(formula, 0, 3));
    vx_formula_stop(formula);
}

/* ---- samples ---- */

static void samples_are_what_was_answered(void)
{
    struct test_jobs jobs;
    static struct vx_formula_sample sample;
    uint32_t samples = 0, wrong = 0;
    start();
    CU_ASSERT(!vx_formula_sample(formula, &sample));
    vx_formula_sampling(formula, true);
    mix(&jobs, 3000, UINT32_MAX);
    while (jobs_pass(&jobs, formula))
        while (vx_formula_sample(formula, &sample)) {
            samples += sample.count;
            for (uint32_t i = 0; i < sample.count; i++) {
                struct vx_event event = { .kind = VX_EVENT_JOB_DONE };
                memcpy(event.out, sample.out[i], sizeof(event.out));
                wrong += sample.version != 1 || sample.jobs[i].formula != sample.kind || !answer_right(&sample.jobs[i], &event);
            }
        }
    CU_ASSERT(samples > 0 && samples <= jobs.count);
    CU_ASSERT_EQUAL(wrong, 0);
    vx_formula_sampling(formula, false);
    jobs_free(&jobs);
    vx_formula_stop(formula);
}

/* ---- the process ---- */

static int line_value(pid_t pid, const char *key)
{
    char path[64], line[128];
    int value = -1;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
            value = atoi(line + strlen(key) + 1);
    (void)fclose(file);
    return value;
}

static void a_worker_is_filtered_and_small(void)
{
    start();
    pid_t pid = (pid_t)counters().worker_pid;
    CU_ASSERT_EQUAL(line_value(pid, "Seccomp"), 2);
    CU_ASSERT_EQUAL(line_value(pid, "NoNewPrivs"), 1);
    CU_ASSERT(line_value(pid, "VmRSS") < 12 << 10); /* KiB */
    CU_ASSERT(counters().heap_bytes > 0 && counters().heap_bytes < 4 << 20);
    vx_formula_stop(formula);
}

/* As systemd's MemoryDenyWriteExecute= does it. In a child: a filter stays for ever. */
static int start_without_exec_memory(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL || seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)) != 0 ||
        seccomp_load(filter) != 0)
        return 2;
    seccomp_release(filter);
    if (formula_start(NULL, NULL, NULL, 1, &formula, &error) == 0)
        return 3;
    return strstr(error.text, "MemoryDenyWriteExecute") != NULL ? 0 : 4;
}

static void forbidden_machine_code_is_named(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(start_without_exec_memory());
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "a loop without end", a_loop_without_end },
        { "an interpreted loop without end", an_interpreted_loop_without_end },
        { "a deep recursion", a_deep_recursion },
        { "a tail call without end", a_tail_call_without_end },
        { "a table bomb", a_table_bomb },
        { "a string bomb", a_string_bomb },
        { "a crash", a_crash },
        { "a canary is on its shards only", a_canary_is_on_its_shards_only },
        { "a canary that hangs hurts no other shard", a_canary_that_hangs_hurts_no_other_shard },
        { "both end at once", both_end_at_once },
        { "sixty changes lose nothing", sixty_changes_lose_nothing },
        { "a program that does not load changes nothing", a_program_that_does_not_load_changes_nothing },
        { "tables change with their formulas", tables_change_with_their_formulas },
        { "samples are what was answered", samples_are_what_was_answered },
        { "a worker is filtered and small", a_worker_is_filtered_and_small },
        { "forbidden machine code is named", forbidden_machine_code_is_named },
    };
    return vx_test_main("formula_contain", tests, sizeof(tests) / sizeof(tests[0]));
}
