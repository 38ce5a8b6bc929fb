/*
 * conv.c - training: convolution and its gradients as products of matrices.
 *
 * With X the matrix of windows ([positions][k*k*C/g], columns.h):
 *   Y = X W,  dW = X^T dY,  dX = dY W^T (then added back to the image).
 *
 * DESIGN: a 1 x 1 window with stride 1 is its own matrix, so the products run
 * on the activations where they lie. Forward, other windows are computed as in
 * inference (infer.c, group.c), with a weight packed once a shard. Gradients of
 * theirs go through tiles of positions whose matrix fits the second-level
 * cache; a tile serves dW and dx one after the other. Tiles depend on the
 * shapes only, and their contributions are added in order. A stem, whose input
 * wants no gradient, has a kernel of its own (narrow.c), and so have narrow
 * groups (group.c). Where BLAS makes the products, everything goes through
 * tiles.
 */
#include "runtime/cpu/kernels/columns.h"
#include "runtime/cpu/kernels/kernels.h"
#include "runtime/cpu/kernels/narrow.h"

enum { TILE_FLOATS = 32768, TILE_LEAST_ROWS = 16 };

#if defined(__FMA__)
enum { OWN_PRODUCTS = true };
#else
enum { OWN_PRODUCTS = false };
#endif

static bool is_direct(const struct sy_node *node)
{
    return node->kernel == 1 && node->stride == 1;
}

static int tile_rows(int depth, ptrdiff_t positions)
{
    ptrdiff_t rows = TILE_FLOATS / depth;
    rows = rows < TILE_LEAST_ROWS ? TILE_LEAST_ROWS : rows;
    return (int)(rows < positions ? rows : positions);
}

/* Floats of the scratch that begin with a packed weight, whole vectors. */
static size_t packed_part(const struct sy_node *node, struct sy_shape in,
                          struct sy_shape out)
{
    size_t floats = SY_KERNEL(packed_floats)(node, in, out);
    return (floats + VL - 1) / VL * VL;
}

size_t SY_KERNEL(conv_scratch)(const struct sy_node *node, struct sy_shape in,
                               struct sy_shape out, int count)
{
    if (is_direct(node)) {
        return 0;
    }
    struct columns columns = columns_of(node, in, out);
    int depth = columns_depth(&columns);
    size_t tiles = (size_t)depth *
                   (size_t)tile_rows(depth, (ptrdiff_t)count * out.h * out.w);
    size_t windows = packed_part(node, in, out);
    windows += SY_KERNEL(group_is_narrow)(node, in, out)
                   ? (size_t)depth * (size_t)out.c
                   : SY_KERNEL(conv_infer_scratch)(node, in, out);
    return OWN_PRODUCTS && windows > tiles ? windows : tiles;
}

/* One tile of one group: where its matrix is, and how long its rows are. */
struct tile {
    const float *matrix;
    int row;      /* floats between rows of the matrix */
    ptrdiff_t at; /* first position */
    int rows, group;
};

static void tile_forward(const struct sy_op_args *args, int depth,
                         const struct tile *tile)
{
    int channels = args->out.c, part = channels / args->node->groups;
    struct sy_gemm gemm = {.m = tile->rows,
                           .n = part,
                           .k = depth,
                           .lda = tile->row,
                           .ldb = channels,
                           .ldc = channels};
    training_gemm(&gemm, tile->matrix, args->w + tile->group * part,
                  args->y + tile->at * channels + tile->group * part);
}

static void tile_weight(const struct sy_op_args *args, int depth,
                        const struct tile *tile)
{
    int channels = args->out.c, part = channels / args->node->groups;
    struct sy_gemm gemm = {.transpose_a = true,
                           .m = depth,
                           .n = part,
                           .k = tile->rows,
                           .lda = tile->row,
                           .ldb = channels,
                           .ldc = channels,
                           .accumulate = tile->at > 0};
    training_gemm(&gemm, tile->matrix,
                  args->dy + tile->at * channels + tile->group * part,
                  args->partial + tile->group * part);
}

/* The gradient of the tile's matrix, into `to`. */
static void tile_data(const struct sy_op_args *args, int depth,
                      const struct tile *tile, float *to, bool accumulate)
{
    int channels = args->out.c, part = channels / args->node->groups;
    struct sy_gemm gemm = {.transpose_b = true,
                           .m = tile->rows,
                           .n = depth,
                           .k = part,
                           .lda = channels,
                           .ldb = channels,
                           .ldc = tile->row,
                           .accumulate = accumulate};
    training_gemm(&gemm, args->dy + tile->at * channels + tile->group * part,
                  args->w + tile->group * part, to);
}

