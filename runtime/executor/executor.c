/*
 * executor.c - lanes: runs just the blocks that a batch needs.
 *
 * DESIGN. A run opens the lanes of all requests, then walks the stages. At
 * each stage the states that wait are sorted by unit, and by slot within it (a
 * counting sort, so the order is that of the requests otherwise), and cut into
 * the tasks of one loop on the pool. A task is all fused steps of one unit on
 * a tile of images, its values in between in the worker's own memory. A tile
 * is as large as that memory stays in the core's cache (sy_ready_unit): late
 * layers of few positions and many weights so read each weight once for many
 * images, early layers see one image. Images of several domains share a tile;
 * the steps that have norms run once for each slot in it. A stage ends before
 * the next begins, since a lane's next input is its last output.
 *
 * When the last stage has ended, the routes of the requests are asked on the
 * pool (walks.c). Those that want further experts get new lanes, which wait at
 * the stages where they part from what is there, and the stages are walked
 * again for them alone. Only opening lanes is done by one thread.
 *
 * Why bits do not depend on the batch: a kernel sums each image's numbers in
 * an order that the shapes fix, however many images it gets, and which kernel
 * runs on which weights was fixed when the snapshot was made. Batch, order and
 * threads only decide when and where an image is computed, and with which.
 *
 * The grouping is data (`order`, the tiles that cut it, and the states it
 * points at), not control flow: another device can take it as it is.
 */
#include "runtime/executor/executor.h"

#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/executor/lanes.h"
#include "runtime/executor/tile.h"
#include "runtime/executor/walks.h"

/* One task: order[first .. first + count), states of one unit. */
struct tile {
    int first, count;
};

struct sy_executor {
    struct sy_snapshot *snapshot;
    const struct sy_network *network;
    struct sy_pool *pool;
    int max_requests;
    struct sy_lanes lanes;
    struct sy_walks walks;
    struct sy_tile_memory *worker; /* by worker of the pool */
    int *order;                    /* waiting states, by unit and slot */
    int *bucket;                   /* of the counting sort */
    struct tile *tile;             /* cuts of `order`, one each state at most */
    bool profiling;
    struct sy_unit_profile *profile; /* by unit */
    struct sy_arena memory;          /* the arrays above */
};

/* What the tasks of one stage share. */
struct stage_run {
    const struct sy_executor *executor;
    struct sy_lane_stage *stage;
};

/* What the tasks at the end of a round share. */
struct round_end {
    struct sy_executor *executor;
    struct sy_request *requests;
    bool first; /* round of the batch */
};

static enum sy_status allocate(struct sy_executor *executor)
{
    size_t units = (size_t)executor->network->unit_count;
    size_t slots = (size_t)sy_network_slots(executor->network);
    size_t capacity = 1, buckets = 1;
    struct sy_arena *memory = &executor->memory;

    for (int s = 0; s < executor->lanes.stage_count; s++) {
        const struct sy_lane_stage *stage = &executor->lanes.stage[s];
        size_t states = (size_t)stage->capacity;
        size_t kinds = (size_t)stage->unit_count * slots;
        capacity = states > capacity ? states : capacity;
        buckets = kinds > buckets ? kinds : buckets;
    }
    executor->order = sy_arena_zero(memory, capacity, sizeof(int));
    executor->tile = sy_arena_zero(memory, capacity, sizeof *executor->tile);
    executor->bucket = sy_arena_zero(memory, buckets + 1, sizeof(int));
    executor->profile = sy_arena_zero(memory, units, sizeof *executor->profile);
    if (executor->order == NULL || executor->tile == NULL ||
        executor->bucket == NULL || executor->profile == NULL) {
        return SY_NO_MEMORY;
    }
    size_t workers = (size_t)sy_pool_threads(executor->pool);
    SY_TRY(sy_walks_init(&executor->walks, executor->network,
                         executor->max_requests, (int)workers, memory));
    executor->worker = sy_arena_zero(memory, workers, sizeof *executor->worker);
    for (size_t i = 0; executor->worker != NULL && i < workers; i++) {
        SY_TRY(sy_tile_memory_init(&executor->worker[i], executor->snapshot,
                                   memory));
    }
    return executor->worker != NULL ? SY_OK : SY_NO_MEMORY;
}

