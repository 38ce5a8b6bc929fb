/*
 * textures.c - what a map looks like over a grid of cells: how high it is, and
 * how it changes from one position to the next.
 *
 * The grid of G = node->kernel cells a side is that of cells.c. For each cell
 * and channel there are four numbers, means over the positions of the cell:
 *
 *   mean     x
 *   edges    |right - x| + |below - x|
 *   bends    |left - 2 x + right| + |above - 2 x + below|
 *   coarse   the edges of the map at half its size, whose positions are means
 *            of 2 x 2 and whose cells are G a side too; an odd last row or
 *            column is left out
 *
 *   y[n][((i*G + j)*4 + which)*C + c]
 *
 * A difference that would reach beyond the map counts as 0. The derivative of
 * |d| at 0 is 0.
 *
 * It is what a gate reads where means alone do not tell photographs apart: all
 * of it is additions and absolute values, no multiplications.
 *
 * DESIGN. Every number is a sum over terms, and every term the absolute value
 * of a few positions with their factors (the mean has no absolute value).
 * `term` lists them, for both ways; the fast kernel does not. A gradient is
 * added up in float, term by term.
 */
#include <math.h>
#include <string.h>

#include "runtime/ops/simple.h"

enum { MEAN, EDGES, BENDS, COARSE, MOST_TAPS = 8 };

struct tap {
    int h, w;
    double by;
};

static enum sy_status shape(const struct sy_node *node,
                            const struct sy_shape *in, struct sy_shape *out,
                            struct sy_error *err)
{
    int grid = node->kernel;
    if (grid < 1 || grid > SY_MAX_GRID || 2 * grid > in->h ||
        2 * grid > in->w) {
        return sy_fail(err, SY_BAD_INPUT,
                       "textures: expected 1 to %d cells a side, of 2 x 2 "
                       "positions at least, and not more than fit into the "
                       "%d x %d positions there are, found %d",
                       SY_MAX_GRID, in->h, in->w, grid);
    }
    *out = (struct sy_shape){
        .h = 1, .w = 1, .c = SY_TEXTURES * grid * grid * in->c};
    return SY_OK;
}

/*
 * The positions behind the term at (h, w), downwards or to the right; their
 * number, 0 where it reaches beyond the map.
 */
static int term(int which, bool down, struct sy_shape in, int h, int w,
                struct tap taps[MOST_TAPS])
{
    int size = which == COARSE ? 2 : 1, count = 0;
    int first = which == BENDS ? -1 : 0, last = which == MEAN ? 0 : 1;

    if (which == MEAN && down) {
        return 0;
    }
    for (int k = first; k <= last; k++) {
        int top = (h + (down ? k : 0)) * size;
        int left = (w + (down ? 0 : k)) * size;
        if (top < 0 || left < 0 || top + size > in.h || left + size > in.w) {
            return 0;
        }
        double by = which == MEAN || k != 0 ? 1.0 : (double)first - 1.0;
        for (int i = 0; i < size * size; i++) {
            taps[count++] = (struct tap){.h = top + i / size,
                                         .w = left + i % size,
                                         .by = by / (size * size)};
        }
    }
    return count;
}

/*
 * One number of one channel, its terms summed up and divided by the positions.
 * With dx, the gradient: `dy` is that of the number.
 */
static double number(const float *x, struct sy_shape in, int grid, int cell,
                     int which, double dy, float *dx)
{
    int side_h = which == COARSE ? in.h / 2 : in.h;
    int side_w = which == COARSE ? in.w / 2 : in.w;
    struct sy_span rows = sy_cell_span(cell / grid, grid, side_h);
    struct sy_span columns = sy_cell_span(cell % grid, grid, side_w);
    double positions =
        (double)(rows.end - rows.first) * (double)(columns.end - columns.first);
    double sum = 0.0;
    struct tap taps[MOST_TAPS];

    for (int h = rows.first; h < rows.end; h++) {
        for (int i = 2 * columns.first; i < 2 * columns.end; i++) {
            double value = 0.0;
            int count = term(which, i % 2 == 1, in, h, i / 2, taps);
            for (int t = 0; t < count; t++) {
                value += taps[t].by *
                         (double)x[(taps[t].h * in.w + taps[t].w) * in.c];
            }
            sum += which == MEAN ? value : fabs(value);
            double slope =
                which == MEAN ? 1.0 : (double)((value > 0.0) - (value < 0.0));
            for (int t = 0; dx != NULL && t < count; t++) {
                dx[(taps[t].h * in.w + taps[t].w) * in.c] +=
                    (float)(slope * taps[t].by * dy / positions);
            }
        }
    }
    return sum / positions;
}

static void forward(const struct sy_op_args *a)
{
    int grid = a->node->kernel;
    for (int n = 0; n < a->count; n++) {
        const float *x = a->x + (size_t)n * sy_shape_floats(a->in);
        float *y = a->y + (size_t)n * sy_shape_floats(a->out);
        for (int i = 0; i < SY_TEXTURES * grid * grid; i++) {
            for (int c = 0; c < a->in.c; c++) {
                *y++ = (float)number(x + c, a->in, grid, i / SY_TEXTURES,
                                     i % SY_TEXTURES, 0.0, NULL);
            }
        }
    }
}

static void backward(const struct sy_op_args *a)
{
    int grid = a->node->kernel;
    size_t image = sy_shape_floats(a->in);
    for (int n = 0; a->dx != NULL && n < a->count; n++) {
        const float *x = a->x + (size_t)n * image;
        const float *dy = a->dy + (size_t)n * sy_shape_floats(a->out);
        float *dx = a->dx + (size_t)n * image;
        if (!a->add_dx) {
            memset(dx, 0, image * sizeof *dx);
        }
        for (int i = 0; i < SY_TEXTURES * grid * grid; i++) {
            for (int c = 0; c < a->in.c; c++) {
                (void)number(x + c, a->in, grid, i / SY_TEXTURES,
                             i % SY_TEXTURES, (double)*dy++, dx + c);
            }
        }
    }
}

const struct sy_op sy_op_textures = {
    .name = "textures",
    .inputs = 1,
    .shape = shape,
    .madds = no_madds,
    .partial = no_partial,
    .forward = forward,
    .backward = backward,
};
