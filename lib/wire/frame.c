/* Frames, inwards: Ethernet, VLAN, IPv4, IPv6 and UDP are checked in the order of their bytes, and what
 * does not hold is named. Data plane: pure, no branch depends on anything but the frame and the filter. */
#include <arpa/inet.h>
#include <string.h>

#include <rte_ip.h>

#include "frame_private.h"

/* Nobody can be answered there, nor from there: 0/8, multicast, reserved and broadcast. */
static bool address4_is_bad(uint32_t address)
{
    uint8_t first = (uint8_t)(ntohl(address) >> 24);
    return first == 0 || first >= 224;
}

static bool address6_is_bad(const uint8_t *address)
{
    static const uint8_t unspecified[16];
    return address[0] == 0xff || memcmp(address, unspecified, sizeof(unspecified)) == 0;
}

static bool address4_is_ours(const struct vx_frame_filter *filter, uint32_t address)
{
    if (filter->address4_count == 0 && filter->address6_count == 0)
        return !address4_is_bad(address);
    for (uint32_t i = 0; i < filter->address4_count; i++)
        if (filter->address4[i] == address)
            return true;
    return false;
}

static bool address6_is_ours(const struct vx_frame_filter *filter, const uint8_t *address)
{
    if (filter->address4_count == 0 && filter->address6_count == 0)
        return !address6_is_bad(address);
    for (uint32_t i = 0; i < filter->address6_count; i++)
        if (memcmp(filter->address6[i], address, 16) == 0)
            return true;
    return false;
}

/* `bytes` from the UDP header to the end of the IP packet. */
static VX_INLINE enum vx_drop udp_parse(const uint8_t *data, const struct vx_frame_filter *filter, struct vx_frame *frame, uint32_t bytes)
{
    uint32_t offset = (uint32_t)frame->l2_bytes + frame->l3_bytes;
    const struct frame_udp *udp = (const struct frame_udp *)(data + offset);
    if (bytes < sizeof(*udp))
        return VX_DROP_SHORT_UDP;
    uint32_t length = ntohs(udp->length);
    if (length < sizeof(*udp))
        return VX_DROP_SHORT_UDP;
    if (length != bytes)
        return VX_DROP_BAD_UDP_LENGTH;
    if (data[0] & 1)
        return VX_DROP_NOT_OUR_ADDRESS; /* the way back would begin at a group (RFC 1122, 3.3.6) */
    if (udp->destination != htons(filter->port))
        return VX_DROP_WRONG_PORT;
    if (udp->source == 0)
        return VX_DROP_BAD_SOURCE; /* "no answer wanted" (RFC 768) */
    if (udp->checksum == 0) {
        if (frame->ip_version == 6)
            return VX_DROP_BAD_UDP_CHECKSUM; /* RFC 8200, 8.1 */
    } else if (!filter->udp_checksum_checked && !frame_udp_checksum_good(data + frame->l2_bytes, frame->ip_version, udp, length)) {
        return VX_DROP_BAD_UDP_CHECKSUM;
    }
    frame->kind = VX_FRAME_UDP;
    frame->port_source = ntohs(udp->source);
    frame->port_destination = ntohs(udp->destination);
    frame->payload_offset = (uint16_t)(offset + sizeof(*udp));
    frame->payload_bytes = (uint16_t)(length - sizeof(*udp));
    return VX_DROP_NONE;
}

static VX_INLINE enum vx_drop ip4_parse(const uint8_t *data, uint32_t bytes, const struct vx_frame_filter *filter, struct vx_frame *frame)
{
    const struct frame_ip4 *ip = (const struct frame_ip4 *)(data + frame->l2_bytes);
    uint32_t available = bytes - frame->l2_bytes;
    if (available < sizeof(*ip))
        return VX_DROP_SHORT_IP;
    uint32_t header_bytes = (ip->version_length & 15) * 4u, total = ntohs(ip->total_length);
    if (ip->version_length >> 4 != 4 || header_bytes < sizeof(*ip) || total < header_bytes)
        return VX_DROP_BAD_IP_HEADER;
    if (total > available)
        return VX_DROP_SHORT_IP;
    if (!filter->ip_checksum_checked && vx_checksum_fold(vx_checksum_add(0, ip, header_bytes)) != 0xffff)
        return VX_DROP_BAD_IP_CHECKSUM;
    if ((ntohs(ip->fragment) & 0x3fff) != 0)
        return VX_DROP_FRAGMENT;
    if (address4_is_bad(ip->source))
        return VX_DROP_BAD_SOURCE;
    if (!address4_is_ours(filter, ip->destination))
        return VX_DROP_NOT_OUR_ADDRESS;
    frame->ip_version = 4;
    frame->l3_bytes = (uint8_t)header_bytes;
    if (VX_LIKELY(ip->protocol == IPPROTO_UDP))
        return udp_parse(data, filter, frame, total - header_bytes);
    if (ip->protocol != IPPROTO_ICMP)
        return VX_DROP_OTHER_PROTOCOL;
    frame->kind = VX_FRAME_ICMP4;
    frame->payload_offset = (uint16_t)(frame->l2_bytes + header_bytes);
    frame->payload_bytes = (uint16_t)(total - header_bytes);
    return VX_DROP_NONE;
}

