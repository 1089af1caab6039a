/* An io lcore's birth and its readable parts. Start-up and control threads. */
#include "io_private.h"

#include <errno.h>
#include <rte_malloc.h>

static void bucket_set(struct io_bucket *bucket, uint64_t per_s, uint64_t cycles_per_s)
{
    uint64_t burst = per_s / 10 > VX_BURST_MAX ? per_s / 10 : VX_BURST_MAX;
    bucket->per_s = per_s;
    bucket->level_max = burst * cycles_per_s;
    bucket->level = bucket->level_max;
}

bool io_bucket_take(struct io_bucket *bucket, uint64_t now, uint64_t cycles_per_s, uint64_t tokens)
{
    uint64_t passed = now - bucket->updated;
    if (passed > cycles_per_s)
        passed = cycles_per_s; /* the first call, or a long stall: no more than the bucket holds */
    bucket->updated = now;
    bucket->level += passed * bucket->per_s;
    if (bucket->level > bucket->level_max)
        bucket->level = bucket->level_max;
    uint64_t price = tokens * cycles_per_s;
    if (bucket->level < price)
        return false;
    bucket->level -= price;
    return true;
}

/* The transport's table, and what its handshakes need. */
static bool sessions_create(struct vx_io *io, const struct vx_io_config *config, size_t table_bytes)
{
    void *table = rte_zmalloc_socket("vx_sessions", table_bytes, VX_CACHE_LINE_BYTES, config->numa);
    if (table == NULL)
        return false;
    if (config->netcode == NULL) {
        io->sessions = vx_session_table_create(table, config->players);
        return true;
    }
    io->netcode = rte_zmalloc_socket("vx_io_netcode", sizeof(*io->netcode), VX_CACHE_LINE_BYTES, config->numa);
    if (io->netcode == NULL) {
        rte_free(table);
        return false;
    }
    io->netcode->ms_per_cycle_64 = (uint64_t)(((__uint128_t)1000 << 64) / config->cycles_per_s);
    io->sessions = vx_session_netcode_create(table, config->netcode);
    return true;
}

int vx_io_create(const struct vx_io_config *config, struct vx_io **io, struct vx_error *error)
{
    struct vx_io *made = rte_zmalloc_socket("vx_io", sizeof(*made), VX_CACHE_LINE_BYTES, config->numa);
    const uint32_t sessions = config->netcode != NULL ? config->netcode->places : config->players;
    const size_t table_bytes = config->netcode != NULL ? vx_session_netcode_bytes(sessions) : vx_session_table_bytes(sessions);
    if (made == NULL || !sessions_create(made, config, table_bytes)) {
        rte_free(made);
        return vx_error_set(error, -ENOMEM, "io lcore %u: no memory for %u sessions (%zu KiB)", config->index, sessions, table_bytes >> 10);
    }
    made->config = *config;
    made->config.netcode = NULL; /* the caller's, with keys in it */
    made->shards_reciprocal = (1ull << IO_RECIPROCAL_BITS) / config->shards + 1;
    static_assert((uint64_t)VX_PLAYERS_MAX * VX_SHARDS_MAX < 1ull << IO_RECIPROCAL_BITS, "see IO_RECIPROCAL_BITS");
    made->filter_checked = config->filter;
    made->filter_checked.ip_checksum_checked = true;
    made->filter_checked.udp_checksum_checked = true;
    if (config->tx_checksums)
        vx_session_checksums_by_port(made->sessions);
    bucket_set(&made->allowance, config->packets_per_s, config->cycles_per_s);
    bucket_set(&made->busy, config->busy_per_s, config->cycles_per_s);
    *io = made;
    return 0;
}

void vx_io_tune(struct vx_io *io, uint64_t window_cycles, uint64_t packets_per_s, uint32_t busy_per_s)
{
    __atomic_store_n(&io->wanted.window_cycles, window_cycles, __ATOMIC_RELAXED);
    __atomic_store_n(&io->wanted.packets_per_s, packets_per_s, __ATOMIC_RELAXED);
    __atomic_store_n(&io->wanted.busy_per_s, busy_per_s, __ATOMIC_RELAXED);
    __atomic_store_n(&io->wanted.version, io->wanted.version + 1, __ATOMIC_RELEASE); /* acquired by vx_io_send */
}

void io_wanted_take(struct vx_io *io)
{
    io->config.window_cycles = __atomic_load_n(&io->wanted.window_cycles, __ATOMIC_RELAXED);
    io->config.packets_per_s = __atomic_load_n(&io->wanted.packets_per_s, __ATOMIC_RELAXED);
    bucket_set(&io->allowance, io->config.packets_per_s, io->config.cycles_per_s);
    bucket_set(&io->busy, __atomic_load_n(&io->wanted.busy_per_s, __ATOMIC_RELAXED), io->config.cycles_per_s);
}

const struct vx_session_counters *vx_io_sessions(const struct vx_io *io)
{
    return vx_session_counters(io->sessions);
}

void vx_io_check(const struct vx_io *io)
{
    if (io->netcode != NULL)
        vx_session_check(io->sessions);
}

const struct vx_io_counters *vx_io_counters(const struct vx_io *io)
{
    return &io->counters;
}

const struct vx_hist *vx_io_residence(const struct vx_io *io, bool urgent)
{
    return &io->residence[urgent];
}
