/*
 * stats.c - bootstrap intervals and Kendall's tau.
 *
 * Sources: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993
 * (percentile intervals); M. Kendall, "The treatment of ties in ranking
 * problems", Biometrika 33, 1945 (tau-b).
 */
#include "search/eval/stats.h"

#include <math.h>
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

enum { MEAN_RESAMPLES = 10000, KENDALL_RESAMPLES = 2000 };

static const double tail = 0.025; /* on each side */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The share `q` of sorted values lies below this, between two of them. */
static double quantile(const double *sorted, int count, double q)
{
    double at = q * (count - 1);
    int low = (int)at;
    int high = low + 1 < count ? low + 1 : low;
    return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

static void take_quantiles(struct nas_interval *out, double *found, int count)
{
    qsort(found, (size_t)count, sizeof *found, compare);
    out->low = quantile(found, count, tail);
    out->high = quantile(found, count, 1.0 - tail);
}

struct nas_moments nas_moments(const double *values, int count)
{
    SY_ASSERT(count >= 1);
    struct nas_moments m = {0};
    double squares = 0;
    for (int i = 0; i < count; i++) {
        m.mean += values[i] / count;
    }
    for (int i = 0; i < count; i++) {
        squares += (values[i] - m.mean) * (values[i] - m.mean);
    }
    m.std = count > 1 ? sqrt(squares / (count - 1)) : 0;
    m.error = m.std / sqrt(count);
    return m;
}

enum sy_status nas_mean_interval(struct nas_interval *out, const double *values,
                                 int count, struct sy_error *err)
{
    double *found = sy_alloc_zero(MEAN_RESAMPLES, sizeof *found);
    if (found == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "statistics: no memory");
    }
    for (int r = 0; r < MEAN_RESAMPLES; r++) {
        struct sy_rng rng = sy_rng_stream(0, SY_RNG_RESAMPLE, (uint64_t)r, 0);
        for (int i = 0; i < count; i++) {
            found[r] += values[sy_rng_below(&rng, (uint32_t)count)] / count;
        }
    }
    out->value = nas_moments(values, count).mean;
    take_quantiles(out, found, MEAN_RESAMPLES);
    sy_free(found);
    return SY_OK;
}

double nas_kendall(const double *a, const double *b, int count)
{
    double same = 0, apart_a = 0, apart_b = 0;
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < i; j++) {
            int x = (a[i] > a[j]) - (a[i] < a[j]);
            int y = (b[i] > b[j]) - (b[i] < b[j]);
            same += x * y;
            apart_a += x * x;
            apart_b += y * y;
        }
    }
    return apart_a > 0 && apart_b > 0 ? same / sqrt(apart_a * apart_b) : 0;
}

enum sy_status nas_kendall_interval(struct nas_interval *out, const double *a,
                                    const double *b, int count,
                                    struct sy_error *err)
{
    enum sy_status status = SY_OK;
    double *found = sy_alloc_zero(KENDALL_RESAMPLES, sizeof *found);
    double *x = sy_alloc_zero((size_t)count, sizeof *x);
    double *y = sy_alloc_zero((size_t)count, sizeof *y);
    if (found == NULL || x == NULL || y == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "statistics: no memory");
        goto out;
    }
    for (int r = 0; r < KENDALL_RESAMPLES; r++) {
        struct sy_rng rng = sy_rng_stream(1, SY_RNG_RESAMPLE, (uint64_t)r, 0);
        for (int i = 0; i < count; i++) {
            uint32_t pick = sy_rng_below(&rng, (uint32_t)count);
            x[i] = a[pick];
            y[i] = b[pick];
        }
        found[r] = nas_kendall(x, y, count);
    }
    out->value = nas_kendall(a, b, count);
    take_quantiles(out, found, KENDALL_RESAMPLES);
out:
    sy_free(found);
    sy_free(x);
    sy_free(y);
    return status;
}
