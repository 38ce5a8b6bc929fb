/*
 * builder.c - an ONNX model in the making.
 *
 * DESIGN. The messages are plain structs that protoc-c generates; this file
 * fills them in and lets the library write them. All of them, their texts and
 * their numbers lie in one arena that ends with the model. Lists have fixed
 * room: a network's plans are bounded, so its graph is, too.
 *
 * The bytes go through the atomic writer as they are made, so that the file
 * never stands in memory beside the messages.
 *
 * Source: the ONNX IR specification, version 8, and its protobuf schema.
 */
#include "runtime/onnx/builder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/network/network.h"
#include "runtime/onnx/onnx.pb-c.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "raw_data is little-endian");

enum {
    /* A step of a plan takes at most four nodes, and as many constants. */
    MAX_NODES = (SY_MAX_LAYERS + 4) * SY_PLAN_MAX_NODES * 4,
    MAX_VALUES = 4,
    MAX_METADATA = 16,
    ARENA_BLOCK_BYTES = 1 << 20
};

struct sy_onnx {
    struct sy_arena arena;
    enum sy_status status;
    const char *full; /* of SY_BAD_INPUT: what there are too many of */
    SyOnnx__ModelProto message;
    SyOnnx__GraphProto graph;
    SyOnnx__OperatorSetIdProto opset;
    SyOnnx__OperatorSetIdProto *opsets[1];
    SyOnnx__NodeProto *node[MAX_NODES];
    SyOnnx__TensorProto *tensor[MAX_NODES];
    SyOnnx__ValueInfoProto *input[MAX_VALUES];
    SyOnnx__ValueInfoProto *output[MAX_VALUES];
    SyOnnx__StringStringEntryProto *metadata[MAX_METADATA];
};

/* `count` zeroed pieces, or NULL with the failure noted. */
static void *take(struct sy_onnx *model, size_t count, size_t bytes_each)
{
    void *piece = NULL;

    if (model->status == SY_OK) {
        piece = sy_arena_zero(&model->arena, count, bytes_each);
        if (piece == NULL) {
            model->status = SY_NO_MEMORY;
        }
    }
    return piece;
}

static char *copy(struct sy_onnx *model, const char *text)
{
    char *copied = NULL;

    if (model->status == SY_OK) {
        copied = sy_arena_strdup(&model->arena, text);
        if (copied == NULL) {
            model->status = SY_NO_MEMORY;
        }
    }
    return copied;
}

/* Whether a list has room for one more; notes it where it has not. */
static bool has_room(struct sy_onnx *model, size_t count, size_t room,
                     const char *what)
{
    if (model->status == SY_OK && count >= room) {
        model->status = SY_BAD_INPUT;
        model->full = what;
    }
    return model->status == SY_OK;
}

enum sy_status sy_onnx_new(struct sy_onnx **model, const char *graph,
                           struct sy_error *err)
{
    static char program[] = "switchyard", version[] = SY_VERSION, domain[] = "";
    struct sy_onnx *made = sy_alloc_zero(1, sizeof *made);

    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "ONNX: no memory");
    }
    sy_arena_init(&made->arena, ARENA_BLOCK_BYTES);
    sy_onnx__graph_proto__init(&made->graph);
    made->graph.name = copy(made, graph);
    made->graph.node = made->node;
    made->graph.initializer = made->tensor;
    made->graph.input = made->input;
    made->graph.output = made->output;
    sy_onnx__operator_set_id_proto__init(&made->opset);
    made->opset.domain = domain;
    made->opset.has_version = 1;
    made->opset.version = SY_ONNX_OPSET;
    made->opsets[0] = &made->opset;
    sy_onnx__model_proto__init(&made->message);
    made->message.has_ir_version = 1;
    made->message.ir_version = SY_ONNX_IR_VERSION;
    made->message.producer_name = program;
    made->message.producer_version = version;
    made->message.graph = &made->graph;
    made->message.n_opset_import = 1;
    made->message.opset_import = made->opsets;
    made->message.metadata_props = made->metadata;
    *model = made;
    return SY_OK;
}

void sy_onnx_free(struct sy_onnx *model)
{
    if (model != NULL) {
        sy_arena_release(&model->arena);
        sy_free(model);
    }
}

