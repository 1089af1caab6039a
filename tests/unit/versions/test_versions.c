/* The store of formula versions: what is kept comes back after a reopen, a number never means two texts, and a file that
 * is not ours or is damaged is refused and left as it is. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vx_test.h"
#include "vx_versions.h"

static char folder[] = "/tmp/vx_versions_XXXXXX", path[64];
static struct vx_error error;
static const char one[] = "return { name = 'battle', version = 1 }\n", two[] = "return { name = 'battle', version = 2 }\n";

static struct vx_versions *open_store(void)
{
    struct vx_versions *versions = NULL;
    error.text[0] = '\0';
    int rc = vx_versions_open(path, &versions, &error);
    if (rc != 0)
        (void)fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT_FATAL(rc == 0);
    return versions;
}

static struct vx_versions_row rows[8];
static struct vx_versions_event events[8];
static uint32_t row_count, event_count;

static void row_take(void *context, const struct vx_versions_row *row)
{
    (void)context;
    CU_ASSERT_FATAL(row_count < 8);
    rows[row_count++] = *row;
}

static void event_take(void *context, const struct vx_versions_event *event)
{
    (void)context;
    CU_ASSERT_FATAL(event_count < 8);
    events[event_count++] = *event;
}

static void kept_across_a_reopen(void)
{
    struct vx_versions *versions = open_store();
    CU_ASSERT_EQUAL(vx_versions_put(versions, "battle", 1, one, sizeof(one) - 1, "root", "shipped", &error), 0);
    CU_ASSERT_EQUAL(vx_versions_put(versions, "battle", 2, two, sizeof(two) - 1, "dora", "harder", &error), 0);
    CU_ASSERT_EQUAL(vx_versions_put(versions, "battle", 2, two, sizeof(two) - 1, "dora", "again", &error), 1);
    CU_ASSERT_EQUAL(vx_versions_live_set(versions, "battle", 1, &error), 0);
    CU_ASSERT_EQUAL(vx_versions_live_set(versions, "battle", 2, &error), 0);
    CU_ASSERT_EQUAL(vx_versions_event(versions, "battle", 2, "dora", "live", "of 2 versions", &error), 0);
    vx_versions_close(versions);
    versions = open_store();
    CU_ASSERT_EQUAL(vx_versions_live(versions, "battle"), 2);
    CU_ASSERT_EQUAL(vx_versions_live(versions, "loot"), 0);
    CU_ASSERT_EQUAL(vx_versions_known(versions, "battle", one, sizeof(one) - 1), 1);
    CU_ASSERT_EQUAL(vx_versions_known(versions, "battle", one, sizeof(one) - 2), 0);
    char *text = NULL;
    uint32_t bytes = 0;
    CU_ASSERT_EQUAL(vx_versions_text(versions, "battle", 2, &text, &bytes, &error), 0);
    CU_ASSERT(bytes == sizeof(two) - 1 && strcmp(text, two) == 0);
    free(text);
    vx_versions_each(versions, "battle", row_take, NULL);
    CU_ASSERT(row_count == 2 && rows[0].version == 2 && rows[0].live && !rows[1].live && strcmp(rows[0].who, "dora") == 0 && strcmp(rows[0].why, "harder") == 0);
    CU_ASSERT(strlen(rows[0].hash) == 64 && strcmp(rows[0].hash, rows[1].hash) != 0 && rows[0].at_ms > 1600000000000);
    vx_versions_events(versions, NULL, 8, event_take, NULL);
    CU_ASSERT(event_count == 1 && strcmp(events[0].event, "live") == 0 && strcmp(events[0].detail, "of 2 versions") == 0);
    vx_versions_close(versions);
}

static void a_number_means_one_text(void)
{
    struct vx_versions *versions = open_store();
    CU_ASSERT_EQUAL(vx_versions_put(versions, "battle", 1, two, sizeof(two) - 1, "x", "", &error), -EEXIST);
    CU_ASSERT(strstr(error.text, "battle version 1 is another text already") != NULL);
    char *text = NULL;
    uint32_t bytes;
    CU_ASSERT_EQUAL(vx_versions_text(versions, "battle", 9, &text, &bytes, &error), -ENOENT);
    CU_ASSERT(strstr(error.text, "no version 9 of battle") != NULL);
    CU_ASSERT_EQUAL(vx_versions_quarantine(versions, "battle", 2, &error), 0);
    CU_ASSERT_EQUAL(vx_versions_put(versions, "battle", 2, two, sizeof(two) - 1, "x", "", &error), -EKEYREJECTED);
    CU_ASSERT_EQUAL(vx_versions_allowed(versions, "battle", 2, &error), -EKEYREJECTED);
    CU_ASSERT(strstr(error.text, "battle version 2 is quarantined") != NULL);
    CU_ASSERT_EQUAL(vx_versions_allowed(versions, "battle", 1, &error), 0);
    vx_versions_close(versions);
}

/* Refused with a sentence that names it and says `words`, and not a byte of it changed. */
static void refused(const char *words)
{
    struct vx_versions *versions = NULL;
    struct stat before, after;
    CU_ASSERT_EQUAL(stat(path, &before), 0);
    CU_ASSERT(vx_versions_open(path, &versions, &error) < 0);
    CU_ASSERT(strstr(error.text, path) != NULL && strstr(error.text, words) != NULL);
    CU_ASSERT_EQUAL(stat(path, &after), 0);
    CU_ASSERT(before.st_size == after.st_size && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec && before.st_mtim.tv_sec == after.st_mtim.tv_sec);
}

static void other_files_are_refused(void)
{
    char noise[4096];
    memset(noise, 'x', sizeof(noise));
    int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
    CU_ASSERT(write(fd, noise, sizeof(noise)) == sizeof(noise));
    (void)close(fd);
    refused("not a database");
    (void)unlink(path);
    sqlite3 *database;
    CU_ASSERT_EQUAL(sqlite3_open(path, &database), SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_exec(database, "CREATE TABLE songs(name)", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(database);
    refused("another program's database");
    (void)unlink(path);
    struct vx_versions *versions = open_store();
    static char text[30000];
    memset(text, '-', sizeof(text));
    CU_ASSERT_EQUAL(vx_versions_put(versions, "loot", 1, text, sizeof(text), "x", "", &error), 0);
    vx_versions_close(versions);
    CU_ASSERT_EQUAL(truncate(path, 20000), 0);
    refused("");
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "kept across a reopen", kept_across_a_reopen },
        { "a number means one text", a_number_means_one_text },
        { "other files are refused", other_files_are_refused },
    };
    if (mkdtemp(folder) == NULL)
        return 1;
    (void)snprintf(path, sizeof(path), "%s/formulas.db", folder);
    int rc = vx_test_main("versions", tests, sizeof(tests) / sizeof(tests[0]));
    (void)unlink(path);
    (void)rmdir(folder);
    return rc;
}
