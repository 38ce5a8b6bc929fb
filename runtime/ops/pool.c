/*
 * pool.c - the mean over all positions of an image.
 *
 *   y[n][c] = (1 / (H*W)) * sum over h, w of x[n][h][w][c]
 *   dx[n][h][w][c] = dy[n][c] / (H*W)
 */
#include "runtime/ops/simple.h"

static enum sy_status shape(const struct sy_node *node,
                            const struct sy_shape *in, struct sy_shape *out,
                            struct sy_error *err)
{
    (void)node;
    (void)err;
    *out = (struct sy_shape){.h = 1, .w = 1, .c = in->c};
    return SY_OK;
}

static void forward(const struct sy_op_args *a)
{
    size_t channels = (size_t)a->in.c;
    size_t rows = (size_t)a->in.h * (size_t)a->in.w;

    for (int n = 0; n < a->count; n++) {
        const float *x = a->x + n * rows * channels; /* [H*W][C] */
        for (size_t c = 0; c < channels; c++) {
            double sum = 0.0;
            for (size_t i = 0; i < rows; i++) {
                sum += (double)x[i * channels + c];
            }
            a->y[n * channels + c] = (float)(sum / (double)rows);
        }
    }
}

static void backward(const struct sy_op_args *a)
{
    size_t channels = (size_t)a->in.c;
    size_t rows = (size_t)a->in.h * (size_t)a->in.w;

    if (a->dx == NULL) {
        return;
    }
    for (size_t i = 0; i < a->count * rows * channels; i++) {
        size_t n = i / (rows * channels), c = i % channels;
        float d = (float)((double)a->dy[n * channels + c] / (double)rows);
        a->dx[i] = a->add_dx ? a->dx[i] + d : d;
    }
}

const struct sy_op sy_op_pool = {
    .name = "pool",
    .inputs = 1,
    .shape = shape,
    .madds = no_madds,
    .partial = no_partial,
    .forward = forward,
    .backward = backward,
};
