/*
 * rng.c - Philox4x32-10, and the streams made of it.
 *
 * DESIGN. The bijection takes a counter of four words and a key of two. A
 * stream (seed, purpose, step, index) is the counters in which only the
 * first word moves:
 *
 *     key     = { seed bits 0-31, seed bits 32-63 }
 *     counter = { block number,
 *                 index,
 *                 step bits 0-31,
 *                 step bits 32-55 in bits 8-31, purpose in bits 0-7 }
 *
 * Every field has bits of its own, so different streams of one seed never
 * share a counter and, the cipher being a bijection, never a block. Limits:
 * steps below 2^56, 256 purposes, 2^32 blocks (2^34 draws) in a stream, after
 * which it repeats.
 *
 * The numbers are part of every result: what is drawn, in which order and
 * with how many draws a call, must not change.
 *
 * Sources: Salmon et al., SC 2011 (Philox); D. Lemire, "Fast Random Integer
 * Generation in an Interval", ACM TOMACS 29, 2019; Box and Muller, 1958.
 */
#include "runtime/base/rng.h"

#include <math.h>

#include "runtime/base/status.h"

enum { ROUNDS = 10, STEP_BITS = 56, PURPOSE_BITS = 8 };

static const uint32_t multiplier[2] = {0xD2511F53U, 0xCD9E8D57U};
static const uint32_t weyl[2] = {0x9E3779B9U, 0xBB67AE85U};

void sy_philox(const uint32_t counter[4], const uint32_t key[2],
               uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1];
    uint32_t c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t a = (uint64_t)multiplier[0] * c0;
        uint64_t b = (uint64_t)multiplier[1] * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += weyl[0];
        k1 += weyl[1];
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

struct sy_rng sy_rng_stream(uint64_t seed, enum sy_rng_purpose purpose,
                            uint64_t step, uint32_t index)
{
    SY_ASSERT(step >> STEP_BITS == 0);
    SY_ASSERT((uint32_t)purpose >> PURPOSE_BITS == 0);
    uint32_t step_high = (uint32_t)(step >> 32);
    return (struct sy_rng){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, index, (uint32_t)step,
                    step_high << PURPOSE_BITS | (uint32_t)purpose},
    };
}

uint32_t sy_rng_u32(struct sy_rng *rng)
{
    if (rng->left == 0) {
        sy_philox(rng->counter, rng->key, rng->block);
        rng->counter[0]++;
        rng->left = 4;
    }
    return rng->block[4 - rng->left--];
}

uint32_t sy_rng_below(struct sy_rng *rng, uint32_t bound)
{
    SY_ASSERT(bound > 0);
    /* The product's high word is the result. Its low word tells the draws
     * that would make some results more likely: they are taken again. */
    uint64_t product = (uint64_t)sy_rng_u32(rng) * bound;
    if ((uint32_t)product < bound) {
        uint32_t threshold = (0U - bound) % bound;
        while ((uint32_t)product < threshold) {
            product = (uint64_t)sy_rng_u32(rng) * bound;
        }
    }
    return (uint32_t)(product >> 32);
}

float sy_rng_uniform(struct sy_rng *rng)
{
    return (float)(sy_rng_u32(rng) >> 8) * 0x1p-24F;
}

float sy_rng_normal(struct sy_rng *rng)
{
    static const double two_pi = 6.283185307179586476925;
    /* (0, 1] for the logarithm; double, so that the tails reach 6.6. */
    double radius = ((double)sy_rng_u32(rng) + 1.0) * 0x1p-32;
    double turn = (double)sy_rng_u32(rng) * 0x1p-32;
    return (float)(sqrt(-2.0 * log(radius)) * cos(two_pi * turn));
}

void sy_rng_permutation(struct sy_rng *rng, uint32_t *order, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = sy_rng_below(rng, i);
        uint32_t last = order[i - 1];
        order[i - 1] = order[j];
        order[j] = last;
    }
}
