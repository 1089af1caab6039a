/* Addresses as people write them. Control plane. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "netcode_private.h"

static int refuse(const char *text, struct vx_error *error)
{
    return vx_error_set(error, -EINVAL, "'%s' is not an address with a port: expected a.b.c.d:port or [v6]:port, with a port from 1 to 65535", text);
}

int vx_netcode_address_read(const char *text, struct vx_netcode_address *address, struct vx_error *error)
{
    char host[VX_NETCODE_ADDRESS_TEXT_BYTES];
    const char *begin = text, *colon = strrchr(text, ':'), *end = colon;
    bool is_6 = text[0] == '[';
    memset(address, 0, sizeof(*address));
    if (colon == NULL || colon[1] < '0' || colon[1] > '9')
        return refuse(text, error);
    if (is_6) {
        begin = text + 1;
        end = colon - 1;
        if (end <= begin || *end != ']')
            return refuse(text, error);
    }
    if ((size_t)(end - begin) >= sizeof(host))
        return refuse(text, error);
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    char *rest;
    unsigned long port = strtoul(colon + 1, &rest, 10);
    if (*rest != '\0' || port < 1 || port > 65535 || inet_pton(is_6 ? AF_INET6 : AF_INET, host, address->bytes) != 1)
        return refuse(text, error);
    address->type = is_6 ? VX_NETCODE_ADDRESS_6 : VX_NETCODE_ADDRESS_4;
    address->port = (uint16_t)port;
    return 0;
}

void vx_netcode_address_write(const struct vx_netcode_address *address, char text[VX_NETCODE_ADDRESS_TEXT_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "?";
    bool is_6 = address->type == VX_NETCODE_ADDRESS_6;
    (void)inet_ntop(is_6 ? AF_INET6 : AF_INET, address->bytes, host, sizeof(host));
    (void)snprintf(text, VX_NETCODE_ADDRESS_TEXT_BYTES, is_6 ? "[%s]:%u" : "%s:%u", host, address->port);
}

bool vx_netcode_address_same(const struct vx_netcode_address *left, const struct vx_netcode_address *right)
{
    return left->type == right->type && left->port == right->port && memcmp(left->bytes, right->bytes, left->type == VX_NETCODE_ADDRESS_4 ? 4 : 16) == 0;
}
