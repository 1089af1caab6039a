/* formula: the worker's own runtime.c, in this process: what LuaJIT makes of the three loops, and that running
 * them takes nothing from the heap. */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formula_test.h"
#include "worker.h"

enum { MILLION_BATCHES = 1000000 / FORMULA_BATCH_JOBS };
enum { SETTLING_BATCHES = 2 * MILLION_BATCHES };

static struct worker worker;
static char trace_path[] = "/tmp/veltrix-formula-trace-XXXXXX";

static void load_runtime(void)
{
    struct vx_formula_program program;
    struct vx_error error;
    worker.options.runtime_folder = shipped_runtime();
    worker.options.trace_fd = mkstemp(trace_path);
    CU_ASSERT_FATAL(worker.options.trace_fd >= 0);
    worker.header = aligned_alloc(4096, (formula_shared_bytes(1) + 4095) / 4096 * 4096);
    CU_ASSERT_PTR_NOT_NULL_FATAL(worker.header);
    memset(worker.header, 0, formula_shared_bytes(1));
    worker.header->lanes = 1;
    worker.seat = &worker.header->seats[0];
    worker.batches = formula_batches(worker.header);
    CU_ASSERT_EQUAL_FATAL(vx_formula_program_read(shipped_formulas(), &program, &error), 0);
    for (unsigned kind = 0; kind < VX_FORMULA_KINDS; kind++) {
        struct formula_program_text *text = &worker.seat->programs[kind];
        text->bytes = program.texts[kind].bytes;
        memcpy(text->text, program.texts[kind].text, text->bytes);
        (void)snprintf(text->name, sizeof(text->name), "%s", program.texts[kind].name);
    }
    vx_formula_program_free(&program);
    CU_ASSERT_FATAL(heap_create(&worker.heap, 16));
    if (!runtime_start(&worker) || !runtime_load(&worker))
        CU_FAIL_FATAL(worker.seat->text);
}

static void fill(struct vx_rng *rng, uint32_t kind, uint32_t number)
{
    struct formula_batch *batch = &worker.batches[number];
    for (uint32_t i = 0; i < FORMULA_BATCH_JOBS; i++) {
        struct vx_job job = job_random(rng, (uint8_t)kind, i);
        for (unsigned input = 0; input < VX_JOB_INPUTS; input++)
            batch->inputs[input][i] = job.in[input];
        batch->seeds[i] = job.seed;
    }
}

/* Full batches and, now and then, a part of one; every circle's place is used. */
static void run(uint32_t kind, uint32_t batches, uint64_t seed)
{
    struct vx_rng rng = { seed };
    for (uint32_t i = 0; i < batches; i++) {
        uint32_t number = formula_batch_number(0, 0, kind, i % FORMULA_BATCHES);
        if (i % 16 == 0)
            fill(&rng, kind, number);
        CU_ASSERT_EQUAL_FATAL(runtime_evaluate(&worker, kind, number, i % 5 == 0 ? 1 + vx_rng_below(&rng, 64) : 64, VX_TRIAL_LIVE), 0);
    }
}

/* Lines of the log that begin with `what` and contain `more`. */
static uint32_t lines(const char *log, const char *what, const char *more)
{
    uint32_t count = 0;
    for (const char *line = log; *line != '\0';) {
        const char *end = strchr(line, '\n');
        size_t bytes = end != NULL ? (size_t)(end - line) : strlen(line);
        const char *found = memmem(line, bytes, more, strlen(more));
        count += strncmp(line, what, strlen(what)) == 0 && found != NULL;
        line += bytes + (end != NULL);
    }
    return count;
}

static void each_loop_becomes_a_trace(void)
{
    char *log = file_read(trace_path, NULL), name[64];
    for (unsigned kind = 0; kind < VX_FORMULA_KINDS; kind++) {
        (void)snprintf(name, sizeof(name), "root batch:%s:4", vx_formula_abouts[kind].name); /* the line of its `for` */
        CU_ASSERT_EQUAL(lines(log, "stop ", name), 1);
        CU_ASSERT_EQUAL(lines(log, "abort ", name), 0);
    }
    free(log);
}

/* The IR of the root trace that the log gives for the loop: its loads and stores of the shared arrays are
 * machine code. That nothing is made along the way is for the next test. */
