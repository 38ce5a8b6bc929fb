/*
 * executor.h - lanes: runs just the blocks that a batch needs.
 *
 * A batch is a list of requests, each one image of one domain on one or more
 * experts. Each (image, expert) is a lane; lanes of one image that share a
 * prefix of blocks are one lane until their paths part. At each stage the
 * open lanes are grouped by block and each needed block runs once on its
 * group, whatever domains its lanes belong to; other blocks cost nothing.
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
    const float *image; /* H x W x C, normalised, see dom_normalise */
    int domain;
    int lane_count;             /* 1..SY_MAX_LANES */
    int expert[SY_MAX_LANES];   /* indices into the network's experts, */
    const struct sy_path *path; /* or, if not NULL: this path, one lane */
    struct sy_lane_result result[SY_MAX_LANES];

    /* Filled in by the run. */
    int blocks;    /* blocks executed for this request, shared ones once */
    int64_t madds; /* multiply-adds spent on it */
};

/* Counters of the last run, for tests and metrics. */
struct sy_executor_stats {
    int block_runs;     /* groups run: (stage, block) pairs */
    int lane_stages;    /* (lane, stage) pairs computed */
    int64_t madds;
};

/* Takes a reference to the snapshot. Borrows the pool. */
enum sy_status sy_executor_new(struct sy_executor **executor,
                               struct sy_snapshot *snapshot,
                               struct sy_pool *pool, int max_requests,
                               struct sy_error *err) SY_MUST_USE;
void sy_executor_free(struct sy_executor *executor);

/*
 * Runs 1..max_requests requests. A request that names a domain or expert
 * which does not exist is a programming error.
 */
void sy_executor_run(struct sy_executor *executor,
                     struct sy_request *requests, int count,
                     struct sy_executor_stats *stats);

#endif
