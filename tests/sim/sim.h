/* sim: the appliance's own objects (io lcores, rings, shard lcores, formula lanes, sessions) in one process under
 * simulated time, with players, network, formula worker and ledger around them that fail as a plan says.
 *
 *   players ─ network ─▶ device ─ vx_io_receive ─▶ [tap] ─▶ vx_shard_lcore_step ─▶ [tap] ─▶ vx_io_send ─ network ─▶ players
 *                                                    │      jobs ⇅ worker  grants ⇅ ledger   │
 *                                                    └────────────▶ model ◀──────────────────┘
 *
 * One plan is one run: the same plan gives the same bytes, on any build. Everything random is drawn from the
 * plan's seed in streams of their own (a player, a direction of the network, a fault), so that leaving one of
 * them out disturbs the others as little as can be, and a failure shrinks. A run is a process of its own. */
#ifndef SIM_H
#define SIM_H

#include <stdio.h>

#include "vx_lcore.h"
#include "vx_shard.h"
#include "vx_wire.h"

enum {
    SIM_PLAYERS_MAX = 4096,
    SIM_SHARDS_MAX = 8,
    SIM_LANES_MAX = 2,
    SIM_IOS_MAX = 2,
    SIM_FAULTS_MAX = 40,
    SIM_FRAME_BYTES = 640,
    SIM_GAME_PORT = 40000,
    SIM_CYCLES_PER_US = 1000, /* the simulated time stamp counter runs at 1 GHz */
};

/* ---- plan: what a run is ---- */
#define SIM_FAULTS(X)                                                                              \
    X(DROP_IN, "packets to the appliance are lost")                                                \
    X(DROP_OUT, "packets to the players are lost")                                                 \
    X(DOUBLE, "packets arrive twice")                                                              \
    X(DELAY, "packets are delayed by up to seconds")                                               \
    X(REORDER, "packets overtake each other")                                                      \
    X(CORRUPT, "bits flip on the way")                                                             \
    X(PARTITION, "some players are cut off, both ways")                                            \
    X(WORKER_DEAD, "no formula worker; the next one finds the batches again")                      \
    X(WORKER_STALL, "the formula worker holds its batches")                                        \
    X(WORKER_TWICE, "batches are said to be done again when they are not out")                     \
    X(WORKER_LIES, "formulas answer what is not a number, or out of range")                        \
    X(WORKER_SCRIBBLES, "the worker writes where only the shard lcore may")                        \
    X(LEDGER_STALL, "the disk does not answer")                                                    \
    X(LEDGER_TWICE, "the ledger acknowledges twice")                                               \
    X(CLOCK_JUMP, "time leaps ahead")                                                              \
    X(SHARD_STALL, "shard lcores stand still; rings fill")                                         \
    X(IO_STALL, "io lcores stand still")                                                           \
    X(DEVICE_FULL, "the device takes nothing")                                                     \
    X(NO_BUFFERS, "no packet buffers for replies")                                                 \
    X(FLOOD, "some players send a hundred times too much")                                         \
    X(DRAIN, "the appliance is told to drain, then starts again")                                  \
    X(CRASH, "the appliance dies and starts again")                                                \
    X(NO_ARENA, "the appliance starts with an arena that is too small, then again")                \
    X(PUSH, "operators push a formula: other answers, another version")
enum sim_fault_kind {
#define SIM_FAULT_ENUM(name, text) SIM_##name,
    SIM_FAULTS(SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
        SIM_FAULT_KINDS
};
const char *sim_fault_name(enum sim_fault_kind kind);

struct sim_fault {
    uint32_t kind, from_ms, to_ms; /* enum sim_fault_kind; in force while from <= now < to */
    uint32_t per_1000;             /* how many packets, players or batches it strikes */
};
/* Every field is a uint32_t and a line of a plan file; see plan_text.c. */
struct sim_plan {
    uint64_t seed;
    uint32_t players, duration_ms;
    uint32_t shards, lanes, ios;
    uint32_t quantum_us, window_us;
    uint32_t action_ring, reply_ring, device_ring, busy_per_s, buffers;
    uint32_t latency_ms, jitter_ms;
    uint32_t start_ms;             /* what the shards' clock says when the run begins */
    uint32_t hunts_max, proposal_ms, search_ms, hunt_ms, idle_ms, repeat_ms, repeats_max, job_ms;
    uint32_t speed_cm_s, chest_range_cm, strike_range_cm, chests;
    uint32_t worker_us, ledger_us; /* usual service times */
    uint32_t think_ms;             /* usual pause between two actions of a player */
    uint32_t per_1000_decliners, per_1000_deaf, per_1000_vanishers, per_1000_cheats, per_1000_leavers, per_1000_idlers;
    uint32_t teams;                /* 0: duels, judged by the whole model; 1: all of appliance_modes(), with parties, judged by model_teams.c */
    uint32_t cooldown_ms;
    uint32_t fault_count;
    struct sim_fault faults[SIM_FAULTS_MAX];
};
void sim_plan_make(uint64_t seed, struct sim_plan *plan);
/* As text, one `key value` a line, `fault NAME from to per_1000` for each fault. */
void sim_plan_print(const struct sim_plan *plan, FILE *to);
int sim_plan_read(const char *path, struct sim_plan *plan, struct vx_error *error);

/* ---- report: what a run says; in memory that the parent shares ---- */
enum { SIM_TEXT_BYTES = 768, SIM_ROWS_MAX = 256 };
enum sim_outcome { SIM_UNFINISHED, SIM_CLEAN, SIM_VIOLATION };
struct sim_report {
    uint32_t outcome; /* enum sim_outcome */
    char text[SIM_TEXT_BYTES];
    uint64_t digest;
    uint64_t steps, packets_in, packets_out, actions, replies, matches, receipts;
    uint64_t at_ms;
    double player_hours;
    uint64_t faults[SIM_FAULT_KINDS];    /* what each fault struck */
    uint64_t rows[SIM_ROWS_MAX];         /* state table rows, in the order of vx_shard_tables_markdown */
    uint64_t answers[VX_ACTION_COUNT][VX_CODE_COUNT + 2]; /* by action and code; the last two: REPEATED, answered with more than OK */
    uint64_t ambiguous;                  /* steps in which the model did not know a player's state for sure */
};

/* ---- the run ---- */
struct sim;
/* Runs the plan and writes the report; ends the process at a violation. */
void sim_run(const struct sim_plan *plan, struct sim_report *report);
/* Once a process, before the first fork: EAL, without hugepages, in memory that children do not share. */
void sim_eal(void);
/* The run is over: something that must hold does not. */
_Noreturn void sim_violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
