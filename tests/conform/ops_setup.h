/*
 * ops_setup.h - one operator case brought to life: its inputs, its output
 * buffers, and running a stage of a backend on them. Part of conform_ops.c.
 *
 * Inputs are exact-size heap blocks, so that a sanitizer sees every read past
 * an end. Outputs and scratch lie between canary floats and start as NaN, so
 * that what was not written, or was read before it was written, shows.
 * Nothing is aligned beyond a float, as shards and images are not.
 */
#ifndef TESTS_CONFORM_OPS_SETUP_H
#define TESTS_CONFORM_OPS_SETUP_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/backend/backend.h"
#include "runtime/base/rng.h"
#include "tests/conform/cases_ops.h"

enum field {
    X,
    X2,
    W,
    B,
    Y,
    DY,
    MOMENTS,
    TOTALS,
    FOLDED,   /* inference: scale [K] */
    RESIDUAL, /* inference: shape of y */
    FIELDS
};

struct setup {
    struct sy_node node; /* of training: conv and depthwise without act */
    struct sy_shape in, out;
    enum sy_act act; /* of inference */
    int count;
    int64_t total_rows;
    float *field[FIELDS];
    size_t floats[FIELDS];
    char text[96];
};

enum stage { STATS, FORWARD, SUMS, BACKWARD, BACKWARD_ADD, BACKWARD_SKIP };
enum { STAGES = BACKWARD_SKIP + 1 };

static const char *const stage_names[STAGES] = {
    "stats",    "forward",         "sums",
    "backward", "backward adding", "backward without dx"};

/* Output buffers between canaries. */
enum { CANARIES = 5 };
static const float canary = 12345.678f;

struct guarded {
    float *block, *data;
    size_t floats;
};

static float *new_floats(size_t floats)
{
    float *data = malloc(floats * sizeof *data + (floats == 0));
    SY_ASSERT(data != NULL);
    return data;
}

static struct guarded guard_new(size_t floats, float fill)
{
    struct guarded g = {.floats = floats};

    g.block = new_floats(floats + 2 * CANARIES);
    g.data = g.block + CANARIES;
    for (size_t i = 0; i < floats + 2 * CANARIES; i++) {
        bool inside = i >= CANARIES && i < floats + CANARIES;
        g.block[i] = inside ? fill : canary;
    }
    return g;
}

static bool guard_intact(const struct guarded *g)
{
    for (int i = 0; i < CANARIES; i++) {
        if (g->block[i] != canary || g->data[g->floats + i] != canary) {
            return false;
        }
    }
    return true;
}

enum output { OUT_Y, OUT_DX, OUT_DX2, OUT_PARTIAL, OUTPUTS };
static const char *const output_names[OUTPUTS] = {"y", "dx", "dx2", "partial"};

struct outputs {
    struct guarded at[OUTPUTS];
};

static bool is_window(enum sy_op_kind op)
{
    return op == SY_OP_CONV || op == SY_OP_DEPTHWISE;
}

static size_t rows_of(const struct setup *s)
{
    return (size_t)s->count * s->in.h * s->in.w;
}

static void outputs_new(struct outputs *o, const struct setup *s,
                        enum stage stage)
{
    const struct sy_op *op = sy_op_of(s->node.op);
    size_t floats[OUTPUTS] = {0};
    bool backward = stage >= BACKWARD;
    bool split = s->node.op == SY_OP_NORM && backward;

    floats[OUT_Y] = stage == FORWARD ? s->floats[Y] : 0;
    floats[OUT_DX] = backward && stage != BACKWARD_SKIP ? s->floats[X] : 0;
    floats[OUT_DX2] = backward ? s->floats[X2] : 0;
    if (stage != FORWARD && !split) {
        floats[OUT_PARTIAL] = op->partial(&s->node, s->in, s->out);
    }
    for (int i = 0; i < OUTPUTS; i++) {
        bool adds = stage == BACKWARD_ADD && (i == OUT_DX || i == OUT_DX2);
        o->at[i] = guard_new(floats[i], adds ? 0.75f : NAN);
    }
}

static void outputs_free(struct outputs *o)
{
    for (int i = 0; i < OUTPUTS; i++) {
        free(o->at[i].block);
    }
}

