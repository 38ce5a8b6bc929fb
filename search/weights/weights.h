/*
 * weights.h - how much each domain's loss counts in a step.
 *
 * ABDP and its relatives (methods: uncertainty, difficulty, ratio) are
 * members of this one interface; the trainer knows nothing else of them.
 * Today's member is `uniform`. The mean weight is always 1, so the learning
 * rate need not be tuned again, and weights are constants when the loss is
 * differentiated.
 *
 * Thread: one at a time.
 */
#ifndef NAS_WEIGHTS_H
#define NAS_WEIGHTS_H

enum nas_weighting { NAS_WEIGHT_UNIFORM, NAS_WEIGHTINGS };

extern const char *const nas_weighting_names[NAS_WEIGHTINGS + 1];

enum { NAS_WEIGHT_STATE_FLOATS = 4 /* per domain */ };

/*
 * A member: from the losses of this step, `losses[domains]`, to the weights
 * of the next, `weights[domains]`. `state` is domains x
 * NAS_WEIGHT_STATE_FLOATS floats, zero at the start, saved in checkpoints.
 */
struct nas_weighting_rule {
    void (*update)(const double *losses, int domains, float *state,
                   double *weights);
};

const struct nas_weighting_rule *nas_weighting_of(enum nas_weighting kind);

#endif
