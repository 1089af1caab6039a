#include "vx_rating.h"

#include <math.h>

static const double k = 24;

static double clamp(double rating)
{
    return fmin(fmax(rating, VX_RATING_MIN), VX_RATING_MAX);
}

void vx_rating_elo(double *a, double *b, double score_a)
{
    double expected_a = 1 / (1 + pow(10, (*b - *a) / 400));
    double gain_a = k * (score_a - expected_a);
    *a = clamp(*a + gain_a);
    *b = clamp(*b - gain_a);
}
