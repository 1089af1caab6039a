/* Two io lcores with netcode, admission and shards: what crosses between them, and what must not. */
#include <rte_ring.h>

#include "hall.h"

enum { ANNA, BERT, CARL };

static void from_request_to_answer(void)
{
    struct hall *hall = hall_open(&(struct hall_options){ 0 });
    for (uint32_t queue = 0; queue < HALL_IOS; queue++) {
        uint32_t client = queue;
        (void)hall_client(hall, client, 1000 + client);
        CU_ASSERT(hall_connect(hall, queue, client));
        CU_ASSERT_EQUAL(hall->clients[client].players, HALL_PLACES);
        CU_ASSERT(hall_put_action(hall, queue, client, VX_ACTION_PING));
        hall_pass(hall);
        const struct vx_wire_long *pong = hall_answer(hall, client, VX_RESULT_PONG);
        CU_ASSERT(pong != NULL && pong->action_number == 1);
    }
    CU_ASSERT(hall_online(hall) == 2 && hall->clients[0].index != hall->clients[1].index);
    hall_close(hall);
}

/* A client passes over payloads until a keep-alive has told it that it is connected. */
static void unconfirmed_payloads_follow_a_keep_alive(void)
{
    struct hall *hall = hall_open(&(struct hall_options){ 0 });
    struct netcode_player *anna = hall_client(hall, ANNA, 1);
    CU_ASSERT(hall_connect(hall, 0, ANNA));
    CU_ASSERT(hall_put_action(hall, 0, ANNA, VX_ACTION_FIND));
    hall_pass(hall); /* this payload confirms it */
    anna = &hall->clients[ANNA];
    CU_ASSERT(anna->keep_alives == 1 && anna->payloads == 1);
    hall_wait(hall, 11000); /* it falls silent, is lost, and comes back with a fresh token */
    netcode_player_token(anna, &hall->backend, NULL);
    hall->numbers[ANNA] = hall->seen[ANNA] = 0;
    CU_ASSERT(hall_connect(hall, 1, ANNA));
    hall_pass(hall);
    hall->now += HALL_WINDOW;
    hall_pass(hall);
    CU_ASSERT(anna->keep_alives >= 2 && anna->payloads == 1); /* QUEUE_STATUS, unasked, with a keep-alive before it */
    CU_ASSERT(hall_answer(hall, ANNA, VX_RESULT_QUEUE_STATUS) != NULL);
    hall_close(hall);
}

static void a_keep_alive_crosses_no_ring(void)
{
    struct hall *hall = hall_open(&(struct hall_options){ 0 });
    (void)hall_client(hall, ANNA, 1);
    CU_ASSERT(hall_connect(hall, 0, ANNA));
    hall_pass(hall);
    const struct vx_io_counters *c = vx_io_counters(hall->ios[0]);
    uint64_t notices = c->notices_queued, before = hall_shard(hall, 0)->actions_in + hall_shard(hall, 1)->actions_in;
    uint32_t sent = hall->packets;
    for (uint32_t i = 0; i < 1000; i++)
        CU_ASSERT(hall_put_next(hall, 0, ANNA));
    hall_pass(hall);
    CU_ASSERT(c->drops[VX_DROP_NETCODE_KEEP_ALIVE] == 1000 && c->actions_in == 0 && c->notices_queued == notices && hall->packets == sent);
    CU_ASSERT_EQUAL(hall_shard(hall, 0)->actions_in + hall_shard(hall, 1)->actions_in, before);
    hall_close(hall);
}

static void back_on_another_queue(void)
{
    struct hall *hall = hall_open(&(struct hall_options){ 0 });
    struct netcode_player *anna = hall_client(hall, ANNA, 77);
    CU_ASSERT(hall_connect(hall, 0, ANNA));
    uint32_t index = anna->index;
    CU_ASSERT(hall_put_action(hall, 0, ANNA, VX_ACTION_FIND));
    hall_wait(hall, 11000); /* Wi-Fi is gone; the time-out of its token is 10 s */
    CU_ASSERT(hall_online(hall) == 1 && vx_admission_counters(hall->admission)->clients_in_grace == 1);
    struct netcode_player *elsewhere = hall_client(hall, BERT, 77); /* the same client, from another address */
    hall->count = 0;
    CU_ASSERT(hall_connect(hall, 1, BERT));
    hall_pass(hall);
    CU_ASSERT_EQUAL(elsewhere->index, index); /* the same player: same shard, same slot */
    const struct vx_wire_long *status = hall_answer(hall, BERT, VX_RESULT_QUEUE_STATUS);
    CU_ASSERT(status != NULL && status->c >= 10900); /* still in the queue, since then */
    CU_ASSERT_EQUAL(vx_admission_counters(hall->admission)->resumed, 1);
    CU_ASSERT(hall_put_action(hall, 1, BERT, VX_ACTION_CANCEL));
    hall_pass(hall);
    CU_ASSERT(hall_answer(hall, BERT, VX_RESULT_OK) != NULL);
    hall_close(hall);
}

