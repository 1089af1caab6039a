/* The server's side of netcode: the handshake, sessions' lives, and limits. */
#include <stdlib.h>

#include "gate.h"

/* ---- a session's life ---- */

static void a_session_from_request_to_disconnect(void)
{
    for (uint32_t way = 0; way < 6; way++) {
        struct gate *gate = gate_open(&(struct gate_options){ 0 });
        netcode_player_make(&anna, &gate->backend, ANNA, 1, way % 2 == 1, &anna_user);
        anna.tags_bytes = (uint8_t)(way / 2 * 4);
        CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_HANDSHAKE);
        CU_ASSERT(anna.state == NETCODE_PLAYER_RESPONDING && gate->answer_bytes == 333 && gate->joined_count == 0);
        CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_HANDSHAKE);
        CU_ASSERT(anna.state == NETCODE_PLAYER_CONNECTED && anna.index % GATE_SHARDS == 2 && anna.players == GATE_PLAYERS);
        CU_ASSERT(gate->joined_count == 1 && gate->joined.user.display == 4711 && gate->joined.user.rating == 1600 && gate->joined.player == anna.index);
        CU_ASSERT(!gate->joined.resumes && gate->joined.connection == 1);
        CU_ASSERT_EQUAL(gate_ping(gate, &anna), VX_DROP_NONE);
        CU_ASSERT(gate->packet.player == anna.index && gate->packet.header->count == 1 && vx_session_is(gate->table, gate->packet.session));
        gate_send(gate, &anna, gate->joined.session, "answer", 6);
        CU_ASSERT(anna.payloads == 1 && anna.payload_bytes == 6 && memcmp(anna.payload, "answer", 6) == 0);
        CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_KEEP_ALIVE);
        uint8_t payload[64];
        uint32_t bytes = netcode_player_packet(&anna, &gate->backend, VX_NETCODE_DISCONNECT, NULL, 0, payload);
        CU_ASSERT_EQUAL(gate_arrive(gate, &anna, payload, bytes), VX_DROP_NETCODE_DISCONNECT);
        CU_ASSERT_FALSE(vx_session_is(gate->table, gate->joined.session));
        gate_wait(gate, 10);
        gate_due(gate, &anna);
        CU_ASSERT(gate->ended == 1 && gate->lost == 0 && vx_session_counters(gate->table)->connected == 0);
        CU_ASSERT_EQUAL(gate_ping(gate, &anna), VX_DROP_NETCODE_UNKNOWN);
        gate_close(gate);
    }
}

static void lost_packets_are_repeated(void)
{
    struct gate *gate = gate_with_anna();
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_HANDSHAKE);
    anna.state = NETCODE_PLAYER_REQUESTING; /* the challenge was lost */
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_HANDSHAKE);
    CU_ASSERT_EQUAL(anna.state, NETCODE_PLAYER_RESPONDING);
    CU_ASSERT_EQUAL(vx_session_counters(gate->table)->pending, 1);
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_HANDSHAKE);
    anna.state = NETCODE_PLAYER_RESPONDING; /* the keep-alive was lost */
    anna.keep_alives = 0;
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_CONNECTED);
    for (uint32_t ms = 0; ms < 120; ms += 4) { /* at 10 Hz until the client shows that it knows */
        gate_wait(gate, 4);
        gate_due(gate, &anna);
    }
    CU_ASSERT(anna.state == NETCODE_PLAYER_CONNECTED && anna.keep_alives == 1);
    CU_ASSERT(vx_session_is_unconfirmed(gate->table, gate->joined.session));
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_KEEP_ALIVE);
    CU_ASSERT_FALSE(vx_session_is_unconfirmed(gate->table, gate->joined.session));
    gate_close(gate);
}

