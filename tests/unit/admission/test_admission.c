/* admission: every rule once, the same rules under random questions against a slow and obvious model, and the budget. */
#include <stdlib.h>
#include <string.h>

#include "vx_admission.h"
#include "vx_test.h"

enum { NOW_S = 1800000000, LIFETIME_S = 30, GRACE_MS = 5000, ALICE = 1001, BOB = 1002, CAROL = 1003 };
static struct vx_admission *admission;
static uint32_t now_ms;
static struct vx_admission_config config;

static void open_with(uint32_t players, uint32_t shards, uint32_t tokens)
{
    config = (struct vx_admission_config){ .players = players, .shards = shards, .tokens = tokens, .grace_ms = GRACE_MS, .seed = 5 };
    size_t bytes = (vx_admission_bytes(&config) + 63) / 64 * 64;
    now_ms = UINT32_MAX - 2000; /* wraps soon */
    admission = vx_admission_create(memset(aligned_alloc(64, bytes), 0, bytes), &config, now_ms);
}

static void close_checked(void)
{
    vx_admission_check(admission);
    free(admission);
}

static uint64_t now_s(void)
{
    return NOW_S + (uint32_t)(now_ms - (UINT32_MAX - 2000)) / 1000;
}

static struct vx_admission_verdict ask(struct vx_admission_ask question)
{
    struct vx_admission_verdict verdict = { 0 };
    uint32_t given = vx_admission_step(admission, now_ms, now_s(), &question, 1, &verdict);
    CU_ASSERT_EQUAL(given, question.kind != VX_ASK_GONE);
    return verdict;
}

static struct vx_admission_ask request_of(uint64_t client_id, uint32_t token, uint32_t address, uint16_t shard)
{
    struct vx_admission_ask question = { .kind = VX_ASK_REQUEST, .client_id = client_id, .shard = shard, .expire_s = now_s() + LIFETIME_S };
    memcpy(question.tag, &token, sizeof(token));
    memcpy(question.from, &address, sizeof(address));
    return question;
}

static struct vx_admission_verdict request(uint64_t client_id, uint32_t token, uint32_t address)
{
    return ask(request_of(client_id, token, address, VX_ADMISSION_SHARD_ANY));
}

static struct vx_admission_verdict respond(uint64_t client_id, uint32_t name)
{
    return ask((struct vx_admission_ask){ .kind = VX_ASK_RESPONSE, .client_id = client_id, .shard = VX_ADMISSION_SHARD_ANY, .token = name });
}

static struct vx_admission_verdict connect(uint64_t client_id, uint32_t token, uint32_t address)
{
    struct vx_admission_verdict verdict = request(client_id, token, address);
    CU_ASSERT_EQUAL(verdict.verdict, VX_VERDICT_ADMIT);
    verdict = respond(client_id, verdict.token);
    CU_ASSERT_EQUAL(verdict.verdict, VX_VERDICT_ADMIT);
    return verdict;
}

static void gone(struct vx_admission_verdict connected, enum vx_gone how)
{
    (void)ask((struct vx_admission_ask){ .kind = VX_ASK_GONE, .how = (uint8_t)how, .player = connected.player });
}

static const struct vx_admission_counters *counters(void)
{
    return vx_admission_counters(admission);
}

static void a_token_is_pending_for_one_address_and_then_consumed(void)
{
    open_with(8, 2, 16);
    struct vx_admission_verdict first = request(ALICE, 7, 1), again = request(ALICE, 7, 1);
    CU_ASSERT(first.verdict == VX_VERDICT_ADMIT && again.verdict == VX_VERDICT_ADMIT && first.token == again.token); /* a lost challenge */
    CU_ASSERT_EQUAL(request(ALICE, 7, 2).verdict, VX_VERDICT_IGNORE);
    CU_ASSERT_EQUAL(counters()->ignored_token_other_address, 1);
    struct vx_admission_verdict alice = respond(ALICE, first.token);
    CU_ASSERT(alice.verdict == VX_VERDICT_ADMIT && !alice.resumes && alice.connection == 1);
    gone(alice, VX_GONE_CLOSED);
    CU_ASSERT_EQUAL(request(ALICE, 7, 1).verdict, VX_VERDICT_IGNORE); /* whatever the address */
    CU_ASSERT_EQUAL(respond(ALICE, first.token).verdict, VX_VERDICT_IGNORE);
    CU_ASSERT_EQUAL(counters()->ignored_token_consumed, 2);
    CU_ASSERT_EQUAL(connect(ALICE, 8, 1).connection, 2); /* with a fresh one */
    close_checked();
}

