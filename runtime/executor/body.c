/*
 * body.c - a unit made ready: fused steps with kernels and packed weights.
 *
 * DESIGN. Everything that can be decided before a request comes is decided
 * here: plans are fused, each step gets the backend's kernel or, where the
 * backend has none for its operator, the reference's together with the
 * reference's packing and scratch; weights are packed once, in full or half
 * width, however many domains and snapshots use them; values inside a block get
 * their place in the worker's memory; and how many images one task takes
 * follows from the size of what is between.
 *
 * All of it is copied into one arena, so that a body outlives the network that
 * it was made from: packed weights in the order of the steps, and behind them
 * what is used as it is (biases).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/half.h"
#include "runtime/base/memory.h"
#include "runtime/base/rest.h"
#include "runtime/executor/parts.h"
#include "runtime/network/sums.h"

enum {
    LINE_BYTES = 64,
    TILE_BYTES = 512 * 1024,
    MAX_TILE = 16,
    BLOCK_BYTES = 4096 /* of a body's arena: holds the steps of most */
};

/* Who computes the operator: the backend if it can, else the reference. */
static const struct sy_backend *provider(const struct sy_backend *backend,
                                         enum sy_op_kind op)
{
    return backend->infer[op] != NULL ? backend : &sy_backend_reference;
}

/* True if the backend runs pairs, and has both kinds of step in its packing. */
static bool pairs(const struct sy_backend *backend)
{
    return backend->infer_pair != NULL && backend->infer[SY_OP_CONV] != NULL &&
           backend->infer[SY_OP_DEPTHWISE] != NULL;
}

/* What is at hand while the steps of a unit are made. */
struct making {
    const struct sy_network *network;
    const struct sy_unit *unit;
    const struct sy_backend *backend;
    enum sy_weights weights;
    struct sy_ready_body *body;
    char *room; /* for packed weights; moves on */
};

static bool packs(const struct sy_backend *backend, const struct sy_node *node)
{
    return node->weight >= 0 && backend->pack != NULL &&
           backend->packed_floats != NULL;
}

static size_t packed_numbers(const struct making *making,
                             const struct sy_node *node)
{
    const struct sy_plan *plan = &making->unit->plan;
    const struct sy_backend *backend = provider(making->backend, node->op);
    return packs(backend, node)
               ? backend->packed_floats(node, plan->value[node->in[0]],
                                        plan->value[node->out])
               : 0;
}

static size_t param_floats(const struct sy_plan_param *param)
{
    size_t floats = 1;
    for (int d = 0; d < param->dims; d++) {
        floats *= (size_t)param->dim[d];
    }
    return floats;
}

/* The values of a parameter, as they are. */
static const float *raw(const struct making *making, int param)
{
    return making->network->values + making->unit->weight[param];
}

/* True if no number of the parameter is too large for half the width. */
static bool in_range(const struct making *making, int param)
{
    size_t count = param_floats(&making->unit->plan.param[param]);
    const float *values = raw(making, param);
    for (size_t i = 0; i < count; i++) {
        if (!(fabsf(values[i]) <= SY_HALF_MAX)) {
            return false;
        }
    }
    return true;
}

/* True if the node's packed weight is kept in half the width. */
static bool is_half(const struct making *making, const struct sy_node *node)
{
    const struct sy_plan *plan = &making->unit->plan;
    const struct sy_backend *backend = provider(making->backend, node->op);
    if (making->weights != SY_WEIGHTS_HALF || !packs(backend, node) ||
        backend->halves == NULL) {
        return false;
    }
    struct sy_shape in = plan->value[node->in[0]], out = plan->value[node->out];
    return out.h * out.w <= SY_HALF_POSITIONS &&
           backend->halves(node, in, out) && in_range(making, node->weight);
}

