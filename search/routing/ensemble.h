/*
 * ensemble.h - which experts answer best together.
 *
 * Thread: any.
 */
#ifndef NAS_ROUTING_ENSEMBLE_H
#define NAS_ROUTING_ENSEMBLE_H

#include "runtime/base/status.h"

/*
 * Forward selection without replacement: begins with the expert of the lowest
 * mean -ln p(label) on n images, and adds the one with which the mean of the
 * chosen ones' probabilities has the lowest, while it falls, up to `most`.
 * `answers[expert][image * classes + class]` are probabilities, floored at
 * 1e-12; of equal experts the first is taken. The first `given` of `chosen`, at
 * most `most` different ones, are taken before all others, whatever they are
 * worth. Writes their numbers to `chosen`, in the order in which they were
 * taken, and returns how many; nll[i] (may be NULL) is that of the first i + 1
 * together.
 *
 * Source: S. Zaidi et al., "Neural Ensemble Search", NeurIPS 2021.
 * `room` has n doubles.
 */
int nas_forward_select(const float *const *answers, const int *labels,
                       int experts, int n, int classes, int given, int most,
                       int *chosen, double *nll, double *room);

#endif
