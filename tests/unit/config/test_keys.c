/* Keys one by one, comparing, and saving: what is saved loads to the same. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vx_config.h"
#include "vx_test.h"

static char folder[] = "/tmp/vx_keys_XXXXXX";
static char path[64];

static void load(const char *text, struct vx_config *config)
{
    struct vx_error error = { "" };
    FILE *file = fopen(path, "w");
    (void)fprintf(file, "return { lcores={{cpu=0,roles={'io','shard'},port=1},{cpu=1,roles={'control'}}}, ports={{kind='ring',addresses={'10.0.0.1','fd00::1'}}}, %s }", text);
    (void)fclose(file);
    CU_ASSERT_EQUAL_FATAL(vx_config_load(path, config, &error), 0);
}

static const char *value(const struct vx_config *config, const char *name)
{
    static char text[640];
    int index = vx_config_key_find(name);
    CU_ASSERT_FATAL(index >= 0);
    vx_config_value(config, (uint32_t)index, text, sizeof(text));
    return text;
}

static int set(struct vx_config *config, const char *name, const char *text, struct vx_error *error)
{
    return vx_config_set(config, (uint32_t)vx_config_key_find(name), text, error);
}

static void values(void)
{
    static struct vx_config config;
    load("idle={policy='busy'}, control={mode='0600',admins={'ops','anna'},group='wheel'}, memory={huge=false}, shards={seed=9007199254740992}", &config);
    CU_ASSERT_STRING_EQUAL(value(&config, "idle.policy"), "\"busy\"");
    CU_ASSERT_STRING_EQUAL(value(NULL, "idle.policy"), "\"sleep\"");
    CU_ASSERT_STRING_EQUAL(value(&config, "control.mode"), "\"0600\"");
    CU_ASSERT_STRING_EQUAL(value(&config, "control.admins"), "{ \"ops\", \"anna\" }");
    CU_ASSERT_STRING_EQUAL(value(NULL, "control.admins"), "{}");
    CU_ASSERT_STRING_EQUAL(value(&config, "control.group"), "\"wheel\"");
    CU_ASSERT_STRING_EQUAL(value(&config, "memory.huge"), "false");
    CU_ASSERT_STRING_EQUAL(value(&config, "shards.seed"), "9007199254740992");
    CU_ASSERT_STRING_EQUAL(value(NULL, "ledger.path"), "\"/var/lib/veltrix/ledger.db\"");
    CU_ASSERT_EQUAL(vx_config_key_find("lcores.cpu"), -1);
    CU_ASSERT_EQUAL(vx_config_key_find("idle.polices"), -1);
    CU_ASSERT_EQUAL(vx_config_number(&config, (uint32_t)vx_config_key_find("idle.policy")), VX_IDLE_BUSY);
}

/* Every numeric key takes both ends of its range and its default, and nothing beyond. */
static void ranges(void)
{
    static struct vx_config config;
    struct vx_config_key key;
    struct vx_error error;
    uint32_t numbers = 0, live = 0;
    load("", &config);
    for (uint32_t i = 0; i < vx_config_key_count(); i++) {
        char text[32];
        vx_config_key(i, &key);
        CU_ASSERT(key.sentence[0] != '\0');
        live += key.effect[0] != '\0';
        if (strcmp(key.type, "number") != 0)
            continue;
        numbers++;
        const uint64_t good[] = { key.min, key.max };
        for (uint32_t j = 0; j < 2; j++) {
            (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)good[j]);
            CU_ASSERT_EQUAL(vx_config_set(&config, i, text, &error), 0);
            CU_ASSERT_EQUAL(vx_config_number(&config, i), good[j]);
        }
        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)key.max + 1);
        CU_ASSERT_EQUAL(vx_config_set(&config, i, text, &error), -ERANGE);
        CU_ASSERT_EQUAL(vx_config_number(&config, i), key.max);
    }
    CU_ASSERT(numbers >= 20 && live >= 15);
}

