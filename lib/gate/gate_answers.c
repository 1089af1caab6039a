/* What is wrong with answers, what they are like, and how far they lie from the live version's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gate_private.h"

static unsigned outputs_of(const struct gate *gate)
{
    return vx_formula_abouts[gate->report->kind].output_count;
}

static const char *output_name(const struct gate *gate, unsigned output)
{
    return vx_formula_abouts[gate->report->kind].outputs[output].name;
}

static bool one_good(struct gate *gate, uint32_t index, unsigned output)
{
    float value = gate->candidate.answers[index].out[output];
    const struct vx_formula_range *range = &gate->report->declared.outputs[output];
    char job[192];
    if (isfinite(value) && value >= (float)range->min && value <= (float)range->max)
        return true;
    gate_job_text(gate, &gate->jobs[index], job, sizeof(job));
    if (!isfinite(value))
        return gate_refuse(gate, VX_GATE_NOT_FINITE, "%s is %g for %s", output_name(gate, output), (double)value, job);
    return gate_refuse(gate, VX_GATE_OUT_OF_RANGE, "%s is %g, declared %g to %g, for %s", output_name(gate, output), (double)value, range->min, range->max, job);
}

bool gate_answers_good(struct gate *gate)
{
    for (uint32_t i = 0; i < gate->count; i++)
        for (unsigned output = 0; output < outputs_of(gate); output++)
            if (!one_good(gate, i, output))
                return false;
    return true;
}

/* again[i] answers jobs[i], which is the gate's job i * step modulo their number. */
bool gate_answers_equal(struct gate *gate, const struct vx_job *jobs, const struct vx_trial_answer *again, uint32_t count, uint32_t step, const char *how)
{
    char job[160];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = (uint32_t)((uint64_t)i * step % gate->count);
        for (unsigned output = 0; output < outputs_of(gate); output++) {
            float first = gate->candidate.answers[index].out[output], second = again[i].out[output];
            if (memcmp(&first, &second, sizeof(first)) == 0)
                continue;
            gate_job_text(gate, &jobs[i], job, sizeof(job));
            return gate_refuse(gate, VX_GATE_NOT_REPEATED, "%s is %.9g at first and %.9g %s for %s", output_name(gate, output), (double)first, (double)second, how, job);
        }
    }
    return true;
}

static int by_value(const void *one, const void *two)
{
    float a = *(const float *)one, b = *(const float *)two;
    return (a > b) - (a < b);
}

/* A number of `count` sorted ones below which `part` of them lie. */
static double quantile(const float *sorted, uint32_t count, double part)
{
    return (double)sorted[(uint32_t)(part * (count - 1) + 0.5)];
}

void gate_spreads(const struct gate *gate, const struct gate_side *side, struct vx_gate_side *figures)
{
    float *values = (float *)gate->again; /* nobody needs the second answers any more */
    for (unsigned output = 0; output < outputs_of(gate); output++) {
        double sum = 0;
        for (uint32_t i = 0; i < GATE_EVEN; i++) {
            values[i] = side->answers[i].out[output];
            sum += (double)values[i];
        }
        qsort(values, GATE_EVEN, sizeof(values[0]), by_value);
        figures->outputs[output] = (struct vx_gate_spread){ sum / GATE_EVEN, (double)values[0], quantile(values, GATE_EVEN, 0.5), quantile(values, GATE_EVEN, 0.99),
                                                            (double)values[GATE_EVEN - 1] };
    }
}

bool gate_means_good(struct gate *gate)
{
    for (unsigned output = 0; output < outputs_of(gate); output++) {
        const struct vx_formula_range *limit = &gate->report->declared.means[output];
        double mean = gate->report->candidate.outputs[output].mean;
        if (limit->min <= limit->max && !(mean >= limit->min && mean <= limit->max))
            return gate_refuse(gate, VX_GATE_MEAN, "%s is %.4g in the mean, limits.mean says %g to %g", output_name(gate, output), mean, limit->min, limit->max);
    }
    return true;
}

void gate_differences(struct gate *gate)
{
    float *sizes = (float *)gate->again;
    for (unsigned output = 0; output < outputs_of(gate); output++) {
        double sum = 0, sum_size = 0;
        uint32_t differ = 0;
        for (uint32_t i = 0; i < gate->count; i++) {
            double difference = (double)gate->candidate.answers[i].out[output] - (double)gate->live.answers[i].out[output];
            sizes[i] = (float)fabs(difference);
            sum += difference;
            sum_size += fabs(difference);
            differ += difference != 0;
        }
        qsort(sizes, gate->count, sizeof(sizes[0]), by_value);
        gate->report->differences[output] = (struct vx_gate_difference){ sum / gate->count, sum_size / gate->count, quantile(sizes, gate->count, 0.99),
                                                                         (double)sizes[gate->count - 1], (double)differ / gate->count };
    }
}