enum sy_status sy_executor_new(struct sy_executor **executor,
                               struct sy_snapshot *snapshot,
                               struct sy_pool *pool, int max_requests,
                               struct sy_error *err)
{
    SY_ASSERT(max_requests > 0);
    struct sy_executor *e = sy_alloc_zero(1, sizeof *e);
    if (e == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "executor: no memory");
    }
    e->pool = pool;
    e->max_requests = max_requests;
    e->network = sy_snapshot_network(snapshot);
    sy_arena_init(&e->memory, 0);
    enum sy_status status =
        sy_lanes_init(&e->lanes, snapshot, max_requests, err);
    if (status != SY_OK) {
        sy_free(e);
        return status;
    }
    e->snapshot = sy_snapshot_ref(snapshot);
    if (allocate(e) != SY_OK) {
        sy_executor_free(e);
        return sy_fail(err, SY_NO_MEMORY, "executor: no memory for workers");
    }
    *executor = e;
    return SY_OK;
}

void sy_executor_free(struct sy_executor *executor)
{
    if (executor == NULL) {
        return;
    }
    sy_lanes_release(&executor->lanes);
    sy_arena_release(&executor->memory);
    sy_snapshot_unref(executor->snapshot);
    sy_free(executor);
}

void sy_executor_warm(struct sy_executor *executor)
{
    sy_lanes_warm(&executor->lanes);
}

/* The unit that a child of the stage's state is going to run, or NULL. */
static const struct sy_ready_unit *next_unit(const struct sy_executor *executor,
                                             const struct sy_lane_stage *stage,
                                             int state)
{
    const struct sy_lane_stage *next = stage + 1;
    const struct sy_lanes *lanes = &executor->lanes;

    if (next > lanes->stage + lanes->head_stage) {
        return NULL; /* gates read what lies further back, and are small */
    }
    for (int i = next->done; i < next->count; i++) {
        if (next->state[i].parent == state) {
            return sy_snapshot_unit(executor->snapshot, next->state[i].unit);
        }
    }
    return NULL;
}

/* Task: one unit on a tile of images. */
static void run_tile(void *context, int task, int worker)
{
    const struct stage_run *run = context;
    const struct sy_executor *executor = run->executor;
    const struct tile *tile = &executor->tile[task];
    const int *order = executor->order + tile->first;
    struct sy_lane_state *states = run->stage->state;
    int64_t start_ns = executor->profiling ? sy_now_ns() : 0;

    sy_tile_run(sy_snapshot_unit(executor->snapshot, states[order[0]].unit),
                next_unit(executor, run->stage, order[0]),
                &executor->worker[worker], states, order, tile->count);
    for (int i = 0; executor->profiling && i < tile->count; i++) {
        states[order[i]].ns = (sy_now_ns() - start_ns) / tile->count;
    }
}

/* The bucket of a state: slots of a unit stand side by side. */
static int bucket_of(const struct sy_lane_stage *stage,
                     const struct sy_lane_state *state, int slots)
{
    return (state->unit - stage->first_unit) * slots + state->slot;
}

/*
 * Sorts the stage's waiting states by unit and slot into `order` and returns
 * how many there are.
 */
static int sort_waiting(struct sy_executor *executor,
                        const struct sy_lane_stage *stage)
{
    int slots = sy_network_slots(executor->network);
    int buckets = stage->unit_count * slots;
    int *start = executor->bucket; /* one more than buckets: see below */
    int waiting = 0;

    memset(start, 0, ((size_t)buckets + 1) * sizeof *start);
    for (int i = stage->done; i < stage->count; i++) {
        if (stage->state[i].computes) {
            start[bucket_of(stage, &stage->state[i], slots) + 1]++;
            waiting++;
        }
    }
    for (int b = 1; b <= buckets; b++) {
        start[b] += start[b - 1]; /* start[b - 1]: where bucket b - 1 begins */
    }
    for (int i = stage->done; i < stage->count; i++) {
        if (stage->state[i].computes) {
            int bucket = bucket_of(stage, &stage->state[i], slots);
            executor->order[start[bucket]++] = i;
        }
    }
    return waiting;
}

