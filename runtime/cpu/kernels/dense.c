/*
 * dense.c - fully connected layers: training by products, inference of one
 * image as a product with one row.
 *
 * DESIGN: the slope of the activation needs z, which y does not tell for
 * hard-swish, so the backward pass computes z again where there is an
 * activation; dense layers here are small. dz lives in scratch.
 *
 * A shard has a few images only, so a product by shard reads a weight for a
 * handful of multiplications, and its gradient is written once a shard. Larger
 * layers are cut into columns instead (struct sy_split), each over all images.
 */
#include <math.h>

#include "runtime/cpu/kernels/kernels.h"

size_t SY_KERNEL(dense_scratch)(const struct sy_node *node, struct sy_shape in,
                                struct sy_shape out, int count)
{
    (void)node;
    (void)in;
    return (size_t)count * (size_t)out.c;
}

/* z = x * w */
static void product(const struct sy_op_args *args, float *z)
{
    struct sy_gemm gemm = {.m = args->count,
                           .n = args->out.c,
                           .k = args->in.c,
                           .lda = args->in.c,
                           .ldb = args->out.c,
                           .ldc = args->out.c};
    training_gemm(&gemm, args->x, args->w, z);
}

/* y = act(y + b), or z = dy * act'(z + b), for columns [first, end). */
INLINE void finish(const struct sy_op_args *args, float *z,
                   const enum sy_act act, const bool backward, int first,
                   int end)
{
    for (int n = 0; n < args->count; n++) {
        ptrdiff_t at = (ptrdiff_t)n * args->out.c;
        for (int c = first; c < end; c += VL) {
            struct lanes lanes = v_lanes(c, end);
            vf v = v_get(z + at + c, lanes) + v_get(args->b + c, lanes);
            v = backward ? v_get(args->dy + at + c, lanes) * v_slope(act, v)
                         : v_act(act, v);
            v_put(z + at + c, v, lanes);
        }
    }
}

/* to (+)= the sum over images of columns [first, end) of dz. */
static void sum_columns(float *to, const float *dz,
                        const struct sy_op_args *args, int first, int end,
                        bool add)
{
    for (int c = first; c < end; c += VL) {
        struct lanes lanes = v_lanes(c, end);
        vf sum = add ? v_get(to + c, lanes) : v_zero();
        for (int n = 0; n < args->count; n++) {
            sum += v_get(dz + (ptrdiff_t)n * args->out.c + c, lanes);
        }
        v_put(to + c, sum, lanes);
    }
}

void SY_KERNEL(dense_forward)(const struct sy_op_args *args)
{
    product(args, args->y);
    WITH_ACT(args->node->act,
             finish(args, args->y, act, false, 0, args->out.c));
}

void SY_KERNEL(dense_backward)(const struct sy_op_args *args)
{
    int in = args->in.c, out = args->out.c;
    const float *dz = args->dy;

    if (args->node->act != SY_ACT_NONE) {
        product(args, args->scratch);
        WITH_ACT(args->node->act,
                 finish(args, args->scratch, act, true, 0, args->out.c));
        dz = args->scratch;
    }
    struct sy_gemm weight = {.transpose_a = true,
                             .m = in,
                             .n = out,
                             .k = args->count,
                             .lda = in,
                             .ldb = out,
                             .ldc = out};
    training_gemm(&weight, args->x, dz, args->partial);
    sum_columns(args->partial + (size_t)in * (size_t)out, dz, args, 0, out,
                false);
    if (args->dx != NULL) {
        struct sy_gemm data = {.transpose_b = true,
                               .m = args->count,
                               .n = in,
                               .k = out,
                               .lda = out,
                               .ldb = out,
                               .ldc = in,
                               .accumulate = args->add_dx};
        training_gemm(&data, dz, args->w, args->dx);
    }
}

/* Smaller weights stay in the first-level cache: not worth a barrier. */
enum { SPLIT_LEAST_WEIGHTS = 8192 };

