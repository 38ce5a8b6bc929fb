/*
 * textures.c - what a gate reads of a map: means and differences over a grid
 * of cells, as ops/textures.c says.
 *
 * DESIGN: a vector of channels at a time, cell by cell, so that the sums stay
 * in registers. A difference to the left is the one to the right of the
 * position before. A position of the map at half its size is computed where it
 * is needed, twice in all: that is cheaper than to store it.
 */
#include "runtime/cpu/kernels/kernels.h"

/* One channel vector of a map. */
struct map {
    const float *x; /* its first position */
    ptrdiff_t step, line;
    int h, w;
    struct lanes lanes;
};

struct sums {
    vf mean, edges, bends, coarse;
};

/* Rows [h, h_end) of columns [w, w_end). */
struct cell {
    int h, h_end, w, w_end;
};

INLINE struct cell cell_of(int i, int j, int grid, int height, int width)
{
    return (struct cell){i * height / grid, (i + 1) * height / grid,
                         j * width / grid, (j + 1) * width / grid};
}

INLINE vf v_abs(vf v)
{
    return (vf)((vi)v & 0x7fffffff);
}

INLINE void add_row(struct sums *sum, const struct map *map, int h,
                    const struct cell *cell)
{
    const bool above = h > 0, below = h + 1 < map->h;
    const float *at = map->x + h * map->line + cell->w * map->step;
    vf x = v_get(at, map->lanes);
    vf left = cell->w > 0 ? x - v_get(at - map->step, map->lanes) : v_zero();

    for (int w = cell->w; w < cell->w_end; w++, at += map->step) {
        vf next = x, right = v_zero(), edges = v_zero(), bends = v_zero();
        if (w + 1 < map->w) {
            next = v_get(at + map->step, map->lanes);
            right = next - x;
            edges = v_abs(right);
            bends = w > 0 ? v_abs(right - left) : bends;
        }
        if (below) {
            vf down = v_get(at + map->line, map->lanes) - x;
            edges += v_abs(down);
            if (above) {
                vf up = x - v_get(at - map->line, map->lanes);
                bends += v_abs(down - up);
            }
        }
        sum->mean += x;
        sum->edges += edges;
        sum->bends += bends;
        left = right;
        x = next;
    }
}

/* The sum of 2 x 2 positions. */
INLINE vf four(const struct map *map, int h, int w)
{
    const float *at = map->x + 2 * h * map->line + 2 * w * map->step;
    return (v_get(at, map->lanes) + v_get(at + map->step, map->lanes)) +
           (v_get(at + map->line, map->lanes) +
            v_get(at + map->line + map->step, map->lanes));
}

INLINE void add_coarse_row(struct sums *sum, const struct map *map, int h,
                           const struct cell *cell)
{
    const bool below = h + 1 < map->h / 2;
    vf x = four(map, h, cell->w);

    for (int w = cell->w; w < cell->w_end; w++) {
        vf next = x, edges = v_zero();
        if (w + 1 < map->w / 2) {
            next = four(map, h, w + 1);
            edges = v_abs(next - x);
        }
        if (below) {
            edges += v_abs(four(map, h + 1, w) - x);
        }
        sum->coarse += edges;
        x = next;
    }
}

/* The four numbers of the cell, `channels` apart. */
INLINE void look(float *y, const struct map *map, int i, int j, int grid,
                 int channels)
{
    const struct cell fine = cell_of(i, j, grid, map->h, map->w);
    const struct cell half = cell_of(i, j, grid, map->h / 2, map->w / 2);
    struct sums sum = {v_zero(), v_zero(), v_zero(), v_zero()};

    for (int h = fine.h; h < fine.h_end; h++) {
        add_row(&sum, map, h, &fine);
    }
    for (int h = half.h; h < half.h_end; h++) {
        add_coarse_row(&sum, map, h, &half);
    }
    int positions = (fine.h_end - fine.h) * (fine.w_end - fine.w);
    int coarse = (half.h_end - half.h) * (half.w_end - half.w);
    float share = 1.0f / (float)positions;
    v_put(y, sum.mean * share, map->lanes);
    v_put(y + channels, sum.edges * share, map->lanes);
    v_put(y + 2 * channels, sum.bends * share, map->lanes);
    v_put(y + 3 * channels, sum.coarse * (0.25f / (float)coarse), map->lanes);
}

static void textures_image(float *y, const float *x, struct sy_shape in,
                           int grid)
{
    struct map map = {
        .step = in.c, .line = (ptrdiff_t)in.w * in.c, .h = in.h, .w = in.w};
    for (int cell = 0; cell < grid * grid; cell++) {
        for (int c = 0; c < in.c; c += VL) {
            map.x = x + c;
            map.lanes = v_lanes(c, in.c);
            look(y + c, &map, cell / grid, cell % grid, grid, in.c);
        }
        y += (ptrdiff_t)SY_TEXTURES * in.c;
    }
}

void SY_KERNEL(textures_forward)(const struct sy_op_args *args)
{
    for (int n = 0; n < args->count; n++) {
        textures_image(args->y + (size_t)n * sy_shape_floats(args->out),
                       args->x + (size_t)n * sy_shape_floats(args->in),
                       args->in, args->node->kernel);
    }
}

void SY_KERNEL(textures_infer)(const struct sy_infer_args *args)
{
    for (int n = 0; n < args->count; n++) {
        const struct sy_infer_args one = sy_infer_image(args, n);
        textures_image(one.y, one.x, one.in, one.node->kernel);
    }
}
