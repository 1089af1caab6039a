/* netcode's bad input: one refusal for each kind, silent, counted, and no more costly than its check. */
#include "gate.h"

static enum vx_drop request_spoilt(struct gate *gate, uint32_t at)
{
    uint8_t payload[VX_NETCODE_REQUEST_BYTES];
    (void)netcode_player_request(&anna, &gate->backend, payload);
    payload[at] ^= 0x40;
    return gate_arrive(gate, &anna, payload, sizeof(payload));
}

static void requests_that_are_refused(void)
{
    struct gate *gate = gate_open(&(struct gate_options){ .expire_s_min = GATE_NOW_S + 25 });
    uint8_t payload[NETCODE_PLAYER_FRAME_BYTES_MAX];
    netcode_player_make(&anna, &gate->backend, ANNA, 1, false, &anna_user);
    CU_ASSERT_EQUAL(request_spoilt(gate, 5), VX_DROP_NETCODE_OTHER_VERSION);
    CU_ASSERT_EQUAL(request_spoilt(gate, 15), VX_DROP_NETCODE_OTHER_GAME);
    for (uint32_t at = 40; at < VX_NETCODE_REQUEST_BYTES; at += 61) /* nonce, token, tag */
        CU_ASSERT_EQUAL(request_spoilt(gate, at), VX_DROP_NETCODE_TOKEN_FORGED);
    (void)netcode_player_request(&anna, &gate->backend, payload);
    for (uint32_t bytes = 1; bytes < 1079; bytes += 107)
        CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, bytes), bytes == 1078 ? VX_DROP_NETCODE_HANDSHAKE : VX_DROP_NETCODE_BAD_LENGTH);
    memset(payload + 1078, 0, 10);
    CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, 1079), VX_DROP_NETCODE_BAD_LENGTH);
    CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, 0), VX_DROP_NETCODE_SHORT);
    CU_ASSERT(gate->answer_bytes == 0 && anna.state == NETCODE_PLAYER_REQUESTING); /* silence */
    gate->backend.expire_s = GATE_NOW_S;
    netcode_player_token(&anna, &gate->backend, &anna_user);
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_EXPIRED);
    gate->backend.expire_s = GATE_NOW_S + 24; /* its lifetime may have begun before the start */
    netcode_player_token(&anna, &gate->backend, &anna_user);
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_BEFORE_START);
    gate->backend.expire_s = GATE_NOW_S + 25;
    gate->backend.servers[0].port = 40001;
    gate->backend.servers[1].bytes[9] = 1;
    netcode_player_token(&anna, &gate->backend, &anna_user);
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_OTHER_SERVER);
    struct vx_user bad_user = anna_user;
    bad_user.party_size = 200;
    memcpy(gate->backend.servers, gate->config.addresses, sizeof(gate->backend.servers));
    netcode_player_token(&anna, &gate->backend, &bad_user);
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_USER_BAD);
    netcode_player_token(&anna, &gate->backend, &anna_user);
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_HANDSHAKE);
    gate_close(gate);
}

/* A token that the backend sealed, with fields that make no sense. */
static void a_malformed_token_is_refused(void)
{
    struct gate *gate = gate_with_anna();
    uint8_t text[VX_NETCODE_PRIVATE_BYTES] = { 0 };
    text[12] = 33; /* servers */
    memcpy(anna.sealed, text, sizeof(text));
    vx_netcode_private_seal(anna.sealed, gate->backend.protocol_id, anna.expire_s, anna.nonce, gate->backend.key);
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_TOKEN_BAD);
    gate_close(gate);
}

static void clear_bytes_that_make_no_sense(void)
{
    struct gate *gate = gate_with_anna_connected();
    uint8_t payload[1400];
    uint32_t bytes = gate_ping_of(gate, &anna, payload);
    static const struct {
        uint8_t prefix;
        enum vx_drop drop;
    } prefixes[] = { { 0x17, VX_DROP_NETCODE_BAD_TYPE }, { 0x1f, VX_DROP_NETCODE_BAD_TYPE }, { 0x12, VX_DROP_NETCODE_NOT_TAKEN }, { 0x11, VX_DROP_NETCODE_NOT_TAKEN },
                     { 0x05, VX_DROP_NETCODE_BAD_PREFIX }, { 0x95, VX_DROP_NETCODE_BAD_PREFIX }, { 0xf4, VX_DROP_NETCODE_BAD_PREFIX } };
    for (uint32_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        payload[0] = prefixes[i].prefix;
        CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, bytes), prefixes[i].drop);
    }
    payload[0] = 0x15;
    for (uint32_t i = 1; i < 18; i++)
        CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, i), VX_DROP_NETCODE_SHORT);
    payload[0] = 0x85;
    CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, 24), VX_DROP_NETCODE_SHORT);
    memset(payload, 0x25, sizeof(payload));
    CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, 1300), VX_DROP_NETCODE_BAD_LENGTH);
    gate_close(gate);
}

