/* veltrixd's own parts, in the order of start-up: arguments, EAL, rings and ports, loops, control. */
#ifndef VX_APP_H
#define VX_APP_H

#include <jansson.h>
#include <rte_config.h>

#include "vx_config.h"
#include "vx_control.h"
#include "vx_formula.h"
#include "vx_lcore.h"
#include "vx_ledger.h"
#include "vx_drivers.h"
#include "vx_log.h"
#include "vx_memory.h"
#include "vx_rules.h"
#include "watch.h"

/* One polling lcore. The thread named in the comment writes, the others read. */
struct app_lcore {
    const struct vx_config_lcore *config;
    unsigned id;            /* EAL lcore */
    int numa;               /* its node, or SOCKET_ID_ANY */
    struct app *app;
    struct vx_io *io;       /* NULL: no io role */
    const struct vx_port *port; /* the one that io polls */
    struct vx_io_config io_config;
    bool has_shards;
    struct vx_shard_lcore_config shard_config;
    struct vx_shard_lcore *shards; /* lcore: created on its own thread */
    int state;              /* lcore: 0 starting, 1 ready, -1 failed; atomic */
    struct vx_error error;  /* lcore, before state -1 */
    uint64_t passes, passes_busy, cycles, busy_cycles; /* lcore: rw; passes released, so that app_quiesce() may wait for it */
    struct app_pass pass;       /* lcore: rw; its stage: the watch, ro */
    struct vx_trace *trace;     /* NULL: no shards */
    struct app_pauses *pauses;  /* lcore and control */
    pthread_t thread;           /* lcore, before state is set */
    pid_t tid;
    struct vx_hist *gaps;   /* lcore: longest time between two polls in each millisecond, in cycles */
};
/* The netcode transport, when it is configured. */
struct app_netcode {
    struct vx_admission *admission; /* NULL: plain transport; the first io lcore's after the start */
    struct rte_ring *asks[VX_IO_LCORES_MAX], *verdicts[VX_IO_LCORES_MAX];
    uint64_t expire_s_min;
    uint64_t watched_cycles, watched_connected; /* control: handshakes_per_s is over the last second */
    double handshakes_per_s;
};
struct app {
    struct vx_config config;
    struct vx_config saved; /* control: rw; what the file says, as far as we know: what differs from it is drift */
    const char *config_path;
    bool no_huge;
    uint64_t cycles_per_s, started_cycles;
    struct app_lcore lcores[VX_IO_LCORES_MAX + VX_SHARD_LCORES_MAX];
    uint32_t lcore_count, io_count, shard_lcore_count;
    int control_cpu;
    struct vx_port ports[VX_PORTS_MAX];
    uint32_t ports_started;
    uint64_t ports_watched_cycles;
    struct vx_rules *rules;
    struct rte_ring *spread[VX_PORTS_MAX][VX_IO_LCORES_MAX]; /* [port][queue], where caps.spread */
    struct rte_mempool *pools[RTE_MAX_NUMA_NODES]; /* packets, of each node that io lcores run on; without hugepages there is one */
    struct rte_mempool *queue_pools[VX_PORTS_MAX][VX_IO_LCORES_MAX]; /* the same, by who polls: [port][queue] */
    struct rte_mempool *capture_pool;
    struct vx_arenas *arenas;
    struct rte_ring **actions[VX_IO_LCORES_MAX];               /* [io][shard] */
    struct rte_ring *replies[VX_SHARD_LCORES_MAX][VX_IO_LCORES_MAX];
    struct rte_ring *io_replies[VX_IO_LCORES_MAX][VX_SHARD_LCORES_MAX]; /* the same, by io */
    struct rte_ring *grants[VX_SHARD_LCORES_MAX], *acks[VX_SHARD_LCORES_MAX];
    struct vx_formula *formula;
    struct app_formulas *formulas; /* formulas.h */
    struct vx_ledger *ledger;
    uint32_t epoch;
    struct vx_control *control;
    struct vx_metrics_server *metrics; /* NULL: metrics.port is 0 */
    uint32_t turns;         /* of the control thread's loop; control: rw, watch: ro */
    struct app_netcode netcode;
    uint64_t unix_s;        /* control: rw, lcores: ro; atomic */
    int go, stop;           /* control: rw, lcores: ro; atomic */
};

