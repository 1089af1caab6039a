/* `top`: the appliance at a glance, on one screen of 80 by 24, once a second. */
#include <curses.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"

enum { LCORES_SHOWN = 4, SHARDS_SHOWN = 5, HISTORY_S = 60, WIDTH_MIN = 60, HEIGHT_MIN = 20, BAR = 20 };

/* One look. */
struct view {
    json_t *status, *rates, *lcores, *shards, *alarms;
};

static json_t *ask(struct ctl *ctl, json_t *request)
{
    json_t *reply = NULL, *result = NULL;
    if (ctl_ask(ctl, request, &reply) == 0)
        result = json_incref(json_object_get(reply, "result"));
    json_decref(reply);
    json_decref(request);
    return result;
}

static bool look(struct ctl *ctl, struct view *view)
{
    view->status = ask(ctl, json_pack("{s:s}", "command", "status"));
    view->rates = ask(ctl, json_pack("{s:s,s:i}", "command", "rates", "last", HISTORY_S));
    view->lcores = ask(ctl, json_pack("{s:s}", "command", "lcores"));
    view->shards = ask(ctl, json_pack("{s:s}", "command", "shards"));
    view->alarms = ask(ctl, json_pack("{s:s}", "command", "alarms"));
    return view->status != NULL && view->rates != NULL && view->lcores != NULL && view->shards != NULL && view->alarms != NULL;
}

static void forget(struct view *view)
{
    json_decref(view->status);
    json_decref(view->rates);
    json_decref(view->lcores);
    json_decref(view->shards);
    json_decref(view->alarms);
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "?";
}

/* 1234567 as "1.23M": five characters, so that columns stay where they are. */
static const char *short_number(double value, char text[16])
{
    static const struct { double size; char letter; } units[] = { { 1e9, 'G' }, { 1e6, 'M' }, { 1e3, 'k' } };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (value >= units[i].size) {
            double part = value / units[i].size;
            (void)snprintf(text, 16, "%.*f%c", part >= 100 ? 0 : part >= 10 ? 1 : 2, part, units[i].letter);
            return text;
        }
    (void)snprintf(text, 16, "%.0f", value);
    return text;
}

static void title(const struct view *view)
{
    char clock_text[16];
    time_t now = time(NULL);
    struct tm local;
    size_t alarms = json_array_size(view->alarms);
    long up_s = (long)number(view->status, "uptime_s");
    (void)strftime(clock_text, sizeof(clock_text), "%H:%M:%S", localtime_r(&now, &local));
    attron(A_REVERSE);
    mvprintw(0, 0, " veltrix %s  up %ld:%02ld:%02ld  epoch %.0f  %.0f MiB", clock_text, up_s / 3600, up_s / 60 % 60, up_s % 60, number(view->status, "epoch"),
             number(view->status, "resident_bytes") / (1 << 20));
    for (int x = getcurx(stdscr); x < COLS; x++)
        addch(' ');
    mvprintw(0, COLS - 12, alarms > 0 ? "%3zu ALARM%s " : "  no alarms ", alarms, alarms == 1 ? "" : "S");
    attroff(A_REVERSE);
}

static void totals(const struct view *view)
{
    char a[16], b[16], c[16], d[16], e[16];
    const json_t *last = json_array_get(view->rates, json_array_size(view->rates) - 1);
    mvprintw(1, 0, "players  %6s online  %6s searching  %6s hunting  %6s hunts  oldest %.1f s", short_number(number(last, "online"), a), short_number(number(last, "searching"), b),
             short_number(number(last, "hunting"), c), short_number(number(last, "hunts"), d), number(last, "oldest_s"));
    mvprintw(2, 0, "per s    %6s actions  %6s answers  %6s matches  in %s  out %s", short_number(number(last, "actions"), a), short_number(number(last, "answers"), b),
             short_number(number(last, "matches"), c), short_number(number(last, "packets_in"), d), short_number(number(last, "packets_out"), e));
    mvprintw(3, 0, "in box   p50 %8.1f  p99 %8.1f  p99.9 %8.1f us   pause %8.1f us", number(last, "us_p50"), number(last, "us_p99"), number(last, "us_p999"), number(last, "pause_us"));
    double lost = number(last, "shed") + number(last, "drops");
    if (lost > 0)
        attron(A_BOLD);
    mvprintw(4, 0, "lost/s   %6s shed     %6s dropped   ledger %s grants, longest commit %s us", short_number(number(last, "shed"), a), short_number(number(last, "drops"), b),
             short_number(number(json_object_get(view->status, "ledger"), "grants_committed"), c), short_number(number(json_object_get(view->status, "ledger"), "commit_us_max"), d));
    attroff(A_BOLD);
}

static void bar(double share)
{
    int full = (int)(share * BAR + 0.5);
    addch('[');
    for (int i = 0; i < BAR; i++)
        addch(i < full ? '|' : ' ');
    addch(']');
}

