/*
 * fused.c - the fused inverted bottleneck.
 *
 *   x -> expand k x k -> [squeeze-excite] -> project 1x1 -> [+ x]
 *
 * One dense convolution in place of expand and depthwise: more multiply-adds,
 * but fewer passes over memory, which pays in early layers. Expansion 1 is
 * one k x k convolution with its activation (and squeeze-excite if asked for),
 * since a 1x1 projection of the same width would add nothing to it.
 *
 * Source: M. Tan, Q. Le, "EfficientNetV2", ICML 2021.
 */
#include "runtime/blocks/block.h"

static void emit(const struct sy_block_spec *spec,
                 const struct sy_block_place *place, struct sy_plan *plan)
{
    bool single = spec->expansion == 1 && spec->expanded == 0;
    int expanded = sy_block_expanded(spec, place->in.c);
    int y = sy_plan_conv(plan, 0,
                         &(struct sy_conv_options){
                             .name = single ? "conv" : "expand",
                             .channels = single ? place->channels : expanded,
                             .kernel = spec->kernel,
                             .stride = place->stride,
                             .groups = 1,
                             .act = spec->act,
                         });
    if (spec->se) {
        y = sy_plan_squeeze_excite(plan, y);
    }
    if (!single) {
        y = sy_block_project(plan, y, place);
    }
    plan->output = sy_block_residual(plan, y, place);
}

const struct sy_block_type sy_block_fused = {.name = "fused", .emit = emit};