static void the_same_client_through_both_doors(void)
{
    struct hall *hall = hall_open(&(struct hall_options){ 0 });
    (void)hall_client(hall, ANNA, 77);
    (void)hall_client(hall, BERT, 77);
    CU_ASSERT(hall_put_next(hall, 0, ANNA) && hall_put_next(hall, 1, BERT));
    hall_pass(hall);
    hall_pass(hall);
    CU_ASSERT(hall->clients[ANNA].state == NETCODE_PLAYER_RESPONDING && hall->clients[BERT].state == NETCODE_PLAYER_RESPONDING);
    CU_ASSERT(hall_put_next(hall, 0, ANNA) && hall_put_next(hall, 1, BERT)); /* both answer in the same pass */
    hall_pass(hall);
    hall_pass(hall);
    CU_ASSERT((hall->clients[ANNA].state == NETCODE_PLAYER_CONNECTED) + (hall->clients[BERT].state == NETCODE_PLAYER_CONNECTED) == 1);
    CU_ASSERT(vx_admission_counters(hall->admission)->ignored_client_connected == 1 && hall_online(hall) == 1);
    /* A token heard on the wire, through the other door. */
    (void)hall_client(hall, CARL, 78);
    CU_ASSERT(hall_put_next(hall, 0, CARL));
    hall_pass(hall);
    hall->clients[10] = hall->clients[CARL];
    hall->clients[10].address.bytes[3] = 12;
    hall->clients[10].state = NETCODE_PLAYER_REQUESTING;
    CU_ASSERT(hall_put_next(hall, 1, 10));
    hall_pass(hall);
    hall_pass(hall);
    CU_ASSERT(hall->clients[10].state == NETCODE_PLAYER_REQUESTING && vx_admission_counters(hall->admission)->ignored_token_other_address == 1);
    hall_close(hall);
}

static void a_disconnect_leaves_the_game(void)
{
    struct hall *hall = hall_open(&(struct hall_options){ 0 });
    (void)hall_client(hall, ANNA, 1);
    CU_ASSERT(hall_connect(hall, 0, ANNA));
    CU_ASSERT(hall_put_action(hall, 0, ANNA, VX_ACTION_FIND));
    hall_pass(hall);
    CU_ASSERT(hall_put_disconnect(hall, 0, ANNA));
    hall_wait(hall, 40);
    CU_ASSERT(hall_online(hall) == 0 && vx_admission_counters(hall->admission)->gone_closed == 1 && vx_admission_counters(hall->admission)->clients_in_grace == 0);
    CU_ASSERT(vx_io_counters(hall->ios[0])->sessions_ended == 1);
    hall_close(hall);
}

/* Results that were on their way when their session ended miss whoever comes next. */
static void what_is_late_is_for_nobody(void)
{
    struct hall *hall = hall_open(&(struct hall_options){ 0 });
    (void)hall_client(hall, ANNA, 1);
    CU_ASSERT(hall_connect(hall, 0, ANNA));
    CU_ASSERT(hall_put_action(hall, 0, ANNA, VX_ACTION_MOVE)); /* its answer waits for the window, in an open packet */
    hall_pass(hall);
    uint32_t payloads = hall->clients[ANNA].payloads;
    CU_ASSERT(hall_put_action(hall, 0, ANNA, VX_ACTION_PING) && hall_put_disconnect(hall, 0, ANNA));
    (void)vx_io_receive(hall->ios[0], hall->now);
    hall->now += 8000000;
    (void)vx_io_receive(hall->ios[0], hall->now);
    (void)vx_io_send(hall->ios[0], hall->now); /* the session ends; the shard has not answered yet */
    (void)vx_shard_lcore_step(hall->lane, hall->now / 1000);
    (void)hall_client(hall, BERT, 2);
    CU_ASSERT(hall_connect(hall, 0, BERT));
    hall_wait(hall, 50);
    CU_ASSERT(hall->clients[ANNA].payloads == payloads && hall->clients[BERT].payloads == 0);
    CU_ASSERT(vx_io_counters(hall->ios[0])->replies_late >= 1);
    hall_close(hall);
}

