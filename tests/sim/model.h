/* model: what must be true of a game server that keeps docs/protocol.md and the state tables, whatever is inside.
 * Not a line of lib/shard or lib/match is used. It sees, in their order, the actions that a shard is given, all
 * that the shard says, formula jobs and their answers, grants and what the ledger holds, and ends the run when
 * something could not have been said by a right server, or has not been said in time.
 *
 * What cannot be seen (a hunt that settles, a player that falls silent for too long) makes a player's state
 * uncertain: the model keeps the set of states in which the player may be. Each row of model_table.c that an
 * observation fits keeps its state in the set; an observation that fits none is a violation. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "sim.h"

struct sim;
struct model;

struct model *model_open(struct sim *sim);
/* The appliance starts, with nothing but the ledger from before. */
void model_start(struct model *model, uint64_t now_us);
/* A pass begins. True: time alone may end somebody's stay in it. Then shards are stepped without actions first, their replies
 * shown, and model_time_passed() sees who has gone. */
bool model_time_passes(struct model *model);
void model_time_passed(struct model *model);
/* A shard is given this action in the coming pass, which takes all that it is given. */
void model_feed(struct model *model, uint32_t shard, const struct vx_event *event);
/* In order, for each shard, within a pass. */
void model_reply(struct model *model, const struct vx_reply *reply);
/* The pass is over: every action must have its answer by now, and what was due has been said. */
void model_pass_done(struct model *model, uint64_t shard_us);
/* Replies have been lost on purpose: from now to the next start only what needs none of them is checked. */
void model_blind(struct model *model);
bool model_is_blind(const struct model *model);
void model_drained(struct model *model);

/* Between passes, at intervals: what an operator sees holds together. */
void model_look(struct model *model);

/* The formula worker has found this job; it may be one that it has seen before. */
struct model_job {
    uint32_t kind, shard, id, reserved; /* no hole: jobs are compared byte by byte */
    uint64_t seed;
    float in[VX_JOB_INPUTS];
};
void model_job(struct model *model, const struct model_job *job);
void model_job_answered(struct model *model, uint32_t shard, uint32_t id, const float out[VX_JOB_OUTPUTS], uint32_t version);
/* The ledger has taken it from its ring; it may be one that was taken before. */
void model_grant(struct model *model, const struct vx_grant *grant);

/* After the healing time: nothing is under way any more, and the books of shards and model agree. */
void model_rest(struct model *model);

#endif
