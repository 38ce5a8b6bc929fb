/*
 * dense.c - a fully connected layer with its activation, on 1 x 1 x C.
 *
 *   z[n][k] = sum over c of x[n][c] * w[c][k] + b[k]
 *   y = act(z),  dz = dy * act'(z)
 *   dx[n][c] = sum over k of dz[n][k] * w[c][k]
 *   dw[c][k] = sum over n of x[n][c] * dz[n][k],  db[k] = sum over n of dz
 *
 * DESIGN. y does not tell z for every activation, so the backward pass takes
 * z from x again; dense layers here are small. It keeps dz in scratch, which
 * must hold N * K floats for the reference backward (and none for forward).
 */
#include "runtime/ops/op.h"

static enum sy_status shape(const struct sy_node *node,
                            const struct sy_shape *in, struct sy_shape *out,
                            struct sy_error *err)
{
    (void)node;
    if (in->h != 1 || in->w != 1) {
        return sy_fail(err, SY_BAD_INPUT,
                       "dense: input: expected 1 x 1 x C, found %d x %d x %d",
                       in->h, in->w, in->c);
    }
    if (out->c < 1 || out->c > SY_MAX_CHANNELS) {
        return sy_fail(err, SY_BAD_INPUT,
                       "dense: outputs: expected 1 to %d, found %d",
                       SY_MAX_CHANNELS, out->c);
    }
    *out = (struct sy_shape){.h = 1, .w = 1, .c = out->c};
    return SY_OK;
}

static int64_t madds(const struct sy_node *node, struct sy_shape in,
                     struct sy_shape out)
{
    (void)node;
    return (int64_t)in.c * out.c;
}

static size_t partial(const struct sy_node *node, struct sy_shape in,
                      struct sy_shape out)
{
    (void)node;
    return ((size_t)in.c + 1) * (size_t)out.c;
}

/* z[n][k], rounded: the kinks of the activations are at floats. */
static float before_act(const struct sy_op_args *a, size_t n, size_t k)
{
    size_t in = (size_t)a->in.c, out = (size_t)a->out.c;
    double sum = (double)a->b[k];

    for (size_t c = 0; c < in; c++) {
        sum += (double)a->x[n * in + c] * (double)a->w[c * out + k];
    }
    return (float)sum;
}

static void forward(const struct sy_op_args *a)
{
    size_t out = (size_t)a->out.c;

    for (size_t i = 0; i < a->count * out; i++) {
        float z = before_act(a, i / out, i % out);
        a->y[i] = sy_act_value(a->node->act, z);
    }
}

/* dz to scratch [N][K]. */
static void backward_act(const struct sy_op_args *a)
{
    size_t out = (size_t)a->out.c;
    enum sy_act act = a->node->act;

    for (size_t i = 0; i < a->count * out; i++) {
        float slope = 1.0f;
        if (act != SY_ACT_NONE) {
            slope = sy_act_slope(act, before_act(a, i / out, i % out));
        }
        a->scratch[i] = a->dy[i] * slope;
    }
}

static void backward_parameters(const struct sy_op_args *a)
{
    size_t in = (size_t)a->in.c, out = (size_t)a->out.c;

    for (size_t c = 0; c <= in; c++) { /* c == in: the bias */
        for (size_t k = 0; k < out; k++) {
            double sum = 0.0;
            for (size_t n = 0; n < (size_t)a->count; n++) {
                double x = c < in ? (double)a->x[n * in + c] : 1.0;
                sum += x * (double)a->scratch[n * out + k];
            }
            a->partial[c * out + k] = (float)sum;
        }
    }
}

static void backward_input(const struct sy_op_args *a)
{
    size_t in = (size_t)a->in.c, out = (size_t)a->out.c;

    for (size_t n = 0; n < (size_t)a->count; n++) {
        for (size_t c = 0; c < in; c++) {
            double sum = 0.0;
            for (size_t k = 0; k < out; k++) {
                sum +=
                    (double)a->scratch[n * out + k] * (double)a->w[c * out + k];
            }
            float *dx = &a->dx[n * in + c];
            *dx = a->add_dx ? *dx + (float)sum : (float)sum;
        }
    }
}

static void backward(const struct sy_op_args *a)
{
    backward_act(a);
    backward_parameters(a);
    if (a->dx != NULL) {
        backward_input(a);
    }
}

const struct sy_op sy_op_dense = {
    .name = "dense",
    .inputs = 1,
    .shape = shape,
    .madds = madds,
    .partial = partial,
    .forward = forward,
    .backward = backward,
};