static void keep_alives_come_when_nothing_else_does(void)
{
    struct gate *gate = gate_with_anna_connected();
    (void)gate_next(gate, &anna);
    for (uint32_t ms = 0; ms < 30000; ms += 4) {
        gate_wait(gate, 4);
        gate_due(gate, &anna);
        if (ms % 5000 == 0)
            (void)gate_next(gate, &anna);
        if (ms >= 10000 && ms < 20000 && ms % 400 == 0)
            gate_send(gate, &anna, gate->joined.session, "x", 1);
    }
    CU_ASSERT(gate->keep_alives >= 19 && gate->keep_alives <= 22); /* one a second, and none in the ten that had payloads */
    CU_ASSERT(gate->ended == 0 && anna.keep_alives == gate->keep_alives + 1);
    gate_close(gate);
}

static void keep_alives_are_under_a_third_of_the_timeout(void)
{
    struct gate *gate = gate_open(&(struct gate_options){ .keepalive_ms = 5000 });
    gate->backend.timeout_s = 3;
    netcode_player_make(&anna, &gate->backend, ANNA, 1, false, NULL);
    CU_ASSERT_FATAL(gate_connect(gate, &anna));
    for (uint32_t ms = 0; ms < 10000; ms += 4) {
        gate_wait(gate, 4);
        gate_due(gate, &anna);
        if (ms % 1000 == 0)
            (void)gate_next(gate, &anna);
    }
    CU_ASSERT(gate->keep_alives >= 9 && gate->keep_alives <= 11 && gate->ended == 0);
    gate_close(gate);
}

static void silence_times_out(void)
{
    struct gate *gate = gate_with_anna_connected();
    uint32_t session = gate->joined.session;
    for (uint32_t ms = 0; ms < 9980; ms += 4) {
        gate_wait(gate, 4);
        gate_due(gate, NULL);
    }
    CU_ASSERT(gate->ended == 0 && vx_session_is(gate->table, session));
    gate_wait(gate, 40);
    gate_due(gate, NULL);
    CU_ASSERT(gate->ended == 1 && gate->lost == 1 && !vx_session_is(gate->table, session));
    netcode_player_token(&anna, &gate->backend, &anna_user); /* a fresh token: back to its place */
    CU_ASSERT(gate_connect(gate, &anna));
    CU_ASSERT(gate->joined.resumes && gate->joined.connection == 2 && gate->joined.session != session);
    gate_close(gate);
}

static void a_token_without_timeout_does_not_time_out(void)
{
    struct gate *gate = gate_open(&(struct gate_options){ .keepalive_ms = 60000 });
    gate->backend.timeout_s = -1;
    netcode_player_make(&anna, &gate->backend, ANNA, 1, false, NULL);
    netcode_player_make(&bert, &gate->backend, BERT, 2, false, NULL);
    CU_ASSERT_FATAL(gate_connect(gate, &anna));
    (void)gate_next(gate, &bert); /* but a place that is only pending does */
    for (uint32_t s = 0; s < 4000; s++) {
        gate_wait(gate, 1000);
        gate_due(gate, NULL);
    }
    CU_ASSERT(gate->ended == 0 && vx_session_counters(gate->table)->connected == 1 && vx_session_counters(gate->table)->pending == 0);
    gate_close(gate);
}

static void a_challenge_that_is_not_answered_is_forgotten(void)
{
    struct gate *gate = gate_with_anna();
    (void)gate_next(gate, &anna);
    gate_wait(gate, 9000);
    gate_due(gate, NULL);
    CU_ASSERT_EQUAL(vx_session_counters(gate->table)->pending, 1);
    gate_wait(gate, 1100);
    gate_due(gate, NULL);
    CU_ASSERT_EQUAL(vx_session_counters(gate->table)->pending, 0);
    CU_ASSERT_EQUAL(gate_next(gate, &anna), VX_DROP_NETCODE_UNKNOWN); /* its response has no key any more */
    gate_close(gate);
}

