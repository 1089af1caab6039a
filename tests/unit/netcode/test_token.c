/* netcode tokens: written, sealed, opened and read again; forged, cut, expired, for others; and addresses as text. */
#include <errno.h>

#include "netcode_test.h"

#define PROTOCOL_ID 0x1122334455667788u
enum { CREATED_S = 1000, EXPIRES_S = 1030 };
static struct vx_netcode_private private;
static struct vx_netcode_keys keys;
static uint8_t nonce[VX_NETCODE_TOKEN_NONCE_BYTES], token[VX_NETCODE_TOKEN_BYTES];

static void set_up(void)
{
    private = (struct vx_netcode_private){ .client_id = 0x0102030405060708, .timeout_s = 15, .server_count = 2 };
    VX_ASSERT(vx_netcode_address_read("127.0.0.1:40000", &private.servers[0], NULL) == 0);
    VX_ASSERT(vx_netcode_address_read("[fe80::202:b3ff:fe1e:8329]:50000", &private.servers[1], NULL) == 0);
    pattern(private.client_key, 32, 3, 1);
    pattern(private.server_key, 32, 5, 2);
    pattern(private.user, sizeof(private.user), 7, 13);
    keys.count = 1;
    pattern(keys.keys[0], 32, 11, 3);
    pattern(keys.keys[1], 32, 13, 5);
    pattern(nonce, sizeof(nonce), 17, 9);
    vx_netcode_token_issue(&private, PROTOCOL_ID, CREATED_S, EXPIRES_S, nonce, keys.keys[0], token);
}

/* Written out from the standard's table. */
static void private_data_lies_as_the_standard_says(void)
{
    static const char expected[] = "0807060504030201 0f000000 02000000 01 7f000001 409c 02 80fe 0000 0000 0000 0202 ffb3 1efe 2983 50c3";
    uint8_t out[VX_NETCODE_PRIVATE_BYTES], head[64];
    struct vx_netcode_private again;
    vx_netcode_private_write(&private, out);
    uint32_t bytes = hex_read(expected, head);
    CU_ASSERT_EQUAL(memcmp(out, head, bytes), 0);
    CU_ASSERT(memcmp(out + bytes, private.client_key, 32) == 0 && memcmp(out + bytes + 32, private.server_key, 32) == 0);
    CU_ASSERT_EQUAL(memcmp(out + bytes + 64, private.user, 256), 0);
    for (uint32_t i = bytes + 64 + 256; i < sizeof(out); i++)
        CU_ASSERT_EQUAL(out[i], 0);
    CU_ASSERT_EQUAL(vx_netcode_private_read(out, &again), VX_NETCODE_FAULT_NONE);
    CU_ASSERT(again.client_id == private.client_id && again.timeout_s == 15 && again.server_count == 2);
    CU_ASSERT(vx_netcode_address_same(&again.servers[0], &private.servers[0]) && vx_netcode_address_same(&again.servers[1], &private.servers[1]));
    CU_ASSERT(memcmp(again.client_key, private.client_key, 32) == 0 && memcmp(again.server_key, private.server_key, 32) == 0);
    CU_ASSERT_EQUAL(memcmp(again.user, private.user, 256), 0);
}

static void a_token_lies_as_the_standard_says(void)
{
    static const char expected[] = "4e4554434f444520312e303200 8877665544332211 e803000000000000 0604000000000000";
    uint8_t head[64], sealed[VX_NETCODE_PRIVATE_BYTES];
    struct vx_netcode_token read;
    uint32_t bytes = hex_read(expected, head);
    CU_ASSERT_EQUAL(memcmp(token, head, bytes), 0);
    CU_ASSERT_EQUAL(memcmp(token + bytes, nonce, 24), 0);
    vx_netcode_private_write(&private, sealed);
    vx_netcode_private_seal(sealed, PROTOCOL_ID, EXPIRES_S, nonce, keys.keys[0]);
    CU_ASSERT_EQUAL(memcmp(token + bytes + 24, sealed, 1024), 0);
    CU_ASSERT_EQUAL(memcmp(token + bytes + 24 + 1024, "\x0f\0\0\0\x02\0\0\0\x01", 9), 0);
    CU_ASSERT_EQUAL_FATAL(vx_netcode_token_read(token, sizeof(token), &read), VX_NETCODE_FAULT_NONE);
    CU_ASSERT(read.protocol_id == PROTOCOL_ID && read.create_s == CREATED_S && read.expire_s == EXPIRES_S && read.timeout_s == 15 && read.server_count == 2);
    CU_ASSERT(memcmp(read.client_key, private.client_key, 32) == 0 && memcmp(read.server_key, private.server_key, 32) == 0);
    uint8_t again[VX_NETCODE_TOKEN_BYTES];
    vx_netcode_token_write(&read, again);
    CU_ASSERT_EQUAL(memcmp(again, token, sizeof(again)), 0);
}

