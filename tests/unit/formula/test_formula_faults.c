/* formula: what is wrong with formulas — refused at the start in words, or contained while running. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formula_test.h"

enum { ALL_MS = 30000 };

static struct test_folder folder;
static struct vx_formula *formula;
static struct vx_error error;

static struct vx_formula_counters counters(void)
{
    struct vx_formula_counters counted;
    vx_formula_counters(formula, &counted);
    return counted;
}

/* The folder's formulas must be refused in words that contain both. */
static void refused(const char *runtime, const char *words, const char *more_words)
{
    int rc = formula_start(folder.path, runtime, NULL, 1, &formula, &error);
    CU_ASSERT(rc < 0);
    if (rc == 0)
        vx_formula_stop(formula);
    bool has = strstr(error.text, words) != NULL && strstr(error.text, more_words) != NULL;
    CU_ASSERT(has);
    if (!has)
        (void)fprintf(stderr, "\n    expected \"%s\" and \"%s\" in \"%s\"\n", words, more_words, error.text);
}

static void battle_refused(const char *before, const char *body, const char *words, const char *more_words)
{
    folder_write_battle(&folder, before, body);
    refused(NULL, words, more_words);
}

static void a_syntax_error_names_file_and_line(void)
{
    static const char text[] = "return {\n  name = \"battle\",\n  version = = 1,\n}\n";
    folder_make(&folder);
    folder_write(&folder, "battle.lua", text, strlen(text));
    refused(NULL, "battle.lua:3:", "unexpected symbol");
    folder_remove(&folder);
}

static void a_missing_file_is_named(void)
{
    folder_make(&folder);
    folder_write(&folder, "loot.lua", NULL, 0);
    refused(NULL, "loot.lua", "No such file");
    folder_remove(&folder);
    CU_ASSERT(formula_start(NULL, "/nowhere", NULL, 1, &formula, &error) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "cannot open /nowhere/declare.lua"));
    CU_ASSERT(formula_start(NULL, NULL, "/nowhere/worker", 1, &formula, &error) == -ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/nowhere/worker"));
    CU_ASSERT(formula_start(NULL, NULL, "/bin/true", 1, &formula, &error) < 0);
    CU_ASSERT_STRING_EQUAL(error.text, "the formula worker ended with status 0 while starting");
    CU_ASSERT(formula_start(NULL, NULL, NULL, 0, &formula, &error) == -EINVAL);
}

