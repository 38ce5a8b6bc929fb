/*
 * lane_batch.c - a random batch of requests and what it should have cost.
 *
 * DESIGN. The cost is counted from the definition: a lane's unit at a stage
 * counts unless it computes nothing, or an earlier lane of the same request
 * has taken the same units up to and with that stage.
 */
#include "tests/support/lane_batch.h"

#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"

static void make_request(struct sy_lane_batch *batch, int index,
                         const struct sy_network *network, struct sy_rng *rng)
{
    struct sy_request *request = &batch->request[index];
    int experts = network->expert_count / network->domain_count;

    batch->image[index] = sy_random_image(network, rng);
    *request = (struct sy_request){
        .image = batch->image[index],
        .domain = (int)sy_rng_below(rng, (uint32_t)network->domain_count),
    };
    if (experts == 0 || sy_rng_below(rng, 5) == 0) {
        batch->path[index] = sy_random_path(&network->spec, rng);
        if (experts > 0) {
            uint32_t e = sy_rng_below(rng, (uint32_t)experts);
            batch->path[index] =
                network->expert[request->domain * experts + (int)e].path;
        }
        request->path = &batch->path[index];
    } else {
        request->lane_count = 1 + (int)sy_rng_below(rng, SY_MAX_LANES);
        for (int l = 0; l < request->lane_count; l++) {
            uint32_t e = sy_rng_below(rng, (uint32_t)experts);
            request->expert[l] = request->domain * experts + (int)e;
        }
    }
    for (int l = 0; l < SY_MAX_LANES; l++) {
        request->result[l].outputs = batch->outputs[index][l];
        request->result[l].probabilities = batch->answers[index][l];
    }
}

void sy_lane_batch_make(struct sy_lane_batch *batch,
                        const struct sy_network *network, struct sy_rng *rng)
{
    memset(batch, 0, sizeof *batch);
    memset(batch->outputs, 0xFF, sizeof batch->outputs);
    memset(batch->answers, 0xFF, sizeof batch->answers);
    batch->count = 1 + (int)sy_rng_below(rng, SY_BATCH_REQUESTS);
    for (int i = 0; i < batch->count; i++) {
        make_request(batch, i, network, rng);
    }
}

void sy_lane_batch_free(struct sy_lane_batch *batch)
{
    for (int i = 0; i < batch->count; i++) {
        sy_free(batch->image[i]);
    }
}

int sy_lane_batch_lanes(const struct sy_request *request)
{
    return request->path != NULL ? 1 : request->lane_count;
}

const struct sy_path *sy_lane_batch_path(const struct sy_lane_batch *batch,
                                         const struct sy_network *network,
                                         int request, int lane)
{
    const struct sy_request *r = &batch->request[request];
    return r->path != NULL ? r->path : &network->expert[r->expert[lane]].path;
}

/* True if an earlier lane of the request has computed this already. */
static bool is_shared(const struct sy_lane_batch *batch,
                      const struct sy_network *network, int request, int lane,
                      int stage)
{
    const struct sy_path *path =
        sy_lane_batch_path(batch, network, request, lane);
    int layers = network->spec.layer_count;
    int upto = stage < layers ? stage : layers; /* blocks that must agree */

    for (int other = 0; other < lane; other++) {
        const struct sy_path *earlier =
            sy_lane_batch_path(batch, network, request, other);
        if (memcmp(path->block, earlier->block,
                   (size_t)upto * sizeof path->block[0]) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds one lane's unit at one stage. */
static void count_unit(const struct sy_network *network, int unit,
                       bool *ran_before, struct sy_executor_stats *stats,
                       int *blocks, int64_t *madds)
{
    stats->lane_stages++;
    stats->block_runs += !*ran_before;
    *ran_before = true;
    stats->madds += network->unit[unit].cost.madds;
    *madds += network->unit[unit].cost.madds;
    *blocks += network->unit[unit].layer >= 0;
}

void sy_lane_batch_cost(const struct sy_lane_batch *batch,
                        const struct sy_network *network,
                        struct sy_executor_stats *stats, int *blocks,
                        int64_t *madds)
{
    bool *ran = sy_alloc_zero((size_t)network->unit_count, sizeof *ran);
    SY_ASSERT(ran != NULL);
    *stats = (struct sy_executor_stats){0};
    for (int i = 0; i < batch->count; i++) {
        blocks[i] = 0;
        madds[i] = 0;
        for (int l = 0; l < sy_lane_batch_lanes(&batch->request[i]); l++) {
            const struct sy_path *path =
                sy_lane_batch_path(batch, network, i, l);
            for (int s = 0; s < sy_network_stages(network); s++) {
                int unit = sy_network_stage_unit(network, s, path,
                                                 batch->request[i].domain);
                if (network->unit[unit].plan.node_count > 0 &&
                    !is_shared(batch, network, i, l, s)) {
                    count_unit(network, unit, &ran[unit], stats, &blocks[i],
                               &madds[i]);
                }
            }
        }
    }
    sy_free(ran);
}
