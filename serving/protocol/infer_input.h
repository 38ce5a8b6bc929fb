/*
 * infer_input.h - the one input tensor of a request, into a job's images.
 *
 * Three forms of the same tensor: a JSON array cut out of the envelope, bytes
 * behind the envelope ("binary_data_size"), or a whole body of bytes without
 * an envelope (raw). The first two are described by the envelope's JSON.
 *
 * Thread: any.
 */
#ifndef SRV_PROTOCOL_INFER_INPUT_H
#define SRV_PROTOCOL_INFER_INPUT_H

#include <jansson.h>

#include "runtime/network/spec.h"
#include "serving/protocol/json_envelope.h"
#include "serving/protocol/json_tensor.h"

struct srv_input {
    bool is_u8; /* else FP32 */
    bool is_binary;
    struct srv_dims dims; /* [images, height, width, channels] */
    size_t elements;
    struct srv_span data; /* JSON text, or the tensor's bytes */
};

/* What a model takes. */
struct srv_input_rules {
    const char *model; /* for messages */
    struct sy_shape shape;
    int max_images;
};

/*
 * Everything about the input but its numbers: name, shape, datatype, and
 * where its data is. `binary` is what follows the envelope; it must be used
 * to its last byte. `input`'s lengths are held against the data before
 * anybody takes memory for it.
 */
enum sy_status srv_input_read(struct srv_input *input, const json_t *root,
                              const struct srv_envelope *envelope,
                              struct srv_span binary,
                              const struct srv_input_rules *rules,
                              struct sy_error *err) SY_MUST_USE;

/* A raw body: one image of UINT8. */
enum sy_status srv_input_raw(struct srv_input *input, struct srv_span body,
                             const struct srv_input_rules *rules,
                             struct sy_error *err) SY_MUST_USE;

/* The numbers, normalised as the network takes them, into `images`. */
enum sy_status srv_input_pixels(const struct srv_input *input, float *images,
                                struct sy_error *err) SY_MUST_USE;

/* FP32 pixels to the network's range, in place. SY_BAD_INPUT for what is no
   pixel; `where` stands for the array in the message. */
enum sy_status srv_normalise_floats(float *pixels, size_t count,
                                    const char *where,
                                    struct sy_error *err) SY_MUST_USE;

#endif
