/* Everything that speaks Lua: reads lua/runtime, which checks declarations and makes a loop for each formula; calls the loop once a
 * batch. A call costs about as much as one job, so it is made per batch; the shared arrays are cast once, by batch.lua, and
 * named by number from then on, because a cast of a pointer argument is not compiled (270 ns a job against 2). */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "worker.h"

enum {
    GARBAGE_KB_MAX = 256,  /* compiled formulas make none: this is for those that build tables on rare paths */
    GARBAGE_STEP_KB = 8,   /* a piece of collection between batches: tens of microseconds … */
    GARBAGE_STEP_PART = 8, /* … and more by this part of what is too much, or a formula can outrun it */
    WARM_ENDS = 16,        /* one value in so many at either end of its range */
    WARM_BATCHES = 40,     /* enough for side traces (hot after 10 exits) of all but rare branches */
};

/* Takes the sentence from the top of Lua's stack. */
static bool fail(struct worker *worker)
{
    const char *text = lua_tostring(worker->lua, -1);
    (void)snprintf(worker->seat->text, sizeof(worker->seat->text), "%s", text != NULL ? text : "an error without a text");
    return false;
}

/* ---- the runtime's files ---- */

static void number_set(lua_State *lua, const char *name, double value)
{
    lua_pushnumber(lua, value);
    lua_setfield(lua, -2, name);
}

static void text_set(lua_State *lua, const char *name, const char *value)
{
    lua_pushstring(lua, value);
    lua_setfield(lua, -2, name);
}

/* { { name =, unit =, min =, max =, whole =, may_lack = }, … } as the field `list` of the table on top. */
static void fields_set(lua_State *lua, const char *list, const struct vx_formula_field *fields, unsigned count)
{
    lua_newtable(lua);
    for (unsigned i = 0; i < count; i++) {
        lua_newtable(lua);
        text_set(lua, "name", fields[i].name);
        text_set(lua, "unit", fields[i].unit);
        number_set(lua, "min", fields[i].min);
        number_set(lua, "max", fields[i].max);
        lua_pushboolean(lua, fields[i].whole);
        lua_setfield(lua, -2, "whole");
        lua_pushboolean(lua, fields[i].may_lack);
        lua_setfield(lua, -2, "may_lack");
        lua_rawseti(lua, -2, (int)i + 1);
    }
    lua_setfield(lua, -2, list);
}

static void offsets_set(lua_State *lua)
{
    lua_newtable(lua);
    number_set(lua, "state", offsetof(struct formula_batch, state));
    number_set(lua, "count", offsetof(struct formula_batch, count));
    number_set(lua, "version", offsetof(struct formula_batch, version));
    number_set(lua, "attempts", offsetof(struct formula_batch, attempts));
    number_set(lua, "mode", offsetof(struct formula_batch, mode));
    number_set(lua, "failures", offsetof(struct formula_batch, failures));
    number_set(lua, "inputs", offsetof(struct formula_batch, inputs));
    number_set(lua, "outputs", offsetof(struct formula_batch, outputs));
    number_set(lua, "seeds", offsetof(struct formula_batch, seeds));
    lua_setfield(lua, -2, "offsets");
}

/* One line for the compiler's log. */
static int trace_write(lua_State *lua)
{
    const struct worker *worker = lua_touserdata(lua, lua_upvalueindex(1));
    size_t bytes;
    const char *line = lua_tolstring(lua, 1, &bytes);
    if (write(worker->options.trace_fd, line, bytes) != (ssize_t)bytes)
        return luaL_error(lua, "the trace log cannot be written");
    return 0;
}

/* The compiler has done something: the daemon counts it. */
static int trace_count(lua_State *lua)
{
    struct formula_seat *seat = ((struct worker *)lua_touserdata(lua, lua_upvalueindex(1)))->seat;
    const char *what = lua_tostring(lua, 1);
    uint64_t *counter = strcmp(what, "stop") == 0 ? &seat->traces : strcmp(what, "abort") == 0 ? &seat->trace_aborts : strcmp(what, "flush") == 0 ? &seat->trace_flushes : NULL;
    if (counter != NULL)
        __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
    return 0;
}

static void function_set(lua_State *lua, const char *name, lua_CFunction function, struct worker *worker)
{
    lua_pushlightuserdata(lua, worker);
    lua_pushcclosure(lua, function, 1);
    lua_setfield(lua, -2, name);
}

