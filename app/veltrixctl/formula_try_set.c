/* Which jobs `formula try` plays: one, a sweep over one input, or a captured set. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formula_try.h"

int try_input_find(uint32_t kind, uint32_t used, const char *name, size_t bytes)
{
    const struct vx_formula_about *about = &vx_formula_abouts[kind];
    for (int i = 0; i < about->input_count; i++)
        if ((used >> i & 1) != 0 && strlen(about->inputs[i].name) == bytes && memcmp(about->inputs[i].name, name, bytes) == 0)
            return i;
    return -1;
}

static void names_put(uint32_t kind, uint32_t used, char *names, size_t bytes)
{
    const struct vx_formula_about *about = &vx_formula_abouts[kind];
    size_t at = 0;
    names[0] = '\0';
    for (unsigned i = 0; i < about->input_count && at < bytes; i++)
        if ((used >> i & 1) != 0)
            at += (size_t)snprintf(names + at, bytes - at, "%s%s", at > 0 ? ", " : "", about->inputs[i].name);
}

/* In a copy, for strtod() takes the first dot of "0..90" too. */
static bool number_read(const char *text, const char *until, double *number)
{
    char copy[32], *end;
    size_t bytes = (size_t)(until - text);
    if (bytes == 0 || bytes >= sizeof(copy))
        return false;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    *number = strtod(copy, &end);
    return *end == '\0' && isfinite(*number);
}

/* ---- NAME=VALUE, NAME=LOW..HIGH ---- */

struct spans { /* by input */
    double low[VX_JOB_INPUTS], high[VX_JOB_INPUTS];
    bool given[VX_JOB_INPUTS];
};

static int span_read(const char *word, uint32_t kind, const struct vx_formula_declared *declared, struct spans *spans, struct vx_error *error)
{
    const char *equals = strchr(word, '='), *end = word + strlen(word), *dots = strstr(word, "..");
    int input = equals != NULL ? try_input_find(kind, declared->inputs_used, word, (size_t)(equals - word)) : -1;
    if (input < 0) {
        char names[160];
        names_put(kind, declared->inputs_used, names, sizeof(names));
        return vx_error_set(error, -EINVAL, "\"%.40s\": expected NAME=VALUE or NAME=LOW..HIGH with a name out of %s", word, names);
    }
    double low, high;
    if (!number_read(equals + 1, dots != NULL ? dots : end, &low) || (dots != NULL && !number_read(dots + 2, end, &high)))
        return vx_error_set(error, -EINVAL, "\"%.60s\": expected a number, or two with .. in between", word);
    high = dots != NULL ? high : low;
    const struct vx_formula_range *range = &declared->inputs[input];
    if (low > high || low < range->min || high > range->max)
        return vx_error_set(error, -EINVAL, "\"%.60s\": the formula declares %s from %g to %g", word, vx_formula_abouts[kind].inputs[input].name, range->min, range->max);
    spans->low[input] = low;
    spans->high[input] = high;
    spans->given[input] = true;
    return 0;
}

static int spans_read(const char *inputs, uint32_t kind, const struct vx_formula_declared *declared, struct spans *spans, struct vx_error *error)
{
    char copy[TRY_WORDS_BYTES], *rest = NULL;
    int rc = 0;
    (void)snprintf(copy, sizeof(copy), "%s", inputs);
    for (unsigned i = 0; i < VX_JOB_INPUTS; i++) {
        double middle = declared->inputs[i].min + (declared->inputs[i].max - declared->inputs[i].min) / 2;
        spans->low[i] = spans->high[i] = (declared->inputs_whole >> i & 1) != 0 ? floor(middle) : middle;
    }
    for (char *word = strtok_r(copy, " ", &rest); rc == 0 && word != NULL; word = strtok_r(NULL, " ", &rest))
        rc = span_read(word, kind, declared, spans, error);
    return rc;
}

static int swept_find(const struct spans *spans, uint32_t kind, int *over, struct vx_error *error)
{
    *over = -1;
    for (int i = 0; i < VX_JOB_INPUTS; i++)
        if (spans->low[i] < spans->high[i]) {
            if (*over >= 0)
                return vx_error_set(error, -EINVAL, "%s and %s are both given as LOW..HIGH, expected one at most", vx_formula_abouts[kind].inputs[*over].name,
                                    vx_formula_abouts[kind].inputs[i].name);
            *over = i;
        }
    return 0;
}

