/*
 * conv.c - convolution, in groups.
 *
 *   y[n][oy][ox][k] = sum over ky, kx, c of
 *       x[n][oy*s + ky - p][ox*s + kx - p][g*Cg + c] * w[ky][kx][c][k]
 *
 * with p = kernel/2, Cg = C/groups input channels per group, Kg = K/groups
 * output channels per group, and g = k / Kg the group of output channel k.
 *
 * DESIGN. Each number of y, dx and the weight gradient is one double sum over
 * everything that reaches it, rounded once. That is slow and easy to believe.
 */
#include "runtime/ops/window.h"

static enum sy_status shape(const struct sy_node *node,
                            const struct sy_shape *in, struct sy_shape *out,
                            struct sy_error *err)
{
    int channels = out->c, groups = node->groups;

    if (groups < 1 || in->c % groups != 0 || channels % groups != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "conv: groups: %d does not divide %d input and %d "
                       "output channels",
                       groups, in->c, channels);
    }
    return sy_window_shape(node, "conv", *in, channels, out, err);
}

/* Numbers of the weight: kernel^2 * Cg * K. */
static size_t weight_floats(const struct sy_node *node, struct sy_shape in,
                            struct sy_shape out)
{
    return (size_t)(node->kernel * node->kernel) *
           (size_t)(in.c / node->groups) * (size_t)out.c;
}

static int64_t madds(const struct sy_node *node, struct sy_shape in,
                     struct sy_shape out)
{
    return (int64_t)weight_floats(node, in, out) * out.h * out.w;
}

/* One output: image x [H][W][C], position (oy, ox), channel k. */
static double window_sum(const struct sy_op_args *a, const float *x, int oy,
                         int ox, int k)
{
    const struct sy_node *node = a->node;
    int cg = a->in.c / node->groups;
    int first = k / (a->out.c / node->groups) * cg;
    double sum = 0.0;

    for (int ky = 0; ky < node->kernel; ky++) {
        int iy = sy_window_source(node, oy, ky, a->in.h);
        for (int kx = 0; kx < node->kernel; kx++) {
            int ix = sy_window_source(node, ox, kx, a->in.w);
            if (iy < 0 || ix < 0) {
                continue;
            }
            const float *pixel =
                x + ((size_t)iy * a->in.w + ix) * a->in.c + first;
            const float *w =
                a->w + ((size_t)ky * node->kernel + kx) * cg * a->out.c + k;
            for (int c = 0; c < cg; c++) {
                sum += (double)pixel[c] * (double)w[(size_t)c * a->out.c];
            }
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
                for (int k = 0; k < a->out.c; k++) {
                    *y++ = (float)window_sum(a, x, oy, ox, k);
                }
            }
        }
    }
}

/* One number of dx: image dy [OH][OW][K], input position (iy, ix, c). */
static double input_gradient(const struct sy_op_args *a, const float *dy,
                             int iy, int ix, int c)
{
    const struct sy_node *node = a->node;
    int cg = a->in.c / node->groups, kg = a->out.c / node->groups;
    int first = c / cg * kg;
    double sum = 0.0;

    for (int ky = 0; ky < node->kernel; ky++) {
        int oy = sy_window_target(node, iy, ky, a->out.h);
        for (int kx = 0; kx < node->kernel; kx++) {
            int ox = sy_window_target(node, ix, kx, a->out.w);
            if (oy < 0 || ox < 0) {
                continue;
            }
            size_t tap = (size_t)ky * node->kernel + kx;
            const float *pixel =
                dy + ((size_t)oy * a->out.w + ox) * a->out.c + first;
            const float *w = a->w + (tap * cg + c % cg) * a->out.c + first;
            for (int k = 0; k < kg; k++) {
                sum += (double)pixel[k] * (double)w[k];
            }
        }
    }
    return sum;
}

/* One number of the weight's gradient, over all images and positions. */
static double weight_gradient(const struct sy_op_args *a, int ky, int kx, int c,
                              int k)
{
    const struct sy_node *node = a->node;
    int channel = k / (a->out.c / node->groups) * (a->in.c / node->groups) + c;
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
                size_t from = ((size_t)iy * a->in.w + ix) * a->in.c;
                size_t to = ((size_t)oy * a->out.w + ox) * a->out.c;
                sum += (double)x[from + channel] * (double)dy[to + k];
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
            for (int c = 0; c < a->in.c / a->node->groups; c++) {
                for (int k = 0; k < a->out.c; k++) {
                    *dw++ = (float)weight_gradient(a, ky, kx, c, k);
                }
            }
        }
    }
    if (a->dx != NULL) {
        backward_input(a);
    }
}

const struct sy_op sy_op_conv = {
    .name = "conv",
    .inputs = 1,
    .shape = shape,
    .madds = madds,
    .partial = weight_floats,
    .forward = forward,
    .backward = backward,
};