/* Leaves the table that the runtime's files share: where the batches are, what C thinks they look like, what kinds there are. */
static void setup_push(struct worker *worker)
{
    lua_State *lua = worker->lua;
    lua_newtable(lua);
    lua_pushlightuserdata(lua, worker->batches);
    lua_setfield(lua, -2, "batches");
    number_set(lua, "batches_total", formula_batches_total(worker->header->lanes) + FORMULA_SEATS);
    number_set(lua, "batch_jobs", FORMULA_BATCH_JOBS);
    number_set(lua, "batch_bytes", sizeof(struct formula_batch));
    offsets_set(lua);
    lua_newtable(lua);
    for (unsigned kind = 0; kind < VX_FORMULA_KINDS; kind++) {
        lua_newtable(lua);
        number_set(lua, "number", kind);
        fields_set(lua, "inputs", vx_formula_abouts[kind].inputs, vx_formula_abouts[kind].input_count);
        fields_set(lua, "outputs", vx_formula_abouts[kind].outputs, vx_formula_abouts[kind].output_count);
        lua_setfield(lua, -2, vx_formula_abouts[kind].name);
    }
    lua_setfield(lua, -2, "kinds");
    function_set(lua, "count", trace_count, worker);
    if (worker->options.trace_fd >= 0)
        function_set(lua, "trace_write", trace_write, worker);
}

/* Runs lua/runtime/NAME.lua with the setup table (at index 1); what it returns becomes the table's field NAME. */
static bool file_run(struct worker *worker, const char *name)
{
    lua_State *lua = worker->lua;
    char path[2 * VX_PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/%s.lua", worker->options.runtime_folder, name);
    (void)snprintf(worker->seat->text, sizeof(worker->seat->text), "loading %.300s", path);
    /* "t": text only, because LuaJIT does not check bytecode. */
    if (luaL_loadfilex(lua, path, "t") != 0)
        return fail(worker);
    lua_pushvalue(lua, 1);
    if (lua_pcall(lua, 1, 1, 0) != 0)
        return fail(worker);
    lua_setfield(lua, 1, name);
    return true;
}

/* Of the table on top. */
static int reference(lua_State *lua, const char *name)
{
    lua_getfield(lua, -1, name);
    return luaL_ref(lua, LUA_REGISTRYINDEX);
}

bool runtime_start(struct worker *worker)
{
    lua_State *lua = worker->lua = lua_newstate(heap_allocate, &worker->heap);
    if (lua == NULL) {
        (void)snprintf(worker->seat->text, sizeof(worker->seat->text), "no memory for LuaJIT");
        return false;
    }
    luaL_openlibs(lua);
    setup_push(worker);
    if (!file_run(worker, "declare") || !file_run(worker, "watch") || !file_run(worker, "batch"))
        return false;
    lua_getfield(lua, 1, "batch");
    worker->load_ref = reference(lua, "load");
    worker->compiled_ref = reference(lua, "compiled");
    worker->inspect_ref = reference(lua, "inspect");
    lua_settop(lua, 0);
    worker->seat->text[0] = '\0';
    return true;
}

/* ---- loading ---- */

static double number_of(lua_State *lua, int index, const char *name)
{
    lua_getfield(lua, index, name);
    double value = lua_tonumber(lua, -1);
    lua_pop(lua, 1);
    return value;
}

/* The ranges { { min, max, whole }, … } that batch.lua has put together in the kind's order, from the field `list`. */
static void ranges_get(lua_State *lua, int index, const char *list, struct vx_formula_range *ranges, unsigned count, uint32_t *whole)
{
    lua_getfield(lua, index, list);
    for (unsigned i = 0; i < count; i++) {
        lua_rawgeti(lua, -1, (int)i + 1);
        ranges[i] = (struct vx_formula_range){ number_of(lua, lua_gettop(lua), "min"), number_of(lua, lua_gettop(lua), "max") };
        lua_getfield(lua, -1, "whole");
        if (whole != NULL && lua_toboolean(lua, -1))
            *whole |= 1u << i;
        lua_pop(lua, 2);
    }
    lua_pop(lua, 1);
}

/* What batch.lua's load() has returned is on top. */
static void declared_get(struct worker *worker, uint32_t kind)
{
    lua_State *lua = worker->lua;
    const struct vx_formula_about *about = &vx_formula_abouts[kind];
    int loaded = lua_gettop(lua);
    struct vx_formula_declared declared = { .version = (uint32_t)number_of(lua, loaded, "version"), .examples = (uint32_t)number_of(lua, loaded, "examples"),
                                            .inputs_used = (uint32_t)number_of(lua, loaded, "inputs_used"), .job_ns = number_of(lua, loaded, "job_ns") };
    ranges_get(lua, loaded, "inputs", declared.inputs, about->input_count, &declared.inputs_whole);
    ranges_get(lua, loaded, "outputs", declared.outputs, about->output_count, NULL);
    ranges_get(lua, loaded, "means", declared.means, about->output_count, NULL);
    worker->seat->declared[kind] = declared;
    worker->versions[kind] = declared.version;
}

static void loops_get(struct worker *worker, uint32_t kind)
{
    lua_State *lua = worker->lua;
    struct worker_loops *loops = &worker->loops[kind];
    loops->loop = reference(lua, "loop");
    loops->careful = reference(lua, "careful");
    loops->minima = reference(lua, "minima");
    if (!worker->options.trial)
        return;
    loops->raw = reference(lua, "raw");
    loops->raw_careful = reference(lua, "raw_careful");
    loops->interpreted = reference(lua, "interpreted");
}

static int call(struct worker *worker, int function, uint32_t number, uint32_t count, int results)
{
    lua_State *lua = worker->lua;
    lua_rawgeti(lua, LUA_REGISTRYINDEX, function);
    lua_pushinteger(lua, (lua_Integer)number);
    lua_pushinteger(lua, (lua_Integer)count);
    return lua_pcall(lua, 2, results, 0);
}

/* Made-up jobs from all over the declared ranges, in the scratch batch: errors of the formula come out here, with file and
 * line, and its loop becomes machine code before anybody waits for it. */
static bool warm_up(struct worker *worker, uint32_t kind, int function)
{
    uint32_t scratch = formula_scratch_number(worker->header->lanes, worker->options.seat);
    struct formula_batch *batch = &worker->batches[scratch];
    struct vx_rng rng = { 1 };
    for (unsigned round = 0; round < WARM_BATCHES; round++) {
        for (unsigned i = 0; i < FORMULA_BATCH_JOBS; i++) {
            float inputs[VX_JOB_INPUTS];
            vx_formula_draw(kind, &worker->seat->declared[kind], &rng, WARM_ENDS, inputs);
            for (unsigned input = 0; input < VX_JOB_INPUTS; input++)
                batch->inputs[input][i] = inputs[input];
            batch->seeds[i] = vx_rng_next(&rng) >> 12;
        }
        if (call(worker, function, scratch, FORMULA_BATCH_JOBS, 0) != 0)
            return fail(worker);
    }
    return true;
}

/* Raises the reason when the loop has not become machine code. */
static bool compiled(struct worker *worker, uint32_t kind)
{
    lua_State *lua = worker->lua;
    lua_rawgeti(lua, LUA_REGISTRYINDEX, worker->compiled_ref);
    lua_pushstring(lua, vx_formula_abouts[kind].name);
    return lua_pcall(lua, 1, 0, 0) == 0 || fail(worker);
}

static bool formula_load(struct worker *worker, uint32_t kind)
{
    lua_State *lua = worker->lua;
    const struct formula_program_text *program = &worker->seat->programs[kind];
    (void)snprintf(worker->seat->text, sizeof(worker->seat->text), "loading %.*s", FORMULA_NAME_BYTES, program->name);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, worker->load_ref);
    lua_pushstring(lua, vx_formula_abouts[kind].name);
    lua_pushlstring(lua, program->text, program->bytes <= VX_FORMULA_TEXT_BYTES_MAX ? program->bytes : 0);
    lua_pushlstring(lua, program->name, strnlen(program->name, FORMULA_NAME_BYTES));
    lua_pushboolean(lua, worker->options.trial);
    if (lua_pcall(lua, 4, 1, 0) != 0)
        return fail(worker);
    declared_get(worker, kind);
    loops_get(worker, kind);
    lua_pop(lua, 1);
    if (!warm_up(worker, kind, worker->loops[kind].loop) || !compiled(worker, kind))
        return false;
    return !worker->options.trial || warm_up(worker, kind, worker->loops[kind].raw);
}

