/*
 * builder.h - an ONNX model in the making: nodes, constants, inputs, outputs.
 *
 * It knows the format and nothing of networks; the generated messages and the
 * protobuf-c library stay inside builder.c. Constants and texts are copied or
 * made in the model, so nothing that was passed must outlive its call.
 *
 * As with plans, the first failure sticks: later calls do nothing, texts come
 * back empty and sy_onnx_floats returns NULL; sy_onnx_write reports it.
 *
 * Private to this folder and its tests. Thread: one at a time.
 */
#ifndef SY_ONNX_BUILDER_H
#define SY_ONNX_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum {
    SY_ONNX_IR_VERSION = 8,
    SY_ONNX_OPSET = 17,
    SY_ONNX_MAX_INPUTS = 3,
    SY_ONNX_MAX_ATTRIBUTES = 4,
    SY_ONNX_MAX_DIMS = 4,
    SY_ONNX_BATCH = -1 /* as a dimension: the name "N", any number */
};

struct sy_onnx;

/* One attribute: a whole number, several of them, or a real one. */
enum sy_onnx_attribute_kind { SY_ONNX_INT, SY_ONNX_INTS, SY_ONNX_FLOAT };

struct sy_onnx_attribute {
    const char *name;
    enum sy_onnx_attribute_kind kind;
    float real;
    int count; /* of `whole` that are used */
    int64_t whole[SY_ONNX_MAX_DIMS];
};

/* One node. Inputs end with NULL, attributes with an empty name. */
struct sy_onnx_node {
    const char *op; /* "Conv" */
    const char *name;
    const char *input[SY_ONNX_MAX_INPUTS + 1];
    const char *output;
    struct sy_onnx_attribute attribute[SY_ONNX_MAX_ATTRIBUTES + 1];
};

/* What a model holds, for those who report it. */
struct sy_onnx_size {
    int nodes;
    int tensors;     /* constants */
    int64_t numbers; /* in them */
    size_t bytes;    /* of the file */
};

/* An empty model whose graph has this name. Returned owned. */
enum sy_status sy_onnx_new(struct sy_onnx **model, const char *graph,
                           struct sy_error *err) SY_MUST_USE;
void sy_onnx_free(struct sy_onnx *model); /* NULL is legal */

/* A text that lives as long as the model, never NULL. */
const char *sy_onnx_text(struct sy_onnx *model, const char *format, ...)
    SY_PRINTF(2, 3);

void sy_onnx_add_node(struct sy_onnx *model, const struct sy_onnx_node *node);

/*
 * A constant of float32 with these dimensions, zeroed; the caller fills in
 * the numbers before it writes. NULL after a failure.
 */
float *sy_onnx_floats(struct sy_onnx *model, const char *name,
                      const int64_t *dims, int dim_count);

/* A constant of one dimension of int64. */
void sy_onnx_int64s(struct sy_onnx *model, const char *name,
                    const int64_t *values, int count);

/* float32 values of the graph with the dimensions given, and a sentence. */
void sy_onnx_input(struct sy_onnx *model, const char *name, const int64_t *dims,
                   int dim_count, const char *doc);
void sy_onnx_output(struct sy_onnx *model, const char *name,
                    const int64_t *dims, int dim_count, const char *doc);

/* What is known of the model: a sentence for people, pairs for programs. */
void sy_onnx_doc(struct sy_onnx *model, const char *doc);
void sy_onnx_metadata(struct sy_onnx *model, const char *key,
                      const char *value);

/*
 * Writes the model to `path`, whole or not at all, and fills in `size` unless
 * it is NULL. Fails with the first failure of the calls above, and on
 * constants that are not finite.
 */
enum sy_status sy_onnx_write(const struct sy_onnx *model, const char *path,
                             struct sy_onnx_size *size,
                             struct sy_error *err) SY_MUST_USE;

#endif