static void wrong_declarations_are_told(void)
{
    static const char *const rest = "version = 1, inputs = { { name = \"wait_s\", unit = \"s\", min = 0, max = 60 } }, "
                                    "outputs = { { name = \"window_rating\", min = 50, max = 2000 } }, formula = function(wait_s) return 50 end";
    static const struct {
        const char *text, *words;
    } wrong[] = {
        { "return 5", "expected a table" },
        { "return { name = \"paring\", %s }", "name is paring" },
        { "return { name = \"pairing\", %s, version = 1.5 }", "version is 1.5" },
        { "return { name = \"pairing\", %s, version = 0/0 }", "version is " },
        { "local none = 5 return { name = \"pairing\", %s, inputs = none }", "inputs is number, expected a list of some of wait_s" },
        { "return { name = \"pairing\", %s, inputs = { 5 } }", "input 1 is number, expected { name" },
        { "return { name = \"pairing\", %s, inputs = { { name = \"wait_ms\", min = 0, max = 60 } } }", "input 1 is wait_ms, expected one of wait_s" },
        { "return { name = \"pairing\", %s, inputs = { { name = \"wait_s\", min = 0, max = 60 }, { name = \"wait_s\", min = 0, max = 60 } } }", "input 2 is wait_s, which is there already" },
        { "return { name = \"pairing\", %s, inputs = { { name = \"wait_s\", unit = \"ms\", min = 0, max = 60 } } }", "wait_s: unit is ms, expected \"s\"" },
        { "return { name = \"pairing\", %s, inputs = { { name = \"wait_s\", min = 0, max = 60, maximum = 5 } } }", "input 1 has maximum, which means nothing here" },
        { "return { name = \"pairing\", %s, outputs = { } }", "there is no output window_rating" },
        { "return { name = \"pairing\", %s, outputs = { { name = \"window_rating\", min = 50, max = 2000000 } } }", "window_rating: min 50 and max 2000000" },
        { "return { name = \"pairing\", %s, outputs = { { name = \"window_rating\", min = 2000, max = 50 } } }", "window_rating: min 2000 and max 50" },
        { "return { name = \"pairing\", %s, outputs = { { name = \"window_rating\", min = 0/0, max = 50 } } }", "window_rating: min " },
        { "return { name = \"pairing\", %s, limits = 5 }", "limits is number" },
        { "return { name = \"pairing\", %s, limits = { ns = 5 } }", "limits has ns, which means nothing here" },
        { "return { name = \"pairing\", %s, limits = { job_ns = -1 } }", "limits.job_ns is -1" },
        { "return { name = \"pairing\", %s, limits = { mean = { window = { 1, 2 } } } }", "limits.mean has window, which is not an output" },
        { "return { name = \"pairing\", %s, limits = { mean = { window_rating = { 3, 2 } } } }", "limits.mean.window_rating: expected { least, most }" },
        { "return { name = \"pairing\", %s, exemples = { } }", "the table has exemples, which means nothing here" },
        { "local none = 5 return { name = \"pairing\", %s, formula = none }", "expected a table with a function called formula" },
        { "return { name = \"pairing\", %s, formula = function() return 50, 60 end }", "returns 2 values, expected 1: window_rating" },
        { "return { name = \"pairing\", %s, formula = function() return {} end }", "window_rating is a table, expected a number" },
        { "return { name = \"pairing\", %s, formula = function() return 50ULL end }", "window_rating is a cdata, expected a number" },
    };
    folder_make(&folder);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[1024];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* from the table above */
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        int bytes = snprintf(text, sizeof(text), wrong[i].text, rest);
#pragma GCC diagnostic pop
        folder_write(&folder, "pairing.lua", text, (size_t)bytes);
        refused(NULL, "pairing.lua", wrong[i].words);
    }
    folder_remove(&folder);
}

static void the_rest_of_lua_is_out_of_reach(void)
{
    static const char *const reached[] = { "ffi", "jit", "io", "os", "require", "package", "debug", "load", "loadstring", "loadfile", "dofile", "setfenv",
                                           "getfenv", "_G", "setmetatable", "getmetatable", "rawset", "pcall", "string", "table", "coroutine", "collectgarbage" };
    folder_make(&folder);
    for (unsigned i = 0; i < sizeof(reached) / sizeof(reached[0]); i++) {
        char before[128];
        (void)snprintf(before, sizeof(before), "local it = %s.x or %s()", reached[i], reached[i]);
        battle_refused(before, "return 5, 0", "battle.lua:1:", reached[i]);
    }
    battle_refused("local f = io.open(\"escaped\", \"w\")", "return 5, 0", "battle.lua:1:", "io");
    battle_refused("local ffi = require \"ffi\"", "return 5, 0", "battle.lua:1:", "require");
    battle_refused("local s = (\"x\"):rep(10)", "return 5, 0", "battle.lua:1:", "attempt to index");
    battle_refused("local r = math.random()", "return 5, 0", "battle.lua:1:", "random");
    battle_refused("", "return os.time(), 0", "battle.lua:", "os"); /* seen while warming up */
    folder_remove(&folder);
}

static void bytecode_is_refused(void)
{
    folder_make(&folder);
    char command[1024];
    (void)snprintf(command, sizeof(command), "luajit -b %s/battle.lua %s/compiled && mv %s/compiled %s/battle.lua", folder.path, folder.path, folder.path, folder.path);
    if (system(command) != 0) { /* no luajit program here: the signature is enough */
        static const char text[] = "\x1bLJ\x02\x02";
        folder_write(&folder, "battle.lua", text, sizeof(text) - 1);
    }
    refused(NULL, "battle.lua", "is bytecode, expected Lua text");
    folder_remove(&folder);
}

