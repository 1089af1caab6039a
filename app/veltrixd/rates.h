/* The last two minutes, second by second. Control thread. */
#ifndef VX_RATES_H
#define VX_RATES_H

#include <jansson.h>

#include "app.h"

enum { APP_LCORES_MAX = VX_IO_LCORES_MAX + VX_SHARD_LCORES_MAX, APP_RATES_KEPT = 120 };
struct app_lcore_rate {
    double busy;              /* share of its time, 0 to 1 */
    double cycles_per_event;  /* busy cycles for each action (or packet, without shards) */
    double packets_per_burst;
    double passes_per_s;
    double pause_us;          /* longest gap between two polls of this second */
};
struct app_rate { /* one second; rates are per second */
    uint64_t at_s;            /* since 1970 */
    uint64_t online, searching, hunting, hunts;
    double packets_in, packets_out, actions, answers, matches, shed, drops;
    double us_p50, us_p99, us_p999; /* from rx burst to tx burst, packets with an answer that somebody waits for */
    double pause_us, oldest_s;
    struct app_lcore_rate lcores[APP_LCORES_MAX];
};
/* In every turn of the control loop: takes a row when a second has passed. */
void app_rates_tick(const struct app *app);
/* The latest row; zeros in the first second. */
const struct app_rate *app_rates_last(void);
uint32_t app_rates_count(void);
/* 0: the latest; below app_rates_count(). */
const struct app_rate *app_rates_ago(uint32_t ago);
json_t *app_rate_json(const struct app_rate *row);

#endif
