/*
 * vec.h - the vector type of the instruction set that is being compiled.
 *
 * DESIGN: kernels are written once, over `vf`, a vector of VL floats. GCC's
 * vector extensions give arithmetic; the few things they lack (masked access,
 * minimum, selection) are here, with intrinsics where the set has them.
 *
 * Tails: the channel count need not be a multiple of VL, and nothing outside
 * a buffer may be touched. A kernel's body takes a `struct lanes`: `full` is
 * a compile-time constant in both of its inlined copies, so that the copy for
 * whole vectors has no masks at all.
 */
#ifndef SY_CPU_VEC_H
#define SY_CPU_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "runtime/ops/op.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#define SY_PASTE2(a, b) a##_##b
#define SY_PASTE(a, b)  SY_PASTE2(a, b)
/* The exported name of a kernel: SY_KERNEL(gemm) is sy_gemm_avx512. */
#define SY_KERNEL(name) SY_PASTE(sy_##name, SY_ISA)

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

#if defined(__AVX512F__)
enum { VL = 16 };
typedef __mmask16 vmask;
#elif defined(__AVX2__)
enum { VL = 8 };
typedef __m256i vmask;
#else
enum { VL = 4 };
typedef int vmask;
#endif

typedef float vf __attribute__((vector_size(VL * 4)));
typedef int32_t vi __attribute__((vector_size(VL * 4)));
typedef float vf_any
    __attribute__((vector_size(VL * 4), aligned(4), may_alias));

/* Which lanes of a vector are there: all, or the first of a tail. */
struct lanes {
    bool full;
    vmask mask;
};

INLINE vf v_load(const float *p)
{
    return *(const vf_any *)p;
}

INLINE void v_store(float *p, vf v)
{
    *(vf_any *)p = v;
}

/* VL numbers of half the width (base/half.h), exactly; all are finite. */
INLINE vf v_load_half(const void *p)
{
#if defined(__AVX512F__)
    return (vf)_mm512_cvtph_ps(_mm256_loadu_si256(p));
#elif defined(__AVX2__)
    return (vf)_mm256_cvtph_ps(_mm_loadu_si128(p));
#else
    /* As a float of the same bits the exponent is 112 too small. */
    uint16_t half[VL];
    memcpy(half, p, sizeof half);
    vi bits = {half[0], half[1], half[2], half[3]};
    vf value = (vf)((bits & 0x7fff) << 13) * 0x1p112f;
    return (vf)((vi)value | (bits & 0x8000) << 16);
#endif
}

INLINE vf v_set(float x)
{
    return x - (vf){0};
}

INLINE vf v_zero(void)
{
    return (vf){0};
}

#if defined(__AVX512F__)
INLINE vmask v_mask(int n)
{
    return (vmask)((1u << n) - 1u);
}
INLINE vf v_load_part(const float *p, vmask m)
{
    return (vf)_mm512_maskz_loadu_ps(m, p);
}
INLINE void v_store_part(float *p, vf v, vmask m)
{
    _mm512_mask_storeu_ps(p, m, (__m512)v);
}
INLINE vf v_max(vf a, vf b)
{
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
}
INLINE vf v_min(vf a, vf b)
{
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
}
/* a > b ? yes : no, lane by lane. */
INLINE vf v_greater(vf a, vf b, vf yes, vf no)
{
    __mmask16 m = _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ);
    return (vf)_mm512_mask_blend_ps(m, (__m512)no, (__m512)yes);
}
#elif defined(__AVX2__)
INLINE vmask v_mask(int n)
{
    vi lane = {0, 1, 2, 3, 4, 5, 6, 7};
    return (vmask)(lane < (n - (vi){0}));
}
INLINE vf v_load_part(const float *p, vmask m)
{
    return (vf)_mm256_maskload_ps(p, m);
}
INLINE void v_store_part(float *p, vf v, vmask m)
{
    _mm256_maskstore_ps(p, m, (__m256)v);
}
INLINE vf v_max(vf a, vf b)
{
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
}
INLINE vf v_min(vf a, vf b)
{
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
}
INLINE vf v_greater(vf a, vf b, vf yes, vf no)
{
    __m256 m = _mm256_cmp_ps((__m256)a, (__m256)b, _CMP_GT_OQ);
    return (vf)_mm256_blendv_ps((__m256)no, (__m256)yes, m);
}
#else
INLINE vmask v_mask(int n)
{
    return n;
}
INLINE vf v_load_part(const float *p, vmask n)
{
    float lane[VL] = {0};
    for (int i = 0; i < n; i++) {
        lane[i] = p[i];
    }
    return v_load(lane);
}
INLINE void v_store_part(float *p, vf v, vmask n)
{
    float lane[VL];
    v_store(lane, v);
    for (int i = 0; i < n; i++) {
        p[i] = lane[i];
    }
}
INLINE vf v_greater(vf a, vf b, vf yes, vf no)
{
    vi m = a > b;
    return (vf)(((vi)yes & m) | ((vi)no & ~m));
}
INLINE vf v_max(vf a, vf b)
{
    return v_greater(a, b, a, b);
}
INLINE vf v_min(vf a, vf b)
{
    return v_greater(b, a, a, b);
}
#endif

