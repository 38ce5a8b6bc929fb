/*
 * norm.c - batch normalisation with its activation.
 *
 *   h = (x - mean) * r,  r = 1/sqrt(var + eps)      per channel
 *   z = scale * h + bias
 *   y = act(z)
 *
 * A row is one position of one image: a call of `count` images has
 * count * H * W rows of C channels. The statistics are over the rows of the
 * whole batch, of which one call sees a part, hence two stages each way.
 *
 *   stats     mean and sum of squared deviations of this call's rows
 *   forward   y, with the moments of the whole batch
 *   sums      S = sum dz * h and B = sum dz over this call's rows, where
 *             dz = dy * act'(z); these are also the gradients of scale, bias
 *   backward  dx = scale * r * (dz - (B + h * S) / rows), S and B and rows of
 *             the whole batch: mean and variance depend on x as well
 *
 * Source: S. Ioffe, C. Szegedy, "Batch Normalization", ICML 2015.
 */
#include "runtime/ops/simple.h"

static size_t partial(const struct sy_node *node, struct sy_shape in,
                      struct sy_shape out)
{
    (void)node;
    (void)out;
    return 2 * (size_t)in.c;
}

static size_t rows_of(const struct sy_op_args *a)
{
    return (size_t)a->count * (size_t)a->in.h * (size_t)a->in.w;
}

static void stats(const struct sy_op_args *a)
{
    size_t rows = rows_of(a);
    size_t channels = (size_t)a->in.c;

    for (size_t c = 0; c < channels; c++) {
        double sum = 0.0, m2 = 0.0;
        for (size_t i = 0; i < rows; i++) {
            sum += (double)a->x[i * channels + c];
        }
        double mean = rows > 0 ? sum / (double)rows : 0.0;
        for (size_t i = 0; i < rows; i++) {
            double d = (double)a->x[i * channels + c] - mean;
            m2 += d * d;
        }
        a->partial[c] = (float)mean;
        a->partial[channels + c] = (float)m2;
    }
}

/* h of element i, whose channel is c. */
static double normalised(const struct sy_op_args *a, size_t i, size_t c)
{
    double mean = (double)a->moments[c];

    return ((double)a->x[i] - mean) * (double)a->moments[(size_t)a->in.c + c];
}

/* z of element i, rounded: the kinks of the activations are at floats. */
static float before_act(const struct sy_op_args *a, size_t i, size_t c)
{
    return (float)((double)a->w[c] * normalised(a, i, c) + (double)a->b[c]);
}

static double before_act_gradient(const struct sy_op_args *a, size_t i,
                                  size_t c)
{
    float slope = sy_act_slope(a->node->act, before_act(a, i, c));

    return (double)a->dy[i] * (double)slope;
}

static void forward(const struct sy_op_args *a)
{
    size_t channels = (size_t)a->in.c;

    for (size_t i = 0; i < rows_of(a) * channels; i++) {
        a->y[i] = sy_act_value(a->node->act, before_act(a, i, i % channels));
    }
}

static void sums(const struct sy_op_args *a)
{
    size_t rows = rows_of(a);
    size_t channels = (size_t)a->in.c;

    for (size_t c = 0; c < channels; c++) {
        double scale = 0.0, bias = 0.0;
        for (size_t i = c; i < rows * channels; i += channels) {
            double dz = before_act_gradient(a, i, c);
            scale += dz * normalised(a, i, c);
            bias += dz;
        }
        a->partial[c] = (float)scale;
        a->partial[channels + c] = (float)bias;
    }
}

static void backward(const struct sy_op_args *a)
{
    size_t channels = (size_t)a->in.c;
    const float *total_scale = a->totals, *total_bias = a->totals + channels;

    if (a->dx == NULL) {
        return;
    }
    for (size_t i = 0; i < rows_of(a) * channels; i++) {
        size_t c = i % channels;
        double h = normalised(a, i, c);
        double shared = (double)total_bias[c] + h * (double)total_scale[c];
        double dz = before_act_gradient(a, i, c);
        double factor = (double)a->w[c] * (double)a->moments[channels + c];
        float d = (float)(factor * (dz - shared / (double)a->total_rows));
        a->dx[i] = a->add_dx ? a->dx[i] + d : d;
    }
}

const struct sy_op sy_op_norm = {
    .name = "norm",
    .inputs = 1,
    .shape = keep_shape,
    .madds = no_madds,
    .partial = partial,
    .stats = stats,
    .forward = forward,
    .sums = sums,
    .backward = backward,
};
