/* The XDP program: runs in the NIC's driver for every frame, before the kernel has made a packet of it.
 *
 *   frame ─ UDP to the game's address and port? ── no ──▶ kernel (SSH, everything else)
 *              │ yes (on an owned port: also ARP, echo and solicitations for our addresses)
 *              ▼
 *           headers contradict? banned? over its rate? ── yes ──▶ dropped and counted, no core of ours sees it
 *              │ no
 *              ▼
 *           AF_XDP socket of the queue that it came on
 *
 * net_af_xdp loads the object as it is (its devarg xdp_prog), takes the first program and fills xsks_map; the
 * other maps are filled by xdp_maps.c. Until `settings` says a port, everything goes to the kernel. What is not for
 * us is never dropped, whatever it looks like. Checksums are left to the io lcores. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "xdp_shared.h"

enum {
    TYPE_IP4 = 0x0800,
    TYPE_ARP = 0x0806,
    TYPE_IP6 = 0x86dd,
    PROTOCOL_ICMP = 1,
    PROTOCOL_UDP = 17,
    PROTOCOL_ICMP6 = 58,
    IP4_BYTES = 20,
    IP6_BYTES = 40,
    UDP_BYTES = 8,
    ARP_TARGET_OFFSET = 24, /* of the IPv4 address that is asked for (RFC 826) */
    ARP_BYTES = 28,
    ICMP_ECHO_REQUEST = 8,
    ICMP6_ECHO_REQUEST = 128,
    ICMP6_SOLICITATION = 135,
    SOLICITATION_TARGET_OFFSET = 8, /* RFC 4861, 4.3 */
    SOLICITATION_BYTES = 24,
    RATE_RETRIES = 4, /* as many CPUs may meet on one source's bucket */
    TO_SOCKET = VX_DROP_NONE,
    TO_KERNEL = XDP_COUNT_KERNEL,
};

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, XDP_QUEUES_MAX);
    __type(key, __u32);
    __type(value, __u32);
} xsks_map SEC(".maps"); /* the name that net_af_xdp looks for */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct xdp_settings);
} vx_settings SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, XDP_BANS_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct xdp_prefix4);
    __type(value, __u8);
} vx_bans4 SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, XDP_BANS_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct xdp_prefix6);
    __type(value, __u8);
} vx_bans6 SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct vx_rate);
} vx_rate SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, XDP_SOURCES_MAX);
    __type(key, __u64);
    __type(value, __u64);
} vx_buckets SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, XDP_COUNTERS);
    __type(key, __u32);
    __type(value, __u64);
} vx_counters SEC(".maps");

VX_SHARED uint16_t word_at(const uint8_t *at)
{
    uint16_t word;
    __builtin_memcpy(&word, at, sizeof(word));
    return word;
}

VX_SHARED int is_ours4(const struct xdp_settings *settings, const uint8_t *address)
{
    uint32_t word;
    __builtin_memcpy(&word, address, sizeof(word));
#pragma unroll
    for (int i = 0; i < XDP_ADDRESSES_MAX; i++)
        if (i < settings->address4_count && settings->address4[i] == word)
            return 1;
    return settings->address4_count == 0 && settings->address6_count == 0;
}

VX_SHARED int is_ours6(const struct xdp_settings *settings, const uint8_t *address)
{
    uint64_t words[2], ours[2];
    __builtin_memcpy(words, address, sizeof(words));
#pragma unroll
    for (int i = 0; i < XDP_ADDRESSES_MAX; i++) {
        __builtin_memcpy(ours, settings->address6[i], sizeof(ours));
        if (i < settings->address6_count && ours[0] == words[0] && ours[1] == words[1])
            return 1;
    }
    return settings->address4_count == 0 && settings->address6_count == 0;
}

