/*
 * ratio.c - priority to domains whose loss has fallen least: the softmax over
 * domains of (L now / L at first) / temperature. "Now" is a running mean, as
 * the loss of one batch is noise.
 */
#include <math.h>

#include "search/weights/members.h"

static const double least_first = 1e-6;

void nas_weights_ratio(const struct nas_weighting_config *config,
                       const struct nas_weighting_step *step, float *state,
                       double *weights)
{
    double top = 0;
    for (int d = 0; d < step->domains; d++) {
        float *mine = nas_weight_state(state, d);
        if (mine[NAS_SLOT_MASS] <= 0) {
            mine[NAS_SLOT_FIRST] = (float)fmax(step->loss[d], least_first);
        }
        double now = nas_weight_mean(mine, config->memory, step->loss[d]);
        weights[d] = now / (double)mine[NAS_SLOT_FIRST] / config->temperature;
        top = fmax(top, weights[d]);
    }
    for (int d = 0; d < step->domains; d++) {
        weights[d] = exp(weights[d] - top);
    }
}
