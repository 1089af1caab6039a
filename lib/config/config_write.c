/* From struct vx_config to text: to compare two configurations, and to save the running one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_private.h"

enum { ITEM_BYTES = 2048, VALUE_BYTES = 640 };

static uint32_t list_count(const struct vx_config *config, const struct config_list *list)
{
    return *(const uint32_t *)((const char *)config + list->count);
}

/* The list's i-th table as a line of the file, keys with their defaults left out; "" behind the list's end. */
static void item_text(const struct vx_config *config, const struct config_list *list, uint32_t i, char text[ITEM_BYTES])
{
    int used = 0;
    text[0] = '\0';
    if (i >= list_count(config, list))
        return;
    struct vx_config_lcore lcore;
    const void *item = (const char *)config + list->items + (size_t)i * list->item_bytes;
    if (strcmp(list->section, "lcores") == 0) { /* in files ports are counted from 1 */
        lcore = config->lcores[i];
        lcore.port = lcore.roles & VX_ROLE_IO ? (uint8_t)(lcore.port + 1) : 0;
        item = &lcore;
    }
    for (uint32_t row = 0; row < config_setting_count && used < ITEM_BYTES; row++) {
        char value[VALUE_BYTES], otherwise[VALUE_BYTES];
        const struct setting *setting = &config_settings[row];
        if (strcmp(setting->section, list->section) != 0)
            continue;
        config_row_value(setting, item, value, sizeof(value));
        config_row_value(setting, NULL, otherwise, sizeof(otherwise));
        if (strcmp(value, otherwise) != 0)
            used += snprintf(text + used, ITEM_BYTES - (size_t)used, "%s%s = %s", used > 0 ? ", " : "{ ", setting->key, value);
    }
    if (used < ITEM_BYTES)
        (void)snprintf(text + used, ITEM_BYTES - (size_t)used, " }");
}

/* A mode that keeps its name and its place may change while the system runs. */
static bool item_is_live(const struct vx_config *a, const struct vx_config *b, const struct config_list *list, uint32_t i)
{
    return strcmp(list->section, "modes") == 0 && a->mode_count == b->mode_count && strcmp(a->modes[i].name, b->modes[i].name) == 0;
}

static void diff_list(const struct vx_config *a, const struct vx_config *b, const struct config_list *list, vx_config_difference *visit, void *context)
{
    for (uint32_t i = 0; i < list_count(a, list) || i < list_count(b, list); i++) {
        char text_a[ITEM_BYTES], text_b[ITEM_BYTES], name[VX_NAME_BYTES];
        item_text(a, list, i, text_a);
        item_text(b, list, i, text_b);
        (void)snprintf(name, sizeof(name), "%s[%u]", list->section, i + 1);
        if (strcmp(text_a, text_b) != 0)
            visit(context, name, text_a, text_b, item_is_live(a, b, list, i));
    }
}

void vx_config_diff(const struct vx_config *a, const struct vx_config *b, vx_config_difference *visit, void *context)
{
    for (uint32_t i = 0; i < vx_config_key_count(); i++) {
        char text_a[VALUE_BYTES], text_b[VALUE_BYTES];
        struct vx_config_key key;
        vx_config_value(a, i, text_a, sizeof(text_a));
        vx_config_value(b, i, text_b, sizeof(text_b));
        vx_config_key(i, &key);
        if (strcmp(text_a, text_b) != 0)
            visit(context, key.name, text_a, text_b, key.effect[0] != '\0');
    }
    for (uint32_t i = 0; i < CONFIG_LISTS; i++)
        diff_list(a, b, &config_lists[i], visit, context);
}

static void write_list(FILE *to, const struct vx_config *config, const struct config_list *list)
{
    if (list_count(config, list) == 0)
        return;
    (void)fprintf(to, "    %s = {\n", list->section);
    for (uint32_t i = 0; i < list_count(config, list); i++) {
        char text[ITEM_BYTES];
        item_text(config, list, i, text);
        (void)fprintf(to, "        %s,\n", text);
    }
    (void)fprintf(to, "    },\n");
}

static void write_section_end(FILE *to, const char *section)
{
    if (section[0] != '\0')
        (void)fprintf(to, "    },\n");
}

static void write_keys(FILE *to, const struct vx_config *config)
{
    char section[VX_NAME_BYTES] = "";
    for (uint32_t i = 0; i < vx_config_key_count(); i++) {
        char text[VALUE_BYTES], otherwise[VALUE_BYTES];
        struct vx_config_key key;
        vx_config_key(i, &key);
        vx_config_value(config, i, text, sizeof(text));
        vx_config_value(NULL, i, otherwise, sizeof(otherwise));
        if (strcmp(text, otherwise) == 0)
            continue;
        int length = (int)strcspn(key.name, ".");
        if (strncmp(section, key.name, (size_t)length) != 0 || section[length] != '\0') {
            write_section_end(to, section);
            (void)snprintf(section, sizeof(section), "%.*s", length, key.name);
            (void)fprintf(to, "    %s = {\n", section);
        }
        (void)fprintf(to, "        %s = %s, -- %s%s%s; default %s\n", key.name + length + 1, text, key.sentence, key.unit[0] != '\0' ? ", " : "", key.unit, otherwise);
    }
    write_section_end(to, section);
}

static bool write_all(FILE *to, const struct vx_config *config)
{
    (void)fprintf(to, "-- Saved by veltrixd; the file before it is beside it as .before. What is not here has its default.\nreturn {\n");
    for (uint32_t i = 0; i < CONFIG_LISTS; i++)
        write_list(to, config, &config_lists[i]);
    write_keys(to, config);
    (void)fprintf(to, "}\n");
    return fflush(to) == 0 && ferror(to) == 0 && fsync(fileno(to)) == 0;
}

int vx_config_save(const struct vx_config *config, const char *path, struct vx_error *error)
{
    char fresh[VX_PATH_BYTES + 16], before[VX_PATH_BYTES + 16];
    (void)snprintf(fresh, sizeof(fresh), "%.*s.new", VX_PATH_BYTES, path);
    (void)snprintf(before, sizeof(before), "%.*s.before", VX_PATH_BYTES, path);
    FILE *to = fopen(fresh, "we");
    if (to == NULL)
        return vx_error_set(error, -errno, "%.200s: cannot be written: %s", fresh, strerror(errno));
    bool written = write_all(to, config);
    if (fclose(to) != 0 || !written) {
        (void)unlink(fresh);
        return vx_error_set(error, -EIO, "%.200s: cannot be written to its end: %s", fresh, strerror(errno));
    }
    (void)unlink(before);
    if (link(path, before) != 0 && errno != ENOENT) /* the old file stays in place until the new one is there */
        return vx_error_set(error, -errno, "%.200s: cannot keep the file before: %s", before, strerror(errno));
    if (rename(fresh, path) != 0)
        return vx_error_set(error, -errno, "%.200s: cannot be replaced: %s", path, strerror(errno));
    return 0;
}
