/* Files are made exclusively and read through one descriptor, so that what was checked is what is used. */
#include "vx_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIGITS = 2 * VX_SECRET_KEY_BYTES, OTHERS = S_IRWXG | S_IRWXO };

void vx_secret_draw(void *out, size_t bytes)
{
    for (uint8_t *at = out; bytes > 0;) {
        ssize_t got = getrandom(at, bytes, 0);
        VX_ASSERT(got > 0 || (got < 0 && errno == EINTR));
        at += got > 0 ? got : 0;
        bytes -= got > 0 ? (size_t)got : 0;
    }
}

/* Everything is on disk when this returns 0. */
static int write_out(int fd, const uint8_t *content, size_t bytes)
{
    while (bytes > 0) {
        ssize_t put = write(fd, content, bytes);
        if (put < 0 && errno != EINTR)
            return -errno;
        content += put > 0 ? put : 0;
        bytes -= put > 0 ? (size_t)put : 0;
    }
    return fchmod(fd, S_IRUSR | S_IWUSR) != 0 || fsync(fd) != 0 ? -errno : 0;
}

int vx_secret_file_create(const char *path, const void *content, size_t bytes, struct vx_error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0 && errno == EEXIST)
        return vx_error_set(error, -EEXIST, "%s exists already and is left as it is: expected a name that is free", path);
    if (fd < 0)
        return vx_error_set(error, -errno, "%s cannot be made: %s", path, strerror(errno));
    int rc = write_out(fd, content, bytes);
    (void)close(fd);
    if (rc != 0) {
        (void)unlink(path);
        return vx_error_set(error, rc, "%s cannot be written: %s", path, strerror(-rc));
    }
    return 0;
}

int vx_secret_key_create(const char *path, struct vx_error *error)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t key[VX_SECRET_KEY_BYTES];
    char text[DIGITS + 1];
    vx_secret_draw(key, sizeof(key));
    for (uint32_t i = 0; i < DIGITS; i++)
        text[i] = digits[i % 2 == 0 ? key[i / 2] >> 4 : key[i / 2] & 0xf];
    text[DIGITS] = '\n';
    int rc = vx_secret_file_create(path, text, sizeof(text), error);
    explicit_bzero(key, sizeof(key));
    explicit_bzero(text, sizeof(text));
    return rc;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* 64 digits, and at most a newline after them. */
static bool key_from_text(const char *text, size_t bytes, uint8_t key[VX_SECRET_KEY_BYTES])
{
    if (bytes != DIGITS && !(bytes == DIGITS + 1 && text[DIGITS] == '\n'))
        return false;
    for (uint32_t i = 0; i < VX_SECRET_KEY_BYTES; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* What kind of file it is and who can read it. */
static int file_check(const char *path, int fd, struct vx_error *error)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return vx_error_set(error, -errno, "%s cannot be looked at: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return vx_error_set(error, -EINVAL, "%s is not a file: expected 64 hexadecimal digits in one", path);
    if (about.st_mode & OTHERS)
        return vx_error_set(error, -EPERM, "%s has mode %04o, which lets others at the key: expected 0600 or 0400", path, about.st_mode & 07777);
    return 0;
}

int vx_secret_key_read(const char *path, uint8_t key[VX_SECRET_KEY_BYTES], struct vx_error *error)
{
    char text[DIGITS + 2];
    size_t bytes = 0;
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    if (fd < 0)
        return vx_error_set(error, -errno, "%s cannot be read: %s", path, strerror(errno));
    int rc = file_check(path, fd, error);
    while (rc == 0 && bytes < sizeof(text) && (got = read(fd, text + bytes, sizeof(text) - bytes)) > 0)
        bytes += (size_t)got;
    (void)close(fd);
    if (rc == 0 && (got < 0 || !key_from_text(text, bytes, key)))
        rc = vx_error_set(error, -EINVAL, "%s holds no key: expected 64 hexadecimal digits and nothing else", path);
    explicit_bzero(text, sizeof(text));
    return rc;
}