/* The shard stands still and its ring is full: who was let in waits, and is not forgotten. */
static void a_join_waits_for_its_ring(void)
{
    struct hall *hall = hall_open(&(struct hall_options){ .action_ring = 64 });
    struct vx_event fill = { .kind = VX_EVENT_PART }; /* late for everybody */
    (void)hall_client(hall, ANNA, 1);
    CU_ASSERT(hall_put_next(hall, 0, ANNA));
    hall_pass(hall);
    for (uint32_t shard = 0; shard < HALL_SHARDS; shard++)
        while (rte_ring_enqueue_elem(hall->actions[0][shard], &fill, sizeof(fill)) == 0) {
        }
    CU_ASSERT(hall_put_next(hall, 0, ANNA)); /* the response */
    (void)vx_io_receive(hall->ios[0], hall->now);
    (void)vx_io_send(hall->ios[0], hall->now);
    CU_ASSERT(hall_put_action(hall, 0, ANNA, VX_ACTION_PING));
    (void)vx_io_receive(hall->ios[0], hall->now);
    CU_ASSERT_EQUAL(hall_drops(hall, VX_DROP_NETCODE_NOT_CONNECTED), 1); /* its shard does not know it yet */
    hall_pass(hall);
    hall_pass(hall);
    hall_pass(hall);
    CU_ASSERT(hall->clients[ANNA].state == NETCODE_PLAYER_CONNECTED && hall_online(hall) == 1);
    CU_ASSERT(hall_put_action(hall, 0, ANNA, VX_ACTION_PING));
    hall_pass(hall);
    CU_ASSERT(hall_answer(hall, ANNA, VX_RESULT_PONG) != NULL);
    hall_close(hall);
}

static void who_is_full_denies(void)
{
    struct hall *hall = hall_open(&(struct hall_options){ .players = 4 });
    for (uint32_t i = 0; i < 4; i++) {
        (void)hall_client(hall, i, 100 + i);
        CU_ASSERT(hall_connect(hall, i % 2, i));
    }
    (void)hall_client(hall, 4, 104);
    CU_ASSERT(hall_put_next(hall, 1, 4));
    hall_pass(hall);
    hall_pass(hall);
    CU_ASSERT_EQUAL(hall->clients[4].state, NETCODE_PLAYER_DENIED);
    hall_close(hall);
}

/* A burst of requests: eight of it are looked at, and a player in the midst of them is answered in the same pass. */
static void players_go_before_requests(void)
{
    struct hall *hall = hall_open(&(struct hall_options){ .players = 400 });
    uint8_t payload[VX_NETCODE_REQUEST_BYTES];
    (void)hall_client(hall, ANNA, 1);
    CU_ASSERT(hall_connect(hall, 0, ANNA));
    for (uint32_t i = 0; i < 63; i++) {
        (void)hall_client(hall, 10 + i, 1000 + i);
        (void)hall_put(hall, 0, &hall->clients[10 + i], payload, netcode_player_request(&hall->clients[10 + i], &hall->backend, payload));
        if (i == 31)
            CU_ASSERT(hall_put_action(hall, 0, ANNA, VX_ACTION_PING));
    }
    hall_pass(hall);
    CU_ASSERT(hall_answer(hall, ANNA, VX_RESULT_PONG) != NULL);
    CU_ASSERT(hall_drops(hall, VX_DROP_NETCODE_LOAD) == 55 && vx_io_sessions(hall->ios[0])->challenges_sent == 1 + 8);
    for (uint32_t round = 0; round < 400; round++) { /* all are connected in the end */
        for (uint32_t i = 0; i < 63; i++)
            if (hall->clients[10 + i].state < NETCODE_PLAYER_CONNECTED)
                (void)hall_put_next(hall, 0, 10 + i);
        hall_pass(hall);
    }
    CU_ASSERT_EQUAL(hall_online(hall), 64);
    hall_close(hall);
}

