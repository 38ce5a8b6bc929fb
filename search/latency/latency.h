/*
 * latency.h - what a path costs in microseconds on a machine.
 *
 * `switchyard latency build` measures every block of a network once, one
 * image at a time on one thread, as the executor runs them, and writes a
 * table; docs/latency.md has its format. A path then costs
 *
 *     offset + factor x (stem + its blocks + trunk + head)
 *
 * where offset and factor were fitted on random paths measured end to end and
 * checked on others, so the table itself says how far it can be trusted.
 *
 * A table holds for every network whose input, stem, layers and head are
 * those of the table and whose blocks, told by id, are among the table's: one
 * made for a supernet serves the networks that are cut from it.
 *
 * Thread: building: one at a time, alone on the machine; the rest: any.
 */
#ifndef NAS_LATENCY_H
#define NAS_LATENCY_H

#include "runtime/base/machine.h"
#include "runtime/network/path.h"

enum { NAS_LATENCY_HEADS = 3 }; /* measured with 10, 100 and 1000 classes */

extern const int nas_latency_classes[NAS_LATENCY_HEADS];

/* How well predictions met measurements on paths not used for the fit. */
struct nas_latency_check {
    int fit_paths, test_paths; /* 0 to test: the network has too few paths */
    double median_error;       /* |predicted - measured| / measured */
    double worst_error;
};

/* A table as it applies to one network; offset and factor are in it. */
struct nas_latency {
    double constant_us; /* of any path: offset, stem, trunk */
    double block_us[SY_MAX_LAYERS][SY_MAX_BLOCKS]; /* at [layer][block] */
    double head_us[NAS_LATENCY_HEADS];
    char cpu[SY_MACHINE_BYTES];
    char kernels[32];
    struct nas_latency_check check;
};

/* The domain's head; classes between the measured ones are interpolated. */
double nas_latency_head_us(const struct nas_latency *latency, int classes);

/* Microseconds of one image on one thread, all that it passes. */
double nas_latency_path_us(const struct nas_latency *latency,
                           const struct sy_path *path, int classes);

/*
 * Reads and checks a table and applies it to the network of `spec`. A table
 * of another network is refused with the first difference; one of another
 * processor or kernel set is taken with a warning in the log.
 */
enum sy_status nas_latency_load(struct nas_latency *latency, const char *file,
                                const struct sy_network_spec *spec,
                                struct sy_error *err) SY_MUST_USE;

/* The same for JSON in memory; `file` stands for it in messages. */
enum sy_status nas_latency_from_json(struct nas_latency *latency, json_t *json,
                                     const struct sy_network_spec *spec,
                                     const char *file,
                                     struct sy_error *err) SY_MUST_USE;

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
enum sy_status nas_latency_build(json_t **table, struct nas_latency *latency,
                                 const struct sy_network_spec *spec,
                                 const struct nas_latency_options *options,
                                 struct sy_error *err) SY_MUST_USE;

#endif
