/*
 * members.h - the members of the table of weightings, and what they share.
 *
 * A member writes its weights unscaled; weights.c gives them their mean. It
 * may write anything finite and not negative.
 */
#ifndef NAS_WEIGHTS_MEMBERS_H
#define NAS_WEIGHTS_MEMBERS_H

#include "search/weights/weights.h"

/* The floats of a domain. What is learned is kept as the distance from its
   start, so that zeros are a fresh state. */
enum nas_weight_slot {
    NAS_SLOT_LEARNED,
    NAS_SLOT_SUM,  /* running mean: sum / mass */
    NAS_SLOT_MASS, /* 0: nothing was measured yet */
    NAS_SLOT_FIRST /* the first loss */
};

typedef void (*nas_weighting_fn)(const struct nas_weighting_config *config,
                                 const struct nas_weighting_step *step,
                                 float *state, double *weights);

void nas_weights_uniform(const struct nas_weighting_config *config,
                         const struct nas_weighting_step *step, float *state,
                         double *weights);
void nas_weights_log(const struct nas_weighting_config *config,
                     const struct nas_weighting_step *step, float *state,
                     double *weights);
void nas_weights_uncertainty(const struct nas_weighting_config *config,
                             const struct nas_weighting_step *step,
                             float *state, double *weights);
void nas_weights_difficulty(const struct nas_weighting_config *config,
                            const struct nas_weighting_step *step, float *state,
                            double *weights);
void nas_weights_abdp(const struct nas_weighting_config *config,
                      const struct nas_weighting_step *step, float *state,
                      double *weights);
void nas_weights_ratio(const struct nas_weighting_config *config,
                       const struct nas_weighting_step *step, float *state,
                       double *weights);

/* The state of domain d. */
float *nas_weight_state(float *state, int d);

/*
 * Takes `value` into the running mean of a domain and returns the mean. It is
 * exact from the first value on: sum and mass decay alike.
 */
double nas_weight_mean(float *of_domain, double memory, double value);

/*
 * How well domain d does, in [1e-3, 1 - 1e-3]: the running mean of its
 * accuracy above chance, (accuracy - 1/K) / (1 - 1/K). 1e-3 before anything
 * was measured: what is not known is hard.
 */
double nas_weight_skill(const struct nas_weighting_config *config,
                        const struct nas_weighting_step *step, int d,
                        float *state);

#endif
