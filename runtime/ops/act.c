/*
 * act.c - an activation that stands alone.
 *
 *   y = act(x),  dx = dy * act'(x)
 *
 * In the plans of blocks an activation is part of the norm or dense node
 * before it, which saves a pass over memory.
 */
#include "runtime/ops/op.h"

static enum sy_status shape(const struct sy_node *node,
                            const struct sy_shape *in, struct sy_shape *out,
                            struct sy_error *err)
{
    (void)node;
    (void)err;
    *out = *in;
    return SY_OK;
}

static int64_t madds(const struct sy_node *node, struct sy_shape in,
                     struct sy_shape out)
{
    (void)node;
    (void)in;
    (void)out;
    return 0;
}

static size_t partial(const struct sy_node *node, struct sy_shape in,
                      struct sy_shape out)
{
    (void)node;
    (void)in;
    (void)out;
    return 0;
}

static void forward(const struct sy_op_args *a)
{
    for (size_t i = 0; i < a->count * sy_shape_floats(a->in); i++) {
        a->y[i] = sy_act_value(a->node->act, a->x[i]);
    }
}

static void backward(const struct sy_op_args *a)
{
    if (a->dx == NULL) {
        return;
    }
    for (size_t i = 0; i < a->count * sy_shape_floats(a->in); i++) {
        float d = a->dy[i] * sy_act_slope(a->node->act, a->x[i]);
        a->dx[i] = a->add_dx ? a->dx[i] + d : d;
    }
}

const struct sy_op sy_op_act = {
    .name = "act",
    .inputs = 1,
    .shape = shape,
    .madds = madds,
    .partial = partial,
    .forward = forward,
    .backward = backward,
};
