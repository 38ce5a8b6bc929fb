/*
 * forms.h - the ONNX form of every operator of ours.
 *
 * One table, one entry per operator, as in ops/op.h. An entry takes one step
 * of a fused plan and adds its nodes and constants; norms are folded into the
 * weights before them, so a form sees one expert's numbers.
 *
 * Ours are H x W x C per image, ONNX has N x C x H x W. A vector of ours
 * (1 x 1 x C) is N x C once it has been pooled; `flat` tells the two apart.
 *
 * Private to this folder. Thread: one at a time per model.
 */
#ifndef SY_ONNX_FORMS_H
#define SY_ONNX_FORMS_H

#include "runtime/network/network.h"
#include "runtime/onnx/builder.h"

/* A value of the graph: the name lives as long as the model. */
struct sy_onnx_value {
    const char *name;
    bool flat; /* [N, C], else [N, C, H, W] */
};

/* What a form works on: one unit of a network as one expert runs it. */
struct sy_onnx_context {
    struct sy_onnx *model;
    const struct sy_network *network;
    int unit;
    int slot;                                       /* of its norms */
    struct sy_onnx_value value[SY_PLAN_MAX_VALUES]; /* those that stand */
};

/* Adds the step's nodes; value[step->node.out] then stands. */
void sy_onnx_add_step(struct sy_onnx_context *context,
                      const struct sy_step *step);

#endif
