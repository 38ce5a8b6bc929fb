/*
 * log.c - balance that is learned, with a logarithm to keep it finite.
 *
 * Every domain has a c, at first 1, that moves down the slope of
 *
 *     L / (2 c^2) + ln(1 + c^2),   slope  -L / c^3 + 2 c / (1 + c^2)
 *
 * so a domain with a high loss raises its c and counts less. At rest
 * c^2 = (L + sqrt(L^2 + 8 L)) / 4: a loss of 1 rests at c = 1 with the weight
 * 1/2. Unlike uncertainty.c, the loss times its weight is not the same for
 * all at rest: it grows with the root of a small loss, so a domain that is
 * learned pulls less.
 *
 * DESIGN. The slope has no bound as c nears 0, so a step moves c by at most a
 * fifth of it, and c stays in [0.1, 10]: weights then are within a factor of
 * 10^4 of each other, whatever the losses.
 */
#include <math.h>

#include "search/weights/members.h"

static const double least_c = 0.1, most_c = 10.0, most_move = 0.2;

void nas_weights_log(const struct nas_weighting_config *config,
                     const struct nas_weighting_step *step, float *state,
                     double *weights)
{
    for (int d = 0; d < step->domains; d++) {
        float *slot = &nas_weight_state(state, d)[NAS_SLOT_LEARNED];
        double c = 1.0 + (double)*slot;
        double slope = 2.0 * c / (1.0 + c * c) - step->loss[d] / (c * c * c);
        double move =
            fmax(-most_move * c, fmin(most_move * c, config->rate * slope));
        c = fmax(least_c, fmin(most_c, c - move));
        *slot = (float)(c - 1.0);
        weights[d] = 1.0 / (2.0 * c * c);
    }
}
