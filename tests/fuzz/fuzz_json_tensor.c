/*
 * fuzz_json_tensor.c - the scanner of data arrays, both types, a shape taken
 * from the first bytes.
 *
 * Beside the sanitizers' complaints it looks for a disagreement: what is read
 * as bytes must be read as the same numbers as floats, and every float that
 * is read must survive being written.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serving/protocol/float_text.h"
#include "serving/protocol/json_tensor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_written(float value)
{
    char text[SRV_FLOAT_TEXT_BYTES];
    const char *next;
    float again;
    size_t length = srv_float_text(value, text);
    if (!srv_float_read(text, text + length, &again, &next) ||
        (memcmp(&again, &value, sizeof value) != 0 && !isnan(value))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 3) {
        return 0;
    }
    struct srv_dims dims = {.count = 1 + data[0] % 4};
    for (int i = 0; i < dims.count; i++) {
        dims.extent[i] = 1 + (size_t)((data[1] >> (2 * i)) & 3);
    }
    /* Exactly as large as it is, so that reading on is seen. */
    size_t length = bytes - 2;
    char *text = malloc(length + 1);
    size_t elements = srv_dims_elements(&dims, SIZE_MAX);
    uint8_t *u8 = malloc(elements);
    float *f32 = malloc(elements * sizeof *f32);
    if (text == NULL || u8 == NULL || f32 == NULL) {
        abort();
    }
    memcpy(text, data + 2, length);
    text[length] = '\0';
    struct srv_span span = {text, length};
    bool is_u8 = srv_tensor_u8(&span, &dims, u8, NULL) == SY_OK;
    bool is_f32 = srv_tensor_f32(&span, &dims, f32, NULL) == SY_OK;
    if (is_u8 && !is_f32) {
        abort();
    }
    for (size_t i = 0; is_f32 && i < elements; i++) {
        if (is_u8 && f32[i] != (float)u8[i]) {
            abort();
        }
        check_written(f32[i]);
    }
    free(text);
    free(u8);
    free(f32);
    return 0;
}
