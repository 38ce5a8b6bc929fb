/*
 * uncertainty.c - balance by a learned variance (Kendall, Gal & Cipolla 2018,
 * "Multi-task learning using uncertainty").
 *
 * Every domain has an s, the logarithm of its variance, at first 0, that
 * moves down the slope of
 *
 *     (exp(-s) L + s) / 2,   slope  (1 - exp(-s) L) / 2
 *
 * At rest exp(s) = L: every domain adds exactly 1/2. s stays in [-10, 10] and
 * moves by at most 1/2 in a step, since exp(-s) has no bound of its own.
 */
#include <math.h>

#include "search/weights/members.h"

static const double most_s = 10.0, most_move = 0.5;

void nas_weights_uncertainty(const struct nas_weighting_config *config,
                             const struct nas_weighting_step *step,
                             float *state, double *weights)
{
    for (int d = 0; d < step->domains; d++) {
        float *slot = &nas_weight_state(state, d)[NAS_SLOT_LEARNED];
        double s = (double)*slot;
        double slope = (1.0 - exp(-s) * step->loss[d]) / 2.0;
        s -= fmax(-most_move, fmin(most_move, config->rate * slope));
        s = fmax(-most_s, fmin(most_s, s));
        *slot = (float)s;
        weights[d] = exp(-s) / 2.0;
    }
}
