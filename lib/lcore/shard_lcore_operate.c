/* What the control thread tells and asks a shard lcore: a ring of commands, and one box for the answer. */
#include <errno.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>

#include "shard_lcore_private.h"

struct rte_ring *shard_lcore_commands_create(int numa)
{
    ssize_t bytes = rte_ring_get_memsize_elem(sizeof(struct vx_event), COMMANDS);
    struct rte_ring *ring = bytes > 0 ? rte_zmalloc_socket("vx_commands", (size_t)bytes, VX_CACHE_LINE_BYTES, numa) : NULL;
    return ring != NULL && rte_ring_init(ring, "vx_commands", COMMANDS, RING_F_SP_ENQ | RING_F_SC_DEQ) == 0 ? ring : NULL;
}

void shard_lcore_answer(struct vx_shard_lcore *lcore, const struct vx_event *ask)
{
    struct answer_box *box = &lcore->box;
    const struct vx_shard *shard = lcore->shards[shard_lcore_local(lcore, ask->shard)];
    box->found = true;
    if (ask->arg8 == VX_ASK_PLAYER)
        vx_shard_view_player(shard, ask->number, &box->answer.player);
    else
        box->found = vx_shard_view_match(shard, ask->number, &box->answer.match);
    __atomic_store_n(&box->turn, ask->a, __ATOMIC_RELEASE); /* acquired by vx_shard_lcore_ask */
}

bool vx_shard_lcore_tell(struct vx_shard_lcore *lcore, const struct vx_event *event)
{
    struct vx_event copy = *event; /* rte_ring takes no const */
    return rte_ring_sp_enqueue_elem(lcore->commands, &copy, sizeof(copy)) == 0;
}

int vx_shard_lcore_ask(struct vx_shard_lcore *lcore, uint32_t shard, enum vx_lcore_question question, uint32_t key, union vx_lcore_answer *given, uint32_t timeout_us)
{
    struct vx_event event = { .kind = EVENT_ASK, .arg8 = (uint8_t)question, .shard = (uint16_t)shard, .number = key, .a = ++lcore->questions };
    if (!vx_shard_lcore_tell(lcore, &event))
        return -ETIMEDOUT;
    for (uint32_t waited_us = 0; __atomic_load_n(&lcore->box.turn, __ATOMIC_ACQUIRE) != event.a; waited_us += ASK_SLEEP_US) {
        if (waited_us >= timeout_us)
            return -ETIMEDOUT; /* a later question has a later turn: this answer is never taken for its own */
        rte_delay_us_sleep(ASK_SLEEP_US);
    }
    *given = lcore->box.answer;
    return lcore->box.found ? 0 : -ENOENT;
}