/* Bytes that the node's packed weight takes, in whole cache lines. */
static size_t packed_room(const struct making *making,
                          const struct sy_node *node)
{
    size_t bytes = packed_numbers(making, node) *
                   (is_half(making, node) ? sizeof(uint16_t) : sizeof(float));
    return (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
}

/* Room for all packed weights of the unit, in the order of its steps. */
static enum sy_status take_room(struct making *making,
                                const struct sy_infer_plan *fused)
{
    struct sy_ready_unit *ready = &making->body->unit;
    size_t bytes = 0;

    for (int i = 0; i < fused->step_count; i++) {
        const struct sy_step *step = &fused->step[i];
        bytes += packed_room(making, &step->node);
        bytes += step->pair ? packed_room(making, &step->then) : 0;
    }
    making->room = sy_arena_zero(&making->body->arena, bytes, 1);
    if (making->room == NULL) {
        return SY_NO_MEMORY;
    }
    ready->weights = making->room;
    ready->weights_end = making->room + bytes;
    return SY_OK;
}

/* A copy of a parameter in the body, or NULL: there is none, or no memory. */
static const float *keep(struct making *making, int param)
{
    if (param < 0) {
        return NULL;
    }
    size_t bytes =
        param_floats(&making->unit->plan.param[param]) * sizeof(float);
    float *copy = sy_arena_alloc(&making->body->arena, bytes);
    return copy != NULL ? memcpy(copy, raw(making, param), bytes) : NULL;
}

/* Packs the step's weight to `to`; `pair`: what runs with it, or NULL. */
static void pack(const struct making *making, const struct sy_ready_step *step,
                 const struct sy_node *pair, float *to)
{
    const struct sy_node *node = &step->node;
    const float *weight = raw(making, node->weight);
    if (pair != NULL) {
        making->backend->pair_pack(node, pair, step->in, step->out, weight, to);
    } else {
        provider(making->backend, node->op)
            ->pack(node, step->in, step->out, weight, to);
    }
}

/* Packs the step's weight into the room, and moves that on. */
static enum sy_status take_weight(struct making *making,
                                  struct sy_ready_step *step,
                                  const struct sy_node *pair)
{
    step->packed = making->room;
    step->half = is_half(making, &step->node);
    if (step->half) {
        size_t numbers = packed_numbers(making, &step->node);
        uint16_t *half = (void *)making->room;
        float *full = sy_alloc_zero(numbers, sizeof *full);
        if (full == NULL) {
            return SY_NO_MEMORY;
        }
        pack(making, step, pair, full);
        for (size_t i = 0; i < numbers; i++) {
            half[i] = sy_half(full[i]);
        }
        sy_free(full);
    } else {
        pack(making, step, pair, (void *)making->room);
    }
    making->room += packed_room(making, &step->node);
    return SY_OK;
}

/*
 * A step of the node, with its weight packed, or left as it is if its kernels
 * want that. `pair`: what runs with it, or NULL.
 */
static enum sy_status make_step(struct making *making,
                                const struct sy_node *node, int residual,
                                const struct sy_node *pair,
                                struct sy_ready_step *step)
{
    const struct sy_plan *plan = &making->unit->plan;
    const struct sy_backend *backend = provider(making->backend, node->op);
    size_t *scratch = &making->body->unit.scratch_floats;
    size_t wanted = 0;

    *step = (struct sy_ready_step){
        .node = *node,
        .in = plan->value[node->in[0]],
        .out = plan->value[node->out],
        .residual = residual,
        .infer = backend->infer[node->op],
        .bias = keep(making, node->bias),
    };
    if (pair != NULL) {
        wanted = backend->pair_scratch(node, pair, step->out);
    } else if (backend->infer_scratch != NULL) {
        wanted = backend->infer_scratch(node, step->in, step->out);
    }
    *scratch = wanted > *scratch ? wanted : *scratch;
    if (packs(backend, node)) {
        SY_TRY(take_weight(making, step, pair));
    } else {
        step->packed = keep(making, node->weight);
    }
    step->behind = making->room;
    return (node->weight < 0 || step->packed != NULL) &&
                   (node->bias < 0 || step->bias != NULL)
               ? SY_OK
               : SY_NO_MEMORY;
}

/* Makes the step, or the two that run as one. */
static enum sy_status make_steps(struct making *making,
                                 const struct sy_step *fused,
                                 struct sy_ready_step *step)
{
    if (!fused->pair) {
        return make_step(making, &fused->node, fused->residual, NULL, step);
    }
    struct sy_ready_step *then =
        sy_arena_zero(&making->body->arena, 1, sizeof *then);
    if (then == NULL) {
        return SY_NO_MEMORY;
    }
    SY_TRY(make_step(making, &fused->node, -1, &fused->then, step));
    SY_TRY(make_step(making, &fused->then, fused->residual, NULL, then));
    step->pair = making->backend->infer_pair;
    step->then = then;
    step->behind = then->behind;
    return SY_OK;
}

/* Half of the core's own cache: values of a tile; the rest is for weights. */
static size_t tile_bytes(void)
{
    long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return cache > 0 ? (size_t)cache / 2 : TILE_BYTES;
}

/*
 * Images that a task takes, at most: as many as leave the block's values in
 * the core's own cache. Where maps are small the weights are what has to be
 * moved, and are moved once for all of them; where maps are large it is one.
 */
static int tile_of(const struct sy_ready_unit *unit)
{
    size_t image = sy_shape_floats(unit->value[0]) + unit->value_floats +
                   unit->output_floats;
    size_t images = tile_bytes() / (image * sizeof(float));

    return images < 1 ? 1 : images > MAX_TILE ? MAX_TILE : (int)images;
}

/* Fills a body whose arena is there. */
static enum sy_status make_unit(struct making *making)
{
    const struct sy_plan *plan = &making->unit->plan;
    struct sy_arena *arena = &making->body->arena;
    struct sy_ready_unit *ready = &making->body->unit;
    struct sy_infer_plan fused;
    sy_plan_fuse(plan, &fused);
    if (pairs(making->backend)) {
        sy_plan_pair(&fused);
    }

    size_t values = (size_t)plan->value_count;
    struct sy_ready_step *step =
        sy_arena_zero(arena, (size_t)fused.step_count, sizeof *step);
    size_t *at = sy_arena_zero(arena, values, sizeof *at);
    struct sy_shape *value = sy_arena_zero(arena, values, sizeof *value);
    if (step == NULL || at == NULL || value == NULL) {
        return SY_NO_MEMORY;
    }
    memcpy(value, plan->value, values * sizeof *value);
    *ready = (struct sy_ready_unit){
        .step_count = fused.step_count,
        .step = step,
        .value = value,
        .output = fused.output,
        .output_floats = sy_shape_floats(value[fused.output]),
        .at = at,
        .value_floats = sy_place_values(plan, &fused, at),
        .madds = making->unit->cost.madds,
        .norm_count = plan->norm_count,
    };
    ready->tile = tile_of(ready);
    SY_TRY(take_room(making, &fused));
    for (int i = 0; i < fused.step_count; i++) {
        SY_TRY(make_steps(making, &fused.step[i], &step[i]));
    }
    return SY_OK;
}

struct sy_ready_body *sy_body_new(const struct sy_network *network,
                                  const struct sy_unit *unit,
                                  const struct sy_backend *backend,
                                  enum sy_weights weights, const char *hash)
{
    struct sy_ready_body *body = sy_alloc_zero(1, sizeof *body);
    sy_rest();
    if (body == NULL) {
        return NULL;
    }
    atomic_init(&body->references, 1);
    sy_arena_init(&body->arena, BLOCK_BYTES);
    (void)snprintf(body->hash, sizeof body->hash, "%s", hash);
    struct making making = {network, unit, backend, weights, body, NULL};
    if (make_unit(&making) != SY_OK) {
        sy_body_unref(body);
        return NULL;
    }
    body->bytes = sizeof *body + body->arena.used_bytes;
    return body;
}

struct sy_ready_body *sy_body_ref(struct sy_ready_body *body)
{
    atomic_fetch_add_explicit(&body->references, 1, memory_order_relaxed);
    return body;
}

void sy_body_unref(struct sy_ready_body *body)
{
    if (body != NULL && atomic_fetch_sub_explicit(&body->references, 1,
                                                  memory_order_acq_rel) == 1) {
        sy_arena_release(&body->arena);
        sy_free(body);
    }
}

/*
 * Nodes and shapes hold nothing but int-sized members, so their bytes are
 * their value; the assertions notice when one gets a gap.
 */
_Static_assert(sizeof(struct sy_shape) == 3 * sizeof(int), "a shape has a gap");
_Static_assert(sizeof(struct sy_node) == 11 * sizeof(int), "a node has a gap");

void sy_body_hash(const struct sy_network *network, const struct sy_unit *unit,
                  char hash[SY_HASH_TEXT_BYTES])
{
    const struct sy_plan *plan = &unit->plan;
    const int counts[] = {plan->value_count, plan->node_count,
                          plan->param_count, plan->norm_count, plan->output};
    struct sy_hash running;

    sy_hash_init(&running);
    sy_hash_add(&running, counts, sizeof counts);
    sy_hash_add(&running, plan->value,
                (size_t)plan->value_count * sizeof plan->value[0]);
    sy_hash_add(&running, plan->node,
                (size_t)plan->node_count * sizeof plan->node[0]);
    sy_network_hash_weights(network, (int)(unit - network->unit), hash);
    sy_hash_add(&running, hash, SY_HASH_TEXT_BYTES);
    sy_hash_end(&running, hash);
}
