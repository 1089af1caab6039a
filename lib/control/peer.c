/* Who is at the other end of the socket, by the kernel's word, and what that allows: root, our own user and the
 * admins may change; members of the group may look; with no group given, whoever the file's mode lets in. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_private.h"

enum { GROUPS_MAX = 1024 };

/* "name" or "1000"; false when the system knows no such user. */
static bool user_of(const char *word, uid_t *uid)
{
    char *end;
    unsigned long number = strtoul(word, &end, 10);
    if (*word != '\0' && *end == '\0') {
        *uid = (uid_t)number;
        return true;
    }
    const struct passwd *user = getpwnam(word);
    if (user != NULL)
        *uid = user->pw_uid;
    return user != NULL;
}

/* Calls visit for each word of the list until it says true; true when it did. */
static bool any_word(const char *list, bool (*visit)(const char *word, void *context), void *context)
{
    char copy[ADMINS_BYTES], *rest = NULL;
    (void)snprintf(copy, sizeof(copy), "%s", list);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        if (visit(word, context))
            return true;
    return false;
}

static bool is_stranger(const char *word, void *context)
{
    uid_t uid;
    if (user_of(word, &uid))
        return false;
    (void)vx_error_set(context, 0, "control.admins: there is no user \"%.60s\"", word);
    return true;
}

static bool is_user(const char *word, void *context)
{
    uid_t uid;
    return user_of(word, &uid) && uid == *(const uid_t *)context;
}

int peer_rules_set(struct peer_rules *rules, const struct vx_control_config *config, struct vx_error *error)
{
    *rules = (struct peer_rules){ .mode = config->mode };
    if (strlen(config->admins) >= sizeof(rules->admins))
        return vx_error_set(error, -EINVAL, "control.admins: %zu bytes of names, expected at most %zu", strlen(config->admins), sizeof(rules->admins) - 1);
    (void)strcpy(rules->admins, config->admins);
    if (any_word(rules->admins, is_stranger, error))
        return -EINVAL;
    if (config->group[0] == '\0')
        return 0;
    const struct group *group = getgrnam(config->group);
    if (group == NULL)
        return vx_error_set(error, -EINVAL, "control.group: there is no group \"%.60s\" (mend: groupadd --system %.60s)", config->group, config->group);
    rules->group = group->gr_gid;
    rules->has_group = true;
    return 0;
}

static bool in_group(int fd, gid_t primary, gid_t group)
{
    static gid_t groups[GROUPS_MAX]; /* control thread */
    socklen_t bytes = sizeof(groups);
    if (primary == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) != 0)
        return false;
    for (size_t i = 0; i < bytes / sizeof(groups[0]); i++)
        if (groups[i] == group)
            return true;
    return false;
}

bool peer_read(const struct peer_rules *rules, int fd, struct vx_control_peer *peer)
{
    struct ucred credentials;
    socklen_t bytes = sizeof(credentials);
    *peer = (struct vx_control_peer){ .name = "?" };
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0)
        return false;
    peer->pid = credentials.pid;
    peer->uid = credentials.uid;
    peer->gid = credentials.gid;
    const struct passwd *user = getpwuid(peer->uid);
    if (user != NULL)
        (void)snprintf(peer->name, sizeof(peer->name), "%s", user->pw_name);
    else
        (void)snprintf(peer->name, sizeof(peer->name), "%u", peer->uid);
    bool owner = peer->uid == 0 || peer->uid == geteuid();
    peer->admin = owner || any_word(rules->admins, is_user, &peer->uid);
    if (peer->admin)
        return true;
    /* With an owner-only mode anybody else (past it by a capability, or a folder's tricks) is a surprise. */
    return rules->has_group ? in_group(fd, peer->gid, rules->group) : (rules->mode & 077) != 0;
}