static void a_token_is_forgotten_when_it_expires(void)
{
    open_with(8, 2, 1);
    struct vx_admission_verdict alice = request(ALICE, 7, 1);
    CU_ASSERT_EQUAL(request(BOB, 8, 2).verdict, VX_VERDICT_IGNORE);
    CU_ASSERT_EQUAL(counters()->ignored_history_full, 1);
    now_ms += LIFETIME_S * 1000 - 100;
    CU_ASSERT_EQUAL(request(BOB, 8, 2).verdict, VX_VERDICT_IGNORE); /* refused, and nothing evicted */
    CU_ASSERT_EQUAL(request(ALICE, 7, 1).verdict, VX_VERDICT_ADMIT);
    now_ms += 1300;
    CU_ASSERT_EQUAL(request(BOB, 8, 2).verdict, VX_VERDICT_ADMIT);
    CU_ASSERT_EQUAL(respond(ALICE, alice.token).verdict, VX_VERDICT_ADMIT); /* challenged in time: the name is another token's now */
    CU_ASSERT_EQUAL(connect(BOB, 8, 2).verdict, VX_VERDICT_ADMIT);
    close_checked();
}

static void a_token_that_never_expires_is_never_forgotten(void)
{
    open_with(8, 2, 4);
    struct vx_admission_ask question = request_of(ALICE, 7, 1, VX_ADMISSION_SHARD_ANY);
    question.expire_s = UINT64_MAX;
    CU_ASSERT_EQUAL(ask(question).verdict, VX_VERDICT_ADMIT);
    for (uint32_t day = 0; day < 60; day++) {
        now_ms += 24 * 3600 * 1000;
        (void)vx_admission_step(admission, now_ms, NOW_S, NULL, 0, NULL);
    }
    CU_ASSERT_EQUAL(counters()->tokens, 1);
    close_checked();
}

static void one_connection_per_client(void)
{
    open_with(8, 2, 16);
    struct vx_admission_verdict first = request(ALICE, 7, 1), second = request(ALICE, 8, 2); /* two tokens, both challenged */
    CU_ASSERT(first.verdict == VX_VERDICT_ADMIT && second.verdict == VX_VERDICT_ADMIT);
    CU_ASSERT_EQUAL(respond(ALICE, first.token).verdict, VX_VERDICT_ADMIT);
    CU_ASSERT_EQUAL(respond(ALICE, second.token).verdict, VX_VERDICT_IGNORE);
    CU_ASSERT_EQUAL(request(ALICE, 9, 3).verdict, VX_VERDICT_IGNORE);
    CU_ASSERT_EQUAL(counters()->ignored_client_connected, 2);
    close_checked();
}

static void who_is_lost_comes_back_to_its_place(void)
{
    open_with(4, 1, 16);
    struct vx_admission_verdict alice = connect(ALICE, 1, 1), bob = connect(BOB, 2, 2);
    gone(alice, VX_GONE_LOST);
    CU_ASSERT(counters()->clients == 1 && counters()->clients_in_grace == 1);
    now_ms += GRACE_MS - 100;
    struct vx_admission_verdict back = connect(ALICE, 3, 9);
    CU_ASSERT(back.resumes && back.player == alice.player && back.connection > bob.connection);
    gone(back, VX_GONE_LOST);
    now_ms += GRACE_MS + 100;
    back = connect(ALICE, 4, 9);
    CU_ASSERT(!back.resumes && back.player != alice.player); /* its old place rests at the end of the queue */
    CU_ASSERT(counters()->grace_ended == 1 && counters()->resumed == 1);
    close_checked();
}

