/* What lies near whom: packet buffers near the lcore that receives into them, rings near the lcore that reads them. Shards
 * and their tables are made by their own lcores, and so lie near them. Start-up; figures for the control thread. */
#include <errno.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <stdio.h>

#include "app.h"

enum { MBUF_CACHE = 256, MBUF_DATA_BYTES = RTE_PKTMBUF_HEADROOM + 2048 };

int app_numa_of(const struct app *app, uint32_t role, uint32_t index)
{
    for (uint32_t i = 0; i < app->lcore_count; i++)
        if ((app->lcores[i].config->roles & role) != 0 && index-- == 0)
            return app->lcores[i].numa;
    return SOCKET_ID_ANY;
}

/* The node's pool, made by the first who asks; NULL: said. */
static struct rte_mempool *pool_of(struct app *app, int numa, struct vx_error *error)
{
    char name[RTE_MEMPOOL_NAMESIZE];
    const int node = numa < 0 ? 0 : numa;
    if (app->pools[node] != NULL)
        return app->pools[node];
    (void)snprintf(name, sizeof(name), "packets_%d", node);
    app->pools[node] = rte_pktmbuf_pool_create(name, app->config.memory.mbufs, MBUF_CACHE, 0, MBUF_DATA_BYTES, numa);
    if (app->pools[node] == NULL)
        (void)vx_error_set(error, -ENOMEM, "memory.mbufs = %u: no memory for the pool%s: %s", app->config.memory.mbufs,
                           numa > 0 ? " of another NUMA node (each needs hugepages of its own)" : "", rte_strerror(rte_errno));
    return app->pools[node];
}

int app_numa_start(struct app *app, struct vx_error *error)
{
    for (uint32_t i = 0; i < app->lcore_count; i++) {
        struct app_lcore *lcore = &app->lcores[i];
        /* Without hugepages DPDK's memory is in one piece, wherever the kernel puts it. */
        lcore->numa = app->no_huge ? SOCKET_ID_ANY : (int)rte_lcore_to_socket_id(lcore->id);
        if ((lcore->config->roles & VX_ROLE_IO) == 0)
            continue;
        struct rte_mempool *pool = pool_of(app, lcore->numa, error);
        if (pool == NULL)
            return -ENOMEM;
        app->queue_pools[lcore->config->port][lcore->config->queue] = pool;
    }
    return 0;
}

json_t *app_numa_json(const struct app *app)
{
    json_t *array = json_array();
    for (uint32_t node = 0; node < RTE_MAX_NUMA_NODES; node++)
        if (app->pools[node] != NULL)
            (void)json_array_append_new(array, json_pack("{s:i,s:I,s:I}", "numa", (int)node, "mbufs", (json_int_t)app->pools[node]->size, "mbufs_in_use",
                                                         (json_int_t)rte_mempool_in_use_count(app->pools[node])));
    return array;
}
