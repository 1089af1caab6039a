/* What the token commands share. */
#ifndef VX_CTL_TOKEN_H
#define VX_CTL_TOKEN_H

#include "ctl.h"
#include "vx_netcode.h"

/* A 64-bit number in decimal or, after 0x, hexadecimal digits. JSON's numbers end at 2^53, so ids are texts. */
bool token_number_read(const char *text, uint64_t *number);
const char *token_permission_name(uint32_t bit);
json_t *token_issue(void *context, struct vx_control_call *call, struct vx_error *error);
json_t *token_inspect(void *context, struct vx_control_call *call, struct vx_error *error);
extern const struct vx_control_argument token_issue_arguments[], token_inspect_arguments[];
extern const struct vx_control_command token_commands[];

#endif