/*
 * Cuts order[first .. first + count), the states of one unit, into tiles of
 * nearly equal size, as few as the unit's tile allows, and in a number that
 * keeps every thread busy. Returns how many tiles there are with those before.
 */
static int cut_tiles(struct sy_executor *executor, int tiles, int first,
                     int count, int most)
{
    int threads = sy_pool_threads(executor->pool);
    int pieces = (count + most - 1) / most;

    pieces = (pieces + threads - 1) / threads * threads;
    pieces = pieces < count ? pieces : count;
    for (int i = 0; i < pieces; i++) {
        int begin = (int)((int64_t)count * i / pieces);
        int end = (int)((int64_t)count * (i + 1) / pieces);
        executor->tile[tiles++] = (struct tile){first + begin, end - begin};
    }
    return tiles;
}

/* Cuts the sorted states; *groups becomes the number of units among them. */
static int cut_waiting(struct sy_executor *executor,
                       const struct sy_lane_stage *stage, int waiting,
                       int *groups)
{
    const int *order = executor->order;
    int tiles = 0;

    *groups = 0;
    for (int i = 0, end; i < waiting; i = end) {
        int unit = stage->state[order[i]].unit;
        for (end = i + 1;
             end < waiting && stage->state[order[end]].unit == unit;) {
            end++;
        }
        tiles = cut_tiles(executor, tiles, i, end - i,
                          sy_snapshot_unit(executor->snapshot, unit)->tile);
        ++*groups;
    }
    return tiles;
}

/* Adds what the stage has cost to the request and the totals. */
static void account(struct sy_executor *executor,
                    const struct sy_lane_stage *stage, int waiting,
                    struct sy_request *requests,
                    struct sy_executor_stats *stats)
{
    for (int i = 0; i < waiting; i++) {
        const struct sy_lane_state *state = &stage->state[executor->order[i]];
        const struct sy_ready_unit *unit =
            sy_snapshot_unit(executor->snapshot, state->unit);
        struct sy_request *request = &requests[state->request];
        request->madds += unit->madds;
        request->blocks += executor->network->unit[state->unit].layer >= 0;
        stats->madds += unit->madds;
        if (executor->profiling) {
            executor->profile[state->unit].runs++;
            executor->profile[state->unit].ns += state->ns;
        }
    }
    stats->lane_stages += waiting;
}

static void run_stage(struct sy_executor *executor, int index,
                      struct sy_request *requests,
                      struct sy_executor_stats *stats)
{
    struct sy_lane_stage *stage = &executor->lanes.stage[index];
    struct stage_run run = {executor, stage};
    int groups;

    if (stage->done == stage->count) {
        return; /* most stages of a later round */
    }
    int waiting = sort_waiting(executor, stage);
    int tiles = cut_waiting(executor, stage, waiting, &groups);

    sy_lanes_place(&executor->lanes, index, executor->order, waiting);
    sy_pool_run(executor->pool, tiles, run_tile, &run);
    stage->done = stage->count;
    stats->block_runs += groups;
    account(executor, stage, waiting, requests, stats);
}

/* True for a request that goes the way of its domain's route. */
static bool is_routed(const struct sy_request *request)
{
    return request->path == NULL && request->lane_count == 0;
}

/* Opens the request's first lanes, after a check of what it names. */
static void open_lanes(struct sy_executor *executor, int index,
                       struct sy_request *request)
{
    const struct sy_network *network = executor->network;
    int beside = sy_lanes_beside(request, index);

    SY_ASSERT(request->domain >= -1 && request->domain < network->domain_count);
    SY_ASSERT(request->domain >= 0 || is_routed(request));
    SY_ASSERT(beside < index);
    request->blocks = 0;
    request->madds = 0;
    request->ns = 0;
    request->found = request->domain;
    request->sureness = 1.0;
    if (is_routed(request)) {
        sy_walks_begin(&executor->walks, index, request);
        if (request->domain >= 0) {
            sy_walks_ask(&executor->walks, index, 0, &executor->lanes, request);
        }
        (void)sy_walks_open(&executor->walks, index, &executor->lanes, request);
        return;
    }
    if (request->path != NULL) {
        SY_ASSERT(request->path->layer_count == network->spec.layer_count);
        (void)sy_lanes_open(&executor->lanes, index, beside, request->image,
                            request->domain, request->path);
        return;
    }
    SY_ASSERT(request->lane_count >= 1 && request->lane_count <= SY_MAX_LANES);
    for (int lane = 0; lane < request->lane_count; lane++) {
        int expert = request->expert[lane];
        SY_ASSERT(expert >= 0 && expert < network->expert_count);
        SY_ASSERT(network->expert[expert].domain == request->domain);
        (void)sy_lanes_open(&executor->lanes, index, beside, request->image,
                            request->domain, &network->expert[expert].path);
    }
}

