/* Keys one by one, for whoever shows, compares and changes a running configuration. Keys of lists (lcores, ports)
 * are not among them: an lcore is compared as a whole and never changed while it runs. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_private.h"

/* Index among the keys -> row of the schema. */
static const struct setting *row_of(uint32_t index)
{
    for (uint32_t i = 0; i < config_setting_count; i++)
        if (!config_section_is_list(config_settings[i].section) && index-- == 0)
            return &config_settings[i];
    return NULL;
}

uint32_t vx_config_key_count(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < config_setting_count; i++)
        count += !config_section_is_list(config_settings[i].section);
    return count;
}

void vx_config_key(uint32_t index, struct vx_config_key *key)
{
    static const char *const types[] = { [SETTING_NUMBER] = "number", [SETTING_POWER] = "power", [SETTING_BOOLEAN] = "boolean", [SETTING_STRING] = "text",
                                         [SETTING_WORD] = "word", [SETTING_CHOICE] = "word", [SETTING_MODE] = "mode", [SETTING_ROLES] = "names",
                                         [SETTING_ADDRESSES] = "names", [SETTING_NAMES] = "names" };
    const struct setting *row = row_of(index);
    VX_ASSERT(row != NULL);
    *key = (struct vx_config_key){ .type = types[row->type], .min = row->min, .max = row->max, .choices = row->choices, .unit = row->unit, .sentence = row->sentence,
                                   .effect = row->effect };
    (void)snprintf(key->name, sizeof(key->name), "%s.%s", row->section, row->key);
}

int vx_config_key_find(const char *name)
{
    struct vx_config_key key;
    for (uint32_t i = 0; i < vx_config_key_count(); i++) {
        vx_config_key(i, &key);
        if (strcmp(key.name, name) == 0)
            return (int)i;
    }
    return -1;
}

static bool is_number(const struct setting *row)
{
    return row->type == SETTING_NUMBER || row->type == SETTING_POWER || row->type == SETTING_BOOLEAN || row->type == SETTING_CHOICE || row->type == SETTING_MODE;
}

static uint64_t number_at(const void *item, const struct setting *row)
{
    uint64_t number = 0;
    memcpy(&number, (const char *)item + row->offset, row->bytes);
    return number;
}

uint64_t vx_config_number(const struct vx_config *config, uint32_t index)
{
    const struct setting *row = row_of(index);
    VX_ASSERT(row != NULL && is_number(row));
    return number_at(config, row);
}

/* The index-th of the words between spaces. */
static int word_at(const char *choices, uint64_t index, char *text, size_t bytes)
{
    while (index-- > 0)
        choices += strcspn(choices, " ") + 1;
    return snprintf(text, bytes, "%.*s", (int)strcspn(choices, " "), choices);
}

/* In quotes; nothing that the schema lets in needs an escape but these two. */
static void quote(const char *from, char *text, size_t bytes)
{
    size_t used = 0;
    text[used++] = '"';
    for (; *from != '\0' && used + 4 < bytes; from++) {
        if (*from == '"' || *from == '\\')
            text[used++] = '\\';
        text[used++] = *from;
    }
    text[used++] = '"';
    text[used] = '\0';
}

/* Names between spaces as a list in braces. */
static void quote_names(const char *names, char *text, size_t bytes)
{
    size_t used = (size_t)snprintf(text, bytes, "{");
    while (*names != '\0' && used < bytes) {
        size_t span = strcspn(names, " ");
        used += (size_t)snprintf(text + used, bytes - used, "%s \"%.*s\"", used > 1 ? "," : "", (int)span, names);
        names += span + (names[span] == ' ');
    }
    if (used < bytes)
        (void)snprintf(text + used, bytes - used, "%s}", used > 1 ? " " : "");
}

static void show_number(const struct setting *row, uint64_t number, char *text, size_t bytes)
{
    char word[VX_NAME_BYTES];
    if (row->type == SETTING_BOOLEAN)
        (void)snprintf(text, bytes, "%s", number != 0 ? "true" : "false");
    else if (row->type == SETTING_MODE)
        (void)snprintf(text, bytes, "\"%04llo\"", (unsigned long long)number);
    else if (row->type == SETTING_CHOICE && word_at(row->choices, number, word, sizeof(word)) > 0)
        quote(word, text, bytes);
    else
        (void)snprintf(text, bytes, "%llu", (unsigned long long)number);
}