static int lcores(const struct view *view, int row)
{
    size_t i;
    json_t *lcore;
    attron(A_UNDERLINE);
    mvprintw(row++, 0, "lcore cpu busy                          cycles/event  burst  pause us  p99.9 us ");
    attroff(A_UNDERLINE);
    json_array_foreach(view->lcores, i, lcore) {
        if (i == LCORES_SHOWN) {
            mvprintw(row++, 0, "  … and %zu more", json_array_size(view->lcores) - i);
            break;
        }
        mvprintw(row, 0, "%5.0f %3.0f ", number(lcore, "lcore"), number(lcore, "cpu"));
        bar(number(lcore, "busy_percent") / 100);
        mvprintw(row++, 33, "%5.1f%%  %12.0f  %5.1f  %8.0f  %8.0f", number(lcore, "busy_percent"), number(lcore, "cycles_per_event"), number(lcore, "packets_per_burst"),
                 number(lcore, "pause_us_last_s"), number(lcore, "pause_us_p999"));
    }
    return row;
}

static int by_actions(const void *a, const void *b)
{
    double left = number(*(json_t *const *)a, "hunts") + number(*(json_t *const *)a, "searching"), right = number(*(json_t *const *)b, "hunts") + number(*(json_t *const *)b, "searching");
    return left < right ? 1 : left > right ? -1 : 0;
}

static int shards(const struct view *view, int row)
{
    size_t count = json_array_size(view->shards), i;
    json_t **sorted = calloc(count + 1, sizeof(*sorted)), *shard;
    if (sorted == NULL)
        return row;
    json_array_foreach(view->shards, i, shard)
        sorted[i] = shard;
    qsort(sorted, count, sizeof(*sorted), by_actions);
    attron(A_UNDERLINE);
    mvprintw(row++, 0, "shard  mode      online  searching   hunts   jobs  grants  ring  of %4zu shards  ", count);
    attroff(A_UNDERLINE);
    for (i = 0; i < count && i < SHARDS_SHOWN; i++)
        mvprintw(row++, 0, "%5.0f  %-8s %7.0f  %9.0f  %6.0f  %5.0f  %6.0f  %3.0f%%", number(sorted[i], "shard"), text_of(sorted[i], "mode"), number(sorted[i], "online"),
                 number(sorted[i], "searching"), number(sorted[i], "hunts"), number(sorted[i], "jobs"), number(sorted[i], "grants"), number(sorted[i], "ring_percent"));
    free(sorted);
    return row;
}

/* A minute of p99, one column a second, on a scale of one line: each sign is about twice the one before. */
static int history(const struct view *view, int row)
{
    static const char signs[] = " .:-=+*#%@";
    size_t i;
    json_t *second;
    double most = 1;
    json_array_foreach(view->rates, i, second)
        most = number(second, "us_p99") > most ? number(second, "us_p99") : most;
    mvprintw(row, 0, "p99, 1 min [");
    json_array_foreach(view->rates, i, second) {
        int level = (int)(number(second, "us_p99") / most * (double)(sizeof(signs) - 2) + 0.5);
        addch((chtype)signs[level]);
    }
    printw("] most %.0f us", most);
    return row + 1;
}

static void alarms(const struct view *view, int row)
{
    size_t i;
    json_t *alarm;
    json_array_foreach(view->alarms, i, alarm) {
        if (row >= LINES - 1)
            return;
        attron(A_BOLD);
        mvprintw(row++, 0, "%-7s %.*s", text_of(alarm, "severity"), COLS - 9, text_of(alarm, "alarm"));
        attroff(A_BOLD);
    }
}

static void draw(const struct view *view)
{
    erase();
    if (COLS < WIDTH_MIN || LINES < HEIGHT_MIN) {
        mvprintw(0, 0, "top needs %d by %d, this is %d by %d", WIDTH_MIN, HEIGHT_MIN, COLS, LINES);
    } else {
        title(view);
        totals(view);
        int row = lcores(view, 6);
        row = shards(view, row + 1);
        row = history(view, row + 1);
        alarms(view, row);
        mvprintw(LINES - 1, 0, "q ends");
    }
    refresh();
}

/* Waits a second for a key; true when it ends us. */
static bool wait_key(void)
{
    timeout(1000);
    int key = getch();
    return key == 'q' || key == 'Q' || key == 3;
}

static json_t *on_top(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct ctl *ctl = context;
    struct view view = { 0 };
    bool good = look(ctl, &view); /* before the screen is taken, so that an error is seen */
    if (!good) {
        forget(&view);
        return vx_control_fail(call, error, VX_CONTROL_FAILED, "veltrixd does not say what top needs");
    }
    (void)setlocale(LC_ALL, "");
    if (initscr() == NULL)
        return vx_control_fail(call, error, VX_CONTROL_FAILED, "no terminal that curses knows (TERM)");
    (void)cbreak();
    (void)noecho();
    (void)curs_set(0);
    bool end = false;
    while (good && !end) {
        draw(&view);
        forget(&view);
        end = wait_key();
        good = look(ctl, &view);
    }
    forget(&view);
    (void)endwin();
    return good ? json_null() : vx_control_fail(call, error, VX_CONTROL_FAILED, "the connection to veltrixd is gone");
}

const struct vx_control_command ctl_top_commands[] = {
    { "top", VX_CONTROL_LOOK, "a live view of rates, latency, lcores, shards and alarms on the whole screen; q ends it", "", NULL, on_top },
    { .name = NULL },
};
