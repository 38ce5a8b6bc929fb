/*
 * columns.h - windows of a convolution as rows of a matrix (im2col), for one
 * group of channels, and the way back.
 *
 * Row p of the matrix is the window of output position p (counted over all
 * images): [ky][kx][C/groups], zeros where the window leaves the image.
 */
#ifndef SY_CPU_COLUMNS_H
#define SY_CPU_COLUMNS_H

#include "runtime/cpu/kernels/vec.h"

struct columns {
    const struct sy_node *node;
    struct sy_shape in, out;
    int channels; /* of one group */
};

INLINE struct columns columns_of(const struct sy_node *node, struct sy_shape in,
                                 struct sy_shape out)
{
    struct columns c = {node, in, out, in.c / node->groups};
    return c;
}

/* Floats of one row. */
INLINE int columns_depth(const struct columns *c)
{
    return c->node->kernel * c->node->kernel * c->channels;
}

INLINE void copy_floats(float *to, const float *from, int n)
{
    int i = 0;
    for (; i + VL <= n; i += VL) {
        v_store(to + i, v_load(from + i));
    }
    if (i < n) {
        vmask m = v_mask(n - i);
        v_store_part(to + i, v_load_part(from + i, m), m);
    }
}

INLINE void add_floats(float *to, const float *from, int n)
{
    int i = 0;
    for (; i + VL <= n; i += VL) {
        v_store(to + i, v_load(to + i) + v_load(from + i));
    }
    if (i < n) {
        vmask m = v_mask(n - i);
        v_store_part(to + i, v_load_part(to + i, m) + v_load_part(from + i, m),
                     m);
    }
}

INLINE void zero_floats(float *to, int n)
{
    int i = 0;
    for (; i + VL <= n; i += VL) {
        v_store(to + i, v_zero());
    }
    if (i < n) {
        v_store_part(to + i, v_zero(), v_mask(n - i));
    }
}

/*
 * Copies rows first .. first + rows - 1 out of x (`back` false), or adds them
 * to dx (`back` true; `x` is then written through `dx`).
 */
INLINE void columns_move(const struct columns *c, const float *x, float *dx,
                         float *matrix, ptrdiff_t first, int rows, int group,
                         const bool back)
{
    const int kernel = c->node->kernel, stride = c->node->stride;
    const int pad = kernel / 2, width = c->channels;
    const bool whole = width == c->in.c; /* taps of a line lie together */
    ptrdiff_t image = (ptrdiff_t)c->out.h * c->out.w;
    ptrdiff_t n = first / image;
    int oy = (int)(first % image / c->out.w), ox = (int)(first % c->out.w);

    for (int r = 0; r < rows; r++) {
        int iy = oy * stride - pad, ix = ox * stride - pad;
        int low = ix < 0 ? -ix : 0;
        int high = c->in.w - ix < kernel ? c->in.w - ix : kernel;
        for (int ky = 0; ky < kernel; ky++) {
            float *to = matrix + ky * kernel * width;
            if (iy + ky < 0 || iy + ky >= c->in.h) {
                if (!back) {
                    zero_floats(to, kernel * width);
                }
                continue;
            }
            ptrdiff_t at = ((n * c->in.h + iy + ky) * c->in.w + ix + low) *
                               (ptrdiff_t)c->in.c +
                           (ptrdiff_t)group * width;
            if (!back && low > 0) {
                zero_floats(to, low * width);
            }
            int step = whole ? high - low : 1;
            for (int kx = low; kx < high; kx += step) {
                if (back) {
                    add_floats(dx + at, to + kx * width, step * width);
                } else {
                    copy_floats(to + kx * width, x + at, step * width);
                }
                at += c->in.c;
            }
            if (!back && high < kernel) {
                zero_floats(to + high * width, (kernel - high) * width);
            }
        }
        matrix += kernel * kernel * width;
        if (++ox == c->out.w) {
            ox = 0;
            if (++oy == c->out.h) {
                oy = 0;
                n++;
            }
        }
    }
}

#endif
