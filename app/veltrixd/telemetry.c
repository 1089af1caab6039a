/* The metrics as DPDK telemetry commands, /veltrix/GROUP, for dpdk-telemetry.py and what else speaks its protocol. The telemetry
 * library has a thread for each of its clients; they put the question down and wait, and the control thread, which owns what the
 * readers look at besides counters, answers in its next turn. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_telemetry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "metrics.h"

enum { ANSWER_S_MAX = 2, SAMPLES_MAX = 128 /* with names of up to 110 bytes they fit the library's 16 KiB */, NAME_BYTES = 110 };
#define COMMAND_PREFIX "/veltrix/"

static struct {
    pthread_mutex_t turnstile; /* one question at a time */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    int asked; /* telemetry threads: set; control: cleared; atomic, and changed under lock */
    const char *group;
    char name[NAME_BYTES]; /* "": all of the group */
    uint32_t from;
    struct rte_tel_data *data;
} question = { .turnstile = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER };

struct answer {
    struct rte_tel_data *data;
    uint32_t passed_over, put, left_off;
};

/* The library takes letters, digits, _ and / in names: veltrix_players/online, pause_seconds_bucket/0_001. */
static void sample_name(const struct vx_metric_sample *sample, char name[NAME_BYTES])
{
    size_t used = (size_t)snprintf(name, NAME_BYTES, "%s%s", sample->metric->name, sample->suffix);
    for (uint32_t i = 0; i < sample->label_count && used < NAME_BYTES; i++)
        used += (size_t)snprintf(name + used, NAME_BYTES - used, "/%s", sample->labels[i].value);
    for (char *at = name; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && *at != '/')
            *at = '_';
}

static void put(void *into, const struct vx_metric_sample *sample)
{
    struct answer *answer = into;
    char name[NAME_BYTES], text[32];
    if (answer->passed_over < question.from) {
        answer->passed_over++;
        return;
    }
    sample_name(sample, name);
    bool whole = sample->value >= 0 && sample->value == floor(sample->value) && sample->value < 1e15;
    (void)snprintf(text, sizeof(text), "%.15g", sample->value);
    if (answer->put < SAMPLES_MAX && (whole ? rte_tel_data_add_dict_u64(answer->data, name, (uint64_t)sample->value) : rte_tel_data_add_dict_string(answer->data, name, text)) == 0)
        answer->put++;
    else
        answer->left_off++;
}

void app_telemetry_turn(struct app *app)
{
    if (__atomic_load_n(&question.asked, __ATOMIC_RELAXED) == 0)
        return;
    (void)pthread_mutex_lock(&question.lock);
    if (question.asked) { /* still: who asks does not wait for ever */
        struct answer answer = { .data = question.data };
        const struct vx_metrics_source source = { app_metrics, app };
        (void)rte_tel_data_start_dict(question.data);
        vx_metrics_gather(&source, question.group, question.name[0] != '\0' ? question.name : NULL, put, &answer);
        if (answer.left_off > 0)
            (void)rte_tel_data_add_dict_u64(question.data, "left_off", answer.left_off);
        __atomic_store_n(&question.asked, 0, __ATOMIC_RELAXED);
        (void)pthread_cond_signal(&question.answered);
    }
    (void)pthread_mutex_unlock(&question.lock);
}

/* "NAME" or "NAME,FROM"; false for what is neither. */
static bool parameters_read(const char *parameters)
{
    char *end = NULL;
    const char *comma = parameters != NULL ? strchr(parameters, ',') : NULL;
    size_t length = parameters == NULL ? 0 : comma != NULL ? (size_t)(comma - parameters) : strlen(parameters);
    if (length >= NAME_BYTES)
        return false;
    memcpy(question.name, length > 0 ? parameters : "", length);
    question.name[length] = '\0';
    question.from = 0;
    if (comma == NULL)
        return true;
    unsigned long from = strtoul(comma + 1, &end, 10);
    question.from = (uint32_t)from;
    return isdigit((unsigned char)comma[1]) && *end == '\0' && from < UINT32_MAX;
}

/* On a thread of the telemetry library. */
static int on_group(const char *command, const char *parameters, struct rte_tel_data *data)
{
    struct timespec until;
    int rc = -EINVAL;
    (void)pthread_mutex_lock(&question.turnstile);
    (void)pthread_mutex_lock(&question.lock);
    if (parameters_read(parameters)) {
        question.group = command + strlen(COMMAND_PREFIX);
        question.data = data;
        __atomic_store_n(&question.asked, 1, __ATOMIC_RELAXED);
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += ANSWER_S_MAX;
        while (question.asked && pthread_cond_timedwait(&question.answered, &question.lock, &until) == 0)
            ;
        rc = question.asked ? -ETIMEDOUT : 0;
        __atomic_store_n(&question.asked, 0, __ATOMIC_RELAXED);
    }
    (void)pthread_mutex_unlock(&question.lock);
    (void)pthread_mutex_unlock(&question.turnstile);
    return rc;
}

/* On a thread of the telemetry library; the table does not change. */
static int on_names(const char *command, const char *parameters, struct rte_tel_data *data)
{
    (void)command, (void)parameters;
    (void)rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
    for (uint32_t i = 0; app_metrics[i] != NULL; i++)
        for (const struct vx_metric *metric = app_metrics[i]; metric->name != NULL; metric++)
            (void)rte_tel_data_add_array_string(data, metric->name);
    return 0;
}

/* EAL makes a folder for its sockets and leaves it; empty by now, because this was registered before EAL's own. */
static void runtime_folder_remove(void)
{
    const char *folder = rte_eal_get_runtime_dir();
    if (folder != NULL)
        (void)rmdir(folder);
}

void app_telemetry_prepare(void)
{
    (void)atexit(runtime_folder_remove);
}

int app_telemetry_start(struct vx_error *error)
{
    char command[64];
    const char *last = "";
    int rc = rte_telemetry_register_cmd(COMMAND_PREFIX "metrics", on_names, "Names of all metrics");
    for (uint32_t i = 0; rc == 0 && app_metrics[i] != NULL; i++)
        for (const struct vx_metric *metric = app_metrics[i]; rc == 0 && metric->name != NULL; metric++) {
            if (strcmp(metric->group, last) == 0)
                continue;
            last = metric->group;
            (void)snprintf(command, sizeof(command), COMMAND_PREFIX "%s", metric->group);
            rc = rte_telemetry_register_cmd(command, on_group, "Metrics of the group. Parameters: metric to show alone, and how many of its samples to pass over");
            rc = rc == -EEXIST ? 0 : rc; /* a group may stand in two tables */
        }
    return rc == 0 ? 0 : vx_error_set(error, rc, "telemetry takes no command: %s", strerror(-rc));
}