static int split_parts(enum sy_split_pass pass, const struct sy_node *node,
                       struct sy_shape in, struct sy_shape out, int images,
                       int shards)
{
    (void)pass;
    (void)node;
    (void)images;
    (void)shards;
    return in.c * out.c >= SPLIT_LEAST_WEIGHTS ? SPLIT_PARTS : 0;
}

static void split_forward(const struct sy_op_args *args)
{
    int first = split_at(args->out.c, args->part, args->parts);
    int end = split_at(args->out.c, args->part + 1, args->parts);
    struct sy_gemm gemm = {.m = args->count,
                           .n = end - first,
                           .k = args->in.c,
                           .lda = args->in.c,
                           .ldb = args->out.c,
                           .ldc = args->out.c};
    if (end > first) {
        training_gemm(&gemm, args->x, args->w + first, args->y + first);
        WITH_ACT(args->node->act,
                 finish(args, args->y, act, false, first, end));
    }
}

/* The slope where y tells it; at a kink it is 0, as everywhere. */
INLINE void slope_of_output(const struct sy_op_args *args,
                            const enum sy_act act)
{
    float top = act == SY_ACT_RELU ? INFINITY : 1.0f;
    vf slope = v_set(act == SY_ACT_RELU ? 1.0f : 1.0f / 6.0f);
    int floats = args->count * args->out.c;
    for (int i = 0; i < floats; i += VL) {
        struct lanes lanes = v_lanes(i, floats);
        vf y = v_get(args->y + i, lanes);
        vf inside = v_greater(
            y, v_zero(), v_greater(v_set(top), y, slope, v_zero()), v_zero());
        v_put(args->dx2 + i, v_get(args->dy + i, lanes) * inside, lanes);
    }
}

static void split_slope(const struct sy_op_args *args)
{
    if (args->node->act == SY_ACT_RELU) {
        slope_of_output(args, SY_ACT_RELU);
    } else if (args->node->act == SY_ACT_HSIGMOID) {
        slope_of_output(args, SY_ACT_HSIGMOID);
    } else {
        product(args, args->scratch);
        WITH_ACT(args->node->act,
                 finish(args, args->scratch, act, true, 0, args->out.c));
        memcpy(args->dx2, args->scratch,
               (size_t)args->count * (size_t)args->out.c * sizeof(float));
    }
}

static void split_data(const struct sy_op_args *args)
{
    int first = split_at(args->in.c, args->part, args->parts);
    int end = split_at(args->in.c, args->part + 1, args->parts);
    struct sy_gemm gemm = {.transpose_b = true,
                           .m = args->count,
                           .n = end - first,
                           .k = args->out.c,
                           .lda = args->out.c,
                           .ldb = args->out.c,
                           .ldc = args->in.c,
                           .accumulate = args->add_dx};
    if (end > first && args->dx != NULL) {
        training_gemm(&gemm, args->dy, args->w + (ptrdiff_t)first * args->out.c,
                      args->dx + first);
    }
}

static void split_weight(const struct sy_op_args *args)
{
    int out = args->out.c;
    int first = split_at(args->in.c, args->part, args->parts);
    int end = split_at(args->in.c, args->part + 1, args->parts);
    struct sy_gemm gemm = {.transpose_a = true,
                           .m = end - first,
                           .n = out,
                           .k = args->count,
                           .lda = args->in.c,
                           .ldb = out,
                           .ldc = out,
                           .accumulate = args->add_partial};
    if (end > first) {
        training_gemm(&gemm, args->x + first, args->dy,
                      args->partial + (ptrdiff_t)first * out);
    }
    sum_columns(args->db, args->dy, args,
                split_at(out, args->part, args->parts),
                split_at(out, args->part + 1, args->parts), args->add_partial);
}

const struct sy_split SY_KERNEL(dense_split) = {
    .parts = split_parts,
    .forward = split_forward,
    .slope = split_slope,
    .data = split_data,
    .weight = split_weight,
};