static void who_left_is_gone_at_once(void)
{
    open_with(1, 1, 16);
    struct vx_admission_verdict alice = connect(ALICE, 1, 1);
    CU_ASSERT_EQUAL(request(BOB, 2, 2).verdict, VX_VERDICT_DENY);
    gone(alice, VX_GONE_CLOSED);
    CU_ASSERT(connect(BOB, 2, 2).player == alice.player && counters()->denied_full == 1);
    close_checked();
}

static void full_is_denied_and_grace_counts(void)
{
    open_with(2, 1, 16);
    struct vx_admission_verdict alice = connect(ALICE, 1, 1), carol = request(CAROL, 3, 3);
    (void)connect(BOB, 2, 2);
    CU_ASSERT_EQUAL(respond(CAROL, carol.token).verdict, VX_VERDICT_DENY); /* filled up since the challenge */
    gone(alice, VX_GONE_LOST);
    CU_ASSERT_EQUAL(request(CAROL, 3, 3).verdict, VX_VERDICT_DENY); /* Alice's place is Alice's for a while */
    CU_ASSERT_EQUAL(connect(ALICE, 4, 1).player, alice.player);
    CU_ASSERT_EQUAL(counters()->denied_full, 2);
    close_checked();
}

static void the_token_says_the_shard(void)
{
    open_with(9, 4, 64); /* places: 3, 2, 2, 2 */
    for (uint32_t i = 0; i < 3; i++) {
        struct vx_admission_ask question = request_of(ALICE + i, i, i, 3);
        struct vx_admission_verdict verdict = ask(question);
        if (i == 2) {
            CU_ASSERT_EQUAL(verdict.verdict, VX_VERDICT_DENY);
            break;
        }
        verdict = ask((struct vx_admission_ask){ .kind = VX_ASK_RESPONSE, .client_id = ALICE + i, .shard = 3, .token = verdict.token });
        CU_ASSERT(verdict.verdict == VX_VERDICT_ADMIT && verdict.player % 4 == 3 && verdict.player < 9);
    }
    CU_ASSERT_EQUAL(ask(request_of(BOB + 10, 50, 50, 4)).verdict, VX_VERDICT_DENY);
    CU_ASSERT_EQUAL(counters()->denied_shard, 1);
    for (uint32_t i = 0; i < 7; i++) /* anywhere: what is left is found, wherever the hash points */
        (void)connect(5000 + i, 100 + i, 100 + i);
    CU_ASSERT_EQUAL(request(6000, 200, 200).verdict, VX_VERDICT_DENY);
    close_checked();
}

static void any_spreads_over_shards(void)
{
    uint32_t in_shard[8] = { 0 };
    open_with(8000, 8, 8000);
    for (uint32_t i = 0; i < 4000; i++)
        in_shard[connect(i, i, i).player % 8]++;
    for (uint32_t shard = 0; shard < 8; shard++)
        CU_ASSERT(in_shard[shard] > 400 && in_shard[shard] < 600);
    close_checked();
}

/* ---- random, against a model that knows everything and is slow ---- */

enum { CLIENTS = 40, TOKENS = 200, PLAYERS = 12, SHARDS = 5, HISTORY = 60 };
static struct {
    bool connected, in_grace;
    uint32_t lost_ms;
    struct vx_admission_verdict place;
} clients[CLIENTS];
static struct {
    bool known, consumed;
    uint32_t from, name, client, expire_ms;
} tokens[TOKENS];
static uint32_t wrong, admitted, full;

static uint32_t taken(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < CLIENTS; i++)
        count += clients[i].connected || clients[i].in_grace;
    return count;
}

static uint32_t remembered(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < TOKENS; i++)
        count += tokens[i].known;
    return count;
}

/* The wheels look a tick or two after a time has come. The model leaves such moments out. */
static bool on_the_edge(void)
{
    bool edge = false;
    for (uint32_t i = 0; i < CLIENTS; i++)
        edge |= clients[i].in_grace && now_ms - clients[i].lost_ms - GRACE_MS < 100;
    for (uint32_t i = 0; i < TOKENS; i++)
        edge |= tokens[i].known && now_ms - tokens[i].expire_ms < 200;
    return edge;
}

