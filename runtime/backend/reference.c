/*
 * reference.c - the plain C backend: every entry is there, none is fast.
 *
 * Training entries are the operators' own reference kernels. An inference
 * entry runs the operator's forward and then applies the fused tail in plain
 * loops, so that it differs from the unfused operators by one rounding per
 * stage only. Packing copies.
 *
 * This is the oracle for every other backend (tests/conform), and what stands
 * in where another has no kernel.
 */
#include <string.h>

#include "runtime/backend/backend.h"

static bool available(void)
{
    return true;
}

/* Only dense keeps something between its loops: dz, [count][K]. */
static size_t scratch(const struct sy_node *node, struct sy_shape in,
                      struct sy_shape out, int count)
{
    (void)in;
    return node->op == SY_OP_DENSE ? (size_t)count * (size_t)out.c : 0;
}

static size_t infer_scratch(const struct sy_node *node, struct sy_shape in,
                            struct sy_shape out)
{
    (void)node;
    (void)in;
    (void)out;
    return 0;
}

static size_t packed_floats(const struct sy_node *node, struct sy_shape in,
                            struct sy_shape out)
{
    size_t window = (size_t)(node->kernel * node->kernel);

    switch (node->op) {
    case SY_OP_CONV:
        return window * (size_t)(in.c / node->groups) * (size_t)out.c;
    case SY_OP_DEPTHWISE:
        return window * (size_t)out.c;
    case SY_OP_DENSE:
        return (size_t)in.c * (size_t)out.c;
    case SY_OP_NORM:
    case SY_OP_ACT:
    case SY_OP_ADD:
    case SY_OP_POOL:
    case SY_OP_CELLS:
    case SY_OP_TEXTURES:
    case SY_OP_SCALE:
    case SY_OP_COUNT:
        break;
    }
    return 0;
}

static void pack(const struct sy_node *node, struct sy_shape in,
                 struct sy_shape out, const float *weight, float *packed)
{
    size_t bytes = packed_floats(node, in, out) * sizeof(float);

    if (bytes > 0) {
        memcpy(packed, weight, bytes);
    }
}

/* The operator's forward, with what both structs share. */
static void run_forward(const struct sy_infer_args *a)
{
    struct sy_op_args op = {
        .node = a->node,
        .in = a->in,
        .out = a->out,
        .count = a->count,
        .x = a->x,
        .x2 = a->x2,
        .w = a->packed,
        .b = a->bias,
        .y = a->y,
    };
    sy_op_of(a->node->op)->forward(&op);
}

/* y = act(scale * y + bias) [+ residual] over the images in y. */
static void finish(const struct sy_infer_args *a)
{
    size_t channels = (size_t)a->out.c;
    size_t floats = (size_t)a->count * sy_shape_floats(a->out);

    for (size_t i = 0; i < floats; i++) {
        double z = (double)a->scale[i % channels] * (double)a->y[i] +
                   (double)a->bias[i % channels];
        a->y[i] = sy_act_value(a->node->act, (float)z);
        if (a->residual != NULL) {
            a->y[i] += a->residual[i];
        }
    }
}

static void infer_conv(const struct sy_infer_args *a)
{
    run_forward(a);
    finish(a);
}

static void infer_norm(const struct sy_infer_args *a)
{
    memcpy(a->y, a->x,
           (size_t)a->count * sy_shape_floats(a->in) * sizeof(float));
    finish(a);
}

/* The operator's own kernel: the node says which. */
static void stats(const struct sy_op_args *a)
{
    sy_op_of(a->node->op)->stats(a);
}

static void forward(const struct sy_op_args *a)
{
    sy_op_of(a->node->op)->forward(a);
}

static void sums(const struct sy_op_args *a)
{
    sy_op_of(a->node->op)->sums(a);
}

static void backward(const struct sy_op_args *a)
{
    sy_op_of(a->node->op)->backward(a);
}

/* Each list names every operator once, so that nothing is left NULL. */
const struct sy_backend sy_backend_reference = {
    .name = "reference",
    .available = available,
    .stats = {[SY_OP_NORM] = stats},
    .forward =
        {
            [SY_OP_CONV] = forward,
            [SY_OP_DEPTHWISE] = forward,
            [SY_OP_NORM] = forward,
            [SY_OP_ACT] = forward,
            [SY_OP_ADD] = forward,
            [SY_OP_POOL] = forward,
            [SY_OP_DENSE] = forward,
            [SY_OP_SCALE] = forward,
            [SY_OP_CELLS] = forward,
            [SY_OP_TEXTURES] = forward,
        },
    .sums = {[SY_OP_NORM] = sums},
    .backward =
        {
            [SY_OP_CONV] = backward,
            [SY_OP_DEPTHWISE] = backward,
            [SY_OP_NORM] = backward,
            [SY_OP_ACT] = backward,
            [SY_OP_ADD] = backward,
            [SY_OP_POOL] = backward,
            [SY_OP_DENSE] = backward,
            [SY_OP_SCALE] = backward,
            [SY_OP_CELLS] = backward,
            [SY_OP_TEXTURES] = backward,
        },
    .scratch = scratch,
    .infer_scratch = infer_scratch,
    .packed_floats = packed_floats,
    .pack = pack,
    .infer =
        {
            [SY_OP_CONV] = infer_conv,
            [SY_OP_DEPTHWISE] = infer_conv,
            [SY_OP_NORM] = infer_norm,
            [SY_OP_ACT] = run_forward,
            [SY_OP_ADD] = run_forward,
            [SY_OP_POOL] = run_forward,
            [SY_OP_DENSE] = run_forward,
            [SY_OP_SCALE] = run_forward,
            [SY_OP_CELLS] = run_forward,
            [SY_OP_TEXTURES] = run_forward,
        },
};