bool runtime_load(struct worker *worker)
{
    lua_State *lua = worker->lua;
    worker->seat->report = (struct vx_trial_report){ 0 };
    for (uint32_t kind = 0; kind < VX_FORMULA_KINDS; kind++) {
        worker->versions[kind] = 0;
        if (worker->seat->programs[kind].bytes > 0 && !formula_load(worker, kind))
            return false;
    }
    (void)lua_gc(lua, LUA_GCCOLLECT, 0);
    (void)lua_gc(lua, LUA_GCSTOP, 0);
    worker->heap_loaded = worker->heap.in_use;
    worker->seat->heap_bytes = worker->seat->heap_bytes_max = worker->heap.in_use;
    return true;
}

/* ---- evaluating ---- */

/* Its error is on top of the stack. A formula that needs more memory or stack than there is costs its worker: whatever its
 * other jobs do, the heap is in no state to go on with. */
static void end_when_exhausted(struct worker *worker, int status)
{
    const char *text = lua_tostring(worker->lua, -1);
    if (status == LUA_ERRMEM || (text != NULL && strstr(text, "not enough memory") != NULL))
        _exit(FORMULA_EXIT_MEMORY);
    if (text != NULL && strstr(text, "stack overflow") != NULL)
        _exit(FORMULA_EXIT_STACK);
}