static void refusals(void)
{
    static struct vx_config config, before;
    struct vx_error error = { "" };
    load("", &config);
    before = config;
    static const struct { const char *key, *text; int code; const char *sentence; } rows[] = {
        { "idle.sleep_us", "0", -ERANGE, "idle.sleep_us is 0, expected a whole number from 1 to 1000 us" },
        { "idle.sleep_us", "fast", -EINVAL, "idle.sleep_us is fast, expected a whole number" },
        { "idle.sleep_us", "-1", -EINVAL, "expected a whole number" },
        { "idle.sleep_us", "1.5", -EINVAL, "expected a whole number" },
        { "idle.sleep_us", "", -EINVAL, "expected a whole number" },
        { "idle.sleep_us", "99999999999999999999999999", -ERANGE, "from 1 to 1000" },
        { "idle.policy", "lazy", -EINVAL, "expected one of: busy pause sleep" },
        { "memory.huge", "yes", -EINVAL, "expected true or false" },
        { "shards.ring_events", "1000", -ERANGE, "expected a power of two from 64" },
        { "control.mode", "0888", -EINVAL, "octal" },
        { "control.socket", "", -ERANGE, "text of 1 to 107 bytes" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CU_ASSERT_EQUAL(set(&config, rows[i].key, rows[i].text, &error), rows[i].code);
        if (strstr(error.text, rows[i].sentence) == NULL)
            (void)printf("\n%s\n", error.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, rows[i].sentence));
    }
    CU_ASSERT_EQUAL(memcmp(&config, &before, sizeof(config)), 0);
    CU_ASSERT_EQUAL(set(&config, "idle.policy", "pause", &error), 0);
    CU_ASSERT_EQUAL(set(&config, "control.group", "wheel", &error), 0);
    CU_ASSERT_STRING_EQUAL(config.control.group, "wheel");
}

static char differences[2048];
static void note(void *context, const char *name, const char *a, const char *b, bool live)
{
    (void)context;
    (void)snprintf(differences + strlen(differences), sizeof(differences) - strlen(differences), "%s: %s -> %s%s\n", name, a, b, live ? " live" : "");
}

static void compare_and_save(void)
{
    static struct vx_config a, b, c;
    struct vx_error error = { "" };
    char before[80];
    struct stat status;
    load("shards={count=4}, control={admins={'ops'}}", &a);
    b = a;
    CU_ASSERT_EQUAL(set(&b, "shards.hunt_ms", "60000", &error), 0);
    CU_ASSERT_EQUAL(set(&b, "ledger.path", "/x \"y\"\\z", &error), 0);
    b.lcores[1].cpu = 7;
    b.lcore_count = 3;
    b.lcores[2] = (struct vx_config_lcore){ .cpu = 3, .roles = VX_ROLE_SHARD };
    vx_config_diff(&a, &b, note, NULL);
    CU_ASSERT_STRING_EQUAL(differences, "shards.hunt_ms: 180000 -> 60000 live\nledger.path: \"/var/lib/veltrix/ledger.db\" -> \"/x \\\"y\\\"\\\\z\"\n"
                                        "lcores[2]: { cpu = 1, roles = { \"control\" } } -> { cpu = 7, roles = { \"control\" } }\n"
                                        "lcores[3]:  -> { cpu = 3, roles = { \"shard\" } }\n");
    vx_config_copy(&a, &b, (uint32_t)vx_config_key_find("shards.hunt_ms"));
    CU_ASSERT_EQUAL(a.shards.hunt_ms, 60000);
    CU_ASSERT_EQUAL(vx_config_save(&b, path, &error), 0);
    CU_ASSERT_EQUAL(vx_config_load(path, &c, &error), 0);
    differences[0] = '\0';
    vx_config_diff(&b, &c, note, NULL);
    CU_ASSERT_STRING_EQUAL(differences, "");
    (void)snprintf(before, sizeof(before), "%s.before", path);
    CU_ASSERT_EQUAL(stat(before, &status), 0);
    CU_ASSERT_EQUAL(vx_config_load(before, &c, &error), 0);
    CU_ASSERT_EQUAL(c.shards.hunt_ms, 180000);
    CU_ASSERT_EQUAL(vx_config_save(&b, path, &error), 0); /* over a .before that exists */
    CU_ASSERT_EQUAL(vx_config_save(&b, "/nonexistent/veltrix.lua", &error), -ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/nonexistent/veltrix.lua.new"));
    (void)unlink(before);
    (void)unlink(path);
}

int main(void)
{
    static const struct vx_test tests[] = { { "values", values }, { "ranges", ranges }, { "refusals", refusals }, { "compare and save", compare_and_save } };
    if (mkdtemp(folder) == NULL)
        return 2;
    (void)snprintf(path, sizeof(path), "%s/veltrix.lua", folder);
    int rc = vx_test_main("config_keys", tests, sizeof(tests) / sizeof(tests[0]));
    (void)rmdir(folder);
    return rc;
}