static void time_passes(struct vx_rng *rng)
{
    do
        now_ms += 1 + vx_rng_below(rng, 1000);
    while (on_the_edge());
    for (uint32_t i = 0; i < CLIENTS; i++)
        clients[i].in_grace = clients[i].in_grace && now_ms - clients[i].lost_ms < GRACE_MS;
    for (uint32_t i = 0; i < TOKENS; i++)
        tokens[i].known = tokens[i].known && (int32_t)(now_ms - tokens[i].expire_ms) < 0;
}

static void random_request(struct vx_rng *rng)
{
    uint32_t token = vx_rng_below(rng, TOKENS), client = token % CLIENTS, from = vx_rng_below(rng, 4) ? token : vx_rng_below(rng, 3);
    struct vx_admission_ask question = request_of(client, token, from, VX_ADMISSION_SHARD_ANY);
    uint8_t expected = VX_VERDICT_ADMIT;
    struct vx_admission_verdict got = ask(question);
    bool is_known = tokens[token].known;
    if (clients[client].connected || (is_known && (tokens[token].consumed || tokens[token].from != from)) || (!is_known && remembered() == HISTORY))
        expected = VX_VERDICT_IGNORE;
    else if (!clients[client].in_grace && taken() == PLAYERS)
        expected = VX_VERDICT_DENY;
    wrong += got.verdict != expected;
    full += expected == VX_VERDICT_DENY;
    if (!clients[client].connected && !is_known && remembered() < HISTORY) {
        tokens[token].known = true;
        tokens[token].consumed = false;
        tokens[token].name = UINT32_MAX; /* until it is challenged */
        tokens[token].from = from;
        tokens[token].expire_ms = now_ms + 1000 * LIFETIME_S;
    }
    if (got.verdict == VX_VERDICT_ADMIT)
        tokens[token].name = got.token;
    tokens[token].client = client;
}

static void random_response(struct vx_rng *rng)
{
    uint32_t token = vx_rng_below(rng, TOKENS), client = tokens[token].client;
    if (!tokens[token].known || tokens[token].name == UINT32_MAX)
        return;
    struct vx_admission_verdict got = respond(client, tokens[token].name);
    uint8_t expected = VX_VERDICT_ADMIT;
    if (clients[client].connected)
        expected = VX_VERDICT_IGNORE;
    else if (!clients[client].in_grace && taken() == PLAYERS)
        expected = VX_VERDICT_DENY;
    else if (tokens[token].consumed)
        expected = VX_VERDICT_IGNORE;
    wrong += got.verdict != expected;
    if (got.verdict != VX_VERDICT_ADMIT)
        return;
    wrong += got.resumes != clients[client].in_grace || (got.resumes && got.player != clients[client].place.player) || got.player >= PLAYERS;
    for (uint32_t i = 0; i < CLIENTS; i++)
        wrong += i != client && (clients[i].connected || clients[i].in_grace) && clients[i].place.player == got.player;
    clients[client].connected = true;
    clients[client].in_grace = false;
    clients[client].place = got;
    tokens[token].consumed = true;
    admitted++;
}

static void random_gone(struct vx_rng *rng)
{
    uint32_t client = vx_rng_below(rng, CLIENTS);
    bool lost = vx_rng_below(rng, 3) != 0;
    if (!clients[client].connected)
        return;
    gone(clients[client].place, lost ? VX_GONE_LOST : VX_GONE_CLOSED);
    clients[client].connected = false;
    clients[client].in_grace = lost;
    clients[client].lost_ms = now_ms;
}

