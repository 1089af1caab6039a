/* Key files: made for nobody else, never over another, and refused when others could read them or they hold no key. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vx_secret.h"
#include "vx_test.h"

static char folder[] = "/tmp/vx_secret_XXXXXX", path[64];
static struct vx_error error;

static const char *fresh(void)
{
    static unsigned count;
    (void)snprintf(path, sizeof(path), "%s/%u", folder, count++);
    return path;
}

static int read_of(const char *content, size_t bytes, mode_t mode)
{
    uint8_t key[VX_SECRET_KEY_BYTES];
    VX_ASSERT(vx_secret_file_create(fresh(), content, bytes, &error) == 0 && chmod(path, mode) == 0);
    return vx_secret_key_read(path, key, &error);
}

static void a_key_comes_back(void)
{
    uint8_t one[VX_SECRET_KEY_BYTES], two[VX_SECRET_KEY_BYTES];
    struct stat about;
    (void)umask(0);
    CU_ASSERT_EQUAL(vx_secret_key_create(fresh(), &error), 0);
    CU_ASSERT(stat(path, &about) == 0 && (about.st_mode & 07777) == 0600 && about.st_size == 65);
    CU_ASSERT(vx_secret_key_read(path, one, &error) == 0 && vx_secret_key_read(path, two, &error) == 0);
    CU_ASSERT_EQUAL(memcmp(one, two, sizeof(one)), 0);
    CU_ASSERT_EQUAL(vx_secret_key_create(path, &error), -EEXIST);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "exists already"));
    CU_ASSERT(vx_secret_key_read(path, two, &error) == 0 && memcmp(one, two, sizeof(one)) == 0);
    CU_ASSERT(vx_secret_key_create(fresh(), &error) == 0 && vx_secret_key_read(path, two, &error) == 0);
    CU_ASSERT_NOT_EQUAL(memcmp(one, two, sizeof(one)), 0);
}

static void digits_are_what_they_say(void)
{
    static const char text[] = "000102030405060708090a0B0c0D0e0F101112131415161718191a1b1c1d1e1f";
    uint8_t key[VX_SECRET_KEY_BYTES];
    CU_ASSERT_EQUAL(vx_secret_file_create(fresh(), text, sizeof(text) - 1, &error), 0);
    CU_ASSERT_EQUAL(vx_secret_key_read(path, key, &error), 0);
    for (uint8_t i = 0; i < sizeof(key); i++)
        CU_ASSERT_EQUAL(key[i], i);
}

static void others_must_not_read_it(void)
{
    static const char text[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    for (mode_t mode = 0; mode < 01000; mode++) {
        if (!(mode & S_IRUSR))
            continue;
        int expected = mode & 077 ? -EPERM : 0;
        if (read_of(text, sizeof(text) - 1, mode) != expected)
            CU_FAIL("a mode is judged wrongly");
        (void)unlink(path);
    }
    CU_ASSERT_EQUAL(read_of(text, sizeof(text) - 1, 0640), -EPERM);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "has mode 0640, which lets others at the key: expected 0600 or 0400"));
}

static void only_a_key_is_a_key(void)
{
    char text[80];
    memset(text, 'a', sizeof(text));
    for (size_t bytes = 0; bytes < sizeof(text); bytes++)
        CU_ASSERT_EQUAL(read_of(text, bytes, 0600), bytes == 64 ? 0 : -EINVAL);
    text[64] = ' ';
    CU_ASSERT_EQUAL(read_of(text, 65, 0600), -EINVAL);
    text[64] = '\n';
    CU_ASSERT_EQUAL(read_of(text, 65, 0600), 0);
    text[63] = 'g';
    CU_ASSERT_EQUAL(read_of(text, 65, 0600), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "holds no key"));
}

static void what_is_no_file(void)
{
    uint8_t key[VX_SECRET_KEY_BYTES];
    CU_ASSERT_EQUAL(vx_secret_key_read(folder, key, &error), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "is not a file"));
    CU_ASSERT_EQUAL(vx_secret_key_read(fresh(), key, &error), -ENOENT);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    CU_ASSERT_EQUAL(vx_secret_key_read(path, key, &error), -EINVAL); /* and does not wait for a writer */
    CU_ASSERT_EQUAL(vx_secret_key_create("/nowhere/key", &error), -ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/nowhere/key cannot be made"));
    CU_ASSERT_EQUAL(vx_secret_key_create("/dev/full", &error), -EEXIST);
}

static void draws_differ(void)
{
    uint8_t one[300] = { 0 }, two[300] = { 0 };
    vx_secret_draw(one, sizeof(one));
    vx_secret_draw(two, sizeof(two));
    CU_ASSERT_NOT_EQUAL(memcmp(one, two, sizeof(one)), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(one + 268, two + 268, 32), 0); /* to the last byte */
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "a key comes back", a_key_comes_back },
        { "digits are what they say", digits_are_what_they_say },
        { "others must not read it", others_must_not_read_it },
        { "only a key is a key", only_a_key_is_a_key },
        { "what is no file", what_is_no_file },
        { "draws differ", draws_differ },
    };
    VX_ASSERT(mkdtemp(folder) != NULL);
    int rc = vx_test_main("secret", tests, sizeof(tests) / sizeof(tests[0]));
    char command[64];
    (void)snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command) != 0 ? 1 : rc;
}
