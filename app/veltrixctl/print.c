/* A reply on the terminal, and the exit status that it means. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

static int print_error(const struct ctl *ctl, const json_t *error)
{
    const char *code = json_string_value(json_object_get(error, "code")), *message = json_string_value(json_object_get(error, "message"));
    return ctl_complain(code != NULL ? vx_control_code_exit(code) : EXIT_FAILED, code != NULL ? code : ctl->socket,
                        message != NULL ? message : "the answer is not of this protocol");
}

static void print_text(const json_t *result)
{
    char *text = vx_control_render(result);
    (void)fputs(text != NULL ? text : "out of memory\n", stdout);
    free(text);
}

int ctl_print_reply(const struct ctl *ctl, const char *command, const json_t *reply)
{
    const json_t *result = json_object_get(reply, "result");
    if (!json_is_true(json_object_get(reply, "ok")) || result == NULL)
        return print_error(ctl, json_object_get(reply, "error"));
    if (ctl->json) {
        (void)json_dumpf(result, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
        (void)printf("\n");
    } else if (strcmp(command, "status") == 0 && json_is_array(json_object_get(result, "lcores"))) {
        ctl_print_status(result);
    } else {
        print_text(result);
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        return ctl_complain(EXIT_FAILED, "standard output", strerror(errno));
    return 0;
}