static sy_kernel_fn kernel_of(const struct sy_backend *backend,
                              enum stage stage, enum sy_op_kind op)
{
    switch (stage) {
    case STATS:
        return backend->stats[op];
    case FORWARD:
        return backend->forward[op];
    case SUMS:
        return backend->sums[op];
    case BACKWARD:
    case BACKWARD_ADD:
    case BACKWARD_SKIP:
        break;
    }
    return backend->backward[op];
}

static float *or_null(const struct guarded *g)
{
    return g->floats > 0 ? g->data : NULL;
}

/* Runs the stage; false when scratch was overrun. */
static bool run_stage(const struct sy_backend *backend, const struct setup *s,
                      enum stage stage, struct outputs *o)
{
    struct guarded scratch =
        guard_new(backend->scratch(&s->node, s->in, s->out, s->count), NAN);
    struct sy_op_args args = {
        .node = &s->node,
        .in = s->in,
        .out = s->out,
        .count = s->count,
        .x = s->field[X],
        .x2 = s->field[X2],
        .w = s->field[W],
        .b = s->field[B],
        .y = stage == FORWARD ? o->at[OUT_Y].data : s->field[Y],
        .moments = s->field[MOMENTS],
        .totals = s->field[TOTALS],
        .total_rows = s->total_rows,
        .dy = s->field[DY],
        .dx = or_null(&o->at[OUT_DX]),
        .dx2 = or_null(&o->at[OUT_DX2]),
        .add_dx = stage == BACKWARD_ADD,
        .add_dx2 = stage == BACKWARD_ADD,
        .partial = o->at[OUT_PARTIAL].data,
        .scratch = scratch.data,
    };
    kernel_of(backend, stage, s->node.op)(&args);
    bool intact = guard_intact(&scratch);
    free(scratch.block);
    return intact;
}

/* The stage by the reference, with its outputs new. */
static void run_reference(const struct setup *s, enum stage stage,
                          struct outputs *o)
{
    outputs_new(o, s, stage);
    SY_ASSERT(run_stage(&sy_backend_reference, s, stage, o));
}

static void fill(float *data, size_t floats, struct sy_rng *rng, float width,
                 float centre)
{
    for (size_t i = 0; i < floats; i++) {
        data[i] = centre + width * sy_rng_normal(rng);
    }
}

/* Moments of norm's own rows, by the reference. */
static void set_moments(struct setup *s)
{
    struct outputs o;
    size_t channels = (size_t)s->in.c;

    run_reference(s, STATS, &o);
    for (size_t c = 0; c < channels; c++) {
        double var =
            (double)o.at[OUT_PARTIAL].data[channels + c] / (double)rows_of(s);
        s->field[MOMENTS][c] = o.at[OUT_PARTIAL].data[c];
        s->field[MOMENTS][channels + c] =
            (float)(1.0 / sqrt(var + (double)SY_NORM_EPSILON));
    }
    outputs_free(&o);
}

static bool near_kink(enum sy_act act, float z, float radius)
{
    switch (act) {
    case SY_ACT_RELU:
        return fabsf(z) < radius;
    case SY_ACT_HSWISH:
    case SY_ACT_HSIGMOID:
        return fabsf(fabsf(z) - 3.0f) < radius;
    case SY_ACT_NONE:
    case SY_ACT_COUNT:
        break;
    }
    return false;
}

/*
 * Takes dy away where the activation has a kink within `radius`: there two
 * right answers may differ by more than rounding.
 */
static void silence_kinks(struct setup *s, float radius)
{
    enum sy_act act = s->node.act;
    struct outputs o;

    s->node.act = SY_ACT_NONE;
    run_reference(s, FORWARD, &o);
    s->node.act = act;
    for (size_t i = 0; i < s->floats[DY]; i++) {
        if (near_kink(act, o.at[OUT_Y].data[i], radius)) {
            s->field[DY][i] = 0.0f;
        }
    }
    outputs_free(&o);
}