static void packets_that_do_not_authenticate(void)
{
    struct gate *gate = gate_with_anna_connected();
    uint8_t good[256], payload[256];
    uint32_t bytes = gate_ping_of(gate, &anna, good);
    for (uint32_t at = 1; at < bytes; at++) {
        memcpy(payload, good, bytes);
        payload[at] ^= 1;
        CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, bytes), VX_DROP_NETCODE_FORGED);
    }
    memcpy(payload, good, bytes);
    payload[0] = 0x16; /* a payload dressed as a disconnect */
    CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, bytes), VX_DROP_NETCODE_FORGED);
    for (uint32_t cut = 1; cut < 40; cut++)
        CU_ASSERT_EQUAL(gate_arrive(gate, &anna, good, bytes - cut), bytes - cut < 18 ? VX_DROP_NETCODE_SHORT : VX_DROP_NETCODE_FORGED);
    CU_ASSERT_EQUAL(gate_arrive(gate, &anna, good, bytes), VX_DROP_NONE); /* none of it has moved the window */
    CU_ASSERT_EQUAL(gate->drops[VX_DROP_NETCODE_FORGED], bytes - 1 + 1 + bytes - 18);
    gate_close(gate);
}

/* What the server sent comes back: it is of a type that a server does not take, or under the other key. */
static void packets_that_are_reflected(void)
{
    struct gate *gate = gate_with_anna_connected();
    uint8_t payload[256];
    static const uint8_t says[8];
    uint32_t bytes = vx_netcode_write(payload, VX_NETCODE_KEEP_ALIVE, 0, says, 8, &gate->backend.aads, anna.server_key);
    CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, bytes), VX_DROP_NETCODE_FORGED);
    bytes = vx_netcode_write(payload, VX_NETCODE_DENIED, 0, NULL, 0, &gate->backend.aads, anna.server_key);
    CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, bytes), VX_DROP_NETCODE_NOT_TAKEN);
    gate_close(gate);
}

static void packets_that_come_again(void)
{
    struct gate *gate = gate_with_anna_connected();
    static uint8_t sent[400][128];
    uint32_t bytes[400];
    for (uint32_t i = 0; i < 400; i++)
        bytes[i] = gate_ping_of(gate, &anna, sent[i]);
    for (uint32_t i = 0; i < 400; i += 2) /* every other, in order */
        CU_ASSERT_EQUAL(gate_arrive(gate, &anna, sent[i], bytes[i]), VX_DROP_NONE);
    for (uint32_t i = 0; i < 400; i += 2)
        CU_ASSERT_EQUAL(gate_arrive(gate, &anna, sent[i], bytes[i]), VX_DROP_NETCODE_REPLAYED);
    uint32_t taken = 0, replayed = 0;
    for (uint32_t i = 399; i < 400; i -= 2) { /* the others late, backwards: 256 numbers are remembered */
        enum vx_drop drop = gate_arrive(gate, &anna, sent[i], bytes[i]);
        taken += drop == VX_DROP_NONE;
        replayed += drop == VX_DROP_NETCODE_REPLAYED;
    }
    CU_ASSERT(taken == 128 && replayed == 72);
    gate_close(gate);
}

static void twins_in_one_burst(void)
{
    struct gate *gate = gate_with_anna_connected();
    static uint8_t frames[4][NETCODE_PLAYER_FRAME_BYTES_MAX];
    uint8_t payload[256], drops[4];
    uint32_t bytes[4], payload_bytes = gate_ping_of(gate, &anna, payload);
    for (uint32_t i = 0; i < 4; i++)
        bytes[i] = netcode_player_frame(&anna, payload, payload_bytes, frames[i]);
    gate_burst(gate, &anna, frames, bytes, 4, drops);
    CU_ASSERT(drops[0] == VX_DROP_NONE && drops[1] == VX_DROP_NETCODE_REPLAYED && drops[2] == VX_DROP_NETCODE_REPLAYED && drops[3] == VX_DROP_NETCODE_REPLAYED);
    /* A disconnect and what was sent after it, overtaking. */
    payload_bytes = netcode_player_packet(&anna, &gate->backend, VX_NETCODE_DISCONNECT, NULL, 0, payload);
    bytes[0] = netcode_player_frame(&anna, payload, payload_bytes, frames[0]);
    payload_bytes = gate_ping_of(gate, &anna, payload);
    bytes[1] = netcode_player_frame(&anna, payload, payload_bytes, frames[1]);
    gate_burst(gate, &anna, frames, bytes, 2, drops);
    CU_ASSERT(drops[0] == VX_DROP_NETCODE_DISCONNECT && drops[1] == VX_DROP_NETCODE_NOT_CONNECTED);
    gate_due(gate, NULL);
    gate_wait(gate, 10);
    gate_due(gate, NULL);
    CU_ASSERT_EQUAL(gate->ended, 1);
    gate_close(gate);
}

