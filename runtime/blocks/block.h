/*
 * block.h - block kinds: what can stand at a layer.
 *
 * All candidate blocks of a layer map the same input shape to the same output
 * shape. A kind is one file of this folder, one line of the table: which
 * hyper-parameters it takes, and the operators it emits. Cost, parameters and
 * initialisation follow from the plan.
 *
 *   mbconv  inverted bottleneck (MobileNetV2/V3): expand 1x1, depthwise k x k,
 *           optional squeeze-excite, project 1x1; residual where stride is 1
 *           and the channels agree. Expansion 1 has no expand convolution.
 *   fused   fused inverted bottleneck (EfficientNetV2): k x k convolution to
 *           expansion * C, optional squeeze-excite, project 1x1; residual as
 *           above. Expansion 1 is a single k x k convolution.
 *   group   group-convolution bottleneck: 1x1 to expansion * C, k x k
 *           convolution in groups, project 1x1; residual as above.
 *   conv    k x k convolution, norm, activation; also the stem.
 *   zero    skips the layer: nothing where the shapes match, otherwise the
 *           cheapest projection (1x1 convolution with the layer's stride).
 *
 * Expanded widths are rounded to multiples of 8; `expanded` gives one as it is,
 * for networks whose widths are no multiples of their input.
 */
#ifndef SY_BLOCKS_BLOCK_H
#define SY_BLOCKS_BLOCK_H

#include "runtime/plan/plan.h"

enum sy_block_kind {
    SY_BLOCK_MBCONV,
    SY_BLOCK_FUSED,
    SY_BLOCK_GROUP,
    SY_BLOCK_CONV,
    SY_BLOCK_ZERO,
    SY_BLOCK_KINDS
};

extern const char *const sy_block_names[SY_BLOCK_KINDS + 1]; /* ends NULL */

/* Hyper-parameters of one candidate. Unused ones hold their default. */
struct sy_block_spec {
    enum sy_block_kind kind;
    int kernel;    /* 3, 5, 7; conv also 1 */
    int expansion; /* 1..8 */
    int expanded; /* channels inside, in place of expansion * C; 0: not given */
    int groups;   /* group: channels per group = expanded / groups */
    bool se;      /* squeeze-excite */
    enum sy_act act;
};

/* What the layer asks of its blocks. */
struct sy_block_place {
    struct sy_shape in;
    int channels; /* out */
    int stride;
};

struct sy_block_type {
    const char *name;
    /* Emits into a plan begun with place->in, and sets plan->output. */
    void (*emit)(const struct sy_block_spec *spec,
                 const struct sy_block_place *place, struct sy_plan *plan);
};

extern const struct sy_block_type sy_block_mbconv, sy_block_fused,
    sy_block_group, sy_block_conv, sy_block_zero;

/*
 * Emits the whole plan of one block and checks that its output has the
 * place's shape.
 */
enum sy_status sy_block_plan(const struct sy_block_spec *spec,
                             const struct sy_block_place *place,
                             struct sy_plan *plan,
                             struct sy_error *err) SY_MUST_USE;

/* The spec with every default filled in for its kind. */
struct sy_block_spec sy_block_defaults(enum sy_block_kind kind);

/* Channels inside a bottleneck on `channels` inputs. */
int sy_block_expanded(const struct sy_block_spec *spec, int channels);

/* The linear 1x1 convolution that ends a bottleneck, with its norm. */
int sy_block_project(struct sy_plan *plan, int y,
                     const struct sy_block_place *place);

/* y plus the block's input, where the place allows it; else y. */
int sy_block_residual(struct sy_plan *plan, int y,
                      const struct sy_block_place *place);

/* A short text, e.g. "mbconv k5 e4 se hswish"; returns `text`. */
const char *sy_block_text(const struct sy_block_spec *spec, char *text,
                          size_t bytes);

#endif
