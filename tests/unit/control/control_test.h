/* What control's tests share; the stage is control_stage.c. */
#ifndef CONTROL_TEST_H
#define CONTROL_TEST_H

#include "vx_control.h"
#include "vx_test.h"

enum { LINE_MAX_BYTES = 64 << 10, BIG_BYTES = 1 << 20, CLIENTS = 64, MODE = 0640 };

extern char folder[], socket_path[64]; /* the folder is new and goes with the test */
extern int context;
/* echo [VALUE], fail [--cut], big [--times N], status, change (admins). */
extern const struct vx_control_command *const tables[];

struct vx_control *start(void);
int client(void);
void polls(struct vx_control *control, int count);
void say(int fd, const char *text);
/* What has come within a few polls; the caller frees. */
char *hear(struct vx_control *control, int fd);
void expect(struct vx_control *control, int fd, const char *expected);
/* One reply with this error code, the sentence containing words. */
void expect_error(struct vx_control *control, int fd, const char *code, const char *words);
bool is_closed(int fd);
/* Makes the folder and runs the tests. */
int stage_main(const char *suite, const struct vx_test *tests, unsigned count);

#endif
