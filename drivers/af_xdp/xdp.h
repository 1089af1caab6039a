/* af_xdp, inside: the program on its interface (xdp_program.c), its maps (xdp_maps.c), the driver (af_xdp.c). */
#ifndef VX_AF_XDP_XDP_H
#define VX_AF_XDP_XDP_H

#include "vx_port.h"
#include "xdp_shared.h"

enum xdp_map { XDP_MAP_SETTINGS, XDP_MAP_BANS4, XDP_MAP_BANS6, XDP_MAP_RATE, XDP_MAP_BUCKETS, XDP_MAP_COUNTERS, XDP_MAPS };

struct xdp_state {
    int object;          /* memfd of the program's ELF file, for net_af_xdp; -1 */
    unsigned interface;  /* index */
    int link;            /* holds the program on the interface; the kernel takes both away with the process; -1 */
    bool native;
    int maps[XDP_MAPS];  /* -1 */
};

/* The ELF file as a memfd, so that net_af_xdp can open it by /proc/self/fd; -1 with errno. */
int xdp_object_open(void);
/* Takes away a program of ours that a dead process left on the interface. -EBUSY when a living one holds it or the
 * program is somebody else's. *stale says whether there was one. */
int xdp_clear_stale(unsigned interface, const char *name, bool *stale, struct vx_error *error);
/* Finds the program that net_af_xdp has put on the interface, and holds it by a link instead, so that it goes away
 * with this process, however that ends. Returns the program's descriptor, or a negative errno. */
int xdp_take_over(struct xdp_state *state, const char *name, struct vx_error *error);
/* The program's maps by their names. 0 or a negative errno. */
int xdp_maps_open(struct xdp_state *state, int program, struct vx_error *error);
void xdp_maps_close(struct xdp_state *state);
int xdp_settings_write(const struct xdp_state *state, const struct vx_port_config *config, struct vx_error *error);
int xdp_ban(const struct xdp_state *state, const struct vx_prefix *prefix, bool banned, struct vx_error *error);
int xdp_rate(const struct xdp_state *state, const struct vx_rate *rate, struct vx_error *error);
/* Adds up the CPUs' counters. */
uint32_t xdp_counters(const struct xdp_state *state, struct vx_port_counter *counters, uint32_t max);

#endif
