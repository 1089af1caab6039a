/* What the netcode fuzz targets share: one key, one protocol id, so that the seeds of the corpus open. */
#ifndef FUZZ_NETCODE_H
#define FUZZ_NETCODE_H

#include <stddef.h>

#include "vx_netcode.h"

#define FUZZ_PROTOCOL_ID 0x5658u
enum { FUZZ_NOW_S = 1000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Bytes 1, 2, 3, …: tests/fuzz/corpus_make.py has the same. */
static inline const uint8_t *fuzz_key(void)
{
    static uint8_t key[VX_NETCODE_KEY_BYTES];
    for (uint8_t i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)(i + 1);
    return key;
}

static inline const struct vx_netcode_aads *fuzz_aads(void)
{
    static struct vx_netcode_aads aads;
    static bool made;
    if (!made) {
        VX_ASSERT(vx_netcode_start() == 0);
        vx_netcode_aads_make(&aads, FUZZ_PROTOCOL_ID);
        made = true;
    }
    return &aads;
}

#endif
