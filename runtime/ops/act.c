/*
 * act.c - an activation that stands alone.
 *
 *   y = act(x),  dx = dy * act'(x)
 *
 * In the plans of blocks an activation is part of the norm or dense node
 * before it, which saves a pass over memory.
 */
#include "runtime/ops/simple.h"

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
    .shape = keep_shape,
    .madds = no_madds,
    .partial = no_partial,
    .forward = forward,
    .backward = backward,
};
