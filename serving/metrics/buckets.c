/*
 * buckets.c - one addition to a bucket, one to the sum.
 */
#include "serving/metrics/buckets.h"

const int64_t srv_bucket_ns[SRV_BUCKETS] = {
    10000,      20000,      50000,      100000,     200000,
    500000,     1000000,    2000000,    5000000,    10000000,
    20000000,   50000000,   100000000,  200000000,  500000000,
    1000000000, 2000000000, 5000000000, 10000000000};

void srv_buckets_add(struct srv_buckets *histogram, int64_t ns)
{
    int low = 0, high = SRV_BUCKETS;
    while (low < high) {
        int middle = (low + high) / 2;
        if (ns <= srv_bucket_ns[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    atomic_fetch_add_explicit(&histogram->bucket[low], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_ns, ns, memory_order_relaxed);
}
