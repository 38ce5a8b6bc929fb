/*
 * mbconv.c - the inverted bottleneck.
 *
 *   x -> expand 1x1 -> depthwise k x k -> [squeeze-excite] -> project 1x1
 *     -> [+ x, where stride is 1 and the channels agree]
 *
 * The activation follows the first two; the projection is linear. A block that
 * is no wider inside has no expand convolution: it would only mix channels that
 * the projection mixes anyway.
 *
 * Source: M. Sandler et al., "MobileNetV2", CVPR 2018; squeeze-excite between
 * depthwise and projection as in A. Howard et al., "MobileNetV3", ICCV 2019.
 */
#include "runtime/blocks/block.h"

static void emit(const struct sy_block_spec *spec,
                 const struct sy_block_place *place, struct sy_plan *plan)
{
    int width = sy_block_expanded(spec, place->in.c);
    int y = 0;

    if (spec->expanded > 0 ? width != place->in.c : spec->expansion > 1) {
        y = sy_plan_conv(plan, y,
                         &(struct sy_conv_options){
                             .name = "expand",
                             .channels = width,
                             .kernel = 1,
                             .stride = 1,
                             .groups = 1,
                             .act = spec->act,
                         });
    }
    y = sy_plan_depthwise(plan, y, "depthwise", spec->kernel, place->stride,
                          spec->act);
    if (spec->se) {
        y = sy_plan_squeeze_excite(plan, y);
    }
    y = sy_block_project(plan, y, place);
    plan->output = sy_block_residual(plan, y, place);
}

const struct sy_block_type sy_block_mbconv = {.name = "mbconv", .emit = emit};
