/* ledger, the database: what was committed is in the file, whatever happens to the disk or the process;
 * and a file that is not ours stays as it was. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ledger_test.h"

static size_t read_all(const char *path, uint8_t *bytes, size_t bytes_max)
{
    int file = open(path, O_RDONLY);
    CU_ASSERT_FATAL(file >= 0);
    ssize_t length = read(file, bytes, bytes_max);
    CU_ASSERT_FATAL(length >= 0 && (size_t)length < bytes_max);
    (void)close(file);
    return (size_t)length;
}

/* Refused with this code, naming path and `reason`; no byte and no neighbour of the file has changed. */
static void expect_refused(const char *path, int code, const char *reason)
{
    static uint8_t before[1 << 20], after[1 << 20];
    char beside[VX_PATH_BYTES + 8];
    struct stat stat_before, stat_after;
    struct vx_ledger *ledger;
    uint32_t epoch;
    size_t length = read_all(path, before, sizeof(before));
    CU_ASSERT_EQUAL(stat(path, &stat_before), 0);
    CU_ASSERT_EQUAL(vx_ledger_open(path, &ledger, &epoch, &error), code);
    CU_ASSERT_PTR_NULL(ledger);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, path));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, reason));
    CU_ASSERT_EQUAL(stat(path, &stat_after), 0);
    CU_ASSERT(stat_before.st_mtim.tv_sec == stat_after.st_mtim.tv_sec && stat_before.st_mtim.tv_nsec == stat_after.st_mtim.tv_nsec);
    CU_ASSERT_EQUAL(read_all(path, after, sizeof(after)), length);
    CU_ASSERT_EQUAL(memcmp(before, after, length), 0);
    static const char *const suffixes[] = { "-wal", "-shm", "-journal" };
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(beside, sizeof(beside), "%s%s", path, suffixes[i]);
        CU_ASSERT_NOT_EQUAL(access(beside, F_OK), 0);
    }
}

/* ---- opening ---- */

static void epochs_increase_from_one(void)
{
    const char *path = fresh_path();
    for (uint32_t boot = 1; boot <= 3; boot++) {
        uint32_t epoch = 0;
        vx_ledger_close(open_ledger(path, &epoch));
        CU_ASSERT_EQUAL(epoch, boot);
    }
    CU_ASSERT_EQUAL(number_in(path, "SELECT count(*) FROM boots WHERE started_unix_us > 1700000000000000"), 3);
    CU_ASSERT_EQUAL(number_in(path, "SELECT user_version FROM pragma_user_version"), 1);
}

static void an_epoch_is_taken_even_if_nothing_follows(void)
{
    const char *path = fresh_path();
    pid_t child = fork();
    if (child == 0) {
        struct vx_ledger *ledger;
        uint32_t epoch;
        (void)vx_ledger_open(path, &ledger, &epoch, NULL);
        (void)raise(SIGKILL);
    }
    int status;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFSIGNALED(status));
    uint32_t epoch;
    vx_ledger_close(open_ledger(path, &epoch));
    CU_ASSERT_EQUAL(epoch, 2);
}

static void an_empty_file_is_ours_to_fill(void)
{
    const char *path = fresh_path();
    uint32_t epoch;
    (void)close(open(path, O_WRONLY | O_CREAT, 0600));
    vx_ledger_close(open_ledger(path, &epoch));
    CU_ASSERT_EQUAL(epoch, 1);
}

static void a_text_file_is_refused(void)
{
    const char *path = fresh_path();
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (int i = 0; i < 200; i++)
        (void)fprintf(file, "somebody's letter, line %d\n", i);
    (void)fclose(file);
    expect_refused(path, -EINVAL, "neither empty nor an SQLite database");
    CU_ASSERT_EQUAL(truncate(path, 5), 0);
    expect_refused(path, -EINVAL, "neither empty nor an SQLite database");
}

static void another_programs_database_is_refused(void)
{
    const char *path = fresh_path();
    sqlite3 *database = look_at(path);
    run(database, "CREATE TABLE letters(text); INSERT INTO letters VALUES('dear'); PRAGMA journal_mode=WAL; PRAGMA user_version=1");
    (void)sqlite3_close(database);
    expect_refused(path, -EINVAL, "another program");
    database = look_at(path);
    run(database, "PRAGMA application_id=1234");
    (void)sqlite3_close(database);
    expect_refused(path, -EINVAL, "1234");
}

