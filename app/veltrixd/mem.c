/* `mem`: what each shard's arena holds and has, what DPDK holds, and mimalloc's own words. */
#include <mimalloc.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <string.h>

#include "metrics.h"

enum { TEXT_BYTES = 16384 };

static json_t *shard_rows(const struct app *app)
{
    json_t *rows = json_array();
    for (uint32_t shard = 0; shard < app->config.shards.count; shard++) {
        const struct vx_shard *of = NULL;
        struct vx_arena_figures arena;
        (void)app_lane_of(app, shard, &of);
        vx_arena_figures(app->arenas, shard, &arena);
        (void)json_array_append_new(rows, json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "shard", (json_int_t)shard, "live_bytes", (json_int_t)arena.live_bytes, "peak_bytes",
                                                    (json_int_t)arena.peak_bytes, "retained_bytes", (json_int_t)arena.retained_bytes, "reserved_bytes",
                                                    (json_int_t)arena.reserved_bytes, "objects", (json_int_t)app_objects_of(vx_shard_counters(of))));
    }
    return rows;
}

static json_t *dpdk_json(const struct app *app)
{
    struct rte_malloc_socket_stats stats;
    memset(&stats, 0, sizeof(stats));
    uint64_t heap = 0, used = 0;
    for (unsigned i = 0; i < rte_socket_count(); i++)
        if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &stats) == 0) {
            heap += stats.heap_totalsz_bytes;
            used += stats.heap_allocsz_bytes;
        }
    return json_pack("{s:I,s:I,s:o}", "heap_bytes", (json_int_t)heap, "used_bytes", (json_int_t)used, "packets", app_numa_json(app));
}

struct text {
    char bytes[TEXT_BYTES];
    size_t used;
};

static void take(const char *words, void *into)
{
    struct text *text = into;
    size_t length = strlen(words), room = sizeof(text->bytes) - 1 - text->used;
    length = length < room ? length : room;
    memcpy(text->bytes + text->used, words, length);
    text->used += length;
}

/* mimalloc's statistics, a line each. */
static json_t *mimalloc_json(void)
{
    static struct text text; /* control thread */
    char *rest = NULL;
    json_t *lines = json_array();
    text.used = 0;
    mi_stats_print_out(take, &text);
    text.bytes[text.used] = '\0';
    for (char *line = strtok_r(text.bytes, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        (void)json_array_append_new(lines, json_pack("{s:s}", "line", line));
    return lines;
}

static json_t *on_mem(void *context, struct vx_control_call *call, struct vx_error *error)
{
    const struct app *app = context;
    (void)error;
    json_t *object = json_pack("{s:I,s:o,s:o}", "resident_bytes", (json_int_t)vx_memory_resident_bytes(), "dpdk", dpdk_json(app), "shards", shard_rows(app));
    if (vx_control_flag(call, "mimalloc"))
        (void)json_object_set_new(object, "mimalloc", mimalloc_json());
    return object;
}

static const struct vx_control_argument mem_arguments[] = {
    { "mimalloc", VX_ARGUMENT_FLAG, VX_ARGUMENT_NAMED, 0, 0, NULL, "", "also mimalloc's own statistics" },
    { .name = NULL },
};
const struct vx_control_command app_mem_commands[] = {
    { "mem", VX_CONTROL_LOOK, "memory: of each shard live, retained, peak and objects; DPDK's heap and packet buffers", "", mem_arguments, on_mem },
    { .name = NULL },
};
