/* What does not end by itself: the same command again and again, and feeds. Both until Ctrl-C. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void catch_interrupts(struct sigaction *before)
{
    struct sigaction action = { .sa_handler = on_interrupt };
    interrupted = 0;
    (void)sigaction(SIGINT, &action, before);
}

int ctl_watch(struct ctl *ctl, const char *const *words, size_t count, double every_s)
{
    struct sigaction before;
    struct timespec pause = { (time_t)every_s, (long)((every_s - (double)(time_t)every_s) * 1e9) };
    bool clear = isatty(STDOUT_FILENO) && !ctl->json;
    int rc = 0;
    catch_interrupts(&before);
    while (rc == 0 && !interrupted) {
        if (clear)
            (void)fputs("\033[H\033[2J", stdout);
        rc = ctl_run(ctl, words, count);
        if (!clear && !ctl->json)
            (void)fputs("\n", stdout);
        (void)fflush(stdout);
        if (rc == 0 && !interrupted)
            (void)nanosleep(&pause, NULL);
    }
    (void)sigaction(SIGINT, &before, NULL);
    return rc;
}

static void print_event(const struct ctl *ctl, const json_t *event)
{
    const char *key;
    json_t *value;
    if (ctl->json) {
        (void)json_dumpf(event, stdout, JSON_COMPACT);
    } else {
        json_object_foreach((json_t *)event, key, value) {
            (void)printf("%s=", key);
            if (json_is_boolean(value))
                (void)printf("%s ", json_is_true(value) ? "yes" : "no");
            else if (json_is_string(value))
                (void)printf("%s ", json_string_value(value));
            else if (json_is_real(value))
                (void)printf("%.3f ", json_real_value(value));
            else
                (void)printf("%" JSON_INTEGER_FORMAT " ", json_integer_value(value));
        }
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

int ctl_feed(struct ctl *ctl)
{
    struct sigaction before;
    int rc = 0;
    bool end = false;
    catch_interrupts(&before);
    while (rc == 0 && !interrupted && !end) {
        json_t *line = NULL;
        rc = ctl_next(ctl, -1, &line);
        if (rc == 0)
            print_event(ctl, json_object_get(line, "event"));
        end = json_is_true(json_object_get(json_object_get(line, "event"), "end"));
        json_decref(line);
    }
    (void)sigaction(SIGINT, &before, NULL);
    ctl_close(ctl); /* ends the feed at the other side */
    return interrupted ? 0 : rc;
}
