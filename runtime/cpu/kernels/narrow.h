/*
 * narrow.h - training: the gradient of the weight where a line of the window
 * is a few numbers, as in a stem.
 */
#ifndef SY_CPU_NARROW_H
#define SY_CPU_NARROW_H

#include "runtime/cpu/kernels/vec.h"

/* True if narrow_weight has a copy for such windows. */
bool SY_KERNEL(narrow_fits)(const struct sy_node *node, struct sy_shape in);

/* The sum over this call's images, to args->partial; dx is not written. */
void SY_KERNEL(narrow_weight)(const struct sy_op_args *args);

#endif