static void either_private_key_opens_tokens(void)
{
    struct gate *gate = gate_with_anna_connected(); /* under the older one */
    memset(gate->backend.key, 0xaa, sizeof(gate->backend.key));
    netcode_player_make(&bert, &gate->backend, BERT, 2, false, NULL);
    CU_ASSERT(gate_connect(gate, &bert));
    gate_close(gate);
}

static void a_backend_that_says_nothing_of_the_player(void)
{
    struct gate *gate = gate_open(&(struct gate_options){ 0 });
    netcode_player_make(&anna, &gate->backend, 0x123456789abcdef0, 1, false, NULL);
    CU_ASSERT(gate_connect(gate, &anna));
    CU_ASSERT(gate->joined.user.display == 0x9abcdef0 && gate->joined.user.permissions == (VX_USER_MAY_PLAY | VX_USER_MAY_RANKED));
    CU_ASSERT(vx_session_counters(gate->table)->users_unsaid > 0);
    gate_close(gate);
}

/* ---- limits ---- */

static void full_is_denied_in_fewer_bytes_than_asked(void)
{
    struct gate *gate = gate_open(&(struct gate_options){ .players = GATE_SHARDS });
    for (uint32_t i = 0; i < GATE_SHARDS; i++) {
        netcode_player_make(&anna, &gate->backend, ANNA + i, i, false, NULL);
        CU_ASSERT(gate_connect(gate, &anna));
    }
    netcode_player_make(&bert, &gate->backend, BERT + 100, 100, true, NULL);
    CU_ASSERT_EQUAL(gate_next(gate, &bert), VX_DROP_NETCODE_HANDSHAKE);
    CU_ASSERT(bert.state == NETCODE_PLAYER_DENIED && gate->answer_bytes == 25);
    CU_ASSERT(vx_session_counters(gate->table)->denials_sent == 1 && vx_session_counters(gate->table)->pending == 0);
    gate_close(gate);
}

static void no_place_is_silence(void)
{
    struct gate *gate = gate_open(&(struct gate_options){ .places = 8 });
    for (uint32_t i = 0; i < 8; i++) {
        netcode_player_make(&anna, &gate->backend, ANNA + i, i, i % 2, NULL);
        (void)gate_next(gate, &anna);
        CU_ASSERT_EQUAL(anna.state, NETCODE_PLAYER_RESPONDING);
    }
    netcode_player_make(&bert, &gate->backend, BERT + 100, 100, false, NULL);
    CU_ASSERT_EQUAL(gate_next(gate, &bert), VX_DROP_NETCODE_NO_PLACE);
    CU_ASSERT_EQUAL(gate->answer_bytes, 0);
    gate_wait(gate, 10100);
    gate_due(gate, NULL);
    CU_ASSERT(gate_connect(gate, &bert));
    gate_close(gate);
}

static void handshakes_have_a_budget(void)
{
    struct gate *gate = gate_open(&(struct gate_options){ .handshakes_per_s = 40, .network_per_s = 8 });
    uint32_t opened = 0;
    for (uint32_t i = 0; i < 64; i++) {
        netcode_player_make(&anna, &gate->backend, ANNA + i, i * 256, false, NULL); /* a network each */
        opened += gate_next(gate, &anna) == VX_DROP_NETCODE_HANDSHAKE;
    }
    CU_ASSERT(opened == 10 && gate->drops[VX_DROP_NETCODE_RATE] == 54);
    gate_wait(gate, 1000);
    for (uint32_t i = 0; i < 10; i++) {
        netcode_player_make(&anna, &gate->backend, ANNA + 100 + i, 256 * 200 + i, false, NULL); /* one network */
        (void)gate_next(gate, &anna);
    }
    CU_ASSERT(gate->drops[VX_DROP_NETCODE_NETWORK_RATE] == 8);
    gate_close(gate);
}

/* ---- many ---- */

