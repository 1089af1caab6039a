/* versions: every formula that was ever pushed, by whom, when and why, and what became of it; kept across restarts in an
 * SQLite file of its own, so that any earlier version can be had back. A version is named by its kind and the number that
 * its file declares; a number never means two texts.
 *
 * Control thread only. Errors are sentences that name the file. */
#ifndef VX_VERSIONS_H
#define VX_VERSIONS_H

#include "vx_base.h"

enum { VX_VERSIONS_KIND_BYTES = 16, VX_VERSIONS_WORDS_BYTES = 200, VX_VERSIONS_HASH_BYTES = 65 };

struct vx_versions;
struct vx_versions_row {
    char kind[VX_VERSIONS_KIND_BYTES];
    uint32_t version;
    char hash[VX_VERSIONS_HASH_BYTES]; /* SHA-256 of the text, in hexadecimal */
    char who[40], why[VX_VERSIONS_WORDS_BYTES];
    int64_t at_ms;    /* Unix time of its first push */
    bool quarantined; /* it has ended a worker: not to be made live again */
    bool live;
};
struct vx_versions_event {
    char kind[VX_VERSIONS_KIND_BYTES];
    uint32_t version;
    char who[40], event[24], detail[VX_VERSIONS_WORDS_BYTES + 200];
    int64_t at_ms;
};

/* Opens or creates the file. 0, or a negative errno with the sentence: a file that is not ours, or damaged, is left as it is. */
int vx_versions_open(const char *path, struct vx_versions **versions, struct vx_error *error);
void vx_versions_close(struct vx_versions *versions);

/* Keeps a text. 0: new; 1: it was there already; -EEXIST: the number means another text; -EKEYREJECTED: it is quarantined. */
int vx_versions_put(struct vx_versions *versions, const char *kind, uint32_t version, const char *text, uint32_t bytes, const char *who, const char *why,
                    struct vx_error *error);
/* Whether it may be made live: 0, or -EKEYREJECTED: it is quarantined. */
int vx_versions_allowed(struct vx_versions *versions, const char *kind, uint32_t version, struct vx_error *error);
/* A copy of the text, ended with 0; the caller frees. -ENOENT when there is no such version. */
int vx_versions_text(struct vx_versions *versions, const char *kind, uint32_t version, char **text, uint32_t *bytes, struct vx_error *error);
/* Whether this very text is kept: its version, or 0. */
uint32_t vx_versions_known(struct vx_versions *versions, const char *kind, const char *text, uint32_t bytes);
/* The version that is live, across restarts; 0: none was ever made live. */
uint32_t vx_versions_live(struct vx_versions *versions, const char *kind);
int vx_versions_live_set(struct vx_versions *versions, const char *kind, uint32_t version, struct vx_error *error);
int vx_versions_quarantine(struct vx_versions *versions, const char *kind, uint32_t version, struct vx_error *error);
/* Appends to the history; its text is cut to what an event holds. */
int vx_versions_event(struct vx_versions *versions, const char *kind, uint32_t version, const char *who, const char *event, const char *detail,
                      struct vx_error *error);

/* Every version (of a kind; NULL: of all), the newest first; the same for the last `max` events. */
void vx_versions_each(struct vx_versions *versions, const char *kind, void (*row)(void *context, const struct vx_versions_row *row), void *context);
void vx_versions_events(struct vx_versions *versions, const char *kind, uint32_t max, void (*row)(void *context, const struct vx_versions_event *event),
                        void *context);

#endif
