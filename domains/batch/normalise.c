/*
 * normalise.c - bytes to floats, the same for every domain and for served
 * requests. The order of the operations is part of the result's bits.
 */
#include "domains/batch/batch.h"

void dom_normalise(const uint8_t *pixels, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = ((float)pixels[i] / 255.0F) * 2.0F - 1.0F;
    }
}
