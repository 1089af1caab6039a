/* control: newline-delimited JSON over a UNIX stream socket. Requests {"id":…,"command":"status"},
 * replies {"id":…,"ok":true,"result":…} or {"id":…,"ok":false,"error":{"code":"…","message":"…"}}.
 * Control thread only; a slow or dead client costs a buffer and is then closed. */
#ifndef VX_CONTROL_H
#define VX_CONTROL_H

#include <jansson.h>

#include "vx_base.h"

/* Returns a new reference to the result, or NULL with the error sentence filled. */
typedef json_t *vx_control_handler(void *context, const json_t *request, struct vx_error *error);
struct vx_control_command {
    const char *name;
    const char *help;
    vx_control_handler *handler;
};
struct vx_control;
/* Listens on path (a stale socket of a dead process is replaced, a living one is an error). commands is
 * borrowed, ends with a NULL name; `help` is built in. */
int vx_control_create(const char *path, uint32_t mode, const struct vx_control_command *commands, void *context, struct vx_control **control, struct vx_error *error);
/* Waits up to timeout_ms for clients and serves them. */
void vx_control_poll(struct vx_control *control, int timeout_ms);
void vx_control_destroy(struct vx_control *control);

#endif
