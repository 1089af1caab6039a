/* From the Lua table to struct vx_config, row by row of the schema. Every table is first searched for
 * keys that no row names, so that a misspelt key is an error and not a silent default. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_private.h"

enum { KEY_BYTES = 96, VALUE_BYTES = 64, EXPECTATION_BYTES = 160 };

/* The value on top of the stack, as a person would write it. */
static const char *show(lua_State *lua, char buffer[VALUE_BYTES])
{
    switch (lua_type(lua, -1)) {
    case LUA_TNIL: return "absent";
    case LUA_TBOOLEAN: return lua_toboolean(lua, -1) ? "true" : "false";
    case LUA_TNUMBER: snprintf(buffer, VALUE_BYTES, "%.17g", lua_tonumber(lua, -1)); return buffer;
    case LUA_TSTRING: snprintf(buffer, VALUE_BYTES, "\"%.48s\"", lua_tostring(lua, -1)); return buffer;
    case LUA_TTABLE: return "a table";
    default: return "a function";
    }
}

static int refuse(struct reader *reader, const char *key, const char *expectation)
{
    char buffer[VALUE_BYTES];
    return vx_error_set(reader->error, -EINVAL, "%.120s: %s is %s, expected %s", reader->path, key, show(reader->lua, buffer), expectation);
}

void config_expectation(const struct setting *row, char *text, size_t bytes)
{
    switch (row->type) {
    case SETTING_BOOLEAN: snprintf(text, bytes, "true or false"); break;
    case SETTING_MODE: snprintf(text, bytes, "an octal file mode in quotes, like \"0660\""); break;
    case SETTING_ADDRESSES: snprintf(text, bytes, "a list of up to 4 IPv4 and 4 IPv6 addresses in quotes"); break;
    case SETTING_NAMES: snprintf(text, bytes, "a list of at most %llu names in quotes", (unsigned long long)row->max); break;
    case SETTING_ROLES: snprintf(text, bytes, "a list of different words out of: %s", row->choices); break;
    case SETTING_WORD:
    case SETTING_CHOICE: snprintf(text, bytes, "one of: %s", row->choices); break;
    case SETTING_STRING: snprintf(text, bytes, "text of %llu to %llu bytes", (unsigned long long)row->min, (unsigned long long)row->max); break;
    case SETTING_NUMBER:
    case SETTING_POWER:
        snprintf(text, bytes, "a %s from %llu to %llu%s%s", row->type == SETTING_POWER ? "power of two" : "whole number", (unsigned long long)row->min,
            (unsigned long long)row->max, row->unit[0] ? " " : "", row->unit);
        break;
    }
}

static int refuse_row(struct reader *reader, const struct setting *row, const char *key)
{
    char text[EXPECTATION_BYTES];
    config_expectation(row, text, sizeof(text));
    return refuse(reader, key, text);
}

void config_store(void *at, uint32_t bytes, uint64_t number)
{
    switch (bytes) { /* one store each: lcores read some of these while they run */
    case 1: __atomic_store_n((uint8_t *)at, (uint8_t)number, __ATOMIC_RELAXED); break;
    case 2: __atomic_store_n((uint16_t *)at, (uint16_t)number, __ATOMIC_RELAXED); break;
    case 4: __atomic_store_n((uint32_t *)at, (uint32_t)number, __ATOMIC_RELAXED); break;
    default:
        VX_ASSERT(bytes == 8);
        __atomic_store_n((uint64_t *)at, number, __ATOMIC_RELAXED);
    }
}

int config_choice(const char *choices, const char *word)
{
    size_t length = strlen(word);
    if (length == 0 || strchr(word, ' ') != NULL)
        return -1;
    for (int i = 0; *choices != '\0'; i++) {
        size_t span = strcspn(choices, " ");
        if (span == length && memcmp(choices, word, length) == 0)
            return i;
        choices += span + (choices[span] == ' ');
    }
    return -1;
}

static bool read_number(lua_State *lua, const struct setting *row, void *at)
{
    if (lua_type(lua, -1) != LUA_TNUMBER)
        return false;
    double value = lua_tonumber(lua, -1);
    if (!(value >= (double)row->min && value <= (double)row->max) || value != (double)(uint64_t)value)
        return false;
    uint64_t whole = (uint64_t)value;
    if (row->type == SETTING_POWER && (whole & (whole - 1)) != 0)
        return false;
    config_store(at, row->bytes, whole);
    return true;
}

