/* What `formula try` has found out, as one JSON object; tables are made from it. */
#include <stdio.h>
#include <stdlib.h>

#include "formula_try.h"

static const struct vx_formula_about *about_of(const struct try_run *run)
{
    return &vx_formula_abouts[run->set.kind];
}

static bool uses(const struct try_run *run, unsigned input)
{
    return (run->sides[0].declared->inputs_used >> input & 1) != 0;
}

static bool beside(const struct try_run *run)
{
    return run->sides[1].trial != NULL;
}

/* Over a row's jobs. */
struct spread {
    double mean, least, most;
};

static struct spread spread_of(const struct try_run *run, unsigned side, uint32_t output, uint32_t first, uint32_t count)
{
    struct spread spread = { 0 };
    for (uint32_t i = 0; i < count; i++) {
        double value = (double)run->sides[side].answers[first + i].out[output];
        spread.mean += value / count;
        spread.least = i == 0 || value < spread.least ? value : spread.least;
        spread.most = i == 0 || value > spread.most ? value : spread.most;
    }
    return spread;
}

static void named_put(json_t *object, const char *name, const char *more, double value)
{
    char key[80];
    (void)snprintf(key, sizeof(key), "%s%s", name, more);
    (void)json_object_set_new(object, key, json_real(value));
}

static json_t *row_json(const struct try_run *run, uint32_t row)
{
    const struct try_set *set = &run->set;
    const struct vx_job *job = &set->jobs[row * set->seeds];
    json_t *object = json_object();
    for (unsigned i = 0; i < about_of(run)->input_count; i++)
        if (uses(run, i) && (set->captured || (int)i == set->over))
            named_put(object, about_of(run)->inputs[i].name, "", (double)job->in[i]);
    if (set->captured)
        (void)json_object_set_new(object, "seed", json_integer((json_int_t)job->seed));
    for (uint32_t k = 0; k < about_of(run)->output_count; k++) {
        const char *name = about_of(run)->outputs[k].name;
        struct spread one = spread_of(run, 0, k, row * set->seeds, set->seeds);
        named_put(object, name, "", one.mean);
        if (set->seeds > 1) {
            named_put(object, name, "_least", one.least);
            named_put(object, name, "_most", one.most);
        }
        if (!beside(run))
            continue;
        double other = spread_of(run, 1, k, row * set->seeds, set->seeds).mean;
        named_put(object, name, "_against", other);
        named_put(object, name, "_difference", one.mean - other);
    }
    return object;
}

static void outputs_put(const struct try_run *run, json_t *list)
{
    uint32_t count = run->set.rows * run->set.seeds;
    for (uint32_t k = 0; k < about_of(run)->output_count; k++)
        for (unsigned side = 0; side < (beside(run) ? 2u : 1u); side++) {
            struct spread all = spread_of(run, side, k, 0, count);
            const struct vx_formula_range *range = &run->sides[side].declared->outputs[k];
            (void)json_array_append_new(list, json_pack("{s:s,s:s,s:f,s:f,s:f,s:f,s:f,s:s}", "output", about_of(run)->outputs[k].name, "file", run->sides[side].text.name, "mean",
                                                        all.mean, "least", all.least, "most", all.most, "declared_min", range->min, "declared_max", range->max, "unit",
                                                        about_of(run)->outputs[k].unit));
        }
}

static void versions_put(const struct try_run *run, json_t *list)
{
    for (unsigned i = 0; i < (beside(run) ? 2u : 1u); i++) {
        const struct try_side *side = &run->sides[i];
        bool compiled = side->seen.interpreted == 0 && side->seen.aborts == 0 && side->seen.flushes == 0;
        json_t *row = json_pack("{s:s,s:I,s:f,s:f,s:b,s:I,s:I}", "file", side->text.name, "version", (json_int_t)side->declared->version, "job_ns", side->job_ns_p50, "job_ns_p99",
                                side->job_ns_p99, "compiled", compiled, "moved_into_range", (json_int_t)side->moved, "raised_an_error", (json_int_t)side->failures);
        if (!compiled)
            (void)json_object_set_new(row, "why_not", json_string(side->seen.abort_text));
        if (side->failures > 0)
            (void)json_object_set_new(row, "error", json_string(side->seen.error_text));
        (void)json_array_append_new(list, row);
    }
}

json_t *try_json(const struct try_run *run)
{
    const struct try_set *set = &run->set;
    json_t *fixed = json_object(), *rows = json_array(), *outputs = json_array(), *versions = json_array();
    for (unsigned i = 0; i < about_of(run)->input_count && !set->captured; i++)
        if (uses(run, i) && (int)i != set->over)
            named_put(fixed, about_of(run)->inputs[i].name, "", (double)set->jobs[0].in[i]);
    if (!set->captured)
        (void)json_object_set_new(fixed, "seed", json_integer((json_int_t)set->jobs[0].seed));
    for (uint32_t row = 0; row < set->rows; row++)
        (void)json_array_append_new(rows, row_json(run, row));
    outputs_put(run, outputs);
    versions_put(run, versions);
    return json_pack("{s:s,s:I,s:I,s:o,s:o,s:o,s:o}", "kind", about_of(run)->name, "jobs", (json_int_t)(set->rows * set->seeds), "seeds", (json_int_t)set->seeds, "inputs", fixed,
                     "rows", rows, "outputs", outputs, "versions", versions);
}

static void print_rendered(const json_t *value)
{
    char *text = vx_control_render(value);
    (void)fputs(text != NULL ? text : "out of memory\n", stdout);
    free(text);
}

void try_print(const json_t *result, uint32_t rows)
{
    const json_t *fixed = json_object_get(result, "inputs");
    json_t *all = json_object_get(result, "rows"), *some = json_array();
    size_t count = json_array_size(all);
    char *line = json_object_size(fixed) > 0 ? vx_control_render_line(fixed) : NULL;
    if (line != NULL)
        (void)fputs(line, stdout);
    free(line);
    for (size_t i = 0; i < count && i < rows; i++)
        (void)json_array_append(some, json_array_get(all, i));
    if (rows > 0)
        print_rendered(some);
    if (rows > 0 && count > rows)
        (void)printf("and %zu more; --rows %zu prints all\n", count - rows, count);
    json_decref(some);
    (void)printf("\n");
    print_rendered(json_object_get(result, "outputs"));
    (void)printf("\n");
    print_rendered(json_object_get(result, "versions"));
}
