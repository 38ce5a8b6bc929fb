/*
 * weights.h - how much each domain's loss counts in a step.
 *
 * The method's description says what its loss (ABDP, adaptive balanced
 * domain prioritisation) does, not how: it keeps the losses of domains in
 * balance and gives priority by difficulty, as both change. Every reading of
 * that is a member here, the trainer and the search know nothing else of
 * them. docs/weights.md has the formulas; L_d is the loss of domain d, k_d
 * its accuracy above chance:
 *
 *   uniform      1
 *   log          1 / (2 c^2), c learned on  L / (2 c^2) + ln(1 + c^2)
 *   uncertainty  exp(-s) / 2, s learned on  (exp(-s) L + s) / 2
 *   difficulty   -(1 - k)^gamma ln k
 *   abdp         that of log  x  (1 - k)^gamma
 *   ratio        softmax of (L / first L) / temperature
 *
 * What a member finds is then scaled to a mean of 1, so the learning rate
 * need not be tuned again, and mixed with 1: weight = floor + (1 - floor) x
 * what was found, so no domain is given up. The weights of a step come from
 * the losses before it: for the derivative of a step they are constants.
 *
 * Thread: one at a time.
 */
#ifndef NAS_WEIGHTS_H
#define NAS_WEIGHTS_H

#include <stdbool.h>

enum nas_weighting {
    NAS_WEIGHT_UNIFORM,
    NAS_WEIGHT_LOG,
    NAS_WEIGHT_UNCERTAINTY,
    NAS_WEIGHT_DIFFICULTY,
    NAS_WEIGHT_ABDP,
    NAS_WEIGHT_RATIO,
    NAS_WEIGHTINGS
};

extern const char *const nas_weighting_names[NAS_WEIGHTINGS + 1];

enum { NAS_WEIGHT_STATE_FLOATS = 4 /* per domain */ };

struct nas_weighting_config {
    enum nas_weighting kind;
    double gamma;       /* difficulty, abdp: how strongly difficulty counts */
    double rate;        /* log, uncertainty, abdp: of what is learned */
    double memory;      /* decay of running means, per measurement */
    double temperature; /* ratio */
    double floor;       /* smallest weight, in [0, 1] */
};

/* Defaults of every field, with this kind. */
struct nas_weighting_config nas_weighting_defaults(enum nas_weighting kind);

/* True for members that look at accuracies. */
bool nas_weighting_uses_accuracy(enum nas_weighting kind);

/* What was seen in a step; arrays of `domains`. */
struct nas_weighting_step {
    int domains;
    const double *loss;
    const double *accuracy; /* share of right answers, best on held-out
                               images; NULL: not measured in this step */
    const int *classes;     /* 1 / classes is chance; NULL where accuracy is */
};

/*
 * From a step to the weights of the next one, `weights[domains]`; before the
 * first step all weights are 1. `state` is domains x NAS_WEIGHT_STATE_FLOATS
 * floats, zero at the start, saved in checkpoints: all that is remembered.
 */
void nas_weighting_update(const struct nas_weighting_config *config,
                          const struct nas_weighting_step *step, float *state,
                          double *weights);

#endif