static void sweep_fill(const struct try_wish *wish, const struct spans *spans, bool whole, struct try_set *set)
{
    for (uint32_t row = 0; row < set->rows; row++)
        for (uint32_t seed = 0; seed < set->seeds; seed++) {
            struct vx_job *job = &set->jobs[row * set->seeds + seed];
            *job = (struct vx_job){ .formula = (uint8_t)set->kind, .seed = (uint64_t)wish->seed + seed };
            for (int i = 0; i < vx_formula_abouts[set->kind].input_count; i++) {
                double part = i == set->over ? (double)row / (set->rows - 1) : 0, value = spans->low[i] + (spans->high[i] - spans->low[i]) * part;
                job->in[i] = (float)(i == set->over && whole ? floor(value + 0.5) : value);
            }
        }
}

static int sweep_make(const struct try_wish *wish, const struct vx_formula_declared *declared, const struct spans *spans, struct try_set *set, struct vx_error *error)
{
    int rc = swept_find(spans, set->kind, &set->over, error);
    if (rc != 0)
        return rc;
    bool whole = set->over >= 0 && (declared->inputs_whole >> set->over & 1) != 0;
    set->rows = set->over >= 0 ? wish->steps : 1;
    if (whole && spans->high[set->over] - spans->low[set->over] + 1 < set->rows)
        set->rows = (uint32_t)(spans->high[set->over] - spans->low[set->over]) + 1;
    set->seeds = wish->seeds;
    if (set->rows * set->seeds > TRY_JOBS_MAX)
        return vx_error_set(error, -EINVAL, "%u steps of %u seeds are %u jobs, expected at most %d", set->rows, set->seeds, set->rows * set->seeds, TRY_JOBS_MAX);
    set->jobs = calloc((size_t)set->rows * set->seeds, sizeof(*set->jobs));
    if (set->jobs == NULL)
        return vx_error_set(error, -ENOMEM, "no memory for %u jobs", set->rows * set->seeds);
    sweep_fill(wish, spans, whole, set);
    return 0;
}

/* ---- captured ---- */

/* What is not in the file comes from the spans; what was given on the command line stands before the file. */
static int job_add(struct try_set *set, const struct try_wish *wish, const struct spans *spans, const char *file, struct vx_error *error)
{
    if (set->rows == TRY_JOBS_MAX)
        return vx_error_set(error, -EFBIG, "%s: more than %d jobs", file, TRY_JOBS_MAX);
    struct vx_job *job = &set->jobs[set->rows++];
    *job = (struct vx_job){ .formula = (uint8_t)set->kind, .seed = wish->seed };
    for (int i = 0; i < vx_formula_abouts[set->kind].input_count; i++)
        job->in[i] = (float)spans->low[i];
    return 0;
}

enum { COLUMN_SEED = -1, COLUMN_NONE = -2 };

/* Which value of a job a name stands for. A capture holds all inputs of the kind; what the formula does not use means nothing to it. */
static int column_of(const struct try_set *set, const char *name)
{
    int input = try_input_find(set->kind, UINT32_MAX, name, strlen(name));
    return input >= 0 ? input : strcmp(name, "seed") == 0 ? COLUMN_SEED : COLUMN_NONE;
}

static int column_refuse(const struct try_set *set, const char *file, const char *name, struct vx_error *error)
{
    char names[160];
    names_put(set->kind, UINT32_MAX, names, sizeof(names));
    return vx_error_set(error, -EINVAL, "%s: \"%.40s\" is no input of %s, expected seed or one of %s", file, name, vx_formula_abouts[set->kind].name, names);
}

static void value_put(struct vx_job *job, int column, double value, const struct spans *spans)
{
    if (column == COLUMN_SEED)
        job->seed = (uint64_t)value;
    else if (!spans->given[column])
        job->in[column] = (float)value;
}

/* A seed travels as a double: below 2^52 every whole number is one. */
static bool value_good(int column, double value)
{
    return column != COLUMN_SEED || (value >= 0 && value < 0x1p52 && value == floor(value));
}

struct csv {
    FILE *file;
    char *line;
    size_t capacity;
    int columns[VX_JOB_INPUTS + 1];
    uint32_t column_count, number; /* of the line */
};

static bool csv_next(struct csv *csv)
{
    csv->number++;
    if (getline(&csv->line, &csv->capacity, csv->file) < 0)
        return false;
    csv->line[strcspn(csv->line, "\r\n")] = '\0';
    return true;
}

static int csv_head(struct csv *csv, const struct try_set *set, const char *path, struct vx_error *error)
{
    char *rest = NULL;
    if (!csv_next(csv))
        return vx_error_set(error, -EINVAL, "%s: is empty, expected a line with the inputs' names", path);
    for (char *name = strtok_r(csv->line, ", ", &rest); name != NULL; name = strtok_r(NULL, ", ", &rest)) {
        int column = column_of(set, name);
        if (column == COLUMN_NONE || csv->column_count == VX_JOB_INPUTS + 1)
            return column_refuse(set, path, name, error);
        csv->columns[csv->column_count++] = column;
    }
    return csv->column_count > 0 ? 0 : vx_error_set(error, -EINVAL, "%s: line 1 names no inputs", path);
}

