/* From the file to a Lua table. The chunk is data that happens to be able to count: it is text (never
 * bytecode, which LuaJIT does not verify), its environment is empty, no library is opened, and an
 * instruction hook ends it if it loops. The JIT is off because compiled traces do not call the hook. */
#include <errno.h>
#include <lauxlib.h>
#include <luajit.h>
#include <string.h>
#include <unistd.h>

#include "config_private.h"

enum {
    HOOK_INSTRUCTIONS = 10000,
    MEMORY_KIB_MAX = 64 * 1024,
    INSTRUCTIONS_MAX = 50 * 1000 * 1000, /* about half a second of the interpreter */
};

static const char steps_key; /* its address names the registry's slot */

static void on_instructions(lua_State *lua, lua_Debug *where)
{
    (void)where;
    lua_pushlightuserdata(lua, (void *)&steps_key);
    lua_rawget(lua, LUA_REGISTRYINDEX);
    lua_Number steps = lua_tonumber(lua, -1) + HOOK_INSTRUCTIONS;
    lua_pop(lua, 1);
    lua_pushlightuserdata(lua, (void *)&steps_key);
    lua_pushnumber(lua, steps);
    lua_rawset(lua, LUA_REGISTRYINDEX);
    if (steps > INSTRUCTIONS_MAX)
        luaL_error(lua, "still running after %d instructions, expected a table", INSTRUCTIONS_MAX);
    if (lua_gc(lua, LUA_GCCOUNT, 0) > MEMORY_KIB_MAX)
        luaL_error(lua, "takes over %d KiB, expected a table", MEMORY_KIB_MAX);
}

/* Most of Lua's own messages begin with the chunk's name and line; ours and the loader's do not. */
static int refuse_lua(struct reader *reader)
{
    const char *text = lua_tostring(reader->lua, -1);
    if (text == NULL)
        text = "an error without a text";
    if (strncmp(text, reader->path, strlen(reader->path)) == 0)
        return vx_error_set(reader->error, -EINVAL, "%.300s", text);
    return vx_error_set(reader->error, -EINVAL, "%.200s: %.150s", reader->path, text);
}

static int evaluate(struct reader *reader)
{
    lua_State *lua = reader->lua;
    (void)luaJIT_setmode(lua, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    if (luaL_loadfilex(lua, reader->path, "t") != 0)
        return refuse_lua(reader);
    lua_newtable(lua);
    lua_setfenv(lua, -2);
    lua_sethook(lua, on_instructions, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
    int code = lua_pcall(lua, 0, 1, 0);
    lua_sethook(lua, NULL, 0, 0);
    return code == 0 ? 0 : refuse_lua(reader);
}

int vx_config_load(const char *path, struct vx_config *config, struct vx_error *error)
{
    memset(config, 0, sizeof(*config));
    if (access(path, R_OK) != 0)
        return vx_error_set(error, -ENOENT, "%.200s: %s, expected a configuration file", path, strerror(errno));
    struct reader reader = { luaL_newstate(), path, error };
    if (reader.lua == NULL)
        return vx_error_set(error, -EINVAL, "%.200s: no memory for Lua", path);
    int code = evaluate(&reader);
    if (code == 0)
        code = config_read(&reader, config);
    if (code == 0)
        code = config_check(path, config, error);
    lua_close(reader.lua);
    return code;
}
