/* Hexadecimal in test vectors, and patterns in place of keys. */
#ifndef NETCODE_TEST_H
#define NETCODE_TEST_H

#include <stdio.h>
#include <string.h>

#include "vx_netcode.h"
#include "vx_test.h"

/* Reads hexadecimal digits, spaces between them allowed; returns how many bytes it wrote. */
static inline uint32_t hex_read(const char *text, uint8_t *out)
{
    uint32_t bytes = 0;
    unsigned value;
    for (int step; sscanf(text, " %2x%n", &value, &step) == 1; text += step)
        out[bytes++] = (uint8_t)value;
    return bytes;
}

static inline void pattern(uint8_t *out, uint32_t bytes, uint32_t factor, uint32_t offset)
{
    for (uint32_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(i * factor + offset);
}

#endif
