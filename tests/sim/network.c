/* The network: a heap of frames by time of arrival. What it does to them is drawn per direction. */
#include <stdlib.h>
#include <string.h>

#include "sim_private.h"

void network_open(struct sim *sim)
{
    sim->network = (struct network){ .in.state = vx_mix64(sim->plan->seed ^ 0x1a), .out.state = vx_mix64(sim->plan->seed ^ 0x0b) };
}

struct frame *network_frame(struct sim *sim)
{
    struct frame *frame = sim->network.free;
    if (frame == NULL) {
        frame = malloc(sizeof(*frame));
        VX_ASSERT(frame != NULL);
    } else {
        sim->network.free = *(struct frame **)frame->data;
    }
    frame->is_spoilt = false;
    return frame;
}

void network_free(struct sim *sim, struct frame *frame)
{
    memcpy(frame->data, &sim->network.free, sizeof(sim->network.free));
    sim->network.free = frame;
}

static bool is_before(const struct frame *a, const struct frame *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void heap_push(struct network *network, struct frame *frame)
{
    if (network->count == network->capacity) {
        network->capacity = network->capacity * 2 + 64;
        network->heap = realloc(network->heap, network->capacity * sizeof(network->heap[0]));
        VX_ASSERT(network->heap != NULL);
    }
    uint32_t at = network->count++;
    for (; at > 0 && is_before(frame, network->heap[(at - 1) / 2]); at = (at - 1) / 2)
        network->heap[at] = network->heap[(at - 1) / 2];
    network->heap[at] = frame;
}

static struct frame *heap_pop(struct network *network)
{
    struct frame *first = network->heap[0], *last = network->heap[--network->count];
    uint32_t at = 0;
    for (uint32_t child; (child = 2 * at + 1) < network->count; at = child) {
        if (child + 1 < network->count && is_before(network->heap[child + 1], network->heap[child]))
            child++;
        if (is_before(last, network->heap[child]))
            break;
        network->heap[at] = network->heap[child];
    }
    if (network->count > 0)
        network->heap[at] = last;
    return first;
}

static void spoil(struct sim *sim, struct frame *frame)
{
    struct vx_rng *rng = &sim->fault_rng[SIM_CORRUPT];
    for (uint32_t flips = 1 + vx_rng_below(rng, 3); flips > 0; flips--)
        frame->data[vx_rng_below(rng, frame->bytes)] ^= (uint8_t)(1u << vx_rng_below(rng, 8));
    if (vx_rng_below(rng, 8) == 0)
        frame->bytes = (uint16_t)vx_rng_below(rng, frame->bytes);
    frame->is_spoilt = true;
}

static bool is_cut_off(struct sim *sim, uint32_t player)
{
    /* The same players for as long as the fault lasts. */
    bool cut_off = sim->force[SIM_PARTITION] > 0 && vx_mix64(player * 977 + sim->plan->seed) % 1000 < sim->force[SIM_PARTITION];
    sim->report->faults[SIM_PARTITION] += cut_off;
    return cut_off;
}

static void schedule(struct sim *sim, struct frame *frame, struct vx_rng *rng)
{
    const struct sim_plan *plan = sim->plan;
    frame->due_us = sim->now_us + plan->latency_ms * 500ull + vx_rng_below(rng, plan->jitter_ms * 1000 + 1);
    if (sim_strikes(sim, SIM_DELAY))
        frame->due_us += vx_rng_below(&sim->fault_rng[SIM_DELAY], 8000000);
    if (sim_strikes(sim, SIM_REORDER))
        frame->due_us += vx_rng_below(&sim->fault_rng[SIM_REORDER], 100000);
    frame->order = sim->network.order++;
    heap_push(&sim->network, frame);
}

void network_send(struct sim *sim, struct frame *frame)
{
    struct vx_rng *rng = frame->to_appliance ? &sim->network.in : &sim->network.out;
    if (is_cut_off(sim, frame->player) || sim_strikes(sim, frame->to_appliance ? SIM_DROP_IN : SIM_DROP_OUT)) {
        network_free(sim, frame);
        return;
    }
    if (sim_strikes(sim, SIM_DOUBLE)) {
        struct frame *again = network_frame(sim);
        *again = *frame;
        schedule(sim, again, rng);
    }
    if (sim_strikes(sim, SIM_CORRUPT))
        spoil(sim, frame);
    schedule(sim, frame, rng);
}

struct frame *network_take(struct sim *sim)
{
    struct network *network = &sim->network;
    return network->count > 0 && network->heap[0]->due_us <= sim->now_us ? heap_pop(network) : NULL;
}