/* Hands a request that named its lanes their results. */
static void finish_lanes(const struct sy_executor *executor, int index,
                         struct sy_request *request)
{
    const struct sy_network *network = executor->network;
    const struct sy_lanes *lanes = &executor->lanes;
    int classes = network->domain[request->domain].classes;

    if (request->tap != NULL) {
        struct sy_shape shape =
            sy_spec_shape(&network->spec, request->tap_layers);
        memcpy(request->tap,
               sy_lanes_state(lanes, index, 0, request->tap_layers)->output,
               sy_shape_floats(shape) * sizeof(float));
    }
    for (int lane = 0; lane < lanes->open[index]; lane++) {
        struct sy_lane_result *result = &request->result[lane];
        const float *outputs = sy_lanes_outputs(lanes, index, lane, false);
        if (result->outputs != NULL) {
            memcpy(result->outputs, outputs, (size_t)classes * sizeof(float));
        }
        if (result->probabilities != NULL) {
            double temperature =
                request->path != NULL
                    ? 1.0
                    : network->expert[request->expert[lane]].temperature;
            sy_head_classify.answer(outputs, classes, temperature,
                                    result->probabilities);
        }
    }
}

/* Task: hands a request its results, or asks its route what comes next. */
static void end_round(void *context, int task, int worker)
{
    const struct round_end *end = context;
    struct sy_executor *executor = end->executor;
    struct sy_request *request = &end->requests[task];

    if (is_routed(request)) {
        sy_walks_ask(&executor->walks, task, worker, &executor->lanes, request);
    } else if (end->first) {
        finish_lanes(executor, task, request);
    }
}

/* Opens the lanes that the walks wait for; returns how many. */
static int open_round(struct sy_executor *executor,
                      const struct sy_request *requests, int count)
{
    int opened = 0;

    for (int i = 0; i < count; i++) {
        if (is_routed(&requests[i])) {
            opened += sy_walks_open(&executor->walks, i, &executor->lanes,
                                    &requests[i]);
        }
    }
    return opened;
}

void sy_executor_run(struct sy_executor *executor, struct sy_request *requests,
                     int count, struct sy_executor_stats *stats)
{
    struct sy_executor_stats unwanted;
    struct round_end end = {executor, requests, true};

    SY_ASSERT(count >= 1 && count <= executor->max_requests);
    stats = stats != NULL ? stats : &unwanted;
    *stats = (struct sy_executor_stats){0};
    sy_lanes_begin(&executor->lanes);
    for (int i = 0; i < count; i++) {
        open_lanes(executor, i, &requests[i]);
    }
    do {
        for (int s = 0; s < executor->lanes.stage_count; s++) {
            run_stage(executor, s, requests, stats);
        }
        sy_pool_run(executor->pool, count, end_round, &end);
        end.first = false;
    } while (open_round(executor, requests, count) > 0);
    for (int i = 0; executor->profiling && i < count; i++) {
        requests[i].ns = sy_lanes_ns(&executor->lanes, i);
    }
}

const struct sy_network *sy_executor_network(const struct sy_executor *executor)
{
    return executor->network;
}

void sy_executor_profile(struct sy_executor *executor, bool on)
{
    executor->profiling = on;
    if (on) {
        memset(executor->profile, 0,
               (size_t)executor->network->unit_count *
                   sizeof *executor->profile);
    }
}

const struct sy_unit_profile *sy_executor_unit_profile(
    const struct sy_executor *executor, int unit)
{
    SY_ASSERT(unit >= 0 && unit < executor->network->unit_count);
    return &executor->profile[unit];
}
