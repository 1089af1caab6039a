/* Everything that speaks Lua: loads lua/runtime/batch.lua, which loads the formulas and makes a loop for
 * each kind; calls the loop once a batch. A call costs about as much as one job, so it is made per
 * batch; the shared arrays are cast once, by batch.lua, and named by number from then on, because a cast
 * of a pointer argument is not compiled (270 ns a job against 2). */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "worker.h"

enum {
    GARBAGE_KB_MAX = 1024, /* compiled formulas make none: this is for those that build tables */
    GARBAGE_STEP_KB = 16,  /* a piece of collection between batches: tens of microseconds … */
    GARBAGE_STEP_PART = 8, /* … and more by this part of what is too much, or a formula can outrun it */
};

static const char *const kind_names[VX_FORMULA_KINDS] = { "battle", "loot", "pairing" };

/* Takes the sentence from the top of Lua's stack. */
static bool fail(struct worker *worker)
{
    const char *text = lua_tostring(worker->lua, -1);
    (void)snprintf(worker->header->text, sizeof(worker->header->text), "%s", text != NULL ? text : "an error without a text");
    return false;
}

static void field_set(lua_State *lua, const char *name, size_t value)
{
    lua_pushinteger(lua, (lua_Integer)value);
    lua_setfield(lua, -2, name);
}

/* Leaves the table that batch.lua takes: where the batches are, and what C thinks they look like. */
static void setup_push(struct worker *worker)
{
    lua_State *lua = worker->lua;
    lua_newtable(lua);
    lua_pushlightuserdata(lua, worker->batches);
    lua_setfield(lua, -2, "batches");
    field_set(lua, "scratch", formula_batches_total(worker->header->lanes));
    field_set(lua, "batch_jobs", FORMULA_BATCH_JOBS);
    field_set(lua, "batch_bytes", sizeof(struct formula_batch));
    lua_pushstring(lua, worker->options.trace_path);
    lua_setfield(lua, -2, "trace_path");
    lua_newtable(lua);
    field_set(lua, "state", offsetof(struct formula_batch, state));
    field_set(lua, "count", offsetof(struct formula_batch, count));
    field_set(lua, "version", offsetof(struct formula_batch, version));
    field_set(lua, "attempts", offsetof(struct formula_batch, attempts));
    field_set(lua, "inputs", offsetof(struct formula_batch, inputs));
    field_set(lua, "outputs", offsetof(struct formula_batch, outputs));
    field_set(lua, "seeds", offsetof(struct formula_batch, seeds));
    field_set(lua, "ids", offsetof(struct formula_batch, ids));
    field_set(lua, "shards", offsetof(struct formula_batch, shards));
    lua_setfield(lua, -2, "offsets");
}

/* batch.lua's load function is at index 1 and stays there. */
static bool formula_load(struct worker *worker, uint32_t kind)
{
    lua_State *lua = worker->lua;
    lua_pushvalue(lua, 1);
    lua_pushstring(lua, kind_names[kind]);
    const char *path = lua_pushfstring(lua, "%s/%s.lua", worker->options.formula_folder, kind_names[kind]);
    (void)snprintf(worker->header->text, sizeof(worker->header->text), "loading %s", path);
    if (lua_pcall(lua, 2, 4, 0) != 0)
        return fail(worker);
    worker->versions[kind] = (uint32_t)lua_tonumber(lua, -1);
    lua_pop(lua, 1);
    worker->minima_refs[kind] = luaL_ref(lua, LUA_REGISTRYINDEX);
    worker->careful_refs[kind] = luaL_ref(lua, LUA_REGISTRYINDEX);
    worker->loop_refs[kind] = luaL_ref(lua, LUA_REGISTRYINDEX);
    return true;
}

bool runtime_load(struct worker *worker)
{
    lua_State *lua = worker->lua = luaL_newstate();
    if (lua == NULL) {
        (void)snprintf(worker->header->text, sizeof(worker->header->text), "no memory for LuaJIT");
        return false;
    }
    luaL_openlibs(lua);
    char path[2 * VX_PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/batch.lua", worker->options.runtime_folder);
    (void)snprintf(worker->header->text, sizeof(worker->header->text), "loading %s", path);
    /* "t": text only, because LuaJIT does not check bytecode. */
    if (luaL_loadfilex(lua, path, "t") != 0)
        return fail(worker);
    setup_push(worker);
    if (lua_pcall(lua, 1, 1, 0) != 0)
        return fail(worker);
    for (uint32_t kind = 0; kind < VX_FORMULA_KINDS; kind++)
        if (!formula_load(worker, kind))
            return false;
    (void)lua_gc(lua, LUA_GCCOLLECT, 0);
    (void)lua_gc(lua, LUA_GCSTOP, 0);
    worker->heap_kb = lua_gc(lua, LUA_GCCOUNT, 0);
    return true;
}

static uint32_t evaluate_carefully(struct worker *worker, uint32_t kind, uint32_t number, uint32_t count)
{
    lua_State *lua = worker->lua;
    if (worker->header->failures[kind] == 0) /* once: a formula that fails, fails often */
        (void)fprintf(stderr, "veltrix-formula-worker: %s: %s\n", kind_names[kind], lua_tostring(lua, -1));
    lua_pop(lua, 1);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, worker->careful_refs[kind]);
    lua_pushinteger(lua, (lua_Integer)number);
    lua_pushinteger(lua, (lua_Integer)count);
    /* It fails only when Lua has no memory left: then this process is no use, and the next one has. */
    VX_ASSERT(lua_pcall(lua, 2, 1, 0) == 0);
    uint32_t failures = (uint32_t)lua_tointeger(lua, -1);
    lua_pop(lua, 1);
    return failures;
}

uint32_t runtime_evaluate(struct worker *worker, uint32_t kind, uint32_t number, uint32_t count)
{
    lua_State *lua = worker->lua;
    lua_rawgeti(lua, LUA_REGISTRYINDEX, worker->loop_refs[kind]);
    lua_pushinteger(lua, (lua_Integer)number);
    lua_pushinteger(lua, (lua_Integer)count);
    if (VX_LIKELY(lua_pcall(lua, 2, 0, 0) == 0))
        return 0;
    return evaluate_carefully(worker, kind, number, count);
}

uint32_t runtime_give_up(struct worker *worker, uint32_t kind, uint32_t number, uint32_t count)
{
    lua_State *lua = worker->lua;
    (void)fprintf(stderr, "veltrix-formula-worker: %s: %d workers have ended on one batch: its %u jobs are answered with the minima\n", kind_names[kind],
                  FORMULA_ATTEMPTS_MAX, count);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, worker->minima_refs[kind]);
    lua_pushinteger(lua, (lua_Integer)number);
    lua_pushinteger(lua, (lua_Integer)count);
    VX_ASSERT(lua_pcall(lua, 2, 0, 0) == 0);
    return count;
}

void runtime_collect(struct worker *worker)
{
    int too_much_kb = lua_gc(worker->lua, LUA_GCCOUNT, 0) - worker->heap_kb - GARBAGE_KB_MAX;
    if (VX_LIKELY(too_much_kb < 0))
        return;
    (void)lua_gc(worker->lua, LUA_GCSTEP, GARBAGE_STEP_KB + too_much_kb / GARBAGE_STEP_PART);
    (void)lua_gc(worker->lua, LUA_GCSTOP, 0); /* a step sets the collector going again */
}
