/*
 * uniform.c - every domain counts alike: what the others are measured against.
 */
#include "search/weights/members.h"

void nas_weights_uniform(const struct nas_weighting_config *config,
                         const struct nas_weighting_step *step, float *state,
                         double *weights)
{
    (void)config;
    (void)state;
    for (int d = 0; d < step->domains; d++) {
        weights[d] = 1.0;
    }
}
