/* One core's appliance without a device, for benchmarks: an io lcore and a shard lcore, the production objects, over two rings in
 * place of a NIC, stepped by hand and timed. Ends the program with a sentence when something is missing. */
#ifndef CORE_H
#define CORE_H

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "vx_lcore.h"

enum { CORE_UDP_PORT = 40000 };
struct core {
    uint32_t players, shards;
    uint16_t port;
    struct rte_mempool *pool;
    struct rte_ring *rx, *tx, *actions[VX_SHARDS_MAX], **actions_by_io[1], *replies[1];
    struct vx_io *io;
    struct vx_shard_lcore *lane;
    uint64_t received, stepped, sent; /* cycles of the passes since they were last set to 0 */
};

_Noreturn void core_fail(const char *what);
struct rte_ring *core_ring(const char *kind, uint32_t number, unsigned element_bytes, unsigned count);
/* After EAL: pool, rings, device. Then the lcores, by a configuration that begins as core_io_config() says and may ask for more. */
void core_make(struct core *core, uint32_t players, uint32_t shards);
struct vx_io_config core_io_config(struct core *core);
void core_start(struct core *core, const struct vx_io_config *io, uint32_t arena_mib);
/* One pass, timed. */
void core_pass(struct core *core);
struct rte_mbuf *core_mbuf(struct core *core);
void core_put(struct core *core, struct rte_mbuf **mbufs, uint32_t count);
/* What has left since the last time, at most VX_BURST_MAX frames, to be freed by the caller. */
uint32_t core_taken(struct core *core, struct rte_mbuf **mbufs);

#endif
