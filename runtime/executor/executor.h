/*
 * executor.h - lanes: runs just the blocks that a batch needs.
 *
 * A batch is a list of requests, each one image of one domain on one or more
 * experts. Each (image, expert) is a lane; lanes of one image that share a
 * prefix of blocks are one lane until their paths part. At each stage the
 * open lanes are grouped by block and each needed block runs once on its
 * group, whatever domains its lanes belong to; other blocks cost nothing.
 *
 * A request that names no experts goes the way of its domain's route: when
 * its lanes have ended the route is asked again, and may want further experts,
 * whose lanes begin where they part from those that ran. A gate of a route
 * (gate.h) runs behind the layer that it reads, on a lane that goes no further
 * before the gate has chosen. So a batch runs in rounds, and requests that
 * have their answer take no part in later ones.
 *
 * A request that names no domain begins with the root gate, which finds one.
 *
 * An image's result does not depend on what else is in the batch, nor on the
 * number of threads, bit for bit. All memory is taken when the executor is
 * made: running allocates nothing.
 *
 * Thread: sy_executor_new/free: init. sy_executor_run: one at a time per
 * executor; it runs on the pool.
 */
#ifndef SY_EXECUTOR_EXECUTOR_H
#define SY_EXECUTOR_EXECUTOR_H

#include "runtime/base/pool.h"
#include "runtime/executor/snapshot.h"

struct sy_executor;

enum { SY_MAX_LANES = 8 /* experts of one request */ };

struct sy_lane_result {
    /* Caller's buffers, `classes` floats each; NULL: not wanted. */
    float *outputs;       /* raw outputs (logits) */
    float *probabilities; /* the head's answer, calibrated */
};

struct sy_request {
    const float *image;         /* H x W x C, normalised, see dom_normalise */
    int domain;                 /* -1: the root gate finds it, by the route */
    int lane_count;             /* 1..SY_MAX_LANES, or 0: by the route */
    int expert[SY_MAX_LANES];   /* indices into the network's experts, */
    const struct sy_path *path; /* or, if not NULL: this path, one lane;
                                   every norm on it must exist */
    /*
     * By the route: what the request may cost in all, 0: no limit. Experts
     * that would pass it are not run, and the answer is the best one of those
     * that could be. See sy_route_least_madds for the lowest limit that gives
     * an answer.
     */
    int64_t max_madds;
    /*
     * An earlier request of the same run on the same image, or NULL: what its
     * lanes compute is not computed again for this one, also where the domain
     * is another one but block and norms are the same (shared snapshots know).
     * The earlier one is served as if it were alone.
     */
    const struct sy_request *beside;
    struct sy_lane_result result[SY_MAX_LANES]; /* by the route: the first */

    /*
     * With named lanes: where what the first one has behind its stem and
     * `tap_layers` layers is copied to, for those who fit gates; NULL: not
     * wanted. Room for sy_spec_shape(spec, tap_layers) floats.
     */
    float *tap;
    int tap_layers;

    /*
     * Filled in by the run. What several lanes of the request share counts
     * once. `blocks` counts blocks of layers only: neither stem, trunk and
     * head, nor zero blocks that pass their input on. `madds` counts stem,
     * trunk and head as well. What was shared with `beside` counts in neither,
     * but in `ns`: the time of all units on its way, where profiling is on.
     */
    int blocks;
    int64_t madds;
    int64_t ns;

    /*
     * Filled in where the route decided: SY_OK; SY_UNSUPPORTED where no expert
     * fits into max_madds, and then there is no result, nor with SY_NOT_FOUND,
     * where the root gate abstained; SY_INTERNAL where the answer, or what a
     * gate says, is not made of finite numbers. `reused` counts the blocks on
     * the ways of experts and gates that one before had computed. Raw outputs
     * of an answer that several experts gave are logarithms of it.
     *
     * `found` is the domain that answers, -1 where none was found, and
     * `sureness` the probability that the root gate gave it, or the likeliest;
     * 1 where the request named it. Results must have room for the classes of
     * any domain where the request names none.
     */
    enum sy_status status;
    int found;
    double sureness;
    int reused;
    struct sy_route_taken taken;
};

/*
 * Counters of the last run, over all its rounds, for tests and metrics. Blocks
 * that pass their input on compute nothing and count nowhere.
 */
struct sy_executor_stats {
    int block_runs;  /* groups run: (round, stage, unit), stem to head */
    int lane_stages; /* (lane, stage) pairs computed, shared ones once */
    int64_t madds;
};

/* Time spent in a unit since profiling was switched on, over all workers. */
struct sy_unit_profile {
    int64_t runs; /* images computed */
    int64_t ns;
};

/* Takes a reference to the snapshot. Borrows the pool. */
enum sy_status sy_executor_new(struct sy_executor **executor,
                               struct sy_snapshot *snapshot,
                               struct sy_pool *pool, int max_requests,
                               struct sy_error *err) SY_MUST_USE;
void sy_executor_free(struct sy_executor *executor);

/*
 * Writes to all memory that runs will use, so that the first of them meets no
 * page that the system has yet to find. Thread: any, before the first run.
 */
void sy_executor_warm(struct sy_executor *executor);

/*
 * Runs 1..max_requests requests. A request that names a domain or expert
 * which does not exist, an expert of another domain, or no domain where there
 * is no root gate, is a programming error. `stats` may be NULL.
 */
void sy_executor_run(struct sy_executor *executor, struct sy_request *requests,
                     int count, struct sy_executor_stats *stats);

/* The network it runs; borrowed until sy_executor_free. */
const struct sy_network *sy_executor_network(
    const struct sy_executor *executor);

/*
 * Switches the measuring of units on (from zero) or off. Off at first; on, it
 * costs two looks at the clock per image and unit. Thread: that of run.
 */
void sy_executor_profile(struct sy_executor *executor, bool on);

/* What was measured for the unit; borrowed until sy_executor_free. */
const struct sy_unit_profile *sy_executor_unit_profile(
    const struct sy_executor *executor, int unit);

#endif
