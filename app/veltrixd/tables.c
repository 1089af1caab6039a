/* `veltrixd --print`: tables that the documentation takes from the program. tools/docs puts them where they belong,
 * and a test holds the pages against them. */
#include <stdio.h>
#include <string.h>

#include "metrics.h"

enum { TABLE_BYTES = 64 << 10 };

static size_t drops_markdown(char *buffer, size_t bytes)
{
    size_t used = (size_t)snprintf(buffer, bytes, "| counter | why a packet went no further |\n| --- | --- |\n");
    for (unsigned reason = VX_DROP_NONE + 1; reason < VX_DROP_COUNT && used < bytes; reason++)
        used += (size_t)snprintf(buffer + used, bytes - used, "| `%s` | %s |\n", vx_drop_name((enum vx_drop)reason), vx_drop_sentence((enum vx_drop)reason));
    return used;
}

static size_t metrics_markdown(char *buffer, size_t bytes)
{
    return vx_metrics_markdown(app_metrics, buffer, bytes);
}

bool app_print_table(const char *name)
{
    static const struct {
        const char *name;
        size_t (*print)(char *buffer, size_t bytes);
    } tables[] = { { "settings", vx_config_markdown }, { "drops", drops_markdown }, { "states", vx_shard_tables_markdown }, { "metrics", metrics_markdown } };
    static char buffer[TABLE_BYTES];
    for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(name, tables[i].name) != 0)
            continue;
        VX_ASSERT(tables[i].print(buffer, sizeof(buffer)) < sizeof(buffer));
        return fputs(buffer, stdout) >= 0;
    }
    return false;
}
