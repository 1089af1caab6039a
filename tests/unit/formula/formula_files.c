/* Folders, files and programs for the formula tests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formula_test.h"

static const char *const names[] = { "battle.lua", "loot.lua", "pairing.lua", "rating.lua", "score.lua" };

const char *shipped_formulas(void)
{
    return VX_LUA_FOLDER "/formulas";
}

const char *shipped_runtime(void)
{
    return VX_LUA_FOLDER "/runtime";
}

const char *worker_program(void)
{
    return VX_WORKER;
}

char *file_read(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    struct stat about;
    CU_ASSERT_FATAL(fstat(fileno(file), &about) == 0);
    char *text = malloc((size_t)about.st_size + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    size_t length = fread(text, 1, (size_t)about.st_size, file);
    text[length] = '\0';
    if (bytes != NULL)
        *bytes = length;
    (void)fclose(file);
    return text;
}

static void path_of(const struct test_folder *folder, const char *name, char path[2 * VX_PATH_BYTES])
{
    (void)snprintf(path, 2 * VX_PATH_BYTES, "%s/%s", folder->path, name);
}

void folder_write(const struct test_folder *folder, const char *name, const char *text, size_t bytes)
{
    char path[2 * VX_PATH_BYTES];
    path_of(folder, name, path);
    if (text == NULL) {
        CU_ASSERT_FATAL(unlink(path) == 0);
        return;
    }
    FILE *file = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL_FATAL(fwrite(text, 1, bytes, file), bytes);
    CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
}

void folder_make(struct test_folder *folder)
{
    (void)snprintf(folder->path, sizeof(folder->path), "/tmp/veltrix-formula-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder->path));
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char from[2 * VX_PATH_BYTES];
        size_t bytes;
        (void)snprintf(from, sizeof(from), "%s/%s", shipped_formulas(), names[i]);
        char *text = file_read(from, &bytes);
        folder_write(folder, names[i], text, bytes);
        free(text);
    }
}

void folder_remove(const struct test_folder *folder)
{
    static const char *const all[] = { "battle.lua", "loot.lua", "pairing.lua", "rating.lua", "score.lua", "batch.lua", "declare.lua", "watch.lua", "worker", "worker.stderr", "worker.trace", "escaped" };
    char path[2 * VX_PATH_BYTES];
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        path_of(folder, all[i], path);
        (void)unlink(path);
    }
    (void)rmdir(folder->path);
}

void folder_write_battle(const struct test_folder *folder, const char *before, const char *body)
{
    static const char *const form =
        "%s\nreturn { name = \"battle\", version = 7,\n"
        "  inputs = { { name = \"attacker_rating\", min = 0, max = 4000 }, { name = \"target_rating\", min = 0, max = 4000 },\n"
        "    { name = \"distance_m\", min = 0, max = 90 }, { name = \"weapon\", min = 0, max = 3, whole = true },\n"
        "    { name = \"target_health\", min = 0, max = 100 }, { name = \"attacker_streak\", min = 0, max = 20 } },\n"
        "  outputs = { { name = \"damage\", min = 5, max = 60 }, { name = \"critical\", min = 0, max = 1 } },\n"
        "  formula = function(attacker_rating, target_rating, distance_m, weapon, target_health, attacker_streak, random)\n%s\n  end }\n";
    char text[4096];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* from above */
    int bytes = snprintf(text, sizeof(text), form, before, body);
#pragma GCC diagnostic pop
    CU_ASSERT_FATAL(bytes > 0 && (size_t)bytes < sizeof(text));
    folder_write(folder, "battle.lua", text, (size_t)bytes);
}

void folder_write_runtime(const struct test_folder *folder, const char *from, const char *to)
{
    char *text = file_read(VX_LUA_FOLDER "/runtime/batch.lua", NULL);
    char *at = strstr(text, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    char *changed = NULL;
    CU_ASSERT_FATAL(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
    folder_write(folder, "batch.lua", changed, strlen(changed));
    free(changed);
    free(text);
    static const char *const others[] = { "declare.lua", "watch.lua" };
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char from_path[2 * VX_PATH_BYTES];
        size_t bytes;
        (void)snprintf(from_path, sizeof(from_path), "%s/%s", shipped_runtime(), others[i]);
        text = file_read(from_path, &bytes);
        folder_write(folder, others[i], text, bytes);
        free(text);
    }
}

void folder_write_worker(const struct test_folder *folder, const char *name, bool trace)
{
    char text[1024], path[2 * VX_PATH_BYTES], option[2 * VX_PATH_BYTES] = "";
    if (trace)
        (void)snprintf(option, sizeof(option), " --trace %s/%s.trace", folder->path, name);
    int bytes = snprintf(text, sizeof(text), "#!/bin/sh\nexec %s \"$@\"%s 2>>%s/%s.stderr\n", worker_program(), option, folder->path, name);
    CU_ASSERT_FATAL(bytes > 0 && (size_t)bytes < sizeof(text));
    folder_write(folder, name, text, (size_t)bytes);
    path_of(folder, name, path);
    CU_ASSERT_FATAL(chmod(path, 0700) == 0);
}