/* A new source's bucket is made when its first packet comes. */
static __noinline int is_over_rate(uint64_t source)
{
    uint32_t zero = 0;
    const struct vx_rate *rate = bpf_map_lookup_elem(&vx_rate, &zero);
    if (!rate || rate->interval == 0)
        return 0;
    uint64_t now = bpf_ktime_get_ns();
    uint64_t *full_at = bpf_map_lookup_elem(&vx_buckets, &source);
    if (!full_at) {
        uint64_t first = now + rate->interval;
        bpf_map_update_elem(&vx_buckets, &source, &first, BPF_ANY);
        return 0;
    }
    for (int i = 0; i < RATE_RETRIES; i++) {
        uint64_t before = *(volatile uint64_t *)full_at, after = vx_rate_next(before, now, rate->interval, rate->burst);
        if (after == 0)
            return 1;
        if (__sync_val_compare_and_swap(full_at, before, after) == before)
            return 0;
    }
    return 0;
}

VX_SHARED int gate4(const uint8_t *source)
{
    struct xdp_prefix4 key = { .bits = 32 };
    __builtin_memcpy(key.address, source, sizeof(key.address));
    if (bpf_map_lookup_elem(&vx_bans4, &key))
        return VX_DROP_BANNED;
    return is_over_rate(vx_source_key4(source)) ? VX_DROP_OVER_RATE : TO_SOCKET;
}

VX_SHARED int gate6(const uint8_t *source)
{
    struct xdp_prefix6 key = { .bits = 128 };
    __builtin_memcpy(key.address, source, sizeof(key.address));
    if (bpf_map_lookup_elem(&vx_bans6, &key))
        return VX_DROP_BANNED;
    return is_over_rate(vx_source_key6(source)) ? VX_DROP_OVER_RATE : TO_SOCKET;
}

/* UDP to one of our addresses. `bytes` is what IP says that is left; `bad` what was wrong so far. Whose it is, the
 * port says: where the port cannot be read, it is ours only if the whole address is. */
VX_SHARED int look_at_udp(const struct xdp_settings *settings, const uint8_t *udp, const uint8_t *end, uint32_t bytes, int bad)
{
    if (udp + UDP_BYTES > end)
        return settings->owned ? VX_DROP_SHORT_UDP : TO_KERNEL;
    if (word_at(udp + 2) != settings->port)
        return TO_KERNEL;
    if (bad != VX_DROP_NONE)
        return bad;
    uint16_t length = vx_swapped16(word_at(udp + 4));
    if (length < UDP_BYTES)
        return VX_DROP_SHORT_UDP;
    if (length != bytes)
        return VX_DROP_BAD_UDP_LENGTH;
    return word_at(udp) == 0 ? VX_DROP_BAD_SOURCE : VX_DROP_NONE;
}

VX_SHARED int look_at_ip4(const struct xdp_settings *settings, const uint8_t *ip, const uint8_t *end)
{
    int bad = VX_DROP_NONE;
    if (ip + IP4_BYTES > end || !is_ours4(settings, ip + 16))
        return TO_KERNEL;
    uint32_t header_bytes = (ip[0] & 15u) * 4, total = vx_swapped16(word_at(ip + 2)), fragment = vx_swapped16(word_at(ip + 6)) & 0x3fff;
    if (ip[0] >> 4 != 4 || header_bytes < IP4_BYTES || total < header_bytes)
        return settings->owned && ip[9] == PROTOCOL_UDP ? VX_DROP_BAD_IP_HEADER : TO_KERNEL;
    if (ip + total > end)
        bad = VX_DROP_SHORT_IP;
    else if (fragment != 0)
        bad = VX_DROP_FRAGMENT;
    const uint8_t *payload = ip + header_bytes;
    if (ip[9] == PROTOCOL_ICMP) {
        if (!settings->owned || bad != VX_DROP_NONE || payload + 1 > end || payload[0] != ICMP_ECHO_REQUEST)
            return TO_KERNEL;
        return gate4(ip + 12);
    }
    if (ip[9] != PROTOCOL_UDP)
        return TO_KERNEL;
    if ((fragment & 0x1fff) != 0) /* not the first: has no ports */
        return settings->owned ? VX_DROP_FRAGMENT : TO_KERNEL;
    int verdict = look_at_udp(settings, payload, end, total - header_bytes, bad);
    if (verdict != VX_DROP_NONE)
        return verdict;
    if (ip[12] == 0 || ip[12] >= 224) /* nobody can be answered there */
        return VX_DROP_BAD_SOURCE;
    return gate4(ip + 12);
}

