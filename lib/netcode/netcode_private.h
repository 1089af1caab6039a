/* Cursor over little-endian bytes, for the control plane's and the handshake's fixed-size records: lengths are
 * checked by the caller once, so the cursor itself does not. */
#ifndef NETCODE_PRIVATE_H
#define NETCODE_PRIVATE_H

#include "vx_netcode.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers are copied as they lie");

extern const uint8_t netcode_version[VX_NETCODE_VERSION_BYTES];

static inline void netcode_put(uint8_t **at, const void *value, size_t bytes)
{
    memcpy(*at, value, bytes);
    *at += bytes;
}

static inline void netcode_get(const uint8_t **at, void *value, size_t bytes)
{
    memcpy(value, *at, bytes);
    *at += bytes;
}

#endif
