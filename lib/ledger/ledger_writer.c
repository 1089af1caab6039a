/* ledger_writer: the thread between shards and disk. Takes whatever all rings hold, writes it in a single
 * transaction, and only then puts an acknowledgement into the lane's other ring:
 *
 *   shard lcore --grants[lane]--> batch --vx_ledger_commit--> waiting[lane] --acks[lane]--> shard lcore
 *
 * One fsync is shared by all grants that came while the one before was under way (group commit), so
 * a slow disk makes larger transactions, not longer queues.
 * What a reader must know: an acknowledgement may be late, or never come when the server stops, but is
 * never sent for a row that is not durable. */
#include <errno.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_private.h"

enum {
    RETRY_US = 1000000, /* between two tries at a failing disk */
    IDLE_US = 1000,     /* adds at most this to a commit of some milliseconds */
};

/* Waking early does no harm: callers look again at why they sleep. */
static void sleep_idle(void)
{
    const struct timespec pause = { .tv_nsec = IDLE_US * 1000L };
    (void)nanosleep(&pause, NULL);
}

static bool is_stopping(const struct vx_ledger *ledger)
{
    return __atomic_load_n(&ledger->stop, __ATOMIC_ACQUIRE); /* releases: vx_ledger_close */
}

static uint32_t send_acks(struct lane *lane)
{
    if (lane->waiting_count == 0)
        return 0;
    uint32_t sent = rte_ring_sp_enqueue_burst_elem(lane->acks, &lane->waiting[lane->waiting_first], sizeof(struct vx_event), lane->waiting_count, NULL);
    lane->waiting_first += sent;
    lane->waiting_count -= sent;
    return sent;
}

static uint32_t send_waiting_acks(struct vx_ledger *ledger)
{
    uint32_t sent = 0;
    for (uint32_t i = 0; i < ledger->lane_count; i++)
        sent += send_acks(&ledger->lanes[i]);
    return sent;
}

/* Only while closing, when nobody reads them: the rows are durable, the acknowledgements have no receiver. */
static void forget_waiting_acks(struct vx_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->lane_count; i++)
        ledger->lanes[i].waiting_count = 0;
}

static uint32_t take_grants(struct vx_ledger *ledger)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ledger->lane_count; i++) {
        struct lane *lane = &ledger->lanes[(ledger->lane_first + i) % ledger->lane_count];
        lane->taken_first = count;
        lane->taken = 0;
        if (lane->waiting_count == 0 && count < BATCH_MAX)
            lane->taken = rte_ring_sc_dequeue_burst_elem(lane->grants, &ledger->batch[count], sizeof(struct vx_grant), BATCH_MAX - count, NULL);
        count += lane->taken;
    }
    ledger->lane_first = (ledger->lane_first + 1) % ledger->lane_count;
    VX_ASSERT(count <= BATCH_MAX);
    return count;
}

/* False when the disk refuses even after close was asked for: those grants stay unacknowledged. */
static bool commit_until_durable(struct vx_ledger *ledger, uint32_t count)
{
    for (;;) {
        bool last_try = is_stopping(ledger);
        if (vx_ledger_commit(ledger, ledger->batch, count, NULL) == 0)
            return true;
        if (last_try)
            return false;
        uint64_t again_us = ledger_clock_us(CLOCK_MONOTONIC) + RETRY_US;
        while (!is_stopping(ledger) && ledger_clock_us(CLOCK_MONOTONIC) < again_us) {
            (void)send_waiting_acks(ledger); /* of commits before: they need no disk */
            sleep_idle();
        }
    }
}

static void acknowledge(struct vx_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->lane_count; i++) {
        struct lane *lane = &ledger->lanes[i];
        if (lane->taken == 0)
            continue;
        VX_ASSERT(lane->waiting_count == 0);
        for (uint32_t j = 0; j < lane->taken; j++) {
            const struct vx_grant *grant = &ledger->batch[lane->taken_first + j];
            lane->waiting[j] = (struct vx_event){
                .kind = VX_EVENT_GRANT_DONE, .shard = (uint16_t)grant->shard, .slot = grant->slot, .player = grant->player, .number = grant->chest
            };
        }
        lane->waiting_first = 0;
        lane->waiting_count = lane->taken;
        (void)send_acks(lane);
        ledger_counter_add(&ledger->counters.acks_waiting, lane->waiting_count);
    }
}

static void *write_grants(void *argument)
{
    struct vx_ledger *ledger = argument;
    for (;;) {
        bool stopping = is_stopping(ledger); /* before looking into the rings: what came before close is taken */
        uint32_t sent = send_waiting_acks(ledger);
        if (stopping)
            forget_waiting_acks(ledger);
        uint32_t count = take_grants(ledger);
        if (count > 0) {
            if (!commit_until_durable(ledger, count))
                return NULL;
            acknowledge(ledger);
        } else if (stopping) {
            return NULL;
        } else if (sent == 0) {
            sleep_idle();
        }
    }
}

/* Pinned from its first instruction, and deaf to signals: those are for the control thread. */
static int create_thread(struct vx_ledger *ledger, int cpu)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    cpu_set_t cpus;
    int code = pthread_attr_init(&attributes);
    if (code != 0)
        return code;
    CPU_ZERO(&cpus);
    if (cpu >= 0) {
        CPU_SET((size_t)cpu, &cpus);
        code = pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
    }
    if (code == 0) {
        VX_ASSERT(sigfillset(&all) == 0 && pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
        code = pthread_create(&ledger->thread, &attributes, write_grants, ledger);
        VX_ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    }
    VX_ASSERT(pthread_attr_destroy(&attributes) == 0);
    return code;
}

int vx_ledger_start(struct vx_ledger *ledger, struct rte_ring **grants, struct rte_ring **acks, uint32_t lanes, int cpu, struct vx_error *error)
{
    VX_ASSERT(!ledger->started);
    if (lanes == 0 || lanes > VX_SHARD_LCORES_MAX)
        return vx_error_set(error, -EINVAL, "ledger %s: %u lanes, expected 1 to %d", ledger->path, lanes, VX_SHARD_LCORES_MAX);
    if (cpu >= CPU_SETSIZE)
        return vx_error_set(error, -EINVAL, "ledger %s: cpu %d, expected one below %d, or -1", ledger->path, cpu, CPU_SETSIZE);
    ledger->lanes = calloc(lanes, sizeof(*ledger->lanes));
    if (ledger->lanes == NULL)
        return vx_error_set(error, -ENOMEM, "ledger %s: no memory for %u lanes", ledger->path, lanes);
    ledger->lane_count = lanes;
    for (uint32_t i = 0; i < lanes; i++) {
        ledger->lanes[i].grants = grants[i];
        ledger->lanes[i].acks = acks[i];
    }
    int code = create_thread(ledger, cpu);
    if (code != 0) {
        free(ledger->lanes);
        ledger->lanes = NULL;
        return vx_error_set(error, -code, "ledger %s: cannot start the writer on cpu %d: %s", ledger->path, cpu, strerror(code));
    }
    ledger->started = true;
    (void)pthread_setname_np(ledger->thread, "vx-ledger"); /* for top; works without */
    return 0;
}

void ledger_stop(struct vx_ledger *ledger)
{
    if (!ledger->started)
        return;
    __atomic_store_n(&ledger->stop, true, __ATOMIC_RELEASE); /* acquired by is_stopping */
    VX_ASSERT(pthread_join(ledger->thread, NULL) == 0);
    ledger->started = false;
}
