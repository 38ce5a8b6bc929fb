/*
 * bench.h - microseconds per path, and whether they follow a cost.
 *
 * Shared by the program bench_executor and the command `switchyard bench`.
 *
 * Thread: one at a time; it runs the executors it is given.
 */
#ifndef SY_EXECUTOR_BENCH_H
#define SY_EXECUTOR_BENCH_H

#include "runtime/base/rng.h"
#include "runtime/executor/executor.h"

/* One path to be timed at batch 1, and what was found. */
struct sy_bench_case {
    struct sy_executor *executor; /* borrowed; cases may share one or not */
    const struct sy_path *path;
    int domain;
    double median_us; /* written by sy_bench_paths */
    double p95_us;
};

struct sy_bench_options {
    int rounds;    /* samples of each case; 0 takes 101 */
    int repeats;   /* runs of one sample; 0 takes 3 */
    uint64_t seed; /* of the images and of the order in each round */
};

/*
 * Times every case in every round, in an order drawn anew for each round, so
 * that whatever else the machine does meets all cases alike. A sample is the
 * mean over `repeats` runs after one run that is not timed (which brings the
 * path's weights back into the caches). `options` may be NULL.
 * Errors: SY_NO_MEMORY.
 */
enum sy_status sy_bench_paths(struct sy_bench_case *cases, int count,
                              const struct sy_bench_options *options,
                              struct sy_error *err) SY_MUST_USE;

/* A path through random candidates. */
struct sy_path sy_bench_random_path(const struct sy_network_spec *spec,
                                    struct sy_rng *rng);

/*
 * Spearman's rank correlation of a and b, in [-1, 1]: Pearson's correlation
 * of the ranks, where equal numbers share their mean rank. 0 where one of
 * them is constant. Takes time in count * count.
 */
double sy_spearman(const double *a, const double *b, int count);

#endif
