/* Texts of formulas: from files, and copies of them. Control thread and programs; plain C. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vx_formula.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int read_all(FILE *file, const char *path, struct vx_formula_text *text, struct vx_error *error)
{
    struct stat about;
    if (fstat(fileno(file), &about) != 0)
        return vx_error_set(error, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return vx_error_set(error, -EINVAL, "%s: is not a file", path);
    if (about.st_size > VX_FORMULA_TEXT_BYTES_MAX)
        return vx_error_set(error, -EFBIG, "%s: has %lld bytes, expected at most %d", path, (long long)about.st_size, VX_FORMULA_TEXT_BYTES_MAX);
    char *bytes = malloc(VX_FORMULA_TEXT_BYTES_MAX + 1);
    if (bytes == NULL)
        return vx_error_set(error, -ENOMEM, "%s: no memory", path);
    size_t length = fread(bytes, 1, VX_FORMULA_TEXT_BYTES_MAX, file);
    bool failed = ferror(file) != 0;
    bytes[length] = '\0';
    if (failed || length == 0) {
        free(bytes);
        return failed ? vx_error_set(error, -EIO, "%s: cannot be read", path) : vx_error_set(error, -EINVAL, "%s: is empty", path);
    }
    *text = (struct vx_formula_text){ base_name(path), bytes, (uint32_t)length };
    return 0;
}

int vx_formula_text_read(const char *path, struct vx_formula_text *text, struct vx_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return vx_error_set(error, -errno, "%s: %s", path, strerror(errno));
    int rc = read_all(file, path, text, error);
    (void)fclose(file);
    return rc;
}

int vx_formula_program_read(const char *folder, struct vx_formula_program *program, struct vx_error *error)
{
    *program = (struct vx_formula_program){ 0 };
    for (unsigned kind = 0; kind < VX_FORMULA_KINDS; kind++) {
        char path[2 * VX_PATH_BYTES];
        (void)snprintf(path, sizeof(path), "%s/%s.lua", folder, vx_formula_abouts[kind].name);
        int rc = vx_formula_text_read(path, &program->texts[kind], error);
        if (rc == 0 && (program->texts[kind].name = strdup(program->texts[kind].name)) == NULL)
            rc = vx_error_set(error, -ENOMEM, "%s: no memory", path);
        if (rc != 0) {
            vx_formula_program_free(program);
            return rc;
        }
    }
    return 0;
}

static bool text_copy(const struct vx_formula_text *from, struct vx_formula_text *to)
{
    char *text = malloc(from->bytes + 1);
    *to = (struct vx_formula_text){ strdup(from->name), text, from->bytes };
    if (text == NULL || to->name == NULL)
        return false;
    memcpy(text, from->text, from->bytes);
    text[from->bytes] = '\0';
    return true;
}

int vx_formula_program_copy(const struct vx_formula_program *from, struct vx_formula_program *to)
{
    struct vx_formula_program made = { 0 };
    for (unsigned kind = 0; kind < VX_FORMULA_KINDS; kind++)
        if (from->texts[kind].text != NULL && !text_copy(&from->texts[kind], &made.texts[kind])) {
            vx_formula_program_free(&made);
            return -ENOMEM;
        }
    *to = made;
    return 0;
}

void vx_formula_program_free(struct vx_formula_program *program)
{
    for (unsigned kind = 0; kind < VX_FORMULA_KINDS; kind++) {
        free((char *)program->texts[kind].name);
        free((char *)program->texts[kind].text);
    }
    *program = (struct vx_formula_program){ 0 };
}