static void random_questions_against_a_model(void)
{
    struct vx_rng rng = { 3 };
    open_with(PLAYERS, SHARDS, HISTORY);
    for (uint32_t i = 0; i < TOKENS; i++)
        tokens[i].name = UINT32_MAX;
    for (uint32_t step = 0; step < 200000; step++) {
        uint32_t chosen = vx_rng_below(&rng, 16);
        (chosen < 8 ? random_request : chosen < 14 ? random_response : random_gone)(&rng);
        if (step % 16 == 0)
            time_passes(&rng);
        if (step % 1000 == 0)
            vx_admission_check(admission);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(admitted > 1000 && full > 100 && counters()->resumed > 100 && counters()->ignored_history_full > 100 && counters()->grace_ended > 100);
    close_checked();
}

/* ---- the budget ---- */

static struct vx_handshake_budget *budget_of(uint32_t per_s, uint32_t network_per_s)
{
    size_t bytes = (vx_handshake_budget_bytes() + 63) / 64 * 64;
    return vx_handshake_budget_create(memset(aligned_alloc(64, bytes), 0, bytes), per_s, network_per_s, 77);
}

static void a_second_has_its_handshakes(void)
{
    struct vx_handshake_budget *budget = budget_of(1000, 0);
    uint32_t taken_count = 0;
    for (uint32_t ms = 0; ms < 10000; ms++)
        for (uint32_t i = 0; i < 5; i++) {
            uint32_t address = ms * 5 + i;
            taken_count += vx_handshake_budget_take(budget, ms, (const uint8_t *)&address, false) == VX_BUDGET_TAKEN;
        }
    CU_ASSERT(taken_count >= 10000 && taken_count <= 10250);
    free(budget);
}

static void a_network_has_its_share(void)
{
    struct vx_handshake_budget *budget = budget_of(0, 100);
    static const uint8_t flood[4] = { 203, 0, 113, 0 };
    uint32_t flood_taken = 0, others_refused = 0, flood6_taken = 0;
    for (uint32_t ms = 0; ms < 10000; ms++) {
        for (uint32_t i = 0; i < 20; i++) { /* any host of a /24, any of a /56 */
            uint8_t from[4] = { flood[0], flood[1], flood[2], (uint8_t)(ms + i) };
            uint8_t from6[16] = { 0x20, 1, 0xd, 0xb8, 1, 2, 3, (uint8_t)i, [15] = (uint8_t)ms };
            flood_taken += vx_handshake_budget_take(budget, ms, from, false) == VX_BUDGET_TAKEN;
            flood6_taken += vx_handshake_budget_take(budget, ms, from6, true) == VX_BUDGET_TAKEN;
        }
        if (ms % 100 == 0) {
            uint8_t other[4] = { 198, (uint8_t)(ms / 100), 7, 1 };
            others_refused += vx_handshake_budget_take(budget, ms, other, false) != VX_BUDGET_TAKEN;
        }
    }
    CU_ASSERT(flood_taken >= 1000 && flood_taken <= 1030 && flood6_taken >= 1000 && flood6_taken <= 1030);
    CU_ASSERT(others_refused <= 1); /* who shares the flood's bucket: one in 4096 */
    free(budget);
}

static void what_is_refused_costs_the_others_nothing(void)
{
    struct vx_handshake_budget *budget = budget_of(100, 10);
    static const uint8_t flood[4] = { 203, 0, 113, 1 };
    uint32_t others = 0;
    for (uint32_t i = 0; i < 100000; i++)
        (void)vx_handshake_budget_take(budget, 0, flood, false);
    for (uint32_t i = 0; i < 20; i++) {
        uint8_t other[4] = { 198, 51, (uint8_t)i, 1 };
        others += vx_handshake_budget_take(budget, 0, other, false) == VX_BUDGET_TAKEN;
    }
    CU_ASSERT(others >= 19);
    free(budget);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "a token is pending for one address, and then consumed", a_token_is_pending_for_one_address_and_then_consumed },
        { "a token is forgotten when it expires", a_token_is_forgotten_when_it_expires },
        { "a token that never expires is never forgotten", a_token_that_never_expires_is_never_forgotten },
        { "one connection per client", one_connection_per_client },
        { "who is lost comes back to its place", who_is_lost_comes_back_to_its_place },
        { "who left is gone at once", who_left_is_gone_at_once },
        { "full is denied, and grace counts", full_is_denied_and_grace_counts },
        { "the token says the shard", the_token_says_the_shard },
        { "any spreads over shards", any_spreads_over_shards },
        { "random questions against a model", random_questions_against_a_model },
        { "a second has its handshakes", a_second_has_its_handshakes },
        { "a network has its share", a_network_has_its_share },
        { "what is refused costs the others nothing", what_is_refused_costs_the_others_nothing },
    };
    return vx_test_main("admission", tests, sizeof(tests) / sizeof(tests[0]));
}
