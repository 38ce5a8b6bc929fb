/*
 * weights.c - the table of domain weightings, and the uniform one.
 */
#include "search/weights/weights.h"

#include <stddef.h>

#include "runtime/base/status.h"

const char *const nas_weighting_names[NAS_WEIGHTINGS + 1] = {"uniform", NULL};

static void uniform_update(const double *losses, int domains, float *state,
                           double *weights)
{
    (void)losses;
    (void)state;
    for (int d = 0; d < domains; d++) {
        weights[d] = 1.0;
    }
}

static const struct nas_weighting_rule rules[NAS_WEIGHTINGS] = {
    [NAS_WEIGHT_UNIFORM] = {uniform_update},
};

const struct nas_weighting_rule *nas_weighting_of(enum nas_weighting kind)
{
    SY_ASSERT((int)kind >= 0 && kind < NAS_WEIGHTINGS);
    return &rules[kind];
}
