/* Invariant 9, the half that can be counted: whole games, refused frames, ARP and rings too full go through the very
 * passes of an appliance, and not one of them takes memory, gives memory back or makes a system call. */
#include <malloc.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <mimalloc.h>

#include "counted.h"
#include "game_player.h"
#include "lcore_test.h"

enum {
    ACTIONS = 500000,       /* counted */
    ACTIONS_WARM_UP = 100000,
    GAME_PLAYERS = STAGE_PLAYERS - 2, /* the next one floods */
    TURNS = 64,             /* of a pass */
    PASS_CYCLES = 5000000,  /* 5 ms of the stage's clock */
    FLOOD = 1500,           /* frames at once: more than a shard's ring holds */
    PENDING_MAX = 256,      /* formula jobs and grants: the worker is another process, and gets its time */
};
static struct game_player players[STAGE_PLAYERS];
static struct vx_rng rng = { 7 };
static bool system_calls_seen;

/* ---- what is counted is seen ---- */

static void *volatile taken; /* or the compiler would leave both calls out */

static void use_malloc(void)
{
    taken = malloc(100);
    free(taken);
}
static void use_calloc(void)
{
    taken = calloc(10, 10);
    free(taken);
}
static void use_realloc(void)
{
    void *volatile nothing = NULL; /* or it would be made a malloc() */
    taken = realloc(nothing, 100);
    free(taken);
}
static void use_aligned_alloc(void)
{
    taken = aligned_alloc(64, 128);
    free(taken);
}
static void use_memalign(void)
{
    taken = memalign(64, 128);
    free(taken);
}
static void use_posix_memalign(void)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 64, 128) == 0)
        free(memory);
}
static void use_libc(void) /* libc's own use of malloc */
{
    taken = strdup("a text");
    free(taken);
}
static void use_mmap(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED)
        (void)munmap(memory, 4096);
}
static void use_mimalloc(void)
{
    taken = mi_malloc(100);
    mi_free(taken);
}
static void use_arena(void)
{
    taken = mi_heap_zalloc_aligned(mi_heap_get_default(), 100, 64);
    mi_free(taken);
}
static void use_rte_malloc(void)
{
    taken = rte_zmalloc_socket(NULL, 100, 64, SOCKET_ID_ANY);
    rte_free(taken);
}

static void what_is_counted_is_seen(void)
{
    static const struct {
        const char *first;
        void (*use)(void);
    } uses[] = { { "malloc", use_malloc }, { "calloc", use_calloc }, { "realloc", use_realloc }, { "aligned_alloc", use_aligned_alloc }, { "memalign", use_memalign },
                 { "posix_memalign", use_posix_memalign }, { "malloc", use_libc }, { "mmap64", use_mmap }, { "mi_malloc", use_mimalloc },
                 { "mi_heap_zalloc_aligned", use_arena }, { "rte_zmalloc_socket", use_rte_malloc } };
    for (unsigned i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        struct counted counted = { 0 };
        uses[i].use(); /* outside: not counted */
        counted_begin(&counted);
        uses[i].use();
        counted_end();
        uses[i].use();
        bool seen = counted.allocations >= 1 && counted.frees >= 1 && counted.first != NULL && strcmp(counted.first, uses[i].first) == 0;
        if (!seen)
            (void)fprintf(stderr, "\n  %s: %lu allocations, %lu frees, the first by %s\n", uses[i].first, counted.allocations, counted.frees, counted.first);
        CU_ASSERT(seen);
    }
    struct counted counted = { 0 };
    counted_begin(&counted);
    (void)getppid();
    counted_end();
    CU_ASSERT_EQUAL(counted.system_calls, system_calls_seen);
    CU_ASSERT(!system_calls_seen || counted.first_call > 0);
}

/* ---- the passes ---- */

static void passes(struct stage *stage, struct counted *counted)
{
    counted_begin(counted);
    while (vx_io_receive(stage->io, stage->now) > 0) {
    }
    counted_end();
    counted_begin(counted);
    (void)vx_shard_lcore_step(stage->lanes[0], stage->now / 1000);
    counted_end();
    counted_begin(counted);
    (void)vx_io_send(stage->io, stage->now);
    counted_end();
}

static uint16_t allocate_on_receive(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count, uint16_t max, void *calls)
{
    (void)port, (void)queue, (void)mbufs, (void)max;
    use_malloc();
    (*(uint64_t *)calls)++;
    return count;
}

static uint16_t allocate_on_send(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count, void *calls)
{
    return allocate_on_receive(port, queue, mbufs, count, count, calls);
}