static void a_newer_schema_is_refused(void)
{
    const char *path = fresh_path();
    uint32_t epoch;
    vx_ledger_close(open_ledger(path, &epoch));
    sqlite3 *database = look_at(path);
    run(database, "PRAGMA user_version=2");
    (void)sqlite3_close(database);
    expect_refused(path, -ENOTSUP, "schema version 2");
    database = look_at(path);
    run(database, "PRAGMA user_version=1");
    (void)sqlite3_close(database);
    vx_ledger_close(open_ledger(path, &epoch));
    CU_ASSERT_EQUAL(epoch, 2);
}

/* Its version stands only in the log, where the header's check cannot see it. */
static void a_newer_schema_in_the_log_is_refused(void)
{
    const char *path = fresh_path();
    struct vx_ledger *ledger;
    uint32_t epoch;
    vx_ledger_close(open_ledger(path, &epoch));
    sqlite3 *database = look_at(path);
    run(database, "PRAGMA user_version=3");
    CU_ASSERT_EQUAL(vx_ledger_open(path, &ledger, &epoch, &error), -ENOTSUP);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "schema version 3"));
    (void)sqlite3_close(database);
}

static void a_place_without_files_is_refused(void)
{
    struct vx_ledger *ledger;
    uint32_t epoch;
    char path[VX_PATH_BYTES + 8];
    (void)snprintf(path, sizeof(path), "%s/missing/ledger.db", folder);
    CU_ASSERT_EQUAL(vx_ledger_open(path, &ledger, &epoch, &error), -EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, path));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "unable to open database file"));
    CU_ASSERT_EQUAL(vx_ledger_open(folder, &ledger, &epoch, &error), -EISDIR);
    CU_ASSERT_EQUAL(vx_ledger_open("", &ledger, &epoch, &error), -EIO);
    CU_ASSERT_EQUAL(vx_ledger_open(":memory:", &ledger, &epoch, &error), -EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "write-ahead log"));
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    CU_ASSERT_EQUAL(vx_ledger_open(path, &ledger, &epoch, &error), -ENAMETOOLONG);
}

static void used_up_epochs_are_refused(void)
{
    const char *path = fresh_path();
    struct vx_ledger *ledger;
    uint32_t epoch;
    vx_ledger_close(open_ledger(path, &epoch));
    sqlite3 *database = look_at(path);
    run(database, "INSERT INTO boots VALUES(1048575, 1)");
    (void)sqlite3_close(database);
    CU_ASSERT_EQUAL(vx_ledger_open(path, &ledger, &epoch, &error), -ERANGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "1048575"));
}

/* ---- committing ---- */

static void rows_are_read_back(void)
{
    const char *path = fresh_path();
    uint32_t epoch;
    struct vx_ledger *ledger = open_ledger(path, &epoch);
    struct vx_grant grants[100];
    for (uint32_t i = 0; i < 100; i++)
        grants[i] = make_grant(i % 2 * 255, epoch, UINT32_MAX - i);
    CU_ASSERT_EQUAL(vx_ledger_commit(ledger, grants, 100, &error), 0);
    CU_ASSERT_EQUAL(vx_ledger_commit(ledger, grants, 0, &error), 0);
    sqlite3 *database = look_at(path); /* while the ledger is open: the operator's view */
    CU_ASSERT_EQUAL(number_of(database, "SELECT count(*) FROM grants"), 100);
    CU_ASSERT_EQUAL(number_of(database, "SELECT count(*) FROM grants WHERE receipt = (shard << 52) + (epoch << 32) + chest AND player = (1000 + chest) % 4294967296"
                                        " AND \"match\" = 7 AND item = 3 AND amount = 2 AND granted_us = (5000000 + chest) % 4294967296"
                                        " AND committed_unix_us > 1700000000000000"),
                    100);
    CU_ASSERT_EQUAL(number_of(database, "SELECT count(*) FROM grants WHERE shard = 255 AND epoch = 1 AND chest = 4294967294"), 1);
    (void)sqlite3_close(database);
    struct vx_ledger_counters counters = counters_of(ledger);
    CU_ASSERT(counters.grants_committed == 100 && counters.commits == 1 && counters.grants_repeated == 0 && counters.failures == 0);
    CU_ASSERT(counters.commit_us_max > 0);
    vx_ledger_close(ledger);
}

