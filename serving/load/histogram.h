/*
 * histogram.h - many times of any size, kept to within one part in 128.
 *
 * Buckets grow with the values (the idea of HdrHistogram, G. Tene): below 128
 * each value has its own, above, every power of two is cut into 128. So a
 * percentile of nanoseconds is as exact at 50 us as at 5 s, recording is two
 * instructions and a store, and memory does not grow.
 *
 * Thread: one at a time.
 */
#ifndef SRV_LOAD_HISTOGRAM_H
#define SRV_LOAD_HISTOGRAM_H

#include <stdint.h>

enum {
    SRV_HISTOGRAM_PARTS = 128,
    SRV_HISTOGRAM_OCTAVES = 37, /* up to 2^44 - 1 ns, almost five hours */
    SRV_HISTOGRAM_BUCKETS = SRV_HISTOGRAM_PARTS * (1 + SRV_HISTOGRAM_OCTAVES)
};

/* All zero is an empty one. */
struct srv_histogram {
    int64_t count;
    int64_t max; /* exact */
    double sum;
    int64_t bucket[SRV_HISTOGRAM_BUCKETS];
};

/* Negative values count as 0, larger ones than fit in the last bucket. */
void srv_histogram_add(struct srv_histogram *histogram, int64_t value);

/* Adds all of `from` to `into`. */
void srv_histogram_merge(struct srv_histogram *into,
                         const struct srv_histogram *from);

/*
 * The value that a share `q` in [0, 1] of all values does not exceed: the
 * upper edge of its bucket, so that a percentile is never told too low, but
 * never above the largest value. 0 for an empty histogram.
 */
int64_t srv_histogram_quantile(const struct srv_histogram *histogram, double q);

double srv_histogram_mean(const struct srv_histogram *histogram);

#endif
