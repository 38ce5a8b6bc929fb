/*
 * histogram.c - many times of any size, kept to within one part in 128.
 */
#include "serving/load/histogram.h"

#include <math.h>

/* 0..127 for those values; above, the octave and the 7 bits after the first. */
static int bucket_of(int64_t value)
{
    const int64_t largest =
        ((int64_t)SRV_HISTOGRAM_PARTS << SRV_HISTOGRAM_OCTAVES) - 1;
    if (value < SRV_HISTOGRAM_PARTS) {
        return value < 0 ? 0 : (int)value;
    }
    value = value > largest ? largest : value;
    int octave = 63 - __builtin_clzll((unsigned long long)value) - 7;
    return octave * SRV_HISTOGRAM_PARTS + (int)(value >> octave);
}

/* The largest value of a bucket. */
static int64_t upper_edge(int bucket)
{
    if (bucket < SRV_HISTOGRAM_PARTS) {
        return bucket;
    }
    int octave = bucket / SRV_HISTOGRAM_PARTS - 1;
    int64_t part = bucket % SRV_HISTOGRAM_PARTS + SRV_HISTOGRAM_PARTS;
    return ((part + 1) << octave) - 1;
}

void srv_histogram_add(struct srv_histogram *histogram, int64_t value)
{
    value = value < 0 ? 0 : value;
    histogram->bucket[bucket_of(value)]++;
    histogram->count++;
    histogram->sum += (double)value;
    histogram->max = value > histogram->max ? value : histogram->max;
}

void srv_histogram_merge(struct srv_histogram *into,
                         const struct srv_histogram *from)
{
    for (int b = 0; b < SRV_HISTOGRAM_BUCKETS; b++) {
        into->bucket[b] += from->bucket[b];
    }
    into->count += from->count;
    into->sum += from->sum;
    into->max = from->max > into->max ? from->max : into->max;
}

int64_t srv_histogram_quantile(const struct srv_histogram *histogram, double q)
{
    int64_t rank = (int64_t)ceil(q * (double)histogram->count), seen = 0;
    rank = rank < 1 ? 1 : rank;
    for (int b = 0; b < SRV_HISTOGRAM_BUCKETS; b++) {
        seen += histogram->bucket[b];
        if (seen >= rank) {
            int64_t edge = upper_edge(b);
            return edge < histogram->max ? edge : histogram->max;
        }
    }
    return histogram->max;
}

double srv_histogram_mean(const struct srv_histogram *histogram)
{
    return histogram->count > 0 ? histogram->sum / (double)histogram->count
                                : 0.0;
}
