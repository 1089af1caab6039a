/* config, inside: the row of the schema and the three steps of loading, each in its own file:
 *
 *   config_load.c  file -> Lua table     config_read.c  Lua table -> struct vx_config, row by row
 *   config_check.c what several keys must say together     config_modes.c  modes: names into numbers, and whether they hold
 *   config_keys.c  keys one by one, for the running system     config_write.c  struct vx_config -> file
 *
 * Start-up only, one thread. */
#ifndef VX_CONFIG_PRIVATE_H
#define VX_CONFIG_PRIVATE_H

#include <lua.h>

#include "vx_config.h"

enum setting_type {
    SETTING_NUMBER,    /* whole number in [min, max] */
    SETTING_POWER,     /* the same, and a power of two: rings and descriptor queues need it */
    SETTING_BOOLEAN,
    SETTING_STRING,    /* length in [min, max] bytes */
    SETTING_WORD,      /* one of `choices`, stored as text */
    SETTING_CHOICE,    /* one of `choices`, stored as its index */
    SETTING_MODE,      /* octal text: "0660" */
    SETTING_ROLES,     /* list of words, stored as VX_ROLE_ bits */
    SETTING_ADDRESSES, /* list of IPv4 and IPv6 addresses of a port */
    SETTING_NAMES,     /* list of up to `max` words, stored as text with spaces between them */
};

/* One key. The offset counts from struct vx_config, or from the list's element when the section is a list. */
struct setting {
    const char *section, *key;
    enum setting_type type;
    uint32_t offset, bytes;
    uint64_t min, max;
    uint64_t number;      /* default of numbers, booleans, choices, modes */
    const char *text;     /* default of strings; a NULL says the key must be given */
    const char *choices;  /* words between spaces */
    const char *unit;
    const char *sentence;
    const char *effect;   /* what a change does to the running system, and from when; "": it takes a restart */
};
extern const struct setting config_settings[];
extern const uint32_t config_setting_count;
/* Sections that are lists of tables. */
struct config_list {
    const char *section;
    uint32_t items, item_bytes, count; /* offsets in struct vx_config of the first item and of how many there are */
    uint32_t min, max;
};
enum { CONFIG_LISTS = 3 };
extern const struct config_list config_lists[CONFIG_LISTS];
bool config_section_is_list(const char *section);

/* config_read.c, for whoever sets one key: index of the word among choices between spaces, or -1; a whole number of
 * 1, 2, 4 or 8 bytes stored so that a reader on another core sees the old or the new one. */
int config_choice(const char *choices, const char *word);
void config_store(void *at, uint32_t bytes, uint64_t number);
/* config_keys.c: the row's value in its section's struct (NULL: its default) as it would stand in a file. */
void config_row_value(const struct setting *row, const void *item, char *text, size_t bytes);
/* What a value of the row must be, for sentences. */
void config_expectation(const struct setting *row, char *text, size_t bytes);

/* config_modes.c: 0 or -EINVAL; completes each mode's numbers. */
int config_modes_check(const char *path, struct vx_config *config, struct vx_error *error);

struct reader {
    lua_State *lua;
    const char *path;
    struct vx_error *error;
};
/* The root table is on top of the stack. 0 or -EINVAL. */
int config_read(struct reader *reader, struct vx_config *config);
/* 0 or -EINVAL; turns the ports' numbers of io lcores from 1-based into indices. */
int config_check(const char *path, struct vx_config *config, struct vx_error *error);

#endif
