/*
 * stats.h - means with their uncertainty, and rank correlation: what results
 * are compared with.
 *
 * Intervals are percentile bootstraps at 95 % over 10 000 resamples (2 000
 * for rank correlation), drawn from a counter-based stream: the same numbers
 * give the same interval. With one value, or when all are equal, the interval
 * is that point.
 *
 * Thread: any.
 */
#ifndef NAS_EVAL_STATS_H
#define NAS_EVAL_STATS_H

#include "runtime/base/status.h"

struct nas_interval {
    double value;
    double low, high;
};

struct nas_moments {
    double mean;
    double std;   /* n - 1; 0 for one value */
    double error; /* standard error of the mean, std / sqrt(n) */
};

/* Of count >= 1 values. */
struct nas_moments nas_moments(const double *values, int count);

/*
 * The mean with its interval. For two methods on the same domains and seeds
 * give the differences: the interval is then a paired one, and a method is
 * ahead when the whole interval is on its side of 0. Errors: SY_NO_MEMORY.
 */
enum sy_status nas_mean_interval(struct nas_interval *out, const double *values,
                                 int count, struct sy_error *err) SY_MUST_USE;

/*
 * Kendall's tau-b of a and b, in [-1, 1]: pairs in the same order less pairs
 * in the opposite one, over the geometric mean of those that a and b tell
 * apart. 0 where one of them is constant. Takes time in count * count.
 */
double nas_kendall(const double *a, const double *b, int count);

/* The same with its interval, over resampled pairs. */
enum sy_status nas_kendall_interval(struct nas_interval *out, const double *a,
                                    const double *b, int count,
                                    struct sy_error *err) SY_MUST_USE;

#endif
