/* Modes: what a person writes as lists of names becomes the numbers that a mode is, and has to hold together. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_private.h"

struct entry { /* NAME or NAME=NUMBER */
    char name[64];
    bool numbered;
    uint32_t number;
};

/* The next of the words between spaces; false at the end. A word that is none of both has an empty name. */
static bool entry_next(const char **at, struct entry *entry)
{
    size_t span = strcspn(*at, " ");
    char word[64], *end;
    if (**at == '\0')
        return false;
    (void)snprintf(word, sizeof(word), "%.*s", (int)span, *at);
    *at += span + ((*at)[span] == ' ');
    char *equals = strchr(word, '=');
    *entry = (struct entry){ .numbered = equals != NULL };
    if (equals != NULL) {
        *equals++ = '\0';
        unsigned long number = strtoul(equals, &end, 10);
        if (*equals < '0' || *equals > '9' || *end != '\0' || number > UINT32_MAX)
            return true;
        entry->number = (uint32_t)number;
    }
    (void)snprintf(entry->name, sizeof(entry->name), "%s", word);
    return true;
}

struct place {
    const char *path;
    uint32_t mode; /* from 1 */
    struct vx_error *error;
};

static int refuse(const struct place *place, const char *key, const char *list, const char *expected)
{
    return vx_error_set(place->error, -EINVAL, "%.120s: modes[%u].%s is { %.60s }, expected %.160s", place->path, place->mode, key, list, expected);
}

static int roles_read(const struct place *place, const char *names, struct vx_config_mode *mode)
{
    char expected[160];
    const char *at = mode->roles;
    struct entry entry;
    (void)snprintf(expected, sizeof(expected), "ROLE=PLAYERS, 1 to 32 of them, each role once and out of game.roles: %.60s", names[0] != '\0' ? names : "none");
    for (uint32_t i = 0; entry_next(&at, &entry); i++) {
        int bit = config_choice(names, entry.name);
        if (bit < 0 || !entry.numbered || entry.number < 1 || entry.number > 32)
            return refuse(place, "roles", mode->roles, expected);
        mode->mode.roles[i] = (uint32_t)bit << VX_MODE_ROLE_SHIFT | entry.number;
        for (uint32_t j = 0; j < i; j++)
            if (mode->mode.roles[j] >> VX_MODE_ROLE_SHIFT == (uint32_t)bit)
                return refuse(place, "roles", mode->roles, expected);
    }
    return 0;
}

static int latency_read(const struct place *place, struct vx_config_mode *mode)
{
    const char *at = mode->latency;
    struct entry entry;
    while (entry_next(&at, &entry)) {
        char *end;
        unsigned long region = strtoul(entry.name, &end, 10);
        if (entry.name[0] == '\0' || *end != '\0' || region < 1 || region > VX_MATCH_REGIONS || !entry.numbered || entry.number < 1 || entry.number > 10000 ||
            mode->mode.latency_ms[region - 1] != 0)
            return refuse(place, "latency", mode->latency, "REGION=MS, regions from 1 to 8, each once, 1 to 10000 ms");
        mode->mode.latency_ms[region - 1] = entry.number;
    }
    return 0;
}

/* How many of the list's names the numbers belong to is what its schema lets in. */
static int named_read(const struct place *place, const char *key, const char *list, const char *names, bool may_be_numbered, uint32_t otherwise, uint32_t *numbers)
{
    char expected[160];
    struct entry entry;
    (void)snprintf(expected, sizeof(expected), "names out of game.%s, each once%s: %.60s", may_be_numbered ? "attributes" : "sets",
                   may_be_numbered ? ", or NAME=MS" : "", names[0] != '\0' ? names : "none");
    for (const char *at = list; entry_next(&at, &entry);) {
        int index = config_choice(names, entry.name);
        if (index < 0 || (entry.numbered && (!may_be_numbered || entry.number == 0)) || numbers[index] != 0)
            return refuse(place, key, list, expected);
        numbers[index] = entry.numbered ? entry.number : otherwise;
    }
    return 0;
}

static int mode_check(const struct place *place, const struct vx_config *config, struct vx_config_mode *mode)
{
    static const uint16_t unknown[VX_MATCH_ROWS];
    struct vx_match_mode rules;
    struct vx_error why;
    memset(mode->mode.roles, 0, sizeof(mode->mode.roles));
    memset(mode->mode.latency_ms, 0, sizeof(mode->mode.latency_ms));
    memset(mode->mode.equal_ms, 0, sizeof(mode->mode.equal_ms));
    memset(mode->mode.common, 0, sizeof(mode->mode.common));
    int rc = roles_read(place, config->game.roles, mode);
    if (rc == 0)
        rc = latency_read(place, mode);
    if (rc == 0)
        rc = named_read(place, "equal", mode->equal, config->game.attributes, true, VX_MATCH_ALWAYS, mode->mode.equal_ms);
    if (rc == 0)
        rc = named_read(place, "common", mode->common, config->game.sets, false, 1, mode->mode.common);
    if (rc != 0)
        return rc;
    if (vx_mode_rules(&mode->mode, mode->name, unknown, &rules, &why) != 0)
        return vx_error_set(place->error, -EINVAL, "%.120s: modes[%u]: %.200s", place->path, place->mode, why.text);
    return 0;
}

int config_modes_check(const char *path, struct vx_config *config, struct vx_error *error)
{
    for (uint32_t i = 0; i < config->mode_count; i++) {
        const struct place place = { path, i + 1, error };
        int rc = mode_check(&place, config, &config->modes[i]);
        if (rc != 0)
            return rc;
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(config->modes[i].name, config->modes[j].name) == 0)
                return vx_error_set(error, -EINVAL, "%.120s: modes[%u].name is \"%s\", expected another than modes[%u]'s", path, i + 1, config->modes[i].name, j + 1);
    }
    return 0;
}
