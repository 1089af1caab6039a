/* The stage of control's tests: a control with a few commands in this process, and non-blocking clients of it; one
 * thread, polls in between. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_test.h"

char folder[] = "/tmp/vx_control_XXXXXX";
char socket_path[64];
int context;

static json_t *on_echo(void *given, struct vx_control_call *call, struct vx_error *error)
{
    (void)error;
    CU_ASSERT_PTR_EQUAL(given, &context);
    json_t *value = json_object_get(call->arguments, "value");
    return value != NULL ? json_incref(value) : json_string("no value");
}

static json_t *on_fail(void *given, struct vx_control_call *call, struct vx_error *error)
{
    (void)given;
    /* A sentence that is cut within a character must still get out. */
    if (json_object_get(call->arguments, "cut") != NULL)
        (void)vx_error_set(error, -EINVAL, "broken \xc3");
    else
        (void)vx_error_set(error, -EINVAL, "shards.count: 7, expected a multiple of 8");
    return NULL;
}

static json_t *on_big(void *given, struct vx_control_call *call, struct vx_error *error)
{
    (void)given;
    (void)error;
    json_int_t times = json_integer_value(json_object_get(call->arguments, "times"));
    size_t bytes = BIG_BYTES * (size_t)(times > 0 ? times : 1);
    char *text = malloc(bytes);
    memset(text, 'x', bytes);
    json_t *string = json_stringn(text, bytes);
    free(text);
    return string;
}

static json_t *on_status(void *given, struct vx_control_call *call, struct vx_error *error)
{
    (void)given;
    (void)call;
    (void)error;
    return json_loads("{\"epoch\":3,\"players\":120000,\"shards\":2,\"resident_bytes\":104857600,\"accounts_balance\":true,"
                      "\"lcores\":[{\"lcore\":1,\"cpu\":4,\"roles\":[\"io\",\"shard\"],\"passes\":200,\"passes_busy\":50,\"gaps\":{\"us_p999\":7.0},"
                      "\"io\":{\"packets_in\":123,\"packets_out\":45,\"tx_full\":0,\"packets\":{\"none\":100,\"bad_magic\":23,\"short_ip\":0},\"actions_shed\":[0,2]}}],"
                      "\"totals\":{\"players_online\":77,\"actions_in\":9},\"formulas\":{\"worker_pid\":99,\"battle\":{\"jobs\":5,\"ns_per_job\":350.4}},"
                      "\"ledger\":{\"grants_committed\":12},\"shard_list\":[{\"shard\":0,\"online\":30,\"actions_in\":1},{\"shard\":1,\"online\":47,\"actions_in\":8}]}",
                      0, NULL);
}

static json_t *on_change(void *given, struct vx_control_call *call, struct vx_error *error)
{
    (void)given;
    json_int_t value = vx_control_whole(call, "value", 0);
    if (value == 13)
        return vx_control_fail(call, error, VX_CONTROL_FAILED, "value is 13: no luck");
    call->old = json_integer(0);
    call->new = json_integer(value);
    return json_pack("{s:s,s:b}", "by", call->peer->name, "admin", call->peer->admin);
}

static const struct vx_control_argument echo_arguments[] = { { "value", VX_ARGUMENT_WHOLE, VX_ARGUMENT_OPTIONAL, 0, 100, NULL, "", "given back" }, { .name = NULL } };
static const struct vx_control_argument fail_arguments[] = { { "cut", VX_ARGUMENT_FLAG, VX_ARGUMENT_NAMED, 0, 0, NULL, "", "end within a character" }, { .name = NULL } };
static const struct vx_control_argument big_arguments[] = { { "times", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, 64, NULL, "MiB", "how much" }, { .name = NULL } };
static const struct vx_control_command commands[] = {
    { "echo", VX_CONTROL_LOOK, "gives back the value", "", echo_arguments, on_echo },
    { "fail", VX_CONTROL_LOOK, "always fails", "", fail_arguments, on_fail },
    { "big", VX_CONTROL_LOOK, "a result of some MiB", "", big_arguments, on_big },
    { "status", VX_CONTROL_LOOK, "what there is", "", NULL, on_status },
    { "change", VX_CONTROL_ADMIN, "changes nothing", "none", echo_arguments, on_change },
    { .name = NULL },
};
const struct vx_control_command *const tables[] = { commands, NULL };

struct vx_control *start(void)
{
    struct vx_control *control = NULL;
    struct vx_error error = { "" };
    struct vx_control_config config = { socket_path, MODE, "", "", "" };
    CU_ASSERT_EQUAL_FATAL(vx_control_create(&config, tables, &context, &control, &error), 0);
    return control;
}

int client(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strcpy(address.sun_path, socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

void polls(struct vx_control *control, int count)
{
    while (count-- > 0)
        vx_control_poll(control, 0);
}

void say(int fd, const char *text)
{
    CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What has come within a few polls; the caller frees. */
char *hear(struct vx_control *control, int fd)
{
    size_t bytes = 0, capacity = 2 * BIG_BYTES;
    char *text = malloc(capacity + 1);
    for (int quiet = 0; quiet < 4 && bytes < capacity;) {
        vx_control_poll(control, 0);
        ssize_t got = recv(fd, text + bytes, capacity - bytes, 0);
        quiet = got > 0 ? 0 : quiet + 1;
        bytes += got > 0 ? (size_t)got : 0;
    }
    text[bytes] = '\0';
    return text;
}

void expect(struct vx_control *control, int fd, const char *expected)
{
    char *text = hear(control, fd);
    if (strcmp(text, expected) != 0)
        (void)printf("\n  got      %.300s\n  expected %.300s\n", text, expected);
    CU_ASSERT_STRING_EQUAL(text, expected);
    free(text);
}

/* One reply with this error code, the sentence containing words. */
void expect_error(struct vx_control *control, int fd, const char *code, const char *words)
{
    char *text = hear(control, fd);
    json_t *reply = json_loads(text, 0, NULL), *error = json_object_get(reply, "error");
    CU_ASSERT_TRUE(json_is_false(json_object_get(reply, "ok")));
    const char *got = json_string_value(json_object_get(error, "code")), *message = json_string_value(json_object_get(error, "message"));
    CU_ASSERT_STRING_EQUAL(got ? got : "", code);
    CU_ASSERT_PTR_NOT_NULL(strstr(message ? message : "", words));
    json_decref(reply);
    free(text);
}

bool is_closed(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) == 0 || (errno != EAGAIN);
}

int stage_main(const char *suite, const struct vx_test *tests, unsigned count)
{
    if (mkdtemp(folder) == NULL)
        return 2;
    (void)snprintf(socket_path, sizeof(socket_path), "%s/control.sock", folder);
    int rc = vx_test_main(suite, tests, count);
    (void)rmdir(folder);
    return rc;
}