static void a_request_and_two_responses_in_one_burst(void)
{
    struct gate *gate = gate_with_anna();
    static uint8_t frames[3][NETCODE_PLAYER_FRAME_BYTES_MAX];
    uint8_t payload[VX_NETCODE_REQUEST_BYTES], drops[3];
    uint32_t bytes[3];
    (void)gate_next(gate, &anna);
    bytes[0] = netcode_player_frame(&anna, payload, netcode_player_request(&anna, &gate->backend, payload), frames[0]);
    for (uint32_t i = 1; i < 3; i++)
        bytes[i] = netcode_player_frame(&anna, payload, netcode_player_response(&anna, &gate->backend, payload), frames[i]);
    gate_burst(gate, &anna, frames, bytes, 3, drops);
    CU_ASSERT(drops[0] == VX_DROP_NETCODE_HANDSHAKE && drops[1] == VX_DROP_NETCODE_HANDSHAKE && drops[2] == VX_DROP_NETCODE_ASKED);
    CU_ASSERT(anna.state == NETCODE_PLAYER_CONNECTED && gate->joined_count == 1);
    gate_close(gate);
}

static void sequence_numbers_at_both_ends(void)
{
    struct gate *gate = gate_with_anna_connected();
    anna.sequence = 0;
    CU_ASSERT_EQUAL(gate_ping(gate, &anna), VX_DROP_NONE); /* 0 is a number like any other */
    anna.sequence = 0;
    CU_ASSERT_EQUAL(gate_ping(gate, &anna), VX_DROP_NETCODE_REPLAYED);
    anna.sequence = UINT64_MAX - 300;
    for (uint32_t i = 0; i < 301; i++)
        CU_ASSERT_EQUAL(gate_ping(gate, &anna), VX_DROP_NONE);
    CU_ASSERT_EQUAL(anna.sequence, 0 + UINT64_MAX - 300 + 301);
    for (uint64_t back = 0; back < 301; back++) {
        anna.sequence = UINT64_MAX - back;
        CU_ASSERT_EQUAL(gate_ping(gate, &anna), VX_DROP_NETCODE_REPLAYED);
    }
    gate_close(gate);
}

static void a_second_client_with_the_same_id(void)
{
    struct gate *gate = gate_with_anna_connected();
    netcode_player_make(&bert, &gate->backend, ANNA, 2, false, NULL);
    CU_ASSERT_EQUAL(gate_next(gate, &bert), VX_DROP_NETCODE_HANDSHAKE);
    CU_ASSERT(bert.state == NETCODE_PLAYER_REQUESTING && gate->answer_bytes == 0);
    CU_ASSERT_EQUAL(vx_admission_counters(gate->admission)->ignored_client_connected, 1);
    CU_ASSERT_EQUAL(gate_ping(gate, &anna), VX_DROP_NONE);
    gate_close(gate);
}

/* Heard on the wire, and shown from elsewhere: before and after its owner has answered. */
static void a_token_from_another_address(void)
{
    struct gate *gate = gate_with_anna();
    (void)gate_next(gate, &anna);
    bert = anna;
    bert.address.bytes[3] ^= 1;
    bert.state = NETCODE_PLAYER_REQUESTING;
    CU_ASSERT_EQUAL(gate_next(gate, &bert), VX_DROP_NETCODE_HANDSHAKE);
    CU_ASSERT(gate->answer_bytes == 0 && vx_admission_counters(gate->admission)->ignored_token_other_address == 1);
    (void)gate_next(gate, &anna);
    CU_ASSERT_EQUAL(anna.state, NETCODE_PLAYER_CONNECTED);
    gate_wait(gate, 20000); /* timed out, and the token consumed: even its own address cannot use it again */
    gate_due(gate, NULL);
    anna.state = NETCODE_PLAYER_REQUESTING;
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_HANDSHAKE);
    CU_ASSERT(gate->answer_bytes == 0 && vx_admission_counters(gate->admission)->ignored_token_consumed == 1);
    gate_close(gate);
}

