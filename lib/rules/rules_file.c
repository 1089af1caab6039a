/* The bans on disk, so that they outlive the process: text, one "PREFIX UNTIL" a line, UNTIL in seconds of the
 * clock or 0. Written beside and renamed, so that the file is the old list or the new one. Control thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules_private.h"

enum { LINE_BYTES = 128 };

static int line_read(const char *path, uint32_t number, char *line, struct vx_ban *ban, struct vx_error *error)
{
    char text[LINE_BYTES];
    struct vx_error reason;
    int end = 0;
    unsigned long long until;
    if (strchr(line, '\n') == NULL || sscanf(line, "%100s %llu %n", text, &until, &end) != 2 || line[end] != '\0')
        return vx_error_set(error, -EINVAL, "%.150s:%u: expected PREFIX UNTIL", path, number);
    ban->until_s = until;
    if (vx_prefix_parse(text, &ban->prefix, &reason) != 0)
        return vx_error_set(error, -EINVAL, "%.150s:%u: %.200s", path, number, reason.text);
    return 0;
}

int vx_rules_load(struct vx_rules *rules, const char *path, struct vx_error *error)
{
    char line[LINE_BYTES];
    uint32_t count = 0;
    int rc = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT ? 0 : vx_error_set(error, -errno, "rules.file: %.200s: %s", path, strerror(errno));
    struct vx_ban *bans = calloc(rules->config.bans_max, sizeof(*bans));
    if (bans == NULL)
        rc = vx_error_set(error, -ENOMEM, "rules.file: no memory for %u bans", rules->config.bans_max);
    while (rc == 0 && fgets(line, sizeof(line), file) != NULL) {
        if (count == rules->config.bans_max)
            rc = vx_error_set(error, -ENOSPC, "rules.file: %.150s has more bans than rules.bans_max, %u", path, rules->config.bans_max);
        else
            rc = line_read(path, count + 1, line, &bans[count], error);
        count++;
    }
    (void)fclose(file);
    if (rc == 0)
        rc = vx_rules_ban_all(rules, bans, count, error);
    free(bans);
    return rc;
}

int vx_rules_save(const struct vx_rules *rules, const char *path, struct vx_error *error)
{
    char beside[VX_PATH_BYTES + 8], text[VX_PREFIX_TEXT_BYTES];
    (void)snprintf(beside, sizeof(beside), "%s.new", path);
    FILE *file = fopen(beside, "we");
    bool good = file != NULL;
    for (uint32_t i = 0; good && i < rules->ban_count; i++)
        good = fprintf(file, "%s %lu\n", vx_prefix_text(&rules->bans[i].prefix, text), rules->bans[i].until_s) > 0;
    good = good && fflush(file) == 0 && fsync(fileno(file)) == 0;
    int reason = errno;
    if (file != NULL && fclose(file) != 0)
        good = false;
    if (good && rename(beside, path) == 0)
        return 0;
    reason = good ? errno : reason;
    (void)unlink(beside);
    return vx_error_set(error, -EIO, "rules.file: cannot write %.200s: %s", path, strerror(reason));
}
