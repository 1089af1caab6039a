/* What both programs of the ledger's tests share: files in a folder of their own, and a second connection
 * that looks on, as an operator would. One program includes it once. */
#ifndef LEDGER_TEST_H
#define LEDGER_TEST_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "vx_ledger.h"
#include "vx_test.h"

static char folder[] = "/tmp/vx_test_ledger.XXXXXX";
static unsigned names_used; /* every file and ring has its own name */
static struct vx_error error;

static inline const char *fresh_path(void)
{
    static char path[VX_PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/%u.db", folder, names_used++);
    return path;
}

static inline struct vx_ledger *open_ledger(const char *path, uint32_t *epoch)
{
    struct vx_ledger *ledger;
    error.text[0] = '\0';
    if (vx_ledger_open(path, &ledger, epoch, &error) != 0)
        printf("  %s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ledger);
    return ledger;
}

static inline struct vx_grant make_grant(uint32_t shard, uint32_t epoch, uint32_t chest)
{
    return (struct vx_grant){ .shard = shard, .epoch = epoch, .chest = chest, .player = 1000 + chest, .match = 7, .item = 3, .amount = 2, .slot = chest + 1, .receipt = (uint64_t)shard << 52 | (uint64_t)(epoch & 0xfffff) << 32 | chest, .granted_us = 5000000 + chest };
}

static inline struct vx_ledger_counters counters_of(const struct vx_ledger *ledger)
{
    struct vx_ledger_counters counters;
    vx_ledger_counters(ledger, &counters);
    return counters;
}

static inline sqlite3 *look_at(const char *path)
{
    sqlite3 *database;
    CU_ASSERT_FATAL(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK);
    (void)sqlite3_busy_timeout(database, 5000);
    return database;
}

static inline void run(sqlite3 *database, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(database, sql, NULL, NULL, &message) != SQLITE_OK)
        printf("  %s: %s\n", sql, message);
    CU_ASSERT_PTR_NULL(message);
    sqlite3_free(message);
}

static inline int64_t number_of(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *query;
    CU_ASSERT_FATAL(sqlite3_prepare_v2(database, sql, -1, &query, NULL) == SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_step(query), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(query, 0);
    (void)sqlite3_finalize(query);
    return number;
}

static inline int64_t number_in(const char *path, const char *sql)
{
    sqlite3 *database = look_at(path);
    int64_t number = number_of(database, sql);
    CU_ASSERT_EQUAL(sqlite3_close(database), SQLITE_OK);
    return number;
}

static inline int run_in_folder(const char *suite, const struct vx_test *tests, unsigned count)
{
    char command[64];
    if (mkdtemp(folder) == NULL)
        return 2;
    int result = vx_test_main(suite, tests, count);
    (void)snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command) == 0 ? result : 2;
}

#endif
