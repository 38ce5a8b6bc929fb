/*
 * executor.c - lanes: runs just the blocks that a batch needs.
 *
 * DESIGN. A run opens the lanes of all requests, then walks the stages. At
 * each stage the states that wait are sorted by unit (a counting sort, so the
 * order is that of the requests within a unit) and become the tasks of one
 * loop on the pool: one task is all fused steps of one unit on one image, its
 * values in between in the worker's own memory. Neighbouring tasks use the
 * same weights, which therefore stay in the caches; a stage ends before the
 * next begins, since a lane's next input is its last output.
 *
 * When the last stage has ended, the routes of the requests are asked on the
 * pool (walks.c). Those that want further experts get new lanes, which wait at
 * the stages where they part from what is there, and the stages are walked
 * again for them alone. Only opening lanes is done by one thread.
 *
 * Why bits do not depend on the batch: a kernel sees one image, and which
 * kernel runs on which weights was fixed when the snapshot was made. Batch,
 * order and threads only decide when and where a task runs.
 *
 * The grouping is data (`order`, and the states it points at), not control
 * flow: another device can take it as it is.
 */
#include "runtime/executor/executor.h"

#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/executor/lanes.h"
#include "runtime/executor/walks.h"

/* One worker's memory, as large as the largest unit asks for. */
struct worker {
    float *values;
    float *scratch;
};

struct sy_executor {
    struct sy_snapshot *snapshot;
    const struct sy_network *network;
    struct sy_pool *pool;
    int max_requests;
    struct sy_lanes lanes;
    struct sy_walks walks;
    struct worker *worker; /* by worker of the pool */
    int *order;            /* waiting states, by unit */
    int *bucket;           /* of the counting sort */
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
    size_t workers = (size_t)sy_pool_threads(executor->pool);
    size_t units = (size_t)executor->network->unit_count;
    size_t capacity = 1, buckets = 1, values = 0, scratch = 0;
    struct sy_arena *memory = &executor->memory;