/* A device that allocates while it is polled: the passes that poll it are found out. */
static void a_pass_that_allocates_is_found_out(void)
{
    struct stage *stage = stage_make(&(struct stage_options){ 0 });
    struct counted counted = { 0 };
    uint64_t calls = 0;
    CU_ASSERT(stage_put_one(stage, 1, VX_ACTION_PING));
    passes(stage, &counted);
    CU_ASSERT(counted.allocations == 0 && counted.frees == 0 && stage_collect(stage) == 1);
    const struct rte_eth_rxtx_callback *receiving = rte_eth_add_rx_callback(stage->port, 0, allocate_on_receive, &calls);
    CU_ASSERT_PTR_NOT_NULL_FATAL(receiving);
    passes(stage, &counted);
    CU_ASSERT(calls > 0 && counted.allocations == calls && counted.frees == calls);
    CU_ASSERT_EQUAL(rte_eth_remove_rx_callback(stage->port, 0, receiving), 0);
    const struct rte_eth_rxtx_callback *sending = rte_eth_add_tx_callback(stage->port, 0, allocate_on_send, &calls);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sending);
    uint64_t before = calls;
    CU_ASSERT(stage_put_one(stage, 1, VX_ACTION_PING));
    passes(stage, &counted);
    CU_ASSERT(calls > before && counted.allocations == calls && counted.frees == calls);
    CU_ASSERT_EQUAL(rte_eth_remove_tx_callback(stage->port, 0, sending), 0);
    stage_end(stage);
}

/* ---- whole games ---- */

#ifdef VX_WORKER
static void turns_put(struct stage *stage)
{
    for (uint32_t i = 0; i < TURNS; i++) {
        struct vx_wire_action actions[GAME_ACTIONS_MAX];
        uint32_t player = vx_rng_below(&rng, GAME_PLAYERS);
        uint32_t count = game_player_act(&players[player], &rng, actions);
        stage->numbers[player] = players[player].number - count;
        stage->seen[player] = players[player].seen;
        CU_ASSERT(stage_put(stage, player, (enum frame_way)(player % WAYS), actions, count));
    }
}

/* What nobody should send, what every link has, and more than there is room for. */
static void disturb(struct stage *stage, uint32_t pass)
{
    if (pass % 8 == 0) {
        struct vx_wire_action ping = action(VX_ACTION_PING);
        struct rte_mbuf *mbuf = stage_frame(stage, 0, WAY_IP4, &ping, 1);
        rte_pktmbuf_mtod(mbuf, uint8_t *)[mbuf->data_len - 1 - pass / 8 % 60] ^= 1;
        (void)stage_enqueue(stage, mbuf);
        stage_put_arp(stage);
    }
    if (pass % 256 == 0)
        for (uint32_t i = 0; i < FLOOD; i++)
            (void)stage_put_one(stage, GAME_PLAYERS, VX_ACTION_MOVE);
}

static void ledger_play(struct stage *stage)
{
    struct vx_grant grant;
    while (rte_ring_sc_dequeue_elem(stage->grants, &grant, sizeof(grant)) == 0) {
        struct vx_event ack = { .kind = VX_EVENT_GRANT_DONE, .shard = (uint16_t)grant.shard, .number = grant.chest };
        CU_ASSERT_EQUAL(rte_ring_sp_enqueue_elem(stage->acks, &ack, sizeof(ack)), 0);
    }
}

/* Of fifty packets one is lost, so that results are repeated. */
static void answers_tell(struct stage *stage)
{
    stage->count = 0;
    (void)stage_collect(stage);
    uint32_t lost = vx_rng_below(&rng, 50) == 0 ? stage->answers[0].packet : UINT32_MAX;
    for (uint32_t i = 0; i < stage->count; i++) {
        const struct answer *answer = &stage->answers[i];
        if (answer->packet != lost)
            game_player_told(&players[answer->player], &(struct vx_wire_long){ answer->type, answer->code, answer->arg16, answer->action_number,
                                                                               answer->result_number, answer->a, answer->b, answer->c });
    }
}

static void play(struct stage *stage, struct counted *counted, uint64_t actions)
{
    const struct vx_io_counters *c = vx_io_counters(stage->io);
    uint64_t end = c->actions_queued + actions;
    for (uint32_t pass = 0; c->actions_queued < end; pass++) {
        stage->now += PASS_CYCLES;
        turns_put(stage);
        disturb(stage, pass);
        do {
            passes(stage, counted);
            ledger_play(stage);
        } while (vx_shard_lcore_pending(stage->lanes[0]) > PENDING_MAX && usleep(50) == 0);
        answers_tell(stage);
    }
}

