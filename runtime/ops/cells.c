/*
 * cells.c - the means over a grid of cells: where in the image something is.
 *
 * With G = node->kernel cells a side, cell (i, j) holds the rows from
 * floor(i H / G) to floor((i+1) H / G) and likewise the columns, so the cells
 * differ by one row at most and cover the image once.
 *
 *   y[n][(i*G + j)*C + c] = mean over h, w of cell (i, j) of x[n][h][w][c]
 *   dx[n][h][w][c]        = dy[n][its cell][c] / positions of its cell
 *
 * It is what a gate reads of a map: coarse, but not blind to where.
 *
 * DESIGN. Channels are the inner loop, a strip of them at a time, so that the
 * sums in double stay in registers and the image is read in order.
 */
#include "runtime/ops/simple.h"

enum { STRIP = 16 };

static enum sy_status shape(const struct sy_node *node,
                            const struct sy_shape *in, struct sy_shape *out,
                            struct sy_error *err)
{
    int grid = node->kernel;
    if (grid < 1 || grid > SY_MAX_GRID || grid > in->h || grid > in->w) {
        return sy_fail(err, SY_BAD_INPUT,
                       "cells: expected 1 to %d a side, and not more than the "
                       "%d x %d positions there are, found %d",
                       SY_MAX_GRID, in->h, in->w, grid);
    }
    *out = (struct sy_shape){.h = 1, .w = 1, .c = grid * grid * in->c};
    return SY_OK;
}

/* Means of one cell, channels [c, c + count) of it. */
static void average(const float *x, struct sy_shape in, struct sy_span rows,
                    struct sy_span columns, int c, int count, float *y)
{
    double sum[STRIP] = {0.0};
    double positions =
        (double)(rows.end - rows.first) * (double)(columns.end - columns.first);

    for (int h = rows.first; h < rows.end; h++) {
        const float *row = x + ((size_t)h * (size_t)in.w) * (size_t)in.c;
        for (int w = columns.first; w < columns.end; w++) {
            const float *at = row + (size_t)w * (size_t)in.c + c;
            for (int k = 0; k < count; k++) {
                sum[k] += (double)at[k];
            }
        }
    }
    for (int k = 0; k < count; k++) {
        y[c + k] = (float)(sum[k] / positions);
    }
}

static void forward(const struct sy_op_args *a)
{
    int grid = a->node->kernel;

    for (int n = 0; n < a->count; n++) {
        const float *x = a->x + (size_t)n * sy_shape_floats(a->in);
        float *y = a->y + (size_t)n * sy_shape_floats(a->out);
        for (int cell = 0; cell < grid * grid; cell++, y += a->in.c) {
            struct sy_span rows = sy_cell_span(cell / grid, grid, a->in.h);
            struct sy_span columns = sy_cell_span(cell % grid, grid, a->in.w);
            int c = 0;
            for (; c + STRIP <= a->in.c; c += STRIP) {
                average(x, a->in, rows, columns, c, STRIP, y);
            }
            if (c < a->in.c) {
                average(x, a->in, rows, columns, c, a->in.c - c, y);
            }
        }
    }
}

/* The gradient of one image. */
static void spread(const struct sy_op_args *a, const float *dy, float *dx)
{
    int grid = a->node->kernel;

    for (int cell = 0; cell < grid * grid; cell++, dy += a->in.c) {
        struct sy_span rows = sy_cell_span(cell / grid, grid, a->in.h);
        struct sy_span columns = sy_cell_span(cell % grid, grid, a->in.w);
        double positions = (double)(rows.end - rows.first) *
                           (double)(columns.end - columns.first);
        for (int h = rows.first; h < rows.end; h++) {
            for (int w = columns.first; w < columns.end; w++) {
                float *at = dx + ((size_t)h * (size_t)a->in.w + (size_t)w) *
                                     (size_t)a->in.c;
                for (int c = 0; c < a->in.c; c++) {
                    float d = (float)((double)dy[c] / positions);
                    at[c] = a->add_dx ? at[c] + d : d;
                }
            }
        }
    }
}

static void backward(const struct sy_op_args *a)
{
    for (int n = 0; a->dx != NULL && n < a->count; n++) {
        spread(a, a->dy + (size_t)n * sy_shape_floats(a->out),
               a->dx + (size_t)n * sy_shape_floats(a->in));
    }
}

const struct sy_op sy_op_cells = {
    .name = "cells",
    .inputs = 1,
    .shape = shape,
    .madds = no_madds,
    .partial = no_partial,
    .forward = forward,
    .backward = backward,
};
