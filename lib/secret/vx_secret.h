/* secret: what must not be guessed or read by others: drawn from the kernel, kept in files that nobody else can
 * read. A key file holds 64 hexadecimal digits. Control plane; any thread. */
#ifndef VX_SECRET_H
#define VX_SECRET_H

#include "vx_base.h"

enum { VX_SECRET_KEY_BYTES = 32 };

/* Random bytes from the kernel; ends the program when it has none, for nothing can go on then. */
void vx_secret_draw(void *out, size_t bytes);
/* Makes the file with mode 0600 and this content; one that exists is left as it is. 0 or -errno with a sentence. */
int vx_secret_file_create(const char *path, const void *content, size_t bytes, struct vx_error *error);
/* Makes a key file with a new random key. */
int vx_secret_key_create(const char *path, struct vx_error *error);
/* Reads a key file. One that others could read or write is refused (-EPERM), as is one that holds anything else
 * than a key (-EINVAL). */
int vx_secret_key_read(const char *path, uint8_t key[VX_SECRET_KEY_BYTES], struct vx_error *error);

#endif