static void the_largest_token_fits(void)
{
    struct vx_netcode_private largest = private, read;
    uint8_t out[VX_NETCODE_PRIVATE_BYTES];
    largest.server_count = VX_NETCODE_SERVERS_MAX;
    for (uint32_t i = 0; i < VX_NETCODE_SERVERS_MAX; i++) {
        largest.servers[i] = private.servers[1];
        largest.servers[i].port = (uint16_t)(50000 + i);
    }
    vx_netcode_token_issue(&largest, PROTOCOL_ID, CREATED_S, EXPIRES_S, nonce, keys.keys[0], token);
    struct vx_netcode_token whole;
    CU_ASSERT_EQUAL_FATAL(vx_netcode_token_read(token, sizeof(token), &whole), VX_NETCODE_FAULT_NONE);
    CU_ASSERT_EQUAL_FATAL(vx_netcode_private_open(whole.sealed, PROTOCOL_ID, EXPIRES_S, nonce, &keys, out), 0);
    CU_ASSERT_EQUAL_FATAL(vx_netcode_private_read(out, &read), VX_NETCODE_FAULT_NONE);
    CU_ASSERT(read.server_count == 32 && read.servers[31].port == 50031 && memcmp(read.user, private.user, 256) == 0);
}

static int open_with(const uint8_t *sealed, uint64_t protocol_id, uint64_t expire_s)
{
    uint8_t out[VX_NETCODE_PRIVATE_BYTES];
    return vx_netcode_private_open(sealed, protocol_id, expire_s, nonce, &keys, out);
}

static void both_keys_open(void)
{
    uint8_t sealed[VX_NETCODE_PRIVATE_BYTES];
    for (uint32_t i = 0; i < 2; i++) {
        vx_netcode_private_write(&private, sealed);
        vx_netcode_private_seal(sealed, PROTOCOL_ID, EXPIRES_S, nonce, keys.keys[i]);
        keys.count = 1;
        CU_ASSERT_EQUAL(open_with(sealed, PROTOCOL_ID, EXPIRES_S), i == 0 ? 0 : -1);
        keys.count = 2;
        CU_ASSERT_EQUAL(open_with(sealed, PROTOCOL_ID, EXPIRES_S), (int)i);
    }
}

