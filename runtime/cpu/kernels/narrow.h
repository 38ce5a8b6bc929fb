/*
 * narrow.h - training: gradients where products of matrices would be narrow:
 * of a stem, and of groups narrower than a vector.
 */
#ifndef SY_CPU_NARROW_H
#define SY_CPU_NARROW_H

#include "runtime/cpu/kernels/vec.h"

/* True if narrow_weight has a copy for such windows. */
bool SY_KERNEL(narrow_fits)(const struct sy_node *node, struct sy_shape in);

/* The sum over this call's images, to args->partial; dx is not written. */
void SY_KERNEL(narrow_weight)(const struct sy_op_args *args);

/*
 * Backward of a convolution for which group_is_narrow, with stride 1. Its
 * scratch begins with a weight as group_pack leaves it, of `packed` floats;
 * as many as the weight has follow.
 */
void SY_KERNEL(group_backward)(const struct sy_op_args *args, size_t packed);

#endif