static struct vx_shard_counters shards_sum(const struct stage *stage)
{
    struct vx_shard_counters sum = { 0 };
    for (uint32_t i = 0; i < stage->options.shards; i++) {
        const uint64_t *from = (const uint64_t *)vx_shard_counters(vx_shard_lcore_shard(stage->lanes[0], i));
        for (size_t field = 0; field < sizeof(sum) / sizeof(uint64_t); field++)
            ((uint64_t *)&sum)[field] += from[field];
    }
    return sum;
}

/* Every path was gone while it was counted. */
static void check_played(const struct stage *stage, const struct vx_shard_counters *before, const struct vx_io_counters *io_before)
{
    const struct vx_shard_counters after = shards_sum(stage);
    const struct vx_io_counters *io = vx_io_counters(stage->io);
    CU_ASSERT(after.matches_settled > before->matches_settled + 100 && after.chests_claimed > before->chests_claimed + 1000);
    CU_ASSERT(after.strikes > before->strikes + 1000 && after.grants_done > before->grants_done + 1000 && after.jobs_answered > before->jobs_answered + 2000);
    CU_ASSERT(after.results_repeated > before->results_repeated && after.actions_refused > before->actions_refused);
    CU_ASSERT(io->actions_queued - io_before->actions_queued >= ACTIONS && io->actions_shed[0] > io_before->actions_shed[0] && io->busy_answers > io_before->busy_answers);
    CU_ASSERT(io->drops[VX_DROP_CONTROL_ANSWERED] > io_before->drops[VX_DROP_CONTROL_ANSWERED] && io->drops[VX_DROP_BAD_UDP_CHECKSUM] > io_before->drops[VX_DROP_BAD_UDP_CHECKSUM]);
    (void)printf("%lu actions, %lu matches, %lu chests, %lu strikes, %lu repeats, %lu shed ", io->actions_queued - io_before->actions_queued,
                 after.matches_settled - before->matches_settled, after.chests_claimed - before->chests_claimed, after.strikes - before->strikes,
                 after.results_repeated - before->results_repeated, io->actions_shed[0] - io_before->actions_shed[0]);
}

static void whole_games_allocate_nothing(void)
{
    struct vx_formula *formula = NULL;
    struct vx_error error;
    struct counted ignored = { 0 }, counted = { 0 };
    struct vx_formula_config config = { .worker_path = VX_WORKER, .runtime_folder = VX_LUA_FOLDER "/runtime", .lanes = 1, .cpu = -1, .idle_us = 20 };
    if (vx_formula_program_read(VX_LUA_FOLDER "/formulas", &config.program, &error) != 0 || vx_formula_start(&config, &formula, &error) != 0)
        CU_FAIL_FATAL(error.text);
    struct stage *stage = stage_make(&(struct stage_options){ .formula = formula, .grants = true, .answers_control = true, .busy_per_s = 1000, .repeat_ms = 300 });
    play(stage, &ignored, ACTIONS_WARM_UP);
    const struct vx_shard_counters before = shards_sum(stage);
    const struct vx_io_counters io_before = *vx_io_counters(stage->io);
    play(stage, &counted, ACTIONS);
    check_played(stage, &before, &io_before);
    if (counted.first != NULL || counted.system_calls > 0)
        (void)fprintf(stderr, "\n  %lu allocations, %lu frees, the first by %s; %lu system calls, the first %ld\n", counted.allocations, counted.frees,
                      counted.first != NULL ? counted.first : "nobody", counted.system_calls, counted.first_call);
    CU_ASSERT(counted.allocations == 0 && counted.frees == 0 && counted.system_calls == 0);
    stage_end(stage);
    vx_formula_stop(formula);
}
#endif

int main(void)
{
    static const struct vx_test tests[] = {
        { "what is counted is seen", what_is_counted_is_seen },
        { "a pass that allocates is found out", a_pass_that_allocates_is_found_out },
#ifdef VX_WORKER
        { "whole games allocate nothing", whole_games_allocate_nothing },
#endif
    };
    if (!stage_eal())
        return 2;
    system_calls_seen = counted_watch_system_calls();
    if (!system_calls_seen)
        (void)printf("system calls are not watched here: this needs Linux 5.11\n");
    return vx_test_main("allocations", tests, sizeof(tests) / sizeof(tests[0]));
}
