/*
 * buckets.h - how long things took, counted in fixed buckets.
 *
 * The bounds are the same everywhere (10 us to 10 s, three to a decade), so
 * that histograms of several servers can be added.
 *
 * Thread: any. A copy is consistent: its count is the sum of its buckets.
 */
#ifndef SRV_METRICS_BUCKETS_H
#define SRV_METRICS_BUCKETS_H

#include <stdatomic.h>
#include <stdint.h>

enum { SRV_BUCKETS = 19 };

/* Upper bounds in nanoseconds; what is longer is in one bucket more. */
extern const int64_t srv_bucket_ns[SRV_BUCKETS];

struct srv_buckets {
    _Atomic int64_t bucket[SRV_BUCKETS + 1];
    _Atomic int64_t sum_ns;
};

void srv_buckets_add(struct srv_buckets *histogram, int64_t ns);

#endif
