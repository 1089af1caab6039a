/* Formulas in the daemon: what is live, what was before, and the one patch that is on its way. Control thread, but for the
 * gate, which measures on a thread of its own.
 *
 *   formula.c           start: folder or store; making a version live; what a formula's end means
 *   formula_patch.c     a patch's way: recorded ─ gate ─ shadow ─ canary ─ live ─ confirmed
 *   formula_trials.c    what shadow and canary see     formula_commands.c  what operators say */
#ifndef VX_APP_FORMULAS_H
#define VX_APP_FORMULAS_H

#include <pthread.h>

#include "operate.h"
#include "vx_canary.h"
#include "vx_gate.h"
#include "vx_versions.h"

#define PATCH_STAGES(X)                                                                            \
    X(IDLE, "idle", "nothing is on its way")                                                       \
    X(RECORDING, "recording", "jobs of players are copied")                                        \
    X(GATE, "gate", "measured beside the live version, away from players")                         \
    X(SHADOW, "shadow", "evaluated beside the live version on players' jobs; its answers are not used") \
    X(CANARY, "canary", "live on some shards")                                                     \
    X(CONFIRM, "confirm", "live on all shards, and undone unless it is confirmed")
enum patch_stage {
#define PATCH_STAGE_ENUM(name, text, sentence) PATCH_##name,
    PATCH_STAGES(PATCH_STAGE_ENUM)
#undef PATCH_STAGE_ENUM
};
/* What has come of patches since the start, step by step: a field of struct formulas_steps, a key of `formula status`. */
#define FORMULAS_STEPS(X)                                                                          \
    X(pushes, "asked for to go live")                                                              \
    X(checks, "asked for the file alone")                                                          \
    X(gates, "asked for the measurement alone")                                                    \
    X(recordings, "asked for players' jobs")                                                       \
    X(refusals, "refused, rolled back, undone, given up or failed")                                \
    X(gate_passes, "the gate, or the check, let through")                                          \
    X(gate_refusals, "the gate, or the check, refused")                                            \
    X(shadows, "began to be evaluated beside the live version")                                    \
    X(shadow_jobs, "players' jobs that shadows have answered")                                     \
    X(shadow_jobs_otherwise, "of these, not as the live version")                                  \
    X(canaries, "began to play on some shards")                                                    \
    X(canary_breaches, "rolled back by a figure of their shards")                                  \
    X(lives, "made live, in whatever way")                                                         \
    X(confirms, "confirmed in time")                                                               \
    X(timeouts, "undone because nobody confirmed them")                                            \
    X(undos, "given up or taken back by an operator")                                              \
    X(rollbacks, "ways back to an earlier version")                                                \
    X(quarantines, "versions that have ended their worker, and are not taken again")
struct formulas_steps {
#define FORMULAS_STEP_FIELD(name, sentence) uint64_t name; /* sentence */
    FORMULAS_STEPS(FORMULAS_STEP_FIELD)
#undef FORMULAS_STEP_FIELD
};
enum patch_until { UNTIL_LIVE, UNTIL_CHECKED, UNTIL_GATED, UNTIL_RECORDED };
enum { RECORDED_MAX = 2048, WHO_BYTES = 40, WHY_BYTES = VX_VERSIONS_WORDS_BYTES };

struct shadow_output { /* candidate less live */
    double sum, largest;
    struct vx_hist thousandths; /* sizes of differences, in 1/1000 of the output's unit */
};
struct shadow {
    struct vx_trial *trial; /* NULL: none is open */
    uint64_t jobs, differing;
    struct shadow_output outputs[VX_JOB_OUTPUTS];
};
struct canary {
    uint32_t seat;
    bool shards[VX_SHARDS_MAX];
    struct vx_canary_side began[2]; /* 0: canary, 1: others */
    struct vx_canary_verdict verdict;
    uint64_t looked_cycles;
};
struct patch {
    enum patch_stage stage;
    enum patch_until until;
    uint32_t kind, version; /* version: 0 until the gate has read it */
    char *text;
    uint32_t bytes;
    char who[WHO_BYTES], why[WHY_BYTES];
    uint32_t canary_shards, for_s, shadow_s, timeout_s;
    uint64_t due_cycles;    /* of a stage that lasts */
    struct vx_job recorded[RECORDED_MAX];
    uint32_t recorded_count, recorded_kind; /* kept until the next recording */
    struct { /* the gate's thread: rw until done, then control */
        pthread_t thread;
        int done, rc; /* done: atomic */
        char *live_text;
        struct vx_formula_text candidate, live;
        struct vx_gate_report report;
        struct vx_error error;
    } gate;
    struct shadow shadow;
    struct canary canary;
    /* How the last one ended. */
    bool ended_well;
    char outcome[16], sentence[400];
    uint32_t ended_kind, ended_version;
    bool has_report;
};
struct app_formulas {
    struct vx_versions *store;
    struct vx_formula_program live, before; /* copies; before: what a formula that ends its worker falls back to */
    uint32_t versions[VX_FORMULA_KINDS], versions_before[VX_FORMULA_KINDS];
    uint32_t changed_kind;  /* of the last change; VX_FORMULA_KINDS: none since the start */
    char folder[VX_PATH_BYTES], worker[VX_PATH_BYTES], runtime[VX_PATH_BYTES];
    struct vx_gate_config gate;
    struct patch patch;
    struct formulas_steps steps; /* since the start */
    double back_ms_last, back_ms_max; /* from the begin of a batch that ended its worker until the version before took over */
};

/* formula.c. Makes a text the live version of its kind on all shards: `seat` that has it loaded, or VX_FORMULA_SEATS_MAX to load it
 * now (a few milliseconds). 0 or a negative errno with the sentence; then nothing has changed. */
int formulas_make_live(struct app *app, uint32_t kind, uint32_t version, const char *text, uint32_t bytes, uint32_t seat, const char *who, const char *event,
                       struct vx_error *error);
/* The live program with one text changed, loaded into a seat that no shard is routed to. */
int formulas_load_with(struct app *app, uint32_t kind, const char *text, uint32_t bytes, uint32_t *seat, struct vx_error *error);
/* Makes a kept version live again. */
int formulas_go_back(struct app *app, uint32_t kind, uint32_t version, const char *who, const char *event, struct vx_error *error);

/* formula_patch.c. The text is copied. False: another is on its way, or the arguments do not fit (said). */
bool patch_begin(struct app *app, const struct patch *wanted, const char *text, uint32_t bytes, struct vx_error *error);
void patch_turn(struct app *app);
const char *patch_stage_name(enum patch_stage stage);
/* An operator's word: the change is kept; what is on its way is given up, or the last change taken back. */
bool patch_confirm(struct app *app, const char *who, struct vx_error *error);
bool patch_undo(struct app *app, const char *who, struct vx_error *error);
/* The version that is tried has ended its worker. */
void patch_died(struct app *app, const struct vx_formula_incident *incident);

/* formula_trials.c. Each begin: 0 or a negative errno. */
int shadow_begin(struct app *app, struct vx_error *error);
int shadow_turn(struct app *app, struct vx_error *error); /* negative: the candidate has failed (said) */
void shadow_end(struct app *app, char *sentence, size_t bytes);
json_t *shadow_json(const struct patch *patch);
int canary_begin(struct app *app, struct vx_error *error);
void canary_judge(struct app *app);
/* Its shards go back to the live version. */
void canary_give_up(struct app *app);
json_t *canary_json(const struct patch *patch);

#endif
