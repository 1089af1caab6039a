/* EAL arguments from the configuration: lcore 0 is the control thread, 1… the polling ones. */
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>

#include "app.h"

enum { EAL_ARGUMENTS_MAX = 32, EAL_BYTES = 1024, HUGE_PAGE_KIB = 2048, NO_HUGE_SLACK_MIB = 16, PAGE_BYTES = 4096, RULES_SOURCE_BYTES = 16, RULES_BAN_BYTES = 112 };

struct eal_arguments {
    int count;
    char *pointers[EAL_ARGUMENTS_MAX];
    char text[EAL_ARGUMENTS_MAX][EAL_BYTES];
};

static void add(struct eal_arguments *arguments, const char *text)
{
    VX_ASSERT(arguments->count < EAL_ARGUMENTS_MAX);
    (void)snprintf(arguments->text[arguments->count], EAL_BYTES, "%s", text);
    arguments->pointers[arguments->count] = arguments->text[arguments->count];
    arguments->count++;
}

static void add_lcores(struct app *app, struct eal_arguments *arguments)
{
    char text[EAL_BYTES];
    int used = 0;
    unsigned id = 1;
    app->control_cpu = -1;
    for (uint32_t i = 0; i < app->config.lcore_count; i++)
        if (app->config.lcores[i].roles & VX_ROLE_CONTROL)
            app->control_cpu = app->config.lcores[i].cpu;
    used += snprintf(text, sizeof(text), "--lcores=0@%d", app->control_cpu);
    for (uint32_t i = 0; i < app->config.lcore_count; i++) {
        const struct vx_config_lcore *config = &app->config.lcores[i];
        if ((config->roles & (VX_ROLE_IO | VX_ROLE_SHARD)) == 0)
            continue;
        struct app_lcore *lcore = &app->lcores[app->lcore_count++];
        *lcore = (struct app_lcore){ .config = config, .id = id, .app = app };
        used += snprintf(text + used, sizeof(text) - (size_t)used, ",%u@%u", id++, config->cpu);
    }
    add(arguments, text);
    add(arguments, "--main-lcore=0");
}

/* What no-huge must be told to reserve: pool, sessions, rings, buffers. A packet buffer takes a whole page there, because
 * it may not cross into the next; rings take the next power of two above what they hold. */
static unsigned memory_mib(const struct vx_config *config)
{
    uint64_t io = 0, shard = 0;
    for (uint32_t i = 0; i < config->lcore_count; i++) {
        io += (config->lcores[i].roles & VX_ROLE_IO) != 0;
        shard += (config->lcores[i].roles & VX_ROLE_SHARD) != 0;
    }
    uint64_t sessions = config->transport.kind == VX_TRANSPORT_NETCODE ? app_netcode_bytes(config, (uint32_t)io) : io * vx_session_table_bytes(config->transport.players);
    uint64_t bytes = (uint64_t)config->memory.mbufs * PAGE_BYTES + sessions + io * (2u << 20) +
                     io * config->shards.count * config->shards.ring_events * 2 * sizeof(struct vx_event) + shard * io * (1u << 20) + shard * (2u << 20) +
                     (uint64_t)config->capture.buffers * 2560 + shard * sizeof(struct vx_trace_record) * VX_TRACE_RING + io * config->rules.sources * RULES_SOURCE_BYTES + (uint64_t)config->rules.bans_max * RULES_BAN_BYTES;
    return (unsigned)(bytes >> 20) + NO_HUGE_SLACK_MIB;
}

static bool huge_pages_free(void)
{
    char line[128];
    unsigned long free_pages = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof(line), file) != NULL)
        (void)sscanf(line, "HugePages_Free: %lu", &free_pages);
    (void)fclose(file);
    return free_pages > 0;
}

static void add_memory(struct app *app, struct eal_arguments *arguments)
{
    char text[EAL_BYTES];
    if (!app->no_huge && (!app->config.memory.huge || !huge_pages_free())) {
        if (app->config.memory.huge)
            (void)fprintf(stderr, "veltrixd: no free hugepages, running with --no-huge (mend: echo 128 > /proc/sys/vm/nr_hugepages)\n");
        app->no_huge = true;
    }
    if (app->no_huge) {
        add(arguments, "--no-huge");
        add(arguments, "--no-shconf");
        (void)snprintf(text, sizeof(text), "-m%u", memory_mib(&app->config));
        add(arguments, text);
    } else {
        add(arguments, "--in-memory");
        add(arguments, "--single-file-segments");
    }
}

int app_eal_init(struct app *app, const char *program, struct vx_error *error)
{
    static struct eal_arguments arguments;
    char text[EAL_BYTES];
    bool pci = false;
    add(&arguments, program);
    add_lcores(app, &arguments);
    add_memory(app, &arguments);
    (void)snprintf(text, sizeof(text), "--file-prefix=veltrixd-%d", (int)getpid());
    add(&arguments, text);
    add(&arguments, "--log-level=4");
    int rc = app_ports_prepare(app, error);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < app->config.port_count; i++) {
        add(&arguments, app->ports[i].argument);
        pci |= strcmp(app->config.ports[i].kind, "pci") == 0;
    }
    if (!pci)
        add(&arguments, "--no-pci");
    if (rte_eal_init(arguments.count, arguments.pointers) < 0)
        return vx_error_set(error, -ENODEV, "EAL refuses to start: %s (lcores and ports are in %s)", rte_strerror(rte_errno), app->config_path);
    app->cycles_per_s = rte_get_tsc_hz();
    app->started_cycles = rte_rdtsc();
    return 0;
}
