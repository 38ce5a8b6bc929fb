/*
 * narrow.c - training: the gradient of the weight where a line of the window
 * is a few numbers, as in a stem.
 *
 * DESIGN: as a product of matrices, a 3 x 3 window on 3 channels is 27 rows of
 * a long sum, gathered first, and 14 numbers are loaded for each vector of dy.
 * Here the 9 numbers of a window's line, which lie together, are multiplied
 * with one vector of dy each, straight from the image, and their sums stay in
 * registers along the whole image. Positions whose window leaves the image
 * test each number; there are few.
 */
#include "runtime/cpu/kernels/narrow.h"

enum { MAX_LINE = 15 };

/* Where line `ky` of the window of an output row's positions lies. */
struct line {
    const float *x; /* of the row of the image that it is on */
    const float *dy;
};

/* Adds what one row of the output gives to the sums of one line. */
INLINE void add_row(const struct sy_op_args *args, const int floats,
                    const struct line *line, struct lanes lanes,
                    vf acc[MAX_LINE])
{
    const struct sy_node *node = args->node;
    const ptrdiff_t channels = args->out.c;
    const int width = args->in.w * args->in.c;
    const int step = node->stride * args->in.c;
    int at = -(node->kernel / 2) * args->in.c; /* of the line in the row */
    for (int ox = 0; ox < args->out.w; ox++, at += step) {
        vf dy = v_get(line->dy + ox * channels, lanes);
        if (at >= 0 && at + floats <= width) {
            UNROLL for (int j = 0; j < floats; j++)
            {
                acc[j] += v_set(line->x[at + j]) * dy;
            }
            continue;
        }
        UNROLL for (int j = 0; j < floats; j++)
        {
            if (at + j >= 0 && at + j < width) {
                acc[j] += v_set(line->x[at + j]) * dy;
            }
        }
    }
}

/* Line `ky` of the window on image n, for one vector of output channels. */
INLINE void add_line(const struct sy_op_args *args, const int floats, int n,
                     int ky, int c, struct lanes lanes)
{
    const ptrdiff_t channels = args->out.c;
    const float *x = args->x + (size_t)n * sy_shape_floats(args->in);
    const float *dy = args->dy + (size_t)n * sy_shape_floats(args->out) + c;
    float *to = args->partial + ky * floats * channels + c;
    vf acc[MAX_LINE];
    UNROLL for (int j = 0; j < floats; j++)
    {
        acc[j] = n > 0 ? v_get(to + j * channels, lanes) : v_zero();
    }
    for (int oy = 0; oy < args->out.h; oy++) {
        int iy = oy * args->node->stride - args->node->kernel / 2 + ky;
        if (iy < 0 || iy >= args->in.h) {
            continue;
        }
        struct line line = {
            .x = x + (ptrdiff_t)iy * args->in.w * args->in.c,
            .dy = dy + (ptrdiff_t)oy * args->out.w * channels,
        };
        add_row(args, floats, &line, lanes, acc);
    }
    UNROLL for (int j = 0; j < floats; j++)
    {
        v_put(to + j * channels, acc[j], lanes);
    }
}

INLINE void all_lines(const struct sy_op_args *args, const int floats)
{
    for (int n = 0; n < args->count; n++) {
        for (int c = 0; c < args->out.c; c += VL) {
            struct lanes lanes = v_lanes(c, args->out.c);
            for (int ky = 0; ky < args->node->kernel; ky++) {
                add_line(args, floats, n, ky, c, lanes);
            }
        }
    }
}

bool SY_KERNEL(narrow_fits)(const struct sy_node *node, struct sy_shape in)
{
    int floats = node->kernel * in.c;
    return node->groups == 1 && node->kernel > 1 &&
           (floats == 3 || floats == 9 || floats == 15);
}

void SY_KERNEL(narrow_weight)(const struct sy_op_args *args)
{
    switch (args->node->kernel * args->in.c) {
    case 3: /* 3 x 3, grey */
        all_lines(args, 3);
        break;
    case 9: /* 3 x 3, three channels */
        all_lines(args, 9);
        break;
    default: /* 5 x 5, three channels */
        all_lines(args, 15);
        break;
    }
}
