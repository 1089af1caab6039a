/* `token inspect`: what the client can read of a token and, with the private key, what the server will. Keys of the
 * session are shown only when asked for: who has them can read and forge that session's packets. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "token.h"
#include "vx_secret.h"

const struct vx_control_argument token_inspect_arguments[] = {
    { "file", VX_ARGUMENT_TEXT, VX_ARGUMENT_NEEDED, 1, 4096, NULL, "", "the connect token" },
    { "key", VX_ARGUMENT_TEXT, VX_ARGUMENT_NAMED, 1, 4096, NULL, "", "file of the private key: opens the sealed part, too" },
    { "secrets", VX_ARGUMENT_FLAG, VX_ARGUMENT_NAMED, 0, 0, NULL, "", "shows the session's keys, as the Wireshark dissector wants them" },
    { .name = NULL },
};

static int token_file_read(const char *path, struct vx_netcode_token *token, struct vx_error *error)
{
    uint8_t content[VX_NETCODE_TOKEN_BYTES + 1];
    size_t bytes = 0;
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return vx_error_set(error, -errno, "%s cannot be read: %s", path, strerror(errno));
    while (bytes < sizeof(content) && (got = read(fd, content + bytes, sizeof(content) - bytes)) > 0)
        bytes += (size_t)got;
    (void)close(fd);
    if (got < 0)
        return vx_error_set(error, -EIO, "%s cannot be read", path);
    enum vx_netcode_fault fault = vx_netcode_token_read(content, bytes, token);
    return fault == VX_NETCODE_FAULT_NONE ? 0 : vx_error_set(error, -EINVAL, "%s is no connect token: %s", path, vx_netcode_fault_sentence(fault));
}

static json_t *hex(const uint8_t *bytes, size_t count)
{
    char text[2 * VX_NETCODE_KEY_BYTES + 1];
    for (size_t i = 0; i < count; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return json_string(text);
}

static json_t *number(const char *format, uint64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), format, value);
    return json_string(text);
}

static json_t *servers_json(const struct vx_netcode_address *servers, uint32_t count)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        char text[VX_NETCODE_ADDRESS_TEXT_BYTES];
        vx_netcode_address_write(&servers[i], text);
        (void)json_array_append_new(list, json_string(text));
    }
    return list;
}

static json_t *permissions_json(uint32_t permissions)
{
    json_t *list = json_array();
    for (uint32_t bit = 0; token_permission_name(bit) != NULL; bit++)
        if (permissions >> bit & 1)
            (void)json_array_append_new(list, json_string(token_permission_name(bit)));
    return list;
}

static json_t *user_json(const uint8_t bytes[VX_NETCODE_USER_BYTES])
{
    struct vx_user user;
    enum vx_netcode_fault fault = vx_user_read(bytes, &user);
    if (fault != VX_NETCODE_FAULT_NONE)
        return json_pack("{s:s}", "refused", vx_netcode_fault_sentence(fault));
    json_t *latencies = json_array();
    for (uint32_t i = 0; i < user.latency_count; i++)
        (void)json_array_append_new(latencies, json_pack("{s:i,s:i}", "region", user.latencies[i].region, "ms", user.latencies[i].ms));
    json_t *attributes = json_array(), *sets = json_array();
    for (uint32_t i = 0; i < VX_USER_ATTRIBUTES; i++)
        (void)json_array_append_new(attributes, json_integer(user.attributes[i]));
    for (uint32_t i = 0; i < VX_USER_SETS; i++)
        (void)json_array_append_new(sets, json_integer(user.sets[i]));
    return json_pack("{s:o,s:i,s:I,s:I,s:i,s:i,s:f,s:f,s:o,s:o,s:o,s:o}", "shard", user.shard == VX_USER_SHARD_ANY ? json_string("any") : json_integer(user.shard), "region",
                     user.region, "display", (json_int_t)user.display, "party", (json_int_t)user.party, "party_size", user.party_size, "roles", user.roles, "rating",
                     (double)user.rating, "deviation", (double)user.deviation, "permissions", permissions_json(user.permissions), "latencies", latencies, "attributes", attributes,
                     "sets", sets);
}

/* What the token says twice has to be the same, or client and server would disagree from the first packet on. */
static bool same(const struct vx_netcode_token *token, const struct vx_netcode_private *private)
{
    bool servers = token->server_count == private->server_count;
    for (uint32_t i = 0; servers && i < token->server_count; i++)
        servers = vx_netcode_address_same(&token->servers[i], &private->servers[i]);
    return servers && token->timeout_s == private->timeout_s && memcmp(token->client_key, private->client_key, VX_NETCODE_KEY_BYTES) == 0 &&
           memcmp(token->server_key, private->server_key, VX_NETCODE_KEY_BYTES) == 0;
}