static bool ip6_is_extension(uint8_t next)
{
    return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_ESP || next == IPPROTO_AH || next == IPPROTO_DSTOPTS || next == IPPROTO_MH;
}

static enum vx_drop ip6_parse(const uint8_t *data, uint32_t bytes, const struct vx_frame_filter *filter, struct vx_frame *frame)
{
    const struct frame_ip6 *ip = (const struct frame_ip6 *)(data + frame->l2_bytes);
    uint32_t available = bytes - frame->l2_bytes;
    if (available < sizeof(*ip))
        return VX_DROP_SHORT_IP;
    if (ip->version_class_flow[0] >> 4 != 6)
        return VX_DROP_BAD_IP_HEADER;
    uint32_t payload = ntohs(ip->payload_length);
    if (payload > available - sizeof(*ip))
        return VX_DROP_SHORT_IP;
    frame->ip_version = 6;
    frame->l3_bytes = sizeof(*ip);
    if (ip->next == IPPROTO_ICMPV6) { /* who asks, and for whom, is looked at by the answer: discovery uses multicast */
        frame->kind = VX_FRAME_ICMP6;
        frame->payload_offset = (uint16_t)(frame->l2_bytes + sizeof(*ip));
        frame->payload_bytes = (uint16_t)payload;
        return VX_DROP_NONE;
    }
    if (ip->next == IPPROTO_FRAGMENT)
        return VX_DROP_FRAGMENT;
    if (ip6_is_extension(ip->next))
        return VX_DROP_IP6_EXTENSION;
    if (ip->next != IPPROTO_UDP)
        return VX_DROP_OTHER_PROTOCOL;
    if (address6_is_bad(ip->source))
        return VX_DROP_BAD_SOURCE;
    if (!address6_is_ours(filter, ip->destination))
        return VX_DROP_NOT_OUR_ADDRESS;
    return udp_parse(data, filter, frame, payload);
}

enum vx_drop vx_frame_parse(const uint8_t *data, uint32_t bytes, const struct vx_frame_filter *filter, struct vx_frame *frame)
{
    if (bytes < FRAME_ETHERNET_BYTES)
        return VX_DROP_SHORT_ETHERNET;
    uint32_t l2_bytes = FRAME_ETHERNET_BYTES;
    uint16_t ethertype = frame_u16(data + 12);
    *frame = (struct vx_frame){ 0 };
    while ((ethertype == FRAME_TYPE_VLAN || ethertype == FRAME_TYPE_QINQ) && l2_bytes < FRAME_ETHERNET_BYTES + 2 * FRAME_VLAN_BYTES) {
        if (bytes < l2_bytes + FRAME_VLAN_BYTES)
            return VX_DROP_SHORT_ETHERNET;
        if (l2_bytes == FRAME_ETHERNET_BYTES)
            frame->vlan_tci = frame_u16(data + 14);
        ethertype = frame_u16(data + l2_bytes + 2);
        l2_bytes += FRAME_VLAN_BYTES;
    }
    frame->l2_bytes = (uint8_t)l2_bytes;
    if (data[6] & 1)
        return VX_DROP_BAD_SOURCE; /* a group is nobody's own address */
    if (VX_LIKELY(ethertype == FRAME_TYPE_IP4))
        return ip4_parse(data, bytes, filter, frame);
    if (ethertype == FRAME_TYPE_IP6)
        return ip6_parse(data, bytes, filter, frame);
    if (ethertype != FRAME_TYPE_ARP)
        return VX_DROP_OTHER_ETHERTYPE;
    frame->kind = VX_FRAME_ARP;
    return VX_DROP_NONE;
}