enum { MANY = 3000 };
static void many_come_and_go(void)
{
    struct gate *gate = gate_open(&(struct gate_options){ .places = MANY, .players = MANY });
    struct netcode_player *players = calloc(MANY, sizeof(*players));
    gate->backend.timeout_s = 3600; /* nobody is lost */
    struct vx_rng rng = { 4 };
    uint32_t wrong = 0, connected = 0;
    for (uint32_t step = 0; step < 30000; step++) {
        uint32_t chosen = vx_rng_below(&rng, MANY);
        struct netcode_player *player = &players[chosen];
        gate->backend.expire_s = gate->time.now_s + 30;
        if (player->client_id == 0 || player->state == NETCODE_PLAYER_DISCONNECTED) {
            netcode_player_make(player, &gate->backend, chosen + 1, chosen, chosen % 3 == 0, NULL);
            wrong += !gate_connect(gate, player);
            connected++;
        } else if (step % 3 == 0) {
            uint8_t payload[64];
            uint32_t bytes = netcode_player_packet(player, &gate->backend, VX_NETCODE_DISCONNECT, NULL, 0, payload);
            wrong += gate_arrive(gate, player, payload, bytes) != VX_DROP_NETCODE_DISCONNECT;
            player->state = NETCODE_PLAYER_DISCONNECTED;
            connected--;
            gate_wait(gate, 8);
            gate_due(gate, NULL);
        } else {
            wrong += gate_ping(gate, player) != VX_DROP_NONE || gate->packet.player != player->index;
        }
        if (step % 3000 == 0)
            vx_session_check(gate->table);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(vx_session_counters(gate->table)->connected, connected);
    free(players);
    gate_close(gate);
}

/* Every place taken, by addresses in a row: the hash finds room for all of them. */
static void the_last_place_is_found(void)
{
    enum { PLACES = 20000 };
    struct gate *gate = gate_open(&(struct gate_options){ .places = PLACES, .players = PLACES });
    uint32_t challenged = 0;
    for (uint32_t i = 0; i < PLACES; i++) {
        netcode_player_make(&anna, &gate->backend, 1 + i, i, false, NULL);
        (void)gate_next(gate, &anna);
        challenged += anna.state == NETCODE_PLAYER_RESPONDING;
    }
    CU_ASSERT_EQUAL(challenged, PLACES);
    gate_close(gate);
}

static void a_session_takes_at_most_256_bytes(void)
{
    const uint32_t places = 1000000, players = 1000000;
    const struct vx_admission_config admission = { .players = players, .shards = 256, .tokens = 1 }, none = { .players = 256, .shards = 256, .tokens = 1 };
    double session = (double)(vx_session_netcode_bytes(places) - vx_session_netcode_bytes(1)) / places;
    double place = (double)(vx_admission_bytes(&admission) - vx_admission_bytes(&none)) / players;
    printf("%.1f + %.1f bytes ", session, place);
    CU_ASSERT(session + place <= 256);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "a session from request to disconnect", a_session_from_request_to_disconnect },
        { "lost packets are repeated", lost_packets_are_repeated },
        { "keep-alives come when nothing else does", keep_alives_come_when_nothing_else_does },
        { "keep-alives are under a third of the time-out", keep_alives_are_under_a_third_of_the_timeout },
        { "silence times out", silence_times_out },
        { "a token without time-out does not time out", a_token_without_timeout_does_not_time_out },
        { "a challenge that is not answered is forgotten", a_challenge_that_is_not_answered_is_forgotten },
        { "either private key opens tokens", either_private_key_opens_tokens },
        { "a backend that says nothing of the player", a_backend_that_says_nothing_of_the_player },
        { "full is denied in fewer bytes than asked", full_is_denied_in_fewer_bytes_than_asked },
        { "no place is silence", no_place_is_silence },
        { "handshakes have a budget", handshakes_have_a_budget },
        { "many come and go", many_come_and_go },
        { "the last place is found", the_last_place_is_found },
        { "a session takes at most 256 bytes", a_session_takes_at_most_256_bytes },
    };
    return vx_test_main("session: netcode", tests, sizeof(tests) / sizeof(tests[0]));
}
