/* `plan`, private: the host, what an action costs, what is assumed, and what follows from them.
 *
 *   plan_read.c  files to structs, checked    plan_work.c  the calculation, pure    plan.c  the command and its answer */
#ifndef PLAN_H
#define PLAN_H

#include "vx_control.h"

enum { PLAN_NAME_BYTES = 64, PLAN_CORES_MAX = 256 };

/* A file of docs/hosts. CPUs are numbered as Linux does on these machines: node by node, then their siblings. */
struct plan_host {
    char name[PLAN_NAME_BYTES];
    uint32_t numa_nodes, cores, threads_per_core; /* cores of all nodes together */
    uint32_t tsc_mhz, memory_mib, network_mbit_per_s;
    uint32_t packets_per_s; /* the instance's allowance, in plus out; 0: none */
    uint32_t nic_queues, nic_numa_node;
};

/* One core's passes as vx_bench_pass measures them: cycles a packet of two actions, its answer included; memory of a player. */
struct plan_costs {
    double receive, step, send, bytes_per_player;
};

struct plan_assumptions {
    double actions_per_player_s, actions_per_packet, load; /* load: share of a core or of the allowance that is planned for */
    double memory_share;
};

enum plan_limit { PLAN_CPU_IO, PLAN_CPU_SHARD, PLAN_ALLOWANCE, PLAN_NETWORK, PLAN_MEMORY, PLAN_PROGRAM, PLAN_LIMITS };
struct plan {
    double players[PLAN_LIMITS]; /* that each limit allows; the least is the host's */
    enum plan_limit first;
    uint32_t io, shard, spare;           /* cores; one more is control's */
    uint32_t shard_away;                 /* of the shard cores, on another node than the NIC */
    uint32_t io_cpu, shard_cpu;          /* the first of each; they are in a row. Control is CPU 0 */
};

/* What the frames of one packet of `actions` and of its answer take of the link together, bytes: Ethernet's preamble, gap and FCS too. */
double plan_wire_bytes(double actions);
void plan_make(const struct plan_host *host, const struct plan_costs *costs, const struct plan_assumptions *assumptions, struct plan *plan);

/* 0, or a negative errno and a sentence that names file, key, value and what was expected. */
int plan_host_read(const char *path, struct plan_host *host, struct vx_error *error);
/* path NULL: vx_bench_pass is run, for a few seconds, from where the build or the package has it. where: what the costs were taken from. */
int plan_costs_read(const char *path, struct plan_costs *costs, char *where, size_t where_bytes, struct vx_error *error);

#endif