static void error_note(struct worker *worker, uint32_t kind)
{
    const char *text = lua_tostring(worker->lua, -1);
    struct vx_trial_report *report = &worker->seat->report;
    if (report->error_text[0] != '\0')
        return; /* once: a formula that fails, fails often */
    (void)snprintf(report->error_text, sizeof(report->error_text), "%s", text != NULL ? text : "an error without a text");
    if (!worker->options.trial)
        (void)fprintf(stderr, "veltrix-formula-worker: %s: %s\n", vx_formula_abouts[kind].name, report->error_text);
}

static uint32_t evaluate_carefully(struct worker *worker, int function, uint32_t number, uint32_t count)
{
    lua_State *lua = worker->lua;
    int status = call(worker, function, number, count, 1);
    if (status != 0) { /* only what pcall() inside cannot stop */
        end_when_exhausted(worker, status);
        VX_ASSERT(status == 0);
    }
    uint32_t failures = (uint32_t)lua_tointeger(lua, -1);
    lua_pop(lua, 1);
    return failures;
}

uint32_t runtime_evaluate(struct worker *worker, uint32_t kind, uint32_t number, uint32_t count, uint32_t mode)
{
    const struct worker_loops *loops = &worker->loops[kind];
    if (VX_UNLIKELY(mode == VX_TRIAL_INTERPRETED))
        return evaluate_carefully(worker, loops->interpreted, number, count);
    int status = call(worker, mode == VX_TRIAL_LIVE ? loops->loop : loops->raw, number, count, 0);
    if (VX_LIKELY(status == 0))
        return 0;
    end_when_exhausted(worker, status);
    error_note(worker, kind);
    lua_pop(worker->lua, 1);
    return evaluate_carefully(worker, mode == VX_TRIAL_LIVE ? loops->careful : loops->raw_careful, number, count);
}

uint32_t runtime_give_up(struct worker *worker, uint32_t kind, uint32_t number, uint32_t count)
{
    (void)fprintf(stderr, "veltrix-formula-worker: %s: %d workers have ended on one batch: its %u jobs are answered with the minima\n",
                  vx_formula_abouts[kind].name, FORMULA_ATTEMPTS_MAX, count);
    VX_ASSERT(call(worker, worker->loops[kind].minima, number, count, 0) == 0);
    return count;
}

/* ---- between batches ---- */

void runtime_collect(struct worker *worker)
{
    struct formula_seat *seat = worker->seat;
    int64_t too_much_kb = ((int64_t)worker->heap.in_use - (int64_t)worker->heap_loaded) / 1024 - GARBAGE_KB_MAX;
    __atomic_store_n(&seat->heap_bytes, worker->heap.in_use, __ATOMIC_RELAXED);
    __atomic_store_n(&seat->heap_bytes_max, worker->heap.in_use_max, __ATOMIC_RELAXED);
    if (VX_LIKELY(too_much_kb < 0))
        return;
    uint64_t began_ns = now_ns();
    (void)lua_gc(worker->lua, LUA_GCSTEP, (int)(GARBAGE_STEP_KB + too_much_kb / GARBAGE_STEP_PART));
    (void)lua_gc(worker->lua, LUA_GCSTOP, 0); /* a step sets the collector going again */
    uint64_t took_ns = now_ns() - began_ns;
    __atomic_store_n(&seat->collections, seat->collections + 1, __ATOMIC_RELAXED);
    if (took_ns > seat->collection_ns_max)
        __atomic_store_n(&seat->collection_ns_max, took_ns, __ATOMIC_RELAXED);
}

static void text_get(lua_State *lua, const char *name, char *to, size_t bytes)
{
    lua_getfield(lua, -1, name);
    const char *text = lua_tostring(lua, -1);
    (void)snprintf(to, bytes, "%s", text != NULL ? text : "");
    lua_pop(lua, 1);
}

void runtime_inspect(struct worker *worker)
{
    lua_State *lua = worker->lua;
    struct vx_trial_report *report = &worker->seat->report;
    lua_rawgeti(lua, LUA_REGISTRYINDEX, worker->inspect_ref);
    if (lua_pcall(lua, 0, 1, 0) != 0) {
        report->keeps_state = 1;
        (void)snprintf(report->state_text, sizeof(report->state_text), "%s", lua_tostring(lua, -1));
        lua_pop(lua, 1);
        return;
    }
    int top = lua_gettop(lua);
    report->traces = (uint32_t)number_of(lua, top, "traces");
    report->aborts = (uint32_t)number_of(lua, top, "aborts");
    report->flushes = (uint32_t)number_of(lua, top, "flushes");
    report->interpreted = (uint32_t)number_of(lua, top, "interpreted");
    text_get(lua, "abort_text", report->abort_text, sizeof(report->abort_text));
    text_get(lua, "state_text", report->state_text, sizeof(report->state_text));
    report->keeps_state = report->state_text[0] != '\0';
    lua_pop(lua, 1);
}
