/*
 * snapshot.c - one immutable, reference-counted state of a served network.
 *
 * DESIGN. Everything that can be decided before a request comes is decided
 * here: plans are fused, each step gets the backend's kernel or, where the
 * backend has none for its operator, the reference's together with the
 * reference's packing and scratch; weights are packed once per block, however
 * many domains use it; each norm becomes a scale and a bias per (block, slot);
 * values inside a block get their place in the worker's memory; and how many
 * images one task takes follows from the size of what is between.
 *
 * All of it lies in one arena that lives as long as the snapshot. The raw
 * weights stay in the network object, which export and inspection read, and
 * in which dense biases are used as they are.
 *
 * A folded norm is computed in double and rounded once:
 *     s = scale / sqrt(var + eps),  b = bias - mean * s.
 */
#include "runtime/executor/snapshot.h"

#include <math.h>
#include <stdatomic.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/memory.h"
#include "runtime/executor/ready.h"

enum { LINE_FLOATS = 16, TILE_BYTES = 512 * 1024, MAX_TILE = 16 };

struct sy_snapshot {
    atomic_int references;
    struct sy_network *network;
    const struct sy_backend *backend;
    const char *label;
    struct sy_ready_unit *unit; /* by unit index */
    struct sy_arena arena;
};

static enum sy_status no_memory(struct sy_error *err, const char *what)
{
    return sy_fail(err, SY_NO_MEMORY, "snapshot: no memory for %s", what);
}

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
    struct sy_snapshot *s;
    const struct sy_unit *unit;
    struct sy_ready_unit *ready;
    float *room; /* for packed weights; moves on */
};

static bool packs(const struct sy_backend *backend, const struct sy_node *node)
{
    return node->weight >= 0 && backend->pack != NULL &&
           backend->packed_floats != NULL;
}