static void a_challenge_answered_from_another_address(void)
{
    struct gate *gate = gate_with_anna();
    (void)gate_next(gate, &anna);
    bert = anna;
    bert.address.port++; /* a NAT that changes the port is another address, too */
    CU_ASSERT_EQUAL(gate_next(gate, &bert), VX_DROP_NETCODE_UNKNOWN);
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_HANDSHAKE);
    bert.address.port--;
    CU_ASSERT_EQUAL(gate_ping(gate, &anna), VX_DROP_NONE);
    anna.address.port++;
    CU_ASSERT_EQUAL(gate_ping(gate, &anna), VX_DROP_NETCODE_UNKNOWN);
    gate_close(gate);
}

static void a_challenge_that_is_somebody_elses(void)
{
    struct gate *gate = gate_with_anna();
    netcode_player_make(&bert, &gate->backend, BERT, 2, false, NULL);
    (void)gate_next(gate, &anna);
    (void)gate_next(gate, &bert);
    memcpy(bert.step, anna.step, sizeof(bert.step));
    CU_ASSERT_EQUAL(gate_next(gate, &bert), VX_DROP_NETCODE_CHALLENGE_FORGED);
    bert.step[100] ^= 1;
    CU_ASSERT_EQUAL(gate_next(gate, &bert), VX_DROP_NETCODE_CHALLENGE_FORGED);
    bert.step[0]++; /* its number */
    CU_ASSERT_EQUAL(gate_next(gate, &bert), VX_DROP_NETCODE_CHALLENGE_FORGED);
    gate_close(gate);
}

static void payloads_before_and_wrong_ones_after(void)
{
    struct gate *gate = gate_with_anna();
    uint8_t text[256], payload[256];
    CU_ASSERT_EQUAL(gate_ping(gate, &anna), VX_DROP_NETCODE_UNKNOWN);
    (void)gate_next(gate, &anna);
    CU_ASSERT_EQUAL(gate_ping(gate, &anna), VX_DROP_NETCODE_NOT_CONNECTED);
    (void)gate_next(gate, &anna);
    uint32_t bytes = gate_ping_write(text, 1); /* the token says who it is, not the header */
    bytes = netcode_player_packet(&anna, &gate->backend, VX_NETCODE_PAYLOAD, text, bytes, payload);
    CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, bytes), VX_DROP_BAD_PLAYER);
    bytes = netcode_player_packet(&anna, &gate->backend, VX_NETCODE_PAYLOAD, "hello", 5, payload);
    CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, bytes), VX_DROP_SHORT_HEADER);
    bytes = netcode_player_packet(&anna, &gate->backend, VX_NETCODE_KEEP_ALIVE, "1234567", 7, payload);
    CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, bytes), VX_DROP_NETCODE_BAD_LENGTH);
    bytes = netcode_player_packet(&anna, &gate->backend, VX_NETCODE_PAYLOAD, NULL, 0, payload);
    CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, bytes), VX_DROP_NETCODE_BAD_LENGTH);
    bytes = netcode_player_packet(&anna, &gate->backend, VX_NETCODE_DISCONNECT, "x", 1, payload);
    CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, bytes), VX_DROP_NETCODE_BAD_LENGTH);
    CU_ASSERT_EQUAL(gate_ping(gate, &anna), VX_DROP_NONE);
    gate_close(gate);
}

static void the_way_follows_the_gateway(void)
{
    struct gate *gate = gate_with_anna_connected();
    anna.mac[5] ^= 0x80;
    anna.tags_bytes = 4;
    CU_ASSERT_EQUAL(gate_ping(gate, &anna), VX_DROP_NONE);
    gate_send(gate, &anna, gate->joined.session, "x", 1); /* the frame's check looks at the new one */
    CU_ASSERT_EQUAL(anna.payloads, 1);
    gate_close(gate);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "requests that are refused", requests_that_are_refused },
        { "a malformed token is refused", a_malformed_token_is_refused },
        { "clear bytes that make no sense", clear_bytes_that_make_no_sense },
        { "packets that do not authenticate", packets_that_do_not_authenticate },
        { "packets that are reflected", packets_that_are_reflected },
        { "packets that come again", packets_that_come_again },
        { "twins in one burst", twins_in_one_burst },
        { "a request and two responses in one burst", a_request_and_two_responses_in_one_burst },
        { "sequence numbers at both ends", sequence_numbers_at_both_ends },
        { "a second client with the same id", a_second_client_with_the_same_id },
        { "a token from another address", a_token_from_another_address },
        { "a challenge answered from another address", a_challenge_answered_from_another_address },
        { "a challenge that is somebody else's", a_challenge_that_is_somebody_elses },
        { "payloads before, and wrong ones after", payloads_before_and_wrong_ones_after },
        { "the way follows the gateway", the_way_follows_the_gateway },
    };
    return vx_test_main("session: netcode, bad input", tests, sizeof(tests) / sizeof(tests[0]));
}
