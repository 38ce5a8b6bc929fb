/*
 * add.c - the sum of two values of the same shape.
 *
 *   y = x + x2,  dx = dy,  dx2 = dy
 */
#include "runtime/ops/simple.h"

static enum sy_status shape(const struct sy_node *node,
                            const struct sy_shape *in, struct sy_shape *out,
                            struct sy_error *err)
{
    (void)node;
    if (!sy_shape_equal(in[0], in[1])) {
        return sy_fail(err, SY_BAD_INPUT,
                       "add: shapes differ: %d x %d x %d and %d x %d x %d",
                       in[0].h, in[0].w, in[0].c, in[1].h, in[1].w, in[1].c);
    }
    *out = in[0];
    return SY_OK;
}

static void forward(const struct sy_op_args *a)
{
    for (size_t i = 0; i < a->count * sy_shape_floats(a->in); i++) {
        a->y[i] = a->x[i] + a->x2[i];
    }
}

/* d (+)= dy; d may be NULL. */
static void pass_on(const struct sy_op_args *a, float *d, bool add)
{
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < a->count * sy_shape_floats(a->in); i++) {
        d[i] = add ? d[i] + a->dy[i] : a->dy[i];
    }
}

static void backward(const struct sy_op_args *a)
{
    pass_on(a, a->dx, a->add_dx);
    pass_on(a, a->dx2, a->add_dx2);
}

const struct sy_op sy_op_add = {
    .name = "add",
    .inputs = 2,
    .shape = shape,
    .madds = no_madds,
    .partial = no_partial,
    .forward = forward,
    .backward = backward,
};
