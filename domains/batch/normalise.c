/*
 * normalise.c - bytes to floats, the same for every domain and for served
 * requests. The order of the operations is part of the result's bits.
 *
 * DESIGN: a byte has 256 values, so the compiler computes the formula for all
 * of them; it rounds as the running program does.
 */
#include "domains/batch/batch.h"

#define V1(x)   ((float)(x) / 255.0F) * 2.0F - 1.0F
#define V4(x)   V1(x), V1((x) + 1), V1((x) + 2), V1((x) + 3)
#define V16(x)  V4(x), V4((x) + 4), V4((x) + 8), V4((x) + 12)
#define V64(x)  V16(x), V16((x) + 16), V16((x) + 32), V16((x) + 48)
#define V256(x) V64(x), V64((x) + 64), V64((x) + 128), V64((x) + 192)

static const float value_of[256] = {V256(0)};

void dom_normalise(const uint8_t *pixels, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = value_of[pixels[i]];
    }
}