static void a_repeated_grant_is_the_same_row(void)
{
    const char *path = fresh_path();
    uint32_t epoch;
    struct vx_ledger *ledger = open_ledger(path, &epoch);
    struct vx_grant grants[] = { make_grant(1, epoch, 1), make_grant(1, epoch, 2), make_grant(1, epoch, 1) };
    CU_ASSERT_EQUAL(vx_ledger_commit(ledger, grants, 3, &error), 0); /* within a batch */
    CU_ASSERT_EQUAL(vx_ledger_commit(ledger, grants, 2, &error), 0); /* and across */
    struct vx_ledger_counters counters = counters_of(ledger);
    CU_ASSERT(counters.grants_committed == 2 && counters.grants_repeated == 3);
    vx_ledger_close(ledger);
    CU_ASSERT_EQUAL(number_in(path, "SELECT count(*) FROM grants"), 2);
}

static void a_receipt_given_twice_is_not_acknowledged(void)
{
    uint32_t epoch;
    struct vx_ledger *ledger = open_ledger(fresh_path(), &epoch);
    struct vx_grant grants[] = { make_grant(1, epoch, 1), make_grant(1, epoch, 2) };
    grants[1].receipt = grants[0].receipt;
    CU_ASSERT_EQUAL(vx_ledger_commit(ledger, grants, 2, &error), -EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "grants.receipt"));
    vx_ledger_close(ledger);
}

static void closing_leaves_one_file(void)
{
    const char *path = fresh_path();
    char log[VX_PATH_BYTES + 8];
    struct stat file;
    uint32_t epoch;
    struct vx_ledger *ledger = open_ledger(path, &epoch);
    sqlite3 *database = look_at(path); /* keeps the log's file: it must be empty all the same */
    struct vx_grant grant = make_grant(0, epoch, 1);
    CU_ASSERT_EQUAL(vx_ledger_commit(ledger, &grant, 1, &error), 0);
    CU_ASSERT_EQUAL(number_of(database, "SELECT count(*) FROM grants"), 1);
    (void)snprintf(log, sizeof(log), "%s-wal", path);
    CU_ASSERT(stat(log, &file) == 0 && file.st_size > 0);
    vx_ledger_close(ledger);
    CU_ASSERT(stat(log, &file) == 0 && file.st_size == 0);
    (void)sqlite3_close(database);
    CU_ASSERT_NOT_EQUAL(access(log, F_OK), 0);
}

/* ---- failing disks ---- */

static void a_failure_in_mid_batch_leaves_nothing(void)
{
    const char *path = fresh_path();
    uint32_t epoch;
    struct vx_ledger *ledger = open_ledger(path, &epoch);
    struct vx_grant grants[10];
    for (uint32_t i = 0; i < 10; i++)
        grants[i] = make_grant(0, epoch, i);
    sqlite3 *database = look_at(path);
    run(database, "CREATE TRIGGER broken BEFORE INSERT ON grants WHEN new.chest = 5 BEGIN SELECT raise(FAIL, 'the disk is gone'); END");
    CU_ASSERT_EQUAL(vx_ledger_commit(ledger, grants, 10, &error), -EIO);
    CU_ASSERT(strstr(error.text, path) != NULL && strstr(error.text, "the disk is gone") != NULL);
    CU_ASSERT_EQUAL(number_of(database, "SELECT count(*) FROM grants"), 0);
    run(database, "DROP TRIGGER broken");
    CU_ASSERT_EQUAL(vx_ledger_commit(ledger, grants, 10, &error), 0);
    CU_ASSERT_EQUAL(number_of(database, "SELECT count(*) FROM grants"), 10);
    (void)sqlite3_close(database);
    struct vx_ledger_counters counters = counters_of(ledger);
    CU_ASSERT(counters.failures == 1 && counters.commits == 1 && counters.grants_committed == 10);
    vx_ledger_close(ledger);
}

