/*
 * json_tensor.h - a data array straight into a tensor.
 *
 * The array holds exactly as many numbers as the shape has elements, in
 * row-major order, flat, nested to precisely the shape, or nested less deeply
 * (then only the numbers are counted). Messages name the index of the element
 * (counted flat, from 0) where it went wrong.
 *
 * Thread: any.
 */
#ifndef SRV_PROTOCOL_JSON_TENSOR_H
#define SRV_PROTOCOL_JSON_TENSOR_H

#include <stdint.h>

#include "serving/protocol/json_envelope.h"

enum { SRV_MAX_DIMS = 8 };

/* Every extent is at least 1. */
struct srv_dims {
    int count; /* 1..SRV_MAX_DIMS */
    size_t extent[SRV_MAX_DIMS];
};

/*
 * The elements of a tensor of these dimensions; 0 when that overflows or is
 * more than `limit`. A text of n bytes holds at most n/2 numbers, so callers
 * can refuse a lying shape before they take memory for it.
 */
size_t srv_dims_elements(const struct srv_dims *dims, size_t limit);

/*
 * UINT8: whole numbers from 0 to 255, without point or exponent. `out` holds
 * srv_dims_elements() bytes. The byte behind the span must be readable.
 */
enum sy_status srv_tensor_u8(const struct srv_span *span,
                             const struct srv_dims *dims, uint8_t *out,
                             struct sy_error *err) SY_MUST_USE;

/*
 * FP32: numbers as JSON writes them, correctly rounded, and NaN, Infinity and
 * -Infinity (callers decide whether those make sense).
 */
enum sy_status srv_tensor_f32(const struct srv_span *span,
                              const struct srv_dims *dims, float *out,
                              struct sy_error *err) SY_MUST_USE;

#endif