static void a_different_layout_is_refused(void)
{
    folder_make(&folder);
    folder_write_runtime(&folder, "float inputs[6][64]", "float inputs[5][64]");
    refused(folder.path, "struct formula_batch", "in batch.lua and");
    folder_write_runtime(&folder, "uint32_t count;\n    uint32_t version;", "uint32_t version;\n    uint32_t count;");
    refused(folder.path, "offset of", "formula_shared.h");
    folder_write_runtime(&folder, "float outputs[4][64];\n    uint64_t seeds[64];", "uint64_t seeds[64];\n    float outputs[4][64];");
    refused(folder.path, "offset of", "formula_shared.h");
    folder_remove(&folder);
}

static void what_cannot_be_compiled_is_refused(void)
{
    folder_make(&folder);
    battle_refused("", "local t = function() return weapon end; t(); return 5, 0", "battle.lua: the loop cannot be compiled", "which would cost a hundred times as much"); /* why is LuaJIT's word: a bytecode that is not compiled yet, or a loop that was left */
    folder_remove(&folder);
}

static void a_load_without_end_is_ended(void)
{
    folder_make(&folder);
    uint32_t began = ms_now();
    battle_refused("while true do end", "return 5, 0", "not ready after 2000 ms", "battle.lua");
    CU_ASSERT(ms_now() - began < 3500);
    folder_remove(&folder);
}

/* ---- while running ---- */

/* What a formula stumbles over that nobody tries out: one rating among four million. */
static const float bad_rating = 1234.5f;
#define IF_BAD "if attacker_rating == 1234.5 then "

static bool is_bad(const struct vx_job *job)
{
    return job->formula == VX_FORMULA_BATTLE && job->in[0] == bad_rating;
}

static bool is_battle(const struct vx_job *job)
{
    return job->formula == VX_FORMULA_BATTLE;
}

/* Mixed jobs, one in `every` battles bad. Returns how many are. */
static uint32_t mix(struct test_jobs *jobs, uint32_t count, uint32_t lanes, uint32_t every)
{
    struct vx_rng rng = { 7 };
    uint32_t bad = 0, battles = 0;
    jobs_make(jobs, count, lanes);
    for (uint32_t i = 0; i < count; i++) {
        jobs->jobs[i] = job_random(&rng, (uint8_t)vx_rng_below(&rng, VX_FORMULA_KINDS), i);
        if (is_battle(&jobs->jobs[i]) && battles++ % every == every / 2) {
            jobs->jobs[i].in[0] = bad_rating;
            bad++;
        }
    }
    return bad;
}

static bool has_minima(const struct vx_event *answer)
{
    return answer->out[0] == 5 && answer->out[1] == 0;
}

static void start_battle(const char *worker, const char *before, const char *body)
{
    folder_make(&folder);
    if (worker != NULL)
        folder_write_worker(&folder, "worker", false);
    folder_write_battle(&folder, before, body);
    CU_ASSERT_EQUAL_FATAL(formula_start(folder.path, NULL, worker, TEST_LANES, &formula, &error), 0);
}

/* Answered with 6, 1 as the formulas here do, or with the minima. */
static uint32_t neither(const struct test_jobs *jobs, uint32_t *minima)
{
    uint32_t other = 0;
    *minima = 0;
    for (uint32_t i = 0; i < jobs->count; i++) {
        const struct vx_event *answer = &jobs->answers[i];
        if (!is_battle(&jobs->jobs[i]))
            continue;
        if (has_minima(answer))
            (*minima)++;
        else
            other += is_bad(&jobs->jobs[i]) || answer->out[0] != 6 || answer->out[1] != 1;
    }
    return other;
}