static bool read_text(lua_State *lua, const struct setting *row, void *at)
{
    if (lua_type(lua, -1) != LUA_TSTRING)
        return false;
    size_t length;
    const char *text = lua_tolstring(lua, -1, &length);
    if (strlen(text) != length)
        return false;
    if (row->type == SETTING_CHOICE) {
        int index = config_choice(row->choices, text);
        config_store(at, row->bytes, (uint64_t)index);
        return index >= 0;
    }
    if (row->type == SETTING_MODE) {
        char *end;
        unsigned long mode = strtoul(text, &end, 8);
        config_store(at, row->bytes, mode);
        return length > 0 && length <= 5 && strspn(text, "01234567") == length && *end == '\0' && mode <= row->max;
    }
    if (length < row->min || length > row->max || length >= row->bytes)
        return false;
    memcpy(at, text, length + 1);
    return row->type != SETTING_WORD || config_choice(row->choices, text) >= 0;
}

static bool add_role(const struct setting *row, const char *text, void *item)
{
    static const uint8_t bits[] = { VX_ROLE_IO, VX_ROLE_SHARD, VX_ROLE_CONTROL }; /* the order of choices */
    struct vx_config_lcore *lcore = item;
    int index = config_choice(row->choices, text);
    if (index < 0 || (lcore->roles & bits[index]) != 0)
        return false;
    lcore->roles |= bits[index];
    return true;
}

static bool add_name(const struct setting *row, const char *text, void *item)
{
    char *at = (char *)item + row->offset;
    size_t used = strlen(at), length = strlen(text);
    if (length == 0 || strpbrk(text, " \t\r\n") != NULL || used + 1 + length >= row->bytes)
        return false;
    (void)sprintf(at + used, "%s%s", used > 0 ? " " : "", text); /* fits: seen above */
    return true;
}

static bool add_address(const char *text, void *item)
{
    struct vx_config_port *port = item;
    if (port->address4_count < 4 && inet_pton(AF_INET, text, &port->address4[port->address4_count]) == 1)
        return ++port->address4_count, true;
    if (port->address6_count < 4 && inet_pton(AF_INET6, text, port->address6[port->address6_count]) == 1)
        return ++port->address6_count, true;
    return false;
}

/* How many entries the table has when its keys are 1, 2, … without a gap; -1 otherwise. */
static int list_length(lua_State *lua)
{
    int keys = 0;
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1))
        keys++;
    return (size_t)keys == lua_objlen(lua, -1) ? keys : -1;
}

/* A refused entry is left on the stack above the list, for the sentence. */
static bool read_words(lua_State *lua, const struct setting *row, void *item)
{
    int length = lua_type(lua, -1) == LUA_TTABLE ? list_length(lua) : -1;
    if (length < (int)row->min || length > (int)row->max)
        return false;
    for (int i = 1; i <= length; i++) {
        lua_rawgeti(lua, -1, i);
        const char *text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : NULL;
        if (text == NULL || !(row->type == SETTING_ROLES ? add_role(row, text, item) : row->type == SETTING_NAMES ? add_name(row, text, item) : add_address(text, item)))
            return false;
        lua_pop(lua, 1);
    }
    return true;
}

static bool read_value(lua_State *lua, const struct setting *row, void *item)
{
    void *at = (char *)item + row->offset;
    switch (row->type) {
    case SETTING_NUMBER:
    case SETTING_POWER: return read_number(lua, row, at);
    case SETTING_ROLES:
    case SETTING_NAMES:
    case SETTING_ADDRESSES: return read_words(lua, row, item);
    case SETTING_BOOLEAN:
        config_store(at, row->bytes, (uint64_t)lua_toboolean(lua, -1));
        return lua_type(lua, -1) == LUA_TBOOLEAN;
    default: return read_text(lua, row, at);
    }
}

/* False when the row has no default. */
static bool take_default(const struct setting *row, void *item)
{
    char *at = (char *)item + row->offset;
    if (row->number == UINT64_MAX)
        return false;
    if (row->type == SETTING_STRING)
        strcpy(at, row->text); /* the schema's own text; the test compares lengths */
    else if (row->type != SETTING_ADDRESSES && row->type != SETTING_NAMES)
        config_store(at, row->bytes, row->number);
    return true;
}