const char *sy_onnx_text(struct sy_onnx *model, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    SY_ASSERT(length >= 0);
    char *text = take(model, (size_t)length + 1, 1);
    if (text == NULL) {
        return "";
    }
    va_start(args, format);
    (void)vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

static SyOnnx__AttributeProto *make_attribute(
    struct sy_onnx *model, const struct sy_onnx_attribute *attribute)
{
    SyOnnx__AttributeProto *made = take(model, 1, sizeof *made);
    int64_t *whole = take(model, SY_ONNX_MAX_DIMS, sizeof *whole);

    if (made == NULL || whole == NULL) {
        return NULL;
    }
    sy_onnx__attribute_proto__init(made);
    made->name = copy(model, attribute->name);
    made->has_type = 1;
    switch (attribute->kind) {
    case SY_ONNX_INT:
        made->type = SY_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        made->has_i = 1;
        made->i = attribute->whole[0];
        break;
    case SY_ONNX_INTS:
        made->type = SY_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        made->n_ints = (size_t)attribute->count;
        made->ints = whole;
        memcpy(whole, attribute->whole, sizeof attribute->whole);
        break;
    case SY_ONNX_FLOAT:
        made->type = SY_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        made->has_f = 1;
        made->f = attribute->real;
        break;
    }
    return made;
}

void sy_onnx_add_node(struct sy_onnx *model, const struct sy_onnx_node *node)
{
    SyOnnx__NodeProto *made = take(model, 1, sizeof *made);
    char **inputs = take(model, SY_ONNX_MAX_INPUTS + 1, sizeof *inputs);
    SyOnnx__AttributeProto **attributes =
        take(model, SY_ONNX_MAX_ATTRIBUTES, sizeof(void *));

    if (made == NULL || inputs == NULL || attributes == NULL ||
        !has_room(model, model->graph.n_node, MAX_NODES, "nodes")) {
        return;
    }
    sy_onnx__node_proto__init(made);
    made->name = copy(model, node->name);
    made->op_type = copy(model, node->op);
    made->input = inputs;
    for (int i = 0; node->input[i] != NULL; i++) {
        inputs[i] = copy(model, node->input[i]);
        made->n_input++;
    }
    inputs[SY_ONNX_MAX_INPUTS] = copy(model, node->output);
    made->output = &inputs[SY_ONNX_MAX_INPUTS];
    made->n_output = 1;
    made->attribute = attributes;
    for (int i = 0; node->attribute[i].name != NULL; i++) {
        attributes[i] = make_attribute(model, &node->attribute[i]);
        made->n_attribute++;
    }
    model->node[model->graph.n_node++] = made;
}

/* A constant of `count` numbers, zeroed; its bytes, or NULL. */
static void *add_tensor(struct sy_onnx *model, const char *name,
                        SyOnnx__TensorProto__DataType type, size_t bytes_each,
                        const int64_t *dims, int dim_count)
{
    size_t count = 1;
    SyOnnx__TensorProto *made = take(model, 1, sizeof *made);
    int64_t *sides = take(model, SY_ONNX_MAX_DIMS, sizeof *sides);

    for (int d = 0; d < dim_count; d++) {
        count *= (size_t)dims[d];
    }
    void *numbers = take(model, count, bytes_each);
    if (numbers == NULL ||
        !has_room(model, model->graph.n_initializer, MAX_NODES, "constants")) {
        return NULL;
    }
    sy_onnx__tensor_proto__init(made);
    memcpy(sides, dims, (size_t)dim_count * sizeof *sides);
    made->name = copy(model, name);
    made->has_data_type = 1;
    made->data_type = type;
    made->n_dims = (size_t)dim_count;
    made->dims = sides;
    made->has_raw_data = 1;
    made->raw_data.data = numbers;
    made->raw_data.len = count * bytes_each;
    model->tensor[model->graph.n_initializer++] = made;
    return numbers;
}

float *sy_onnx_floats(struct sy_onnx *model, const char *name,
                      const int64_t *dims, int dim_count)
{
    return add_tensor(model, name, SY_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
                      sizeof(float), dims, dim_count);
}

void sy_onnx_int64s(struct sy_onnx *model, const char *name,
                    const int64_t *values, int count)
{
    int64_t dims[1] = {count};
    void *numbers =
        add_tensor(model, name, SY_ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
                   sizeof *values, dims, 1);

    if (numbers != NULL) {
        memcpy(numbers, values, (size_t)count * sizeof *values);
    }
}

static SyOnnx__TensorShapeProto *make_shape(struct sy_onnx *model,
                                            const int64_t *dims, int dim_count)
{
    static char batch[] = "N";
    SyOnnx__TensorShapeProto *shape = take(model, 1, sizeof *shape);
    SyOnnx__TensorShapeProto__Dimension **all =
        take(model, (size_t)dim_count, sizeof(void *));
    SyOnnx__TensorShapeProto__Dimension *dim =
        take(model, (size_t)dim_count, sizeof *dim);

    if (shape == NULL || all == NULL || dim == NULL) {
        return NULL;
    }
    sy_onnx__tensor_shape_proto__init(shape);
    shape->n_dim = (size_t)dim_count;
    shape->dim = all;
    for (int d = 0; d < dim_count; d++) {
        sy_onnx__tensor_shape_proto__dimension__init(&dim[d]);
        if (dims[d] == SY_ONNX_BATCH) {
            dim[d].dim_param = batch;
        } else {
            dim[d].has_dim_value = 1;
            dim[d].dim_value = dims[d];
        }
        all[d] = &dim[d];
    }
    return shape;
}

static SyOnnx__ValueInfoProto *make_value(struct sy_onnx *model,
                                          const char *name, const int64_t *dims,
                                          int dim_count, const char *doc)
{
    SyOnnx__ValueInfoProto *value = take(model, 1, sizeof *value);
    SyOnnx__TypeProto *type = take(model, 1, sizeof *type);
    SyOnnx__TypeProto__Tensor *tensor = take(model, 1, sizeof *tensor);

    if (value == NULL || type == NULL || tensor == NULL) {
        return NULL;
    }
    sy_onnx__type_proto__tensor__init(tensor);
    tensor->has_elem_type = 1;
    tensor->elem_type = SY_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = make_shape(model, dims, dim_count);
    sy_onnx__type_proto__init(type);
    type->tensor_type = tensor;
    sy_onnx__value_info_proto__init(value);
    value->name = copy(model, name);
    value->type = type;
    value->doc_string = copy(model, doc);
    return value;
}

void sy_onnx_input(struct sy_onnx *model, const char *name, const int64_t *dims,
                   int dim_count, const char *doc)
{
    if (has_room(model, model->graph.n_input, MAX_VALUES, "inputs")) {
        model->input[model->graph.n_input++] =
            make_value(model, name, dims, dim_count, doc);
    }
}

void sy_onnx_output(struct sy_onnx *model, const char *name,
                    const int64_t *dims, int dim_count, const char *doc)
{
    if (has_room(model, model->graph.n_output, MAX_VALUES, "outputs")) {
        model->output[model->graph.n_output++] =
            make_value(model, name, dims, dim_count, doc);
    }
}

void sy_onnx_doc(struct sy_onnx *model, const char *doc)
{
    model->message.doc_string = copy(model, doc);
}

void sy_onnx_metadata(struct sy_onnx *model, const char *key, const char *value)
{
    SyOnnx__StringStringEntryProto *pair = take(model, 1, sizeof *pair);

    if (pair != NULL && has_room(model, model->message.n_metadata_props,
                                 MAX_METADATA, "pairs of metadata")) {
        sy_onnx__string_string_entry_proto__init(pair);
        pair->key = copy(model, key);
        pair->value = copy(model, value);
        model->metadata[model->message.n_metadata_props++] = pair;
    }
}

/* The first failure, and numbers that are none. */
static enum sy_status check(const struct sy_onnx *model, struct sy_error *err)
{
    if (model->status == SY_NO_MEMORY) {
        return sy_fail(err, SY_NO_MEMORY, "ONNX: no memory for the graph");
    }
    if (model->status != SY_OK) {
        return sy_fail(err, model->status, "ONNX: the graph has too many %s",
                       model->full);
    }
    for (size_t t = 0; t < model->graph.n_initializer; t++) {
        const SyOnnx__TensorProto *tensor = model->tensor[t];
        const float *numbers = (const void *)tensor->raw_data.data;
        size_t count = tensor->raw_data.len / sizeof *numbers;
        if (tensor->data_type != SY_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (!isfinite(numbers[i])) {
                return sy_fail(err, SY_BAD_INPUT,
                               "ONNX: number %zu of \"%s\" is not finite once "
                               "the norm is folded in",
                               i, tensor->name);
            }
        }
    }
    return SY_OK;
}

/* Where the library's bytes go; `base` comes first, as it is passed around. */
struct sink {
    ProtobufCBuffer base;
    struct sy_writer writer;
    size_t bytes;
    enum sy_status status;
    struct sy_error *err;
};

static void append(ProtobufCBuffer *buffer, size_t bytes, const uint8_t *data)
{
    struct sink *sink = (struct sink *)(void *)buffer;

    if (sink->status == SY_OK) {
        sink->status = sy_writer_write(&sink->writer, data, bytes, sink->err);
        sink->bytes += bytes;
    }
}

enum sy_status sy_onnx_write(const struct sy_onnx *model, const char *path,
                             struct sy_onnx_size *size, struct sy_error *err)
{
    struct sink sink = {.base = {.append = append}, .err = err};

    SY_TRY(check(model, err));
    SY_TRY(sy_writer_open(&sink.writer, path, err));
    (void)protobuf_c_message_pack_to_buffer(&model->message.base, &sink.base);
    if (sink.status == SY_OK) {
        sink.status = sy_writer_commit(&sink.writer, err);
    }
    sy_writer_abort(&sink.writer);
    if (sink.status == SY_OK && size != NULL) {
        *size =
            (struct sy_onnx_size){.nodes = (int)model->graph.n_node,
                                  .tensors = (int)model->graph.n_initializer,
                                  .bytes = sink.bytes};
        for (size_t t = 0; t < model->graph.n_initializer; t++) {
            const SyOnnx__TensorProto *tensor = model->tensor[t];
            if (tensor->data_type == SY_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT) {
                size->numbers += (int64_t)(tensor->raw_data.len / 4);
            }
        }
    }
    return sink.status;
}
