/*
 * dense.c - fully connected layers: training by products, inference of one
 * image as a product with one row.
 *
 * DESIGN: the slope of the activation needs z, which y does not tell for
 * hard-swish, so the backward pass computes z again where there is an
 * activation; dense layers here are small. dz lives in scratch.
 */
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

/* y = act(y + b), or z = dy * act'(z + b), row by row. */
INLINE void finish(const struct sy_op_args *args, float *z,
                   const enum sy_act act, const bool backward)
{
    for (int n = 0; n < args->count; n++) {
        ptrdiff_t at = (ptrdiff_t)n * args->out.c;
        for (int c = 0; c < args->out.c; c += VL) {
            struct lanes lanes = v_lanes(c, args->out.c);
            vf v = v_get(z + at + c, lanes) + v_get(args->b + c, lanes);
            v = backward ? v_get(args->dy + at + c, lanes) * v_slope(act, v)
                         : v_act(act, v);
            v_put(z + at + c, v, lanes);
        }
    }
}

void SY_KERNEL(dense_forward)(const struct sy_op_args *args)
{
    product(args, args->y);
    WITH_ACT(args->node->act, finish(args, args->y, act, false));
}

void SY_KERNEL(dense_backward)(const struct sy_op_args *args)
{
    int in = args->in.c, out = args->out.c;
    const float *dz = args->dy;

    if (args->node->act != SY_ACT_NONE) {
        product(args, args->scratch);
        WITH_ACT(args->node->act, finish(args, args->scratch, act, true));
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
    float *bias = args->partial + (size_t)in * (size_t)out;
    for (int c = 0; c < out; c += VL) {
        struct lanes lanes = v_lanes(c, out);
        vf sum = v_zero();
        for (int n = 0; n < args->count; n++) {
            sum += v_get(dz + (ptrdiff_t)n * out + c, lanes);
        }
        v_put(bias + c, sum, lanes);
    }
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
