/* ledger, the writer thread: every grant that goes into a ring comes back once, after its row can be seen,
 * with full rings, lanes that stand still and failing disks. */
#include <errno.h>
#include <rte_eal.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <sched.h>
#include <string.h>

#include "ledger_test.h"

enum { LANES = 2,
       LANE_GRANTS = 5000,
       GRANT_RING = 8192,
       PATIENCE_MS = 20000 };

static void nap(void)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    (void)nanosleep(&pause, NULL);
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct rings {
    struct rte_ring *grants[LANES], *acks[LANES];
};

static struct rte_ring *make_ring(unsigned slots)
{
    char name[RTE_RING_NAMESIZE];
    (void)snprintf(name, sizeof(name), "ledger%u", names_used++);
    struct rte_ring *ring = rte_ring_create_elem(name, 64, slots, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ring);
    return ring;
}

static struct rings make_rings(unsigned ack_slots)
{
    struct rings rings;
    for (unsigned lane = 0; lane < LANES; lane++) {
        rings.grants[lane] = make_ring(GRANT_RING);
        rings.acks[lane] = make_ring(ack_slots);
    }
    return rings;
}

static void free_rings(struct rings *rings)
{
    for (unsigned lane = 0; lane < LANES; lane++) {
        rte_ring_free(rings->grants[lane]);
        rte_ring_free(rings->acks[lane]);
    }
}

/* The lane is the shard; chests are 0 to count - 1. */
static void offer(struct rings *rings, unsigned lane, uint32_t epoch, uint32_t count)
{
    for (uint32_t chest = 0; chest < count; chest++) {
        struct vx_grant grant = make_grant(lane, epoch, chest);
        CU_ASSERT_EQUAL(rte_ring_sp_enqueue_elem(rings->grants[lane], &grant, sizeof(grant)), 0);
    }
}

/* Takes what is there; each must be a grant of ours, in order, whose row another connection sees.
 * Checks are counted, not asserted one by one: CUnit keeps a record of each. */
static uint32_t take_acks(struct rings *rings, unsigned lane, uint32_t first, sqlite3_stmt *row_of, uint32_t *bad)
{
    struct vx_event acks[64];
    uint32_t count = rte_ring_sc_dequeue_burst_elem(rings->acks[lane], acks, sizeof(acks[0]), 64, NULL);
    for (uint32_t i = 0; i < count; i++) {
        (void)sqlite3_bind_int64(row_of, 1, lane);
        (void)sqlite3_bind_int64(row_of, 2, first + i);
        *bad += sqlite3_step(row_of) != SQLITE_ROW || sqlite3_column_int64(row_of, 0) != 1;
        (void)sqlite3_reset(row_of);
        *bad += acks[i].kind != VX_EVENT_GRANT_DONE || acks[i].shard != lane || acks[i].number != first + i;
        *bad += acks[i].player != 1000 + first + i || acks[i].slot != first + i + 1;
    }
    return count;
}

/* Until each lane has had `wanted` acknowledgements; false when they do not come. */
static bool await_acks(struct rings *rings, const char *path, const uint32_t *wanted)
{
    sqlite3 *database = look_at(path);
    sqlite3_stmt *row_of;
    uint32_t had[LANES] = { 0 }, bad = 0;
    bool complete = false;
    CU_ASSERT_FATAL(sqlite3_prepare_v2(database, "SELECT count(*) FROM grants WHERE shard = ? AND epoch = 1 AND chest = ?", -1, &row_of, NULL) == SQLITE_OK);
    for (double end = seconds() + PATIENCE_MS * 1e-3; !complete && seconds() < end;) {
        uint32_t taken = 0;
        complete = true;
        for (unsigned lane = 0; lane < LANES; lane++) {
            uint32_t count = take_acks(rings, lane, had[lane], row_of, &bad);
            had[lane] += count;
            taken += count;
            complete = complete && had[lane] >= wanted[lane];
        }
        if (taken == 0)
            nap();
    }
    CU_ASSERT_EQUAL(bad, 0);
    (void)sqlite3_finalize(row_of);
    (void)sqlite3_close(database);
    return complete;
}