static void direct(const struct sy_op_args *args, bool backward)
{
    int depth = args->in.c / args->node->groups;
    struct tile tile = {.row = args->in.c,
                        .rows = args->count * args->out.h * args->out.w};
    for (int g = 0; g < args->node->groups; g++) {
        tile.matrix = args->x + g * depth;
        tile.group = g;
        if (!backward) {
            tile_forward(args, depth, &tile);
            continue;
        }
        if (args->partial != NULL) {
            tile_weight(args, depth, &tile);
        }
        if (args->dx != NULL) {
            tile_data(args, depth, &tile, args->dx + g * depth, args->add_dx);
        }
    }
}

static void tiled(const struct sy_op_args *args, bool backward)
{
    struct columns columns = columns_of(args->node, args->in, args->out);
    int depth = columns_depth(&columns);
    ptrdiff_t positions = (ptrdiff_t)args->count * args->out.h * args->out.w;
    int rows = tile_rows(depth, positions);
    float *matrix = args->scratch;
    struct tile tile = {.matrix = matrix, .row = depth};

    if (backward && args->dx != NULL && !args->add_dx) {
        memset(args->dx, 0,
               (size_t)args->count * sy_shape_floats(args->in) * sizeof(float));
    }
    for (tile.at = 0; tile.at < positions; tile.at += rows) {
        ptrdiff_t left = positions - tile.at;
        tile.rows = (int)(left < rows ? left : rows);
        for (tile.group = 0; tile.group < args->node->groups; tile.group++) {
            columns_move(&columns, args->x, NULL, matrix, tile.at, tile.rows,
                         tile.group, false);
            if (!backward) {
                tile_forward(args, depth, &tile);
                continue;
            }
            tile_weight(args, depth, &tile);
            if (args->dx != NULL) {
                tile_data(args, depth, &tile, matrix, false);
                columns_move(&columns, NULL, args->dx, matrix, tile.at,
                             tile.rows, tile.group, true);
            }
        }
    }
}

/* As inference, without what follows. */
static void windows(const struct sy_op_args *args)
{
    struct sy_infer_args infer = {
        .node = args->node,
        .in = args->in,
        .out = args->out,
        .count = args->count,
        .x = args->x,
        .packed = args->scratch,
        .y = args->y,
        .scratch =
            args->scratch + packed_part(args->node, args->in, args->out)};
    SY_KERNEL(pack_weight)
    (args->node, args->in, args->out, args->w, args->scratch);
    SY_KERNEL(conv_infer)(&infer);
}

void SY_KERNEL(conv_forward)(const struct sy_op_args *args)
{
    if (is_direct(args->node)) {
        direct(args, false);
    } else if (OWN_PRODUCTS) {
        windows(args);
    } else {
        tiled(args, false);
    }
}

void SY_KERNEL(conv_backward)(const struct sy_op_args *args)
{
    if (is_direct(args->node)) {
        direct(args, true);
    } else if (OWN_PRODUCTS && args->dx == NULL &&
               SY_KERNEL(narrow_fits)(args->node, args->in)) {
        SY_KERNEL(narrow_weight)(args);
    } else if (OWN_PRODUCTS && args->node->stride == 1 &&
               SY_KERNEL(group_is_narrow)(args->node, args->in, args->out)) {
        SY_KERNEL(group_backward)
        (args, packed_part(args->node, args->in, args->out));
    } else {
        tiled(args, true);
    }
}

/*
 * In parts where writing and reading a gradient for each shard costs more
 * memory traffic than reading x and dy once more.
 */
static int split_parts(enum sy_split_pass pass, const struct sy_node *node,
                       struct sy_shape in, struct sy_shape out, int images,
                       int shards)
{
    int64_t weights = (int64_t)in.c * out.c;
    int64_t rows = (int64_t)images * out.h * out.w;
    bool fits = pass == SY_SPLIT_BACKWARD && is_direct(node) &&
                node->groups == 1 &&
                2 * shards * weights > rows * (in.c + out.c);
    return fits ? SPLIT_PARTS : 0;
}

/* A range of the rows of the weight. */
static void split_weight(const struct sy_op_args *args)
{
    int first = split_at(args->in.c, args->part, args->parts);
    int end = split_at(args->in.c, args->part + 1, args->parts);
    struct sy_gemm gemm = {.transpose_a = true,
                           .m = end - first,
                           .n = args->out.c,
                           .k = args->count * args->out.h * args->out.w,
                           .lda = args->in.c,
                           .ldb = args->out.c,
                           .ldc = args->out.c,
                           .accumulate = args->add_partial};
    if (end > first) {
        training_gemm(&gemm, args->x + first, args->dy,
                      args->partial + (ptrdiff_t)first * args->out.c);
    }
}

const struct sy_split SY_KERNEL(conv_split) = {
    .parts = split_parts,
    .weight = split_weight,
};
