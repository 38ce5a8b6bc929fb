/*
 * zero.c - skipping a layer.
 *
 * Where the shapes match the plan has no nodes: its output is its input, and
 * it costs nothing. Otherwise the cheapest thing that gives the layer's shape
 * stands in, a linear 1x1 convolution with the layer's stride.
 */
#include "runtime/blocks/block.h"

static void emit(const struct sy_block_spec *spec,
                 const struct sy_block_place *place, struct sy_plan *plan)
{
    (void)spec;
    if (place->stride == 1 && place->in.c == place->channels) {
        plan->output = 0;
        return;
    }
    plan->output = sy_plan_conv(plan, 0,
                                &(struct sy_conv_options){
                                    .name = "project",
                                    .channels = place->channels,
                                    .kernel = 1,
                                    .stride = place->stride,
                                    .groups = 1,
                                    .act = SY_ACT_NONE,
                                });
}

const struct sy_block_type sy_block_zero = {.name = "zero", .emit = emit};
