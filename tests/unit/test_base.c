/* base: histogram error bound, merge, random numbers, names. */
#include <string.h>

#include "vx_base.h"
#include "vx_test.h"

static struct vx_hist one, two;

static void hist_error_is_under_one_percent(void)
{
    struct vx_rng rng = { 1 };
    for (int i = 0; i < 200000; i++) {
        uint64_t value = vx_rng_next(&rng) >> (24 + vx_rng_below(&rng, 39));
        memset(&one, 0, sizeof(one));
        vx_hist_add(&one, value);
        one.max = UINT64_MAX; /* so that the quantile is the slot's middle */
        uint64_t got = vx_hist_quantile(&one, 0.5);
        uint64_t error = got > value ? got - value : value - got;
        if (error * 100 > value)
            CU_FAIL("relative error over 1 %");
    }
    CU_PASS("error bound");
}

static void hist_quantiles_and_merge(void)
{
    memset(&one, 0, sizeof(one));
    memset(&two, 0, sizeof(two));
    CU_ASSERT_EQUAL(vx_hist_quantile(&one, 0.99), 0);
    for (uint64_t value = 1; value <= 1000; value++)
        vx_hist_add(value % 2 ? &one : &two, value);
    vx_hist_merge(&one, &two);
    CU_ASSERT_EQUAL(one.count, 1000);
    CU_ASSERT_EQUAL(one.max, 1000);
    CU_ASSERT(vx_hist_quantile(&one, 0.5) >= 495 && vx_hist_quantile(&one, 0.5) <= 505);
    CU_ASSERT(vx_hist_quantile(&one, 0.99) >= 980 && vx_hist_quantile(&one, 0.99) <= 1000);
    CU_ASSERT_EQUAL(vx_hist_quantile(&one, 1.0), 1000);
}

static void hist_takes_the_largest_values(void)
{
    memset(&one, 0, sizeof(one));
    vx_hist_add(&one, UINT64_MAX);
    CU_ASSERT_EQUAL(one.slots[VX_HIST_SLOTS - 1], 1);
}

static void random_numbers_repeat_and_stay_below(void)
{
    struct vx_rng a = { 7 }, b = { 7 };
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        CU_ASSERT_EQUAL_FATAL(vx_rng_next(&a), vx_rng_next(&b));
        CU_ASSERT_FATAL(vx_rng_below(&a, 10) < 10);
        (void)vx_rng_next(&b);
        sum += vx_rng_exponential(&a);
        (void)vx_rng_next(&b);
    }
    CU_ASSERT(sum > 9500 && sum < 10500);
    /* splitmix64's published first output for seed 0 */
    struct vx_rng zero = { 0 };
    CU_ASSERT_EQUAL(vx_rng_next(&zero), 0xe220a8397b1dcdafu);
}

static void errors_carry_code_and_sentence(void)
{
    struct vx_error error;
    CU_ASSERT_EQUAL(vx_error_set(&error, -22, "shards.count is %d, expected 1 to 256", 0), -22);
    CU_ASSERT_STRING_EQUAL(error.text, "shards.count is 0, expected 1 to 256");
    CU_ASSERT_EQUAL(vx_error_set(NULL, -1, "nobody listens"), -1);
}

static void every_drop_reason_has_a_name(void)
{
    for (unsigned i = 0; i < VX_DROP_COUNT; i++) {
        CU_ASSERT(strlen(vx_drop_name((enum vx_drop)i)) > 1);
        CU_ASSERT(strlen(vx_drop_sentence((enum vx_drop)i)) > 1);
        for (unsigned j = 0; j < i; j++)
            CU_ASSERT_STRING_NOT_EQUAL(vx_drop_name((enum vx_drop)i), vx_drop_name((enum vx_drop)j));
    }
    CU_ASSERT_STRING_EQUAL(vx_drop_name(VX_DROP_COUNT), "?");
}

enum { WHEEL_TIMERS = 500, WHEEL_SLOTS = 64 };
static struct vx_wheel_timer wheel_memory[WHEEL_TIMERS + WHEEL_SLOTS + 1];

/* Against the obvious: an array of due times. Time begins shortly before its 32 bits wrap. */
static void the_wheel_fires_each_timer_once_and_in_time(void)
{
    enum { TICK_BITS = 2 };
    static uint32_t due_ms[WHEEL_TIMERS];
    static bool is_set[WHEEL_TIMERS];
    struct vx_rng rng = { 7 };
    struct vx_wheel wheel;
    uint32_t now_ms = UINT32_MAX - 50000, fired = 0, early = 0, late = 0, missing = 0;
    CU_ASSERT_EQUAL(vx_wheel_bytes(WHEEL_TIMERS, WHEEL_SLOTS), sizeof(wheel_memory));
    vx_wheel_create(&wheel, wheel_memory, WHEEL_TIMERS, WHEEL_SLOTS, TICK_BITS, now_ms);
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t index = vx_rng_below(&rng, WHEEL_TIMERS), wait_ms = vx_rng_below(&rng, step % 2 ? 20 : 1500), chosen = vx_rng_below(&rng, 8);
        if (chosen == 0) {
            vx_wheel_clear(&wheel, index);
            is_set[index] = false;
        } else if (chosen < 5 || !is_set[index] || (int32_t)(now_ms + wait_ms - due_ms[index]) < 0) {
            (chosen < 5 ? vx_wheel_set : vx_wheel_sooner)(&wheel, index, now_ms + wait_ms);
            due_ms[index] = now_ms + wait_ms;
            is_set[index] = true;
        } else {
            vx_wheel_sooner(&wheel, index, now_ms + wait_ms); /* it is not sooner */
        }
        now_ms += vx_rng_below(&rng, 10);
        for (uint32_t timer; (timer = vx_wheel_take(&wheel, now_ms)) != VX_WHEEL_NONE; fired++) {
            missing += !is_set[timer];
            early += (int32_t)(now_ms - due_ms[timer]) < 0;
            is_set[timer] = false;
        }
        for (uint32_t i = 0; i < WHEEL_TIMERS; i++) {
            late += is_set[i] && (int32_t)(now_ms - due_ms[i]) >= 2 << TICK_BITS;
            missing += is_set[i] != vx_wheel_is_set(&wheel, i);
        }
    }
    CU_ASSERT(fired > 5000 && early == 0 && late == 0 && missing == 0);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "histogram error is under 1 %", hist_error_is_under_one_percent },
        { "histogram quantiles and merge", hist_quantiles_and_merge },
        { "histogram takes the largest values", hist_takes_the_largest_values },
        { "random numbers repeat and stay below", random_numbers_repeat_and_stay_below },
        { "errors carry code and sentence", errors_carry_code_and_sentence },
        { "every drop reason has a name", every_drop_reason_has_a_name },
        { "the wheel fires each timer once and in time", the_wheel_fires_each_timer_once_and_in_time },
    };
    return vx_test_main("base", tests, sizeof(tests) / sizeof(tests[0]));
}
