/* The versions' file: three tables, written in transactions of one statement. Control thread. */
#include "vx_versions.h"

#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    APPLICATION_ID = 0x56584656, /* "VXFV" in bytes 68..71 of the file */
    SCHEMA_VERSION = 1,
    BUSY_MS_MAX = 1000, /* patience with an operator's sqlite3 */
};
struct vx_versions {
    sqlite3 *database;
    char path[VX_PATH_BYTES * 2];
};

static int sqlite_failed(const struct vx_versions *versions, const char *what, struct vx_error *error)
{
    return vx_error_set(error, -EIO, "formula versions %s: cannot %s: SQLite says \"%s\"", versions->path, what, sqlite3_errmsg(versions->database));
}

static int64_t number_of(struct vx_versions *versions, const char *sql)
{
    sqlite3_stmt *query = NULL;
    int64_t number = -1;
    if (sqlite3_prepare_v2(versions->database, sql, -1, &query, NULL) == SQLITE_OK && sqlite3_step(query) == SQLITE_ROW)
        number = sqlite3_column_int64(query, 0);
    (void)sqlite3_finalize(query);
    return number;
}

static int schema_create(struct vx_versions *versions, struct vx_error *error)
{
    static const char sql[] = "BEGIN;"
                              "CREATE TABLE versions(kind TEXT NOT NULL, version INTEGER NOT NULL, hash TEXT NOT NULL, text BLOB NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL,"
                              " at_ms INTEGER NOT NULL, quarantined INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(kind, version)) WITHOUT ROWID;"
                              "CREATE TABLE events(id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, version INTEGER NOT NULL, who TEXT NOT NULL,"
                              " event TEXT NOT NULL, detail TEXT NOT NULL);"
                              "CREATE TABLE live(kind TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;"
                              "PRAGMA application_id = 1448625750; PRAGMA user_version = 1; COMMIT;";
    static_assert(APPLICATION_ID == 1448625750 && SCHEMA_VERSION == 1, "as in the SQL");
    return sqlite3_exec(versions->database, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sqlite_failed(versions, "create its tables", error);
}

/* Ours, of this schema, whole. An empty file is a new one. */
static int schema_check(struct vx_versions *versions, struct vx_error *error)
{
    int64_t tables = number_of(versions, "SELECT count(*) FROM sqlite_master"), id = number_of(versions, "PRAGMA application_id");
    if (tables < 0)
        return sqlite_failed(versions, "read it; move the file away to begin a new one", error);
    if (tables == 0 && id == 0)
        return schema_create(versions, error);
    if (id != APPLICATION_ID)
        return vx_error_set(error, -EINVAL, "formula versions %s: another program's database (application id %lld), expected one of veltrixd's", versions->path, (long long)id);
    int64_t schema = number_of(versions, "PRAGMA user_version");
    if (schema != SCHEMA_VERSION)
        return vx_error_set(error, -EINVAL, "formula versions %s: schema %lld, expected %d", versions->path, (long long)schema, SCHEMA_VERSION);
    if (number_of(versions, "SELECT count(*) FROM pragma_quick_check WHERE quick_check <> 'ok'") != 0)
        return vx_error_set(error, -EIO, "formula versions %s: damaged (PRAGMA quick_check); move the file away to begin a new one, or restore it", versions->path);
    return 0;
}

int vx_versions_open(const char *path, struct vx_versions **versions, struct vx_error *error)
{
    struct vx_versions *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return vx_error_set(error, -ENOMEM, "formula versions: no memory");
    (void)snprintf(made->path, sizeof(made->path), "%s", path);
    int rc = sqlite3_open_v2(path, &made->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK ? 0 : sqlite_failed(made, "open it", error);
    if (rc == 0) {
        (void)sqlite3_busy_timeout(made->database, BUSY_MS_MAX);
        rc = schema_check(made, error);
    }
    /* A power cut may cost the last lines of the history, never the file; without it each change costs the control thread a
     * disk's flush, and formulas are supervised by that thread. */
    if (rc == 0 && sqlite3_exec(made->database, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", NULL, NULL, NULL) != SQLITE_OK)
        rc = sqlite_failed(made, "write it", error);
    if (rc == 0)
        *versions = made;
    else
        vx_versions_close(made);
    return rc;
}

void vx_versions_close(struct vx_versions *versions)
{
    (void)sqlite3_close(versions->database);
    free(versions);
}

static void hash_of(const char *text, uint32_t bytes, char hex[VX_VERSIONS_HASH_BYTES])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    static_assert(2 * sizeof(hash) + 1 == VX_VERSIONS_HASH_BYTES, "hexadecimal");
    (void)crypto_hash_sha256(hash, (const unsigned char *)text, bytes);
    (void)sodium_bin2hex(hex, VX_VERSIONS_HASH_BYTES, hash, sizeof(hash));
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A statement with its values: 's' text, 'i' whole number, 'b' bytes with their length. NULL: said. */
static sqlite3_stmt *statement(struct vx_versions *versions, struct vx_error *error, const char *sql, const char *types, ...)
{
    sqlite3_stmt *made = NULL;
    va_list values;
    if (sqlite3_prepare_v2(versions->database, sql, -1, &made, NULL) != SQLITE_OK) {
        (void)sqlite_failed(versions, sql, error);
        return NULL;
    }
    va_start(values, types);
    for (int i = 1; types[i - 1] != '\0'; i++) {
        if (types[i - 1] == 's') {
            (void)sqlite3_bind_text(made, i, va_arg(values, const char *), -1, SQLITE_TRANSIENT);
        } else if (types[i - 1] == 'b') {
            const char *bytes = va_arg(values, const char *);
            (void)sqlite3_bind_blob(made, i, bytes, (int)va_arg(values, uint32_t), SQLITE_TRANSIENT);
        } else {
            (void)sqlite3_bind_int64(made, i, va_arg(values, int64_t));
        }
    }
    va_end(values);
    return made;
}

static int run(struct vx_versions *versions, sqlite3_stmt *made, const char *what, struct vx_error *error)
{
    int rc = made != NULL && sqlite3_step(made) == SQLITE_DONE ? 0 : made == NULL ? -EIO : sqlite_failed(versions, what, error);
    (void)sqlite3_finalize(made);
    return rc;
}

static void column(sqlite3_stmt *row, int index, char *into, size_t bytes)
{
    const unsigned char *text = sqlite3_column_text(row, index);
    (void)snprintf(into, bytes, "%s", text != NULL ? (const char *)text : "");
}

static uint32_t first_number(sqlite3_stmt *query)
{
    uint32_t number = query != NULL && sqlite3_step(query) == SQLITE_ROW ? (uint32_t)sqlite3_column_int64(query, 0) : 0;
    (void)sqlite3_finalize(query);
    return number;
}

int vx_versions_allowed(struct vx_versions *versions, const char *kind, uint32_t version, struct vx_error *error)
{
    if (first_number(statement(versions, error, "SELECT quarantined FROM versions WHERE kind = ? AND version = ?", "si", kind, (int64_t)version)) == 0)
        return 0;
    return vx_error_set(error, -EKEYREJECTED, "%s version %u is quarantined: it has ended a worker; mend it and give it a new version", kind, version);
}

int vx_versions_put(struct vx_versions *versions, const char *kind, uint32_t version, const char *text, uint32_t bytes, const char *who, const char *why,
                    struct vx_error *error)
{
    char hash[VX_VERSIONS_HASH_BYTES], kept[VX_VERSIONS_HASH_BYTES] = "";
    hash_of(text, bytes, hash);
    sqlite3_stmt *query = statement(versions, error, "SELECT hash FROM versions WHERE kind = ? AND version = ?", "si", kind, (int64_t)version);
    if (query == NULL)
        return -EIO;
    if (sqlite3_step(query) == SQLITE_ROW)
        column(query, 0, kept, sizeof(kept));
    (void)sqlite3_finalize(query);
    if (kept[0] == '\0')
        return run(versions, statement(versions, error, "INSERT INTO versions(kind, version, hash, text, who, why, at_ms) VALUES(?, ?, ?, ?, ?, ?, ?)", "sisbssi", kind, (int64_t)version,
                                       hash, text, bytes, who, why, now_ms()),
                   "keep a version", error);
    if (strcmp(hash, kept) != 0)
        return vx_error_set(error, -EEXIST, "%s version %u is another text already; give this one a new version", kind, version);
    int rc = vx_versions_allowed(versions, kind, version, error);
    return rc == 0 ? 1 : rc;
}

int vx_versions_text(struct vx_versions *versions, const char *kind, uint32_t version, char **text, uint32_t *bytes, struct vx_error *error)
{
    sqlite3_stmt *query = statement(versions, error, "SELECT text FROM versions WHERE kind = ? AND version = ?", "si", kind, (int64_t)version);
    int rc = query == NULL ? -EIO : 0;
    if (rc == 0 && sqlite3_step(query) != SQLITE_ROW)
        rc = vx_error_set(error, -ENOENT, "there is no version %u of %s; `formula history %s` lists them", version, kind, kind);
    if (rc == 0) {
        *bytes = (uint32_t)sqlite3_column_bytes(query, 0);
        *text = malloc(*bytes + 1u);
        if (*text == NULL)
            rc = vx_error_set(error, -ENOMEM, "formula versions: no memory for a text");
        else
            (void)snprintf(*text, *bytes + 1u, "%.*s", (int)*bytes, (const char *)sqlite3_column_blob(query, 0));
    }
    (void)sqlite3_finalize(query);
    return rc;
}

uint32_t vx_versions_known(struct vx_versions *versions, const char *kind, const char *text, uint32_t bytes)
{
    char hash[VX_VERSIONS_HASH_BYTES];
    hash_of(text, bytes, hash);
    return first_number(statement(versions, NULL, "SELECT version FROM versions WHERE kind = ? AND hash = ?", "ss", kind, hash));
}

uint32_t vx_versions_live(struct vx_versions *versions, const char *kind)
{
    return first_number(statement(versions, NULL, "SELECT version FROM live WHERE kind = ?", "s", kind));
}

int vx_versions_live_set(struct vx_versions *versions, const char *kind, uint32_t version, struct vx_error *error)
{
    return run(versions, statement(versions, error, "INSERT INTO live(kind, version) VALUES(?, ?) ON CONFLICT(kind) DO UPDATE SET version = excluded.version", "si", kind, (int64_t)version),
               "say which version is live", error);
}

int vx_versions_quarantine(struct vx_versions *versions, const char *kind, uint32_t version, struct vx_error *error)
{
    return run(versions, statement(versions, error, "UPDATE versions SET quarantined = 1 WHERE kind = ? AND version = ?", "si", kind, (int64_t)version), "quarantine a version", error);
}

int vx_versions_event(struct vx_versions *versions, const char *kind, uint32_t version, const char *who, const char *event, const char *detail,
                      struct vx_error *error)
{
    return run(versions, statement(versions, error, "INSERT INTO events(at_ms, kind, version, who, event, detail) VALUES(?, ?, ?, ?, ?, ?)", "isisss", now_ms(), kind, (int64_t)version, who,
                                   event, detail),
               "append to its history", error);
}

void vx_versions_each(struct vx_versions *versions, const char *kind, void (*row)(void *context, const struct vx_versions_row *row), void *context)
{
    sqlite3_stmt *query = statement(versions, NULL,
                                    "SELECT kind, version, hash, who, why, at_ms, quarantined, EXISTS(SELECT 1 FROM live WHERE live.kind = versions.kind AND live.version = versions.version)"
                                    " FROM versions WHERE ?1 = '' OR kind = ?1 ORDER BY at_ms DESC, kind, version DESC", "s", kind != NULL ? kind : "");
    while (query != NULL && sqlite3_step(query) == SQLITE_ROW) {
        struct vx_versions_row one = { .version = (uint32_t)sqlite3_column_int64(query, 1), .at_ms = sqlite3_column_int64(query, 5), .quarantined = sqlite3_column_int(query, 6) != 0,
                                       .live = sqlite3_column_int(query, 7) != 0 };
        column(query, 0, one.kind, sizeof(one.kind));
        column(query, 2, one.hash, sizeof(one.hash));
        column(query, 3, one.who, sizeof(one.who));
        column(query, 4, one.why, sizeof(one.why));
        row(context, &one);
    }
    (void)sqlite3_finalize(query);
}

void vx_versions_events(struct vx_versions *versions, const char *kind, uint32_t max, void (*row)(void *context, const struct vx_versions_event *event),
                        void *context)
{
    sqlite3_stmt *query = statement(versions, NULL, "SELECT at_ms, kind, version, who, event, detail FROM events WHERE ?1 = '' OR kind = ?1 ORDER BY id DESC LIMIT ?2", "si",
                                    kind != NULL ? kind : "", (int64_t)max);
    while (query != NULL && sqlite3_step(query) == SQLITE_ROW) {
        struct vx_versions_event one = { .at_ms = sqlite3_column_int64(query, 0), .version = (uint32_t)sqlite3_column_int64(query, 2) };
        column(query, 1, one.kind, sizeof(one.kind));
        column(query, 3, one.who, sizeof(one.who));
        column(query, 4, one.event, sizeof(one.event));
        column(query, 5, one.detail, sizeof(one.detail));
        row(context, &one);
    }
    (void)sqlite3_finalize(query);
}