static void a_formula_that_fails_for_some_jobs(void)
{
    struct test_jobs jobs;
    uint32_t minima;
    start_battle(NULL, "", IF_BAD "local nothing; return nothing.x, 1 end return 6, 1");
    uint32_t bad = mix(&jobs, 20000, TEST_LANES, 40);
    CU_ASSERT(bad > 60);
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    CU_ASSERT(jobs.done == jobs.count && jobs.twice == 0);
    CU_ASSERT_EQUAL(jobs_wrong(&jobs, is_battle), 0);
    CU_ASSERT(neither(&jobs, &minima) == 0 && minima == bad);
    struct vx_formula_counters c = counters();
    CU_ASSERT_EQUAL(c.failures[VX_FORMULA_BATTLE], bad);
    CU_ASSERT(c.failures[VX_FORMULA_LOOT] == 0 && c.failures[VX_FORMULA_PAIRING] == 0 && c.given_up[VX_FORMULA_BATTLE] == 0);
    CU_ASSERT_EQUAL(c.worker_deaths, 0);
    jobs_free(&jobs);
    vx_formula_stop(formula);
    folder_remove(&folder);
}

static void the_failure_is_told_with_file_and_line(void)
{
    char worker[2 * VX_PATH_BYTES], log[2 * VX_PATH_BYTES];
    struct test_jobs jobs;
    folder_make(&folder);
    folder_write_worker(&folder, "worker", false);
    folder_write_battle(&folder, "", IF_BAD "local nothing\nreturn nothing.x, 1 end return 6, 1");
    (void)snprintf(worker, sizeof(worker), "%s/worker", folder.path);
    (void)snprintf(log, sizeof(log), "%s/worker.stderr", folder.path);
    CU_ASSERT_EQUAL_FATAL(formula_start(folder.path, NULL, worker, 1, &formula, &error), 0);
    (void)mix(&jobs, 300, 1, 10);
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    vx_formula_stop(formula);
    char *text = file_read(log, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "veltrix-formula-worker: battle: battle.lua:9: attempt to index"));
    free(text);
    jobs_free(&jobs);
    folder_remove(&folder);
}

/* Every table lives for a moment only, but is one: the collector must keep up. */
static void garbage_is_collected(void)
{
    struct test_jobs jobs;
    char status[64];
    folder_make(&folder);
    folder_write_battle(&folder, "local kept = {}", "kept[1] = { attacker_rating, target_rating, { distance_m } }; return kept[1][3][1], 0");
    CU_ASSERT_EQUAL_FATAL(formula_start(folder.path, NULL, NULL, TEST_LANES, &formula, &error), 0);
    jobs_make(&jobs, 400000, TEST_LANES);
    struct vx_rng rng = { 8 };
    for (uint32_t i = 0; i < jobs.count; i++)
        jobs.jobs[i] = job_random(&rng, VX_FORMULA_BATTLE, i);
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    (void)snprintf(status, sizeof(status), "/proc/%d/statm", (int)counters().worker_pid);
    FILE *file = fopen(status, "re");
    unsigned long pages = 0, resident = 0;
    CU_ASSERT(file != NULL && fscanf(file, "%lu %lu", &pages, &resident) == 2);
    if (file != NULL)
        (void)fclose(file);
    CU_ASSERT(resident * 4096 < 16u << 20);
    CU_ASSERT(counters().worker_deaths == 0 && counters().failures[0] == 0);
    jobs_free(&jobs);
    vx_formula_stop(formula);
    folder_remove(&folder);
}

/* ---- what ends the worker, with no version before to fall back to ---- */

static void an_endless_loop_costs_its_batch_and_no_other(void)
{
    struct test_jobs jobs;
    struct vx_formula_incident incident;
    uint32_t minima;
    start_battle(NULL, "", IF_BAD "while true do end end return 6, 1");
    uint32_t bad = mix(&jobs, 10000, TEST_LANES, 2000), began = ms_now();
    CU_ASSERT_EQUAL(bad, 1);
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    CU_ASSERT(ms_now() - began < 1000); /* two deadlines of 5 ms, three workers */
    CU_ASSERT(jobs.done == jobs.count && jobs.twice == 0);
    CU_ASSERT_EQUAL(jobs_wrong(&jobs, is_battle), 0);
    CU_ASSERT_EQUAL(neither(&jobs, &minima), 0);
    struct vx_formula_counters c = counters();
    CU_ASSERT(minima >= 1 && minima <= 64);
    CU_ASSERT_EQUAL(c.failures[VX_FORMULA_BATTLE], minima);
    CU_ASSERT(c.given_up[VX_FORMULA_BATTLE] == 1 && c.given_up[VX_FORMULA_LOOT] == 0);
    CU_ASSERT(c.worker_deaths == 2 && c.worker_starts == 4 && c.quarantines == 0);
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT(vx_formula_incident(formula, &incident));
        CU_ASSERT(incident.kind == VX_FORMULA_BATTLE && incident.version == 7 && incident.was_live && !incident.fell_back);
        CU_ASSERT_STRING_EQUAL(incident.what, "did not end within 5 ms");
    }
    CU_ASSERT(!vx_formula_incident(formula, &incident));
    jobs_free(&jobs);
    vx_formula_stop(formula);
    folder_remove(&folder);
}

