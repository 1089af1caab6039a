/* `token issue`: arguments become user data, private data and a connect token. What the encoder would refuse to read
 * again is refused here, with the argument's name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "token.h"
#include "vx_secret.h"

enum { LIST_BYTES_MAX = 2000, DAY_S = 86400 };

const struct vx_control_argument token_issue_arguments[] = {
    { "file", VX_ARGUMENT_TEXT, VX_ARGUMENT_NEEDED, 1, 4096, NULL, "", "where the token goes (2048 bytes, mode 0600); a file that exists is left as it is" },
    { "client", VX_ARGUMENT_TEXT, VX_ARGUMENT_NEEDED, 1, 20, NULL, "", "client id, 64 bits: decimal or 0x…" },
    { "server", VX_ARGUMENT_TEXT, VX_ARGUMENT_NEEDED, 1, LIST_BYTES_MAX, NULL, "", "a.b.c.d:port or [v6]:port; several, up to 32, with commas between them" },
    { "key", VX_ARGUMENT_TEXT, VX_ARGUMENT_NEEDED, 1, 4096, NULL, "", "file of the private key" },
    { "protocol", VX_ARGUMENT_TEXT, VX_ARGUMENT_NEEDED, 1, 20, NULL, "", "protocol id, 64 bits: decimal or 0x…" },
    { "expire", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, DAY_S, NULL, "s", "lifetime of the token (45)" },
    { "timeout", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, -1, 3600, NULL, "s", "silence after which either side gives up (15), not 0; -1: never, for development" },
    { "shard", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 0, VX_SHARDS_MAX - 1, NULL, "", "shard (the server chooses)" },
    { "region", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 0, UINT16_MAX, NULL, "", "region to play in (0: none in particular)" },
    { "display", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 0, UINT32_MAX, NULL, "", "display id (the client id's low 32 bits)" },
    { "party", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 0, UINT32_MAX, NULL, "", "party id (0: alone)" },
    { "party_size", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, VX_USER_PARTY_MAX, NULL, "players", "players of the party (1)" },
    { "roles", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 0, UINT16_MAX, NULL, "", "role bits (0)" },
    { "rating", VX_ARGUMENT_NUMBER, VX_ARGUMENT_NAMED, -VX_USER_RATING_MAX, VX_USER_RATING_MAX, NULL, "", "rating (1500)" },
    { "deviation", VX_ARGUMENT_NUMBER, VX_ARGUMENT_NAMED, 0, VX_USER_DEVIATION_MAX, NULL, "", "rating's deviation (350)" },
    { "permissions", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 0, 100, NULL, "", "play, ranked, observe, test, with commas between them (play,ranked)" },
    { "latencies", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 0, 100, NULL, "", "REGION=MS, up to 8, with commas between them" },
    { "attributes", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 0, 100, NULL, "", "the game's attributes, up to 4 numbers below 256 with commas between them (0)" },
    { "sets", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 0, 100, NULL, "", "the game's sets, up to 2 masks below 65536 with commas between them (0: any)" },
    { .name = NULL },
};

static int servers_read(const char *list, struct vx_netcode_private *private, struct vx_error *error)
{
    char copy[LIST_BYTES_MAX + 1], *rest = NULL;
    (void)snprintf(copy, sizeof(copy), "%s", list);
    for (char *one = strtok_r(copy, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        if (private->server_count == VX_NETCODE_SERVERS_MAX)
            return vx_error_set(error, -EINVAL, "server: more than %d addresses", VX_NETCODE_SERVERS_MAX);
        if (vx_netcode_address_read(one, &private->servers[private->server_count++], error) != 0)
            return -EINVAL;
    }
    return private->server_count > 0 ? 0 : vx_error_set(error, -EINVAL, "server: \"%.60s\" names none", list);
}

static int permissions_read(const char *list, uint32_t *permissions, struct vx_error *error)
{
    char copy[101], *rest = NULL;
    (void)snprintf(copy, sizeof(copy), "%s", list);
    for (char *one = strtok_r(copy, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        uint32_t bit = 0;
        while (token_permission_name(bit) != NULL && strcmp(token_permission_name(bit), one) != 0)
            bit++;
        if (token_permission_name(bit) == NULL)
            return vx_error_set(error, -EINVAL, "permissions: there is no \"%.60s\", expected play, ranked, observe or test", one);
        *permissions |= 1u << bit;
    }
    return 0;
}

static int latencies_read(const char *list, struct vx_user *user, struct vx_error *error)
{
    char copy[101], *rest = NULL;
    (void)snprintf(copy, sizeof(copy), "%s", list);
    for (char *one = strtok_r(copy, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        char *equals = strchr(one, '=');
        uint64_t region = 0, ms = 0;
        if (equals != NULL)
            *equals = '\0';
        if (user->latency_count == VX_USER_LATENCIES_MAX || equals == NULL || !token_number_read(one, &region) || !token_number_read(equals + 1, &ms) ||
            region > UINT16_MAX || ms > UINT16_MAX)
            return vx_error_set(error, -EINVAL, "latencies: \"%.60s\" is not REGION=MS, or the ninth", list);
        user->latencies[user->latency_count].region = (uint16_t)region;
        user->latencies[user->latency_count++].ms = (uint16_t)ms;
    }
    return 0;
}

/* Up to `count` numbers below `limit`. */
static int numbers_read(const char *key, const char *list, uint32_t count, uint64_t limit, uint16_t *numbers, struct vx_error *error)
{
    char copy[101], *rest = NULL;
    uint32_t read = 0;
    (void)snprintf(copy, sizeof(copy), "%s", list);
    for (char *one = strtok_r(copy, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        uint64_t number = 0;
        if (read == count || !token_number_read(one, &number) || number >= limit)
            return vx_error_set(error, -EINVAL, "%s: \"%.60s\", expected at most %u numbers below %lu", key, list, count, limit);
        numbers[read++] = (uint16_t)number;
    }
    return 0;
}

static int user_make(const struct vx_control_call *call, uint64_t client_id, uint8_t out[VX_NETCODE_USER_BYTES], struct vx_error *error)
{
    struct vx_user user = {
        .shard = (uint16_t)vx_control_whole(call, "shard", VX_USER_SHARD_ANY),
        .region = (uint16_t)vx_control_whole(call, "region", 0),
        .display = (uint32_t)vx_control_whole(call, "display", (int64_t)(client_id & UINT32_MAX)),
        .party = (uint32_t)vx_control_whole(call, "party", 0),
        .party_size = (uint8_t)vx_control_whole(call, "party_size", 1),
        .roles = (uint16_t)vx_control_whole(call, "roles", 0),
        .rating = (float)vx_control_number(call, "rating", 1500),
        .deviation = (float)vx_control_number(call, "deviation", 350),
    };
    uint16_t attributes[VX_USER_ATTRIBUTES] = { 0 };
    if (permissions_read(vx_control_text(call, "permissions", "play,ranked"), &user.permissions, error) != 0 ||
        latencies_read(vx_control_text(call, "latencies", ""), &user, error) != 0 ||
        numbers_read("attributes", vx_control_text(call, "attributes", ""), VX_USER_ATTRIBUTES, UINT8_MAX + 1, attributes, error) != 0 ||
        numbers_read("sets", vx_control_text(call, "sets", ""), VX_USER_SETS, UINT16_MAX + 1, user.sets, error) != 0)
        return -EINVAL;
    for (uint32_t i = 0; i < VX_USER_ATTRIBUTES; i++)
        user.attributes[i] = (uint8_t)attributes[i];
    vx_user_write(&user, out);
    enum vx_netcode_fault fault = vx_user_read(out, &user);
    return fault == VX_NETCODE_FAULT_NONE ? 0 : vx_error_set(error, -EINVAL, "%s", vx_netcode_fault_sentence(fault));
}

static int private_make(const struct vx_control_call *call, struct vx_netcode_private *private, uint64_t *protocol_id, struct vx_error *error)
{
    const char *client = vx_control_text(call, "client", ""), *protocol = vx_control_text(call, "protocol", "");
    if (!token_number_read(client, &private->client_id))
        return vx_error_set(error, -EINVAL, "client is \"%s\", expected a number of 64 bits", client);
    if (!token_number_read(protocol, protocol_id))
        return vx_error_set(error, -EINVAL, "protocol is \"%s\", expected a number of 64 bits", protocol);
    private->timeout_s = (int32_t)vx_control_whole(call, "timeout", 15);
    if (private->timeout_s == 0)
        return vx_error_set(error, -EINVAL, "timeout is 0, which would end the session at once; expected -1 (never, for development) or 1 to 3600 s");
    vx_secret_draw(private->client_key, sizeof(private->client_key));
    vx_secret_draw(private->server_key, sizeof(private->server_key));
    int rc = servers_read(vx_control_text(call, "server", ""), private, error);
    return rc != 0 ? rc : user_make(call, private->client_id, private->user, error);
}

json_t *token_issue(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct vx_netcode_private private = { .server_count = 0 };
    const char *path = vx_control_text(call, "file", "");
    uint8_t key[VX_NETCODE_KEY_BYTES], nonce[VX_NETCODE_TOKEN_NONCE_BYTES], token[VX_NETCODE_TOKEN_BYTES];
    uint64_t protocol_id, create_s = (uint64_t)time(NULL), expire_s = create_s + (uint64_t)vx_control_whole(call, "expire", 45);
    (void)context;
    if (private_make(call, &private, &protocol_id, error) != 0) {
        call->code = VX_CONTROL_BAD_ARGUMENT;
        return NULL;
    }
    if (vx_netcode_start() != 0 || vx_secret_key_read(vx_control_text(call, "key", ""), key, error) != 0)
        return NULL;
    vx_secret_draw(nonce, sizeof(nonce));
    vx_netcode_token_issue(&private, protocol_id, create_s, expire_s, nonce, key, token);
    vx_netcode_wipe(key, sizeof(key));
    vx_netcode_wipe(&private, sizeof(private));
    if (vx_secret_file_create(path, token, sizeof(token), error) != 0)
        return NULL;
    return json_pack("{s:s,s:s,s:I}", "file", path, "client", vx_control_text(call, "client", ""), "expire_s", (json_int_t)expire_s);
}