static void set_sizes(struct setup *s)
{
    enum sy_op_kind op = s->node.op;
    size_t k = (size_t)s->out.c;
    bool vectors = is_window(op) || op == SY_OP_NORM;

    s->floats[X] = s->count * sy_shape_floats(s->in);
    s->floats[X2] = op == SY_OP_ADD     ? s->floats[X]
                    : op == SY_OP_SCALE ? (size_t)s->count * s->in.c
                                        : 0;
    s->floats[W] = sy_backend_reference.packed_floats(&s->node, s->in, s->out);
    if (op == SY_OP_NORM) {
        s->floats[W] = k;
    }
    s->floats[B] = vectors || op == SY_OP_DENSE ? k : 0;
    s->floats[Y] = s->floats[DY] = s->count * sy_shape_floats(s->out);
    s->floats[MOMENTS] = vectors ? 2 * k : 0;
    s->floats[TOTALS] = op == SY_OP_NORM ? 2 * k : 0;
    s->floats[FOLDED] = vectors ? k : 0;
    s->floats[RESIDUAL] = is_window(op) ? s->floats[Y] : 0;
}

static void set_values(struct setup *s, struct sy_rng *rng)
{
    bool norm = s->node.op == SY_OP_NORM;
    double fan_in = norm ? 1.0 : (double)s->floats[W] / s->out.c;

    for (int f = 0; f < FIELDS; f++) {
        s->field[f] = new_floats(s->floats[f]);
        fill(s->field[f], s->floats[f], rng, 1.0f, 0.0f);
    }
    /* Wide enough that every piece of every activation is met. */
    for (size_t i = 0; i < s->floats[W]; i++) {
        s->field[W][i] *= 2.0f / (float)sqrt(fan_in);
    }
    for (size_t i = 0; s->node.op == SY_OP_ACT && i < s->floats[X]; i++) {
        s->field[X][i] *= 2.5f;
    }
    /* Means far from zero try the variance's summation. */
    for (size_t i = 0; norm && i < s->floats[X]; i++) {
        s->field[X][i] += 5.0f * (float)(i % s->in.c % 3) - 5.0f;
    }
    for (size_t i = s->out.c; i < s->floats[MOMENTS]; i++) {
        s->field[MOMENTS][i] = 0.5f + sy_rng_uniform(rng);
    }
}

/* Whether the last of the numbers differs from those before it, and they from
   each other, by the radius, in all ways that textures looks at them. */
static bool apart(const double *last, int index, double radius)
{
    if (index >= 1 && fabs(last[0] - last[-1]) < radius) {
        return false;
    }
    if (index >= 2 && fabs(last[0] - 2.0 * last[-1] + last[-2]) < radius) {
        return false;
    }
    return index % 2 == 0 || index < 3 ||
           fabs(last[0] + last[-1] - last[-2] - last[-3]) >= 2.0 * radius;
}

/* A row or a column of such numbers. */
static void draw_apart(double *numbers, int count, double radius,
                       struct sy_rng *rng)
{
    for (int i = 0; i < count; i++) {
        do {
            numbers[i] = (double)sy_rng_normal(rng);
        } while (!apart(&numbers[i], i, radius));
    }
}

/* Inputs of textures without a difference near 0: each channel is the sum of a
   row and a column. */
static void leave_kinks(struct setup *s, double radius, struct sy_rng *rng)
{
    double rows[64], columns[64];
    SY_ASSERT(s->in.h <= 64 && s->in.w <= 64);
    for (int i = 0; i < s->count * s->in.c; i++) {
        float *x = s->field[X] +
                   (size_t)(i / s->in.c) * sy_shape_floats(s->in) + i % s->in.c;
        draw_apart(rows, s->in.h, radius, rng);
        draw_apart(columns, s->in.w, radius, rng);
        for (int at = 0; at < s->in.h * s->in.w; at++) {
            x[at * s->in.c] =
                (float)(rows[at / s->in.w] + columns[at % s->in.w]);
        }
    }
}

