/*
 * half.c - float to binary16 and back, by bits.
 *
 * Source: IEEE 754-2008, 3.4 and 4.3.1.
 */
#include "runtime/base/half.h"

#include <string.h>

enum { SIGN = 0x8000, INFINITE = 0x7c00, NOT_A_NUMBER = 0x7e00 };

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

uint16_t sy_half(float x)
{
    uint32_t bits = bits_of(x);
    uint32_t sign = bits >> 16 & SIGN, size = bits & 0x7fffffff;

    if (size > 0x7f800000) {
        return (uint16_t)(sign | NOT_A_NUMBER);
    }
    if (size >= bits_of(65520.0f)) {
        return (uint16_t)(sign | INFINITE);
    }
    if (size < bits_of(0x1p-14f)) {
        /* Between a half and one, floats lie 2^-24 apart, as these halves. */
        return (uint16_t)(sign |
                          (bits_of(float_of(size) + 0.5f) - bits_of(0.5f)));
    }
    /* Below a half of what is cut off, plus one where that makes it even. */
    size += 0x0fff + (size >> 13 & 1);
    return (uint16_t)(sign | (size - (112u << 23)) >> 13);
}

float sy_half_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & SIGN) << 16, size = half & 0x7fffu;

    if (size >= INFINITE) {
        return float_of(sign | 0x7f800000 | (size - INFINITE) << 13);
    }
    /* As a float of the same bits its exponent is 112 too small. */
    return float_of(sign | bits_of(float_of(size << 13) * 0x1p112f));
}