static void a_full_disk_is_an_error_and_passes(void)
{
    static struct vx_grant grants[4000];
    const char *path = fresh_path();
    uint32_t epoch;
    struct vx_ledger *ledger = open_ledger(path, &epoch);
    for (uint32_t i = 0; i < 4000; i++)
        grants[i] = make_grant(0, epoch, i);
    struct rlimit before, small = { .rlim_cur = 100000 };
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN); /* write(2) then fails with EFBIG */
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &small), 0);
    int result = vx_ledger_commit(ledger, grants, 4000, &error);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    CU_ASSERT_EQUAL(result, -EIO);
    CU_ASSERT_EQUAL(number_in(path, "SELECT count(*) FROM grants"), 0);
    CU_ASSERT_EQUAL(vx_ledger_commit(ledger, grants, 4000, &error), 0);
    CU_ASSERT_EQUAL(number_in(path, "SELECT count(*) FROM grants"), 4000);
    CU_ASSERT_EQUAL(number_in(path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    vx_ledger_close(ledger);
}

/* ---- killed ---- */

/* Commits without end; after each commit tells the parent how many grants it would have acknowledged. */
static void commit_for_ever(const char *path, int told)
{
    struct vx_ledger *ledger;
    uint32_t epoch, chest = 0;
    if (vx_ledger_open(path, &ledger, &epoch, NULL) != 0)
        _exit(1);
    for (;;) {
        struct vx_grant grants[20];
        for (uint32_t i = 0; i < 20; i++)
            grants[i] = make_grant(0, epoch, chest++);
        if (vx_ledger_commit(ledger, grants, 20, NULL) != 0 || write(told, &chest, sizeof(chest)) != sizeof(chest))
            _exit(1);
    }
}

static void what_was_acknowledged_survives_a_kill(void)
{
    const char *path = fresh_path();
    char sql[128];
    int channel[2], status;
    uint32_t acknowledged = 0, epoch;
    CU_ASSERT_EQUAL_FATAL(pipe(channel), 0);
    pid_t child = fork();
    if (child == 0)
        commit_for_ever(path, channel[1]);
    (void)close(channel[1]);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(read(channel[0], &acknowledged, sizeof(acknowledged)), sizeof(acknowledged));
    CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (read(channel[0], &acknowledged, sizeof(acknowledged)) == sizeof(acknowledged))
        ; /* what it said with its last breath counts too */
    (void)close(channel[0]);
    CU_ASSERT(acknowledged >= 2000);
    vx_ledger_close(open_ledger(path, &epoch));
    CU_ASSERT_EQUAL(epoch, 2);
    (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM grants WHERE epoch = 1 AND chest < %u", acknowledged);
    CU_ASSERT_EQUAL(number_in(path, sql), acknowledged);
    CU_ASSERT_EQUAL(number_in(path, "SELECT count(*) % 20 FROM grants"), 0); /* a commit is there as a whole or not at all */
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "epochs increase from one", epochs_increase_from_one },
        { "an epoch is taken even if nothing follows", an_epoch_is_taken_even_if_nothing_follows },
        { "an empty file is ours to fill", an_empty_file_is_ours_to_fill },
        { "a text file is refused", a_text_file_is_refused },
        { "another program's database is refused", another_programs_database_is_refused },
        { "a newer schema is refused", a_newer_schema_is_refused },
        { "a newer schema in the log is refused", a_newer_schema_in_the_log_is_refused },
        { "a place without files is refused", a_place_without_files_is_refused },
        { "used up epochs are refused", used_up_epochs_are_refused },
        { "rows are read back", rows_are_read_back },
        { "a repeated grant is the same row", a_repeated_grant_is_the_same_row },
        { "a receipt given twice is not acknowledged", a_receipt_given_twice_is_not_acknowledged },
        { "closing leaves one file", closing_leaves_one_file },
        { "a failure in mid batch leaves nothing", a_failure_in_mid_batch_leaves_nothing },
        { "a full disk is an error and passes", a_full_disk_is_an_error_and_passes },
        { "what was acknowledged survives a kill", what_was_acknowledged_survives_a_kill },
    };
    return run_in_folder("ledger", tests, sizeof(tests) / sizeof(tests[0]));
}
