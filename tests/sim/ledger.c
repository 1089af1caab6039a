/* The ledger's writer: takes grants, makes them durable together after a while, and only then acknowledges. What
 * is durable is kept over every crash; what is not, is lost with it. */
#include <rte_ring_elem.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "sim_private.h"

enum { BATCH = 4096, ACKS = 16384 };

void ledger_open(struct sim *sim)
{
    struct ledger_sim *ledger = &sim->ledger;
    *ledger = (struct ledger_sim){ .rng.state = vx_mix64(sim->plan->seed ^ 0x1ed), .row_capacity = 1 << 18, .index_size = 1 << 20 };
    ledger->rows = malloc(ledger->row_capacity * sizeof(ledger->rows[0]));
    ledger->index = calloc(ledger->index_size, sizeof(ledger->index[0]));
    VX_ASSERT(ledger->rows != NULL && ledger->index != NULL);
    for (uint32_t lane = 0; lane < SIM_LANES_MAX; lane++) {
        ledger->taken[lane] = malloc(BATCH * sizeof(struct vx_grant));
        ledger->acks[lane] = malloc(ACKS * sizeof(struct vx_event));
        VX_ASSERT(ledger->taken[lane] != NULL && ledger->acks[lane] != NULL);
    }
}

static uint32_t place_of(const struct ledger_sim *ledger, uint32_t shard, uint32_t epoch, uint32_t chest)
{
    uint32_t place = (uint32_t)vx_mix64((uint64_t)shard << 52 ^ (uint64_t)epoch << 32 ^ chest) % ledger->index_size;
    for (; ledger->index[place] != 0; place = (place + 1) % ledger->index_size) {
        const struct vx_grant *row = &ledger->rows[ledger->index[place] - 1];
        if (row->shard == shard && row->epoch == epoch && row->chest == chest)
            break;
    }
    return place;
}

const struct vx_grant *ledger_row(const struct sim *sim, uint32_t shard, uint32_t epoch, uint32_t chest)
{
    uint32_t place = place_of(&sim->ledger, shard, epoch, chest);
    return sim->ledger.index[place] == 0 ? NULL : &sim->ledger.rows[sim->ledger.index[place] - 1];
}

static void make_durable(struct sim *sim, const struct vx_grant *grant)
{
    struct ledger_sim *ledger = &sim->ledger;
    uint32_t place = place_of(ledger, grant->shard, grant->epoch, grant->chest);
    if (ledger->index[place] != 0) {
        if (memcmp(&ledger->rows[ledger->index[place] - 1], grant, sizeof(*grant)) != 0)
            sim_violation("receipt %lx is granted twice, with other contents", grant->receipt);
        return;
    }
    VX_ASSERT(ledger->row_count < ledger->row_capacity);
    ledger->rows[ledger->row_count++] = *grant;
    ledger->index[place] = ledger->row_count;
}

static void acknowledge(struct sim *sim, uint32_t lane, const struct vx_grant *grant)
{
    struct ledger_sim *ledger = &sim->ledger;
    const struct vx_event event = { .kind = VX_EVENT_GRANT_DONE, .shard = (uint16_t)grant->shard, .slot = grant->slot, .player = grant->player, .number = grant->chest };
    for (uint32_t times = sim_strikes(sim, SIM_LEDGER_TWICE) ? 2 : 1; times > 0 && ledger->ack_count[lane] < ACKS; times--)
        ledger->acks[lane][ledger->ack_count[lane]++] = event;
}

static void commit(struct sim *sim)
{
    struct ledger_sim *ledger = &sim->ledger;
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++) {
        for (uint32_t i = 0; i < ledger->taken_count[lane]; i++) {
            make_durable(sim, &ledger->taken[lane][i]);
            acknowledge(sim, lane, &ledger->taken[lane][i]);
        }
        ledger->taken_count[lane] = 0;
    }
    ledger->done_us = 0;
}

static void take(struct sim *sim)
{
    struct ledger_sim *ledger = &sim->ledger;
    uint32_t total = 0;
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++) {
        ledger->taken_count[lane] = rte_ring_sc_dequeue_burst_elem(sim->appliance.grants[lane], ledger->taken[lane], sizeof(struct vx_grant), BATCH, NULL);
        for (uint32_t i = 0; i < ledger->taken_count[lane]; i++) {
            sim_digest(sim, &ledger->taken[lane][i], sizeof(struct vx_grant));
            model_grant(sim->model, &ledger->taken[lane][i]);
        }
        total += ledger->taken_count[lane];
    }
    if (total > 0)
        ledger->done_us = sim->now_us + vx_rng_below(&ledger->rng, 2 * sim->plan->ledger_us + 1);
}

void ledger_work(struct sim *sim)
{
    struct ledger_sim *ledger = &sim->ledger;
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++) {
        uint32_t sent = rte_ring_sp_enqueue_burst_elem(sim->appliance.acks[lane], ledger->acks[lane], sizeof(struct vx_event), ledger->ack_count[lane], NULL);
        ledger->ack_count[lane] -= sent;
        memmove(ledger->acks[lane], ledger->acks[lane] + sent, ledger->ack_count[lane] * sizeof(struct vx_event));
    }
    if (sim_strikes(sim, SIM_LEDGER_STALL))
        return;
    if (ledger->done_us != 0 && sim->now_us >= ledger->done_us)
        commit(sim);
    if (ledger->done_us == 0)
        take(sim);
}

void ledger_crash(struct sim *sim)
{
    sim->ledger.done_us = 0;
    for (uint32_t lane = 0; lane < sim->plan->lanes; lane++)
        sim->ledger.taken_count[lane] = sim->ledger.ack_count[lane] = 0;
}
