/*
 * infer_input.c - from JSON or bytes to pixels.
 *
 * DESIGN: the shape is held against the length of the data before memory is
 * taken for it, so that a short request cannot ask for much: JSON needs two
 * bytes a number, and binary data must fit to the byte.
 *
 * FP32 pixels are what an 8-bit pixel is after division by 255; they go
 * through the same float expression as dom_normalise has for bytes,
 * x * 2 - 1, so u / 255 written with nine digits, or sent as a float32, gives
 * the very bits that u itself gives. FP16 is not offered: UINT8 is smaller
 * and exact.
 */
#include "serving/protocol/infer_input.h"

#include <string.h>

#include "domains/batch/batch.h"
#include "runtime/base/memory.h"
#include "serving/protocol/params.h"

/* The wire is little-endian; so is every machine we have kernels for. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "binary tensors are copied as they are");

/* How far outside [0, 1] a pixel may lie. */
static const float PIXEL_SLACK = 1e-3f;

static enum sy_status read_shape(struct srv_dims *dims, const json_t *input,
                                 const struct srv_input_rules *rules,
                                 struct sy_error *err)
{
    struct sy_shape want = rules->shape;
    json_t *shape = json_object_get(input, "shape");
    int64_t found[4] = {0};
    bool whole = json_is_array(shape) && json_array_size(shape) == 4;
    for (size_t i = 0; i < 4 && whole; i++) {
        const json_t *extent = json_array_get(shape, i);
        whole = json_is_integer(extent);
        found[i] = json_integer_value(extent);
    }
    if (!whole || found[0] < 1 || found[1] != want.h || found[2] != want.w ||
        found[3] != want.c) {
        char text[64];
        size_t bytes = json_dumpb(shape, text, sizeof text,
                                  JSON_COMPACT | JSON_ENCODE_ANY);
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs[0].shape: expected [N,%d,%d,%d] with N at "
                       "least 1, found %.*s",
                       want.h, want.w, want.c,
                       bytes <= sizeof text ? (int)bytes : 0, text);
    }
    if (found[0] > rules->max_images) {
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs[0].shape: %lld images are more than the %d "
                       "that one request may hold",
                       (long long)found[0], rules->max_images);
    }
    dims->count = 4;
    for (int i = 0; i < 4; i++) {
        dims->extent[i] = (size_t)found[i];
    }
    return SY_OK;
}

/* The array that was cut out of this input. */
static enum sy_status find_json(struct srv_input *in, const json_t *data,
                                const struct srv_envelope *envelope,
                                struct sy_error *err)
{
    json_int_t mark = json_integer_value(json_array_get(data, 0));
    if (!json_is_array(data) || json_array_size(data) != 1 || mark < 0 ||
        mark >= envelope->cut_count) {
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs[0].data: expected an array of numbers");
    }
    in->data = envelope->cut[mark];
    in->elements = srv_dims_elements(&in->dims, in->data.bytes / 2);
    if (in->elements == 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs[0].data: fewer values than the shape says");
    }
    return SY_OK;
}

/* The bytes behind the envelope; no more and no fewer than the tensor has. */
static enum sy_status find_binary(struct srv_input *in, size_t claimed,
                                  struct srv_span binary, struct sy_error *err)
{
    size_t each = in->is_u8 ? sizeof(uint8_t) : sizeof(float);
    size_t elements = srv_dims_elements(&in->dims, SIZE_MAX / each);
    if (elements == 0 || claimed != elements * each) {
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs[0].parameters.binary_data_size: unexpected "
                       "size for input 'image', expecting %zu bytes for its "
                       "shape and datatype, found %zu",
                       elements * each, claimed);
    }
    if (claimed > binary.bytes) {
        return sy_fail(err, SY_BAD_INPUT,
                       "request body: unexpected size for input 'image', "
                       "expecting %zu additional bytes after the JSON",
                       claimed - binary.bytes);
    }
    in->is_binary = true;
    in->elements = elements;
    in->data = binary;
    return SY_OK;
}

static enum sy_status find_data(struct srv_input *in, const json_t *input,
                                const struct srv_envelope *envelope,
                                struct srv_span binary, struct sy_error *err)
{
    struct srv_input_params params = {0};
    SY_TRY(srv_input_params_read(&params, input, err));
    const json_t *data = json_object_get(input, "data");
    size_t used = 0;
    if (params.binary_bytes == SRV_NO_BINARY) {
        if (data == NULL) {
            return sy_fail(err, SY_BAD_INPUT,
                           "inputs[0].data: is missing, and there is no "
                           "parameter 'binary_data_size'");
        }
        SY_TRY(find_json(in, data, envelope, err));
    } else {
        if (data != NULL) {
            return sy_fail(err, SY_BAD_INPUT,
                           "inputs[0]: both 'data' and the parameter "
                           "'binary_data_size': send one of them");
        }
        SY_TRY(find_binary(in, params.binary_bytes, binary, err));
        used = params.binary_bytes;
    }
    if (used < binary.bytes) {
        return sy_fail(err, SY_BAD_INPUT,
                       "request body: unexpected additional input data: %zu "
                       "bytes after that of input 'image'",
                       binary.bytes - used);
    }
    return SY_OK;
}

