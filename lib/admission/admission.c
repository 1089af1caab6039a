/* The decisions, in the order of the standard's "Processing Connection Requests" and "… Response Packets", as far as they
 * need to know of other sessions than the asking lcore's own. */
#include "admission_private.h"

static size_t rounded(size_t bytes)
{
    return (bytes + VX_CACHE_LINE_BYTES - 1) & ~(size_t)(VX_CACHE_LINE_BYTES - 1);
}

size_t vx_admission_bytes(const struct vx_admission_config *config)
{
    return rounded(sizeof(struct vx_admission)) + rounded(tokens_bytes(config)) + rounded(places_bytes(config));
}

struct vx_admission *vx_admission_create(void *memory, const struct vx_admission_config *config, uint32_t now_ms)
{
    struct vx_admission *admission = memory;
    char *after = (char *)memory + rounded(sizeof(*admission));
    VX_ASSERT(config->players >= config->shards && config->shards >= 1 && config->shards <= VX_SHARDS_MAX);
    VX_ASSERT(config->tokens >= 1 && config->tokens <= VX_ADMISSION_TOKENS_MAX);
    admission->config = *config;
    tokens_create(admission, after, now_ms);
    places_create(admission, after + rounded(tokens_bytes(config)), now_ms);
    return admission;
}

/* The client's own place, or a free one; what to do when there is none. */
static enum vx_verdict place_choose(struct vx_admission *admission, const struct vx_admission_ask *ask, uint32_t *player, bool *resumes)
{
    *player = place_find(admission, ask->client_id);
    *resumes = *player != NONE;
    if (*resumes)
        return VX_VERDICT_ADMIT; /* wherever this token would send it: its hunt is there */
    if (ask->shard != VX_ADMISSION_SHARD_ANY && ask->shard >= admission->config.shards) {
        admission->counters.denied_shard++;
        return VX_VERDICT_DENY;
    }
    *player = place_first_free(admission, ask->shard, ask->client_id);
    if (*player != NONE)
        return VX_VERDICT_ADMIT;
    admission->counters.denied_full++;
    return VX_VERDICT_DENY;
}

static bool is_connected(const struct vx_admission *admission, uint64_t client_id)
{
    uint32_t player = place_find(admission, client_id);
    return player != NONE && admission->places[player].state == PLACE_CONNECTED;
}

static struct vx_admission_verdict ignored(uint64_t *counter)
{
    (*counter)++;
    return (struct vx_admission_verdict){ .verdict = VX_VERDICT_IGNORE };
}

static struct vx_admission_verdict request(struct vx_admission *admission, uint32_t now_ms, uint64_t now_s, const struct vx_admission_ask *ask)
{
    struct vx_admission_counters *counters = &admission->counters;
    struct vx_admission_verdict verdict = { 0 };
    uint32_t player;
    counters->requests++;
    if (is_connected(admission, ask->client_id))
        return ignored(&counters->ignored_client_connected);
    switch (token_show(admission, now_ms, now_s, ask, &verdict.token)) {
    case TOKEN_OTHER_ADDRESS:
        return ignored(&counters->ignored_token_other_address);
    case TOKEN_USED:
        return ignored(&counters->ignored_token_consumed);
    case TOKEN_NO_ROOM:
        return ignored(&counters->ignored_history_full);
    case TOKEN_ADMITS:
        break;
    }
    bool resumes;
    verdict.verdict = (uint8_t)place_choose(admission, ask, &player, &resumes);
    counters->challenged += verdict.verdict == VX_VERDICT_ADMIT;
    return verdict;
}

static struct vx_admission_verdict response(struct vx_admission *admission, const struct vx_admission_ask *ask)
{
    struct vx_admission_counters *counters = &admission->counters;
    struct vx_admission_verdict verdict = { 0 };
    counters->responses++;
    if (is_connected(admission, ask->client_id))
        return ignored(&counters->ignored_client_connected);
    verdict.verdict = (uint8_t)place_choose(admission, ask, &verdict.player, &verdict.resumes);
    if (verdict.verdict != VX_VERDICT_ADMIT)
        return verdict;
    if (!token_consume(admission, ask->token))
        return ignored(&counters->ignored_token_consumed);
    place_connect(admission, verdict.player, ask->client_id);
    verdict.connection = admission->connection;
    counters->connected++;
    counters->resumed += verdict.resumes;
    return verdict;
}

uint32_t vx_admission_step(struct vx_admission *admission, uint32_t now_ms, uint64_t now_s, const struct vx_admission_ask *asks, uint32_t count,
                           struct vx_admission_verdict *verdicts)
{
    uint32_t given = 0;
    tokens_expire(admission, now_ms, now_s);
    places_expire(admission, now_ms);
    for (uint32_t i = 0; i < count; i++) {
        const struct vx_admission_ask *ask = &asks[i];
        if (ask->kind == VX_ASK_REQUEST) {
            verdicts[given++] = request(admission, now_ms, now_s, ask);
        } else if (ask->kind == VX_ASK_RESPONSE) {
            verdicts[given++] = response(admission, ask);
        } else {
            VX_ASSERT(ask->kind == VX_ASK_GONE);
            *(ask->how == VX_GONE_CLOSED ? &admission->counters.gone_closed : &admission->counters.gone_lost) += 1;
            place_leave(admission, ask->player, (enum vx_gone)ask->how, now_ms);
        }
    }
    return given;
}

const struct vx_admission_counters *vx_admission_counters(const struct vx_admission *admission)
{
    return &admission->counters;
}

static void check_places(const struct vx_admission *admission)
{
    uint64_t connected = 0, grace = 0, unused = 0, listed = 0;
    for (uint32_t i = 0; i < admission->config.players; i++) {
        const struct place *place = &admission->places[i];
        connected += place->state == PLACE_CONNECTED;
        grace += place->state == PLACE_GRACE;
        unused += place->state == PLACE_FREE;
        VX_ASSERT(vx_wheel_is_set(&admission->place_wheel, i) == (place->state == PLACE_GRACE)); /* every grace ends */
        VX_ASSERT(place->state == PLACE_FREE || place_find(admission, place->client_id) == i);   /* one place a client */
    }
    for (uint32_t shard = 0; shard < admission->config.shards; shard++)
        for (uint32_t i = admission->places_free[shard].first; i != NONE; i = admission->places[i].next) {
            VX_ASSERT(admission->places[i].state == PLACE_FREE && i % admission->config.shards == shard);
            listed++;
        }
    VX_ASSERT(connected == admission->counters.clients && grace == admission->counters.clients_in_grace && unused == listed);
}

void vx_admission_check(const struct vx_admission *admission)
{
    const struct vx_admission_counters *c = &admission->counters;
    uint64_t tokens = 0;
    for (uint32_t i = 0; i < admission->config.tokens; i++) {
        tokens += admission->tokens[i].state != TOKEN_FREE;
        VX_ASSERT(vx_wheel_is_set(&admission->token_wheel, i) == (admission->tokens[i].state != TOKEN_FREE)); /* every token expires */
    }
    VX_ASSERT(tokens == c->tokens);
    check_places(admission);
    VX_ASSERT(c->requests + c->responses == c->challenged + c->connected + c->denied_full + c->denied_shard + c->ignored_client_connected +
                                                c->ignored_token_other_address + c->ignored_token_consumed + c->ignored_history_full);
    VX_ASSERT(c->connected == c->clients + c->gone_lost + c->gone_closed);
}
