/*
 * optimiser.h - from gradients to weights: SGD with momentum, RMSProp, AdamW.
 *
 * Each works on the ranges of the tensors that the step used: a block that
 * was not sampled gets neither a step nor decay. Elementwise, so bits do not
 * depend on how the pool cuts the work. With g the gradient (plus decay * w
 * for sgd and rmsprop, on tensors that decay):
 *
 *   sgd      m = mu m + g;  w -= rate (g + mu m) if nesterov, else rate m
 *   rmsprop  v = rho v + (1-rho) g^2;  m = mu m + rate g / sqrt(v + eps);
 *            w -= m                     (v starts at 1, as in TensorFlow 1)
 *   adamw    m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;
 *            w -= rate (m' / (sqrt(v') + eps) + decay w), m', v' debiased by
 *            the step number            (Loshchilov & Hutter 2019)
 *
 * Thread: one at a time; it runs on the pool.
 */
#ifndef NAS_TRAIN_OPTIMISER_H
#define NAS_TRAIN_OPTIMISER_H

#include "runtime/base/pool.h"
#include "runtime/network/network.h"

enum nas_optimiser_kind { NAS_SGD, NAS_RMSPROP, NAS_ADAMW, NAS_OPTIMISERS };

extern const char *const nas_optimiser_names[NAS_OPTIMISERS + 1];

struct nas_optimiser_config {
    enum nas_optimiser_kind kind;
    double rate; /* peak learning rate */
    double momentum;
    bool nesterov;
    double rho;   /* rmsprop's, or adamw's b2 */
    double beta1; /* adamw */
    double epsilon;
    double decay;
};

/* Defaults of a kind. */
struct nas_optimiser_config nas_optimiser_defaults(enum nas_optimiser_kind k);

/* State slots: arrays of value_count floats, owned. */
struct nas_optimiser {
    struct nas_optimiser_config config;
    size_t value_count;
    float *slot[2];
};

enum sy_status nas_optimiser_init(struct nas_optimiser *optimiser,
                                  const struct nas_optimiser_config *config,
                                  size_t value_count,
                                  struct sy_error *err) SY_MUST_USE;
void nas_optimiser_release(struct nas_optimiser *optimiser);

/* How many slots this kind uses (1 or 2). */
int nas_optimiser_slots(const struct nas_optimiser *optimiser);

/*
 * One step at learning rate `rate`; `step` counts from 0. `used` marks
 * tensors as sy_tape_backward does.
 */
void nas_optimiser_step(struct nas_optimiser *optimiser,
                        struct sy_network *network, const float *grads,
                        const uint8_t *used, double rate, int64_t step,
                        struct sy_pool *pool);

/* average += share * (values - average), elementwise likewise. */
void nas_average_step(float *average, const float *values, size_t count,
                      double share, struct sy_pool *pool);

/*
 * Learning rate at `step` of `steps`: linear from 0 over the first
 * warmup * steps, then half a cosine down to 0.
 */
double nas_rate(double peak, double warmup, int64_t step, int64_t steps);

#endif