static bool await_counter(const struct vx_ledger *ledger, size_t offset, uint64_t at_least)
{
    for (double end = seconds() + PATIENCE_MS * 1e-3; seconds() < end; nap()) {
        struct vx_ledger_counters counters = counters_of(ledger);
        if (*(const uint64_t *)((const char *)&counters + offset) >= at_least)
            return true;
    }
    return false;
}

static int some_cpu(void)
{
    cpu_set_t cpus;
    (void)sched_getaffinity(0, sizeof(cpus), &cpus);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET((size_t)cpu, &cpus))
            return cpu;
    return -1;
}

static void ten_thousand_grants_come_back(void)
{
    const char *path = fresh_path();
    uint32_t epoch;
    struct vx_ledger *ledger = open_ledger(path, &epoch);
    struct rings rings = make_rings(64); /* far below a batch: acknowledgements have to wait */
    for (unsigned lane = 0; lane < LANES; lane++)
        offer(&rings, lane, epoch, LANE_GRANTS);
    CU_ASSERT_EQUAL(vx_ledger_start(ledger, rings.grants, rings.acks, LANES, some_cpu(), &error), 0);
    CU_ASSERT(await_counter(ledger, offsetof(struct vx_ledger_counters, acks_waiting), 1));
    CU_ASSERT(await_acks(&rings, path, (const uint32_t[LANES]){ LANE_GRANTS, LANE_GRANTS }));
    struct vx_ledger_counters counters = counters_of(ledger);
    CU_ASSERT_EQUAL(counters.grants_committed, LANES * LANE_GRANTS);
    CU_ASSERT(counters.commits >= 3 && counters.commits < 1000 && counters.failures == 0);
    vx_ledger_close(ledger);
    for (unsigned lane = 0; lane < LANES; lane++)
        CU_ASSERT_EQUAL(rte_ring_count(rings.acks[lane]), 0); /* none twice */
    free_rings(&rings);
    CU_ASSERT_EQUAL(number_in(path, "SELECT count(*) FROM grants"), LANES * LANE_GRANTS);
}

static void a_lane_that_stands_still_holds_nobody_up(void)
{
    const char *path = fresh_path();
    uint32_t epoch;
    struct vx_ledger *ledger = open_ledger(path, &epoch);
    struct rings rings = make_rings(64);
    offer(&rings, 0, epoch, 1000);
    CU_ASSERT_EQUAL(vx_ledger_start(ledger, rings.grants, rings.acks, LANES, -1, &error), 0);
    CU_ASSERT(await_counter(ledger, offsetof(struct vx_ledger_counters, acks_waiting), 1));
    offer(&rings, 1, epoch, 1000);
    sqlite3 *database = look_at(path);
    sqlite3_stmt *row_of;
    CU_ASSERT_FATAL(sqlite3_prepare_v2(database, "SELECT count(*) FROM grants WHERE shard = ? AND epoch = 1 AND chest = ?", -1, &row_of, NULL) == SQLITE_OK);
    uint32_t had = 0, bad = 0;
    for (double end = seconds() + PATIENCE_MS * 1e-3; had < 1000 && seconds() < end; nap())
        had += take_acks(&rings, 1, had, row_of, &bad);
    CU_ASSERT(had == 1000 && bad == 0);
    (void)sqlite3_finalize(row_of);
    (void)sqlite3_close(database);
    CU_ASSERT(await_acks(&rings, path, (const uint32_t[LANES]){ 1000, 0 }));
    vx_ledger_close(ledger);
    free_rings(&rings);
}

static void closing_commits_what_is_in_the_rings(void)
{
    const char *path = fresh_path();
    uint32_t epoch;
    struct vx_ledger *ledger = open_ledger(path, &epoch);
    struct rings rings = make_rings(64); /* nobody takes acknowledgements: lanes are full and waiting */
    CU_ASSERT_EQUAL(vx_ledger_start(ledger, rings.grants, rings.acks, LANES, -1, &error), 0);
    for (unsigned lane = 0; lane < LANES; lane++)
        offer(&rings, lane, epoch, LANE_GRANTS);
    vx_ledger_close(ledger);
    CU_ASSERT_EQUAL(number_in(path, "SELECT count(*) FROM grants"), LANES * LANE_GRANTS);
    free_rings(&rings);
}