/* The lanes of the vector that starts at channel c of `channels`. */
INLINE struct lanes v_lanes(int c, int channels)
{
    int left = channels - c;
    struct lanes lanes = {left >= VL, v_mask(left >= VL ? VL : left)};
    return lanes;
}

INLINE vf v_get(const float *p, struct lanes lanes)
{
    return lanes.full ? v_load(p) : v_load_part(p, lanes.mask);
}

INLINE void v_put(float *p, vf v, struct lanes lanes)
{
    if (lanes.full) {
        v_store(p, v);
    } else {
        v_store_part(p, v, lanes.mask);
    }
}

/*
 * Asks for the line at `p` plus `floats`, which is read (or written) soon.
 * Behind the end of a buffer nothing is touched, so kernels need not know
 * where theirs ends.
 */
INLINE void v_fetch(const float *p, ptrdiff_t floats)
{
    __builtin_prefetch((const void *)((uintptr_t)p + (uintptr_t)(floats * 4)));
}
INLINE void v_fetch_to_write(const float *p, ptrdiff_t floats)
{
    __builtin_prefetch((const void *)((uintptr_t)p + (uintptr_t)(floats * 4)),
                       1);
}

/* The numbers of the lanes. */
INLINE vi v_lane_numbers(void)
{
#if defined(__AVX512F__)
    return (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif defined(__AVX2__)
    return (vi){0, 1, 2, 3, 4, 5, 6, 7};
#else
    return (vi){0, 1, 2, 3};
#endif
}

/* Lane k is the from[k]-th of the lanes of a and, behind them, of b. */
INLINE vf v_shuffle(vf a, vf b, vi from)
{
#if defined(__clang__) /* takes constants only; the fuzz targets need no speed \
                        */
    vf out = a;
    for (int k = 0; k < VL; k++) {
        out[k] = from[k] < VL ? a[from[k]] : b[from[k] - VL];
    }
    return out;
#else
    return __builtin_shuffle(a, b, from);
#endif
}

/* Transposes a square of VL vectors: blocks of 1, 2, 4, ... change places. */
INLINE void v_transpose(vf row[VL])
{
    vi lane = v_lane_numbers();
    UNROLL for (int d = 1; d < VL; d *= 2)
    {
        vi of_second = (lane & d) != 0;
        vi upper = (of_second & (lane + (VL - d))) | (~of_second & lane);
        vi lower = (of_second & (lane + VL)) | (~of_second & (lane + d));
        UNROLL for (int i = 0; i < VL; i++)
        {
            if ((i & d) == 0) {
                vf a = row[i], b = row[i + d];
                row[i] = v_shuffle(a, b, upper);
                row[i + d] = v_shuffle(a, b, lower);
            }
        }
    }
}

/* The sum of all lanes, in a fixed order. */
INLINE float v_sum(vf v)
{
    float lane[VL];
    v_store(lane, v);
    for (int step = VL / 2; step > 0; step /= 2) {
        for (int i = 0; i < step; i++) {
            lane[i] += lane[i + step];
        }
    }
    return lane[0];
}

INLINE vf v_act(enum sy_act act, vf x)
{
    vf zero = v_zero(), six = v_set(6.0f);
    if (act == SY_ACT_RELU) {
        return v_max(x, zero);
    }
    if (act == SY_ACT_HSWISH) {
        return x * (v_min(v_max(x + 3.0f, zero), six) * (1.0f / 6.0f));
    }
    if (act == SY_ACT_HSIGMOID) {
        return v_min(v_max(x + 3.0f, zero), six) * (1.0f / 6.0f);
    }
    return x;
}

INLINE vf v_slope(enum sy_act act, vf x)
{
    vf zero = v_zero(), one = v_set(1.0f), low = v_set(-3.0f);
    vf high = v_set(3.0f);
    if (act == SY_ACT_RELU) {
        return v_greater(x, zero, one, zero);
    }
    if (act == SY_ACT_HSWISH) {
        vf middle = x * (1.0f / 3.0f) + 0.5f;
        return v_greater(x, low, v_greater(high, x, middle, one), zero);
    }
    if (act == SY_ACT_HSIGMOID) {
        vf sixth = v_set(1.0f / 6.0f);
        return v_greater(x, low, v_greater(high, x, sixth, zero), zero);
    }
    return one;
}

/*
 * Runs BODY once with a constant activation, so that each inlined copy of a
 * loop holds one activation only: BODY sees `act`.
 */
#define WITH_ACT(value, BODY)                                                  \
    do {                                                                       \
        switch (value) {                                                       \
        case SY_ACT_RELU: {                                                    \
            const enum sy_act act = SY_ACT_RELU;                               \
            BODY;                                                              \
            break;                                                             \
        }                                                                      \
        case SY_ACT_HSWISH: {                                                  \
            const enum sy_act act = SY_ACT_HSWISH;                             \
            BODY;                                                              \
            break;                                                             \
        }                                                                      \
        case SY_ACT_HSIGMOID: {                                                \
            const enum sy_act act = SY_ACT_HSIGMOID;                           \
            BODY;                                                              \
            break;                                                             \
        }                                                                      \
        case SY_ACT_NONE:                                                      \
        case SY_ACT_COUNT:                                                     \
        default: {                                                             \
            const enum sy_act act = SY_ACT_NONE;                               \
            BODY;                                                              \
            break;                                                             \
        }                                                                      \
        }                                                                      \
    } while (0)

#endif
