/*
 * weights.c - the table of domain weightings, and what all members go
 * through: a mean of 1 and a floor.
 */
#include "search/weights/weights.h"

#include <math.h>
#include <stddef.h>

#include "runtime/base/status.h"
#include "search/weights/members.h"

const char *const nas_weighting_names[NAS_WEIGHTINGS + 1] = {
    "uniform", "log", "uncertainty", "difficulty", "abdp", "ratio", NULL};

static const struct member {
    nas_weighting_fn update;
    bool uses_accuracy;
} members[NAS_WEIGHTINGS] = {
    [NAS_WEIGHT_UNIFORM] = {nas_weights_uniform, false},
    [NAS_WEIGHT_LOG] = {nas_weights_log, false},
    [NAS_WEIGHT_UNCERTAINTY] = {nas_weights_uncertainty, false},
    [NAS_WEIGHT_DIFFICULTY] = {nas_weights_difficulty, true},
    [NAS_WEIGHT_ABDP] = {nas_weights_abdp, true},
    [NAS_WEIGHT_RATIO] = {nas_weights_ratio, false},
};

static const double least_skill = 1e-3;

struct nas_weighting_config nas_weighting_defaults(enum nas_weighting kind)
{
    return (struct nas_weighting_config){
        .kind = kind,
        .gamma = 1.0,
        .rate = 0.025,
        .memory = 0.9,
        .temperature = 2.0,
        .floor = 0.1,
    };
}

bool nas_weighting_uses_accuracy(enum nas_weighting kind)
{
    SY_ASSERT((int)kind >= 0 && kind < NAS_WEIGHTINGS);
    return members[kind].uses_accuracy;
}

float *nas_weight_state(float *state, int d)
{
    return state + (size_t)d * NAS_WEIGHT_STATE_FLOATS;
}

double nas_weight_mean(float *of_domain, double memory, double value)
{
    float *sum = &of_domain[NAS_SLOT_SUM];
    float *mass = &of_domain[NAS_SLOT_MASS];
    *sum = (float)(memory * (double)*sum + (1.0 - memory) * value);
    *mass = (float)(memory * (double)*mass + (1.0 - memory));
    return (double)*sum / (double)*mass;
}

double nas_weight_skill(const struct nas_weighting_config *config,
                        const struct nas_weighting_step *step, int d,
                        float *state)
{
    float *mine = nas_weight_state(state, d);
    double skill = 0;
    if (step->accuracy != NULL) {
        /* With one class every answer is right and there is nothing to learn.
         */
        double chance = 1.0 / step->classes[d];
        double above = step->classes[d] > 1
                           ? (step->accuracy[d] - chance) / (1.0 - chance)
                           : 1.0;
        skill = nas_weight_mean(mine, config->memory, above);
    } else if (mine[NAS_SLOT_MASS] > 0) {
        skill = (double)mine[NAS_SLOT_SUM] / (double)mine[NAS_SLOT_MASS];
    }
    return fmax(least_skill, fmin(1.0 - least_skill, skill));
}

/* Scales to a mean of 1, then mixes with 1. */
static void finish(double *weights, int domains, double floor)
{
    double sum = 0;
    for (int d = 0; d < domains; d++) {
        sum += weights[d];
    }
    SY_ASSERT(isfinite(sum));
    for (int d = 0; d < domains; d++) {
        double share = sum > 0 ? weights[d] * domains / sum : 1.0;
        weights[d] = floor + (1.0 - floor) * share;
    }
}

void nas_weighting_update(const struct nas_weighting_config *config,
                          const struct nas_weighting_step *step, float *state,
                          double *weights)
{
    SY_ASSERT((int)config->kind >= 0 && config->kind < NAS_WEIGHTINGS);
    members[config->kind].update(config, step, state, weights);
    finish(weights, step->domains, config->floor);
}