static void a_failing_disk_is_tried_again(void)
{
    const char *path = fresh_path();
    uint32_t epoch;
    struct vx_ledger *ledger = open_ledger(path, &epoch);
    struct rings rings = make_rings(1024);
    sqlite3 *database = look_at(path);
    run(database, "BEGIN EXCLUSIVE");
    offer(&rings, 0, epoch, 100);
    CU_ASSERT_EQUAL(vx_ledger_start(ledger, rings.grants, rings.acks, LANES, -1, &error), 0);
    CU_ASSERT(await_counter(ledger, offsetof(struct vx_ledger_counters, failures), 1));
    CU_ASSERT_EQUAL(rte_ring_count(rings.acks[0]), 0);
    CU_ASSERT_EQUAL(number_of(database, "SELECT count(*) FROM grants"), 0);
    run(database, "ROLLBACK");
    (void)sqlite3_close(database);
    CU_ASSERT(await_acks(&rings, path, (const uint32_t[LANES]){ 100, 0 }));
    vx_ledger_close(ledger);
    free_rings(&rings);
}

static void closing_on_a_dead_disk_is_prompt(void)
{
    const char *path = fresh_path();
    uint32_t epoch;
    struct vx_ledger *ledger = open_ledger(path, &epoch);
    struct rings rings = make_rings(1024);
    sqlite3 *database = look_at(path);
    run(database, "CREATE TRIGGER broken BEFORE INSERT ON grants BEGIN SELECT raise(ABORT, 'the disk is gone'); END");
    (void)sqlite3_close(database);
    offer(&rings, 0, epoch, 100);
    CU_ASSERT_EQUAL(vx_ledger_start(ledger, rings.grants, rings.acks, LANES, -1, &error), 0);
    CU_ASSERT(await_counter(ledger, offsetof(struct vx_ledger_counters, failures), 1));
    double began = seconds();
    vx_ledger_close(ledger);
    CU_ASSERT(seconds() - began < 0.9); /* less than the second between two tries */
    CU_ASSERT_EQUAL(rte_ring_count(rings.acks[0]), 0);
    free_rings(&rings);
}

static void a_wrong_start_is_refused(void)
{
    uint32_t epoch;
    struct vx_ledger *ledger = open_ledger(fresh_path(), &epoch);
    struct rings rings = make_rings(64);
    CU_ASSERT_EQUAL(vx_ledger_start(ledger, rings.grants, rings.acks, 0, -1, &error), -EINVAL);
    CU_ASSERT_EQUAL(vx_ledger_start(ledger, rings.grants, rings.acks, VX_SHARD_LCORES_MAX + 1, -1, &error), -EINVAL);
    CU_ASSERT_EQUAL(vx_ledger_start(ledger, rings.grants, rings.acks, LANES, 100000, &error), -EINVAL);
    CU_ASSERT_EQUAL(vx_ledger_start(ledger, rings.grants, rings.acks, LANES, CPU_SETSIZE - 1, &error), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "cpu 1023"));
    CU_ASSERT_EQUAL(vx_ledger_start(ledger, rings.grants, rings.acks, LANES, -1, &error), 0);
    vx_ledger_close(ledger);
    free_rings(&rings);
}

int main(void)
{
    char prefix[64];
    (void)snprintf(prefix, sizeof(prefix), "--file-prefix=test_ledger_%d", (int)getpid());
    char *eal[] = { "test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m64", "--log-level=4", "--lcores=0@0", prefix };
    if (rte_eal_init(sizeof(eal) / sizeof(eal[0]), eal) < 0)
        return 2;
    static const struct vx_test tests[] = {
        { "ten thousand grants come back", ten_thousand_grants_come_back },
        { "a lane that stands still holds nobody up", a_lane_that_stands_still_holds_nobody_up },
        { "closing commits what is in the rings", closing_commits_what_is_in_the_rings },
        { "a failing disk is tried again", a_failing_disk_is_tried_again },
        { "closing on a dead disk is prompt", closing_on_a_dead_disk_is_prompt },
        { "a wrong start is refused", a_wrong_start_is_refused },
    };
    return run_in_folder("ledger_writer", tests, sizeof(tests) / sizeof(tests[0]));
}
