/* The planner's inputs: a description of a host, and what an action costs, measured just now or by an earlier run. */
#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plan.h"

static json_t *object_read(const char *path, struct vx_error *error)
{
    json_error_t at;
    json_t *object = json_load_file(path, JSON_REJECT_DUPLICATES, &at);
    if (object == NULL)
        (void)vx_error_set(error, -EINVAL, "%s, line %d: %s", path, at.line, at.text);
    else if (!json_is_object(object)) {
        (void)vx_error_set(error, -EINVAL, "%s: expected an object, { … }", path);
        json_decref(object);
        object = NULL;
    }
    return object;
}

struct host_row {
    const char *key;
    size_t offset;
    uint32_t min, max;
    const char *unit;
};
#define FIELD(name) #name, offsetof(struct plan_host, name)
static const struct host_row host_rows[] = {
    { FIELD(numa_nodes), 1, 8, "nodes" },
    { FIELD(cores), 3, PLAN_CORES_MAX, "cores" }, /* control, io, shard */
    { FIELD(threads_per_core), 1, 8, "threads" },
    { FIELD(tsc_mhz), 100, 10000, "MHz" },
    { FIELD(memory_mib), 256, 1u << 26, "MiB" },
    { FIELD(network_mbit_per_s), 1, 1000000, "Mbit/s" },
    { FIELD(packets_per_s), 0, UINT32_MAX, "packets/s, 0 for no allowance" },
    { FIELD(nic_queues), 1, 255, "queues" },
    { FIELD(nic_numa_node), 0, 7, "" },
};
enum { HOST_ROWS = sizeof(host_rows) / sizeof(host_rows[0]) };
#undef FIELD

static int number_read(const char *path, const json_t *object, const struct host_row *row, struct plan_host *host, struct vx_error *error)
{
    const json_t *value = json_object_get(object, row->key);
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < row->min || number > row->max) {
        char *text = value != NULL ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
        (void)vx_error_set(error, -EINVAL, "%s: %s is %s, expected a whole number from %u to %u%s%s", path, row->key, text != NULL ? text : "not there", row->min, row->max,
                           row->unit[0] != '\0' ? " " : "", row->unit);
        free(text);
        return -EINVAL;
    }
    *(uint32_t *)((char *)host + row->offset) = (uint32_t)number;
    return 0;
}

static bool key_known(const char *key)
{
    for (unsigned i = 0; i < HOST_ROWS; i++)
        if (strcmp(host_rows[i].key, key) == 0)
            return true;
    return strcmp(key, "name") == 0;
}

static int host_check(const char *path, const struct plan_host *host, struct vx_error *error)
{
    if (host->cores % host->numa_nodes != 0)
        return vx_error_set(error, -EINVAL, "%s: cores is %u, expected a multiple of numa_nodes, %u", path, host->cores, host->numa_nodes);
    if (host->cores / host->numa_nodes < 2)
        return vx_error_set(error, -EINVAL, "%s: numa_nodes is %u, expected two cores on each of them, of %u cores", path, host->numa_nodes, host->cores);
    if (host->nic_numa_node >= host->numa_nodes)
        return vx_error_set(error, -EINVAL, "%s: nic_numa_node is %u, expected less than numa_nodes, %u", path, host->nic_numa_node, host->numa_nodes);
    return 0;
}

static int host_fill(const char *path, const json_t *object, struct plan_host *host, struct vx_error *error)
{
    const char *name = json_string_value(json_object_get(object, "name")), *key;
    const json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
        if (!key_known(key))
            return vx_error_set(error, -EINVAL, "%s: there is no key %s", path, key);
    if (name == NULL || name[0] == '\0' || strlen(name) >= PLAN_NAME_BYTES)
        return vx_error_set(error, -EINVAL, "%s: name is %s, expected a text of 1 to %d bytes", path, name != NULL ? name : "not there", PLAN_NAME_BYTES - 1);
    (void)snprintf(host->name, sizeof(host->name), "%s", name);
    for (unsigned i = 0; i < HOST_ROWS; i++)
        if (number_read(path, object, &host_rows[i], host, error) != 0)
            return -EINVAL;
    return host_check(path, host, error);
}

int plan_host_read(const char *path, struct plan_host *host, struct vx_error *error)
{
    json_t *object = object_read(path, error);
    *host = (struct plan_host){ .cores = 0 };
    int rc = object != NULL ? host_fill(path, object, host, error) : -EINVAL;
    json_decref(object);
    return rc;
}

static int costs_fill(const char *path, const json_t *object, struct plan_costs *costs, struct vx_error *error)
{
    const struct { const char *key; double *value; } rows[] = { { "receive", &costs->receive }, { "step", &costs->step }, { "send", &costs->send },
                                                                { "bytes_per_player", &costs->bytes_per_player } };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const json_t *value = json_object_get(object, rows[i].key);
        *rows[i].value = json_number_value(value);
        if (!json_is_number(value) || !(*rows[i].value > 0) || !isfinite(*rows[i].value))
            return vx_error_set(error, -EINVAL, "%s: %s is %s, expected a number above 0, as vx_bench_pass writes it", path, rows[i].key,
                                value == NULL ? "not there" : "not one");
    }
    return 0;
}

/* Beside the build's veltrixctl, or where the package puts it. */
static const char *bench_find(char *path, size_t bytes)
{
    char self[1024];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[length > 0 ? length : 0] = '\0';
    (void)snprintf(path, bytes, "%s/../../perf/micro/vx_bench_pass", dirname(self));
    if (access(path, X_OK) != 0)
        (void)snprintf(path, bytes, "/usr/libexec/veltrix/vx_bench_pass");
    return access(path, X_OK) == 0 ? path : NULL;
}

static json_t *bench_run(const char *path, struct vx_error *error)
{
    char command[1400];
    (void)snprintf(command, sizeof(command), "'%s' --burst 64 --rounds 9", path);
    FILE *output = popen(command, "re");
    json_error_t at = { .text = "it did not start" };
    json_t *object = output != NULL ? json_loadf(output, 0, &at) : NULL;
    if (output != NULL && pclose(output) != 0) {
        json_decref(object);
        object = NULL;
    }
    if (object == NULL)
        (void)vx_error_set(error, -EIO, "%s measures nothing: %s", path, at.text);
    return object;
}

int plan_costs_read(const char *path, struct plan_costs *costs, char *where, size_t where_bytes, struct vx_error *error)
{
    char found[1100];
    const char *bench = path == NULL ? bench_find(found, sizeof(found)) : NULL;
    if (path == NULL && bench == NULL)
        return vx_error_set(error, -ENOENT, "vx_bench_pass is not here to measure what an action costs; expected --costs FILE with what it has printed");
    json_t *object = path != NULL ? object_read(path, error) : bench_run(bench, error);
    if (object == NULL)
        return -EINVAL;
    (void)snprintf(where, where_bytes, "%s", path != NULL ? path : "measured on this machine just now");
    int rc = costs_fill(path != NULL ? path : bench, object, costs, error);
    json_decref(object);
    return rc;
}
