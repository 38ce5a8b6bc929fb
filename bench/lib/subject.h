/*
 * subject.h - the network of a configuration, with random numbers, for
 * comparisons in which both sides run the same ones.
 *
 * Thread: any, one at a time.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include "runtime/network/network.h"

enum { BENCH_CLASSES = 10 };

/*
 * Only the configuration's first path, for its first domain; or with `all`
 * every domain on its path. Ten classes each; weights and norms are random and
 * none is silent; the configuration's seed gives the same bits everywhere.
 * Returns an owned network.
 */
enum sy_status bench_network(struct sy_network **network, const char *config,
                             bool all, struct sy_error *err) SY_MUST_USE;

/* Random pixels in [-1, 1]; the same for the same count. */
void bench_pixels(float *pixels, size_t count);

#endif
