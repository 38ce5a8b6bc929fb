/*
 * difficulty.c - priority to domains that answer badly (Guo et al. 2018,
 * "Dynamic task prioritization for multitask learning"): the focal loss of a
 * domain as a whole,
 *
 *     weight = -(1 - k)^gamma ln k
 *
 * with k the accuracy above chance, see nas_weight_skill.
 */
#include <math.h>

#include "search/weights/members.h"

void nas_weights_difficulty(const struct nas_weighting_config *config,
                            const struct nas_weighting_step *step, float *state,
                            double *weights)
{
    for (int d = 0; d < step->domains; d++) {
        double k = nas_weight_skill(config, step, d, state);
        weights[d] = -pow(1.0 - k, config->gamma) * log(k);
    }
}