static void show_roles(uint8_t roles, const char *choices, char *text, size_t bytes)
{
    char names[VX_NAME_BYTES] = "", word[16];
    for (uint32_t i = 0; i < 3; i++)
        if (roles & (1u << i) && word_at(choices, i, word, sizeof(word)) > 0)
            (void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", names[0] != '\0' ? " " : "", word);
    quote_names(names, text, bytes);
}

static void show_addresses(const struct vx_config_port *port, char *text, size_t bytes)
{
    char names[8 * INET6_ADDRSTRLEN] = "", one[INET6_ADDRSTRLEN];
    for (uint32_t i = 0; i < (uint32_t)port->address4_count + port->address6_count; i++) {
        bool four = i < port->address4_count;
        const void *address = four ? (const void *)&port->address4[i] : (const void *)port->address6[i - port->address4_count];
        (void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i > 0 ? " " : "", inet_ntop(four ? AF_INET : AF_INET6, address, one, sizeof(one)));
    }
    quote_names(names, text, bytes);
}

void config_row_value(const struct setting *row, const void *item, char *text, size_t bytes)
{
    const char *at = item != NULL ? (const char *)item + row->offset : row->text;
    VX_ASSERT(bytes >= VX_NAME_BYTES);
    if (is_number(row))
        show_number(row, item != NULL ? number_at(item, row) : row->number, text, bytes);
    else if (row->type == SETTING_NAMES)
        quote_names(at, text, bytes);
    else if (row->type == SETTING_ROLES)
        show_roles(item != NULL ? *(const uint8_t *)at : 0, row->choices, text, bytes);
    else if (row->type == SETTING_ADDRESSES)
        show_addresses(item != NULL ? item : &(struct vx_config_port){ 0 }, text, bytes);
    else
        quote(at != NULL ? at : "", text, bytes);
}

void vx_config_value(const struct vx_config *config, uint32_t index, char *text, size_t bytes)
{
    const struct setting *row = row_of(index);
    VX_ASSERT(row != NULL);
    config_row_value(row, config, text, bytes);
}

/* A person's text as the row's number; false when it is none. */
static bool read_number(const struct setting *row, const char *text, uint64_t *number)
{
    char *end;
    if (row->type == SETTING_BOOLEAN) {
        *number = strcmp(text, "true") == 0;
        return *number == 1 || strcmp(text, "false") == 0;
    }
    if (row->type == SETTING_CHOICE) {
        int index = config_choice(row->choices, text);
        *number = (uint64_t)index;
        return index >= 0;
    }
    if (*text == '\0' || strspn(text, "0123456789") != strlen(text))
        return false;
    errno = 0;
    *number = strtoull(text, &end, row->type == SETTING_MODE ? 8 : 10);
    if (errno == ERANGE)
        *number = UINT64_MAX; /* of its type, and surely out of range */
    return *end == '\0';
}

static int refuse(const struct setting *row, const char *text, int code, struct vx_error *error)
{
    char expected[192];
    config_expectation(row, expected, sizeof(expected));
    return vx_error_set(error, code, "%s.%s is %.60s, expected %s", row->section, row->key, text, expected);
}

int vx_config_set(struct vx_config *config, uint32_t index, const char *text, struct vx_error *error)
{
    const struct setting *row = row_of(index);
    uint64_t number = 0;
    VX_ASSERT(row != NULL);
    char *at = (char *)config + row->offset;
    if (!is_number(row)) {
        if (strlen(text) < row->min || strlen(text) >= row->bytes || (row->type == SETTING_STRING && strlen(text) > row->max))
            return refuse(row, text, -ERANGE, error);
        if (row->type == SETTING_WORD && config_choice(row->choices, text) < 0)
            return refuse(row, text, -EINVAL, error);
        (void)strcpy(at, text);
        return 0;
    }
    if (!read_number(row, text, &number))
        return refuse(row, text, -EINVAL, error);
    bool ranged = row->type == SETTING_NUMBER || row->type == SETTING_POWER || row->type == SETTING_MODE;
    if (ranged && (number < row->min || number > row->max || (row->type == SETTING_POWER && (number & (number - 1)) != 0)))
        return refuse(row, text, -ERANGE, error);
    config_store(at, row->bytes, number);
    return 0;
}

void vx_config_copy(struct vx_config *to, const struct vx_config *from, uint32_t index)
{
    const struct setting *row = row_of(index);
    VX_ASSERT(row != NULL && is_number(row));
    config_store((char *)to + row->offset, row->bytes, number_at(from, row));
}
