/* An empty loop that watches its own gaps by the rule of veltrixd's loops (app/veltrixd/loop.c): what
 * the machine itself takes away from a polling core, to hold the appliance's pauses against. */
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "vx_base.h"

static uint64_t cycles_per_s(void)
{
    struct timespec start, now;
    uint64_t cycles = __rdtsc(), ns;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
        ns = (uint64_t)(now.tv_sec - start.tv_sec) * 1000000000 + (uint64_t)now.tv_nsec - (uint64_t)start.tv_nsec;
    } while (ns < 100000000);
    return (__rdtsc() - cycles) * 1000000000 / ns;
}

int main(int argc, char **argv)
{
    static struct vx_hist hist;
    if (argc != 5 || strcmp(argv[1], "--cpu") != 0 || strcmp(argv[3], "--seconds") != 0) {
        (void)fprintf(stderr, "usage: vx_twin_loop --cpu C --seconds S\n");
        return 2;
    }
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(atoi(argv[2]), &cpus);
    if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0) {
        perror("vx_twin_loop: --cpu");
        return 1;
    }
    uint64_t hz = cycles_per_s(), last = __rdtsc(), longest = 0, now;
    uint64_t end = last + (uint64_t)(atof(argv[4]) * (double)hz), window_end = last + hz / 1000;
    while ((now = __rdtsc()) < end) {
        longest = now - last > longest ? now - last : longest;
        last = now;
        if (now >= window_end) {
            vx_hist_add(&hist, longest);
            longest = 0;
            window_end = now + hz / 1000;
        }
    }
    double us = 1e6 / (double)hz;
    printf("{\"gap_us_p50\": %.3f, \"gap_us_p99\": %.3f, \"gap_us_p999\": %.3f, \"gap_us_max\": %.3f}\n", (double)vx_hist_quantile(&hist, 0.5) * us,
           (double)vx_hist_quantile(&hist, 0.99) * us, (double)vx_hist_quantile(&hist, 0.999) * us, (double)hist.max * us);
    return 0;
}
