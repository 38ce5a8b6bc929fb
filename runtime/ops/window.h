/*
 * window.h - where a convolution's window lies (private to this folder).
 *
 * With padding p = kernel/2, output o reads input o*stride + tap - p for each
 * tap in [0, kernel); what falls outside the image counts as zero.
 */
#ifndef SY_OPS_WINDOW_H
#define SY_OPS_WINDOW_H

#include "runtime/ops/op.h"

/* The input that `out` reads by `tap`, or -1 in the padding. */
static inline int sy_window_source(const struct sy_node *node, int out, int tap,
                                   int side_in)
{
    int in = out * node->stride + tap - node->kernel / 2;

    return in >= 0 && in < side_in ? in : -1;
}

/* The output that reads `in` by `tap`, or -1 when there is none. */
static inline int sy_window_target(const struct sy_node *node, int in, int tap,
                                   int side_out)
{
    int at = in + node->kernel / 2 - tap;

    if (at < 0 || at % node->stride != 0 || at / node->stride >= side_out) {
        return -1;
    }
    return at / node->stride;
}

/* Judges kernel, stride and channels, and gives the output's sides. */
static inline enum sy_status sy_window_shape(const struct sy_node *node,
                                             const char *name,
                                             struct sy_shape in, int channels,
                                             struct sy_shape *out,
                                             struct sy_error *err)
{
    int k = node->kernel;

    if (k != 1 && k != 3 && k != 5 && k != 7) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: kernel: expected 1, 3, 5 or 7, found %d", name, k);
    }
    if (node->stride != 1 && node->stride != 2) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: stride: expected 1 or 2, found %d", name,
                       node->stride);
    }
    if (channels < 1 || channels > SY_MAX_CHANNELS) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: channels: expected 1 to %d, found %d", name,
                       SY_MAX_CHANNELS, channels);
    }
    *out = (struct sy_shape){.h = sy_conv_side(in.h, k, node->stride),
                             .w = sy_conv_side(in.w, k, node->stride),
                             .c = channels};
    return SY_OK;
}

#endif
