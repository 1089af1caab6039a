/* docs/architecture.md shows the state tables as the program has them. `test_shard_tables FILE --write`
 * puts the present ones between the page's two marks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vx_shard.h"

static const char BEGIN[] = "<!-- state tables -->\n", END[] = "<!-- end state tables -->\n";
static char page[1 << 18], tables[1 << 16];

int main(int argc, char **argv)
{
    FILE *file = argc >= 2 ? fopen(argv[1], "r") : NULL;
    if (file == NULL) {
        (void)fprintf(stderr, "usage: test_shard_tables docs/architecture.md [--write]\n");
        return 2;
    }
    size_t bytes = fread(page, 1, sizeof(page) - 1, file);
    (void)fclose(file);
    page[bytes] = '\0';
    size_t table_bytes = vx_shard_tables_markdown(tables, sizeof(tables));
    VX_ASSERT(table_bytes > 0 && table_bytes < sizeof(tables));
    char *begin = strstr(page, BEGIN), *end = strstr(page, END);
    if (begin == NULL || end == NULL) {
        (void)fprintf(stderr, "%s: the marks around the state tables are missing\n", argv[1]);
        return 1;
    }
    begin += strlen(BEGIN);
    if (argc == 3 && strcmp(argv[2], "--write") == 0) {
        file = fopen(argv[1], "w");
        VX_ASSERT(file != NULL);
        (void)fprintf(file, "%.*s%s%s", (int)(begin - page), page, tables, end);
        return fclose(file) == 0 ? 0 : 1;
    }
    if ((size_t)(end - begin) == table_bytes && memcmp(begin, tables, table_bytes) == 0)
        return 0;
    (void)fprintf(stderr, "%s: the state tables differ from the program's; run this with --write\n", argv[1]);
    return 1;
}
