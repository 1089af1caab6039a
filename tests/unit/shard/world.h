/* A shard with everything around it: players, formulas and ledger, under the test's own time. */
#ifndef WORLD_H
#define WORLD_H

#include "vx_shard.h"

enum { WORLD_PLAYERS = 512, WORLD_LOG = 4096, WORLD_QUEUE = 65536, WORLD_OUT = 256, WORLD_CHESTS = 3 };
struct world {
    struct vx_shard *shard;
    uint64_t now_us;
    uint32_t numbers[WORLD_PLAYERS]; /* of the last action */
    uint32_t seen[WORLD_PLAYERS];    /* highest result received in order */
    uint32_t connections[WORLD_PLAYERS], connection; /* 0: plain transport; numbers given so far */
    bool deaf;                       /* players receive nothing: they acknowledge nothing */
    struct vx_reply log[WORLD_LOG];  /* since world_forget() */
    uint32_t log_count;
    struct vx_job jobs[WORLD_QUEUE];
    struct vx_grant grants[WORLD_QUEUE];
    uint32_t job_count, grant_count;
    uint64_t digest; /* of every output */
    void (*watch)(struct world *world, const struct vx_reply *reply);
};
void world_open(struct world *world, uint64_t seed, uint32_t chest_range_cm);
/* The same with other modes than duels rated by Elo. */
void world_open_modes(struct world *world, uint64_t seed, uint32_t chest_range_cm, const struct vx_shard_mode *modes, uint32_t mode_count);
void world_close(struct world *world);
void world_forget(struct world *world);
void world_step(struct world *world, const struct vx_event *events, uint32_t count);
/* An action under the player's next number; the answer, or NULL when it does not come at once. */
const struct vx_reply *world_act(struct world *world, uint32_t player, uint8_t type, uint16_t arg16, uint32_t a, uint32_t b, uint32_t c);
/* Connects the player anew, as client `id`; its numbers begin again. */
void world_join(struct world *world, uint32_t player, uint32_t id, enum vx_join how, uint32_t rating);
void world_part(struct world *world, uint32_t player, enum vx_part how);
struct vx_event world_action(struct world *world, uint32_t player, uint8_t type);
/* Time passes in steps of 10 ms; formulas and ledger answer in each when they are asked to. */
void world_wait(struct world *world, uint32_t ms, bool formulas, bool ledger);
struct vx_event world_job_done(const struct vx_job *job);
/* The latest logged result of a type for a player, NULL when none. */
const struct vx_reply *world_last(const struct world *world, uint32_t player, uint8_t type);

#endif
