/* Prefixes as people write them. Control thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vx_rules.h"

static bool has_bits_beyond(const struct vx_prefix *prefix)
{
    for (uint32_t bit = prefix->bits; bit < (prefix->family == 4 ? 32u : 128u); bit++)
        if ((prefix->address[bit / 8] & (0x80u >> bit % 8)) != 0)
            return true;
    return false;
}

int vx_prefix_parse(const char *text, struct vx_prefix *prefix, struct vx_error *error)
{
    char address[INET6_ADDRSTRLEN] = "";
    const char *slash = strchr(text, '/');
    size_t bytes = slash != NULL ? (size_t)(slash - text) : strlen(text);
    *prefix = (struct vx_prefix){ 0 };
    if (bytes < sizeof(address)) {
        memcpy(address, text, bytes);
        if (inet_pton(AF_INET, address, prefix->address) == 1)
            prefix->family = 4;
        else if (inet_pton(AF_INET6, address, prefix->address) == 1)
            prefix->family = 6;
    }
    if (prefix->family == 0)
        return vx_error_set(error, -EINVAL, "\"%.60s\": expected an IPv4 or IPv6 address, with or without /BITS", text);
    unsigned long most = prefix->family == 4 ? 32 : 128, bits = most;
    char *end = NULL;
    if (slash != NULL)
        bits = strtoul(slash + 1, &end, 10);
    if (slash != NULL && (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > most))
        return vx_error_set(error, -EINVAL, "\"%.60s\": expected 0 to %lu after the slash", text, most);
    prefix->bits = (uint8_t)bits;
    if (has_bits_beyond(prefix))
        return vx_error_set(error, -EINVAL, "\"%.60s\": the address has bits beyond the first %lu, expected zeros there", text, bits);
    return 0;
}

const char *vx_prefix_text(const struct vx_prefix *prefix, char text[VX_PREFIX_TEXT_BYTES])
{
    char address[INET6_ADDRSTRLEN] = "?";
    (void)inet_ntop(prefix->family == 4 ? AF_INET : AF_INET6, prefix->address, address, sizeof(address));
    (void)snprintf(text, VX_PREFIX_TEXT_BYTES, "%s/%u", address, prefix->bits);
    return text;
}
