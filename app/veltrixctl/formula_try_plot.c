/* An output over an input, as a picture: letters on a grid, or a PNG by gnuplot. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formula_try.h"

enum { WIDTH = 64, HEIGHT = 18 };
#define MARK_SPREAD '.'
static const char marks[2] = { '*', 'o' };

struct points { /* one value for each row */
    double x, mean[2], least, most;
};

static void points_read(const struct try_run *run, const struct try_plot *plot, struct points *points)
{
    const struct try_set *set = &run->set;
    for (uint32_t row = 0; row < set->rows; row++) {
        struct points *to = &points[row];
        *to = (struct points){ .x = (double)set->jobs[row * set->seeds].in[plot->over], .least = INFINITY, .most = -INFINITY };
        for (uint32_t seed = 0; seed < set->seeds; seed++)
            for (unsigned side = 0; side < 2 && run->sides[side].trial != NULL; side++) {
                double value = (double)run->sides[side].answers[row * set->seeds + seed].out[plot->output];
                to->mean[side] += value / set->seeds;
                to->least = side == 0 ? fmin(to->least, value) : to->least;
                to->most = side == 0 ? fmax(to->most, value) : to->most;
            }
    }
}

/* ---- letters ---- */

struct frame {
    double left, right, low, high;
    char grid[HEIGHT][WIDTH + 1];
};

static void frame_widen(struct frame *frame, double x, double y)
{
    frame->left = fmin(frame->left, x);
    frame->right = fmax(frame->right, x);
    frame->low = fmin(frame->low, y);
    frame->high = fmax(frame->high, y);
}

static uint32_t place(double value, double from, double to, uint32_t places)
{
    return to > from ? (uint32_t)((value - from) / (to - from) * (places - 1) + 0.5) : 0;
}

static void mark(struct frame *frame, double x, double y, char letter)
{
    frame->grid[HEIGHT - 1 - place(y, frame->low, frame->high, HEIGHT)][place(x, frame->left, frame->right, WIDTH)] = letter;
}

/* What lies in front is drawn last. */
static void frame_draw(struct frame *frame, const struct points *points, uint32_t count, bool spread, bool against)
{
    *frame = (struct frame){ .left = INFINITY, .right = -INFINITY, .low = INFINITY, .high = -INFINITY };
    for (uint32_t i = 0; i < count; i++) {
        frame_widen(frame, points[i].x, points[i].least);
        frame_widen(frame, points[i].x, points[i].most);
        if (against)
            frame_widen(frame, points[i].x, points[i].mean[1]);
    }
    for (unsigned line = 0; line < HEIGHT; line++)
        memset(frame->grid[line], ' ', WIDTH);
    for (uint32_t i = 0; spread && i < count; i++) {
        mark(frame, points[i].x, points[i].least, MARK_SPREAD);
        mark(frame, points[i].x, points[i].most, MARK_SPREAD);
    }
    for (int side = against ? 1 : 0; side >= 0; side--)
        for (uint32_t i = 0; i < count; i++)
            mark(frame, points[i].x, points[i].mean[side], marks[side]);
}

static void letters(const struct try_run *run, const struct try_plot *plot, const struct points *points)
{
    static struct frame frame;
    const struct vx_formula_about *about = &vx_formula_abouts[run->set.kind];
    bool spread = run->set.seeds > 1, against = run->sides[1].trial != NULL;
    frame_draw(&frame, points, run->set.rows, spread, against);
    (void)printf("%s, %s\n", about->outputs[plot->output].name, about->outputs[plot->output].unit);
    for (unsigned line = 0; line < HEIGHT; line++) {
        if (line == 0 || line == HEIGHT - 1)
            (void)printf("%10.6g |%s\n", line == 0 ? frame.high : frame.low, frame.grid[line]);
        else
            (void)printf("%10s |%s\n", "", frame.grid[line]);
    }
    (void)printf("%10s +%.*s\n%10s %-10.6g%*.6g  %s, %s\n", "", WIDTH, "----------------------------------------------------------------", "", frame.left, WIDTH - 9, frame.right,
                 about->inputs[plot->over].name, about->inputs[plot->over].unit);
    (void)printf("%10s %c %s", "", marks[0], run->sides[0].text.name);
    if (against)
        (void)printf("   %c %s", marks[1], run->sides[1].text.name);
    if (spread)
        (void)printf("   mean of %u seeds   %c their least and most", run->set.seeds, MARK_SPREAD);
    (void)printf("\n");
}

