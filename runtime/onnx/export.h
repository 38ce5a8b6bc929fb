/*
 * export.h - one expert of one domain as an ONNX file.
 *
 * The graph is the expert's path alone, stem to head, with the domain's norms
 * folded into weights and biases (opset 17, IR version 8). Input `image` is
 * float32 [N, 3, H, W], normalised as (x/255)*2-1; outputs are `logits` and
 * `probabilities`, float32 [N, K]. Probabilities agree with the executor's to
 * rounding: both compute the same sums in another order. docs/onnx.md tells
 * those who use the file.
 *
 * Thread: any.
 */
#ifndef SY_ONNX_EXPORT_H
#define SY_ONNX_EXPORT_H

#include "runtime/network/network.h"
#include "runtime/onnx/builder.h"

/* What is exported. */
struct sy_export {
    int domain;
    int expert;           /* of that domain */
    const char *snapshot; /* "first/3", for the file's metadata; borrowed */
};

/*
 * Finds domain and expert by name and fills in both. Without an expert's name
 * it is the first that the domain's route runs. A message lists what there is
 * where a name is unknown; a supernet, which has no experts, is refused.
 */
enum sy_status sy_export_find(const struct sy_network *network,
                              const char *domain, const char *expert,
                              struct sy_export *what,
                              struct sy_error *err) SY_MUST_USE;

/*
 * Writes the file, whole or not at all. `size` may be NULL. Fails on numbers
 * that are no longer finite once a norm is folded in.
 */
enum sy_status sy_export_write(const struct sy_network *network,
                               const struct sy_export *what, const char *path,
                               struct sy_onnx_size *size,
                               struct sy_error *err) SY_MUST_USE;

#endif
