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
 * Building one is search/latency/build.h; reading it is here, because a search
 * looks for fast paths by it and a server turns deadlines into budgets.
 *
 * A table holds for every network whose input, stem, layers and head are
 * those of the table and whose blocks, told by id, are among the table's: one
 * made for a supernet serves the networks that are cut from it.
 *
 * Thread: any.
 */
#ifndef SY_LATENCY_H
#define SY_LATENCY_H

#include "runtime/base/machine.h"
#include "runtime/network/path.h"

enum { SY_LATENCY_HEADS = 3 }; /* measured with 10, 100 and 1000 classes */

extern const int sy_latency_classes[SY_LATENCY_HEADS];

/* How well predictions met measurements on paths not used for the fit. */
struct sy_latency_check {
    int fit_paths, test_paths; /* 0 to test: the network has too few paths */
    double median_error;       /* |predicted - measured| / measured */
    double worst_error;
};

/* A table as it applies to one network; offset and factor are in it. */
struct sy_latency {
    double constant_us; /* of any path: offset, stem, trunk */
    double block_us[SY_MAX_LAYERS][SY_MAX_BLOCKS]; /* at [layer][block] */
    double head_us[SY_LATENCY_HEADS];
    char cpu[SY_MACHINE_BYTES];
    char kernels[32];
    struct sy_latency_check check;
};

/* The domain's head; classes between the measured ones are interpolated. */
double sy_latency_head_us(const struct sy_latency *latency, int classes);

/* Microseconds of one image on one thread, all that it passes. */
double sy_latency_path_us(const struct sy_latency *latency,
                          const struct sy_path *path, int classes);

/*
 * Reads and checks a table and applies it to the network of `spec`. A table
 * of another network is refused with the first difference; one of another
 * processor or kernel set is taken with a warning in the log.
 */
enum sy_status sy_latency_load(struct sy_latency *latency, const char *file,
                               const struct sy_network_spec *spec,
                               struct sy_error *err) SY_MUST_USE;

/* The same for JSON in memory; `file` stands for it in messages. */
enum sy_status sy_latency_from_json(struct sy_latency *latency, json_t *json,
                                    const struct sy_network_spec *spec,
                                    const char *file,
                                    struct sy_error *err) SY_MUST_USE;

/* A warning in the log where a table is of another machine: its times still
   order paths, so it is taken. */
void sy_latency_warn_of_machine(const char *file, const char *cpu,
                                const char *kernels);

#endif