/* Many bad batches of one kind: the others are served between any two deaths, on both lanes. */
static void the_other_kinds_are_served_meanwhile(void)
{
    struct test_jobs jobs;
    struct vx_rng rng = { 9 };
    start_battle(NULL, "", IF_BAD "while true do end end return 6, 1");
    jobs_make(&jobs, 640, TEST_LANES);
    for (uint32_t i = 0; i < jobs.count; i++) {
        jobs.jobs[i] = job_random(&rng, i < 600 ? VX_FORMULA_BATTLE : 1 + i % 2, i);
        if (i < 600)
            jobs.jobs[i].in[0] = bad_rating;
    }
    uint32_t began = ms_now(), others = 0;
    while (others < 40 && ms_now() - began < ALL_MS) {
        (void)jobs_pass(&jobs, formula);
        others = 0;
        for (uint32_t i = 600; i < 640; i++)
            others += jobs.answered[i];
    }
    CU_ASSERT_EQUAL(others, 40);
    CU_ASSERT(ms_now() - began < 1000); /* at the worst behind one death for each lane */
    CU_ASSERT_EQUAL(jobs_wrong(&jobs, is_battle), 0);
    jobs_free(&jobs);
    vx_formula_stop(formula);
    folder_remove(&folder);
}

/* Every file is read once: an edit on the disk, or the loss of it, changes nothing in a running appliance. */
static void files_do_not_matter_after_the_start(void)
{
    struct test_jobs jobs;
    folder_make(&folder);
    CU_ASSERT_EQUAL_FATAL(formula_start(folder.path, NULL, NULL, TEST_LANES, &formula, &error), 0);
    folder_write(&folder, "loot.lua", "return {", 8);
    folder_write(&folder, "battle.lua", NULL, 0);
    CU_ASSERT_EQUAL(kill((pid_t)counters().worker_pid, SIGKILL), 0);
    (void)mix(&jobs, 3000, TEST_LANES, 100000);
    CU_ASSERT(jobs_run(&jobs, formula, ALL_MS));
    CU_ASSERT(jobs.done == jobs.count && jobs.twice == 0);
    CU_ASSERT_EQUAL(jobs_wrong(&jobs, is_bad), 0);
    CU_ASSERT_EQUAL(counters().worker_deaths, 1);
    folder_remove(&folder);
    vx_formula_stop(formula);
    jobs_free(&jobs);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "a syntax error names file and line", a_syntax_error_names_file_and_line },
        { "a missing file is named", a_missing_file_is_named },
        { "wrong declarations are told", wrong_declarations_are_told },
        { "the rest of Lua is out of reach", the_rest_of_lua_is_out_of_reach },
        { "bytecode is refused", bytecode_is_refused },
        { "a different layout is refused", a_different_layout_is_refused },
        { "what cannot be compiled is refused", what_cannot_be_compiled_is_refused },
        { "a load without end is ended", a_load_without_end_is_ended },
        { "a formula that fails for some jobs", a_formula_that_fails_for_some_jobs },
        { "the failure is told with file and line", the_failure_is_told_with_file_and_line },
        { "garbage is collected", garbage_is_collected },
        { "an endless loop costs its batch and no other", an_endless_loop_costs_its_batch_and_no_other },
        { "the other kinds are served meanwhile", the_other_kinds_are_served_meanwhile },
        { "files do not matter after the start", files_do_not_matter_after_the_start },
    };
    return vx_test_main("formula_faults", tests, sizeof(tests) / sizeof(tests[0]));
}
