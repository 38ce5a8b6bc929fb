/*
 * group.c - the group-convolution bottleneck.
 *
 *   x -> expand 1x1 -> k x k in groups -> [squeeze-excite] -> project 1x1
 *     -> [+ x]
 *
 * It stands between mbconv (as many groups as channels) and a dense
 * convolution (one group). Expanded widths are multiples of 8, so 1, 2, 4 and
 * 8 groups always divide them; others may not, and are then refused.
 *
 * Source: S. Xie et al., "Aggregated Residual Transformations", CVPR 2017,
 * with the linear projection of the inverted bottleneck.
 */
#include "runtime/blocks/block.h"

static void emit(const struct sy_block_spec *spec,
                 const struct sy_block_place *place, struct sy_plan *plan)
{
    int width = sy_block_expanded(spec, place->in.c);
    int y = sy_plan_conv(plan, 0,
                         &(struct sy_conv_options){
                             .name = "expand",
                             .channels = width,
                             .kernel = 1,
                             .stride = 1,
                             .groups = 1,
                             .act = spec->act,
                         });
    y = sy_plan_conv(plan, y,
                     &(struct sy_conv_options){
                         .name = "group",
                         .channels = width,
                         .kernel = spec->kernel,
                         .stride = place->stride,
                         .groups = spec->groups,
                         .act = spec->act,
                     });
    if (spec->se) {
        y = sy_plan_squeeze_excite(plan, y);
    }
    y = sy_block_project(plan, y, place);
    plan->output = sy_block_residual(plan, y, place);
}

const struct sy_block_type sy_block_group = {.name = "group", .emit = emit};