/* Claims the control socket; nothing is served before vx_control_poll(). */
int app_control_start(struct app *app, struct vx_error *error);
int app_eal_init(struct app *app, const char *program, struct vx_error *error);
/* What ports need before EAL: names, arguments, nothing left of a dead process. */
int app_ports_prepare(struct app *app, struct vx_error *error);
int app_ports_start(struct app *app, struct vx_error *error);
void app_ports_stop(struct app *app);
/* Ten times a second: links, resets, alarms, bans that are over. */
void app_ports_watch(struct app *app);
json_t *app_ports_json(const struct app *app);
/* Returns when every polling lcore has ended the pass that it was in. context: struct app. */
void app_quiesce(void *context);
/* After the ports: they apply the rules where they can. */
int app_rules_start(struct app *app, struct vx_error *error);
/* The filter of an io lcore of the port; *lane is NULL where the port's driver filters. */
int app_rules_lane(struct app *app, const struct vx_port *port, struct vx_rules_lane **lane, struct vx_error *error);
void app_rules_watch(struct app *app);
/* Mempool, arenas, rings, ports, ledger, formulas, io lcores: everything is taken here. */
int app_setup(struct app *app, struct vx_error *error);
void app_teardown(struct app *app);
/* A file of the daemon's own: where the configuration says (`given`), or `name` beside the ledger. */
enum { APP_PATH_BYTES = 2 * VX_PATH_BYTES };
void app_state_path(const struct vx_config *config, const char *given, const char *name, char path[APP_PATH_BYTES]);
/* Modes as the shards take them at their creation; a mode that has changed in app->config, to all shards; whether their seats
 * suffice for a changed one. */
void app_modes_describe(struct app *app, struct vx_shard_config *shard);
int app_mode_tell(struct app *app, uint32_t index, struct vx_error *error);
bool app_mode_has_seats(const struct app *app, const struct vx_mode *mode);
/* Formulas: from the folder or the store; in every turn of the control loop; the end. */
int app_formula_start(struct app *app, struct vx_error *error);
void app_formula_turn(struct app *app);
void app_formula_stop(struct app *app);
/* numa.c. Start-up: where each lcore is, and packet pools near those that receive. */
int app_numa_start(struct app *app, struct vx_error *error);
/* The node of the index-th lcore that has the role; SOCKET_ID_ANY where nodes are not told apart. */
int app_numa_of(const struct app *app, uint32_t role, uint32_t index);
/* Each pool: node, buffers, buffers in use. Control thread. */
json_t *app_numa_json(const struct app *app);
/* A ring with one producer and one consumer, near the node of who reads it; NULL with a sentence. */
struct rte_ring *app_ring_create(const char *kind, unsigned a, unsigned b, unsigned element_bytes, unsigned count, int numa, struct vx_error *error);
/* netcode.c. Checks what the schema cannot: keys, protocol id, addresses. Nothing to do for the plain transport. */
int app_netcode_check(const struct vx_config *config, struct vx_error *error);
int app_netcode_start(struct app *app, struct vx_error *error);
/* Completes an io lcore's configuration; *netcode is read by vx_io_create. */
int app_netcode_io(struct app *app, uint32_t index, struct vx_io_config *io, struct vx_session_netcode_config *netcode, struct vx_error *error);
/* Sessions of each io lcore's table; bytes of all tables, admission and its rings. */
uint32_t app_netcode_places(const struct vx_config *config, uint32_t io_count);
uint64_t app_netcode_bytes(const struct vx_config *config, uint32_t io_count);
/* Tells the lcores the Unix time; at every turn of the control thread. */
void app_clock_tick(struct app *app);
/* The clock of sessions: milliseconds of the TSC. */
uint32_t app_now_ms(const struct app *app);
void app_netcode_watch(struct app *app);
/* Tells every client that the server goes. */
void app_netcode_goodbye(struct app *app);
bool app_netcode_goodbye_done(const struct app *app);
json_t *app_sessions_json(const struct vx_io *io);
json_t *app_netcode_json(const struct app *app);
int app_lcore_main(void *lcore);
/* Every command of the control socket: each file adds its table here. Ends with NULL. */
extern const struct vx_control_command *const app_commands[];
extern const struct vx_control_command app_status_commands[], app_port_commands[], app_rules_commands[]; /* operate.h has more */
/* Prints the documentation's table of that name; false when there is none. */
bool app_print_table(const char *name);
/* True when every action is accounted for; prints what is not. */
bool app_accounts_balance(const struct app *app, bool print);

#endif