static void what_is_not_the_backends_does_not_open(void)
{
    struct vx_netcode_token read;
    CU_ASSERT_EQUAL(vx_netcode_token_read(token, sizeof(token), &read), VX_NETCODE_FAULT_NONE);
    CU_ASSERT_EQUAL(open_with(read.sealed, PROTOCOL_ID, EXPIRES_S), 0);
    CU_ASSERT_EQUAL(open_with(read.sealed, PROTOCOL_ID + 1, EXPIRES_S), -1);
    CU_ASSERT_EQUAL(open_with(read.sealed, PROTOCOL_ID, EXPIRES_S + 3600), -1); /* nobody lengthens a token's life */
    uint32_t opened = 0;
    for (uint32_t bit = 0; bit < 8 * VX_NETCODE_PRIVATE_BYTES; bit++) {
        read.sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        opened += open_with(read.sealed, PROTOCOL_ID, EXPIRES_S) >= 0;
        read.sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CU_ASSERT_EQUAL(opened, 0);
    nonce[23] ^= 1;
    CU_ASSERT_EQUAL(open_with(read.sealed, PROTOCOL_ID, EXPIRES_S), -1);
}

static enum vx_netcode_fault private_fault(uint32_t offset, uint32_t bytes, uint32_t value)
{
    uint8_t out[VX_NETCODE_PRIVATE_BYTES];
    struct vx_netcode_private read;
    vx_netcode_private_write(&private, out);
    memcpy(out + offset, &value, bytes);
    return vx_netcode_private_read(out, &read);
}

static void private_fields_are_checked(void)
{
    for (uint32_t count = 0; count < 40; count++) /* beyond two addresses lie keys: their bytes are no address types */
        if (count == 0 || count > 32)
            CU_ASSERT_EQUAL(private_fault(12, 4, count), VX_NETCODE_FAULT_SERVER_COUNT);
    CU_ASSERT_EQUAL(private_fault(12, 4, 1), VX_NETCODE_FAULT_NONE);
    CU_ASSERT_EQUAL(private_fault(12, 4, 0x80000001), VX_NETCODE_FAULT_SERVER_COUNT);
    CU_ASSERT_EQUAL(private_fault(12, 4, UINT32_MAX), VX_NETCODE_FAULT_SERVER_COUNT);
    for (uint32_t type = 0; type < 256; type++)
        if (type != 1 && type != 2)
            CU_ASSERT_EQUAL(private_fault(16, 1, type), VX_NETCODE_FAULT_ADDRESS_TYPE);
    CU_ASSERT_EQUAL(private_fault(8, 4, UINT32_MAX), VX_NETCODE_FAULT_NONE); /* no time-out, for development */
}

static enum vx_netcode_fault token_fault(uint32_t offset, uint32_t bytes, uint32_t value)
{
    uint8_t spoilt[VX_NETCODE_TOKEN_BYTES];
    struct vx_netcode_token read;
    memcpy(spoilt, token, sizeof(spoilt));
    memcpy(spoilt + offset, &value, bytes);
    return vx_netcode_token_read(spoilt, sizeof(spoilt), &read);
}

static void token_fields_are_checked(void)
{
    struct vx_netcode_token read;
    CU_ASSERT_EQUAL(vx_netcode_token_read(token, 0, &read), VX_NETCODE_FAULT_TOKEN_LENGTH);
    CU_ASSERT_EQUAL(vx_netcode_token_read(token, sizeof(token) - 1, &read), VX_NETCODE_FAULT_TOKEN_LENGTH);
    CU_ASSERT_EQUAL(vx_netcode_token_read(token, sizeof(token) + 1, &read), VX_NETCODE_FAULT_TOKEN_LENGTH);
    for (uint32_t i = 0; i < 13; i++)
        CU_ASSERT_EQUAL(token_fault(i, 1, token[i] ^ 1u), VX_NETCODE_FAULT_TOKEN_VERSION);
    CU_ASSERT_EQUAL(token_fault(21, 4, EXPIRES_S), VX_NETCODE_FAULT_NONE);
    CU_ASSERT_EQUAL(token_fault(21, 4, EXPIRES_S + 1), VX_NETCODE_FAULT_TOKEN_TIMES);
    CU_ASSERT_EQUAL(token_fault(1089, 4, 0), VX_NETCODE_FAULT_SERVER_COUNT);
    CU_ASSERT_EQUAL(token_fault(1089, 4, 33), VX_NETCODE_FAULT_SERVER_COUNT);
    CU_ASSERT_EQUAL(token_fault(1093, 1, 0), VX_NETCODE_FAULT_ADDRESS_TYPE);
    CU_ASSERT_EQUAL(token_fault(1093, 1, 3), VX_NETCODE_FAULT_ADDRESS_TYPE);
}

static void requests_are_checked_in_order(void)
{
    struct vx_netcode_token read;
    struct vx_netcode_request request;
    struct vx_netcode_packet packet;
    uint8_t data[VX_NETCODE_REQUEST_BYTES];
    CU_ASSERT_EQUAL(vx_netcode_token_read(token, sizeof(token), &read), VX_NETCODE_FAULT_NONE);
    vx_netcode_request_write(&read, data);
    CU_ASSERT_EQUAL(vx_netcode_parse(data, sizeof(data), VX_NETCODE_TAKEN_BY_SERVER, &packet), VX_DROP_NONE);
    CU_ASSERT_EQUAL(packet.type, VX_NETCODE_REQUEST);
    CU_ASSERT_EQUAL(vx_netcode_request_check(data, PROTOCOL_ID, EXPIRES_S - 1, &request), VX_DROP_NONE);
    CU_ASSERT_EQUAL(request.expire_s, EXPIRES_S);
    CU_ASSERT_EQUAL(memcmp(request.nonce, nonce, sizeof(nonce)), 0);
    CU_ASSERT_EQUAL(open_with(request.sealed, PROTOCOL_ID, request.expire_s), 0);
    CU_ASSERT_EQUAL(vx_netcode_request_check(data, PROTOCOL_ID, EXPIRES_S, &request), VX_DROP_NETCODE_EXPIRED);
    CU_ASSERT_EQUAL(vx_netcode_request_check(data, PROTOCOL_ID, UINT64_MAX, &request), VX_DROP_NETCODE_EXPIRED);
    CU_ASSERT_EQUAL(vx_netcode_request_check(data, PROTOCOL_ID ^ 1, UINT64_MAX, &request), VX_DROP_NETCODE_OTHER_GAME);
    data[12] = '3';
    CU_ASSERT_EQUAL(vx_netcode_request_check(data, PROTOCOL_ID ^ 1, UINT64_MAX, &request), VX_DROP_NETCODE_OTHER_VERSION);
    data[12] = '2';
    data[13] = 1; /* the NUL belongs to it */
    CU_ASSERT_EQUAL(vx_netcode_request_check(data, PROTOCOL_ID, 0, &request), VX_DROP_NETCODE_OTHER_VERSION);
}

static void challenges_come_back(void)
{
    uint8_t sealed[VX_NETCODE_CHALLENGE_BYTES], key[32], text[284];
    struct vx_netcode_challenge challenge = { .client_id = 0x0102030405060708 }, read;
    pattern(key, 32, 13, 5);
    pattern(challenge.user, sizeof(challenge.user), 9, 17);
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t sequence = i == 0 ? 0 : i == 1 ? 0xffeeddccbbaa9988 : UINT64_MAX;
        vx_netcode_challenge_seal(&challenge, sequence, key, sealed);
        CU_ASSERT(vx_netcode_challenge_open(sealed, sequence, key, &read) && read.client_id == challenge.client_id);
        CU_ASSERT_EQUAL(memcmp(read.user, challenge.user, sizeof(read.user)), 0);
        CU_ASSERT(!vx_netcode_challenge_open(sealed, sequence ^ 1, key, &read));
        sealed[i * 149] ^= 4;
        CU_ASSERT(!vx_netcode_challenge_open(sealed, sequence, key, &read));
    }
    /* No associated data, zeros up to 284: the sealed text is what the scalar seal of the same bytes gives. */
    struct vx_aead_job job = { .key = key, .data = sealed, .bytes = sizeof(text) };
    vx_netcode_challenge_seal(&challenge, 3, key, sealed);
    vx_netcode_nonce(job.nonce, 3);
    CU_ASSERT_EQUAL_FATAL(vx_aead_open_scalar(&job, 1), 1);
    memset(text, 0, sizeof(text));
    memcpy(text, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    memcpy(text + 8, challenge.user, 256);
    CU_ASSERT_EQUAL(memcmp(text, sealed, sizeof(text)), 0);
}

static void addresses_are_read_as_people_write_them(void)
{
    static const char *const good[] = { "127.0.0.1:1", "255.255.255.255:65535", "[::1]:40000", "[fe80::202:b3ff:fe1e:8329]:50000" };
    static const char *const bad[] = { "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:+1", "127.0.0.1:1x", "127.0.0:1", "::1:40000",
                                       "[::1]", "[::1:40000", "[]:1", "[::1]40000", "[127.0.0.1]:1", "host:1", "127.0.0.1:99999999999999999999", "[:1",
                                       "[0000000000000000000000000000000000000000000000000000000000000000000000]:1" };
    struct vx_netcode_address address;
    struct vx_error error;
    char text[VX_NETCODE_ADDRESS_TEXT_BYTES];
    for (uint32_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CU_ASSERT_EQUAL(vx_netcode_address_read(good[i], &address, &error), 0);
        vx_netcode_address_write(&address, text);
        CU_ASSERT_STRING_EQUAL(text, good[i]);
    }
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error.text[0] = '\0';
        CU_ASSERT_EQUAL(vx_netcode_address_read(bad[i], &address, &error), -EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "is not an address with a port"));
    }
}

