/*
 * rng.h - counter-based random numbers: Philox4x32-10.
 *
 * Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel Random Numbers:
 * As Easy as 1, 2, 3", SC 2011.
 *
 * There is no hidden state. A stream is named by (seed, purpose, step,
 * index): what it is for, when, and for which global sample or domain. So a
 * number never depends on the thread that asked for it, and a resumed run
 * needs no saved generator. `struct sy_rng` is a cursor over one stream, kept
 * on the stack of whoever draws from it.
 *
 * Thread: any (a cursor belongs to one thread).
 */
#ifndef SY_BASE_RNG_H
#define SY_BASE_RNG_H

#include <stdint.h>

/* What a stream is for. Append only: the value is part of the results. */
enum sy_rng_purpose {
    SY_RNG_TEST = 0,
    SY_RNG_INIT = 1,     /* parameter initialisation, index = parameter */
    SY_RNG_SPLIT = 2,    /* held-out split, index = domain */
    SY_RNG_SHUFFLE = 3,  /* order of an epoch, step = epoch */
    SY_RNG_AUGMENT = 4,  /* step = training step, index = sample */
    SY_RNG_GENERATE = 5, /* generated domains, index = image */
    SY_RNG_PATH = 6,     /* random paths */
    SY_RNG_BENCH = 7,    /* inputs of benchmarks */
    SY_RNG_RESAMPLE = 8, /* bootstrap intervals, step = resample */
    SY_RNG_GATE = 9      /* fitting of gates: order, noise, step = pass */
};

struct sy_rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    int left;
};

/* The bijection itself: ten rounds of Philox4x32. */
void sy_philox(const uint32_t counter[4], const uint32_t key[2],
               uint32_t out[4]);

/* A cursor at the beginning of the stream (seed, purpose, step, index). */
struct sy_rng sy_rng_stream(uint64_t seed, enum sy_rng_purpose purpose,
                            uint64_t step, uint32_t index);

/* Uniform over all 32-bit values. */
uint32_t sy_rng_u32(struct sy_rng *rng);

/* Uniform in [0, bound), without bias; bound > 0. */
uint32_t sy_rng_below(struct sy_rng *rng, uint32_t bound);

/* Uniform in [0, 1), multiples of 2^-24. */
float sy_rng_uniform(struct sy_rng *rng);

/* Normal with mean 0 and variance 1 (Box-Muller, two draws a call). */
float sy_rng_normal(struct sy_rng *rng);

/* Fisher-Yates: `order` becomes a permutation of 0..count-1. */
void sy_rng_permutation(struct sy_rng *rng, uint32_t *order, uint32_t count);

#endif
