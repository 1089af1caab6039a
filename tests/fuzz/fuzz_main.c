/* Drives a libFuzzer target where there is no libFuzzer: the corpus, then mutations of it, without coverage.
 * usage: TARGET SECONDS SEED CORPUS_FOLDER */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vx_base.h"

enum { INPUT_BYTES_MAX = 4096, INPUTS_MAX = 256 };
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct {
    uint8_t bytes[INPUT_BYTES_MAX];
    uint32_t count;
} inputs[INPUTS_MAX];
static uint32_t input_count;

static void corpus_read(const char *folder)
{
    DIR *list = opendir(folder);
    VX_ASSERT(list != NULL);
    for (struct dirent *entry; (entry = readdir(list)) != NULL && input_count < INPUTS_MAX;) {
        char path[VX_PATH_BYTES * 2];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        FILE *file = entry->d_name[0] != '.' ? fopen(path, "rb") : NULL;
        if (file == NULL)
            continue;
        inputs[input_count].count = (uint32_t)fread(inputs[input_count].bytes, 1, INPUT_BYTES_MAX, file);
        input_count++;
        (void)fclose(file);
    }
    (void)closedir(list);
    VX_ASSERT(input_count > 0);
}

/* On the heap and of its exact size, so that the sanitizer watches its end. */
static void run(const uint8_t *bytes, uint32_t count)
{
    uint8_t *exact = malloc(count > 0 ? count : 1);
    VX_ASSERT(exact != NULL);
    memcpy(exact, bytes, count);
    (void)LLVMFuzzerTestOneInput(exact, count);
    free(exact);
}

static uint32_t mutate(uint8_t *bytes, uint32_t count, struct vx_rng *rng)
{
    for (uint32_t steps = vx_rng_below(rng, 6); steps > 0 && count > 0; steps--) {
        uint32_t at = vx_rng_below(rng, count), kind = vx_rng_below(rng, 8);
        if (kind < 4)
            bytes[at] ^= (uint8_t)(1u << vx_rng_below(rng, 8));
        else if (kind < 6)
            bytes[at] = (uint8_t)vx_rng_below(rng, 256);
        else if (kind == 6)
            count = at;
        else if (count < INPUT_BYTES_MAX)
            bytes[count++] = (uint8_t)vx_rng_below(rng, 256);
    }
    return count;
}

int main(int argc, char **argv)
{
    uint8_t bytes[INPUT_BYTES_MAX];
    uint64_t runs = 0;
    if (argc != 4) {
        (void)fprintf(stderr, "usage: %s SECONDS SEED CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    struct vx_rng rng = { strtoull(argv[2], NULL, 10) };
    time_t end = time(NULL) + atoi(argv[1]);
    corpus_read(argv[3]);
    for (uint32_t i = 0; i < input_count; i++)
        run(inputs[i].bytes, inputs[i].count);
    while (runs++ % 1024 != 0 || time(NULL) < end) {
        uint32_t from = vx_rng_below(&rng, input_count);
        memcpy(bytes, inputs[from].bytes, inputs[from].count);
        run(bytes, mutate(bytes, inputs[from].count, &rng));
    }
    printf("%u inputs, %lu mutations\n", input_count, runs - 1);
    return 0;
}
