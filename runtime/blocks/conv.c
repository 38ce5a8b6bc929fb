/*
 * conv.c - one k x k convolution with norm and activation; also the stem.
 */
#include "runtime/blocks/block.h"

static void emit(const struct sy_block_spec *spec,
                 const struct sy_block_place *place, struct sy_plan *plan)
{
    plan->output = sy_plan_conv(plan, 0,
                                &(struct sy_conv_options){
                                    .name = "conv",
                                    .channels = place->channels,
                                    .kernel = spec->kernel,
                                    .stride = place->stride,
                                    .groups = 1,
                                    .act = spec->act,
                                });
}

const struct sy_block_type sy_block_conv = {.name = "conv", .emit = emit};
