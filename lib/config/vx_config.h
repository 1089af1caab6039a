/* config: one Lua file returning a table, evaluated in an empty environment and checked against the
 * schema in config_schema.c (one row a key: name, type, unit, range, default, sentence). Start-up only. */
#ifndef VX_CONFIG_H
#define VX_CONFIG_H

#include "vx_base.h"

enum { VX_CPUS_MAX = 512, VX_PORTS_MAX = 8, VX_CONFIG_SHARD_OFF = 0 };
enum vx_role { VX_ROLE_IO = 1, VX_ROLE_SHARD = 2, VX_ROLE_CONTROL = 4 };
enum vx_idle { VX_IDLE_BUSY, VX_IDLE_PAUSE, VX_IDLE_SLEEP };

struct vx_config_lcore {
    uint16_t cpu;
    uint8_t roles;       /* VX_ROLE_ bits */
    uint8_t port;        /* io: index into ports */
    uint8_t queue;       /* io: queue of that port */
};
struct vx_config_port {
    char kind[16];       /* memif, af_xdp, tap, pcap, ring, af_packet, pci */
    char target[VX_PATH_BYTES]; /* memif: socket path; af_xdp, tap, af_packet: interface; pci: address; pcap: file */
    bool owned;          /* answers ARP, ICMP echo, neighbour solicitation */
    uint8_t address4_count, address6_count;
    uint32_t address4[4];  /* network order */
    uint8_t address6[4][16];
    uint16_t queues;
    uint16_t descriptors;
    uint16_t busy_poll;  /* af_xdp: 0, or packets that the io lcore asks the kernel for when there are none */
    uint8_t spread;      /* enum vx_spread_mode */
};
struct vx_config {
    struct vx_config_lcore lcores[VX_CPUS_MAX];
    uint32_t lcore_count;
    struct vx_config_port ports[VX_PORTS_MAX];
    uint32_t port_count;
    uint32_t idle_policy, idle_after_polls, idle_sleep_us; /* enum vx_idle */
    struct { bool huge; uint32_t mbufs; uint32_t arena_mib; } memory;
    struct { uint16_t udp_port; uint32_t window_us; uint64_t packets_per_s; uint32_t players; uint32_t busy_per_s; } transport;
    struct {
        uint32_t count; uint32_t ring_events; uint64_t seed;
        uint32_t hunts_max; /* per shard; 0: players / 2 */
        uint32_t proposal_ms, search_ms, hunt_ms, idle_ms, repeat_ms, repeats_max, job_ms;
        uint32_t speed_cm_s, chest_range_cm, strike_range_cm, chests;
    } shards;
    struct { uint32_t bans_max, sources, burst; uint64_t packets_per_s; char file[VX_PATH_BYTES]; } rules;
    struct { char folder[VX_PATH_BYTES]; uint32_t idle_us; } formulas;
    struct { char path[VX_PATH_BYTES]; } ledger;
    struct { char socket[VX_PATH_BYTES]; uint32_t mode; char group[VX_NAME_BYTES]; char admins[512]; /* names between spaces */ char history[VX_PATH_BYTES]; } control;
    uint32_t log_level; /* enum vx_log_level */
};
/* Loads and checks. Every error names file, key (dotted), value and what was expected, with the line
 * where Lua knows it. 0, -ENOENT or -EINVAL. */
int vx_config_load(const char *path, struct vx_config *config, struct vx_error *error);
/* Prints every key, what it may be, its default and its sentence as a Markdown table into buffer; returns its length. */
size_t vx_config_markdown(char *buffer, size_t bytes);

#endif