static bool known(const char *section, const char *key)
{
    for (uint32_t i = 0; i < config_setting_count; i++)
        if (strcmp(section != NULL ? config_settings[i].section : key, section != NULL ? section : config_settings[i].section) == 0 &&
            (section == NULL || strcmp(config_settings[i].key, key) == 0))
            return true;
    return false;
}

/* section NULL: the table on top is the root, and its keys are sections. */
static int refuse_unknown(struct reader *reader, const char *section, const char *name)
{
    lua_State *lua = reader->lua;
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
        if (lua_type(lua, -2) == LUA_TSTRING && known(section, lua_tostring(lua, -2)))
            continue;
        char key[KEY_BYTES], shown[VALUE_BYTES];
        lua_pushvalue(lua, -2);
        const char *text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : show(lua, shown);
        snprintf(key, sizeof(key), "%.40s%s%.40s", name, name[0] != '\0' ? "." : "", text);
        lua_pop(lua, 1);
        return refuse(reader, key, "no such key");
    }
    return 0;
}

/* The section's table (or nil, when all defaults are wanted) is on top; item receives the values. */
static int read_section(struct reader *reader, const char *section, const char *name, void *item)
{
    lua_State *lua = reader->lua;
    bool given = lua_type(lua, -1) == LUA_TTABLE;
    if (!given && lua_type(lua, -1) != LUA_TNIL)
        return refuse(reader, name, "a table");
    if (given && refuse_unknown(reader, section, name) != 0)
        return -EINVAL;
    for (uint32_t i = 0; i < config_setting_count; i++) {
        const struct setting *row = &config_settings[i];
        char key[KEY_BYTES];
        if (strcmp(row->section, section) != 0)
            continue;
        snprintf(key, sizeof(key), "%.40s.%.40s", name, row->key);
        if (given)
            lua_getfield(lua, -1, row->key);
        else
            lua_pushnil(lua);
        if (lua_type(lua, -1) == LUA_TNIL ? !take_default(row, item) : !read_value(lua, row, item))
            return refuse_row(reader, row, key);
        lua_pop(lua, 1);
    }
    return 0;
}

static int read_list(struct reader *reader, const struct config_list *list, struct vx_config *config)
{
    lua_State *lua = reader->lua;
    char text[EXPECTATION_BYTES];
    lua_getfield(lua, -1, list->section);
    bool none = list->min == 0 && lua_type(lua, -1) == LUA_TNIL;
    int length = none ? 0 : lua_type(lua, -1) == LUA_TTABLE ? list_length(lua) : -1;
    snprintf(text, sizeof(text), "a list of %u to %u tables", list->min, list->max);
    if (length < (int)list->min || length > (int)list->max)
        return refuse(reader, list->section, text);
    for (int i = 0; i < length; i++) {
        char name[KEY_BYTES];
        snprintf(name, sizeof(name), "%s[%d]", list->section, i + 1);
        lua_rawgeti(lua, -1, i + 1);
        if (read_section(reader, list->section, name, (char *)config + list->items + (size_t)i * list->item_bytes) != 0)
            return -EINVAL;
        lua_pop(lua, 1);
    }
    *(uint32_t *)((char *)config + list->count) = (uint32_t)length;
    lua_pop(lua, 1);
    return 0;
}

int config_read(struct reader *reader, struct vx_config *config)
{
    lua_State *lua = reader->lua;
    if (lua_type(lua, -1) != LUA_TTABLE)
        return refuse(reader, "the file's result", "`return { … }`");
    if (refuse_unknown(reader, NULL, "") != 0)
        return -EINVAL;
    for (uint32_t i = 0; i < CONFIG_LISTS; i++)
        if (read_list(reader, &config_lists[i], config) != 0)
            return -EINVAL;
    const char *last = "";
    for (uint32_t i = 0; i < config_setting_count; i++) {
        const char *section = config_settings[i].section; /* rows of a section stand together */
        if (config_section_is_list(section) || strcmp(section, last) == 0)
            continue;
        last = section;
        lua_getfield(lua, -1, section);
        if (read_section(reader, section, section, config) != 0)
            return -EINVAL;
        lua_pop(lua, 1);
    }
    return 0;
}
