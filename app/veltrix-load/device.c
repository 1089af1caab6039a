/* veltrix-load: EAL, its one port and queue, and the frame headers. Only start-up and the transmit
 * buffer: the loops call rte_eth_rx_burst() themselves. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "netcode.h"

enum {
    DEVICE_MBUFS = 16383,
    DEVICE_DESCRIPTORS = 1024, /* memif's rsize=10 */
    DEVICE_LINK_MS_MAX = 10000,
    SOURCE_PORT_FIRST = 10000,
    SOURCE_PORTS = 50000,
};

static void device_argument(const struct load_options *options, char *text, size_t bytes)
{
    switch (options->device) {
    case LOAD_DEVICE_MEMIF:
        snprintf(text, bytes, "--vdev=net_memif0,role=client,socket=%s,socket-abstract=no,bsize=2048,rsize=10", options->device_argument);
        break;
    case LOAD_DEVICE_AF_XDP:
        snprintf(text, bytes, "--vdev=net_af_xdp0,iface=%s", options->device_argument);
        break;
    case LOAD_DEVICE_VDEV:
        snprintf(text, bytes, "--vdev=%s", options->device_argument);
        break;
    default:
        snprintf(text, bytes, "--allow=%s", options->device_argument);
    }
}

static int eal_start(const struct load_options *options, const char *program, struct vx_error *error)
{
    /* EAL keeps no pointer, but reorders the array and may write into the strings. */
    enum { WORDS_MAX = 16 };
    char words[WORDS_MAX][2 * VX_PATH_BYTES];
    char *argv[WORDS_MAX + 1];
    int argc = 0;
#define WORD(...) snprintf(words[argc++], sizeof(words[0]), __VA_ARGS__)
    WORD("%s", program);
    WORD("-l");
    WORD("%u", options->cpu);
    WORD("--file-prefix=veltrix-load-%d", (int)getpid());
    WORD("--log-level=notice");
    WORD("--no-telemetry");
    device_argument(options, words[argc++], sizeof(words[0]));
    if (options->device != LOAD_DEVICE_PCI)
        WORD("--no-pci");
    if (options->no_huge) { /* implies legacy memory, which EAL refuses together with --in-memory */
        WORD("--no-huge");
        WORD("--no-shconf");
        WORD("-m");
        WORD("256");
    } else {
        WORD("--in-memory");
        if (options->device == LOAD_DEVICE_MEMIF)
            WORD("--single-file-segments");
    }
#undef WORD
    VX_ASSERT(argc <= WORDS_MAX);
    for (int i = 0; i < argc; i++)
        argv[i] = words[i];
    argv[argc] = NULL;
    if (rte_eal_init(argc, argv) < 0)
        return vx_error_set(error, -rte_errno, "EAL did not start for %s: %s", options->device_argument, rte_strerror(rte_errno));
    return 0;
}

static int port_start(struct load *load, struct vx_error *error)
{
    struct rte_eth_conf configuration = { 0 };
    uint16_t receive = DEVICE_DESCRIPTORS, transmit = DEVICE_DESCRIPTORS;
    int rc = rte_eth_dev_configure(load->port, 1, 1, &configuration);
    if (rc == 0)
        rc = rte_eth_dev_adjust_nb_rx_tx_desc(load->port, &receive, &transmit);
    if (rc == 0)
        rc = rte_eth_rx_queue_setup(load->port, 0, receive, SOCKET_ID_ANY, NULL, load->pool);
    if (rc == 0)
        rc = rte_eth_tx_queue_setup(load->port, 0, transmit, SOCKET_ID_ANY, NULL);
    if (rc == 0)
        rc = rte_eth_dev_start(load->port);
    if (rc != 0)
        return vx_error_set(error, rc, "port %s does not start: %s", load->options.device_argument, rte_strerror(-rc));
    if (rte_eth_promiscuous_enable(load->port) != 0 && !load->options.quiet)
        fprintf(stderr, "veltrix-load: the port has no promiscuous mode, --client-mac must be its own\n");
    return 0;
}

static int link_wait(struct load *load, struct vx_error *error)
{
    for (uint32_t ms = 0; ms < DEVICE_LINK_MS_MAX; ms += 10) {
        struct rte_eth_link link = { 0 };
        if (rte_eth_link_get_nowait(load->port, &link) == 0 && link.link_status == RTE_ETH_LINK_UP)
            return 0;
        usleep(10000);
    }
    return vx_error_set(error, -ETIMEDOUT, "%s: no link after %d s", load->options.device_argument, DEVICE_LINK_MS_MAX / 1000);
}

