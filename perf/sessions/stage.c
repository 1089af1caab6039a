/* A core that serves netcode: EAL, admission and sealed sessions. */
#include <stdio.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_malloc.h>

#include "sessions.h"

enum { MIB_FIXED = 256, BYTES_PER_PLAYER = 560, ARENA_MIB = 64, HUGE_PAGE_MIB = 2 };

static uint32_t huge_mib_free(void)
{
    char line[128];
    uint32_t pages = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        (void)sscanf(line, "HugePages_Free: %u", &pages);
    if (file != NULL)
        (void)fclose(file);
    return pages * HUGE_PAGE_MIB;
}

static void eal_make(uint32_t players, bool huge)
{
    char mib[16];
    const uint32_t needed_mib = MIB_FIXED + (uint32_t)((uint64_t)players * BYTES_PER_PLAYER >> 20);
    if (huge && huge_mib_free() < needed_mib) {
        (void)fprintf(stderr, "vx_bench_sessions: fewer than %u MiB of free hugepages, measured without, which is several times slower (mend: echo %u > /proc/sys/vm/nr_hugepages)\n",
                      needed_mib, needed_mib / HUGE_PAGE_MIB + 64);
        huge = false;
    }
    (void)snprintf(mib, sizeof(mib), "%u", needed_mib);
    char *words[] = { "vx_bench_sessions", "--no-pci", "--log-level=4", "--no-telemetry", "-l", "0", "-m", mib, huge ? "--in-memory" : "--no-huge", "--no-shconf" };
    if (rte_eal_init(sizeof(words) / sizeof(words[0]) - huge, words) < 0 || vx_netcode_start() != 0)
        core_fail("EAL does not start");
}

static void admission_make(struct stage *stage)
{
    const struct vx_admission_config config = { .players = stage->core.players, .shards = SHARDS, .tokens = stage->core.players + 1024, .grace_ms = 30000, .seed = 4 };
    void *memory = rte_zmalloc("admission", vx_admission_bytes(&config), VX_CACHE_LINE_BYTES);
    if (memory == NULL)
        core_fail("no memory for admission");
    stage->admission = vx_admission_create(memory, &config, (uint32_t)(rte_rdtsc() * 1000 / rte_get_tsc_hz()));
    stage->asks[0] = core_ring("asks", 0, sizeof(struct vx_admission_ask), 1024);
    stage->verdicts[0] = core_ring("verdicts", 0, sizeof(struct vx_admission_verdict), 1024);
    stage->bytes += vx_admission_bytes(&config) - (uint64_t)config.tokens * 64; /* without the tokens, which have their own number */
}

static void lcores_start(struct stage *stage)
{
    struct vx_session_netcode_config netcode = {
        .places = stage->core.players + 256, .players = stage->core.players, .protocol_id = stage->backend.protocol_id, .keys.count = 1, .address_count = 2,
        .keepalive_ms = 60000, /* who plays is answered more often, and needs none */
        .seed = 5, .challenge_key = { 9 }, .now_ms = (uint32_t)(rte_rdtsc() * 1000 / rte_get_tsc_hz()),
    };
    memcpy(netcode.keys.keys[0], stage->backend.key, sizeof(stage->backend.key));
    memcpy(netcode.addresses, stage->backend.servers, sizeof(stage->backend.servers));
    struct vx_io_config config = core_io_config(&stage->core);
    config.netcode = &netcode;
    config.unix_s = &stage->unix_s;
    config.asks = stage->asks[0];
    config.verdicts = stage->verdicts[0];
    config.admission = stage->admission;
    config.admission_asks = stage->asks;
    config.admission_verdicts = stage->verdicts;
    config.admission_lcores = 1;
    core_start(&stage->core, &config, ARENA_MIB);
    stage->bytes += vx_session_netcode_bytes(netcode.places);
}

void stage_make(struct stage *stage, uint32_t players, bool huge)
{
    *stage = (struct stage){ .unix_s = (uint64_t)time(NULL) };
    netcode_backend_make(&stage->backend, stage->unix_s);
    stage->backend.expire_s = stage->unix_s + 3600;
    stage->backend.timeout_s = 3600;
    eal_make(players, huge);
    core_make(&stage->core, players, SHARDS);
    admission_make(stage);
    lcores_start(stage);
}
