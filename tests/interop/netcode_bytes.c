/* lib/netcode on standard input and output, for tests/interop/test_bytes.py: a command and its arguments a line, hexadecimal
 * where they are bytes ("-" for none), and one line of answer, or "refused" and the reason. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vx_netcode.h"

enum { WORDS_MAX = 16, LINE_BYTES = 1 << 14 };
static struct vx_netcode_replay window;

static uint32_t bytes_read(const char *text, uint8_t *out, uint32_t bytes_max)
{
    uint32_t bytes = 0;
    unsigned value;
    while (bytes < bytes_max && sscanf(text + 2 * bytes, "%2x", &value) == 1)
        out[bytes++] = (uint8_t)value;
    return bytes;
}

static void bytes_print(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        printf("%02x", bytes[i]);
    printf(count == 0 ? "-" : "");
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 0);
}

static void servers_read(char *list, struct vx_netcode_address *servers, uint32_t *count)
{
    char *rest = NULL;
    *count = 0;
    for (char *one = strtok_r(list, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest))
        VX_ASSERT(vx_netcode_address_read(one, &servers[(*count)++], NULL) == 0);
}

static void servers_print(const struct vx_netcode_address *servers, uint32_t count)
{
    char text[VX_NETCODE_ADDRESS_TEXT_BYTES];
    for (uint32_t i = 0; i < count; i++) {
        vx_netcode_address_write(&servers[i], text);
        printf("%s%s", i > 0 ? "," : "", text);
    }
}

static void refuse(const char *why)
{
    printf("refused %s\n", why);
}

/* client timeout protocol create expire key nonce client-key server-key user servers */
static void token_issue(char **words)
{
    struct vx_netcode_private private = { .client_id = number(words[0]), .timeout_s = atoi(words[1]) };
    uint8_t key[32], nonce[24], token[VX_NETCODE_TOKEN_BYTES];
    (void)bytes_read(words[5], key, sizeof(key));
    (void)bytes_read(words[6], nonce, sizeof(nonce));
    (void)bytes_read(words[7], private.client_key, 32);
    (void)bytes_read(words[8], private.server_key, 32);
    (void)bytes_read(words[9], private.user, sizeof(private.user));
    servers_read(words[10], private.servers, &private.server_count);
    vx_netcode_token_issue(&private, number(words[2]), number(words[3]), number(words[4]), nonce, key, token);
    bytes_print(token, sizeof(token));
    printf("\n");
}

/* token -> protocol create expire timeout servers client-key server-key, and the request that a client would send */
static void token_read(char **words)
{
    static uint8_t bytes[VX_NETCODE_TOKEN_BYTES + 1], request[VX_NETCODE_REQUEST_BYTES];
    struct vx_netcode_token token;
    enum vx_netcode_fault fault = vx_netcode_token_read(bytes, bytes_read(words[0], bytes, sizeof(bytes)), &token);
    if (fault != VX_NETCODE_FAULT_NONE) {
        refuse(vx_netcode_fault_sentence(fault));
        return;
    }
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %d ", token.protocol_id, token.create_s, token.expire_s, token.timeout_s);
    servers_print(token.servers, token.server_count);
    printf(" ");
    bytes_print(token.client_key, 32);
    printf(" ");
    bytes_print(token.server_key, 32);
    printf(" ");
    vx_netcode_request_write(&token, request);
    bytes_print(request, sizeof(request));
    printf("\n");
}

/* protocol now packet key [key] -> which key, client timeout servers client-key server-key user */
static void request_read(char **words)
{
    static uint8_t data[2048], text[VX_NETCODE_PRIVATE_BYTES];
    struct vx_netcode_keys keys = { .count = words[4] != NULL ? 2 : 1 };
    struct vx_netcode_packet packet;
    struct vx_netcode_request request;
    struct vx_netcode_private private;
    uint32_t bytes = bytes_read(words[2], data, sizeof(data));
    for (uint32_t i = 0; i < keys.count; i++)
        (void)bytes_read(words[3 + i], keys.keys[i], 32);
    enum vx_drop drop = vx_netcode_parse(data, bytes, VX_NETCODE_TAKEN_BY_SERVER, &packet);
    if (drop == VX_DROP_NONE)
        drop = vx_netcode_request_check(data, number(words[0]), number(words[1]), &request);
    int opened = drop == VX_DROP_NONE ? vx_netcode_private_open(request.sealed, number(words[0]), request.expire_s, request.nonce, &keys, text) : -1;
    if (drop == VX_DROP_NONE && opened < 0)
        drop = VX_DROP_NETCODE_TOKEN_FORGED;
    else if (drop == VX_DROP_NONE && vx_netcode_private_read(text, &private) != VX_NETCODE_FAULT_NONE)
        drop = VX_DROP_NETCODE_TOKEN_BAD;
    if (drop != VX_DROP_NONE) {
        refuse(vx_drop_name(drop));
        return;
    }
    printf("%d %" PRIu64 " %d ", opened, private.client_id, private.timeout_s);
    servers_print(private.servers, private.server_count);
    printf(" ");
    bytes_print(private.client_key, 32);
    printf(" ");
    bytes_print(private.server_key, 32);
    printf(" ");
    bytes_print(private.user, sizeof(private.user));
    printf("\n");
}

