/*
 * small_job.h - a job that is done in a moment, for the tests of training and
 * of searching: three small domains, a network of two layers, and what both
 * loops promise about stops and threads. Failures end the test.
 */
#ifndef SY_TESTS_SMALL_JOB_H
#define SY_TESTS_SMALL_JOB_H

#include "runtime/base/hash.h"
#include "search/config.h"

/* The start of a configuration; BLOCK is one more candidate of the second
   layer with a comma behind it, or "". What follows begins with a key. */
#define SY_SMALL_JOB(BLOCK)                                                    \
    "{\"name\":\"small\",\"domains\":[\"few\",\"many\",\"one\"],"              \
    "\"network\":{\"input\":{\"height\":5,\"width\":3},"                       \
    "\"stem\":{\"kind\":\"conv\",\"channels\":8,\"stride\":2},"                \
    "\"layers\":[{\"channels\":8,\"blocks\":[{\"kind\":\"conv\"},"             \
    "{\"kind\":\"zero\"}]},{\"channels\":16,\"stride\":2,\"blocks\":["         \
    "{\"kind\":\"mbconv\",\"se\":true}," BLOCK "{\"kind\":\"zero\"}]}],"       \
    "\"head\":{\"kind\":\"classify\",\"width\":8}},"

/* Overrides of a configuration, from the first to the first NULL. */
enum { SY_SMALL_SETS = 5 };
struct sy_small_sets {
    const char *set[SY_SMALL_SETS];
};

/*
 * Writes the domains, of 30, 50 and `one` training images and 3, 2 and 1
 * classes, and the configuration.
 */
void sy_put_small_job(const char *config, int one);

/* Loads that configuration; owned. */
void sy_load_small_job(struct nas_config *config,
                       const struct sy_small_sets *sets);

/* What a run has left. */
struct sy_small_run {
    int64_t steps;
    char hash[2 * SY_HASH_TEXT_BYTES];
};

/* Runs `way` to NAME; `stopped` ends it after a step, however it began. */
typedef enum sy_status (*sy_small_run_fn)(const void *way, const char *name,
                                          int threads, bool resume,
                                          bool stopped,
                                          struct sy_small_run *run,
                                          struct sy_error *err);

/*
 * A run that is stopped has done one step more. So one that is stopped at
 * once, again and again, goes through the checkpoint after every step, and
 * must end in the bits of one that was never stopped, and of one on three
 * threads.
 */
void sy_check_stops(sy_small_run_fn run, const void *way, int64_t steps);

/* The weights in a checkpoint are numbers. */
void sy_check_finite(const char *checkpoint);

#endif