static int csv_row(const struct csv *csv, const struct spans *spans, struct vx_job *job, const char *path, struct vx_error *error)
{
    const char *at = csv->line;
    for (uint32_t i = 0; i < csv->column_count; i++) {
        const char *end = strchrnul(at, ',');
        double value;
        if (!number_read(at, end, &value) || !value_good(csv->columns[i], value) || (*end == ',') != (i + 1 < csv->column_count))
            return vx_error_set(error, -EINVAL, "%s: line %u, value %u: \"%.*s\", expected %u numbers with commas in between", path, csv->number, i + 1,
                                (int)(end - at < 40 ? end - at : 40), at, csv->column_count);
        value_put(job, csv->columns[i], value, spans);
        at = end + 1;
    }
    return 0;
}

static int csv_read(FILE *file, const struct try_wish *wish, const struct spans *spans, struct try_set *set, struct vx_error *error)
{
    struct csv csv = { .file = file };
    int rc = csv_head(&csv, set, wish->file, error);
    while (rc == 0 && csv_next(&csv)) {
        if (csv.line[0] == '\0')
            continue;
        rc = job_add(set, wish, spans, wish->file, error);
        if (rc == 0)
            rc = csv_row(&csv, spans, &set->jobs[set->rows - 1], wish->file, error);
    }
    free(csv.line);
    return rc;
}

static int json_job(const json_t *object, const struct try_wish *wish, const struct spans *spans, struct try_set *set, struct vx_error *error)
{
    const char *name;
    json_t *value;
    int rc = json_is_object(object) ? job_add(set, wish, spans, wish->file, error) : vx_error_set(error, -EINVAL, "%s: job %u is no object", wish->file, set->rows + 1);
    if (rc != 0)
        return rc;
    json_object_foreach((json_t *)object, name, value) {
        int column = column_of(set, name);
        if (column == COLUMN_NONE)
            return column_refuse(set, wish->file, name, error);
        if (!json_is_number(value) || !value_good(column, json_number_value(value)))
            return vx_error_set(error, -EINVAL, "%s: job %u: %s is not a number that it can be", wish->file, set->rows, name);
        value_put(&set->jobs[set->rows - 1], column, json_number_value(value), spans);
    }
    return 0;
}

static int json_read(FILE *file, const struct try_wish *wish, const struct spans *spans, struct try_set *set, struct vx_error *error)
{
    json_error_t where;
    json_t *list = json_loadf(file, 0, &where), *object;
    size_t i;
    int rc = 0;
    if (!json_is_array(list)) {
        rc = list == NULL ? vx_error_set(error, -EINVAL, "%s: line %d: %s", wish->file, where.line, where.text) : vx_error_set(error, -EINVAL, "%s: expected a list of jobs", wish->file);
        json_decref(list);
        return rc;
    }
    json_array_foreach(list, i, object)
        if (rc == 0)
            rc = json_job(object, wish, spans, set, error);
    json_decref(list);
    return rc;
}

static int captured_make(const struct try_wish *wish, const struct spans *spans, struct try_set *set, struct vx_error *error)
{
    int rc = swept_find(spans, set->kind, &set->over, error);
    if (rc != 0 || set->over >= 0)
        return rc != 0 ? rc : vx_error_set(error, -EINVAL, "%s is given as LOW..HIGH, and the jobs come from %s: expected one of both", vx_formula_abouts[set->kind].inputs[set->over].name, wish->file);
    FILE *file = fopen(wish->file, "re");
    if (file == NULL)
        return vx_error_set(error, -errno, "%s: %s", wish->file, strerror(errno));
    set->captured = true;
    set->seeds = 1;
    set->jobs = calloc(TRY_JOBS_MAX, sizeof(*set->jobs));
    int first = getc(file);
    (void)ungetc(first, file);
    if (set->jobs == NULL)
        rc = vx_error_set(error, -ENOMEM, "no memory for %d jobs", TRY_JOBS_MAX);
    else
        rc = first == '[' ? json_read(file, wish, spans, set, error) : csv_read(file, wish, spans, set, error);
    (void)fclose(file);
    return rc == 0 && set->rows == 0 ? vx_error_set(error, -EINVAL, "%s: holds no jobs", wish->file) : rc;
}

int try_set_make(const struct try_wish *wish, uint32_t kind, const struct vx_formula_declared *declared, struct try_set *set, struct vx_error *error)
{
    struct spans spans = { 0 };
    *set = (struct try_set){ .kind = kind, .over = -1 };
    int rc = spans_read(wish->inputs, kind, declared, &spans, error);
    if (rc != 0)
        return rc;
    return wish->file != NULL ? captured_make(wish, &spans, set, error) : sweep_make(wish, declared, &spans, set, error);
}