VX_SHARED int look_at_icmp6(const struct xdp_settings *settings, const uint8_t *ip, const uint8_t *end)
{
    const uint8_t *icmp = ip + IP6_BYTES;
    if (!settings->owned || icmp + 1 > end)
        return TO_KERNEL;
    if (icmp[0] == ICMP6_ECHO_REQUEST)
        return is_ours6(settings, ip + 24) ? gate6(ip + 8) : TO_KERNEL;
    if (icmp[0] != ICMP6_SOLICITATION || icmp + SOLICITATION_BYTES > end)
        return TO_KERNEL;
    return is_ours6(settings, icmp + SOLICITATION_TARGET_OFFSET) ? TO_SOCKET : TO_KERNEL; /* sent to a group: the target says whom it is for */
}

VX_SHARED int look_at_ip6(const struct xdp_settings *settings, const uint8_t *ip, const uint8_t *end)
{
    if (ip + IP6_BYTES > end || ip[0] >> 4 != 6)
        return TO_KERNEL;
    if (ip[6] == PROTOCOL_ICMP6)
        return look_at_icmp6(settings, ip, end);
    if (ip[6] != PROTOCOL_UDP || !is_ours6(settings, ip + 24)) /* extension headers too: the kernel knows them */
        return TO_KERNEL;
    uint32_t bytes = vx_swapped16(word_at(ip + 4));
    int verdict = look_at_udp(settings, ip + IP6_BYTES, end, bytes, ip + IP6_BYTES + bytes > end ? VX_DROP_SHORT_IP : VX_DROP_NONE);
    if (verdict != VX_DROP_NONE)
        return verdict;
    if (word_at(ip + IP6_BYTES + 6) == 0) /* RFC 8200, 8.1 */
        return VX_DROP_BAD_UDP_CHECKSUM;
    if (ip[8] == 0xff || (vx_source_key6(ip + 8) == 0 && vx_source_key6(ip + 16) == 0))
        return VX_DROP_BAD_SOURCE;
    return gate6(ip + 8);
}

VX_SHARED int look(const struct xdp_settings *settings, const uint8_t *data, const uint8_t *end)
{
    uint16_t type;
    const uint8_t *network = vx_network_header(data, end, &type);
    if (!network)
        return TO_KERNEL;
    if (type == TYPE_IP4)
        return look_at_ip4(settings, network, end);
    if (type == TYPE_IP6)
        return look_at_ip6(settings, network, end);
    if (type == TYPE_ARP && settings->owned && network + ARP_BYTES <= end && is_ours4(settings, network + ARP_TARGET_OFFSET))
        return TO_SOCKET;
    return TO_KERNEL;
}

VX_SHARED void count(uint32_t what)
{
    uint64_t *counter = bpf_map_lookup_elem(&vx_counters, &what);
    if (counter)
        (*counter)++;
}

SEC("xdp")
int vx_xdp(struct xdp_md *context)
{
    uint32_t zero = 0, queue = context->rx_queue_index;
    const uint8_t *data = (const uint8_t *)(long)context->data, *end = (const uint8_t *)(long)context->data_end;
    const struct xdp_settings *settings = bpf_map_lookup_elem(&vx_settings, &zero);
    int verdict = settings && settings->port != 0 ? look(settings, data, end) : TO_KERNEL;
    if (verdict == TO_SOCKET && !bpf_map_lookup_elem(&xsks_map, &queue))
        verdict = XDP_COUNT_NO_SOCKET;
    count((uint32_t)verdict);
    if (verdict == TO_KERNEL)
        return XDP_PASS;
    return verdict == TO_SOCKET ? bpf_redirect_map(&xsks_map, queue, XDP_DROP) : XDP_DROP;
}

char LICENSE[] SEC("license") = "Proprietary"; /* no helper that is used here asks for the GPL */