static const char ir_count[] =
    "local path, kind = ...\n"
    "local util, vmdef = require 'jit.util', require 'jit.vmdef'\n"
    "local number\n"
    "for line in io.lines(path) do\n"
    "  local trace = string.match(line, '^stop (%d+) root batch:' .. kind .. ':4')\n"
    "  if trace then number = tonumber(trace) end\n"
    "end\n"
    "local info, bit, count = util.traceinfo(number), require 'bit', {}\n"
    "local body = false\n"
    "for i = 1, info.nins do\n"
    "  local _, ot = util.traceir(number, i)\n"
    "  local at = 6 * bit.rshift(ot, 8)\n"
    "  local name = string.match(string.sub(vmdef.irnames, at + 1, at + 6), '^%S*')\n"
    "  if name == 'LOOP' then body = true end\n"
    "  if body then count[name] = (count[name] or 0) + 1 end\n"
    "end\n"
    "return info.linktype, count.XLOAD or 0, count.XSTORE or 0";

static void array_accesses_are_machine_code(void)
{
    /* In the loop: an input each and the seed are loaded; an output each and the random state are stored. Loot's and
     * battle's further loads of the state are folded away by LuaJIT. */
    static const int loads[VX_FORMULA_KINDS] = { 7, 6, 2, 1, 6 }, stores[VX_FORMULA_KINDS] = { 3, 3, 2, 2, 2 };
    for (unsigned kind = 0; kind < VX_FORMULA_KINDS; kind++) {
        lua_State *lua = worker.lua;
        CU_ASSERT_EQUAL_FATAL(luaL_loadstring(lua, ir_count), 0);
        lua_pushstring(lua, trace_path);
        lua_pushstring(lua, vx_formula_abouts[kind].name);
        if (lua_pcall(lua, 2, 3, 0) != 0)
            CU_FAIL_FATAL(lua_tostring(lua, -1));
        CU_ASSERT_STRING_EQUAL(lua_tostring(lua, -3), "loop");
        CU_ASSERT(lua_tointeger(lua, -2) >= loads[kind]);
        CU_ASSERT(lua_tointeger(lua, -1) >= stores[kind]);
        lua_pop(lua, 3);
    }
}

/* The million answers are right, too; what is counted is all that was ever taken from the heap. */
static void a_million_jobs_take_nothing_from_the_heap(void)
{
    for (uint32_t kind = 0; kind < VX_FORMULA_KINDS; kind++)
        run(kind, SETTLING_BATCHES, 1 + kind);
    char *before = file_read(trace_path, NULL);
    for (uint32_t kind = 0; kind < VX_FORMULA_KINDS; kind++) {
        uint64_t allocated = worker.heap.allocated;
        run(kind, MILLION_BATCHES, 11 + kind);
        uint64_t grown = worker.heap.allocated - allocated;
        CU_ASSERT(grown < 4096); /* the trace of a rare branch at most */
        if (grown >= 4096)
            (void)fprintf(stderr, "\n    %s: %lu bytes\n", vx_formula_abouts[kind].name, (unsigned long)grown);
    }
    char *after = file_read(trace_path, NULL);
    CU_ASSERT_EQUAL(lines(after, "abort ", ""), lines(before, "abort ", ""));
    CU_ASSERT_EQUAL(lines(after, "flush", ""), 0);
    free(before);
    free(after);
}

static void given_up_is_answered_with_the_minima(void)
{
    static const float minima[VX_FORMULA_KINDS][2] = { { 5, 0 }, { 1, 1 }, { 50, -1 }, { 0.5, -1 }, { 0, -1 } };
    for (uint32_t kind = 0; kind < VX_FORMULA_KINDS; kind++) {
        struct formula_batch *batch = &worker.batches[formula_batch_number(0, 0, kind, 0)];
        memset(batch->outputs, 0xff, sizeof(batch->outputs));
        CU_ASSERT_EQUAL(runtime_give_up(&worker, kind, formula_batch_number(0, 0, kind, 0), 63), 63);
        for (unsigned i = 0; i < 63; i++)
            CU_ASSERT(batch->outputs[0][i] == minima[kind][0] && (minima[kind][1] < 0 || batch->outputs[1][i] == minima[kind][1]));
        CU_ASSERT(!(batch->outputs[0][63] == minima[kind][0])); /* not a job of this batch */
    }
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "load", load_runtime },
        { "each loop becomes a trace", each_loop_becomes_a_trace },
        { "array accesses are machine code", array_accesses_are_machine_code },
        { "a million jobs take nothing from the heap", a_million_jobs_take_nothing_from_the_heap },
        { "given up is answered with the minima", given_up_is_answered_with_the_minima },
    };
    int rc = vx_test_main("formula_runtime", tests, sizeof(tests) / sizeof(tests[0]));
    (void)unlink(trace_path);
    return rc;
}
