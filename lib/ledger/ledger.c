/* ledger: the database. Opens or creates it, refuses what is not ours, takes the boot epoch, and writes
 * grants in one transaction at a time: 0 from vx_ledger_commit() means that a power cut cannot take
 * them away any more. Threads: control opens and closes; in between only the writer
 * (ledger_writer.c), or a caller that has not started it, touches the connection. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger_private.h"

enum {
    APPLICATION_ID = 0x5658474c, /* "VXGL" in bytes 68..71 of the file: file(1) and we know it again */
    SCHEMA_VERSION = 1,
    EPOCHS_MAX = (1 << 20) - 1, /* a receipt has 20 bits for the epoch: beyond, receipts would repeat */
    BUSY_MS_MAX = 1000,         /* patience with an operator's sqlite3 that holds a lock; then it is a failure */
};

/* https://sqlite.org/fileformat.html, section 1.3: numbers are big-endian. */
enum { HEADER_BYTES = 100,
       HEADER_USER_VERSION = 60,
       HEADER_APPLICATION_ID = 68 };

void vx_ledger_counters(const struct vx_ledger *ledger, struct vx_ledger_counters *counters)
{
    const struct vx_ledger_counters *from = &ledger->counters;
    counters->grants_committed = vx_counter_read(&from->grants_committed);
    counters->grants_repeated = vx_counter_read(&from->grants_repeated);
    counters->commits = vx_counter_read(&from->commits);
    counters->failures = vx_counter_read(&from->failures);
    counters->acks_waiting = vx_counter_read(&from->acks_waiting);
    counters->commit_us_max = vx_counter_read(&from->commit_us_max);
}

static int sqlite_failed(const struct vx_ledger *ledger, const char *what, struct vx_error *error)
{
    return vx_error_set(error, -EIO, "ledger %s: cannot %s: SQLite says \"%s\" (code %d)", ledger->path, what,
                        sqlite3_errmsg(ledger->database), sqlite3_extended_errcode(ledger->database));
}