/* ---- gnuplot ---- */

/* Of names that people chose, in gnuplot's single quotes. */
static void quoted(FILE *to, const char *text)
{
    (void)fputc('\'', to);
    for (; *text != '\0'; text++)
        if (*text == '\'')
            (void)fputs("''", to);
        else if (*text >= ' ')
            (void)fputc(*text, to);
    (void)fputc('\'', to);
}

static void series(FILE *to, const struct try_run *run, const struct points *points)
{
    (void)fprintf(to, "$points << VX_END\n");
    for (uint32_t i = 0; i < run->set.rows; i++)
        (void)fprintf(to, "%.9g %.9g %.9g %.9g %.9g\n", points[i].x, points[i].mean[0], points[i].mean[1], points[i].least, points[i].most);
    (void)fprintf(to, "VX_END\n");
}

static void script(FILE *to, const struct try_run *run, const struct try_plot *plot, const struct points *points)
{
    const struct vx_formula_about *about = &vx_formula_abouts[run->set.kind];
    const char *with = run->set.captured ? "points" : "linespoints";
    (void)fprintf(to, "set terminal pngcairo size 1000,600 noenhanced\nset output ");
    quoted(to, plot->png);
    (void)fprintf(to, "\nset grid\nset xlabel '%s, %s'\nset ylabel '%s, %s'\n", about->inputs[plot->over].name, about->inputs[plot->over].unit, about->outputs[plot->output].name,
                  about->outputs[plot->output].unit);
    series(to, run, points);
    (void)fprintf(to, "plot ");
    if (run->set.seeds > 1)
        (void)fprintf(to, "$points using 1:4:5 with filledcurves fillstyle solid 0.15 noborder title 'least to most', ");
    (void)fprintf(to, "$points using 1:2 with %s title ", with);
    quoted(to, run->sides[0].text.name);
    if (run->sides[1].trial != NULL) {
        (void)fprintf(to, ", $points using 1:3 with %s title ", with);
        quoted(to, run->sides[1].text.name);
    }
    (void)fprintf(to, "\n");
}

/* gnuplot reads the script from standard input: nothing that people chose is seen by a shell. */
static int png(const struct try_run *run, const struct try_plot *plot, const struct points *points, struct vx_error *error)
{
    (void)signal(SIGPIPE, SIG_IGN); /* where there is no gnuplot, the shell has ended before it is told what to draw */
    FILE *to = popen("command -v gnuplot > /dev/null || exit 127; exec gnuplot -", "we");
    if (to == NULL)
        return vx_error_set(error, -errno, "gnuplot: %s", strerror(errno));
    script(to, run, plot, points);
    int status = pclose(to);
    if (status == 0)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return vx_error_set(error, -ENOENT, "there is no gnuplot to draw %s: apt-get install gnuplot-nox", plot->png);
    return vx_error_set(error, -EIO, "gnuplot did not draw %s", plot->png);
}

int try_plot(const struct try_run *run, const struct try_plot *plot, struct vx_error *error)
{
    struct points *points = calloc(run->set.rows, sizeof(*points));
    if (points == NULL)
        return vx_error_set(error, -ENOMEM, "no memory for %u points", run->set.rows);
    points_read(run, plot, points);
    int rc = 0;
    if (plot->png != NULL)
        rc = png(run, plot, points, error);
    else
        letters(run, plot, points);
    free(points);
    return rc;
}