/* type sequence key protocol body */
static void packet_write(char **words)
{
    static uint8_t body[VX_NETCODE_PAYLOAD_BYTES_MAX + 100], out[sizeof(body) + 32];
    struct vx_netcode_aads aads;
    uint8_t key[32];
    (void)bytes_read(words[2], key, sizeof(key));
    vx_netcode_aads_make(&aads, number(words[3]));
    bytes_print(out, vx_netcode_write(out, (uint8_t)number(words[0]), number(words[1]), body, bytes_read(words[4], body, sizeof(body)), &aads, key));
    printf("\n");
}

/* server|client key protocol packet -> type sequence body; with the window that `window` resets */
static void packet_read(char **words)
{
    static uint8_t data[2048];
    struct vx_netcode_aads aads;
    struct vx_netcode_packet packet;
    uint8_t key[32];
    uint32_t bytes = bytes_read(words[3], data, sizeof(data));
    (void)bytes_read(words[1], key, sizeof(key));
    vx_netcode_aads_make(&aads, number(words[2]));
    uint32_t taken = strcmp(words[0], "server") == 0 ? VX_NETCODE_TAKEN_BY_SERVER : VX_NETCODE_TAKEN_BY_CLIENT;
    enum vx_drop drop = vx_netcode_read(data, bytes, taken, &aads, key, &window, &packet);
    if (drop != VX_DROP_NONE) {
        refuse(vx_drop_name(drop));
        return;
    }
    printf("%u %" PRIu64 " ", packet.type, packet.sequence);
    bytes_print(data + packet.offset, packet.bytes);
    printf("\n");
}

/* resets the replay window */
static void window_reset(char **words)
{
    (void)words;
    memset(&window, 0, sizeof(window));
    printf("ok\n");
}

/* client user sequence key */
static void challenge_seal(char **words)
{
    struct vx_netcode_challenge challenge = { .client_id = number(words[0]) };
    uint8_t key[32], out[VX_NETCODE_CHALLENGE_BYTES];
    (void)bytes_read(words[1], challenge.user, sizeof(challenge.user));
    (void)bytes_read(words[3], key, sizeof(key));
    vx_netcode_challenge_seal(&challenge, number(words[2]), key, out);
    bytes_print(out, sizeof(out));
    printf("\n");
}

/* sealed sequence key -> client user */
static void challenge_open(char **words)
{
    struct vx_netcode_challenge challenge;
    uint8_t key[32], sealed[VX_NETCODE_CHALLENGE_BYTES];
    (void)bytes_read(words[0], sealed, sizeof(sealed));
    (void)bytes_read(words[2], key, sizeof(key));
    if (!vx_netcode_challenge_open(sealed, number(words[1]), key, &challenge)) {
        refuse("challenge");
        return;
    }
    printf("%" PRIu64 " ", challenge.client_id);
    bytes_print(challenge.user, sizeof(challenge.user));
    printf("\n");
}

/* user -> every field in the order of docs/protocol.md */
static void user_read(char **words)
{
    uint8_t bytes[VX_NETCODE_USER_BYTES];
    struct vx_user user;
    (void)bytes_read(words[0], bytes, sizeof(bytes));
    enum vx_netcode_fault fault = vx_user_read(bytes, &user);
    if (fault != VX_NETCODE_FAULT_NONE) {
        refuse(vx_netcode_fault_sentence(fault));
        return;
    }
    printf("%u %u %u %u %u %u %.9g %.9g %u", user.shard, user.region, user.display, user.party, user.party_size, user.roles, (double)user.rating, (double)user.deviation,
           user.permissions);
    for (uint32_t i = 0; i < user.latency_count; i++)
        printf(" %u=%u", user.latencies[i].region, user.latencies[i].ms);
    printf(" %u,%u,%u,%u %u,%u\n", user.attributes[0], user.attributes[1], user.attributes[2], user.attributes[3], user.sets[0], user.sets[1]);
}

static const struct {
    const char *name;
    void (*run)(char **words);
    uint32_t words;
} commands[] = {
    { "token-issue", token_issue, 11 }, { "token-read", token_read, 1 },           { "request-read", request_read, 4 },     { "packet-write", packet_write, 5 },
    { "packet-read", packet_read, 4 },  { "window-reset", window_reset, 0 },       { "challenge-seal", challenge_seal, 4 }, { "challenge-open", challenge_open, 3 },
    { "user-read", user_read, 1 },
};

int main(void)
{
    static char line[LINE_BYTES];
    VX_ASSERT(vx_netcode_start() == 0);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *words[WORDS_MAX] = { NULL }, *rest = NULL;
        uint32_t count = 0;
        for (char *word = strtok_r(line, " \n", &rest); word != NULL && count < WORDS_MAX - 1; word = strtok_r(NULL, " \n", &rest))
            words[count++] = word;
        uint32_t i = 0;
        while (i < sizeof(commands) / sizeof(commands[0]) && (count == 0 || strcmp(commands[i].name, words[0]) != 0))
            i++;
        VX_ASSERT(i < sizeof(commands) / sizeof(commands[0]) && count > commands[i].words);
        commands[i].run(words + 1);
        (void)fflush(stdout);
    }
    return 0;
}