/* The case with random inputs; y, moments and totals by the reference. */
static void setup_new(struct setup *s, const struct op_case *c, int index,
                      float kink_radius)
{
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_TEST, (uint64_t)index, 0);
    struct sy_error err = {0};

    memset(s, 0, sizeof *s);
    s->node = (struct sy_node){.op = c->op,
                               .act = is_window(c->op) ? SY_ACT_NONE : c->act,
                               .kernel = c->kernel,
                               .stride = c->stride,
                               .groups = c->groups};
    s->in = c->in;
    s->act = c->act;
    s->count = c->count;
    struct sy_shape in[2] = {c->in, c->in};
    if (c->op == SY_OP_SCALE) {
        in[1] = (struct sy_shape){1, 1, c->in.c};
    }
    s->out.c = c->channels;
    SY_ASSERT(sy_op_of(c->op)->shape(&s->node, in, &s->out, &err) == SY_OK);
    (void)snprintf(s->text, sizeof s->text,
                   "%s %dx%dx%d to %dx%dx%d k%d s%d g%d %s n%d",
                   sy_op_of(c->op)->name, s->in.h, s->in.w, s->in.c, s->out.h,
                   s->out.w, s->out.c, c->kernel, c->stride, c->groups,
                   sy_act_names[c->act], c->count);
    s->total_rows = (int64_t)rows_of(s);
    set_sizes(s);
    set_values(s, &rng);
    if (c->op == SY_OP_TEXTURES && kink_radius > 0.01f) {
        leave_kinks(s, (double)kink_radius, &rng);
    }

    struct outputs o;
    if (c->op == SY_OP_NORM) {
        set_moments(s);
    }
    run_reference(s, FORWARD, &o);
    memcpy(s->field[Y], o.at[OUT_Y].data, s->floats[Y] * sizeof(float));
    outputs_free(&o);
    silence_kinks(s, kink_radius);
    if (c->op == SY_OP_NORM) {
        run_reference(s, SUMS, &o);
        memcpy(s->field[TOTALS], o.at[OUT_PARTIAL].data,
               s->floats[TOTALS] * sizeof(float));
        outputs_free(&o);
    }
}

static void setup_free(struct setup *s)
{
    for (int f = 0; f < FIELDS; f++) {
        free(s->field[f]);
    }
}

/*
 * The same case with absolute inputs and no activation: what the reference
 * makes of it is the sum of the absolute products behind each result, which
 * is what rounding errors are measured by. Mean and totals are subtracted, so
 * they become negative.
 */
static void setup_absolute(struct setup *s, const struct setup *of)
{
    *s = *of;
    s->node.act = s->act = SY_ACT_NONE;
    for (int f = 0; f < FIELDS; f++) {
        s->field[f] = new_floats(s->floats[f]);
        for (size_t i = 0; i < s->floats[f]; i++) {
            bool taken = f == TOTALS || (f == MOMENTS && i < (size_t)s->out.c);
            float size = fabsf(of->field[f][i]);
            s->field[f][i] = taken ? -size : size;
        }
    }
}

/* `count` images from `first` on; borrows the fields of `of`. */
static struct setup setup_slice(const struct setup *of, int first, int count)
{
    static const enum field by_image[] = {X, X2, Y, DY, RESIDUAL};
    struct setup s = *of;

    s.count = count;
    for (size_t i = 0; i < sizeof by_image / sizeof by_image[0]; i++) {
        enum field f = by_image[i];
        size_t each = of->floats[f] / (size_t)of->count;
        s.field[f] = of->field[f] + each * (size_t)first;
        s.floats[f] = each * (size_t)count;
    }
    return s;
}

/* A packed weight of the backend, between canaries. */
static struct guarded pack_weight(const struct sy_backend *backend,
                                  const struct setup *s)
{
    struct guarded packed =
        guard_new(backend->packed_floats(&s->node, s->in, s->out), NAN);

    if (s->floats[W] > 0 && s->node.op != SY_OP_NORM) {
        backend->pack(&s->node, s->in, s->out, s->field[W], packed.data);
    }
    return packed;
}

/* Inference of `count` images from image `n` on into `y`. */
static void run_infer_of(const struct sy_backend *backend,
                         const struct setup *s, int n, int count, bool residual,
                         const float *packed, float *scratch, float *y)
{
    struct sy_node node = s->node;
    struct setup one = setup_slice(s, n, count);

    node.act = s->act;
    backend->infer[node.op](&(struct sy_infer_args){
        .node = &node,
        .in = s->in,
        .out = s->out,
        .count = count,
        .x = one.field[X],
        .x2 = one.floats[X2] > 0 ? one.field[X2] : NULL,
        .packed = packed,
        .scale = s->floats[FOLDED] > 0 ? s->field[FOLDED] : NULL,
        .bias = s->floats[B] > 0 ? s->field[B] : NULL,
        .residual = residual ? one.field[RESIDUAL] : NULL,
        .y = y,
        .scratch = scratch,
    });
}

/* Inference of image `n` into `y`. */
static void run_infer(const struct sy_backend *backend, const struct setup *s,
                      int n, bool residual, const float *packed, float *scratch,
                      float *y)
{
    run_infer_of(backend, s, n, 1, residual, packed, scratch, y);
}

#endif
