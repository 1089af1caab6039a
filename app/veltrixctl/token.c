/* `token keygen`, and the table of the token commands: what a backend does in production, for people. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "token.h"
#include "vx_secret.h"

bool token_number_read(const char *text, uint64_t *number)
{
    int base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
    const char *digits = base == 16 ? text + 2 : text;
    char *end;
    errno = 0;
    *number = strtoull(digits, &end, base);
    return strchr("0123456789abcdefABCDEF", digits[0]) != NULL && digits[0] != '\0' && *end == '\0' && errno == 0;
}

const char *token_permission_name(uint32_t bit)
{
    static const char *const names[] = {
#define NAME(name, number, text) [number] = text,
        VX_USER_PERMISSIONS(NAME)
#undef NAME
    };
    return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}

static json_t *keygen(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const char *path = vx_control_text(call, "file", "");
    (void)context;
    if (vx_secret_key_create(path, error) != 0)
        return NULL;
    return json_pack("{s:s,s:s}", "file", path, "mode", "0600");
}

static const struct vx_control_argument keygen_arguments[] = {
    { "file", VX_ARGUMENT_TEXT, VX_ARGUMENT_NEEDED, 1, 4096, NULL, "", "where the new private key goes; a file that exists is left as it is" },
    { .name = NULL },
};

const struct vx_control_command token_commands[] = {
    { "token keygen", VX_CONTROL_LOOK, "makes a private key, to be shared by backend and server", "", keygen_arguments, keygen },
    { "token issue", VX_CONTROL_LOOK, "writes a connect token, as a backend would", "", token_issue_arguments, token_issue },
    { "token inspect", VX_CONTROL_LOOK, "shows what a connect token says; with the key, all of it", "", token_inspect_arguments, token_inspect },
    { .name = NULL },
};