/* Floats that the node's packed weight takes, in whole cache lines. */
static size_t packed_room(const struct sy_snapshot *s,
                          const struct sy_unit *unit,
                          const struct sy_node *node)
{
    const struct sy_backend *backend = provider(s->backend, node->op);
    if (!packs(backend, node)) {
        return 0;
    }
    size_t floats = backend->packed_floats(node, unit->plan.value[node->in[0]],
                                           unit->plan.value[node->out]);
    return (floats + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
}

/* Room for all packed weights of the unit, in the order of its steps. */
static enum sy_status take_room(struct making *making,
                                const struct sy_infer_plan *fused)
{
    const struct sy_snapshot *s = making->s;
    size_t floats = 0;

    for (int i = 0; i < fused->step_count; i++) {
        const struct sy_step *step = &fused->step[i];
        floats += packed_room(s, making->unit, &step->node);
        floats += step->pair ? packed_room(s, making->unit, &step->then) : 0;
    }
    making->room = sy_arena_zero(&making->s->arena, floats, sizeof(float));
    if (making->room == NULL) {
        return SY_NO_MEMORY;
    }
    making->ready->weights = making->room;
    making->ready->weights_end = making->room + floats;
    return SY_OK;
}

/*
 * A step of the node, with its weight packed, or left as it is if its kernels
 * want that. `pair`: what runs with it, or NULL.
 */
static void make_step(struct making *making, const struct sy_node *node,
                      int residual, const struct sy_node *pair,
                      struct sy_ready_step *step)
{
    const struct sy_unit *unit = making->unit;
    const struct sy_backend *backend = provider(making->s->backend, node->op);
    const float *values = making->s->network->values;
    size_t *scratch = &making->ready->scratch_floats;
    size_t wanted = 0;

    *step = (struct sy_ready_step){
        .node = *node,
        .in = unit->plan.value[node->in[0]],
        .out = unit->plan.value[node->out],
        .residual = residual,
        .infer = backend->infer[node->op],
        .packed =
            node->weight >= 0 ? values + unit->weight[node->weight] : NULL,
        .bias = node->bias >= 0 ? values + unit->weight[node->bias] : NULL,
    };
    if (pair != NULL) {
        wanted = backend->pair_scratch(node, pair, step->out);
        backend->pair_pack(node, pair, step->in, step->out, step->packed,
                           making->room);
        step->packed = making->room;
    } else {
        if (backend->infer_scratch != NULL) {
            wanted = backend->infer_scratch(node, step->in, step->out);
        }
        if (packs(backend, node)) {
            backend->pack(node, step->in, step->out, step->packed,
                          making->room);
            step->packed = making->room;
        }
    }
    *scratch = wanted > *scratch ? wanted : *scratch;
    making->room += packed_room(making->s, unit, node);
    step->behind = making->room;
}

/* Makes the step, or the two that run as one. */
static enum sy_status make_steps(struct making *making,
                                 const struct sy_step *fused,
                                 struct sy_ready_step *step)
{
    if (!fused->pair) {
        make_step(making, &fused->node, fused->residual, NULL, step);
        return SY_OK;
    }
    struct sy_ready_step *then =
        sy_arena_zero(&making->s->arena, 1, sizeof *then);
    if (then == NULL) {
        return SY_NO_MEMORY;
    }
    make_step(making, &fused->node, -1, &fused->then, step);
    make_step(making, &fused->then, fused->residual, NULL, then);
    step->pair = making->s->backend->infer_pair;
    step->then = then;
    step->behind = then->behind;
    return SY_OK;
}

static enum sy_status fold_norm(struct sy_snapshot *s, size_t offset,
                                int channels, struct sy_folded_norm *folded,
                                struct sy_error *err)
{
    size_t count = (size_t)channels;
    const float *scale = s->network->values + offset;
    const float *bias = scale + count;
    const float *mean = bias + count;
    const float *var = mean + count;
    float *new_scale = sy_arena_zero(&s->arena, count, sizeof(float));
    float *new_bias = sy_arena_zero(&s->arena, count, sizeof(float));

    if (new_scale == NULL || new_bias == NULL) {
        return no_memory(err, "folded norms");
    }
    for (size_t c = 0; c < count; c++) {
        double factor =
            (double)scale[c] / sqrt((double)var[c] + (double)SY_NORM_EPSILON);
        new_scale[c] = (float)factor;
        new_bias[c] = (float)((double)bias[c] - (double)mean[c] * factor);
    }
    *folded = (struct sy_folded_norm){new_scale, new_bias};
    return SY_OK;
}

/* Folds the norms of every slot in which the unit has them. */
static enum sy_status fold_norms(struct sy_snapshot *s,
                                 const struct sy_unit *unit,
                                 struct sy_ready_unit *ready,
                                 struct sy_error *err)
{
    int slots = sy_network_slots(s->network);
    int norms = unit->plan.norm_count;
    struct sy_folded_norm *folded =
        sy_arena_zero(&s->arena, (size_t)slots * (size_t)norms, sizeof *folded);

    if (folded == NULL) {
        return no_memory(err, "folded norms");
    }
    for (int i = 0; i < slots * norms; i++) {
        if (unit->norm[i] != SY_ABSENT) {
            SY_TRY(fold_norm(s, unit->norm[i],
                             unit->plan.norm[i % norms].channels, &folded[i],
                             err));
        }
    }
    ready->norm_count = norms;
    ready->norm = folded;
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

static enum sy_status make_unit(struct sy_snapshot *s,
                                const struct sy_unit *unit,
                                struct sy_ready_unit *ready,
                                struct sy_error *err)
{
    struct sy_infer_plan fused;
    sy_plan_fuse(&unit->plan, &fused);
    if (pairs(s->backend)) {
        sy_plan_pair(&fused);
    }

    struct sy_ready_step *step =
        sy_arena_zero(&s->arena, (size_t)fused.step_count, sizeof *step);
    size_t *at =
        sy_arena_zero(&s->arena, (size_t)unit->plan.value_count, sizeof *at);
    if (step == NULL || at == NULL) {
        return no_memory(err, "steps");
    }
    *ready = (struct sy_ready_unit){
        .step_count = fused.step_count,
        .step = step,
        .value = unit->plan.value,
        .output = fused.output,
        .output_floats = sy_shape_floats(unit->plan.value[fused.output]),
        .at = at,
        .value_floats = sy_place_values(&unit->plan, &fused, at),
        .madds = unit->cost.madds,
    };
    ready->tile = tile_of(ready);
    struct making making = {s, unit, ready, NULL};
    enum sy_status status = take_room(&making, &fused);
    for (int i = 0; status == SY_OK && i < fused.step_count; i++) {
        status = make_steps(&making, &fused.step[i], &step[i]);
    }
    if (status != SY_OK) {
        return no_memory(err, "packed weights");
    }
    return fold_norms(s, unit, ready, err);
}

static void snapshot_free(struct sy_snapshot *s)
{
    sy_arena_release(&s->arena);
    sy_network_free(s->network);
    sy_free(s);
}

enum sy_status sy_snapshot_new(struct sy_snapshot **snapshot,
                               struct sy_network *network, const char *label,
                               const struct sy_backend *backend,
                               struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct sy_snapshot *s = sy_alloc_zero(1, sizeof *s);

    if (s == NULL) {
        sy_network_free(network);
        return no_memory(err, "the snapshot");
    }
    atomic_init(&s->references, 1);
    s->network = network;
    s->backend = backend != NULL ? backend : sy_backend_best();
    sy_arena_init(&s->arena, 0);
    s->label = sy_arena_strdup(&s->arena, label);
    s->unit =
        sy_arena_zero(&s->arena, (size_t)network->unit_count, sizeof *s->unit);
    if (s->label == NULL || s->unit == NULL) {
        status = no_memory(err, "the units");
    }
    for (int i = 0; status == SY_OK && i < network->unit_count; i++) {
        status = make_unit(s, &network->unit[i], &s->unit[i], err);
    }
    if (status != SY_OK) {
        snapshot_free(s);
        return status;
    }
    *snapshot = s;
    return SY_OK;
}

struct sy_snapshot *sy_snapshot_ref(struct sy_snapshot *snapshot)
{
    int before = atomic_fetch_add_explicit(&snapshot->references, 1,
                                           memory_order_relaxed);
    SY_ASSERT(before > 0);
    return snapshot;
}

void sy_snapshot_unref(struct sy_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    int before = atomic_fetch_sub_explicit(&snapshot->references, 1,
                                           memory_order_acq_rel);
    SY_ASSERT(before > 0);
    if (before == 1) {
        snapshot_free(snapshot);
    }
}

struct sy_network *sy_snapshot_dissolve(struct sy_snapshot *snapshot)
{
    struct sy_network *network = snapshot->network;
    SY_ASSERT(
        atomic_load_explicit(&snapshot->references, memory_order_acquire) == 1);
    snapshot->network = NULL;
    snapshot_free(snapshot);
    return network;
}

const struct sy_network *sy_snapshot_network(const struct sy_snapshot *s)
{
    return s->network;
}

const char *sy_snapshot_label(const struct sy_snapshot *s)
{
    return s->label;
}

const struct sy_backend *sy_snapshot_backend(const struct sy_snapshot *s)
{
    return s->backend;
}

const struct sy_ready_unit *sy_snapshot_unit(const struct sy_snapshot *snapshot,
                                             int unit)
{
    SY_ASSERT(unit >= 0 && unit < snapshot->network->unit_count);
    return &snapshot->unit[unit];
}
