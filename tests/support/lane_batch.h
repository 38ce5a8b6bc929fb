/*
 * lane_batch.h - a random batch of requests on a network with experts, its
 * results, and what it should have cost.
 */
#ifndef SY_TESTS_LANE_BATCH_H
#define SY_TESTS_LANE_BATCH_H

#include "runtime/executor/executor.h"
#include "tests/support/random_network.h"

enum { SY_BATCH_REQUESTS = 7, SY_BATCH_CLASSES = 16 };

struct sy_lane_batch {
    int count;
    struct sy_request request[SY_BATCH_REQUESTS];
    struct sy_path path[SY_BATCH_REQUESTS]; /* of requests with a path */
    float outputs[SY_BATCH_REQUESTS][SY_MAX_LANES][SY_BATCH_CLASSES];
    float answers[SY_BATCH_REQUESTS][SY_MAX_LANES][SY_BATCH_CLASSES];
    float *image[SY_BATCH_REQUESTS];
};

/*
 * 1 to SY_BATCH_REQUESTS requests of random domains, each on 1 to
 * SY_MAX_LANES random experts of its domain (the same one may come twice), a
 * few on the path of an expert instead. A network without experts gets random
 * paths. Results are NaN until a run.
 */
void sy_lane_batch_make(struct sy_lane_batch *batch,
                        const struct sy_network *network, struct sy_rng *rng);
void sy_lane_batch_free(struct sy_lane_batch *batch);

/* The path of a request's lane. */
const struct sy_path *sy_lane_batch_path(const struct sy_lane_batch *batch,
                                         const struct sy_network *network,
                                         int request, int lane);
int sy_lane_batch_lanes(const struct sy_request *request);

/*
 * What the counters must be, from the paths alone: of the whole batch, and
 * blocks and madds of each request.
 */
void sy_lane_batch_cost(const struct sy_lane_batch *batch,
                        const struct sy_network *network,
                        struct sy_executor_stats *stats, int *blocks,
                        int64_t *madds);

#endif
