/*
 * abdp.c - balanced and prioritised: the weight that balances losses (log.c)
 * times (1 - k)^gamma, which falls as a domain answers well.
 *
 * The two factors pull against each other on purpose. Alone, the first gives
 * its largest weights to domains that are learned, because their losses are
 * small; alone, the second gives a domain of noise everything.
 */
#include <math.h>

#include "search/weights/members.h"

void nas_weights_abdp(const struct nas_weighting_config *config,
                      const struct nas_weighting_step *step, float *state,
                      double *weights)
{
    nas_weights_log(config, step, state, weights);
    for (int d = 0; d < step->domains; d++) {
        double k = nas_weight_skill(config, step, d, state);
        weights[d] *= pow(1.0 - k, config->gamma);
    }
}
