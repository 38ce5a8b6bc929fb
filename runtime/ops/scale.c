/*
 * scale.c - a factor per channel of each image (squeeze-and-excite's gate).
 *
 *   y[n][h][w][c] = x[n][h][w][c] * x2[n][c]
 *   dx = dy * x2,  dx2[n][c] = sum over h, w of dy * x
 */
#include "runtime/ops/simple.h"

static enum sy_status shape(const struct sy_node *node,
                            const struct sy_shape *in, struct sy_shape *out,
                            struct sy_error *err)
{
    (void)node;
    if (in[1].h != 1 || in[1].w != 1 || in[1].c != in[0].c) {
        return sy_fail(err, SY_BAD_INPUT,
                       "scale: factors: expected 1 x 1 x %d, found "
                       "%d x %d x %d",
                       in[0].c, in[1].h, in[1].w, in[1].c);
    }
    *out = in[0];
    return SY_OK;
}

static void forward(const struct sy_op_args *a)
{
    size_t channels = (size_t)a->in.c, image = sy_shape_floats(a->in);

    for (size_t i = 0; i < a->count * image; i++) {
        a->y[i] = a->x[i] * a->x2[i / image * channels + i % channels];
    }
}

static void backward_input(const struct sy_op_args *a)
{
    size_t channels = (size_t)a->in.c, image = sy_shape_floats(a->in);

    for (size_t i = 0; i < a->count * image; i++) {
        float d = a->dy[i] * a->x2[i / image * channels + i % channels];
        a->dx[i] = a->add_dx ? a->dx[i] + d : d;
    }
}

static void backward_factor(const struct sy_op_args *a)
{
    size_t channels = (size_t)a->in.c, image = sy_shape_floats(a->in);

    for (size_t j = 0; j < a->count * channels; j++) {
        size_t first = j / channels * image + j % channels;
        double sum = 0.0;
        for (size_t i = 0; i < image; i += channels) {
            sum += (double)a->dy[first + i] * (double)a->x[first + i];
        }
        a->dx2[j] = a->add_dx2 ? a->dx2[j] + (float)sum : (float)sum;
    }
}

static void backward(const struct sy_op_args *a)
{
    if (a->dx != NULL) {
        backward_input(a);
    }
    if (a->dx2 != NULL) {
        backward_factor(a);
    }
}

const struct sy_op sy_op_scale = {
    .name = "scale",
    .inputs = 2,
    .shape = shape,
    .madds = no_madds,
    .partial = no_partial,
    .forward = forward,
    .backward = backward,
};
