/*
 * shape.h - the shape of one image's activations.
 *
 * Activations are dense float32, row-major, channel last: [N][H][W][C]. N is
 * never part of a shape: blocks and operators describe one image, and how
 * many travel together is decided when they run. A vector is 1 x 1 x C.
 */
#ifndef SY_TENSOR_SHAPE_H
#define SY_TENSOR_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

struct sy_shape {
    int h, w, c;
};

enum { SY_MAX_SIDE = 4096, SY_MAX_CHANNELS = 8192 };

static inline size_t sy_shape_floats(struct sy_shape shape)
{
    return (size_t)shape.h * (size_t)shape.w * (size_t)shape.c;
}

static inline bool sy_shape_equal(struct sy_shape a, struct sy_shape b)
{
    return a.h == b.h && a.w == b.w && a.c == b.c;
}

/* Output side of a window of `kernel` with padding kernel/2. */
static inline int sy_conv_side(int side, int kernel, int stride)
{
    return (side + 2 * (kernel / 2) - kernel) / stride + 1;
}

#endif