static int run_sql(struct vx_ledger *ledger, const char *sql, const char *what, struct vx_error *error)
{
    if (sqlite3_exec(ledger->database, sql, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_failed(ledger, what, error);
    return 0;
}

/* One row with one integer. */
static int query_number(struct vx_ledger *ledger, const char *sql, int64_t *number, struct vx_error *error)
{
    sqlite3_stmt *query = NULL;
    if (sqlite3_prepare_v2(ledger->database, sql, -1, &query, NULL) != SQLITE_OK)
        return sqlite_failed(ledger, sql, error);
    bool found = sqlite3_step(query) == SQLITE_ROW;
    *number = found ? sqlite3_column_int64(query, 0) : 0;
    int result = found ? 0 : sqlite_failed(ledger, sql, error);
    (void)sqlite3_finalize(query); /* says again what step has said */
    return result;
}

static int check_identity(const char *path, int64_t application_id, int64_t version, struct vx_error *error)
{
    if (application_id != APPLICATION_ID)
        return vx_error_set(error, -EINVAL, "ledger %s: an SQLite database of another program (application_id %lld, ours is %d); left untouched",
                            path, (long long)application_id, APPLICATION_ID);
    if (version > SCHEMA_VERSION)
        return vx_error_set(error, -ENOTSUP, "ledger %s: written by a newer program (schema version %lld, this one knows up to %d); left untouched",
                            path, (long long)version, SCHEMA_VERSION);
    if (version < SCHEMA_VERSION)
        return vx_error_set(error, -ENOTSUP, "ledger %s: schema version %lld was never in use, expected %d; left untouched",
                            path, (long long)version, SCHEMA_VERSION);
    return 0;
}

static int32_t read_big_endian(const uint8_t *bytes)
{
    return (int32_t)((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3]);
}

/* Looks at the file without SQLite, which would write into a stranger's directory by merely opening
 * (log recovery, checkpoint at close). Sound for our own files because take_schema() runs before the
 * log is switched on: the main file has carried its identity from the first commit on.
 * A missing or empty file is ours to fill. (Closing any descriptor drops this process's POSIX locks on the
 * file: therefore before SQLite opens it, and a process opens a ledger once.) */
static int check_file(const char *path, struct vx_error *error)
{
    uint8_t header[HEADER_BYTES];
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 && errno == ENOENT)
        return 0;
    if (file < 0) {
        int code = errno;
        return vx_error_set(error, -code, "ledger %s: cannot be read: %s", path, strerror(code));
    }
    ssize_t length = read(file, header, sizeof(header));
    int code = length < 0 ? errno : 0;
    (void)close(file); /* was only read */
    if (code != 0)
        return vx_error_set(error, -code, "ledger %s: cannot be read: %s", path, strerror(code));
    if (length == 0)
        return 0;
    if (length < HEADER_BYTES || memcmp(header, "SQLite format 3", 16) != 0)
        return vx_error_set(error, -EINVAL, "ledger %s: neither empty nor an SQLite database; left untouched", path);
    return check_identity(path, read_big_endian(header + HEADER_APPLICATION_ID), read_big_endian(header + HEADER_USER_VERSION), error);
}

/* Receipt is unique beside the key: a shard that gave one out twice is refused, not silently believed. */
static const char schema_sql[] =
    "CREATE TABLE grants(shard INTEGER NOT NULL, epoch INTEGER NOT NULL, chest INTEGER NOT NULL,"
    " receipt INTEGER NOT NULL UNIQUE, player INTEGER NOT NULL, \"match\" INTEGER NOT NULL, item INTEGER NOT NULL,"
    " amount INTEGER NOT NULL, granted_us INTEGER NOT NULL, committed_unix_us INTEGER NOT NULL,"
    " PRIMARY KEY(shard, epoch, chest)) WITHOUT ROWID;"
    "CREATE TABLE boots(epoch INTEGER PRIMARY KEY, started_unix_us INTEGER NOT NULL);";

/* Within a transaction: an empty database becomes ours, any other must be ours already. */
static int take_schema(struct vx_ledger *ledger, struct vx_error *error)
{
    int64_t tables = 0, application_id = 0, version = 0;
    int result = query_number(ledger, "SELECT count(*) FROM sqlite_schema", &tables, error);
    if (result != 0)
        return result;
    if (tables == 0) {
        char identity[96];
        (void)sqlite3_snprintf(sizeof(identity), identity, "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION_ID, SCHEMA_VERSION);
        result = run_sql(ledger, identity, "mark the new database as ours", error);
        return result != 0 ? result : run_sql(ledger, schema_sql, "create its tables", error);
    }
    result = query_number(ledger, "PRAGMA application_id", &application_id, error);
    if (result == 0)
        result = query_number(ledger, "PRAGMA user_version", &version, error);
    return result != 0 ? result : check_identity(ledger->path, application_id, version, error);
}

/* SQLite answers with the mode that it now has: what cannot keep a log (in memory, some network mounts)
 * stays as it was, without an error. */
static int switch_to_log(struct vx_ledger *ledger, struct vx_error *error)
{
    sqlite3_stmt *query = NULL;
    int result = 0;
    if (sqlite3_prepare_v2(ledger->database, "PRAGMA journal_mode=WAL", -1, &query, NULL) != SQLITE_OK || sqlite3_step(query) != SQLITE_ROW)
        result = sqlite_failed(ledger, "switch to write-ahead logging", error);
    else if (strcmp((const char *)sqlite3_column_text(query, 0), "wal") != 0)
        result = vx_error_set(error, -EIO, "ledger %s: SQLite cannot keep a write-ahead log here, expected a file on a local disk", ledger->path);
    (void)sqlite3_finalize(query); /* says again what step has said */
    return result;
}

/* FULL, because with a log NORMAL loses the last commits in a power cut. */
static int prepare_database(struct vx_ledger *ledger, struct vx_error *error)
{
    int result = run_sql(ledger, "PRAGMA synchronous=FULL", "set synchronous=FULL", error);
    if (result == 0)
        result = run_sql(ledger, "BEGIN IMMEDIATE", "begin writing", error);
    if (result == 0)
        result = take_schema(ledger, error); /* on failure the transaction ends with the connection */
    if (result == 0)
        result = run_sql(ledger, "COMMIT", "create the database", error);
    return result != 0 ? result : switch_to_log(ledger, error);
}

/* A statement of its own is a transaction of its own: durable when step returns. */
static int take_epoch(struct vx_ledger *ledger, uint32_t *epoch, struct vx_error *error)
{
    char sql[160];
    int64_t last;
    int result = query_number(ledger, "SELECT coalesce(max(epoch), 0) FROM boots", &last, error);
    if (result != 0)
        return result;
    if (last < 0 || last >= EPOCHS_MAX)
        return vx_error_set(error, -ERANGE, "ledger %s: last boot epoch is %lld, expected 0 to %d; begin a new file", ledger->path, (long long)last, EPOCHS_MAX - 1);
    (void)sqlite3_snprintf(sizeof(sql), sql, "INSERT INTO boots(epoch, started_unix_us) VALUES(%lld, %lld)", (long long)last + 1, (long long)ledger_clock_us(CLOCK_REALTIME));
    result = run_sql(ledger, sql, "take the next boot epoch", error);
    *epoch = (uint32_t)last + 1;
    return result;
}

/* The conflict names the key alone: a row that any other constraint keeps out must fail the commit,
 * for to skip it would be to acknowledge what is not written. */
static int prepare_statements(struct vx_ledger *ledger, struct vx_error *error)
{
    const struct {
        sqlite3_stmt **statement;
        const char *sql;
    } rows[] = {
        { &ledger->begin, "BEGIN IMMEDIATE" },
        { &ledger->insert, "INSERT INTO grants(shard, epoch, chest, receipt, player, \"match\", item, amount, granted_us, committed_unix_us)"
                           " VALUES(?,?,?,?,?,?,?,?,?,?) ON CONFLICT(shard, epoch, chest) DO NOTHING" },
        { &ledger->commit, "COMMIT" },
        { &ledger->rollback, "ROLLBACK" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (sqlite3_prepare_v3(ledger->database, rows[i].sql, -1, SQLITE_PREPARE_PERSISTENT, rows[i].statement, NULL) != SQLITE_OK)
            return sqlite_failed(ledger, "prepare its statements", error);
    return 0;
}

static void free_ledger(struct vx_ledger *ledger)
{
    sqlite3_stmt *statements[] = { ledger->begin, ledger->insert, ledger->commit, ledger->rollback };
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
        (void)sqlite3_finalize(statements[i]);               /* says again what step has said */
    VX_ASSERT(sqlite3_close(ledger->database) == SQLITE_OK); /* fails only when a statement is left */
    free(ledger->lanes);                                     /* NULL when the writer was never started */
    free(ledger);
}

int vx_ledger_open(const char *path, struct vx_ledger **ledger, uint32_t *epoch, struct vx_error *error)
{
    *ledger = NULL;
    if (strlen(path) >= VX_PATH_BYTES)
        return vx_error_set(error, -ENAMETOOLONG, "ledger %s: path has %zu bytes, expected at most %d", path, strlen(path), VX_PATH_BYTES - 1);
    int result = check_file(path, error);
    if (result != 0)
        return result;
    struct vx_ledger *opened = calloc(1, sizeof(*opened));
    if (opened == NULL)
        return vx_error_set(error, -ENOMEM, "ledger %s: no memory for %zu bytes", path, sizeof(*opened));
    memcpy(opened->path, path, strlen(path) + 1);
    /* Without SQLite's mutex: control and writer take turns, see start and close. */
    if (sqlite3_open_v2(path, &opened->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(opened->database, BUSY_MS_MAX) != SQLITE_OK)
        result = sqlite_failed(opened, "open the database", error);
    if (result == 0)
        result = prepare_database(opened, error);
    if (result == 0)
        result = prepare_statements(opened, error);
    if (result == 0)
        result = take_epoch(opened, epoch, error);
    if (result != 0) {
        free_ledger(opened);
        return result;
    }
    *ledger = opened;
    return 0;
}

static int run_statement(sqlite3_stmt *statement)
{
    (void)sqlite3_step(statement);
    return sqlite3_reset(statement); /* gives step's error, and frees the statement for the next time */
}

static int insert_grant(struct vx_ledger *ledger, const struct vx_grant *grant, uint64_t now_unix_us)
{
    const uint64_t values[] = { grant->shard, grant->epoch, grant->chest, grant->receipt, grant->player,
                                grant->match, grant->item, grant->amount, grant->granted_us, now_unix_us };
    for (int i = 0; i < (int)(sizeof(values) / sizeof(values[0])); i++)
        VX_ASSERT(sqlite3_bind_int64(ledger->insert, i + 1, (sqlite3_int64)values[i]) == SQLITE_OK);
    return run_statement(ledger->insert);
}

static int insert_grants(struct vx_ledger *ledger, const struct vx_grant *grants, uint32_t count, uint32_t *repeated)
{
    uint64_t now_unix_us = ledger_clock_us(CLOCK_REALTIME);
    for (uint32_t i = 0; i < count; i++) {
        int code = insert_grant(ledger, &grants[i], now_unix_us);
        if (code != SQLITE_OK)
            return code;
        *repeated += sqlite3_changes(ledger->database) == 0;
    }
    return SQLITE_OK;
}

int vx_ledger_commit(struct vx_ledger *ledger, const struct vx_grant *grants, uint32_t count, struct vx_error *error)
{
    uint32_t repeated = 0;
    if (count == 0)
        return 0;
    uint64_t began_us = ledger_clock_us(CLOCK_MONOTONIC);
    int code = run_statement(ledger->begin);
    if (code == SQLITE_OK)
        code = insert_grants(ledger, grants, count, &repeated);
    if (code == SQLITE_OK)
        code = run_statement(ledger->commit);
    if (code != SQLITE_OK) {
        int result = sqlite_failed(ledger, "commit grants", error); /* first: rollback has a message of its own */
        /* Some errors have rolled back by themselves. Should this one fail, the next BEGIN does, and we come here again. */
        if (!sqlite3_get_autocommit(ledger->database))
            (void)run_statement(ledger->rollback);
        ledger_counter_add(&ledger->counters.failures, 1);
        return result;
    }
    uint64_t took_us = ledger_clock_us(CLOCK_MONOTONIC) - began_us;
    ledger_counter_add(&ledger->counters.grants_committed, count - repeated);
    ledger_counter_add(&ledger->counters.grants_repeated, repeated);
    ledger_counter_add(&ledger->counters.commits, 1);
    if (took_us > ledger->counters.commit_us_max)
        ledger_counter_set(&ledger->counters.commit_us_max, took_us);
    return 0;
}

void vx_ledger_close(struct vx_ledger *ledger)
{
    ledger_stop(ledger);
    /* Leaves one file to back up. When a reader or the disk prevents it, the log stays and is read at the next open. */
    (void)sqlite3_wal_checkpoint_v2(ledger->database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    free_ledger(ledger);
}
