/* rules: who may not send, and how much one source may send. One list, kept by the control thread, applied in two
 * places: in the NIC's driver by the XDP program where there is one (a sink), else by vx_rules_filter() on the io
 * lcore, on whole bursts and before anything is parsed.
 *
 *   veltrixctl ban, rate ─▶ struct vx_rules ─┬─▶ sink: the XDP program's maps
 *                           (control thread)  └─▶ sorted intervals, published by a pointer ─▶ vx_rules_filter (io lcores)
 *
 * A ban is a prefix, IPv4 or IPv6, for ever or until a second of the clock. A rate is packets a second of each
 * source (an IPv4 address, an IPv6 /64), with a burst. On io lcores each lcore counts by itself, for it shares nothing:
 * a source that the card spreads over n queues may send n times the rate. */
#ifndef VX_RULES_H
#define VX_RULES_H

#include "vx_base.h"
#include "vx_rules_shared.h"

struct rte_mbuf;

enum { VX_PREFIX_TEXT_BYTES = 50, VX_RULES_SINKS_MAX = 8 };

struct vx_prefix {
    uint8_t family;      /* 4 or 6 */
    uint8_t bits;        /* up to 32 or 128 */
    uint8_t address[16]; /* network order, zero beyond `bits`; the first 4 bytes for IPv4 */
};
/* "10.1.0.0/16", "2001:db8::/32"; without a slash one address. Bits beyond the prefix must be 0. 0 or -EINVAL. */
int vx_prefix_parse(const char *text, struct vx_prefix *prefix, struct vx_error *error);
const char *vx_prefix_text(const struct vx_prefix *prefix, char text[VX_PREFIX_TEXT_BYTES]);

struct vx_ban {
    struct vx_prefix prefix;
    uint64_t until_s; /* of CLOCK_REALTIME; 0: for ever */
};

/* Where else the rules are applied. 0 or a negative errno with the sentence. */
struct vx_rules_sink {
    void *context;
    int (*ban)(void *context, const struct vx_prefix *prefix, bool banned, struct vx_error *error);
    int (*rate)(void *context, const struct vx_rate *rate_ns, struct vx_error *error);
};
struct vx_rules_config {
    uint32_t bans_max;
    uint64_t cycles_per_s;
    /* Returns when every io lcore has ended the burst that it was in: then nobody reads what was published before.
     * NULL where no lcore runs. */
    void (*quiesce)(void *context);
    void *quiesce_context;
};
struct vx_rules;

/* Start-up. Memory from DPDK, all of it. 0 or -ENOMEM. */
int vx_rules_create(const struct vx_rules_config *config, struct vx_rules **rules, struct vx_error *error);
void vx_rules_destroy(struct vx_rules *rules);
/* Adds a sink and tells it everything that is in force. */
int vx_rules_sink_add(struct vx_rules *rules, const struct vx_rules_sink *sink, struct vx_error *error);

/* Control thread. A ban that exists already gets the new end. Sinks are told first: when one refuses, nothing changes.
 * -ENOSPC when full, -ENOENT when there is no such ban. */
int vx_rules_ban(struct vx_rules *rules, const struct vx_ban *ban, struct vx_error *error);
int vx_rules_unban(struct vx_rules *rules, const struct vx_prefix *prefix, struct vx_error *error);
/* Many at once, published once: for a file or the configuration. */
int vx_rules_ban_all(struct vx_rules *rules, const struct vx_ban *bans, uint32_t count, struct vx_error *error);
/* Takes away bans whose time is over; returns how many. */
uint32_t vx_rules_expire(struct vx_rules *rules, uint64_t now_s);
/* In order of family, length and address. */
const struct vx_ban *vx_rules_bans(const struct vx_rules *rules, uint32_t *count);
/* packets_per_s 0: no limit. burst at least 1. */
int vx_rules_rate(struct vx_rules *rules, uint64_t packets_per_s, uint32_t burst, struct vx_error *error);
void vx_rules_rate_now(const struct vx_rules *rules, uint64_t *packets_per_s, uint32_t *burst);

/* The list as a text file, one "PREFIX UNTIL" a line. A file that is not there is an empty list. */
int vx_rules_load(struct vx_rules *rules, const char *path, struct vx_error *error);
int vx_rules_save(const struct vx_rules *rules, const char *path, struct vx_error *error);

/* What one io lcore holds: its sources' buckets. `active` is the rules' (control: w, io lcores: r; atomic). */
struct vx_rules_lane {
    const uint32_t *active;
};
/* sources: buckets, a power of two of at least 4; 16 bytes each from DPDK on the socket. */
int vx_rules_lane_create(const struct vx_rules *rules, uint32_t sources, int numa, struct vx_rules_lane **lane, struct vx_error *error);
void vx_rules_lane_destroy(struct vx_rules_lane *lane);
uint32_t vx_rules_filter_burst(struct vx_rules_lane *lane, struct rte_mbuf **mbufs, uint32_t count, uint64_t now, uint64_t *drops);
/* io lcore. Frees the packets of the burst that must not pass and counts them in drops[VX_DROP_BANNED] and
 * [VX_DROP_OVER_RATE]; the others move together at the front. now: TSC. Returns how many those are. Without a rule
 * it costs one load. */
static inline uint32_t vx_rules_filter(struct vx_rules_lane *lane, struct rte_mbuf **mbufs, uint32_t count, uint64_t now, uint64_t *drops)
{
    if (VX_LIKELY(__atomic_load_n(lane->active, __ATOMIC_RELAXED) == 0))
        return count;
    return vx_rules_filter_burst(lane, mbufs, count, now, drops);
}

#endif
