/*
 * depthwise.c - convolution of each channel with its own window.
 *
 *   y[n][oy][ox][c] = sum over ky, kx of
 *       x[n][oy*s + ky - p][ox*s + kx - p][c] * w[ky][kx][c]
 *
 * with p = kernel/2. It is conv with as many groups as channels, but its
 * weight has the layout [kh][kw][C] and its kernels walk channels.
 */
#include "runtime/ops/window.h"

static enum sy_status shape(const struct sy_node *node,
                            const struct sy_shape *in, struct sy_shape *out,
                            struct sy_error *err)
{
    return sy_window_shape(node, "depthwise", *in, in->c, out, err);
}

static size_t weight_floats(const struct sy_node *node, struct sy_shape in,
                            struct sy_shape out)
{
    (void)out;
    return (size_t)(node->kernel * node->kernel) * (size_t)in.c;
}

static int64_t madds(const struct sy_node *node, struct sy_shape in,
                     struct sy_shape out)
{
    return (int64_t)weight_floats(node, in, out) * out.h * out.w;
}

/* One output: image x [H][W][C], position (oy, ox), channel c. */
static double window_sum(const struct sy_op_args *a, const float *x, int oy,
                         int ox, int c)
{
    const struct sy_node *node = a->node;
    double sum = 0.0;

    for (int ky = 0; ky < node->kernel; ky++) {
        int iy = sy_window_source(node, oy, ky, a->in.h);
        for (int kx = 0; kx < node->kernel; kx++) {
            int ix = sy_window_source(node, ox, kx, a->in.w);
            if (iy < 0 || ix < 0) {
                continue;
            }
            size_t from = ((size_t)iy * a->in.w + ix) * a->in.c + c;
            size_t tap = ((size_t)ky * node->kernel + kx) * a->in.c + c;
            sum += (double)x[from] * (double)a->w[tap];
        }
    }
    return sum;
}

static void forward(const struct sy_op_args *a)
{
    float *y = a->y;

    for (int n = 0; n < a->count; n++) {
        const float *x = a->x + n * sy_shape_floats(a->in);
        for (int oy = 0; oy < a->out.h; oy++) {
            for (int ox = 0; ox < a->out.w; ox++) {
                for (int c = 0; c < a->out.c; c++) {
                    *y++ = (float)window_sum(a, x, oy, ox, c);
                }
            }
        }
    }
}

/* One number of dx: image dy [OH][OW][C], input position (iy, ix, c). */
static double input_gradient(const struct sy_op_args *a, const float *dy,
                             int iy, int ix, int c)
{
    const struct sy_node *node = a->node;
    double sum = 0.0;

    for (int ky = 0; ky < node->kernel; ky++) {
        int oy = sy_window_target(node, iy, ky, a->out.h);
        for (int kx = 0; kx < node->kernel; kx++) {
            int ox = sy_window_target(node, ix, kx, a->out.w);
            if (oy < 0 || ox < 0) {
                continue;
            }
            size_t to = ((size_t)oy * a->out.w + ox) * a->out.c + c;
            size_t tap = ((size_t)ky * node->kernel + kx) * a->in.c + c;
            sum += (double)dy[to] * (double)a->w[tap];
        }
    }
    return sum;
}

/* One number of the weight's gradient, over all images and positions. */
static double weight_gradient(const struct sy_op_args *a, int ky, int kx, int c)
{
    const struct sy_node *node = a->node;
    double sum = 0.0;

    for (int n = 0; n < a->count; n++) {
        const float *x = a->x + n * sy_shape_floats(a->in);
        const float *dy = a->dy + n * sy_shape_floats(a->out);
        for (int oy = 0; oy < a->out.h; oy++) {
            int iy = sy_window_source(node, oy, ky, a->in.h);
            for (int ox = 0; ox < a->out.w; ox++) {
                int ix = sy_window_source(node, ox, kx, a->in.w);
                if (iy < 0 || ix < 0) {
                    continue;
                }
                size_t from = ((size_t)iy * a->in.w + ix) * a->in.c + c;
                size_t to = ((size_t)oy * a->out.w + ox) * a->out.c + c;
                sum += (double)x[from] * (double)dy[to];
            }
        }
    }
    return sum;
}

static void backward_input(const struct sy_op_args *a)
{
    float *dx = a->dx;

    for (int n = 0; n < a->count; n++) {
        const float *dy = a->dy + n * sy_shape_floats(a->out);
        for (int iy = 0; iy < a->in.h; iy++) {
            for (int ix = 0; ix < a->in.w; ix++) {
                for (int c = 0; c < a->in.c; c++, dx++) {
                    float d = (float)input_gradient(a, dy, iy, ix, c);
                    *dx = a->add_dx ? *dx + d : d;
                }
            }
        }
    }
}

static void backward(const struct sy_op_args *a)
{
    float *dw = a->partial;

    for (int ky = 0; ky < a->node->kernel; ky++) {
        for (int kx = 0; kx < a->node->kernel; kx++) {
            for (int c = 0; c < a->in.c; c++) {
                *dw++ = (float)weight_gradient(a, ky, kx, c);
            }
        }
    }
    if (a->dx != NULL) {
        backward_input(a);
    }
}

const struct sy_op sy_op_depthwise = {
    .name = "depthwise",
    .inputs = 1,
    .shape = shape,
    .madds = madds,
    .partial = weight_floats,
    .forward = forward,
    .backward = backward,
};