static void addresses_differ_in_every_part(void)
{
    struct vx_netcode_address left = private.servers[0], right = left;
    CU_ASSERT(vx_netcode_address_same(&left, &right));
    right.port++;
    CU_ASSERT(!vx_netcode_address_same(&left, &right));
    right = left;
    right.bytes[3] ^= 1;
    CU_ASSERT(!vx_netcode_address_same(&left, &right));
    right = private.servers[1];
    CU_ASSERT(!vx_netcode_address_same(&left, &right));
    left = right;
    left.bytes[15] ^= 1;
    CU_ASSERT(!vx_netcode_address_same(&left, &right));
}

#define WITH_TOKEN(test)        \
    static void test##_run(void) \
    {                           \
        set_up();               \
        test();                 \
    }
WITH_TOKEN(private_data_lies_as_the_standard_says)
WITH_TOKEN(a_token_lies_as_the_standard_says)
WITH_TOKEN(the_largest_token_fits)
WITH_TOKEN(both_keys_open)
WITH_TOKEN(what_is_not_the_backends_does_not_open)
WITH_TOKEN(private_fields_are_checked)
WITH_TOKEN(token_fields_are_checked)
WITH_TOKEN(requests_are_checked_in_order)
WITH_TOKEN(addresses_differ_in_every_part)

int main(void)
{
    static const struct vx_test tests[] = {
        { "private data lies as the standard says", private_data_lies_as_the_standard_says_run },
        { "a token lies as the standard says", a_token_lies_as_the_standard_says_run },
        { "the largest token fits", the_largest_token_fits_run },
        { "both keys open", both_keys_open_run },
        { "what is not the backend's does not open", what_is_not_the_backends_does_not_open_run },
        { "private fields are checked", private_fields_are_checked_run },
        { "token fields are checked", token_fields_are_checked_run },
        { "requests are checked in order", requests_are_checked_in_order_run },
        { "challenges come back", challenges_come_back },
        { "addresses are read as people write them", addresses_are_read_as_people_write_them },
        { "addresses differ in every part", addresses_differ_in_every_part_run },
    };
    VX_ASSERT(vx_netcode_start() == 0);
    return vx_test_main("netcode tokens", tests, sizeof(tests) / sizeof(tests[0]));
}