enum sy_status srv_input_read(struct srv_input *input, const json_t *root,
                              const struct srv_envelope *envelope,
                              struct srv_span binary,
                              const struct srv_input_rules *rules,
                              struct sy_error *err)
{
    json_t *inputs = json_object_get(root, "inputs");
    json_t *first = json_array_get(inputs, 0);
    if (json_array_size(inputs) != 1 || !json_is_object(first)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs: expected an array with the one input "
                       "'image', found %zu entries",
                       json_array_size(inputs));
    }
    const char *name = json_string_value(json_object_get(first, "name"));
    if (name == NULL || strcmp(name, "image") != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs[0].name: unexpected inference input '%s' for "
                       "model '%s', expected 'image'",
                       name == NULL ? "" : name, rules->model);
    }
    const char *type = json_string_value(json_object_get(first, "datatype"));
    if (type == NULL ||
        (strcmp(type, "UINT8") != 0 && strcmp(type, "FP32") != 0)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs[0].datatype: expected UINT8 or FP32, found "
                       "'%s'",
                       type == NULL ? "" : type);
    }
    struct srv_input made = {.is_u8 = strcmp(type, "UINT8") == 0};
    SY_TRY(read_shape(&made.dims, first, rules, err));
    SY_TRY(find_data(&made, first, envelope, binary, err));
    *input = made;
    return SY_OK;
}

enum sy_status srv_input_raw(struct srv_input *input, struct srv_span body,
                             const struct srv_input_rules *rules,
                             struct sy_error *err)
{
    size_t elements = sy_shape_floats(rules->shape);
    if (body.bytes != elements) {
        return sy_fail(err, SY_BAD_INPUT,
                       "request body: a raw binary request for model '%s' is "
                       "one image of %zu bytes (UINT8 [%d,%d,%d]), found %zu",
                       rules->model, elements, rules->shape.h, rules->shape.w,
                       rules->shape.c, body.bytes);
    }
    *input = (struct srv_input){
        .is_u8 = true,
        .is_binary = true,
        .dims = {4,
                 {1, (size_t)rules->shape.h, (size_t)rules->shape.w,
                  (size_t)rules->shape.c}},
        .elements = elements,
        .data = body,
    };
    return SY_OK;
}

enum sy_status srv_normalise_floats(float *pixels, size_t count,
                                    const char *where, struct sy_error *err)
{
    for (size_t i = 0; i < count; i++) {
        /* Written so that NaN fails too. */
        if (!(pixels[i] >= -PIXEL_SLACK && pixels[i] <= 1.0f + PIXEL_SLACK)) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: element %zu: FP32 pixels lie in [0, 1], "
                           "found %g",
                           where, i, (double)pixels[i]);
        }
        pixels[i] = pixels[i] * 2.0f - 1.0f;
    }
    return SY_OK;
}

static enum sy_status read_floats(const struct srv_input *in, float *images,
                                  struct sy_error *err)
{
    if (in->is_binary) {
        memcpy(images, in->data.text, in->elements * sizeof(float));
    } else if (srv_tensor_f32(&in->data, &in->dims, images, err) != SY_OK) {
        sy_error_prefix(err, "inputs[0]");
        return SY_BAD_INPUT;
    }
    return srv_normalise_floats(images, in->elements, "inputs[0].data", err);
}

enum sy_status srv_input_pixels(const struct srv_input *in, float *images,
                                struct sy_error *err)
{
    if (!in->is_u8) {
        return read_floats(in, images, err);
    }
    if (in->is_binary) {
        dom_normalise((const uint8_t *)in->data.text, in->elements, images);
        return SY_OK;
    }
    uint8_t *pixels = sy_alloc(in->elements);
    if (pixels == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "inputs[0]: out of memory");
    }
    enum sy_status status = srv_tensor_u8(&in->data, &in->dims, pixels, err);
    if (status == SY_OK) {
        dom_normalise(pixels, in->elements, images);
    } else {
        sy_error_prefix(err, "inputs[0]");
    }
    sy_free(pixels);
    return status;
}