static void everybody_is_told_goodbye(void)
{
    struct hall *hall = hall_open(&(struct hall_options){ .players = 100 });
    for (uint32_t i = 0; i < 60; i++) {
        (void)hall_client(hall, i, 100 + i);
        CU_ASSERT(hall_connect(hall, i % 2, i));
    }
    for (uint32_t io = 0; io < HALL_IOS; io++)
        vx_io_goodbye(hall->ios[io]);
    hall_wait(hall, 100);
    for (uint32_t i = 0; i < 60; i++)
        CU_ASSERT_EQUAL(hall->clients[i].state, NETCODE_PLAYER_DISCONNECTED);
    CU_ASSERT(vx_io_goodbye_done(hall->ios[0]) && vx_io_goodbye_done(hall->ios[1]));
    (void)hall_client(hall, 200, 200);
    CU_ASSERT_FALSE(hall_connect(hall, 0, 200)); /* nobody new */
    hall_close(hall);
}

/* Random comings and goings through both doors, lost and doubled packets: books, places and sessions stay right. */
static void random_comings_and_goings(void)
{
    struct hall *hall = hall_open(&(struct hall_options){ .players = 40 });
    struct vx_rng rng = { 12 };
    static uint8_t door[HALL_CLIENTS];
    hall->backend.timeout_s = 3;
    for (uint32_t i = 0; i < 60; i++)
        (void)hall_client(hall, i, 500 + i % 50); /* ten of them share a client id with another */
    for (uint32_t step = 0; step < 6000; step++) {
        for (uint32_t acts = 0; acts < 6; acts++) {
            uint32_t i = vx_rng_below(&rng, 60), chosen = vx_rng_below(&rng, 40);
            struct netcode_player *client = &hall->clients[i];
            if (client->state >= NETCODE_PLAYER_DENIED || chosen == 0) { /* another token, perhaps another door */
                hall->backend.expire_s = hall->unix_s + 30;
                netcode_player_token(client, &hall->backend, NULL);
                hall->numbers[i] = hall->seen[i] = 0;
                door[i] = (uint8_t)vx_rng_below(&rng, HALL_IOS);
            } else if (chosen == 1 && client->state == NETCODE_PLAYER_CONNECTED) {
                (void)hall_put_disconnect(hall, door[i], i);
                client->state = NETCODE_PLAYER_DISCONNECTED;
            } else if (chosen < 20 && client->state == NETCODE_PLAYER_CONNECTED) {
                (void)hall_put_action(hall, door[i], i, (uint8_t)(1 + vx_rng_below(&rng, VX_ACTION_COUNT - 1)));
            } else if (chosen < 38) {
                (void)hall_put_next(hall, door[i], i);
            }
        }
        hall_wait(hall, 10);
        hall->count = 0;
        if (step % 500 == 0)
            for (uint32_t io = 0; io < HALL_IOS; io++)
                vx_io_check(hall->ios[io]);
        hall->bad_packets = 0; /* what is for a token before this one does not open */
    }
    const struct vx_admission_counters *c = vx_admission_counters(hall->admission);
    CU_ASSERT(c->connected > 300 && c->resumed > 30 && c->gone_lost > 100 && c->gone_closed > 30 && c->ignored_client_connected > 30 && c->denied_full > 0);
    hall_close(hall);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "from request to answer", from_request_to_answer },
        { "unconfirmed payloads follow a keep-alive", unconfirmed_payloads_follow_a_keep_alive },
        { "a keep-alive crosses no ring", a_keep_alive_crosses_no_ring },
        { "back on another queue", back_on_another_queue },
        { "the same client through both doors", the_same_client_through_both_doors },
        { "a disconnect leaves the game", a_disconnect_leaves_the_game },
        { "what is late is for nobody", what_is_late_is_for_nobody },
        { "a join waits for its ring", a_join_waits_for_its_ring },
        { "who is full denies", who_is_full_denies },
        { "players go before requests", players_go_before_requests },
        { "everybody is told goodbye", everybody_is_told_goodbye },
        { "random comings and goings", random_comings_and_goings },
    };
    return hall_eal() ? vx_test_main("lcore: netcode", tests, sizeof(tests) / sizeof(tests[0])) : 1;
}
