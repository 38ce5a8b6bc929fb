/*
 * build.h - measuring a latency table; runtime/latency has the rest of it.
 *
 * Thread: one at a time, alone on the machine.
 */
#ifndef NAS_LATENCY_BUILD_H
#define NAS_LATENCY_BUILD_H

#include "runtime/latency/latency.h"

struct nas_latency_options {
    const char *name; /* of the network, for readers of the file */
    int rounds;       /* of every measurement; 0 takes 101 */
    int fit_paths;    /* 0 takes 40 */
    int test_paths;   /* 0 takes 20 */
    uint64_t seed;    /* of weights, images, paths and orders */
};

/*
 * Measures the network of `spec` with random weights, which time does not
 * depend on. On success *table is the JSON of the file, an owned reference,
 * and `latency` the same applied to `spec`. Takes some seconds to a minute.
 */
enum sy_status nas_latency_build(json_t **table, struct sy_latency *latency,
                                 const struct sy_network_spec *spec,
                                 const struct nas_latency_options *options,
                                 struct sy_error *err) SY_MUST_USE;

#endif
