/*
 * half.h - numbers of half the width: IEEE 754 binary16, for storage only.
 *
 * 11 bits of precision: a number between 2^-14 and 65504 is kept within
 * 2^-11 of itself, a smaller one within 2^-25.
 *
 * Thread: any.
 */
#ifndef SY_BASE_HALF_H
#define SY_BASE_HALF_H

#include <stdint.h>

#define SY_HALF_MAX 65504.0f

/* The nearest, of two the even one. From 65520 on it is infinity. */
uint16_t sy_half(float x);

/* Exact. */
float sy_half_float(uint16_t half);

#endif
