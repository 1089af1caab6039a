/* exp and log from plain IEEE arithmetic. libm's differ between its versions and between CPUs with and
 * without fused multiply-add, and a rating that differs in its last bit would make a replayed shard differ. */
#include <string.h>

#include "rating_private.h"

static const double ln2_high = 0x1.62e42fefa38p-1;  /* the upper 42 bits of ln 2: times a whole number below 2^11 it is exact */
static const double ln2_low = 0x1.ef35793c7673p-45; /* the rest */
static const double log2_e = 0x1.71547652b82fep+0;

enum { EXP_LIMIT = 708 }; /* beyond it the result is subnormal or infinite: no rating gets there */

static double two_to(int power)
{
    uint64_t bits = (uint64_t)(power + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

double rating_exp(double x)
{
    static const double terms[] = { 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800,
                                    1.0 / 479001600, 1.0 / 6227020800, 1.0 / 87178291200 };
    x = x > EXP_LIMIT ? EXP_LIMIT : x < -EXP_LIMIT ? -EXP_LIMIT
                                                   : x;
    int power = (int)(x * log2_e + (x < 0 ? -0.5 : 0.5));
    double high = x - power * ln2_high, low = power * ln2_low;
    double r = high - low, rest = (high - r) - low; /* r + rest is x less its power of two, to 30 bits more than r has */
    double sum = 0;
    for (int i = (int)(sizeof(terms) / sizeof(terms[0])) - 1; i >= 0; i--)
        sum = sum * r + terms[i];
    return (1 + (r + (rest + r * r * sum))) * two_to(power);
}

double rating_log(double x)
{
    static const double root_half = 0x1.6a09e667f3bcdp-1;
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    int power = (int)(bits >> 52) - 1022;
    bits = (bits & 0xfffffffffffffu) | (uint64_t)1022 << 52; /* [1/2, 1) */
    double part;
    memcpy(&part, &bits, sizeof(part));
    if (part < root_half) {
        part *= 2;
        power--;
    }
    double s = (part - 1) / (part + 1), square = s * s, sum = 0;
    for (int odd = 23; odd >= 3; odd -= 2) /* atanh's series; s is below 0.172 */
        sum = sum * square + 1.0 / odd;
    return power * ln2_high + (2 * (s + s * square * sum) + power * ln2_low);
}