    for (int s = 0; s < executor->lanes.stage_count; s++) {
        const struct sy_lane_stage *stage = &executor->lanes.stage[s];
        size_t states = (size_t)stage->capacity;
        size_t kinds = (size_t)stage->unit_count;
        capacity = states > capacity ? states : capacity;
        buckets = kinds > buckets ? kinds : buckets;
    }
    for (int i = 0; i < executor->network->unit_count; i++) {
        const struct sy_ready_unit *unit =
            sy_snapshot_unit(executor->snapshot, i);
        values = unit->value_floats > values ? unit->value_floats : values;
        scratch =
            unit->scratch_floats > scratch ? unit->scratch_floats : scratch;
    }
    executor->order = sy_arena_zero(memory, capacity, sizeof(int));
    executor->bucket = sy_arena_zero(memory, buckets + 1, sizeof(int));
    executor->profile = sy_arena_zero(memory, units, sizeof *executor->profile);
    executor->worker = sy_arena_zero(memory, workers, sizeof *executor->worker);
    if (executor->order == NULL || executor->bucket == NULL ||
        executor->profile == NULL || executor->worker == NULL) {
        return SY_NO_MEMORY;
    }
    SY_TRY(sy_walks_init(&executor->walks, executor->network,
                         executor->max_requests, (int)workers, memory));
    for (size_t i = 0; i < workers; i++) {
        struct worker *worker = &executor->worker[i];
        worker->values = sy_arena_zero(memory, values, sizeof(float));
        worker->scratch = sy_arena_zero(memory, scratch, sizeof(float));
        if (worker->values == NULL || worker->scratch == NULL) {
            return SY_NO_MEMORY;
        }
    }
    return SY_OK;
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

/* Where a value of the unit lies, while `worker` computes `state`. */
static const float *locate(const struct sy_ready_unit *unit,
                           const struct sy_lane_state *state,
                           const struct worker *worker, int value)
{
    if (value == 0) {
        return state->input;
    }
    if (value == unit->output) {
        return state->buffer;
    }
    return worker->values + unit->at[value];
}

static void run_step(const struct sy_ready_unit *unit,
                     const struct sy_ready_step *step,
                     const struct sy_lane_state *state,
                     const struct worker *worker)
{
    const struct sy_node *node = &step->node;
    struct sy_infer_args args = {
        .node = node,
        .in = step->in,
        .out = step->out,
        .x = locate(unit, state, worker, node->in[0]),
        .packed = step->packed,
        .bias = step->bias,
        .y = node->out == unit->output ? state->buffer
                                       : worker->values + unit->at[node->out],
        .scratch = worker->scratch,
    };
    if (node->in[1] >= 0) {
        args.x2 = locate(unit, state, worker, node->in[1]);
    }
    if (step->residual >= 0) {
        args.residual = locate(unit, state, worker, step->residual);
    }
    if (node->norm >= 0) {
        const struct sy_folded_norm *norm =
            &unit->norm[state->slot * unit->norm_count + node->norm];
        SY_ASSERT(norm->scale != NULL);
        args.scale = norm->scale;
        args.bias = norm->bias;
    }
    step->infer(&args);
}

/* Task: one unit on one image. */
static void run_state(void *context, int task, int worker)
{
    const struct stage_run *run = context;
    const struct sy_executor *executor = run->executor;
    struct sy_lane_state *state = &run->stage->state[executor->order[task]];
    const struct sy_ready_unit *unit =
        sy_snapshot_unit(executor->snapshot, state->unit);
    int64_t start_ns = executor->profiling ? sy_now_ns() : 0;

    for (int i = 0; i < unit->step_count; i++) {
        run_step(unit, &unit->step[i], state, &executor->worker[worker]);
    }
    state->ns = executor->profiling ? sy_now_ns() - start_ns : 0;
}

/*
 * Sorts the stage's waiting states by unit into `order` and returns how many
 * there are; *groups becomes the number of different units among them.
 */
static int sort_waiting(struct sy_executor *executor,
                        const struct sy_lane_stage *stage, int *groups)
{
    int *start = executor->bucket; /* one more than units: see below */
    int waiting = 0;

    memset(start, 0, ((size_t)stage->unit_count + 1) * sizeof *start);
    for (int i = stage->done; i < stage->count; i++) {
        if (stage->state[i].buffer != NULL) {
            start[stage->state[i].unit - stage->first_unit + 1]++;
            waiting++;
        }
    }
    *groups = 0;
    for (int u = 1; u <= stage->unit_count; u++) {
        *groups += start[u] > 0 ? 1 : 0;
        start[u] += start[u - 1]; /* start[u - 1]: where unit u - 1 begins */
    }
    for (int i = stage->done; i < stage->count; i++) {
        if (stage->state[i].buffer != NULL) {
            int unit = stage->state[i].unit - stage->first_unit;
            executor->order[start[unit]++] = i;
        }
    }
    return waiting;
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
    int waiting = sort_waiting(executor, stage, &groups);
    sy_pool_run(executor->pool, waiting, run_state, &run);
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

    SY_ASSERT(request->domain >= 0 && request->domain < network->domain_count);
    request->blocks = 0;
    request->madds = 0;
    if (is_routed(request)) {
        sy_walks_begin(&executor->walks, index, request);
        sy_walks_ask(&executor->walks, index, 0, &executor->lanes, request);
        (void)sy_walks_open(&executor->walks, index, &executor->lanes, request);
        return;
    }
    if (request->path != NULL) {
        SY_ASSERT(request->path->layer_count == network->spec.layer_count);
        (void)sy_lanes_open(&executor->lanes, index, request->image,
                            request->domain, request->path);
        return;
    }
    SY_ASSERT(request->lane_count >= 1 && request->lane_count <= SY_MAX_LANES);
    for (int lane = 0; lane < request->lane_count; lane++) {
        int expert = request->expert[lane];
        SY_ASSERT(expert >= 0 && expert < network->expert_count);
        SY_ASSERT(network->expert[expert].domain == request->domain);
        (void)sy_lanes_open(&executor->lanes, index, request->image,
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

    for (int lane = 0; lane < lanes->open[index]; lane++) {
        struct sy_lane_result *result = &request->result[lane];
        const struct sy_lane_state *state =
            sy_lanes_state(lanes, index, lane, lanes->stage_count - 1);
        if (result->outputs != NULL) {
            memcpy(result->outputs, state->output,
                   (size_t)classes * sizeof(float));
        }
        if (result->probabilities != NULL) {
            double temperature =
                request->path != NULL
                    ? 1.0
                    : network->expert[request->expert[lane]].temperature;
            sy_head_classify.answer(state->output, classes, temperature,
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
