/* The XDP program in the kernel, fed with frames made by hand (BPF_PROG_TEST_RUN): no interface, no traffic. */
#ifndef XDP_TEST_H
#define XDP_TEST_H

#include "frame_build.h"
#include "vx_rules.h"
#include "vx_test.h"
#include "xdp.h"

enum { TEST_SKIPPED = 77, TEST_QUEUES = 4 };

struct veltrix; /* the skeleton */
/* Loads the program: the verifier has its say here. Maps as xdp_maps.c finds them. NULL when the kernel lets us not. */
struct veltrix *xdp_test_load(struct xdp_state *state);
void xdp_test_unload(struct veltrix *loaded, struct xdp_state *state);
/* A port's settings: BUILD_PORT and our two addresses. */
struct vx_port_config xdp_test_config(bool owned);
uint64_t xdp_test_count(const struct xdp_state *state, const char *name);

#endif