int load_device_open(struct load *load, const char *program, struct vx_error *error)
{
    int rc = eal_start(&load->options, program, error);
    if (rc < 0)
        return rc;
    load->port = (uint16_t)rte_eth_find_next(0);
    if (load->port >= RTE_MAX_ETHPORTS)
        return vx_error_set(error, -ENODEV, "%s: EAL found no port", load->options.device_argument);
    load->pool = rte_pktmbuf_pool_create("load", DEVICE_MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (load->pool == NULL)
        return vx_error_set(error, -ENOMEM, "no memory for %d packet buffers", DEVICE_MBUFS);
    rc = port_start(load, error);
    if (rc == 0)
        rc = link_wait(load, error);
    load->ns_per_cycle = 1e9 / (double)rte_get_tsc_hz();
    load->tsc_start = rte_rdtsc();
    return rc;
}

void load_device_close(struct load *load)
{
    rte_pktmbuf_free_bulk(load->tx, load->tx_count);
    if (rte_eth_dev_stop(load->port) != 0 || rte_eth_dev_close(load->port) != 0)
        fprintf(stderr, "veltrix-load: the port did not close\n");
    rte_eal_cleanup();
}

void load_tx_flush(struct load *load)
{
    if (load->tx_count == 0)
        return;
    if (load->netcode != NULL)
        load_netcode_seal(load);
    uint32_t sent = rte_eth_tx_burst(load->port, 0, load->tx, (uint16_t)load->tx_count);
    load->stats.packets_sent += sent;
    load->tx_count -= sent;
    memmove(load->tx, load->tx + sent, load->tx_count * sizeof(load->tx[0]));
}

void load_tx_add(struct load *load, struct rte_mbuf *mbuf)
{
    load->tx[load->tx_count++] = mbuf;
    if (load->tx_count == LOAD_TX_MAX)
        load_tx_flush(load);
}

uint16_t load_source_port(uint32_t player)
{
    return (uint16_t)(SOURCE_PORT_FIRST + player % SOURCE_PORTS);
}

void load_frame_head(const struct load_options *options, uint32_t client_ip, uint16_t port, uint32_t payload_bytes, uint8_t *frame)
{
    struct rte_ether_hdr *ethernet = (struct rte_ether_hdr *)frame;
    struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ethernet + 1);
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
    ethernet->dst_addr = options->server_mac;
    ethernet->src_addr = options->client_mac;
    ethernet->ether_type = htons(RTE_ETHER_TYPE_IPV4);
    *ip = (struct rte_ipv4_hdr){ .version_ihl = RTE_IPV4_VHL_DEF, .time_to_live = 64, .next_proto_id = IPPROTO_UDP };
    ip->total_length = htons((uint16_t)(sizeof(*ip) + sizeof(*udp) + payload_bytes));
    ip->src_addr = client_ip;
    ip->dst_addr = options->server_ip;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    udp->src_port = htons(port);
    udp->dst_port = htons(options->udp_port);
    udp->dgram_len = htons((uint16_t)(sizeof(*udp) + payload_bytes));
    udp->dgram_cksum = 0;
}

struct rte_mbuf *load_frame_new(struct load *load, uint32_t ip, uint32_t player, uint32_t payload_bytes)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(load->pool);
    if (mbuf == NULL)
        return NULL;
    uint8_t *frame = (uint8_t *)rte_pktmbuf_append(mbuf, (uint16_t)(LOAD_FRAME_HEAD_BYTES + payload_bytes));
    load_frame_head(&load->options, ip, load_source_port(player), payload_bytes, frame);
    return mbuf;
}

uint8_t *load_payload_find(const struct load *load, struct rte_mbuf *mbuf, uint32_t *bytes, uint32_t *client_ip, uint16_t *port)
{
    struct rte_ether_hdr *ethernet = rte_pktmbuf_mtod(mbuf, struct rte_ether_hdr *);
    struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ethernet + 1);
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
    *client_ip = *port = 0;
    if (mbuf->nb_segs != 1 || mbuf->data_len < LOAD_FRAME_HEAD_BYTES || ethernet->ether_type != htons(RTE_ETHER_TYPE_IPV4))
        return NULL;
    uint32_t udp_bytes = ntohs(udp->dgram_len);
    if (ip->version_ihl != RTE_IPV4_VHL_DEF || ip->next_proto_id != IPPROTO_UDP || udp->src_port != htons(load->options.udp_port) || udp_bytes < sizeof(*udp))
        return NULL;
    *client_ip = ip->dst_addr;
    *port = ntohs(udp->dst_port);
    *bytes = RTE_MIN(udp_bytes - (uint32_t)sizeof(*udp), mbuf->data_len - (uint32_t)LOAD_FRAME_HEAD_BYTES);
    return (uint8_t *)(udp + 1);
}