/* Adds what only the key's owner can read. */
static int private_show(json_t *shown, const struct vx_netcode_token *token, const char *key_path, struct vx_error *error)
{
    struct vx_netcode_keys keys = { .count = 1 };
    struct vx_netcode_private private;
    uint8_t text[VX_NETCODE_PRIVATE_BYTES];
    if (vx_secret_key_read(key_path, keys.keys[0], error) != 0)
        return -EINVAL;
    int opened = vx_netcode_private_open(token->sealed, token->protocol_id, token->expire_s, token->nonce, &keys, text);
    vx_netcode_wipe(&keys, sizeof(keys));
    if (opened < 0)
        return vx_error_set(error, -EINVAL, "the sealed part does not open under the key of %s", key_path);
    enum vx_netcode_fault fault = vx_netcode_private_read(text, &private);
    if (fault != VX_NETCODE_FAULT_NONE)
        return vx_error_set(error, -EINVAL, "the sealed part opens, but %s", vx_netcode_fault_sentence(fault));
    (void)json_object_set_new(shown, "client", number("%" PRIu64, private.client_id));
    (void)json_object_set_new(shown, "parts_agree", json_boolean(same(token, &private)));
    (void)json_object_set_new(shown, "sealed_servers", servers_json(private.servers, private.server_count));
    (void)json_object_set_new(shown, "user", user_json(private.user));
    vx_netcode_wipe(&private, sizeof(private));
    vx_netcode_wipe(text, sizeof(text));
    return 0;
}

/* `wireshark`: a line of the dissector's key file. */
static void secrets_show(json_t *shown, const struct vx_netcode_token *token)
{
    json_t *client_key = hex(token->client_key, VX_NETCODE_KEY_BYTES), *server_key = hex(token->server_key, VX_NETCODE_KEY_BYTES);
    (void)json_object_set_new(shown, "client_key", client_key);
    (void)json_object_set_new(shown, "server_key", server_key);
    (void)json_object_set_new(shown, "wireshark", json_sprintf("0x%" PRIx64 " %s %s", token->protocol_id, json_string_value(client_key), json_string_value(server_key)));
}

/* A token that never expires says so with the largest time there is; JSON's integers end sooner. */
static json_int_t left_s(uint64_t expire_s, uint64_t now_s)
{
    uint64_t left = expire_s > now_s ? expire_s - now_s : 0;
    return left < INT64_MAX ? (json_int_t)left : INT64_MAX;
}

json_t *token_inspect(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct vx_netcode_token token;
    const char *key_path = vx_control_text(call, "key", NULL);
    uint64_t now_s = (uint64_t)time(NULL);
    (void)context;
    if (vx_netcode_start() != 0 || token_file_read(vx_control_text(call, "file", ""), &token, error) != 0)
        return NULL;
    json_t *shown = json_pack("{s:o,s:o,s:o,s:I,s:b,s:i,s:o}", "protocol", number("0x%" PRIx64, token.protocol_id), "created_s", number("%" PRIu64, token.create_s),
                              "expires_s", number("%" PRIu64, token.expire_s), "left_s", left_s(token.expire_s, now_s), "expired",
                              token.expire_s <= now_s, "timeout_s", token.timeout_s, "servers", servers_json(token.servers, token.server_count));
    if (vx_control_flag(call, "secrets"))
        secrets_show(shown, &token);
    if (key_path != NULL && private_show(shown, &token, key_path, error) != 0) {
        json_decref(shown);
        return NULL;
    }
    return shown;
}
