/*
 * op.h - operators: what a node of a plan computes.
 *
 * Blocks describe, operators compute. An operator is one file of this folder:
 * its shape rule, its cost, and a readable reference forward and backward
 * with double accumulation, which is the oracle for every fast kernel and
 * every device. Shapes are per image (tensor/shape.h); N counts images.
 *
 *   op          y =                                   parameters
 *   conv        window products over groups           weight [kh][kw][C/g][K]
 *   depthwise   window products channel by channel    weight [kh][kw][C]
 *   norm        act(scale * (x - mean)/sqrt(var+eps) + bias)  per channel
 *   act         relu, hswish, hsigmoid                -
 *   add         x + x2                                -
 *   pool        mean over H x W                       -
 *   cells       means over a grid of cells            -
 *   textures    the same, and means of differences    -
 *   dense       act(x * W + b), on 1 x 1 x C          weight [C][K], bias [K]
 *   scale       x * x2, x2 is 1 x 1 x C               -
 *
 * Padding is kernel/2 zeros on each side, so the output side is
 * (side + 2*(kernel/2) - kernel)/stride + 1. Weights are stored with the
 * output channel innermost.
 */
#ifndef SY_OPS_OP_H
#define SY_OPS_OP_H

#include <stdint.h>

#include "runtime/base/status.h"
#include "runtime/tensor/shape.h"

enum sy_op_kind {
    SY_OP_CONV,
    SY_OP_DEPTHWISE,
    SY_OP_NORM,
    SY_OP_ACT,
    SY_OP_ADD,
    SY_OP_POOL,
    SY_OP_DENSE,
    SY_OP_SCALE,
    SY_OP_CELLS,
    SY_OP_TEXTURES,
    SY_OP_COUNT
};

/*
 * none      x
 * relu      max(x, 0), derivative 0 at 0
 * hswish    x * min(max(x + 3, 0), 6) / 6
 * hsigmoid  min(max(x + 3, 0), 6) / 6
 * Derivatives at the kinks -3 and 3 are those of the middle piece's outside
 * (0 at x <= -3; at x >= 3: 1 for hswish, 0 for hsigmoid).
 */
enum sy_act {
    SY_ACT_NONE,
    SY_ACT_RELU,
    SY_ACT_HSWISH,
    SY_ACT_HSIGMOID,
    SY_ACT_COUNT
};

extern const char *const sy_act_names[SY_ACT_COUNT + 1]; /* ends with NULL */

float sy_act_value(enum sy_act act, float x);
float sy_act_slope(enum sy_act act, float x);

/* Epsilon of every norm, and the share of a step in its running statistics. */
#define SY_NORM_EPSILON  1e-3f
#define SY_NORM_MOMENTUM 0.01f

/*
 * One node. Values, parameters and norms are indices into the plan that the
 * node belongs to; -1 means none.
 */
struct sy_node {
    enum sy_op_kind op;
    enum sy_act act; /* norm, act, dense; conv and depthwise once fused */
    int kernel;      /* conv, depthwise: 1, 3, 5 or 7; cells,
                        textures: a side's cells */
    int stride;      /* conv, depthwise: 1 or 2 */
    int groups;      /* conv: divides both channel counts */
    int in[2];
    int out;
    int weight;
    int bias;
    int norm;
};

/*
 * Everything a kernel sees, for `count` images that lie one behind the other.
 * Which fields mean something follows from the operator and the stage; the
 * others are zero. Kernels read and write nothing outside these ranges.
 */
struct sy_op_args {
    const struct sy_node *node;
    struct sy_shape in, out; /* of in[0] and out; in[1] follows from the op */
    int count;

    const float *x;  /* count x in */
    const float *x2; /* second input: add, scale */
    const float *w;  /* weight; norm: scale [C] */
    const float *b;  /* bias [K]; norm: bias [C] */
    float *y;        /* count x out: written by forward, read by backward;
                        norm: forward may find x there */

    /* norm: mean[C] then 1/sqrt(var + eps)[C] of the rows it belongs to */
    const float *moments;
    /* norm backward: totals of the sums stage, and the rows they are over */
    const float *totals;
    int64_t total_rows;

    const float *dy; /* count x out */
    float *dx;       /* count x in; NULL: not wanted; norm: may be dy */
    float *dx2;
    bool add_dx; /* add to dx instead of writing it */
    bool add_dx2;

    /*
     * Sums over this call's images, written (not added): backward of conv
     * (NULL: not wanted, it is done in parts), depthwise: gradient of the
     * weight; dense: of the weight then the bias;
     * norm stats: mean[C] then sum of squared deviations[C] of this call's
     * rows; norm sums: gradient of scale[C] then of bias[C].
     */
    float *partial;
    float *scratch; /* as many floats as the backend's scratch() asks for */

    /* Kernels that do part `part` of `parts` only (backend.h, sy_split). */
    int part, parts;
    bool add_partial; /* add to partial and db instead of writing them */
    float *db;        /* gradient of the bias */
};

typedef void (*sy_kernel_fn)(const struct sy_op_args *args);

/*
 * One operator. Norm has two stages each way, because its statistics are over
 * all images of a batch and not over one call's: `stats` gives this call's
 * moments in `partial`, the caller merges them (sy_norm_merge), `forward`
 * applies them; `sums` gives this call's parameter gradients, the caller adds
 * them up into `totals`, `backward` uses them. Other operators have no stats
 * and no sums, and their `backward` writes `dx` and `partial` in one go.
 */
struct sy_op {
    const char *name;
    int inputs;

    /*
     * Fails, with a sentence, on shapes or attributes that do not fit. conv
     * and dense find the output channels they shall have in out->c.
     */
    enum sy_status (*shape)(const struct sy_node *node,
                            const struct sy_shape *in, struct sy_shape *out,
                            struct sy_error *err);

    /* Multiply-adds for one image. Only conv, depthwise and dense count. */
    int64_t (*madds)(const struct sy_node *node, struct sy_shape in,
                     struct sy_shape out);

    /* Floats of `partial`, 0 where nothing is reduced. */
    size_t (*partial)(const struct sy_node *node, struct sy_shape in,
                      struct sy_shape out);

    sy_kernel_fn stats;
    sy_kernel_fn forward;
    sy_kernel_fn sums;
    sy_kernel_fn backward;
};

extern const struct sy_op sy_op_conv, sy_op_depthwise, sy_op_norm, sy_op_act,
    sy_op_add, sy_op_pool, sy_op_dense, sy_op_scale, sy_op_cells,
    sy_op_textures;

/* Numbers that textures gives for each cell and channel. */
enum { SY_TEXTURES = 4 };

/* The table, by kind. */
const struct sy_op *sy_op_of(enum sy_op_kind kind);

/*
 * Merges moments of two disjoint sets of rows (Chan, Golub, LeVeque 1979):
 * `into` (mean[C], m2[C] over into_rows) takes in `from` (over from_rows).
 * Arithmetic in double, result rounded to float once.
 */
void sy_norm_merge(float *into, int64_t into_rows, const float *from,
                   int64_t from_rows, int channels);

#endif
