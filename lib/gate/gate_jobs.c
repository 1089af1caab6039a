/* Made-up jobs. Each sort fills whole batches, so that a formula that is slow in one part of one range shows as batches
 * that are slow altogether. */
#include <math.h>

#include "gate_private.h"

enum { ENDS_IN = 4 }; /* GATE_ENDS: one input in four at its lower end, one at its upper */

static struct vx_job *add(struct gate *gate, struct vx_rng *rng, uint32_t ends)
{
    struct vx_job *job = &gate->jobs[gate->count++];
    *job = (struct vx_job){ .formula = (uint8_t)gate->report->kind, .seed = vx_rng_next(rng) >> 12 };
    vx_formula_draw(gate->report->kind, vx_trial_declared(gate->candidate.trial), rng, ends, job->in);
    return job;
}

static void slice(struct gate *gate, struct vx_rng *rng, unsigned input, unsigned number)
{
    const struct vx_formula_declared *declared = vx_trial_declared(gate->candidate.trial);
    double least = declared->inputs[input].min, width = (declared->inputs[input].max - least) / GATE_SLICES;
    bool whole = (declared->inputs_whole >> input & 1) != 0;
    for (unsigned i = 0; i < GATE_SLICE_JOBS; i++) {
        double value = least + width * (number + (double)(vx_rng_next(rng) >> 11) * 0x1p-53);
        add(gate, rng, 0)->in[input] = (float)(whole ? floor(value + 0.5) : value);
    }
}

/* All inputs at ends, in every combination; in the last of GATE_ENDS. */
static void corners(struct gate *gate, unsigned inputs)
{
    const struct vx_formula_declared *declared = vx_trial_declared(gate->candidate.trial);
    for (unsigned corner = 0; corner < 1u << inputs; corner++)
        for (unsigned input = 0; input < inputs; input++)
            gate->jobs[gate->count - 1 - corner].in[input] = (float)(corner >> input & 1 ? declared->inputs[input].max : declared->inputs[input].min);
}

void gate_jobs_make(struct gate *gate, uint64_t seed, const struct vx_job *recorded, uint32_t recorded_count)
{
    const struct vx_formula_about *about = &vx_formula_abouts[gate->report->kind];
    uint32_t used = vx_trial_declared(gate->candidate.trial)->inputs_used;
    struct vx_rng rng = { seed };
    for (unsigned i = 0; i < GATE_EVEN; i++)
        (void)add(gate, &rng, 0);
    for (unsigned input = 0; input < about->input_count; input++)
        for (unsigned number = 0; (used >> input & 1) != 0 && number < GATE_SLICES; number++)
            slice(gate, &rng, input, number);
    for (unsigned i = 0; i < GATE_ENDS; i++)
        (void)add(gate, &rng, ENDS_IN);
    corners(gate, about->input_count);
    gate->report->jobs_made = gate->count;
    uint32_t take = recorded_count < GATE_RECORDED_MAX ? recorded_count : GATE_RECORDED_MAX;
    take -= take % VX_FORMULA_BATCH_JOBS; /* batches of one size compare */
    for (uint32_t i = 0; i < take; i++)
        gate->jobs[gate->count++] = recorded[recorded_count - take + i];
    gate->report->jobs_recorded = take;
    gate->batches = gate->count / VX_FORMULA_BATCH_JOBS;
    VX_ASSERT(gate->count % VX_FORMULA_BATCH_JOBS == 0 && gate->count <= GATE_JOBS_MAX);
}
