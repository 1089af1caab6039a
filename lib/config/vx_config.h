/* config: one Lua file returning a table, evaluated in an empty environment and checked against the
 * schema in config_schema.c (one row a key: name, type, unit, range, default, sentence). Start-up only. */
#ifndef VX_CONFIG_H
#define VX_CONFIG_H

#include "vx_base.h"
#include "vx_mode.h"

enum { VX_CPUS_MAX = 512, VX_PORTS_MAX = 8, VX_CONFIG_SHARD_OFF = 0 };
enum vx_role { VX_ROLE_IO = 1, VX_ROLE_SHARD = 2, VX_ROLE_CONTROL = 4 };
enum vx_transport { VX_TRANSPORT_PLAIN, VX_TRANSPORT_NETCODE };
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
struct vx_config_mode {
    char name[VX_MATCH_NAME_BYTES];
    struct vx_mode mode; /* whole after vx_config_load: the lists below are in it */
    char roles[96], latency[96], equal[96], common[64]; /* lists with spaces in between */
};
struct vx_config {
    struct vx_config_lcore lcores[VX_CPUS_MAX];
    uint32_t lcore_count;
    struct vx_config_port ports[VX_PORTS_MAX];
    uint32_t port_count;
    struct vx_config_mode modes[VX_MATCH_MODES_MAX];
    uint32_t mode_count; /* 0: duels */
    struct { char roles[256], attributes[128], sets[64]; } game; /* names with spaces in between */
    uint32_t idle_policy, idle_after_polls, idle_sleep_us; /* enum vx_idle */
    struct { bool huge; uint32_t mbufs; uint32_t arena_mib; } memory;
    struct {
        uint32_t kind; /* enum vx_transport */
        uint16_t udp_port; uint32_t window_us; uint64_t packets_per_s; uint32_t players; uint32_t busy_per_s;
        char private_keys[2 * VX_PATH_BYTES], protocol_id[24], addresses[1024]; /* the lists with spaces in between */
        uint32_t token_s, tokens, keepalive_ms, handshakes_per_s, handshakes_per_prefix_per_s, grace_ms;
    } transport;
    struct {
        uint32_t count; uint32_t ring_events; uint64_t seed;
        uint32_t hunts_max; /* per shard; 0: players / 2 */
        uint32_t proposal_ms, search_ms, hunt_ms, idle_ms, repeat_ms, repeats_max, job_ms, cooldown_ms;
        uint32_t speed_cm_s, chest_range_cm, strike_range_cm, chests;
    } shards;
    struct { uint32_t bans_max, sources, burst; uint64_t packets_per_s; char file[VX_PATH_BYTES]; } rules;
    struct { char folder[VX_PATH_BYTES], versions[VX_PATH_BYTES]; uint32_t idle_us, deadline_ms, memory_mib; } formulas;
    struct { uint32_t batch_us, batch_max_us, live_percent, heap_bytes; } gate; /* heap_bytes: of 1,000 jobs */
    struct { uint32_t batch_percent, timed_out, hunt_percent, loot_percent, favourites_percent, events, jobs; } canary; /* timed_out: of a million */
    struct { char path[VX_PATH_BYTES]; } ledger;
    struct { char socket[VX_PATH_BYTES]; uint32_t mode; char group[VX_NAME_BYTES]; char admins[512]; /* names between spaces */ char history[VX_PATH_BYTES]; } control;
    struct { char address[VX_NAME_BYTES]; uint16_t port; } metrics;
    struct { uint32_t buffers; } capture;
    struct { uint32_t stall_ms, dead_ms; } watch;
    uint32_t log_level; /* enum vx_log_level */
};
/* Loads and checks. Every error names file, key (dotted), value and what was expected, with the line
 * where Lua knows it. 0, -ENOENT or -EINVAL. */
int vx_config_load(const char *path, struct vx_config *config, struct vx_error *error);
/* Prints every key, what it may be, its default and its sentence as a Markdown table into buffer; returns its length. */
size_t vx_config_markdown(char *buffer, size_t bytes);

/* Keys one by one: those of the sections that are tables, as "section.key". Control thread. */
struct vx_config_key {
    char name[VX_NAME_BYTES];
    const char *type;     /* "number", "power", "boolean", "text", "word", "mode", "names" */
    uint64_t min, max;    /* of numbers; of texts their bytes */
    const char *choices;  /* words between spaces; "" when there are none */
    const char *unit, *sentence;
    const char *effect;   /* what a change does to the running system, and from when; "": it takes a restart */
};
/* How many there are. */
uint32_t vx_config_key_count(void);
/* The index-th of them, with pointers into the schema. */
void vx_config_key(uint32_t index, struct vx_config_key *key);
/* Index of the key, or -1. */
int vx_config_key_find(const char *name);
/* The key's value (config NULL: its default) as it would stand in a file; texts are cut to bytes. */
void vx_config_value(const struct vx_config *config, uint32_t index, char *text, size_t bytes);
/* A number's, choice's or boolean's value; VX_ASSERTs that it is one. */
uint64_t vx_config_number(const struct vx_config *config, uint32_t index);
/* Sets one key from text as a person types it (5000, sleep, true). Other cores may be reading it: numbers and choices
 * are written in one piece. 0; -EINVAL: not of its type; -ERANGE: out of range, or more bytes than there is room for.
 * Nothing has changed then. */
int vx_config_set(struct vx_config *config, uint32_t index, const char *text, struct vx_error *error);
/* The same from another configuration; only numbers, choices and booleans (VX_ASSERTed). */
void vx_config_copy(struct vx_config *to, const struct vx_config *from, uint32_t index);
/* Calls visit for each difference: the keys above, then "lcores[1]" … "ports[1]" … "modes[1]" …; a value is "" where there is none.
 * live: it can be changed while the system runs. */
typedef void vx_config_difference(void *context, const char *name, const char *a, const char *b, bool live);
void vx_config_diff(const struct vx_config *a, const struct vx_config *b, vx_config_difference *visit, void *context);
/* Writes a file that loads to the same configuration, each key with its range and sentence; what has its default is
 * left out. The file at path is replaced in one step and kept as PATH.before. 0 or a negative errno. */
int vx_config_save(const struct vx_config *config, const char *path, struct vx_error *error);

#endif
